# Just enough of nixpkgs for pyzpack's own expressions to evaluate and build as they are, without a network. Compilers,
# shells and Python are the host's, which the sandbox has by `sandbox-paths` (see ../nix.conf); what nixpkgs' stdenv does
# around them is in stdenv/. Nothing here is a copy of nixpkgs.
{
  system ? builtins.currentSystem,
  overlays ? [ ],
  config ? { },
}:
let
  lib = import ./lib.nix;
  host = import ./host.nix;

  parts = builtins.match "([a-z0-9_]+)-([a-z]+)" system;
  platform = {
    inherit system config;
    isLinux = builtins.elemAt parts 1 == "linux";
    isDarwin = builtins.elemAt parts 1 == "darwin";
    darwinArch = if builtins.head parts == "aarch64" then "arm64" else "x86_64";
    darwinMinVersion = "14.0";
    isMusl = host.libc == "musl";
    canExecute = other: other.system == system;
  };

  # `stdenv.mkDerivation`: a set, or a function of the finished set.
  mkDerivation =
    argument:
    let
      given = if lib.isFunction argument then argument final else argument;
      final = given // {
        finalPackage = package;
      };
      structured = given.__structuredAttrs or false;
      env = given.env or { };
      drv = derivation (
        removeAttrs given [
          "meta"
          "passthru"
          "env"
          "pos"
        ]
        // (if structured then { inherit env; } else env // { __ignoreNulls = true; })
        // {
          name = given.name or "${given.pname}-${given.version}";
          inherit system;
          builder = "/bin/bash";
          args = [
            "-e"
            ./stdenv/builder.sh
          ];
          stdenv = ./stdenv;
        }
      );
      package =
        drv
        // {
          meta = given.meta or { };
          passthru = given.passthru or { };
          overrideAttrs =
            change: mkDerivation (given // (if lib.isFunction change then change given else change));
        }
        // lib.optionalAttrs (given ? pname) { inherit (given) pname; }
        // lib.optionalAttrs (given ? version) { inherit (given) version; }
        // given.passthru or { };
    in
    package;

  packages =
    pkgs:
    {
      inherit lib system;
      inherit (pkgs.stdenv) buildPlatform hostPlatform targetPlatform;

      callPackage = pkgs.newScope { };
      newScope =
        scope: file: args:
        let
          f = if lib.isFunction file then file else import file;
          make = args: f (builtins.intersectAttrs (builtins.functionArgs f) (pkgs // scope) // args);
          made = make args;
        in
        if builtins.isAttrs made then
          made
          // {
            override =
              more:
              pkgs.newScope scope file (
                args
                // (
                  if lib.isFunction more then
                    more (builtins.intersectAttrs (builtins.functionArgs f) (pkgs // scope))
                  else
                    more
                )
              );
          }
        else
          made;
      pkgs = pkgs;
      # No cross compilation here: what runs on the build, host and target platform is one.
      buildPackages = pkgs;
      targetPackages = pkgs;

      stdenv = {
        inherit mkDerivation system;
        buildPlatform = platform;
        hostPlatform = platform;
        targetPlatform = platform;
        cc = {
          cc.lib = pkgs.hostLibraries;
          libc = {
            pname = host.libc;
            version = host.libcVersion;
          };
        };
      };
      stdenvNoCC = pkgs.stdenv;
      hostLibraries = pkgs.runCommand "host-libraries" { } "mkdir -p $out/lib";

      # The trivial builders.
      runCommand =
        name: attrs: buildCommand:
        mkDerivation (
          {
            inherit name buildCommand;
          }
          // attrs
          // {
            passAsFile = [ "buildCommand" ] ++ attrs.passAsFile or [ ];
          }
        );
      runCommandLocal =
        name: attrs:
        pkgs.runCommand name (
          attrs
          // {
            preferLocalBuild = true;
            allowSubstitutes = false;
          }
        );
      mkShell =
        attrs:
        mkDerivation (
          {
            name = "shell";
          }
          // removeAttrs attrs [
            "packages"
            "inputsFrom"
          ]
          // {
            nativeBuildInputs = attrs.nativeBuildInputs or [ ] ++ attrs.packages or [ ];
            buildCommand = "export > $out";
          }
        );

      # A fixed-output derivation: the one kind that has a network in the sandbox. The host's Python fetches.
      fetchurl =
        {
          url ? lib.head urls,
          urls ? [ url ],
          name ? baseNameOf url,
          sha256 ? "",
          hash ? "",
          meta ? { },
          passthru ? { },
        }:
        mkDerivation {
          inherit
            name
            urls
            meta
            passthru
            ;
          outputHashMode = "flat";
          outputHashAlgo = if hash == "" then "sha256" else null;
          outputHash = if hash == "" then sha256 else hash;
          preferLocalBuild = true;
          buildCommand = "/usr/bin/python3 -I ${./fetchurl.py} $out $urls";
        };

      makeSetupHook =
        {
          name,
          propagatedBuildInputs ? [ ],
          substitutions ? { },
          meta ? { },
          passthru ? { },
        }:
        script:
        pkgs.runCommand name
          (
            substitutions
            // {
              inherit meta passthru propagatedBuildInputs;
              strictDeps = true;
            }
          )
          ''
            mkdir -p $out/nix-support
            recordPropagatedDependencies
            substituteAll ${script} $out/nix-support/setup-hook
          '';
      installShellFiles = pkgs.makeSetupHook {
        name = "install-shell-files";
      } ./stdenv/install-shell-files.sh;

      # The release binary, which tests copy into a copy of this directory, stands for what cargo would build; all that
      # comes after the build is done as the package says.
      rustPlatform.buildRustPackage =
        attrs:
        mkDerivation (
          removeAttrs attrs [ "cargoLock" ]
          // {
            lockFile = attrs.cargoLock.lockFile;
            buildPhase = "runHook preBuild; runHook postBuild";
            installPhase = ''
              runHook preInstall
              install -Dm755 ${./bin}/pyzpack $out/bin/pyzpack
              runHook postInstall
            '';
          }
        );

      bash = pkgs.hostPrograms "bash" [
        "bash"
        "sh"
      ];
      bashInteractive = pkgs.bash;
      runtimeShell = "${pkgs.bash}/bin/bash";
      python3 = pkgs.hostPrograms "python3" [ "python3" ] // rec {
        version = host.pythonVersion;
        pythonVersion = builtins.head (builtins.match "([0-9]+\\.[0-9]+).*" version);
        interpreter = "${pkgs.python3}/bin/python3";
        sitePackages = "lib/python${pythonVersion}/site-packages";
        stdenv = pkgs.stdenv;
      };
      hostPrograms =
        name: programs:
        pkgs.runCommandLocal name { pname = name; } ''
          mkdir -p $out/bin
          for program in ${toString programs}; do ln -s "/usr/bin/$program" $out/bin/; done
        '';
    }
    // lib.genAttrs [
      "cargo"
      "rustc"
      "rustfmt"
      "clippy"
      "shellcheck"
      "uv"
      "git"
      "nixfmt-tree"
      "zlib"
    ] (name: pkgs.runCommandLocal name { pname = name; } "mkdir -p $out/bin $out/lib");
in
lib.fix (lib.foldl' (lib.flip lib.extends) packages overlays)
