//! The real locks of testdata/locks as data for Nix: what nix/lock selects from the document is what [`Lock::select`]
//! selects from the lock, for every target and choice of `selections.json`. Nix evaluates alone, as an ordinary user and
//! without a store; where it is missing, that is said.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pyzpack::lock::{
    Absence, Choice, Context, EntryFault, FileLocation, Lock, LockError, LockFormat, LockedSource, Places, Wanted,
};
use serde_json::{Value, json};

mod support;
use support::targets;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/locks")
}

/// Every file of which the lock does not say where it is, at a place of its own.
fn somewhere(lock: &Lock) -> Places {
    let mut places = Places::new(Absence::NotAsked);
    for package in lock.without_places() {
        let named = match &package.source {
            LockedSource::Files { files, .. } => files.as_slice(),
            _ => &[],
        };
        for (number, sha256) in package.digests().into_iter().enumerate() {
            let known = named.iter().find(|file| file.hash.sha256() == Some(sha256));
            let version = package.version.as_ref().map(ToString::to_string).unwrap_or_default();
            // Of an entry with digests alone one is taken everywhere, and the others nowhere.
            let platform = if number == 0 { "any".to_owned() } else { format!("none_{number}") };
            let made = || format!("{}-{version}-py3-none-{platform}.whl", package.name.in_file_name());
            let filename = known.map_or_else(made, |file| file.filename.clone());
            let location = FileLocation::Url(format!("https://files.example/{sha256}/{filename}"));
            places.add(&package.name, sha256, &filename, location);
        }
    }
    places
}

/// The word that nix/lock has for a refusal to select.
fn kind(error: &LockError) -> &'static str {
    match error {
        LockError::Python { .. } => "python",
        LockError::Environment { .. } => "environment",
        LockError::Ambiguous { .. } => "ambiguous",
        LockError::NoSuchName { kind, .. } => kind,
        LockError::Conflict { .. } => "conflict",
        LockError::Entry { fault, .. } => match fault.as_ref() {
            EntryFault::Python { .. } => "python",
            // A file without a sha256 is not in the document.
            EntryFault::NothingFits { .. } | EntryFault::NoHash { .. } | EntryFault::WeakHash { .. } => "no-wheel",
            EntryFault::Evaluation(_) => "marker",
            _ => "another",
        },
        _ => "another",
    }
}

/// What the lock itself gives, in the words of scripts/check-nix-locks.nix.
fn select(lock: &Lock, question: &Value) -> Value {
    let text = |key: &str| question[key].as_str().unwrap_or_default().to_owned();
    let names = |key: &str| {
        let listed = question[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        listed.map(|name| name.parse().expect("a name")).collect::<BTreeSet<_>>()
    };
    let target = targets::target(&text("python"), "", &text("platform"));
    let wanted = Wanted { extras: names("extras"), groups: names("groups") };
    let selected = match lock.select(&target, &wanted) {
        Ok(selected) => selected,
        Err(error) => return json!({"refused": kind(&error)}),
    };
    let mut chosen: Vec<Value> = selected
        .iter()
        .map(|one| {
            let version = one.package.version.as_ref().map(ToString::to_string);
            let file = match (&one.choice, &one.package.source) {
                (Choice::Wheel(file) | Choice::Sdist(file), _) => file.filename.clone(),
                (Choice::Digests, _) => {
                    let version = version.as_deref().unwrap_or_default();
                    format!("{}-{version}-py3-none-any.whl", one.package.name.in_file_name())
                }
                (Choice::Source, LockedSource::Git { .. }) => "git".to_owned(),
                (Choice::Source, _) => "directory".to_owned(),
            };
            json!([one.package.name.as_str(), version, file])
        })
        .collect();
    chosen.sort_by_key(Value::to_string);
    json!({"chosen": chosen})
}

/// An evaluation by a user who is not root.
fn evaluate(place: &Path, cases: &Value) -> Value {
    let home = place.join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(place.join("cases.json"), cases.to_string()).unwrap();
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    let mut command = Command::new(if is_root { "setpriv" } else { "env" });
    if is_root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "env"]);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check-nix-locks.nix");
    command
        .arg(format!("HOME={}", home.display()))
        .args([
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            "--store",
            "dummy://",
            "-A",
            "real",
            "--arg",
            "cases",
        ])
        .args([place.join("cases.json"), script]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn nix_selects_from_the_document_what_the_lock_gives() {
    if Command::new("nix-instantiate").arg("--version").output().is_err() {
        eprintln!("nix_locks: skipped, there is no nix-instantiate here");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (mut cases, mut expected) = (Vec::new(), Vec::new());
    let mut formats: BTreeMap<LockFormat, usize> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root()).sort_by_file_name().into_iter().map(Result::unwrap) {
        let name = entry.file_name().to_str().unwrap();
        if !name.starts_with("selections") {
            continue;
        }
        let directory = entry.path().parent().unwrap();
        let mut locks: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|one| one.unwrap().path()).collect();
        let name_of = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        locks.retain(|path| LockFormat::of_name(&name_of(path)).is_some() && !name_of(path).ends_with(".in"));
        locks.sort_by_key(|path| name_of(path).ends_with(".txt"));
        let selections: Vec<Value> = serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
        let mut by_project: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for selection in selections {
            by_project.entry(selection["project"].as_str().unwrap_or(".").to_owned()).or_default().push(selection);
        }
        for (project, selections) in by_project {
            let project = directory.join(project);
            let lock = Lock::read(&locks[0], Context { project: Some(&project), name: None }).unwrap();
            *formats.entry(lock.format).or_default() += selections.len();
            let folder = place.path().join(cases.len().to_string());
            std::fs::create_dir(&folder).unwrap();
            let copied = folder.join(lock.filename());
            std::fs::copy(&lock.path, &copied).unwrap();
            let document = lock.to_nix(&somewhere(&lock), &lock.builds, Some(&project)).unwrap();
            std::fs::write(folder.join(format!("{}.nix.json", lock.filename())), document).unwrap();
            let questions = selections.iter().map(|one| {
                let version = format!("{}.0", one["python"].as_str().unwrap());
                let target = json!({"pythonVersion": version, "system": "x86_64-linux", "platform": one["platform"]});
                json!({"target": target, "extras": one["extras"], "groups": one["groups"]})
            });
            cases.push(json!({"lock": {"lock": copied}, "questions": questions.collect::<Vec<_>>()}));
            expected.push((
                lock.path.clone(),
                selections.iter().map(|one| select(&lock, one)).collect::<Vec<_>>(),
                selections,
            ));
        }
    }
    let found = evaluate(place.path(), &json!({"real": cases}));
    for ((path, expected, asked), found) in expected.iter().zip(found.as_array().unwrap()) {
        let answers = found["answers"].as_array().unwrap_or_else(|| panic!("{}: {found}", path.display()));
        for ((expected, found), asked) in expected.iter().zip(answers).zip(asked) {
            let mut found = found.clone();
            if let Some(chosen) = found.get_mut("chosen").and_then(Value::as_array_mut) {
                chosen.sort_by_key(Value::to_string);
            }
            let words = ["python", "platform", "extras", "groups"].map(|key| asked[key].to_string()).join(" ");
            assert_eq!(found, *expected, "{}, {words}", path.display());
        }
    }
    println!("locks as data for Nix, selections by format: {formats:?}");
    assert_eq!(formats.len(), 6, "{formats:?}");
}
