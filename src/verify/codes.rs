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

const GIVE_KEY: &str = "give the signer's public key: P-256 or Ed25519, `-----BEGIN PUBLIC KEY-----`";
const ASK_SIGNER: &str = "do not rely on it: ask the signer for a bundle as `pyzpack sign` writes it";
const WRONG_KEY: &str = "do not rely on it: ask for key and bundle again, by a way that you trust";
const OTHER_SBOM: &str = "do not rely on it: `pyzpack sbom APP.pyz` writes the one of this file";

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
    code("zip-version", "an entry needs a later version than anything in it does", NOT_OURS),
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
    // What was signed.
    code(
        "key-missing",
        "a bundle was named, and no key to check it with",
        "give the signer's public key with `--key PUB`, had by a way that you trust",
    ),
    code("key-too-large", "a key's file is longer than any key", GIVE_KEY),
    code("key-no-pem", "a key is not in PEM form", GIVE_KEY),
    code("key-pem", "a key's PEM block is damaged", GIVE_KEY),
    code("key-blocks", "a key's file holds several PEM blocks", GIVE_KEY),
    code("key-private", "a private key was given where the public one is due", GIVE_KEY),
    code("key-public", "a public key was given where the private one is due", GIVE_KEY),
    code("key-certificate", "a certificate was given instead of a key", GIVE_KEY),
    code("key-label", "a PEM block of another kind was given instead of a key", GIVE_KEY),
    code("key-encrypted", "a private key is encrypted", GIVE_KEY),
    code("key-encrypted-cosign", "a private key is encrypted as only cosign reads it", GIVE_KEY),
    code("key-sec1", "a private key is in the form of SEC 1", GIVE_KEY),
    code("key-openssh", "a private key is in OpenSSH's form", GIVE_KEY),
    code("key-algorithm", "a key is for neither P-256 nor Ed25519", GIVE_KEY),
    code("key-der", "a key is damaged, or not encoded in the one way", GIVE_KEY),
    code("key-point", "a public key is not a point on its curve", GIVE_KEY),
    code("key-low-order", "a public key for which anybody can sign", GIVE_KEY),
    code("key-range", "a private key is out of range", GIVE_KEY),
    code("key-halves", "the halves of a private key do not belong together", GIVE_KEY),
    code("bundle-json", "a bundle is not JSON that has one meaning", ASK_SIGNER),
    code("bundle-unknown", "neither a Sigstore bundle nor a DSSE envelope was given", ASK_SIGNER),
    code("bundle-media-type", "a bundle has a media type that is not known", ASK_SIGNER),
    code("bundle-keyless", "a bundle is signed by an identity instead of a key", ASK_SIGNER),
    code("bundle-own-key", "a bundle brings a key of its own, which proves nothing", ASK_SIGNER),
    code("bundle-message-signature", "a bundle signs a digest instead of a statement", ASK_SIGNER),
    code("bundle-member", "a member of a bundle is missing or of another type", ASK_SIGNER),
    code("bundle-hint", "bundle and envelope name different keys", ASK_SIGNER),
    code("envelope-json", "an envelope is not JSON that has one meaning", ASK_SIGNER),
    code("envelope-unsigned", "a statement was given that nobody signed", ASK_SIGNER),
    code("envelope-payload-type", "an envelope holds something else than an in-toto statement", ASK_SIGNER),
    code("envelope-member", "a member of an envelope is missing or of another type", ASK_SIGNER),
    code("envelope-base64", "payload or signature is not base64 of one reading", ASK_SIGNER),
    code(
        "signature-missing",
        "a key was given, and no signature, and none lies beside the file",
        "name what is signed with `--bundle FILE`; else it is the file's name with `.sigstore.json` or `.dsse.json` added",
    ),
    code("signature-none", "an envelope has no signature", ASK_SIGNER),
    code("signature-several", "an envelope has several signatures", ASK_SIGNER),
    code("signature-empty", "a signature is empty", ASK_SIGNER),
    code("signature-length", "a signature is not as long as one of Ed25519", ASK_SIGNER),
    code("signature-der", "a signature is not the one DER encoding of ECDSA's", ASK_SIGNER),
    code("signature-raw", "a signature is a bare r||s instead of DER", ASK_SIGNER),
    code("signature-range", "a number in a signature is out of range", ASK_SIGNER),
    code("signature-other-type", "a signature is of another type than the key", WRONG_KEY),
    code("signature-other-key", "a signature does not fit the key, and names another one", WRONG_KEY),
    code("signature-not-pae", "a signature covers the payload without its type", ASK_SIGNER),
    code("signature-wrong", "a signature does not fit: key, payload or signature is another one", WRONG_KEY),
    code("statement-too-large", "a statement is longer than any that is read", ASK_SIGNER),
    code("statement-byte-order-mark", "a statement begins with a byte-order mark", ASK_SIGNER),
    code("statement-encoding", "a statement is not UTF-8", ASK_SIGNER),
    code("statement-duplicate-key", "a key stands twice in an object of a statement", ASK_SIGNER),
    code("statement-too-deep", "a statement is nested too deeply", ASK_SIGNER),
    code("statement-trailing", "something follows a statement", ASK_SIGNER),
    code("statement-syntax", "a statement is not JSON", ASK_SIGNER),
    code("statement-type", "a statement is not in-toto's, version 1", ASK_SIGNER),
    code("statement-field-missing", "a statement lacks a field", ASK_SIGNER),
    code("statement-field-kind", "a field of a statement is of another type", ASK_SIGNER),
    code("statement-no-subject", "a statement is about nothing", ASK_SIGNER),
    code("statement-no-digest", "a subject has no digest", ASK_SIGNER),
    code("statement-no-sha256", "a subject has digests, and no sha256", ASK_SIGNER),
    code("statement-digest-form", "a subject's sha256 is not 64 lower-case hexadecimal digits", ASK_SIGNER),
    code("statement-wrong-digest", "a statement is about another file of this name", OTHER_FILE),
    code(
        "statement-wrong-subject",
        "a statement is about other files",
        "name what is signed about this file with `--bundle FILE`",
    ),
    code("statement-predicate", "a statement says nothing", ASK_SIGNER),
    code(
        "statement-predicate-type",
        "a statement says another kind of thing than was expected",
        "name the kind with `--predicate-type URI`, or another bundle",
    ),
    code(
        "provenance-missing",
        "a builder was expected, and no provenance is signed",
        "name the signed provenance with `--bundle FILE`",
    ),
    code("provenance-field-missing", "a provenance lacks what SLSA requires", ASK_SIGNER),
    code("provenance-field-kind", "a field of a provenance is of another type", ASK_SIGNER),
    code("provenance-build-type", "a provenance is of builds by other means", ASK_SIGNER),
    code("provenance-external-parameter", "a provenance has a parameter that no build has", ASK_SIGNER),
    code(
        "provenance-builder",
        "a provenance names another builder than was expected",
        "do not run it, unless you trust that builder too: `--expect-builder URI`",
    ),
    code("provenance-differs", "a provenance says something else of the file than the file itself", ASK_SIGNER),
    code("provenance-byproduct", "a provenance names other SBOMs than the file has", ASK_SIGNER),
    // SBOMs.
    code("sbom-json", "an SBOM is not JSON that has one meaning", OTHER_SBOM),
    code("sbom-format", "an SBOM is neither CycloneDX 1 nor SPDX 2", OTHER_SBOM),
    code("sbom-subject", "an SBOM is of another file", OTHER_SBOM),
    code("sbom-extra", "an SBOM lists what is not in the file", OTHER_SBOM),
    code("sbom-missing", "an SBOM does not list what is in the file", OTHER_SBOM),
    code("sbom-hash", "an SBOM has another digest of a wheel", OTHER_SBOM),
    code("sbom-differs", "an SBOM of pyzpack is not what it writes of this file", OTHER_SBOM),
    code("sbom-byproduct", "an SBOM is not the one that the signed provenance names", OTHER_SBOM),
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
        "name a reason to trust it: `--key PUB`, `--sha256 HEX` or `--checksums FILE`",
    ),
];
