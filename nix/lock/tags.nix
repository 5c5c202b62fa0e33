# Names of wheels and source distributions (PEP 427, PEP 425, PEP 625), and which wheel fits a CPython best: what
# src/target/filename.rs and src/target/tags.rs do.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  inherit (builtins)
    concatMap
    concatStringsSep
    elemAt
    filter
    genList
    head
    length
    match
    stringLength
    substring
    ;

  mostTags = 4096;

  sdistEndings = "[.](tar[.]gz|tgz|zip)";
  oldSdistEndings = "[.](tar[.]bz2|tar[.]xz|tar[.]z)";

  ending = endings: filename: match ".*${endings}" (text.lower (tail filename)) != null;

  # The end of a name, in which its ending is.
  tail =
    filename:
    let
      size = stringLength filename;
    in
    if size <= 8 then filename else substring (size - 8) 8 filename;

  # Places of tags in a list that has the best first.
  ranked =
    list:
    builtins.listToAttrs (
      genList (place: {
        name = elemAt list place;
        value = place;
      }) (length list)
    );

  least =
    numbers:
    builtins.foldl' (found: next: if found == null || next < found then next else found) null numbers;

  known = set: names: map (name: set.${name}) (filter (name: set ? ${name}) names);
in
rec {
  isSdist = ending sdistEndings;
  isAnySdist = filename: isSdist filename || ending oldSdistEndings filename;

  # A wheel's name taken apart; null where it is none.
  parseWheel =
    filename:
    let
      parts = text.split "-" (text.removeSuffix ".whl" filename);
      count = length parts;
      build = if count == 6 then elemAt parts 2 else null;
      tag = offset: elemAt parts (count - offset);
      name = head parts;
      # `_` stands for the `-` that may not occur in a part, and early tools left `+` and `!` as they were.
      version = versions.parse (builtins.replaceStrings [ "_" ] [ "-" ] (elemAt parts 1));
      sets = map (text.split "[.]") [
        (tag 3)
        (tag 2)
        (tag 1)
      ];
      size = builtins.foldl' (product: set: product * length set) 1 sets;
    in
    if
      !(text.hasSuffix ".whl" filename)
      || text.containsAny [ "/" "\\" ] filename
      || !(count == 5 || count == 6)
      || build != null && match "[0-9].*" build == null
      || match "[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*" (tag 3) == null
      || builtins.any (builtins.elem "") sets
      || size > mostTags
      || !(text.isName name)
      || version == null
    then
      null
    else
      {
        inherit name version build;
        pythons = map text.lower (head sets);
        abis = map text.lower (elemAt sets 1);
        platforms = map text.lower (elemAt sets 2);
      };

  # The versions, as written, that a source distribution of this normalised name may have by its file's name: one, or
  # where both may hold dashes (before PEP 625) several; none if it is another's.
  sdistVersions =
    filename: name:
    let
      found = match "(.*)(${sdistEndings}|${oldSdistEndings})" (text.lower filename);
      stem = substring 0 (stringLength (head found)) filename;
      parts = text.split "-" stem;
      part = elemAt parts;
      join = from: count: concatStringsSep "-" (genList (place: part (from + place)) count);
      isOf = count: text.isName (join 0 count) && text.normaliseName (join 0 count) == name;
      counts = filter isOf (genList (count: count + 1) (length parts - 1));
    in
    if found == null then [ ] else map (count: join count (length parts - count)) counts;

  # How good wheels are for CPython `major.minor`, given the platform's tags, the best first.
  ranking =
    {
      major,
      minor,
      isFree,
      platforms,
    }:
    let
      digits = "${toString major}${toString minor}";
      cpython = "cp${digits}";
      free = isFree && (major > 3 || major == 3 && minor >= 13);
      stable = if free then "abi3t" else "abi3";
      # PEP 384: the stable ABI began with 3.2.
      older = low: genList (place: toString (minor - 1 - place)) (if minor > low then minor - low else 0);
      pure = [
        "py${digits}"
        "py${toString major}"
      ]
      ++ map (old: "py${toString major}${old}") (older 0);
      rows = [
        "${cpython}-${cpython}${if free then "t" else ""}"
        "${cpython}-${stable}"
        "${cpython}-none"
      ]
      ++ map (old: "cp${toString major}${old}-${stable}") (older 2)
      ++ map (python: "${python}-none") pure;
      anyRows = [ "${cpython}-none" ] ++ map (python: "${python}-none") pure;
    in
    {
      rows = ranked rows;
      anyRows = ranked anyRows;
      platforms = ranked platforms;
      rowSize = length platforms;
      listed = length rows * length platforms;
    };

  # How good the best tag of a wheel is, 0 being the best; null where none fits.
  rank =
    ranking: wheel:
    let
      pairs = concatMap (python: map (abi: "${python}-${abi}") wheel.abis) wheel.pythons;
      row = least (known ranking.rows pairs);
      platform = least (known ranking.platforms wheel.platforms);
      anyRow = least (known ranking.anyRows pairs);
    in
    if row != null && platform != null then
      row * ranking.rowSize + platform
    else if anyRow != null && builtins.elem "any" wheel.platforms then
      ranking.listed + anyRow
    else
      null;

  # A build tag as it is ordered (PEP 427): its number first, then the rest as text; none is the lowest.
  buildOrder =
    build:
    let
      found = match "0*([0-9]*)(.*)" build;
    in
    if build == null then
      [ ]
    else
      [
        (stringLength (head found))
        (head found)
        (elemAt found 1)
      ];

  # Of files the wheel that fits best; of equals the first. Null where none fits.
  best =
    ranking: files:
    let
      judge =
        file:
        let
          wheel = parseWheel file.filename;
          found = if wheel == null then null else rank ranking wheel;
        in
        if found == null then
          [ ]
        else
          [
            {
              inherit file;
              rank = found;
              build = buildOrder wheel.build;
            }
          ];
      better = one: other: one.rank < other.rank || one.rank == other.rank && other.build < one.build;
      choose = found: next: if found == null || better next found then next else found;
      chosen = builtins.foldl' choose null (concatMap judge files);
    in
    if chosen == null then null else chosen.file;
}
