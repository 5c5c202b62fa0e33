# `pyzpackHook`, the setup hook: see hook.sh.
{
  lib,
  stdenv,
  makeSetupHook,
  targetPackages,
  pyzpack,
}:
makeSetupHook {
  name = "pyzpack-hook";
  # For phases that call pyzpack themselves.
  propagatedBuildInputs = [ pyzpack ];
  substitutions = {
    program = "${pyzpack}/bin/pyzpack";
    # The launcher's: a hook runs on the build platform, what it installs on the one that the hook targets.
    shell = targetPackages.runtimeShell;
    crossCompiling = lib.optionalString (
      stdenv.hostPlatform.system != stdenv.targetPlatform.system
    ) "1";
  };
  meta = {
    description = "Setup hook that packs a Python program with pyzpack";
    inherit (pyzpack.meta) license platforms;
  };
} ./hook.sh
