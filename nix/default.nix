# Everything that pyzpack gives to Nix: `import ./nix { inherit pkgs; }`.
{ pkgs }:
let
  scope = {
    pyzpack = pkgs.callPackage ./package.nix { };
    pyzpackHook = pkgs.callPackage ./hook.nix { inherit (scope) pyzpack; };
  };
in
scope
