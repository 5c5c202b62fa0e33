//! What `[tool.uv]` says beside requirements, and a lock of it: environments, conflicts, the resolver's options.
//!
//! An option that the project does not name may come from the command line or the user's own configuration, and is not
//! compared.

use std::collections::BTreeSet;

use pep440_rs::VersionSpecifiers;
use toml::{Table, Value};

use super::equivalent::are_equivalent;
use super::wire::{ConflictItem, PackageTable, UvLock};
use crate::names::PackageName;
use crate::target::Marker;

/// The first revision that records a project's default groups.
const RECORDS_DEFAULT_GROUPS: u64 = 5;

/// Options by their names in `pyproject.toml` and in the lock, with the value that is not written.
const OPTIONS: [(&str, &str, &str); 3] = [
    ("resolution", "resolution-mode", "highest"),
    ("prerelease", "prerelease-mode", "if-necessary-or-explicit"),
    ("fork-strategy", "fork-strategy", "requires-python"),
];

/// What changed in the settings of the workspace, whose `pyproject.toml` is `root`.
pub(super) fn change_of_workspace(
    lock: &UvLock,
    root: &Table,
    requires_python: Option<&VersionSpecifiers>,
) -> Option<String> {
    let uv = root.get("tool").and_then(|tool| tool.get("uv"));
    let setting = |key: &str| uv.and_then(|uv| uv.get(key));
    let lists = [("environments", &lock.supported_markers), ("required-environments", &lock.required_markers)];
    for (key, recorded) in lists {
        if !are_same_markers(setting(key), recorded, requires_python) {
            return Some(format!("`[tool.uv] {key}` is not what was locked"));
        }
    }
    let project = root.get("project").and_then(|project| project.get("name")).and_then(Value::as_str);
    if !are_locked_conflicts(setting("conflicts"), lock, project.and_then(|name| name.parse().ok()).as_ref()) {
        return Some("`[tool.uv] conflicts` is not what was locked".to_owned());
    }
    for (key, name, default) in OPTIONS {
        let Some(now) = setting(key).and_then(Value::as_str) else { continue };
        let locked = lock.options.get(name).and_then(Value::as_str).unwrap_or(default);
        if now != locked {
            return Some(format!("`[tool.uv] {key}` is `{now}` now, and `{locked}` was locked"));
        }
    }
    // A span of time is recorded in another form: that there is one is all that is compared.
    let is_limited = lock.options.contains_key("exclude-newer") || lock.options.contains_key("exclude-newer-span");
    (setting("exclude-newer").is_some() && !is_limited).then(|| "`[tool.uv] exclude-newer` was not locked".to_owned())
}

/// What changed in what a project says of itself.
pub(super) fn change_of_project(lock: &UvLock, document: &Table, entry: &PackageTable) -> Option<String> {
    let name = document.get("project").and_then(|project| project.get("name")).and_then(Value::as_str)?;
    if name.parse::<PackageName>().is_ok_and(|now| now != entry.name) {
        return Some(format!("its name is `{name}` now, and `{}` was locked", entry.name));
    }
    let uv = document.get("tool").and_then(|tool| tool.get("uv"));
    let package = uv.and_then(|uv| uv.get("package")).and_then(Value::as_bool);
    let is_package = package.unwrap_or_else(|| document.contains_key("build-system"));
    if is_package && entry.source.r#virtual.is_some() {
        return Some("it is a package now, and was locked as none".to_owned());
    }
    if package == Some(false) && entry.source.r#virtual.is_none() {
        return Some("it is no package now (`[tool.uv] package`), and was locked as one".to_owned());
    }
    let groups = uv.and_then(|uv| uv.get("default-groups"));
    let is_recorded = lock.revision >= RECORDS_DEFAULT_GROUPS || entry.default_groups.is_some();
    (is_recorded && groups.and_then(names) != entry.default_groups.as_ref().and_then(names))
        .then(|| "`[tool.uv] default-groups` is not what was locked".to_owned())
}

/// Normalised names; nothing of what is no list of names.
fn names(value: &Value) -> Option<BTreeSet<PackageName>> {
    value.as_array()?.iter().map(|name| name.as_str()?.parse().ok()).collect()
}

/// Environments are one marker or a list.
fn are_same_markers(setting: Option<&Value>, recorded: &[String], requires_python: Option<&VersionSpecifiers>) -> bool {
    let texts: Vec<&str> = match setting {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(value) => value.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    let read = |text: &str| text.parse::<Marker>().ok();
    let now: Vec<Option<Marker>> = texts.into_iter().map(read).collect();
    let locked: Vec<Option<Marker>> = recorded.iter().map(|text| read(text)).collect();
    let among = |one: &Option<Marker>, all: &[Option<Marker>]| {
        all.iter().any(|other| are_equivalent(one.as_ref(), other.as_ref(), requires_python))
    };
    now.iter().all(|one| among(one, &locked)) && locked.iter().all(|one| among(one, &now))
}

/// Whether every set stands in the lock. There may be more of them there: uv adds those that follow for groups which
/// include others, and those of other members.
fn are_locked_conflicts(setting: Option<&Value>, lock: &UvLock, project: Option<&PackageName>) -> bool {
    type Member = (PackageName, Option<PackageName>, Option<PackageName>);
    let recorded = |item: &ConflictItem| -> Member { (item.package.clone(), item.extra.clone(), item.group.clone()) };
    let recorded: BTreeSet<BTreeSet<Member>> =
        lock.conflicts.iter().map(|set| set.iter().map(recorded).collect()).collect();
    let sets = setting.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let member = |item: &Value| -> Option<Member> {
        let name = |key| item.get(key).and_then(Value::as_str).and_then(|name| name.parse().ok());
        Some((name("package").or_else(|| project.cloned())?, name("extra"), name("group")))
    };
    if sets.is_empty() && lock.manifest.members.is_empty() {
        return recorded.is_empty();
    }
    sets.iter().all(|set| {
        let set: Option<BTreeSet<Member>> = set.as_array().into_iter().flatten().map(member).collect();
        set.is_none_or(|set| recorded.contains(&set))
    })
}
