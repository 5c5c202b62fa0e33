//! What two builds differ in, by file: the files that their manifests name, whatever archive these lie in, and what is
//! the archive's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::finished::{FinishedError, FinishedPyz, is_own};

/// How many differing files are named.
const LISTED: usize = 20;

/// The first differences between two finished files, a line each, and how many there are. What holds the digests of other
/// files (`RECORD`, the manifest) differs with them, and is named only where nothing else does.
pub(super) fn differences(one: &Path, other: &Path) -> Result<(Vec<String>, usize), FinishedError> {
    let (left, right) = (members(&FinishedPyz::open(one)?), members(&FinishedPyz::open(other)?));
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let found = names.into_iter().filter(|name| left.get(*name) != right.get(*name));
    let (follow, lead): (Vec<&String>, Vec<&String>) =
        found.partition(|name| is_own(name) || name.ends_with("/RECORD"));
    let found = if lead.is_empty() { follow } else { lead };
    let shown = |members: &BTreeMap<String, String>, name: &String| {
        members.get(name).map_or_else(|| "not there".to_owned(), Clone::clone)
    };
    let listed = found.iter().take(LISTED);
    let lines = listed.map(|name| format!("{name}: {} and {}", shown(&left, name), shown(&right, name)));
    Ok((lines.collect(), found.len()))
}

/// What a file holds, by name: of the application's files mode and sha256, of its own entries size and checksum, and the
/// first line.
fn members(file: &FinishedPyz) -> BTreeMap<String, String> {
    let manifest = &file.manifest;
    let installed = manifest.files.iter();
    let installed = installed.map(|file| (file.path.clone(), format!("{} {}", file.mode, file.sha256)));
    let own = file.outer.files.iter().filter(|entry| is_own(entry.path.as_str()));
    let own = own.map(|entry| (entry.path.to_string(), format!("{} bytes, crc32 {:08x}", entry.size, entry.crc32)));
    let first = ("first line".to_owned(), file.shebang.clone());
    installed.chain(own).chain([first]).collect()
}
