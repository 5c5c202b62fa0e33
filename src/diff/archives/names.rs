//! Which files there are: those on one side alone, and those that only have another name.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::arrangement::{SCRIPTS, class_of, tell_classes};
use super::{Look, Packers, Walk};
use crate::archive::{LenientEntry, LenientZip};
use crate::diff::cause::CauseKind;
use crate::diff::difference::{Difference, Findings, LINE, Layer, cut};
use crate::diff::pairs::Pairs;
use crate::diff::recipe::COMPILED;

/// How many ways from one directory to another are followed.
const MOST_DIRECTORIES: usize = 8;

impl Walk<'_> {
    /// Files that have the same contents and other names, where one of either side alone has them.
    pub(super) fn find_moved(&self, first: &LenientZip, second: &LenientZip, pairs: &Pairs) -> Vec<(usize, usize)> {
        let by_contents = |zip: &LenientZip, indexes: &[usize]| {
            let mut found: HashMap<(u32, u64), Option<usize>> = HashMap::new();
            for index in indexes {
                let entry = &zip.entries[*index];
                if entry.size > 0 {
                    let key = (entry.central.crc32, entry.size);
                    found.entry(key).and_modify(|known| *known = None).or_insert(Some(*index));
                }
            }
            found
        };
        let theirs = by_contents(second, &pairs.second_only);
        let ours = by_contents(first, &pairs.first_only);
        let candidates = ours.into_iter().filter_map(|(key, index)| Some((index?, (*theirs.get(&key)?)?)));
        let is_same =
            |pair: &(usize, usize)| matches!(self.look(first, second, *pair), Ok((Look::Same | Look::Repacked, _)));
        let mut moved: Vec<(usize, usize)> = candidates.filter(is_same).collect();
        follow_moved(first, second, pairs, &mut moved);
        moved.sort_unstable();
        moved
    }
}

/// Which files there are on one side alone, or under another name.
pub(super) fn compare_names(
    first: &LenientZip,
    second: &LenientZip,
    pairs: &Pairs,
    member: &[String],
    packers: Packers,
    findings: &mut Findings,
) {
    // What packs otherwise has other files.
    let Packers { tool, of_one_kind, arranged } = packers;
    let mut directories: BTreeMap<(String, String), (usize, Vec<String>)> = BTreeMap::new();
    for (one, other) in &pairs.renamed {
        let (name, other_name) = (first.entries[*one].name(), second.entries[*other].name());
        let changed = name.split('/').zip(other_name.split('/')).find(|(one, other)| one != other);
        let (segment, other_segment) = changed.unwrap_or((&name, &other_name));
        let group = directories.entry((segment.to_owned(), other_segment.to_owned())).or_default();
        group.0 += 1;
        if group.1.len() < 3 {
            group.1.push(name.clone());
        }
    }
    for ((one, other), (entries, examples)) in directories {
        let difference = Difference::new(Layer::Files, member, "renamed").sides(one, other);
        findings.push(Difference { entries, examples, ..difference });
    }
    let mut places: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
    for (one, other) in &pairs.moved {
        let (name, other_name) = (first.entries[*one].name(), second.entries[*other].name());
        places.entry(directories_of(&name, &other_name)).or_default().push((name, other_name));
    }
    for ((directory, other_directory), names) in places {
        let mut difference = Difference::new(Layer::Files, member, "moved");
        if let [(name, other_name)] = names.as_slice() {
            difference = difference.sides(name.as_str(), other_name.as_str());
        } else {
            difference = difference.sides(directory, other_directory);
            difference.entries = names.len();
            difference.examples = names.into_iter().take(3).map(|names| names.0).collect();
        }
        findings.push(difference);
    }
    if !pairs.moved.is_empty() && pairs.renamed.is_empty() && of_one_kind {
        findings.cause(CauseKind::Files, "files have other names: other sources", &[]);
    }
    let mut only = [Vec::new(), Vec::new()];
    for (side, (zip, indexes)) in [(first, &pairs.first_only), (second, &pairs.second_only)].iter().enumerate() {
        let mut classes: BTreeMap<&'static str, Vec<&LenientEntry>> = BTreeMap::new();
        for index in *indexes {
            let entry = &zip.entries[*index];
            if let Some(class) = class_of(&entry.name()).filter(|_| arranged) {
                classes.entry(class).or_default().push(entry);
                continue;
            }
            let mut difference = Difference::new(Layer::Files, member, "file");
            difference.sides[side] = Some(cut(entry.name(), LINE));
            findings.push(difference);
            only[side].push(entry);
        }
        tell_classes(side, &classes, member, findings);
    }
    for (side, only) in only.iter_mut().enumerate() {
        if let Some(tool) = tool {
            for entry in only.extract_if(.., |entry| tool.owns(&entry.name())) {
                findings.cause(CauseKind::Tool, tool.explain(), &[entry.name()]);
            }
        }
        if only.is_empty() {
            continue;
        }
        let found = explain_names(side, only, findings);
        if let Some((kind, text)) = found.filter(|found| of_one_kind || found.0 != CauseKind::Files) {
            for entry in only.iter() {
                let mut path = member.to_vec();
                path.push(entry.name());
                findings.cause(kind, text.clone(), &path);
            }
        }
    }
}

/// Adds what lies in directories that moved: empty files, and those whose contents differ.
fn follow_moved(first: &LenientZip, second: &LenientZip, pairs: &Pairs, moved: &mut Vec<(usize, usize)>) {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (one, other) in moved.iter() {
        *counts.entry(directories_of(&first.entries[*one].name(), &second.entries[*other].name())).or_default() += 1;
    }
    let mut ways: Vec<_> = counts.into_iter().filter(|way| way.1 > 1).collect();
    ways.sort_by_key(|way| std::cmp::Reverse(way.1));
    ways.truncate(MOST_DIRECTORIES);
    let (ours, theirs): (HashSet<usize>, HashSet<usize>) = moved.iter().copied().unzip();
    let left = pairs.second_only.iter().filter(|index| !theirs.contains(index));
    let mut names: HashMap<String, usize> = left.map(|index| (second.entries[*index].name(), *index)).collect();
    for index in pairs.first_only.iter().filter(|index| !ours.contains(index)) {
        let name = first.entries[*index].name();
        let other = ways.iter().find_map(|((directory, other_directory), _)| {
            let rest = name.strip_prefix(prefix_of(directory))?;
            let place = prefix_of(other_directory);
            names.remove(&format!("{place}{rest}"))
        });
        moved.extend(other.map(|other| (*index, other)));
    }
}

/// What names in a directory begin with.
fn prefix_of(directory: &str) -> &str {
    if directory == "." { "" } else { directory }
}

/// The directories that two names have before the part that both end with, with `/` at the end; `.` for none.
fn directories_of(name: &str, other: &str) -> (String, String) {
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (name.split('/').collect(), other.split('/').collect());
    let same = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(one, other)| one == other).count();
    let show = |segments: &[&str]| match &segments[..segments.len() - same] {
        [] => ".".to_owned(),
        directories => format!("{}/", directories.join("/")),
    };
    (show(&ours), show(&theirs))
}

/// Why files are on one side alone; none where a distribution that is told of brings them.
pub(super) fn explain_names(side: usize, only: &[&LenientEntry], findings: &Findings) -> Option<(CauseKind, String)> {
    let place = if side == 0 { "first" } else { "second" };
    let all = |test: &dyn Fn(&str) -> bool| only.iter().all(|entry| test(&entry.name()));
    let base = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let residue = ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"];
    if all(&|name| name.ends_with('/')) {
        let text = format!("only the {place} file has entries for directories: another tool packed it");
        return Some((CauseKind::Writer, text));
    }
    if all(&|name| name.ends_with(".pyc") || name.ends_with("__pycache__/")) {
        let text = format!("only the {place} {COMPILED}: its installer compiled, or a program ran before");
        return Some((CauseKind::Files, text));
    }
    if all(&|name| residue.contains(&base(name).as_str())) {
        let text = format!("only the {place} file has notes of an installer (INSTALLER, direct_url.json)");
        return Some((CauseKind::Generator, text));
    }
    if all(&|name| class_of(name) == Some(SCRIPTS)) {
        let text = format!("only the {place} file has scripts that an installer makes of entry points (bin)");
        return Some((CauseKind::Generator, text));
    }
    if findings.has_cause(CauseKind::Versions) {
        return None;
    }
    Some((CauseKind::Files, format!("only the {place} file has some files: other sources")))
}
