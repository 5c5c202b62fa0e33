# Where a lock may say that something is: at an http or https URL, in a git repository, or at a path of the project; and
# the files there, whose names say whose they are (src/lock/places.rs, bounds.rs, entries.rs, src/urls.rs).
#
# What cannot be taken is `{ fault = { kind; message; }; }`.
let
  text = import ./text.nix;
  tags = import ./tags.nix;
  versions = import ./versions.nix;
  inherit (builtins)
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    genList
    head
    length
    match
    stringLength
    substring
    ;

  fault = kind: message: { fault = { inherit kind message; }; };

  # Longer than anything that is fetched, and short enough to be matched.
  longest = 4096;

  isPrintable = one: stringLength one <= longest && match "[^[:cntrl:]]*" one != null;

  components = path: filter (part: part != "" && part != ".") (text.split "/" path);

  up =
    parts: part:
    if part != ".." then
      parts ++ [ part ]
    else
      genList (elemAt parts) (if parts == [ ] then 0 else length parts - 1);

  startsWith =
    prefix: parts: length parts >= length prefix && genList (elemAt parts) (length prefix) == prefix;

  scheme =
    url:
    let
      found = match "([A-Za-z0-9+.-]+)://.*" (substring 0 64 url);
    in
    if found == null then null else text.lower (head found);

  # Without what may be a user and a password.
  redact =
    url:
    let
      found = match "([A-Za-z0-9+.-]+://)[^/?#]*@(.*)" url;
    in
    if stringLength url > longest then
      "a text of ${toString (stringLength url)} characters"
    else if found == null then
      url
    else
      "${head found}****@${elemAt found 1}";

  withoutLogin =
    url:
    let
      found = match "([A-Za-z0-9+.-]+://)[^/?#]*@(.*)" url;
    in
    if found == null then url else head found + elemAt found 1;

  outside = path: fault "outside" "`${path}` is outside of the project";

  isPlain =
    name:
    !elem (substring 0 1 name) [
      ""
      "."
      "-"
    ]
    && isPrintable name
    && !text.containsAny [ "/" "\\" ] name;

  noName =
    name: fault "filename" "`${name}` is the name of neither a wheel nor a source distribution";

  sameName =
    written: name:
    builtins.replaceStrings [ "_" ] [ "-" ] written == name || text.normaliseName written == name;
in
rec {
  inherit fault scheme redact;

  # Where the relative paths of a lock in `directory` start, and what none may leave: the git work tree, or the store path,
  # that the lock lies in; else its directory. Symbolic links are not followed here: nothing past them is copied.
  boundsOf =
    directory:
    let
      base = components directory;
      store = components builtins.storeDir;
      ancestors = genList (count: genList (elemAt base) (length base - count)) (length base);
      isTree = parts: builtins.pathExists "/${concatStringsSep "/" parts}/.git";
      trees = filter isTree ancestors;
    in
    {
      inherit directory base;
      root =
        if startsWith store base && length base > length store then
          genList (elemAt base) (length store + 1)
        else if trees != [ ] then
          head trees
        else
          base;
    };

  # `{ path; }` from the lock's directory, or a fault.
  resolve =
    { base, root, ... }:
    written:
    let
      separated =
        if text.containsAny [ "/" ] written then
          written
        else
          builtins.replaceStrings [ "\\" ] [ "/" ] written;
      start = if substring 0 1 separated == "/" then [ ] else base;
      parts = foldl' up start (components separated);
      size = if length base < length parts then length base else length parts;
      shared = foldl' (
        count: place: if count == place && elemAt base place == elemAt parts place then count + 1 else count
      ) 0 (genList (place: place) size);
      relative =
        genList (_: "..") (length base - shared)
        ++ genList (place: elemAt parts (shared + place)) (length parts - shared);
    in
    if written == "" || substring 1 1 separated == ":" || !(startsWith root parts) then
      outside written
    else
      { path = if relative == [ ] then "." else concatStringsSep "/" relative; };

  # `{ subdirectory; }` of an archive or a repository, null for the whole, or a fault.
  subdirectory =
    written:
    let
      parts = if written == null then [ ] else components written;
    in
    if
      written != null
      && (substring 0 1 written == "/" || text.containsAny [ "\\" ] written || elem ".." parts)
    then
      outside written
    else
      { subdirectory = if parts == [ ] then null else concatStringsSep "/" parts; };

  # A URL without a user, a password and a query, each of which can be a secret: the store keeps none.
  recorded =
    url:
    let
      bare = head (text.split "[?#]" url);
    in
    if text.containsAny [ "@" "?" "#" ] url then withoutLogin bare else url;

  # `{ url; }` that files are fetched from, or a fault.
  httpUrl =
    url:
    if
      elem (scheme url) [
        "http"
        "https"
      ]
      && isPrintable url
    then
      { url = recorded url; }
    else
      fault "scheme" "`${redact url}` is neither an http nor an https URL";

  # The last segment of the path, without query and fragment, percent-decoded; null where there is none.
  fileName =
    url:
    let
      path = if text.containsAny [ "?" "#" ] url then head (text.split "[?#]" url) else url;
      bare = text.removePrefix "${scheme path}://" path;
      name = text.percentDecode (baseNameOf path);
    in
    if text.hasSuffix "/" path || !(text.containsAny [ "/" ] bare) || name == "" then null else name;

  # `sha256:DIGEST` as `{ sha256; }`, null where it is another algorithm's or missing; or a fault.
  readHash =
    written:
    let
      found = match "([^:]+):(.*)" written;
    in
    if written == null || written == "" then
      { sha256 = null; }
    else if stringLength written > longest || found == null then
      fault "hash" "`${substring 0 longest written}` is not a sha256 hash"
    else if head found != "sha256" then
      { sha256 = null; }
    else
      readDigest written (elemAt found 1);

  readDigest =
    written: digest:
    if match "[0-9a-fA-F]{64}" digest != null then
      { sha256 = text.lower digest; }
    else
      fault "hash" "`${written}` is not a sha256 hash";

  # Refuses the name of a file that is not one of this distribution and version. `isOmissible`: whether the entry may leave
  # out the local part of the version that the file has (uv).
  checkIdentity =
    {
      name,
      version,
      isOmissible ? false,
      isArchive ? false,
    }:
    filename:
    let
      wheel = tags.parseWheel filename;
      found = tags.sdistVersions filename name;
      known = filter (one: one != null) (map versions.parse found);
      differs =
        what: one: other:
        (fault "field" "`${filename}` is of ${what} ${one}, expected ${other}").fault;
      other = builtins.match "(.*)-[^-]*" filename;
    in
    if !(isPlain filename) then
      (noName filename).fault
    # An archive of a repository is called after a branch or a tag.
    else if isArchive && !(text.hasSuffix ".whl" filename) then
      if tags.isSdist filename then null else (noName filename).fault
    else if text.hasSuffix ".whl" filename then
      if wheel == null then
        (noName filename).fault
      else if !(sameName wheel.name name) then
        differs "the name" (text.normaliseName wheel.name) name
      else if
        version == null
        || versions.isSame wheel.version version
        || isOmissible && versions.isSame (versions.withoutLocal wheel.version) version
      then
        null
      else
        differs "version" wheel.version.shown version.shown
    else if !(tags.isAnySdist filename) then
      (noName filename).fault
    else if found == [ ] then
      if other != null && text.isName (head other) then
        differs "the name" (text.normaliseName (head other)) name
      else
        (noName filename).fault
    else if version == null || builtins.any (versions.isSame version) known then
      null
    else
      differs "version" (elemAt found (length found - 1)) version.shown;

  # A commit of a git repository: `{ source; }` or a fault.
  gitCommit =
    bounds: written: commit: inside:
    let
      url = text.removePrefix "git+" written;
      kind = scheme url;
      inner = subdirectory inside;
      rest = substring (stringLength kind + 3) (-1) url;
      authority = head (text.split "[/?#]" rest);
      logins = text.split "@" authority;
      users = map text.percentDecode [
        authority
        (elemAt logins (length logins - 1))
      ];
      refuse = reason: fault "repository" "`${redact url}` ${reason}";
      path = if kind == "file" then text.percentDecode (text.removePrefix "localhost" rest) else null;
      place = resolve bounds path;
      source = url: {
        source = {
          type = "git";
          inherit url;
          commit = text.lower commit;
          inherit (inner) subdirectory;
        };
      };
    in
    if match "[0-9a-fA-F]{40}|[0-9a-fA-F]{64}" commit == null then
      fault "repository" "`${commit}` is not a whole commit (40 or 64 hexadecimal digits)"
    else if inner ? fault then
      inner
    else if kind == "file" then
      if path == null || substring 0 1 path != "/" then
        refuse "is no path of this machine"
      else if place ? fault then
        place
      else
        source "file://${head (text.split "[?#]" path)}"
    else if kind != "https" && kind != "ssh" then
      refuse "is neither an https nor an ssh URL of a repository"
    else if text.containsAny [ "#" "\\" ] url then
      refuse "cannot be a repository's: there is no fragment and no `\\` in one"
    else if !(text.containsAny [ "/" ] rest) then
      refuse "cannot be a repository's: a URL has a path"
    else if
      !(isPrintable url)
      || text.containsAny [ " " ] url
      || builtins.any (user: user == null || text.hasPrefix "-" user) users
    then
      refuse "cannot be a repository's: a host does not begin with `-`, a URL has no blanks"
    # The user of ssh is no credential.
    else if kind == "ssh" && !(text.containsAny [ ":" ] (head logins)) then
      source url
    else
      source (withoutLogin url);
}
