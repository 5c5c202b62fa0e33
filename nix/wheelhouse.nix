# The wheels that a lock gives a target, in one directory under their real names: each fetched by itself, by the URL and the
# sha256 in the lock, so that Nix shares, keeps and substitutes every one of them; each source distribution and commit built
# into a wheel by a derivation of its own. Nothing is imported from a derivation.
#
#   wheelhouse {
#     lock = ./pylock.toml;          # or uv.lock; another lock with what `pyzpack lock --format nix` writes beside it
#     python = python3;              # what the wheels are for, and what builds sources
#     platform = null;               # a wheel's platform tag, where it is not the Python's own
#     extras = [ ]; groups = [ ];
#     project = null;                # what is packed, and built: null takes the build requirements that the lock has for it
#     directory = null;              # where it lies, from the lock's directory, in a workspace of several: "apps/api"
#     epoch = 315532800;             # SOURCE_DATE_EPOCH of builds
#     overrides.lxml = { buildInputs = [ libxml2 ]; };   # attributes of the derivation that builds lxml
#     fetchurl = pkgs.fetchurl;      # another one for an index that asks who is there
#   }
{
  lib,
  stdenv,
  runCommand,
  fetchurl,
  python3,
  buildPackages,
  pyzpack,
}@scope:

{
  lock,
  python ? python3,
  platform ? import ./platform.nix { inherit lib stdenv; },
  extras ? [ ],
  groups ? [ ],
  project ? null,
  directory ? null,
  epoch ? 315532800,
  overrides ? { },
  fetchurl ? scope.fetchurl,
}:

let
  locks = import ./lock { };

  of = system: stdenv: {
    # An environment of a Python with packages does not say it itself.
    pythonVersion = python.version or python.python.version;
    isFreeThreaded = lib.hasSuffix "t" (python.libPrefix or "");
    inherit system;
    libc =
      if stdenv.hostPlatform.isLinux then
        "${
          if stdenv.hostPlatform.isMusl then "musl" else "glibc"
        } ${lib.versions.majorMinor stdenv.cc.libc.version}"
      else
        null;
  };
  target = locks.target (of stdenv.hostPlatform.system stdenv // { inherit platform; });
  # Sources are built by the interpreter that there is, whatever the file is for.
  builder =
    if stdenv.buildPlatform.isLinux then
      locks.target (of stdenv.buildPlatform.system buildPackages.stdenv)
    else
      target;

  locked = locks.read {
    inherit lock;
    project = directory;
    projectName = project;
  };
  chosen = locks.select {
    inherit
      locked
      target
      extras
      groups
      ;
  };

  # What is packed is not in its lock, and what it is built with is.
  packages = locked.packages ++ lib.concatMap (build: build.packages) locked.builds;
  isListed = name: lib.any (package: package.name == name) packages;
  inputs =
    if project != null then
      [ project ]
    else
      builtins.filter (name: !isListed name) (map (build: build.name) locked.builds);
  asked = map (input: {
    inherit locked chosen;
    target = builder;
    project = input;
  }) (if inputs == [ ] then [ null ] else inputs);
  missing = lib.concatMap locks.missingBuilds asked;
  builds =
    if missing == [ ] then
      lib.concatMap locks.selectBuilds asked
    else
      throw ''
        `${locked.lock.name}` does not say what is needed to build ${
          lib.concatMapStringsSep ", " (one: "`${one.name}`") (lib.unique missing)
        }, of which it has no wheel for ${target.shown}
        hint: run "${locks.describeCommand locked}" in ${
          if directory == null || directory == "." then "the project" else "`${directory}`"
        }, and keep the file that it writes where it is, under version control: a flake sees no other file'';

  # A file of the lock: fetched, or from beside the lock.
  fileOf =
    one:
    if one ? url then
      fetchurl {
        inherit (one) url sha256;
        name = one.storeName;
      }
    else if builtins.isPath lock then
      builtins.path {
        path = dirOf lock + "/${one.path}";
        name = one.storeName;
        recursive = false;
        inherit (one) sha256;
      }
    else
      "${dirOf lock}/${one.path}";

  fetchCommit =
    one:
    builtins.fetchGit {
      inherit (one) url;
      rev = one.commit;
      allRefs = true;
      submodules = true;
      name = "${one.name}-source";
    };

  # The wheel of a source. Only its own build requirements reach it: a change elsewhere in the lock builds nothing anew.
  buildWheel =
    one:
    stdenv.mkDerivation (
      {
        name = "${one.name}-${shownVersion one}-wheel";
        source = if one.kind == "git" then fetchCommit one else fileOf one;
        sourceName = one.filename or one.name;
        epoch = toString epoch;
        subdirectory = if one.subdirectory or null == null then "" else one.subdirectory;
        requirements = directoryOf "${one.name}-build-requirements" (map wheelLink (requirementsOf one));
        nativeBuildInputs = [
          pyzpack
          python
        ];
        # No library's place in the store gets into a file that runs elsewhere, nor that of this derivation, nor its hash as the
        # seed of random names.
        __structuredAttrs = false; # these are for the compiler wrappers, not for this shell alone
        NIX_DONT_SET_RPATH = "1";
        NIX_NO_SELF_RPATH = "1";
        NIX_OUTPATH_USED_AS_RANDOM_SEED = one.name;
        dontUnpack = true;
        dontConfigure = true;
        dontFixup = true;
        buildPhase = ''
          runHook preBuild
          ln -s "$source" "$sourceName"
          PYZPACK_CACHE="$TMPDIR/cache" SOURCE_DATE_EPOCH="$epoch" pyzpack wheel "./$sourceName" --offline --find-links "$requirements" \
            ''${subdirectory:+--subdirectory "$subdirectory"} -o "$out"
          runHook postBuild
        '';
        installPhase = "runHook preInstall; runHook postInstall";
      }
      // overrides.${one.name} or { }
    );

  # The store takes no `!`, which epochs of versions have.
  shownVersion =
    one:
    if one.version or null == null then "0" else builtins.replaceStrings [ "!" ] [ "_" ] one.version;

  # Each source is built once, however many others are built with it.
  identityOf = one: "${one.name} ${shownVersion one} ${one.commit or one.sha256}";
  built = builtins.listToAttrs (
    map (one: lib.nameValuePair (identityOf one) (buildWheel one)) (
      builtins.filter (one: one.kind == "sdist" || one.kind == "git") everySource
    )
  );

  requirementsOf =
    one:
    (lib.findFirst (build: build.name == one.name && build.version == one.version) null builds)
    .packages;

  # Under which name which file of the store is linked; a derivation that builds a wheel knows the name by itself.
  fileLink = one: {
    name = one.filename;
    value = "${fileOf one}";
    inherit (one) sha256;
  };
  wheelLink =
    one:
    if one.kind == "wheel" then
      fileLink one
    else if one.kind == "directory" then
      throw ''
        `${locked.lock.name}`: `${one.name}`, which others are built with, is a directory of the project, and has no wheel
        hint: lock it from an index, or as a file''
    else
      {
        name = "${one.name}-${shownVersion one}";
        value = "${built.${identityOf one}}/*.whl";
        sha256 = one.sha256 or one.commit;
      };

  # What the project is built with is taken as the lock has it: a source as a source, with what it is built with in turn.
  sourceLinks =
    one:
    if one.kind == "sdist" then
      [ (fileLink one) ] ++ lib.concatMap sourceLinks (requirementsOf one)
    else
      [ (wheelLink one) ];

  isFetched = one: one.kind != "directory";
  inTree = builtins.filter (
    build: !lib.any (one: isFetched one && one.name == build.name) everySource
  ) builds;
  everySource = chosen ++ lib.concatMap (build: build.packages) builds;

  onlyOf =
    name: same:
    let
      digests = lib.unique (map (link: link.sha256 or null) same);
    in
    if builtins.length digests == 1 then
      builtins.head same
    else
      throw ''
        `${locked.lock.name}` has two files called `${name}`: sha256 ${lib.concatStringsSep " and " digests}
        hint: lock again, so that what is packed and what builds it take the same file'';

  directoryOf =
    name: links:
    runCommand name
      {
        # nixpkgs can be told to make it true for all.
        __structuredAttrs = false;
        passAsFile = [ "links" ];
        links = builtins.concatStringsSep "" (
          lib.mapAttrsToList (name: same: "${name}\t${(onlyOf name same).value}\n") (
            builtins.groupBy (link: link.name) links
          )
        );
        preferLocalBuild = true;
      }
      ''
        mkdir "$out"
        while IFS=$'\t' read -r name target; do
          case "$target" in
            *"/*.whl") ln -s "''${target%"/*.whl"}"/*.whl "$out/" ;;
            *) ln -s "$target" "$out/$name" ;;
          esac
        done <"$linksPath"
      '';

  wheels = builtins.filter isFetched chosen;
in
(directoryOf (lib.concatStringsSep "-" (inputs ++ [ "wheelhouse" ])) (
  map wheelLink wheels ++ lib.concatMap (build: lib.concatMap sourceLinks build.packages) inTree
)).overrideAttrs
  (old: {
    passthru = (old.passthru or { }) // {
      # By distribution: the derivation that fetches or builds its wheel.
      wheels = builtins.listToAttrs (
        map (
          one:
          lib.nameValuePair one.name (if one.kind == "wheel" then fileOf one else built.${identityOf one})
        ) wheels
      );
      isNative = lib.any (one: one.kind == "wheel" && !lib.hasSuffix "-any.whl" one.filename) wheels;
    };
  })
