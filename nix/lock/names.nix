# What every reader does with the texts of a lock: names, versions, markers, each read once.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  markers = import ./markers.nix;
  inherit (builtins) map;
in
rec {
  # The normalised name (PEP 503), or null where a text is none.
  normalise =
    name:
    if builtins.match "[a-z0-9]+(-[a-z0-9]+)*" name != null then
      name
    else if text.isName name then
      text.normaliseName name
    else
      null;

  # Names normalised, each once, in order.
  sorted =
    names: builtins.attrNames (text.toSet (builtins.filter (name: name != null) (map normalise names)));

  # A table whose keys are names, with these normalised.
  byName =
    table:
    builtins.listToAttrs (
      map (name: {
        name = normalise name;
        value = table.${name};
      }) (builtins.filter (name: normalise name != null) (builtins.attrNames table))
    );

  # Packages with their numbers in the lock.
  numbered =
    packages:
    builtins.genList (index: {
      inherit index;
      package = builtins.elemAt packages index;
    }) (builtins.length packages);

  # The markers of a lock, of which most stand there many times: parsed by text.
  markersOf =
    texts:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = markers.parse name;
      }) texts
    );

  # Specifiers as they are printed; null where there are none.
  showSpecifiers =
    written:
    if written == null then null else versions.showSpecifiers (versions.parseSpecifiers written);

  # The first of names that is none, as a message; or null.
  faultOf =
    names:
    text.first (
      map (
        name:
        if normalise name == null then
          "not a valid name: `${name}` (letters, digits, `.`, `-` and `_`, beginning and ending with a letter or digit)"
        else
          null
      ) names
    );

  # An entry as messages name it.
  entry = name: version: if version == null then name else "${name} ${version}";
}
