# From sources and a lock to a .pyz, its evidence and a launcher. Nothing is imported from a derivation: what is asked of the
# project (its name and version) is read from sources that are there when Nix evaluates, or given.
#
#   buildPyz {
#     src = ./.;                     # of a workspace all, and pyzpackSrc = "apps/api" for what is packed; or beside the lock of
#                                    # what an index has, and pyzpackSrc = "httpie==3.2.4"
#     lock = ./pylock.toml;          # in src, or elsewhere
#     consoleScript = null;          # or entryPoint = "module:function"; null: the project's only console script
#     pname = null; version = null;  # null: as in src's pyproject.toml
#     epoch = null;                  # seconds since 1970; null: as [tool.pyzpack] of the project says, or 315532800
#     python = python3; platform = null; extras = [ ]; groups = [ ]; layout = null; evidence = "all";
#     flags = [ ]; importsCheck = [ ];
#     overrides = { }; fetchurl = pkgs.fetchurl;         # as wheelhouse has them
#     meta = { };                    # and whatever else stdenv.mkDerivation takes
#   }
{
  lib,
  stdenv,
  runCommand,
  fetchurl,
  zlib,
  python3,
  pyzpack,
  pyzpackHook,
  wheelhouse,
}@scope:

{
  src,
  lock,
  pname ? null,
  version ? null,
  entryPoint ? null,
  consoleScript ? null,
  python ? python3,
  platform ? import ./platform.nix { inherit lib stdenv; },
  extras ? [ ],
  groups ? [ ],
  layout ? null,
  evidence ? "all",
  epoch ? null,
  flags ? [ ],
  importsCheck ? [ ],
  overrides ? { },
  fetchurl ? scope.fetchurl,
  nativeBuildInputs ? [ ],
  passthru ? { },
  meta ? { },
  ...
}@args:

let
  # pyproject.toml of sources that another derivation makes is not asked: Nix would have to build them to go on.
  isHere = !(lib.isDerivation src);
  directory = args.pyzpackSrc or ".";
  root = if directory == "." then toString src else "${toString src}/${directory}";
  has = name: isHere && builtins.pathExists "${root}/${name}";
  pyproject =
    if has "pyproject.toml" then
      builtins.fromTOML (builtins.readFile "${root}/pyproject.toml")
    else
      { };
  isProject = lib.any has [
    "pyproject.toml"
    "setup.py"
    "setup.cfg"
  ];
  project = pyproject.project or pyproject.tool.poetry or { };
  told = lib.findFirst (value: value != null) null [
    pname
    (project.name or null)
  ];
  name =
    if told != null then
      lib.toLower (builtins.replaceStrings [ "_" "." ] [ "-" "-" ] told)
    else
      throw ''
        buildPyz: `pname` is not given, and ${
          if isHere then
            "no `pyproject.toml` in `src` says it"
          else
            "`src` is made by a derivation, which is not asked for it"
        }
        hint: pname = "..."'';
  program = if consoleScript != null then consoleScript else name;

  # What the lock is named says its format and stands in the recipe; in the sources it is found under that name.
  lockInSource = lib.removePrefix "${toString src}/" (toString lock);
  lockBeside =
    if !builtins.isPath lock then
      lock
    else
      "${
        builtins.path {
          name = "lock";
          path = dirOf lock;
          filter =
            path: _:
            dirOf path == toString (dirOf lock)
            && lib.elem (baseNameOf path) [
              (baseNameOf lock)
              "${baseNameOf lock}.nix.json"
            ];
        }
      }/${baseNameOf lock}";

  # The only lock of a project is not named: pyzpack finds it by itself, as outside of Nix, and compares it with what else is
  # there (requirements.txt).
  locksThere = builtins.filter has [
    "pylock.toml"
    "uv.lock"
    "poetry.lock"
    "pdm.lock"
    "Pipfile.lock"
  ];
  isFound =
    directory == "."
    && locksThere == [ lockInSource ]
    && !(pyproject ? tool.pyzpack.lock)
    && baseNameOf lock == lockInSource;

  wheels = wheelhouse {
    inherit
      lock
      python
      platform
      extras
      groups
      overrides
      fetchurl
      ;
    epoch = lib.findFirst isTime 315532800 [
      time
      (pyproject.tool.pyzpack.source-date-epoch or null)
    ];
    project = if isProject || !isHere then name else null;
    directory = if lockInSource == baseNameOf lock then directory else null;
  };

  isTime =
    value: builtins.isInt value || builtins.isString value && builtins.match "[0-9]+" value != null;
  time =
    if epoch == null || isTime epoch then
      epoch
    else
      throw ''
        buildPyz: `epoch` is ${builtins.toJSON epoch}, expected seconds since 1970
        hint: epoch = 1700000000;'';

  # In the environment, which is text, a list is one of words.
  words =
    name: list:
    let
      several = builtins.filter (word: builtins.match ".*[[:space:]].*|" (toString word) != null) list;
    in
    if several == [ ] || args.__structuredAttrs or false then
      list
    else
      throw ''
        buildPyz: `${name}` has ${builtins.toJSON (lib.head several)}, which would not stay one argument
        hint: __structuredAttrs = true;'';

  option =
    name: value:
    lib.optionals (value != null) [
      "--${name}"
      value
    ];
  each =
    name:
    lib.concatMap (value: [
      "--${name}"
      value
    ]);

  self = stdenv.mkDerivation (
    removeAttrs args [
      "lock"
      "entryPoint"
      "consoleScript"
      "python"
      "platform"
      "extras"
      "groups"
      "layout"
      "evidence"
      "epoch"
      "flags"
      "importsCheck"
      "overrides"
      "fetchurl"
    ]
    // {
      pname = name;
      # The store takes no `!`, which epochs of versions have.
      version = builtins.replaceStrings [ "!" ] [ "_" ] (
        lib.findFirst (value: value != null) "0" [
          version
          (project.version or null)
        ]
      );
      inherit src;
      nativeBuildInputs = [
        pyzpackHook
        python
      ]
      ++ nativeBuildInputs;
      pyzpackPython = python.interpreter;
      pyzpackOutput = "${program}.pyz";
      pyzpackLock =
        if isFound then
          ""
        else if lockInSource != toString lock then
          lockInSource
        else
          lockBeside;
      pyzpackWheelhouse = wheels;
      pyzpackEvidence = evidence;
      pyzpackEpoch = toString time;
      pyzpackImportsCheck = importsCheck;
      pyzpackFlags = words "flags" (
        option "entry-point" entryPoint
        ++ option "console-script" consoleScript
        ++ option "platform" platform
        ++ option "layout" layout
        ++ each "extra" extras
        ++ each "group" groups
        ++ flags
      );
      # Wheels of the index expect these where a Linux distribution has them, and in Nix they are nowhere.
      pyzpackLibraryPath =
        args.pyzpackLibraryPath or (lib.optionalString (stdenv.hostPlatform.isLinux && wheels.isNative) (
          lib.makeLibraryPath [
            stdenv.cc.cc
            zlib
          ]
        ));
      passthru = {
        wheelhouse = wheels;
        sbom = runCommand "${program}.pyz.cdx.json" { nativeBuildInputs = [ pyzpack ]; } ''
          pyzpack sbom ${lib.escapeShellArg file} -o "$out"
        '';
        tests = {
          # Every byte of it is as its checksums say, and every wheel in it is one of the lock.
          verify = runCommand "${name}-verify" { nativeBuildInputs = [ pyzpack ]; } ''
            ln -s ${
              lib.escapeShellArgs [
                lockFor
                lockName
              ]
            }
            pyzpack verify ${lib.escapeShellArg file} --checksums ${self}/share/pyzpack/SHA256SUMS --lock ${lib.escapeShellArg lockName} | tee "$out"
          '';
        }
        // lib.optionalAttrs (stdenv.buildPlatform.canExecute stdenv.hostPlatform) {
          # The Nix Python starts it, and it finds itself whole.
          start = runCommand "${name}-start" { } ''
            export PYZPACK_CACHE="$TMPDIR/cache" PYZPACK_VERIFY=1 PYZPACK_INTERPRETER=1
            ${self}/bin/${lib.escapeShellArg program} -c 'print("started")' | tee "$out"
          '';
        };
      }
      // passthru;
      meta = {
        mainProgram = program;
      }
      // meta;
    }
  );

  file = "${self}/share/pyzpack/${program}.pyz";
  lockName = baseNameOf lock;
  lockFor = if builtins.isPath lock then "${lockBeside}" else lock;
in
self
