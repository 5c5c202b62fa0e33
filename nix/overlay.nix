# nixpkgs with `pyzpack`, `pyzpackHook`, `wheelhouse` and `buildPyz`.
final: _prev: import ./. { pkgs = final; }
