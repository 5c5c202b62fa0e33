# What a .pyz must run on: Python's version, the platform, the values of markers, the wheels that fit (src/target/mod.rs).
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  platforms = import ./platforms.nix;
  tags = import ./tags.nix;
in
{
  # `3.11.2`; of `3.11` markers see `3.11.0`, and any patch release may satisfy a `Requires-Python`.
  pythonVersion,
  # The Nix system that Python runs on.
  system,
  # The platform tag that is asked for; without one the system's own, with this C library.
  platform ? null,
  libc ? null,
  # Whether it is the build without a global interpreter lock.
  isFreeThreaded ? false,
}:
let
  found = builtins.match "([0-9]{1,4})[.]([0-9]{1,4})(.*)" pythonVersion;
  major = text.number (builtins.head found);
  minor = text.number (builtins.elemAt found 1);
  python = "${toString major}.${toString minor}";
  isMinor = builtins.elemAt found 2 == "";
  full = if isMinor then "${python}.0" else pythonVersion;
  version = versions.parse (text.removeSuffix "+" full);

  named = platforms.parse platform;
  own = platforms.ofSystem system libc;
  where =
    if platform != null then
      if named != null then
        named
      else
        throw "pyzpack: unknown platform tag `${platform}`: write a wheel's, such as manylinux_2_28_x86_64, musllinux_1_2_aarch64 or macosx_11_0_arm64"
    else if own ? fault then
      throw "pyzpack: ${own.fault}"
    else
      own.platform;

  # No CPython had as many patch releases: 3.8 ended with 3.8.20.
  patches = builtins.genList (patch: versions.parse "${python}.${toString patch}") 41;
in
if found == null || version == null then
  throw "pyzpack: `${pythonVersion}` is not the version of a Python, such as 3.12.4"
else
  rec {
    inherit
      pythonVersion
      system
      platform
      libc
      ;

    shown = "CPython ${python}${
      if isFreeThreaded then " (free-threaded)" else ""
    } on ${platforms.show where}";
    python_text = if isMinor then "Python ${python}" else "Python ${full}";

    environment = platforms.environment where // {
      implementation_name = "cpython";
      implementation_version = full;
      platform_python_implementation = "CPython";
      python_full_version = full;
      python_version = python;
    };

    platformTags = platforms.tags where;

    ranking = tags.ranking {
      inherit major minor;
      isFree = isFreeThreaded;
      platforms = platformTags;
    };

    # Whether this Python satisfies a `Requires-Python`.
    satisfies =
      specifiers:
      if isMinor then
        builtins.any (versions.satisfiesAll specifiers) patches
      else
        versions.satisfiesAll specifiers version;
  }
