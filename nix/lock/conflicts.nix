# Whether more than one of a set of extras and groups that exclude each other is active: a fault, or null.
let
  text = import ./text.nix;
  inherit (builtins)
    concatStringsSep
    filter
    length
    ;

  fault = kind: message: { inherit kind message; };

  describeMember =
    member:
    if member ? extra then
      "extra `${member.extra}`"
    else if member ? group then
      "group `${member.group}`"
    else
      "the project itself";
in
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
)
