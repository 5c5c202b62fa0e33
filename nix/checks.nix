# The flake's checks: the hook and buildPyz on small projects, each started by the Nix Python. They need no network: the locks of
# testdata/nix/projects name files that are committed beside them.
{
  pkgs,
  pyzpack,
  pyzpackHook,
  buildPyz,
}:

let
  inherit (pkgs)
    lib
    stdenv
    runCommand
    python3
    ;
  project = name: ../testdata/nix/projects + "/${name}";

  prints =
    pyz: arguments: expected:
    runCommand "${pyz.name}-prints" { } ''
      export PYZPACK_CACHE="$TMPDIR/cache"
      found=$(${lib.getExe pyz} ${arguments})
      if [ "$found" != ${lib.escapeShellArg expected} ]; then
        printf '%s\n' "${lib.getExe pyz} ${arguments} printed" "$found" "and not" ${lib.escapeShellArg expected} >&2
        exit 1
      fi
      mkdir "$out"
      ln -s ${pyz} "$out/package"
    '';

  withTests =
    name: pyz:
    {
      ${name} = prints pyz.pyz pyz.arguments pyz.prints;
      "${name}-sbom" = pyz.pyz.sbom;
    }
    // lib.mapAttrs' (test: lib.nameValuePair "${name}-${test}") pyz.pyz.tests;

  built = {
    pure = {
      pyz = buildPyz {
        src = project "pure";
        lock = project "pure" + "/pylock.toml";
        importsCheck = [
          "greet"
          "tinydep"
        ];
      };
      arguments = "'a b' c";
      prints = "hello 1.2 a b c";
    };
    sdist = {
      pyz = buildPyz {
        pname = "sdist";
        src = project "sdist";
        lock = project "sdist" + "/pylock.toml";
      };
      arguments = "";
      prints = "sdist built here";
    };
    uv = {
      pyz = buildPyz {
        src = project "uv";
        lock = project "uv" + "/uv.lock";
      };
      arguments = "you";
      prints = "hello 1.2 you";
    };
  }
  # The one native wheel that is committed.
  // lib.optionalAttrs (stdenv.hostPlatform.system == "x86_64-linux") {
    native = {
      pyz = buildPyz {
        pname = "native";
        src = project "native";
        lock = project "native" + "/pylock.toml";
      };
      arguments = "";
      prints = "native 42";
    };
  };

  hook = stdenv.mkDerivation {
    pname = "plain";
    version = "0";
    src = project "plain";
    nativeBuildInputs = [
      pyzpackHook
      python3
    ];
    meta.mainProgram = "plain";
  };
in
{
  package = pyzpack;
  hook = prints hook "'a b'" "plain a b";
}
// lib.foldl' (all: name: all // withTests name built.${name}) { } (builtins.attrNames built)
