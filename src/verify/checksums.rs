//! Checksum files, as `sha256sum` writes them: what they say of one file.
//!
//! A line is `DIGEST`, a blank, a blank or `*`, and a name to the end of the line; where it begins with a backslash, `\\`,
//! `\n` and `\r` in the name are escapes. Empty lines and lines that begin with `#` say nothing. Any other line is refused:
//! what two readers may take for different things is no reason to trust.

use std::path::Path;

use super::opened::{VerifyError, read_named};
use super::problem::Problem;
use crate::digest::Sha256Digest;

/// The longest checksum file: a hundred thousand files.
const LIMIT: u64 = 16 << 20;

/// What a checksum file says.
#[derive(Debug)]
pub(super) struct Checksums {
    file: String,
    /// The line's number, the name, and the digest.
    lines: Vec<(usize, Vec<u8>, Sha256Digest)>,
}

impl Checksums {
    /// Reads the checksum file at `path`.
    pub(super) fn read(path: &Path) -> Result<Result<Self, Problem>, VerifyError> {
        let bytes = read_named(path, LIMIT)?;
        Ok(Self::parse(&super::file_name(path), &bytes))
    }

    fn parse(file: &str, bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() as u64 > LIMIT {
            return Err(Problem::ChecksumsTooLong { file: file.to_owned(), limit: LIMIT });
        }
        let mut lines = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let malformed = || Problem::ChecksumsMalformed { file: file.to_owned(), line: index + 1 };
            let (name, digest) = parse_line(line).ok_or_else(malformed)?;
            lines.push((index + 1, name, digest));
        }
        Ok(Self { file: file.to_owned(), lines })
    }

    /// The number of the line that has the file called `name` with the digest `found`. Of a name with directories the last
    /// part counts; where several lines name the file, all must have its digest.
    pub(super) fn check(&self, name: &str, found: Sha256Digest) -> Result<usize, Problem> {
        let of_file = |(_, listed, _): &&(usize, Vec<u8>, Sha256Digest)| {
            listed.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes())
        };
        let mut lines = self.lines.iter().filter(of_file);
        let (file, name) = (self.file.clone(), name.to_owned());
        let Some((number, _, expected)) = lines.next() else { return Err(Problem::ChecksumsNoEntry { file, name }) };
        if let Some((other, _, _)) = lines.find(|(_, _, other)| other != expected) {
            return Err(Problem::ChecksumsAmbiguous { file, name, lines: (*number, *other) });
        }
        if *expected == found {
            Ok(*number)
        } else {
            Err(Problem::ChecksumsDiffers { file, line: *number, expected: *expected, found })
        }
    }
}

fn parse_line(line: &[u8]) -> Option<(Vec<u8>, Sha256Digest)> {
    let (escaped, line) = line.strip_prefix(b"\\").map_or((false, line), |rest| (true, rest));
    let (digest, rest) = line.split_at_checked(64)?;
    let digest = std::str::from_utf8(digest).ok()?.parse().ok()?;
    let name = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *")).filter(|name| !name.is_empty())?;
    if !escaped {
        return Some((name.to_vec(), digest));
    }
    let mut unescaped = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        unescaped.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some((unescaped, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str, name: &str) -> Result<usize, String> {
        let found = Sha256Digest::of(b"app");
        let right = found.to_string();
        let wrong = Sha256Digest::of(b"other").to_string();
        let text = text.replace("RIGHT", &right).replace("UPPER", &right.to_uppercase()).replace("WRONG", &wrong);
        let read = Checksums::parse("SHA256SUMS", text.as_bytes()).and_then(|checksums| checksums.check(name, found));
        read.map_err(|problem| {
            format!("{}: {problem}", problem.code()).replace(&right, "RIGHT").replace(&wrong, "WRONG")
        })
    }

    #[test]
    fn reads_what_sha256sum_writes() {
        for (text, line) in [
            ("RIGHT  app.pyz\n", 1),
            ("RIGHT *app.pyz", 1),
            ("RIGHT  app.pyz\r\n", 1),
            ("UPPER  app.pyz\n", 1),
            ("WRONG  other\n\n# a comment\nRIGHT  app.pyz\n", 4),
            ("WRONG  app.pyz.cdx.json\nRIGHT  app.pyz\n", 2),
            ("RIGHT  ./app.pyz\n", 1),
            ("RIGHT  dist/app.pyz\nRIGHT  app.pyz\n", 1),
            ("\\WRONG  a\\\\b\\n\nRIGHT  app.pyz\n", 2),
        ] {
            assert_eq!(look(text, "app.pyz"), Ok(line), "{text}");
        }
        assert_eq!(look("\\RIGHT  a\\\\b\\nc\n", "a\\b\nc"), Ok(1));
    }

    #[test]
    fn refuses_what_says_nothing_or_two_things_of_the_file() {
        let malformed =
            |line| Err(format!("checksums-malformed: line {line} of `SHA256SUMS` is not one of `sha256sum`"));
        for (text, expected) in [
            ("RIGHT app.pyz\n", malformed(1)),
            ("RIGHT  app.pyz\nRIGHT\n", malformed(2)),
            ("RIGHT  \n", malformed(1)),
            ("SHA256 (app.pyz) = RIGHT\n", malformed(1)),
            ("d41d8cd98f00b204e9800998ecf8427e  app.pyz\n", malformed(1)),
            ("\\RIGHT  app\\x.pyz\n", malformed(1)),
            ("", Err("checksums-no-entry: `SHA256SUMS` has no line for `app.pyz`".to_owned())),
            ("RIGHT  app.pyz.old\n", Err("checksums-no-entry: `SHA256SUMS` has no line for `app.pyz`".to_owned())),
            ("RIGHT  app.pyz \n", Err("checksums-no-entry: `SHA256SUMS` has no line for `app.pyz`".to_owned())),
            ("#RIGHT  app.pyz\n", Err("checksums-no-entry: `SHA256SUMS` has no line for `app.pyz`".to_owned())),
            (
                "RIGHT  a/app.pyz\nWRONG  b/app.pyz\n",
                Err("checksums-ambiguous: lines 1 and 2 of `SHA256SUMS` have different digests of `app.pyz`".to_owned()),
            ),
            (
                "\nWRONG  app.pyz\n",
                Err("checksums-differs: line 2 of `SHA256SUMS`: expected WRONG, found RIGHT".to_owned()),
            ),
        ] {
            assert_eq!(look(text, "app.pyz"), expected, "{text}");
        }
    }
}
