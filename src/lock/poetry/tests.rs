//! Locks made on the spot: each refusal, and the same lock made right.

use std::path::PathBuf;

use super::*;
use crate::lock::{Choice, Wanted};
use crate::status::Explain;
use crate::target::{MarkerEnvironment, PythonAbi, PythonMinor, Target};

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const COMMIT: &str = "644966ae4a0c29d57665d3d5ff8ce041be246472";

struct Place {
    directory: tempfile::TempDir,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        Self { directory, root }
    }

    fn read(&self, lock: &str, project: Option<&str>) -> Result<Lock, LockError> {
        assert!(self.directory.path().exists());
        let path = self.root.join("poetry.lock");
        std::fs::write(&path, lock).unwrap();
        if let Some(project) = project {
            std::fs::write(self.root.join("pyproject.toml"), project).unwrap();
        }
        Lock::read(&path, Context { project: project.map(|_| self.root.as_path()), name: None })
    }
}

/// The lock of a project, with the digest that fits it.
fn lock(version: &str, packages: &str, project: &str) -> String {
    let reckoning = if version == "2.0" { Reckoning::One } else { Reckoning::TwoWithGroups };
    let hash = content_hash(&project.parse().unwrap(), reckoning);
    format!(
        "{packages}\n[metadata]\nlock-version = \"{version}\"\npython-versions = \"^3.9\"\ncontent-hash = \"{hash}\"\n"
    )
}

/// An entry with one wheel; `rest` are more lines of it.
fn package(name: &str, version: &str, rest: &str) -> String {
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\noptional = false\npython-versions = \">=3.8\"\n\
         files = [{{file = \"{name}-{version}-py3-none-any.whl\", hash = \"sha256:{DIGEST}\"}}]\n{rest}\n"
    )
}

const MAIN_GROUP: &str = "groups = [\"main\"]";

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
    let linux = "manylinux_2_28_x86_64".parse().unwrap();
    let base = Target::new(PythonMinor::new(3, 11), PythonAbi::default(), environment, linux);
    base.overridden(Some(python.parse().unwrap()), Some(&platform.parse().unwrap()))
}

/// What is selected on Linux, or the message.
fn selected(
    lock: &Lock,
    python: &str,
    platform: &str,
    extras: &[&str],
    groups: &[&str],
) -> Result<Vec<String>, String> {
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let wanted = Wanted { extras: names(extras), groups: names(groups) };
    let selected = lock.select(&target(python, platform), &wanted).map_err(|error| error.to_string())?;
    assert!(selected.iter().all(|one| !matches!(one.choice, Choice::Digests)));
    Ok(selected.iter().map(|one| one.package.entry()).collect())
}

const LINUX: &str = "manylinux_2_28_x86_64";

/// The message of reading 2.1 entries without a project, with the directory left out.
fn refusal(packages: &str) -> String {
    let place = Place::new();
    let error = place.read(&lock("2.1", packages, ""), None).unwrap_err();
    error.to_string().replace(&format!("{}/", place.root.display()), "")
}

fn accepted(packages: &str) -> Lock {
    Place::new().read(&lock("2.1", packages, ""), None).unwrap()
}

#[test]
fn refuses_other_versions() {
    let place = Place::new();
    for version in ["1.1", "2.2", "3.0", "2", ""] {
        let error = place.read(&lock(version, "", ""), None).unwrap_err();
        let path = place.root.join("poetry.lock");
        let message = format!("`{}` has lock version {version}, which is not known (known: 2.0, 2.1)", path.display());
        assert_eq!(error.to_string(), message);
    }
    assert!(place.read(&lock("2.1", "", ""), None).is_ok());
    for (text, reason) in [
        ("", "`metadata` is missing"),
        ("[metadata]", "`metadata.lock-version` is missing"),
        ("metadata = 1", "`metadata`: found integer `1`, expected a table"),
    ] {
        let error = place.read(text, None).unwrap_err();
        let path = place.root.join("poetry.lock");
        assert_eq!(error.to_string(), format!("`{}` cannot be read as a lock: {reason}", path.display()));
    }
}

#[test]
fn refuses_a_stale_lock() {
    let place = Place::new();
    let project = "[tool.poetry.dependencies]\npython = \"^3.9\"\na = \"1\"\n";
    for version in ["2.0", "2.1"] {
        let text = lock(version, &package("a", "1.0", MAIN_GROUP), project);
        assert!(place.read(&text, Some(&format!("# the same\n{project}"))).is_ok());
        let changed = project.replace("\"1\"", "\"2\"");
        let error = place.read(&text, Some(&changed)).unwrap_err();
        let reckoning = if version == "2.0" { Reckoning::One } else { Reckoning::TwoWithGroups };
        let hash = |text: &str| content_hash(&text.parse().unwrap(), reckoning);
        let message = format!(
            "`{}` is stale: `pyproject.toml` has changed since (content hash {}, the lock's is {})",
            place.root.join("poetry.lock").display(),
            hash(&changed),
            hash(project)
        );
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().as_deref(), Some("run `poetry lock`, then build again"));
    }
}

#[test]
fn the_oldest_version_needs_the_project() {
    let place = Place::new();
    let project = "[tool.poetry.dependencies]\npython = \"^3.9\"\na = \"1\"\n";
    let text = lock("2.0", &package("a", "1.0", ""), project);
    let error = place.read(&text, None).unwrap_err();
    let message = format!(
        "`{}` cannot be read as a lock: a lock of version 2.0 does not say what the project requires, and there is no \
         pyproject.toml that does; Poetry 2 writes locks that do",
        place.root.join("poetry.lock").display()
    );
    assert_eq!(error.to_string(), message);
    let read = place.read(&text, Some(project)).unwrap();
    assert_eq!(selected(&read, "3.11", LINUX, &[], &[]), Ok(vec!["a 1.0".to_owned()]));
}

#[test]
fn refuses_entries_by_name() {
    let file = |file: &str| format!("[[package]]\nname = \"a\"\nversion = \"1.0\"\n{MAIN_GROUP}\nfiles = [{file}]\n");
    let source = |source: &str| package("a", "1.0", &format!("{MAIN_GROUP}\n[package.source]\n{source}"));
    let git = |url: &str, commit: &str| {
        source(&format!("type = \"git\"\nurl = \"{url}\"\nreference = \"v1\"\nresolved_reference = \"{commit}\""))
    };
    let short = &COMMIT[..7];
    let cases = [
        (file("{hash = \"sha256:00\"}"), "`package[0].files[0].file` is missing"),
        (file("{file = \"a.whl\", hash = \"sha256:00\"}"), "`sha256:00` is not a sha256 hash"),
        (file("{file = \"a.whl\", hash = \"00\"}"), "`00` is not a sha256 hash"),
        (
            file(&format!("{{file = \"../a-1.0.tar.gz\", hash = \"sha256:{DIGEST}\"}}")),
            "`../a-1.0.tar.gz` is the name of neither a wheel nor a source distribution",
        ),
        (
            file(&format!("{{file = \"a-1.0.exe\", hash = \"sha256:{DIGEST}\"}}")),
            "`a-1.0.exe` is the name of neither a wheel nor a source distribution",
        ),
        (package("a", "1.0", ""), "`package[0].groups` is missing"),
        (
            package("a", "1.0", &format!("{MAIN_GROUP}\nmarkers = \"python_version > 3\"")),
            "invalid marker `python_version > 3`: expected a quoted text at character 18",
        ),
        (
            package("a", "1.0", &format!("{MAIN_GROUP}\nmarkers = \"extra in 'a b'\"")),
            "`extra in \"a b\"`: `extra` can only be compared with `==` and `!=`",
        ),
        (git("https://git.example/a.git", short), "`644966a` is not a whole commit (40 or 64 hexadecimal digits)"),
        (git("ext::sh -c x", COMMIT), "`ext::sh -c x` is neither an https nor an ssh URL of a repository"),
        (
            git("https://user:secret@-x/a", COMMIT),
            "`https://****@-x/a` cannot be a repository's: a host does not begin with `-`, a URL has no blanks",
        ),
        (source("type = \"directory\"\nurl = \"../b\""), "`../b` is outside of the project"),
        (source("type = \"file\"\nurl = \"/etc/a-1.0.tar.gz\""), "`/etc/a-1.0.tar.gz` is outside of the project"),
        (
            source("type = \"url\"\nurl = \"ftp://files.example/a-1.0.tar.gz\""),
            "`ftp://files.example/a-1.0.tar.gz` is neither an http nor an https URL",
        ),
        (source("type = \"legacy\"\nurl = \"file:///x\""), "`file:///x` is neither an http nor an https URL"),
        (
            source("type = \"svn\"\nurl = \"https://x\""),
            "`package[0].source.type`: `svn`, expected legacy, git, url, file or directory",
        ),
    ];
    for (packages, fault) in cases {
        assert_eq!(refusal(&packages), format!("`poetry.lock`, a 1.0: {fault}"));
    }
    let twins = [
        file(&format!("{{file = \"a-1.0.tar.gz\", hash = \"sha256:{DIGEST}\"}}")),
        package("a", "1.0", &format!("{MAIN_GROUP}\nmarkers = \"python_version > '3'\"")),
        git("https://git.example/a.git", COMMIT),
        git("git@git.example:a/b.git", COMMIT),
        source("type = \"directory\"\nurl = \"b\""),
        source("type = \"file\"\nurl = \"dist/a-1.0-py3-none-any.whl\""),
        source("type = \"url\"\nurl = \"https://files.example/a-1.0-py3-none-any.whl\""),
        source("type = \"legacy\"\nurl = \"https://index.example/simple\"\nreference = \"x\""),
    ];
    for packages in twins {
        assert_eq!(selected(&accepted(&packages), "3.11", LINUX, &[], &[]), Ok(vec!["a 1.0".to_owned()]), "{packages}");
    }
}

#[test]
fn a_file_that_is_taken_has_a_sha256() {
    let text = |hash: &str| {
        let file = format!("{{file = \"a-1.0-py3-none-any.whl\"{hash}}}");
        format!("[[package]]\nname = \"a\"\nversion = \"1.0\"\n{MAIN_GROUP}\nfiles = [{file}]\n")
    };
    let fault = |hash: &str| {
        let message = selected(&accepted(&text(hash)), "3.11", LINUX, &[], &[]).unwrap_err();
        message.split_once(", a 1.0: ").unwrap().1.to_owned()
    };
    assert_eq!(fault(""), "`a-1.0-py3-none-any.whl` has no hash");
    assert_eq!(fault(", hash = \"md5:00\""), "`a-1.0-py3-none-any.whl` has no sha256 hash, only md5");
    let right = accepted(&text(&format!(", hash = \"sha256:{DIGEST}\"")));
    assert_eq!(selected(&right, "3.11", LINUX, &[], &[]), Ok(vec!["a 1.0".to_owned()]));
}

#[test]
fn sources_become_what_they_say() {
    let place = Place::new();
    let source = |name: &str, source: &str| package(name, "1.0", &format!("{MAIN_GROUP}\n[package.source]\n{source}"));
    let packages = [
        source(
            "a",
            &format!(
                "type = \"git\"\nurl = \"git@git.example:x/a.git\"\nresolved_reference = \"{COMMIT}\"\nsubdirectory = \"p/a\""
            ),
        ),
        source("b", "type = \"directory\"\nurl = \"libs/b\""),
        source("c", "type = \"url\"\nurl = \"https://files.example/c-1.0-py3-none-any.whl\""),
        source("d", "type = \"legacy\"\nurl = \"https://user:secret@index.example/simple\"\nreference = \"x\""),
        source("e", "type = \"file\"\nurl = \"dist/e-1.0-py3-none-any.whl\""),
    ];
    let read = place.read(&lock("2.1", &packages.concat(), ""), None).unwrap();
    let hash = FileHash::Sha256(DIGEST.parse().unwrap());
    let file = |name: &str, location| LockedFile {
        filename: format!("{name}-1.0-py3-none-any.whl"),
        location,
        hash: hash.clone(),
        size: None,
    };
    let url = FileLocation::Url("https://files.example/c-1.0-py3-none-any.whl".to_owned());
    let path = FileLocation::Path(place.root.join("dist/e-1.0-py3-none-any.whl"));
    let expected = [
        LockedSource::Git {
            url: "ssh://git@git.example/x/a.git".to_owned(),
            commit: COMMIT.to_owned(),
            subdirectory: Some(PathBuf::from("p/a")),
        },
        LockedSource::Directory { path: place.root.join("libs/b") },
        LockedSource::Archive { file: file("c", url), subdirectory: None },
        LockedSource::Files {
            files: vec![file("d", FileLocation::Index)],
            index: Some("https://index.example/simple".to_owned()),
        },
        LockedSource::Archive { file: file("e", path), subdirectory: None },
    ];
    assert_eq!(read.packages.into_iter().map(|package| package.source).collect::<Vec<_>>(), expected);
}

#[test]
fn extras_may_exclude_each_other() {
    let torch =
        |version: &str, marker: &str| package("torch", version, &format!("{MAIN_GROUP}\nmarkers = \"{marker}\""));
    let packages = [
        torch("1.0", "extra == 'cpu' and extra != 'cuda'"),
        torch("2.0", "extra == 'cuda' and extra != 'cpu'"),
        "[extras]\ncpu = [\"torch\"]\ncuda = [\"torch\"]\n".to_owned(),
    ];
    let read = accepted(&packages.concat());
    let select = |extras: &[&str]| selected(&read, "3.11", LINUX, extras, &[]).unwrap();
    assert_eq!(select(&["cpu"]), ["torch 1.0"]);
    assert_eq!(select(&["cuda"]), ["torch 2.0"]);
    assert_eq!(select(&["cpu", "cuda"]), <[String; 0]>::default());
    assert_eq!(select(&[]), <[String; 0]>::default());
    let error = selected(&read, "3.11", LINUX, &["rocm"], &[]).unwrap_err();
    assert!(error.ends_with("has no extra `rocm` (it has: cpu, cuda)"), "{error}");
}

#[test]
fn markers_differ_by_group() {
    let rest = "groups = [\"main\", \"Dev\"]\nmarkers = {main = \"sys_platform == 'win32'\"}";
    let read = accepted(&package("a", "1.0", rest));
    assert_eq!(selected(&read, "3.11", LINUX, &[], &[]), Ok(Vec::new()));
    assert_eq!(selected(&read, "3.11", LINUX, &[], &["dev"]), Ok(vec!["a 1.0".to_owned()]));
    assert_eq!(selected(&read, "3.11", "win_amd64", &[], &[]), Ok(vec!["a 1.0".to_owned()]));
}

#[test]
fn pythons_in_several_ranges_are_environments() {
    let place = Place::new();
    let text = lock("2.1", "", "").replace("^3.9", "~3.8 || >=3.11");
    let read = place.read(&text, None).unwrap();
    assert_eq!(selected(&read, "3.8", LINUX, &[], &[]), Ok(Vec::new()));
    assert_eq!(selected(&read, "3.12", LINUX, &[], &[]), Ok(Vec::new()));
    assert_eq!(
        selected(&read, "3.9", LINUX, &[], &[]),
        Err(format!(
            "`{}` is not for CPython 3.9 on {LINUX}: none of its environments is (python_version >= \"3.8\" and \
             python_version < \"3.9\"; python_version >= \"3.11\")",
            place.root.join("poetry.lock").display()
        ))
    );
}

const GRAPH: &str = r#"
[tool.poetry.dependencies]
python = "^3.9"
app = "^1"
num = [
    {version = "^1", markers = "sys_platform == 'win32'"},
    {version = "^2", markers = "sys_platform != 'win32'"},
]
opt = {version = "*", optional = true}

[tool.poetry.extras]
more = ["opt"]

[tool.poetry.group.test.dependencies]
check = "*"
"#;

fn graph(app: &str) -> String {
    let packages = [
        package("app", "1.0", app),
        package("check", "1.0", ""),
        package("num", "1.5", ""),
        package("num", "2.5", ""),
        package("opt", "1.0", ""),
        package("plus", "1.0", ""),
        "[extras]\nmore = [\"opt\"]\n".to_owned(),
    ];
    lock("2.0", &packages.concat(), GRAPH)
}

#[test]
fn follows_the_graph() {
    let app = "[package.dependencies]\nnum = \">=1\"\nplus = {version = \"*\", optional = true, markers = \"extra == 'x'\"}\n\
               gone = {version = \"*\", markers = \"python_version < '3.8'\"}\n[package.extras]\nx = [\"plus (>=1)\"]\n";
    let place = Place::new();
    let read = place.read(&graph(app), Some(GRAPH)).unwrap();
    let select =
        |platform: &str, extras: &[&str], groups: &[&str]| selected(&read, "3.11", platform, extras, groups).unwrap();
    assert_eq!(select(LINUX, &[], &[]), ["app 1.0", "num 2.5"]);
    assert_eq!(select("win_amd64", &[], &[]), ["app 1.0", "num 1.5"]);
    assert_eq!(select(LINUX, &["more"], &["test"]), ["app 1.0", "check 1.0", "num 2.5", "opt 1.0"]);
    let with_extra = GRAPH.replace("app = \"^1\"", "app = {version = \"^1\", extras = [\"x\"]}");
    let hash = |text: &str| content_hash(&text.parse().unwrap(), Reckoning::One).to_string();
    let text = graph(app).replace(&hash(GRAPH), &hash(&with_extra));
    let read = place.read(&text, Some(&with_extra)).unwrap();
    assert_eq!(selected(&read, "3.11", LINUX, &[], &[]).unwrap(), ["app 1.0", "num 2.5", "plus 1.0"]);
}

#[test]
fn refuses_what_the_graph_leaves_open() {
    let place = Place::new();
    let refusal = |app: &str| {
        let error = place.read(&graph(app), Some(GRAPH)).unwrap_err().to_string();
        error.replace(&format!("{}/", place.root.display()), "")
    };
    let dangling = "`poetry.lock`, app 1.0: it needs `gone`, of which there is no entry";
    assert_eq!(refusal("[package.dependencies]\ngone = \"*\"\n"), dangling);
    let dangling = "`poetry.lock`, app 1.0: it needs `num`, of which there is no entry";
    assert_eq!(refusal("[package.dependencies]\nnum = \">=3\"\n"), dangling);
    let open = "`poetry.lock`, app 1.0: it needs `num`, and several entries match: 2.5, 1.5";
    let app = "[package.dependencies]\nnum = \">=1\"\n";
    let unclear = GRAPH.replace("sys_platform == 'win32'", "platform_release >= '5'");
    let hash = |text: &str| content_hash(&text.parse().unwrap(), Reckoning::One).to_string();
    let text = graph(app).replace(&hash(GRAPH), &hash(&unclear));
    let error = place.read(&text, Some(&unclear)).unwrap_err().to_string();
    assert_eq!(error.replace(&format!("{}/", place.root.display()), ""), open);
    assert!(place.read(&graph(app), Some(GRAPH)).is_ok());
    let bad = "`poetry.lock`, app 1.0: its dependency `num`: `x` is no version constraint";
    assert_eq!(refusal("[package.dependencies]\nnum = \"x\"\n"), bad);
}

/// Every value of the table in turn replaced by one of another kind.
fn mutants(value: &Value) -> Vec<Value> {
    let mut mutants = vec![
        Value::Integer(-1),
        Value::String("\u{0}../é||".to_owned()),
        Value::Array(vec![Value::Boolean(true)]),
        Value::Table(Table::new()),
    ];
    match value {
        Value::Table(table) => {
            for (key, inner) in table {
                mutants.extend(self::mutants(inner).into_iter().map(|mutant| {
                    let mut table = table.clone();
                    table.insert(key.clone(), mutant);
                    Value::Table(table)
                }));
            }
        }
        Value::Array(array) => {
            for (index, inner) in array.iter().enumerate() {
                mutants.extend(self::mutants(inner).into_iter().map(|mutant| {
                    let mut array = array.clone();
                    array[index] = mutant;
                    Value::Array(array)
                }));
            }
        }
        _ => {}
    }
    mutants
}

#[test]
fn no_input_panics() {
    let app = "[package.dependencies]\nnum = {version = \">=1\", extras = [\"x\"], optional = true, python = \"^3.8\", \
               platform = \"win32\"}\n[package.extras]\nx = [\"num[x] (>=1)\", \"app[x]\"]\n";
    let source = format!(
        "{MAIN_GROUP}\n[package.source]\ntype = \"git\"\nurl = \"https://git.example/a\"\nresolved_reference = \"{COMMIT}\"\n"
    );
    let (old, new) = (graph(app), lock("2.1", &package("a", "1.0", &source), GRAPH));
    let place = Place::new();
    let mut read = 0;
    for text in [&old, &new] {
        for mutant in mutants(&Value::Table(text.parse().unwrap())) {
            let Value::Table(table) = mutant else { continue };
            if let Ok(lock) = place.read(&table.to_string(), Some(GRAPH)) {
                let _ = lock.select(&target("3.11", LINUX), &Wanted::default());
                read += 1;
            }
        }
        for end in (0..text.len()).step_by(7) {
            let _ = place.read(text.get(..end).unwrap_or_default(), Some(GRAPH));
        }
    }
    assert!(read > 20, "{read}");
    for mutant in mutants(&Value::Table(GRAPH.parse().unwrap())) {
        let Value::Table(project) = mutant else { continue };
        let hash = content_hash(&project, Reckoning::One).to_string();
        let text = old.replace(&content_hash(&GRAPH.parse().unwrap(), Reckoning::One).to_string(), &hash);
        let _ = place.read(&text, Some(&project.to_string()));
    }
}
