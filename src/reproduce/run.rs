//! The builds of a run after its first, and what is made of them: all conditions changed at once, then one at a time, then the
//! few that it takes together.

use std::path::{Path, PathBuf};

use super::Manner;
use super::changes::Changes;
use super::condition::Condition;
use super::difference::difference;
use super::error::ReproduceError;
use super::keep::make_keep;
use super::outcome::{Changed, Difference, Outcome, Tried, Unattributed};
use super::search::smallest;
use super::session::Session;
use super::stage::{Attempt, Built};
use crate::pipeline::Observer;
use crate::python::Interpreter;

/// How many lines of an error are repeated.
const LONGEST_ERROR: usize = 12;

/// A run, after its first build.
pub(super) struct Run<'a> {
    pub(super) session: Session<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) first: Built,
    /// The builds that differ, each with its name.
    pub(super) different: Vec<(String, Built)>,
    pub(super) tried: Vec<Tried>,
    pub(super) unattributed: Option<Unattributed>,
}

impl Run<'_> {
    pub(super) fn try_all(&mut self) -> Result<(), ReproduceError> {
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

    /// Builds, with a nearer clock where a far one lets nothing be built: an index's certificate is not valid then.
    fn attempt(&mut self, changes: &Changes, label: &str, what: &str) -> Result<(Outcome, Changes), ReproduceError> {
        self.session.tell(self.observer, what);
        let attempt = self.session.stage.build(changes, label)?;
        let index = &self.session.settings.build.index;
        if let Attempt::Failed { messages, .. } = &attempt
            && !(index.no_index || self.session.settings.build.offline)
            && let Some(near) = changes.with_near_clock(error_of(messages).lines().next().unwrap_or_default())
        {
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
                let difference = difference(files, built.sha256, &self.session.world.temporary)?;
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
    pub(super) fn keep(&self, name: &str) -> Result<Option<PathBuf>, ReproduceError> {
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
