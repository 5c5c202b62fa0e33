{
  description = "One Python program, one .pyz file: the same bytes everywhere, verifiable, fast to start";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      # nixpkgs 26.11 throws where it is asked for a Mac with a processor of Intel.
      hasIntelMac = builtins.compareVersions (nixpkgs.lib.trivial.release or "0") "26.11" < 0;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ]
      ++ (if hasIntelMac then [ "x86_64-darwin" ] else [ ]);
      forEachSystem = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      scope = pkgs: import ./nix { inherit pkgs; };
    in
    {
      packages = forEachSystem (pkgs: rec {
        inherit (scope pkgs) pyzpack pyzpackHook;
        default = pyzpack;
      });

      lib = forEachSystem (pkgs: {
        inherit (scope pkgs) buildPyz wheelhouse;
      });

      overlays.default = import ./nix/overlay.nix;

      checks = forEachSystem (
        pkgs:
        import ./nix/checks.nix {
          inherit pkgs;
          inherit (scope pkgs) pyzpack pyzpackHook buildPyz;
        }
      );

      templates.default = {
        # A text, so that `nix flake check` finds it in a store that is elsewhere than its paths say.
        path = "${./nix/template}";
        description = "A Python program that Nix packs as one .pyz";
      };

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.cargo
            pkgs.rustc
            pkgs.rustfmt
            pkgs.clippy
            pkgs.python3
            pkgs.uv
            pkgs.git
            pkgs.shellcheck
          ];
        };
      });

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
