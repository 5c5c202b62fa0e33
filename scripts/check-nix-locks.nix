# What nix/lock says of the cases of scripts/check-nix-locks, as JSON: refusals by their kind, selections by name.
{ cases }:
let
  lock = import ../nix/lock { };
  markers = import ../nix/lock/markers.nix;
  versions = import ../nix/lock/versions.nix;
  tags = import ../nix/lock/tags.nix;
  text = import ../nix/lock/text.nix;
  inherit (builtins)
    elemAt
    genList
    head
    length
    ;

  document = builtins.fromJSON (builtins.readFile cases);

  readOf = lock.tryRead;

  nameOf = one: if one.kind == "git" || one.kind == "directory" then one.kind else one.filename;

  # `[ NAME VERSION FILE ]` of what is selected.
  factsOf = one: [
    one.name
    one.version
    (nameOf one)
  ];

  # The place of what is selected in the document: `1.2` is the third file of the second entry.
  placeOf =
    locked: one:
    let
      package = elemAt locked.packages one.index;
      files = package.source.files;
      file = builtins.intersectAttrs {
        filename = 1;
        url = 1;
        path = 1;
        sha256 = 1;
      } one;
      places = builtins.filter (place: elemAt files place == file) (
        genList (place: place) (length files)
      );
      what =
        if package.source.type == "archive" then
          "archive"
        else if one.kind == "sdist" then
          "sdist"
        else if one.kind == "wheel" then
          toString (head places)
        else
          one.kind;
    in
    "${toString one.index}.${what}";

  answer =
    shape: read: question:
    let
      found = lock.trySelect {
        inherit (read) locked;
        target = lock.target question.target;
        inherit (question) extras groups;
      };
    in
    if found ? fault then
      { refused = found.fault.kind; }
    else
      { chosen = map (shape read.locked) found.chosen; };

  ask =
    shape: case:
    let
      read = readOf case.lock;
    in
    if read ? fault then
      { refused = read.fault; }
    else
      { answers = map (answer shape read) case.questions; };

  # The message of a refusal, wherever it comes from; null where there is none.
  refusal =
    case:
    let
      read = readOf ({ inherit (case) lock; } // case.reading);
      selected = lock.trySelect (
        {
          inherit (read) locked;
          target = lock.target case.target;
        }
        // case.wanted
      );
    in
    if read ? fault then
      read.fault.message
    else if selected ? fault then
      selected.fault.message
    else
      null;

  verdict =
    context: marker:
    let
      sets = {
        extras = text.toSet context.extras;
        dependency_groups = text.toSet (context.groups or [ ]);
      };
      names = if context ? groups then { inherit sets; } else { metadata = sets.extras; };
      found = markers.evaluate context.environment names marker;
    in
    if builtins.isAttrs found then
      "E"
    else if found then
      "1"
    else
      "0";
in
{
  real = map (ask (_: factsOf)) document.real;
  generated = map (ask placeOf) document.generated;
  described = map lock.read document.described;
  # What each of them takes, and what these sources are built with.
  builds = map (
    case:
    let
      arguments = {
        locked = lock.read case.lock;
        target = lock.target case.target;
      };
      asked = arguments // {
        chosen = lock.select arguments;
        inherit (case) project;
      };
      show = one: "${one.name} ${if one.version == null then "?" else one.version}";
    in
    {
      chosen = map nameOf asked.chosen;
      # What the store calls them where it does not take their names.
      storeNames = map (one: one.storeName) (
        builtins.filter (one: one.storeName != one.filename) asked.chosen
      );
      builds = map (build: [ (show build) ] ++ map nameOf build.packages) (lock.selectBuilds asked);
      missing = map show (lock.missingBuilds asked);
    }
  ) document.builds;
  refusals = map refusal document.refusals;

  # The verdicts in every context, null where a text is no marker; and whether its printed form means the same.
  markers = map (
    written:
    let
      marker = markers.parse written;
    in
    if marker.fault != null then
      null
    else if (markers.parse marker.shown).node != marker.node then
      "its printed form `${marker.shown}` is another"
    else
      builtins.concatStringsSep "" (map (context: verdict context marker) document.contexts)
  ) document.markers;

  specifiers = map (
    written:
    let
      specifier = versions.parseSpecifier written;
      contains = version: if versions.satisfies specifier (versions.parse version) then "1" else "0";
    in
    if specifier == null then null else builtins.concatStringsSep "" (map contains document.versions)
  ) document.specifiers;

  ranks = map (
    target:
    map (
      wheel: tags.rank (lock.target target).ranking (tags.parseWheel "a-1-${wheel}.whl")
    ) document.wheels
  ) document.targets;
}
