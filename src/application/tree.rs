//! Wheels laid out as an installer would lay them out: one tree of files, each with its owner, without an installer's
//! residue, and with a RECORD that is true for what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::archive::{ArchivePath, Mode, PathFault};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::status::{Explain, Status};
use crate::wheel::{VerifiedWheel, WheelError, write_row};

/// The checked wheels of an application, sorted by name: one for each distribution.
#[derive(Debug, Clone)]
pub struct WheelSet(Vec<VerifiedWheel>);

/// What to do where two wheels bring different files under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictPolicy {
    /// Refuse.
    #[default]
    Error,
    /// The distribution whose name comes first in the alphabet wins.
    First,
    /// The distribution whose name comes last in the alphabet wins.
    Last,
}

/// A module that the user names and no wheel holds.
#[derive(Debug, Clone)]
pub struct LooseFile {
    /// Where it goes.
    pub path: ArchivePath,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// Its permissions.
    pub mode: Mode,
}

/// A file as it will be installed.
#[derive(Debug, Clone)]
pub struct InstalledFile {
    /// Where its bytes come from.
    pub source: FileSource,
    /// Its permissions.
    pub mode: Mode,
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The distribution that it belongs to; none for a loose module.
    pub distribution: Option<PackageName>,
}

/// Where an installed file's bytes come from.
#[derive(Debug, Clone)]
pub enum FileSource {
    /// A file of a wheel: their places in the set and in the wheel.
    Wheel {
        /// The wheel's place in its [`WheelSet`].
        wheel: usize,
        /// The file's place in the wheel.
        file: usize,
    },
    /// Bytes made or read here.
    Bytes(Arc<[u8]>),
}

/// The files of an application as they will be installed, by path.
#[derive(Debug, Clone)]
pub struct InstalledTree {
    /// The files.
    pub files: BTreeMap<ArchivePath, InstalledFile>,
}

/// An [`InstalledTree`] but for the RECORDs, which list what is there when all is.
#[derive(Debug, Clone)]
pub struct UnrecordedTree {
    files: BTreeMap<ArchivePath, InstalledFile>,
    /// What each wheel's RECORD is to list.
    owned: Vec<BTreeSet<ArchivePath>>,
}

/// Why wheels cannot be laid out together.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Two wheels of one distribution.
    #[error("two wheels of `{name}`: `{first}` and `{second}`")]
    TwoWheels {
        /// The distribution.
        name: PackageName,
        /// One wheel's file name.
        first: String,
        /// The other's.
        second: String,
    },
    /// Two distributions bring different files under one name.
    #[error("{first} and {second} both bring `{path}`, with different {what}")]
    Conflict {
        /// The file.
        path: ArchivePath,
        /// One owner.
        first: Owner,
        /// The other.
        second: Owner,
        /// What differs: contents or permissions.
        what: &'static str,
    },
    /// Two names that are one file where case is ignored.
    #[error("`{path}` of {first} and `{other_path}` of {second} are one file where case is ignored")]
    CaseClash {
        /// One file.
        path: String,
        /// Its owner.
        first: Owner,
        /// The other file.
        other_path: String,
        /// Its owner.
        second: Owner,
    },
    /// A file where another distribution has a directory.
    #[error("{first} brings the file `{path}`, where {second} has a directory")]
    FileAndDirectory {
        /// The file.
        path: String,
        /// The file's owner.
        first: Owner,
        /// The directory's owner.
        second: Owner,
    },
    /// A wheel cannot be read again.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// The name that a file gets by installing is unsafe.
    #[error("refused wheel `{wheel}`: entry `{entry}`: {fault} [zip-name]")]
    InstalledName {
        /// The wheel.
        wheel: String,
        /// The file.
        entry: String,
        /// What is wrong with the name.
        fault: PathFault,
    },
}

/// Whom a file belongs to, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(Option<PackageName>);

impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(name) => write!(formatter, "`{name}`"),
            None => formatter.write_str("the application itself"),
        }
    }
}

impl Explain for TreeError {
    fn status(&self) -> Status {
        if let Self::Wheel(error) = self { error.status() } else { Status::Refused }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Wheel(error) => return error.hint(),
                Self::TwoWheels { .. } => "give one of them",
                Self::Conflict { .. } => {
                    "leave one of them out, or choose with `--on-conflict first` or `--on-conflict last` \
                     (in the order of the distributions' names)"
                }
                Self::CaseClash { .. } | Self::FileAndDirectory { .. } => {
                    "leave one of them out: no file system could hold both everywhere"
                }
                Self::InstalledName { .. } => "ask its publisher for one that follows the specification",
            }
            .to_owned(),
        )
    }
}

impl WheelSet {
    /// Puts wheels in order.
    ///
    /// # Errors
    /// When two of them are of one distribution.
    pub fn new(mut wheels: Vec<VerifiedWheel>) -> Result<Self, TreeError> {
        wheels.sort_by(|one, other| {
            (&one.metadata.name, one.filename.as_str()).cmp(&(&other.metadata.name, other.filename.as_str()))
        });
        if let Some(pair) = wheels.windows(2).find(|pair| pair[0].metadata.name == pair[1].metadata.name) {
            return Err(TreeError::TwoWheels {
                name: pair[0].metadata.name.clone(),
                first: pair[0].filename.to_string(),
                second: pair[1].filename.to_string(),
            });
        }
        Ok(Self(wheels))
    }

    /// The wheels, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &VerifiedWheel> {
        self.0.iter()
    }

    /// The wheel of the distribution `name`.
    pub fn get(&self, name: &PackageName) -> Option<&VerifiedWheel> {
        self.0.iter().find(|wheel| wheel.metadata.name == *name)
    }

    /// The wheel at `place`.
    pub(crate) fn at(&self, place: usize) -> &VerifiedWheel {
        &self.0[place]
    }
}

impl InstalledFile {
    /// A file of bytes that were made or read here.
    fn of_bytes(bytes: Arc<[u8]>, mode: Mode, distribution: Option<PackageName>) -> Self {
        let (sha256, size) = (Sha256Digest::of(&bytes), bytes.len() as u64);
        Self { source: FileSource::Bytes(bytes), mode, sha256, size, distribution }
    }

    /// Whom it belongs to, for messages.
    pub(crate) fn owner(&self) -> String {
        self.distribution.as_ref().map_or_else(|| "the application".to_owned(), |name| format!("`{name}`"))
    }
}

impl UnrecordedTree {
    /// Lays out `wheels` and `loose` modules together.
    ///
    /// # Errors
    /// When two of them cannot stand beside each other and `policy` does not decide.
    pub fn lay_out(wheels: &WheelSet, loose: &[LooseFile], policy: ConflictPolicy) -> Result<Self, TreeError> {
        let mut tree = Self { files: BTreeMap::new(), owned: Vec::with_capacity(wheels.0.len()) };
        for (index, wheel) in wheels.iter().enumerate() {
            let paths = tree.add_wheel(index, wheel, policy)?;
            tree.owned.push(paths);
        }
        for file in loose {
            tree.add(file.path.clone(), InstalledFile::of_bytes(file.bytes.clone(), file.mode, None), policy)?;
        }
        Ok(tree)
    }

    /// The Python sources that may be imported, with their sizes: all but the scripts.
    pub(crate) fn modules(&self) -> impl Iterator<Item = (&ArchivePath, &InstalledFile)> {
        self.files.iter().filter(|(path, _)| path.as_str().ends_with(".py") && !path.as_str().starts_with("bin/"))
    }

    /// Adds a file that was made of another one, whose owners are its owners too.
    pub(crate) fn add_made(&mut self, path: ArchivePath, bytes: Vec<u8>, of: &ArchivePath) {
        let distribution = self.files.get(of).and_then(|file| file.distribution.clone());
        for paths in self.owned.iter_mut().filter(|paths| paths.contains(of)) {
            paths.insert(path.clone());
        }
        self.files.insert(path, InstalledFile::of_bytes(bytes.into(), Mode::Regular, distribution));
    }

    /// Adds the RECORDs.
    ///
    /// # Errors
    /// When two names are one where case is ignored, or a file stands where another needs a directory.
    pub fn record(mut self, wheels: &WheelSet) -> Result<InstalledTree, TreeError> {
        for (wheel, paths) in wheels.iter().zip(std::mem::take(&mut self.owned)) {
            self.add_record(wheel, paths)?;
        }
        self.check_names()?;
        Ok(InstalledTree { files: self.files })
    }

    /// Adds a wheel's files but its RECORD; gives the paths that RECORD is to list.
    fn add_wheel(
        &mut self,
        index: usize,
        wheel: &VerifiedWheel,
        policy: ConflictPolicy,
    ) -> Result<BTreeSet<ArchivePath>, TreeError> {
        let mut paths = BTreeSet::new();
        for (file_index, file) in wheel.files.iter().enumerate() {
            let path = &file.entry.path;
            if is_residue(path.as_str(), &wheel.dist_info) {
                continue;
            }
            let installed = wheel.installed_path(path).map_err(|fault| TreeError::InstalledName {
                wheel: wheel.filename.to_string(),
                entry: path.to_string(),
                fault,
            })?;
            paths.insert(installed.clone());
            let mode = if file.entry.executable { Mode::Executable } else { Mode::Regular };
            let distribution = Some(wheel.metadata.name.clone());
            let in_bin = installed.as_str().starts_with("bin/");
            let file = if in_bin && names_host_python(file.kept.as_deref().unwrap_or_default()) {
                InstalledFile::of_bytes(without_host_python(&wheel.read_file(file)?), mode, distribution)
            } else {
                InstalledFile {
                    source: FileSource::Wheel { wheel: index, file: file_index },
                    mode,
                    sha256: file.contents.sha256,
                    size: file.entry.size,
                    distribution,
                }
            };
            self.add(installed, file, policy)?;
        }
        Ok(paths)
    }

    /// Adds one file; one that is there already with the same bytes and permissions stays as it is.
    fn add(&mut self, path: ArchivePath, file: InstalledFile, policy: ConflictPolicy) -> Result<(), TreeError> {
        let Some(other) = self.files.get(&path) else {
            self.files.insert(path, file);
            return Ok(());
        };
        let what = match () {
            () if other.sha256 != file.sha256 => "contents",
            () if other.mode != file.mode => "permissions",
            () => return Ok(()),
        };
        match policy {
            ConflictPolicy::Error => Err(TreeError::Conflict {
                first: Owner(other.distribution.clone()),
                second: Owner(file.distribution),
                path,
                what,
            }),
            ConflictPolicy::First => Ok(()),
            ConflictPolicy::Last => {
                self.files.insert(path, file);
                Ok(())
            }
        }
    }

    /// Adds the RECORD of `wheel`, which lists `paths` as they are in the tree, sorted.
    fn add_record(&mut self, wheel: &VerifiedWheel, mut paths: BTreeSet<ArchivePath>) -> Result<(), TreeError> {
        let path = ArchivePath::new(format!("{}/RECORD", wheel.dist_info)).map_err(|fault| {
            let (wheel, entry) = (wheel.filename.to_string(), wheel.dist_info.clone());
            TreeError::InstalledName { wheel, entry, fault }
        })?;
        paths.insert(path.clone());
        let mut record = String::new();
        for listed in &paths {
            let file = self.files.get(listed).map(|file| (&file.sha256, file.size));
            write_row(&mut record, listed.as_str(), file);
        }
        let distribution = Some(wheel.metadata.name.clone());
        let file = InstalledFile::of_bytes(record.into_bytes().into(), Mode::Regular, distribution);
        self.add(path, file, ConflictPolicy::Error)
    }

    /// No two files are one where case is ignored, and none stands where another needs a directory.
    fn check_names(&self) -> Result<(), TreeError> {
        let owner = |path: &ArchivePath| Owner(self.files[path].distribution.clone());
        let mut folded: HashMap<String, &ArchivePath> = HashMap::with_capacity(self.files.len());
        for path in self.files.keys() {
            if let Some(other) = folded.insert(path.folded(), path) {
                return Err(TreeError::CaseClash {
                    path: other.to_string(),
                    first: owner(other),
                    other_path: path.to_string(),
                    second: owner(path),
                });
            }
        }
        for path in self.files.keys() {
            let whole = path.folded();
            for (end, _) in whole.match_indices('/') {
                if let Some(file) = folded.get(&whole[..end]) {
                    return Err(TreeError::FileAndDirectory {
                        path: file.to_string(),
                        first: owner(file),
                        second: owner(path),
                    });
                }
            }
        }
        Ok(())
    }
}

impl InstalledTree {
    /// Lays out `wheels` and `loose` modules together, with their RECORDs.
    ///
    /// # Errors
    /// When two of them cannot stand beside each other and `policy` does not decide.
    pub fn lay_out(wheels: &WheelSet, loose: &[LooseFile], policy: ConflictPolicy) -> Result<Self, TreeError> {
        UnrecordedTree::lay_out(wheels, loose, policy)?.record(wheels)
    }

    /// The names of the `.pth` files at the root, which an installed Python would run or read at its start.
    pub fn pth_files(&self) -> Vec<&str> {
        let at_root = |path: &&str| path.ends_with(".pth") && !path.contains('/');
        self.files.keys().map(ArchivePath::as_str).filter(at_root).collect()
    }

    /// The names of the modules and packages that can be imported from the root.
    pub fn top_level_modules(&self) -> BTreeSet<&str> {
        let module = |path: &str| -> Option<usize> {
            match path.split_once('/') {
                Some((root, _)) if !root.contains('.') && !matches!(root, "bin" | "include" | "share" | "etc") => {
                    Some(root.len())
                }
                Some(_) => None,
                None => [".py", ".so", ".pyd"].iter().any(|end| path.ends_with(end)).then(|| path.find('.')).flatten(),
            }
        };
        self.files.keys().filter_map(|path| module(path.as_str()).map(|length| &path.as_str()[..length])).collect()
    }
}

/// Whether a script's first line names a Python of the machine that the wheel was built on.
fn names_host_python(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let interpreter = line.strip_prefix(b"#!").unwrap_or_default().trim_ascii();
    let interpreter = interpreter.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let absolute = interpreter.first() == Some(&b'/') || interpreter.get(1) == Some(&b':');
    let program = interpreter.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    absolute && program.starts_with(b"python")
}

/// The script with the first line that the wheel format has for "the Python that this is installed for".
fn without_host_python(script: &[u8]) -> Arc<[u8]> {
    let rest = script.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &script[end..]);
    [b"#!python", rest].concat().into()
}

/// What installers and interpreters leave behind, and what no longer holds for a tree that was put together here.
fn is_residue(path: &str, dist_info: &str) -> bool {
    let in_dist_info = path.strip_prefix(dist_info).and_then(|rest| rest.strip_prefix('/'));
    let residue = in_dist_info.is_some_and(|name| {
        let installer = matches!(name, "INSTALLER" | "REQUESTED" | "direct_url.json" | "uv_cache.json");
        // The new RECORD takes the old one's place; a signature over the old one says nothing of the new one.
        installer || matches!(name, "RECORD" | "RECORD.jws" | "RECORD.p7s")
    });
    residue || path.split('/').any(|segment| segment == "__pycache__")
}
