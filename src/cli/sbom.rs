//! `pyzpack sbom`: what is in a `.pyz`, in a form that other tools read.

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use crate::evidence::{IndexNote, cyclonedx, spdx};
use crate::finished::{FinishedError, FinishedPyz};
use crate::inspect::check_files;
use crate::output::{check_not_input, check_target, write_document};
use crate::process::interrupt;
use crate::status::Status;

use super::{print_bytes, report};

pub(super) fn run(matches: &ArgMatches) -> Status {
    let path = PathBuf::from(matches.get_one::<String>("file").map_or("", String::as_str));
    let target = matches.get_one::<String>("output").map(PathBuf::from);
    if let Some(target) = &target
        && let Err(error) = check_target(target).and_then(|()| check_not_input(target, [path.as_path()]))
    {
        return report::fail(&error);
    }
    if let Err(error) = interrupt::install(|| {}) {
        return report::fail_io("answer signals", &error);
    }
    let document = match describe(&path, matches) {
        Ok(document) => document,
        Err(error) => return report::fail(&error),
    };
    let Some(target) = target else { return print_bytes(&document) };
    match write_document(&target, &document) {
        Ok(()) => Status::Done,
        Err(error) => report::fail(&error),
    }
}

/// The SBOM of the file, every file of which is the one that its manifest names.
fn describe(path: &Path, matches: &ArgMatches) -> Result<Vec<u8>, FinishedError> {
    let finished = FinishedPyz::open(path)?;
    check_files(&finished)?;
    let facts = finished.facts(finished.sha256()?)?;
    let extra: Vec<String> = matches.get_many("extra-index-url").into_iter().flatten().cloned().collect();
    let index = IndexNote::from_options(matches.get_one::<String>("index-url").map(String::as_str), &extra);
    Ok(match matches.get_one::<String>("format").map(String::as_str) {
        Some("spdx") => spdx(&facts, &index),
        _ => cyclonedx(&facts, &index),
    })
}
