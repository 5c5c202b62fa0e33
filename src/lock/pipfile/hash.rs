//! Whether a Pipfile still says what its lock was made from: pipenv writes a digest of it into the lock.

use toml::{Table, Value};

use crate::digest::Sha256Digest;
use crate::lock::python_json::dump_compact;
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
pub(super) fn digests_of_pipfile(text: &str, sources: &serde_json::Value) -> Result<[Sha256Digest; 2], String> {
    let pipfile: Table = text.parse().map_err(|error: toml::de::Error| error.message().trim().to_owned())?;
    let sources = pipfile.get("source").cloned().or_else(|| Value::try_from(sources).ok());
    let sources = sources.unwrap_or_else(|| Value::Array(Vec::new()));
    Ok([Names::Normalised, Names::Written].map(|names| digest(&pipfile, &sources, names)))
}

/// The digest of the Pipfile's canonical JSON.
fn digest(pipfile: &Table, sources: &Value, names: Names) -> Sha256Digest {
    let section = |name: &str| pipfile.get(name).cloned().unwrap_or_else(|| Value::Table(Table::new()));
    let meta = [("sources", sources.clone()), ("requires", section("requires"))];
    let meta = meta.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    let mut data = Table::new();
    data.insert("_meta".to_owned(), Value::Table(meta));
    data.insert("default".to_owned(), named(section("packages"), names));
    data.insert("develop".to_owned(), named(section("dev-packages"), names));
    for (category, packages) in pipfile.iter().filter(|(name, _)| !NO_CATEGORIES.contains(&name.as_str())) {
        data.insert(category.clone(), named(packages.clone(), names));
    }
    Sha256Digest::of(dump_compact(&Value::Table(data)).as_bytes())
}

/// A category with its packages' names as they count.
fn named(section: Value, names: Names) -> Value {
    match (section, names) {
        (Value::Table(packages), Names::Normalised) => {
            let normalised = |name: String| name.parse::<PackageName>().map_or(name, |name| name.to_string());
            Value::Table(packages.into_iter().map(|(name, package)| (normalised(name), package)).collect())
        }
        (section, _) => section,
    }
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

    fn digests(text: &str, sources: &serde_json::Value) -> [String; 2] {
        digests_of_pipfile(text, sources).unwrap().map(|digest| digest.to_string())
    }

    #[test]
    fn gives_the_digests_that_pipenv_and_plette_give() {
        assert_eq!(digests(PIPFILE, &serde_json::Value::Null), DIGESTS);
        assert_ne!(digests(&PIPFILE.replace("3.11", "3.12"), &serde_json::Value::Null), DIGESTS);
        // What installs nothing else does not count.
        assert_eq!(digests(&PIPFILE.replace("start =", "run ="), &serde_json::Value::Null), DIGESTS);
        assert_eq!(digests(&PIPFILE.replace("Flask", "fLask"), &serde_json::Value::Null)[0], DIGESTS[0]);
    }

    #[test]
    fn takes_the_sources_of_the_lock_where_a_pipfile_has_none() {
        let (_, without) = PIPFILE.split_once("name = \"main\"\n").unwrap();
        let source = serde_json::json!([
            { "name": "main", "url": "https://index.example/simple", "verify_ssl": true }
        ]);
        assert_eq!(digests(without, &source), DIGESTS);
        assert_ne!(digests(without, &serde_json::Value::Null), DIGESTS);
    }
}
