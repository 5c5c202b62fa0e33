# `LOCKNAME.nix.json`, which `pyzpack lock --format nix` writes beside a lock: a lock as data, of one state of that lock.
let
  text = import ./text.nix;
  fault = kind: message: { fault = { inherit kind message; }; };
in
{
  # `{ lock; }` or a fault. `name` and `sha256` are the lock's own; `command` makes the document anew.
  read =
    {
      name,
      sha256,
      command,
      written,
    }:
    let
      shown = "`${name}.nix.json`";
      again = "run `${command}`, then evaluate again";
      document = builtins.fromJSON written;
      required = [
        "requires-python"
        "environments"
        "extras"
        "groups"
        "default-groups"
        "conflicts"
        "project"
        "roots"
        "packages"
        "builds"
      ];
      missing = builtins.filter (key: !(document ? ${key})) required;
      show = value: if builtins.isString value then value else builtins.toJSON value;
    in
    if !(text.hasPrefix "{" (text.trim (builtins.substring 0 8 written + "x"))) || !(builtins.isAttrs document) then
      fault "malformed" "${shown} is not what `pyzpack lock --format nix` writes; ${again}"
    else if document.format or null != "pyzpack-nix-lock" then
      fault "malformed" "${shown}: its format is `${show (document.format or null)}`, expected `pyzpack-nix-lock`; ${again}"
    else if document.version or null != 1 then
      fault "version" "${shown} has version ${show (document.version or null)}, which is not known (known: 1); ${again}"
    else if document.lock.name or null != name then
      fault "stale" "${shown} is of `${show (document.lock.name or null)}`, not of `${name}`; ${again}"
    else if document.lock.sha256 or null != sha256 then
      fault "stale" "${shown} is stale: `${name}` has changed since (its sha256 is ${sha256}, expected ${show (document.lock.sha256 or null)}); ${again}"
    else if missing != [ ] then
      fault "malformed" "${shown}: `${builtins.head missing}` is missing; ${again}"
    else
      { lock = document; };
}
