# Environment markers (PEP 508), with the sets `extras` and `dependency_groups` of lock files (PEP 751): what
# src/target/marker does. Refused are the same texts; no comparison is passed over for another's sake.
#
# A marker is `{ fault; node; shown; mentions; }`: `fault` says why a text is none. An evaluation is true, false, or
# `{ fault; }`.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  inherit (builtins)
    concatStringsSep
    elem
    elemAt
    foldl'
    head
    isAttrs
    isBool
    isList
    length
    stringLength
    substring
    ;

  variables = {
    python_version = "python_version";
    python_full_version = "python_full_version";
    os_name = "os_name";
    "os.name" = "os_name";
    sys_platform = "sys_platform";
    "sys.platform" = "sys_platform";
    platform_release = "platform_release";
    platform_system = "platform_system";
    platform_version = "platform_version";
    "platform.version" = "platform_version";
    platform_machine = "platform_machine";
    "platform.machine" = "platform_machine";
    platform_python_implementation = "platform_python_implementation";
    "platform.python_implementation" = "platform_python_implementation";
    python_implementation = "platform_python_implementation";
    implementation_name = "implementation_name";
    implementation_version = "implementation_version";
    extra = "extra";
    extras = "extras";
    dependency_groups = "dependency_groups";
  };

  versionValued = [
    "python_version"
    "python_full_version"
    "implementation_version"
    "platform_release"
  ];

  symbols = [
    "==="
    "=="
    "~="
    "!="
    "<="
    "<"
    ">="
    ">"
  ];

  deepest = 100;

  # Words, quoted texts, symbols and parentheses; what is between them is blank, or else out of place.
  token = "('[^']*'|\"[^\"]*\"|[()]|===|==|~=|!=|<=|>=|<|>|[A-Za-z0-9_.]+|[ \t]+)";

  isQuote = character: character == "'" || character == "\"";

  tokenise =
    written:
    let
      parts = builtins.split token written;
      stray = builtins.filter (part: part != "") (builtins.filter builtins.isString parts);
      tokens = map head (builtins.filter isList parts);
      isWord =
        token:
        !elem (substring 0 1 token) [
          " "
          "\t"
        ];
    in
    if stray != [ ] then
      { fault = "`${head stray}` is out of place"; }
    else
      { tokens = builtins.filter isWord tokens; };

  # A parse of tokens from a place is `{ node; next; }` or `{ fault; }`.
  parser =
    tokens:
    let
      count = length tokens;
      at = place: if place < count then elemAt tokens place else "";
      shown = place: if place < count then "`${at place}`" else "the end";
      expected = what: place: { fault = "expected ${what}, found ${shown place}"; };

      joined =
        word: kind: parsePart: place: depth:
        let
          partsOf = node: node.${kind} or [ node ];
          follow =
            parts: place:
            let
              next = parsePart (place + 1) depth;
            in
            if at place != word then
              {
                inherit parts;
                next = place;
              }
            else if next ? fault then
              next
            else
              follow (parts ++ partsOf next.node) next.next;
          first = parsePart place depth;
          all = follow (partsOf first.node) first.next;
        in
        if first ? fault then
          first
        else if all ? fault then
          all
        else
          {
            inherit (all) next;
            node = if length all.parts == 1 then head all.parts else { ${kind} = all.parts; };
          };

      parseOr = joined "or" "any" parseAnd;
      parseAnd = joined "and" "all" parseAtom;

      parseAtom =
        place: depth:
        let
          inner = parseOr (place + 1) (depth - 1);
        in
        if at place != "(" then
          parseComparison place
        else if depth == 0 then
          { fault = "expected fewer nested parentheses"; }
        else if inner ? fault then
          inner
        else if at inner.next != ")" then
          expected "`and`, `or` or `)`" inner.next
        else
          inner // { next = inner.next + 1; };

      operand =
        place:
        let
          word = at place;
          literal = substring 1 (stringLength word - 2) word;
        in
        if variables ? ${word} then
          { variable = variables.${word}; }
        else if word == "" || !isQuote (substring 0 1 word) then
          null
        else
          { inherit literal; };

      parseComparison =
        place:
        let
          left = operand place;
          isNotIn = at (place + 1) == "not";
          operator =
            if isNotIn then
              if at (place + 2) == "in" then "not in" else null
            else if at (place + 1) == "in" || elem (at (place + 1)) symbols then
              at (place + 1)
            else
              null;
          last = place + (if isNotIn then 3 else 2);
          right = operand last;
          side = if left ? variable then "left" else "right";
          variable = (if side == "left" then left else right).variable;
          literal = (if side == "left" then right else left).literal;
          isNormalised =
            variable == "extra"
            ||
              side == "right"
              && elem variable [
                "extras"
                "dependency_groups"
              ];
        in
        if left == null then
          expected "a marker variable or a quoted text" place
        else if operator == null then
          expected "one of <=, <, !=, ==, >=, >, ~=, ===, in, not in" (place + 1)
        else if right == null || (left ? variable) == (right ? variable) then
          expected (if left ? variable then "a quoted text" else "a marker variable") last
        else if text.containsAny [ "\\" "\n" "\r" ] literal then
          expected "a quoted text without backslash and line break" last
        else
          {
            next = last + 1;
            node = {
              inherit variable operator side;
              literal = if isNormalised then text.normaliseName literal else literal;
            };
          };

      whole = parseOr 0 deepest;
    in
    if whole ? fault then
      whole
    else if whole.next != count then
      expected "`and`, `or` or the end" whole.next
    else
      whole;

  comparisonsOf =
    node:
    if node ? any then
      builtins.concatMap comparisonsOf node.any
    else if node ? all then
      builtins.concatMap comparisonsOf node.all
    else
      [ node ];

  show =
    node:
    if node ? any then
      concatStringsSep " or " (map show node.any)
    else if node ? all then
      concatStringsSep " and " (map (part: if part ? any then "(${show part})" else show part) node.all)
    else
      showComparison node;

  showComparison =
    {
      variable,
      operator,
      literal,
      side,
    }:
    let
      # A literal holds at most one kind of quote: it came without escapes.
      quote = if text.containsAny [ "\"" ] literal then "'" else "\"";
      quoted = quote + literal + quote;
    in
    if side == "left" then "${variable} ${operator} ${quoted}" else "${quoted} ${operator} ${variable}";

  contains = part: whole: part == "" || text.containsAny [ part ] whole;

  # Compared as versions, if operator and right side are a specifier; null where they are none. A left side that is no
  # version satisfies none.
  compareVersions =
    left: operator: right:
    let
      specifier = versions.specifierOf operator right;
      version = versions.parse left;
    in
    if operator == "in" || operator == "not in" then
      null
    else if operator == "===" then
      if text.containsAny [ " " "\t" "\r" "\n" ";" ")" ] (text.trim right) then
        null
      else
        text.lower left == text.lower (text.trim right)
    else if specifier == null then
      null
    else
      version != null && versions.satisfies specifier version;

  compare =
    node: left: right:
    let
      asVersions =
        if elem node.variable versionValued then compareVersions left node.operator right else null;
      undefined = {
        fault = "marker `${showComparison node}`: `${node.operator}` is not defined for `${left}` and `${right}`, which are not versions";
      };
    in
    if asVersions != null then
      asVersions
    else
      {
        "in" = contains left right;
        "not in" = !contains left right;
        "==" = left == right;
        "<=" = left == right;
        ">=" = left == right;
        "!=" = left != right;
        "<" = false;
        ">" = false;
      }
      .${node.operator} or undefined;

  # An untagged build of Python calls itself `3.14.0+`, which is not a version.
  valueOf =
    environment: variable:
    let
      value = environment.${variable};
    in
    if variable == "python_full_version" && text.hasSuffix "+" value then "${value}local" else value;

  evaluateComparison =
    environment: names: node:
    let
      inherit (node) variable operator literal;
      undefined = {
        fault = "marker `${showComparison node}`: `${variable}` is not defined ${
          if names ? sets then "in lock files" else "outside lock files"
        }";
      };
      ofText =
        value: if node.side == "left" then compare node value literal else compare node literal value;
      ofSet =
        set:
        if variable == "extra" && (operator == "==" || operator == "!=") then
          (set ? ${literal}) == (operator == "==")
        else if node.side == "right" && (operator == "in" || operator == "not in") then
          (set ? ${literal}) == (operator == "in")
        else
          {
            fault = "marker `${showComparison node}`: `${variable}` is a set, usable only as in `\"name\" in ${variable}`";
          };
    in
    if environment ? ${variable} then
      ofText (valueOf environment variable)
    else if variable == "extra" then
      if names ? extra then
        ofText names.extra
      else if names ? several then
        ofSet names.several
      else
        undefined
    else if names ? sets then
      ofSet names.sets.${variable}
    else
      undefined;

  evaluateNode =
    environment: names: node:
    let
      evaluate = evaluateNode environment names;
      join =
        combine: first: parts:
        foldl' (
          holds: part:
          let
            found = evaluate part;
          in
          if isAttrs holds then
            holds
          else if isAttrs found then
            found
          else
            combine holds found
        ) first parts;
    in
    if node ? any then
      join (one: other: one || other) false node.any
    else if node ? all then
      join (one: other: one && other) true node.all
    else
      evaluateComparison environment names node;
in
{
  parse =
    written:
    let
      found = tokenise written;
      parsed = if found ? fault then found else parser found.tokens;
      fault = if parsed ? fault then "invalid marker `${written}`: ${parsed.fault}" else null;
    in
    {
      inherit fault;
      inherit (parsed) node;
      shown = show parsed.node;
      mentions = text.toSet (map (comparison: comparison.variable) (comparisonsOf parsed.node));
    };

  # Which names a marker may ask for besides the environment's:
  # `{ metadata = { NAME = true; }; }`: a distribution's; it holds with no extra or with any one of the active ones.
  # `{ sets = { extras; dependency_groups; }; }`: a lock file's (PEP 751).
  # `{ several = { NAME = true; }; }`: a uv.lock's, where `extra` is all of these names at once.
  evaluate =
    environment: names: marker:
    let
      one = extra: evaluateNode environment { inherit extra; } marker.node;
      asked = if marker.mentions ? extra then builtins.attrNames names.metadata else [ ];
      results = map one ([ "" ] ++ asked);
      faults = builtins.filter isAttrs results;
    in
    if !(names ? metadata) then
      evaluateNode environment names marker.node
    else if faults != [ ] then
      head faults
    else
      builtins.any isBool results && elem true results;
}
