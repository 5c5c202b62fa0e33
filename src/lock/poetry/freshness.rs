//! Whether a lock still fits `pyproject.toml`: Poetry's `content-hash`, a sha256 of what it reads there.

use toml::{Table, Value};

use crate::digest::Sha256Digest;
use crate::lock::python_json::{dump, dump_object};

/// Written as `null` where they are missing, in a project whose requirements are all in `[tool.poetry]`.
const OLD_KEYS: [&str; 4] = ["dependencies", "source", "extras", "dev-dependencies"];

/// What counts of `[project]`.
const PROJECT_KEYS: [&str; 3] = ["requires-python", "dependencies", "optional-dependencies"];

/// Which Poetry's reckoning is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reckoning {
    /// Before 2.0: `[tool.poetry]` alone.
    One,
    /// 2.0 to 2.2: `[project]` too.
    Two,
    /// From 2.3 on: `[dependency-groups]` too.
    TwoWithGroups,
}

/// The digest of what counts of `pyproject.toml`.
pub(super) fn content_hash(pyproject: &Table, reckoning: Reckoning) -> Sha256Digest {
    let table = |value: Option<&'_ Value>| value.and_then(Value::as_table).cloned().unwrap_or_default();
    let project = match reckoning {
        Reckoning::One => Table::new(),
        _ => table(pyproject.get("project")),
    };
    let groups = match reckoning {
        Reckoning::TwoWithGroups => table(pyproject.get("dependency-groups")),
        _ => Table::new(),
    };
    let poetry = table(pyproject.get("tool").and_then(|tool| tool.get("poetry")));
    let of_project: Vec<(&str, Option<String>)> =
        PROJECT_KEYS.iter().filter_map(|key| Some((*key, Some(dump(project.get(*key)?))))).collect();
    let elsewhere = !of_project.is_empty() || !groups.is_empty();
    let old = OLD_KEYS.iter().map(|key| (*key, poetry.get(*key).map(dump)));
    let mut of_poetry: Vec<(&str, Option<String>)> = old.filter(|(_, value)| value.is_some() || !elsewhere).collect();
    of_poetry.extend(poetry.get("group").map(|group| ("group", Some(dump(group)))));
    if !elsewhere {
        return Sha256Digest::of(dump_object(&of_poetry).as_bytes());
    }
    let tool = dump_object(&[("poetry", Some(dump_object(&of_poetry)))]);
    let mut members = vec![("tool", Some(tool))];
    if !of_project.is_empty() {
        members.push(("project", Some(dump_object(&of_project))));
    }
    if !groups.is_empty() {
        members.push(("dependency-groups", Some(dump(&Value::Table(groups)))));
    }
    Sha256Digest::of(dump_object(&members).as_bytes())
}

/// Whether a lock of this version, with this first line, may be of a Poetry before 2.3, whose digest leaves out
/// `[dependency-groups]`.
pub(super) fn is_before_groups(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let version = first.split_once("Poetry ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    version.is_some_and(|version: pep440_rs::Version| version < pep440_rs::Version::new([2, 3, 0]))
}
