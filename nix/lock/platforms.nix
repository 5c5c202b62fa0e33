# Platforms (PEP 425, 600, 656): what a tag names, what a Nix system is, and the platform tags that fit one, in the order
# of src/target/platform.rs.
let
  text = import ./text.nix;
  inherit (builtins)
    concatMap
    elem
    elemAt
    filter
    genList
    head
    match
    ;

  legacyManylinux = [
    {
      name = "manylinux1";
      version = [
        2
        5
      ];
    }
    {
      name = "manylinux2010";
      version = [
        2
        12
      ];
    }
    {
      name = "manylinux2014";
      version = [
        2
        17
      ];
    }
  ];

  manylinuxMachines = [
    "x86_64"
    "aarch64"
    "ppc64"
    "ppc64le"
    "s390x"
    "loongarch64"
    "riscv64"
    "i686"
    "armv7l"
  ];

  # Nix's names of machines that Python has others for.
  machines = {
    powerpc64le = "ppc64le";
    powerpc64 = "ppc64";
    i386 = "i686";
    i586 = "i686";
  };

  # From the first number down to the second.
  down = high: low: if high < low then [ ] else genList (place: high - place) (high - low + 1);

  linux = machine: libc: isThis: {
    kind = "linux";
    inherit machine libc isThis;
  };
  macos = version: machine: {
    kind = "macos";
    inherit version machine;
  };

  pair =
    found: place:
    map text.number [
      (elemAt found place)
      (elemAt found (place + 1))
    ];

  linuxTags =
    {
      machine,
      libc,
      isThis,
      ...
    }:
    let
      # A 64-bit ARM machine in 32-bit mode runs what was built for ARMv7.
      all =
        if machine == "armv8l" then
          [
            "armv8l"
            "armv7l"
          ]
        else
          [ machine ];
      minor = elemAt libc.version 1;
      major = toString (head libc.version);
    in
    (if isThis then map (machine: "linux_${machine}") all else [ ])
    ++ (
      if libc == null then
        [ ]
      else if libc.name == "musl" then
        concatMap (
          machine: map (minor: "musllinux_${major}_${toString minor}_${machine}") (down minor 0)
        ) all
      else if builtins.any (machine: elem machine manylinuxMachines) all then
        concatMap (manylinuxTags libc.version) all
      else
        [ ]
    );

  manylinuxTags =
    version: machine:
    let
      # The first glibc that a manylinux was made for: CentOS 5's on Intel, CentOS 7's elsewhere.
      oldest =
        if
          elem machine [
            "x86_64"
            "i686"
          ]
        then
          [
            2
            5
          ]
        else
          [
            2
            17
          ];
      ofMajor =
        major:
        let
          # `packaging` takes 50 for the last minor version of an earlier major one.
          newest = if major == head version then elemAt version 1 else 50;
          first = if major == head oldest then elemAt oldest 1 else 0;
        in
        concatMap (
          minor:
          [ "manylinux_${toString major}_${toString minor}_${machine}" ]
          ++ map (legacy: "${legacy.name}_${machine}") (
            filter (
              legacy:
              legacy.version == [
                major
                minor
              ]
            ) legacyManylinux
          )
        ) (down newest first);
    in
    concatMap ofMajor (down (head version) (head oldest));

  macosTags =
    version: machine:
    let
      intel = [
        "x86_64"
        "intel"
        "fat64"
        "fat3"
        "universal2"
        "universal"
      ];
      isIntel = machine == "x86_64";
      formats =
        if isIntel then
          intel
        else
          [
            "arm64"
            "universal2"
          ];
      tags = major: minor: map (format: "macosx_${toString major}_${toString minor}_${format}");
      newest = if head version >= 11 then 16 else elemAt version 1;
    in
    # Since macOS 11 each year has its major version, and minor versions do not count.
    concatMap (major: tags major 0 formats) (down (head version) 11)
    # Before 11 there was no arm64: only a universal2's Intel half may ask for less.
    ++ concatMap (minor: tags 10 minor (if isIntel then intel else [ "universal2" ])) (down newest 4);
in
rec {
  # The platform that a tag names; null where it names none.
  parse =
    tag:
    let
      windows = elem tag [
        "win32"
        "win_amd64"
        "win_arm64"
      ];
      mac = match "macosx_([0-9]{1,4})_([0-9]{1,4})_(arm64|x86_64)" tag;
      bare = match "linux_([A-Za-z0-9_]+)" tag;
      musl = match "musllinux_([0-9]{1,4})_([0-9]{1,4})_([A-Za-z0-9_]+)" tag;
      many = match "manylinux_([0-9]{1,4})_([0-9]{1,4})_([A-Za-z0-9_]+)" tag;
      old = match "(manylinux1|manylinux2010|manylinux2014)_([A-Za-z0-9_]+)" tag;
      oldVersion = (head (filter (legacy: legacy.name == head old) legacyManylinux)).version;
      glibc =
        version: machine:
        if elem machine manylinuxMachines then
          linux machine {
            name = "glibc";
            inherit version;
          } false
        else
          null;
      oldestMac =
        if elemAt mac 2 == "arm64" then
          [
            11
            0
          ]
        else
          [
            10
            4
          ];
    in
    if windows then
      {
        kind = "windows";
        inherit tag;
      }
    else if mac != null then
      if pair mac 0 < oldestMac then null else macos (pair mac 0) (elemAt mac 2)
    else if bare != null then
      linux (head bare) null true
    else if musl != null then
      linux (elemAt musl 2) {
        name = "musl";
        version = pair musl 0;
      } false
    else if many != null then
      glibc (pair many 0) (elemAt many 2)
    else if old != null then
      glibc oldVersion (elemAt old 1)
    else
      null;

  # The platform of an interpreter that runs on a Nix system with this C library (`glibc 2.36`, `musl 1.2`; `macos 14.0`
  # of a Darwin system): `{ platform; }` or `{ fault; }`.
  ofSystem =
    system: libc:
    let
      parts = match "([A-Za-z0-9_]+)-(linux|darwin)" system;
      nixMachine = head parts;
      machine = machines.${nixMachine} or nixMachine;
      found =
        if libc == null then
          null
        else
          match "(glibc|musl|macos) ([0-9]{1,4})[.]([0-9]{1,4})([^0-9].*)?" libc;
      version = pair found 1;
      due =
        if elemAt parts 1 == "linux" then
          [
            "glibc"
            "musl"
          ]
        else
          [ "macos" ];
    in
    if parts == null then
      { fault = "`${system}` is no system that wheels are chosen for: it ends in `-linux` or `-darwin`"; }
    else if libc != null && (found == null || !elem (head found) due) then
      {
        fault = "libc `${libc}` is not what a ${system} has: write it as in ${
          if due == [ "macos" ] then "`macos 14.0`" else "`glibc 2.36` or `musl 1.2`"
        }";
      }
    else if elemAt parts 1 == "linux" then
      {
        platform = linux machine (
          if libc == null then
            null
          else
            {
              name = head found;
              inherit version;
            }
        ) true;
      }
    else if libc == null then
      {
        fault = "which macOS it must run on is not known: give `platform = \"macosx_14_0_${
          if nixMachine == "aarch64" then "arm64" else nixMachine
        }\"`, or `libc = \"macos 14.0\"`";
      }
    else
      { platform = macos version (if nixMachine == "aarch64" then "arm64" else nixMachine); };

  # The tags that fit, the best first.
  tags =
    platform:
    if platform.kind == "linux" then
      linuxTags platform
    else if platform.kind == "macos" then
      macosTags platform.version platform.machine
    else
      [ platform.tag ];

  # The most precise tag.
  show =
    platform:
    let
      versioned = version: "${toString (head version)}_${toString (elemAt version 1)}";
    in
    if platform.kind == "windows" then
      platform.tag
    else if platform.kind == "macos" then
      "macosx_${versioned platform.version}_${platform.machine}"
    else if platform.libc == null then
      "linux_${platform.machine}"
    else
      "${
        if platform.libc.name == "musl" then "musllinux" else "manylinux"
      }_${versioned platform.libc.version}_${platform.machine}";

  # What Python's `os`, `sys` and `platform` modules say there. Release and version of the kernel are the machine's that
  # runs, and no evaluation knows them.
  environment =
    platform:
    {
      platform_release = "";
      platform_version = "";
    }
    // {
      linux = {
        os_name = "posix";
        sys_platform = "linux";
        platform_system = "Linux";
        platform_machine = platform.machine;
      };
      macos = {
        os_name = "posix";
        sys_platform = "darwin";
        platform_system = "Darwin";
        platform_machine = platform.machine;
      };
      windows = {
        os_name = "nt";
        sys_platform = "win32";
        platform_system = "Windows";
        platform_machine =
          {
            win_amd64 = "AMD64";
            win_arm64 = "ARM64";
          }
          .${platform.tag} or "x86";
      };
    }
    .${platform.kind};
}
