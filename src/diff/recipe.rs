//! What two `.pyz` of pyzpack say of how they were built: the options by which their recipes differ.

use serde_json::Value;

use super::cause::CauseKind;
use super::difference::{Findings, LINE, Layer, cut};

/// The likely causes that two manifests name themselves: another version, other options, another time.
pub(super) fn explain_manifests(first: &Value, second: &Value) -> Vec<(CauseKind, String)> {
    let mut causes = Vec::new();
    let version = |manifest: &Value| manifest["tool"]["version"].as_str().unwrap_or("of an unknown version").to_owned();
    if first["tool"] != second["tool"] {
        causes.push((CauseKind::Tool, format!("packed by pyzpack {} and {}", version(first), version(second))));
    }
    if first["epoch"] != second["epoch"] {
        causes.push((CauseKind::TimeStamps, super::contents::EPOCHS.to_owned()));
    }
    let recipes = [&first["recipe"], &second["recipe"]];
    let [Value::Object(one), Value::Object(other)] = recipes else { return causes };
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let values = recipes.map(|recipe| &recipe[name.as_str()]);
        if name == "target" {
            for (part, option) in [("python", "--target-python"), ("platform", "--platform")] {
                causes.extend(explain_option(option, values.map(|value| &value[part])));
            }
        } else if name == "inputs" {
            causes.extend(explain_inputs(values));
        } else {
            causes.extend(explain_option(&option_of(name), values));
        }
    }
    causes
}

/// The option that a part of the recipe stands for.
fn option_of(name: &str) -> String {
    match name {
        "extras" => "--extra".to_owned(),
        "groups" => "--group".to_owned(),
        "lock" => "a lock".to_owned(),
        name => format!("--{}", name.replace('_', "-")),
    }
}

fn explain_option(option: &str, values: [&Value; 2]) -> Option<(CauseKind, String)> {
    if values[0] == values[1] {
        return None;
    }
    let compiler = if option == "--bytecode" { "for CPython " } else { "" };
    let shown = values.map(|value| show(value).map(|value| format!("{compiler}{value}")));
    let text = match shown {
        [Some(one), Some(other)] => format!("built with {option} {one} and {other}"),
        [Some(one), None] => format!("the first is built with {}, the second without", with(option, &one)),
        [None, Some(other)] => format!("the second is built with {}, the first without", with(option, &other)),
        [None, None] => format!("built with other values of {option}"),
    };
    Some((CauseKind::Recipe, cut(text, LINE)))
}

fn with(option: &str, value: &str) -> String {
    if value.is_empty() { option.to_owned() } else { format!("{option} {value}") }
}

/// A value as people write it; none where nothing was asked for.
fn show(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) if parts.is_empty() => None,
        Value::Array(parts) => Some(parts.iter().filter_map(show).collect::<Vec<_>>().join(", ")),
        Value::Object(file) => {
            let text = |name: &str| file.get(name).and_then(Value::as_str);
            let commit = text("uri").zip(text("commit")).map(|(uri, commit)| format!("{uri} at {commit}"));
            let sha256 = text("sha256").map(|digest| digest.chars().take(16).collect::<String>());
            let named = text("filename").map(|name| match sha256 {
                Some(sha256) => format!("{name} (sha256 {sha256}...)"),
                None => name.to_owned(),
            });
            Some(commit.or(named).unwrap_or_else(|| value.to_string()))
        }
        Value::Number(number) => Some(number.to_string()),
    }
}

/// Why what was packed differs. Wheels of one name and two digests are told with the distributions.
fn explain_inputs(values: [&Value; 2]) -> Option<(CauseKind, String)> {
    let names = values.map(|inputs| {
        let inputs = inputs.as_array().into_iter().flatten();
        inputs.map(|input| input.get("filename").unwrap_or(input).clone()).collect::<Vec<_>>()
    });
    if names[0] == names[1] {
        return None;
    }
    let [one, other] = names.map(|names| show(&Value::Array(names)).unwrap_or_else(|| "nothing".to_owned()));
    Some((CauseKind::Recipe, cut(format!("{one} and {other} were packed"), LINE)))
}

/// Takes away what other options of one version account for: another start-up code, compiled modules on one side.
pub(super) fn settle_consequences(first: &Value, second: &Value, start_up: &str, findings: &mut Findings) {
    if first["tool"] != second["tool"] || first["recipe"] == second["recipe"] {
        return;
    }
    findings.drop_causes(|kind, text| kind == CauseKind::Tool && text == start_up);
    for difference in &mut findings.differences {
        let own = |name: &String| name.starts_with("_pyzpack/") || name == "__main__.py";
        if difference.layer == Layer::Contents && difference.member.last().is_some_and(own) {
            difference.follows = true;
        }
    }
    if first["recipe"]["bytecode"] != second["recipe"]["bytecode"] {
        findings.drop_causes(|kind, text| kind == CauseKind::Files && text.contains(COMPILED));
    }
}

/// What is said of a file that alone has compiled modules.
pub(super) const COMPILED: &str = "file has compiled modules";
