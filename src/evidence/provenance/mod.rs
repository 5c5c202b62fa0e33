//! SLSA provenance, version 1: from what, and how, a file was made.
//!
//! What it says stands in the file itself, but for three things that the file cannot hold: who built it ([`Claims::builder`]),
//! the commit of a checkout on the builder's machine, and the index that was asked. With the same of these, what is written
//! from the file later is what its build wrote, byte for byte. Nothing in it is a time or a place.
//!
//! A consumer passes over keys that it does not know, as SLSA asks, but not in `externalParameters`: whoever can add one
//! there changes what was asked of the build, and so it is refused. Everything else is compared with what the file says.

mod dependencies;
mod read;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use self::dependencies::dependencies;
use super::facts::Facts;
use super::manifest::{Recipe, RecipeInput};
use super::purl::IndexNote;
use super::sbom::{cyclonedx, spdx};
use super::statement::write_statement;
use crate::digest::Sha256Digest;
use crate::json::to_canonical_json;
use crate::urls;

pub use read::{Provenance, ProvenanceFault};

/// The `predicateType` of SLSA provenance.
pub const PROVENANCE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// The `buildType` of every build: a name, whose meaning is in the README.
pub const BUILD_TYPE: &str = "https://pyzpack.dev/build/v1";

/// The `builder.id` of a build of which nobody says who ran it: a name, and a claim of nothing.
pub const LOCAL_BUILDER: &str = "https://pyzpack.dev/local/v1";

/// The first line that a build has where none is asked for.
const USUAL_SHEBANG: &str = "/usr/bin/env python3";

/// Every key that `externalParameters` can have.
const EXTERNAL_PARAMETERS: [&str; 15] = [
    "bytecode",
    "compression",
    "console-script",
    "entry-point",
    "extra",
    "group",
    "index-url",
    "inputs",
    "layout",
    "lock",
    "on-conflict",
    "platform",
    "recompress",
    "shebang",
    "target-python",
];

/// What is under `index-url` where several indexes were asked, or one that nobody else can.
const UNSAID: &str = "unsaid";

/// What a provenance says that the file itself does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Who built it.
    pub builder: BuilderId,
    /// The commits of the checkouts that were packed, in hexadecimal digits.
    pub commits: BTreeSet<String>,
    /// The index that was asked.
    pub index: IndexNote,
}

/// The digests of the SBOMs of a file. A provenance has both, whether they are written or not, so that it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SbomDigests {
    cyclonedx: Sha256Digest,
    spdx: Sha256Digest,
}

impl SbomDigests {
    fn of(facts: &Facts, index: &IndexNote) -> Self {
        let [cyclonedx, spdx] = [cyclonedx(facts, index), spdx(facts, index)].map(|sbom| Sha256Digest::of(&sbom));
        Self { cyclonedx, spdx }
    }
}

/// Who built a file: an absolute URI (RFC 3986, 4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderId(String);

/// Why a text does not say who built a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuilderIdError {
    /// It is no URI, or a relative one.
    #[error("not an absolute URI such as `https://example.org/builder/v1`: `{0}`")]
    NotAbsolute(String),
    /// It holds a user name or a password, which would be published.
    #[error("a URI without user name and password is wanted")]
    Login,
}

impl Default for BuilderId {
    fn default() -> Self {
        Self(LOCAL_BUILDER.to_owned())
    }
}

impl fmt::Display for BuilderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for BuilderId {
    type Err = BuilderIdError;

    fn from_str(text: &str) -> Result<Self, BuilderIdError> {
        let refused = || BuilderIdError::NotAbsolute(text.to_owned());
        let (scheme, rest) = text.split_once(':').ok_or_else(refused)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        // RFC 3986, 2: the characters of a URI; `%` stands before two digits.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
        let escapes = rest.split('%').skip(1).all(|after| {
            let digits = after.as_bytes().get(..2);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        });
        let web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
        let authority = urls::authority(text).unwrap_or_default();
        if !is_scheme || rest.is_empty() || !rest.bytes().all(allowed) || !escapes || (web && authority.is_empty()) {
            return Err(refused());
        }
        if urls::split_login(text).1.is_some() {
            return Err(BuilderIdError::Login);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The statement about the file, with its provenance.
pub fn provenance_statement(facts: &Facts, claims: &Claims) -> Vec<u8> {
    let predicate = predicate(facts, claims, &SbomDigests::of(facts, &claims.index));
    write_statement(&facts.filename, &facts.sha256, PROVENANCE_TYPE, &predicate)
}

/// The provenance alone, for whoever makes the statement about the file: `actions/attest` of GitHub, for one.
pub fn provenance_predicate(facts: &Facts, claims: &Claims) -> Vec<u8> {
    to_canonical_json(&predicate(facts, claims, &SbomDigests::of(facts, &claims.index)))
}

fn predicate(facts: &Facts, claims: &Claims, sboms: &SbomDigests) -> Value {
    let manifest = &facts.manifest;
    let resolved = dependencies(facts, &claims.index, &claims.commits);
    // An index that served nothing of it is none of its parameters.
    let asked = resolved != dependencies(facts, &IndexNote::Default, &claims.commits);
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": external_parameters(&manifest.recipe, asked.then_some(&claims.index)),
            "internalParameters": {
                "entry_point": manifest.entry_point,
                "epoch": manifest.epoch.to_string(),
                "layout": manifest.layout,
                "platform": manifest.platform,
                "pythons": manifest.pythons,
            },
            "resolvedDependencies": resolved,
        },
        "runDetails": {
            "builder": {
                "id": claims.builder.to_string(),
                "version": {&manifest.tool.name: manifest.tool.version},
            },
            "byproducts": [
                byproduct(facts, ".cdx.json", "application/vnd.cyclonedx+json", &sboms.cyclonedx),
                byproduct(facts, ".spdx.json", "application/spdx+json", &sboms.spdx),
            ],
        },
    })
}

fn byproduct(facts: &Facts, suffix: &str, media_type: &str, sha256: &Sha256Digest) -> Value {
    json!({"name": format!("{}{suffix}", facts.filename), "mediaType": media_type, "digest": {"sha256": sha256}})
}

/// What was asked of the build, under the names of its options: of those that were given, or found beside the project, and
/// are not what they would be anyway.
fn external_parameters(recipe: &Recipe, index: Option<&IndexNote>) -> Map<String, Value> {
    let inputs: Vec<String> = recipe.inputs.iter().map(describe_input).collect();
    let mut given = Map::new();
    given.insert("inputs".to_owned(), inputs.into());
    let mut add = |key: &str, value: Option<&str>, usual: &str| {
        if let Some(value) = value.filter(|value| *value != usual) {
            given.insert(key.to_owned(), value.into());
        }
    };
    add("lock", recipe.lock.as_ref().map(|lock| lock.filename.as_str()), "");
    add("console-script", recipe.console_script.as_deref(), "");
    add("entry-point", recipe.entry_point.as_deref(), "");
    add("target-python", recipe.target.python.as_deref(), "");
    add("platform", recipe.target.platform.as_deref(), "");
    add("layout", Some(&recipe.layout), "auto");
    add("compression", Some(&recipe.compression), "deflate");
    add("recompress", recipe.recompress.then_some("true"), "");
    add("on-conflict", Some(&recipe.on_conflict), "error");
    add("shebang", Some(&recipe.shebang), USUAL_SHEBANG);
    match index {
        None | Some(IndexNote::Default) => {}
        Some(IndexNote::Named(url)) => add("index-url", Some(url), ""),
        Some(IndexNote::Unsaid) => add("index-url", Some(UNSAID), ""),
    }
    let lists: [(&str, Vec<&str>); 3] = [
        ("extra", recipe.extras.iter().map(crate::names::PackageName::as_str).collect()),
        ("group", recipe.groups.iter().map(crate::names::PackageName::as_str).collect()),
        ("bytecode", recipe.bytecode.iter().map(String::as_str).collect()),
    ];
    for (key, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
        given.insert(key.to_owned(), values.into());
    }
    given
}

/// An input as it is given on the command line; digests of files are among the dependencies.
fn describe_input(input: &RecipeInput) -> String {
    match input {
        RecipeInput::Requirement(text) => text.clone(),
        RecipeInput::File(file) => file.filename.clone(),
        RecipeInput::Git { uri, commit, subdirectory } => {
            let fragment = subdirectory.as_ref().map(|path| format!("#subdirectory={path}")).unwrap_or_default();
            format!("git+{uri}@{commit}{fragment}")
        }
    }
}

#[cfg(test)]
mod tests;
