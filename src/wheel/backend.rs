//! A build backend at work: a fresh virtual environment, an environment of which every variable is fixed or named, and
//! one process a hook (PEP 517).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::build_error::{BuildError, HookFailure, Outcome};
use super::collect::Workshop;
use super::source_facts::BuildSystem;
use super::telling::{advise, advise_offline, telling_end};
use crate::digest::Sha256Digest;
use crate::process::{Child, ProcessError};
use crate::project::clamp::EARLIEST;
use crate::python::environment::{BuildPlace, build_environment, flags_of_interpreter, write_offline_guard};
use crate::python::venv::Venv;

/// The hooks that are called (PEP 517).
const GET_REQUIRES: &str = "get_requires_for_build_wheel";
pub(super) const BUILD: &str = "build_wheel";

/// A build backend in its place.
pub(super) struct Backend<'a> {
    workshop: &'a Workshop<'a>,
    label: &'a str,
    room: &'a Path,
    project: &'a Path,
    system: &'a BuildSystem,
    venv: Venv,
    environment: BTreeMap<OsString, OsString>,
}

impl<'a> Backend<'a> {
    /// Makes what it needs in `room`, where its source is.
    pub(super) fn open(
        workshop: &'a Workshop<'a>,
        label: &'a str,
        room: &'a Path,
        project: &'a Path,
        system: &'a BuildSystem,
    ) -> Result<Self, BuildError> {
        let write = |source| BuildError::Write { label: label.to_owned(), source };
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
        venv.steady().map_err(write)?;
        fs_err::write(room.join("frontend.py"), include_str!("../python/frontend.py")).map_err(write)?;
        Ok(Self { workshop, label, room, project, system, venv, environment })
    }

    /// Where its requirements are installed.
    pub(super) fn venv(&self) -> &Venv {
        &self.venv
    }

    /// What it needs beyond `[build-system] requires`.
    pub(super) fn ask_requirements(&self) -> Result<Vec<String>, BuildError> {
        let asked = self.call(GET_REQUIRES, &[serde_json::Value::Null])?;
        serde_json::from_value(asked.clone()).map_err(|_| self.returned(GET_REQUIRES, &asked.to_string()))
    }

    /// Has it build; gives the wheel and its name.
    pub(super) fn build(&self) -> Result<(PathBuf, String), BuildError> {
        let none = serde_json::Value::Null;
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

    pub(super) fn returned(&self, hook: &'static str, returned: &str) -> BuildError {
        let (label, backend) = (self.label.to_owned(), self.system.build_backend.clone());
        BuildError::Returned { label, hook, backend, returned: returned.to_owned() }
    }

    fn write(&self, source: io::Error) -> BuildError {
        BuildError::Write { label: self.label.to_owned(), source }
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
            "backend": self.system.build_backend,
            "backend_path": self.system.backend_path,
            "source": self.project.to_str().ok_or_else(|| self.write(io::ErrorKind::InvalidFilename.into()))?,
            "arguments": arguments,
            "own_flags": flags_of_interpreter(self.workshop.surroundings),
        });
        let (asked, answered) = (self.room.join("request.json"), self.room.join("result.json"));
        fs_err::write(&asked, request.to_string()).map_err(|source| self.write(source))?;
        let log = self.room.join("log");
        let ended = Child::new(&self.venv.python, &self.environment, self.project, self.workshop.build_timeout)
            .arg(self.room.join("frontend.py"))
            .args([&asked, &answered])
            .log(&log)
            .run();
        let (outcome, messages) = match ended {
            Ok(ended) if ended.success() => (None, ended.messages),
            Ok(ended) => (Some(Outcome::Ended(ended.describe_status())), ended.messages),
            Err(ProcessError::TimedOut { limit, messages, .. }) => (Some(Outcome::TimedOut(limit)), messages),
            Err(source) => return Err(BuildError::Run { label: self.label.to_owned(), source }),
        };
        let (label, backend) = (self.label.to_owned(), self.system.build_backend.clone());
        if let Some(outcome) = outcome {
            let (exception, end) = telling_end(&messages);
            let advice = if self.workshop.offline { advise_offline(&messages) } else { advise(&messages) };
            let log = self.keep_log(&log);
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
