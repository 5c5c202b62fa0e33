# What pyzpack's expressions use of nixpkgs' `lib`, under the same names and with the same results.
rec {
  inherit (builtins)
    all
    any
    attrNames
    attrValues
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    genList
    hasAttr
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    readFile
    replaceStrings
    seq
    splitVersion
    stringLength
    substring
    tail
    toJSON
    toString
    ;

  # Functions and fixed points.
  flip =
    f: a: b:
    f b a;
  fix =
    f:
    let
      x = f x;
    in
    x;
  extends =
    overlay: f: final:
    let
      prev = f final;
    in
    prev // overlay final prev;

  # Attribute sets.
  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  mapAttrs' = f: set: listToAttrs (map (n: f n set.${n}) (attrNames set));
  mapAttrsToList = f: set: map (n: f n set.${n}) (attrNames set);
  optionalAttrs = condition: set: if condition then set else { };

  # Lists.
  optional = condition: x: if condition then [ x ] else [ ];
  optionals = condition: xs: if condition then xs else [ ];
  toList = x: if isList x then x else [ x ];
  unique = foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ];
  findFirst =
    test: default: xs:
    let
      found = filter test xs;
    in
    if found == [ ] then default else head found;

  # Strings.
  optionalString = condition: s: if condition then s else "";
  concatMapStringsSep =
    sep: f: xs:
    concatStringsSep sep (map f xs);
  concatMapStrings = concatMapStringsSep "";
  hasPrefix = prefix: s: substring 0 (stringLength prefix) s == prefix;
  hasSuffix =
    suffix: s:
    let
      n = stringLength s - stringLength suffix;
    in
    n >= 0 && substring n (stringLength suffix) s == suffix;
  removePrefix =
    prefix: s: if hasPrefix prefix s then substring (stringLength prefix) (stringLength s) s else s;
  escapeShellArg = s: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString s)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  makeSearchPath =
    sub: paths: concatStringsSep ":" (map (p: "${p}/${sub}") (filter (p: p != null) paths));
  makeLibraryPath = paths: makeSearchPath "lib" (map getLib paths);
  trivial.release = "26.05";

  toLower = replaceStrings (splitLetters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
    splitLetters "abcdefghijklmnopqrstuvwxyz"
  );
  splitLetters = s: builtins.genList (n: substring n 1 s) (stringLength s);
  versions.majorMinor =
    version:
    concatStringsSep "." (
      map (builtins.elemAt (builtins.splitVersion version)) [
        0
        1
      ]
    );

  # Packages.
  isDerivation = x: isAttrs x && x.type or null == "derivation";
  getExe = package: "${package}/bin/${package.meta.mainProgram or package.pname}";
  getLib = package: package.lib or package;
  licenses = {
    mit = {
      spdxId = "MIT";
    };
    asl20 = {
      spdxId = "Apache-2.0";
    };
  };
  platforms = rec {
    linux = [
      "x86_64-linux"
      "aarch64-linux"
    ];
    darwin = [
      "x86_64-darwin"
      "aarch64-darwin"
    ];
    unix = linux ++ darwin;
    all = unix;
  };

  # A file set is a list of paths here.
  fileset = {
    union = a: b: toList a ++ toList b;
    unions = concatMap toList;
    maybeMissing = path: optional (builtins.pathExists path) path;
    toSource =
      { root, fileset }:
      builtins.path {
        path = root;
        name = "source";
        filter =
          path: _:
          any (
            wanted: hasPrefix "${toString wanted}/" "${path}/" || hasPrefix "${path}/" "${toString wanted}/"
          ) (toList fileset);
      };
  };
}
