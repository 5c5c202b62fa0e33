# Whether a document has the types that a format says: what is missing or of another type is named by its whole key.
#
# A shape is the name of a type (as `builtins.typeOf` has it), `{ list = SHAPE; }`, `{ values = SHAPE; }` for a table of any
# keys, `{ orNull = SHAPE; }`, or `{ fields = { KEY = SHAPE; }; required = [ KEY ]; isClosed = true; }`; where it is not
# closed, other keys are passed over.
let
  text = import ./text.nix;
  words = {
    string = "a string";
    int = "an integer";
    bool = "a boolean";
    list = "an array";
    set = "a table";
    float = "a float";
  };
  word = type: words.${type} or type;
  # Longer than any, and short enough for regular expressions, whose matching takes stack.
  longest = 16384;
  places = list: builtins.genList (place: place) (builtins.length list);

  # What is wrong with a value, or null.
  check =
    shape: at: value:
    let
      type = builtins.typeOf value;
      due =
        if builtins.isString shape then
          shape
        else if shape ? list then
          "list"
        else
          "set";
      under = key: if at == "" then key else "${at}.${key}";
      missing = builtins.filter (key: !(value ? ${key})) (shape.required or [ ]);
      unknown = builtins.attrNames (removeAttrs value (builtins.attrNames shape.fields));
      present = builtins.attrNames (builtins.intersectAttrs shape.fields value);
    in
    if shape ? orNull then
      if value == null then null else check shape.orNull at value
    else if type != due then
      "`${at}`: found ${word type}, expected ${word due}"
    else if shape == "string" then
      if builtins.stringLength value > longest then
        "`${at}`: a text of ${toString (builtins.stringLength value)} characters, at most ${toString longest} are taken"
      else
        null
    else if builtins.isString shape then
      null
    else if shape ? list then
      text.first (
        map (place: check shape.list "${at}[${toString place}]" (builtins.elemAt value place)) (
          places value
        )
      )
    else if shape ? values then
      text.first (map (key: check shape.values (under key) value.${key}) (builtins.attrNames value))
    else if missing != [ ] then
      "`${under (builtins.head missing)}` is missing"
    else if shape.isClosed or false && unknown != [ ] then
      "`${under (builtins.head unknown)}` is not known"
    else
      text.first (map (key: check shape.fields.${key} (under key) value.${key}) present);
in
check
