//! Files of other tools: what can be said of them without a manifest.

use std::collections::BTreeSet;

use super::container::Container;
use super::contents::Contents;
use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use super::records::{check_row, read_record};
use super::report::Finding;
use crate::wheel::is_unhashed;

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
    if !problems.is_empty() {
        return Finding::Failed(problems);
    }
    let names: BTreeSet<&str> = contents.own.keys().chain(contents.installed.keys()).copied().collect();
    let files = container.outer().structure.files.len();
    Finding::Held(format!("not of pyzpack: it seems to be {}, {files} files", kind(opened, &names)))
}

/// The RECORDs that are inside, as far as they can be true: installers list files that were never meant to be packed.
pub(super) fn check_records(
    opened: &Opened,
    _container: &Container,
    contents: &Contents<'_>,
) -> Result<Finding, VerifyError> {
    let mut problems: Vec<Problem> = Vec::new();
    let (mut records, mut rows, mut elsewhere) = (0, 0, 0_usize);
    let paths = contents.installed.keys().filter(|path| path.ends_with(".dist-info/RECORD"));
    for path in paths {
        let dist_info = path.strip_suffix("/RECORD").unwrap_or(path);
        let (root, name) = dist_info.rsplit_once('/').map_or(("", dist_info), |(root, name)| (root, name));
        records += 1;
        let record = match read_record(opened, contents, path, name)? {
            Ok(record) => record,
            // An installer may leave a row without a digest, for what it compiled.
            Err(Problem::RecordMalformed { fault: crate::wheel::RecordFault::Weak(_), .. }) => {
                elsewhere += 1;
                continue;
            }
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        for (listed, row) in record.0.iter().filter(|(listed, _)| !is_unhashed(listed, name)) {
            let whole = if root.is_empty() { listed.clone() } else { format!("{root}/{listed}") };
            match contents.installed.get(whole.as_str()).or_else(|| contents.own.get(whole.as_str())) {
                None => elsewhere += 1,
                Some(found) => {
                    rows += 1;
                    problems.extend(check_row(opened, path, listed, row, found)?);
                }
            }
        }
    }
    Ok(match (problems.is_empty(), records) {
        (false, _) => Finding::Failed(problems),
        (true, 0) => Finding::Skipped("there are none".to_owned()),
        (true, _) => Finding::Held(format!(
            "{records} read, {rows} files as they say; {elsewhere} rows name what is not inside, or has no digest"
        )),
    })
}
