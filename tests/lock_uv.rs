//! `uv.lock`: what is read, what is refused, and that the same entry made right is taken.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pyzpack::lock::{
    Choice, Context, FileHash, FileLocation, Lock, LockError, LockedFile, LockedSource, Selected, Wanted,
};
use pyzpack::status::Explain;
use pyzpack::target::{MarkerEnvironment, Platform, PythonAbi, PythonMinor, Target};
use serde_json::{Value, json};
use tempfile::TempDir;

fn target(python: &str, platform: &str) -> Target {
    let environment = MarkerEnvironment {
        implementation_name: "cpython".into(),
        implementation_version: "3.11.7".into(),
        os_name: "posix".into(),
        platform_machine: "x86_64".into(),
        platform_python_implementation: "CPython".into(),
        platform_release: String::new(),
        platform_system: "Linux".into(),
        platform_version: String::new(),
        python_full_version: "3.11.7".into(),
        python_version: "3.11".into(),
        sys_platform: "linux".into(),
    };
    let abi = PythonAbi::default();
    let host: Platform = "manylinux_2_28_x86_64".parse().unwrap();
    let platform: Platform = platform.parse().unwrap();
    Target::new(PythonMinor::new(3, 11), abi, environment, host)
        .overridden(Some(python.parse().unwrap()), Some(&platform))
}

/// What stands in a `selections.json` for what was selected.
fn told(selected: Result<Vec<Selected<'_>>, LockError>) -> Value {
    let selected = match selected {
        Ok(selected) => selected,
        Err(LockError::Python { .. }) => return json!("python"),
        Err(LockError::Environment { .. }) => return json!("environment"),
        Err(LockError::Conflict { .. }) => return json!("conflict"),
        Err(error) => return json!(error.to_string()),
    };
    let file = |one: &Selected<'_>| match (&one.choice, &one.package.source) {
        (Choice::Wheel(file) | Choice::Sdist(file), _) => file.filename.clone(),
        (_, LockedSource::Git { .. }) => "git".to_owned(),
        (_, _) => "directory".to_owned(),
    };
    let version = |one: &Selected<'_>| one.package.version.as_ref().map(ToString::to_string);
    selected.iter().map(|one| json!([one.package.name, version(one), file(one)])).collect()
}

#[test]
fn selects_from_real_locks_what_uv_exports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/locks/uv");
    let mut compared = 0;
    for directory in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let files: Vec<PathBuf> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        let name = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let lock = files.iter().find(|path| name(path).ends_with(".lock")).unwrap();
        for selections in files.iter().filter(|path| name(path).starts_with("selections")) {
            let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(selections).unwrap()).unwrap();
            // One file, one project of the workspace.
            let project = directory.join(cases[0]["project"].as_str().unwrap_or(""));
            let lock = Lock::read(lock, Context { project: Some(&project), name: None });
            let lock = lock.unwrap_or_else(|error| panic!("{error}"));
            for case in cases {
                let names = |key: &str| -> BTreeSet<_> {
                    case[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().parse().unwrap()).collect()
                };
                let wanted = Wanted { extras: names("extras"), groups: names("groups") };
                let target = target(case["python"].as_str().unwrap(), case["platform"].as_str().unwrap());
                let expected = case.get("packages").or(case.get("error")).unwrap();
                assert_eq!(told(lock.select(&target, &wanted)), *expected, "{}: {case}", selections.display());
                compared += 1;
            }
        }
    }
    println!("compared {compared} selections from uv's locks");
    assert!(compared > 300, "{compared}");
}

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const INDEX: &str = r#"{ registry = "https://index.example/simple" }"#;

/// A lock of the project `demo` in the lock's own directory, with what else the file holds.
fn demo(needs: &str, rest: &str) -> String {
    format!(
        "version = 1\nrevision = 5\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"demo\"\nversion = \"1.0\"\n\
         source = {{ virtual = \".\" }}\n{needs}\n\n{rest}"
    )
}

/// What `demo` needs: entries by name.
fn needs(names: &[&str]) -> String {
    let edges: Vec<String> = names.iter().map(|name| format!("{{ name = \"{name}\" }}")).collect();
    format!("dependencies = [{}]", edges.join(", "))
}

/// An entry of the index with one wheel, and further lines.
fn entry(name: &str, version: &str, lines: &str) -> String {
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = {INDEX}\nwheels = [{{ url = \
         \"https://files.example/{name}-{version}-py3-none-any.whl\", hash = \"sha256:{HASH}\", size = 7 }}]\n{lines}\n\n"
    )
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

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read_for(&self, text: &str, project: Option<&str>, name: Option<&str>) -> Result<Lock, LockError> {
        let path = self.write("uv.lock", text);
        let project = project.map(|project| self.root.join(project));
        let name = name.map(|name| name.parse().unwrap());
        Lock::read(&path, Context { project: project.as_deref(), name: name.as_ref() })
    }

    fn read(&self, text: &str) -> Result<Lock, LockError> {
        self.read_for(text, Some(""), None)
    }

    /// The message without the lock's directory.
    fn message(&self, error: &LockError) -> String {
        error.to_string().replace(&format!("{}/", self.root.display()), "")
    }

    fn refusal(&self, text: &str) -> String {
        self.message(&self.read(text).expect_err(text))
    }
}

fn wanted(extras: &[&str], groups: &[&str]) -> Wanted {
    let names = |list: &[&str]| list.iter().map(|name| name.parse().unwrap()).collect();
    Wanted { extras: names(extras), groups: names(groups) }
}

fn here() -> Target {
    target("3.11", "manylinux_2_28_x86_64")
}

/// `NAME VERSION` of what is selected, or the message.
fn selected(place: &Place, text: &str, wanted: &Wanted) -> Result<Vec<String>, String> {
    let lock = place.read(text).map_err(|error| place.message(&error))?;
    let selected = lock.select(&here(), wanted).map_err(|error| place.message(&error))?;
    Ok(selected.iter().map(|one| one.package.entry()).collect())
}

#[test]
fn refuses_versions_that_are_not_known() {
    let place = Place::new();
    let right = demo("", "");
    assert!(place.read(&right).is_ok());
    assert!(place.read(&right.replace("revision = 5", "revision = 99\nunknown-key = 1")).is_ok());
    assert!(place.read(&right.replace("revision = 5\n", "")).is_ok());
    for (wrong, found) in [("2", "2"), ("\"1.0\"", "\"1.0\"")] {
        let text = right.replace("version = 1\n", &format!("version = {wrong}\n"));
        let expected = format!("`uv.lock` has lock version {found}, which is not known (known: 1)");
        assert_eq!(place.refusal(&text), expected);
    }
    assert_eq!(
        place.refusal(&right.replace("version = 1\n", "")),
        "`uv.lock` cannot be read as a lock: line 1: missing field `version`"
    );
    assert_eq!(
        place.refusal(&right.replace("name = \"demo\"", "name = \"-\"")),
        "`uv.lock` cannot be read as a lock: line 6: not a valid name: `-` (letters, digits, `.`, `-` and `_`, beginning \
         and ending with a letter or digit)"
    );
    assert_eq!(
        place.refusal(&right.replace(">=3.9", "new")),
        "`uv.lock` cannot be read as a lock: `requires-python` is not a version specifier: `new`"
    );
}

#[test]
fn refuses_an_entry_that_cannot_be_trusted() {
    let place = Place::new();
    let right = demo(&needs(&["a"]), &entry("a", "1.0", ""));
    assert_eq!(selected(&place, &right, &wanted(&[], &[])), Ok(vec!["a 1.0".to_owned()]));
    let url = "https://files.example/a-1.0-py3-none-any.whl";
    for (from, to, expected) in [
        (
            url,
            "ftp://files.example/a-1.0-py3-none-any.whl",
            "`ftp://files.example/a-1.0-py3-none-any.whl` is neither an http nor an https URL",
        ),
        (url, "file:///a-1.0-py3-none-any.whl", "`file:///a-1.0-py3-none-any.whl` is neither an http nor an https URL"),
        (
            url,
            "ftp://u:secret@h/a-1.0-py3-none-any.whl",
            "`ftp://****@h/a-1.0-py3-none-any.whl` is neither an http nor an https URL",
        ),
        (url, "https://files.example/a.exe", "`a.exe` is the name of neither a wheel nor a source distribution"),
        (url, "https://files.example/b-1.0-py3-none-any.whl", "`b-1.0-py3-none-any.whl` is of the name b, expected a"),
        (
            url,
            "https://files.example/a-2.0-py3-none-any.whl",
            "`a-2.0-py3-none-any.whl` is of version 2.0, expected 1.0",
        ),
        (
            "https://index.example/simple",
            "ftp://index.example/simple",
            "`ftp://index.example/simple` is neither an http nor an https URL",
        ),
        ("https://index.example/simple", "../links", "`../links` is outside of the project"),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{}",
            "its source is not one of registry, git, url, path, directory, editable and virtual",
        ),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{ editable = \"../a\" }",
            "`../a` is outside of the project",
        ),
        ("{ registry = \"https://index.example/simple\" }", "{ directory = \"/a\" }", "`/a` is outside of the project"),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{ virtual = \"x/../../a\" }",
            "`x/../../a` is outside of the project",
        ),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{ path = \"../a-1.0-py3-none-any.whl\" }",
            "`../a-1.0-py3-none-any.whl` is outside of the project",
        ),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{ url = \"http://h/a-1.0.tar.gz\", subdirectory = \"../x\" }",
            "`../x` is outside of the project",
        ),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{ url = \"file:///a-1.0.tar.gz\" }",
            "`file:///a-1.0.tar.gz` is neither an http nor an https URL",
        ),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{ git = \"https://h/r?rev=main\" }",
            "`https://h/r?rev=main` is no commit of a git repository: it names no commit",
        ),
        (
            "{ registry = \"https://index.example/simple\" }",
            "{ git = \"https://h/r#main\" }",
            "`main` is not a whole commit (40 or 64 hexadecimal digits)",
        ),
        (HASH, "00", "`sha256:00` is not a sha256 hash"),
        ("version = \"1.0\"\nsource = { r", "version = \"new\"\nsource = { r", "`new` is not a version"),
    ] {
        let text = right.replace(from, to);
        assert_ne!(text, right, "{from}");
        let version = if expected.contains("new") { "new" } else { "1.0" };
        assert_eq!(place.refusal(&text), format!("`uv.lock`, a {version}: {expected}"));
    }
    let git = |query: &str| right.replace(INDEX, &format!("{{ git = \"https://h/r?{query}#{COMMIT}\" }}"));
    assert!(place.read(&git("rev=main&subdirectory=py%2Fa")).is_ok());
    for (query, expected) in [
        ("subdirectory=..%2Fa", "`../a` is outside of the project".to_owned()),
        (
            "lfs=true",
            format!("`https://h/r?lfs=true#{COMMIT}` is no commit of a git repository: git LFS is not followed"),
        ),
    ] {
        assert_eq!(place.refusal(&git(query)), format!("`uv.lock`, a 1.0: {expected}"));
    }
}

#[test]
fn refuses_a_file_without_sha256_only_where_it_is_chosen() {
    let place = Place::new();
    let right = demo(&needs(&["a"]), &entry("a", "1.0", ""));
    let hash = format!("hash = \"sha256:{HASH}\", ");
    for (to, expected) in [
        ("", "`a-1.0-py3-none-any.whl` has no hash"),
        ("hash = \"md5:00\", ", "`a-1.0-py3-none-any.whl` has no sha256 hash, only md5"),
    ] {
        let text = right.replace(&hash, to);
        let expected = format!("`uv.lock`, a 1.0: {expected}");
        assert_eq!(selected(&place, &text, &wanted(&[], &[])), Err(expected));
        let unneeded = text.replace(&needs(&["a"]), "");
        assert_eq!(selected(&place, &unneeded, &wanted(&[], &[])), Ok(Vec::new()));
    }
}

#[test]
fn reads_every_kind_of_source() {
    let place = Place::new();
    let package = |name: &str, source: &str, files: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\nsource = {source}\n{files}\n\n")
    };
    let hash = format!("hash = \"sha256:{HASH}\"");
    let rest = [
        package("dir", "{ editable = \"lib/./dir\" }", ""),
        package(
            "flat",
            "{ registry = \"links\" }",
            &format!("wheels = [{{ path = \"flat-1-py3-none-any.whl\", {hash} }}]"),
        ),
        package("repo", &format!("{{ git = \"ssh://git@h/r?subdirectory=a%2Fb&tag=v+1#{COMMIT}\" }}"), ""),
        package(
            "url",
            "{ url = \"https://h/url-1.tar.gz\", subdirectory = \"x\" }",
            &format!("sdist = {{ {hash}, size = 9 }}"),
        ),
        package(
            "whl",
            "{ path = \"whl-1-py3-none-any.whl\" }",
            &format!("wheels = [{{ filename = \"whl-1-py3-none-any.whl\", {hash} }}]"),
        ),
    ];
    let lock = place.read(&demo(&needs(&["dir", "flat", "repo", "url", "whl"]), &rest.concat())).unwrap();
    let sha256 = FileHash::Sha256(HASH.parse().unwrap());
    let file =
        |filename: &str, location, size| LockedFile { filename: filename.into(), location, hash: sha256.clone(), size };
    let at = |path: &str| FileLocation::Path(place.root.join(path));
    let sources: Vec<LockedSource> = lock.packages.iter().map(|package| package.source.clone()).collect();
    assert_eq!(
        sources,
        [
            LockedSource::Virtual { path: place.root.clone() },
            LockedSource::Directory { path: place.root.join("lib/dir") },
            LockedSource::Files {
                files: vec![file("flat-1-py3-none-any.whl", at("links/flat-1-py3-none-any.whl"), None)],
                index: None
            },
            LockedSource::Git { url: "ssh://git@h/r".into(), commit: COMMIT.into(), subdirectory: Some("a/b".into()) },
            LockedSource::Archive {
                file: file("url-1.tar.gz", FileLocation::Url("https://h/url-1.tar.gz".into()), Some(9)),
                subdirectory: Some("x".into()),
            },
            LockedSource::Archive {
                file: file("whl-1-py3-none-any.whl", at("whl-1-py3-none-any.whl"), None),
                subdirectory: None
            },
        ]
    );
}

#[test]
fn follows_an_edge_only_to_one_entry() {
    let place = Place::new();
    let two = entry("a", "1.0", "") + &entry("a", "2.0", "");
    let edge = |more: &str| demo(&format!("dependencies = [{{ name = \"a\"{more} }}]"), &two);
    let none = wanted(&[], &[]);
    assert_eq!(selected(&place, &edge(", version = \"2.0\""), &none), Ok(vec!["a 2.0".to_owned()]));
    let source = format!(", version = \"1.0\", source = {INDEX}");
    assert_eq!(selected(&place, &edge(&source), &none), Ok(vec!["a 1.0".to_owned()]));
    for (text, expected) in [
        (edge(""), "it needs `a`, and several entries match: 1.0, 2.0"),
        (edge(", version = \"3\""), "it needs `a 3`, of which there is no entry"),
        (edge(", version = \"1.0\", source = { editable = \".\" }"), "it needs `a 1.0`, of which there is no entry"),
        (demo(&needs(&["b"]), &two), "it needs `b`, of which there is no entry"),
        (
            edge(", version = \"1.0\", marker = \"os\""),
            "invalid marker `os`: expected a marker variable or a quoted text at character 1",
        ),
    ] {
        assert_eq!(selected(&place, &text, &none), Err(format!("`uv.lock`, demo 1.0: {expected}")));
    }
    let twice = two.clone() + &entry("a", "2.0.0", "");
    assert_eq!(place.refusal(&demo("", &twice)), "`uv.lock`, a 2.0.0: it stands there twice");
    // Both at once: each edge is right, and nothing tells them apart.
    let both = "dependencies = [{ name = \"a\", version = \"1.0\" }, { name = \"a\", version = \"2.0\" }]";
    let expected = "`uv.lock`: several entries of `a` are needed at once: 1.0 (entry 2), 2.0 (entry 3)";
    assert_eq!(selected(&place, &demo(both, &two), &none), Err(expected.to_owned()));
}

#[test]
fn walks_circles_and_never_selects_the_project() {
    let place = Place::new();
    let rest = entry("a", "1.0", "dependencies = [{ name = \"b\" }]")
        + &entry(
            "b",
            "1.0",
            "dependencies = [{ name = \"a\" }, { name = \"demo\", extra = [\"more\"] }, { name = \"b\" }]",
        )
        + &entry("c", "1.0", "");
    let more = "[package.optional-dependencies]\nmore = [{ name = \"c\" }]";
    let text = demo(&format!("{}\n{more}", needs(&["a"])), &rest);
    let expected = ["a 1.0", "b 1.0", "c 1.0"].map(str::to_owned).to_vec();
    assert_eq!(selected(&place, &text, &wanted(&[], &[])), Ok(expected));
}

#[test]
fn reads_thousands_of_entries_and_edges() {
    let place = Place::new();
    let names: Vec<String> = (0..2000).map(|number| format!("p{number}")).collect();
    let mut rest = String::new();
    for (number, name) in names.iter().enumerate() {
        let next = |step: usize| format!("{{ name = \"p{}\" }}", (number + step) % names.len());
        let edges: Vec<String> = (1..20).map(next).collect();
        rest += &entry(name, "1", &format!("dependencies = [{}]", edges.join(", ")));
    }
    let selected = selected(&place, &demo(&needs(&["p0"]), &rest), &wanted(&[], &[])).unwrap();
    assert_eq!(selected.len(), 2000);
}

#[test]
fn evaluates_conflicting_extras_as_a_set() {
    let place = Place::new();
    let conflicts = "conflicts = [[{ package = \"demo\", extra = \"cpu\" }, { package = \"demo\", extra = \"gpu\" }], \
                     [{ package = \"demo\" }, { package = \"demo\", group = \"alone\" }]]\n";
    let needs = "dependencies = [\
        { name = \"a\", version = \"1.0\", marker = \"extra == 'extra-4-demo-cpu'\" }, \
        { name = \"a\", version = \"2.0\", marker = \"extra != 'extra-4-demo-cpu'\" }, \
        { name = \"b\", marker = \"extra == 'extra-4-demo-cpu' and extra == 'group-4-demo-dev'\" }]\n\
        [package.optional-dependencies]\ncpu = []\ngpu = []\n[package.dev-dependencies]\ndev = []\nalone = []";
    let rest = entry("a", "1.0", "") + &entry("a", "2.0", "") + &entry("b", "1", "");
    let text =
        demo(needs, &rest).replace("[[package]]\nname = \"demo\"", &format!("{conflicts}[[package]]\nname = \"demo\""));
    let of = |extras: &[&str], groups: &[&str]| selected(&place, &text, &wanted(extras, groups));
    assert_eq!(of(&[], &[]), Ok(vec!["a 2.0".to_owned()]));
    assert_eq!(of(&["gpu"], &["dev"]), Ok(vec!["a 2.0".to_owned()]));
    assert_eq!(of(&["cpu"], &[]), Ok(vec!["a 1.0".to_owned()]));
    assert_eq!(of(&["cpu"], &["dev"]), Ok(vec!["a 1.0".to_owned(), "b 1".to_owned()]));
    assert_eq!(of(&["cpu", "gpu"], &[]), Err("`uv.lock`: extra `cpu` and extra `gpu` exclude each other".to_owned()));
    let expected = "`uv.lock`: the project itself and group `alone` exclude each other";
    assert_eq!(of(&[], &["alone"]), Err(expected.to_owned()));
    assert_eq!(of(&["more"], &[]), Err("`uv.lock` has no extra `more` (it has: cpu, gpu)".to_owned()));
}

#[test]
fn takes_the_entry_of_the_directory_that_is_packed() {
    let place = Place::new();
    let member = |name: &str, path: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\nsource = {{ editable = \"{path}\" }}\n\n")
    };
    let members = "version = 1\n\n[manifest]\nmembers = [\"one\", \"two\"]\n\n".to_owned();
    let text = members + &member("one", "apps/one") + &member("two", "apps/two");
    let read = |project: Option<&str>, name: Option<&str>| {
        let lock = place.read_for(&text, project, name).map_err(|error| place.message(&error))?;
        Ok::<_, String>(lock.project.map(|index| lock.packages[index.0].name.to_string()))
    };
    assert_eq!(read(Some("apps/two"), None), Ok(Some("two".to_owned())));
    assert_eq!(read(Some("apps/../apps/one"), Some("one")), Ok(Some("one".to_owned())));
    assert_eq!(read(None, Some("two")), Ok(Some("two".to_owned())));
    let expected = "`uv.lock` cannot be read as a lock: it locks several projects (`one`, `two`): say which";
    assert_eq!(read(None, None), Err(expected.to_owned()));
    let expected = "`uv.lock` locks `one`, and what is packed is `other`";
    assert_eq!(read(Some("apps/one"), Some("other")), Err(expected.to_owned()));
    assert_eq!(read(Some("apps"), None), Err("`uv.lock` locks `one`, `two`, and what is packed is `apps`".to_owned()));
    let expected = "`uv.lock` cannot be read as a lock: it holds no project";
    assert_eq!(place.refusal(&format!("version = 1\n\n{}", entry("a", "1", ""))), expected);
}

#[test]
fn a_lock_that_its_project_has_outgrown_is_stale() {
    let place = Place::new();
    let project = "[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n\
                   dependencies = [\"a>=1; python_version < '3.12'\"]\n[project.optional-dependencies]\ncli = [\"b\"]\n\
                   [dependency-groups]\ndev = [\"c\", { include-group = \"more\" }]\nmore = [\"a\"]\n";
    let metadata = "[package.metadata]\nrequires-dist = [{ name = \"a\", marker = \"python_full_version < '3.12'\", \
                    specifier = \">=1\" }, { name = \"b\", marker = \"extra == 'cli'\" }]\nprovides-extras = [\"cli\"]\n\
                    [package.metadata.requires-dev]\ndev = [{ name = \"a\" }, { name = \"c\" }]\nmore = [{ name = \"a\" }]";
    let lock = demo(metadata, "");
    let check = |project: &str| {
        place.write("pyproject.toml", project);
        place.read(&lock).map(drop).map_err(|error| (place.message(&error), error.hint()))
    };
    for (from, to) in [
        ("", ""),
        ("[project]", "# a comment\n[project]\ndescription = \"new\""),
        ("a>=1;", "A  >= 1.0 ;"),
        ("python_version < '3.12'", "python_version <= '3.11'"),
        ("\"c\", { include-group = \"more\" }", "\"a\", \"c\""),
        (">=3.9", ">= 3.9"),
        // Not known before it is built.
        ("dependencies = [\"a>=1; python_version < '3.12'\"]", "dynamic = [\"dependencies\"]"),
    ] {
        assert_eq!(check(&project.replacen(from, to, 1)), Ok(()), "{to}");
    }
    for (from, to, reason) in [
        (
            "a>=1;",
            "a>=2;",
            "`a>=2; python_version < \"3.12\"` is required now, and `a>=1; python_full_version < \"3.12\"` was locked",
        ),
        ("'3.12'\"", "'3.12'\", \"x\"", "`x` is required now, and was not locked"),
        (
            "\"a>=1; python_version < '3.12'\"",
            "",
            "`a>=1; python_full_version < \"3.12\"` was locked, and is not required any more",
        ),
        ("cli = [\"b\"]", "cli = [\"b\"]\nx = []", "extra `x` was not locked"),
        ("cli = [\"b\"]", "", "extra `cli` was locked, and is not there any more"),
        ("\"c\", ", "", "`c` was locked, and is not required any more (group `dev`)"),
        ("more = [\"a\"]", "more = [\"a\"]\nx = []", "group `x` was not locked"),
        ("3.9", "3.10", "`requires-python` is `>=3.10` now, and `>=3.9` was locked"),
        ("\"1.0\"", "\"1.1\"", "its version is 1.1 now, and 1.0 was locked"),
        ("\"demo\"", "\"other\"", "its name is `other` now, and `demo` was locked"),
        (
            "[project]",
            "[tool.uv]\nconstraint-dependencies = [\"x<1\"]\n[project]",
            "`x<1` is required now, and was not locked (constraint)",
        ),
        (
            "[project]",
            "[tool.uv.sources]\nb = { git = \"https://h/b\", tag = \"v1\" }\n[project]",
            "`b @ git+https://h/b?tag=v1; extra == \"cli\"` is required now, and `b; extra == \"cli\"` was locked",
        ),
        ("[project]", "[build-system]\nrequires = []\n[project]", "it is a package now, and was locked as none"),
    ] {
        let changed = project.replacen(from, to, 1);
        let hint = Some("run `uv lock`, then build again".to_owned());
        assert_eq!(check(&changed), Err((format!("`uv.lock` is stale: {reason}"), hint)), "{to}");
    }
}

#[test]
fn what_a_member_requires_counts_where_it_is_needed() {
    let place = Place::new();
    let member = "[[package]]\nname = \"lib\"\nversion = \"1\"\nsource = { editable = \"lib\" }\n[package.metadata]\n\
                  requires-dist = [{ name = \"a\" }]\n\n";
    place.write("pyproject.toml", "[project]\nname = \"demo\"\nversion = \"1.0\"\ndependencies = [\"lib\"]\n");
    let lib =
        |dependency: &str| format!("[project]\nname = \"lib\"\nversion = \"1\"\ndependencies = [\"{dependency}\"]\n");
    let metadata = "[package.metadata]\nrequires-dist = [{ name = \"lib\" }]";
    let needed = demo(&format!("{}\n{metadata}", needs(&["lib"])), member).replace("requires-python = \">=3.9\"\n", "");
    place.write("lib/pyproject.toml", &lib("a"));
    assert!(place.read(&needed).is_ok());
    place.write("lib/pyproject.toml", &lib("b"));
    let expected = "`uv.lock` is stale: in `lib`, `b` is required now, and was not locked";
    assert_eq!(place.refusal(&needed), expected);
    assert!(place.read(&needed.replace(&needs(&["lib"]), "")).is_ok());
}

#[test]
fn a_script_needs_what_its_manifest_says() {
    let place = Place::new();
    let text = format!(
        "version = 1\n\n[manifest]\nrequirements = [{{ name = \"a\", extras = [\"x\"], marker = \"sys_platform == 'linux'\" }}]\n\n{}{}{}",
        entry("a", "1.0", "resolution-markers = [\"python_full_version < '3.11'\"]"),
        entry(
            "a",
            "2.0",
            "resolution-markers = [\"python_full_version >= '3.12'\", \"python_full_version == '3.11.*'\"]\n\
              [package.optional-dependencies]\nx = [{ name = \"b\" }]"
        ),
        entry("b", "1.0", ""),
    );
    let read = |text: &str| {
        let path = place.write("tool.py.lock", text);
        Lock::read(&path, Context { project: Some(&place.root), name: None })
    };
    let lock = read(&text).unwrap();
    let names = |python| -> Vec<String> {
        let target = target(python, "manylinux_2_28_x86_64");
        lock.select(&target, &wanted(&[], &[])).unwrap().iter().map(|one| one.package.entry()).collect()
    };
    assert_eq!(names("3.10"), ["a 1.0"]);
    assert_eq!(names("3.11"), ["a 2.0", "b 1.0"]);
    assert_eq!(names("3.13"), ["a 2.0", "b 1.0"]);
    let refused = |text: &str| read(text).map(drop).map_err(|error| place.message(&error));
    assert_eq!(
        refused(&text.replace("{ name = \"a\", extras", "{ name = \"q\", extras")),
        Err("`tool.py.lock`, the manifest: it needs `q`, of which there is no entry".to_owned())
    );
    assert_eq!(
        refused(&text.replace("resolution-markers = [\"python_full_version < '3.11'\"]", "")),
        Err("`tool.py.lock`, the manifest: it needs `a`, and several entries match: 1.0, 2.0".to_owned())
    );
}
