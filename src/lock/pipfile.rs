//! Pipfile.lock (pipfile-spec 6), as pipenv writes it.
//!
//! It lists packages by category, each with a version, a marker and the digests of files that it does not name:
//! `default` is the project's own, `develop` and every other category is a group. What has no version or no digest
//! (`"version": "*"` without hashes, for another platform) is kept and refused when a target needs it. Refused as a
//! whole is a lock of another Pipfile than the one beside it.

mod hash;
mod unique;

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::entries::{LocalPart, parse_hash};
use super::listing::{Listing, archive};
use super::places::{git_commit, http_url, local_path, long_form, not_git};
use super::{
    Context, Document, EntryFault, FileHash, FileLocation, Lock, LockError, LockedPackage, LockedSource, Membership,
    PackageIndex,
};
use crate::names::{ExtraName, GroupName, PackageName};
use crate::project::pipfile::MARKER_KEYS;
use crate::target::{Marker, is_sdist_name};
use crate::urls;
use unique::Unique;

/// The one version of the format that there is a tool for.
const SPEC: u64 = 6;

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    hash: BTreeMap<String, String>,
    #[serde(default)]
    requires: Requires,
    #[serde(default)]
    sources: Vec<Source>,
}

#[derive(Deserialize, Default)]
struct Requires {
    python_version: Option<String>,
    python_full_version: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    name: Option<String>,
    url: String,
}

#[derive(Deserialize)]
struct Entry {
    version: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
    markers: Option<String>,
    os_markers: Option<String>,
    #[serde(default)]
    extras: BTreeSet<ExtraName>,
    index: Option<String>,
    git: Option<String>,
    hg: Option<String>,
    svn: Option<String>,
    bzr: Option<String>,
    r#ref: Option<String>,
    subdirectory: Option<String>,
    path: Option<String>,
    file: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let malformed = |reason: String| document.malformed(reason);
    serde_json::from_str::<Unique>(document.text).map_err(|error| malformed(error.to_string()))?;
    let mut sections: BTreeMap<String, Value> =
        serde_json::from_str(document.text).map_err(|error| malformed(error.to_string()))?;
    let meta = sections.remove("_meta").ok_or_else(|| malformed("it has no `_meta`".to_owned()))?;
    let spec = meta.get("pipfile-spec").ok_or_else(|| malformed("`_meta` has no `pipfile-spec`".to_owned()))?;
    if spec.as_u64() != Some(SPEC) {
        return Err(document.unknown_version(spec, "6"));
    }
    let sources = meta.get("sources").cloned().unwrap_or_default();
    let meta: Meta = serde_json::from_value(meta).map_err(|error| malformed(format!("`_meta`: {error}")))?;
    check_freshness(document, &meta, &sources)?;
    let requires_python = meta.requires.specifiers().map_err(malformed)?;
    let bounds = document.bounds(context)?;
    let mut listing = Listing::default();
    let mut groups = BTreeSet::new();
    for (category, entries) in sections {
        let of = if category == "default" {
            Membership::Base
        } else {
            let group: GroupName =
                category.parse().map_err(|error| malformed(format!("category `{category}`: {error}")))?;
            groups.insert(group.clone());
            Membership::Group(group)
        };
        let Value::Object(entries) = entries else {
            return Err(malformed(format!("category `{category}` is no object")));
        };
        for (name, entry) in entries {
            let refuse = |fault| LockError::entry(document.path, name.clone(), fault);
            let entry: Entry =
                serde_json::from_value(entry).map_err(|error| refuse(EntryFault::Field(error.to_string())))?;
            let marker = entry.marker().map_err(refuse)?;
            let package = entry.package(&name, &meta.sources, &bounds).map_err(refuse)?;
            listing.add(of.clone(), package, entry.extras, marker);
        }
    }
    Ok(Lock {
        project: listing.packages.iter().position(|package| package.is_project(context)).map(PackageIndex),
        requires_python,
        // A Pipfile has no extras, and those of a project beside it are taken as it says.
        groups: Some(groups),
        packages: listing.packages,
        roots: listing.roots,
        ..document.empty_lock()
    })
}

/// Refuses a lock of another Pipfile than the one beside it; without one there is nothing to compare.
fn check_freshness(document: &Document<'_>, meta: &Meta, sources: &Value) -> Result<(), LockError> {
    let path = document.path.with_file_name("Pipfile");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(LockError::Read { path, source }),
    };
    let digests = hash::digests_of_pipfile(&text, sources)
        .map_err(|reason| document.malformed(format!("the Pipfile beside it is no TOML: {reason}")))?;
    let found = meta.hash.get("sha256").map(String::as_str).unwrap_or_default();
    if digests.iter().any(|digest| digest.to_string() == found) {
        return Ok(());
    }
    let reason = if found.is_empty() {
        "it does not say which Pipfile it was made from (`_meta.hash.sha256`)".to_owned()
    } else {
        format!("the Pipfile beside it has sha256 {}, it was made from {found}", digests[0])
    };
    Err(document.stale(reason))
}

impl Requires {
    /// `python_version = "3.11"` is any 3.11, `python_full_version` that one; pipenv takes the latter where both are.
    fn specifiers(&self) -> Result<Option<VersionSpecifiers>, String> {
        let (key, text, specifier) = match (&self.python_full_version, &self.python_version) {
            (Some(full), _) => ("python_full_version", full, format!("=={full}")),
            (None, Some(minor)) => ("python_version", minor, format!("=={minor}.*")),
            (None, None) => return Ok(None),
        };
        if text == "*" {
            return Ok(None);
        }
        let parsed = specifier.parse().map_err(|_| format!("`_meta.requires.{key}` is no version: `{text}`"))?;
        Ok(Some(parsed))
    }
}

impl Entry {
    fn marker(&self) -> Result<Option<Marker>, EntryFault> {
        let shorthand = |key: &&str| {
            let value = self.rest.get(*key)?.as_str()?;
            Some(format!("{key} {value}"))
        };
        let written = [&self.markers, &self.os_markers].into_iter().flatten().filter(|text| !text.trim().is_empty());
        let texts: Vec<String> = written.cloned().chain(MARKER_KEYS.iter().filter_map(shorthand)).collect();
        let parse = |text: &str| text.parse::<Marker>().map_err(|error| EntryFault::Marker(error.to_string()));
        // Each by itself first: joined texts could mean something else together.
        texts.iter().try_for_each(|text| parse(text).map(drop))?;
        match texts.as_slice() {
            [] => Ok(None),
            [text] => parse(text).map(Some),
            _ => parse(&texts.iter().map(|text| format!("({text})")).collect::<Vec<_>>().join(" and ")).map(Some),
        }
    }

    fn package(&self, name: &str, sources: &[Source], bounds: &Bounds) -> Result<LockedPackage, EntryFault> {
        let name: PackageName = name.parse().map_err(|error| EntryFault::Field(format!("{error}")))?;
        let digests = self.hashes.iter().map(|hash| parse_hash(Some(hash))).collect::<Result<Vec<FileHash>, _>>()?;
        for (kind, place) in [("hg", &self.hg), ("svn", &self.svn), ("bzr", &self.bzr)] {
            if place.is_some() {
                return Err(not_git(kind));
            }
        }
        if let Some(url) = &self.git {
            return LockedPackage::new(name, None, self.git(url, bounds)?, LocalPart::Stated);
        }
        if let Some(place) = self.file.as_ref().or(self.path.as_ref()) {
            if urls::scheme(place).is_some_and(|scheme| scheme != "file") {
                return archive(name, FileLocation::Url(http_url(place)?), &digests, self.subdirectory.as_deref());
            }
            let path = local_path(bounds, place)?;
            let is_file = |name: &str| name.ends_with(".whl") || is_sdist_name(name);
            if path.file_name().and_then(|name| name.to_str()).is_some_and(is_file) {
                return archive(name, FileLocation::Path(path), &digests, self.subdirectory.as_deref());
            }
            return LockedPackage::new(name, None, LockedSource::Directory { path }, LocalPart::Stated);
        }
        let version = self.version()?;
        let index = self.index(sources)?;
        // Without a version there is no file that the digests are of.
        let digests = if version.is_none() || digests.is_empty() { vec![FileHash::Missing] } else { digests };
        LockedPackage::new(name, version, LockedSource::Digests { digests, index }, LocalPart::Stated)
    }

    /// The version; none where any would do.
    fn version(&self) -> Result<Option<Version>, EntryFault> {
        let Some(text) = self.version.as_deref().map(str::trim).filter(|text| *text != "*") else { return Ok(None) };
        let version = text.strip_prefix("===").or_else(|| text.strip_prefix("=="));
        let version = version.and_then(|version| version.trim().parse().ok());
        let refused = || EntryFault::Field(format!("`version` is `{text}`, and a lock has `==VERSION`"));
        version.map(Some).ok_or_else(refused)
    }

    /// The index that has it: the one that it names, else the first. Variables in its URL stay as they are written.
    fn index(&self, sources: &[Source]) -> Result<Option<String>, EntryFault> {
        let source = match &self.index {
            None => sources.first(),
            Some(index) => {
                let named = |source: &&Source| source.name.as_ref() == Some(index) || source.url == *index;
                let refused = || EntryFault::Field(format!("its index `{index}` is none of the lock's sources"));
                Some(sources.iter().find(named).ok_or_else(refused)?)
            }
        };
        let Some(source) = source else { return Ok(None) };
        // What a variable stands for, nobody here knows.
        if source.url.starts_with('$') { Ok(Some(source.url.clone())) } else { http_url(&source.url).map(Some) }
    }

    fn git(&self, written: &str, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
        let (url, inline) = split_revision(written.split('#').next().unwrap_or(written));
        let revision = self.r#ref.as_deref().filter(|text| !text.is_empty()).or(inline).unwrap_or_default();
        git_commit(&long_form(url), revision, self.subdirectory.as_deref(), bounds)
    }
}

/// A URL and the revision behind its path: an `@` before the path belongs to a login.
fn split_revision(url: &str) -> (&str, Option<&str>) {
    let path = match url.find("://") {
        Some(at) => url[at + 3..].find('/').map(|length| at + 3 + length),
        None => url.find(':'),
    };
    let path = path.unwrap_or(url.len());
    match url[path..].rsplit_once('@') {
        Some((before, revision)) => (&url[..path + before.len()], Some(revision)),
        None => (url, None),
    }
}

#[cfg(test)]
mod tests {
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
        let message =
            "`DIR/Pipfile.lock` cannot be read as a lock: `_meta.requires.python_version` is no version: `3,x`";
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
        let message =
            "`DIR/Pipfile.lock` is stale: it does not say which Pipfile it was made from (`_meta.hash.sha256`)";
        assert_eq!(with("", pipfile), Err(message.to_owned()));
        assert!(
            with("", "[").unwrap_err().starts_with("`DIR/Pipfile.lock` cannot be read as a lock: the Pipfile beside")
        );
        let error = LockError::stale(&PathBuf::new(), "", LockFormat::Pipfile.command());
        let hint = crate::status::Explain::hint(&error);
        assert_eq!(hint.as_deref(), Some("run `pipenv lock`, then build again"));
    }
}
