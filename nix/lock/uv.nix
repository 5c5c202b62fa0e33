# uv.lock version 1, every revision, and the lock of a script (`SCRIPT.py.lock`): what src/lock/uv does.
#
# The file is a graph, of which every edge is resolved to an entry here. Whether the lock is stale is not looked at:
# the build does that, with the project before it.
let
  text = import ./text.nix;
  versions = import ./versions.nix;
  names = import ./names.nix;
  places = import ./places.nix;
  tags = import ./tags.nix;
  check = import ./shape.nix;
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    genList
    head
    length
    ;

  shapes = rec {
    texts = {
      list = "string";
    };
    sourceFields = {
      registry = "string";
      git = "string";
      url = "string";
      path = "string";
      directory = "string";
      editable = "string";
      virtual = "string";
      subdirectory = "string";
    };
    source = {
      fields = sourceFields;
    };
    file = {
      fields = {
        url = "string";
        path = "string";
        hash = "string";
        size = "int";
      };
    };
    edge = {
      fields = {
        name = "string";
        version = "string";
        inherit source;
        extra = texts;
        marker = "string";
      };
      required = [ "name" ];
    };
    edges = {
      list = edge;
    };
    requirement = {
      fields = {
        name = "string";
        extras = texts;
        marker = "string";
      };
      required = [ "name" ];
    };
    requirements = {
      list = requirement;
    };
    package = {
      fields = {
        name = "string";
        version = "string";
        inherit source;
        resolution-markers = texts;
        sdist = file;
        wheels = {
          list = file;
        };
        dependencies = edges;
        optional-dependencies.values = edges;
        dev-dependencies.values = edges;
        dependency-groups.values = edges;
        metadata.fields = {
          provides-extras = texts;
          requires-dev.values = requirements;
          dependency-groups.values = requirements;
        };
      };
      required = [
        "name"
        "source"
      ];
    };
    lock = {
      fields = {
        requires-python = "string";
        supported-markers = texts;
        conflicts.list.list = {
          fields = {
            package = "string";
            extra = "string";
            group = "string";
          };
          required = [ "package" ];
        };
        manifest.fields = {
          members = texts;
          inherit requirements;
          dependency-groups.values = requirements;
        };
        package.list = package;
      };
    };
  };

  kinds = [
    "registry"
    "git"
    "url"
    "path"
    "directory"
    "editable"
    "virtual"
  ];

  encode =
    kind: package: name:
    "${kind}-${toString (builtins.stringLength package)}-${package}${if name == null then "" else "-${name}"}";

  localDirectory = source: source.editable or source.directory or source.virtual or null;
in
rec {
  # `{ fault; }`, null where there is none, and `{ lock; }`: what the lock says, without its name and digest.
  # `project` is the directory that is packed, from the lock's, or its name; null where the lock alone says.
  read =
    {
      name,
      document,
      bounds,
      project,
      projectName ? null,
    }:
    let
      malformed = reason: {
        kind = "malformed";
        message = "`${name}` cannot be read as a lock: ${reason}";
      };
      entryFault = label: fault: fault // { message = "`${name}`, ${label}: ${fault.message}"; };
      field = message: {
        kind = "field";
        inherit message;
      };

      version = document.version or null;
      shapeFault = check shapes.lock "" document;
      headFault =
        if version == null then
          malformed "missing field `version`"
        else if version != 1 then
          {
            kind = "version";
            message = "`${name}` has lock version ${builtins.toJSON version}, which is not known (known: 1)";
          }
        else if shapeFault != null then
          malformed shapeFault
        else
          null;

      manifest = document.manifest or { };
      tables = document.package or [ ];
      groupTables = table: table.dev-dependencies or table.dependency-groups or { };
      isOfScript = text.hasSuffix ".py.lock" name;

      # The entries with what is told of them more than once.
      entries = genList (
        index:
        let
          table = elemAt tables index;
        in
        {
          inherit index table;
          name = names.normalise table.name;
          version = if table ? version then versions.parse table.version else null;
          # Other keys of a source do not tell two apart.
          source = builtins.intersectAttrs shapes.sourceFields table.source;
          optional = names.byName (table.optional-dependencies or { });
          groups = names.byName (groupTables table);
          metadata = table.metadata or { };
        }
      ) (length tables);
      labelOf = entry: names.entry entry.name (entry.table.version or null);
      entriesByName = builtins.groupBy (entry: entry.name) entries;

      edgesOf =
        entry:
        (entry.table.dependencies or [ ])
        ++ concatMap (key: entry.table.optional-dependencies.${key}) (attrNames (entry.table.optional-dependencies or { }))
        ++ concatMap (key: (groupTables entry.table).${key}) (attrNames (groupTables entry.table));

      manifestTables =
        map (table: {
          of = { };
          inherit table;
        }) (manifest.requirements or [ ])
        ++ concatMap (
          group:
          map (table: {
            of = { inherit group; };
            inherit table;
          }) (names.byName (manifest.dependency-groups or { })).${group}
        ) (attrNames (names.byName (manifest.dependency-groups or { })));

      markers = names.markersOf (
        concatMap (entry: concatMap (edge: if edge ? marker then [ edge.marker ] else [ ]) (edgesOf entry)) entries
        ++ concatMap (entry: entry.table.resolution-markers or [ ]) entries
        ++ concatMap (one: if one.table ? marker then [ one.table.marker ] else [ ]) manifestTables
        ++ (document.supported-markers or [ ])
      );
      shownMarker = written: if written == null then null else markers.${written}.shown;

      # Name, version and source decide; the latter two are left out where the name is enough.
      find =
        edge:
        let
          wanted = names.normalise edge.name;
          source = builtins.intersectAttrs shapes.sourceFields edge.source;
          isVersion =
            entry:
            !(edge ? version)
            || edge.version == entry.table.version or null
            || entry.version != null && (versions.parse edge.version).key == entry.version.key;
          fits = entry: isVersion entry && (!(edge ? source) || entry.source == source);
          matching = filter fits (entriesByName.${wanted} or [ ]);
          # Of a directory, no version means one that is known only when it is built.
          open = filter (entry: entry.version == null) matching;
        in
        if edge ? version && versions.parse edge.version == null then
          { fault = field "`${edge.version}` is not a version"; }
        else if length matching == 1 then
          { inherit (head matching) index; }
        else if matching == [ ] then
          {
            fault = {
              kind = "dangling";
              message = "it needs `${names.entry wanted (edge.version or null)}`, of which there is no entry";
            };
          }
        else if edge ? source && length open == 1 then
          { inherit (head open) index; }
        else
          { fault = openFault wanted matching; };

      openFault = wanted: matching: {
        kind = "open";
        message = "it needs `${wanted}`, and several entries match: ${
          concatStringsSep ", " (
            map (entry: if entry.version == null then "no version" else entry.version.shown) matching
          )
        }";
      };

      readEdge = edge: {
        to = (find edge).index;
        extras = names.sorted (edge.extra or [ ]);
        marker = shownMarker (edge.marker or null);
      };

      edgeFault =
        edge:
        let
          nameFault = names.faultOf ([ edge.name ] ++ edge.extra or [ ]);
          found = find edge;
        in
        if nameFault != null then
          field nameFault
        else if found ? fault then
          found.fault
        else if edge ? marker && markers.${edge.marker}.fault != null then
          {
            kind = "marker";
            message = markers.${edge.marker}.fault;
          }
        else
          null;

      # Sources and files

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

      readSource =
        entry:
        let
          inherit (entry) source;
        in
        if length (filter (kind: source ? ${kind}) kinds) != 1 then
          { fault = field "its source is not one of registry, git, url, path, directory, editable and virtual"; }
        else if source ? registry then
          readFiles entry source.registry
        else if source ? git then
          readGit source.git
        else if source ? directory || source ? editable then
          readDirectory "directory" (source.directory or source.editable)
        else if source ? virtual then
          readDirectory "virtual" source.virtual
        else
          readArchive entry;

      readEntry =
        entry:
        let
          source = readSource entry;
          edges = map readEdge;
          same = filter (
            other: other.index < entry.index && other.version == entry.version && other.source == entry.source
          ) entriesByName.${entry.name};
          nameFault = names.faultOf (
            attrNames (entry.table.optional-dependencies or { })
            ++ attrNames (groupTables entry.table)
            ++ entry.metadata.provides-extras or [ ]
            ++ attrNames (entry.metadata.requires-dev or entry.metadata.dependency-groups or { })
          );
          identityFault =
            if entry.table ? version && entry.version == null then
              field "`${entry.table.version}` is not a version"
            else if entry.version == null && entry.source ? registry then
              field "it has no version"
            else if same != [ ] then
              field "it stands there twice"
            else
              null;
          fault =
            if source ? fault then
              source.fault
            else if nameFault != null then
              field nameFault
            else
              text.first (map edgeFault (edgesOf entry));
        in
        {
          # Edges are found only where every entry is known to be one.
          identityFault = if identityFault == null then null else entryFault (labelOf entry) identityFault;
          fault = if fault == null then null else entryFault (labelOf entry) fault;
          package = {
            inherit (entry) name;
            version = if entry.version == null then null else entry.version.shown;
            requires-python = null;
            inherit (source) source;
            dependencies = edges (entry.table.dependencies or [ ]);
            optional-dependencies = builtins.mapAttrs (_: edges) entry.optional;
          };
        };
      readEntries = map readEntry entries;

      # The project

      placeOf =
        entry:
        let
          directory = localDirectory entry.source;
          place = if directory == null then { fault = true; } else places.resolve bounds directory;
        in
        place.path or null;
      local = filter (entry: localDirectory entry.source != null) entries;
      fromManifest = manifest.requirements or [ ] != [ ] || manifest.dependency-groups or { } != { };
      members = names.sorted (manifest.members or [ ]);
      candidates = filter (entry: members == [ ] || elem entry.name members) local;
      named = filter (entry: entry.name == projectName) local;
      own = filter (entry: placeOf entry == ".") local;
      atPlace = filter (entry: placeOf entry == project) local;
      quoted = concatStringsSep "`, `" (map (entry: entry.name) local);
      otherProject = {
        kind = "project";
        message = "`${name}` locks `${quoted}`, and what is packed is `${
          if projectName != null then projectName else project
        }`";
      };
      found =
        if isOfScript then
          { }
        else if project != null then
          if atPlace != [ ] then
            { entry = head atPlace; }
          else if fromManifest && project == "." then
            { }
          else
            { fault = otherProject; }
        else if local == [ ] then
          if fromManifest then { } else { fault = malformed "it holds no project"; }
        else if length local == 1 then
          { entry = head local; }
        else if named != [ ] then
          { entry = head named; }
        else if own != [ ] && members == [ ] then
          { entry = head own; }
        # Nobody said which: the one in the lock's own directory, as for a build there.
        else if projectName == null && own != [ ] then
          { entry = head own; }
        else if projectName == null && fromManifest then
          { }
        else if projectName == null then
          {
            fault = malformed "it locks several projects (${
              concatStringsSep ", " (map (entry: "`${entry.name}`") candidates)
            }): say which with `project`, its directory from the lock's";
          }
        else
          { fault = otherProject; };
      projectFault =
        if found ? fault then
          found.fault
        else if found ? entry && projectName != null && found.entry.name != projectName then
          {
            kind = "project";
            message = "`${name}` locks `${found.entry.name}`, and what is packed is `${projectName}`";
          }
        else
          null;

      # What is needed by itself

      root = of: edge: { inherit of; } // edge;
      entryRoots =
        let
          inherit (found) entry;
          inherit (elemAt readEntries entry.index) package;
        in
        map (root { }) package.dependencies
        ++ concatMap (extra: map (root { inherit extra; }) package.optional-dependencies.${extra}) (
          attrNames package.optional-dependencies
        )
        ++ concatMap (group: map (edge: root { inherit group; } (readEdge edge)) entry.groups.${group}) (
          attrNames entry.groups
        );

      # A requirement of the manifest has no version: of several entries, those count whose fork of the resolution the
      # target belongs to.
      manifestRoot =
        { of, table }:
        let
          wanted = names.normalise table.name;
          namedEntries = entriesByName.${wanted} or [ ];
          forks = entry: entry.table.resolution-markers or [ ];
          nameFault = names.faultOf ([ table.name ] ++ table.extras or [ ]);
          conditions = fork: (if table ? marker then [ table.marker ] else [ ]) ++ (if fork == null then [ ] else [ fork ]);
          joined =
            texts:
            let
              nodes = map (one: "(${one})") texts;
            in
            if texts == [ ] then
              null
            else if length texts == 1 then
              shownMarker (head texts)
            else
              ((import ./markers.nix).parse (concatStringsSep " and " nodes)).shown;
          used = concatMap (
            entry:
            map (fork: {
              inherit entry;
              texts = conditions fork;
            }) (if length namedEntries == 1 || forks entry == [ ] then [ null ] else forks entry)
          ) namedEntries;
          markerFault = text.first (map (one: markers.${one}.fault) (concatMap (one: one.texts) used));
        in
        {
          fault =
            if nameFault != null then
              field nameFault
            else if namedEntries == [ ] then
              {
                kind = "dangling";
                message = "it needs `${wanted}`, of which there is no entry";
              }
            else if length namedEntries > 1 && builtins.any (entry: forks entry == [ ]) namedEntries then
              openFault wanted namedEntries
            else if markerFault != null then
              {
                kind = "marker";
                message = markerFault;
              }
            else
              null;
          roots = map (one: {
            inherit of;
            to = one.entry.index;
            extras = names.sorted (table.extras or [ ]);
            marker = joined one.texts;
          }) used;
        };
      manifestRoots = map manifestRoot manifestTables;
      manifestFault = text.first (map (one: one.fault) manifestRoots);

      hasEntry = found ? entry;
      packageName = if hasEntry then found.entry.name else null;

      # What belongs to another package has its name in markers.
      member =
        item:
        let
          package = names.normalise item.package;
          extra = names.normalise item.extra;
          group = names.normalise item.group;
        in
        if packageName == package then
          if item ? extra then
            { inherit extra; }
          else if item ? group then
            { inherit group; }
          else
            { }
        else if item ? extra then
          { extra = encode "extra" package extra; }
        else if item ? group then
          { extra = encode "group" package group; }
        else
          { extra = encode "project" package null; };
      memberKey =
        one:
        if one ? extra then
          [
            1
            one.extra
          ]
        else if one ? group then
          [
            2
            one.group
          ]
        else
          [
            0
            ""
          ];
      conflicts = map (
        set: builtins.sort (one: other: memberKey one < memberKey other) (text.unique (map member set))
      ) (document.conflicts or [ ]);

      bodyNameFault = names.faultOf (
        map (table: table.name) tables
        ++ manifest.members or [ ]
        ++ attrNames (manifest.dependency-groups or { })
        ++ concatMap (set: concatMap (item: attrValues (builtins.intersectAttrs { package = 1; extra = 1; group = 1; } item)) set) (
          document.conflicts or [ ]
        )
      );
      environmentFault = text.first (
        map (written: markers.${written}.fault) (document.supported-markers or [ ])
      );
      requiresPython = document.requires-python or null;
      bodyFault =
        if bodyNameFault != null then
          malformed bodyNameFault
        else if projectFault != null then
          projectFault
        else if requiresPython != null && versions.parseSpecifiers requiresPython == null then
          malformed "`requires-python` is not a version specifier: `${requiresPython}`"
        else if environmentFault != null then
          malformed "in `supported-markers`: ${environmentFault}"
        else
          text.first (map (one: one.identityFault) readEntries ++ map (one: one.fault) readEntries);
    in
    {
      fault =
        if headFault != null then
          headFault
        else if bodyFault != null then
          bodyFault
        else if !hasEntry && manifestFault != null then
          entryFault "the manifest" manifestFault
        else
          null;
      lock = {
        requires-python = names.showSpecifiers requiresPython;
        environments = map shownMarker (document.supported-markers or [ ]);
        # An extra or a group without requirements stands in the metadata alone.
        extras =
          if hasEntry then
            names.sorted (attrNames found.entry.optional ++ found.entry.metadata.provides-extras or [ ])
          else
            [ ];
        groups =
          if hasEntry then
            names.sorted (
              attrNames found.entry.groups
              ++ attrNames (found.entry.metadata.requires-dev or found.entry.metadata.dependency-groups or { })
            )
          else
            names.sorted (attrNames (manifest.dependency-groups or { }));
        default-groups = [ ];
        inherit conflicts;
        project = if hasEntry then found.entry.index else null;
        roots = if hasEntry then entryRoots else concatMap (one: one.roots) manifestRoots;
        packages = map (one: one.package) readEntries;
        builds = [ ];
      };
    };

  # What is active, as markers name it: what is wanted of the project, and the extras of the packages that are reached.
  # `reached` has a list of extras for the number of every package that is.
  activeNames =
    locked: wanted: reached:
    let
      own = projectName locked;
      ofPackage =
        key:
        let
          package = (elemAt locked.packages (builtins.fromJSON key)).name;
        in
        map (extra: encode "extra" package extra) reached.${key};
    in
    text.toSet (
      (
        if own == null then
          [ ]
        else
          [ (encode "project" own null) ]
          ++ map (encode "extra" own) wanted.extras
          ++ map (encode "group" own) wanted.groups
      )
      ++ concatMap ofPackage (attrNames reached)
    );

  # Whether a member of a conflict is active, given the names of what is.
  isActive =
    locked: wanted: active: member:
    let
      own = projectName locked;
    in
    if member ? extra then
      active ? ${member.extra} || own != null && active ? ${encode "extra" own member.extra}
    else if member ? group then
      elem member.group wanted.groups
    else
      true;

  # What is active along an edge that asks for these extras of a package.
  edgeNames = package: extras: text.toSet (map (encode "extra" package) extras);

  projectName =
    locked: if locked.project == null then null else (elemAt locked.packages locked.project).name;
}
