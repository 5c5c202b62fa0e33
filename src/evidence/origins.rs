//! What evidence tells of the wheels' origin beyond the manifest, whose keys are fixed: it lies beside it in the archive,
//! so that evidence can be written from the file alone. There is none where the manifest says all.
//!
//! Only what decides about the bytes anyway may stand here: what a lock says, and what a wheel was built with where no lock
//! leaves that to the day. Of a source that a lock names without build requirements nothing does, because a wheel that was
//! built beforehand has to give the same archive.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use crate::digest::Sha256Digest;
use crate::json::to_canonical_json;
use crate::names::PackageName;

/// Where the notes lie in an archive that has them.
pub const ORIGINS_PATH: &str = "_pyzpack/origins.json";

/// The notes of all wheels of which there is something to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origins {
    /// By the wheel's file name, ascending.
    pub wheels: Vec<OriginNote>,
}

/// What is said of one wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginNote {
    /// The wheel's file name, as the manifest has it.
    pub filename: String,
    /// What gave it, or its source, where that is not the default index.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<Provider>,
    /// Of one that was built here, what it was built with, by name and file name. From a lock: every file that the lock
    /// allows, whichever of them the machine that builds takes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub build_requirements: Vec<BuildRequirementNote>,
}

/// What gives a distribution its name's meaning, where that is not the default index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Provider {
    /// Another index, by the URL that a lock states, without credentials.
    Index(String),
    /// A URL of its own, without credentials.
    Url(String),
    /// A file or a directory at hand: no index served it, or none that is known.
    Nobody,
}

/// A distribution that a wheel was built with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildRequirementNote {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// Its file's name.
    pub filename: String,
    /// Its file's digest; none where it was itself built here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Sha256Digest>,
    /// What gave it, where that is not the default index.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<Provider>,
}

impl Origins {
    /// The first note that is of no wheel of the manifest, or not in its place.
    pub(crate) fn fault(&self, manifest: &Manifest) -> Option<String> {
        let wheels: BTreeSet<&str> = manifest.wheels.iter().map(|wheel| wheel.filename.as_str()).collect();
        let mut before = "";
        self.wheels.iter().map(|note| note.filename.as_str()).find_map(|filename| {
            let fits = before < filename && wheels.contains(filename);
            before = filename;
            (!fits).then(|| filename.to_owned())
        })
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_canonical_json(self)
    }
}
