//! Whether a lock still says what the project does, as far as its `pyproject.toml` can tell: uv records the
//! requirements that it locked.
//!
//! What is dynamic is not compared: only a build tells it. Neither is a requirement whose source depends on the
//! environment, on an extra or on a group.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pep440_rs::{Version, VersionSpecifiers};
use toml::{Table, Value};

use super::requirement::{Required, Sources};
use super::settings::{change_of_project, change_of_workspace};
use super::source::{local_directory, without_dots};
use super::wire::{EdgeTable, MetadataTable, PackageTable, RequirementTable, UvLock};
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::{Marker, MarkerError, Requirement};

/// The first revision that records extras and groups without requirements.
const RECORDS_EMPTY: u64 = 1;

/// The first revision of which a lock may record no requirements, only what was chosen for them.
const MAY_RECORD_NOTHING: u64 = 4;

/// What changed since the project in `project` was locked: the first thing that did. `entry` is none where there is no
/// `[project]`; `directory` is the lock's.
pub(super) fn find_change(
    lock: &UvLock,
    entry: Option<&PackageTable>,
    directory: &Path,
    project: &Path,
) -> Option<String> {
    let document = read_document(project)?;
    let workspace = if directory == project { None } else { read_document(directory) };
    let requires_python = lock.requires_python.as_deref().and_then(|text| text.parse().ok());
    let local = lock.package.iter().filter_map(|package| {
        Some((package.name.clone(), without_dots(&directory.join(local_directory(&package.source)?))))
    });
    let documents: Vec<(&Path, &Table)> =
        workspace.iter().map(|document| (directory, document)).chain([(project, &document)]).collect();
    let sources = Sources::read(&documents, local.collect());
    let comparison = Comparison { sources, directory, requires_python };
    let root = workspace.as_ref().unwrap_or(&document);
    if let Some((entry, table)) = entry.zip(document.get("project").and_then(Value::as_table)) {
        let change = (lock.manifest.members.is_empty())
            .then(|| comparison.change_of_python(table, lock.requires_python.as_deref()))
            .flatten();
        let recorded = entry.metadata.as_ref();
        if recorded.is_none() && lock.revision >= MAY_RECORD_NOTHING {
            let change = change.or_else(|| change_of_project(lock, &document, entry));
            return change
                .or_else(|| change_of_version(table, entry))
                .or_else(|| change_of_edges(&document, entry))
                .or_else(|| comparison.change_of_manifest(lock, root));
        }
        let change = change
            .or_else(|| change_of_project(lock, &document, entry))
            .or_else(|| change_of_version(table, entry))
            .or_else(|| comparison.change_of_requirements(lock.revision, table, recorded));
        let none = BTreeMap::new();
        let groups = recorded.map_or(&none, |recorded| &recorded.requires_dev);
        return change
            .or_else(|| comparison.change_of_groups(lock.revision, &document, groups))
            .or_else(|| comparison.change_of_manifest(lock, root));
    }
    if entry.is_none() {
        return comparison
            .change_of_groups(lock.revision, &document, &lock.manifest.dependency_groups)
            .or_else(|| comparison.change_of_manifest(lock, root));
    }
    None
}

/// Of a lock that records no requirements, names are all that can be compared: those that are required everywhere lead
/// somewhere, and nothing leads to others.
fn change_of_edges(document: &Table, entry: &PackageTable) -> Option<String> {
    let project = document.get("project")?.as_table()?;
    let change = |list: &[&str], edges: &[EdgeTable], place: &str| {
        let required: Vec<Requirement> = list.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
        let is_other = |name: &&PackageName| **name != entry.name;
        let locked: BTreeSet<&PackageName> = edges.iter().map(|edge| &edge.name).filter(is_other).collect();
        let names: BTreeSet<&PackageName> = required.iter().map(|one| &one.name).filter(is_other).collect();
        let missing =
            required.iter().find(|one| one.marker.is_none() && is_other(&&one.name) && !locked.contains(&one.name));
        // An extra of the project itself is written out.
        let is_whole = required.iter().all(|one| one.name != entry.name);
        match (missing, locked.difference(&names).next().filter(|_| is_whole)) {
            (Some(missing), _) => Some(format!("`{missing}` is required now, and was not locked{place}")),
            (None, Some(gone)) => Some(format!("`{gone}` was locked, and is not required any more{place}")),
            (None, None) => None,
        }
    };
    if is_dynamic(project, "dependencies") || is_dynamic(project, "optional-dependencies") {
        return None;
    }
    let none = Vec::new();
    let found = change(&texts(project.get("dependencies"))?, &entry.dependencies, "");
    if found.is_some() {
        return found;
    }
    for (extra, list) in project.get("optional-dependencies").and_then(Value::as_table).into_iter().flatten() {
        let edges = entry.optional_dependencies.get(&extra.parse().ok()?).unwrap_or(&none);
        let found = change(&texts(Some(list))?, edges, &format!(" (extra `{extra}`)"));
        if found.is_some() {
            return found;
        }
    }
    read_groups(document)?.iter().find_map(|(group, list)| {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        change(&list, entry.dev_dependencies.get(group).unwrap_or(&none), &format!(" (group `{group}`)"))
    })
}

/// What cannot be read is refused where the project is read.
fn read_document(directory: &Path) -> Option<Table> {
    std::fs::read_to_string(directory.join("pyproject.toml")).ok()?.parse().ok()
}

fn change_of_version(project: &Table, entry: &PackageTable) -> Option<String> {
    match (project.get("version").and_then(Value::as_str), &entry.version) {
        (Some(now), Some(locked)) => {
            let same = now.parse::<Version>().ok()? == locked.parse::<Version>().ok()?;
            (!same).then(|| format!("its version is {now} now, and {locked} was locked"))
        }
        (Some(now), None) => Some(format!("its version is {now} now, and a dynamic one was locked")),
        (None, Some(locked)) if is_dynamic(project, "version") => {
            Some(format!("its version is dynamic now, and {locked} was locked"))
        }
        (None, _) => None,
    }
}

fn is_dynamic(project: &Table, field: &str) -> bool {
    let dynamic = project.get("dynamic").and_then(Value::as_array);
    dynamic.is_some_and(|fields| fields.iter().any(|name| name.as_str() == Some(field)))
}

/// What requirements are compared with.
struct Comparison<'a> {
    sources: Sources,
    directory: &'a Path,
    requires_python: Option<VersionSpecifiers>,
}

impl Comparison<'_> {
    /// Of a workspace, the lock has what all members allow, which no member need say.
    fn change_of_python(&self, project: &Table, locked: Option<&str>) -> Option<String> {
        let now = project.get("requires-python").and_then(Value::as_str)?;
        let (locked, parsed) = (locked?, now.parse::<VersionSpecifiers>().ok()?);
        let known = self.requires_python.as_ref()?;
        let same = parsed.iter().all(|one| known.iter().any(|other| one == other))
            && known.iter().all(|one| parsed.iter().any(|other| one == other));
        (!same).then(|| format!("`requires-python` is `{now}` now, and `{locked}` was locked"))
    }

    fn change_of_requirements(
        &self,
        revision: u64,
        project: &Table,
        recorded: Option<&MetadataTable>,
    ) -> Option<String> {
        if is_dynamic(project, "dependencies") || is_dynamic(project, "optional-dependencies") {
            return None;
        }
        let empty = MetadataTable::default();
        let recorded = recorded.unwrap_or(&empty);
        let mut required = Vec::new();
        for text in texts(project.get("dependencies"))? {
            required.push((text, None));
        }
        let mut extras: BTreeSet<ExtraName> = BTreeSet::new();
        for (extra, list) in project.get("optional-dependencies").and_then(Value::as_table).into_iter().flatten() {
            let extra: ExtraName = extra.parse().ok()?;
            for text in texts(Some(list))? {
                required.push((text, Some(extra.clone())));
            }
            extras.insert(extra);
        }
        let locked: BTreeSet<ExtraName> = recorded.provides_extras.iter().cloned().collect();
        if revision >= RECORDS_EMPTY
            && let Some(change) = change_of_names("extra", &extras, &locked)
        {
            return Some(change);
        }
        self.compare(&required, &recorded.requires_dist, "")
    }

    fn change_of_groups(
        &self,
        revision: u64,
        document: &Table,
        recorded: &BTreeMap<GroupName, Vec<RequirementTable>>,
    ) -> Option<String> {
        let groups = read_groups(document)?;
        let keep = |empty: bool| revision >= RECORDS_EMPTY || !empty;
        let now = groups.iter().filter(|(_, list)| keep(list.is_empty())).map(|(name, _)| name.clone()).collect();
        let locked = recorded.iter().filter(|(_, list)| keep(list.is_empty())).map(|(name, _)| name.clone()).collect();
        if recorded.values().any(|list| !list.is_empty()) || !groups.values().all(Vec::is_empty) {
            // An empty group of no project is not recorded at all.
            let change = change_of_names("group", &now, &locked);
            if change.is_some() {
                return change;
            }
        }
        let settings = document.get("tool").and_then(|tool| tool.get("uv")).and_then(|uv| uv.get("dependency-groups"));
        groups.iter().find_map(|(name, list)| {
            // A group's own Pythons become markers of all that it requires.
            let has_settings = settings
                .and_then(Value::as_table)
                .is_some_and(|table| table.keys().any(|key| key.parse::<GroupName>().is_ok_and(|key| key == *name)));
            let required: Vec<_> = list.iter().map(|text| (text.as_str(), None)).collect();
            let locked = recorded.get(name).map(Vec::as_slice).unwrap_or_default();
            if has_settings { None } else { self.compare(&required, locked, &format!(" (group `{name}`)")) }
        })
    }

    /// `[tool.uv]` of the workspace: constraints and overrides.
    fn change_of_manifest(&self, lock: &UvLock, root: &Table) -> Option<String> {
        let list = |key: &str| texts(root.get("tool").and_then(|tool| tool.get("uv")).and_then(|uv| uv.get(key)));
        let constraints: Vec<_> = list("constraint-dependencies")?.into_iter().map(|text| (text, None)).collect();
        let change = self.compare(&constraints, &lock.manifest.constraints, " (constraint)");
        if change.is_some() {
            return change;
        }
        // An override of one package's requirements is a table: not compared.
        let overrides: Vec<_> = list("override-dependencies")?.into_iter().map(|text| (text, None)).collect();
        let recorded = lock.manifest.overrides.iter().map(|value| value.clone().try_into::<RequirementTable>().ok());
        let recorded: Vec<RequirementTable> = recorded.collect::<Option<_>>()?;
        let change = self.compare(&overrides, &recorded, " (override)");
        change.or_else(|| change_of_workspace(lock, root, self.requires_python.as_ref()))
    }

    /// Compares requirements, each with the extra that it belongs to, as sets.
    fn compare(
        &self,
        required: &[(&str, Option<ExtraName>)],
        recorded: &[RequirementTable],
        place: &str,
    ) -> Option<String> {
        let followed = |name: &PackageName| !self.sources.is_conditional(name);
        let mut now = Vec::new();
        for (text, extra) in required {
            let requirement: Requirement = text.parse().ok()?;
            if followed(&requirement.name) {
                let marker = with_extra(requirement.marker.as_ref(), extra.as_ref()).ok()?;
                now.push(self.sources.apply(&requirement, marker)?);
            }
        }
        let mut locked = Vec::new();
        for table in recorded.iter().filter(|table| followed(&table.name)) {
            locked.push(Required::recorded(table, self.directory)?);
        }
        let same = |one: &Required, other: &Required| one.is_same(other, self.requires_python.as_ref());
        let added = now.iter().find(|one| !locked.iter().any(|other| same(one, other)));
        let gone: Vec<&Required> = locked.iter().filter(|one| !now.iter().any(|other| same(one, other))).collect();
        match (added, gone.first()) {
            (Some(added), _) => Some(match gone.iter().find(|gone| gone.name == added.name) {
                Some(gone) => format!("`{added}` is required now, and `{gone}` was locked{place}"),
                None => format!("`{added}` is required now, and was not locked{place}"),
            }),
            (None, Some(gone)) => Some(format!("`{gone}` was locked, and is not required any more{place}")),
            (None, None) => None,
        }
    }
}

fn change_of_names(kind: &str, now: &BTreeSet<PackageName>, locked: &BTreeSet<PackageName>) -> Option<String> {
    if let Some(name) = now.difference(locked).next() {
        return Some(format!("{kind} `{name}` was not locked"));
    }
    locked.difference(now).next().map(|name| format!("{kind} `{name}` was locked, and is not there any more"))
}

/// A list of texts; an empty one where there is none, nothing where it is something else.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    value.map_or(Some(Vec::new()), |value| value.as_array()?.iter().map(Value::as_str).collect())
}

fn with_extra(marker: Option<&Marker>, extra: Option<&ExtraName>) -> Result<Option<Marker>, MarkerError> {
    match (marker, extra) {
        (marker, None) => Ok(marker.cloned()),
        (None, Some(extra)) => format!("extra == '{extra}'").parse().map(Some),
        (Some(marker), Some(extra)) => format!("({marker}) and extra == '{extra}'").parse().map(Some),
    }
}

/// The groups with what they include; `[tool.uv] dev-dependencies` belongs to `dev`.
fn read_groups(document: &Table) -> Option<BTreeMap<GroupName, Vec<String>>> {
    let mut raw: BTreeMap<GroupName, Vec<Value>> = BTreeMap::new();
    for (name, list) in document.get("dependency-groups").and_then(Value::as_table).into_iter().flatten() {
        raw.insert(name.parse().ok()?, list.as_array()?.clone());
    }
    let uv = document.get("tool").and_then(|tool| tool.get("uv"));
    let mut groups = BTreeMap::new();
    for name in raw.keys() {
        let mut found = BTreeSet::new();
        let mut open = vec![name.clone()];
        let mut seen = BTreeSet::new();
        while let Some(group) = open.pop() {
            if !seen.insert(group.clone()) {
                continue;
            }
            for item in raw.get(&group)? {
                match item.get("include-group").and_then(Value::as_str) {
                    Some(included) => open.push(included.parse().ok()?),
                    None => {
                        found.insert(item.as_str()?.to_owned());
                    }
                }
            }
        }
        groups.insert(name.clone(), found.into_iter().collect());
    }
    if let Some(dev) = uv.and_then(|uv| uv.get("dev-dependencies")) {
        let texts = texts(Some(dev))?.into_iter().map(str::to_owned);
        let dev: &mut Vec<String> = groups.entry("dev".parse().ok()?).or_default();
        dev.extend(texts);
    }
    Some(groups)
}
