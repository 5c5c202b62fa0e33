# Versions and specifiers (PEP 440), in the reading of `packaging` that src/target/specifier.rs has.
#
# A version is null where a text is none, else `{ epoch; release; pre; post; dev; local; key; shown; }`; its key orders it.
let
  text = import ./text.nix;
  inherit (builtins)
    all
    concatStringsSep
    elem
    elemAt
    filter
    genList
    head
    length
    match
    ;

  preKinds = {
    a = "a";
    alpha = "a";
    b = "b";
    beta = "b";
    c = "rc";
    rc = "rc";
    pre = "rc";
    preview = "rc";
  };
  preRanks = {
    a = 1;
    b = 2;
    rc = 3;
  };

  grammar =
    "v?(([0-9]+)!)?([0-9]+(\\.[0-9]+)*)"
    + "([-_.]?(alpha|a|beta|b|preview|pre|rc|c)[-_.]?([0-9]*))?"
    + "(-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?"
    + "([-_.]?(dev)[-_.]?([0-9]*))?"
    + "(\\+([a-z0-9]+([-_.][a-z0-9]+)*))?";

  orZero = digits: text.number (if digits == null || digits == "" then "0" else digits);

  readRelease = release: map text.number (text.split "\\." release);

  plain = release: {
    epoch = 0;
    inherit release;
    pre = null;
    post = null;
    dev = null;
    local = [ ];
  };

  readFull =
    written:
    let
      found = match grammar (text.lower written);
      part = elemAt found;
      segment = one: if match "[0-9]+" one != null then text.number one else one;
    in
    if found == null then
      null
    else
      {
        epoch = if part 1 == null then 0 else text.number (part 1);
        release = readRelease (part 2);
        pre =
          if part 4 == null then
            null
          else
            {
              kind = preKinds.${part 5};
              number = orZero (part 6);
            };
        post =
          if part 7 == null then
            null
          else if part 8 != null then
            text.number (part 8)
          else
            orZero (part 10);
        dev = if part 11 == null then null else orZero (part 13);
        local = if part 14 == null then [ ] else map segment (text.split "[-_.]" (part 15));
      };

  # Numbers past 18 digits are null, and such a version is none.
  isWhole =
    version:
    version.epoch != null
    && all (number: number != null) (version.release ++ version.local)
    && (version.pre == null || version.pre.number != null);

  finish =
    version:
    version
    // {
      key = keyOf version;
      shown = show version;
    };

  trimZeros =
    release:
    let
      size = length release;
      trimmed = n: if n > 0 && elemAt release (n - 1) == 0 then trimmed (n - 1) else n;
    in
    genList (elemAt release) (trimmed size);

  # Lists compare element by element: a version without what another has stands before or after it by the first number.
  keyOf =
    {
      epoch,
      release,
      pre,
      post,
      dev,
      local,
      ...
    }:
    [
      epoch
      (trimZeros release)
      (
        if pre != null then
          [
            preRanks.${pre.kind}
            pre.number
          ]
        else if post == null && dev != null then
          [
            0
            0
          ]
        else
          [
            4
            0
          ]
      )
      (if post == null then (-1) else post)
      (
        if dev == null then
          [
            1
            0
          ]
        else
          [
            0
            dev
          ]
      )
      (map (
        segment:
        if builtins.isInt segment then
          [
            1
            segment
          ]
        else
          [
            0
            segment
          ]
      ) local)
    ];

  show =
    version:
    (if version.epoch == 0 then "" else "${toString version.epoch}!")
    + concatStringsSep "." (map toString version.release)
    + (if version.pre == null then "" else "${version.pre.kind}${toString version.pre.number}")
    + (if version.post == null then "" else ".post${toString version.post}")
    + (if version.dev == null then "" else ".dev${toString version.dev}")
    + (if version.local == [ ] then "" else "+${concatStringsSep "." (map toString version.local)}");

  withoutLocal = version: finish (version // { local = [ ]; });

  # PEP 440: the version's local label counts only where the specifier has one.
  equals =
    bound: version:
    if bound.local != [ ] then bound.key == version.key else bound.key == (withoutLocal version).key;

  # `>V` takes neither `V+local` nor, where V is none itself, V's post-releases.
  greater =
    bound: version:
    if !(bound.key < version.key) then
      false
    else if bound.dev != null || bound.post != null then
      bound.key < (withoutLocal version).key
    else
      version.epoch != bound.epoch
      || trimZeros version.release != trimZeros bound.release
      || version.pre != bound.pre;

  # The first development release of a release.
  firstOf =
    epoch: release:
    finish (
      plain release
      // {
        inherit epoch;
        dev = 0;
      }
    );

  afterPrefix =
    epoch: release:
    let
      last = length release - 1;
      next = place: elemAt release place + (if place == last then 1 else 0);
    in
    firstOf epoch (genList next (length release));

  inPrefix =
    bound: version:
    !(version.key < (firstOf bound.epoch bound.release).key)
    && version.key < (afterPrefix bound.epoch bound.release).key;

  operators = {
    "==" = equals;
    "!=" = bound: version: !(equals bound version);
    "==*" = inPrefix;
    "!=*" = bound: version: !(inPrefix bound version);
    "~=" =
      bound: version:
      let
        prefix = genList (elemAt bound.release) (length bound.release - 1);
      in
      !(version.key < bound.key) && version.key < (afterPrefix bound.epoch prefix).key;
    ">=" = bound: version: !(version.key < bound.key);
    "<=" = bound: version: !(bound.key < version.key) || equals bound version;
    ">" = greater;
    "<" =
      bound: version:
      if bound.pre != null || bound.dev != null then
        version.key < bound.key
      else
        version.key < (finish (
          bound
          // {
            local = [ ];
            dev = 0;
          }
        )).key;
    "===" = bound: version: bound.shown == version.shown;
  };

  mayBeLocal = [
    "=="
    "!="
    "==="
  ];
in
rec {
  parse =
    written:
    let
      trimmed = text.trim written;
      version =
        if match "[0-9]+(\\.[0-9]+)*" trimmed != null then
          plain (readRelease trimmed)
        else
          readFull trimmed;
    in
    if version == null || !isWhole version then null else finish version;

  # The form in which a version is printed and stands in a lock; null where it is none.
  normalise =
    written:
    let
      version = parse written;
    in
    if version == null then null else version.shown;

  isSame = one: other: one.key == other.key;

  inherit withoutLocal;

  # The specifier of an operator and what stands after it; null where both make none.
  specifierOf =
    operator: written:
    let
      trimmed = text.trim written;
      isPrefix = text.hasSuffix ".*" trimmed;
      bound = parse (text.removeSuffix ".*" trimmed);
      isRelease = bound.pre == null && bound.post == null && bound.dev == null && bound.local == [ ];
      fits =
        if isPrefix then
          elem operator [
            "=="
            "!="
          ]
          && isRelease
        else
          (bound.local == [ ] || elem operator mayBeLocal) && (operator != "~=" || length bound.release > 1);
    in
    if bound == null || !fits then
      null
    else
      {
        inherit bound;
        operator = operator + (if isPrefix then "*" else "");
        shown = operator + bound.shown + (if isPrefix then ".*" else "");
      };

  parseSpecifier =
    written:
    let
      found = match "(===|==|~=|!=|<=|>=|<|>)(.*)" (text.trim written);
    in
    if found == null then null else specifierOf (head found) (elemAt found 1);

  # A list of specifiers, in the order of their versions; null where one of them is none. Empty parts are passed over.
  parseSpecifiers =
    written:
    let
      parts = filter (part: part != "") (map text.trim (text.split "," written));
      specifiers = map parseSpecifier parts;
    in
    if elem null specifiers then
      null
    else
      builtins.sort (one: other: one.bound.key < other.bound.key) specifiers;

  showSpecifiers = specifiers: concatStringsSep "," (map (specifier: specifier.shown) specifiers);

  satisfies = specifier: version: operators.${specifier.operator} specifier.bound version;

  satisfiesAll = specifiers: version: all (specifier: satisfies specifier version) specifiers;
}
