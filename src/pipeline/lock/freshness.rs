//! Whether a lock still is for what it was made for: a digest over everything that decides what has to be locked, taken
//! without running anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::{EarlierLock, Lock, LockError, LockFormat};
use crate::names::PackageName;
use crate::project::pyproject::{Project, ProjectError};
use crate::redact::redact_url;
use crate::surroundings::Surroundings;
use crate::target::{Marker, Requirement, RequirementSource, specifiers_contain};

use super::super::collect::describe_file;
use super::super::inputs::{Inputs, SourceKind};
use super::super::workshop::choose_target;
use super::scopes::StaticProject;
use super::{Coverage, LockSettings, lock_path};

/// What the digest is taken over, beside the rules for it: another number when they change.
const RULES: u8 = 1;

/// Tells whether the lock that `settings` would write is there and still right; nothing is resolved or written.
///
/// # Errors
/// [`LockError::Stale`] where it has to be made anew; what else is wrong with the inputs.
pub fn check(settings: &LockSettings, world: &Surroundings) -> Result<PathBuf, Error> {
    let build = &settings.build;
    let inputs = Inputs::read_to_lock(build, world)?;
    let path = lock_path(settings, &inputs)?;
    let stale = |reason: String| -> Error {
        let universal = if settings.coverage == Coverage::Universal { " --universal" } else { "" };
        let script = match inputs.sources.first() {
            Some(SourceKind::Script { path, .. }) => {
                format!(" {}", path.strip_prefix(&build.directory).unwrap_or(path).display())
            }
            _ => String::new(),
        };
        Box::new(LockError::stale(&path, reason, format!("pyzpack lock{universal}{script}"))).into()
    };
    let Some(lock) = EarlierLock::read(&path) else {
        let there = if path.is_file() { "it cannot be read" } else { "it is not there" };
        return Err(stale(there.to_owned()));
    };
    let Some(recorded) = lock.inputs else {
        return Err(stale("another tool wrote it, and it does not say what it was made for".to_owned()));
    };
    if recorded != inputs_digest(&inputs)? {
        let found = find_difference(&inputs, &lock);
        return Err(stale(found.unwrap_or_else(|| CHANGED.to_owned())));
    }
    for (kind, asked, known) in [("extra", &build.extras, &lock.extras), ("group", &build.groups, &lock.groups)] {
        if let Some(name) = asked.iter().find(|name| !known.contains(*name)) {
            return Err(stale(format!("it has no {kind} `{name}`")));
        }
    }
    if lock.environments.is_empty() {
        return Ok(path);
    }
    let environments: Vec<String> = lock.environments.iter().map(ToString::to_string).collect();
    let environments = environments.join("; ");
    if settings.coverage == Coverage::Universal {
        return Err(stale(format!("it is for one target alone ({environments})")));
    }
    let target = choose_target(build, &inputs.find_interpreter(build, world)?)?;
    let applies = |marker: &Marker| target.applies(marker, &BTreeSet::new()).unwrap_or(false);
    if lock.environments.iter().any(applies) {
        return Ok(path);
    }
    Err(stale(format!("it is not for {target}, but for {environments}")))
}

/// The digest of what has to be locked: requirements, extras, groups, demands on Python's version and build
/// requirements. Spelling, order, comments and everything else that a project says of itself leave it alone; so do the
/// target and the indexes, which decide about the answer and not about the question.
///
/// Where only a build backend knows the requirements, the files that it reads them from count: `setup.py`, `setup.cfg`,
/// all of `pyproject.toml` but `[tool.pyzpack]`, and the requirements files in the project's directory.
///
/// # Errors
/// When a file cannot be read, or a dependency group is not one.
pub fn inputs_digest(inputs: &Inputs) -> Result<Sha256Digest, Error> {
    let mut sources = BTreeSet::new();
    for source in &inputs.sources {
        let described = match source {
            SourceKind::Project(project) => describe_project(project)?,
            SourceKind::Wheel(path) | SourceKind::Sdist(path) => {
                json!({"file": describe_file(path)?.sha256.to_string()})
            }
            SourceKind::Git(git) => json!({
                "repository": redact_url(&git.url),
                "revision": git.revision,
                "subdirectory": git.subdirectory,
            }),
            SourceKind::Requirement(requirement) => json!({"requirement": requirement.to_string()}),
            SourceKind::Script { script, .. } => json!({
                "dependencies": texts(&script.dependencies),
                "requires-python": script.requires_python.as_ref().map(ToString::to_string),
            }),
            SourceKind::Modules { .. } => continue,
        };
        sources.insert(described.to_string());
    }
    let files = inputs.requirements_files();
    let hashed = |list: &[crate::project::requirements::HashedRequirement]| {
        let all = list.iter().map(|one| {
            let hashes: BTreeSet<String> = one.hashes.iter().map(ToString::to_string).collect();
            (one.requirement.to_string(), hashes)
        });
        all.collect::<BTreeSet<_>>()
    };
    let requirements: BTreeSet<_> = files.clone().flat_map(|file| hashed(&file.requirements)).collect();
    let constraints: BTreeSet<_> = files.flat_map(|file| hashed(&file.constraints)).collect();
    let all = json!({
        "rules": RULES,
        "sources": sources,
        "requirements": requirements,
        "constraints": constraints,
    });
    Ok(Sha256Digest::of(all.to_string().as_bytes()))
}

fn describe_project(project: &Project) -> Result<Value, Error> {
    let mut groups = BTreeMap::new();
    for group in project.group_names()? {
        groups.insert(group.to_string(), texts(&project.group(&group)?));
    }
    let build = project.pyproject.as_ref().and_then(|pyproject| pyproject.build_system.as_ref()).map(|build| {
        let requires: BTreeSet<String> = build.requires.iter().map(normalised).collect();
        json!({"requires": requires, "backend": build.build_backend, "path": build.backend_path})
    });
    let requirements = match StaticProject::read(project) {
        Some(known) => known.describe(),
        None => json!({"files": describe_dynamic(project)?}),
    };
    Ok(json!({"requirements": requirements, "groups": groups, "build-system": build}))
}

impl StaticProject<'_> {
    fn describe(&self) -> Value {
        let extras: BTreeMap<String, BTreeSet<String>> =
            self.extras.iter().map(|(name, requirements)| (name.to_string(), texts(requirements))).collect();
        json!({
            "name": self.name.as_str(),
            "dependencies": texts(&self.dependencies),
            "extras": extras,
            "requires-python": self.requires_python.map(|specifiers| {
                specifiers.iter().map(ToString::to_string).collect::<BTreeSet<_>>()
            }),
        })
    }
}

/// The digests of the files that a backend may read requirements from.
fn describe_dynamic(project: &Project) -> Result<BTreeMap<String, String>, Error> {
    let mut digests = BTreeMap::new();
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| ProjectError::Read { path: path.display().to_string(), error })
    };
    let listed = std::fs::read_dir(&project.root)
        .map_err(|error| ProjectError::Read { path: project.root.display().to_string(), error })?;
    for entry in listed.flatten() {
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str() else { continue };
        let requirements = name.starts_with("requirements") && (name.ends_with(".txt") || name.ends_with(".in"));
        if requirements || matches!(name, "setup.py" | "setup.cfg") {
            digests.insert(name.to_owned(), Sha256Digest::of(&read(&entry.path())?).to_string());
        }
    }
    let path = project.root.join("pyproject.toml");
    if project.pyproject.is_some() {
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        let mut table: toml::Table = text.parse().unwrap_or_default();
        if let Some(tool) = table.get_mut("tool").and_then(toml::Value::as_table_mut) {
            tool.remove("pyzpack");
        }
        let canonical = serde_json::to_value(&table).unwrap_or_default().to_string();
        digests.insert("pyproject.toml".to_owned(), Sha256Digest::of(canonical.as_bytes()).to_string());
    }
    Ok(digests)
}

fn texts(requirements: &[Requirement]) -> BTreeSet<String> {
    requirements.iter().map(ToString::to_string).collect()
}

/// A requirement in its canonical form, where it can be read.
pub(super) fn normalised(requirement: &impl ToString) -> String {
    let text = requirement.to_string();
    text.parse().map_or_else(|_| redact_url(&text).into_owned(), |requirement: Requirement| requirement.to_string())
}

/// How a lock that pyzpack wrote is for something else than these inputs; none where it is for them, or where that cannot
/// be told: a wheel that stands for its project, or more inputs than were locked, say nothing of what changed.
///
/// # Errors
/// As [`inputs_digest`].
pub fn find_staleness(inputs: &Inputs, lock: &Lock) -> Result<Option<String>, Error> {
    let recorded = lock.inputs.as_deref().filter(|_| lock.format == LockFormat::Pylock);
    let Some(recorded) = recorded.filter(|_| are_comparable(inputs)) else { return Ok(None) };
    if recorded == format!("sha256:{}", inputs_digest(inputs)?) {
        return Ok(None);
    }
    let difference = EarlierLock::read(&lock.path).and_then(|earlier| find_difference(inputs, &earlier));
    Ok(Some(difference.unwrap_or_else(|| CHANGED.to_owned())))
}

/// What is said where the digest alone tells.
pub(super) const CHANGED: &str = "what it was made for has changed since";

/// Whether the inputs are of one of the kinds that are locked by themselves: projects, a script, requirements files.
fn are_comparable(inputs: &Inputs) -> bool {
    let all = |fits: fn(&SourceKind) -> bool| inputs.sources.iter().all(fits);
    // What was found beside a lock is compared with it, and not locked again.
    if inputs.requirements_files().count() != inputs.files.len() {
        return false;
    }
    if inputs.requirements_files().next().is_some() {
        return all(|source| matches!(source, SourceKind::Modules { .. }));
    }
    all(|source| matches!(source, SourceKind::Project(_))) || all(|source| matches!(source, SourceKind::Script { .. }))
}

/// What of the inputs a lock does not have, as far as reading both tells; none where only the digest differs.
pub(super) fn find_difference(inputs: &Inputs, lock: &EarlierLock) -> Option<String> {
    let projects: Vec<StaticProject<'_>> = inputs
        .sources
        .iter()
        .filter_map(
            |source| if let SourceKind::Project(project) = source { StaticProject::read(project) } else { None },
        )
        .collect();
    for project in &projects {
        let demanded = project.requires_python;
        if demanded.is_some() && demanded != lock.requires_python.as_ref() {
            let found = lock.requires_python.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            let demanded = demanded.map(ToString::to_string).unwrap_or_default();
            return Some(format!("`{}` now requires Python {demanded}, the lock is for {found}", project.name));
        }
    }
    let own: BTreeSet<&PackageName> = projects.iter().map(|project| &project.name).collect();
    let mut requirements: Vec<&Requirement> = Vec::new();
    requirements.extend(projects.iter().flat_map(|project| &project.dependencies));
    for (extra, list) in projects.iter().flat_map(|project| &project.extras) {
        if lock.extras.contains(extra) {
            requirements.extend(list);
        }
    }
    requirements.extend(inputs.sources.iter().flat_map(|source| match source {
        SourceKind::Requirement(requirement) => std::slice::from_ref(requirement.as_ref()),
        SourceKind::Script { script, .. } => &script.dependencies,
        _ => &[],
    }));
    requirements.extend(inputs.requirements_files().flat_map(|file| &file.requirements).map(|one| &one.requirement));
    requirements
        .into_iter()
        .filter(|requirement| !own.contains(&requirement.name))
        .find_map(|requirement| unmet(requirement, lock))
}

/// How the lock does not meet a requirement.
fn unmet(requirement: &Requirement, lock: &EarlierLock) -> Option<String> {
    let versions: Vec<&str> = lock
        .packages
        .iter()
        .filter(|package| package.name == requirement.name)
        .map(|package| package.version.as_deref().unwrap_or_default())
        .collect();
    if versions.is_empty() {
        // A requirement that counts nowhere that the lock is for has no entry.
        return requirement
            .marker
            .is_none()
            .then(|| format!("`{requirement}` is required, and it has no entry for it"));
    }
    let RequirementSource::Versions(specifiers) = &requirement.source else { return None };
    let meets = |text: &&str| text.parse().is_ok_and(|version| specifiers_contain(specifiers, &version));
    if versions.iter().any(meets) {
        return None;
    }
    Some(format!("`{requirement}` is required, and it has {}", versions.join(", ")))
}
