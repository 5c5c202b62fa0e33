# Locks of Python projects, read and selected from at evaluation: which files a target takes, with their URLs and digests.
#
# Pure Nix, `builtins` alone. It selects what `pyzpack build` does (src/lock), and refuses what that refuses, except that it
# does not see whether a lock is stale against the project: the build, which follows, does.
{ }:
let
  text = import ./text.nix;
  places = import ./places.nix;
  names = import ./names.nix;
  uv = import ./uv;
  pylock = import ./pylock;
  json = import ./json.nix;
  trySelect = import ./select.nix;
  builds = import ./builds.nix;
  inherit (builtins) elem head match;

  refuse = fault: throw "pyzpack: ${fault.message}";

  # A path of the store has a digest before its name.
  nameOf =
    path:
    let
      name = baseNameOf (builtins.unsafeDiscardStringContext (toString path));
      found = match "[0-9a-df-np-sv-z]{32}-(.*)" name;
    in
    if found == null then name else head found;

  formatOf =
    name:
    if name == "uv.lock" || text.hasSuffix ".py.lock" name then
      "uv"
    else if match "pylock([.][^.]+)?[.]toml" name != null then
      "pylock"
    else if
      elem name [
        "poetry.lock"
        "pdm.lock"
        "Pipfile.lock"
      ]
      || text.hasSuffix ".txt" name
      || text.hasSuffix ".in" name
    then
      "described"
    else
      null;

  # What makes LOCKNAME.nix.json; the lock of a script is named after it.
  commandOf =
    name: hasFile:
    let
      stem =
        if text.hasSuffix ".py.lock" name then
          text.removeSuffix ".py.lock" name
        else if formatOf name == "pylock" && name != "pylock.toml" then
          text.removePrefix "pylock." (text.removeSuffix ".toml" name)
        else
          null;
      own = [
        "pylock.toml"
        "uv.lock"
        "poetry.lock"
        "Pipfile.lock"
        "pdm.lock"
      ];
      named =
        if stem != null && hasFile "${stem}.py" then
          " ${stem}.py"
        else if elem name own then
          ""
        else
          " --lock ${name}";
    in
    "pyzpack lock --format nix${named}";
in
rec {
  # `{ locked; }` or `{ fault = { kind; message; }; }`, of a lock's path, or of
  # `{ lock; project ? null; projectName ? null; hasProject ? true; }`: in a lock of several projects, the directory of the
  # one that is packed, from the lock's (`.`, `apps/api`), or its name; whether there is one, beside what is locked.
  tryRead =
    argument:
    let
      asked = if builtins.isAttrs argument && argument ? lock then argument else { lock = argument; };
      path = asked.lock;
      name = nameOf path;
      directory = dirOf path;
      hasFile = file: builtins.pathExists (directory + "/${file}");
      # The description of a workspace's lock is another one for each member, and lies in the member's directory.
      isOfMember = format == "uv" && projectOf != null && projectOf != "" && projectOf != ".";
      described = directory + (if isOfMember then "/${projectOf}" else "") + "/${name}.nix.json";
      format = formatOf name;
      command = commandOf name hasFile;
      describe = "run `${command}`, which writes `${name}.nix.json` beside it, and keep both under version control: a flake sees no other file";
      plain = file: builtins.unsafeDiscardStringContext (builtins.readFile file);
      sha256 = builtins.hashFile "sha256" path;
      fault = kind: message: { fault = { inherit kind message; }; };

      dated =
        if format == "pylock" then
          pylock.withoutDates (plain path)
        else
          {
            text = plain path;
            hasDates = false;
          };
      reader = if format == "pylock" then pylock else uv;
      projectOf =
        if asked.project or null == null then
          # Of a pylock.toml the directory that it lies in is what is packed.
          if format == "pylock" && asked.hasProject or true then "." else null
        else
          builtins.concatStringsSep "/" (
            builtins.filter (part: part != "" && part != ".") (text.split "/" asked.project)
          );
      bounds = places.boundsOf (builtins.unsafeDiscardStringContext (toString directory));
      read = reader.read {
        inherit name bounds;
        document = builtins.fromTOML dated.text;
        project = if projectOf == "" then "." else projectOf;
        projectName = if asked.projectName or null == null then null else names.normalise asked.projectName;
      };
      fromJson = json.read {
        inherit
          name
          sha256
          command
          bounds
          ;
        written = plain described;
      };
    in
    if !(builtins.pathExists path) then
      fault "missing" "no such lock file: `${toString path}`${
        # Where sources are in the store, they are a flake's, without what was not added to git.
        if text.hasPrefix "${builtins.storeDir}/" (toString path) then
          "; where it is there, run `git add ${name}`, since a flake sees no other file"
        else
          ""
      }"
    else if format == null then
      fault "name" "`${name}` is no lock file that is known by its name: a lock is called pylock.toml, pylock.NAME.toml, uv.lock, poetry.lock, Pipfile.lock, pdm.lock or NAME.txt (a requirements file with hashes)"
    else if builtins.pathExists described then
      if fromJson ? fault then fromJson else { locked = fromJson.lock; }
    else if format == "described" then
      fault "described" "`${name}` does not say, or not so that Nix can read it, where every file is: ${describe}"
    else if dated.hasDates then
      fault "dates" "`${name}` holds dates, which Nix cannot read: ${describe}"
    else if read.fault != null then
      { inherit (read) fault; }
    else
      {
        locked = {
          format = "pyzpack-nix-lock";
          version = 1;
          lock = { inherit name sha256; };
        }
        // read.lock;
      };

  # The lock as data, in the form of LOCKNAME.nix.json.
  read =
    argument:
    let
      found = tryRead argument;
    in
    if found ? fault then refuse found.fault else found.locked;

  target = import ./target.nix;

  # What a target takes, by name: `{ name; version; entry; kind; ... }`, where `kind` is
  # `wheel` or `sdist` with `filename`, `storeName` (which the store takes), `url` or `path`, `sha256` and `subdirectory`;
  # `git` with `url`, `commit` and `subdirectory`; or `directory` with `path`.
  select =
    arguments:
    let
      found = trySelect arguments;
    in
    if found ? fault then refuse found.fault else found.chosen;

  inherit trySelect;

  # What the sources among what was chosen, and the project, are built with, as far as the lock says:
  # `{ name; version; packages; }` each. The target is the Python that builds.
  selectBuilds =
    arguments:
    let
      found = builds.all arguments;
      faults = builtins.filter (build: build ? fault) found;
      known = builtins.filter (build: !(build ? isMissing)) found;
    in
    if faults != [ ] then
      refuse (head faults).fault
    else
      map (build: { inherit (build) name version packages; }) known;

  # The sources whose build requirements the lock does not hold: `{ name; version; }` each.
  missingBuilds =
    arguments:
    map (build: { inherit (build) name version; }) (
      builtins.filter (build: build ? isMissing) (builds.all arguments)
    );

  # What writes LOCKNAME.nix.json, which holds build requirements for every lock.
  describeCommand = locked: commandOf locked.lock.name (_: false);
}
