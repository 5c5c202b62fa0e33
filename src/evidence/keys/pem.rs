//! PEM (RFC 7468), read as people keep it: text may stand before and after the one block, lines may end in CRLF or blanks.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::zeroize::Zeroizing;

use super::KeyFault;

/// More bytes than any key with comments has.
const LIMIT: usize = 64 << 10;

/// What stands between `-----BEGIN LABEL-----` and `-----END LABEL-----`. It may be a secret.
pub(super) struct PemBlock {
    pub(super) label: String,
    pub(super) der: Zeroizing<Vec<u8>>,
}

impl PemBlock {
    /// Reads the one block in `text`.
    pub(super) fn read(text: &[u8]) -> Result<Self, KeyFault> {
        if text.len() > LIMIT {
            return Err(KeyFault::TooLarge { limit: LIMIT });
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).collect();
        let begins: Vec<(usize, &str)> =
            lines.iter().enumerate().filter_map(|(at, line)| Some((at, boundary(line, b"-----BEGIN ")?))).collect();
        let (first, label) = match begins.as_slice() {
            [] if find(text, b"-----BEGIN ") => return Err(KeyFault::Pem("its first line does not stand alone")),
            [] => return Err(KeyFault::NoPem),
            [one] => *one,
            // As `openssl ecparam -genkey` writes it.
            [(_, "EC PARAMETERS"), (_, "EC PRIVATE KEY")] => return Err(KeyFault::Sec1),
            several => return Err(KeyFault::Blocks(several.len())),
        };
        let body = &lines[first + 1..];
        let end = body.iter().position(|line| line.starts_with(b"-----"));
        let end = end.filter(|at| boundary(body[*at], b"-----END ") == Some(label));
        let body = &body[..end.ok_or(KeyFault::Pem("it has no end"))?];
        // RFC 1421, 4.6.1.1: `Proc-Type: 4,ENCRYPTED`.
        if body.iter().any(|line| line.contains(&b':')) {
            let encrypted = body.iter().any(|line| line.ends_with(b"ENCRYPTED"));
            return Err(if encrypted { KeyFault::Encrypted } else { KeyFault::Pem("it has headers") });
        }
        let digits = Zeroizing::new(body.concat());
        // A vector that grows leaves copies of the secret behind.
        let mut der = Zeroizing::new(vec![0; digits.len() / 4 * 3 + 3]);
        let length = STANDARD.decode_slice(&*digits, &mut der).map_err(|_| KeyFault::Pem("it is not base64"))?;
        der.truncate(length);
        Ok(Self { label: label.to_owned(), der })
    }
}

/// `der` as one block.
pub(super) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(2 * digits.len() + 2 * label.len() + 40));
    let _ = writeln!(text, "-----BEGIN {label}-----");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}

/// The label of a line that begins or ends a block.
fn boundary<'a>(line: &'a [u8], kind: &[u8]) -> Option<&'a str> {
    let label = line.strip_prefix(kind)?.strip_suffix(b"-----")?;
    let plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    std::str::from_utf8(label).ok().filter(|label| label.bytes().all(|byte| plain(&byte)))
}

fn find(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
