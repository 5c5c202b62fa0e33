# `pylock.toml`, lock version 1 (PEP 751), and what `pyzpack lock` adds to it under `[tool.pyzpack]`: what
# src/lock/pylock.rs does, with the same refusals.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  markers = import ./markers.nix;
  names = import ./names.nix;
  places = import ./places.nix;
  tags = import ./tags.nix;
  check = import ./shape.nix;
  inherit (builtins)
    attrNames
    concatMap
    elem
    elemAt
    filter
    genList
    head
    length
    ;

  # Nix reads no dates. The only one of PEP 751 is put aside for a number, which leaves the rest of the document what it
  # was, wherever it may have stood.
  uploadTime = 19700101000000;
  # A moment: RFC 3339, its offset optional.
  moment =
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?"
    + "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?";

  shapes = rec {
    texts = {
      list = "string";
    };
    fileFields = {
      name = "string";
      path = "string";
      url = "string";
      upload-time = "int";
      size = "int";
      hashes.values = "string";
    };
    file.fields = fileFields;
    package = {
      fields = {
        name = "string";
        version = "string";
        marker = "string";
        requires-python = "string";
        index = "string";
        dependencies.list.fields = { };
        tool.fields = { };
        attestation-identities.list = {
          fields.kind = "string";
          required = [ "kind" ];
        };
        wheels.list = file;
        sdist = file;
        vcs = {
          fields = {
            type = "string";
            url = "string";
            path = "string";
            requested-revision = "string";
            commit-id = "string";
            subdirectory = "string";
          };
          required = [
            "type"
            "commit-id"
          ];
        };
        directory = {
          fields = {
            path = "string";
            editable = "bool";
            subdirectory = "string";
          };
          required = [ "path" ];
        };
        archive.fields = fileFields // {
          subdirectory = "string";
        };
      };
      required = [ "name" ];
    };
    lock = {
      fields = {
        lock-version = "string";
        created-by = "string";
        requires-python = "string";
        environments = texts;
        extras = texts;
        dependency-groups = texts;
        default-groups = texts;
        packages.list.fields = { };
        tool.fields.pyzpack.fields = {
          lock-version = "int";
          inputs = "string";
          build-packages.list.fields = { };
          builds.list.fields = { };
        };
      };
      required = [
        "lock-version"
        "created-by"
        "packages"
      ];
    };
    build = {
      fields = {
        name = "string";
        version = "string";
        requires = texts;
        packages.list = {
          fields = {
            name = "string";
            version = "string";
            marker = "string";
          };
          required = [
            "name"
            "version"
          ];
        };
      };
      required = [
        "name"
        "requires"
        "packages"
      ];
    };
  };

  field = message: {
    kind = "field";
    inherit message;
  };

  # A name that stands in a lock in its normalised form, and in no other.
  normalisedFault =
    key: name:
    let
      normal = names.normalise name;
    in
    if normal == null then
      field "`${key}`: ${names.faultOf [ name ]}"
    else if normal != name then
      field "`${key}`: `${name}` is not normalised, expected `${normal}`"
    else
      null;

  specifierFault =
    key: written:
    if written != null && versions.parseSpecifiers written == null then
      field "`${key}`: `${written}` is not a version specifier"
    else
      null;

  versionFault =
    key: written:
    if written != null && versions.parse written == null then
      field "`${key}`: `${written}` is not a version"
    else
      null;

  notEmpty = value: if value == "" then null else value;

  # The version that a file's name says, as strictly as `packaging.utils` reads it; null where it says none.
  wheelVersion =
    filename:
    let
      wheel = tags.parseWheel filename;
      parts = text.split "-" filename;
    in
    if wheel == null || text.containsAny [ "__" ] (head parts) then null else versions.parse (elemAt parts 1);
  sdistVersion =
    filename:
    let
      found = builtins.match ".*-([^-]*)[.](tar[.]gz|zip)" filename;
    in
    if found == null then null else versions.parse (head found);

  readFile =
    bounds: key: file:
    let
      path = notEmpty (file.path or "");
      url = notEmpty (file.url or "");
      ofPath = baseNameOf (if text.containsAny [ "/" ] path then path else builtins.replaceStrings [ "\\" ] [ "/" ] path);
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
        if file.hashes ? sha256 then places.readDigest file.hashes.sha256 file.hashes.sha256 else { sha256 = null; };
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
    bounds: directory:
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
    bounds: vcs:
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

  # An entry of `packages`: `{ fault; package; marker; }`, the fault without the entry's name.
  readPackage =
    bounds: table:
    let
      shapeFault = check shapes.package "" table;
      stated = if table ? version then versions.parse table.version else null;
      marker = markers.parse table.marker;
      wheels = map (readFile bounds "wheels[]") (table.wheels or [ ]);
      sdists = if table ? sdist then [ (readFile bounds "sdist" table.sdist) ] else [ ];
      files = wheels ++ sdists;
      faulty = filter (one: one ? fault) files;
      trees = filter (kind: table ? ${kind}) [
        "vcs"
        "directory"
        "archive"
      ];
      archive = readFile bounds "archive" table.archive;
      inside = places.subdirectory (table.archive.subdirectory or null);
      wheelVersions = map (one: wheelVersion one.file.filename) wheels;
      sdistVersions = map (one: sdistVersion one.file.filename) sdists;
      noName =
        one:
        places.fault "filename" "`${one.file.filename}` is the name of neither a wheel nor a source distribution";
      # Every file has a version by its name, also where the entry states one.
      nameless = filter (one: wheelVersion one.file.filename == null) wheels ++ filter (one: sdistVersion one.file.filename == null) sdists;
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
          readRepository bounds table.vcs // { version = stated; }
        else if head trees == "directory" then
          readDirectory bounds table.directory // { version = stated; }
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
            version = if stated != null then stated else if isWheel then wheelVersion archive.file.filename else null;
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
      version = if builtins.isString (table.version or null) then versions.normalise table.version else null;
    in
    if name == null then "${key}[${toString index}]" else names.entry name version;
in
{
  # The text without what Nix cannot read, and whether something of that kind is left: `{ text; hasDates; }`.
  withoutDates =
    written:
    let
      put = part: if builtins.isList part then "${head part}${toString uploadTime}" else part;
      parts = builtins.split "(upload-time[\"']?[ \t]*=[ \t]*)${moment}" written;
      result = builtins.concatStringsSep "" (map put parts);
    in
    {
      text = result;
      # Where a value may stand; in a text as well, which does no harm.
      hasDates = length (builtins.split "(=|,|\\[)[ \t\r\n]*([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2}:)" result) > 1;
    };

  # `{ fault; lock; }`, as uv.nix has it. `project`: the directory that is packed, from the lock's; null for none.
  read =
    {
      name,
      document,
      bounds,
      project,
      projectName ? null,
    }:
    let
      malformed = fault: {
        kind = "malformed";
        message = "`${name}` cannot be read as a lock: ${fault.message}";
      };
      entryFault = label: fault: if fault == null then null else fault // { message = "`${name}`, ${label}: ${fault.message}"; };

      shapeFault = check shapes.lock "" document;
      version = versions.parse document.lock-version;
      isKnown =
        version != null && version.epoch == 0 && head version.release == 1 && !(version.key < (versions.parse "1").key);

      environments = map markers.parse (document.environments or [ ]);
      environmentFault =
        marker:
        if marker.fault != null then
          field marker.fault
        else if marker.mentions ? extra || marker.mentions ? extras || marker.mentions ? dependency_groups then
          field "`${marker.shown}` asks for extras or groups, which are no part of an environment"
        else
          null;
      groupNames = (document.dependency-groups or [ ]) ++ (document.default-groups or [ ]);
      groupFault = names.faultOf groupNames;

      entries = map (readPackage bounds) document.packages;
      faultsOf =
        key: tables: read:
        genList (index: entryFault (labelOf key index (elemAt tables index)) (elemAt read index).fault) (length tables);

      own = document.tool.pyzpack or null;
      available = map (readPackage bounds) (own.build-packages or [ ]);
      # What is needed may be asked of any of them only when all are known to be right.
      builds = map readBuild (own.builds or [ ]);
      readBuild =
        table:
        let
          references = map readReference table.packages;
        in
        {
          fault = text.first (
            [
              (
                let
                  fault = check shapes.build "" table;
                in
                if fault == null then null else field fault
              )
              (normalisedFault "name" table.name)
              (versionFault "version" (table.version or null))
            ]
            ++ map (one: one.fault) references
          );
          build = {
            inherit (table) name requires;
            version = if table ? version then versions.normalise table.version else null;
            packages = map (one: one.package) references;
          };
        };
      readReference =
        reference:
        let
          found = filter (
            one: one.package.name == reference.name && one.package.version == versions.normalise reference.version
          ) available;
          marker = markers.parse reference.marker;
        in
        {
          fault = text.first [
            (normalisedFault "name" reference.name)
            (versionFault "version" reference.version)
            (
              if found == [ ] then
                {
                  kind = "dangling";
                  message = "it needs `${names.entry reference.name reference.version}`, of which there is no entry";
                }
              else
                null
            )
            (
              if reference ? marker && marker.fault != null then
                {
                  kind = "marker";
                  message = marker.fault;
                }
              else
                null
            )
          ];
          # Two builds may share a package that they need in different places.
          package = (head found).package // {
            marker = if reference ? marker then marker.shown else (head found).marker;
          };
        };
      buildLabel = index: table: if builtins.isString (table.name or null) then "the build of ${table.name}" else "tool.pyzpack.builds[${toString index}]";
      buildFaults = genList (
        index: entryFault (buildLabel index (elemAt own.builds index)) (elemAt builds index).fault
      ) (length builds);

      isProject = index: (elemAt entries index).package.source == {
        type = "directory";
        path = project;
      };
      projects = filter isProject (genList (index: index) (length entries));
      # Of several that lie there the last counts, as in a build.
      projectIndex = if project == null || projects == [ ] then null else elemAt projects (length projects - 1);
      others = filter (index: (elemAt entries index).package.name != projectName) projects;
    in
    {
      fault =
        if shapeFault != null then
          malformed (field shapeFault)
        else if !isKnown then
          {
            kind = "version";
            message = "`${name}` has lock version ${document.lock-version}, which is not known (known: 1.0, and other minor versions of 1)";
          }
        else if specifierFault "requires-python" (document.requires-python or null) != null then
          malformed (specifierFault "requires-python" document.requires-python)
        else if text.first (map environmentFault environments) != null then
          malformed (text.first (map environmentFault environments))
        else if text.first (map (normalisedFault "extras") (document.extras or [ ])) != null then
          malformed (text.first (map (normalisedFault "extras") document.extras))
        else if groupFault != null then
          malformed (field groupFault)
        else
          text.first (
            faultsOf "packages" document.packages entries
            ++ [
              (
                if project != null && projectName != null && others != [ ] then
                  {
                    kind = "project";
                    message = "`${name}` locks `${(elemAt entries (head others)).package.name}`, and what is packed is `${projectName}`";
                  }
                else
                  null
              )
              (
                if own != null && !(own ? lock-version) then
                  malformed (field "`tool.pyzpack.lock-version` is missing")
                else if own != null && own.lock-version != 1 then
                  {
                    kind = "version";
                    message = "`${name}` has lock version ${toString own.lock-version} in `[tool.pyzpack]`, which is not known (known: 1)";
                  }
                else
                  null
              )
            ]
            ++ faultsOf "tool.pyzpack.build-packages" (own.build-packages or [ ]) available
            ++ buildFaults
          );
      lock = {
        requires-python = names.showSpecifiers (document.requires-python or null);
        environments = map (marker: marker.shown) environments;
        extras = names.sorted (document.extras or [ ]);
        # Default groups need not be listed to be there, and asking for one changes nothing.
        groups = names.sorted groupNames;
        default-groups = names.sorted (document.default-groups or [ ]);
        conflicts = [ ];
        project = projectIndex;
        roots = genList (index: {
          of = { };
          to = index;
          extras = [ ];
          inherit (elemAt entries index) marker;
        }) (length entries);
        packages = map (one: one.package) entries;
        builds = map (one: one.build) builds;
      };
    };
}
