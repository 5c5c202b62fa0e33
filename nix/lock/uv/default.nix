# uv.lock version 1, every revision, and the lock of a script (`SCRIPT.py.lock`): what src/lock/uv does.
#
# The file is a graph, of which every edge is resolved to an entry here. Whether the lock is stale is not looked at:
# the build does that, with the project before it.
let
  text = import ../text.nix;
  versions = import ../versions.nix;
  names = import ../names.nix;
  check = import ../shape.nix;
  shapes = import ./shapes.nix;
  conflict = import ./conflict.nix;
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    elemAt
    filter
    genList
    length
    ;
in
{
  inherit (conflict) activeNames isActive edgeNames;

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

      edgesOf =
        entry:
        (entry.table.dependencies or [ ])
        ++ concatMap (key: entry.table.optional-dependencies.${key}) (
          attrNames (entry.table.optional-dependencies or { })
        )
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
        concatMap (
          entry: concatMap (edge: if edge ? marker then [ edge.marker ] else [ ]) (edgesOf entry)
        ) entries
        ++ concatMap (entry: entry.table.resolution-markers or [ ]) entries
        ++ concatMap (one: if one.table ? marker then [ one.table.marker ] else [ ]) manifestTables
        ++ (document.supported-markers or [ ])
      );

      graph = import ./graph.nix { inherit entries markers; };
      inherit (graph)
        entriesByName
        shownMarker
        readEdge
        edgeFault
        ;
      readSource = import ./source.nix { inherit bounds; };

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

      found = import ./project.nix {
        inherit
          name
          manifest
          entries
          bounds
          project
          projectName
          ;
      };

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

      manifestRoots = map graph.manifestRoot manifestTables;
      manifestFault = text.first (map (one: one.fault) manifestRoots);

      hasEntry = found ? entry;
      packageName = if hasEntry then found.entry.name else null;

      bodyNameFault = names.faultOf (
        map (table: table.name) tables
        ++ manifest.members or [ ]
        ++ attrNames (manifest.dependency-groups or { })
        ++ concatMap (
          set:
          concatMap (
            item:
            attrValues (
              builtins.intersectAttrs {
                package = 1;
                extra = 1;
                group = 1;
              } item
            )
          ) set
        ) (document.conflicts or [ ])
      );
      environmentFault = text.first (
        map (written: markers.${written}.fault) (document.supported-markers or [ ])
      );
      requiresPython = document.requires-python or null;
      bodyFault =
        if bodyNameFault != null then
          malformed bodyNameFault
        else if found ? fault then
          found.fault
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
        conflicts = conflict.readConflicts packageName (document.conflicts or [ ]);
        project = if hasEntry then found.entry.index else null;
        roots = if hasEntry then entryRoots else concatMap (one: one.roots) manifestRoots;
        packages = map (one: one.package) readEntries;
        builds = [ ];
      };
    };
}
