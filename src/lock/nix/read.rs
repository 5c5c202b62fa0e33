//! From the document to what sources are built with.

use std::path::Path;

use super::describe::{bare, is_local, repository};
use super::wire::{Build, Document, File, Header, Package, Source};
use super::{FORMAT, LARGEST, NixLock, Places, VERSION};
use crate::json::parse_json;
use crate::lock::bounds::{Bounds, subdirectory};
use crate::lock::entries::LocalPart;
use crate::lock::places::{git_commit, http_url};
use crate::lock::{
    Absence, EarlierPackage, EntryFault, FileHash, FileLocation, Lock, LockError, LockedBuild, LockedFile,
    LockedPackage, LockedSource, MarkedPackage,
};
use crate::redact::recorded_url;

impl NixLock {
    /// Reads the document at `path`; none where there is none.
    ///
    /// # Errors
    /// [`LockError`]: it is not what its format says, or of a version that is not known.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let unreadable = |source| LockError::Read { path: path.to_owned(), source };
        let malformed = |reason: String| LockError::malformed(path, reason);
        let metadata = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(unreadable)?,
        };
        // A pipe or a device may never end.
        if !metadata.is_file() {
            return Err(LockError::NoFile(path.to_owned()));
        }
        if metadata.len() > LARGEST as u64 {
            return Err(malformed(format!("it has {} bytes, the limit is {LARGEST}", metadata.len())));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        // The reader below takes a key twice, and would keep one of them.
        parse_json(&bytes, LARGEST).map_err(|fault| malformed(fault.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        let broken = |error: serde_json::Error| malformed(error.to_string());
        // The version first: another one may have another form.
        let Header { format, version } = serde_json::from_str(&text).map_err(broken)?;
        if format != FORMAT {
            return Err(malformed(format!("its format is `{format}`, expected `{FORMAT}`")));
        }
        if version != VERSION {
            return Err(LockError::UnknownVersion { path: path.to_owned(), found: version.to_string(), known: "1" });
        }
        let document: Document = serde_json::from_str(&text).map_err(broken)?;
        Ok(Some(Self { path: path.to_owned(), text, document }))
    }

    /// That it is of another lock, or of another state of this one; none where it is of this.
    pub fn find_staleness(&self, lock: &Lock) -> Option<String> {
        let found = &self.document.lock;
        if found.name != lock.filename() {
            return Some(format!("it is of `{}`, not of `{}`", found.name, lock.filename()));
        }
        let (found, expected) = (found.sha256, lock.sha256);
        let name = lock.filename();
        (found != expected).then(|| format!("`{name}` has changed since (its sha256 is {expected}, expected {found})"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What sources are built with, checked like the entries of a lock.
    ///
    /// # Errors
    /// One of its entries cannot be trusted.
    pub fn builds(&self, lock: &Lock, project: Option<&Path>) -> Result<Vec<LockedBuild>, LockError> {
        let bounds = lock.bounds(project)?;
        self.document.builds.iter().map(|build| self.build(build, &bounds)).collect()
    }

    /// The versions that it has for builds.
    pub fn build_versions(&self) -> Vec<EarlierPackage> {
        let packages = self.document.builds.iter().flat_map(|build| &build.packages);
        let version = |package: &Package| EarlierPackage {
            name: package.name.clone(),
            version: package.version.as_ref().map(ToString::to_string),
            marker: package.marker.marker().cloned(),
        };
        packages.map(version).collect()
    }

    /// Where it has the files; what cannot be trusted has no place.
    ///
    /// # Errors
    /// Its directory cannot be looked at.
    pub fn places(&self, lock: &Lock, project: Option<&Path>) -> Result<Places, LockError> {
        let bounds = lock.bounds(project)?;
        let mut places = Places::new(Absence::NotAsked);
        for Package { name, source, .. } in &self.document.packages {
            let files = match source {
                Source::Files { files } => files.as_slice(),
                Source::Archive { file, .. } => file.as_slice(),
                Source::Git { .. } | Source::Directory { .. } | Source::Virtual { .. } => &[],
            };
            for file in files {
                if let Ok(LockedFile { filename, location, .. }) = locked_file(file, &bounds) {
                    places.add(name, file.sha256, &filename, location);
                }
            }
        }
        Ok(places)
    }

    fn build(&self, build: &Build, bounds: &Bounds) -> Result<LockedBuild, LockError> {
        let package = |package: &Package| {
            let named = || match &package.version {
                Some(version) => format!("the build of {}, {} {version}", build.name, package.name),
                None => format!("the build of {}, {}", build.name, package.name),
            };
            locked_package(package, bounds).map_err(|fault| LockError::entry(&self.path, named(), fault))
        };
        Ok(LockedBuild {
            name: build.name.clone(),
            version: build.version.clone(),
            requires: build.requires.clone(),
            packages: build.packages.iter().map(package).collect::<Result<_, LockError>>()?,
        })
    }
}

fn locked_package(wire: &Package, bounds: &Bounds) -> Result<MarkedPackage, EntryFault> {
    let has_edges = !wire.dependencies.is_empty() || !wire.optional_dependencies.is_empty();
    if has_edges {
        return Err(EntryFault::Field("it has dependencies: what a build needs is listed whole".to_owned()));
    }
    let source = match &wire.source {
        Source::Files { files } => {
            let files = files.iter().map(|file| locked_file(file, bounds)).collect::<Result<_, _>>()?;
            LockedSource::Files { files, index: None }
        }
        Source::Archive { file, subdirectory: inside } => {
            let file = file.as_ref().ok_or_else(|| EntryFault::Field("`file` is missing".to_owned()))?;
            locked_file(file, bounds)?.alone(inside.as_deref().map_or(Ok(None), subdirectory)?)
        }
        Source::Git { url, .. } if *url != repository(url) || is_local(url) => return Err(foreign(url)),
        Source::Git { url, commit, subdirectory } => git_commit(url, commit, subdirectory.as_deref(), bounds)?,
        Source::Directory { path } => LockedSource::Directory { path: bounds.resolve(path)? },
        Source::Virtual { path } => LockedSource::Virtual { path: bounds.resolve(path)? },
    };
    let package = LockedPackage::new(wire.name.clone(), wire.version.clone(), source, LocalPart::Stated)?;
    let package = LockedPackage { requires_python: wire.requires_python.clone(), ..package };
    Ok(MarkedPackage { package, marker: wire.marker.marker().cloned() })
}

/// That a URL is none that is ever written: one with a credential, a query or a fragment, or of this machine.
fn foreign(url: &str) -> EntryFault {
    let shown = recorded_url(url);
    EntryFault::Field(format!("`{shown}` is written without credentials, query and fragment, and is of no machine"))
}

fn locked_file(file: &File, bounds: &Bounds) -> Result<LockedFile, EntryFault> {
    let location = match (&file.url, &file.path) {
        (Some(url), None) if *url != bare(url) => return Err(foreign(url)),
        (Some(url), None) => FileLocation::Url(http_url(url)?),
        (None, Some(path)) => FileLocation::Path(bounds.resolve(path)?),
        _ => return Err(EntryFault::Field(format!("`{}` has to have either a URL or a path", file.filename))),
    };
    Ok(LockedFile { filename: file.filename.clone(), location, hash: FileHash::Sha256(file.sha256), size: None })
}
