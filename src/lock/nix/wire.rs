//! The document as it is written: its fields in this order, and no others.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Sha256Digest;
use crate::names::{ExtraName, GroupName, PackageName};
use crate::target::Marker;

/// What every version of the document says.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Document {
    pub(super) format: String,
    pub(super) version: u64,
    pub(super) lock: LockFile,
    pub(super) requires_python: Option<VersionSpecifiers>,
    pub(super) environments: Vec<Marker>,
    pub(super) extras: Option<BTreeSet<ExtraName>>,
    pub(super) groups: Option<BTreeSet<GroupName>>,
    pub(super) default_groups: BTreeSet<GroupName>,
    pub(super) conflicts: Vec<BTreeSet<Member>>,
    pub(super) project: Option<usize>,
    pub(super) roots: Vec<Root>,
    pub(super) packages: Vec<Package>,
    pub(super) builds: Vec<Build>,
}

/// The lock that the document is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockFile {
    pub(super) name: String,
    pub(super) sha256: Sha256Digest,
}

/// Without either: always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra: Option<ExtraName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<GroupName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Root {
    pub(super) of: Member,
    pub(super) to: usize,
    pub(super) extras: BTreeSet<ExtraName>,
    pub(super) marker: Option<Marker>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edge {
    pub(super) to: usize,
    pub(super) extras: BTreeSet<ExtraName>,
    pub(super) marker: Option<Marker>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Package {
    pub(super) name: PackageName,
    pub(super) version: Option<Version>,
    pub(super) requires_python: Option<VersionSpecifiers>,
    pub(super) source: Source,
    pub(super) dependencies: Vec<Edge>,
    pub(super) optional_dependencies: BTreeMap<ExtraName, Vec<Edge>>,
    /// There among what a build needs, and there alone.
    #[serde(default, skip_serializing_if = "Need::is_unstated")]
    pub(super) marker: Need,
}

/// Where a package is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Need {
    /// Edges say it.
    #[default]
    Unstated,
    /// Where this holds; without a marker everywhere.
    Stated(Option<Marker>),
}

impl Need {
    fn is_unstated(&self) -> bool {
        *self == Self::Unstated
    }

    /// The marker, where there is one.
    pub(super) fn marker(&self) -> Option<&Marker> {
        match self {
            Self::Unstated => None,
            Self::Stated(marker) => marker.as_ref(),
        }
    }
}

impl<'de> Deserialize<'de> for Need {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Stated)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Source {
    Files { files: Vec<File> },
    Archive { file: Option<File>, subdirectory: Option<String> },
    Git { url: String, commit: String, subdirectory: Option<String> },
    Directory { path: String },
    Virtual { path: String },
}

/// A file: at a URL, or at a path from the lock's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) filename: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    pub(super) sha256: Sha256Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    pub(super) name: PackageName,
    pub(super) version: Option<Version>,
    pub(super) requires: Vec<String>,
    pub(super) packages: Vec<Package>,
}

impl Document {
    /// The file's text.
    pub(super) fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a document is a tree of strings, numbers and lists");
        text + "\n"
    }
}
