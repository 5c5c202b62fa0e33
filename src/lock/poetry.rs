//! `poetry.lock`, lock versions 2.0 (Poetry 1.3 to 1.8) and 2.1 (Poetry 2).
//!
//! 2.1 says of every package for which groups it was locked, and where; 2.0 does not, so that there the graph is followed
//! from the project's `pyproject.toml`, without which it is refused. Refused besides: a lock that no longer fits
//! `pyproject.toml`, and sources that are neither an index, a URL, a git commit nor a path of the project.

mod demand;
mod freshness;
mod graph;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;

use pep440_rs::Version;
use toml::{Table, Value};

use super::bounds::{Bounds, subdirectory};
use super::constraint::Constraint;
use super::document::{Purpose, read_pyproject};
use super::entries::{LocalPart, parse_hash};
use super::fields::Fields;
use super::places::{git_commit, http_url, long_form};
use super::{
    Context, Document, Edge, EntryFault, FileHash, FileLocation, Lock, LockError, LockedFile, LockedPackage,
    LockedSource, Membership, PackageIndex, Root,
};
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::{Marker, Requirement};
use crate::urls::split_login;
use demand::{Origin, read_demands};
use freshness::{Reckoning, content_hash, is_before_groups};
use graph::{Node, Required, connect};

/// The group whose packages are always needed.
const MAIN: &str = "main";

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let path = document.path;
    let malformed = |fault: EntryFault| document.malformed(fault);
    let table = document.table()?;
    let fields = Fields::of(&table);
    let metadata = fields.table("metadata").and_then(|metadata| fields.required("metadata", metadata));
    let metadata = metadata.map_err(malformed)?;
    let version = LockVersion::read(document, metadata.required_text("lock-version").map_err(malformed)?)?;
    let python = metadata.parsed("python-versions", str::parse::<Constraint>).map_err(malformed)?;
    let python = python.unwrap_or_else(Constraint::any);
    let pyproject = read_pyproject(context)?;
    if let Some(pyproject) = &pyproject {
        check_freshness(document, version, metadata.required_text("content-hash").map_err(malformed)?, pyproject)?;
    }
    let bounds = document.bounds(context)?;
    let extras = read_extras(&table).map_err(malformed)?;
    let mut nodes = Vec::new();
    let mut roots = Vec::new();
    for (index, entry) in fields.tables("package").map_err(malformed)?.unwrap_or_default().into_iter().enumerate() {
        let refuse = |fault| LockError::entry(path, entry.label(), fault);
        let raw = table.get("package").and_then(|all| all.get(index)).and_then(Value::as_table);
        nodes.push(read_node(&entry, raw, version, &bounds).map_err(refuse)?);
        if version == LockVersion::WithGroups {
            roots.extend(read_roots(&entry, raw, PackageIndex(index)).map_err(refuse)?);
        }
    }
    let group = |root: &Root| match &root.of {
        Membership::Group(name) => Some(name.clone()),
        Membership::Base | Membership::Extra(_) => None,
    };
    let mut groups: BTreeSet<GroupName> = roots.iter().filter_map(group).collect();
    groups.extend(pyproject.iter().flat_map(|(_, pyproject)| declared_groups(pyproject)));
    if version == LockVersion::Bare && document.purpose == Purpose::Select {
        let (place, pyproject) = pyproject.ok_or_else(|| {
            let reason = "a lock of version 2.0 does not say what the project requires, and there is no \
                          pyproject.toml that does; Poetry 2 writes locks that do";
            document.malformed(reason)
        })?;
        let required = read_required(&pyproject, extras.clone())
            .map_err(|fault| LockError::malformed(&place, fault.to_string()))?;
        roots = connect(&mut nodes, &required).map_err(|(index, fault)| match index {
            Some(index) => LockError::entry(path, nodes[index].package.entry(), fault),
            None => document.malformed(format!("what the project requires: {fault}")),
        })?;
    }
    let requires_python = python.specifiers().filter(|specifiers| !specifiers.is_empty()).cloned();
    let environments = if requires_python.is_some() { Vec::new() } else { python.python_markers() };
    Ok(Lock {
        requires_python,
        environments,
        extras: Some(extras.into_keys().collect()),
        groups: Some(groups),
        packages: nodes.into_iter().map(|node| node.package).collect(),
        roots,
        ..document.empty_lock()
    })
}

/// The lock versions that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockVersion {
    /// 2.0.
    Bare,
    /// 2.1.
    WithGroups,
}

impl LockVersion {
    fn read(document: &Document<'_>, text: &str) -> Result<Self, LockError> {
        match text {
            "2.0" => Ok(Self::Bare),
            "2.1" => Ok(Self::WithGroups),
            _ => Err(document.unknown_version(text, "2.0, 2.1")),
        }
    }
}

fn check_freshness(
    document: &Document<'_>,
    version: LockVersion,
    locked: &str,
    (_, pyproject): &(PathBuf, Table),
) -> Result<(), LockError> {
    let reckoning = match version {
        LockVersion::Bare => Reckoning::One,
        LockVersion::WithGroups => Reckoning::TwoWithGroups,
    };
    let found = content_hash(pyproject, reckoning).to_string();
    let older = version == LockVersion::WithGroups && is_before_groups(document.text);
    if found == locked || older && content_hash(pyproject, Reckoning::Two).to_string() == locked {
        return Ok(());
    }
    let reason = format!("`pyproject.toml` has changed since (content hash {found}, the lock's is {locked})");
    Err(document.stale(reason))
}

/// `[extras]`: the names that each of the project's extras stands for.
fn read_extras(table: &Table) -> Result<BTreeMap<ExtraName, BTreeSet<PackageName>>, EntryFault> {
    let fields = Fields::of(table);
    let Some(extras) = fields.table("extras")? else { return Ok(BTreeMap::new()) };
    let keys = table.get("extras").and_then(Value::as_table).into_iter().flat_map(Table::keys);
    let read = |key: &String| {
        let name = key.parse().map_err(|error| extras.fault(key, error))?;
        // An extra may ask for extras of what it names.
        let bare = |text: &str| text.split('[').next().unwrap_or_default().trim().parse::<PackageName>();
        Ok((name, extras.texts(key, bare)?.unwrap_or_default().into_iter().collect()))
    };
    keys.map(read).collect()
}

fn read_node(
    fields: &Fields<'_>,
    raw: Option<&Table>,
    version: LockVersion,
    bounds: &Bounds,
) -> Result<Node, EntryFault> {
    let name: PackageName = fields.required("name", fields.parsed("name", str::parse)?)?;
    let number: Version = fields.required("version", fields.parsed("version", str::parse)?)?;
    let python = fields.parsed("python-versions", str::parse)?.unwrap_or_else(Constraint::any);
    let (source, origin) = read_source(fields, bounds)?;
    let (mut demands, mut extras) = (Vec::new(), BTreeMap::new());
    if version == LockVersion::Bare {
        if let Some(table) = raw.and_then(|raw| raw.get("dependencies")).and_then(Value::as_table) {
            demands = read_demands(table)?;
        }
        if let Some(table) = fields.table("extras")? {
            let keys =
                raw.and_then(|raw| raw.get("extras")).and_then(Value::as_table).into_iter().flat_map(Table::keys);
            for key in keys {
                let extra: ExtraName = key.parse().map_err(|error| table.fault(key, error))?;
                let named = table.texts(key, |text| Ok::<_, Infallible>(named_by(text)))?.unwrap_or_default();
                extras.insert(extra, named.into_iter().flatten().collect());
            }
        }
    }
    let requires_python = python.specifiers().filter(|specifiers| !specifiers.is_empty()).cloned();
    let package =
        LockedPackage { requires_python, ..LockedPackage::new(name, Some(number), source, LocalPart::Stated)? };
    Ok(Node { package, python, origin, demands, extras })
}

/// The distribution that a requirement of an extra names; the requirement itself stands among the dependencies. Poetry
/// copies what old metadata has, so that not each of them can be read.
fn named_by(text: &str) -> Option<(PackageName, BTreeSet<ExtraName>)> {
    if let Ok(requirement) = text.parse::<Requirement>() {
        return Some((requirement.name, requirement.extras));
    }
    let name = text.split(['[', ' ', '(', ';', '@']).next()?.parse().ok()?;
    Some((name, BTreeSet::new()))
}

fn read_source(fields: &Fields<'_>, bounds: &Bounds) -> Result<(LockedSource, Origin), EntryFault> {
    let mut hashes: Vec<(&str, FileHash)> = Vec::new();
    for file in fields.tables("files")?.unwrap_or_default() {
        hashes.push((file.required_text("file")?, parse_hash(file.text("hash")?)?));
    }
    let Some(source) = fields.table("source")? else {
        return Ok((index_files(hashes, None), Origin::Index(None)));
    };
    let url = source.required_text("url")?;
    let inside = source.text("subdirectory")?;
    let hash_of = |hashes: Vec<(&str, FileHash)>, name: Option<&str>| {
        let named = hashes.iter().find(|(file, _)| Some(*file) == name).map(|(_, hash)| hash.clone());
        named.unwrap_or(FileHash::Missing)
    };
    match source.required_text("type")? {
        "legacy" => {
            let reference = source.text("reference")?.map(str::to_owned);
            Ok((index_files(hashes, Some(http_url(url)?)), Origin::Index(reference)))
        }
        "git" => {
            let commit = source.required_text("resolved_reference")?;
            Ok((git_commit(&long_form(url), commit, inside, bounds)?, Origin::Git))
        }
        "url" => {
            let hash = hash_of(hashes, crate::urls::file_name(url).as_deref());
            let inside = inside.map_or(Ok(None), subdirectory)?;
            Ok((LockedFile::at(FileLocation::Url(http_url(url)?), hash, None)?.alone(inside), Origin::Url))
        }
        "file" => {
            let hash = hash_of(hashes, url.rsplit('/').next());
            let inside = inside.map_or(Ok(None), subdirectory)?;
            let location = FileLocation::Path(bounds.resolve(url)?);
            Ok((LockedFile::at(location, hash, None)?.alone(inside), Origin::Path))
        }
        "directory" => {
            let path = bounds.resolve(url)?;
            let path = inside.map_or(Ok(None), subdirectory)?.map_or(path.clone(), |inside| path.join(inside));
            Ok((LockedSource::Directory { path }, Origin::Path))
        }
        kind => Err(source.fault("type", format!("`{kind}`, expected legacy, git, url, file or directory"))),
    }
}

fn index_files(hashes: Vec<(&str, FileHash)>, index: Option<String>) -> LockedSource {
    let file = |(name, hash): (&str, FileHash)| LockedFile {
        filename: name.to_owned(),
        location: FileLocation::Index,
        hash,
        size: None,
    };
    let files = hashes.into_iter().map(file).collect();
    LockedSource::Files { files, index: index.map(|url| split_login(&url).0) }
}

/// What a 2.1 entry is needed for: each of its groups, with the group's marker.
fn read_roots(fields: &Fields<'_>, raw: Option<&Table>, to: PackageIndex) -> Result<Vec<Root>, EntryFault> {
    let parse = |text: &str| {
        let marker: Marker = text.parse().map_err(|error| EntryFault::Marker(format!("{error}")))?;
        let reason = || EntryFault::Marker(format!("`{marker}`: `extra` can only be compared with `==` and `!=`"));
        marker.with_extras_as_set().ok_or_else(reason)
    };
    let names = fields.texts("groups", str::parse::<GroupName>)?;
    let mut markers: BTreeMap<GroupName, Marker> = BTreeMap::new();
    let mut common = None;
    match raw.and_then(|raw| raw.get("markers")) {
        None => {}
        Some(Value::String(text)) => common = Some(parse(text)?),
        _ => {
            let table = fields.table("markers")?.map(|table| table.each_text()).transpose()?.unwrap_or_default();
            for (group, text) in table {
                let name = group.parse().map_err(|error| fields.fault("markers", error))?;
                markers.insert(name, parse(text)?);
            }
        }
    }
    let root = |name: GroupName| {
        let marker = markers.get(&name).or(common.as_ref()).cloned();
        let of = if name.as_str() == MAIN { Membership::Base } else { Membership::Group(name) };
        Root { of, edge: Edge { to, extras: BTreeSet::new(), marker } }
    };
    Ok(fields.required("groups", names)?.into_iter().map(root).collect())
}

/// The groups that `pyproject.toml` has, be they empty.
fn declared_groups(pyproject: &Table) -> BTreeSet<GroupName> {
    let poetry = pyproject.get("tool").and_then(|tool| tool.get("poetry"));
    let tables = [poetry.and_then(|poetry| poetry.get("group")), pyproject.get("dependency-groups")];
    let names = tables.into_iter().flatten().filter_map(Value::as_table).flat_map(Table::keys).map(String::as_str);
    let dev = poetry.and_then(|poetry| poetry.get("dev-dependencies")).map(|_| "dev");
    names.chain(dev).filter(|name| *name != MAIN).filter_map(|name| name.parse().ok()).collect()
}

/// What `[tool.poetry]` requires.
fn read_required(
    pyproject: &Table,
    extras: BTreeMap<ExtraName, BTreeSet<PackageName>>,
) -> Result<Required, EntryFault> {
    let fields = Fields::of(pyproject);
    let poetry = fields.table("tool")?.map(|tool| tool.table("poetry")).transpose()?.flatten();
    poetry.ok_or_else(|| EntryFault::Field("`tool.poetry` is missing, from which the lock was made".to_owned()))?;
    let poetry = pyproject.get("tool").and_then(|tool| tool.get("poetry"));
    let table = |key: &str| poetry.and_then(|poetry| poetry.get(key)).and_then(Value::as_table);
    let main = table("dependencies").map(read_demands).transpose()?.unwrap_or_default();
    let mut groups = Vec::new();
    if let Some(demands) = table("dev-dependencies") {
        groups.push(("dev".parse().map_err(|error| fields.fault("dev", error))?, read_demands(demands)?));
    }
    for (name, group) in table("group").into_iter().flatten() {
        let name: GroupName = name.parse().map_err(|error| fields.fault("tool.poetry.group", error))?;
        if let Some(demands) = group.get("dependencies").and_then(Value::as_table) {
            groups.push((name, read_demands(demands)?));
        }
    }
    Ok(Required { main, groups, extras })
}
