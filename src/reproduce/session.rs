//! The place of a run, and what can be changed there.

use std::path::Path;

use super::ReproduceSettings;
use super::changes::{Changes, Means};
use super::condition::Condition;
use super::error::ReproduceError;
use super::stage::Stage;
use crate::pipeline::{Observer, Stage as Step};
use crate::process::Child;
use crate::python::{Interpreter, PythonRequest, find};
use crate::surroundings::Surroundings;
use crate::target::PythonMinor;

/// The place, and what can be changed there.
pub(super) struct Session<'a> {
    pub(super) settings: &'a ReproduceSettings,
    pub(super) world: &'a Surroundings,
    pub(super) stage: Stage<'a>,
    umask: String,
}

impl<'a> Session<'a> {
    pub(super) fn begin(settings: &'a ReproduceSettings, world: &'a Surroundings) -> Result<Self, ReproduceError> {
        let stage = Stage::prepare(settings, world)?;
        let limit = std::time::Duration::from_mins(1);
        let asked =
            Child::new(Path::new("/bin/sh"), &world.environment, stage.path(), limit).args(["-c", "umask"]).run();
        let umask = asked.map(|ended| ended.messages.trim().to_owned()).unwrap_or_default();
        Ok(Self { settings, world, stage, umask })
    }

    pub(super) fn tell(&self, observer: &dyn Observer, what: &str) {
        observer.begin(Step::Build, &format!("build {}: {what}", self.stage.builds + 1));
    }

    pub(super) fn means(&self) -> Means<'_> {
        Means { world: self.world, stage: self.stage.path(), umask: self.umask.clone(), jobs: self.settings.jobs }
    }

    /// What changes a condition, or why it cannot be changed here.
    pub(super) fn change(&self, condition: Condition, turn: usize) -> Result<Changes, String> {
        match condition {
            Condition::Processors if self.settings.processors < 2 => return Err("there is one processor".to_owned()),
            Condition::ColdCache if self.settings.build.offline => {
                return Err("--offline keeps from fetching again what the cache has".to_owned());
            }
            _ => {}
        }
        let mut changes = Changes::default();
        self.means().add(condition, turn, &mut changes);
        self.stage.try_out(&changes)?;
        Ok(changes)
    }

    /// The interpreters of other minor versions, the newest first.
    pub(super) fn other_pythons(&self, own: Option<PythonMinor>) -> Vec<Interpreter> {
        let directories = self.world.search_path();
        let minors = (8..=20).rev().map(|minor| PythonMinor::new(3, minor)).filter(|minor| Some(*minor) != own);
        let request = |minor: PythonMinor| minor.to_string().parse::<PythonRequest>().ok();
        minors
            .filter_map(request)
            .filter_map(|request| find(Some(&request), &directories, None, &self.world.environment).ok())
            .collect()
    }
}
