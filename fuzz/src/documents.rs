//! Documents: JSON, locks, requirements files, projects, the pages of indexes.

use pyzpack::evidence::{Manifest, Origins, parse_json};
use pyzpack::lock::{Absence, Context, EarlierLock, Lock, NixLock, Places, Wanted};
use pyzpack::names::PackageName;
use pyzpack::project::pipfile::read_pipfile;
use pyzpack::project::pyproject::Project;
use pyzpack::project::requirements::RequirementsFile;
use pyzpack::project::script::Script;
use pyzpack::wheel::access::Access;
use pyzpack::wheel::fetch::Client;

use super::{directory, file, parts, target};

/// JSON; as what we wrote ourselves, which is read as the same when it is written again; and as a lock for Nix.
pub fn json(bytes: &[u8]) {
    lock_for_nix(bytes);
    let Ok(value) = parse_json(bytes, 1 << 20) else { return };
    if let Ok(manifest) = serde_json::from_value::<Manifest>(value.clone()) {
        let again = parse_json(&manifest.to_bytes(), usize::MAX).expect("what we write can be read");
        assert_eq!(serde_json::from_value::<Manifest>(again).expect("as a manifest"), manifest);
    }
    if let Ok(origins) = serde_json::from_value::<Origins>(value) {
        let again = parse_json(&origins.to_bytes(), usize::MAX).expect("what we write can be read");
        assert_eq!(serde_json::from_value::<Origins>(again).expect("as origins"), origins);
    }
}

/// What stands beside a lock.
fn lock_for_nix(bytes: &[u8]) {
    let text = b"version = 1\n[[package]]\nname = \"app\"\nversion = \"1\"\nsource = { virtual = \".\" }\n";
    let lock = Lock::read(&file("uv.lock", text), Context { project: None, name: None }).expect("a lock");
    file("uv.lock.nix.json", bytes);
    let _ = lock.nix_builds(None).map_err(|error| error.to_string());
    if let Ok(Some(document)) = NixLock::read(&lock.nix_path()) {
        let places = document.places(&lock, None);
        if let (Ok(builds), Ok(places)) = (document.builds(&lock, None), places) {
            let written = lock.to_nix(&places, &builds, None).expect("what was read can be written");
            file("uv.lock.nix.json", written.as_bytes());
            let again = lock.nix_builds(None).expect("what we write can be read");
            assert_eq!(again, Some(builds));
        }
    }
}

/// A lock of the format that has this name, with the project's metadata behind it; and what a target takes of it.
fn lock(name: &str, bytes: &[u8]) {
    let [lock, pyproject] = parts(bytes);
    let path = file(name, lock);
    file(if name == "Pipfile.lock" { "Pipfile" } else { "pyproject.toml" }, pyproject);
    let project = directory();
    let app: PackageName = "app".parse().expect("a name");
    for context in [Context { project: None, name: None }, Context { project: Some(&project), name: Some(&app) }] {
        let Ok(lock) = Lock::read(&path, context) else { continue };
        let _ = (lock.described(), lock.digests(), lock.nix_command());
        let _ = lock.to_nix(&Places::new(Absence::NotAsked), &lock.builds, context.project);
        let everything =
            Wanted { extras: lock.extras.clone().unwrap_or_default(), groups: lock.groups.clone().unwrap_or_default() };
        for wanted in [Wanted::default(), everything] {
            let _ = lock.select(target(), &wanted).map_err(|error| error.to_string());
        }
        for build in &lock.builds {
            let _ = lock.select_build(build, target());
        }
    }
}

/// `pylock.toml`; also as what a new one follows.
pub fn lock_pylock(bytes: &[u8]) {
    lock("pylock.toml", bytes);
    let _ = EarlierLock::read(&directory().join("pylock.toml"));
}

/// `uv.lock`.
pub fn lock_uv(bytes: &[u8]) {
    lock("uv.lock", bytes);
}

/// `poetry.lock`.
pub fn lock_poetry(bytes: &[u8]) {
    lock("poetry.lock", bytes);
}

/// `Pipfile.lock`.
pub fn lock_pipfile(bytes: &[u8]) {
    lock("Pipfile.lock", bytes);
}

/// `pdm.lock`.
pub fn lock_pdm(bytes: &[u8]) {
    lock("pdm.lock", bytes);
}

/// A requirements file as a lock.
pub fn lock_requirements(bytes: &[u8]) {
    lock("requirements.txt", bytes);
}

/// A requirements file as an input.
pub fn requirements(bytes: &[u8]) {
    if let Ok(read) = RequirementsFile::read(&file("input.txt", bytes)) {
        let _ = (read.is_complete(), read.check_all_hashed());
    }
}

/// A project's `pyproject.toml`, a Pipfile, a script with metadata.
pub fn project(bytes: &[u8]) {
    let [pyproject, pipfile, script] = parts(bytes);
    file("pyproject.toml", pyproject);
    if let Ok(project) = Project::read(&directory()) {
        for group in project.group_names().unwrap_or_default() {
            let _ = project.group(&group);
        }
    }
    let _ = read_pipfile(&file("Pipfile", pipfile));
    let _ = Script::read(&file("script.py", script));
}

/// The page of an index about one distribution.
pub fn index(bytes: &[u8]) {
    let mirror = directory();
    std::fs::create_dir_all(mirror.join("a")).expect("a temporary directory can be made");
    file("a/index.html", bytes);
    // It keeps pages, so each run has its own.
    let client = Client::new(Access::default(), true);
    let _ = client.list_files(&pyzpack::urls::file_url(&mirror), &"a".parse().expect("a name"));
}
