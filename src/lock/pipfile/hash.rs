//! Whether a Pipfile still says what its lock was made from: pipenv writes a digest of it into the lock.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::digest::Sha256Digest;
use crate::names::PackageName;

/// The tables of a Pipfile that are not categories of packages (plette, `PIPFILE_SECTIONS`), and the names that the
/// two oldest categories have in the lock.
const NO_CATEGORIES: [&str; 9] =
    ["source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv", "default", "develop"];

/// How the names of packages go into the digest.
#[derive(Clone, Copy)]
enum Names {
    /// As written: plette's `Pipfile.get_hash`.
    Written,
    /// Normalised: pipenv's own `Pipfile.calculate_hash`, since it tells `Flask` from `flask` no more.
    Normalised,
}

/// The digests of which a lock of this Pipfile has one; `sources` are the lock's, which stand for those that a Pipfile
/// without any gets.
///
/// # Errors
/// When the text is not TOML: what is wrong.
pub(super) fn digests_of_pipfile(text: &str, sources: &Value) -> Result<[Sha256Digest; 2], String> {
    let pipfile: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().trim().to_owned())?;
    Ok([Names::Normalised, Names::Written].map(|names| digest(&pipfile, sources, names)))
}

/// The digest of the Pipfile's canonical JSON: keys sorted, no blanks, ASCII alone.
fn digest(pipfile: &toml::Table, sources: &Value, names: Names) -> Sha256Digest {
    let section = |name: &str| pipfile.get(name).map_or_else(|| Value::Object(serde_json::Map::new()), to_json);
    let sources = pipfile.get("source").map_or_else(|| sources.clone(), to_json);
    let mut data = BTreeMap::from([
        ("_meta", serde_json::json!({ "sources": sources, "requires": section("requires") })),
        ("default", named(section("packages"), names)),
        ("develop", named(section("dev-packages"), names)),
    ]);
    for (category, packages) in pipfile.iter().filter(|(name, _)| !NO_CATEGORIES.contains(&name.as_str())) {
        data.insert(category, named(to_json(packages), names));
    }
    let mut text = String::new();
    write_json(&Value::Object(data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()), &mut text);
    Sha256Digest::of(text.as_bytes())
}

/// A category with its packages' names as they count.
fn named(section: Value, names: Names) -> Value {
    match (section, names) {
        (Value::Object(packages), Names::Normalised) => {
            let normalised = |name: String| name.parse::<PackageName>().map_or(name, |name| name.to_string());
            Value::Object(packages.into_iter().map(|(name, package)| (normalised(name), package)).collect())
        }
        (section, _) => section,
    }
}

fn to_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => items.iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.iter().map(|(name, value)| (name.clone(), to_json(value))).collect())
        }
    }
}

/// As Python's `json.dumps(sort_keys=True, separators=(",", ":"))` does.
fn write_json(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                text.push(if index == 0 { '{' } else { ',' });
                write_text(name, text);
                text.push(':');
                write_json(value, text);
            }
            text.push_str(if members.is_empty() { "{}" } else { "}" });
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                text.push(if index == 0 { '[' } else { ',' });
                write_json(item, text);
            }
            text.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::String(content) => write_text(content, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            write!(text, "{value}").expect("a `String` takes every text");
        }
    }
}

fn write_text(content: &str, text: &mut String) {
    text.push('"');
    for character in content.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='\u{7e}' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").expect("a `String` takes every text");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPFILE: &str = r#"[[source]]
url = "https://index.example/simple"
verify_ssl = true
name = "main"

[packages]
Flask = "*"
"Ruamel.Yaml" = {version = ">=0.18", extras = ["jinja2"], markers = "python_version >= '3.9'"}
zope_interface = 1.5
sdk = {path = "./sdk", editable = true}

[dev-packages]

[scripts]
start = "python café.py"

[pipenv]
allow_prereleases = true

["größe\t\"𝔸\""]
a = {git = "https://git.example/a.git", ref = "main"}

[requires]
python_version = "3.11"
"#;

    /// What pipenv 2026.10.3 (`calculate_hash`) and plette 2.4.0 (`get_hash`) say.
    const DIGESTS: [&str; 2] = [
        "e467bf405412cb1193c3b032a8160eda9eb7756ef0b8d9c469ea445a19de9135",
        "c006616d61b3942b96110a751d7b98534931f066c6e4d7fefbb0dd84d5e8885d",
    ];

    fn digests(text: &str, sources: &Value) -> [String; 2] {
        digests_of_pipfile(text, sources).unwrap().map(|digest| digest.to_string())
    }

    #[test]
    fn gives_the_digests_that_pipenv_and_plette_give() {
        assert_eq!(digests(PIPFILE, &Value::Null), DIGESTS);
        assert_ne!(digests(&PIPFILE.replace("3.11", "3.12"), &Value::Null), DIGESTS);
        // What installs nothing else does not count.
        assert_eq!(digests(&PIPFILE.replace("start =", "run ="), &Value::Null), DIGESTS);
        assert_eq!(digests(&PIPFILE.replace("Flask", "fLask"), &Value::Null)[0], DIGESTS[0]);
    }

    #[test]
    fn takes_the_sources_of_the_lock_where_a_pipfile_has_none() {
        let (_, without) = PIPFILE.split_once("name = \"main\"\n").unwrap();
        let source = serde_json::json!([
            { "name": "main", "url": "https://index.example/simple", "verify_ssl": true }
        ]);
        assert_eq!(digests(without, &source), DIGESTS);
        assert_ne!(digests(without, &Value::Null), DIGESTS);
    }
}
