//! What two builds differ in: which files, by what their manifests say of them, and how, as `pyzpack diff` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Difference;
use crate::diff::{DiffError, Request, compare};
use crate::digest::Sha256Digest;
use crate::finished::{FinishedError, FinishedPyz, is_own};
use crate::status::{Explain, Status};

/// How many differing files are named.
const LISTED: usize = 20;

/// How many lines of details are kept of them.
const MOST_LINES: usize = 1_000;

/// Why two builds cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// One of them cannot be read.
    #[error(transparent)]
    Finished(#[from] FinishedError),
    /// They cannot be told from each other.
    #[error(transparent)]
    Diff(#[from] DiffError),
}

impl Explain for CompareError {
    fn status(&self) -> Status {
        match self {
            Self::Finished(error) => error.status(),
            Self::Diff(error) => error.status(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Finished(error) => error.hint(),
            Self::Diff(error) => error.hint(),
        }
    }
}

/// How the second of two finished files, which has this digest, differs from the first.
pub(super) fn difference(
    files: [&Path; 2],
    sha256: Sha256Digest,
    temporary: &Path,
) -> Result<Difference, CompareError> {
    let (listed, count) = differences(files[0], files[1])?;
    let request = Request { files: files.map(Path::to_owned), most_lines: MOST_LINES, temporary: temporary.to_owned() };
    Ok(Difference { sha256, files: listed, count, comparison: compare(&request)? })
}

/// The first differences between two finished files, a line each, and how many there are. What holds the digests of other
/// files (`RECORD`, the manifest) differs with them, and is named only where nothing else does.
fn differences(one: &Path, other: &Path) -> Result<(Vec<String>, usize), FinishedError> {
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
