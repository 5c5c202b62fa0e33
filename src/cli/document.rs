//! Documents about a finished `.pyz`, written from it alone: how `pyzpack sbom` and `pyzpack provenance` begin and end.

use std::path::PathBuf;

use clap::ArgMatches;

use crate::evidence::{Facts, IndexNote};
use crate::inspect::checked_facts;
use crate::output::{check_not_input, check_target, write_document};
use crate::process::interrupt;
use crate::status::Status;

use super::{print_bytes, report};

/// Writes what `describe` says of the file, to the output or to standard output. Every file in it is the one that its
/// manifest names.
pub(super) fn write_about(matches: &ArgMatches, describe: impl FnOnce(&Facts) -> Result<Vec<u8>, Status>) -> Status {
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
    let facts = checked_facts(&path).map_err(|error| report::fail(&error));
    let document = match facts.and_then(|facts| describe(&facts)) {
        Ok(document) => document,
        Err(status) => return status,
    };
    let Some(target) = target else { return print_bytes(&document) };
    match write_document(&target, &document) {
        Ok(()) => Status::Done,
        Err(error) => report::fail(&error),
    }
}

/// The index that the options name.
pub(super) fn named_index(matches: &ArgMatches) -> IndexNote {
    let extra: Vec<String> = matches.get_many("extra-index-url").into_iter().flatten().cloned().collect();
    IndexNote::from_options(matches.get_one::<String>("index-url").map(String::as_str), &extra)
}
