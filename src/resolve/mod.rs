//! From requirements to files. Where wheels at hand leave no choice nothing else runs; else `uv` where it is installed,
//! or `pip`, chooses versions, and pyzpack reads their report.
//!
//! Resolvers run with the user's own configuration. Requirements and index URLs reach them by private files and the
//! environment, never by a command line, which every user of the machine can read.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::process::ProcessError;
use crate::python::venv::VenvError;
use crate::python::{Interpreter, environment};
use crate::redact::{Secrets, recorded_url};
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;
use crate::target::{ClosureError, PythonMinor, Target};
use crate::urls;
use crate::wheel::telling::advise;

mod closed;
mod configuration;
mod pin;
mod pip;
mod uv;

pub use configuration::Told;
pub use pin::{Extent, PinRequest, Pinned, PinnedSource, Pinning, Preferred, pin};

/// Where distributions are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexOptions {
    /// The index, in place of the resolver's own.
    pub index_url: Option<String>,
    /// Further indexes.
    pub extra_index_urls: Vec<String>,
    /// Directories with distributions, absolute.
    pub find_links: Vec<PathBuf>,
    /// Whether no index is asked.
    pub no_index: bool,
}

/// What the file must run on, where that is not the interpreter itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetOverride {
    /// A minor version of Python: (3, 11).
    pub python: Option<(u8, u8)>,
    /// A platform tag: `manylinux_2_28_x86_64`, `macosx_11_0_arm64`, `win_amd64`.
    pub platform: Option<String>,
}

/// What is to be resolved, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Requirements (PEP 508), extras spelled out; a wheel at hand is `name @ file:///...` ([`local_requirement`]).
    pub requirements: &'a [String],
    /// Requirements that count only for what is required anyway.
    pub constraints: &'a [String],
    /// Where distributions are looked for.
    pub index: &'a IndexOptions,
    /// The interpreter to resolve for, and with.
    pub interpreter: &'a Interpreter,
    /// What to resolve for, where that is not the interpreter itself.
    pub target: Option<&'a TargetOverride>,
    /// Whether no internet socket may be opened.
    pub offline: bool,
    /// The directory whose `uv.toml` or `[tool.uv]` counts.
    pub directory: &'a Path,
    /// The time limit.
    pub timeout: Duration,
    /// Who hears what a resolver is configured by.
    pub told: &'a Told<'a>,
}

impl Request<'_> {
    /// The interpreter's own target, or the one that it was overridden with.
    fn full_target(&self) -> Target {
        let own = &self.interpreter.target;
        self.target.map_or_else(
            || own.clone(),
            |target| {
                let python = target.python.map(|(major, minor)| PythonMinor::new(major, minor));
                let platform = target.platform.as_ref().and_then(|platform| platform.parse().ok());
                own.overridden(python, platform.as_ref())
            },
        )
    }
}

/// What the requirements come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The distributions, by name.
    pub packages: Vec<Resolved>,
    /// What resolved them, for the report: `uv` or `pip`.
    pub resolver: &'static str,
}

/// A distribution that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its name.
    pub name: PackageName,
    /// Its version; a directory's may be unknown until it is built.
    pub version: Option<String>,
    /// What it is installed from.
    pub artifact: Artifact,
}

/// What a distribution is installed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A wheel.
    Wheel(RemoteFile),
    /// A source distribution.
    Sdist {
        /// The file.
        file: RemoteFile,
        /// The project's directory in it.
        subdirectory: Option<PathBuf>,
    },
    /// A commit in a git repository.
    Git {
        /// The repository, without `git+`.
        url: String,
        /// The commit.
        commit: String,
        /// The project's directory in it.
        subdirectory: Option<PathBuf>,
    },
    /// A directory.
    Directory(PathBuf),
}

/// A file that is fetched, or lies somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its name.
    pub filename: String,
    /// Where it is.
    pub location: Location,
    /// Its digest, where the resolver knows it.
    pub sha256: Option<Sha256Digest>,
    /// Its size in bytes, where the resolver knows it.
    pub size: Option<u64>,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On a server (`http`, `https`).
    Url(String),
    /// On this machine.
    Path(PathBuf),
}

impl Location {
    /// The location that a URL names; `None` where its scheme is not http, https or file.
    pub fn from_url(url: &str) -> Option<Self> {
        if let Some(path) = urls::path_of_file_url(url) {
            return Some(Self::Path(path));
        }
        let scheme = urls::scheme(url)?;
        ["http", "https"].contains(&scheme.as_str()).then(|| Self::Url(url.split('#').next().unwrap_or(url).to_owned()))
    }

    /// The location as it may be shown: without credentials, and without a query, which can be one (signed URLs).
    pub fn shown(&self) -> String {
        match self {
            Self::Url(url) => recorded_url(url),
            Self::Path(path) => path.display().to_string(),
        }
    }
}

/// Why requirements do not come to files.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is neither uv nor pip.
    #[error("cannot resolve requirements: no program `uv` on PATH, and `{}` has neither pip nor ensurepip", interpreter.display())]
    NoResolver {
        /// The interpreter.
        interpreter: PathBuf,
        /// What would give it one.
        package: Option<String>,
    },
    /// Only uv resolves for another target.
    #[error("cannot resolve for {target} with pip: it resolves for the Python that runs it")]
    ForeignTarget {
        /// The target.
        target: String,
    },
    /// Only uv resolves for every platform.
    #[error("cannot lock for every platform with pip: it resolves for the Python and the platform that run it")]
    Everywhere {
        /// The target that it could lock for.
        target: String,
    },
    /// The wheels at hand are not enough, and nothing else may be asked.
    #[error(transparent)]
    Closed(#[from] Box<ClosureError>),
    /// uv does not know the platform.
    #[error("cannot resolve for the platform `{platform}`: uv knows no such platform")]
    UnknownPlatform {
        /// The platform tag.
        platform: String,
    },
    /// The requirements cannot be met.
    #[error("{resolver} cannot resolve {requirements}{}: {telling}", if *offline { " with --offline" } else { "" })]
    Unsatisfied {
        /// uv or pip.
        resolver: &'static str,
        /// The requirements.
        requirements: String,
        /// What it said about it.
        telling: String,
        /// Whether no index could be asked.
        offline: bool,
        /// What to do, where what it said tells.
        advice: Option<String>,
    },
    /// The network is down, or an index does not answer.
    #[error("{resolver} cannot reach an index: {telling}")]
    Network {
        /// uv or pip.
        resolver: &'static str,
        /// What it said about it.
        telling: String,
    },
    /// A file system is full.
    #[error("{resolver} finds no space left on the file system of the temporary directory, or of its own cache")]
    Full {
        /// uv or pip.
        resolver: &'static str,
    },
    /// It took longer than it may.
    #[error("{resolver} did not resolve {requirements} within {} s{}", limit.as_secs(), after(telling))]
    TimedOut {
        /// uv or pip.
        resolver: &'static str,
        /// The requirements.
        requirements: String,
        /// The limit.
        limit: Duration,
        /// The end of what it said.
        telling: String,
    },
    /// It did not run.
    #[error("cannot run the resolver")]
    Run(#[source] ProcessError),
    /// Its answer cannot be read.
    #[error("cannot read the answer of {resolver}: {reason}")]
    Answer {
        /// uv or pip.
        resolver: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No wheel of it fits, and there is no source distribution.
    #[error("{name} {version}: no wheel fits the target, and there is no source distribution; there are {wheels}")]
    NothingFits {
        /// The distribution.
        name: PackageName,
        /// Its version.
        version: String,
        /// Its wheels.
        wheels: String,
    },
    /// The virtual environment that is to hold pip cannot be made.
    #[error("cannot prepare pip")]
    Venv(#[from] VenvError),
    /// A file for the resolver cannot be written.
    #[error("cannot prepare the resolver")]
    Prepare(#[source] io::Error),
}

fn after(telling: &str) -> String {
    if telling.is_empty() { String::new() } else { format!(": {telling}") }
}

impl Explain for ResolveError {
    fn status(&self) -> Status {
        match self {
            Self::NoResolver { .. }
            | Self::Network { .. }
            | Self::Full { .. }
            | Self::TimedOut { .. }
            | Self::Prepare(_) => Status::Machine,
            Self::ForeignTarget { .. }
            | Self::Everywhere { .. }
            | Self::Unsatisfied { .. }
            | Self::Answer { .. }
            | Self::NothingFits { .. } => Status::Refused,
            Self::UnknownPlatform { .. } => Status::Usage,
            Self::Closed(error) => error.status(),
            Self::Run(error) => error.status(),
            Self::Venv(error) => error.status(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoResolver { package: Some(package), .. } => Some(format!("install uv, or the package {package}")),
            Self::NoResolver { interpreter, .. } => Some(format!("install uv, or pip for `{}`", interpreter.display())),
            Self::ForeignTarget { .. } => {
                Some("install uv, or name an interpreter of that version with --python".to_owned())
            }
            Self::Everywhere { target } => Some(format!("install uv, or lock for {target} alone, without --universal")),
            Self::UnknownPlatform { .. } => {
                Some("name a platform like manylinux_2_28_x86_64 or macosx_11_0_arm64".to_owned())
            }
            Self::Network { .. } => {
                Some("check the network and the index, or use --offline with --find-links DIR".to_owned())
            }
            Self::Unsatisfied { advice: Some(advice), .. } => Some(advice.clone()),
            Self::Unsatisfied { offline: true, .. } => {
                Some("name a directory that holds what is needed with `--find-links DIR`".to_owned())
            }
            Self::Full { .. } => Some("make room there, or name another directory with TMPDIR".to_owned()),
            Self::Closed(error) => error.hint(),
            Self::Venv(error) => error.hint(),
            _ => None,
        }
    }
}

/// The requirement that a wheel at hand meets: `name[extra] @ file:///...`.
pub fn local_requirement(name: &PackageName, extras: &[PackageName], wheel: &Path) -> String {
    let extras: Vec<&str> = extras.iter().map(PackageName::as_str).collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    format!("{name}{extras} @ {}", urls::file_url(wheel))
}

/// Resolves requirements that wheels at hand meet without leaving a choice; `None` where a resolver has to decide.
///
/// # Errors
/// [`ResolveError::Closed`].
pub fn resolve_at_hand(request: &Request<'_>) -> Result<Option<Resolution>, ResolveError> {
    let packages = closed::resolve(request, &request.full_target()).map_err(Box::new)?;
    Ok(packages.map(|packages| Resolution { packages, resolver: "the wheels at hand" }))
}

/// Resolves requirements; files that the resolver needs are made below `scratch`, which only the user can read.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(request: &Request<'_>, surroundings: &Surroundings, scratch: &Path) -> Result<Resolution, ResolveError> {
    if let Some(resolution) = resolve_at_hand(request)? {
        return Ok(resolution);
    }
    let place = tempfile::Builder::new().prefix("resolve-").tempdir_in(scratch).map_err(ResolveError::Prepare)?.keep();
    let session = Session::open(request, surroundings, &place).map_err(ResolveError::Prepare)?;
    let mut packages = match surroundings.find_program("uv") {
        Some(uv) => match uv::resolve(&uv, &session)? {
            uv::Answer::Resolved(packages) => Resolution { packages, resolver: "uv" },
            // Before 0.6.15 uv wrote no pylock.toml.
            uv::Answer::TooOld => Resolution { packages: pip::resolve(&session)?, resolver: "pip" },
        },
        None => Resolution { packages: pip::resolve(&session)?, resolver: "pip" },
    };
    packages.packages.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(packages)
}

/// One run of a resolver: its files, its environment and what it must not tell.
struct Session<'a> {
    request: &'a Request<'a>,
    surroundings: &'a Surroundings,
    /// A private directory of this run.
    place: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    secrets: Secrets,
}

impl<'a> Session<'a> {
    fn open(request: &'a Request<'a>, surroundings: &'a Surroundings, place: &Path) -> io::Result<Self> {
        let temporary = place.join("tmp");
        fs_err::create_dir_all(&temporary)?;
        // uv and pip keep theirs below it, and would make it as the umask says; that it cannot be made is theirs to tell.
        let _ = surroundings.make_cache_directory("");
        write_lines(&place.join("requirements.in"), request.requirements)?;
        write_lines(&place.join("constraints.in"), request.constraints)?;
        let guard = if request.offline { Some(environment::write_offline_guard(&place.join("guard"))?) } else { None };
        let environment = environment::resolver_environment(surroundings, &temporary, guard.as_deref());
        let mut secrets = Secrets::default();
        for value in environment.values().filter_map(|value| value.to_str()) {
            secrets.add_urls_of(value);
        }
        let index = request.index;
        let texts = request.requirements.iter().chain(request.constraints).chain(&index.extra_index_urls);
        for text in texts.chain(&index.index_url) {
            secrets.add_urls_of(text);
        }
        Ok(Self { request, surroundings, place: place.to_owned(), environment, secrets })
    }

    /// The requirements, as they may be shown.
    fn shown_requirements(&self) -> String {
        let shown: Vec<String> =
            self.request.requirements.iter().map(|text| format!("`{}`", self.secrets.redact(named(text)))).collect();
        match shown.len() {
            0..=6 => shown.join(", "),
            count => format!("{} and {} more", shown[..5].join(", "), count - 5),
        }
    }

    /// What became of a run that did not succeed.
    fn explain_failure(&self, resolver: &'static str, messages: &str, network: &[&str]) -> ResolveError {
        if FULL.iter().any(|sign| messages.contains(sign)) {
            return ResolveError::Full { resolver };
        }
        let telling = telling_lines(messages);
        if !self.request.offline && network.iter().any(|sign| messages.contains(sign)) {
            return ResolveError::Network { resolver, telling };
        }
        let (offline, advice) = (self.request.offline, advise(messages));
        ResolveError::Unsatisfied { resolver, requirements: self.shown_requirements(), telling, offline, advice }
    }

    fn explain_process(&self, resolver: &'static str, error: ProcessError) -> ResolveError {
        match error {
            ProcessError::TimedOut { limit, messages, .. } => ResolveError::TimedOut {
                resolver,
                requirements: self.shown_requirements(),
                limit,
                telling: telling_lines(&messages),
            },
            other => ResolveError::Run(other),
        }
    }

    /// The value of a variable of the resolver's environment.
    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}

/// A requirement as it is told: what is at hand by its name, as its path is one of a moment.
fn named(requirement: &str) -> &str {
    requirement.split_once(" @ file:").map_or(requirement, |(name, _)| name)
}

/// Writes lines to a file that only the user can read: a requirement may hold a credential.
fn write_lines(path: &Path, lines: &[String]) -> io::Result<()> {
    use io::Write;
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    fs_err::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))
}

/// What a program says when a file system is full (ENOSPC, EDQUOT).
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// What a resolver said about its failure, in one line: its errors and causes without their decoration, else the end.
fn telling_lines(messages: &str) -> String {
    const LAST: usize = 12;
    let strip = |line: &str| -> String {
        let line = line.trim_matches(|c: char| c.is_whitespace() || "×├╰─▶│".contains(c));
        let prefixes = ["ERROR:", "error:", "cause:", "hint:", "Caused by:"];
        prefixes.iter().find_map(|prefix| line.strip_prefix(prefix)).unwrap_or(line).trim().to_owned()
    };
    let lines: Vec<&str> = messages
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("[notice]") && !line.contains("DEPRECATION:"))
        .collect();
    // A resolver that broke down shows a traceback, which ends with the exception.
    if let (true, Some(exception)) = (lines.contains(&"ERROR: Exception:"), lines.last()) {
        return strip(exception);
    }
    if let Some(told) = backend_telling(&lines) {
        return told;
    }
    let errors: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("ERROR:")).collect();
    let chosen = if errors.is_empty() { &lines } else { &errors };
    let from = chosen.iter().position(|line| line.starts_with("error:")).unwrap_or(0);
    let chosen = &chosen[from..];
    let told: Vec<String> = chosen[chosen.len().saturating_sub(LAST)..].iter().map(|line| strip(line)).collect();
    let told = told.join("; ");
    let told = told.trim_end_matches('.');
    if told.is_empty() { "it said nothing".to_owned() } else { told.to_owned() }
}

/// What a build backend said that pip ran to know a source's requirements: pip frames it, and says "See above" after it.
fn backend_telling(lines: &[&str]) -> Option<String> {
    let from = lines.iter().position(|line| line.ends_with("lines of output]"))?;
    let framed = &lines[from + 1..];
    let framed = &framed[..framed.iter().position(|line| line.trim() == "[end of output]")?];
    let is_error = |line: &&&str| line.to_ascii_lowercase().contains("error:");
    let told = framed.iter().find(is_error).or(framed.last())?;
    let failed = lines[..from].iter().rev().find_map(|line| line.trim().strip_prefix('×')).unwrap_or_default();
    Some(format!("{}: {}", failed.trim().trim_end_matches('.'), told.trim().trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::telling_lines;

    #[test]
    fn tells_what_a_backend_said_that_pip_ran() {
        let framed = "  error: subprocess-exited-with-error\n  × Getting requirements to build wheel did not run \
                      successfully.\n  │ exit code: 1\n  ╰─> [3 lines of output]\n      running egg_info\n      Error: \
                      pg_config executable not found.\n      more\n      [end of output]\n  note: not pip\nERROR: See above\n";
        let told =
            "Getting requirements to build wheel did not run successfully: Error: pg_config executable not found";
        assert_eq!(telling_lines(framed), told);
        let said = framed.replace("Error: pg", "pg").replace("  more", "  last.");
        assert!(telling_lines(&said).ends_with("successfully: last"), "{said}");
    }

    #[test]
    fn tells_the_errors_without_what_surrounds_them() {
        assert_eq!(telling_lines("Collecting a\nERROR: No a.\n[notice] update pip\n"), "No a");
        let traceback = "Collecting a\nERROR: Exception:\nTraceback (most recent call last):\n  x\nOSError: gone\n";
        assert_eq!(telling_lines(traceback), "OSError: gone");
        assert_eq!(telling_lines("  × No solution found\n  ╰─▶ Because a is b\n"), "No solution found; Because a is b");
        assert_eq!(telling_lines(""), "it said nothing");
    }
}
