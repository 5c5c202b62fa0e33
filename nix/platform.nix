# The wheel platform that is asked for by default. On Linux none: it is that of the Python that builds, whose C library Nix
# pins; compiling for another system, that system's is named. On macOS it would be the version of the machine that happens to
# build, so the oldest that nixpkgs supports is named.
{ lib, stdenv }:

let
  libc = lib.replaceStrings [ "." ] [ "_" ] (lib.versions.majorMinor stdenv.cc.libc.version);
in
if stdenv.hostPlatform.isDarwin then
  "macosx_${
    lib.replaceStrings [ "." ] [ "_" ] stdenv.hostPlatform.darwinMinVersion
  }_${stdenv.hostPlatform.darwinArch}"
else if stdenv.hostPlatform.config != stdenv.buildPlatform.config then
  "${
    if stdenv.hostPlatform.isMusl then "musllinux" else "manylinux"
  }_${libc}_${stdenv.hostPlatform.parsed.cpu.name}"
else
  null
