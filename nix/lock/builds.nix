# What sources are built with, where the lock says: `[tool.pyzpack]` of a pylock.toml, or the JSON beside another lock.
let
  text = import ./text.nix;
  markers = import ./markers.nix;
  names = import ./names.nix;
  take = import ./take.nix;
  inherit (builtins)
    elemAt
    filter
    head
    ;

  entryOf = package: names.entry package.name package.version;

  fault = kind: message: { inherit kind message; };

  isSource = one: one.kind != "wheel";

  sourcesOf = build: filter isSource (build.packages or [ ]);
in
rec {
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
      judged = map judge (names.numbered build.packages);
      faults = filter (one: builtins.isAttrs one.holds) judged;
      needed = map (one: removeAttrs one [ "holds" ]) (filter (one: one.holds == true) judged);
    in
    if faults != [ ] then
      {
        fault = fault "marker" "`${locked.lock.name}`, ${entryOf (head faults).package}: ${(head faults).holds.fault}";
      }
    else
      take locked target needed;

  # Builds of which each is built with the next, and the last is the first again, as messages name them; null where none are.
  roundIn =
    builds:
    let
      keyOf = one: names.entry one.name one.version;
      byKey = builtins.listToAttrs (
        map (build: {
          name = build.key;
          value = build;
        }) builds
      );
      # What needs nothing that is left can be built.
      settle =
        left:
        let
          waits = build: builtins.any (one: left ? ${keyOf one}) (sourcesOf build);
          next = builtins.intersectAttrs left (
            text.toSet (filter (key: waits byKey.${key}) (builtins.attrNames left))
          );
        in
        if next == left then left else settle next;
      left = settle (text.toSet (builtins.attrNames byKey));
      follow =
        path: key:
        let
          next = keyOf (head (filter (one: left ? ${keyOf one}) (sourcesOf byKey.${key})));
        in
        if builtins.elem key path then dropTo key path ++ [ key ] else follow (path ++ [ key ]) next;
      dropTo = key: path: if head path == key then path else dropTo key (builtins.tail path);
    in
    if left == { } then null else follow [ ] (head (builtins.attrNames left));

  # The builds that what was chosen takes, the project's own first, and those of what is built to build others. Each is
  # `{ name; version; packages; }` or, where the lock has none, `{ name; version; isMissing = true; }`; or a fault.
  all =
    {
      locked,
      target,
      chosen,
      project ? null,
    }:
    let
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
      found = builtins.genericClosure {
        startSet = (if project == null then [ ] else [ (node start) ]) ++ map node (filter isSource chosen);
        operator = build: map node (sourcesOf build);
      };
      round = roundIn found;
    in
    if round == null then
      found
    else
      [
        {
          fault = fault "cycle" "`${locked.lock.name}`: to build ${head round}, it would have to be built first (${builtins.concatStringsSep " needs " round}): one of them has to be there as a wheel for ${target.shown}";
        }
      ];
}
