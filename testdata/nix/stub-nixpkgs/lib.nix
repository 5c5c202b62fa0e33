# What pyzpack's expressions use of nixpkgs' `lib`, under the same names and with the same results.
let
  inherit (builtins) attrNames concatLists concatStringsSep elem filter foldl' head length listToAttrs map match
    replaceStrings stringLength substring toString;
in
rec {
  inherit (builtins) all any attrValues concatMap genList hasAttr isAttrs isBool isFunction isInt isList isPath isString
    mapAttrs readFile seq splitVersion tail toJSON;
  inherit attrNames concatLists concatStringsSep elem filter foldl' head length listToAttrs map replaceStrings
    stringLength substring toString;

  # Functions and fixed points.
  id = x: x;
  const = x: _: x;
  flip = f: a: b: f b a;
  fix = f: let x = f x; in x;
  extends = overlay: f: final: let prev = f final; in prev // overlay final prev;
  composeManyExtensions = overlays: final: prev:
    foldl' (set: overlay: set // overlay final (prev // set)) { } overlays;
  throwIf = condition: message: if condition then throw message else id;
  throwIfNot = condition: message: if condition then id else throw message;
  warn = message: builtins.trace "warning: ${message}";
  makeOverridable = f: args: f args // { override = more: makeOverridable f (args // more); };

  # Attribute sets.
  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  filterAttrs = keep: set:
    listToAttrs (concatLists (map (n: if keep n set.${n} then [ (nameValuePair n set.${n}) ] else [ ]) (attrNames set)));
  mapAttrs' = f: set: listToAttrs (map (n: f n set.${n}) (attrNames set));
  mapAttrsToList = f: set: map (n: f n set.${n}) (attrNames set);
  optionalAttrs = condition: set: if condition then set else { };
  recursiveUpdate = a: b:
    a // mapAttrs (n: v: if isAttrs v && isAttrs (a.${n} or null) then recursiveUpdate a.${n} v else v) b;

  # Lists.
  optional = condition: x: if condition then [ x ] else [ ];
  optionals = condition: xs: if condition then xs else [ ];
  toList = x: if isList x then x else [ x ];
  flatten = x: if isList x then concatMap flatten x else [ x ];
  unique = foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ];
  findFirst = test: default: xs: let found = filter test xs; in if found == [ ] then default else head found;
  last = xs: builtins.elemAt xs (length xs - 1);

  # Strings.
  optionalString = condition: s: if condition then s else "";
  concatMapStringsSep = sep: f: xs: concatStringsSep sep (map f xs);
  concatMapStrings = concatMapStringsSep "";
  concatLines = xs: concatStringsSep "" (map (x: x + "\n") xs);
  hasPrefix = prefix: s: substring 0 (stringLength prefix) s == prefix;
  hasSuffix = suffix: s:
    let n = stringLength s - stringLength suffix; in n >= 0 && substring n (stringLength suffix) s == suffix;
  hasInfix = infix: s: length (builtins.split (escapeRegex infix) s) > 1;
  removePrefix = prefix: s:
    if hasPrefix prefix s then substring (stringLength prefix) (stringLength s) s else s;
  removeSuffix = suffix: s:
    if hasSuffix suffix s then substring 0 (stringLength s - stringLength suffix) s else s;
  splitString = sep: s: filter isString (builtins.split (escapeRegex sep) s);
  escapeRegex = replaceStrings (map id [ "\\" "^" "$" "." "*" "+" "?" "(" ")" "[" "]" "{" "}" "|" ])
    [ "\\\\" "\\^" "\\$" "\\." "\\*" "\\+" "\\?" "\\(" "\\)" "\\[" "\\]" "\\{" "\\}" "\\|" ];
  escapeShellArg = s: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString s)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  makeSearchPath = sub: paths: concatStringsSep ":" (map (p: "${p}/${sub}") (filter (p: p != null) paths));
  makeLibraryPath = paths: makeSearchPath "lib" (map getLib paths);
  makeBinPath = makeSearchPath "bin";
  trivial.release = "26.05";
  versionOlder = a: b: builtins.compareVersions a b < 0;
  versionAtLeast = a: b: !versionOlder a b;
  importTOML = path: builtins.fromTOML (readFile path);
  importJSON = path: builtins.fromJSON (readFile path);

  toLower = replaceStrings (splitLetters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (splitLetters "abcdefghijklmnopqrstuvwxyz");
  splitLetters = s: builtins.genList (n: substring n 1 s) (stringLength s);
  versions.majorMinor = version:
    concatStringsSep "." (map (builtins.elemAt (builtins.splitVersion version)) [ 0 1 ]);

  # Packages.
  isDerivation = x: isAttrs x && x.type or null == "derivation";
  getExe = package: "${package}/bin/${package.meta.mainProgram or package.pname}";
  getExe' = package: name: "${package}/bin/${name}";
  getBin = package: package.bin or package;
  getLib = package: package.lib or package;
  licenses = {
    mit = { spdxId = "MIT"; };
    asl20 = { spdxId = "Apache-2.0"; };
  };
  platforms = rec {
    linux = [ "x86_64-linux" "aarch64-linux" ];
    darwin = [ "x86_64-darwin" "aarch64-darwin" ];
    unix = linux ++ darwin;
    all = unix;
  };

  # A file set is a list of paths here.
  fileset = {
    union = a: b: toList a ++ toList b;
    unions = concatMap toList;
    maybeMissing = path: optional (builtins.pathExists path) path;
    toSource = { root, fileset }: builtins.path {
      path = root;
      name = "source";
      filter = path: _:
        any (wanted: hasPrefix "${toString wanted}/" "${path}/" || hasPrefix "${path}/" "${toString wanted}/")
          (toList fileset);
    };
  };
}
