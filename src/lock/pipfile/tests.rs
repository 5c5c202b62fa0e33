//! Pipfile.lock: what is read, what is refused, and when it is stale.

use std::path::PathBuf;

use super::super::{Choice, Selected, Wanted};
use super::*;
use crate::digest::Sha256Digest;
use crate::lock::LockFormat;
use crate::lock::listing::targets::target;
use crate::target::{PythonMinor, Target};

fn linux() -> Target {
    target(PythonMinor::new(3, 11), "manylinux_2_28_x86_64")
}

/// A lock with these sections beside `_meta`, HASH being a digest, in a project with a directory `sdk`.
fn read_with(meta: &str, sections: &str, pipfile: Option<&str>) -> Result<Lock, String> {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("project");
    std::fs::create_dir_all(directory.join("sdk")).unwrap();
    let path = directory.join("Pipfile.lock");
    let text = format!("{{\"_meta\": {{{meta}}}, {sections}}}").replace("HASH", &sha256(b""));
    std::fs::write(&path, text).unwrap();
    if let Some(pipfile) = pipfile {
        std::fs::write(directory.join("Pipfile"), pipfile).unwrap();
    }
    let shown = directory.display().to_string();
    Lock::read(&path, Context { project: Some(&directory), name: None })
        .map_err(|error| error.to_string().replace(&shown, "DIR"))
}

const META: &str = r#""pipfile-spec": 6, "sources": [
        {"name": "main", "url": "https://${USER}:${PASSWORD}@index.example/simple", "verify_ssl": true},
        {"name": "second", "url": "https://second.example/simple", "verify_ssl": true},
        {"name": "odd", "url": "ftp://odd.example/simple", "verify_ssl": true}]"#;

fn read(sections: &str) -> Result<Lock, String> {
    read_with(META, sections, None)
}

fn refusal(entry: &str) -> String {
    read(&format!(r#""default": {{"A_b": {entry}}}"#)).unwrap_err()
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256Digest::of(bytes))
}

fn select(lock: &Lock, target: &Target, groups: &[&str]) -> Result<Vec<String>, String> {
    let groups = groups.iter().map(|group| group.parse().unwrap()).collect();
    let wanted = Wanted { extras: BTreeSet::new(), groups };
    let shown = lock.path.parent().unwrap().display().to_string();
    let selected = lock.select(target, &wanted).map_err(|error| error.to_string().replace(&shown, "DIR"))?;
    let show = |Selected { package, choice }: &Selected<'_>| match choice {
        Choice::Digests => package.entry(),
        other => format!("{} {other:?}", package.entry()),
    };
    Ok(selected.iter().map(show).collect())
}

#[test]
fn reads_categories_as_groups_and_one_version_once() {
    let lock = read(
            r#""default": {
                "a": {"version": "==1.0", "hashes": ["HASH", "sha256:0000000000000000000000000000000000000000000000000000000000000000"], "markers": "python_version >= '3.9'", "extras": ["x"]},
                "b": {"version": "===2.0", "hashes": ["HASH"], "index": "second"}
            }, "develop": {
                "A": {"version": "==1.0", "hashes": ["HASH"]},
                "c": {"version": "==3", "hashes": ["HASH"]}
            }, "my_docs": {"c": {"version": "==4", "hashes": ["HASH"]}}"#,
        )
        .unwrap();
    let groups: Vec<String> = lock.groups.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(groups, ["develop", "my-docs"]);
    let entries: Vec<String> = lock.packages.iter().map(LockedPackage::entry).collect();
    assert_eq!(entries, ["a 1.0", "b 2.0", "c 3", "c 4"]);
    let digests = vec![FileHash::Sha256(Sha256Digest::of(b""))];
    let index = Some("https://${USER}:${PASSWORD}@index.example/simple".to_owned());
    assert_eq!(lock.packages[0].source, LockedSource::Digests { digests: digests.clone(), index });
    let index = Some("https://second.example/simple".to_owned());
    assert_eq!(lock.packages[1].source, LockedSource::Digests { digests, index });
    assert_eq!(select(&lock, &linux(), &[]).unwrap(), ["a 1.0", "b 2.0"]);
    assert_eq!(select(&lock, &linux(), &["develop"]).unwrap(), ["a 1.0", "b 2.0", "c 3"]);
    let old = target(PythonMinor::new(3, 8), "manylinux_2_28_x86_64");
    assert_eq!(select(&lock, &old, &[]).unwrap(), ["b 2.0"]);
    let both = "`DIR/Pipfile.lock`: several entries of `c` are needed at once: 3 (entry 3), 4 (entry 4)";
    assert_eq!(select(&lock, &linux(), &["develop", "my-docs"]).unwrap_err(), both);
    let none = "`DIR/Pipfile.lock` has no group `docs` (it has: develop, my-docs)";
    assert_eq!(select(&lock, &linux(), &["docs"]).unwrap_err(), none);
}

#[test]
fn refuses_what_has_no_version_or_hash_where_it_is_needed() {
    for (entry, name) in [
        (r#"{"version": "*", "markers": "sys_platform == 'win32'"}"#, "pywin32"),
        (r#"{"version": "*", "sys_platform": "== 'win32'", "hashes": ["HASH"]}"#, "pywin32"),
        (r#"{"version": "==3", "os_name": "== 'nt'", "os_markers": "sys_platform == 'win32'"}"#, "pywin32 3"),
    ] {
        let lock = read(&format!(r#""default": {{"pywin32": {entry}}}"#)).unwrap();
        assert_eq!(select(&lock, &linux(), &[]).unwrap(), [""; 0]);
        let windows = target(PythonMinor::new(3, 11), "win_amd64");
        let message = format!("`DIR/Pipfile.lock`, {name}: `{name}` has no hash");
        assert_eq!(select(&lock, &windows, &[]).unwrap_err(), message);
    }
    let weak = r#""default": {"a": {"version": "==1", "hashes": ["md5:00"]}}"#;
    let message = "`DIR/Pipfile.lock`, a 1: `a 1` has no sha256 hash, only md5";
    assert_eq!(select(&read(weak).unwrap(), &linux(), &[]).unwrap_err(), message);
    let both = weak.replace("\"md5:00\"", "\"md5:00\", \"HASH\"");
    assert_eq!(select(&read(&both).unwrap(), &linux(), &[]).unwrap(), ["a 1"]);
}

#[test]
fn reads_repositories_files_and_directories() {
    let commit = "5fe0a04cd0ba2c4aac5eda0a00bcef4b61c58d1c";
    let lock = read(
        &r#""default": {
                "a": {"git": "https://git.example/a.git", "ref": "COMMIT", "subdirectory": "sub"},
                "b": {"git": "git+git@git.example:b.git@COMMIT#egg=b", "editable": true},
                "c": {"file": "https://files.example/c-1.0-py3-none-any.whl", "hashes": ["HASH"]},
                "d": {"path": "./sdk", "editable": true},
                "e": {"path": "."},
                "f": {"file": "./f-1.tar.gz", "hashes": ["HASH"]}
            }"#
        .replace("COMMIT", commit),
    )
    .unwrap();
    let git = |url: &str, subdirectory: Option<&str>| LockedSource::Git {
        url: url.to_owned(),
        commit: commit.to_owned(),
        subdirectory: subdirectory.map(PathBuf::from),
    };
    let sources: Vec<&LockedSource> = lock.packages.iter().map(|package| &package.source).collect();
    assert_eq!(*sources[0], git("https://git.example/a.git", Some("sub")));
    assert_eq!(*sources[1], git("ssh://git@git.example/b.git", None));
    assert_eq!(lock.packages[2].entry(), "c 1.0");
    let ends = |source: &LockedSource, end: &str| matches!(source, LockedSource::Directory { path } if path.is_absolute() && path.ends_with(end));
    assert!(ends(sources[3], "project/sdk") && ends(sources[4], "project"));
    // It is packed by itself, not taken from the lock.
    assert_eq!(lock.project, Some(PackageIndex(4)));
    let LockedSource::Archive { file, .. } = sources[5] else { panic!() };
    assert!(matches!(&file.location, FileLocation::Path(path) if path.ends_with("project/f-1.tar.gz")));
}

#[test]
fn names_the_entry_that_it_refuses() {
    let git = |rest: &str| format!(r#"{{"git": "https://u:p@git.example/a", {rest}}}"#);
    let commit = "5fe0a04cd0ba2c4aac5eda0a00bcef4b61c58d1c";
    for (entry, fault) in [
        (r#"{"version": ">=1"}"#.to_owned(), "`version` is `>=1`, and a lock has `==VERSION`"),
        (r#"{"version": "==1.*"}"#.to_owned(), "`version` is `==1.*`, and a lock has `==VERSION`"),
        (r#"{"version": "==1", "hashes": ["sha256:12"]}"#.to_owned(), "`sha256:12` is not a sha256 hash"),
        (r#"{"version": "==1", "index": "x"}"#.to_owned(), "its index `x` is none of the lock's sources"),
        (
            r#"{"version": "==1", "index": "odd"}"#.to_owned(),
            "`ftp://odd.example/simple` is neither an http nor an https URL",
        ),
        (git(r#""ref": "main""#), "`main` is not a whole commit (40 or 64 hexadecimal digits)"),
        (git(r#""ref": "5fe0a04""#), "`5fe0a04` is not a whole commit (40 or 64 hexadecimal digits)"),
        (r#"{"hg": "https://hg.example/a"}"#.to_owned(), "a `hg` repository, and only git ones can be fetched"),
        (
            format!(r#"{{"git": "ftp://git.example/a", "ref": "{commit}"}}"#),
            "`ftp://git.example/a` is neither an https nor an ssh URL of a repository",
        ),
        (r#"{"path": "../sdk"}"#.to_owned(), "`../sdk` is outside of the project"),
        (r#"{"path": "/sdk"}"#.to_owned(), "`/sdk` is outside of the project"),
        (
            r#"{"file": "ftp://files.example/A_b-1.zip"}"#.to_owned(),
            "`ftp://files.example/A_b-1.zip` is neither an http nor an https URL",
        ),
        (
            format!(r#"{{"file": "https://files.example/a_b-1.zip", "hashes": ["HASH", "{}"]}}"#, sha256(b"x")),
            "`a_b-1.zip` is one file and has 2 sha256 hashes",
        ),
    ] {
        assert_eq!(refusal(&entry), format!("`DIR/Pipfile.lock`, A_b: {fault}"), "{entry}");
    }
    assert!(refusal(r#"{"version": "==1", "markers": "python is 3"}"#).starts_with("`DIR/Pipfile.lock`, A_b: "));
    assert!(refusal("3").starts_with("`DIR/Pipfile.lock`, A_b: invalid type"));
}

#[test]
fn takes_pythons_version_from_requires() {
    let specifiers = |requires: &str| {
        let meta = format!(r#"{META}, "requires": {{{requires}}}"#);
        read_with(&meta, r#""default": {}"#, None).map(|lock| lock.requires_python.map(|one| one.to_string()))
    };
    assert_eq!(specifiers(r#""python_version": "3.11""#), Ok(Some("==3.11.*".to_owned())));
    let both = r#""python_version": "3.11", "python_full_version": "3.11.7""#;
    assert_eq!(specifiers(both), Ok(Some("==3.11.7".to_owned())));
    assert_eq!(specifiers(""), Ok(None));
    let message = "`DIR/Pipfile.lock` cannot be read as a lock: `_meta.requires.python_version` is no version: `3,x`";
    assert_eq!(specifiers(r#""python_version": "3,x""#), Err(message.to_owned()));
}

#[test]
fn refuses_other_versions_of_the_format() {
    for (meta, message) in [
        (r#""pipfile-spec": 5"#, "`DIR/Pipfile.lock` has lock version 5, which is not known (known: 6)"),
        (r#""pipfile-spec": "6""#, "`DIR/Pipfile.lock` has lock version \"6\", which is not known (known: 6)"),
        ("", "`DIR/Pipfile.lock` cannot be read as a lock: `_meta` has no `pipfile-spec`"),
    ] {
        assert_eq!(read_with(meta, r#""default": {}"#, None).unwrap_err(), message);
    }
    assert!(read_with(META, r#""default": {}"#, None).is_ok());
}

#[test]
fn refuses_a_lock_of_another_pipfile() {
    let pipfile = "[[source]]\nurl = \"https://index.example/simple\"\nname = \"main\"\n[packages]\nA = \"*\"\n";
    let [digest, written] = hash::digests_of_pipfile(pipfile, &Value::Null).unwrap();
    let with = |hash: &str, pipfile: &str| {
        let meta = format!(r#"{META}, "hash": {{"sha256": "{hash}"}}"#);
        read_with(&meta, r#""default": {}"#, Some(pipfile)).map(drop)
    };
    assert_eq!(with(&digest.to_string(), pipfile), Ok(()));
    assert_eq!(with(&written.to_string(), pipfile), Ok(()));
    let changed = pipfile.replace("\"*\"", "\"<2\"");
    let [other, _] = hash::digests_of_pipfile(&changed, &Value::Null).unwrap();
    let message =
        format!("`DIR/Pipfile.lock` is stale: the Pipfile beside it has sha256 {other}, it was made from {digest}");
    assert_eq!(with(&digest.to_string(), &changed), Err(message));
    let message = "`DIR/Pipfile.lock` is stale: it does not say which Pipfile it was made from (`_meta.hash.sha256`)";
    assert_eq!(with("", pipfile), Err(message.to_owned()));
    assert!(with("", "[").unwrap_err().starts_with("`DIR/Pipfile.lock` cannot be read as a lock: the Pipfile beside"));
    let error = LockError::stale(&PathBuf::new(), "", LockFormat::Pipfile.command());
    let hint = crate::status::Explain::hint(&error);
    assert_eq!(hint.as_deref(), Some("run `pipenv lock`, then build again"));
}
