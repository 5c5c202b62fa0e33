# The edges of a uv.lock, resolved to entries (src/lock/uv/graph.rs). `markers` are parsed, by text.
{ entries, markers }:
let
  text = import ../text.nix;
  versions = import ../versions.nix;
  names = import ../names.nix;
  grammar = import ../markers.nix;
  shapes = import ./shapes.nix;
  inherit (builtins)
    concatMap
    concatStringsSep
    filter
    head
    length
    ;

  entriesByName = builtins.groupBy (entry: entry.name) entries;
  shownMarker = written: if written == null then null else markers.${written}.shown;
  field = message: {
    kind = "field";
    inherit message;
  };

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
in
rec {
  inherit entriesByName shownMarker;

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

  # A requirement of the manifest has no version: of several entries, those count whose fork of the resolution the
  # target belongs to.
  manifestRoot =
    { of, table }:
    let
      wanted = names.normalise table.name;
      namedEntries = entriesByName.${wanted} or [ ];
      forks = entry: entry.table.resolution-markers or [ ];
      nameFault = names.faultOf ([ table.name ] ++ table.extras or [ ]);
      conditions =
        fork:
        (if table ? marker then [ table.marker ] else [ ]) ++ (if fork == null then [ ] else [ fork ]);
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
          (grammar.parse (concatStringsSep " and " nodes)).shown;
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
}
