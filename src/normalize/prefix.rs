//! What stands before an archive: a first line, a script or a program, which stays. Tools that look for a zip from the
//! file's first byte on (7z, bsdtar, whatever reads a pipe) take what they find there, so that a second archive, or a
//! member that no directory lists, would be read by some and not by others: anything that could be one is refused, also
//! where it is but a constant in a program that unpacks zips.

use memchr::memmem;

use crate::archive::{ReadError, Source, ZipFault};

/// What may stand before an archive whose offsets count from the file's first byte.
const LONGEST: u64 = 64 << 20;

/// A longer first line is none.
const LONGEST_LINE: u64 = 64 << 10;

/// What is searched at a time.
const PIECE: u64 = 1 << 20;

/// How what may stand before an archive begins: a script, a program for Windows, one for unix. Other archives and
/// compressed streams, which tools tell by their first bytes, begin otherwise.
const BEGINNINGS: [&[u8]; 3] = [b"#!", b"MZ", b"\x7fELF"];

/// What tools look for behind a script or a program: parts of a zip (APPNOTE 4.3), other self-extracting archives, and
/// the volume descriptor of a disc image, before which anything may stand.
const SIGNATURES: [(&[u8], &str); 9] = [
    (b"PK\x03\x04", "holds the signature of a zip's local header"),
    (b"PK\x01\x02", "holds the signature of a zip's central header"),
    (b"PK\x05\x06", "holds the signature of a zip's end record"),
    (b"PK\x06\x06", "holds the signature of a zip64 end record"),
    (b"PK\x06\x07", "holds the signature of a zip64 locator"),
    (b"7z\xbc\xaf\x27\x1c", "holds the signature of a 7z archive"),
    (b"Rar!\x1a\x07", "holds the signature of a RAR archive"),
    (b"MSCF\0\0\0\0", "holds the signature of a cabinet"),
    (b"\x01CD001\x01", "holds the signature of a disc image"),
];

/// Reads what stands before the archive, `length` bytes: tells how much of it is merely copied, and gives what offsets
/// count in, where they counted from `base`.
pub(super) fn read_prefix(source: &Source, base: u64, length: u64) -> Result<(u64, Vec<u8>), ReadError> {
    check(source, length)?;
    let base = if read_first_line(source, length)? == Some(length) { 0 } else { base };
    let counted = length - base;
    if counted > LONGEST {
        let fault = ZipFault::Limit { what: "what stands before the archive", found: counted, limit: LONGEST };
        return Err(ReadError::archive(fault));
    }
    Ok((base, source.read_vec(base, counted)?))
}

/// The length of the first line with its newline; none where the first `length` bytes do not begin with one.
fn read_first_line(source: &Source, length: u64) -> Result<Option<u64>, ReadError> {
    let head = source.read_vec(0, length.min(LONGEST_LINE))?;
    let end = head.starts_with(b"#!").then(|| memchr::memchr(b'\n', &head)).flatten();
    Ok(end.map(|end| end as u64 + 1))
}

/// Refuses what a tool could take for another archive.
fn check(source: &Source, length: u64) -> Result<(), ReadError> {
    let refused = |what, offset| Err(ReadError::archive(ZipFault::Prefix { what, offset }));
    let longest = SIGNATURES.iter().map(|(signature, _)| signature.len() as u64).max().unwrap_or_default();
    let finders = SIGNATURES.map(|(signature, what)| (memmem::Finder::new(signature), what));
    let mut start = 0;
    while start < length {
        // Pieces overlap, so that nothing hides across their borders.
        let piece = source.read_vec(start, (length - start).min(PIECE + longest - 1))?;
        let found = finders.iter().filter_map(|(finder, what)| Some((finder.find(&piece)?, *what))).min();
        if let Some((at, what)) = found {
            return refused(what, start + at as u64);
        }
        start += PIECE;
    }
    let head = source.read_vec(0, length.min(512))?;
    if !head.is_empty() && !BEGINNINGS.iter().any(|beginning| head.starts_with(beginning)) {
        return refused("is neither a script (`#!`) nor a program (`MZ`, ELF)", 0);
    }
    if is_tar_header(&head) {
        return refused("is a tar archive", 0);
    }
    Ok(())
}

/// Whether it holds the sum of its own bytes, the sum itself counted as spaces: the names of a tar's members begin with
/// anything, and a tar of the old kind has no magic number.
fn is_tar_header(head: &[u8]) -> bool {
    let Some(field) = head.get(148..156).filter(|_| head.len() == 512) else { return false };
    let told = String::from_utf8_lossy(field);
    let told = u32::from_str_radix(told.trim_matches([' ', '\0']), 8);
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    told == Ok(sum(&head[..148]) + 8 * u32::from(b' ') + sum(&head[156..]))
}
