# An entry of `packages`, of which nothing is missing; its files, whose names say which version they are of.
{ bounds }:
let
  text = import ../text.nix;
  versions = import ../versions.nix;
  markers = import ../markers.nix;
  names = import ../names.nix;
  places = import ../places.nix;
  tags = import ../tags.nix;
  check = import ../shape.nix;
  shapes = import ./shapes.nix;
  inherit (import ./dates.nix) uploadTime;
  inherit (import ../fields.nix)
    field
    normalisedFault
    notEmpty
    specifierFault
    versionFault
    ;
  inherit (builtins)
    elemAt
    filter
    head
    length
    ;

  # The version that a file's name says, as strictly as `packaging.utils` reads it; null where it says none.
  wheelVersion =
    filename:
    let
      wheel = tags.parseWheel filename;
      parts = text.split "-" filename;
    in
    if wheel == null || text.containsAny [ "__" ] (head parts) then
      null
    else
      versions.parse (elemAt parts 1);
  sdistVersion =
    filename:
    let
      found = builtins.match ".*-([^-]*)[.](tar[.]gz|zip)" filename;
    in
    if found == null then null else versions.parse (head found);

  readFile =
    key: file:
    let
      path = notEmpty (file.path or "");
      url = notEmpty (file.url or "");
      ofPath = baseNameOf (
        if text.containsAny [ "/" ] path then path else builtins.replaceStrings [ "\\" ] [ "/" ] path
      );
      pathName = if path == null || text.hasSuffix "/" path then null else notEmpty ofPath;
      urlName = if url == null then null else places.fileName url;
      given = notEmpty (file.name or "");
      filename =
        if given != null then
          given
        else if pathName != null then
          pathName
        else if urlName != null then
          urlName
        else
          "";
      place = places.resolve bounds path;
      remote = places.httpUrl url;
      # Of a path and a URL the path is taken where there is such a file: both have the same hash.
      isHere = path != null && (url == null || builtins.pathExists "${bounds.directory}/${place.path}");
      hash =
        if file.hashes ? sha256 then
          places.readDigest file.hashes.sha256 file.hashes.sha256
        else
          { sha256 = null; };
    in
    if file ? upload-time && file.upload-time != uploadTime then
      { fault = field "`${key}.upload-time`: found an integer, expected a date with a time"; }
    else if file.size or 0 < 0 then
      { fault = field "`${key}.size`: ${toString file.size} is no size"; }
    else if path != null && place ? fault then
      place
    else if url != null && remote ? fault then
      remote
    else if path == null && url == null then
      { fault = field "`${key}.path` or `${key}.url` is missing"; }
    else if file.hashes or { } == { } then
      places.fault "hash" "`${filename}` has no hash"
    else if hash ? fault then
      hash
    else
      {
        file = (if isHere then place else remote) // {
          inherit filename;
          inherit (hash) sha256;
        };
      };

  readDirectory =
    directory:
    let
      place = places.resolve bounds directory.path;
      inside = places.subdirectory (directory.subdirectory or null);
      whole = places.resolve bounds "${place.path}/${inside.subdirectory}";
    in
    if place ? fault then
      place
    else if inside ? fault then
      inside
    else
      {
        source = {
          type = "directory";
          path = if inside.subdirectory == null then place.path else whole.path;
        };
      };

  readRepository =
    vcs:
    let
      url = notEmpty (vcs.url or "");
      path = notEmpty (vcs.path or "");
      place = places.resolve bounds path;
      inside = vcs.subdirectory or null;
    in
    if vcs.type != "git" then
      places.fault "repository" "a `${vcs.type}` repository, and only git ones can be fetched"
    else if url != null then
      places.gitCommit bounds url vcs.commit-id inside
    else if path == null then
      { fault = field "`vcs.path` or `vcs.url` is missing"; }
    else if place ? fault then
      place
    else
      places.gitCommit bounds "file://${bounds.directory}/${place.path}" vcs.commit-id inside;
in
{
  # An entry of `packages`: `{ fault; package; marker; }`, the fault without the entry's name.
  read =
    table:
    let
      shapeFault = check shapes.package "" table;
      stated = if table ? version then versions.parse table.version else null;
      marker = markers.parse table.marker;
      wheels = map (readFile "wheels[]") (table.wheels or [ ]);
      sdists = if table ? sdist then [ (readFile "sdist" table.sdist) ] else [ ];
      files = wheels ++ sdists;
      faulty = filter (one: one ? fault) files;
      trees = filter (kind: table ? ${kind}) [
        "vcs"
        "directory"
        "archive"
      ];
      archive = readFile "archive" table.archive;
      inside = places.subdirectory (table.archive.subdirectory or null);
      wheelVersions = map (one: wheelVersion one.file.filename) wheels;
      sdistVersions = map (one: sdistVersion one.file.filename) sdists;
      noName =
        one:
        places.fault "filename" "`${one.file.filename}` is the name of neither a wheel nor a source distribution";
      # Every file has a version by its name, also where the entry states one.
      nameless =
        filter (one: wheelVersion one.file.filename == null) wheels
        ++ filter (one: sdistVersion one.file.filename == null) sdists;
      isWheel = text.hasSuffix ".whl" archive.file.filename;
      content =
        if files != [ ] && trees != [ ] then
          { fault = field "it has wheels or an sdist, and vcs, directory or archive: one of both is due"; }
        else if files == [ ] && length trees != 1 then
          { fault = field "expected wheels, an sdist, or one of vcs, directory, archive"; }
        else if files != [ ] then
          if faulty != [ ] then
            head faulty
          else if nameless != [ ] then
            noName (head nameless)
          else
            {
              source = {
                type = "files";
                files = map (one: one.file) files;
              };
              version = if stated != null then stated else head (wheelVersions ++ sdistVersions);
            }
        else if head trees == "vcs" then
          readRepository table.vcs // { version = stated; }
        else if head trees == "directory" then
          readDirectory table.directory // { version = stated; }
        else if archive ? fault then
          archive
        else if inside ? fault then
          inside
        else if isWheel && wheelVersion archive.file.filename == null then
          noName archive
        else
          {
            source = {
              type = "archive";
              inherit (archive) file;
              inherit (inside) subdirectory;
            };
            version =
              if stated != null then
                stated
              else if isWheel then
                wheelVersion archive.file.filename
              else
                null;
          };
      identify = places.checkIdentity {
        inherit (table) name;
        inherit (content) version;
        isArchive = content.source.type == "archive";
      };
      named =
        if content.source.type == "files" then
          content.source.files
        else if content.source.type == "archive" then
          [ content.source.file ]
        else
          [ ];
    in
    {
      fault =
        if shapeFault != null then
          field shapeFault
        else
          text.first [
            (normalisedFault "name" table.name)
            (versionFault "version" (table.version or null))
            (
              if table ? marker && marker.fault != null then
                {
                  kind = "marker";
                  message = marker.fault;
                }
              else
                null
            )
            (specifierFault "requires-python" (table.requires-python or null))
            (content.fault or null)
            (text.first (map (file: identify file.filename) named))
          ];
      marker = if table ? marker then marker.shown else null;
      package = {
        inherit (table) name;
        version = if content.version == null then null else content.version.shown;
        requires-python = names.showSpecifiers (table.requires-python or null);
        inherit (content) source;
        dependencies = [ ];
        optional-dependencies = { };
      };
    };

  # An entry as messages name it: by name and version, or else by its place.
  labelOf =
    key: index: table:
    let
      name = if builtins.isString (table.name or null) then names.normalise table.name else null;
      version =
        if builtins.isString (table.version or null) then versions.normalise table.version else null;
    in
    if name == null then "${key}[${toString index}]" else names.entry name version;
}
