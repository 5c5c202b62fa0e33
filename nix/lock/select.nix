# What of a lock a target takes: the entries that are needed there, one a name, and of each the file that fits best
# (src/lock/select.rs). Refusals are `{ fault = { kind; message; }; }`.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  markers = import ./markers.nix;
  names = import ./names.nix;
  tags = import ./tags.nix;
  uv = import ./uv;
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    genList
    head
    length
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

  quotedList = texts: concatStringsSep ", " texts;

  # A name that the store takes, for any file's.
  storeNameOf =
    filename:
    let
      parts = filter builtins.isString (builtins.split "[^0-9A-Za-z+._?=-]+" filename);
      name = concatStringsSep "_" parts;
      whole = if text.hasPrefix "." name then "_${name}" else name;
      size = builtins.stringLength whole;
      # The store takes 211 characters, and the end says what a file is.
    in
    if size > 200 then "_${builtins.substring (size - 200) 200 whole}" else whole;

  # The values of a lock's markers for one target, those that do not depend on extras worked out once.
  evaluator =
    locked: target:
    let
      edgesOf = package: package.dependencies ++ concatMap (edges: edges) (attrValues package.optional-dependencies);
      edges = locked.roots ++ concatMap edgesOf locked.packages;
      texts = concatMap (edge: if edge.marker or null == null then [ ] else [ edge.marker ]) edges;
      judge =
        marker:
        let
          dependsOnNames = marker.mentions ? extra || marker.mentions ? extras || marker.mentions ? dependency_groups;
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

  # Why the whole lock is not for a target, or null.
  targetFault =
    locked: target:
    let
      name = "`${locked.lock.name}`";
      requires = locked.requires-python;
      environments = map markers.parse locked.environments;
      # No environment has an extra.
      verdicts = map (markers.evaluate target.environment { metadata = { }; }) environments;
      faults = filter builtins.isAttrs verdicts;
    in
    if requires != null && !(target.satisfies (versions.parseSpecifiers requires)) then
      fault "python" "${name} is for Python ${requires}, the target is ${target.python_text}"
    else if faults != [ ] then
      fault "marker" "${name}, environments: ${(head faults).fault}"
    else if environments != [ ] && !(elem true verdicts) then
      fault "environment" "${name} is not for ${target.shown}: none of its environments is (${concatStringsSep "; " locked.environments})"
    else
      null;

  describeMember =
    member:
    if member ? extra then
      "extra `${member.extra}`"
    else if member ? group then
      "group `${member.group}`"
    else
      "the project itself";

  conflictFault =
    locked: isActive:
    text.first (
      map (
        conflict:
        let
          active = filter isActive conflict;
        in
        if length active > 1 then
          fault "conflict" "`${locked.lock.name}`: ${concatStringsSep " and " (map describeMember active)} exclude each other"
        else
          null
      ) locked.conflicts
    );

  # Why what is wanted cannot be, or null.
  wantedFault =
    locked: wanted:
    let
      unknown =
        kind: asked: known:
        let
          missing = if known == null then [ ] else filter (name: !elem name known) asked;
        in
        if missing == [ ] then
          null
        else
          fault kind "`${locked.lock.name}` has no ${kind} `${head missing}`${
            if known == [ ] then "" else " (it has: ${quotedList known})"
          }";
      isWanted =
        member:
        if member ? extra then
          elem member.extra wanted.extras
        else if member ? group then
          elem member.group wanted.groups
        else
          true;
    in
    text.first [
      (unknown "extra" wanted.extras locked.extras)
      (unknown "group" wanted.groups locked.groups)
      (conflictFault locked isWanted)
    ];

  # The packages that are needed: `{ reached; }` with the extras that are needed of each, by number; or a fault.
  walk =
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
          conflict = conflictFault locked (uv.isActive locked active more);
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
    if isUvLock then settle (uv.activeNames locked active { }) else reach { };

  # Of each entry what fits. The entries come as `{ index; package; }`, in the lock's order.
  take =
    locked: target: needed:
    let
      name = "`${locked.lock.name}`";
      byName = builtins.groupBy (one: one.package.name) needed;
      placeOf =
        { index, package }:
        let
          kind = package.source.type;
          version = if package.version == null then "no version" else package.version;
          source =
            {
              files = "";
              archive = " from an archive";
              git = " from git";
            }
            .${kind} or " from a directory";
        in
        "${version}${source} (entry ${toString (index + 1)})";
      fitFault =
        one:
        let
          inherit (one) package;
          same = byName.${package.name};
          requires = package.requires-python;
        in
        if requires != null && !(target.satisfies (versions.parseSpecifiers requires)) then
          fault "python" "${name}, ${entryOf package}: it needs Python ${requires}, the target is ${target.python_text}"
        else if length same > 1 && (head same).index != one.index then
          fault "ambiguous" "${name}: several entries of `${package.name}` are needed at once: ${quotedList (map placeOf same)}"
        else
          null;
      firstFault = text.first (map fitFault needed);
      chosen = map (choose locked target) needed;
      faulty = filter (one: one ? fault) chosen;
    in
    if firstFault != null then
      { fault = firstFault; }
    else if faulty != [ ] then
      head faulty
    else
      { chosen = builtins.sort (one: other: one.name < other.name) chosen; };

  # The best of an entry for a target, or a fault.
  choose =
    locked: target:
    { index, package }:
    let
      inherit (package) source;
      name = "`${locked.lock.name}`, ${entryOf package}";
      # A file without a sha256 may be left out of a lock that was described.
      files = filter (file: file != null) (
        if source.type == "files" then source.files else [ source.file ]
      );
      wheel = tags.best target.ranking files;
      sdists = filter (file: tags.isSdist file.filename) files;
      wheels = filter (file: text.hasSuffix ".whl" file.filename) files;
      file = if wheel != null then wheel else head sdists;
      same = filter (one: one.filename == file.filename && one.sha256 or null != null) files;
      digests = attrNames (text.toSet (map (one: one.sha256) same));
      refuse = kind: message: { fault = fault kind "${name}: ${message}"; };
      common = {
        inherit (package) name version;
        inherit index;
        entry = entryOf package;
        subdirectory = source.subdirectory or null;
      };
    in
    if source.type == "git" then
      common
      // {
        kind = "git";
        inherit (source) url commit;
      }
    else if source.type == "directory" then
      common
      // {
        kind = "directory";
        inherit (source) path;
      }
    else if wheel == null && sdists == [ ] then
      if files == [ ] && source.type == "archive" then
        refuse "hash" "its archive has no sha256 hash"
      else
        refuse "no-wheel" "no wheel fits ${target.shown}, and there is no source distribution; there are ${
          if wheels == [ ] then "no files" else quotedList (map (one: one.filename) wheels)
        }"
    else if source.type == "files" && length digests > 1 then
      refuse "field" "`${file.filename}` is there with several sha256 hashes: ${quotedList digests}"
    else if file.sha256 or null == null then
      refuse "hash" "`${file.filename}` has no sha256 hash: lock again with an index that gives sha256 hashes, or run `pyzpack lock`"
    else
      common
      // file
      // {
        kind = if wheel != null then "wheel" else "sdist";
        storeName = storeNameOf file.filename;
      };

  numbered = list: genList (index: { inherit index; package = elemAt list index; }) (length list);
in
rec {
  # `{ chosen; }`, by name, or a fault.
  trySelect =
    {
      locked,
      target,
      extras ? [ ],
      groups ? [ ],
    }:
    let
      nameFault = names.faultOf (extras ++ groups);
      wanted = {
        extras = names.sorted extras;
        groups = names.sorted groups;
      };
      early = text.first [
        (if nameFault == null then null else fault "name" nameFault)
        (targetFault locked target)
        (wantedFault locked wanted)
      ];
      found = walk locked target wanted;
      isNeeded =
        { index, package }:
        found.reached ? ${toString index} && locked.project != index && package.source.type != "virtual";
    in
    if early != null then
      { fault = early; }
    else if found ? fault then
      found
    else
      take locked target (filter isNeeded (numbered locked.packages));

  # What a distribution is built with, where the lock says; a build without a version is that of any. Null where it does not.
  buildFor =
    locked:
    { name, version, ... }:
    let
      ofName = filter (build: build.name == name) locked.builds;
      exact = filter (build: build.version != null && build.version == version) ofName;
      any = filter (build: build.version == null || version == null) ofName;
      found = exact ++ any;
    in
    if found == [ ] then null else head found;

  # Those of a build's packages that a target needs: `{ chosen; }` or a fault.
  trySelectBuild =
    {
      locked,
      target,
      build,
    }:
    let
      sets = {
        extras = { };
        dependency_groups = { };
      };
      judge =
        one:
        one
        // {
          holds =
            if one.package.marker or null == null then
              true
            else
              markers.evaluate target.environment { inherit sets; } (markers.parse one.package.marker);
        };
      judged = map judge (numbered build.packages);
      faults = filter (one: builtins.isAttrs one.holds) judged;
      needed = map (one: removeAttrs one [ "holds" ]) (filter (one: one.holds == true) judged);
    in
    if faults != [ ] then
      {
        fault = fault "marker" "`${locked.lock.name}`, ${entryOf (head faults).package}: ${(head faults).holds.fault}";
      }
    else
      take locked target needed;

  # The builds that what was chosen takes, the project's own first, and those of what is built to build others. Each is
  # `{ name; version; packages; }` or, where the lock has none, `{ name; version; isMissing = true; }`; or a fault.
  builds =
    {
      locked,
      target,
      chosen,
      project ? null,
    }:
    let
      isSource = one: one.kind != "wheel";
      start = {
        inherit (one) name version;
      };
      one = {
        name = names.normalise project;
        version = if locked.project == null then null else (elemAt locked.packages locked.project).version;
      };
      node =
        { name, version, ... }:
        let
          build = buildFor locked { inherit name version; };
          found = trySelectBuild { inherit locked target build; };
        in
        {
          key = names.entry name version;
          inherit name version;
        }
        // (
          if build == null then
            { isMissing = true; }
          else if found ? fault then
            { inherit (found) fault; }
          else
            { packages = found.chosen; }
        );
    in
    builtins.genericClosure {
      startSet = (if project == null then [ ] else [ (node start) ]) ++ map node (filter isSource chosen);
      operator = build: map node (filter isSource (build.packages or [ ]));
    };

  inherit storeNameOf;
}
