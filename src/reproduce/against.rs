//! The independent rebuilder: makes a finished file again, from its own manifest and the sources, and compares.
//!
//! Of the file nothing is believed and nothing is run: it says how it was made, and what comes of that either has its digest
//! or has not. Where it is the same, whoever rebuilt it can say so under a name and a key of their own, so that two who do not
//! know each other vouch for one digest.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::keep::make_keep;
use super::recipe::{Place, settings_for};
use super::sources::{check_commit, find_sources};
use super::{CompareError, Difference, difference};
use crate::archive::Source;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::evidence::{
    ATTESTATION_LIMIT, Attestation, BuilderId, Claims, Facts, IndexNote, PROVENANCE_TYPE, Provenance, SigningKey,
    Statement, check_subject,
};
use crate::finished::FinishedError;
use crate::inspect::checked_facts;
use crate::output::OutputError;
use crate::pipeline::{self, Observer, find_compilers};
use crate::process::ScratchDir;
use crate::process::scratch::ScratchError;
use crate::project::git::GitError;
use crate::python::{FindError, Interpreter, PythonRequest, find};
use crate::settings::BuildSettings;
use crate::signing::{self, SignError};
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;

/// What is rebuilt, and with what.
#[derive(Debug)]
pub struct RebuildSettings {
    /// The finished file.
    pub file: PathBuf,
    /// Where its sources are: a directory, or `git+URL@REV`; the working directory where this is none.
    pub source: Option<String>,
    /// What its builder says of it: a Sigstore bundle, an envelope or a statement.
    pub bundle: Option<PathBuf>,
    /// Where distributions are looked for, the interpreter, limits: what a recipe does not say.
    pub build: BuildSettings,
    /// Where a file that differs is kept; a new directory beside other temporary files where this is none.
    pub keep: Option<PathBuf>,
    /// What is signed where the file is the same.
    pub attest: Option<AttestSettings>,
}

/// What is signed, by whom.
#[derive(Debug)]
pub struct AttestSettings {
    /// The key.
    pub key: SigningKey,
    /// The file that it came from, which no output may replace.
    pub key_file: PathBuf,
    /// Who rebuilt.
    pub builder: BuilderId,
    /// Where it goes; beside the file where this is none.
    pub output: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Rebuilt {
    /// The file's name.
    pub name: String,
    /// Its digest.
    pub expected: Sha256Digest,
    /// The digest of what was built.
    pub sha256: Sha256Digest,
    /// How they differ, where they do.
    pub difference: Option<Difference>,
    /// Where the other file is, then.
    pub kept: Option<PathBuf>,
    /// The commit that was built, where there is one.
    pub commit: Option<String>,
    /// What was signed, where anything was.
    pub attestation: Option<PathBuf>,
}

/// Why a file cannot be built again here.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The file is none of ours, or not sound.
    #[error(transparent)]
    Finished(#[from] FinishedError),
    /// It and what was built cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// Another version built it.
    #[error("`{file}` was built by {found}, and this is pyzpack {}: another version may write other bytes", env!("CARGO_PKG_VERSION"))]
    Version {
        /// The file.
        file: String,
        /// What built it: `pyzpack 0.2.0`.
        found: String,
        /// The version alone.
        version: String,
    },
    /// A recipe with something that this version does not know.
    #[error("the recipe has a {what} that is not known: `{value}`")]
    Unknown {
        /// What.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// Several directories were packed.
    #[error("{0} directories were packed, and the recipe does not say which")]
    Directories(usize),
    /// What is named is no project, and the recipe says that a directory was packed, and not where it was.
    #[error(
        "`{source_name}` is not the project that was packed: the recipe has a directory, and does not say which of a repository"
    )]
    NoProject {
        /// What was named.
        source_name: String,
        /// What names directories of projects with that name in it.
        found: Vec<String>,
    },
    /// A repository on the builder's machine.
    #[error("commit {commit} of `{name}` was packed, a repository on the machine that built")]
    Repository {
        /// What it was called.
        name: String,
        /// The commit.
        commit: String,
    },
    /// A file that was named to the build.
    #[error("`{filename}` with sha256 {sha256} is not in `{}`", directory.display())]
    NoFile {
        /// Its name.
        filename: String,
        /// Its digest.
        sha256: Sha256Digest,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// Another interpreter compiled the modules.
    #[error("CPython {wanted} compiled the modules in it, and here is {found}")]
    Compiler {
        /// The exact version that did.
        wanted: String,
        /// The exact version that is here.
        found: String,
    },
    /// There is no such interpreter.
    #[error(transparent)]
    Interpreter(#[from] FindError),
    /// The directory of the sources is not one.
    #[error("no such directory: `{0}`")]
    NoDirectory(String),
    /// The repository of the sources cannot be had.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no place for it.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The place cannot be prepared.
    #[error("cannot prepare the build")]
    Prepare(#[source] io::Error),
    /// What the builder says of the file cannot be used.
    #[error("`{path}` says nothing of this file: {reason}")]
    Bundle {
        /// What was named.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// What the builder says it was built from is not what is here.
    #[error("`{path}` says that it was built from commit {expected}, and `{directory}` is at {found}")]
    OtherCommit {
        /// What was named.
        path: String,
        /// The commit that the builder claims.
        expected: String,
        /// Where the sources are.
        directory: String,
        /// The commit there, or why there is none.
        found: String,
    },
    /// Whoever rebuilds is who built.
    #[error("`{0}` is the builder of the file itself, and no other one")]
    SameBuilder(String),
    /// It does not build.
    #[error(transparent)]
    Build(Box<Error>),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(Box<SignError>),
    /// The target cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// What was built cannot be kept.
    #[error("cannot keep what was built")]
    Keep(#[source] io::Error),
}

impl From<Error> for RebuildError {
    fn from(error: Error) -> Self {
        Self::Build(Box::new(error))
    }
}

impl From<SignError> for RebuildError {
    fn from(error: SignError) -> Self {
        Self::Sign(Box::new(error))
    }
}

impl Explain for RebuildError {
    fn status(&self) -> Status {
        match self {
            Self::Finished(error) => error.status(),
            Self::Compare(error) => error.status(),
            Self::Interpreter(error) => error.status(),
            Self::Git(error) => error.status(),
            Self::Scratch(error) => error.status(),
            Self::Build(error) => error.status(),
            Self::Sign(error) => error.status(),
            Self::Output(error) => error.status(),
            Self::Prepare(_) | Self::Keep(_) => Status::Machine,
            Self::NoDirectory(_) | Self::NoProject { .. } | Self::SameBuilder(_) => Status::Usage,
            Self::Version { .. }
            | Self::Unknown { .. }
            | Self::Directories(_)
            | Self::Repository { .. }
            | Self::NoFile { .. }
            | Self::Compiler { .. }
            | Self::Bundle { .. }
            | Self::OtherCommit { .. } => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Finished(error) => return error.hint(),
            Self::Compare(error) => return error.hint(),
            Self::Interpreter(error) => return error.hint(),
            Self::Git(error) => return error.hint(),
            Self::Scratch(error) => return error.hint(),
            Self::Build(error) => return error.hint(),
            Self::Sign(error) => return error.hint(),
            Self::Output(error) => return error.hint(),
            Self::Version { version, .. } => return Some(format!("rebuild it with pyzpack {version}")),
            Self::Repository { .. } => "name the repository with --source DIR or git+URL@REV",
            Self::NoProject { found, source_name } => match found.as_slice() {
                [one] => return Some(format!("name the project's own directory: --source {one}")),
                _ if source_name == "." => "name the directory of its sources with --source",
                _ => "name the project's own directory: --source DIR or git+URL@REV#subdirectory=DIR",
            },
            Self::NoFile { .. } => "name the directory that holds it with --source, or with --find-links",
            Self::Compiler { wanted, .. } => return Some(format!("put a CPython {wanted} on PATH")),
            Self::OtherCommit { expected, .. } => return Some(format!("check out {expected}, and nothing else")),
            Self::SameBuilder(_) => "name yourself with --builder-id",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Builds the file again, and compares.
///
/// # Errors
/// When it cannot be built again here; another digest is no error.
pub fn rebuild(
    settings: &RebuildSettings,
    world: &Surroundings,
    observer: &dyn Observer,
) -> Result<Rebuilt, RebuildError> {
    let file = settings.build.directory.join(&settings.file);
    let shown = settings.file.display().to_string();
    let facts = checked_facts(&file)?;
    check_version(&facts, &shown)?;
    let target = settings.attest.as_ref().map(|attest| prepare_attestation(attest, settings, &file)).transpose()?;
    let claimed = settings.bundle.as_ref().map(|path| read_claims(path, settings, &facts)).transpose()?;
    if let (Some(attest), Some(claims)) = (&settings.attest, &claimed)
        && attest.builder == claims.builder
    {
        return Err(RebuildError::SameBuilder(attest.builder.to_string()));
    }
    let scratch = ScratchDir::create(&world.temporary)?;
    let world = &with_own_cache(world, &scratch)?;
    let sources = find_sources(settings, world, &scratch)?;
    let commit = check_commit(settings, claimed.as_ref(), &sources, world)?;
    let links = scratch.subdirectory("named")?;
    let place = Place { directory: &sources.directory, repository: sources.repository(), links: &links };
    let mut build = settings_for(&facts, &place, &settings.build)?;
    choose_interpreter(&mut build, &facts, world)?;
    let made = scratch.path().join("made");
    fs_err::create_dir(&made).map_err(RebuildError::Prepare)?;
    let output = made.join(&facts.filename);
    build.output = Some(output.clone());
    build.evidence.clear();
    let finished = pipeline::build(&build, world, observer);
    let sha256 = finished.map_err(|error| sources.explain(error, settings, &facts))?.packed.sha256;
    let mut rebuilt = Rebuilt {
        name: shown,
        expected: facts.sha256,
        sha256,
        difference: None,
        kept: None,
        commit: commit.as_ref().ok().cloned(),
        attestation: None,
    };
    if sha256 != facts.sha256 {
        rebuilt.difference = Some(difference::difference([&file, &output], sha256, &world.temporary)?);
        rebuilt.kept = Some(keep(settings, world, &output, &facts.filename).map_err(RebuildError::Keep)?);
        return Ok(rebuilt);
    }
    if let Some((attest, target)) = settings.attest.as_ref().zip(target) {
        let index = &settings.build.index;
        let index = IndexNote::from_options(index.index_url.as_deref(), &index.extra_index_urls);
        let mut claims = Claims { builder: attest.builder.clone(), index, ..Claims::default() };
        match commit {
            Ok(commit) => drop(claims.commits.insert(commit)),
            Err(reason) => observer.note(&format!("the provenance claims no commit: {reason}")),
        }
        signing::attest(&facts, &claims, &attest.key, &target)?;
        rebuilt.attestation = Some(target);
    }
    Ok(rebuilt)
}

fn check_version(facts: &Facts, shown: &str) -> Result<(), RebuildError> {
    let tool = &facts.manifest.tool;
    if tool.name == "pyzpack" && tool.version == env!("CARGO_PKG_VERSION") {
        return Ok(());
    }
    let found = format!("{} {}", tool.name, tool.version);
    Err(RebuildError::Version { file: shown.to_owned(), found, version: tool.version.clone() })
}

/// Where the attestation goes, which is told before anything is built if it cannot.
fn prepare_attestation(
    attest: &AttestSettings,
    settings: &RebuildSettings,
    file: &Path,
) -> Result<PathBuf, RebuildError> {
    let directory = &settings.build.directory;
    let target = match &attest.output {
        Some(output) => directory.join(output),
        None => crate::output::beside(file, ".rebuilt.sigstore.json"),
    };
    let key = directory.join(&attest.key_file);
    let bundle = settings.bundle.as_ref().map(|bundle| directory.join(bundle));
    crate::output::check_target(&target)?;
    let inputs = [file, key.as_path()].into_iter().chain(bundle.as_deref());
    crate::output::check_not_input(&target, inputs)?;
    Ok(target)
}

/// What the builder says that the file does not hold. Nobody's signature is checked: it is compared with what is here.
fn read_claims(path: &Path, settings: &RebuildSettings, facts: &Facts) -> Result<Claims, RebuildError> {
    let refuse = |reason: String| RebuildError::Bundle { path: path.display().to_string(), reason };
    let file = settings.build.directory.join(path);
    let bytes = Source::read_file(&file, ATTESTATION_LIMIT as u64).map_err(|error| refuse(error.to_string()))?;
    let statement = match Attestation::parse(&bytes) {
        Ok(attestation) => Statement::read(attestation.envelope().unverified_payload()),
        // A statement that nobody signed has no envelope.
        Err(_) => Statement::read(&bytes),
    };
    let statement = statement.map_err(|fault| refuse(fault.to_string()))?;
    check_subject(&statement, &facts.sha256, &facts.filename).map_err(|fault| refuse(fault.to_string()))?;
    statement.check_predicate_type(PROVENANCE_TYPE).map_err(|fault| refuse(fault.to_string()))?;
    let provenance = Provenance::read(&statement.predicate).map_err(|fault| refuse(fault.to_string()))?;
    Ok(provenance.claims().clone())
}

/// The same world with a cache that has what was fetched, and nothing that was built: an earlier build's wheel would prove
/// nothing.
fn with_own_cache(world: &Surroundings, scratch: &ScratchDir) -> Result<Surroundings, RebuildError> {
    let cache = scratch.path().join("cache");
    super::stage::share_cache(world, &cache).map_err(RebuildError::Prepare)?;
    Ok(Surroundings { cache, ..world.clone() })
}

/// Takes an interpreter for which the same wheels are the right ones, and the exact ones that compiled modules.
fn choose_interpreter(build: &mut BuildSettings, facts: &Facts, world: &Surroundings) -> Result<(), RebuildError> {
    let directories = world.search_path();
    let look = |request: Option<&PythonRequest>| find(request, &directories, None, &world.environment);
    let pythons = &facts.manifest.pythons;
    let fits = |interpreter: &Interpreter| pythons.contains(&interpreter.target.python.to_string());
    let mut interpreter = look(build.python.as_ref());
    if build.python.is_none() && build.target_python.is_none() && !interpreter.as_ref().is_ok_and(fits) {
        let requests = pythons.iter().rev().filter_map(|python| python.parse::<PythonRequest>().ok());
        for request in requests {
            interpreter = look(Some(&request));
            if interpreter.is_ok() {
                build.python = Some(request);
                break;
            }
        }
    }
    let compilers = find_compilers(&build.bytecode, &interpreter?, world)?;
    for (wanted, found) in facts.manifest.recipe.bytecode.iter().zip(compilers) {
        if *wanted != found.full_version {
            return Err(RebuildError::Compiler { wanted: wanted.clone(), found: found.full_version });
        }
    }
    Ok(())
}

fn keep(settings: &RebuildSettings, world: &Surroundings, output: &Path, filename: &str) -> io::Result<PathBuf> {
    let place = make_keep(settings.keep.as_deref(), &settings.build.directory, world)?;
    let kept = place.join(filename);
    fs_err::copy(output, &kept)?;
    Ok(kept)
}

#[cfg(test)]
mod tests;
