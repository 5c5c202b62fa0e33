//! Two archives: their containers, the distributions and files in them, and each pair of members.

pub(super) mod arrangement;
mod names;

use std::collections::{HashMap, HashSet};
use std::io;

use rayon::prelude::*;
use serde_json::Value;

use self::arrangement::arrange;
use self::names::compare_names;
use super::blob::{Blob, Budget, SMALL, UnpackError, Unpacked, first_difference, unpack};
use super::cause::CauseKind;
use super::container::compare_containers;
use super::contents::{Around, Tool, compare_contents};
use super::difference::{Difference, Findings, LINE, Layer, Line, cut};
use super::distributions::compare_distributions;
use super::pairs::{Pairs, pair_members};
use super::recipe::settle_consequences;
use super::{DEEPEST, Request, UNPACKED};
use crate::archive::{LenientEntry, LenientZip, Source};
use crate::json::parse_json;

/// How many pairs of members are looked at before their details are cut to what is kept.
const BATCH: usize = 64;

/// Comparing, member by member.
pub(super) struct Walk<'r> {
    request: &'r Request,
    budget: Budget,
}

/// What a look at two members comes to.
enum Look {
    /// The same data.
    Same,
    /// The same contents, packed otherwise.
    Repacked,
    /// Other contents.
    Differ(Blob, Blob),
    /// The data differs, and nobody knows what it unpacks to.
    Unknown(String),
}

/// What differs in two members of one name.
enum Outcome {
    /// Nothing.
    Same,
    /// How they are packed.
    Repacked,
    /// What was found.
    Told(Findings),
    /// They are archives, which are compared one after another.
    Archives(Source, Source),
    /// They are compared when it is known what else differs, and unpacked again then: there may be many.
    Record,
}

/// What packed two archives.
#[derive(Debug, Clone, Copy)]
struct Packers {
    /// The tool of both, where it is one.
    tool: Option<Tool>,
    /// Whether both are of one kind.
    of_one_kind: bool,
    /// Whether their files lie in different places, and are called as they are once they are installed.
    arranged: bool,
}

/// What of the headers of two members is not true of them.
type Damages = [Option<String>; 2];

/// The tool that packed an archive, by what it puts there.
fn tool_of(zip: &LenientZip) -> Option<Tool> {
    let has = |name: &str| zip.entries.iter().any(|entry| entry.raw_name() == name.as_bytes());
    match () {
        () if has("_pyzpack/manifest.json") => Some(Tool::Pyzpack),
        () if has("PEX-INFO") => Some(Tool::Pex),
        () if has("_bootstrap/__init__.py") && has("environment.json") => Some(Tool::Shiv),
        () => None,
    }
}

/// What a file is, by its first bytes and the names in it.
pub(super) fn kind_of(source: &Source, zip: Option<&LenientZip>) -> &'static str {
    let Some(zip) = zip else { return if source.length() == 0 { "empty" } else { "not a zip" } };
    let is_wheel = |entry: &LenientEntry| {
        let name = entry.name();
        name.ends_with(".dist-info/WHEEL") && name.matches('/').count() == 1
    };
    match tool_of(zip) {
        Some(Tool::Pyzpack) => "a .pyz of pyzpack",
        Some(Tool::Pex) => "a pex",
        Some(Tool::Shiv) => "a shiv application",
        None if zip.entries.iter().any(|entry| entry.raw_name() == b"__main__.py") => "a Python zip application",
        None if zip.entries.iter().any(is_wheel) => "a wheel",
        None => "a zip",
    }
}

impl<'r> Walk<'r> {
    pub(super) fn new(request: &'r Request) -> Self {
        Self { request, budget: Budget::new(UNPACKED) }
    }

    /// Compares two archives that differ; `member` is where they are.
    pub(super) fn compare_archives(
        &self,
        first: &LenientZip,
        second: &LenientZip,
        member: &[String],
        depth: usize,
    ) -> io::Result<Findings> {
        let mut findings = Findings::default();
        let documents = self.documents(first, second);
        let kinds = [first, second].map(|zip| kind_of(&zip.source, Some(zip)));
        let arranged = arrange(first, second, member, &mut findings)?;
        let packers = Packers {
            tool: tool_of(first).filter(|tool| tool_of(second) == Some(*tool)),
            of_one_kind: kinds[0] == kinds[1],
            arranged: arranged.is_some(),
        };
        // The files of a payload are told of by the manifest beside it.
        let in_payload = member.last().is_some_and(|name| name.starts_with("_pyzpack/payload"));
        let [first, second] = arranged.as_ref().map_or([first, second], |[first, second]| [first, second]);
        let mut pairs = pair_members(first, second);
        pairs.add_moved(self.find_moved(first, second, &pairs));
        findings.add(compare_containers(first, second, &pairs, member, !packers.arranged)?);
        if !in_payload && let Some((one, other)) = &documents {
            compare_distributions((first, one.as_ref()), (second, other.as_ref()), member, &mut findings);
        }
        compare_names(first, second, &pairs, member, packers, &mut findings);
        self.compare_members(first, second, &pairs, (member, depth), packers, &mut findings)?;
        if packers.tool == Some(Tool::Pyzpack)
            && let Some((Some(one), Some(other))) = &documents
        {
            settle_consequences(one, other, &Tool::Pyzpack.explain(), &mut findings);
        }
        Ok(findings)
    }

    /// What the two say of their distributions; none where both say the same.
    fn documents(&self, first: &LenientZip, second: &LenientZip) -> Option<(Option<Value>, Option<Value>)> {
        let find = |zip: &LenientZip| {
            let names = ["_pyzpack/manifest.json", "PEX-INFO"];
            zip.entries.iter().position(|entry| names.iter().any(|name| entry.raw_name() == name.as_bytes()))
        };
        let (one, other) = (find(first), find(second));
        if let (Some(one), Some(other)) = (one, other)
            && matches!(self.look(first, second, (one, other)), Ok((Look::Same | Look::Repacked, _)))
        {
            return None;
        }
        let read = |zip: &LenientZip, index: Option<usize>| {
            let unpacked = unpack(zip, &zip.entries[index?], &self.budget, &self.request.temporary).ok()?;
            let bytes = unpacked.blob.whole().ok()??;
            parse_json(&bytes, usize::try_from(SMALL).unwrap_or(usize::MAX)).ok()
        };
        Some((read(first, one), read(second, other)))
    }

    fn compare_members(
        &self,
        first: &LenientZip,
        second: &LenientZip,
        pairs: &Pairs,
        (member, depth): (&[String], usize),
        packers: Packers,
        findings: &mut Findings,
    ) -> io::Result<()> {
        let mut changed: HashSet<String> = HashSet::new();
        for (zip, indexes) in [(first, &pairs.first_only), (second, &pairs.second_only)] {
            changed.extend(indexes.iter().map(|index| zip.entries[*index].name()));
        }
        for (one, other) in pairs.renamed.iter().chain(&pairs.moved) {
            changed.extend([first.entries[*one].name(), second.entries[*other].name()]);
        }
        let place = |index: usize| {
            let mut path = member.to_vec();
            path.push(cut(first.entries[index].name(), LINE));
            path
        };
        let mut left = self.request.most_lines;
        let mut records = Vec::new();
        let mut repacked: Vec<usize> = Vec::new();
        for batch in pairs.both.chunks(BATCH) {
            let outcomes: Vec<io::Result<(Outcome, Damages)>> = batch
                .par_iter()
                .map(|pair| {
                    let (look, damages) = self.look(first, second, *pair)?;
                    Ok((self.settle(&place(pair.0), look, depth, packers)?, damages))
                })
                .collect();
            let mut found = Findings::default();
            for (pair, outcome) in batch.iter().zip(outcomes) {
                let (outcome, damages) = outcome?;
                let path = place(pair.0);
                tell_damage(damages, &path, &mut found);
                match outcome {
                    Outcome::Same => continue,
                    Outcome::Repacked => {
                        repacked.push(pair.0);
                        continue;
                    }
                    Outcome::Told(inner) => found.add(inner),
                    Outcome::Archives(one, other) => found.add(self.compare_nested(&path, &one, &other, depth)?),
                    Outcome::Record => records.push(*pair),
                }
                changed.insert(first.entries[pair.0].name());
            }
            left -= found.keep_lines(left);
            findings.add(found);
        }
        tell_repacked(first, second, pairs, &repacked, member, findings);
        for pair in records {
            let (Look::Differ(one, other), _) = self.look(first, second, pair)? else { continue };
            let second_name = second.entries[pair.1].name();
            let Packers { tool, arranged, .. } = packers;
            // Where installers are two, what each of them lists is its own.
            let changed = |path: &str| arranged || changed.contains(path);
            let around = Around { changed: &changed, tool, arranged, second_name: &second_name };
            let mut found = compare_contents(&place(pair.0), &one, &other, &around)?;
            left -= found.keep_lines(left);
            findings.add(found);
        }
        Ok(())
    }

    /// Compares what two members unpack to, without a look at what it is.
    fn look(&self, first: &LenientZip, second: &LenientZip, pair: (usize, usize)) -> io::Result<(Look, Damages)> {
        let (one, other) = (&first.entries[pair.0], &second.entries[pair.1]);
        let undamaged = |look| Ok((look, [None, None]));
        let (data, other_data) = (first.data(one), second.data(other));
        let alike = one.central.method == other.central.method
            && one.compressed_size == other.compressed_size
            && one.is_encrypted() == other.is_encrypted();
        if alike && data.is_none() && other_data.is_none() {
            return undamaged(Look::Same);
        }
        if alike && let (Some(data), Some(other_data)) = (data, other_data) {
            if self.budget.spend(one.compressed_size).is_err() {
                return undamaged(Look::Unknown(UnpackError::Exhausted.to_string()));
            }
            // What their headers say of them may still differ, and one of these be wrong.
            let agree = one.size == other.size && one.central.crc32 == other.central.crc32;
            if first_difference(&Blob::File(data), &Blob::File(other_data))?.is_none() && agree {
                return undamaged(Look::Same);
            }
        }
        let open = |zip, entry| unpack(zip, entry, &self.budget, &self.request.temporary);
        let (unpacked, other_unpacked) = match (open(first, one), open(second, other)) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(UnpackError::Io(error)), _) | (_, Err(UnpackError::Io(error))) => return Err(error),
            (Err(reason), _) | (_, Err(reason)) => return undamaged(Look::Unknown(reason.to_string())),
        };
        let Unpacked { blob, damage } = unpacked;
        let Unpacked { blob: other_blob, damage: other_damage } = other_unpacked;
        let same = first_difference(&blob, &other_blob)?.is_none();
        let look = if same { Look::Repacked } else { Look::Differ(blob, other_blob) };
        Ok((look, [damage, other_damage]))
    }

    /// Finds what differs in two members, but for what has to wait.
    fn settle(&self, path: &[String], look: Look, depth: usize, packers: Packers) -> io::Result<Outcome> {
        let (one, other) = match look {
            Look::Same => return Ok(Outcome::Same),
            Look::Repacked => return Ok(Outcome::Repacked),
            Look::Differ(one, other) => (one, other),
            Look::Unknown(reason) => {
                let mut found = Findings::default();
                let mut difference = Difference::new(Layer::Contents, path, "packed data");
                difference.lines.push(Line::Place(format!("what it unpacks to was not compared: {reason}")));
                found.push(difference);
                found.cause(CauseKind::Sources, format!("packed data differs that was not unpacked: {reason}"), path);
                return Ok(Outcome::Told(found));
            }
        };
        let name = path.last().map_or("", String::as_str);
        if name.ends_with(".dist-info/RECORD") {
            return Ok(Outcome::Record);
        }
        if depth < DEEPEST && is_archive(name, &one)? && is_archive(name, &other)? {
            let temporary = &self.request.temporary;
            return Ok(Outcome::Archives(one.into_source(temporary)?, other.into_source(temporary)?));
        }
        let Packers { tool, arranged, .. } = packers;
        let around = Around { changed: &|_| false, tool, arranged, second_name: "" };
        Ok(Outcome::Told(compare_contents(path, &one, &other, &around)?))
    }

    /// Compares two members that seem to be archives.
    fn compare_nested(&self, path: &[String], first: &Source, second: &Source, depth: usize) -> io::Result<Findings> {
        let found = match (LenientZip::read(first)?, LenientZip::read(second)?) {
            (Some(one), Some(other)) => self.compare_archives(&one, &other, path, depth + 1)?,
            _ => Findings::default(),
        };
        if !found.differences.is_empty() {
            return Ok(found);
        }
        let around = Around { changed: &|_| false, tool: None, arranged: false, second_name: "" };
        compare_contents(path, &Blob::File(first.clone()), &Blob::File(second.clone()), &around)
    }
}

/// Whether a member is to be read as an archive.
fn is_archive(name: &str, blob: &Blob) -> io::Result<bool> {
    let head = blob.head(4)?;
    let named = [".zip", ".whl", ".pyz", ".pex", ".egg", ".jar"].iter().any(|suffix| name.ends_with(suffix));
    Ok(head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") || (named && blob.length() > 22))
}

fn tell_damage(damages: Damages, path: &[String], found: &mut Findings) {
    if damages[0] == damages[1] {
        return;
    }
    for (side, damage) in damages.into_iter().enumerate() {
        let Some(damage) = damage else { continue };
        let mut difference = Difference::new(Layer::Contents, path, "damage");
        difference.sides[side] = Some(damage);
        found.push(difference);
        let text = format!("the {} file is damaged", if side == 0 { "first" } else { "second" });
        found.cause(CauseKind::Damage, text, path);
    }
}

/// Members of the same contents whose packed data differs.
fn tell_repacked(
    first: &LenientZip,
    second: &LenientZip,
    pairs: &Pairs,
    repacked: &[usize],
    member: &[String],
    findings: &mut Findings,
) {
    let others: HashMap<usize, usize> = pairs.both.iter().copied().collect();
    let streams: Vec<usize> = repacked
        .iter()
        .copied()
        .filter(|index| {
            let (one, other) = (&first.entries[*index], &second.entries[others[index]]);
            one.central.method == other.central.method && one.compressed_size + other.compressed_size > 0
        })
        .collect();
    if streams.is_empty() {
        return;
    }
    let mut difference = Difference::new(Layer::Container, member, "deflate streams");
    difference.entries = streams.len();
    difference.examples = streams.iter().take(3).map(|index| first.entries[*index].name()).collect();
    let size = |zip: &LenientZip, index: usize| zip.entries[index].compressed_size;
    let sizes = streams
        .iter()
        .fold((0, 0), |sizes, index| (sizes.0 + size(first, *index), sizes.1 + size(second, others[index])));
    let difference = difference.sides(format!("{} bytes", sizes.0), format!("{} bytes", sizes.1));
    findings.push(difference);
    let text = "deflate streams differ, contents equal: another zlib, or another level of it";
    findings.cause(CauseKind::Deflater, text, &[]);
}
