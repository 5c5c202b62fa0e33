# What of a lock a target takes: the entries that are needed there, one a name, and of each the file that fits best
# (src/lock/select.rs). Refusals are `{ fault = { kind; message; }; }`.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  markers = import ./markers.nix;
  names = import ./names.nix;
  conflicts = import ./conflicts.nix;
  walk = import ./walk.nix;
  take = import ./take.nix;
  inherit (builtins)
    concatStringsSep
    elem
    filter
    head
    ;

  fault = kind: message: { inherit kind message; };

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
            if known == [ ] then "" else " (it has: ${concatStringsSep ", " known})"
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
      (conflicts locked isWanted)
    ];
in
# `{ chosen; }`, by name, or a fault.
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
  take locked target (filter isNeeded (names.numbered locked.packages))
