//! What evidence is made of. All of it stands in the finished file, so that evidence made later is that of the build.

use std::collections::BTreeMap;

use crate::digest::Sha256Digest;

use super::manifest::{Manifest, ManifestWheel};
use super::origins::{OriginNote, Origins};

/// What a finished `.pyz` says of itself, as far as evidence tells it on.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The file's name, without directory.
    pub filename: String,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Its manifest.
    pub manifest: Manifest,
    /// What the manifest has no key for.
    pub origins: Origins,
    /// What the wheels' own metadata says, in the order of the manifest's `wheels`.
    pub distributions: Vec<Distribution>,
}

/// What a distribution's own files say of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// The header fields of its METADATA in their order, names in lower case (core metadata specification).
    pub metadata: Vec<(String, String)>,
    /// The SBOMs that it brings (PEP 770), by path.
    pub sboms: Vec<EmbeddedSbom>,
}

/// An SBOM that a wheel brings, below its `.dist-info/sboms/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedSbom {
    /// Its path as installed.
    pub path: String,
    /// Its digest.
    pub sha256: Sha256Digest,
}

impl Facts {
    /// Every wheel, with what its metadata and the notes on its origin say.
    pub fn wheels(&self) -> impl Iterator<Item = (&ManifestWheel, &Distribution, Option<&OriginNote>)> {
        let notes: BTreeMap<&str, &OriginNote> =
            self.origins.wheels.iter().rev().map(|note| (note.filename.as_str(), note)).collect();
        let described = self.manifest.wheels.iter().zip(&self.distributions);
        described.map(move |(wheel, distribution)| (wheel, distribution, notes.get(wheel.filename.as_str()).copied()))
    }
}

impl Distribution {
    /// The values of a header field, whose name is given in lower case.
    pub fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.metadata.iter().filter(move |(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}
