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
mod recipe;
mod search;
mod sources;
mod stage;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::against::{AttestSettings, RebuildError, RebuildSettings, Rebuilt, rebuild};
pub use self::condition::{Condition, UnknownCondition};
pub use self::difference::CompareError;

use self::changes::{Changes, Means};
use self::search::smallest;
use self::stage::{Attempt, Built, Stage};
use crate::diff::Comparison;
use crate::digest::Sha256Digest;
use crate::pipeline::{Observer, Stage as Step};
use crate::process::scratch::ScratchError;
use crate::process::{Child, ProcessError};
use crate::project::sources::SourcesError;
use crate::python::{Interpreter, PythonRequest, find};
use crate::settings::BuildSettings;
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;
use crate::target::PythonMinor;

/// How many lines of an error are repeated.
const LONGEST_ERROR: usize = 12;

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

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Reproduced {
    /// The application's name.
    pub name: String,
    /// The digest of the first build.
    pub sha256: Sha256Digest,
    /// How many builds were run.
    pub builds: usize,
    /// Whether all of them gave the same bytes.
    pub same: bool,
    /// The conditions, in their order.
    pub conditions: Vec<Tried>,
    /// What differs without a condition of its own that did it, or only where several are changed.
    pub unattributed: Option<Unattributed>,
    /// What the first build said.
    #[serde(skip)]
    pub messages: String,
    /// Where the builds that differ are.
    pub kept: Option<PathBuf>,
}

/// A condition that was changed.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// The condition.
    #[serde(serialize_with = "by_name")]
    pub condition: Condition,
    /// To what, where that can be said in a word.
    pub value: String,
}

/// A condition, and what came of changing it.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// The condition.
    #[serde(serialize_with = "by_name")]
    pub condition: Condition,
    /// To what it was changed, where that can be said in a word.
    pub value: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a change.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The same bytes.
    Same,
    /// Other bytes.
    Differs(Box<Difference>),
    /// No file.
    Fails {
        /// Why, in the build's own words.
        reason: String,
    },
    /// It was not changed.
    NotTried {
        /// Why.
        reason: String,
    },
}

/// How one build differs from the first.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Its digest.
    pub sha256: Sha256Digest,
    /// The differing files, a line each, as far as they are listed.
    pub files: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// How they differ.
    #[serde(skip)]
    pub comparison: Comparison,
}

/// What differs and is no single condition's doing.
#[derive(Debug, Serialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Unattributed {
    /// Though nothing was changed.
    Chance {
        /// How.
        difference: Box<Difference>,
        /// Whether the clock is excluded: two builds differ while it stands still.
        clock_excluded: bool,
    },
    /// Where several conditions are changed at once.
    Together {
        /// The smallest set of conditions that was found to do it.
        conditions: Vec<Changed>,
        /// What came of changing these.
        outcome: Outcome,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn by_name<S: serde::Serializer>(condition: &Condition, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(condition.name())
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    /// There is no place for it.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The sources cannot be copied.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The place cannot be prepared, or its builds not be read.
    #[error("cannot prepare the builds")]
    Stage(#[source] io::Error),
    /// This program cannot be run.
    #[error(transparent)]
    Run(#[from] ProcessError),
    /// The first build fails: there is nothing to compare with.
    #[error("the first build fails, with nothing changed")]
    First {
        /// Its exit status.
        status: Option<i32>,
        /// What it said.
        messages: String,
    },
    /// What was built cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The builds that differ cannot be kept.
    #[error("cannot keep the builds in `{}`", directory.display())]
    Keep {
        /// Where.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Explain for ReproduceError {
    fn status(&self) -> Status {
        match self {
            Self::Scratch(error) => error.status(),
            Self::Sources(error) => error.status(),
            Self::Run(error) => error.status(),
            Self::Compare(error) => error.status(),
            Self::First { status: Some(2), .. } => Status::Usage,
            Self::First { status: Some(1), .. } => Status::Refused,
            Self::First { .. } | Self::Stage(_) | Self::Keep { .. } => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Scratch(error) => error.hint(),
            Self::Sources(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Compare(error) => error.hint(),
            Self::First { .. } | Self::Stage(_) | Self::Keep { .. } => None,
        }
    }
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

/// The place, and what can be changed there.
struct Session<'a> {
    settings: &'a ReproduceSettings,
    world: &'a Surroundings,
    stage: Stage<'a>,
    umask: String,
}

impl<'a> Session<'a> {
    fn begin(settings: &'a ReproduceSettings, world: &'a Surroundings) -> Result<Self, ReproduceError> {
        let stage = Stage::prepare(settings, world)?;
        let limit = std::time::Duration::from_mins(1);
        let asked =
            Child::new(Path::new("/bin/sh"), &world.environment, stage.path(), limit).args(["-c", "umask"]).run();
        let umask = asked.map(|ended| ended.messages.trim().to_owned()).unwrap_or_default();
        Ok(Self { settings, world, stage, umask })
    }

    fn tell(&self, observer: &dyn Observer, what: &str) {
        observer.begin(Step::Build, &format!("build {}: {what}", self.stage.builds + 1));
    }

    fn means(&self) -> Means<'_> {
        Means { world: self.world, stage: self.stage.path(), umask: self.umask.clone(), jobs: self.settings.jobs }
    }

    /// What changes a condition, or why it cannot be changed here.
    fn change(&self, condition: Condition, turn: usize) -> Result<Changes, String> {
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
    fn other_pythons(&self, own: Option<PythonMinor>) -> Vec<Interpreter> {
        let directories = self.world.search_path();
        let minors = (8..=20).rev().map(|minor| PythonMinor::new(3, minor)).filter(|minor| Some(*minor) != own);
        let request = |minor: PythonMinor| minor.to_string().parse::<PythonRequest>().ok();
        minors
            .filter_map(request)
            .filter_map(|request| find(Some(&request), &directories, None, &self.world.environment).ok())
            .collect()
    }
}

/// A run, after its first build.
struct Run<'a> {
    session: Session<'a>,
    observer: &'a dyn Observer,
    first: Built,
    /// The builds that differ, each with its name.
    different: Vec<(String, Built)>,
    tried: Vec<Tried>,
    unattributed: Option<Unattributed>,
}

impl Run<'_> {
    fn try_all(&mut self) -> Result<(), ReproduceError> {
        let wanted = &self.session.settings.conditions;
        let conditions: Vec<Condition> = Condition::ALL.into_iter().filter(|one| wanted.contains(one)).collect();
        let mut able = Vec::new();
        let mut unable: Vec<Tried> = Vec::new();
        for condition in conditions {
            match self.session.change(condition, 0) {
                Ok(_) => able.push(condition),
                Err(reason) => {
                    unable.push(Tried { condition, value: String::new(), outcome: Outcome::NotTried { reason } });
                }
            }
        }
        let together: Vec<Condition> = able.iter().copied().filter(|condition| condition.goes_with_others()).collect();
        let apart: Vec<Condition> = able.iter().copied().filter(|condition| !condition.goes_with_others()).collect();
        let found = match self.session.settings.manner {
            Manner::Together => self.try_together(&together)?,
            Manner::Each => Some(Trouble { turn: 0, outcome: None }),
        };
        if let Some(trouble) = found {
            self.try_each(&together, trouble)?;
        }
        if !matches!(self.unattributed, Some(Unattributed::Chance { .. })) {
            for condition in apart {
                if condition == Condition::Python { self.try_pythons()? } else { self.try_one(condition, 0)? }
            }
        }
        self.tried.append(&mut unable);
        self.tried.sort_by_key(|tried| tried.condition);
        Ok(())
    }

    /// Builds with all of them changed, each time to other values, until something differs.
    fn try_together(&mut self, conditions: &[Condition]) -> Result<Option<Trouble>, ReproduceError> {
        if conditions.is_empty() {
            return Ok(None);
        }
        for turn in 0..self.session.settings.times - 1 {
            let changes = self.change_all(conditions, turn);
            let label = format!("changed-{}", turn + 1);
            let (outcome, changes) = self.attempt(&changes, &label, "with all conditions changed")?;
            if !matches!(outcome, Outcome::Same) {
                return Ok(Some(Trouble { turn, outcome: Some(outcome) }));
            }
            if turn + 2 >= self.session.settings.times {
                let tried = conditions.iter().map(|condition| Tried {
                    condition: *condition,
                    value: changes.values.get(condition).cloned().unwrap_or_default(),
                    outcome: Outcome::Same,
                });
                self.tried.extend(tried);
            }
        }
        Ok(None)
    }

    /// Builds with nothing changed, then with one condition at a time.
    fn try_each(&mut self, conditions: &[Condition], trouble: Trouble) -> Result<(), ReproduceError> {
        self.session.tell(self.observer, "with nothing changed, again");
        let again = self.session.stage.build(&Changes::default(), "again")?;
        let again = match self.compare(again, "again")? {
            Outcome::Differs(difference) => Some(difference),
            _ => None,
        };
        if let Some(difference) = again {
            return self.tell_chance_from_clock(difference, conditions);
        }
        for condition in conditions {
            self.try_one(*condition, trouble.turn)?;
        }
        let is_good = |tried: &Tried| matches!(tried.outcome, Outcome::Same | Outcome::NotTried { .. });
        if let Some(outcome) = trouble.outcome.filter(|_| self.tried.iter().all(is_good)) {
            self.find_together(conditions, trouble.turn, outcome)?;
        }
        Ok(())
    }

    /// All of them changed make a difference, and none alone does: finds the few that do it together. `outcome` came of all.
    fn find_together(&mut self, conditions: &[Condition], turn: usize, outcome: Outcome) -> Result<(), ReproduceError> {
        let kept = self.different.len();
        let mut last = (outcome, self.change_all(conditions, turn));
        let mut tries = 0;
        let found = smallest(conditions, |set| {
            if set.len() == conditions.len() {
                return Ok(true);
            }
            tries += 1;
            let changes = self.change_all(set, turn);
            let names: Vec<&str> = set.iter().map(|condition| condition.name()).collect();
            let what = format!("with {} of {} conditions changed: {}", set.len(), conditions.len(), names.join(", "));
            let (outcome, changes) = self.attempt(&changes, &format!("together-{tries}"), &what)?;
            let is_trouble = !matches!(outcome, Outcome::Same);
            if is_trouble {
                last = (outcome, changes);
            }
            Ok::<_, ReproduceError>(is_trouble)
        })?;
        // Each set that makes trouble is smaller than the one before; the last is what was found.
        let further = self.different.split_off(kept);
        self.different.extend(further.into_iter().next_back().map(|(_, built)| ("together".to_owned(), built)));
        let (outcome, changes) = last;
        let value = |condition: &Condition| changes.values.get(condition).cloned().unwrap_or_default();
        let conditions = found.iter().map(|condition| Changed { condition: *condition, value: value(condition) });
        self.unattributed = Some(Unattributed::Together { conditions: conditions.collect(), outcome });
        Ok(())
    }

    /// What changes all of these.
    fn change_all(&self, conditions: &[Condition], turn: usize) -> Changes {
        let mut changes = Changes::default();
        for condition in conditions {
            self.session.means().add(*condition, turn, &mut changes);
        }
        changes
    }

    fn try_one(&mut self, condition: Condition, turn: usize) -> Result<(), ReproduceError> {
        let changes = match self.session.change(condition, turn) {
            Ok(changes) => changes,
            Err(reason) => {
                self.tried.push(Tried { condition, value: String::new(), outcome: Outcome::NotTried { reason } });
                return Ok(());
            }
        };
        let value = changes.values.get(&condition).cloned().unwrap_or_default();
        let what = if value.is_empty() { condition.name().to_owned() } else { format!("{condition} ({value})") };
        let (outcome, changes) = self.attempt(&changes, condition.name(), &what)?;
        let value = changes.values.get(&condition).cloned().unwrap_or_default();
        self.tried.push(Tried { condition, value, outcome });
        Ok(())
    }

    /// Builds, with a nearer clock where a far one lets nothing be built.
    fn attempt(&mut self, changes: &Changes, label: &str, what: &str) -> Result<(Outcome, Changes), ReproduceError> {
        self.session.tell(self.observer, what);
        let attempt = self.session.stage.build(changes, label)?;
        if let (Attempt::Failed { .. }, Some(near)) = (&attempt, changes.with_near_clock()) {
            self.session.tell(self.observer, what);
            let attempt = self.session.stage.build(&near, label)?;
            return Ok((self.compare(attempt, label)?, near));
        }
        Ok((self.compare(attempt, label)?, changes.clone()))
    }

    fn compare(&mut self, attempt: Attempt, label: &str) -> Result<Outcome, ReproduceError> {
        let first = self.first.clone();
        self.compare_with(&first, attempt, label)
    }

    fn compare_with(&mut self, first: &Built, attempt: Attempt, label: &str) -> Result<Outcome, ReproduceError> {
        match attempt {
            Attempt::Built(built) if built.sha256 == first.sha256 => Ok(Outcome::Same),
            Attempt::Built(built) => {
                let files = [first.path.as_path(), &built.path];
                let difference = difference::difference(files, built.sha256, &self.session.world.temporary)?;
                self.different.push((label.to_owned(), built));
                Ok(Outcome::Differs(Box::new(difference)))
            }
            Attempt::Failed { messages, .. } => Ok(Outcome::Fails { reason: error_of(&messages) }),
        }
    }

    /// Two builds differ though nothing was changed: whether they do while the clock stands still tells what did it.
    fn tell_chance_from_clock(
        &mut self,
        difference: Box<Difference>,
        conditions: &[Condition],
    ) -> Result<(), ReproduceError> {
        let frozen = Changes::freeze(&self.session.settings.program);
        let mut standing = Vec::new();
        if self.session.change(Condition::Clock, 0).is_ok() {
            for label in ["frozen-1", "frozen-2"] {
                self.session.tell(self.observer, "with nothing changed, while the clock stands still");
                if let Attempt::Built(built) = self.session.stage.build(&frozen, label)? {
                    standing.push(built.sha256);
                }
            }
        }
        let reason = "builds differ though nothing is changed: this cannot be told from that".to_owned();
        let is_clock = matches!(standing.as_slice(), [one, other] if one == other);
        for condition in conditions.iter().filter(|one| !(is_clock && **one == Condition::Clock)) {
            let outcome = Outcome::NotTried { reason: reason.clone() };
            self.tried.push(Tried { condition: *condition, value: String::new(), outcome });
        }
        if is_clock {
            let value = "the same bytes while it stands still".to_owned();
            self.tried.push(Tried { condition: Condition::Clock, value, outcome: Outcome::Differs(difference) });
        } else {
            let clock_excluded = standing.len() == 2;
            self.unattributed = Some(Unattributed::Chance { difference, clock_excluded });
        }
        Ok(())
    }

    /// Builds with other interpreters for the target of the first: as many as there are to be builds.
    fn try_pythons(&mut self) -> Result<(), ReproduceError> {
        let condition = Condition::Python;
        let not_tried =
            |reason: String| Tried { condition, value: String::new(), outcome: Outcome::NotTried { reason } };
        let own = self.first.report["python"].as_str().map(Path::new);
        let own = own.and_then(|path| Interpreter::probe(path, &self.session.world.environment).ok());
        let Some(own) = own else {
            self.tried.push(not_tried("the interpreter of the first build is gone".to_owned()));
            return Ok(());
        };
        let others = self.session.other_pythons(Some(own.target.python));
        let others: Vec<Interpreter> = others.into_iter().take(self.session.settings.times - 1).collect();
        if others.is_empty() {
            self.tried.push(not_tried("no other version was found".to_owned()));
            return Ok(());
        }
        // A target that is named stands in the recipe, and so the first build has to be one that names it.
        let mut target = Vec::new();
        let mut first = self.first.clone();
        if self.session.settings.build.target_python.is_none() {
            target.push(format!("--target-python={}", own.target.python));
            let changes = Changes { options: target.clone(), ..Changes::default() };
            self.session.tell(self.observer, &format!("python {}, named", own.target.python));
            match self.session.stage.build(&changes, "first-for-named-target")? {
                Attempt::Built(built) => first = built,
                Attempt::Failed { messages, .. } => {
                    self.tried.push(not_tried(error_of(&messages)));
                    return Ok(());
                }
            }
        }
        let mut outcome = Outcome::Same;
        let mut value = Vec::new();
        for other in others {
            let mut changes = Changes { options: target.clone(), ..Changes::default() };
            changes.options.push(format!("--python={}", other.executable.display()));
            let label = format!("python-{}", other.full_version);
            self.session.tell(self.observer, &format!("python {}", other.full_version));
            let attempt = self.session.stage.build(&changes, &label)?;
            match self.compare_with(&first, attempt, &label)? {
                Outcome::Same => value.push(other.full_version),
                // It may be too old, or the wrong one to compile for the target.
                Outcome::Fails { reason } => {
                    if value.is_empty() {
                        outcome = Outcome::NotTried { reason: format!("{}: {reason}", other.full_version) };
                    }
                    continue;
                }
                differs => {
                    self.different.push(("first-for-named-target".to_owned(), first.clone()));
                    (outcome, value) = (differs, vec![other.full_version]);
                    break;
                }
            }
            outcome = Outcome::Same;
        }
        self.tried.push(Tried { condition, value: value.join(", "), outcome });
        Ok(())
    }

    /// Keeps the first build and those that differ from it, where there are any.
    fn keep(&self, name: &str) -> Result<Option<PathBuf>, ReproduceError> {
        if self.different.is_empty() {
            return Ok(None);
        }
        let Session { settings, world, .. } = &self.session;
        let directory = settings.keep.clone().unwrap_or_else(|| world.temporary.clone());
        let fail = |source| ReproduceError::Keep { directory: directory.clone(), source };
        let place = make_keep(settings.keep.as_deref(), &settings.build.directory, world).map_err(fail)?;
        let first = ("first".to_owned(), self.first.clone());
        for (label, built) in self.different.iter().chain([&first]) {
            fs_err::copy(&built.path, place.join(format!("{name}-{label}.pyz"))).map_err(fail)?;
        }
        Ok(Some(place))
    }
}

/// A directory for files that differ: the one that is named, else a new one beside other temporary files.
fn make_keep(named: Option<&Path>, directory: &Path, world: &Surroundings) -> io::Result<PathBuf> {
    if let Some(named) = named {
        let place = directory.join(named);
        return fs_err::create_dir_all(&place).map(|()| place);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix("pyzpack-differs-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(&world.temporary).map(tempfile::TempDir::keep)
}

/// That builds with everything changed are not like the first.
struct Trouble {
    /// The values that conditions had.
    turn: usize,
    /// What came of it; none where it was not tried.
    outcome: Option<Outcome>,
}

/// The error of a build, without what else it said.
fn error_of(messages: &str) -> String {
    let lines = messages.lines().skip_while(|line| !line.starts_with("error: "));
    let is_other = |line: &&str| line.starts_with("hint: ") || line.starts_with("the full log is ");
    let error: Vec<&str> = lines.take_while(|line| !is_other(line)).take(LONGEST_ERROR).collect();
    match error.first().and_then(|first| first.strip_prefix("error: ")) {
        Some(first) => [&[first], &error[1..]].concat().join("\n"),
        None => messages.lines().next_back().unwrap_or("it said nothing").to_owned(),
    }
}
