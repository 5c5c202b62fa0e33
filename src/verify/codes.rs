//! The table of codes: most fundamental first. Of several problems the one that comes first here gives the answer its code.

use std::fmt::Write as _;

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code: stable, for scripts.
    pub code: &'static str,
    /// What is wrong.
    pub meaning: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// The place of a code in the table; what is not in it comes last.
pub(super) fn rank(code: &str) -> usize {
    CODES.iter().position(|known| known.code == code).unwrap_or(CODES.len())
}

/// What `code` means, or with none the whole table; none for a code that is not known.
pub fn explain(code: Option<&str>) -> Option<String> {
    let mut text = String::new();
    match code {
        Some(code) => {
            let Code { code, meaning, advice } = CODES.get(rank(code))?;
            let _ = writeln!(text, "{code}: {meaning}\nhint: {advice}");
        }
        None => {
            let width = CODES.iter().map(|known| known.code.len()).max().unwrap_or_default();
            for Code { code, meaning, .. } in CODES {
                let _ = writeln!(text, "{code:<width$}  {meaning}");
            }
        }
    }
    Some(text)
}

const fn code(code: &'static str, meaning: &'static str, advice: &'static str) -> Code {
    Code { code, meaning, advice }
}

const NOT_AS_RELEASED: &str = "do not run it: fetch the file again, from where it was released";
const OTHER_FILE: &str = "do not run it: it is not the file that was meant";
const NOT_OURS: &str = "do not run it: pyzpack writes no such file; ask whoever released it";

/// Every code, in its order.
pub const CODES: &[Code] = &[
    // The file.
    code("file-symlink", "the name is a symbolic link", "verify the file that it leads to"),
    code("file-directory", "the name is a directory", "name a file"),
    code("file-irregular", "the name is a pipe, a socket or a device", "name a file"),
    code("file-empty", "the file is empty", "fetch the file again"),
    code(
        "file-replaced",
        "the file was changed or replaced while it was verified",
        "verify again when nothing writes to it",
    ),
    code("file-not-a-zip", "the file is not a zip of any kind", "name a .pyz file"),
    // The container.
    code(
        "zip-end-record",
        "no consistent end record at the very end: cut off, or something was appended",
        NOT_AS_RELEASED,
    ),
    code("zip-zip64", "a zip64 record or field where none may be, or one that disagrees", NOT_OURS),
    code("zip-central-directory", "the central directory ends early or holds more than its entries", NOT_AS_RELEASED),
    code("zip-gap", "bytes that belong to no entry", NOT_AS_RELEASED),
    code("zip-overlap", "two entries share bytes, or one reaches too far", NOT_AS_RELEASED),
    code("zip-local-header", "a local header is missing or disagrees with the central one", NOT_AS_RELEASED),
    code("zip-data-descriptor", "a data descriptor is missing or disagrees", NOT_AS_RELEASED),
    code("zip-method", "an entry is neither stored nor deflated", NOT_OURS),
    code("zip-encrypted", "an entry is encrypted", NOT_OURS),
    code("zip-flags", "an entry's flags have no harmless meaning", NOT_OURS),
    code("zip-disk", "an entry lies on another disk of a split archive", NOT_OURS),
    code("zip-extra-field", "an extra field is malformed, doubled or misleading", NOT_OURS),
    code("zip-name", "an entry's name is unsafe, or not UTF-8", NOT_OURS),
    code("zip-file-type", "an entry is neither a regular file nor an empty directory", NOT_OURS),
    code("zip-duplicate", "two entries have one name", NOT_OURS),
    code("zip-case-clash", "two names are one file where case is ignored", NOT_OURS),
    code("zip-file-and-directory", "a file stands where another entry has a directory", NOT_OURS),
    code("zip-stream", "a deflate stream is broken, or is not as long as it should be", NOT_AS_RELEASED),
    code("zip-size", "an entry unpacks to another size than its headers say", NOT_AS_RELEASED),
    code("zip-crc", "an entry's checksum is not that of its headers", NOT_AS_RELEASED),
    code("zip-limit", "more entries or bytes than are unpacked anywhere", NOT_OURS),
    code("zip-not-canonical", "something that format 1 does not have", NOT_OURS),
    code("zip-contents", "an archive that was written is not the one that was planned", NOT_AS_RELEASED),
    // What the file says of itself.
    code(
        "manifest-missing",
        "something was named that only a manifest of pyzpack can tell, and there is none",
        "verify a file that pyzpack built, or leave the option out",
    ),
    code("manifest-malformed", "the manifest, or the notes beside it, cannot be read", NOT_OURS),
    code("manifest-format", "the manifest is of a later format", "verify with a later pyzpack"),
    code("manifest-not-canonical", "the manifest, or the notes beside it, are not canonical JSON", NOT_OURS),
    code("manifest-value", "a value of the manifest cannot be", NOT_OURS),
    code("manifest-differs", "first line, layout or time are not as the manifest says", NOT_AS_RELEASED),
    code("manifest-file-missing", "a file of the manifest is not there", NOT_AS_RELEASED),
    code("manifest-file-unlisted", "a file is there that the manifest does not have", NOT_AS_RELEASED),
    code("manifest-file-differs", "a file is not the one of the manifest", NOT_AS_RELEASED),
    code(
        "bootstrap-unknown-entry",
        "an entry beside the application's files that pyzpack does not put there",
        NOT_AS_RELEASED,
    ),
    code("bootstrap-missing", "a part of the start-up code is missing", NOT_AS_RELEASED),
    code("bootstrap-differs", "the start-up code is not that of the pyzpack that it is said to be of", NOT_AS_RELEASED),
    code("bootstrap-constant", "the start-up code says something else than the manifest", NOT_AS_RELEASED),
    code("bootstrap-payload", "the start-up code expects another payload than the one that is there", NOT_AS_RELEASED),
    code("record-missing", "a distribution has no RECORD", NOT_AS_RELEASED),
    code("record-malformed", "a RECORD cannot be read, or has a weak digest", NOT_AS_RELEASED),
    code("record-ghost", "a RECORD has a row for a file that is not there", NOT_AS_RELEASED),
    code("record-unlisted", "a RECORD has no row for a file of its distribution", NOT_AS_RELEASED),
    code("record-differs", "a file is not as its distribution's RECORD says", NOT_AS_RELEASED),
    code("wheel-missing", "a wheel of the manifest is not there", NOT_AS_RELEASED),
    code("wheel-unlisted", "a distribution is there that the manifest has no wheel of", NOT_AS_RELEASED),
    code("wheel-metadata", "a distribution's METADATA is missing or cannot be read", NOT_AS_RELEASED),
    code("wheel-differs", "a wheel's name or version is not that of the metadata which is there", NOT_AS_RELEASED),
    // Digests that were given.
    code("sha256-differs", "the file does not have the digest that was given", OTHER_FILE),
    code(
        "checksums-malformed",
        "a line of the checksum file is not one of `sha256sum`",
        "fetch the checksum file again, or give the digest with `--sha256`",
    ),
    code(
        "checksums-no-entry",
        "the checksum file has no line for the file",
        "give the file the name that it was released under, or the digest with `--sha256`",
    ),
    code("checksums-ambiguous", "the checksum file has two digests of the file", "give the right one with `--sha256`"),
    code("checksums-differs", "the file does not have the digest of the checksum file", OTHER_FILE),
    // Locks.
    code("lock-malformed", "the lock cannot be read, or one of its entries not trusted", "make the lock anew"),
    code(
        "lock-lacks-wheel",
        "a wheel, or what it was built from, is not the lock's",
        "name the lock that the file was built with, or build again from this one",
    ),
    // Trust.
    code(
        "untrusted",
        "nothing was named that would tell who made the file",
        "name a reason to trust it: `--sha256 HEX`, or `--checksums FILE`",
    ),
];
