# Extras and groups that exclude each other, and how they stand in markers: as an `extra` of a longer name, with the
# length of the package's (src/lock/uv/conflict.rs).
let
  text = import ../text.nix;
  names = import ../names.nix;
  inherit (builtins)
    attrNames
    concatMap
    elem
    elemAt
    sort
    ;

  encode =
    kind: package: name:
    "${kind}-${toString (builtins.stringLength package)}-${package}${
      if name == null then "" else "-${name}"
    }";
in
rec {
  # The sets of a lock whose project is `packageName`.
  readConflicts =
    packageName: sets:
    let
      # What belongs to another package has its name in markers.
      member =
        item:
        let
          package = names.normalise item.package;
          extra = names.normalise item.extra;
          group = names.normalise item.group;
        in
        if packageName == package then
          if item ? extra then
            { inherit extra; }
          else if item ? group then
            { inherit group; }
          else
            { }
        else if item ? extra then
          { extra = encode "extra" package extra; }
        else if item ? group then
          { extra = encode "group" package group; }
        else
          { extra = encode "project" package null; };
      memberKey =
        one:
        if one ? extra then
          [
            1
            one.extra
          ]
        else if one ? group then
          [
            2
            one.group
          ]
        else
          [
            0
            ""
          ];
    in
    map (set: sort (one: other: memberKey one < memberKey other) (text.unique (map member set))) sets;

  # What is active, as markers name it: what is wanted of the project, and the extras of the packages that are reached.
  # `reached` has a list of extras for the number of every package that is.
  activeNames =
    locked: wanted: reached:
    let
      own = projectName locked;
      ofPackage =
        key:
        let
          package = (elemAt locked.packages (builtins.fromJSON key)).name;
        in
        map (extra: encode "extra" package extra) reached.${key};
    in
    text.toSet (
      (
        if own == null then
          [ ]
        else
          [ (encode "project" own null) ]
          ++ map (encode "extra" own) wanted.extras
          ++ map (encode "group" own) wanted.groups
      )
      ++ concatMap ofPackage (attrNames reached)
    );

  # Whether a member of a conflict is active, given the names of what is.
  isActive =
    locked: wanted: active: member:
    let
      own = projectName locked;
    in
    if member ? extra then
      active ? ${member.extra} || own != null && active ? ${encode "extra" own member.extra}
    else if member ? group then
      elem member.group wanted.groups
    else
      true;

  # What is active along an edge that asks for these extras of a package.
  edgeNames = package: extras: text.toSet (map (encode "extra" package) extras);

  projectName =
    locked: if locked.project == null then null else (elemAt locked.packages locked.project).name;
}
