//! What is written beside `APP.pyz` and speaks of it: which kinds there are, and their documents, made by opening the
//! archive that was packed again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::checksums::list_of;
use super::{OutputError, beside, directory_of};
use crate::archive::Source;
use crate::digest::Sha256Digest;
use crate::evidence::{Claims, cyclonedx, provenance_statement, spdx};
use crate::finished::FinishedPyz;

/// A kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceKind {
    /// The digest, as `sha256sum` writes it.
    Sha256,
    /// An SBOM, as `CycloneDX`.
    Cyclonedx,
    /// An SBOM, as SPDX.
    Spdx,
    /// The provenance, as an in-toto statement.
    Provenance,
}

impl EvidenceKind {
    /// All that there are, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Sha256, Self::Cyclonedx, Self::Spdx, Self::Provenance];

    /// Its name among the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Cyclonedx => "cyclonedx",
            Self::Spdx => "spdx",
            Self::Provenance => "provenance",
        }
    }

    /// What is added to the archive's name.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Sha256 => ".sha256",
            Self::Cyclonedx => ".cdx.json",
            Self::Spdx => ".spdx.json",
            Self::Provenance => ".intoto.json",
        }
    }
}

/// The evidence that is asked for, and what of it no archive holds.
#[derive(Debug, Clone, Default)]
pub struct EvidenceRequest {
    /// The kinds; none at all where it is empty.
    pub kinds: BTreeSet<EvidenceKind>,
    /// What the provenance says beyond the archive; its index is the SBOMs' too.
    pub claims: Claims,
}

/// A document that speaks of an archive.
pub(super) struct Document {
    /// The file that it becomes.
    pub(super) path: PathBuf,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Tells early whether something is in the way of evidence, while all that is old is still there.
///
/// # Errors
/// When a directory has the name of a file that is to be written, or the archive that of the list.
pub fn check_evidence(target: &Path, kinds: &BTreeSet<EvidenceKind>) -> Result<(), OutputError> {
    if list_of(target) == target {
        return Err(OutputError::List(target.display().to_string()));
    }
    let list = (!kinds.is_empty()).then(|| list_of(target));
    let files = kinds.iter().map(|kind| beside(target, kind.suffix())).chain(list);
    let mut in_the_way = files.filter(|file| file.symlink_metadata().is_ok_and(|found| found.is_dir()));
    match in_the_way.next() {
        Some(file) => Err(OutputError::EvidenceDirectory(file.display().to_string())),
        None => Ok(()),
    }
}

/// The documents of the archive in `packed`, which is going to be `target`.
pub(super) fn make_documents(
    packed: &Source,
    target: &Path,
    sha256: &Sha256Digest,
    request: &EvidenceRequest,
) -> Result<Vec<Document>, OutputError> {
    let kinds: Vec<EvidenceKind> = request.kinds.iter().copied().filter(|kind| *kind != EvidenceKind::Sha256).collect();
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let facts = FinishedPyz::read(target, packed.clone())?.facts(*sha256)?;
    let documents = kinds.into_iter().filter_map(|kind| {
        let bytes = match kind {
            EvidenceKind::Sha256 => return None,
            EvidenceKind::Cyclonedx => cyclonedx(&facts, &request.claims.index),
            EvidenceKind::Spdx => spdx(&facts, &request.claims.index),
            EvidenceKind::Provenance => provenance_statement(&facts, &request.claims),
        };
        Some(Document { path: beside(target, kind.suffix()), bytes })
    });
    Ok(documents.collect())
}

/// Takes the room that the documents need, in a file without a name, so that a full disk is told before anything old goes;
/// it is free again when the file is dropped.
pub(super) fn reserve_room(target: &Path, documents: &[Document]) -> io::Result<Option<File>> {
    if documents.is_empty() {
        return Ok(None);
    }
    let mut room = tempfile::tempfile_in(directory_of(target))?;
    documents.iter().try_for_each(|document| room.write_all(&document.bytes))?;
    Ok(Some(room))
}
