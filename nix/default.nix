# Everything that pyzpack gives to Nix: `import ./nix { inherit pkgs; }`.
{ pkgs }:
let
  scope = {
    pyzpack = pkgs.callPackage ./package.nix { };
    pyzpackHook = pkgs.callPackage ./hook.nix { inherit (scope) pyzpack; };
    wheelhouse = pkgs.callPackage ./wheelhouse.nix { inherit (scope) pyzpack; };
    buildPyz = pkgs.callPackage ./build-pyz.nix { inherit (scope) pyzpack pyzpackHook wheelhouse; };
  };
in
scope
