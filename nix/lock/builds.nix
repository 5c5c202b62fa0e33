# What sources are built with, where the lock says: `[tool.pyzpack]` of a pylock.toml, or the JSON beside another lock.
let
  markers = import ./markers.nix;
  names = import ./names.nix;
  take = import ./take.nix;
  inherit (builtins)
    elemAt
    filter
    genList
    head
    length
    ;

  entryOf = package: names.entry package.name package.version;

  fault = kind: message: { inherit kind message; };

  numbered = list: genList (index: { inherit index; package = elemAt list index; }) (length list);
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
  all =
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
}
