//! Locks made on the spot: each refusal, and the same lock made right.

use std::path::PathBuf;

use super::*;
use crate::lock::Wanted;
use crate::status::Explain;
use crate::target::{MarkerEnvironment, PythonAbi, PythonMinor, Target};

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const COMMIT: &str = "644966ae4a0c29d57665d3d5ff8ce041be246472";
const LINUX: &str = "manylinux_2_28_x86_64";
const DEFAULT_GROUP: &str = "groups = [\"default\"]";
const ANY: &str = "[[metadata.targets]]\nrequires_python = \">=3.9\"\n";

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
        let path = self.root.join("pdm.lock");
        std::fs::write(&path, lock).unwrap();
        if let Some(project) = project {
            std::fs::write(self.root.join("pyproject.toml"), project).unwrap();
        }
        Lock::read(&path, Context { project: project.map(|_| self.root.as_path()), name: None })
    }

    /// The message, with the directory left out.
    fn refusal(&self, lock: &str, project: Option<&str>) -> String {
        let error = self.read(lock, project).unwrap_err();
        error.to_string().replace(&format!("{}/", self.root.display()), "")
    }
}

fn lock(targets: &str, packages: &str, project: &str) -> String {
    let hash = content_hashes(&project.parse().unwrap())[0];
    format!(
        "[metadata]\ngroups = [\"default\", \"extra\", \"dev\"]\nstrategy = [\"inherit_metadata\"]\n\
         lock_version = \"4.5.1\"\ncontent_hash = \"sha256:{hash}\"\n{targets}\n{packages}"
    )
}

fn package(name: &str, version: &str, rest: &str) -> String {
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nrequires_python = \">=3.8\"\n{rest}\n\
         files = [{{file = \"{name}-{version}-py3-none-any.whl\", hash = \"sha256:{DIGEST}\"}}]\n"
    )
}

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
    let base = Target::new(PythonMinor::new(3, 11), PythonAbi::default(), environment, LINUX.parse().unwrap());
    base.overridden(Some(python.parse().unwrap()), Some(&platform.parse().unwrap()))
}

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
    Ok(selected.iter().map(|one| one.package.entry()).collect())
}

#[test]
fn refuses_other_versions_and_strategies() {
    let place = Place::new();
    let right = lock(ANY, "", "");
    assert!(place.read(&right, None).is_ok());
    assert!(place.read(&right.replace("4.5.1", "4.4.1"), None).is_ok());
    for version in ["4.3", "4.6.0", "5.0", "x"] {
        let message = format!("`pdm.lock` has lock version {version}, which is not known (known: 4.4, 4.5)");
        assert_eq!(place.refusal(&right.replace("4.5.1", version), None), message);
    }
    assert_eq!(
        place.refusal(&right.replace("inherit_metadata", "cross_platform"), None),
        "`pdm.lock` cannot be read as a lock: it was made without the strategy `inherit_metadata` and does not say for \
         which groups and where a package is needed; `pdm lock -S inherit_metadata` makes one that does"
    );
    let single = lock("", "", "").replace("4.5.1", "4.4.1");
    assert_eq!(
        place.refusal(&single, None),
        "`pdm.lock` cannot be read as a lock: it was made for the machine that it was made on, and does not say which; \
         `pdm lock` of PDM 2.17 or newer makes one that does"
    );
    let cross = single.replace("\"inherit_metadata\"", "\"cross_platform\", \"inherit_metadata\"");
    assert!(place.read(&cross, None).is_ok());
}

#[test]
fn refuses_a_stale_lock() {
    let place = Place::new();
    let project = "[project]\nname = \"a\"\ndependencies = [\"b\"]\n";
    let text = lock(ANY, "", project);
    assert!(place.read(&text, Some(&project.replace("\"a\"", "\"c\""))).is_ok());
    let changed = project.replace("\"b\"", "\"c\"");
    let hash = |text: &str| content_hashes(&text.parse().unwrap())[0];
    let message = format!(
        "`pdm.lock` is stale: `pyproject.toml` has changed since (content hash sha256:{}, the lock's is sha256:{})",
        hash(&changed),
        hash(project)
    );
    assert_eq!(place.refusal(&text, Some(&changed)), message);
    let error = place.read(&text, Some(&changed)).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("run `pdm lock`, then build again"));
    let without = text.replace("content_hash", "other");
    assert_eq!(
        place.refusal(&without, Some(project)),
        "`pdm.lock` cannot be read as a lock: `metadata.content_hash` is missing, and so whether it is stale cannot be told"
    );
    assert!(place.read(&without, None).is_ok());
    assert_eq!(
        place.refusal(&text, Some(&format!("{project}[tool.pdm.workspace]\nmembers = [\"x\"]\n"))),
        "`pdm.lock` cannot be read as a lock: it is a PDM workspace's, and whether it is stale cannot be told"
    );
}

#[test]
fn refuses_entries_by_name() {
    let place = Place::new();
    let entry = |rest: &str| format!("[[package]]\nname = \"a\"\nversion = \"1.0\"\n{DEFAULT_GROUP}\n{rest}\n");
    let git = |url: &str, rest: &str| entry(&format!("git = \"{url}\"\n{rest}"));
    let revision = |revision: &str| format!("revision = \"{revision}\"");
    let cases = [
        ("[[package]]\nname = \"a\"\nversion = \"1.0\"\n".to_owned(), "`package[0].groups` is missing"),
        (
            entry("marker = \"os_name\""),
            "invalid marker `os_name`: expected one of <=, <, !=, ==, >=, >, ~=, ===, in, not in at character 8",
        ),
        (entry("hg = \"https://x\""), "a `hg` repository, and only git ones can be fetched"),
        (git("https://git.example/a.git", ""), "`revision` is missing (PDM writes none for what is editable)"),
        (
            git("https://git.example/a.git", &revision("v1.0")),
            "`v1.0` is not a whole commit (40 or 64 hexadecimal digits)",
        ),
        (
            git("git://git.example/a.git", &revision(COMMIT)),
            "`git://git.example/a.git` is neither an https nor an ssh URL of a repository",
        ),
        (entry("path = \"../a\""), "`../a` is outside of the project"),
        (entry("url = \"file:///${PROJECT_ROOT}/../a\""), "`./../a` is outside of the project"),
        (entry("url = \"file:///etc/a-1.0.tar.gz\""), "`file:///etc/a-1.0.tar.gz` is neither an http nor an https URL"),
        (
            entry("files = [{url = \"ftp://files.example/a-1.0.tar.gz\"}]"),
            "`ftp://files.example/a-1.0.tar.gz` is neither an http nor an https URL",
        ),
        (
            entry("files = [{url = \"https://files.example/a%2F..%2Fb.whl\"}]"),
            "`a/../b.whl` is the name of neither a wheel nor a source distribution",
        ),
        (entry("files = [{file = \"a-1.0.tar.gz\", hash = \"sha256:1\"}]"), "`sha256:1` is not a sha256 hash"),
        (entry("files = [{}]"), "`package[0].files.file` is missing"),
    ];
    for (packages, fault) in cases {
        assert_eq!(place.refusal(&lock(ANY, &packages, ""), None), format!("`pdm.lock`, a 1.0: {fault}"));
    }
    let hash = format!("hash = \"sha256:{DIGEST}\"");
    let twins = [
        entry(&format!("marker = \"os_name == 'posix'\"\nfiles = [{{file = \"a-1.0.tar.gz\", {hash}}}]")),
        git("https://git.example/a.git", &revision(COMMIT)),
        entry("path = \"./a\""),
        entry("url = \"file:///${PROJECT_ROOT}/a\""),
        entry(&format!("url = \"https://files.example/a-1.0.tar.gz\"\nfiles = [{{file = \"a-1.0.tar.gz\", {hash}}}]")),
        entry(&format!("files = [{{url = \"https://files.example/a-1.0.tar.gz\", {hash}}}]")),
    ];
    for packages in twins {
        let read = place.read(&lock(ANY, &packages, ""), None).unwrap();
        assert_eq!(selected(&read, "3.11", LINUX, &[], &[]), Ok(vec!["a 1.0".to_owned()]), "{packages}");
    }
    let weak = entry("files = [{file = \"a-1.0.tar.gz\", hash = \"md5:1\"}]");
    let read = place.read(&lock(ANY, &weak, ""), None).unwrap();
    let message = selected(&read, "3.11", LINUX, &[], &[]).unwrap_err();
    assert!(message.ends_with(", a 1.0: `a-1.0.tar.gz` has no sha256 hash, only md5"), "{message}");
}

#[test]
fn an_entry_with_extras_is_no_other_package() {
    let place = Place::new();
    let marker = "marker = \"python_version >= '3.10'\"";
    let packages = [
        package("a", "1.0", "groups = [\"default\"]"),
        package("a", "1.0", &format!("extras = [\"x\"]\ngroups = [\"dev\"]\n{marker}")),
        package("b", "1.0", &format!("{DEFAULT_GROUP}\nmarker = \"python_version < '3.10'\"")),
        package("b", "2.0", &format!("{DEFAULT_GROUP}\n{marker}")),
    ];
    let read = place.read(&lock(ANY, &packages.concat(), ""), None).unwrap();
    assert_eq!(read.packages.len(), 3);
    assert_eq!(selected(&read, "3.11", LINUX, &[], &["dev"]).unwrap(), ["a 1.0", "b 2.0"]);
    assert_eq!(selected(&read, "3.9", LINUX, &[], &["dev"]).unwrap(), ["a 1.0", "b 1.0"]);
    let both = packages.concat().replace("python_version < '3.10'", "python_version < '4'");
    let read = place.read(&lock(ANY, &both, ""), None).unwrap();
    let message = selected(&read, "3.11", LINUX, &[], &[]).unwrap_err();
    assert!(message.ends_with("several entries of `b` are needed at once: 1.0 (entry 2), 2.0 (entry 3)"), "{message}");
}

#[test]
fn the_project_tells_extras_from_groups() {
    let place = Place::new();
    let packages = [package("a", "1.0", "groups = [\"extra\"]"), package("b", "1.0", "groups = [\"dev\"]")].concat();
    let project = "[project]\nname = \"p\"\n[project.optional-dependencies]\nextra = [\"a\"]\n[dependency-groups]\ndev = [\"b\"]\n";
    let read = place.read(&lock(ANY, &packages, project), Some(project)).unwrap();
    assert_eq!(selected(&read, "3.11", LINUX, &["extra"], &["dev"]).unwrap(), ["a 1.0", "b 1.0"]);
    let message = selected(&read, "3.11", LINUX, &["dev"], &[]).unwrap_err();
    assert!(message.ends_with("has no extra `dev` (it has: extra)"), "{message}");
    let read = place.read(&lock(ANY, &packages, ""), None).unwrap();
    assert_eq!(selected(&read, "3.11", LINUX, &["extra"], &[]).unwrap(), ["a 1.0"]);
    assert_eq!(selected(&read, "3.11", LINUX, &[], &["extra", "dev"]).unwrap(), ["a 1.0", "b 1.0"]);
}

#[test]
fn targets_are_environments() {
    let place = Place::new();
    let two = "[[metadata.targets]]\nrequires_python = \">=3.10\"\nplatform = \"manylinux_2_17_x86_64\"\n\
               [[metadata.targets]]\nrequires_python = \">=3.11\"\nplatform = \"windows_amd64\"\nimplementation = \"cpython\"\n";
    let read = place.read(&lock(two, "", ""), None).unwrap();
    let environments: Vec<String> = read.environments.iter().map(ToString::to_string).collect();
    assert_eq!(
        environments,
        [
            "sys_platform == \"linux\" and platform_machine == \"x86_64\" and python_version >= \"3.10\"",
            "sys_platform == \"win32\" and platform_machine == \"AMD64\" and implementation_name == \"cpython\" and \
         python_version >= \"3.11\"",
        ]
    );
    assert!(selected(&read, "3.10", LINUX, &[], &[]).is_ok());
    assert!(selected(&read, "3.10", "win_amd64", &[], &[]).is_err());
    assert!(selected(&read, "3.11", "win_amd64", &[], &[]).is_ok());
    assert!(selected(&read, "3.11", "macosx_14_0_arm64", &[], &[]).is_err());
    for (platform, machine) in [
        ("linux", "sys_platform == \"linux\" and platform_machine == \"x86_64\""),
        ("musllinux_1_2_aarch64", "sys_platform == \"linux\" and platform_machine == \"aarch64\""),
        ("macos_14_0_arm64", "sys_platform == \"darwin\" and platform_machine == \"arm64\""),
        ("macos_x86_64", "sys_platform == \"darwin\" and platform_machine == \"x86_64\""),
        ("windows_x86", "sys_platform == \"win32\" and platform_machine == \"x86\""),
    ] {
        assert_eq!(platform_marker(platform).map(|marker| marker.to_string()).as_deref(), Some(machine));
    }
    let odd = two.replace("windows_amd64", "amiga_m68k");
    assert_eq!(
        place.refusal(&lock(&odd, "", ""), None),
        "`pdm.lock` cannot be read as a lock: `metadata.targets[1].platform`: `amiga_m68k` is not known"
    );
    let python = place.read(&lock(ANY, "", ""), None).unwrap();
    let message = selected(&python, "3.8", LINUX, &[], &[]).unwrap_err();
    assert!(message.ends_with("pdm.lock` is for Python >=3.9, the target is Python 3.8"), "{message}");
}

#[test]
fn no_input_panics() {
    let rest = format!("extras = [\"x\"]\nmarker = \"os_name == 'nt'\"\n{DEFAULT_GROUP}\nsubdirectory = \"x\"");
    let git = format!(
        "[[package]]\nname = \"g\"\nversion = \"1\"\n{DEFAULT_GROUP}\ngit = \"https://x/y\"\nrevision = \"{COMMIT}\"\n"
    );
    let target_line =
        "[[metadata.targets]]\nrequires_python = \">=3.9\"\nplatform = \"linux\"\nimplementation = \"cpython\"\n";
    let text = lock(target_line, &(package("a", "1.0", &rest) + &git), "");
    let place = Place::new();
    for (at, _) in text.char_indices().step_by(3) {
        let _ = place.read(&text[..at], None);
        for inserted in ["\"", "[", "=", "\u{0}", "'||'", "-1", "é"] {
            let _ = place.read(&format!("{}{inserted}{}", &text[..at], &text[at..]), None);
        }
    }
    assert!(place.read(&text, None).is_ok());
}
