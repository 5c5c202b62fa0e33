# Which entry of a uv.lock is the project: `{ entry; }`; `{ }` where the manifest says what is needed (a script, a
# `pyproject.toml` without `[project]`); or a fault.
{
  name,
  manifest,
  entries,
  bounds,
  project,
  projectName,
}:
let
  text = import ../text.nix;
  names = import ../names.nix;
  places = import ../places.nix;
  inherit (builtins)
    concatStringsSep
    elem
    filter
    head
    length
    ;

  localDirectory = source: source.editable or source.directory or source.virtual or null;
  isOfScript = text.hasSuffix ".py.lock" name;
  malformed = reason: {
    kind = "malformed";
    message = "`${name}` cannot be read as a lock: ${reason}";
  };

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
in
if found ? entry && projectName != null && found.entry.name != projectName then
  {
    fault = {
      kind = "project";
      message = "`${name}` locks `${found.entry.name}`, and what is packed is `${projectName}`";
    };
  }
else
  found
