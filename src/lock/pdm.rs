//! `pdm.lock`, lock versions 4.4 and 4.5, made with the strategy `inherit_metadata` (PDM's own default).
//!
//! Refused are a lock without that strategy, which does not say for which groups and where a package was locked; one of 4.4
//! that was made for a single machine, which it does not name; and one that no longer fits `pyproject.toml`.

mod freshness;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::convert::Infallible;

use pep440_rs::Version;
use toml::{Table, Value};

use super::bounds::{Bounds, subdirectory};
use super::constraint::Constraint;
use super::document::read_pyproject;
use super::entries::{LocalPart, check_filename, parse_hash};
use super::fields::Fields;
use super::places::{git_commit, http_url, long_form, not_git};
use super::{
    Context, Document, Edge, EntryFault, FileHash, FileLocation, Lock, LockError, LockedFile, LockedPackage,
    LockedSource, Membership, PackageIndex, Root,
};
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::Marker;
use freshness::content_hashes;

/// The group whose packages are always needed.
const DEFAULT: &str = "default";

/// Where the project's directory is meant.
const PROJECT_ROOT: &str = "${PROJECT_ROOT}";

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let path = document.path;
    let malformed = |fault: EntryFault| document.malformed(fault);
    let table = document.table()?;
    let fields = Fields::of(&table);
    let metadata = fields.table("metadata").and_then(|metadata| fields.required("metadata", metadata));
    let metadata = metadata.map_err(malformed)?;
    check_version(document, metadata.required_text("lock_version").map_err(malformed)?)?;
    let targets = metadata.tables("targets").map_err(malformed)?;
    check_strategy(document, &metadata, targets.is_some())?;
    let pyproject = read_pyproject(context)?.map(|(_, table)| table);
    if let Some(pyproject) = &pyproject {
        check_freshness(document, &metadata, pyproject)?;
    }
    let mut targets = read_targets(&targets.unwrap_or_default()).map_err(malformed)?;
    if targets.requires_python.is_none() {
        let stated = pyproject.as_ref().and_then(|table| table.get("project")?.get("requires-python")?.as_str());
        targets.requires_python = stated.and_then(|text| text.parse().ok());
    }
    let bounds = document.bounds(context)?;
    let kinds = Kinds::of(pyproject.as_ref());
    let mut packages: Vec<LockedPackage> = Vec::new();
    let mut roots = Vec::new();
    for entry in fields.tables("package").map_err(malformed)?.unwrap_or_default() {
        let refuse = |fault| LockError::entry(path, entry.label(), fault);
        let package = read_package(&entry, &bounds).map_err(refuse)?;
        // `name` and `name[extra]` are entries of their own, of one thing.
        let known = packages.iter().position(|known| *known == package);
        let index = known.unwrap_or(packages.len());
        if known.is_none() {
            packages.push(package);
        }
        roots.extend(read_roots(&entry, &kinds, PackageIndex(index)).map_err(refuse)?);
    }
    let named = metadata.texts("groups", str::parse::<GroupName>).map_err(malformed)?.unwrap_or_default();
    let mut known: BTreeSet<Membership> = named.iter().flat_map(|name| kinds.memberships(name)).collect();
    known.extend(roots.iter().map(|root: &Root| root.of.clone()));
    let (mut extras, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for member in known {
        match member {
            Membership::Base => false,
            Membership::Extra(name) => extras.insert(name),
            Membership::Group(name) => groups.insert(name),
        };
    }
    Ok(Lock {
        requires_python: targets.requires_python,
        environments: targets.environments,
        extras: Some(extras),
        groups: Some(groups),
        packages,
        roots,
        ..document.empty_lock()
    })
}

fn check_version(document: &Document<'_>, text: &str) -> Result<(), LockError> {
    let known = text.parse::<Version>().is_ok_and(|version| matches!(version.release(), [4, 4 | 5, ..]));
    if known {
        return Ok(());
    }
    Err(document.unknown_version(text, "4.4, 4.5"))
}

fn check_strategy(document: &Document<'_>, metadata: &Fields<'_>, has_targets: bool) -> Result<(), LockError> {
    let malformed = |reason: &str| document.malformed(reason);
    let strategy = metadata.texts("strategy", |text| Ok::<_, Infallible>(text.to_owned()));
    let strategy = strategy.map_err(|fault| malformed(&fault.to_string()))?.unwrap_or_default();
    let has = |flag: &str| strategy.iter().any(|known| known == flag);
    if !has("inherit_metadata") {
        return Err(malformed(
            "it was made without the strategy `inherit_metadata` and does not say for which groups and where a package \
             is needed; `pdm lock -S inherit_metadata` makes one that does",
        ));
    }
    if !has_targets && !has("cross_platform") {
        return Err(malformed(
            "it was made for the machine that it was made on, and does not say which; `pdm lock` of PDM 2.17 or newer \
             makes one that does",
        ));
    }
    Ok(())
}

fn check_freshness(document: &Document<'_>, metadata: &Fields<'_>, pyproject: &Table) -> Result<(), LockError> {
    let workspace = pyproject.get("tool").and_then(|tool| tool.get("pdm")).and_then(|pdm| pdm.get("workspace"));
    if workspace.and_then(Value::as_table).is_some_and(|table| !table.is_empty()) {
        return Err(document.malformed("it is a PDM workspace's, and whether it is stale cannot be told"));
    }
    let locked = metadata.text("content_hash").map_err(|fault| document.malformed(fault))?;
    let Some(locked) = locked else {
        return Err(document.malformed("`metadata.content_hash` is missing, and so whether it is stale cannot be told"));
    };
    let digests = content_hashes(pyproject);
    if digests.iter().any(|digest| locked.strip_prefix("sha256:") == Some(digest.to_string().as_str())) {
        return Ok(());
    }
    let reason =
        format!("`pyproject.toml` has changed since (content hash sha256:{}, the lock's is {locked})", digests[0]);
    Err(document.stale(reason))
}

#[derive(Default)]
struct Targets {
    requires_python: Option<pep440_rs::VersionSpecifiers>,
    environments: Vec<Marker>,
}

/// `[[metadata.targets]]`. One that restricts nothing but Python gives a better message as such.
fn read_targets(tables: &[Fields<'_>]) -> Result<Targets, EntryFault> {
    let mut targets = Targets::default();
    for table in tables {
        let python = table.parsed("requires_python", str::parse::<Constraint>)?.unwrap_or_else(Constraint::any);
        let mut parts = Vec::new();
        if let Some(platform) = table.text("platform")? {
            parts.push(
                platform_marker(platform)
                    .ok_or_else(|| table.fault("platform", format!("`{platform}` is not known")))?,
            );
        }
        if let Some(implementation) = table.text("implementation")? {
            let text = format!("implementation_name == '{implementation}'");
            parts.push(text.parse().map_err(|error| table.fault("implementation", error))?);
        }
        if let ([_], Some(specifiers)) = (tables, python.specifiers()) {
            targets.requires_python = Some(specifiers.clone()).filter(|specifiers| !specifiers.is_empty());
        } else {
            parts.extend(python.python_markers().into_iter().reduce(Marker::or));
        }
        match parts.into_iter().reduce(Marker::and) {
            Some(marker) => targets.environments.push(marker),
            // One target that takes everything.
            None => return Ok(Targets { environments: Vec::new(), ..targets }),
        }
    }
    Ok(targets)
}

/// `manylinux_2_17_x86_64`, `windows_amd64`, `macos_14_0_arm64`, and what PDM has as shorter names of them.
fn platform_marker(platform: &str) -> Option<Marker> {
    let (system, machine) = match platform {
        "linux" | "alpine" => ("linux", "x86_64"),
        "windows" => ("win32", "AMD64"),
        "macos" => ("darwin", "arm64"),
        _ => {
            let (system, rest) = platform.split_once('_')?;
            let machine = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
            // `x86_64` and `x86` begin with a letter, as every machine does.
            match (system, machine) {
                ("manylinux" | "musllinux" | "linux", machine) => ("linux", machine),
                ("macos", "aarch64") => ("darwin", "arm64"),
                ("macos", machine) => ("darwin", machine),
                ("windows", "amd64" | "x86_64") => ("win32", "AMD64"),
                ("windows", "arm64" | "aarch64") => ("win32", "ARM64"),
                ("windows", "x86") => ("win32", "x86"),
                _ => return None,
            }
        }
    };
    format!("sys_platform == '{system}' and platform_machine == '{machine}'").parse().ok()
}

/// What a group of a lock is to the project.
enum Kinds {
    /// These are extras, the others dependency groups.
    Known(BTreeSet<ExtraName>),
    /// Nothing says.
    Unknown,
}

impl Kinds {
    fn of(pyproject: Option<&Table>) -> Self {
        let Some(pyproject) = pyproject else { return Self::Unknown };
        let optional = pyproject.get("project").and_then(|project| project.get("optional-dependencies"));
        let names = optional.and_then(Value::as_table).into_iter().flat_map(Table::keys);
        Self::Known(names.filter_map(|name| name.parse().ok()).collect())
    }

    fn memberships(&self, group: &GroupName) -> Vec<Membership> {
        if group.as_str() == DEFAULT {
            return vec![Membership::Base];
        }
        let (extra, development) = (Membership::Extra(group.clone()), Membership::Group(group.clone()));
        match self {
            Self::Known(extras) if extras.contains(group) => vec![extra],
            Self::Known(_) => vec![development],
            Self::Unknown => vec![extra, development],
        }
    }
}

fn read_roots(fields: &Fields<'_>, kinds: &Kinds, to: PackageIndex) -> Result<Vec<Root>, EntryFault> {
    let marker = fields.text("marker")?.map(str::parse::<Marker>);
    let marker = marker.transpose().map_err(|error| EntryFault::Marker(error.to_string()))?;
    let groups = fields.texts("groups", str::parse::<GroupName>)?;
    let groups = fields.required("groups", groups)?;
    let of = groups.iter().flat_map(|group| kinds.memberships(group));
    Ok(of.map(|of| Root { of, edge: Edge { to, extras: BTreeSet::new(), marker: marker.clone() } }).collect())
}

fn read_package(fields: &Fields<'_>, bounds: &Bounds) -> Result<LockedPackage, EntryFault> {
    let name: PackageName = fields.required("name", fields.parsed("name", str::parse)?)?;
    let version = fields.parsed("version", str::parse::<Version>)?;
    let python = fields.parsed("requires_python", |text| match text {
        "" => Ok(Constraint::any()),
        text => text.parse::<Constraint>(),
    })?;
    let requires_python = python.as_ref().and_then(Constraint::specifiers).filter(|python| !python.is_empty()).cloned();
    let source = read_source(fields, bounds)?;
    if version.is_none() && !matches!(source, LockedSource::Git { .. } | LockedSource::Directory { .. }) {
        fields.required("version", None::<()>)?;
    }
    Ok(LockedPackage { requires_python, ..LockedPackage::new(name, version, source, LocalPart::Stated)? })
}

fn read_source(fields: &Fields<'_>, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
    let inside = fields.text("subdirectory")?;
    for kind in ["hg", "svn", "bzr"] {
        if fields.text(kind)?.is_some() {
            return Err(not_git(kind));
        }
    }
    if let Some(url) = fields.text("git")? {
        let commit = fields.text("revision")?.ok_or_else(|| {
            EntryFault::Repository("`revision` is missing (PDM writes none for what is editable)".to_owned())
        })?;
        return git_commit(&long_form(url), commit, inside, bounds);
    }
    let inside = inside.map_or(Ok(None), subdirectory)?;
    let files = read_files(fields)?;
    let one_hash = || match files.as_slice() {
        [file] => file.hash.clone(),
        _ => FileHash::Missing,
    };
    let url = fields.text("url")?;
    let local = url.and_then(|url| url.strip_prefix("file://")).map(|path| path.trim_start_matches('/'));
    let local = local.and_then(|path| path.strip_prefix(PROJECT_ROOT)).map(|path| format!(".{path}"));
    if let Some(path) = local.as_deref().or(fields.text("path")?) {
        let place = bounds.resolve(path)?;
        if place.is_dir() || check_filename(path.rsplit('/').next().unwrap_or_default()).is_err() {
            let path = inside.map_or(place.clone(), |inside| place.join(inside));
            return Ok(LockedSource::Directory { path });
        }
        return Ok(LockedFile::at(FileLocation::Path(place), one_hash(), None)?.alone(inside));
    }
    if let Some(url) = url {
        return Ok(LockedFile::at(FileLocation::Url(http_url(url)?), one_hash(), None)?.alone(inside));
    }
    Ok(LockedSource::Files { files, index: None })
}

fn read_files(fields: &Fields<'_>) -> Result<Vec<LockedFile>, EntryFault> {
    let mut files = Vec::new();
    for file in fields.tables("files")?.unwrap_or_default() {
        let hash = parse_hash(file.text("hash")?)?;
        files.push(match (file.text("url")?, file.text("file")?) {
            (Some(url), _) => LockedFile::at(FileLocation::Url(http_url(url)?), hash, None)?,
            (None, file) => {
                let filename = fields.required("files.file", file)?.to_owned();
                LockedFile { filename, location: FileLocation::Index, hash, size: None }
            }
        });
    }
    Ok(files)
}
