//! RECORDs: each distribution's is true for what is in the file, both ways.

use std::collections::{BTreeMap, BTreeSet};

use super::contents::{Contents, Measured};
use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use super::report::Finding;
use crate::archive::{ReadError, Unpacker};
use crate::evidence::Manifest;
use crate::names::PackageName;
use crate::shown::count;
use crate::wheel::{Check, RECORD_LIMIT, Record, RecordFault, RecordRow, is_unhashed};

/// The directories of distributions' metadata at the root of what is installed.
pub(super) fn dist_infos<'a>(contents: &Contents<'a>) -> BTreeSet<&'a str> {
    let roots = contents.installed.keys().filter_map(|path| path.split_once('/').map(|(root, _)| root));
    roots.filter(|root| root.ends_with(".dist-info")).collect()
}

pub(super) fn check(manifest: &Manifest, opened: &Opened, contents: &Contents<'_>) -> Result<Finding, VerifyError> {
    let mut problems = Vec::new();
    let mut rows = 0;
    let directories = dist_infos(contents);
    let mut owned: BTreeMap<&PackageName, Vec<&str>> = BTreeMap::new();
    for file in &manifest.files {
        if let Some(owner) = &file.distribution {
            owned.entry(owner).or_default().push(&file.path);
        }
    }
    for dist_info in &directories {
        let path = format!("{dist_info}/RECORD");
        let record = match read_record(opened, contents, &path, dist_info)? {
            None => continue,
            Some(Ok(record)) => record,
            Some(Err(problem)) => {
                problems.push(problem);
                continue;
            }
        };
        rows += record.0.len();
        for (listed, row) in &record.0 {
            match contents.installed.get(listed.as_str()) {
                None if contents.is_broken(listed) => {}
                None => problems.push(Problem::RecordGhost { record: path.clone(), path: listed.clone() }),
                Some(found) => problems.extend(check_row(opened, &path, listed, row, found)?),
            }
        }
        let name: Option<PackageName> = dist_info.split_once('-').and_then(|(name, _)| name.parse().ok());
        for file in name.and_then(|name| owned.remove(&name)).into_iter().flatten() {
            if !record.0.contains_key(file) && !is_unhashed(file, dist_info) {
                problems.push(Problem::RecordUnlisted { record: path.clone(), path: file.to_owned() });
            }
        }
    }
    Ok(Finding::of(problems, || {
        format!("{} with {}, as they say, and no others", directories.len(), count(rows, "row"))
    }))
}

/// Reads the RECORD at `path`; none where it is known to be broken.
fn read_record(
    opened: &Opened,
    contents: &Contents<'_>,
    path: &str,
    dist_info: &str,
) -> Result<Option<Result<Record, Problem>>, VerifyError> {
    Ok(Some(match contents.read_file(opened, path, RECORD_LIMIT)? {
        None if contents.is_broken(path) => return Ok(None),
        None => Err(Problem::RecordMissing(path.to_owned())),
        Some(Err(problem)) => Err(problem),
        Some(Ok(bytes)) => Record::parse(&bytes, dist_info)
            .map_err(|fault| Problem::RecordMalformed { record: path.to_owned(), fault }),
    }))
}

/// A row against the file that it speaks of.
pub(super) fn check_row(
    opened: &Opened,
    record: &str,
    path: &str,
    row: &RecordRow,
    found: &Measured<'_>,
) -> Result<Option<Problem>, VerifyError> {
    let differs =
        |fault: RecordFault| Problem::RecordDiffers { record: record.to_owned(), path: path.to_owned(), fault };
    if row.size != found.entry.size {
        return Ok(Some(differs(RecordFault::Size { expected: row.size, found: found.entry.size })));
    }
    let mut check = Check::new(row.digest);
    if !matches!(check, Check::Sha256(_)) {
        let again: Result<_, ReadError> = Unpacker::default().unpack(found.source, found.entry, |piece| {
            check.update(piece);
            Ok(())
        });
        if let Err(error) = again {
            return opened.problem(None, error).map(Some);
        }
    }
    Ok(check.finish(&found.sha256).err().map(differs))
}
