//! RECORD: every file of a wheel with its digest and size (PEP 376, PEP 427; binary distribution format, "RECORD").

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha384, Sha512};

use crate::digest::Sha256Digest;

/// A digest as a RECORD states it: sha256 or stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordDigest {
    Sha256([u8; 32]),
    Sha384([u8; 48]),
    Sha512([u8; 64]),
}

/// What a row of RECORD says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordRow {
    pub(crate) digest: RecordDigest,
    pub(crate) size: u64,
}

/// The rows of a RECORD by path. RECORD itself and its signatures have no digest: their rows are left out.
#[derive(Debug)]
pub(crate) struct Record(pub(crate) BTreeMap<String, RecordRow>);

/// Why a RECORD cannot be used, or what in the wheel is not as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// Not UTF-8, or not rows of three fields (RFC 4180).
    #[error("line {0} is malformed")]
    Line(usize),
    /// A file with two rows.
    #[error("two rows for `{0}`")]
    Repeated(String),
    /// A row without digest or size, or with a weak or malformed digest.
    #[error("no digest of sha256 or stronger, with a size, for `{0}`")]
    Weak(String),
    /// A row whose file is not there.
    #[error("a row for `{0}`, which is not in the wheel")]
    Ghost(String),
    /// A file without a row.
    #[error("no row for this file")]
    Unlisted,
    /// A file of another size.
    #[error("size: expected {expected}, found {found}")]
    Size {
        /// As RECORD says.
        expected: u64,
        /// As the archive has it.
        found: u64,
    },
    /// A file of another digest.
    #[error("{algorithm}: expected {expected}, found {found}")]
    Digest {
        /// The algorithm.
        algorithm: &'static str,
        /// In hexadecimal, as RECORD says.
        expected: String,
        /// In hexadecimal, as computed.
        found: String,
    },
}

impl Record {
    /// Reads the RECORD that lies in the directory `dist_info`.
    pub(crate) fn parse(bytes: &[u8], dist_info: &str) -> Result<Self, RecordFault> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| RecordFault::Line(bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count()))?;
        let mut rows = BTreeMap::new();
        for (number, fields) in parse_csv(text)? {
            let [path, digest, size] = <[String; 3]>::try_from(fields).map_err(|_| RecordFault::Line(number))?;
            if is_unhashed(&path, dist_info) {
                continue;
            }
            let row = parse_digest(&digest).zip(size.parse().ok());
            let (digest, size) = row.ok_or_else(|| RecordFault::Weak(path.clone()))?;
            if rows.insert(path.clone(), RecordRow { digest, size }).is_some() {
                return Err(RecordFault::Repeated(path));
            }
        }
        Ok(Self(rows))
    }
}

/// Whether `path` is RECORD itself or a signature of it, which RECORD cannot give a digest of (PEP 427).
pub(crate) fn is_unhashed(path: &str, dist_info: &str) -> bool {
    path.strip_prefix(dist_info)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|name| matches!(name, "RECORD" | "RECORD.jws" | "RECORD.p7s"))
}

/// Rows of comma-separated fields, quoted where they hold a comma, quote or line break (RFC 4180), with the number of
/// the line that each begins on. Empty lines are passed over.
fn parse_csv(text: &str) -> Result<Vec<(usize, Vec<String>)>, RecordFault> {
    let mut rows = Vec::new();
    let mut characters = text.chars().peekable();
    let mut line = 1;
    while characters.peek().is_some() {
        let start = line;
        let mut fields = vec![String::new()];
        loop {
            let field = fields.last_mut().expect("a row begins with one field");
            match characters.next() {
                Some('"') if field.is_empty() => loop {
                    match characters.next() {
                        Some('"') if characters.peek() == Some(&'"') => {
                            characters.next();
                            field.push('"');
                        }
                        Some('"') => break,
                        Some(character) => {
                            line += usize::from(character == '\n');
                            field.push(character);
                        }
                        None => return Err(RecordFault::Line(start)),
                    }
                },
                Some(',') => fields.push(String::new()),
                Some('\r') if characters.peek() == Some(&'\n') => {}
                None | Some('\n') => break,
                Some(character) => field.push(character),
            }
        }
        line += 1;
        if fields != [""] {
            rows.push((start, fields));
        }
    }
    Ok(rows)
}

fn parse_digest(text: &str) -> Option<RecordDigest> {
    let (algorithm, value) = text.split_once('=')?;
    let bytes = decode_base64url(value)?;
    match algorithm.to_ascii_lowercase().as_str() {
        "sha256" => bytes.try_into().ok().map(RecordDigest::Sha256),
        "sha384" => bytes.try_into().ok().map(RecordDigest::Sha384),
        "sha512" => bytes.try_into().ok().map(RecordDigest::Sha512),
        _ => None,
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Decodes URL-safe base64 (RFC 4648, section 5), with or without padding.
fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|symbol| *symbol == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    // What is left over is padding and must be zero, or one digest would have several spellings.
    (bits & ((1 << count) - 1) == 0 && count < 6).then_some(bytes)
}

/// Encodes as RECORD has it: URL-safe base64 without padding.
pub(crate) fn encode_base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// The computation that a row's digest needs, beside the SHA-256 that is made of every file.
pub(crate) enum Check {
    Sha256([u8; 32]),
    Sha384(Box<Sha384>, [u8; 48]),
    Sha512(Box<Sha512>, [u8; 64]),
}

impl Check {
    pub(crate) fn new(digest: RecordDigest) -> Self {
        match digest {
            RecordDigest::Sha256(expected) => Self::Sha256(expected),
            RecordDigest::Sha384(expected) => Self::Sha384(Box::default(), expected),
            RecordDigest::Sha512(expected) => Self::Sha512(Box::default(), expected),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(_) => {}
            Self::Sha384(hasher, _) => hasher.update(bytes),
            Self::Sha512(hasher, _) => hasher.update(bytes),
        }
    }

    /// Compares, given the SHA-256 of all the bytes.
    pub(crate) fn finish(self, sha256: &Sha256Digest) -> Result<(), RecordFault> {
        let compare = |algorithm, expected: &[u8], found: &[u8]| {
            let hex = |bytes: &[u8]| {
                bytes.iter().fold(String::new(), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                })
            };
            let fault = || RecordFault::Digest { algorithm, expected: hex(expected), found: hex(found) };
            if expected == found { Ok(()) } else { Err(fault()) }
        };
        match self {
            Self::Sha256(expected) => compare("sha256", &expected, sha256.as_bytes()),
            Self::Sha384(hasher, expected) => compare("sha384", &expected, &hasher.finalize()),
            Self::Sha512(hasher, expected) => compare("sha512", &expected, &hasher.finalize()),
        }
    }
}

/// One row as we write it: quoted only where a comma or a quote asks for it.
pub(crate) fn write_row(record: &mut String, path: &str, file: Option<(&Sha256Digest, u64)>) {
    if path.contains([',', '"']) {
        let _ = write!(record, "\"{}\"", path.replace('"', "\"\""));
    } else {
        record.push_str(path);
    }
    match file {
        Some((sha256, size)) => {
            let _ = writeln!(record, ",sha256={},{size}", encode_base64url(sha256.as_bytes()));
        }
        None => record.push_str(",,\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    fn parse(text: &str) -> Result<Vec<(String, u64)>, RecordFault> {
        Record::parse(text.as_bytes(), "a-1.dist-info")
            .map(|record| record.0.into_iter().map(|(path, row)| (path, row.size)).collect())
    }

    #[test]
    fn reads_rows_quoted_or_not_and_leaves_out_those_without_digest() {
        let text = format!(
            "a.py,sha256={EMPTY},0\r\n\"b,\"\"c\"\".py\",sha256={EMPTY}=,7\n\nd,sha256={EMPTY},1\n\
             a-1.dist-info/RECORD,,\na-1.dist-info/RECORD.jws,,"
        );
        let rows = [("a.py", 0), ("b,\"c\".py", 7), ("d", 1)].map(|(path, size)| (path.to_owned(), size));
        assert_eq!(parse(&text), Ok(rows.into()));
    }

    #[test]
    fn refuses_malformed_weak_and_repeated_rows() {
        for (text, fault) in [
            ("a.py,sha256=x".to_owned(), RecordFault::Line(1)),
            (format!("a,sha256={EMPTY},0\n\"b"), RecordFault::Line(2)),
            ("a.py,,".to_owned(), RecordFault::Weak("a.py".to_owned())),
            (format!("a.py,sha256={EMPTY},"), RecordFault::Weak("a.py".to_owned())),
            ("a.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0".to_owned(), RecordFault::Weak("a.py".to_owned())),
            (format!("a.py,sha256={EMPTY}A,0"), RecordFault::Weak("a.py".to_owned())),
            // The last digit's two low bits are padding: a spelling that sets them is not the digest's.
            (format!("a.py,sha256={}V,0", &EMPTY[..42]), RecordFault::Weak("a.py".to_owned())),
            (format!("a,sha256={EMPTY},0\na,sha256={EMPTY},0\n"), RecordFault::Repeated("a".to_owned())),
        ] {
            assert_eq!(parse(&text), Err(fault), "{text}");
        }
        assert_eq!(Record::parse(b"a,,\n\xff", "a-1.dist-info").unwrap_err(), RecordFault::Line(2));
    }

    #[test]
    fn writes_what_it_reads() {
        let mut text = String::new();
        write_row(&mut text, "a,\"b\".py", Some((&Sha256Digest::of(b""), 0)));
        write_row(&mut text, "a-1.dist-info/RECORD", None);
        assert_eq!(text, format!("\"a,\"\"b\"\".py\",sha256={EMPTY},0\na-1.dist-info/RECORD,,\n"));
        assert_eq!(parse(&text), Ok(vec![("a,\"b\".py".to_owned(), 0)]));
    }
}
