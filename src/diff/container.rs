//! The container: every field of every header, the order of the members, and all bytes that are no member's.

use super::cause::CauseKind;
use super::difference::{Difference, Findings, Groups, LINE, Layer, Line, cut, hex};
use super::headers::{
    count_bytes, explain_extra, explain_modes, explain_times, quote, show_descriptor, show_extra, show_flags,
    show_method, show_mode, show_system, show_time, show_version,
};
use super::pairs::Pairs;
use super::text::{as_text, compare_texts};
use crate::archive::{Gap, Header, LenientEntry, LenientZip};
use crate::digest::Sha256Hasher;

/// How many bytes in front of an archive, or behind it, are looked at as a text.
const MOST_PREFIX: u64 = 1 << 20;

/// Compares two containers, the order of their members where that means something.
pub(super) fn compare_containers(
    first: &LenientZip,
    second: &LenientZip,
    pairs: &Pairs,
    member: &[String],
    with_order: bool,
) -> std::io::Result<Findings> {
    let mut findings = Findings::default();
    compare_prefixes(first, second, member, &mut findings)?;
    compare_entries(first, second, pairs, member, &mut findings);
    if with_order {
        compare_order(first, second, pairs, member, &mut findings);
    }
    let mut fact = |what: &'static str, sides: [String; 2], kind: CauseKind, text: &str| {
        if sides[0] != sides[1] {
            let [one, other] = sides;
            findings.push(Difference::new(Layer::Container, member, what).sides(one, other));
            findings.cause(kind, text, &[]);
        }
    };
    let both = [first, second];
    let comments = both.map(|zip| quote(&zip.comment));
    fact("comment of the archive", comments, CauseKind::Writer, "the archives' comments differ");
    let zip64 = both.map(|zip| if zip.zip64 { "present" } else { "absent" }.to_owned());
    fact("zip64 end record", zip64, CauseKind::Writer, "one is written as zip64");
    let bases = both.map(|zip| match zip.base {
        0 => "the file's first byte".to_owned(),
        base if base.unsigned_abs() == zip.prefix => "the end of what stands before the archive".to_owned(),
        base => format!("byte {base}"),
    });
    let text = "offsets count from different places: one was put behind its first line after it was written";
    fact("offsets count from", bases, CauseKind::Writer, text);
    let trailing = [show_trailing(first)?, show_trailing(second)?];
    let text = "bytes follow the end of the archive: something was appended";
    fact("behind the end", trailing, CauseKind::Appended, text);
    let gaps = [show_gaps(first)?, show_gaps(second)?];
    fact("bytes of no member", gaps, CauseKind::Writer, "one has bytes between its members");
    let oddities = both.map(|zip| zip.oddities.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (side, other) in [(0, 1), (1, 0)] {
        let known: std::collections::HashSet<&String> = oddities[other].iter().collect();
        for oddity in oddities[side].iter().filter(|oddity| !known.contains(oddity)) {
            let mut difference = Difference::new(Layer::Container, member, "oddity");
            difference.sides[side] = Some(cut(oddity.clone(), LINE));
            findings.push(difference);
            let text = "the structure of one file is damaged, or was made to mislead";
            findings.cause(CauseKind::Damage, text, &[]);
        }
    }
    Ok(findings)
}

/// What stands before the first member: nothing, a first line, a script.
fn compare_prefixes(
    first: &LenientZip,
    second: &LenientZip,
    member: &[String],
    findings: &mut Findings,
) -> std::io::Result<()> {
    let read = |zip: &LenientZip| zip.source.read_vec(0, zip.prefix.min(MOST_PREFIX));
    let (one, other) = (read(first)?, read(second)?);
    if one == other && first.prefix == second.prefix {
        return Ok(());
    }
    let line = |bytes: &[u8]| {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    };
    let is_line =
        |bytes: &[u8]| bytes.is_empty() || bytes.iter().position(|byte| *byte == b'\n') == Some(bytes.len() - 1);
    let shown = |bytes: &[u8]| if bytes.is_empty() { "none".to_owned() } else { line(bytes) };
    if line(&one) != line(&other) {
        let difference = Difference::new(Layer::Container, member, "first line");
        findings.push(difference.sides(shown(&one), shown(&other)));
        let text = if one.is_empty() || other.is_empty() {
            "only one has a first line (#!)".to_owned()
        } else {
            "the first lines name different interpreters (#!)".to_owned()
        };
        findings.cause(CauseKind::FirstLine, text, &[]);
    }
    if is_line(&one) && is_line(&other) {
        return Ok(());
    }
    let difference = Difference::new(Layer::Container, member, "what stands before the archive");
    let difference = difference.sides(count_bytes(first.prefix), count_bytes(second.prefix));
    let difference = match (as_text(&one), as_text(&other)) {
        (Some(one), Some(other)) => difference.lines(compare_texts(one, other).lines),
        _ => difference,
    };
    findings.push(difference);
    findings.cause(CauseKind::FirstLine, "what starts the archives, before their first member, differs", &[]);
    Ok(())
}

fn compare_entries(first: &LenientZip, second: &LenientZip, pairs: &Pairs, member: &[String], findings: &mut Findings) {
    let mut groups = Groups::default();
    let mut times = Vec::new();
    let mut modes = Vec::new();
    let mut fields = Vec::new();
    for (index, other_index) in &pairs.both {
        let (one, other) = (&first.entries[*index], &second.entries[*other_index]);
        fields.clear();
        compare_fields(one, other, &mut fields);
        for (what, [first, second]) in fields.drain(..) {
            groups.add(what, first, second, one.name());
        }
        if one.central.time_and_date != other.central.time_and_date {
            times.push((one.central.time_and_date, other.central.time_and_date));
        }
        if let (Some(mode), Some(other_mode)) = (one.unix_mode(), other.unix_mode())
            && mode != other_mode
        {
            modes.push((mode, other_mode));
        }
    }
    groups.finish(member, findings);
    if !times.is_empty() {
        let (kind, text) = explain_times(first, second, &times);
        findings.cause(kind, text, &[]);
    }
    if !modes.is_empty() {
        findings.cause(CauseKind::Modes, explain_modes(&modes), &[]);
    }
    for (what, kind, text) in [
        ("system", CauseKind::System, "another system, or another tool, wrote the headers (\"made by\")"),
        ("version of the writer", CauseKind::System, "another tool wrote the headers (\"made by\")"),
        ("method", CauseKind::Method, "one packs (deflate) what the other stores"),
        (EXTRA, CauseKind::ExtraFields, ""),
        (LOCAL_EXTRA, CauseKind::ExtraFields, ""),
        ("flags", CauseKind::Writer, "another tool, or another level of it, wrote the headers (flags)"),
        (
            "data descriptor",
            CauseKind::Writer,
            "one was written to a pipe, or by a tool that writes as to one (data descriptors)",
        ),
        ("comment", CauseKind::Writer, "comments of entries differ"),
    ] {
        let found: Vec<&Difference> = findings.differences.iter().filter(|one| one.what == what).collect();
        // Flags announce data descriptors.
        let told = what == "flags" && findings.differences.iter().any(|one| one.what == "data descriptor");
        if found.is_empty() || told {
            continue;
        }
        let text = if kind == CauseKind::ExtraFields { explain_extra(&found) } else { text.to_owned() };
        findings.cause(kind, text, &[]);
    }
    let explained = [CauseKind::System, CauseKind::Method, CauseKind::ExtraFields, CauseKind::Writer];
    let other = ["version needed", "internal attributes", "DOS attributes", "disk", "local header"];
    if findings.differences.iter().any(|one| other.contains(&one.what))
        && !explained.iter().any(|kind| findings.has_cause(*kind))
    {
        findings.cause(CauseKind::Writer, "another tool wrote the headers", &[]);
    }
}

const EXTRA: &str = "extra fields";
const LOCAL_EXTRA: &str = "extra fields of local headers";

/// Shows a field of a header.
type Show = fn(&Header) -> String;

type Field = (&'static str, [String; 2]);

/// The fields in which two entries differ, contents apart.
fn compare_fields(one: &LenientEntry, other: &LenientEntry, found: &mut Vec<Field>) {
    let mut field = |what: &'static str, differs: bool, show: &dyn Fn(&LenientEntry) -> String| {
        if differs {
            found.push((what, [show(one), show(other)]));
        }
    };
    let (a, b) = (&one.central, &other.central);
    field("time stamps", a.time_and_date != b.time_and_date, &|entry| show_time(entry.central.time_and_date));
    let mode = |entry: &LenientEntry| entry.external_attributes >> 16;
    field("modes", mode(one) != mode(other), &|entry| show_mode(entry.external_attributes >> 16));
    let dos = |entry: &LenientEntry| entry.external_attributes & 0xffff;
    field("DOS attributes", dos(one) != dos(other), &|entry| format!("{:#06x}", entry.external_attributes & 0xffff));
    field("system", one.made_by >> 8 != other.made_by >> 8, &|entry| show_system(entry.made_by >> 8));
    let version = |entry: &LenientEntry| show_version(entry.made_by & 0xff);
    field("version of the writer", one.made_by & 0xff != other.made_by & 0xff, &version);
    field("version needed", a.needed != b.needed, &|entry| show_version(entry.central.needed));
    field("flags", a.flags != b.flags, &|entry| show_flags(entry.central.flags));
    field("method", a.method != b.method, &|entry| show_method(entry.central.method));
    field(EXTRA, a.extra != b.extra, &|entry| show_extra(&entry.central.extra));
    field("comment", one.comment != other.comment, &|entry| quote(&entry.comment));
    let internal = |entry: &LenientEntry| format!("{:#06x}", entry.internal_attributes);
    field("internal attributes", one.internal_attributes != other.internal_attributes, &internal);
    field("disk", one.disk != other.disk, &|entry| entry.disk.to_string());
    field("data descriptor", one.descriptor != other.descriptor, &|entry| show_descriptor(entry.descriptor));
    let (Some(x), Some(y)) = (&one.local, &other.local) else { return };
    let extra = |entry: &LenientEntry| entry.local.as_ref().map(|header| show_extra(&header.extra)).unwrap_or_default();
    field(LOCAL_EXTRA, x.extra != y.extra && (&x.extra, &y.extra) != (&a.extra, &b.extra), &extra);
    // What the central header tells already is told once.
    let own: [(&str, Show); 8] = [
        ("version needed", |header| show_version(header.needed)),
        ("flags", |header| show_flags(header.flags)),
        ("method", |header| show_method(header.method)),
        ("time", |header| show_time(header.time_and_date)),
        ("CRC-32", |header| format!("{:08x}", header.crc32)),
        ("packed size", |header| header.compressed_size.to_string()),
        ("size", |header| header.size.to_string()),
        ("name", |header| quote(&header.name)),
    ];
    if bare(x) == bare(y) || (bare(x) == bare(a) && bare(y) == bare(b)) {
        return;
    }
    for (name, show) in own {
        let (here, there) = ((show(x), show(y)), (show(a), show(b)));
        if here.0 != here.1 && here != there {
            found.push(("local header", [format!("{name} {}", here.0), format!("{name} {}", here.1)]));
        }
    }
}

/// A header's fields but its extra field.
fn bare(header: &Header) -> (u16, u16, u16, u32, u32, u32, u32, &[u8]) {
    let Header { needed, flags, method, time_and_date, crc32, compressed_size, size, name, extra: _ } = header;
    (*needed, *flags, *method, *time_and_date, *crc32, *compressed_size, *size, name)
}

fn compare_order(first: &LenientZip, second: &LenientZip, pairs: &Pairs, member: &[String], findings: &mut Findings) {
    let mut places: Vec<usize> = pairs.both.iter().map(|pair| pair.1).collect();
    let in_order = places.is_sorted();
    let data_order = |zip: &LenientZip, places: &[usize]| {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|at| zip.entries[places[*at]].header_offset);
        order
    };
    if in_order {
        let ours: Vec<usize> = pairs.both.iter().map(|pair| pair.0).collect();
        if data_order(first, &ours) != data_order(second, &places) {
            findings.push(Difference::new(Layer::Container, member, "order of the data"));
            findings.cause(CauseKind::Order, "the members' data lies in another order", &[]);
        }
        return;
    }
    let mut ours: Vec<String> = pairs.both.iter().map(|pair| first.entries[pair.0].name()).collect();
    places.sort_unstable();
    let mut theirs: Vec<String> = places.iter().map(|place| second.entries[*place].name()).collect();
    let moved = ours.iter().zip(&theirs).filter(|(one, other)| one != other).count();
    let at = ours.iter().zip(&theirs).position(|(one, other)| one != other).unwrap_or_default();
    let head = |names: &mut Vec<String>, make: fn(String) -> Line| {
        names.drain(at..names.len().min(at + 5)).map(make).collect::<Vec<_>>()
    };
    let sorted = [ours.is_sorted(), theirs.is_sorted()];
    let mut lines = vec![Line::Place(format!("@@ from place {} on @@", at + 1))];
    lines.extend(head(&mut ours, Line::First));
    lines.extend(head(&mut theirs, Line::Second));
    let difference = Difference { entries: moved, ..Difference::new(Layer::Container, member, "order") };
    findings.push(difference.lines(lines));
    let text = match sorted {
        [true, false] => "the members are in another order: sorted in the first, not in the second",
        [false, true] => "the members are in another order: sorted in the second, not in the first",
        _ => "the members are in another order: as a directory lists them, which is another one on each machine",
    };
    findings.cause(CauseKind::Order, text, &[]);
}

/// The stretches between members, by their number, length and digest.
fn show_gaps(zip: &LenientZip) -> std::io::Result<String> {
    show_stretches(zip, &zip.gaps)
}

/// What follows the end record.
fn show_trailing(zip: &LenientZip) -> std::io::Result<String> {
    let gap = Gap { offset: zip.source.length() - zip.trailing, length: zip.trailing };
    show_stretches(zip, if zip.trailing == 0 { &[] } else { std::slice::from_ref(&gap) })
}

fn show_stretches(zip: &LenientZip, gaps: &[Gap]) -> std::io::Result<String> {
    let Some(first) = gaps.first() else { return Ok("none".to_owned()) };
    let mut digest = Sha256Hasher::default();
    let mut buffer = vec![0; 64 * 1024];
    for gap in gaps {
        zip.source.for_each_piece(gap.offset, gap.length, &mut buffer, |piece| {
            digest.update(piece);
            std::io::Result::Ok(())
        })?;
    }
    let total = count_bytes(gaps.iter().map(|gap| gap.length).sum());
    let places = if gaps.len() == 1 { String::new() } else { format!(" in {} places", gaps.len()) };
    let head = hex(&zip.source.read_vec(first.offset, first.length.min(17))?);
    Ok(format!("{total}{places} (sha256 {}..., from {head})", &digest.finish().to_string()[..16]))
}
