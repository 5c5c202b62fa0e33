//! The manifest: what the archive holds, where it came from, and how to build it again. Its one spelling is canonical
//! JSON, at `_pyzpack/manifest.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::json::to_canonical_json;
use crate::names::{ExtraName, GroupName, PackageName};

/// Where the manifest lies in every archive.
pub const MANIFEST_PATH: &str = "_pyzpack/manifest.json";

/// The manifest of format 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format's number: 1.
    pub format: u32,
    /// What built it.
    pub tool: Tool,
    /// The application's name: its first input's.
    pub name: String,
    /// The application's version; none where it has no metadata.
    pub version: Option<String>,
    /// Seconds since 1970-01-01 00:00:00 UTC: the time of every entry.
    pub epoch: u64,
    /// What is started: `module:object`, `module`, or the path of an executable.
    pub entry_point: String,
    /// Every console script of every distribution, by name.
    pub console_scripts: BTreeMap<String, String>,
    /// The application's own demand on Python's version.
    pub requires_python: Option<String>,
    /// The minor versions for which these wheels are the right ones, ascending: `3.11`.
    pub pythons: Vec<String>,
    /// `any`, or the most demanding platform tag among the wheels'.
    pub platform: String,
    /// Where the files are: `zip` or `extract`.
    pub layout: String,
    /// The wheels, by name and file name.
    pub wheels: Vec<ManifestWheel>,
    /// The files as installed, by path.
    pub files: Vec<ManifestFile>,
    /// How to build it again.
    pub recipe: Recipe,
}

/// A program that built something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A wheel whose files are in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestWheel {
    /// The distribution's name.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// The wheel's file name.
    pub filename: String,
    /// The wheel's digest; of one that was built here, after canonical packing.
    pub sha256: Sha256Digest,
    /// `locked`, `index`, `local` or `built`.
    pub origin: String,
    /// Of one that was built here, what it was built from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<ManifestSource>,
}

/// What a wheel was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSource {
    /// A URL without credentials, a file's name, or "." for a directory.
    pub uri: String,
    /// The digest of a file; none for a directory or a commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Sha256Digest>,
}

/// A file as installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its path below the place of installation.
    pub path: String,
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its permissions, in octal: `0644` or `0755`.
    pub mode: String,
    /// The distribution that it belongs to; none for a loose module.
    pub distribution: Option<PackageName>,
}

/// How to build the archive again: everything that decides about its bytes, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What was packed, in the order given.
    pub inputs: Vec<RecipeInput>,
    /// The lock file that was used.
    pub lock: Option<RecipeFile>,
    /// The console script that was asked for.
    pub console_script: Option<String>,
    /// The object or module that was asked for.
    pub entry_point: Option<String>,
    /// Extras of the project.
    pub extras: Vec<ExtraName>,
    /// Dependency groups of the project.
    pub groups: Vec<GroupName>,
    /// What the archive must run on.
    pub target: RecipeTarget,
    /// `auto`, `zip` or `extract`.
    pub layout: String,
    /// `deflate` or `store`.
    pub compression: String,
    /// Whether all streams were made anew.
    pub recompress: bool,
    /// The exact versions that compiled the modules in the archive, one for each minor version, ascending: `3.11.7`.
    pub bytecode: Vec<String>,
    /// `error`, `first` or `last`.
    pub on_conflict: String,
    /// The first line, without `#!`.
    pub shebang: String,
}

/// One thing that was packed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecipeInput {
    /// A requirement, or "." for a project directory.
    Requirement(String),
    /// A file: wheel, sdist, script or requirements file.
    File(RecipeFile),
    /// A commit of a git repository.
    Git {
        /// The repository's URL, without credentials; of one on the builder's machine its name.
        uri: String,
        /// The commit.
        commit: String,
        /// The project's directory in it; none for the root.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subdirectory: Option<String>,
    },
}

/// A file, by name and digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeFile {
    /// Its name, without directory.
    pub filename: String,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// What an archive was built to run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeTarget {
    /// Python's minor version that was asked for; none where it was the builder's own, which decides only through the
    /// wheels that are chosen.
    pub python: Option<String>,
    /// The platform that was asked for; none likewise.
    pub platform: Option<String>,
}

/// How many wheels, and how many inputs, a manifest may have: evidence compares each with each.
const MOST: usize = 10_000;

impl Manifest {
    /// What there is more of than is read, in words.
    pub(crate) fn excess(&self) -> Option<String> {
        let counts = [("wheels", self.wheels.len()), ("inputs", self.recipe.inputs.len())];
        let (what, count) = counts.into_iter().find(|(_, count)| *count > MOST)?;
        Some(format!("{count} {what} exceed the limit of {MOST}"))
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_canonical_json(self)
    }
}
