# The packages of a lock that are needed: from its roots along the edges whose markers hold.
let
  text = import ./text.nix;
  markers = import ./markers.nix;
  names = import ./names.nix;
  conflicts = import ./conflicts.nix;
  uv = import ./uv;
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    elem
    elemAt
    filter
    head
    mapAttrs
    ;

  isUv = locked: locked.lock.name == "uv.lock" || text.hasSuffix ".py.lock" locked.lock.name;
  # Whose markers know `extras` and `dependency_groups`.
  hasSets =
    locked:
    elem locked.lock.name [
      "poetry.lock"
      "pdm.lock"
    ]
    || text.hasPrefix "pylock." locked.lock.name;

  entryOf = package: names.entry package.name package.version;

  fault = kind: message: { inherit kind message; };

  # The values of a lock's markers for one target, those that do not depend on extras worked out once.
  evaluator =
    locked: target:
    let
      edgesOf =
        package:
        package.dependencies ++ concatMap (edges: edges) (attrValues package.optional-dependencies);
      edges = locked.roots ++ concatMap edgesOf locked.packages;
      texts = concatMap (edge: if edge.marker or null == null then [ ] else [ edge.marker ]) edges;
      judge =
        marker:
        let
          dependsOnNames =
            marker.mentions ? extra || marker.mentions ? extras || marker.mentions ? dependency_groups;
        in
        {
          inherit marker dependsOnNames;
          # Without names there is nothing that these could change.
          value = markers.evaluate target.environment { several = { }; } marker;
        };
      judged = mapAttrs (_: judge) (names.markersOf texts);
    in
    {
      mentionsExtra = written: judged.${written}.marker.mentions ? extra;
      holds =
        namesOf: written:
        let
          one = judged.${written};
        in
        if one.dependsOnNames then markers.evaluate target.environment namesOf one.marker else one.value;
    };
in
# The packages that are needed: `{ reached; }` with the extras that are needed of each, by number; or a fault.
locked: target: wanted:
let
  evaluated = evaluator locked target;
  active = wanted // {
    groups = names.sorted (wanted.groups ++ locked.default-groups);
  };
  isUvLock = isUv locked;
  sets = {
    extras = text.toSet active.extras;
    dependency_groups = text.toSet active.groups;
  };

  namesFor =
    several: edge:
    if isUvLock then
      {
        several =
          if edge.extras != [ ] && evaluated.mentionsExtra edge.marker then
            # The extras that an edge asks for count in its own marker, too.
            several // uv.edgeNames (elemAt locked.packages edge.to).name edge.extras
          else
            several;
      }
    else if hasSets locked then
      { inherit sets; }
    else
      { metadata = sets.extras; };

  # What following an edge reaches: the package, and each of its extras.
  follow =
    several: edge:
    let
      verdict =
        if edge.marker or null == null then true else evaluated.holds (namesFor several edge) edge.marker;
      package = elemAt locked.packages edge.to;
      key = toString edge.to;
    in
    if builtins.isAttrs verdict then
      [
        {
          key = "fault";
          fault = fault "marker" "`${locked.lock.name}`, ${entryOf package}: ${verdict.fault}";
        }
      ]
    else if verdict then
      [
        {
          inherit key package;
          extra = null;
        }
      ]
      ++ map (extra: {
        key = "${key}/${extra}";
        inherit package extra;
        of = key;
      }) edge.extras
    else
      [ ];

  followAll = several: concatMap (follow several);

  isActiveRoot =
    { of, ... }:
    if of ? extra then
      elem of.extra active.extras
    else if of ? group then
      elem of.group active.groups
    else
      true;
  roots = filter isActiveRoot locked.roots;

  reach =
    several:
    let
      nodes = builtins.genericClosure {
        startSet = followAll several roots;
        operator =
          node:
          if node ? fault then
            [ ]
          else if node.extra == null then
            followAll several node.package.dependencies
          else
            followAll several (node.package.optional-dependencies.${node.extra} or [ ]);
      };
      faults = filter (node: node ? fault) nodes;
      ofExtras = builtins.groupBy (node: node.of) (filter (node: node.extra != null) nodes);
      packages = filter (node: node.extra == null) nodes;
    in
    if faults != [ ] then
      { inherit (head faults) fault; }
    else
      {
        reached = builtins.listToAttrs (
          map (node: {
            name = node.key;
            value = map (one: one.extra) (ofExtras.${node.key} or [ ]);
          }) packages
        );
      };

  # An extra of a package that is reached may exclude an edge that was followed before: only a walk that activates
  # nothing more counts, as with uv.
  settle =
    several:
    let
      found = reach several;
      more = several // uv.activeNames locked active found.reached;
      conflict = conflicts locked (uv.isActive locked active more);
    in
    if found ? fault then
      found
    else if attrNames more != attrNames several then
      settle more
    else if conflict != null then
      { fault = conflict; }
    else
      found;
in
if isUvLock then settle (uv.activeNames locked active { }) else reach { }
