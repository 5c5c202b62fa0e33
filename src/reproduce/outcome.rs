//! What came of building again, as data: condition by condition.

use std::path::PathBuf;

use serde::Serialize;

use super::condition::Condition;
use crate::diff::Comparison;
use crate::digest::Sha256Digest;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Reproduced {
    /// The application's name.
    pub name: String,
    /// The digest of the first build.
    pub sha256: Sha256Digest,
    /// How many builds were run.
    pub builds: usize,
    /// Whether all of them gave the same bytes.
    pub same: bool,
    /// The conditions, in their order.
    pub conditions: Vec<Tried>,
    /// What differs without a condition of its own that did it, or only where several are changed.
    pub unattributed: Option<Unattributed>,
    /// What the first build said.
    #[serde(skip)]
    pub messages: String,
    /// Where the builds that differ are.
    pub kept: Option<PathBuf>,
}

/// A condition that was changed.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// The condition.
    #[serde(serialize_with = "by_name")]
    pub condition: Condition,
    /// To what, where that can be said in a word.
    pub value: String,
}

/// A condition, and what came of changing it.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// The condition.
    #[serde(serialize_with = "by_name")]
    pub condition: Condition,
    /// To what it was changed, where that can be said in a word.
    pub value: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a change.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The same bytes.
    Same,
    /// Other bytes.
    Differs(Box<Difference>),
    /// No file.
    Fails {
        /// Why, in the build's own words.
        reason: String,
    },
    /// It was not changed.
    NotTried {
        /// Why.
        reason: String,
    },
}

/// How one build differs from the first.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Its digest.
    pub sha256: Sha256Digest,
    /// The differing files, a line each, as far as they are listed.
    pub files: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// How they differ.
    #[serde(skip)]
    pub comparison: Comparison,
}

/// What differs and is no single condition's doing.
#[derive(Debug, Serialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Unattributed {
    /// Though nothing was changed.
    Chance {
        /// How.
        difference: Box<Difference>,
        /// Whether the clock is excluded: two builds differ while it stands still.
        clock_excluded: bool,
    },
    /// Where several conditions are changed at once.
    Together {
        /// The smallest set of conditions that was found to do it.
        conditions: Vec<Changed>,
        /// What came of changing these.
        outcome: Outcome,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn by_name<S: serde::Serializer>(condition: &Condition, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(condition.name())
}
