# Everything that pyzpack gives to Nix: `import ./nix { inherit pkgs; }`.
{ pkgs }:
let
  # What runs while something is built: the same, unless that is for another system.
  tools = import ./. { pkgs = pkgs.buildPackages; };
  scope = {
    pyzpack = pkgs.callPackage ./package.nix { };
    pyzpackHook = pkgs.callPackage ./hook.nix { inherit (scope) pyzpack; };
    wheelhouse = pkgs.callPackage ./wheelhouse.nix { inherit (tools) pyzpack; };
    buildPyz = pkgs.callPackage ./build-pyz.nix {
      inherit (tools) pyzpack pyzpackHook;
      inherit (scope) wheelhouse;
    };
  };
in
scope
