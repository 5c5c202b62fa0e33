//! Building a wheel from source (PEP 517), isolated: a copy of the source, a fresh virtual environment with the build
//! requirements and nothing else, and an environment of which every variable is fixed or named.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::build_error::{BuildError, HookFailure, Outcome};
use super::collect::{CollectedWheel, Origin, Workshop};
use super::telling::{advise, telling_end};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::process::{Child, ProcessError};
use crate::project::clamp::{EARLIEST, clamp_tree};
use crate::project::git::GitSource;
use crate::project::sdist::unpack_sdist;
use crate::project::sources::copy_sources;
use crate::python::environment::{BuildPlace, build_environment, resolver_environment, write_offline_guard};
use crate::python::venv::Venv;

/// What is built.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    /// A directory: `project` (relative) is built in a copy of `root`.
    Directory {
        /// What is copied: the smallest directory that holds all that the build needs.
        root: &'a Path,
        /// The project's directory in it.
        project: &'a Path,
    },
    /// A source distribution.
    Sdist {
        /// The file.
        path: &'a Path,
        /// Its digest.
        sha256: Option<Sha256Digest>,
    },
    /// A commit.
    Git {
        /// The repository's URL, without `git+`; it may hold credentials.
        url: String,
        /// The commit.
        commit: String,
        /// The project's directory in it.
        subdirectory: Option<PathBuf>,
    },
}

/// A distribution that a wheel was built with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BuildRequirement {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// Its wheel's digest, where that is known and the wheel was not itself built here.
    pub sha256: Option<Sha256Digest>,
    /// Whether its wheel lay in a directory of this machine: then no index chose it.
    pub at_hand: bool,
}

impl Workshop<'_> {
    /// Builds the wheel of a source. `name` is the distribution's, where it is known; `trail` names what this is built
    /// for, outermost first, and is empty for what the user asked for.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(
        &self,
        source: &Source<'_>,
        name: Option<&PackageName>,
        trail: &[String],
    ) -> Result<CollectedWheel, BuildError> {
        let label = source.label();
        let step = name.map_or_else(|| label.clone(), ToString::to_string);
        if trail.contains(&step) {
            return Err(BuildError::Cycle { label, trail: format!("{} needs {step}", trail.join(" needs ")) });
        }
        let trail: Vec<String> = trail.iter().cloned().chain([step]).collect();
        let room = self.scratch.subdirectory("build")?;
        // Compilers write resolved paths: the prefix that they are to replace has to be one.
        let room = room.canonicalize().map_err(|source| BuildError::Write { label: label.clone(), source })?;
        let (project, recorded) = self.prepare(source, &room)?;
        let mut build = Build::open(self, label, &room, project, &trail)?;
        let (path, filename) = build.run()?;
        let written = filename.split('-').next().and_then(|name| name.parse::<PackageName>().ok());
        let name = written.or_else(|| name.cloned()).ok_or_else(|| build.returned(BUILD, &filename))?;
        let sha256 = if let Source::Sdist { sha256, .. } = source { *sha256 } else { None };
        let path_dependent = find_path(&path, &room).map_err(|source| build.write(source))?;
        let origin = Origin::Built { source: recorded, sha256, build_requirements: build.requirements, path_dependent };
        Ok(CollectedWheel { name, filename, path, sha256: None, origin })
    }

    /// Asks what a source is built with: the requirements of its `[build-system]`, and those that its backend adds
    /// (PEP 517, `get_requires_for_build_wheel`), sorted. It runs the backend, and builds nothing.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn ask_build_requirements(
        &self,
        source: &Source<'_>,
        name: Option<&PackageName>,
    ) -> Result<Vec<String>, BuildError> {
        let label = source.label();
        let trail = [name.map_or_else(|| label.clone(), ToString::to_string)];
        let room = self.scratch.subdirectory("build")?;
        let room = room.canonicalize().map_err(|source| BuildError::Write { label: label.clone(), source })?;
        let (project, _) = self.prepare(source, &room)?;
        let fixed = read_build_system(&project, &label)?.requires;
        let build = Build::open(self, label, &room, project, &trail)?;
        let all: BTreeSet<String> = fixed.into_iter().chain(build.ask_dynamic()?).collect();
        Ok(all.into_iter().collect())
    }

    /// Makes the copy that is built, always in a directory of the same name. Gives the project's directory, and the
    /// source as it is recorded.
    fn prepare(&self, source: &Source<'_>, room: &Path) -> Result<(PathBuf, String), BuildError> {
        let into = room.join("source");
        let label = source.label();
        let write = |source| BuildError::Write { label: label.clone(), source };
        let temporary = room.join("fetching");
        fs_err::create_dir_all(&temporary).map_err(write)?;
        let git = self.surroundings.find_program("git");
        let environment = resolver_environment(self.surroundings, &temporary, None);
        match source {
            Source::Directory { root, project } => {
                copy_sources(root, &into, self.epoch, git.as_deref(), &environment)?;
                Ok((into.join(project), label))
            }
            Source::Sdist { path, .. } => {
                let unpacked = room.join("unpacked");
                fs_err::create_dir_all(&unpacked).map_err(write)?;
                let top = unpack_sdist(path, &unpacked, self.limits, self.epoch)?;
                fs_err::rename(top, &into).map_err(write)?;
                Ok((into, label))
            }
            Source::Git { url, commit, subdirectory } => {
                let mut wanted = GitSource::parse(&format!("git+{url}@{commit}"))?;
                wanted.subdirectory.clone_from(subdirectory);
                let checkout = wanted.checkout(git.as_deref(), &into, &environment, self.offline)?;
                clamp_tree(&into, self.epoch).map_err(write)?;
                Ok((checkout.project, wanted.pinned(&checkout.commit)))
            }
        }
    }
}

impl Source<'_> {
    /// The source as messages name it.
    fn label(&self) -> String {
        match self {
            Self::Directory { root, project } => {
                let path = root.join(project);
                let path = path.components().as_path();
                path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
            }
            Self::Sdist { path, .. } => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Git { url, .. } => crate::redact::recorded_url(url),
        }
    }
}

/// The entries of a wheel that hold this path. What is no zip file holds none; the strict reader refuses it later.
fn find_path(wheel: &Path, room: &Path) -> io::Result<Vec<String>> {
    let Ok(mut archive) = zip::ZipArchive::new(io::BufReader::new(fs_err::File::open(wheel)?)) else {
        return Ok(Vec::new());
    };
    let wanted = room.as_os_str().as_encoded_bytes();
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let Ok(mut entry) = archive.by_index(index) else { continue };
        if holds(&mut entry, wanted)? {
            found.extend(entry.name().map(std::borrow::Cow::into_owned));
        }
    }
    Ok(found)
}

/// Whether `wanted` occurs in what `reader` gives, piece by piece; a piece begins with the end of the one before.
fn holds(reader: &mut impl Read, wanted: &[u8]) -> io::Result<bool> {
    let mut piece = vec![0; 64 * 1024 + wanted.len()];
    let mut kept = 0;
    loop {
        let read = reader.read(&mut piece[kept..])?;
        let filled = kept + read;
        if piece[..filled].windows(wanted.len()).any(|window| window == wanted) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        let tail = filled.min(wanted.len().saturating_sub(1));
        piece.copy_within(filled - tail..filled, 0);
        kept = tail;
    }
}

/// The hooks that are called (PEP 517).
const GET_REQUIRES: &str = "get_requires_for_build_wheel";
const BUILD: &str = "build_wheel";

/// `[build-system]` of pyproject.toml (PEP 518).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildSystem {
    requires: Vec<String>,
    build_backend: Option<String>,
    backend_path: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pyproject {
    build_system: Option<BuildSystem>,
}

/// What a project without `[build-system]` is built with (PEP 517).
const LEGACY_BACKEND: &str = "setuptools.build_meta:__legacy__";
const LEGACY_REQUIRES: &str = "setuptools>=40.8.0";

fn read_build_system(project: &Path, label: &str) -> Result<BuildSystem, BuildError> {
    let legacy = || BuildSystem { requires: vec![LEGACY_REQUIRES.to_owned()], build_backend: None, backend_path: None };
    let fail = |reason: String| BuildError::Pyproject { label: label.to_owned(), reason };
    match fs_err::read_to_string(project.join("pyproject.toml")) {
        Ok(text) => {
            let read: Pyproject = toml::from_str(&text).map_err(|error| fail(error.message().to_owned()))?;
            Ok(read.build_system.unwrap_or_else(legacy))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let buildable = ["setup.py", "setup.cfg"].iter().any(|name| project.join(name).is_file());
            if buildable { Ok(legacy()) } else { Err(BuildError::NoProject { label: label.to_owned() }) }
        }
        Err(error) => Err(fail(error.to_string())),
    }
}

/// One build under way.
struct Build<'a> {
    workshop: &'a Workshop<'a>,
    label: String,
    room: &'a Path,
    project: PathBuf,
    backend: String,
    backend_path: Option<Vec<String>>,
    venv: Venv,
    environment: BTreeMap<OsString, OsString>,
    requirements: Vec<BuildRequirement>,
    trail: &'a [String],
}

impl<'a> Build<'a> {
    /// Makes the virtual environment and installs the build requirements that pyproject.toml names.
    fn open(
        workshop: &'a Workshop<'a>,
        label: String,
        room: &'a Path,
        project: PathBuf,
        trail: &'a [String],
    ) -> Result<Self, BuildError> {
        let write = |source| BuildError::Write { label: label.clone(), source };
        let BuildSystem { requires, build_backend, backend_path } = read_build_system(&project, &label)?;
        let (home, temporary) = (room.join("home"), room.join("tmp"));
        for directory in [&home, &temporary, &room.join("wheel")] {
            fs_err::create_dir_all(directory).map_err(write)?;
        }
        let guard =
            if workshop.offline { Some(write_offline_guard(&room.join("guard")).map_err(write)?) } else { None };
        let venv_root = room.join("venv");
        let place = BuildPlace {
            root: room,
            home: &home,
            temporary: &temporary,
            programs: &venv_root.join(if cfg!(windows) { "Scripts" } else { "bin" }),
            epoch: workshop.epoch.max(EARLIEST),
            guard: guard.as_deref(),
        };
        let environment = build_environment(workshop.surroundings, &place);
        let venv = Venv::create(workshop.interpreter, &venv_root, &environment)?;
        fs_err::write(room.join("frontend.py"), include_str!("../python/frontend.py")).map_err(write)?;
        let backend = build_backend.unwrap_or_else(|| LEGACY_BACKEND.to_owned());
        let requirements = Vec::new();
        let mut build =
            Self { workshop, label, room, project, backend, backend_path, venv, environment, requirements, trail };
        build.add_requirements(&requires)?;
        Ok(build)
    }

    /// Installs build requirements; those that are there already keep their versions.
    fn add_requirements(&mut self, requirements: &[String]) -> Result<(), BuildError> {
        let constraints: Vec<String> =
            self.requirements.iter().map(|present| format!("{}=={}", present.name, present.version)).collect();
        let collected = self
            .workshop
            .collect_build_requirements(requirements, &constraints, self.trail)
            .map_err(|source| BuildError::Requirements { label: self.label.clone(), source: Box::new(source) })?;
        for wheel in collected {
            if self.requirements.iter().any(|present| present.name == wheel.name) {
                continue;
            }
            (self.workshop.install)(&wheel.path, wheel.sha256.as_ref(), &self.venv).map_err(|source| {
                BuildError::Install { label: self.label.clone(), wheel: wheel.filename.clone(), source }
            })?;
            let version = wheel.filename.split('-').nth(1).unwrap_or_default().to_owned();
            let at_hand = wheel.origin == Origin::Local;
            self.requirements.push(BuildRequirement { name: wheel.name, version, sha256: wheel.sha256, at_hand });
        }
        self.requirements.sort();
        Ok(())
    }

    /// Calls the hooks; gives the wheel and its name.
    fn run(&mut self) -> Result<(PathBuf, String), BuildError> {
        let none = serde_json::Value::Null;
        let dynamic = self.ask_dynamic()?;
        if !dynamic.is_empty() {
            self.add_requirements(&dynamic)?;
        }
        let directory = self.room.join("wheel");
        let place = directory.to_str().ok_or_else(|| self.write(io::ErrorKind::InvalidFilename.into()))?;
        let returned = self.call(BUILD, &[place.into(), none.clone(), none])?;
        let filename = returned
            .as_str()
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "whl"))
            .filter(|name| Path::new(name).file_name().is_some_and(|last| last == *name))
            .filter(|name| directory.join(name).is_file())
            .ok_or_else(|| self.returned(BUILD, &returned.to_string()))?;
        Ok((directory.join(filename), filename.to_owned()))
    }

    /// What the backend wants beside the requirements of `[build-system]`.
    fn ask_dynamic(&self) -> Result<Vec<String>, BuildError> {
        let dynamic = self.call(GET_REQUIRES, &[serde_json::Value::Null])?;
        serde_json::from_value(dynamic.clone()).map_err(|_| self.returned(GET_REQUIRES, &dynamic.to_string()))
    }

    fn returned(&self, hook: &'static str, returned: &str) -> BuildError {
        let (label, backend) = (self.label.clone(), self.backend.clone());
        BuildError::Returned { label, hook, backend, returned: returned.to_owned() }
    }

    fn write(&self, source: io::Error) -> BuildError {
        BuildError::Write { label: self.label.clone(), source }
    }

    /// Calls one hook, in a process of its own as PEP 517 asks.
    fn call(&self, hook: &'static str, arguments: &[serde_json::Value]) -> Result<serde_json::Value, BuildError> {
        #[derive(Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        enum Answer {
            Returned { value: serde_json::Value },
            NoBackend { reason: String },
            BadBackendPath { reason: String },
        }
        let request = serde_json::json!({
            "hook": hook,
            "backend": self.backend,
            "backend_path": self.backend_path,
            "source": self.project.to_str().ok_or_else(|| self.write(io::ErrorKind::InvalidFilename.into()))?,
            "arguments": arguments,
        });
        let (asked, answered) = (self.room.join("request.json"), self.room.join("result.json"));
        fs_err::write(&asked, request.to_string()).map_err(|source| self.write(source))?;
        let log = self.room.join("log");
        let ended = Child::new(&self.venv.python, &self.environment, &self.project, self.workshop.build_timeout)
            .arg(self.room.join("frontend.py"))
            .args([&asked, &answered])
            .log(&log)
            .run();
        let (outcome, messages) = match ended {
            Ok(ended) if ended.success() => (None, ended.messages),
            Ok(ended) => (Some(Outcome::Ended(ended.describe_status())), ended.messages),
            Err(ProcessError::TimedOut { limit, messages, .. }) => (Some(Outcome::TimedOut(limit)), messages),
            Err(source) => return Err(BuildError::Run { label: self.label.clone(), source }),
        };
        let (label, backend) = (self.label.clone(), self.backend.clone());
        if let Some(outcome) = outcome {
            let (exception, end) = telling_end(&messages);
            let (advice, log) = (advise(&messages), self.keep_log(&log));
            return Err(Box::new(HookFailure { label, hook, backend, outcome, exception, end, advice, log }).into());
        }
        let text = fs_err::read(&answered).map_err(|source| self.write(source))?;
        fs_err::remove_file(&answered).map_err(|source| self.write(source))?;
        match serde_json::from_slice(&text).map_err(|error| self.returned(hook, &error.to_string()))? {
            Answer::Returned { value } => Ok(value),
            Answer::NoBackend { reason } => Err(BuildError::NoBackend { label, backend, reason }),
            Answer::BadBackendPath { reason } => Err(BuildError::Pyproject {
                label,
                reason: format!("backend-path `{reason}` is no directory inside of the source"),
            }),
        }
    }

    /// Keeps a log where it outlives the scratch directory, named by the source and its content.
    fn keep_log(&self, log: &Path) -> PathBuf {
        let keep = || {
            let text = fs_err::read(log)?;
            let logs = self.workshop.surroundings.make_cache_directory("logs")?;
            let plain: String = self
                .label
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' })
                .collect();
            let digest = Sha256Digest::of(&text).to_string();
            let kept = logs.join(format!("{}-{}.log", plain.trim_matches('.'), &digest[..12]));
            fs_err::write(&kept, text)?;
            io::Result::Ok(kept)
        };
        keep().unwrap_or_else(|_| log.to_owned())
    }
}
