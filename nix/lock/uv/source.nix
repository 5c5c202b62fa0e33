# Where an entry of a uv.lock comes from, and its files (src/lock/uv/source.rs): `{ source; }` or a fault.
{ bounds }:
let
  text = import ../text.nix;
  places = import ../places.nix;
  tags = import ../tags.nix;
  inherit (builtins)
    elem
    elemAt
    filter
    head
    length
    ;

  kinds = [
    "registry"
    "git"
    "url"
    "path"
    "directory"
    "editable"
    "virtual"
  ];

  field = message: {
    kind = "field";
    inherit message;
  };

  readPackageFile =
    entry: folder: file:
    let
      path =
        if builtins.substring 0 1 (file.path or "") == "/" then file.path else "${folder}/${file.path}";
      location = if file ? url then places.httpUrl file.url else places.resolve bounds path;
      hash = places.readHash (file.hash or null);
      filename = if location ? url then places.fileName location.url else baseNameOf location.path;
      identity = places.checkIdentity {
        inherit (entry) name version;
        isOmissible = true;
      } filename;
    in
    if !(file ? url) && (folder == null || !(file ? path)) then
      { fault = field "one of its files has neither a URL nor a path"; }
    else if location ? fault then
      location
    else if filename == null then
      places.fault "filename" "`${places.redact location.url}` is the name of neither a wheel nor a source distribution"
    else if hash ? fault then
      hash
    else if identity != null then
      { fault = identity; }
    else
      {
        file = location // {
          inherit filename;
          inherit (hash) sha256;
        };
      };

  readFiles =
    entry: registry:
    let
      hasScheme = places.scheme registry != null;
      index = places.httpUrl registry;
      folder = if hasScheme then null else registry;
      wheels = map (readPackageFile entry folder) (entry.table.wheels or [ ]);
      sdist = if entry.table ? sdist then [ (readPackageFile entry folder entry.table.sdist) ] else [ ];
      notWheels = filter (one: !(text.hasSuffix ".whl" one.file.filename)) wheels;
      isWheel = sdist != [ ] && text.hasSuffix ".whl" (head sdist).file.filename;
      faulty = filter (one: one ? fault) (wheels ++ sdist);
      resolved = places.resolve bounds registry;
    in
    if hasScheme && index ? fault then
      index
    else if !hasScheme && resolved ? fault then
      resolved
    else if faulty != [ ] then
      head faulty
    else if notWheels != [ ] then
      places.fault "filename" "`${(head notWheels).file.filename}` is the name of neither a wheel nor a source distribution"
    else if isWheel then
      { fault = field "its `sdist` is a wheel: `${(head sdist).file.filename}`"; }
    else
      {
        source = {
          type = "files";
          files = map (one: one.file) (wheels ++ sdist);
        };
      };

  # `https://HOST/PATH?subdirectory=DIR&rev=REV#COMMIT`.
  readGit =
    written:
    let
      parts = builtins.match "([^#]*)#(.*)" written;
      halves = builtins.match "([^?]*)[?](.*)" (head parts);
      url = if halves == null then head parts else head halves;
      pair =
        query:
        let
          found = builtins.match "([^=]*)=(.*)" query;
        in
        if found == null then
          null
        else
          {
            key = head found;
            value = text.percentDecode (builtins.replaceStrings [ "+" ] [ " " ] (elemAt found 1));
          };
      pairs = filter (one: one != null) (
        if halves == null then [ ] else map pair (text.split "&" (elemAt halves 1))
      );
      valuesOf = key: map (one: one.value) (filter (one: one.key == key) pairs);
      refuse =
        rule:
        places.fault "repository" "`${places.redact written}` is no commit of a git repository: ${rule}";
      subdirectories = valuesOf "subdirectory";
      inside = if subdirectories == [ ] then null else elemAt subdirectories (length subdirectories - 1);
    in
    if builtins.stringLength written > 4096 then
      refuse "it is longer than any"
    else if parts == null then
      refuse "it names no commit"
    else if elem null (map (one: one.value) pairs) then
      refuse "its query is not ASCII"
    else if valuesOf "path" != [ ] then
      refuse "an archive inside of a repository is not taken"
    else if elem "true" (map text.lower (valuesOf "lfs")) then
      refuse "git LFS is not followed"
    else
      places.gitCommit bounds url (elemAt parts 1) inside;

  readArchive =
    entry:
    let
      inherit (entry) source;
      location = if source ? url then places.httpUrl source.url else places.resolve bounds source.path;
      filename = if location ? url then places.fileName location.url else baseNameOf location.path;
      told =
        if tags.isSdist filename then
          entry.table.sdist or { }
        else
          (if entry.table.wheels or [ ] == [ ] then { } else head entry.table.wheels);
      hash = places.readHash (told.hash or null);
      inside = places.subdirectory (source.subdirectory or null);
      identity = places.checkIdentity {
        inherit (entry) name version;
        isOmissible = true;
        isArchive = true;
      } filename;
    in
    if location ? fault then
      location
    else if filename == null then
      places.fault "filename" "`${places.redact location.url}` is the name of neither a wheel nor a source distribution"
    else if hash ? fault then
      hash
    else if inside ? fault then
      inside
    else if identity != null then
      { fault = identity; }
    else
      {
        source = {
          type = "archive";
          file = location // {
            inherit filename;
            inherit (hash) sha256;
          };
          inherit (inside) subdirectory;
        };
      };

  readDirectory =
    type: path:
    let
      place = places.resolve bounds path;
    in
    if place ? fault then
      place
    else
      {
        source = {
          inherit type;
          inherit (place) path;
        };
      };
in
entry:
let
  inherit (entry) source;
in
if length (filter (kind: source ? ${kind}) kinds) != 1 then
  {
    fault = field "its source is not one of registry, git, url, path, directory, editable and virtual";
  }
else if source ? registry then
  readFiles entry source.registry
else if source ? git then
  readGit source.git
else if source ? directory || source ? editable then
  readDirectory "directory" (source.directory or source.editable)
else if source ? virtual then
  readDirectory "virtual" source.virtual
else
  readArchive entry
