# nixpkgs with `pyzpack` and `pyzpackHook`.
final: _prev: import ./. { pkgs = final; }
