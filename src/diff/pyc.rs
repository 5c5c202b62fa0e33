//! Compiled modules: the header (PEP 3147, PEP 552), and the code behind it by functions.

use crate::bytecode::{CodeComparison, KNOWN, compare_code};
use crate::target::PythonMinor;

use super::cause::CauseKind;
use super::difference::{Line, hex, hex_of};
use super::telling::explain_pair;

/// The length of a header.
const HEADER: usize = 16;

/// The magic numbers of finished releases (`Include/internal/pycore_magic_number.h`).
const MAGIC: [(u16, PythonMinor); 7] = [
    (3413, PythonMinor::new(3, 8)),
    (3425, PythonMinor::new(3, 9)),
    (3439, PythonMinor::new(3, 10)),
    (3495, PythonMinor::new(3, 11)),
    (3531, PythonMinor::new(3, 12)),
    (3571, PythonMinor::new(3, 13)),
    (3627, PythonMinor::new(3, 14)),
];

const OTHER_CODE: &str = "compiled modules have other code: other sources";

/// How two compiled modules differ.
pub(super) struct PycDifference {
    pub(super) lines: Vec<Line>,
    /// Why; none where the code tells nothing.
    pub(super) causes: Vec<(CauseKind, &'static str)>,
}

/// Compares two compiled modules; none where one has no header of a Python.
pub(super) fn compare_modules(first: &[u8], second: &[u8]) -> Option<PycDifference> {
    let ((one, code), (other, other_code)) = (split(first)?, split(second)?);
    let mut found = PycDifference { lines: Vec::new(), causes: Vec::new() };
    let mut row = |name: &str, sides: [String; 2]| {
        if sides[0] != sides[1] {
            let [one, other] = sides;
            found.lines.extend([Line::First(format!("{name}: {one}")), Line::Second(format!("{name}: {other}"))]);
        }
    };
    let headers = [one, other];
    row("compiled by", headers.map(show_magic));
    row("checked against its source by", headers.map(show_check));
    let (field, other_field) = (show_source(one), show_source(other));
    if field.0 == other_field.0 {
        row(field.0, [field.1, other_field.1]);
    } else {
        row("source", [format!("{} {}", field.0, field.1), format!("{} {}", other_field.0, other_field.1)]);
    }
    if one[..4] != other[..4] {
        found.causes.push((CauseKind::BytecodeVersion, "compiled by another version of Python"));
        return Some(found);
    }
    if one[4..] != other[4..] {
        let text = match (one[4], other[4], one[12..] == other[12..]) {
            (0, 0, true) => {
                "compiled modules hold the time of their source: compile with SOURCE_DATE_EPOCH, or with unchecked hashes"
            }
            (0, 0, false) => "compiled modules are of sources of another size",
            (one, other, _) if one != other => "compiled modules are checked against their sources in another way",
            _ => "compiled modules are of other sources",
        };
        found.causes.push((CauseKind::BytecodeSource, text));
    }
    if code == other_code {
        return Some(found);
    }
    // Of later ones the version is known, and not the code.
    let python = MAGIC
        .iter()
        .find(|(magic, _)| *magic == u16::from_le_bytes([one[0], one[1]]))
        .map(|known| known.1)
        .filter(|python| *python <= KNOWN.1);
    match python.and_then(|python| compare_code(code, other_code, python).ok()) {
        Some(CodeComparison::Spelling) => {
            found.lines.push(Line::Place("the same code, spelled otherwise (marks of shared objects)".to_owned()));
            let text =
                "compiled modules have the same code, spelled otherwise: what is shared in the process that compiles";
            found.causes.push((CauseKind::BytecodeSpelling, text));
        }
        Some(CodeComparison::Differs(differences)) => {
            let mut only_paths = true;
            for difference in &differences {
                only_paths &= difference.part == "file name";
                found.lines.push(Line::Place(format!("{}, {}", difference.function, difference.part)));
                found.lines.push(Line::First(difference.sides[0].clone()));
                found.lines.push(Line::Second(difference.sides[1].clone()));
                if let Some(kind) = explain_pair(&difference.sides[0], &difference.sides[1])
                    && difference.part == "constants"
                {
                    found.causes.push((kind, super::contents::explain(kind)));
                }
            }
            if only_paths && !differences.is_empty() {
                let text = "compiled modules hold the path that they were compiled at (co_filename)";
                found.causes.push((CauseKind::BytecodePath, text));
            } else if found.causes.is_empty() {
                found.causes.push((CauseKind::Sources, OTHER_CODE));
            }
        }
        None => {
            let at = code.iter().zip(other_code).take_while(|(one, other)| one == other).count();
            found.lines.push(Line::Place(format!("code, from byte {at} on")));
            found.lines.push(Line::First(hex(&code[at..])));
            found.lines.push(Line::Second(hex(&other_code[at..])));
            found.causes.push((CauseKind::Sources, OTHER_CODE));
        }
    }
    found.causes.dedup();
    Some(found)
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // Every magic number ends in a carriage return and a newline.
    bytes.split_at_checked(HEADER).filter(|(header, _)| header[2..4] == *b"\r\n")
}

fn show_magic(header: &[u8]) -> String {
    let magic = u16::from_le_bytes([header[0], header[1]]);
    match MAGIC.iter().find(|(known, _)| *known == magic) {
        Some((_, python)) => format!("CPython {python} (magic {magic})"),
        None => format!("magic {magic}"),
    }
}

fn show_check(header: &[u8]) -> String {
    match u32::from_le_bytes([header[4], header[5], header[6], header[7]]) {
        0 => "time and size".to_owned(),
        1 => "nothing (unchecked hash)".to_owned(),
        3 => "its hash".to_owned(),
        other => format!("flags {other:#x}"),
    }
}

fn show_source(header: &[u8]) -> (&'static str, String) {
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header[4] & 1 == 0 {
        ("time and size of the source", format!("{}, {} bytes", number(8), number(12)))
    } else {
        ("hash of the source", hex_of(&header[8..]))
    }
}
