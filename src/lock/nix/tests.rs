use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::lock::{Context, MarkedPackage, Membership};
use crate::names::ExtraName;

const ANYWHERE: &str = "https://files.example/";

/// The real locks of testdata/, each in the directory of its project.
fn real_locks() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/locks");
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(|entry| entry.unwrap().into_path());
    let is_lock = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        LockFormat::of_name(name).is_some_and(|format| format != LockFormat::Requirements) || name == "locked.txt"
    };
    entries.filter(is_lock).collect()
}

/// Every file of a lock that it gives no place, at one.
fn somewhere(lock: &Lock) -> Places {
    let mut places = Places::new(Absence::NotAsked);
    for package in lock.without_places() {
        for sha256 in package.digests() {
            let version = package.version.as_ref().unwrap();
            let named = package.source.files().iter().find(|file| file.hash.sha256() == Some(sha256));
            let filename = named.map_or_else(
                || format!("{}-{version}-{}-py3-none-any.whl", package.name.in_file_name(), &sha256.to_string()[..8]),
                |file| file.filename.clone(),
            );
            places.add(&package.name, sha256, &filename, FileLocation::Url(format!("{ANYWHERE}{filename}")));
        }
    }
    places
}

/// What a document has to say of an entry, from what the lock holds.
fn expected_source(lock: &Lock, package: &LockedPackage) -> Value {
    let directory = lock.path.parent().unwrap().canonicalize().unwrap();
    let relative = |path: &Path| {
        let inside = path.strip_prefix(&directory).unwrap().to_str().unwrap();
        if inside.is_empty() { ".".to_owned() } else { inside.to_owned() }
    };
    let inside = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let file = |file: &LockedFile| {
        let sha256 = file.hash.sha256()?.to_string();
        Some(match &file.location {
            FileLocation::Url(url) => {
                json!({"filename": file.filename, "url": url.split('#').next(), "sha256": sha256})
            }
            FileLocation::Path(path) => json!({"filename": file.filename, "path": relative(path), "sha256": sha256}),
            FileLocation::Index => {
                json!({"filename": file.filename, "url": format!("{ANYWHERE}{}", file.filename), "sha256": sha256})
            }
        })
    };
    match &package.source {
        LockedSource::Files { files, .. } => {
            json!({"type": "files", "files": files.iter().filter_map(file).collect::<Vec<_>>()})
        }
        LockedSource::Digests { .. } => {
            let mut digests: Vec<String> = package.digests().iter().map(ToString::to_string).collect();
            digests.sort_by_key(|digest| digest[..8].to_owned());
            json!({"type": "files", "files": digests})
        }
        LockedSource::Archive { file: one, subdirectory } => {
            json!({"type": "archive", "file": file(one), "subdirectory": inside(subdirectory)})
        }
        LockedSource::Git { url, commit, subdirectory } => {
            json!({"type": "git", "url": url, "commit": commit, "subdirectory": inside(subdirectory)})
        }
        LockedSource::Directory { path } => json!({"type": "directory", "path": relative(path)}),
        LockedSource::Virtual { path } => json!({"type": "virtual", "path": relative(path)}),
    }
}

fn expected_edge(edge: &crate::lock::Edge) -> Value {
    let extras: Vec<&str> = edge.extras.iter().map(ExtraName::as_str).collect();
    json!({"to": edge.to.0, "extras": extras, "marker": edge.marker.as_ref().map(ToString::to_string)})
}

#[test]
fn says_of_every_real_lock_what_it_holds() {
    let mut formats = BTreeMap::new();
    for path in real_locks() {
        let project = path.parent().filter(|directory| directory.join("pyproject.toml").is_file());
        let Ok(lock) = Lock::read(&path, Context { project, name: None }) else { continue };
        *formats.entry(lock.format).or_insert(0) += 1;
        let text = lock.to_nix(&somewhere(&lock), &lock.builds, project).unwrap();
        let mut found: Value = serde_json::from_str(&text).unwrap();
        let shown = path.display();
        for (package, found) in lock.packages.iter().zip(found["packages"].as_array_mut().unwrap()) {
            let mut expected = json!({
                "name": package.name.as_str(),
                "version": package.version.as_ref().map(ToString::to_string),
                "requires-python": package.requires_python.as_ref().map(|python| python.to_string().replace(", ", ",")),
                "source": expected_source(&lock, package),
                "dependencies": package.dependencies.iter().map(expected_edge).collect::<Vec<_>>(),
                "optional-dependencies": {},
            });
            for (extra, edges) in &package.optional_dependencies {
                expected["optional-dependencies"][extra.as_str()] = edges.iter().map(expected_edge).collect();
            }
            if matches!(package.source, LockedSource::Digests { .. }) {
                let files = found["source"]["files"].as_array_mut().unwrap();
                *files = files.iter().map(|file| file["sha256"].clone()).collect();
            }
            assert_eq!(*found, expected, "{shown}");
        }
        let roots: Vec<Value> = lock
            .roots
            .iter()
            .map(|root| {
                let mut expected = expected_edge(&root.edge);
                expected["of"] = match &root.of {
                    Membership::Base => json!({}),
                    Membership::Extra(name) => json!({"extra": name.as_str()}),
                    Membership::Group(name) => json!({"group": name.as_str()}),
                };
                expected
            })
            .collect();
        assert_eq!(found["roots"], Value::from(roots), "{shown}");
        assert_eq!(found["packages"].as_array().unwrap().len(), lock.packages.len(), "{shown}");
        assert_eq!(found["lock"], json!({"name": lock.filename(), "sha256": lock.sha256.to_string()}));
        let project = lock.project.map(|index| index.0);
        assert_eq!(found["project"], json!(project), "{shown}");
    }
    let known: Vec<LockFormat> = formats.keys().copied().collect();
    assert!(
        known.starts_with(&[LockFormat::Pylock, LockFormat::Uv, LockFormat::Poetry, LockFormat::Pipfile]),
        "{formats:?}"
    );
    assert!(formats.values().sum::<i32>() > 25, "{formats:?}");
}

const LOCK: &str = "version = 1\nrequires-python = \">=3.9\"\n[[package]]\nname = \"app\"\nversion = \"1\"\n\
                    source = { virtual = \".\" }\n";

/// A uv.lock with `text` beside it; what builds it has for it, `DIR` for its directory in what is told.
fn builds_of(text: &str) -> Result<Vec<LockedBuild>, String> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().canonicalize().unwrap().join("uv.lock");
    std::fs::write(&path, LOCK).unwrap();
    let lock = Lock::read(&path, Context { project: None, name: None }).unwrap();
    std::fs::write(lock.nix_path(), text).unwrap();
    let directory = path.parent().unwrap().display().to_string();
    let read = lock.nix_builds(None).map_err(|error| error.to_string().replace(&directory, "DIR"));
    read.map(|builds| builds.expect("there is a document"))
}

fn document() -> Value {
    let sha256 = Sha256Digest::of(LOCK.as_bytes()).to_string();
    let file = |name: &str| json!({"filename": name, "url": format!("{ANYWHERE}{name}"), "sha256": sha256});
    let package = |name: &str, source: Value| {
        json!({"name": name, "version": "1", "requires-python": ">=3.8", "source": source, "dependencies": [],
               "optional-dependencies": {}, "marker": null})
    };
    let mut marked = package("a", json!({"type": "files", "files": [file("a-1-py3-none-any.whl")]}));
    marked["marker"] = "sys_platform == \"win32\"".into();
    let commit = "0a".repeat(20);
    json!({
        "format": "pyzpack-nix-lock", "version": 1,
        "lock": {"name": "uv.lock", "sha256": sha256},
        "requires-python": ">=3.9", "environments": [], "extras": [], "groups": [], "default-groups": [],
        "conflicts": [], "project": 0, "roots": [], "packages": [],
        "builds": [{"name": "app", "version": null, "requires": ["a", "b"], "packages": [
            marked,
            package("b", json!({"type": "archive", "file": file("b-1.zip"), "subdirectory": "py"})),
            package("c", json!({"type": "git", "url": "https://git.example/c", "commit": commit, "subdirectory": null})),
            package("d", json!({"type": "directory", "path": "libs/d"})),
        ]}],
    })
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let builds = builds_of(&document().to_string()).unwrap();
    let [LockedBuild { packages, .. }] = builds.as_slice() else { panic!("{builds:?}") };
    let [a, b, c, d] = packages.as_slice() else { panic!("{packages:?}") };
    assert_eq!(a.marker, Some("sys_platform == 'win32'".parse().unwrap()));
    assert_eq!(a.package.requires_python, Some(">=3.8".parse().unwrap()));
    let url = FileLocation::Url(format!("{ANYWHERE}a-1-py3-none-any.whl"));
    assert_eq!(a.package.source.files()[0].location, url);
    assert!(
        matches!(&b.package.source, LockedSource::Archive { subdirectory: Some(path), .. } if path == Path::new("py"))
    );
    assert!(matches!(&c.package.source, LockedSource::Git { .. }));
    assert!(matches!(&d.package.source, LockedSource::Directory { path } if path.ends_with("libs/d")));

    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("uv.lock");
    std::fs::write(&path, LOCK).unwrap();
    let lock = Lock::read(&path, Context { project: None, name: None }).unwrap();
    let relocated: Vec<LockedBuild> = builds
        .into_iter()
        .map(|mut build| {
            build.packages.iter_mut().for_each(|MarkedPackage { package, .. }| {
                if let LockedSource::Directory { path } = &mut package.source {
                    *path = place.path().canonicalize().unwrap().join("libs/d");
                }
            });
            build
        })
        .collect();
    let text = lock.to_nix(&Places::new(Absence::NotAsked), &relocated, None).unwrap();
    std::fs::write(lock.nix_path(), &text).unwrap();
    assert_eq!(lock.nix_builds(None).unwrap(), Some(relocated.clone()));
    // Written again from what was read, every byte is the same.
    let read = lock.nix_builds(None).unwrap().unwrap();
    assert_eq!(lock.to_nix(&Places::new(Absence::NotAsked), &read, None).unwrap(), text);
}

#[test]
fn refuses_what_cannot_be_trusted() {
    let honest = document();
    let change = |pointer: &str, value: Value| {
        let mut changed = honest.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed.to_string()
    };
    let package = "/builds/0/packages/0";
    let no_place = "is written without credentials, query and fragment, and is of no machine";
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let unreadable = "`DIR/uv.lock.nix.json` cannot be read as a lock: ";
    let entry = "`DIR/uv.lock.nix.json`, the build of app, ";
    for (text, message) in [
        (String::new(), format!("{unreadable}it is not JSON: EOF while parsing a value at line 1 column 0")),
        (
            "[]".to_owned(),
            format!("{unreadable}invalid length 0, expected struct Header with 2 elements at line 1 column 2"),
        ),
        (deep, format!("{unreadable}more than 64 arrays and objects lie in each other")),
        (change("/format", "other".into()), format!("{unreadable}its format is `other`, expected `pyzpack-nix-lock`")),
        (
            change("/version", 2.into()),
            "`DIR/uv.lock.nix.json` has lock version 2, which is not known (known: 1)".to_owned(),
        ),
        (
            change(&format!("{package}/source/files/0/url"), "file:///etc/passwd".into()),
            format!("{entry}a 1: `file:passwd` {no_place}"),
        ),
        (
            change(&format!("{package}/source/files/0/url"), "ftp://files.example/a-1.zip".into()),
            format!("{entry}a 1: `ftp://files.example/a-1.zip` is neither an http nor an https URL"),
        ),
        (
            change(&format!("{package}/source/files/0/url"), "https://u:p@files.example/a-1.zip?token".into()),
            format!("{entry}a 1: `https://****@files.example/a-1.zip` {no_place}"),
        ),
        (change("/builds/0/packages/2/source/url", "file:///r".into()), format!("{entry}c 1: `file:r` {no_place}")),
        (
            change("/builds/0/packages/2/source/url", "https://u:p@git.example/c".into()),
            format!("{entry}c 1: `https://****@git.example/c` {no_place}"),
        ),
        (
            change(
                &format!("{package}/source/files/0"),
                json!({"filename": "a-1.zip", "path": "../a-1.zip", "sha256": "0".repeat(64)}),
            ),
            format!("{entry}a 1: `../a-1.zip` is outside of the project"),
        ),
        (
            change(&format!("{package}/source/files/0"), json!({"filename": "a-1.zip", "sha256": "0".repeat(64)})),
            format!("{entry}a 1: `a-1.zip` has to have either a URL or a path"),
        ),
        (
            change(&format!("{package}/source/files/0/filename"), "../a-1.zip".into()),
            format!("{entry}a 1: `../a-1.zip` is the name of neither a wheel nor a source distribution"),
        ),
        (
            change(&format!("{package}/version"), "2".into()),
            format!("{entry}a 2: `a-1-py3-none-any.whl` is of version 1, expected 2"),
        ),
        (
            change(&format!("{package}/dependencies"), json!([{"to": 7, "extras": [], "marker": null}])),
            format!("{entry}a 1: it has dependencies: what a build needs is listed whole"),
        ),
        (change("/builds/0/packages/1/source/file", Value::Null), format!("{entry}b 1: `file` is missing")),
        (
            change("/builds/0/packages/1/source/subdirectory", "../x".into()),
            format!("{entry}b 1: `../x` is outside of the project"),
        ),
        (
            change("/builds/0/packages/2/source/commit", "main".into()),
            format!("{entry}c 1: `main` is not a whole commit (40 or 64 hexadecimal digits)"),
        ),
        (
            change("/builds/0/packages/3/source/path", "/etc".into()),
            format!("{entry}d 1: `/etc` is outside of the project"),
        ),
    ] {
        assert_eq!(builds_of(&text).unwrap_err(), message, "{text}");
    }
    for (pointer, value) in [
        ("/lock", json!({"name": "uv.lock", "sha256": "00"})),
        ("/lock", json!({"name": "uv.lock", "sha256": "0".repeat(64), "more": 1})),
        ("/builds/0/packages/0/source", json!({"type": "files", "files": [], "more": 1})),
        ("/builds/0/packages/0/source", json!({"type": "other"})),
        ("/builds/0/packages/0/marker", "sys_platform".into()),
        ("/builds/0/packages/0/name", "../x".into()),
        ("/builds/0/packages/0/version", "x".into()),
        ("/builds/0/requires", json!([1])),
        ("/project", json!(-1)),
        ("/builds", json!({})),
    ] {
        let told = builds_of(&change(pointer, value)).unwrap_err();
        assert!(told.starts_with(unreadable), "{pointer}: {told}");
    }
    let twice = honest.to_string().replacen("\"builds\":", "\"builds\":[],\"builds\":", 1);
    assert_eq!(builds_of(&twice).unwrap_err(), format!("{unreadable}the key `builds` occurs twice in one object"));
    assert!(builds_of(&honest.to_string()).is_ok());
}

#[test]
fn names_the_command_that_writes_it() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("job.py"), "").unwrap();
    let path = place.path().join("uv.lock");
    std::fs::write(&path, LOCK).unwrap();
    let lock = Lock::read(&path, Context { project: None, name: None }).unwrap();
    for (name, format, command) in [
        ("uv.lock", LockFormat::Uv, "pyzpack lock --format nix"),
        ("job.py.lock", LockFormat::Uv, "pyzpack lock --format nix job.py"),
        ("other.py.lock", LockFormat::Uv, "pyzpack lock --format nix --lock other.py.lock"),
        ("pylock.toml", LockFormat::Pylock, "pyzpack lock --format nix"),
        ("pylock.job.toml", LockFormat::Pylock, "pyzpack lock --format nix job.py"),
        ("pylock.dev.toml", LockFormat::Pylock, "pyzpack lock --format nix --lock pylock.dev.toml"),
        ("locked.txt", LockFormat::Requirements, "pyzpack lock --format nix --lock locked.txt"),
    ] {
        let lock = Lock { path: place.path().join(name), format, ..lock.clone() };
        assert_eq!(lock.nix_command(), command);
        assert_eq!(lock.nix_path(), place.path().join(format!("{name}.nix.json")));
        assert!(lock.nix_builds(None).unwrap().is_none());
    }
}
