# The wheel platform that is asked for by default. On Linux none: it is that of the Python that builds, whose C library Nix
# pins. On macOS it would be the version of the machine that happens to build, so the oldest that nixpkgs supports is named.
{ lib, stdenv }:

if stdenv.hostPlatform.isDarwin then
  "macosx_${lib.replaceStrings [ "." ] [ "_" ] stdenv.hostPlatform.darwinMinVersion}_${stdenv.hostPlatform.darwinArch}"
else
  null
