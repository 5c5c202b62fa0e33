# The program, built by nixpkgs' cargo from the crates of Cargo.lock.
{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
}:
let
  manifest = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).package;
in
rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;

  # What is compiled and nothing else: another README or another test makes no other package. All that `include_str!` names
  # outside of tests is in src/.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.toml
      ../Cargo.lock
      ../src
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;

  nativeBuildInputs = [ installShellFiles ];

  # The tests need several CPythons, uv, git and a network of their own; scripts/test runs them.
  doCheck = false;

  # The program itself writes its manual and its completions.
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    $out/bin/pyzpack man > pyzpack.1
    installManPage pyzpack.1
    for shell in bash zsh fish; do
      $out/bin/pyzpack completions $shell > pyzpack.$shell
      installShellCompletion --cmd pyzpack --$shell pyzpack.$shell
    done
  '';

  doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  installCheckPhase = ''
    runHook preInstallCheck
    [ "$($out/bin/pyzpack --version)" = "pyzpack ${manifest.version}" ]
    runHook postInstallCheck
  '';

  meta = {
    inherit (manifest) description;
    license = [
      lib.licenses.mit
      lib.licenses.asl20
    ];
    mainProgram = manifest.name;
    platforms = lib.platforms.unix;
  };
}
