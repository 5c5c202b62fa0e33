//! What can be wrong with a zip, as data: one variant a rule, each with a stable code.

use super::path::PathFault;

/// A rule of the container that a zip breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZipFault {
    /// No end-of-central-directory record in the last 22 bytes: truncated, a comment, or something behind it.
    #[error("no end-of-central-directory record at the very end (truncated, or something was appended)")]
    EndRecord,
    /// A field of the end records is not what the others make it.
    #[error("the end-of-central-directory record is inconsistent: {0}")]
    EndField(&'static str),
    /// A zip64 record, locator or extra field disagrees with the rest, or stands where none may.
    #[error("zip64: {0}")]
    Zip64(&'static str),
    /// The central directory ends early or holds more than its entries.
    #[error("the central directory is malformed: {0}")]
    CentralDirectory(&'static str),
    /// Bytes that no entry accounts for.
    #[error("{length} bytes at offset {offset} belong to no entry")]
    Gap {
        /// Where they begin.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// What stands before an archive is, or holds, what tools read as another one.
    #[error("what stands before the archive {what}, at offset {offset}")]
    Prefix {
        /// What is wrong with it.
        what: &'static str,
        /// Where, from the file's first byte.
        offset: u64,
    },
    /// Two entries share bytes, or one reaches beyond the central directory.
    #[error("the entry overlaps what follows it, at offset {offset}")]
    Overlap {
        /// Where the overlap begins.
        offset: u64,
    },
    /// No local header where the central directory says.
    #[error("no local header at offset {0}")]
    LocalHeader(u64),
    /// Local and central header disagree.
    #[error("local and central header disagree on the {field}: {local} and {central}")]
    HeaderMismatch {
        /// The field.
        field: &'static str,
        /// As the local header has it.
        local: String,
        /// As the central directory has it.
        central: String,
    },
    /// A data descriptor that is missing or disagrees with the central directory.
    #[error("the data descriptor disagrees with the central directory")]
    DataDescriptor,
    /// Neither stored nor deflated.
    #[error("compression method {0} is neither stored (0) nor deflated (8)")]
    Method(u16),
    /// More than stored or deflated entries, with zip64 or without, ever need (4.4.3.2).
    #[error("version needed {}.{} is later than 4.5, the last that anything allowed here needs", .0 / 10, .0 % 10)]
    Version(u8),
    /// Encrypted.
    #[error("the entry is encrypted")]
    Encrypted,
    /// A flag with no harmless meaning.
    #[error("general purpose flags {0:#06x} hold an unsupported bit")]
    Flags(u16),
    /// An entry on another disk of a split archive.
    #[error("the entry lies on another disk of a split archive")]
    Disk,
    /// A malformed, doubled or misleading extra field.
    #[error("extra field: {0}")]
    ExtraField(&'static str),
    /// An entry's name is not UTF-8, or is not flagged as UTF-8.
    #[error("the name is not UTF-8, or not marked as such")]
    NameEncoding,
    /// An entry's name is unsafe.
    #[error(transparent)]
    Name(#[from] PathFault),
    /// Neither a regular file nor a directory.
    #[error("neither a regular file nor a directory (mode {0:o})")]
    FileType(u32),
    /// A directory with contents.
    #[error("a directory with contents")]
    DirectoryWithContents,
    /// Two entries with one name.
    #[error("the name occurs twice")]
    Duplicate,
    /// Two names that are one file where case is ignored.
    #[error("the name is the same file as `{0}` where case is ignored")]
    CaseClash(String),
    /// A file where another entry has a directory.
    #[error("a file where `{0}` has a directory")]
    FileAndDirectory(String),
    /// The deflate stream is broken.
    #[error("the deflate stream is broken")]
    Stream,
    /// The deflate stream ends before or after its compressed size.
    #[error("the deflate stream takes {used} of {given} compressed bytes")]
    StreamLength {
        /// Bytes up to the stream's end.
        used: u64,
        /// The compressed size in the headers.
        given: u64,
    },
    /// Unpacked size and header disagree.
    #[error("unpacked size: expected {expected}, found {found}")]
    Size {
        /// The size in the headers.
        expected: u64,
        /// The size of what was unpacked, or a lower bound where unpacking was ended.
        found: u64,
    },
    /// Checksum and header disagree.
    #[error("CRC-32: expected {expected:08x}, found {found:08x}")]
    Crc {
        /// The checksum in the headers.
        expected: u32,
        /// The checksum of what was unpacked.
        found: u32,
    },
    /// More than the limits allow.
    #[error("{what}: {found} exceeds the limit of {limit}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// The amount found.
        found: u64,
        /// The amount allowed.
        limit: u64,
    },
    /// A field of an archive of ours that is not as format 1 has it.
    #[error("not canonical: {0}")]
    NotCanonical(&'static str),
    /// Contents other than those that were planned.
    #[error("the contents are not those that were checked")]
    Contents,
}

impl ZipFault {
    /// The rule's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EndRecord | Self::EndField(_) => "zip-end-record",
            Self::Zip64(_) => "zip-zip64",
            Self::CentralDirectory(_) => "zip-central-directory",
            Self::Gap { .. } | Self::Prefix { .. } => "zip-gap",
            Self::Overlap { .. } => "zip-overlap",
            Self::LocalHeader(_) | Self::HeaderMismatch { .. } => "zip-local-header",
            Self::DataDescriptor => "zip-data-descriptor",
            Self::Method(_) => "zip-method",
            Self::Version(_) => "zip-version",
            Self::Encrypted => "zip-encrypted",
            Self::Flags(_) => "zip-flags",
            Self::Disk => "zip-disk",
            Self::ExtraField(_) => "zip-extra-field",
            Self::NameEncoding | Self::Name(_) => "zip-name",
            Self::FileType(_) | Self::DirectoryWithContents => "zip-file-type",
            Self::Duplicate => "zip-duplicate",
            Self::CaseClash(_) => "zip-case-clash",
            Self::FileAndDirectory(_) => "zip-file-and-directory",
            Self::Stream | Self::StreamLength { .. } => "zip-stream",
            Self::Size { .. } => "zip-size",
            Self::Crc { .. } => "zip-crc",
            Self::Limit { .. } => "zip-limit",
            Self::NotCanonical(_) => "zip-not-canonical",
            Self::Contents => "zip-contents",
        }
    }
}

/// Why an archive was not read: a rule it breaks, or a file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A rule is broken, by the whole archive or by one entry.
    #[error("{}{fault} [{}]", .entry.as_ref().map(|name| format!("entry `{name}`: ")).unwrap_or_default(), .fault.code())]
    Fault {
        /// The entry's name, with what cannot be printed escaped; none where the archive as a whole is at fault.
        entry: Option<String>,
        /// The rule.
        fault: ZipFault,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ReadError {
    /// A fault of the archive as a whole.
    pub(crate) fn archive(fault: impl Into<ZipFault>) -> Self {
        Self::Fault { entry: None, fault: fault.into() }
    }

    /// A fault of the entry called `name`.
    pub(crate) fn entry(name: &str, fault: impl Into<ZipFault>) -> Self {
        Self::Fault { entry: Some(name.escape_debug().to_string()), fault: fault.into() }
    }
}
