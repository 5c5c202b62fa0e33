# `LOCKNAME.nix.json`, which `pyzpack lock --format nix` writes beside a lock: a lock as data, of one state of that lock.
#
# It is read as strictly as any lock (src/lock/nix/wire.rs, read.rs), and each text has to stand as pyzpack writes it: names
# normalised, paths without detours, URLs without a user and a query. Only a key that is there twice is not seen: Nix keeps
# one, and `pyzpack build` refuses it.
let
  text = import ./text.nix;
  names = import ./names.nix;
  markers = import ./markers.nix;
  places = import ./places.nix;
  versions = import ./versions.nix;
  check = import ./shape.nix;
  inherit (import ./fields.nix) normalisedFault specifierFault versionFault;
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    elemAt
    genList
    isAttrs
    isInt
    isString
    length
    match
    typeOf
    ;

  table = fields: {
    inherit fields;
    required = attrNames fields;
    isClosed = true;
  };
  listOf = list: { inherit list; };
  orNull = shape: { orNull = shape; };
  member = {
    fields = {
      extra = "string";
      group = "string";
    };
    isClosed = true;
  };
  edgeFields = {
    to = "int";
    extras = listOf "string";
    marker = orNull "string";
  };
  packageFields = {
    name = "string";
    version = orNull "string";
    requires-python = orNull "string";
    # Its kind says its fields.
    source.fields.type = "string";
    source.required = [ "type" ];
    dependencies = listOf (table edgeFields);
    optional-dependencies.values = listOf (table edgeFields);
  };
  document = table {
    format = "string";
    version = "int";
    lock = table {
      name = "string";
      sha256 = "string";
    };
    requires-python = orNull "string";
    environments = listOf "string";
    extras = orNull (listOf "string");
    groups = orNull (listOf "string");
    default-groups = listOf "string";
    conflicts = listOf (listOf member);
    project = orNull "int";
    roots = listOf (table (edgeFields // { of = member; }));
    packages = listOf (table packageFields);
    builds = listOf (table {
      name = "string";
      version = orNull "string";
      requires = listOf "string";
      packages = listOf {
        fields = packageFields // {
          marker = orNull "string";
        };
        required = attrNames packageFields;
        isClosed = true;
      };
    });
  };
  file = {
    fields = {
      filename = "string";
      url = "string";
      path = "string";
      sha256 = "string";
    };
    required = [
      "filename"
      "sha256"
    ];
    isClosed = true;
  };
  sources = builtins.mapAttrs (_: fields: table (fields // { type = "string"; })) {
    files.files = listOf file;
    archive = {
      file = orNull file;
      subdirectory = orNull "string";
    };
    git = {
      url = "string";
      commit = "string";
      subdirectory = orNull "string";
    };
    directory.path = "string";
    virtual.path = "string";
  };

  of = message: { inherit message; };
  firstOf = faultOf: list: text.first (map faultOf list);
  markerFault =
    key: written:
    let
      marker = markers.parse written;
    in
    if written != null && marker.fault != null then of "`${key}`: ${marker.fault}" else null;
  indexFault =
    count: index:
    if index < 0 || index >= count then
      of "there is no entry ${toString index}, the last is ${toString (count - 1)}"
    else
      null;
  memberFault =
    one:
    if one ? extra && one ? group then
      of "a member is an extra or a group, and not both"
    else
      firstOf (normalisedFault "extra or group") (attrValues one);
  edgeFault =
    count: edge:
    text.first [
      (indexFault count edge.to)
      (firstOf (normalisedFault "extras") edge.extras)
      (markerFault "marker" edge.marker)
    ];
  spelled =
    written: found:
    if found ? fault then
      found.fault
    else if found.path != written then
      of "`${written}` is not written as pyzpack does, expected `${found.path}`"
    else
      null;
  fileFault =
    bounds: identify: file:
    let
      location = places.httpUrl file.url;
    in
    text.first [
      (identify file.filename)
      (
        if file ? url == file ? path then
          of "`${file.filename}` has to have either a URL or a path"
        else
          null
      )
      (
        if file ? path then
          spelled file.path (places.resolve bounds file.path)
        else if location ? fault then
          location.fault
        else if location.url != file.url then
          of "the URL of `${file.filename}` has a user, a query or a fragment"
        else
          null
      )
      (
        if match "[0-9a-f]{64}" file.sha256 == null then
          of "`${file.sha256}` is not a sha256 hash in lower case"
        else
          null
      )
    ];
  sourceFault =
    bounds:
    { name, source, ... }@package:
    let
      inherit (source) type;
      shapeFault = check sources.${type} "source" source;
      identify = places.checkIdentity {
        inherit name;
        version = if package.version == null then null else versions.parse package.version;
        isOmissible = true;
        isArchive = type == "archive";
      };
      files =
        if type == "files" then
          source.files
        else if source.file or null != null then
          [ source.file ]
        else
          [ ];
      commit = places.gitCommit bounds source.url source.commit source.subdirectory;
    in
    if !(sources ? ${type}) then
      of "`source.type`: `${type}` is not known"
    else if shapeFault != null then
      of shapeFault
    else if type == "git" then
      if commit ? fault then
        commit.fault
      else if commit.source != source then
        of "`${places.redact source.url}` at `${source.commit}` is not written as pyzpack does"
      else
        null
    else if type == "directory" || type == "virtual" then
      spelled source.path (places.resolve bounds source.path)
    else
      text.first [
        (firstOf (fileFault bounds identify) files)
        ((places.subdirectory (source.subdirectory or null)).fault or null)
      ];
  packageFault =
    bounds: count: package:
    let
      edges = package.dependencies ++ concatMap (edges: edges) (attrValues package.optional-dependencies);
    in
    text.first [
      (normalisedFault "name" package.name)
      (versionFault "version" package.version)
      (specifierFault "requires-python" package.requires-python)
      (sourceFault bounds package)
      (firstOf (normalisedFault "optional-dependencies") (attrNames package.optional-dependencies))
      (firstOf (edgeFault count) edges)
      (markerFault "marker" (package.marker or null))
    ];
  within = label: fault: if fault == null then null else "${label}: ${fault.message}";
  label =
    key: list: index:
    let
      one = elemAt list index;
    in
    if names.normalise one.name == null then
      "${key}[${toString index}]"
    else
      names.entry one.name one.version;
  each =
    list:
    genList (index: {
      inherit index;
      one = elemAt list index;
    }) (length list);

  contentFault =
    bounds: locked:
    let
      count = length locked.packages;
      buildFault =
        { index, one }:
        let
          inBuild = each one.packages;
          inner =
            package:
            if package.one.dependencies != [ ] || package.one.optional-dependencies != { } then
              of "it has dependencies: what a build needs is listed whole"
            else
              packageFault bounds 0 package.one;
          named = "the build of ${label "builds" locked.builds index}";
        in
        text.first [
          (within named (normalisedFault "name" one.name))
          (within named (versionFault "version" one.version))
          (firstOf (
            package: within "${named}, ${label "packages" one.packages package.index}" (inner package)
          ) inBuild)
        ];
      memberNames =
        (if locked.extras == null then [ ] else locked.extras)
        ++ (if locked.groups == null then [ ] else locked.groups)
        ++ locked.default-groups;
      head = text.first [
        (specifierFault "requires-python" locked.requires-python)
        (firstOf (markerFault "environments") locked.environments)
        (firstOf (normalisedFault "extras and groups") memberNames)
        (firstOf (firstOf memberFault) locked.conflicts)
        (if locked.project == null then null else indexFault count locked.project)
        (firstOf (
          root:
          text.first [
            (memberFault root.of)
            (edgeFault count root)
          ]
        ) locked.roots)
      ];
    in
    if head != null then
      head.message
    else
      text.first [
        (firstOf (
          { index, one }: within (label "packages" locked.packages index) (packageFault bounds count one)
        ) (each locked.packages))
        (firstOf buildFault (each locked.builds))
      ];
in
{
  # `{ lock; }` or a fault. `name` and `sha256` are the lock's own; `command` makes the document anew.
  read =
    {
      name,
      sha256,
      command,
      written,
      bounds,
    }:
    let
      shown = "`${name}.nix.json`";
      fault = kind: message: {
        fault = {
          inherit kind;
          message = "${message}; run `${command}`, then evaluate again";
        };
      };
      malformed = reason: fault "malformed" "${shown}: ${reason}";
      found = builtins.fromJSON written;
      # What is cut off or was not merged stops Nix without a name.
      size = builtins.stringLength written;
      end = builtins.substring (if size > 8 then size - 8 else 0) 8 written;
      isWhole =
        text.hasPrefix "{" (text.trim (builtins.substring 0 8 written))
        && text.hasSuffix "}" (text.trim end)
        && !(text.containsAny [ "\n<<<<<<< " ] written);
      show = value: if isString value || isInt value then toString value else "a ${typeOf value}";
      shapeFault = check document "" found;
      lock = if isAttrs (found.lock or null) then found.lock else { };
      content = contentFault bounds found;
    in
    if !isWhole || !(isAttrs found) then
      fault "malformed" "${shown} is not what `pyzpack lock --format nix` writes"
    else if found.format or null != "pyzpack-nix-lock" then
      malformed "its format is `${show (found.format or null)}`, expected `pyzpack-nix-lock`"
    else if found.version or null != 1 then
      fault "version" "${shown} has version ${show (found.version or null)}, which is not known (known: 1)"
    else if lock.name or null != name then
      fault "stale" "${shown} is of `${show (lock.name or null)}`, not of `${name}`"
    else if lock.sha256 or null != sha256 then
      fault "stale" "${shown} is stale: `${name}` has changed since (its sha256 is ${sha256}, expected ${show (lock.sha256 or null)})"
    else if shapeFault != null then
      malformed shapeFault
    else if content != null then
      malformed content
    else
      { lock = found; };
}
