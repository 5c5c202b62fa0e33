//! Extras and groups that exclude each other, and how they stand in markers: as an `extra` of a longer name.
//!
//! uv writes `extra == 'extra-4-demo-cpu'` for the extra `cpu` of `demo`, `group-4-demo-dev` for its group `dev` and
//! `project-4-demo` for itself (crates/uv-resolver/src/universal_marker.rs); the number is the length of the name.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::ConflictItem;
use crate::lock::{Lock, Membership, PackageIndex, Wanted};
use crate::names::{ExtraName, PackageName};

/// The sets of a lock whose project is `project`. What belongs to another package has its name in markers.
pub(super) fn read_conflicts(sets: &[Vec<ConflictItem>], project: Option<&PackageName>) -> Vec<BTreeSet<Membership>> {
    let member = |item: &ConflictItem| match (project == Some(&item.package), &item.extra, &item.group) {
        (true, Some(extra), _) => Membership::Extra(extra.clone()),
        (true, None, Some(group)) => Membership::Group(group.clone()),
        (true, None, None) => Membership::Base,
        (false, Some(extra), _) => Membership::Extra(encode("extra", &item.package, Some(extra))),
        (false, None, Some(group)) => Membership::Extra(encode("group", &item.package, Some(group))),
        (false, None, None) => Membership::Extra(encode("project", &item.package, None)),
    };
    sets.iter().map(|set| set.iter().map(member).collect()).collect()
}

/// What is active, as markers name it: what is wanted of the project, and the extras of the packages that are reached.
pub(in crate::lock) fn active_names(
    lock: &Lock,
    wanted: &Wanted,
    reached: &BTreeMap<PackageIndex, BTreeSet<ExtraName>>,
) -> BTreeSet<ExtraName> {
    let mut names = BTreeSet::new();
    if let Some(project) = project_name(lock) {
        names.insert(encode("project", project, None));
        names.extend(wanted.extras.iter().map(|extra| encode("extra", project, Some(extra))));
        names.extend(wanted.groups.iter().map(|group| encode("group", project, Some(group))));
    }
    for (index, extras) in reached {
        let package = &lock.packages[index.0].name;
        names.extend(extras.iter().map(|extra| encode("extra", package, Some(extra))));
    }
    names
}

/// Whether a member of a conflict is active, given the names of what is.
pub(in crate::lock) fn is_active(
    lock: &Lock,
    member: &Membership,
    wanted: &Wanted,
    names: &BTreeSet<ExtraName>,
) -> bool {
    match member {
        Membership::Base => true,
        Membership::Group(group) => wanted.groups.contains(group),
        Membership::Extra(extra) => {
            let own = project_name(lock).map(|project| encode("extra", project, Some(extra)));
            names.contains(extra) || own.is_some_and(|own| names.contains(&own))
        }
    }
}

/// What is active along an edge that asks for these extras of `package`.
pub(in crate::lock) fn edge_names(package: &PackageName, extras: &BTreeSet<ExtraName>) -> BTreeSet<ExtraName> {
    extras.iter().map(|extra| encode("extra", package, Some(extra))).collect()
}

fn project_name(lock: &Lock) -> Option<&PackageName> {
    lock.project.and_then(|index| lock.packages.get(index.0)).map(|package| &package.name)
}

fn encode(kind: &str, package: &PackageName, name: Option<&ExtraName>) -> ExtraName {
    let length = package.as_str().len();
    let text = match name {
        Some(name) => format!("{kind}-{length}-{package}-{name}"),
        None => format!("{kind}-{length}-{package}"),
    };
    text.parse().expect("names joined by `-` are a name")
}
