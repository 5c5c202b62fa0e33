# What is wrong with the text of a field, or null.
let
  versions = import ./versions.nix;
  names = import ./names.nix;
in
rec {
  field = message: {
    kind = "field";
    inherit message;
  };

  # A name that stands in a lock in its normalised form, and in no other.
  normalisedFault =
    key: name:
    let
      normal = names.normalise name;
    in
    if normal == null then
      field "`${key}`: ${names.faultOf [ name ]}"
    else if normal != name then
      field "`${key}`: `${name}` is not normalised, expected `${normal}`"
    else
      null;

  specifierFault =
    key: written:
    if written != null && versions.parseSpecifiers written == null then
      field "`${key}`: `${written}` is not a version specifier"
    else
      null;

  versionFault =
    key: written:
    if written != null && versions.parse written == null then
      field "`${key}`: `${written}` is not a version"
    else
      null;

  notEmpty = value: if value == "" then null else value;
}
