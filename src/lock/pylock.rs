//! `pylock.toml`, lock version 1 (PEP 751), and what `pyzpack lock` adds to it under `[tool.pyzpack]`.
//!
//! What `packaging.pylock` refuses is refused here. Refused besides, because a build must not rest on it: a URL that is
//! neither http nor https, a path that leaves the project ([`Bounds`]), a file name that holds one, a repository that is not
//! git's or is not pinned to a whole commit, a sha256 that is none, a size below zero, an archive whose name does not say
//! what it is, files of several versions in an entry without one, a dependency group whose name PEP 735 does not allow, an
//! environment that asks for extras or groups, and what [`Marker`] refuses.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier, VersionSpecifiers};

use super::bounds::{Bounds, subdirectory};
use super::entries::LocalPart;
use super::fields::Fields;
use super::places::{git_commit, http_url, not_git};
use super::{
    BuildsIn, Context, Document, Edge, EntryFault, FileHash, FileLocation, Lock, LockError, LockedBuild, LockedFile,
    LockedPackage, LockedSource, MarkedPackage, Membership, PackageIndex, Root,
};
use crate::names::PackageName;
use crate::target::{Marker, MarkerError, Variable, WheelFilename};
use crate::urls;

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let malformed = |fault: EntryFault| document.malformed(fault);
    let table = document.table()?;
    let fields = Fields::of(&table);
    check_version(document, fields.required_text("lock-version").map_err(malformed)?)?;
    let header = Header::read(&fields).map_err(malformed)?;
    let bounds = document.bounds(context)?;
    let mut packages = Vec::new();
    let mut roots = Vec::new();
    let mut project = None;
    let entries = fields.tables("packages").and_then(|entries| fields.required("packages", entries));
    for (index, entry) in entries.map_err(malformed)?.into_iter().enumerate() {
        let MarkedPackage { package, marker } = read_entry(document, &entry, &bounds)?;
        if is_project(document, &package, context)? {
            project = Some(PackageIndex(index));
        }
        roots.push(Root {
            of: Membership::Base,
            edge: Edge { to: PackageIndex(index), extras: BTreeSet::new(), marker },
        });
        packages.push(package);
    }
    let tool = fields.table("tool").map_err(malformed)?;
    let own = tool.map(|tool| tool.table("pyzpack")).transpose().map_err(malformed)?.flatten();
    let builds_in = if own.is_some() { BuildsIn::Lock } else { BuildsIn::Beside };
    let (inputs, builds) = own.map(|own| read_own(document, &own, &bounds)).transpose()?.unwrap_or_default();
    Ok(Lock {
        requires_python: header.requires_python,
        environments: header.environments,
        extras: Some(header.extras),
        groups: Some(header.groups),
        default_groups: header.default_groups,
        packages,
        project,
        roots,
        inputs,
        builds,
        builds_in,
        ..document.empty_lock()
    })
}

/// PEP 751: a tool refuses another major version, and reads another minor one as far as it knows it.
fn check_version(document: &Document<'_>, text: &str) -> Result<(), LockError> {
    let known = |version: &Version| {
        version.epoch() == 0 && version.release().first() == Some(&1) && *version >= Version::new([1])
    };
    match text.parse::<Version>() {
        Ok(version) if known(&version) => Ok(()),
        _ => Err(document.unknown_version(text, "1.0, and other minor versions of 1")),
    }
}

/// What a lock says of itself.
struct Header {
    requires_python: Option<VersionSpecifiers>,
    environments: Vec<Marker>,
    extras: BTreeSet<PackageName>,
    groups: BTreeSet<PackageName>,
    default_groups: BTreeSet<PackageName>,
}

impl Header {
    fn read(fields: &Fields<'_>) -> Result<Self, EntryFault> {
        fields.required_text("created-by")?;
        let group = |key| fields.texts(key, PackageName::from_str).map(Option::unwrap_or_default);
        let default_groups: BTreeSet<PackageName> = group("default-groups")?.into_iter().collect();
        let mut groups: BTreeSet<PackageName> = group("dependency-groups")?.into_iter().collect();
        // They need not be listed to be there, and asking for one changes nothing.
        groups.extend(default_groups.iter().cloned());
        Ok(Self {
            requires_python: fields.parsed("requires-python", parse_specifiers)?,
            environments: fields.texts("environments", parse_environment)?.unwrap_or_default(),
            extras: fields.texts("extras", normalised)?.unwrap_or_default().into_iter().collect(),
            groups,
            default_groups,
        })
    }
}

/// A marker about the machine alone: no environment has an extra.
fn parse_environment(text: &str) -> Result<Marker, String> {
    let marker: Marker = text.parse().map_err(|error: crate::target::MarkerError| error.to_string())?;
    let names = [Variable::Extra, Variable::Extras, Variable::DependencyGroups];
    match names.into_iter().find(|name| marker.mentions(*name)) {
        Some(_) => Err(format!("`{text}` asks for extras or groups, which are no part of an environment")),
        None => Ok(marker),
    }
}

/// The name that stands in a lock in its normalised form, and in no other (PEP 751).
fn normalised(text: &str) -> Result<PackageName, String> {
    let name: PackageName = text.parse().map_err(|error: crate::names::NameError| error.to_string())?;
    if name.as_str() == text { Ok(name) } else { Err(format!("`{text}` is not normalised, expected `{name}`")) }
}

/// A specifier set as `packaging.specifiers.SpecifierSet` takes it: empty, and with empty parts.
fn parse_specifiers(text: &str) -> Result<VersionSpecifiers, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let specifiers: Result<Vec<VersionSpecifier>, _> = parts.map(VersionSpecifier::from_str).collect();
    specifiers.map(VersionSpecifiers::from_iter).map_err(|error| format!("`{text}`: {error}"))
}

/// An entry of `packages`, its fault named by name and version, or else by its place.
fn read_entry(document: &Document<'_>, entry: &Fields<'_>, bounds: &Bounds) -> Result<MarkedPackage, LockError> {
    read_package(&entry.alone(), bounds).map_err(|fault| LockError::entry(document.path, entry.label(), fault))
}

/// Whether an entry is the project itself, which may stand among the others, under its own name.
fn is_project(document: &Document<'_>, package: &LockedPackage, context: Context<'_>) -> Result<bool, LockError> {
    if !package.is_project(context) {
        return Ok(false);
    }
    match context.name.filter(|name| **name != package.name) {
        Some(name) => Err(LockError::OtherProject {
            path: document.path.to_owned(),
            found: package.name.to_string(),
            expected: name.to_string(),
        }),
        None => Ok(true),
    }
}

fn read_package(fields: &Fields<'_>, bounds: &Bounds) -> Result<MarkedPackage, EntryFault> {
    let name = fields.required("name", fields.parsed("name", normalised)?)?;
    let stated = fields.parsed("version", Version::from_str)?;
    let marker = fields.text("marker")?.map(Marker::from_str).transpose();
    let marker = marker.map_err(|error| EntryFault::Marker(error.to_string()))?;
    let requires_python = fields.parsed("requires-python", parse_specifiers)?;
    let index = fields.text("index")?;
    fields.tables("dependencies")?;
    fields.table("tool")?;
    for identity in fields.tables("attestation-identities")?.unwrap_or_default() {
        identity.required_text("kind")?;
    }
    let wheels = fields.tables("wheels")?.unwrap_or_default();
    let sdist = fields.table("sdist")?;
    let trees = [fields.table("vcs")?, fields.table("directory")?, fields.table("archive")?];
    let (version, source) = match (wheels.len() + usize::from(sdist.is_some()), trees) {
        (0, [Some(vcs), None, None]) => (stated, read_repository(&vcs, bounds)?),
        (0, [None, Some(directory), None]) => (stated, read_directory(&directory, bounds)?),
        (0, [None, None, Some(archive)]) => read_archive(&archive, bounds, stated)?,
        (1.., [None, None, None]) => {
            let mut files = Vec::new();
            let mut version = stated;
            for wheel in &wheels {
                let file = read_file(wheel, bounds)?;
                version.get_or_insert(wheel_version(&file)?);
                files.push(file);
            }
            if let Some(sdist) = &sdist {
                let file = read_file(sdist, bounds)?;
                version.get_or_insert(sdist_version(&file)?);
                files.push(file);
            }
            (version, LockedSource::Files { files, index: index.map(str::to_owned) })
        }
        (0, _) => return Err(EntryFault::Field("expected wheels, an sdist, or one of vcs, directory, archive".into())),
        _ => {
            let reason = "it has wheels or an sdist, and vcs, directory or archive: one of both is due";
            return Err(EntryFault::Field(reason.into()));
        }
    };
    let package = LockedPackage::new(name, version, source, LocalPart::Stated)?;
    Ok(MarkedPackage { package: LockedPackage { requires_python, ..package }, marker })
}

/// The version that a wheel's file name says, as strictly as `packaging.utils` reads it.
fn wheel_version(file: &LockedFile) -> Result<Version, EntryFault> {
    let read = || {
        file.filename.parse::<WheelFilename>().ok()?;
        let mut parts = file.filename.split('-');
        let escaped = parts.next().is_some_and(|name| !name.contains("__"));
        let version = parts.next()?.parse().ok()?;
        escaped.then_some(version)
    };
    read().ok_or_else(|| EntryFault::FileName(file.filename.clone()))
}

/// The version that a source distribution's file name says, as strictly as `packaging.utils` reads it.
fn sdist_version(file: &LockedFile) -> Result<Version, EntryFault> {
    let stem = file.filename.strip_suffix(".tar.gz").or_else(|| file.filename.strip_suffix(".zip"));
    let version = stem.and_then(|stem| stem.rsplit_once('-')?.1.parse().ok());
    version.ok_or_else(|| EntryFault::FileName(file.filename.clone()))
}

/// A file, of which nothing is missing; its name may be anything yet.
fn read_file(fields: &Fields<'_>, bounds: &Bounds) -> Result<LockedFile, EntryFault> {
    let (name, path, url) = (fields.text("name")?, fields.text("path")?, fields.text("url")?);
    fields.check_time("upload-time")?;
    let size = fields.size("size")?;
    let [name, path, url] = [name, path, url].map(|text| text.filter(|text| !text.is_empty()));
    let of_path = |path: &str| path.rsplit(if path.contains('/') { '/' } else { '\\' }).next().map(str::to_owned);
    let filename = name.map(str::to_owned).or_else(|| path.and_then(of_path).filter(|name| !name.is_empty()));
    let filename = filename.or_else(|| url.and_then(urls::file_name)).unwrap_or_default();
    let location = locate(path, url, bounds, fields)?;
    let hashes = fields.table("hashes")?.map(|hashes| hashes.each_text()).transpose()?.unwrap_or_default();
    let hash = match hashes.iter().find(|(algorithm, _)| *algorithm == "sha256") {
        Some((_, digest)) => FileHash::Sha256(digest.parse().map_err(|_| EntryFault::BadHash((*digest).to_owned()))?),
        None if hashes.is_empty() => return Err(EntryFault::NoHash { file: filename }),
        None => FileHash::Weak(hashes.into_iter().map(|(algorithm, _)| algorithm.to_owned()).collect()),
    };
    Ok(LockedFile { filename, location, hash, size })
}

/// Where a file is. Of a path and a URL the path is taken where there is such a file: both have the same hash.
fn locate(
    path: Option<&str>,
    url: Option<&str>,
    bounds: &Bounds,
    fields: &Fields<'_>,
) -> Result<FileLocation, EntryFault> {
    let path = path.map(|path| bounds.resolve(path)).transpose()?;
    match (path, url.map(http_url).transpose()?) {
        (Some(path), None) => Ok(FileLocation::Path(path)),
        (Some(path), Some(_)) if path.is_file() => Ok(FileLocation::Path(path)),
        (_, Some(url)) => Ok(FileLocation::Url(url)),
        (None, None) => {
            Err(EntryFault::Field(format!("`{}` or `{}` is missing", fields.key("path"), fields.key("url"))))
        }
    }
}

fn read_archive(
    fields: &Fields<'_>,
    bounds: &Bounds,
    stated: Option<Version>,
) -> Result<(Option<Version>, LockedSource), EntryFault> {
    let file = read_file(fields, bounds)?;
    let inside = read_subdirectory(fields)?;
    let mut version = stated;
    if file.filename.ends_with(".whl") {
        version.get_or_insert(wheel_version(&file)?);
    }
    Ok((version, file.alone(inside)))
}

fn read_directory(fields: &Fields<'_>, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
    let path = bounds.resolve(fields.required_text("path")?)?;
    fields.boolean("editable")?;
    let path = match read_subdirectory(fields)? {
        Some(inside) => path.join(inside),
        None => path,
    };
    Ok(LockedSource::Directory { path })
}

fn read_subdirectory(fields: &Fields<'_>) -> Result<Option<PathBuf>, EntryFault> {
    fields.text("subdirectory")?.map_or(Ok(None), subdirectory)
}

fn read_repository(fields: &Fields<'_>, bounds: &Bounds) -> Result<LockedSource, EntryFault> {
    let kind = fields.required_text("type")?;
    let (url, path) = (fields.text("url")?, fields.text("path")?);
    let commit = fields.required_text("commit-id")?;
    fields.text("requested-revision")?;
    let inside = fields.text("subdirectory")?;
    if kind != "git" {
        return Err(not_git(kind));
    }
    let [url, path] = [url, path].map(|text| text.filter(|text| !text.is_empty()));
    let url = match (url, path) {
        (Some(url), _) => url.to_owned(),
        (None, Some(path)) => urls::file_url(&bounds.resolve(path)?),
        (None, None) => {
            let reason = format!("`{}` or `{}` is missing", fields.key("path"), fields.key("url"));
            return Err(EntryFault::Field(reason));
        }
    };
    git_commit(&url, commit, inside, bounds)
}

/// What `pyzpack lock` wrote under `[tool.pyzpack]`: what was locked, and what sources are built with.
fn read_own(
    document: &Document<'_>,
    fields: &Fields<'_>,
    bounds: &Bounds,
) -> Result<(Option<String>, Vec<LockedBuild>), LockError> {
    let malformed = |fault: EntryFault| document.malformed(fault);
    let version = fields.integer("lock-version").and_then(|version| fields.required("lock-version", version));
    let version = version.map_err(malformed)?;
    if version != 1 {
        return Err(document.unknown_version(format!("{version} in `[tool.pyzpack]`"), "1"));
    }
    let inputs = fields.text("inputs").map_err(malformed)?.map(str::to_owned);
    let mut available = Vec::new();
    for entry in fields.tables("build-packages").map_err(malformed)?.unwrap_or_default() {
        available.push(read_entry(document, &entry, bounds)?);
    }
    let mut builds = Vec::new();
    for entry in fields.tables("builds").map_err(malformed)?.unwrap_or_default() {
        let place =
            || entry.text("name").ok().flatten().map_or_else(|| entry.place(), |name| format!("the build of {name}"));
        let build = read_build(&entry.alone(), &available);
        builds.push(build.map_err(|fault| LockError::entry(document.path, place(), fault))?);
    }
    Ok((inputs, builds))
}

fn read_build(fields: &Fields<'_>, available: &[MarkedPackage]) -> Result<LockedBuild, EntryFault> {
    let name = fields.required("name", fields.parsed("name", normalised)?)?;
    let version = fields.parsed("version", Version::from_str)?;
    let requires = fields.texts("requires", |text| Ok::<_, std::convert::Infallible>(text.to_owned()))?;
    let requires = fields.required("requires", requires)?;
    let mut packages = Vec::new();
    for reference in fields.required("packages", fields.tables("packages")?)? {
        let wanted = reference.required("name", reference.parsed("name", normalised)?)?;
        let at = reference.required("version", reference.parsed("version", Version::from_str)?)?;
        let found =
            available.iter().find(|one| one.package.name == wanted && one.package.version.as_ref() == Some(&at));
        let mut found = found.cloned().ok_or_else(|| EntryFault::Dangling(format!("{wanted} {at}")))?;
        // Two builds may share a package that they need in different places.
        if let Some(marker) = reference.text("marker")? {
            found.marker = Some(marker.parse().map_err(|error: MarkerError| EntryFault::Marker(error.to_string()))?);
        }
        packages.push(found);
    }
    Ok(LockedBuild { name, version, requires, packages })
}
