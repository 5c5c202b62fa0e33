//! Files of other tools: what can be said of them without a manifest.

use std::collections::BTreeSet;

use super::container::Container;
use super::contents::Contents;
use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use super::records::check_row;
use super::report::Finding;
use crate::shown::count;
use crate::wheel::{RECORD_LIMIT, Record};

/// What kind of file it seems to be, by the names in it: nothing of it is run to find out.
fn kind(opened: &Opened, names: &BTreeSet<&str>) -> &'static str {
    let has = |name: &str| names.contains(name);
    let is_wheel = || names.iter().any(|name| name.ends_with(".dist-info/WHEEL") && name.matches('/').count() == 1);
    match () {
        () if has("PEX-INFO") => "a pex",
        () if has("_bootstrap/__init__.py") && has("environment.json") => "a shiv application",
        () if has("__main__.py") => "a Python zip application, of no tool that is known by its files",
        () if is_wheel() => "a wheel",
        () if opened.shebang.is_some() => "a zip behind a first line, without a `__main__.py`",
        () => "a zip",
    }
}

/// The container: what it seems to be, and that every entry is as its headers say.
pub(super) fn describe(opened: &Opened, container: &Container, contents: &mut Contents<'_>) -> Finding {
    let problems = contents.take_problems();
    let names: BTreeSet<&str> = contents.own.keys().chain(contents.installed.keys()).copied().collect();
    let files = container.outer().structure.files.len();
    Finding::of(problems, || {
        format!("not of pyzpack: it seems to be {}, {}", kind(opened, &names), count(files, "file"))
    })
}

/// The RECORDs that are inside, as far as they can be true: installers list what was never meant to be packed, and without a
/// digest what they compiled.
pub(super) fn check_records(opened: &Opened, contents: &Contents<'_>) -> Result<Finding, VerifyError> {
    let mut problems: Vec<Problem> = Vec::new();
    let (mut records, mut rows, mut others) = (0, 0, 0_usize);
    for path in contents.installed.keys().filter(|path| path.ends_with(".dist-info/RECORD")) {
        let dist_info = path.strip_suffix("/RECORD").unwrap_or(path);
        let (root, name) = dist_info.rsplit_once('/').map_or(("", dist_info), |(root, name)| (root, name));
        let bytes = match contents.read_file(opened, path, RECORD_LIMIT)? {
            Some(Ok(bytes)) => bytes,
            Some(Err(problem)) => {
                problems.push(problem);
                continue;
            }
            None => continue,
        };
        records += 1;
        let all = bytes.split_inclusive(|byte| *byte == b'\n');
        let (bare, hashed): (Vec<&[u8]>, Vec<&[u8]>) = all.partition(|line| line.trim_ascii_end().ends_with(b",,"));
        others += bare.len();
        let record = match Record::parse(&hashed.concat(), name) {
            Ok(record) => record,
            Err(fault) => {
                problems.push(Problem::RecordMalformed { record: (*path).to_owned(), fault });
                continue;
            }
        };
        for (listed, row) in &record.0 {
            let whole = if root.is_empty() { listed.clone() } else { format!("{root}/{listed}") };
            match contents.installed.get(whole.as_str()).or_else(|| contents.own.get(whole.as_str())) {
                None => others += 1,
                Some(found) => {
                    rows += 1;
                    problems.extend(check_row(opened, path, listed, row, found)?);
                }
            }
        }
    }
    if records == 0 {
        return Ok(Finding::Skipped("there are none".to_owned()));
    }
    Ok(Finding::of(problems, || {
        let (rows, others) = (count(rows, "file"), count(others, "row"));
        format!("{records} with {rows} as they say; {others} without a digest, or without a file inside")
    }))
}
