//! Everything that can be wrong, as data. A problem says what it is about and both values; what its code means, and what to
//! do about it, is in the table of [`super::codes`].

use super::codes::{CODES, rank};
use crate::archive::ZipFault;
use crate::digest::Sha256Digest;
use crate::evidence::{BundleFault, KeyFault, ProvenanceFault, SbomFault, StatementFault};
use crate::names::PackageName;
use crate::runtime::FIND_PATH;
use crate::wheel::RecordFault;

/// Something that speaks against the file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The name is a link.
    #[error("it is a symbolic link to `{0}`")]
    Symlink(String),
    /// The name is a directory.
    #[error("it is a directory")]
    Directory,
    /// A pipe, a socket or a device.
    #[error("it is neither a file nor a directory")]
    Irregular,
    /// Nothing is in it.
    #[error("it is empty")]
    Empty,
    /// It is not the file any more that was read.
    #[error("the file was changed or replaced while it was verified")]
    Replaced,
    /// No zip of any kind.
    #[error("it is not a zip: no end-of-central-directory record is in it")]
    NotAZip,
    /// A rule of the container.
    #[error("{}{}{fault}", prefix(archive.as_deref(), ""), prefix(entry.as_deref(), "entry "))]
    Zip {
        /// The archive within the file, where it is one.
        archive: Option<String>,
        /// The entry, where it is about one.
        entry: Option<String>,
        /// The rule.
        fault: ZipFault,
    },
    /// Something that only a manifest can tell.
    #[error("there is no manifest of pyzpack in the file, which `{0}` needs")]
    NoManifest(&'static str),
    /// The manifest, or what lies beside it, cannot be read.
    #[error("`{document}`: {reason}")]
    ManifestMalformed {
        /// Its path.
        document: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A later format.
    #[error("the manifest has format {0}, which this pyzpack does not know")]
    ManifestFormat(String),
    /// Not the one spelling.
    #[error("`{0}` is not canonical JSON (RFC 8785)")]
    ManifestNotCanonical(&'static str),
    /// A value that cannot be.
    #[error("{what}: `{value}`")]
    ManifestValue {
        /// What it is the value of.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// The manifest and the container disagree.
    #[error("{what}: the manifest has `{says}`, the file `{found}`")]
    ManifestDiffers {
        /// On what.
        what: &'static str,
        /// As the manifest has it.
        says: String,
        /// As the file has it.
        found: String,
    },
    /// A file that the manifest has, and the archive has not.
    #[error("`{0}` is in the manifest, and not in the file")]
    FileMissing(String),
    /// The reverse.
    #[error("`{0}` is in the file, and not in the manifest")]
    FileUnlisted(String),
    /// A file that is another one.
    #[error("`{path}`: {what}: expected {expected}, found {found}")]
    FileDiffers {
        /// Its path as installed.
        path: String,
        /// What differs.
        what: &'static str,
        /// As the manifest has it.
        expected: String,
        /// As it is.
        found: String,
    },
    /// An entry beside the application's files that nothing of pyzpack's needs.
    #[error("`{0}` is none of the archive's own entries")]
    UnknownEntry(String),
    /// A part of the start-up code that is not there.
    #[error("`{0}` is missing")]
    BootstrapMissing(String),
    /// Start-up code that is not this version's.
    #[error("`{0}` is not what this version of pyzpack writes")]
    BootstrapDiffers(String),
    /// A constant of the start-up code.
    #[error("`_pyzpack/find.py`: {what}: expected `{expected}`, found `{found}`")]
    BootstrapConstant {
        /// The constant.
        what: &'static str,
        /// As the manifest or the files have it.
        expected: String,
        /// As the start-up code has it.
        found: String,
    },
    /// The start-up code unpacks something else.
    #[error("`_pyzpack/find.py` does not have the digest of `{0}`")]
    BootstrapPayload(String),
    /// A distribution without RECORD.
    #[error("`{0}` is missing")]
    RecordMissing(String),
    /// A RECORD that cannot be read.
    #[error("`{record}`: {fault}")]
    RecordMalformed {
        /// The RECORD.
        record: String,
        /// What is wrong.
        fault: RecordFault,
    },
    /// A row without file.
    #[error("`{record}` has a row for `{path}`, which is not in the file")]
    RecordGhost {
        /// The RECORD.
        record: String,
        /// The file that should be there.
        path: String,
    },
    /// A file without row.
    #[error("`{record}` has no row for `{path}`, which is of its distribution")]
    RecordUnlisted {
        /// The RECORD.
        record: String,
        /// The file.
        path: String,
    },
    /// A row with other values.
    #[error("`{record}`: `{path}`: {fault}")]
    RecordDiffers {
        /// The RECORD.
        record: String,
        /// The file.
        path: String,
        /// What differs.
        fault: RecordFault,
    },
    /// A wheel of the manifest that is not inside.
    #[error("wheel `{0}` is in the manifest, and no metadata of it in the file")]
    WheelMissing(String),
    /// The reverse.
    #[error("`{dist_info}` is in the file, and no wheel of `{name}` in the manifest, or another directory of it")]
    WheelUnlisted {
        /// The directory of its metadata.
        dist_info: String,
        /// The distribution.
        name: PackageName,
    },
    /// METADATA that cannot be read.
    #[error("`{path}`: {reason}")]
    WheelMetadata {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Manifest and metadata disagree.
    #[error("wheel `{wheel}`: {what}: expected `{expected}`, found `{found}`")]
    WheelDiffers {
        /// The wheel's file name.
        wheel: String,
        /// On what.
        what: &'static str,
        /// As the manifest has it.
        expected: String,
        /// As it is.
        found: String,
    },
    /// Another file than the one that was meant.
    #[error("sha256: expected {expected}, found {found}")]
    Sha256Differs {
        /// As given.
        expected: Sha256Digest,
        /// As computed.
        found: Sha256Digest,
    },
    /// More than is read.
    #[error("`{file}` is longer than {limit} bytes")]
    ChecksumsTooLong {
        /// The checksum file.
        file: String,
        /// What is read.
        limit: u64,
    },
    /// A line that may mean anything.
    #[error("line {line} of `{file}` is not one of `sha256sum`")]
    ChecksumsMalformed {
        /// The checksum file.
        file: String,
        /// The line.
        line: usize,
    },
    /// Nothing is said of the file.
    #[error("`{file}` has no line for `{name}`")]
    ChecksumsNoEntry {
        /// The checksum file.
        file: String,
        /// The file.
        name: String,
    },
    /// Two things are said of the file.
    #[error("lines {} and {} of `{file}` have different digests of `{name}`", lines.0, lines.1)]
    ChecksumsAmbiguous {
        /// The checksum file.
        file: String,
        /// The file.
        name: String,
        /// The lines.
        lines: (usize, usize),
    },
    /// Another file than the one that was meant.
    #[error("line {line} of `{file}`: expected {expected}, found {found}")]
    ChecksumsDiffers {
        /// The checksum file.
        file: String,
        /// The line.
        line: usize,
        /// As the line has it.
        expected: Sha256Digest,
        /// As computed.
        found: Sha256Digest,
    },
    /// A bundle, and nothing to check it with.
    #[error("no key was given for the bundle, whose own is no reason to trust it")]
    NoKey,
    /// A key that cannot be used.
    #[error("`{file}`: {fault}")]
    Key {
        /// The key's file.
        file: String,
        /// What is wrong.
        fault: KeyFault,
    },
    /// A key, and nothing that it signed.
    #[error("no signature was given, and none lies beside the file")]
    NoSignature,
    /// A bundle or envelope that cannot be read, or whose signature is none by the keys.
    #[error("`{file}`: {fault}")]
    Bundle {
        /// The bundle.
        file: String,
        /// What is wrong.
        fault: BundleFault,
    },
    /// What is signed is not a statement, or not about the file.
    #[error("`{file}`: {fault}")]
    Statement {
        /// The bundle.
        file: String,
        /// What is wrong.
        fault: StatementFault,
    },
    /// What is signed says something else than the file.
    #[error("`{file}`: {fault}")]
    Provenance {
        /// The bundle.
        file: String,
        /// What is wrong.
        fault: ProvenanceFault,
    },
    /// A builder was expected, and nothing signed names one.
    #[error("nothing that is signed says who built the file")]
    NoProvenance,
    /// An SBOM of another file.
    #[error("`{file}`: {fault}")]
    Sbom {
        /// The SBOM.
        file: String,
        /// What is wrong.
        fault: SbomFault,
    },
    /// An SBOM that is not the one which was signed.
    #[error("`{file}` is not the SBOM that the provenance names: expected sha256 {expected}, found {found}")]
    SbomByproduct {
        /// The SBOM.
        file: String,
        /// As the provenance has it.
        expected: Sha256Digest,
        /// As computed.
        found: Sha256Digest,
    },
    /// A lock that cannot be read.
    #[error("{0}")]
    LockMalformed(String),
    /// A wheel that the lock does not have.
    #[error("wheel `{wheel}`: `{lock}` does not have {wanted} under its name")]
    LockLacks {
        /// The wheel's file name.
        wheel: String,
        /// The lock.
        lock: String,
        /// What should be there.
        wanted: String,
    },
    /// Nobody vouches for the file.
    #[error("nothing was named to trust: no problem was found, and anybody could have made this file")]
    Untrusted,
}

fn prefix(name: Option<&str>, kind: &str) -> String {
    name.map(|name| format!("{kind}`{name}`: ")).unwrap_or_default()
}

impl Problem {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Symlink(_) => "file-symlink",
            Self::Directory => "file-directory",
            Self::Irregular => "file-irregular",
            Self::Empty => "file-empty",
            Self::Replaced => "file-replaced",
            Self::NotAZip => "file-not-a-zip",
            Self::Zip { fault, .. } => fault.code(),
            Self::NoManifest(_) => "manifest-missing",
            Self::ManifestMalformed { .. } => "manifest-malformed",
            Self::ManifestFormat(_) => "manifest-format",
            Self::ManifestNotCanonical(_) => "manifest-not-canonical",
            Self::ManifestValue { .. } => "manifest-value",
            Self::ManifestDiffers { .. } => "manifest-differs",
            Self::FileMissing(_) => "manifest-file-missing",
            Self::FileUnlisted(_) => "manifest-file-unlisted",
            Self::FileDiffers { .. } => "manifest-file-differs",
            Self::UnknownEntry(_) => "bootstrap-unknown-entry",
            Self::BootstrapMissing(_) => "bootstrap-missing",
            Self::BootstrapDiffers(_) => "bootstrap-differs",
            Self::BootstrapConstant { .. } => "bootstrap-constant",
            Self::BootstrapPayload(_) => "bootstrap-payload",
            Self::RecordMissing(_) => "record-missing",
            Self::RecordMalformed { .. } => "record-malformed",
            Self::RecordGhost { .. } => "record-ghost",
            Self::RecordUnlisted { .. } => "record-unlisted",
            Self::RecordDiffers { .. } => "record-differs",
            Self::WheelMissing(_) => "wheel-missing",
            Self::WheelUnlisted { .. } => "wheel-unlisted",
            Self::WheelMetadata { .. } => "wheel-metadata",
            Self::WheelDiffers { .. } => "wheel-differs",
            Self::Sha256Differs { .. } => "sha256-differs",
            Self::ChecksumsTooLong { .. } | Self::ChecksumsMalformed { .. } => "checksums-malformed",
            Self::ChecksumsNoEntry { .. } => "checksums-no-entry",
            Self::ChecksumsAmbiguous { .. } => "checksums-ambiguous",
            Self::ChecksumsDiffers { .. } => "checksums-differs",
            Self::NoKey => "key-missing",
            Self::Key { fault, .. } => fault.code(),
            Self::NoSignature => "signature-missing",
            Self::Bundle { fault, .. } => fault.code(),
            Self::Statement { fault, .. } => fault.code(),
            Self::Provenance { fault, .. } => fault.code(),
            Self::NoProvenance => "provenance-missing",
            Self::Sbom { fault, .. } => fault.code(),
            Self::SbomByproduct { .. } => "sbom-byproduct",
            Self::LockMalformed(_) => "lock-malformed",
            Self::LockLacks { .. } => "lock-lacks-wheel",
            Self::Untrusted => "untrusted",
        }
    }

    /// The entry, wheel or file that it is about, where it is about one.
    pub fn what(&self) -> Option<String> {
        match self {
            Self::Zip { entry: Some(name), .. }
            | Self::Zip { archive: Some(name), entry: None, .. }
            | Self::FileMissing(name)
            | Self::FileUnlisted(name)
            | Self::FileDiffers { path: name, .. }
            | Self::UnknownEntry(name)
            | Self::BootstrapMissing(name)
            | Self::BootstrapDiffers(name)
            | Self::BootstrapPayload(name)
            | Self::RecordMissing(name)
            | Self::RecordMalformed { record: name, .. }
            | Self::RecordGhost { path: name, .. }
            | Self::RecordUnlisted { path: name, .. }
            | Self::RecordDiffers { path: name, .. }
            | Self::WheelMissing(name)
            | Self::WheelUnlisted { dist_info: name, .. }
            | Self::WheelMetadata { path: name, .. }
            | Self::WheelDiffers { wheel: name, .. }
            | Self::ChecksumsTooLong { file: name, .. }
            | Self::ChecksumsMalformed { file: name, .. }
            | Self::ChecksumsNoEntry { file: name, .. }
            | Self::ChecksumsAmbiguous { file: name, .. }
            | Self::ChecksumsDiffers { file: name, .. }
            | Self::Key { file: name, .. }
            | Self::Bundle { file: name, .. }
            | Self::Statement { file: name, .. }
            | Self::Provenance { file: name, .. }
            | Self::Sbom { file: name, .. }
            | Self::SbomByproduct { file: name, .. }
            | Self::LockLacks { wheel: name, .. } => Some(name.clone()),
            Self::ManifestMalformed { document, .. } | Self::ManifestNotCanonical(document) => {
                Some((*document).to_owned())
            }
            Self::BootstrapConstant { .. } => Some(FIND_PATH.to_owned()),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let own = match self {
            Self::Symlink(target) => return format!("verify the file itself: `{target}`"),
            Self::Key { fault, .. } => fault.hint(),
            Self::Bundle { fault, .. } => fault.hint(),
            _ => None,
        };
        match own {
            Some(hint) => hint.to_owned(),
            None => CODES.get(rank(self.code())).map(|code| code.advice.to_owned()).unwrap_or_default(),
        }
    }
}
