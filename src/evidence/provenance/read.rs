//! A provenance that others may have written: read strictly, and compared with the file.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::dependencies::{CHECKOUT, is_commit};
use super::{BUILD_TYPE, BuilderId, Claims, EXTERNAL_PARAMETERS, SbomDigests, UNSAID, predicate};
use crate::digest::Sha256Digest;
use crate::evidence::facts::Facts;
use crate::evidence::purl::IndexNote;

/// The longest value that a message quotes, in characters.
const QUOTED: usize = 200;

/// A provenance of our build type that was read.
#[derive(Debug, Clone)]
pub struct Provenance {
    predicate: Value,
    claims: Claims,
}

/// Why a provenance cannot be relied on, or is not the file's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceFault {
    /// A key that SLSA requires is not there.
    #[error("the provenance has no `{0}`")]
    Missing(&'static str),
    /// A key holds something of another kind.
    #[error("`{field}` of the provenance is not {wanted}")]
    Kind {
        /// The key.
        field: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
    /// It is of a build that is not described by this build type.
    #[error("the provenance's build type is `{0}`, expected `{BUILD_TYPE}`")]
    BuildType(String),
    /// A parameter that a build of this type does not have.
    #[error("the provenance has an external parameter that no build of this type has: `{0}`")]
    ExternalParameter(String),
    /// Somebody else built it.
    #[error("the provenance names the builder `{found}`, expected `{expected}`")]
    Builder {
        /// Who was expected.
        expected: String,
        /// Who is named.
        found: String,
    },
    /// It says something else than the file.
    #[error("`{field}` of the provenance is {stated}, but {expected} in the file")]
    Differs {
        /// The key.
        field: String,
        /// What the provenance says, as JSON.
        stated: String,
        /// What it is in the file, as JSON.
        expected: String,
    },
    /// It names another SBOM than the file's.
    #[error("`{field}` of the provenance is {stated}, but {expected} for the file's SBOM")]
    Byproduct {
        /// The key.
        field: String,
        /// What the provenance says, as JSON.
        stated: String,
        /// What it is, as JSON.
        expected: String,
    },
}

impl ProvenanceFault {
    /// Every code that there is.
    pub const CODES: [&'static str; 7] = [
        "provenance-field-missing",
        "provenance-field-kind",
        "provenance-build-type",
        "provenance-external-parameter",
        "provenance-builder",
        "provenance-differs",
        "provenance-byproduct",
    ];

    /// A stable name for the rule that is broken.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "provenance-field-missing",
            Self::Kind { .. } => "provenance-field-kind",
            Self::BuildType(_) => "provenance-build-type",
            Self::ExternalParameter(_) => "provenance-external-parameter",
            Self::Builder { .. } => "provenance-builder",
            Self::Differs { .. } => "provenance-differs",
            Self::Byproduct { .. } => "provenance-byproduct",
        }
    }
}

impl Provenance {
    /// Reads the predicate of a statement whose type is [`super::PROVENANCE_TYPE`].
    ///
    /// # Errors
    /// When it lacks what SLSA requires, or is of another build type, or has parameters that this one does not know.
    pub fn read(predicate: &Value) -> Result<Self, ProvenanceFault> {
        let definition = object(predicate.get("buildDefinition"), "buildDefinition")?;
        let build_type = text(definition.get("buildType"), "buildDefinition.buildType")?;
        let parameters = object(definition.get("externalParameters"), "buildDefinition.externalParameters")?;
        let run = object(predicate.get("runDetails"), "runDetails")?;
        let builder = object(run.get("builder"), "runDetails.builder")?;
        let builder = text(builder.get("id"), "runDetails.builder.id")?;
        if build_type != BUILD_TYPE {
            return Err(ProvenanceFault::BuildType(build_type.to_owned()));
        }
        if let Some(unknown) = parameters.keys().find(|key| !EXTERNAL_PARAMETERS.contains(&key.as_str())) {
            return Err(ProvenanceFault::ExternalParameter(unknown.clone()));
        }
        let wanted = "an absolute URI";
        let builder = BuilderId::from_str(builder)
            .map_err(|_| ProvenanceFault::Kind { field: "runDetails.builder.id", wanted })?;
        let resolved = list(definition.get("resolvedDependencies"), "buildDefinition.resolvedDependencies")?;
        list(run.get("byproducts"), "runDetails.byproducts")?;
        let index = match parameters.get("index-url") {
            None => IndexNote::Default,
            Some(Value::String(text)) if text == UNSAID => IndexNote::Unsaid,
            Some(Value::String(url)) => IndexNote::from_options(Some(url), &[]),
            Some(_) => {
                let field = "buildDefinition.externalParameters.index-url";
                return Err(ProvenanceFault::Kind { field, wanted: "a string" });
            }
        };
        let commits = resolved.iter().filter_map(checkout_commit).map(str::to_owned).collect();
        Ok(Self { predicate: predicate.clone(), claims: Claims { builder, commits, index } })
    }

    /// What it says that the file does not hold: who built it, from which commits, and which index was asked.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The digest that it gives for a file which the build made besides, an SBOM.
    pub fn byproduct(&self, filename: &str) -> Option<Sha256Digest> {
        let byproducts = self.predicate.pointer("/runDetails/byproducts")?.as_array()?;
        let named = byproducts.iter().find(|descriptor| descriptor["name"] == filename)?;
        named["digest"]["sha256"].as_str()?.parse().ok()
    }

    /// That this builder is named.
    ///
    /// # Errors
    /// [`ProvenanceFault::Builder`].
    pub fn check_builder(&self, expected: &str) -> Result<(), ProvenanceFault> {
        let found = self.claims.builder.to_string();
        if found == expected { Ok(()) } else { Err(ProvenanceFault::Builder { expected: expected.to_owned(), found }) }
    }

    /// That it says of the file what the file says of itself. `facts` have the name that the statement's subject has, since
    /// a file may be renamed.
    ///
    /// The SBOMs' digests are compared only where the version of pyzpack that built the file is this one: another may
    /// write them otherwise. Of keys that SLSA has and a build does not write (`runDetails.metadata`) nothing is asked.
    ///
    /// # Errors
    /// [`ProvenanceFault::Differs`] or [`ProvenanceFault::Byproduct`], with the first key that differs.
    pub fn check_facts(&self, facts: &Facts) -> Result<(), ProvenanceFault> {
        self.check_with(facts, &SbomDigests::of(facts, &self.claims.index))
    }

    /// The same, for a file that has these SBOMs.
    pub(super) fn check_with(&self, facts: &Facts, sboms: &SbomDigests) -> Result<(), ProvenanceFault> {
        let expected = predicate(facts, &self.claims, sboms);
        let stated = &self.predicate;
        let compare = |pointer: &str, keys| {
            let field = pointer[1..].replace('/', ".");
            find_difference(field, stated.pointer(pointer), expected.pointer(pointer), keys)
        };
        let difference = compare("/buildDefinition/externalParameters", Keys::All)
            .or_else(|| compare("/buildDefinition/internalParameters", Keys::Expected))
            .or_else(|| compare("/buildDefinition/resolvedDependencies", Keys::All))
            .or_else(|| compare("/runDetails/builder/version", Keys::Expected));
        if let Some(Difference { field, stated, expected }) = difference {
            return Err(ProvenanceFault::Differs { field, stated, expected });
        }
        if facts.manifest.tool.version == env!("CARGO_PKG_VERSION")
            && let Some(Difference { field, stated, expected }) = compare("/runDetails/byproducts", Keys::All)
        {
            return Err(ProvenanceFault::Byproduct { field, stated, expected });
        }
        Ok(())
    }
}

/// The commit that a descriptor gives for the checkout that was packed.
fn checkout_commit(descriptor: &Value) -> Option<&str> {
    let named = descriptor["name"] == CHECKOUT && descriptor.get("uri").is_none();
    descriptor["digest"]["gitCommit"].as_str().filter(|commit| named && is_commit(commit))
}

/// Which keys of an object are compared.
#[derive(Clone, Copy)]
enum Keys {
    /// Those that are expected: others may add some.
    Expected,
    /// All.
    All,
}

/// The first place where two documents differ, and what is there.
struct Difference {
    field: String,
    stated: String,
    expected: String,
}

fn find_difference(field: String, stated: Option<&Value>, expected: Option<&Value>, keys: Keys) -> Option<Difference> {
    match (stated, expected) {
        (stated, expected) if stated == expected => None,
        (Some(Value::Object(stated)), Some(Value::Object(expected))) => {
            let added = stated.keys().filter(|_| matches!(keys, Keys::All));
            let compared: BTreeSet<&String> = expected.keys().chain(added).collect();
            compared
                .into_iter()
                .find_map(|key| find_difference(format!("{field}.{key}"), stated.get(key), expected.get(key), keys))
        }
        (Some(Value::Array(stated)), Some(Value::Array(expected))) => {
            (0..stated.len().max(expected.len())).find_map(|index| {
                find_difference(format!("{field}[{index}]"), stated.get(index), expected.get(index), keys)
            })
        }
        (stated, expected) => Some(Difference { field, stated: quote(stated), expected: quote(expected) }),
    }
}

/// A value as a message shows it.
fn quote(value: Option<&Value>) -> String {
    let Some(value) = value else { return "missing".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn object<'a>(value: Option<&'a Value>, field: &'static str) -> Result<&'a Map<String, Value>, ProvenanceFault> {
    let value = value.ok_or(ProvenanceFault::Missing(field))?;
    value.as_object().ok_or(ProvenanceFault::Kind { field, wanted: "an object" })
}

fn text<'a>(value: Option<&'a Value>, field: &'static str) -> Result<&'a str, ProvenanceFault> {
    let value = value.ok_or(ProvenanceFault::Missing(field))?;
    value.as_str().ok_or(ProvenanceFault::Kind { field, wanted: "a string" })
}

/// A list that need not be there.
fn list<'a>(value: Option<&'a Value>, field: &'static str) -> Result<&'a [Value], ProvenanceFault> {
    match value {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(ProvenanceFault::Kind { field, wanted: "a list" }),
    }
}
