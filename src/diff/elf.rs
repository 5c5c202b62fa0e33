//! ELF: which sections differ, by name, and what can be read in them: build identifiers, compilers, texts. Everything else of
//! the file (headers, what lies between sections) is one more part, so that no byte is left out.
//!
//! Read are the section headers (System V ABI, "Sections"), of either width and byte order; nothing is taken apart further.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use super::blob::{Blob, SMALL, first_difference};
use super::cause::CauseKind;
use super::difference::{LINE, Line, cut, hex, hex_of};
use super::telling::explain_pair;

/// How many sections are read.
const MOST_SECTIONS: u64 = 10_000;

/// How many texts of a section are told of either side.
const MOST_TEXTS: usize = 12;

/// The shortest text that is told.
const SHORTEST: usize = 5;

/// A section.
#[derive(Debug)]
struct Section {
    name: String,
    kind: u32,
    offset: u64,
    size: u64,
}

/// A file's sections, and what its header says.
struct Elf {
    sections: Vec<Section>,
    header: Vec<u8>,
    machine: u16,
}

/// How two binaries differ.
pub(super) struct ElfDifference {
    pub(super) lines: Vec<Line>,
    pub(super) sections: Vec<String>,
    pub(super) causes: Vec<(CauseKind, String)>,
}

pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

/// Compares two binaries; none where the section headers of one cannot be read.
pub(super) fn compare_binaries(first: &Blob, second: &Blob) -> io::Result<Option<ElfDifference>> {
    let (Some(one), Some(other)) = (read_elf(first)?, read_elf(second)?) else { return Ok(None) };
    let mut found = ElfDifference { lines: Vec::new(), sections: Vec::new(), causes: Vec::new() };
    if one.machine != other.machine {
        found.sections.push("header".to_owned());
        found.lines.push(Line::First(format!("machine {}", one.machine)));
        found.lines.push(Line::Second(format!("machine {}", other.machine)));
        found.causes.push((CauseKind::Compiler, "binaries are for different processors".to_owned()));
    }
    let by_name = |elf: &Elf| {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut places: BTreeMap<(String, usize), usize> = BTreeMap::new();
        for (index, section) in elf.sections.iter().enumerate() {
            let nth = seen.entry(section.name.clone()).or_default();
            places.insert((section.name.clone(), *nth), index);
            *nth += 1;
        }
        places
    };
    let (ours, theirs) = (by_name(&one), by_name(&other));
    let keys: BTreeSet<&(String, usize)> = ours.keys().chain(theirs.keys()).collect();
    for key in keys {
        let name = &key.0;
        match (ours.get(key), theirs.get(key)) {
            (Some(index), Some(other_index)) => {
                let (section, other_section) = (&one.sections[*index], &other.sections[*other_index]);
                compare_sections(name, (first, section), (second, other_section), &mut found)?;
            }
            (Some(_), None) => {
                found.sections.push(name.clone());
                found.lines.push(Line::First(format!("section {name}")));
            }
            _ => {
                found.sections.push(name.clone());
                found.lines.push(Line::Second(format!("section {name}")));
            }
        }
    }
    if found.sections.is_empty() {
        let at = first_difference(first, second)?.unwrap_or_default();
        let text = if one.header == other.header { "between its sections" } else { "in its headers" };
        found.sections.push(text.to_owned());
        found.lines.push(Line::Place(format!("no section differs; from byte {at} on, {text}")));
    }
    explain(&mut found);
    Ok(Some(found))
}

/// Why sections differ, where their names tell.
fn explain(found: &mut ElfDifference) {
    let is_debug = |name: &String| {
        name.starts_with(".debug_")
            || name.starts_with(".zdebug_")
            || [".gnu_debuglink", ".symtab", ".strtab"].contains(&name.as_str())
    };
    let is_note = |name: &String| name == ".note.gnu.build-id";
    let has = |wanted: &str| found.sections.iter().any(|name| name == wanted);
    let told = |kind: CauseKind| found.causes.iter().any(|cause| cause.0 == kind);
    let mut causes = Vec::new();
    if has(".comment") {
        causes.push((CauseKind::Compiler, "binaries were built by different compilers (.comment)".to_owned()));
    }
    if found.sections.iter().all(is_note) && !found.sections.is_empty() {
        let text = "binaries differ in their build id alone: what was linked differed in what was stripped since";
        causes.push((CauseKind::DebugInfo, text.to_owned()));
    } else if found.sections.iter().all(|name| is_debug(name) || is_note(name)) {
        let text = "binaries differ in debug information and symbols alone: paths of the build, or its temporary names";
        causes.push((CauseKind::DebugInfo, text.to_owned()));
    } else if causes.is_empty() && !told(CauseKind::Path) && !told(CauseKind::Time) {
        causes.push((
            CauseKind::Sources,
            "binaries have other code or data: other sources, options or compiler".to_owned(),
        ));
    }
    found.causes.extend(causes);
    found.causes.sort();
    found.causes.dedup();
}

fn compare_sections(
    name: &str,
    first: (&Blob, &Section),
    second: (&Blob, &Section),
    found: &mut ElfDifference,
) -> io::Result<()> {
    /// Of no bytes in the file (`SHT_NOBITS`).
    const NO_BITS: u32 = 8;
    let (one, other) = (first.1, second.1);
    let is_empty = one.kind == NO_BITS || other.kind == NO_BITS;
    let at = if is_empty { None } else { difference_of(first, second)? };
    if at.is_none() && one.size == other.size && one.kind == other.kind {
        return Ok(());
    }
    found.sections.push(name.to_owned());
    let sizes = if one.size == other.size {
        format!("{} bytes", one.size)
    } else {
        format!("{} and {} bytes", one.size, other.size)
    };
    let place = at.map(|at| format!(", from byte {at} of it on")).unwrap_or_default();
    found.lines.push(Line::Place(format!("section {name}: {sizes}{place}")));
    if is_empty || one.size > SMALL || other.size > SMALL {
        return Ok(());
    }
    let (bytes, other_bytes) = (first.0.read(one.offset, one.size)?, second.0.read(other.offset, other.size)?);
    if name == ".note.gnu.build-id" {
        let id = |bytes: &[u8]| format!("build id {}", hex_of(bytes.get(16..80.min(bytes.len())).unwrap_or_default()));
        found.lines.push(Line::First(id(&bytes)));
        found.lines.push(Line::Second(id(&other_bytes)));
        return Ok(());
    }
    let (texts, other_texts) = (texts_of(&bytes), texts_of(&other_bytes));
    let known: BTreeSet<&str> = texts.iter().copied().collect();
    let other_known: BTreeSet<&str> = other_texts.iter().copied().collect();
    let ours: Vec<&str> = texts.iter().copied().filter(|text| !other_known.contains(text)).collect();
    let theirs: Vec<&str> = other_texts.iter().copied().filter(|text| !known.contains(text)).collect();
    // In code, a few letters in a row are chance.
    let is_code = name.starts_with(".text") || name.starts_with(".eh_frame") || name.starts_with(".rela");
    if !is_code && (!ours.is_empty() || !theirs.is_empty()) {
        if ours.len() == theirs.len() {
            for (one, other) in ours.iter().zip(&theirs).take(MOST_TEXTS) {
                if let Some(kind) = explain_pair(one, other) {
                    found.causes.push((kind, format!("{} (in binaries)", super::contents::explain(kind))));
                }
            }
        }
        found.lines.extend(ours.iter().take(MOST_TEXTS).map(|text| Line::First(cut((*text).to_owned(), LINE))));
        found.lines.extend(theirs.iter().take(MOST_TEXTS).map(|text| Line::Second(cut((*text).to_owned(), LINE))));
        let more = ours.len().saturating_sub(MOST_TEXTS) + theirs.len().saturating_sub(MOST_TEXTS);
        if more > 0 {
            found.lines.push(Line::Both(format!("[{more} more texts]")));
        }
    } else if let Some(at) = at.and_then(|at| usize::try_from(at).ok()) {
        found.lines.push(Line::First(hex(bytes.get(at..).unwrap_or_default())));
        found.lines.push(Line::Second(hex(other_bytes.get(at..).unwrap_or_default())));
    }
    Ok(())
}

/// Where in two sections the first byte differs.
fn difference_of((first, one): (&Blob, &Section), (second, other): (&Blob, &Section)) -> io::Result<Option<u64>> {
    let both = one.size.min(other.size);
    let mut done = 0;
    while done < both {
        let size = (both - done).min(1 << 20);
        let (bytes, other_bytes) = (first.read(one.offset + done, size)?, second.read(other.offset + done, size)?);
        if bytes != other_bytes {
            let same = bytes.iter().zip(&other_bytes).take_while(|(one, other)| one == other).count();
            return Ok(Some(done + same as u64));
        }
        done += size;
    }
    Ok((one.size != other.size).then_some(both))
}

/// The texts in these bytes: runs of characters that can be printed.
fn texts_of(bytes: &[u8]) -> Vec<&str> {
    let is_text = |byte: &u8| (0x20..0x7f).contains(byte);
    let runs = bytes.split(|byte| !is_text(byte)).filter(|run| run.len() >= SHORTEST);
    runs.filter_map(|run| std::str::from_utf8(run).ok()).collect()
}

/// Numbers of either byte order from a slice.
struct Numbers<'a> {
    bytes: &'a [u8],
    is_big: bool,
}

impl Numbers<'_> {
    fn take(&self, at: usize, length: usize) -> u64 {
        let bytes = self.bytes.get(at..at + length).unwrap_or_default();
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.is_big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
    }
}

/// The sections of a binary; none where their headers do not lie in it.
fn read_elf(blob: &Blob) -> io::Result<Option<Elf>> {
    let head = blob.head(64)?;
    if !is_elf(&head) || head.len() < 52 {
        return Ok(None);
    }
    let is_wide = head[4] == 2;
    let is_big = head[5] == 2;
    if is_wide && head.len() < 64 {
        return Ok(None);
    }
    let header = Numbers { bytes: &head, is_big };
    let (offset, entry_size, count, names) = if is_wide {
        (header.take(40, 8), header.take(58, 2), header.take(60, 2), header.take(62, 2))
    } else {
        (header.take(32, 4), header.take(46, 2), header.take(48, 2), header.take(50, 2))
    };
    let least = if is_wide { 64 } else { 40 };
    let whole = count.checked_mul(entry_size).and_then(|size| offset.checked_add(size));
    if count == 0 || count > MOST_SECTIONS || entry_size < least || whole.is_none_or(|end| end > blob.length()) {
        return Ok(None);
    }
    let table = blob.read(offset, count * entry_size)?;
    let mut sections = Vec::new();
    let mut name_offsets = Vec::new();
    for raw in table.chunks_exact(usize::try_from(entry_size).unwrap_or(64)) {
        let fields = Numbers { bytes: raw, is_big };
        let (start, size) =
            if is_wide { (fields.take(24, 8), fields.take(32, 8)) } else { (fields.take(16, 4), fields.take(20, 4)) };
        let kind = u32::try_from(fields.take(4, 4)).unwrap_or_default();
        name_offsets.push(fields.take(0, 4));
        let lies_within = kind == 8 || start.checked_add(size).is_some_and(|end| end <= blob.length());
        if !lies_within {
            return Ok(None);
        }
        sections.push(Section { name: String::new(), kind, offset: start, size });
    }
    let texts = match usize::try_from(names).ok().and_then(|index| sections.get(index)) {
        Some(section) if section.size <= SMALL && section.kind != 8 => blob.read(section.offset, section.size)?,
        _ => Vec::new(),
    };
    for (section, offset) in sections.iter_mut().zip(name_offsets) {
        let rest = usize::try_from(offset).ok().and_then(|at| texts.get(at..)).unwrap_or_default();
        let name = rest.split(|byte| *byte == 0).next().unwrap_or_default();
        section.name = String::from_utf8_lossy(&name[..name.len().min(200)]).into_owned();
    }
    let machine = u16::try_from(header.take(18, 2)).unwrap_or_default();
    Ok(Some(Elf { sections, header: head, machine }))
}
