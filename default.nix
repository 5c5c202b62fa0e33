# For those without flakes: `nix-build -A pyzpack`, or `(import ./pyzpack { inherit pkgs; }).pyzpackHook`.
{
  pkgs ? import <nixpkgs> { },
}:
import ./nix { inherit pkgs; }
