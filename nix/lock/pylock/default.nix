# `pylock.toml`, lock version 1 (PEP 751), and what `pyzpack lock` adds to it under `[tool.pyzpack]`: what
# src/lock/pylock.rs does, with the same refusals.
let
  text = import ../text.nix;
  versions = import ../versions.nix;
  markers = import ../markers.nix;
  names = import ../names.nix;
  check = import ../shape.nix;
  shapes = import ./shapes.nix;
  inherit (import ../fields.nix)
    field
    normalisedFault
    specifierFault
    versionFault
    ;
  inherit (builtins)
    elemAt
    filter
    genList
    head
    length
    ;
in
{
  inherit (import ./dates.nix) withoutDates;

  # `{ fault; lock; }`, as uv has it. `project`: the directory that is packed, from the lock's; null for none.
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
      entryFault =
        label: fault:
        if fault == null then null else fault // { message = "`${name}`, ${label}: ${fault.message}"; };

      shapeFault = check shapes.lock "" document;
      version = versions.parse document.lock-version;
      isKnown =
        version != null
        && version.epoch == 0
        && head version.release == 1
        && !(version.key < (versions.parse "1").key);

      environments = map markers.parse (document.environments or [ ]);
      environmentFault =
        marker:
        if marker.fault != null then
          field marker.fault
        else if
          marker.mentions ? extra || marker.mentions ? extras || marker.mentions ? dependency_groups
        then
          field "`${marker.shown}` asks for extras or groups, which are no part of an environment"
        else
          null;
      groupNames = (document.dependency-groups or [ ]) ++ (document.default-groups or [ ]);
      groupFault = names.faultOf groupNames;

      entry = import ./package.nix { inherit bounds; };
      entries = map entry.read document.packages;
      faultsOf =
        key: tables: read:
        genList (
          index: entryFault (entry.labelOf key index (elemAt tables index)) (elemAt read index).fault
        ) (length tables);

      own = document.tool.pyzpack or null;
      available = map entry.read (own.build-packages or [ ]);
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
            one:
            one.package.name == reference.name && one.package.version == versions.normalise reference.version
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
      buildLabel =
        index: table:
        if builtins.isString (table.name or null) then
          "the build of ${table.name}"
        else
          "tool.pyzpack.builds[${toString index}]";
      buildFaults = genList (
        index: entryFault (buildLabel index (elemAt own.builds index)) (elemAt builds index).fault
      ) (length builds);

      isProject =
        index:
        (elemAt entries index).package.source == {
          type = "directory";
          path = project;
        };
      projects = filter isProject (genList (index: index) (length entries));
      # Of several that lie there the last counts, as in a build.
      projectIndex =
        if project == null || projects == [ ] then null else elemAt projects (length projects - 1);
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
