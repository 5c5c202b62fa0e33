//! Whether a lock still fits `pyproject.toml`: PDM's `content_hash`, a sha256 of what it reads there.

use toml::{Table, Value};

use crate::digest::Sha256Digest;
use crate::lock::python_json::{dump, dump_object};

/// The digests that versions of PDM take of `pyproject.toml`, the newest first: from 2.20 on with `[dependency-groups]`,
/// before without, and before 2.17 with the overrides in place of the whole resolution.
pub(super) fn content_hashes(pyproject: &Table) -> [Sha256Digest; 3] {
    let settings = pyproject.get("tool").and_then(|tool| tool.get("pdm"));
    let setting = |key: &str| settings.and_then(|settings| settings.get(key));
    let table = || Value::Table(Table::new());
    let project =
        |key: &str, absent: Value| pyproject.get("project").and_then(|table| table.get(key)).cloned().unwrap_or(absent);
    let or_table = |value: Option<&Value>| value.cloned().unwrap_or_else(table);
    let common = [
        ("sources", dump(&setting("source").cloned().unwrap_or_else(|| Value::Array(Vec::new())))),
        ("dependencies", dump(&project("dependencies", Value::Array(Vec::new())))),
        ("optional-dependencies", dump(&project("optional-dependencies", table()))),
        ("requires-python", dump(&project("requires-python", Value::String(String::new())))),
    ];
    let resolution = or_table(setting("resolution"));
    let overrides = or_table(setting("overrides").or_else(|| resolution.get("overrides")));
    let own_groups = or_table(setting("dev-dependencies"));
    let all_groups = Value::Table(development_groups(pyproject));
    [
        (&all_groups, ("resolution", &resolution)),
        (&own_groups, ("resolution", &resolution)),
        (&own_groups, ("overrides", &overrides)),
    ]
    .map(|(groups, (key, value))| {
        let mut members: Vec<_> = common.iter().map(|(key, text)| (*key, Some(text.clone()))).collect();
        members.push(("dev-dependencies", Some(dump(groups))));
        members.push((key, Some(dump(value))));
        Sha256Digest::of(dump_object(&members).as_bytes())
    })
}

/// `[dependency-groups]`, and `[tool.pdm.dev-dependencies]` behind them, under normalised names.
fn development_groups(pyproject: &Table) -> Table {
    let settings = pyproject.get("tool").and_then(|tool| tool.get("pdm"));
    let own = settings.and_then(|settings| settings.get("dev-dependencies"));
    let mut groups = Table::new();
    for (name, requirements) in
        [pyproject.get("dependency-groups"), own].into_iter().flatten().filter_map(Value::as_table).flatten()
    {
        let group = groups.entry(normalise(name)).or_insert_with(|| Value::Array(Vec::new()));
        if let (Some(group), Some(requirements)) = (group.as_array_mut(), requirements.as_array()) {
            group.extend(requirements.iter().cloned());
        }
    }
    groups
}

/// A group's name as PDM has it: what is neither letter nor digit is one `-`, at the ends too.
fn normalise(name: &str) -> String {
    let mut normalised = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            normalised.push(character.to_ascii_lowercase());
        } else if !normalised.ends_with('-') {
            normalised.push('-');
        }
    }
    normalised
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PDM 2.29, 2.17 and 2.15 reckon for 19 edits of `pyproject.toml`; `testdata/locks/README.md` has the recipe.
    #[test]
    fn reckons_as_pdm_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/content-hashes/pdm.json");
        let cases: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(cases.len(), 19);
        for case in cases {
            let pyproject: Table = case["pyproject"].as_str().unwrap().parse().unwrap();
            let found = content_hashes(&pyproject).map(|digest| digest.to_string());
            for (found, version) in found.iter().zip(["2.29", "2.17", "2.15"]) {
                assert_eq!(found, case[version].as_str().unwrap(), "{version}: {}", case["edit"]);
            }
        }
    }
}
