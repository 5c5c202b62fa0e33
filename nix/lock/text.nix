# Texts taken apart, with `builtins` alone: there is no nixpkgs `lib` where a lock is read.
rec {
  # The parts of a text between single characters; `separator` is a regular expression of one.
  split = separator: text: builtins.filter builtins.isString (builtins.split separator text);

  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;

  hasSuffix =
    suffix: text:
    let
      length = builtins.stringLength text;
      size = builtins.stringLength suffix;
    in
    length >= size && builtins.substring (length - size) size text == suffix;

  removePrefix =
    prefix: text:
    if hasPrefix prefix text then builtins.substring (builtins.stringLength prefix) (-1) text else text;

  removeSuffix =
    suffix: text:
    if hasSuffix suffix text then
      builtins.substring 0 (builtins.stringLength text - builtins.stringLength suffix) text
    else
      text;

  # Whether a text has one of these parts, none of which is empty.
  containsAny = parts: text: builtins.replaceStrings parts (map (_: "") parts) text != text;

  upperLetters = split "," "A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T,U,V,W,X,Y,Z";
  lowerLetters = split "," "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z";
  lower = builtins.replaceStrings upperLetters lowerLetters;

  # Without blanks and line breaks at both ends.
  trim =
    text:
    let
      found = builtins.match "[ \t\r\n]*([^ \t\r\n](.*[^ \t\r\n])?)[ \t\r\n]*" text;
    in
    # Most texts have none, and a long one is not to be matched.
    if
      builtins.stringLength text == 0
      || !isBlank (builtins.substring 0 1 text) && !isBlank (lastCharacter text)
    then
      text
    else if found == null then
      ""
    else
      builtins.head found;

  isBlank =
    character:
    builtins.elem character [
      " "
      "\t"
      "\r"
      "\n"
    ];

  lastCharacter = text: builtins.substring (builtins.stringLength text - 1) 1 text;

  # A run of decimal digits as a number; null where it is past what Nix counts.
  number =
    digits:
    let
      significant = builtins.head (builtins.match "0*([0-9]+)" digits);
    in
    if builtins.stringLength significant > 18 then null else builtins.fromJSON significant;

  # A name as PEP 503 normalises it, of any text.
  normaliseName =
    name:
    let
      dashed = builtins.replaceStrings [ "_" "." ] [ "-" "-" ] (lower name);
      collapse =
        text:
        let
          shorter = builtins.replaceStrings [ "--" ] [ "-" ] text;
        in
        if shorter == text then text else collapse shorter;
    in
    collapse dashed;

  # Whether a text is a distribution's, an extra's or a group's name.
  isName = text: builtins.match "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?" text != null;

  # The first that is not null; those after it are not evaluated.
  first = builtins.foldl' (found: next: if found != null then found else next) null;

  # A list with each element once, in the order of the first.
  unique =
    list:
    let
      places = builtins.genList (place: place) (builtins.length list);
      firstPlaces = builtins.listToAttrs (
        map (place: {
          name = builtins.toJSON (builtins.elemAt list place);
          value = place;
        }) places
      );
      isFirst = place: firstPlaces.${builtins.toJSON (builtins.elemAt list place)} == place;
    in
    map (builtins.elemAt list) (builtins.filter isFirst places);

  # Texts as the keys of a set, to be asked for.
  toSet =
    texts:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = true;
      }) texts
    );

  # What a percent-encoded text stands for; null where that is no ASCII text.
  percentDecode =
    text:
    let
      decode =
        part:
        if builtins.isString part then part else asciiCharacters.${lower (builtins.head part)} or null;
      parts = map decode (builtins.split "%([0-9A-Fa-f]{2})" text);
    in
    if !containsAny [ "%" ] text then
      text
    else if builtins.elem null parts then
      null
    else
      builtins.concatStringsSep "" parts;

  # Characters by their code, in two hexadecimal digits; NUL is none that Nix can hold.
  asciiCharacters =
    let
      digits = split "," "0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f";
      codes = builtins.concatMap (high: map (low: high + low) digits) (
        builtins.genList (builtins.elemAt digits) 8
      );
      character = code: {
        name = code;
        value = builtins.fromJSON "\"\\u00${code}\"";
      };
    in
    builtins.listToAttrs (map character (builtins.tail codes));

  # The characters below the blank, and DEL.
  controlCharacters = map (code: asciiCharacters.${code}) (
    builtins.filter (code: builtins.match "[01].|7f" code != null) (builtins.attrNames asciiCharacters)
  );
}
