//! Lock files: one module a format, all to one [`Lock`]; and what of a lock a target takes ([`Lock::select`]).
//!
//! A lock is data: nothing is resolved, fetched or built here, and what cannot be trusted (an entry without a sha256, a
//! path outside of the project, a URL that is neither http nor https) is refused by name before anything else happens.

mod agreement;
mod bounds;
mod constraint;
mod document;
mod draft;
mod earlier;
mod entries;
mod fault;
mod fields;
mod listing;
mod nix;
mod pdm;
mod pipfile;
mod places;
mod poetry;
mod pylock;
mod python_json;
mod reach;
mod requirements;
mod select;
mod uv;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use document::{Document, Purpose};
use pep440_rs::{Version, VersionSpecifiers};

use crate::digest::Sha256Digest;
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::Marker;

pub use agreement::{Disagreement, check_agreement};
pub use draft::Draft;
pub use earlier::{EarlierBuild, EarlierLock, EarlierPackage};
pub use fault::{Absence, EntryFault, LockError};
pub use nix::{NixLock, Places, Unplaced};
pub use select::{Choice, Selected, Wanted};

/// The longest lock that is read, in bytes: ten times what is written for ten thousand distributions.
const LARGEST: u64 = 256 << 20;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockFormat {
    /// `pylock.toml`, `pylock.NAME.toml` (PEP 751).
    Pylock,
    /// `uv.lock`, and `SCRIPT.py.lock`.
    Uv,
    /// `poetry.lock` 2.0 and 2.1.
    Poetry,
    /// `Pipfile.lock` 6.
    Pipfile,
    /// `pdm.lock`.
    Pdm,
    /// A requirements file in which everything is pinned and has hashes.
    Requirements,
}

/// A lock file, read: what was chosen, and for whom.
#[derive(Debug, Clone)]
pub struct Lock {
    /// Which format it has.
    pub format: LockFormat,
    /// Where it is; relative paths in it start from its directory.
    pub path: PathBuf,
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
    /// The Pythons that it was made for.
    pub requires_python: Option<VersionSpecifiers>,
    /// The environments that it was made for; empty where it does not say (PEP 751 `environments`).
    pub environments: Vec<Marker>,
    /// The extras that can be asked for; none where the format does not list them.
    pub extras: Option<BTreeSet<ExtraName>>,
    /// The dependency groups that can be asked for; none where the format does not list them.
    pub groups: Option<BTreeSet<GroupName>>,
    /// The groups that are taken whether asked for or not (PEP 751 `default-groups`).
    pub default_groups: BTreeSet<GroupName>,
    /// Sets of extras and groups of which at most one may be asked for (uv `conflicts`).
    pub conflicts: Vec<BTreeSet<Membership>>,
    /// Every entry, in the file's order.
    pub packages: Vec<LockedPackage>,
    /// The entry that is the project itself, in a format that lists it: it is packed by itself and never selected.
    pub project: Option<PackageIndex>,
    /// What is needed by itself. In a format that lists packages with markers, every package is; in one that holds a
    /// graph, what the project itself requires.
    pub roots: Vec<Root>,
    /// What says whether the lock is stale, to those who wrote it (`[tool.pyzpack] inputs` of a `pylock.toml`).
    pub inputs: Option<String>,
    /// What sources are built with, as far as that is known.
    pub builds: Vec<LockedBuild>,
    /// What says that.
    pub builds_in: BuildsIn,
}

/// What says what the sources of a lock are built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildsIn {
    /// The lock itself: `[tool.pyzpack]` of a `pylock.toml` that pyzpack wrote.
    Lock,
    /// The same lock as data for Nix, where that is beside it.
    Beside,
}

/// The place of a package in [`Lock::packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageIndex(pub usize);

/// When something is needed: always, with an extra of the project, or with one of its groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Membership {
    /// Always.
    Base,
    /// With this extra.
    Extra(ExtraName),
    /// With this dependency group.
    Group(GroupName),
}

/// Something that is needed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// When.
    pub of: Membership,
    /// What.
    pub edge: Edge,
}

/// From a package, or the project, to a package that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The package.
    pub to: PackageIndex,
    /// Its extras that are needed.
    pub extras: BTreeSet<ExtraName>,
    /// Where it is needed. `extra` in it means the extras of [`Wanted`]; so do `extras` and `dependency_groups` in a
    /// pylock.toml.
    pub marker: Option<Marker>,
}

/// One entry of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The distribution.
    pub name: PackageName,
    /// Its version; a directory's may be open until it is built.
    pub version: Option<Version>,
    /// Its demand on Python's version.
    pub requires_python: Option<VersionSpecifiers>,
    /// Where it comes from.
    pub source: LockedSource,
    /// What it needs, in a format that holds a graph.
    pub dependencies: Vec<Edge>,
    /// What its extras need, in a format that holds a graph.
    pub optional_dependencies: BTreeMap<ExtraName, Vec<Edge>>,
}

/// Where a locked package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockedSource {
    /// Its wheels and its source distribution, by name.
    Files {
        /// Wheels and source distributions.
        files: Vec<LockedFile>,
        /// The index that has them, where the lock says; without credentials it is still the one to ask.
        index: Option<String>,
    },
    /// Any file of that version that has one of these digests: the lock does not name the files.
    Digests {
        /// The sha256 digests.
        digests: Vec<FileHash>,
        /// The index that has them, where the lock says.
        index: Option<String>,
    },
    /// One file that is named by itself, wheel or source distribution.
    Archive {
        /// The file.
        file: LockedFile,
        /// The project's directory in it.
        subdirectory: Option<PathBuf>,
    },
    /// A commit in a git repository.
    Git {
        /// The repository, without `git+`.
        url: String,
        /// The whole commit.
        commit: String,
        /// The project's directory in it.
        subdirectory: Option<PathBuf>,
    },
    /// A directory: the project itself, a member of its workspace, or a path dependency.
    Directory {
        /// The directory, absolute and below the project.
        path: PathBuf,
    },
    /// A name that holds requirements together and has nothing to install (uv `virtual`).
    Virtual {
        /// The directory, absolute.
        path: PathBuf,
    },
}

/// A file of a locked package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFile {
    /// Its name, which is a wheel's or a source distribution's.
    pub filename: String,
    /// Where it is.
    pub location: FileLocation,
    /// Its digest.
    pub hash: FileHash,
    /// Its size in bytes, where the lock says.
    pub size: Option<u64>,
}

/// Where a locked file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileLocation {
    /// On a server (`http`, `https`).
    Url(String),
    /// On this machine: absolute.
    Path(PathBuf),
    /// Where the index says.
    Index,
}

/// What a lock says of a file's content. Only sha256 counts; the rest is kept to be refused by name when it is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileHash {
    /// Its sha256.
    Sha256(Sha256Digest),
    /// Other algorithms alone (`md5`), by name.
    Weak(Vec<String>),
    /// Nothing.
    Missing,
}

/// What one source is built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedBuild {
    /// The distribution that is built.
    pub name: PackageName,
    /// Its version; none for a directory whose version is dynamic.
    pub version: Option<Version>,
    /// The requirements that the set was chosen for: `[build-system] requires`, and those that the backend asked for,
    /// sorted, as written.
    pub requires: Vec<String>,
    /// The whole set, for every target that the lock is for: [`Lock::select_build`] takes what one of them needs.
    pub packages: Vec<MarkedPackage>,
}

/// A package, and where it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedPackage {
    /// The package.
    pub package: LockedPackage,
    /// Where it is needed.
    pub marker: Option<Marker>,
}

/// What a lock is read for.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The directory of the project whose requirements it locks: the one that is packed, which in a workspace is not
    /// the lock's own. None where nothing but the lock says what is packed.
    pub project: Option<&'a Path>,
    /// The project's name, where `pyproject.toml` says.
    pub name: Option<&'a PackageName>,
}

impl LockFormat {
    /// The format that a lock file of this name has: each tool fixes the name of its own.
    pub fn of_name(name: &str) -> Option<Self> {
        let pylock = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix("toml"));
        Some(match name {
            "uv.lock" => Self::Uv,
            "poetry.lock" => Self::Poetry,
            "Pipfile.lock" => Self::Pipfile,
            "pdm.lock" => Self::Pdm,
            // PEP 751: `pylock.toml`, or one part without dots between.
            _ if pylock.is_some_and(|rest| rest.matches('.').count() == usize::from(!rest.is_empty())) => Self::Pylock,
            _ if name.ends_with(".py.lock") => Self::Uv,
            _ if name.ends_with(".txt") || name.ends_with(".in") => Self::Requirements,
            _ => return None,
        })
    }
}

impl Lock {
    /// Reads the lock file at `path`.
    ///
    /// # Errors
    /// [`LockError`]: it is not there, not what its format says, or one of its entries cannot be trusted.
    pub fn read(path: &Path, context: Context<'_>) -> Result<Self, LockError> {
        Self::read_for(Purpose::Select, path, context)
    }

    /// Reads the entries of the lock file at `path` from what the file itself says. Whose lock it is, and whether it is
    /// stale, is not asked, so that nothing may be selected from it.
    ///
    /// # Errors
    /// The same.
    pub fn read_entries(path: &Path) -> Result<Self, LockError> {
        Self::read_for(Purpose::Compare, path, Context { project: None, name: None })
    }

    fn read_for(purpose: Purpose, path: &Path, context: Context<'_>) -> Result<Self, LockError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let format = LockFormat::of_name(name).ok_or_else(|| LockError::UnknownName(path.to_owned()))?;
        let cannot_read = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => LockError::NotFound(path.to_owned()),
            _ => LockError::Read { path: path.to_owned(), source },
        };
        let metadata = std::fs::metadata(path).map_err(cannot_read)?;
        // A pipe or a device may never end.
        if !metadata.is_file() {
            return Err(LockError::NoFile(path.to_owned()));
        }
        if metadata.len() > LARGEST {
            return Err(LockError::malformed(path, format!("it has {} bytes, the limit is {LARGEST}", metadata.len())));
        }
        let bytes = std::fs::read(path).map_err(cannot_read)?;
        let text = str::from_utf8(&bytes).map_err(|_| LockError::malformed(path, "it is not UTF-8"))?;
        let sha256 = Sha256Digest::of(&bytes);
        let document = Document { format, path, text, sha256, purpose };
        match format {
            LockFormat::Pylock => pylock::read(&document, context),
            LockFormat::Uv => uv::read(&document, context),
            LockFormat::Poetry => poetry::read(&document, context),
            LockFormat::Pipfile => pipfile::read(&document, context),
            LockFormat::Pdm => pdm::read(&document, context),
            LockFormat::Requirements => requirements::read(&document, context),
        }
    }
}

impl Lock {
    /// The file's name.
    pub fn filename(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What it is, in words.
    pub fn described(&self) -> String {
        match self.format {
            LockFormat::Requirements => "the requirements file".to_owned(),
            _ => format!("`{}`", self.filename()),
        }
    }

    /// Every sha256 in it.
    pub fn digests(&self) -> BTreeSet<Sha256Digest> {
        self.packages.iter().flat_map(LockedPackage::digests).collect()
    }

    /// What makes it anew; the lock of a script is named after it.
    fn command(&self) -> String {
        let name = self.filename();
        let script = |stem: &str| Some(format!("{stem}.py")).filter(|name| self.path.with_file_name(name).is_file());
        let named = match self.format {
            LockFormat::Uv => name.strip_suffix(".py.lock").and_then(script).map(|name| format!(" --script {name}")),
            LockFormat::Pylock => {
                let stem = name.strip_prefix("pylock.").and_then(|name| name.strip_suffix(".toml"));
                stem.and_then(script).map(|name| format!(" {name}"))
            }
            _ => None,
        };
        // Of pyzpack's own, which have `inputs`, those that name no environment are for all.
        let universal = self.inputs.is_some() && self.environments.is_empty();
        let command = if universal { "pyzpack lock --universal" } else { self.format.command() };
        format!("{command}{}", named.unwrap_or_default())
    }

    /// That it says something else than the project, and what makes it anew.
    pub fn stale(&self, reason: impl Into<String>) -> LockError {
        LockError::stale(&self.path, reason, self.command())
    }
}

impl LockFormat {
    /// What makes such a lock anew.
    pub fn command(self) -> &'static str {
        match self {
            Self::Pylock => "pyzpack lock",
            Self::Uv => "uv lock",
            Self::Poetry => "poetry lock",
            Self::Pipfile => "pipenv lock",
            Self::Pdm => "pdm lock",
            Self::Requirements => "uv pip compile --generate-hashes",
        }
    }
}

impl LockedPackage {
    /// The sha256 that it has for a file of this name.
    pub fn digest_of(&self, filename: &str) -> Option<Sha256Digest> {
        let files = match &self.source {
            LockedSource::Files { files, .. } => files.as_slice(),
            LockedSource::Archive { file, .. } => std::slice::from_ref(file),
            _ => &[],
        };
        files.iter().find(|file| file.filename == filename)?.hash.sha256()
    }

    /// The sha256 of each of its files.
    pub fn digests(&self) -> Vec<Sha256Digest> {
        let hashes: Vec<&FileHash> = match &self.source {
            LockedSource::Files { files, .. } => files.iter().map(|file| &file.hash).collect(),
            LockedSource::Digests { digests, .. } => digests.iter().collect(),
            LockedSource::Archive { file, .. } => vec![&file.hash],
            LockedSource::Git { .. } | LockedSource::Directory { .. } | LockedSource::Virtual { .. } => Vec::new(),
        };
        hashes.into_iter().filter_map(FileHash::sha256).collect()
    }
}

impl FileHash {
    /// The sha256, where it is one.
    pub fn sha256(&self) -> Option<Sha256Digest> {
        match self {
            Self::Sha256(digest) => Some(*digest),
            Self::Weak(_) | Self::Missing => None,
        }
    }
}
