# The negative control: `nix-build --check` has to find that this is not deterministic (exit status 104), because zipapp
# writes the files' times. A check that never fails proves nothing.
derivation {
  name = "nondet";
  system = builtins.currentSystem;
  builder = "/bin/bash";
  PATH = "/usr/bin:/bin";
  args = [
    "-ec"
    ''
      mkdir app $out
      echo 'print(1)' > app/__main__.py
      python3 -m zipapp app -o $out/a.pyz
    ''
  ];
}
