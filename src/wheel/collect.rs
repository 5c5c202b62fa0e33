//! From requirements and sources to wheel files on disk: resolve, fetch, and build what has no wheel.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::Serialize;

use super::build::{BuildRequirement, Known, Prepared, Source};
use super::build_error::BuildError;
use super::fetch::{Client, Download, Fetched, Progress};
use super::fetch_error::FetchError;
use super::locked::BuildLock;
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::process::ScratchDir;
use crate::project::sdist::Limits;
use crate::python::Interpreter;
use crate::python::venv::Venv;
use crate::redact::{recorded_url, redact_url};
use crate::resolve::{
    Artifact, IndexOptions, Location, RemoteFile, Request, ResolveError, Resolved, TargetOverride, Told, resolve,
};
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;
use crate::target::ClosureError;

/// Verifies a wheel and installs it into a scratch virtual environment. The digest is the one that the wheel must have,
/// where one is known.
pub type InstallWheel<'a> =
    dyn Fn(&Path, Option<&Sha256Digest>, &Venv) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Sync + 'a;

/// What collecting and building share: where, with which Python, from which indexes.
pub struct Workshop<'a> {
    /// Environment and directories.
    pub surroundings: &'a Surroundings,
    /// Where everything temporary is.
    pub scratch: &'a ScratchDir,
    /// The interpreter that resolves and builds.
    pub interpreter: &'a Interpreter,
    /// Where distributions are looked for.
    pub index: &'a IndexOptions,
    /// How files are fetched.
    pub client: &'a Client,
    /// Whether no internet socket may be opened.
    pub offline: bool,
    /// `SOURCE_DATE_EPOCH` of builds, in seconds since 1970.
    pub epoch: u64,
    /// How long one build may take.
    pub build_timeout: Duration,
    /// How long one resolution may take.
    pub resolve_timeout: Duration,
    /// Who hears what a resolver is configured by.
    pub told: &'a Told<'a>,
    /// How much a source distribution may unpack to.
    pub limits: Limits,
    /// What a lock says that sources are built with.
    pub build_lock: BuildLock<'a>,
    /// Verifies and installs a build requirement.
    pub install: &'a InstallWheel<'a>,
    /// Build requirements that were collected before, by their lines.
    pub collected: CollectedBefore,
}

/// Build requirements that one run collected already: most sources ask for the same ones.
#[derive(Debug, Default)]
pub struct CollectedBefore(Mutex<BTreeMap<Vec<String>, Vec<CollectedWheel>>>);

/// What is to be collected.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Requirements, as in [`Request`].
    pub requirements: &'a [String],
    /// Constraints, as in [`Request`].
    pub constraints: &'a [String],
    /// What the wheels must run on, where that is not the interpreter itself.
    pub target: Option<&'a TargetOverride>,
    /// The directory whose resolver configuration counts.
    pub directory: &'a Path,
}

/// A wheel file on disk, not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedWheel {
    /// The distribution's name.
    pub name: PackageName,
    /// The file's own name.
    pub filename: String,
    /// Where it is.
    pub path: PathBuf,
    /// The digest that it must have, where one is known; that of a fetched file was checked.
    pub sha256: Option<Sha256Digest>,
    /// How it was come by.
    pub obtained: Obtained,
}

/// How a wheel was come by in this run. What its bytes may be told to come from, a lock has a say in
/// ([`Origin`](super::Origin)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obtained {
    /// From a server; the URL, without credentials and query.
    Fetched(String),
    /// From a directory of this machine.
    Local,
    /// Built here.
    Built {
        /// The source: a file name, a pinned git input, or a directory's name.
        source: String,
        /// The source distribution's digest.
        sha256: Option<Sha256Digest>,
        /// What it was built with.
        build_requirements: Vec<BuildRequirement>,
        /// Whether a lock named all of them.
        locked: bool,
        /// Whether anything ran for that.
        made: Made,
        /// Entries that hold the path of the directory that it was built in: their bytes differ from build to build
        /// (maturin's own SBOM is one).
        path_dependent: Vec<String>,
    },
}

/// How a built wheel came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// It was built now.
    Now,
    /// It was built before, from the same: the cache has it.
    Before,
    /// It was built elsewhere, and lies in a directory of distributions.
    Elsewhere,
}

/// Why requirements do not come to wheels.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// They cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A file cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A wheel cannot be built.
    #[error(transparent)]
    Build(#[from] Box<BuildError>),
    /// A source distribution is another than the one that was chosen.
    #[error("wrong hash of `{file}`: expected sha256 {expected}, found {found}")]
    WrongHash {
        /// The file.
        file: String,
        /// The digest that was expected.
        expected: Sha256Digest,
        /// The digest that it has.
        found: Sha256Digest,
    },
    /// A file that the requirements files, or a lock without file names, do not allow.
    #[error("wrong hash of `{file}`: {by} allows sha256 {allowed}; it has {found}")]
    NotAllowed {
        /// What says so: "the requirements file".
        by: String,
        /// The file.
        file: String,
        /// The digests that are allowed.
        allowed: String,
        /// The digest that it has.
        found: Sha256Digest,
    },
    /// Distributions that need a hash, and have none that could be checked.
    #[error("the requirements files require hashes, and there is none to check of: {0}")]
    Unhashed(String),
    /// There is no lock, and everything must be pinned.
    #[error("--locked needs a lock, and there is none: no hash pins {0}")]
    NoLock(String),
    /// A repository of which a branch, a tag or the default is asked for, and everything must be pinned.
    #[error("--locked needs a whole commit of `{}`: a branch or a tag may be another one tomorrow", redact_url(.0))]
    NoCommit(String),
    /// Something is not pinned, and everything must be.
    #[error("not pinned, and --locked refuses that: {0}")]
    Unpinned(String),
    /// There are sources without a wheel, and nothing may be built.
    #[error("not built, as nothing may be: {}", sources.join(", "))]
    Unbuilt {
        /// What would be built: file names, repositories without credentials, names of directories.
        sources: Vec<String>,
    },
    /// Files of an earlier build that are to be packed again, and are nowhere.
    #[error("neither --find-links, the cache nor an index that was asked has {}", .0.join(", "))]
    Gone(Vec<String>),
    /// A source distribution cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CollectError {
    /// The distribution of which there is no wheel, where that is the reason.
    pub(super) fn missing(&self) -> Option<&PackageName> {
        match self {
            Self::Resolve(ResolveError::Closed(error)) => match error.as_ref() {
                ClosureError::Missing { demand } => Some(&demand.requirement.name),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Explain for CollectError {
    fn status(&self) -> Status {
        match self {
            Self::Resolve(error) => error.status(),
            Self::Fetch(error) => error.status(),
            Self::Build(error) => error.status(),
            Self::WrongHash { .. }
            | Self::NotAllowed { .. }
            | Self::Unhashed(_)
            | Self::NoLock(_)
            | Self::NoCommit(_)
            | Self::Unpinned(_)
            | Self::Gone(_)
            | Self::Unbuilt { .. } => Status::Refused,
            Self::Read { .. } => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Resolve(error) => error.hint(),
            Self::Fetch(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::NotAllowed { .. } => {
                Some("list the hashes of all files of that version, as `pip-compile --generate-hashes` does".to_owned())
            }
            Self::Unhashed(_) => {
                Some("list them with the hashes of their files, as `pip-compile --generate-hashes` does".to_owned())
            }
            Self::NoCommit(url) => {
                Some(format!("name it: `git+{}@COMMIT`, with 40 hexadecimal digits", redact_url(url)))
            }
            Self::NoLock(_) | Self::Unpinned(_) => Some("run `pyzpack lock`, then build again".to_owned()),
            Self::Gone(_) => Some("name a directory that holds them with --find-links".to_owned()),
            Self::WrongHash { .. } | Self::Unbuilt { .. } | Self::Read { .. } => None,
        }
    }
}

impl Workshop<'_> {
    /// Collects the wheels of requirements and of all that they require.
    ///
    /// # Errors
    /// [`CollectError`].
    pub fn collect(&self, wanted: &Wanted<'_>, progress: Progress<'_>) -> Result<Vec<CollectedWheel>, CollectError> {
        self.collect_for(wanted, progress, &[])
    }

    /// The same, on the way of building what `trail` names.
    pub(super) fn collect_for(
        &self,
        wanted: &Wanted<'_>,
        progress: Progress<'_>,
        trail: &[String],
    ) -> Result<Vec<CollectedWheel>, CollectError> {
        let request = Request {
            requirements: wanted.requirements,
            constraints: wanted.constraints,
            index: self.index,
            interpreter: self.interpreter,
            target: wanted.target,
            offline: self.offline,
            directory: wanted.directory,
            timeout: self.resolve_timeout,
            told: self.told,
        };
        let packages = resolve(&request, self.surroundings, self.scratch.path())?.packages;
        self.materialise(packages, progress, trail)
    }

    /// Fetches what was resolved, and builds what has no wheel.
    pub(crate) fn materialise(
        &self,
        packages: Vec<Resolved>,
        progress: Progress<'_>,
        trail: &[String],
    ) -> Result<Vec<CollectedWheel>, CollectError> {
        let files: Vec<&RemoteFile> = packages.iter().filter_map(|package| package.artifact.file()).collect();
        // That it cannot be made is told by what is to be written there.
        let _ = self.surroundings.make_cache_directory("wheels");
        let downloads: Vec<Download> = files.iter().map(|file| self.download(file)).collect();
        let mut fetched = self.client.fetch_all(&downloads, progress)?.into_iter();
        // All sources are prepared before the first is built: what may not be built is refused early.
        let mut begun = Vec::with_capacity(packages.len());
        for Resolved { name, version, artifact } in packages {
            let known = Known { name: Some(&name), version: version.as_deref() };
            begun.push(match artifact {
                Artifact::Wheel(file) => {
                    let fetched = fetched.next().expect("every file was fetched");
                    let obtained = match &file.location {
                        Location::Url(_) => Obtained::Fetched(file.location.shown()),
                        Location::Path(_) => Obtained::Local,
                    };
                    let (filename, path, sha256) = (file.filename, fetched.path, fetched.sha256);
                    Begun::Whole(Box::new(CollectedWheel { name, filename, path, sha256, obtained }))
                }
                Artifact::Sdist { file, subdirectory } => {
                    let path = fetched.next().expect("every file was fetched").path;
                    let sha256 = Some(check_sdist(&path, file.sha256)?);
                    self.begin(&Source::Sdist { path: &path, sha256, subdirectory }, known, trail)?
                }
                Artifact::Git { url, commit, subdirectory } => {
                    self.begin(&Source::Git { url, commit, subdirectory }, known, trail)?
                }
                Artifact::Directory(path) => self.begin(&Source::Project(&path), known, trail)?,
            });
        }
        // In parallel, each in a directory of its own; the first failure in their order is told.
        let finished: Vec<_> = begun.into_par_iter().map(Begun::finish).collect();
        finished.into_iter().collect()
    }

    /// Fetches files, or takes them where they are, without looking into them; each with its digest.
    ///
    /// # Errors
    /// [`CollectError`].
    pub fn fetch_files(
        &self,
        files: &[RemoteFile],
        progress: Progress<'_>,
    ) -> Result<Vec<(PathBuf, Sha256Digest)>, CollectError> {
        let downloads: Vec<Download> = files.iter().map(|file| self.download(file)).collect();
        let fetched = self.client.fetch_all(&downloads, progress)?;
        let digested = fetched.into_iter().zip(files).map(|(Fetched { path, sha256 }, file)| {
            let read = |source| CollectError::Read { path: path.clone(), source };
            // Of a file of this machine the client says what was expected.
            if let (Location::Url(_), Some(found)) = (&file.location, sha256) {
                return Ok((path, found));
            }
            let found = Sha256Digest::of_reader(fs_err::File::open(&path).map_err(read)?).map_err(read)?;
            match file.sha256.filter(|expected| *expected != found) {
                Some(expected) => Err(CollectError::WrongHash { file: file.filename.clone(), expected, found }),
                None => Ok((path, found)),
            }
        });
        digested.collect()
    }

    fn begin(&self, source: &Source<'_>, known: Known<'_>, trail: &[String]) -> Result<Begun<'_>, CollectError> {
        Ok(Begun::Source(Box::new(self.prepare(source, known, trail).map_err(Box::new)?)))
    }

    /// Where a file is kept: by its digest in the cache, without one in the scratch directory. One with its name and its
    /// digest in a directory of distributions is taken from there.
    fn download(&self, file: &RemoteFile) -> Download {
        if let (Some(digest), Location::Url(_)) = (file.sha256, &file.location) {
            let mut candidates = self.index.find_links.iter().map(|directory| directory.join(&file.filename));
            let same = |path: &PathBuf| {
                let opened = std::fs::File::open(path);
                opened.and_then(Sha256Digest::of_reader).is_ok_and(|found| found == digest)
            };
            if let Some(path) = candidates.find(same) {
                return Download {
                    location: Location::Path(path.clone()),
                    sha256: Some(digest),
                    size: None,
                    target: path,
                };
            }
        }
        let target = match &file.sha256 {
            Some(digest) => {
                let digest = digest.to_string();
                self.surroundings.cache.join("wheels").join(&digest[..2]).join(&digest).join(&file.filename)
            }
            None => self.scratch.path().join("fetched").join(&file.filename),
        };
        Download { location: file.location.clone(), sha256: file.sha256, size: file.size, target }
    }

    /// Collects build requirements, or takes those that were collected before for the same lines.
    pub(super) fn collect_build_requirements(
        &self,
        requirements: &[String],
        constraints: &[String],
        trail: &[String],
    ) -> Result<Vec<CollectedWheel>, CollectError> {
        if requirements.is_empty() {
            return Ok(Vec::new());
        }
        let key: Vec<String> = requirements.iter().chain(constraints).cloned().collect();
        let memory = || self.collected.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory().get(&key) {
            return Ok(known.clone());
        }
        let directory = self.scratch.path();
        let wanted = Wanted { requirements, constraints, target: None, directory };
        let collected = self.collect_for(&wanted, &|_, _| {}, trail)?;
        memory().insert(key, collected.clone());
        Ok(collected)
    }
}

/// A distribution on its way to a wheel.
enum Begun<'a> {
    /// It is one.
    Whole(Box<CollectedWheel>),
    /// It is to be built.
    Source(Box<Prepared<'a>>),
}

impl Begun<'_> {
    fn finish(self) -> Result<CollectedWheel, CollectError> {
        match self {
            Self::Whole(wheel) => Ok(*wheel),
            Self::Source(prepared) => Ok(prepared.build().map_err(Box::new)?),
        }
    }
}

/// The digest of a source distribution, which is the one that was expected where one was.
fn check_sdist(path: &Path, expected: Option<Sha256Digest>) -> Result<Sha256Digest, CollectError> {
    let read = |source| CollectError::Read { path: path.to_owned(), source };
    let found = Sha256Digest::of_reader(fs_err::File::open(path).map_err(read)?).map_err(read)?;
    match expected.filter(|expected| *expected != found) {
        None => Ok(found),
        Some(expected) => {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Err(CollectError::WrongHash { file, expected, found })
        }
    }
}

impl Artifact {
    /// A source distribution whose project is all of it.
    pub fn sdist(file: RemoteFile) -> Self {
        Self::Sdist { file, subdirectory: None }
    }

    /// What has to be built, as messages name it; none for a wheel.
    pub(crate) fn source_shown(&self) -> Option<String> {
        match self {
            Self::Wheel(_) => None,
            Self::Sdist { file, .. } => Some(file.filename.clone()),
            Self::Git { url, .. } => Some(recorded_url(url)),
            Self::Directory(path) => Some(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
        }
    }

    /// Whether it lies on this machine, so that no index or server decides what it is.
    pub(crate) fn is_at_hand(&self) -> bool {
        match self {
            Self::Wheel(file) | Self::Sdist { file, .. } => matches!(file.location, Location::Path(_)),
            Self::Git { .. } => false,
            Self::Directory(_) => true,
        }
    }

    fn file(&self) -> Option<&RemoteFile> {
        match self {
            Self::Wheel(file) | Self::Sdist { file, .. } => Some(file),
            Self::Git { .. } | Self::Directory(_) => None,
        }
    }

    pub(crate) fn file_mut(&mut self) -> Option<&mut RemoteFile> {
        match self {
            Self::Wheel(file) | Self::Sdist { file, .. } => Some(file),
            Self::Git { .. } | Self::Directory(_) => None,
        }
    }
}
