//! What is locked: the requirements of the inputs by when they count, always, with an extra or with a dependency group.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::VersionSpecifiers;

use crate::error::Error;
use crate::lock::Membership;
use crate::names::{ExtraName, GroupName, PackageName};
use crate::project::pyproject::Project;
use crate::resolve::local_requirement;
use crate::target::{Marker, Requirement};
use crate::wheel::VerifiedWheel;

use super::super::inputs::{Inputs, SourceKind};
use super::super::pins::AllowedHashes;

/// The requirements that are locked, as lines for a resolver; they may hold credentials.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// The lines of each scope.
    pub(super) lines: BTreeMap<Membership, Vec<String>>,
    /// Requirements that count only for what is required anyway.
    pub(super) constraints: Vec<String>,
    /// What is packed itself, and so not locked.
    pub(super) named: BTreeSet<PackageName>,
    /// The first demand on Python's version.
    pub(super) requires_python: Option<VersionSpecifiers>,
}

impl Scopes {
    /// Every line of the scopes that are asked for.
    pub(super) fn all_lines(&self) -> Vec<String> {
        self.lines.values().flatten().cloned().collect()
    }

    /// The extras that there are.
    pub(super) fn extras(&self) -> BTreeSet<ExtraName> {
        self.lines
            .keys()
            .filter_map(|of| if let Membership::Extra(name) = of { Some(name.clone()) } else { None })
            .collect()
    }

    /// The dependency groups that there are.
    pub(super) fn groups(&self) -> BTreeSet<GroupName> {
        self.lines
            .keys()
            .filter_map(|of| if let Membership::Group(name) = of { Some(name.clone()) } else { None })
            .collect()
    }

    /// Keeps these extras and groups alone; nothing that was asked for of a kind keeps all of it.
    pub(super) fn keep(&mut self, extras: &[ExtraName], groups: &[GroupName]) {
        self.lines.retain(|of, _| match of {
            Membership::Base => true,
            Membership::Extra(name) => extras.is_empty() || extras.contains(name),
            Membership::Group(name) => groups.is_empty() || groups.contains(name),
        });
    }

    fn add(&mut self, of: Membership, lines: impl IntoIterator<Item = String>) {
        let known = self.lines.entry(of).or_default();
        known.extend(lines);
        known.sort();
        known.dedup();
    }

    fn demand(&mut self, requires_python: Option<&VersionSpecifiers>) {
        self.requires_python = self.requires_python.take().or_else(|| requires_python.cloned());
    }
}

/// What `pyproject.toml` says of a project's requirements, where it says all of it.
#[derive(Debug)]
pub(super) struct StaticProject<'a> {
    pub(super) name: PackageName,
    pub(super) requires_python: Option<&'a VersionSpecifiers>,
    pub(super) dependencies: Vec<Requirement>,
    pub(super) extras: BTreeMap<ExtraName, Vec<Requirement>>,
}

impl<'a> StaticProject<'a> {
    /// Reads it; none where a build backend has to be asked, or a requirement is not one.
    pub(super) fn read(project: &'a Project) -> Option<Self> {
        let table = project.pyproject.as_ref()?.project.as_ref()?;
        let dynamic = |key: &str| table.dynamic.iter().flatten().any(|named| named == key);
        if ["dependencies", "optional-dependencies", "requires-python"].into_iter().any(dynamic) {
            return None;
        }
        let parse = |text: &dyn std::fmt::Display| text.to_string().parse::<Requirement>().ok();
        let parse_all = |list: &[_]| list.iter().map(|one: &_| parse(one)).collect::<Option<Vec<_>>>();
        let dependencies = parse_all(table.dependencies.as_deref().unwrap_or_default())?;
        let mut extras: BTreeMap<ExtraName, Vec<Requirement>> = BTreeMap::new();
        for (name, requirements) in table.optional_dependencies.iter().flatten() {
            extras.entry(name.parse().ok()?).or_default().extend(parse_all(requirements)?);
        }
        let requires_python = table.requires_python.as_ref();
        Some(Self { name: table.name.parse().ok()?, requires_python, dependencies, extras })
    }

    /// The lines of requirements; a project that refers to one of `projects`, as to itself for its extras, means that
    /// one's own requirements.
    fn lines(requirements: &[Requirement], projects: &[Self]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut open: Vec<(Requirement, Option<Marker>)> =
            requirements.iter().map(|requirement| (requirement.clone(), None)).collect();
        let mut followed = BTreeSet::new();
        while let Some((requirement, outer)) = open.pop() {
            let Some(project) = projects.iter().find(|project| project.name == requirement.name) else {
                lines.push(line(&requirement, outer.as_ref()));
                continue;
            };
            let marker = both(requirement.marker.as_ref(), outer.as_ref());
            let extras = requirement.extras.iter().map(Some).chain([None]);
            for extra in extras {
                if followed.insert((project.name.clone(), extra.cloned(), marker.clone())) {
                    let more = extra.map_or(Some(&project.dependencies), |extra| project.extras.get(extra));
                    open.extend(more.into_iter().flatten().map(|one| (one.clone(), marker.clone())));
                }
            }
        }
        lines
    }
}

/// The requirement as a line, with a marker that counts as well.
fn line(requirement: &Requirement, outer: Option<&Marker>) -> String {
    let text = requirement.text_with_credentials();
    let Some(outer) = outer else { return text.to_owned() };
    let marker = both(requirement.marker.as_ref(), Some(outer)).map(|marker| format!(" ; {marker}"));
    // A URL ends at the first blank; a specifier has no semicolon.
    let bare = if requirement.specifiers().is_some() { text.split(';').next() } else { text.split(" ;").next() };
    format!("{}{}", bare.unwrap_or(text).trim_end(), marker.unwrap_or_default())
}

fn both(left: Option<&Marker>, right: Option<&Marker>) -> Option<Marker> {
    match (left, right) {
        (Some(left), Some(right)) if left != right => {
            Some(format!("({left}) and ({right})").parse().expect("two markers joined make a marker"))
        }
        (one, other) => one.or(other).cloned(),
    }
}

/// Reads the scopes of the inputs. `wheels` are those of the sources that are no static projects, in the sources' order.
pub(super) fn read_scopes(
    inputs: &Inputs,
    projects: &[StaticProject<'_>],
    wheels: &[VerifiedWheel],
) -> Result<(Scopes, AllowedHashes), Error> {
    let mut scopes = Scopes::default();
    scopes.lines.insert(Membership::Base, Vec::new());
    let mut hashes = AllowedHashes::new(inputs.require_hashes);
    scopes.named = projects.iter().map(|project| project.name.clone()).collect();
    for project in projects {
        scopes.demand(project.requires_python);
        scopes.add(Membership::Base, StaticProject::lines(&project.dependencies, projects));
        for (extra, requirements) in &project.extras {
            scopes.add(Membership::Extra(extra.clone()), StaticProject::lines(requirements, projects));
        }
    }
    for wheel in wheels {
        let metadata = &wheel.metadata;
        let path = std::path::absolute(&wheel.path).unwrap_or_else(|_| wheel.path.clone());
        scopes.demand(metadata.requires_python.as_ref());
        scopes.named.insert(metadata.name.clone());
        scopes.add(Membership::Base, [local_requirement(&metadata.name, &[], &path)]);
        for extra in &metadata.extras {
            let line = local_requirement(&metadata.name, std::slice::from_ref(extra), &path);
            scopes.add(Membership::Extra(extra.clone()), [line]);
        }
    }
    for source in &inputs.sources {
        match source {
            SourceKind::Requirement(requirement) => {
                scopes.add(Membership::Base, [requirement.text_with_credentials().to_owned()]);
            }
            SourceKind::Script { script, .. } => {
                scopes.demand(script.requires_python.as_ref());
                scopes.add(Membership::Base, StaticProject::lines(&script.dependencies, projects));
            }
            SourceKind::Project(project) => {
                for group in project.group_names()? {
                    let requirements = project.group(&group)?;
                    scopes.add(Membership::Group(group), StaticProject::lines(&requirements, projects));
                }
            }
            _ => {}
        }
    }
    for file in inputs.requirements_files() {
        for hashed in &file.requirements {
            hashes.allow(&hashed.requirement.name, &hashed.hashes);
            scopes.add(Membership::Base, StaticProject::lines(std::slice::from_ref(&hashed.requirement), projects));
        }
        scopes
            .constraints
            .extend(file.constraints.iter().map(|one| one.requirement.text_with_credentials().to_owned()));
    }
    for constraint in inputs.requirements_files().flat_map(|file| &file.constraints) {
        hashes.restrict(&constraint.requirement.name, &constraint.hashes);
    }
    Ok((scopes, hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirements(texts: &[&str]) -> Vec<Requirement> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn follows_references_of_a_project_to_itself() {
        let project = StaticProject {
            name: "app".parse().unwrap(),
            requires_python: None,
            dependencies: requirements(&["base"]),
            extras: BTreeMap::from([
                ("a".parse().unwrap(), requirements(&["one>=1 ; os_name == 'nt'", "App[b]; python_version < '3.9'"])),
                ("b".parse().unwrap(), requirements(&["two @ https://u:p@h.example/two.zip", "app[a]"])),
            ]),
        };
        let projects = [project];
        let mut lines = StaticProject::lines(&projects[0].extras[&"a".parse().unwrap()], &projects);
        lines.sort();
        assert_eq!(
            lines,
            [
                "base ; python_version < \"3.9\"",
                "one>=1 ; os_name == \"nt\" and python_version < \"3.9\"",
                "one>=1 ; os_name == 'nt'",
                "two @ https://u:p@h.example/two.zip ; python_version < \"3.9\"",
            ]
        );
    }
}
