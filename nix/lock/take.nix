# Of each entry that is needed the file that fits best.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  names = import ./names.nix;
  tags = import ./tags.nix;
  inherit (builtins)
    attrNames
    concatStringsSep
    filter
    head
    length
    ;

  entryOf = package: names.entry package.name package.version;

  fault = kind: message: { inherit kind message; };

  quotedList = concatStringsSep ", ";

  # A name that the store takes, for any file's.
  storeNameOf =
    filename:
    let
      parts = filter builtins.isString (builtins.split "[^0-9A-Za-z+._?=-]+" filename);
      name = concatStringsSep "_" parts;
      whole = if text.hasPrefix "." name then "_${name}" else name;
      size = builtins.stringLength whole;
    in
    # The store takes 211 characters, and the end says what a file is.
    if size > 200 then "_${builtins.substring (size - 200) 200 whole}" else whole;

  # The best of an entry for a target, or a fault.
  choose =
    locked: target:
    { index, package }:
    let
      inherit (package) source;
      name = "`${locked.lock.name}`, ${entryOf package}";
      # A file without a sha256 may be left out of a lock that was described.
      files = filter (file: file != null) (
        if source.type == "files" then source.files else [ source.file ]
      );
      wheel = tags.best target.ranking files;
      sdists = filter (file: tags.isSdist file.filename) files;
      wheels = filter (file: text.hasSuffix ".whl" file.filename) files;
      file = if wheel != null then wheel else head sdists;
      same = filter (one: one.filename == file.filename && one.sha256 or null != null) files;
      digests = attrNames (text.toSet (map (one: one.sha256) same));
      refuse = kind: message: { fault = fault kind "${name}: ${message}"; };
      common = {
        inherit (package) name version;
        inherit index;
        entry = entryOf package;
        subdirectory = source.subdirectory or null;
      };
    in
    if source.type == "git" then
      common
      // {
        kind = "git";
        inherit (source) url commit;
      }
    else if source.type == "directory" then
      common
      // {
        kind = "directory";
        inherit (source) path;
      }
    else if wheel == null && sdists == [ ] then
      if files == [ ] && source.type == "archive" then
        refuse "hash" "its archive has no sha256 hash"
      else
        refuse "no-wheel" "no wheel fits ${target.shown}, and there is no source distribution; there are ${
          if wheels == [ ] then "no files" else quotedList (map (one: one.filename) wheels)
        }"
    else if source.type == "files" && length digests > 1 then
      refuse "field" "`${file.filename}` is there with several sha256 hashes: ${quotedList digests}"
    else if file.sha256 or null == null then
      refuse "hash" "`${file.filename}` has no sha256 hash: lock again with an index that gives sha256 hashes, or run `pyzpack lock`"
    else
      common
      // file
      // {
        kind = if wheel != null then "wheel" else "sdist";
        storeName = storeNameOf file.filename;
      };
in
# Of each entry what fits. The entries come as `{ index; package; }`, in the lock's order.
locked: target: needed:
let
  name = "`${locked.lock.name}`";
  byName = builtins.groupBy (one: one.package.name) needed;
  placeOf =
    { index, package }:
    let
      kind = package.source.type;
      version = if package.version == null then "no version" else package.version;
      source =
        {
          files = "";
          archive = " from an archive";
          git = " from git";
        }
        .${kind} or " from a directory";
    in
    "${version}${source} (entry ${toString (index + 1)})";
  fitFault =
    one:
    let
      inherit (one) package;
      same = byName.${package.name};
      requires = package.requires-python;
    in
    if requires != null && !(target.satisfies (versions.parseSpecifiers requires)) then
      fault "python" "${name}, ${entryOf package}: it needs Python ${requires}, the target is ${target.python_text}"
    else if length same > 1 && (head same).index != one.index then
      fault "ambiguous" "${name}: several entries of `${package.name}` are needed at once: ${quotedList (map placeOf same)}"
    else
      null;
  firstFault = text.first (map fitFault needed);
  chosen = map (choose locked target) needed;
  faulty = filter (one: one ? fault) chosen;
in
if firstFault != null then
  { fault = firstFault; }
else if faulty != [ ] then
  head faulty
else
  { chosen = builtins.sort (one: other: one.name < other.name) chosen; }
