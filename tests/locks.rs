//! Lock files against what Python's `packaging` and the tools that made them say of the same files.
//!
//! The expectations are made by scripts/check-locks: `selections.json` beside each real lock in testdata/locks, and
//! `generated.json` for generated pylock.toml texts. What is expected where pyzpack differs from `packaging` by decision, the
//! scripts say in words (scripts/lock_oracle.py, `stricter` in scripts/lock_generator.py).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pyzpack::lock::{Choice, Context, EntryFault, Lock, LockError, LockFormat, LockedSource, Selected, Wanted};
use pyzpack::names::PackageName;
use pyzpack::target::Target;
use serde::Deserialize;

mod support;
use support::targets;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/locks")
}

fn names(texts: &[String]) -> BTreeSet<PackageName> {
    texts.iter().map(|text| text.parse().unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// The word that the expectations have for a refusal to select.
fn kind(error: &LockError) -> String {
    let kind = match error {
        LockError::Python { .. } => "python",
        LockError::Environment { .. } => "environment",
        LockError::Ambiguous { .. } => "ambiguous",
        LockError::NoSuchName { kind, .. } => kind,
        LockError::Conflict { .. } => "conflict",
        LockError::Entry { fault, .. } => match fault.as_ref() {
            EntryFault::Python { .. } => "python",
            EntryFault::NothingFits { .. } => "no-wheel",
            EntryFault::Evaluation(_) => "marker",
            EntryFault::NoHash { .. } | EntryFault::WeakHash { .. } => "hash",
            _ => return error.to_string(),
        },
        _ => return error.to_string(),
    };
    kind.to_owned()
}

/// The file that is taken, or the word for what is none.
fn file(selected: &Selected<'_>) -> String {
    match (&selected.choice, &selected.package.source) {
        (Choice::Wheel(file) | Choice::Sdist(file), _) => file.filename.clone(),
        (Choice::Digests, _) => "digests".to_owned(),
        (Choice::Source, LockedSource::Git { .. }) => "git".to_owned(),
        (Choice::Source, _) => "directory".to_owned(),
    }
}

#[derive(Deserialize)]
struct Selection {
    python: String,
    platform: String,
    extras: Vec<String>,
    groups: Vec<String>,
    /// The member of a workspace that is packed.
    project: Option<String>,
    packages: Option<Vec<(String, Option<String>, String)>>,
    error: Option<String>,
}

impl Selection {
    fn found(&self, lock: &Lock) -> Result<Vec<(String, Option<String>, String)>, String> {
        let target = targets::target(&self.python, "", &self.platform);
        let wanted = Wanted { extras: names(&self.extras), groups: names(&self.groups) };
        let selected = lock.select(&target, &wanted).map_err(|error| kind(&error))?;
        let facts = |one: &Selected<'_>| {
            let version = one.package.version.as_ref().map(ToString::to_string);
            (one.package.name.to_string(), version, file(one))
        };
        let mut found: Vec<_> = selected.iter().map(facts).collect();
        found.sort();
        Ok(found)
    }

    fn differences(&self, found: Result<Vec<(String, Option<String>, String)>, String>) -> Vec<String> {
        let (found, expected) = match (found, &self.packages, &self.error) {
            (Ok(found), Some(expected), _) => (found, expected),
            (Err(found), _, Some(expected)) if found == *expected => return Vec::new(),
            (found, _, expected) => {
                let found = found.map(|packages| packages.len());
                return vec![format!("expected {expected:?}, found {found:?} (packages)")];
            }
        };
        let missing = expected.iter().filter(|one| !found.contains(one)).map(|one| format!("missing {one:?}"));
        let surplus = found.iter().filter(|one| !expected.contains(one)).map(|one| format!("surplus {one:?}"));
        missing.chain(surplus).collect()
    }
}

/// Whether a file holds selections: `selections.json`, and in a workspace `selections-MEMBER.json`.
fn holds_selections(name: &str) -> bool {
    name.starts_with("selections") && name.ends_with(".json")
}

/// The lock of a project: the only file there that has a lock's name.
fn lock_of(project: &Path) -> PathBuf {
    let entries = fs::read_dir(project).unwrap_or_else(|error| panic!("{}: {error}", project.display()));
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_lock = |name: &String| LockFormat::of_name(name).is_some() && !name.ends_with(".in");
    let mut names: Vec<String> = names.filter(is_lock).collect();
    // A requirements file is a lock only where there is none with a lock's own name.
    names.sort_by_key(|name| name.ends_with(".txt"));
    let first = names.first().unwrap_or_else(|| panic!("{}: no lock", project.display()));
    project.join(first)
}

#[test]
fn real_locks_select_what_their_tools_and_packaging_say() {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(root())
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(holds_selections))
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    let (mut selections, mut targets, mut differences) = (0, BTreeSet::new(), Vec::new());
    for path in &files {
        let shown = path.strip_prefix(root()).unwrap_or(path).display();
        let text = fs::read_to_string(path).expect("it was just listed");
        let expected: Vec<Selection> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let directory = path.parent().expect("it lies in a project");
        let lock_path = lock_of(directory);
        let mut locks: BTreeMap<Option<&str>, Lock> = BTreeMap::new();
        for selection in &expected {
            let lock = locks.entry(selection.project.as_deref()).or_insert_with(|| {
                let project = directory.join(selection.project.as_deref().unwrap_or_default());
                let lock = Lock::read(&lock_path, Context { project: Some(&project), name: None });
                lock.unwrap_or_else(|error| panic!("{shown}: {error}"))
            });
            selections += 1;
            targets.insert((selection.python.clone(), selection.platform.clone()));
            let asked = format!(
                "{shown}, {} {}, extras {:?}, groups {:?}",
                selection.python, selection.platform, selection.extras, selection.groups
            );
            let found = selection.differences(selection.found(lock));
            differences.extend(found.iter().map(|one| format!("{asked}: {one}")));
        }
    }
    println!(
        "real locks: {} projects, {} targets, {selections} selections: {} differences",
        files.len(),
        targets.len(),
        differences.len()
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(files.len() >= 9, "{files:?}");
}

#[derive(Deserialize)]
struct Generated {
    digest: String,
    targets: Vec<(String, String, String)>,
    cases: Vec<(String, Verdict)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Verdict {
    Refused(String),
    Taken(Vec<Question>),
}

/// Place of the target, extras, groups, answer.
#[derive(Deserialize)]
struct Question(usize, Vec<String>, Vec<String>, String);

impl Question {
    /// The answer of pyzpack in the words of the file.
    fn found(&self, lock: &Lock, targets: &[Target]) -> String {
        let wanted = Wanted { extras: names(&self.1), groups: names(&self.2) };
        let selected = match lock.select(&targets[self.0], &wanted) {
            Ok(selected) => selected,
            Err(error) => return kind(&error),
        };
        let place = |one: &Selected<'_>| {
            let package = lock.packages.iter().position(|package| std::ptr::eq(package, one.package)).expect("its own");
            let what = match (&one.choice, &one.package.source) {
                (Choice::Wheel(file), LockedSource::Files { files, .. }) => {
                    files.iter().position(|known| std::ptr::eq(known, *file)).expect("its own").to_string()
                }
                (_, LockedSource::Archive { .. }) => "archive".to_owned(),
                (Choice::Sdist(_), _) => "sdist".to_owned(),
                _ => file(one),
            };
            format!("{package}.{what}")
        };
        let mut places: Vec<String> = selected.iter().map(place).collect();
        places.sort();
        format!("[{}]", places.join(" "))
    }
}

/// Whether a refusal is of the kind that was decided on.
fn is_stricter(kind: &str, error: &LockError) -> bool {
    let fault = match error {
        LockError::Entry { fault, .. } => Some(fault.as_ref()),
        _ => None,
    };
    match kind {
        "version" => matches!(error, LockError::UnknownVersion { .. }),
        "group" => matches!(error, LockError::Malformed { .. }),
        "marker" => matches!(error, LockError::Malformed { .. }) || matches!(fault, Some(EntryFault::Marker(_))),
        "outside" => matches!(fault, Some(EntryFault::Outside(_))),
        "scheme" => matches!(fault, Some(EntryFault::Scheme(_))),
        "hash" => matches!(fault, Some(EntryFault::BadHash(_))),
        "repository" => matches!(fault, Some(EntryFault::Repository(_))),
        "filename" => matches!(fault, Some(EntryFault::FileName(_))),
        "archive" => matches!(fault, Some(EntryFault::FileName(_) | EntryFault::Field(_))),
        "size" | "versions" => matches!(fault, Some(EntryFault::Field(_))),
        _ => false,
    }
}

#[test]
fn generated_locks_are_read_and_selected_as_packaging_does() {
    let text = fs::read_to_string(root().join("generated.json")).expect("testdata/locks/generated.json");
    let generated: Generated = serde_json::from_str(&text).expect("made by scripts/check-locks");
    let targets: Vec<Target> =
        generated.targets.iter().map(|(python, platform, flags)| targets::target(python, flags, platform)).collect();
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = place.path().join("pylock.toml");
    let (mut selections, mut refused, mut stricter, mut differences) = (0, 0, 0, Vec::new());
    for (text, verdict) in &generated.cases {
        fs::write(&path, text.replace("\"@\"", &format!("\"{}\"", generated.digest))).expect("a lock");
        let lock = Lock::read(&path, Context { project: None, name: None });
        match (lock, verdict) {
            (Err(error), Verdict::Refused(expected)) => match expected.strip_prefix("stricter:") {
                None => refused += 1,
                Some(kind) if is_stricter(kind, &error) => stricter += 1,
                Some(_) => differences.push(format!("expected {expected}, found {error}:\n{text}")),
            },
            (Err(error), Verdict::Taken(_)) => differences.push(format!("refused: {error}:\n{text}")),
            (Ok(_), Verdict::Refused(expected)) => differences.push(format!("taken, expected {expected}:\n{text}")),
            (Ok(lock), Verdict::Taken(questions)) => {
                for question in questions {
                    selections += 1;
                    let found = question.found(&lock, &targets);
                    let Question(target, extras, groups, expected) = question;
                    if found != *expected {
                        let asked = format!("{}, {extras:?}, {groups:?}", targets[*target]);
                        differences.push(format!("{asked}: expected {expected}, found {found}:\n{text}"));
                    }
                }
            }
        }
    }
    println!(
        "generated locks: {} ({refused} refused by both, {stricter} by pyzpack alone), {} targets, {selections} selections: \
         {} differences",
        generated.cases.len(),
        targets.len(),
        differences.len()
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
