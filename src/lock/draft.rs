//! A lock that is to be written: `pylock.toml` (PEP 751) in one form, so that the same choice gives the same bytes.
//!
//! What a build is made with stands in `[tool.pyzpack]`, which other tools pass over. Nothing that belongs to one
//! machine or one user is written: a path outside of the lock's directory is refused, and so is a file without a sha256.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pep440_rs::{Version, VersionSpecifiers};

use super::bounds::Bounds;
use super::{EntryFault, FileHash, FileLocation, LockError, LockedBuild, LockedFile, LockedSource, MarkedPackage};
use crate::digest::Sha256Digest;
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::Marker;

/// A lock that is to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The file that it becomes; paths in it start from its directory.
    pub path: PathBuf,
    /// The Pythons that it is for.
    pub requires_python: VersionSpecifiers,
    /// The environments that it is for; empty for any.
    pub environments: Vec<Marker>,
    /// The extras that can be asked for.
    pub extras: BTreeSet<ExtraName>,
    /// The dependency groups that can be asked for.
    pub groups: BTreeSet<GroupName>,
    /// The digest of what was locked.
    pub inputs: Sha256Digest,
    /// What is locked.
    pub packages: Vec<MarkedPackage>,
    /// What sources are built with.
    pub builds: Vec<LockedBuild>,
}

impl Draft {
    /// The text of the file. Its paths stay in `project`, or in the git work tree.
    ///
    /// # Errors
    /// [`LockError`]: an entry has no sha256, or lies where only this machine finds it.
    pub fn to_toml(&self, project: Option<&Path>) -> Result<String, LockError> {
        let unreadable = |source| LockError::Read { path: self.path.clone(), source };
        let bounds = Bounds::of(&self.path, project).map_err(unreadable)?;
        let mut text = "lock-version = \"1.0\"\n".to_owned();
        let mut line = |key: &str, value: String| write_line(&mut text, key, &value);
        if !self.environments.is_empty() {
            line("environments", list(self.environments.iter().map(|marker| quote(&marker.to_string()))));
        }
        line("requires-python", quote(&self.requires_python.to_string()));
        line("extras", list(self.extras.iter().map(|name| quote(name.as_str()))));
        line("dependency-groups", list(self.groups.iter().map(|name| quote(name.as_str()))));
        line("default-groups", "[]".to_owned());
        line("created-by", quote("pyzpack"));
        if self.packages.is_empty() {
            line("packages", "[]".to_owned());
        }
        for entry in sorted(&self.packages) {
            text.push_str("\n[[packages]]\n");
            self.write_package(&mut text, entry, &bounds, Place::Packages)?;
        }
        let _ = write!(text, "\n[tool.pyzpack]\nlock-version = 1\ninputs = \"sha256:{}\"\n", self.inputs);
        let mut builds: Vec<&LockedBuild> = self.builds.iter().collect();
        builds.sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
        let mut shared: BTreeMap<(&PackageName, &Option<Version>), &MarkedPackage> = BTreeMap::new();
        for build in builds {
            write_build(&mut text, build);
            for entry in &build.packages {
                shared.entry((&entry.package.name, &entry.package.version)).or_insert(entry);
            }
        }
        for entry in shared.into_values() {
            text.push_str("\n[[tool.pyzpack.build-packages]]\n");
            // Where it is needed differs from build to build, and is written there.
            self.write_package(&mut text, entry, &bounds, Place::BuildPackages)?;
        }
        Ok(text)
    }

    fn write_package(
        &self,
        text: &mut String,
        entry: &MarkedPackage,
        bounds: &Bounds,
        place: Place,
    ) -> Result<(), LockError> {
        let package = &entry.package;
        let refuse = |fault| LockError::entry(&self.path, package.entry(), fault);
        let mut line = |key: &str, value: String| write_line(text, key, &value);
        line("name", quote(package.name.as_str()));
        if let Some(version) = &package.version {
            line("version", quote(&version.to_string()));
        }
        if let Some(marker) = entry.marker.as_ref().filter(|_| place == Place::Packages) {
            line("marker", quote(&marker.to_string()));
        }
        if let Some(requires_python) = &package.requires_python {
            line("requires-python", quote(&requires_python.to_string()));
        }
        match &package.source {
            LockedSource::Git { url, commit, subdirectory } => {
                if url.starts_with("file:") {
                    return Err(refuse(EntryFault::Repository(
                        "it comes from a repository on this machine".to_owned(),
                    )));
                }
                let mut fields = vec![field("type", "git"), field("url", url), field("commit-id", commit)];
                fields.extend(subdirectory.as_ref().map(|path| field("subdirectory", &slashed(path))));
                line("vcs", inline(&fields));
            }
            LockedSource::Directory { path } | LockedSource::Virtual { path } => {
                line("directory", inline(&[field("path", &bounds.relative(path).map_err(refuse)?)]));
            }
            LockedSource::Archive { file, subdirectory } => {
                // Of PEP 751's files an archive alone has no name.
                let mut fields = file_fields(file, bounds).map_err(refuse)?;
                fields.remove(0);
                fields.extend(subdirectory.as_ref().map(|path| field("subdirectory", &slashed(path))));
                line("archive", inline(&fields));
            }
            LockedSource::Files { files, index } => {
                if let Some(index) = index {
                    line("index", quote(index));
                }
                let (mut wheels, mut sdists): (Vec<&LockedFile>, Vec<_>) =
                    files.iter().partition(|file| file.filename.ends_with(".whl"));
                sdists.sort_by(|left, right| left.filename.cmp(&right.filename));
                if let Some(sdist) = sdists.first() {
                    line("sdist", inline(&file_fields(sdist, bounds).map_err(refuse)?));
                }
                wheels.sort_by(|left, right| left.filename.cmp(&right.filename));
                let wheels: Vec<String> = wheels
                    .into_iter()
                    .map(|wheel| file_fields(wheel, bounds).map(|fields| inline(&fields)).map_err(refuse))
                    .collect::<Result<_, _>>()?;
                if !wheels.is_empty() {
                    line("wheels", lines(&wheels));
                }
            }
            LockedSource::Digests { .. } => {
                let name = package.entry();
                return Err(refuse(EntryFault::Field(format!("the files of {name} have no names"))));
            }
        }
        Ok(())
    }
}

/// The fields of a file; its name is the first.
fn file_fields(file: &LockedFile, bounds: &Bounds) -> Result<Vec<String>, EntryFault> {
    let FileHash::Sha256(digest) = &file.hash else {
        return Err(file.hash.fault(&file.filename).unwrap_or(EntryFault::NoHash { file: file.filename.clone() }));
    };
    let mut fields = vec![field("name", &file.filename)];
    fields.push(match &file.location {
        FileLocation::Url(url) => field("url", url),
        FileLocation::Path(path) => field("path", &bounds.relative(path)?),
        FileLocation::Index => {
            return Err(EntryFault::Field(format!("`{}` has neither a URL nor a path", file.filename)));
        }
    });
    fields.extend(file.size.map(|size| format!("size = {size}")));
    fields.push(format!("hashes = {{ sha256 = \"{digest}\" }}"));
    Ok(fields)
}

/// Where a package is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among what is locked, with its marker.
    Packages,
    /// Among what builds share, each with a marker of its own.
    BuildPackages,
}

fn write_build(text: &mut String, build: &LockedBuild) {
    let mut line = |key: &str, value: String| write_line(text, key, &value);
    line("\n[[tool.pyzpack.builds]]\nname", quote(build.name.as_str()));
    if let Some(version) = &build.version {
        line("version", quote(&version.to_string()));
    }
    let requires: BTreeSet<&String> = build.requires.iter().collect();
    line("requires", list(requires.into_iter().map(|requirement| quote(requirement))));
    if build.packages.is_empty() {
        line("packages", "[]".to_owned());
        return;
    }
    let packages = sorted(&build.packages).into_iter().map(|entry| {
        let mut fields = vec![field("name", entry.package.name.as_str())];
        fields.extend(entry.package.version.as_ref().map(|version| field("version", &version.to_string())));
        fields.extend(entry.marker.as_ref().map(|marker| field("marker", &marker.to_string())));
        inline(&fields)
    });
    line("packages", lines(&packages.collect::<Vec<_>>()));
}

/// By name, version and marker.
fn sorted(entries: &[MarkedPackage]) -> Vec<&MarkedPackage> {
    let mut entries: Vec<&MarkedPackage> = entries.iter().collect();
    entries.sort_by(|left, right| {
        let key = |entry: &MarkedPackage| (entry.package.name.clone(), entry.package.version.clone());
        (key(left), &left.marker).cmp(&(key(right), &right.marker))
    });
    entries
}

fn write_line(text: &mut String, key: &str, value: &str) {
    writeln!(text, "{key} = {value}").expect("a `String` takes every text");
}

/// A list with one item a line.
fn lines(items: &[String]) -> String {
    format!("[\n    {},\n]", items.join(",\n    "))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn inline(fields: &[String]) -> String {
    format!("{{ {} }}", fields.join(", "))
}

fn field(key: &str, value: &str) -> String {
    format!("{key} = {}", quote(value))
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// A TOML string: literal where that spares escapes, as for markers, else basic.
fn quote(text: &str) -> String {
    if text.contains('"') && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Lock, LockedPackage};
    use super::*;

    fn file(filename: &str, location: FileLocation) -> LockedFile {
        let hash = FileHash::Sha256(Sha256Digest::of(b""));
        LockedFile { filename: filename.to_owned(), location, hash, size: None }
    }

    fn url(name: &str) -> FileLocation {
        FileLocation::Url(format!("https://files.example/{name}"))
    }

    fn entry(name: &str, version: &str, source: LockedSource, marker: Option<&str>) -> MarkedPackage {
        let package = LockedPackage {
            name: name.parse().unwrap(),
            version: version.parse().ok(),
            requires_python: None,
            source,
            dependencies: Vec::new(),
            optional_dependencies: BTreeMap::new(),
        };
        MarkedPackage { package, marker: marker.map(|marker| marker.parse().unwrap()) }
    }

    fn files(files: Vec<LockedFile>) -> LockedSource {
        LockedSource::Files { files, index: None }
    }

    fn git(url: &str) -> LockedSource {
        LockedSource::Git { url: url.to_owned(), commit: "0a".repeat(20), subdirectory: Some("py/c".into()) }
    }

    /// A project's directory, its links resolved, with `wheels/a-1-py3-none-any.whl` and `libs/b`.
    fn project() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let project = root.join("project");
        for directory in ["wheels", "libs/b"] {
            std::fs::create_dir_all(project.join(directory)).unwrap();
        }
        for wheel in [project.join("wheels/a-1-py3-none-any.whl"), root.join("a-1-py3-none-any.whl")] {
            std::fs::write(wheel, "").unwrap();
        }
        (place, project)
    }

    fn draft(project: &Path, packages: Vec<MarkedPackage>, builds: Vec<LockedBuild>) -> Draft {
        Draft {
            path: project.join("pylock.toml"),
            requires_python: ">=3.9".parse().unwrap(),
            environments: Vec::new(),
            extras: BTreeSet::new(),
            groups: BTreeSet::new(),
            inputs: Sha256Digest::of(b""),
            packages,
            builds,
        }
    }

    /// A lock with an entry of every kind.
    fn whole(project: &Path) -> Draft {
        let wheel = "tool-3-py3-none-any.whl";
        let tool = |marker| entry("tool", "3", files(vec![file(wheel, url(wheel))]), marker);
        let build = |name: &str, version: &str, tool| LockedBuild {
            name: name.parse().unwrap(),
            version: version.parse().ok(),
            requires: vec!["tool>=3".to_owned(), "wheel ; os_name == \"nt\"".to_owned()],
            packages: vec![tool],
        };
        let path = FileLocation::Path(project.join("wheels/a-1-py3-none-any.whl"));
        let wheel = LockedFile { size: Some(0), ..file("a-1-py3-none-any.whl", path) };
        let archive = LockedSource::Archive { file: file("d-1.zip", url("d-1.zip")), subdirectory: None };
        let directory = LockedSource::Directory { path: project.join("libs/b") };
        let packages = vec![
            entry("a", "1", files(vec![wheel, file("a-1.tar.gz", url("a-1.tar.gz"))]), Some("sys_platform == 'win32'")),
            entry("b", "", directory, None),
            entry("c", "", git("https://git.example/c.git"), Some("'x' in extras")),
            entry("d", "1", archive, None),
        ];
        let builds = vec![build("b", "", tool(None)), build("d", "1", tool(Some("python_version < '3.11'")))];
        let mut lock = draft(project, packages, builds);
        lock.extras.insert("x".parse().unwrap());
        lock.environments.push("python_version == '3.11'".parse().unwrap());
        lock
    }

    #[test]
    fn writes_every_kind_of_entry_in_one_order() {
        let (_place, project) = project();
        let mut lock = whole(&project);
        let commit = "0a".repeat(20);
        let empty = Sha256Digest::of(b"");
        let expected = format!(
            r#"lock-version = "1.0"
environments = ['python_version == "3.11"']
requires-python = ">=3.9"
extras = ["x"]
dependency-groups = []
default-groups = []
created-by = "pyzpack"

[[packages]]
name = "a"
version = "1"
marker = 'sys_platform == "win32"'
sdist = {{ name = "a-1.tar.gz", url = "https://files.example/a-1.tar.gz", hashes = {{ sha256 = "{empty}" }} }}
wheels = [
    {{ name = "a-1-py3-none-any.whl", path = "wheels/a-1-py3-none-any.whl", size = 0, hashes = {{ sha256 = "{empty}" }} }},
]

[[packages]]
name = "b"
directory = {{ path = "libs/b" }}

[[packages]]
name = "c"
marker = '"x" in extras'
vcs = {{ type = "git", url = "https://git.example/c.git", commit-id = "{commit}", subdirectory = "py/c" }}

[[packages]]
name = "d"
version = "1"
archive = {{ url = "https://files.example/d-1.zip", hashes = {{ sha256 = "{empty}" }} }}

[tool.pyzpack]
lock-version = 1
inputs = "sha256:{empty}"

[[tool.pyzpack.builds]]
name = "b"
requires = ["tool>=3", 'wheel ; os_name == "nt"']
packages = [
    {{ name = "tool", version = "3" }},
]

[[tool.pyzpack.builds]]
name = "d"
version = "1"
requires = ["tool>=3", 'wheel ; os_name == "nt"']
packages = [
    {{ name = "tool", version = "3", marker = 'python_version < "3.11"' }},
]

[[tool.pyzpack.build-packages]]
name = "tool"
version = "3"
wheels = [
    {{ name = "tool-3-py3-none-any.whl", url = "https://files.example/tool-3-py3-none-any.whl", hashes = {{ sha256 = "{empty}" }} }},
]
"#
        );
        assert_eq!(lock.to_toml(None).unwrap(), expected);
        lock.packages.reverse();
        lock.builds.reverse();
        assert_eq!(lock.to_toml(None).unwrap(), expected);
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let (_place, project) = project();
        let lock = whole(&project);
        std::fs::write(&lock.path, lock.to_toml(None).unwrap()).unwrap();
        let read = Lock::read(&lock.path, Context { project: None, name: None }).unwrap();
        let sorted_files = |package: &MarkedPackage| {
            let mut package = package.clone();
            if let LockedSource::Files { files, .. } = &mut package.package.source {
                files.sort_by(|left, right| left.filename.cmp(&right.filename));
            }
            package
        };
        let markers = read.roots.iter().map(|root| root.edge.marker.clone());
        let packages = read.packages.iter().cloned().zip(markers);
        let packages: Vec<_> =
            packages.map(|(package, marker)| sorted_files(&MarkedPackage { package, marker })).collect();
        assert_eq!(packages, lock.packages.iter().map(sorted_files).collect::<Vec<_>>());
        assert_eq!(read.builds, lock.builds);
        assert_eq!(read.inputs, Some(format!("sha256:{}", lock.inputs)));
        assert_eq!((read.extras, read.groups), (Some(lock.extras), Some(lock.groups)));
        assert_eq!((read.environments, read.requires_python), (lock.environments, Some(lock.requires_python)));
    }

    #[test]
    fn refuses_what_only_this_machine_has() {
        let (place, project) = project();
        let message = |source| {
            let lock = draft(&project, vec![entry("a", "1", source, None)], Vec::new());
            let told = lock.to_toml(None).map_err(|error| error.to_string());
            told.map_err(|told| told.replace(&place.path().canonicalize().unwrap().display().to_string(), "DIR"))
        };
        let at = |path: &str| files(vec![file("a-1-py3-none-any.whl", FileLocation::Path(project.join(path)))]);
        assert_eq!(
            message(at("../a-1-py3-none-any.whl")).unwrap_err(),
            "`DIR/project/pylock.toml`, a 1: `DIR/project/../a-1-py3-none-any.whl` is outside of the project"
        );
        assert!(message(at("wheels/a-1-py3-none-any.whl")).is_ok());
        assert_eq!(
            message(git("file:///r")).unwrap_err(),
            "`DIR/project/pylock.toml`, a 1: it comes from a repository on this machine"
        );
        assert!(message(git("https://git.example/r")).is_ok());
        let unhashed = LockedFile { hash: FileHash::Missing, ..file("a-1.zip", url("a-1.zip")) };
        assert_eq!(
            message(files(vec![unhashed])).unwrap_err(),
            "`DIR/project/pylock.toml`, a 1: `a-1.zip` has no hash"
        );
        assert!(message(files(vec![file("a-1.zip", url("a-1.zip"))])).is_ok());
    }

    #[test]
    fn quotes_so_that_toml_reads_the_same_text() {
        for text in ["", "a", "a\"b", "a'b", "a\"'b\\", "tab\tnul\0del\u{7f}", "é"] {
            let table: toml::Table = format!("x = {}", quote(text)).parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }
}
