//! Everything that a build is told, as plain values: the command line, the environment and `[tool.pyzpack]` are read
//! elsewhere and come here as one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::application::{Compression, ConflictPolicy, EntryChoice, LayoutChoice};
use crate::archive::{Epoch, Limits, Shebang};
use crate::bytecode::BytecodeVersions;
use crate::digest::Sha256Digest;
use crate::evidence::BuilderId;
use crate::names::{ExtraName, GroupName, PackageName};
use crate::output::EvidenceKind;
use crate::python::PythonRequest;
use crate::resolve::IndexOptions;
use crate::runtime::Reach;
use crate::target::PythonMinor;

/// What to build, and how.
#[derive(Debug, Clone)]
pub struct BuildSettings {
    /// The directory that relative names start from, absolute.
    pub directory: PathBuf,
    /// What to pack, as written.
    pub inputs: Vec<String>,
    /// The lock file; none for the one that is found beside the project.
    pub lock: Option<PathBuf>,
    /// Whether anything that nothing pins is refused.
    pub unpinned: UnpinnedPolicy,
    /// Requirements files.
    pub requirement_files: Vec<PathBuf>,
    /// The file to write; none for `dist/NAME.pyz`.
    pub output: Option<PathBuf>,
    /// What is started.
    pub entry: EntryChoice,
    /// Extras of what is packed.
    pub extras: Vec<ExtraName>,
    /// Dependency groups of the project.
    pub groups: Vec<GroupName>,
    /// Where distributions are looked for.
    pub index: IndexOptions,
    /// Whether no internet socket may be opened.
    pub offline: bool,
    /// The interpreter to resolve and build with.
    pub python: Option<PythonRequest>,
    /// The Python to run on, where that is not the interpreter's own.
    pub target_python: Option<PythonMinor>,
    /// The platform to run on, where that is not the interpreter's own.
    pub platform: Option<String>,
    /// The first line.
    pub shebang: Shebang,
    /// Where the files are to be.
    pub layout: LayoutChoice,
    /// Who finds the packages.
    pub reach: Reach,
    /// How streams are stored.
    pub compression: Compression,
    /// The versions to pack compiled modules for.
    pub bytecode: BytecodeVersions,
    /// What to do where two wheels bring different files under one name.
    pub on_conflict: ConflictPolicy,
    /// The bomb limits.
    pub limits: Limits,
    /// What happens to sources that have no wheel.
    pub sources: SourcePolicy,
    /// How long one build of a wheel may take.
    pub build_timeout: Duration,
    /// What is written beside the archive.
    pub evidence: BTreeSet<EvidenceKind>,
    /// Who builds, as its provenance says.
    pub builder: BuilderId,
    /// The time of every entry.
    pub epoch: EpochChoice,
    /// The version of this tool.
    pub tool_version: String,
    /// What an earlier build chose, where nothing is to be chosen again.
    pub chosen: Option<Chosen>,
}

/// What an earlier build chose: it is taken in place of a resolver's choice, and has to be had as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The distributions.
    pub distributions: Vec<ChosenFile>,
    /// What sources were built with.
    pub builds: Vec<ChosenBuild>,
}

/// A distribution that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenFile {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// The file's name; of a commit `git+URL@COMMIT`.
    pub filename: String,
    /// The file's digest; none of a commit.
    pub sha256: Option<Sha256Digest>,
    /// What gave it.
    pub place: ChosenPlace,
}

/// What gave a distribution that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChosenPlace {
    /// An index.
    Index,
    /// This URL.
    Url(String),
    /// A directory of the machine that built.
    AtHand,
}

/// What a source was built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenBuild {
    /// The distribution that was built.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// All that was installed for it.
    pub requirements: Vec<ChosenFile>,
}

/// The time of every entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochChoice {
    /// This one.
    At(Epoch),
    /// That of the commit of what is packed: of a `git+` input its commit, of a directory the one that is checked out.
    Commit,
}

impl Default for EpochChoice {
    fn default() -> Self {
        Self::At(Epoch::default())
    }
}

/// What happens to what another day could choose otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnpinnedPolicy {
    /// It is taken, and said.
    #[default]
    Tell,
    /// The build stops before it is fetched or built.
    Refuse,
}

/// What happens to sources that have no wheel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourcePolicy {
    /// They are built.
    #[default]
    Build,
    /// The pipeline stops before it builds one, and names them.
    Refuse,
}
