{
  description = "One Python program, one .pyz file: the same bytes everywhere, verifiable, fast to start";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forEachSystem = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      scope = pkgs: import ./nix { inherit pkgs; };
    in
    {
      packages = forEachSystem (pkgs: rec {
        inherit (scope pkgs) pyzpack pyzpackHook;
        default = pyzpack;
      });

      lib = forEachSystem (pkgs: { inherit (scope pkgs) buildPyz wheelhouse; });

      overlays.default = import ./nix/overlay.nix;

      checks = forEachSystem (pkgs: import ./nix/checks.nix { inherit pkgs; inherit (scope pkgs) pyzpack pyzpackHook buildPyz; });

      templates.default = {
        path = ./nix/template;
        description = "A Python program that Nix packs as one .pyz";
      };

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [ pkgs.cargo pkgs.rustc pkgs.rustfmt pkgs.clippy pkgs.python3 pkgs.uv pkgs.git pkgs.shellcheck ];
        };
      });

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
