//! Builds again under changed conditions, and tells whether the bytes are the same; where they are not, which condition did
//! it.
//!
//! First everything that can be changed is changed at once, which takes one build more. Only where that comes out
//! differently the conditions are changed one at a time, each against the first build. Before them stands a build with
//! nothing changed: what differs then differs by chance, or with the clock, and no condition could be told from that.

mod against;
mod changes;
mod condition;
mod difference;
mod error;
mod keep;
mod outcome;
mod recipe;
mod run;
mod search;
mod session;
mod sources;
mod stage;
mod trees;

use std::path::PathBuf;

pub use self::against::{AttestSettings, RebuildError, RebuildSettings, Rebuilt, rebuild};
pub use self::condition::{Condition, UnknownCondition};
pub use self::difference::CompareError;
pub use self::error::ReproduceError;
pub use self::keep::{KeepError, check_keep};
pub use self::outcome::{Changed, Difference, Outcome, Reproduced, Tried, Unattributed};

use self::changes::Changes;
use self::run::Run;
use self::session::Session;
use self::stage::Attempt;
use crate::pipeline::Observer;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;

/// What is built again, and how.
#[derive(Debug)]
pub struct ReproduceSettings {
    /// The build.
    pub build: BuildSettings,
    /// This program.
    pub program: PathBuf,
    /// Those of the build's options that were given on the command line and hold no paths, as they are given.
    pub options: Vec<String>,
    /// How many threads were asked for.
    pub jobs: Option<usize>,
    /// How many processors there are.
    pub processors: usize,
    /// How many builds there are where nothing differs: the first, and those under changed conditions.
    pub times: usize,
    /// The conditions that are changed, where they can be.
    pub conditions: Vec<Condition>,
    /// Whether they are changed one at a time, though nothing differs.
    pub manner: Manner,
    /// Where builds that differ are kept; a new directory beside other temporary files where this is none.
    pub keep: Option<PathBuf>,
}

/// How conditions are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// All at once, and one at a time where that differs.
    Together,
    /// One at a time.
    Each,
}

/// Which conditions can be changed here, and why others cannot; nothing is built.
///
/// # Errors
/// There is no place to try it.
pub fn list_conditions(settings: &ReproduceSettings, world: &Surroundings) -> Result<Vec<Tried>, ReproduceError> {
    let session = Session::begin(settings, world)?;
    let tried = Condition::ALL.into_iter().map(|condition| {
        let (changes, outcome) = match session.change(condition, 0) {
            Ok(changes) => (changes, Outcome::Same),
            Err(reason) => (Changes::default(), Outcome::NotTried { reason }),
        };
        let value = changes.values.get(&condition).cloned().unwrap_or_default();
        match (condition, outcome) {
            (Condition::Python, Outcome::Same) => {
                let others = session.other_pythons(None);
                let value = others.iter().map(|other| other.full_version.clone()).collect::<Vec<_>>().join(", ");
                let reason = "no other version was found".to_owned();
                let outcome = if others.is_empty() { Outcome::NotTried { reason } } else { Outcome::Same };
                Tried { condition, value, outcome }
            }
            (condition, outcome) => Tried { condition, value, outcome },
        }
    });
    Ok(tried.collect())
}

/// Builds again, and compares.
///
/// # Errors
/// The first build fails, or nothing can be run here.
pub fn reproduce(
    settings: &ReproduceSettings,
    world: &Surroundings,
    observer: &dyn Observer,
) -> Result<Reproduced, ReproduceError> {
    let mut session = Session::begin(settings, world)?;
    session.tell(observer, "with nothing changed");
    let first = match session.stage.build(&Changes::default(), "first")? {
        Attempt::Built(built) => built,
        Attempt::Failed { status, messages } => return Err(ReproduceError::First { status, messages }),
    };
    let name = first.report["name"].as_str().unwrap_or("app").to_owned();
    let mut run = Run { session, observer, first, different: Vec::new(), tried: Vec::new(), unattributed: None };
    run.try_all()?;
    let kept = run.keep(&name)?;
    let Run { session, first, tried, unattributed, .. } = run;
    let is_good = |tried: &Tried| matches!(tried.outcome, Outcome::Same | Outcome::NotTried { .. });
    let same = unattributed.is_none() && tried.iter().all(is_good);
    let builds = session.stage.builds;
    Ok(Reproduced {
        name,
        sha256: first.sha256,
        builds,
        same,
        conditions: tried,
        unattributed,
        messages: first.messages,
        kept,
    })
}
