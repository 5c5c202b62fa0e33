//! `pylock.toml`: what is read, what is refused, and that the same entry made right is taken.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pyzpack::lock::{Choice, Context, FileHash, FileLocation, Lock, LockError, LockedSource, Selected, Wanted};
use pyzpack::names::PackageName;
use pyzpack::status::{Explain, Status};
use pyzpack::target::{MarkerEnvironment, Platform, PythonAbi, PythonMinor, Target, Threading};
use tempfile::TempDir;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A wheel of an entry, by its file name.
fn wheel(filename: &str) -> String {
    format!("{{ url = \"https://files.example/{filename}\", hashes = {{ sha256 = \"{HASH}\" }} }}")
}

/// The entry of a distribution with one wheel, and further lines.
fn entry(name: &str, version: &str, lines: &str) -> String {
    let wheel = wheel(&format!("{name}-{version}-py3-none-any.whl"));
    format!("[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\nwheels = [{wheel}]\n{lines}\n")
}

/// An entry without files, and its lines.
fn bare(lines: &str) -> String {
    format!("[[packages]]\nname = \"a\"\n{lines}\n")
}

/// A lock with these lines before its entries.
fn document(header: &str, entries: &str) -> String {
    format!("lock-version = \"1.0\"\ncreated-by = \"test\"\n{header}\npackages = []\n")
        .replace("packages = []\n", if entries.contains("[[packages]]") { "" } else { "packages = []\n" })
        + entries
}

struct Place {
    _directory: TempDir,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        Self { _directory: directory, root }
    }

    fn lock(&self) -> PathBuf {
        self.root.join("pylock.toml")
    }

    fn read(&self, text: &str) -> Result<Lock, LockError> {
        std::fs::write(self.lock(), text).unwrap();
        Lock::read(&self.lock(), Context { project: None, name: None })
    }

    /// The message without the lock's directory.
    fn message(&self, error: &LockError) -> String {
        error.to_string().replace(&format!("{}/", self.root.display()), "")
    }

    fn refusal(&self, text: &str) -> String {
        self.message(&self.read(text).expect_err(text))
    }
}

fn target(minor: u8, full: &str, platform: &str) -> Target {
    let environment = MarkerEnvironment {
        implementation_name: "cpython".into(),
        implementation_version: full.into(),
        os_name: "posix".into(),
        platform_machine: "x86_64".into(),
        platform_python_implementation: "CPython".into(),
        platform_release: String::new(),
        platform_system: "Linux".into(),
        platform_version: String::new(),
        python_full_version: full.into(),
        python_version: format!("3.{minor}"),
        sys_platform: "linux".into(),
    };
    let platform: Platform = platform.parse().unwrap();
    Target::new(PythonMinor::new(3, minor), PythonAbi::default(), environment, platform.clone())
        .overridden(None, Some(&platform))
}

fn linux() -> Target {
    target(11, "3.11.7", "manylinux_2_28_x86_64")
}

fn names(texts: &[&str]) -> BTreeSet<PackageName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn file(selected: &Selected<'_>) -> String {
    match &selected.choice {
        Choice::Wheel(file) | Choice::Sdist(file) => file.filename.clone(),
        Choice::Digests => "digests".to_owned(),
        Choice::Source => "source".to_owned(),
    }
}

fn files(lock: &Lock, target: &Target, extras: &[&str], groups: &[&str]) -> Vec<String> {
    let wanted = Wanted { extras: names(extras), groups: names(groups) };
    lock.select(target, &wanted).unwrap().iter().map(file).collect()
}

#[test]
fn reads_every_field() {
    let place = Place::new();
    let text = format!(
        r#"lock-version = "1.7"
created-by = "test"
requires-python = ">=3.8,"
environments = ["sys_platform == 'linux'"]
extras = ["cli"]
dependency-groups = ["Dev_Tools"]
default-groups = ["main"]
unknown = 1

[[packages]]
name = "a-b"
version = "1.0"
requires-python = ">=3.8"
index = "https://index.example/simple"
dependencies = [{{ name = "b" }}]
attestation-identities = [{{ kind = "GitHub", repository = "x/y" }}]
wheels = [
  {{ name = "a_b-1.0-py3-none-any.whl", upload-time = 2025-01-02T03:04:05, url = "https://files.example/x", size = 7, hashes = {{ sha256 = "{HASH}", md5 = "00" }} }},
  {{ path = "dist/A.B-1.0-py2-none-any.whl", hashes = {{ md5 = "00", blake2b = "11" }} }},
]
sdist = {{ upload-time = 2025-01-02T03:04:05.678Z, url = "https://files.example/a%5Fb-1.0.tar.gz?x=1#y", hashes = {{ sha256 = "{HASH}" }} }}

[[packages]]
name = "g"
marker = "'cli' in extras"
vcs = {{ type = "git", url = "ssh://git@git.example/g.git", requested-revision = "v1", commit-id = "{COMMIT}", subdirectory = "src/./g" }}

[[packages]]
name = "d"
directory = {{ path = "lib", editable = true, subdirectory = "d" }}

[[packages]]
name = "r"
archive = {{ path = "r.zip", size = 3, hashes = {{ sha256 = "{HASH}" }}, subdirectory = "in" }}

[tool.other]
anything = true
"#
    );
    let lock = place.read(&text).unwrap();
    assert_eq!(lock.requires_python.unwrap().to_string(), ">=3.8");
    assert_eq!(lock.environments.iter().map(ToString::to_string).collect::<Vec<_>>(), ["sys_platform == \"linux\""]);
    assert_eq!((lock.extras, lock.groups), (Some(names(&["cli"])), Some(names(&["dev-tools", "main"]))));
    assert_eq!(lock.default_groups, names(&["main"]));
    assert_eq!((lock.inputs, lock.builds), (None, vec![]));
    let entries: Vec<String> = lock.packages.iter().map(pyzpack::lock::LockedPackage::entry).collect();
    assert_eq!(entries, ["a-b 1.0", "g", "d", "r"]);
    let LockedSource::Files { files, index } = &lock.packages[0].source else { panic!("{:?}", lock.packages[0]) };
    assert_eq!(index.as_deref(), Some("https://index.example/simple"));
    let sha256 = FileHash::Sha256(HASH.parse().unwrap());
    let found: Vec<_> =
        files.iter().map(|file| (file.filename.as_str(), &file.location, &file.hash, file.size)).collect();
    assert_eq!(
        found,
        [
            ("a_b-1.0-py3-none-any.whl", &FileLocation::Url("https://files.example/x".into()), &sha256, Some(7)),
            (
                "A.B-1.0-py2-none-any.whl",
                &FileLocation::Path(place.root.join("dist/A.B-1.0-py2-none-any.whl")),
                &FileHash::Weak(vec!["blake2b".into(), "md5".into()]),
                None
            ),
            (
                "a_b-1.0.tar.gz",
                &FileLocation::Url("https://files.example/a%5Fb-1.0.tar.gz?x=1#y".into()),
                &sha256,
                None
            ),
        ]
    );
    let (url, commit) = ("ssh://git@git.example/g.git".to_owned(), COMMIT.to_owned());
    assert_eq!(lock.packages[1].source, LockedSource::Git { url, commit, subdirectory: Some("src/g".into()) });
    assert_eq!(lock.packages[2].source, LockedSource::Directory { path: place.root.join("lib/d") });
    let LockedSource::Archive { file, subdirectory } = &lock.packages[3].source else { panic!("no archive") };
    assert_eq!((file.filename.as_str(), file.size, subdirectory), ("r.zip", Some(3), &Some(PathBuf::from("in"))));
    assert_eq!(file.location, FileLocation::Path(place.root.join("r.zip")));
}

/// Replaces `right` by `wrong` in a lock that is taken, and gives what the wrong one is refused with.
fn tamper(place: &Place, text: &str, right: &str, wrong: &str) -> String {
    assert_eq!(text.matches(right).count(), 1, "{right} in {text}");
    place.read(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    place.refusal(&text.replace(right, wrong))
}

#[test]
fn refuses_what_no_lock_says_of_itself() {
    let place = Place::new();
    let lock = document(
        "requires-python = \">=3.8\"\nenvironments = [\"os_name == 'posix'\"]\nextras = [\"cli-x\"]\n\
         dependency-groups = [\"dev\"]\ndefault-groups = [\"main\"]",
        "",
    );
    let whole = |reason: &str| format!("`pylock.toml` cannot be read as a lock: {reason}");
    let unknown = |found: &str| {
        format!(
            "`pylock.toml` has lock version {found}, which is not known (known: 1.0, and other minor versions of 1)"
        )
    };
    for (right, wrong, message) in [
        ("\"1.0\"", "\"2.0\"", unknown("2.0")),
        ("\"1.0\"", "\"0.9\"", unknown("0.9")),
        ("\"1.0\"", "\"1.0a1\"", unknown("1.0a1")),
        ("\"1.0\"", "\"1!1.0\"", unknown("1!1.0")),
        ("\"1.0\"", "\"one\"", unknown("one")),
        ("\"1.0\"", "1.0", whole("`lock-version`: found float `1.0`, expected a string")),
        ("lock-version = \"1.0\"\n", "", whole("`lock-version` is missing")),
        ("created-by = \"test\"\n", "", whole("`created-by` is missing")),
        ("packages = []\n", "", whole("`packages` is missing")),
        ("packages = []", "packages = \"a\"", whole("`packages`: found string `\"a\"`, expected an array")),
        ("packages = []", "packages = [1]", whole("`packages[0]`: found integer `1`, expected a table")),
        ("packages = []", "packages = [", whole("line 8: unclosed array, expected `]`")),
        ("[\"cli-x\"]", "[\"Cli_x\"]", whole("`extras[0]`: `Cli_x` is not normalised, expected `cli-x`")),
        (
            "[\"dev\"]",
            "[\"dev!\"]",
            whole(
                "`dependency-groups[0]`: not a valid name: `dev!` (letters, digits, `.`, `-` and `_`, beginning and \
                 ending with a letter or digit)",
            ),
        ),
        ("[\"main\"]", "[1]", whole("`default-groups[0]`: found integer `1`, expected a string")),
        (
            "[\"os_name == 'posix'\"]",
            "[\"'x' in extras\"]",
            whole("`environments[0]`: `'x' in extras` asks for extras or groups, which are no part of an environment"),
        ),
    ] {
        assert_eq!(tamper(&place, &lock, right, wrong), message);
    }
    let message = tamper(&place, &lock, "os_name ==", "os_name");
    assert!(message.starts_with("`pylock.toml` cannot be read as a lock: `environments[0]`: "), "{message}");
    let message = tamper(&place, &lock, ">=3.8", "3.8");
    assert!(message.starts_with("`pylock.toml` cannot be read as a lock: `requires-python`: `3.8`: "), "{message}");
}

#[test]
fn refuses_what_no_entry_may_be() {
    let place = Place::new();
    let sdist = format!(
        "sdist = {{ path = \"a-1.tar.gz\", size = 5, upload-time = 2025-01-02 03:04:05, hashes = {{ sha256 = \"{HASH}\" }} }}"
    );
    let lock = document("", &entry("a", "1", &format!("{sdist}\nrequires-python = \">=3\"")));
    let of = |entry: &str, reason: &str| format!("`pylock.toml`, {entry}: {reason}");
    let filename = "a-1-py3-none-any.whl";
    for (right, wrong, message) in [
        ("name = \"a\"", "name = \"A\"", of("a 1", "`name`: `A` is not normalised, expected `a`")),
        ("name = \"a\"\n", "", of("packages[0]", "`name` is missing")),
        ("version = \"1\"", "version = 1", of("a", "`version`: found integer `1`, expected a string")),
        ("version = \"1\"", "version = \"2\"", of("a 2", "`a-1-py3-none-any.whl` is of version 1, expected 2")),
        ("a-1.tar.gz", "a-2.tar.gz", of("a 1", "`a-2.tar.gz` is of version 2, expected 1")),
        ("a-1.tar.gz", "b-1.tar.gz", of("a 1", "`b-1.tar.gz` is of the name b, expected a")),
        (filename, "b-1-py3-none-any.whl", of("a 1", "`b-1-py3-none-any.whl` is of the name b, expected a")),
        (
            "a-1.tar.gz",
            "a-1.tar.bz2",
            of("a 1", "`a-1.tar.bz2` is the name of neither a wheel nor a source distribution"),
        ),
        (
            filename,
            "a-1-py3-none.whl",
            of("a 1", "`a-1-py3-none.whl` is the name of neither a wheel nor a source distribution"),
        ),
        (
            filename,
            "a__a-1-py3-none-any.whl",
            of("a 1", "`a__a-1-py3-none-any.whl` is the name of neither a wheel nor a source distribution"),
        ),
        (
            "https://files.example/",
            "ftp://files.example/",
            of("a 1", "`ftp://files.example/a-1-py3-none-any.whl` is neither an http nor an https URL"),
        ),
        (
            "https://files.example/",
            "file:///tmp/",
            of("a 1", "`file:///tmp/a-1-py3-none-any.whl` is neither an http nor an https URL"),
        ),
        (
            "https://files.example/",
            "gopher://u:p@h/",
            of("a 1", "`gopher://****@h/a-1-py3-none-any.whl` is neither an http nor an https URL"),
        ),
        ("path = \"a-1", "path = \"../a-1", of("a 1", "`../a-1.tar.gz` is outside of the project")),
        ("path = \"a-1", "path = \"/tmp/a-1", of("a 1", "`/tmp/a-1.tar.gz` is outside of the project")),
        ("path = \"a-1.tar.gz\"", "name = \"a-1.tar.gz\"", of("a 1", "`sdist.path` or `sdist.url` is missing")),
        ("size = 5", "size = \"5\"", of("a 1", "`sdist.size`: found string `\"5\"`, expected an integer")),
        ("size = 5", "size = true", of("a 1", "`sdist.size`: found boolean `true`, expected an integer")),
        ("size = 5", "size = -5", of("a 1", "`sdist.size`: -5 is no size")),
        (
            "2025-01-02 03:04:05",
            "2025-01-02",
            of("a 1", "`sdist.upload-time`: found datetime `2025-01-02`, expected a date with a time"),
        ),
        ("wheels = [{", "wheels = [1, {", of("a 1", "`wheels[0]`: found integer `1`, expected a table")),
        (
            "requires-python =",
            "dependencies = [1]\nrequires-python =",
            of("a 1", "`dependencies[0]`: found integer `1`, expected a table"),
        ),
        (
            "requires-python =",
            "attestation-identities = [{}]\nrequires-python =",
            of("a 1", "`attestation-identities[0].kind` is missing"),
        ),
        ("requires-python =", "tool = 1\nrequires-python =", of("a 1", "`tool`: found integer `1`, expected a table")),
    ] {
        assert_eq!(tamper(&place, &lock, right, wrong), message);
    }
    let message = tamper(&place, &lock, ">=3", ">=x");
    assert!(message.starts_with("`pylock.toml`, a 1: `requires-python`: `>=x`: "), "{message}");
    let message = tamper(&place, &lock, "requires-python =", "marker = \"os_name\"\nrequires-python =");
    assert!(message.starts_with("`pylock.toml`, a 1: "), "{message}");
}

#[test]
fn refuses_a_file_without_a_hash() {
    let place = Place::new();
    let lock = document("", &entry("a", "1", ""));
    let hashes = format!("hashes = {{ sha256 = \"{HASH}\" }}");
    let of = |reason: &str| format!("`pylock.toml`, a 1: {reason}");
    for (wrong, message) in [
        ("size = 1", of("`a-1-py3-none-any.whl` has no hash")),
        ("hashes = {}", of("`a-1-py3-none-any.whl` has no hash")),
        ("hashes = { sha256 = 1 }", of("`wheels[0].hashes.sha256`: found integer `1`, expected a string")),
        ("hashes = { sha256 = \"00\" }", of("`00` is not a sha256 hash")),
    ] {
        assert_eq!(tamper(&place, &lock, &hashes, wrong), message);
    }
    let error = place.read(&lock.replace(&hashes, "hashes = {}")).unwrap_err();
    assert_eq!(error.status(), Status::Refused);
    assert_eq!(
        error.hint().as_deref(),
        Some("lock again with an index that gives sha256 hashes, or run `pyzpack lock`")
    );
}

#[test]
fn refuses_weak_hashes_of_what_is_taken_and_of_nothing_else() {
    let place = Place::new();
    let weak = wheel("a-1-cp311-cp311-manylinux_2_17_x86_64.whl").replace("sha256", "md5");
    let sound = wheel("a-1-py3-none-any.whl");
    let lock = document("", &bare(&format!("version = \"1\"\nwheels = [{weak}, {sound}]")));
    let lock = place.read(&lock).unwrap();
    assert_eq!(files(&lock, &target(12, "3.12.1", "manylinux_2_28_x86_64"), &[], &[]), ["a-1-py3-none-any.whl"]);
    let error = lock.select(&linux(), &Wanted::default()).unwrap_err();
    assert_eq!(
        place.message(&error),
        "`pylock.toml`, a 1: `a-1-cp311-cp311-manylinux_2_17_x86_64.whl` has no sha256 hash, only md5"
    );
}

#[test]
fn refuses_sources_that_exclude_each_other() {
    let place = Place::new();
    let wheels = format!("wheels = [{}]", wheel("a-1-py3-none-any.whl"));
    let vcs = format!("vcs = {{ type = \"git\", url = \"https://git.example/a\", commit-id = \"{COMMIT}\" }}");
    let directory = "directory = { path = \"a\" }";
    let both = "`pylock.toml`, a: it has wheels or an sdist, and vcs, directory or archive: one of both is due";
    let none = "`pylock.toml`, a: expected wheels, an sdist, or one of vcs, directory, archive";
    for lines in [&wheels, &vcs, &format!("wheels = []\n{directory}")] {
        place.read(&document("", &bare(lines))).unwrap();
    }
    assert_eq!(place.refusal(&document("", &bare(&format!("{wheels}\n{vcs}")))), both);
    assert_eq!(place.refusal(&document("", &bare(&format!("{directory}\n{vcs}")))), none);
    assert_eq!(place.refusal(&document("", &bare("version = \"1\""))), none.replace(", a:", ", a 1:"));
    assert_eq!(place.refusal(&document("", &bare("wheels = []"))), none);
}

#[test]
fn refuses_repositories_that_are_not_pinned_or_not_gits() {
    let place = Place::new();
    let lock = document(
        "",
        &bare(&format!(
            "vcs = {{ type = \"git\", url = \"git+https://u:secret@git.example/a\", commit-id = \"{COMMIT}\", subdirectory = \"in\" }}"
        )),
    );
    let read = place.read(&lock).unwrap();
    let LockedSource::Git { url, .. } = &read.packages[0].source else { panic!("{read:?}") };
    assert_eq!(url, "https://u:secret@git.example/a");
    let of = |reason: &str| format!("`pylock.toml`, a: {reason}");
    let url = "git+https://u:secret@git.example/a";
    let host = "cannot be a repository's: a host does not begin with `-`, a URL has no blanks";
    let fragment = "cannot be a repository's: there is no fragment and no `\\` in one";
    for (right, wrong, message) in [
        ("\"git\"", "\"hg\"", of("a `hg` repository, and only git ones can be fetched")),
        (COMMIT, "main", of("`main` is not a whole commit (40 or 64 hexadecimal digits)")),
        (COMMIT, &COMMIT[..12], of("`0123456789ab` is not a whole commit (40 or 64 hexadecimal digits)")),
        (url, "git@git.example:a", of("`git@git.example:a` is neither an https nor an ssh URL of a repository")),
        (
            url,
            "http://u:p@git.example/a",
            of("`http://****@git.example/a` is neither an https nor an ssh URL of a repository"),
        ),
        (url, "ext::sh -c true", of("`ext::sh -c true` is neither an https nor an ssh URL of a repository")),
        (url, "ssh://-oProxyCommand=x/a", of(&format!("`ssh://-oProxyCommand=x/a` {host}"))),
        (url, "https://user@-x/a", of(&format!("`https://****@-x/a` {host}"))),
        (url, "https://%2Dx/a", of(&format!("`https://%2Dx/a` {host}"))),
        (url, "https://git.example/a#b", of(&format!("`https://git.example/a#b` {fragment}"))),
        (url, "file:///tmp/a", of("`/tmp/a` is outside of the project")),
        ("\"in\"", "\"in/../../b\"", of("`in/../../b` is outside of the project")),
        ("type = \"git\", ", "", of("`vcs.type` is missing")),
        (&format!("commit-id = \"{COMMIT}\""), "size = 1", of("`vcs.commit-id` is missing")),
        (&format!("url = \"{url}\""), "url = \"\"", of("`vcs.path` or `vcs.url` is missing")),
    ] {
        assert_eq!(tamper(&place, &lock, right, wrong), message);
    }
    let path = place.read(&lock.replace(&format!("url = \"{url}\""), "path = \"r\"")).unwrap();
    let LockedSource::Git { url, .. } = &path.packages[0].source else { panic!("{path:?}") };
    assert_eq!(*url, format!("file://{}/r", place.root.display()));
}

#[test]
fn refuses_directories_and_archives_that_lead_outside() {
    let place = Place::new();
    let directory = document("", &bare("directory = { path = \"lib\", editable = false, subdirectory = \"in\" }"));
    let archive = document(
        "",
        &bare(&format!(
            "archive = {{ url = \"https://files.example/x/a.zip\", hashes = {{ sha256 = \"{HASH}\" }}, subdirectory = \"in\" }}"
        )),
    );
    let of = |reason: &str| format!("`pylock.toml`, a: {reason}");
    let name = "is the name of neither a wheel nor a source distribution";
    for (lock, right, wrong, message) in [
        (&directory, "\"lib\"", "\"../lib\"", of("`../lib` is outside of the project")),
        (&directory, "\"lib\"", "\"/\"", of("`/` is outside of the project")),
        (&directory, "path = \"lib\", ", "", of("`directory.path` is missing")),
        (&directory, "\"in\"", "\"..\"", of("`..` is outside of the project")),
        (&directory, "false", "1", of("`directory.editable`: found integer `1`, expected a boolean")),
        (&archive, "\"in\"", "\"/in\"", of("`/in` is outside of the project")),
        (&archive, "x/a.zip", "x/main", of(&format!("`main` {name}"))),
        (&archive, "x/a.zip", "x/..%2Fa.zip", of(&format!("`../a.zip` {name}"))),
        (&archive, "x/a.zip", "b-1-py3-none-any.whl", of("`b-1-py3-none-any.whl` is of the name b, expected a")),
        (&archive, "hashes", "hash", of("`a.zip` has no hash")),
        (
            &archive,
            "https:",
            "http+unix:",
            of("`http+unix://files.example/x/a.zip` is neither an http nor an https URL"),
        ),
    ] {
        assert_eq!(tamper(&place, lock, right, wrong), message);
    }
    let error = place.read(&directory.replace("lib", "../lib")).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("move it into the project, or pack it as an input of its own"));
}

#[test]
fn takes_a_path_where_there_is_the_file_and_else_the_url() {
    let place = Place::new();
    let both = wheel("a-1-py3-none-any.whl").replace("{ url", "{ path = \"dist/a-1-py3-none-any.whl\", url");
    let text = document("", &bare(&format!("wheels = [{both}]")));
    let location = |lock: &Lock| match &lock.packages[0].source {
        LockedSource::Files { files, .. } => files[0].location.clone(),
        other => panic!("{other:?}"),
    };
    let lock = place.read(&text).unwrap();
    assert_eq!(location(&lock), FileLocation::Url("https://files.example/a-1-py3-none-any.whl".into()));
    std::fs::create_dir(place.root.join("dist")).unwrap();
    let file = place.root.join("dist/a-1-py3-none-any.whl");
    std::fs::write(&file, "").unwrap();
    assert_eq!(location(&place.read(&text).unwrap()), FileLocation::Path(file));
    assert_eq!(
        place.refusal(&text.replace("dist/", "../dist/")),
        "`pylock.toml`, a: `../dist/a-1-py3-none-any.whl` is outside of the project"
    );
}

#[test]
fn an_entry_without_a_version_has_that_of_its_files() {
    let place = Place::new();
    let text = document(
        "",
        &bare(&format!("wheels = [{}, {}]", wheel("a-1.0-py3-none-any.whl"), wheel("a-1-py2-none-any.whl"))),
    );
    assert_eq!(place.read(&text).unwrap().packages[0].entry(), "a 1.0");
    assert_eq!(
        tamper(&place, &text, "a-1-py2", "a-2-py2"),
        "`pylock.toml`, a: `a-2-py2-none-any.whl` is of version 2, expected 1.0"
    );
}

#[test]
fn the_project_itself_has_its_own_name_and_is_not_selected() {
    let place = Place::new();
    let project = place.root.join("member");
    std::fs::create_dir(&project).unwrap();
    std::fs::write(place.lock(), document("", &bare("directory = { path = \"member\" }"))).unwrap();
    let read = |project: &Path, name: &str| {
        let name = name.parse().unwrap();
        Lock::read(&place.lock(), Context { project: Some(project), name: Some(&name) })
    };
    let lock = read(&project, "a").unwrap();
    assert_eq!(lock.packages[0].source, LockedSource::Directory { path: project.clone() });
    assert_eq!(files(&lock, &linux(), &[], &[]), [""; 0]);
    let error = read(&project, "b").unwrap_err();
    assert_eq!(place.message(&error), "`pylock.toml` locks `a`, and what is packed is `b`");
    assert_eq!(files(&read(&place.root, "b").unwrap(), &linux(), &[], &[]), ["source"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&project, place.root.join("link")).unwrap();
        let lock = read(&place.root.join("link"), "a").unwrap();
        assert_eq!(files(&lock, &linux(), &[], &[]), [""; 0]);
    }
}

#[test]
fn selects_by_environment_python_extra_and_group() {
    let place = Place::new();
    let text = document(
        "requires-python = \">=3.9\"\nenvironments = [\"sys_platform == 'darwin'\", \"python_version < '3.12'\"]\n\
         extras = [\"cli\"]\ndependency-groups = [\"docs\"]\ndefault-groups = [\"dev\"]",
        &[
            entry("a", "1", ""),
            entry("b", "1", "marker = \"'cli' in extras\""),
            entry("c", "1", "marker = \"'docs' in dependency_groups\""),
            entry("d", "1", "marker = \"'dev' in dependency_groups\""),
            entry("e", "1", "marker = \"sys_platform == 'win32'\""),
        ]
        .concat(),
    );
    let lock = place.read(&text).unwrap();
    let whl = |names: &str| names.chars().map(|name| format!("{name}-1-py3-none-any.whl")).collect::<Vec<_>>();
    assert_eq!(files(&lock, &linux(), &[], &[]), whl("ad"));
    assert_eq!(files(&lock, &linux(), &["cli"], &["docs"]), whl("abcd"));
    assert_eq!(files(&lock, &linux(), &[], &["dev"]), whl("ad"));
    let refusal = |target: &Target, extras: &[&str], groups: &[&str]| {
        let wanted = Wanted { extras: names(extras), groups: names(groups) };
        let error = lock.select(target, &wanted).unwrap_err();
        (place.message(&error), error.status())
    };
    for (target, extras, groups, message, status) in [
        (linux(), ["web"].as_slice(), [].as_slice(), "`pylock.toml` has no extra `web` (it has: cli)", Status::Usage),
        (linux(), &[], &["x"], "`pylock.toml` has no group `x` (it has: dev, docs)", Status::Usage),
        (
            target(8, "3.8.18", "manylinux_2_28_x86_64"),
            &[],
            &[],
            "`pylock.toml` is for Python >=3.9, the target is Python 3.8.18",
            Status::Refused,
        ),
        (
            target(12, "3.12.1", "manylinux_2_28_x86_64"),
            &[],
            &[],
            "`pylock.toml` is not for CPython 3.12 on manylinux_2_28_x86_64: none of its environments is \
             (sys_platform == \"darwin\"; python_version < \"3.12\")",
            Status::Refused,
        ),
    ] {
        assert_eq!(refusal(&target, extras, groups), (message.to_owned(), status));
    }
}

#[test]
fn refuses_entries_that_cannot_be_told_apart() {
    let place = Place::new();
    let text = document(
        "",
        &[
            entry("a", "1", "marker = \"python_version < '3.12'\""),
            entry("a", "2", "marker = \"python_version >= '3.11'\""),
            bare("marker = \"python_version == '3.11'\"\ndirectory = { path = \"a\" }"),
        ]
        .concat(),
    );
    let lock = place.read(&text).unwrap();
    assert_eq!(files(&lock, &target(9, "3.9.18", "manylinux_2_28_x86_64"), &[], &[]), ["a-1-py3-none-any.whl"]);
    let error = lock.select(&linux(), &Wanted::default()).unwrap_err();
    assert_eq!(
        place.message(&error),
        "`pylock.toml`: several entries of `a` are needed at once: 1 (entry 1), 2 (entry 2), \
         no version from a directory (entry 3)"
    );
}

#[test]
fn refuses_an_entry_of_which_nothing_fits() {
    let place = Place::new();
    let wheels = format!("wheels = [{}]", wheel("a-1-cp311-cp311-win_amd64.whl"));
    let sdist = format!("sdist = {}", wheel("a-1.tar.gz"));
    let lock = place.read(&document("", &bare(&format!("{wheels}\n{sdist}")))).unwrap();
    assert_eq!(files(&lock, &linux(), &[], &[]), ["a-1.tar.gz"]);
    let lock = place.read(&document("", &bare(&wheels))).unwrap();
    assert_eq!(files(&lock, &target(11, "3.11.7", "win_amd64"), &[], &[]), ["a-1-cp311-cp311-win_amd64.whl"]);
    let error = lock.select(&linux(), &Wanted::default()).unwrap_err();
    assert_eq!(
        place.message(&error),
        "`pylock.toml`, a 1: no wheel fits CPython 3.11 on manylinux_2_28_x86_64, and there is no source \
         distribution; there are a-1-cp311-cp311-win_amd64.whl"
    );
    let lock = place.read(&document("", &entry("b", "1", "requires-python = \">=3.12\""))).unwrap();
    assert_eq!(files(&lock, &target(12, "3.12.1", "win_amd64"), &[], &[]), ["b-1-py3-none-any.whl"]);
    let error = lock.select(&linux(), &Wanted::default()).unwrap_err();
    assert_eq!(place.message(&error), "`pylock.toml`, b 1: it needs Python >=3.12, the target is Python 3.11.7");
}

#[test]
fn refuses_a_marker_without_a_value() {
    let place = Place::new();
    let lock = place.read(&document("", &entry("a", "1", "marker = \"extra == 'x'\""))).unwrap();
    let error = lock.select(&linux(), &Wanted::default()).unwrap_err();
    assert_eq!(
        place.message(&error),
        "`pylock.toml`, a 1: marker `extra == \"x\"`: `extra` is not defined in lock files"
    );
}

#[test]
fn a_minor_version_is_any_of_its_patch_releases() {
    let place = Place::new();
    let lock = place
        .read(&document("requires-python = \">=3.8.1\"", &entry("a", "1", "requires-python = \">=3.8.2\"")))
        .unwrap();
    let asked = linux().overridden(Some(PythonMinor::new(3, 8)), None);
    assert_eq!(files(&lock, &asked, &[], &[]), ["a-1-py3-none-any.whl"]);
    assert!(lock.select(&target(8, "3.8.0", "manylinux_2_28_x86_64"), &Wanted::default()).is_err());
}

#[test]
fn the_best_wheel_is_that_of_the_best_tag_and_then_of_the_highest_build() {
    let place = Place::new();
    let names = [
        "a-1-py3-none-any.whl",
        "a-1-2-py3-none-any.whl",
        "a-1-10b-py2.py3-none-any.whl",
        "a-1-10b-py3.py2-none-any.whl",
        "a-1-cp38-abi3-manylinux_2_17_x86_64.whl",
        "a-1-cp311-cp311-manylinux1_x86_64.whl",
        "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "a-1-cp311-cp311-manylinux_2_34_x86_64.whl",
        "a-1-cp311-cp311-musllinux_1_1_x86_64.whl",
        "a-1-cp313-cp313t-manylinux_2_17_x86_64.whl",
        "a-1-cp313-cp313-manylinux_2_17_x86_64.whl",
        "a-1-cp311-cp311-macosx_10_9_universal2.whl",
        "a-1-cp311-cp311-macosx_11_0_arm64.whl",
        "a-1-cp311-cp311-win_arm64.whl",
        "a-1-cp37-abi3-win_amd64.whl",
    ];
    let wheels: Vec<String> = names.into_iter().map(wheel).collect();
    let lock = place.read(&document("", &bare(&format!("wheels = [{}]", wheels.join(", "))))).unwrap();
    let mut free = target(13, "3.13.0", "manylinux_2_28_x86_64");
    free =
        Target::new(free.python, PythonAbi { threading: Threading::Free, ..free.abi }, free.environment, free.platform);
    for (target, best) in [
        (linux(), names[6]),
        (target(11, "3.11.7", "manylinux_2_12_x86_64"), names[5]),
        (target(11, "3.11.7", "manylinux_2_39_x86_64"), names[7]),
        (target(11, "3.11.7", "musllinux_1_2_x86_64"), names[8]),
        (target(12, "3.12.1", "manylinux_2_28_x86_64"), names[4]),
        (target(13, "3.13.0", "manylinux_2_28_x86_64"), names[10]),
        (free, names[9]),
        (target(11, "3.11.7", "macosx_14_0_arm64"), names[12]),
        (target(11, "3.11.7", "macosx_13_0_x86_64"), names[11]),
        (target(11, "3.11.7", "win_amd64"), names[14]),
        (target(11, "3.11.7", "win_arm64"), names[13]),
        (target(9, "3.9.18", "win32"), names[2]),
    ] {
        assert_eq!(files(&lock, &target, &[], &[]), [best], "{target}");
    }
}

/// A lock as `pyzpack lock` writes it.
fn with_builds() -> String {
    let builds = format!(
        r#"
[tool.pyzpack]
lock-version = 1
inputs = "sha256:00"
[[tool.pyzpack.builds]]
name = "a"
version = "1"
requires = ["hatchling>=1.26", "wheel"]
packages = [{{ name = "hatchling", version = "1.27.0" }}, {{ name = "tomli", version = "2" }}, {{ name = "tomli", version = "3" }}]
[[tool.pyzpack.builds]]
name = "d"
requires = []
packages = []
[[tool.pyzpack.build-packages]]
name = "hatchling"
version = "1.27.0"
wheels = [{}]
[[tool.pyzpack.build-packages]]
name = "tomli"
version = "2"
marker = "python_version < '3.9'"
wheels = [{}]
[[tool.pyzpack.build-packages]]
name = "tomli"
version = "3"
marker = "python_version >= '3.9' and python_version < '3.11'"
wheels = [{}]
"#,
        wheel("hatchling-1.27.0-py3-none-any.whl"),
        wheel("tomli-2-py3-none-any.whl"),
        wheel("tomli-3-py3-none-any.whl"),
    );
    document("", &entry("a", "1", "")) + &builds
}

#[test]
fn reads_what_sources_are_built_with() {
    let place = Place::new();
    let lock = place.read(&with_builds()).unwrap();
    assert_eq!(lock.inputs.as_deref(), Some("sha256:00"));
    let name = |text: &str| text.parse::<PackageName>().unwrap();
    let version = |text: &str| text.parse().unwrap();
    let build = lock.build_for(&name("a"), Some(&version("1.0"))).unwrap();
    assert_eq!(build.requires, ["hatchling>=1.26", "wheel"]);
    assert!(lock.build_for(&name("a"), Some(&version("2"))).is_none());
    assert!(lock.build_for(&name("b"), None).is_none());
    assert_eq!(lock.build_for(&name("d"), Some(&version("7"))), lock.builds.get(1));
    assert_eq!(lock.build_for(&name("a"), None), lock.builds.first());
    let taken =
        |target: &Target| -> Vec<String> { lock.select_build(build, target).unwrap().iter().map(file).collect() };
    assert_eq!(taken(&linux()), ["hatchling-1.27.0-py3-none-any.whl"]);
    assert_eq!(
        taken(&target(9, "3.9.18", "win_amd64")),
        ["hatchling-1.27.0-py3-none-any.whl", "tomli-3-py3-none-any.whl"]
    );
}

#[test]
fn refuses_builds_that_do_not_hold_together() {
    let place = Place::new();
    let lock = with_builds();
    for (right, wrong, message) in [
        (
            "\nlock-version = 1\n",
            "\nlock-version = 2\n",
            "`pylock.toml` has lock version 2 in `[tool.pyzpack]`, which is not known (known: 1)",
        ),
        (
            "\nlock-version = 1\n",
            "\n",
            "`pylock.toml` cannot be read as a lock: `tool.pyzpack.lock-version` is missing",
        ),
        (
            "\"sha256:00\"",
            "1",
            "`pylock.toml` cannot be read as a lock: `tool.pyzpack.inputs`: found integer `1`, expected a string",
        ),
        (
            "{ name = \"tomli\", version = \"3\" }",
            "{ name = \"tomli\", version = \"4\" }",
            "`pylock.toml`, the build of a: it needs `tomli 4`, of which there is no entry",
        ),
        ("requires = []", "require = []", "`pylock.toml`, the build of d: `requires` is missing"),
        (
            "/tomli-3-py3",
            "/tomli-2.5-py3",
            "`pylock.toml`, tomli 3: `tomli-2.5-py3-none-any.whl` is of version 2.5, expected 3",
        ),
    ] {
        assert_eq!(tamper(&place, &lock, right, wrong), message);
    }
}

#[test]
fn a_stale_lock_is_made_anew_for_whom_it_was_made() {
    let place = Place::new();
    let own = "[tool.pyzpack]\nlock-version = 1\ninputs = \"sha256:00\"\n";
    let entry = entry("a", "1", "");
    for (header, rest, command) in [
        ("", "", "pyzpack lock"),
        ("", own, "pyzpack lock --universal"),
        ("environments = [\"sys_platform == 'linux'\"]", own, "pyzpack lock"),
    ] {
        let lock = place.read(&document(header, &format!("{entry}{rest}"))).unwrap();
        let hint = lock.stale("it changed").hint();
        assert_eq!(hint, Some(format!("run `{command}`, then build again")));
    }
}
