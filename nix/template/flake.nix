{
  description = "A Python program that Nix packs as one .pyz";

  # Where you have pyzpack from.
  inputs.pyzpack.url = "github:OWNER/pyzpack";

  outputs = { self, pyzpack }: {
    packages = builtins.mapAttrs (system: lib: {
      default = lib.buildPyz {
        pname = "hello";
        src = ./.;
        lock = ./pylock.toml;
      };
    }) pyzpack.lib;
  };
}
