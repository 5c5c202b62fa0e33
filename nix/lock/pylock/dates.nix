# Nix reads no dates (TOML 1.0, 2.7): the one that PEP 751 has, `upload-time`, is put aside for a number. That leaves the
# rest of the document what it was, wherever the words may have stood.
let
  inherit (builtins)
    concatStringsSep
    head
    isList
    length
    split
    ;
  # A moment: RFC 3339, its offset optional.
  moment =
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?"
    + "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?";
in
rec {
  # What stands for every moment.
  uploadTime = 19700101000000;

  # The text without what Nix cannot read, and whether something of that kind is left: `{ text; hasDates; }`.
  withoutDates =
    written:
    let
      put = part: if isList part then "${head part}${toString uploadTime}" else part;
      parts = split "(upload-time[\"']?[ \t]*=[ \t]*)${moment}" written;
      result = concatStringsSep "" (map put parts);
    in
    {
      text = result;
      # Where a value may stand; in a text as well, which does no harm.
      hasDates =
        length (split "(=|,|\\[)[ \t\r\n]*([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2}:)" result) > 1;
    };
}
