//! `pyzpack sbom`: what is in a `.pyz`, in a form that other tools read.

use clap::ArgMatches;

use crate::evidence::{cyclonedx, spdx};
use crate::status::Status;

use super::document::{named_index, write_about};

pub(super) fn run(matches: &ArgMatches) -> Status {
    write_about(matches, |facts| {
        let index = named_index(matches);
        Ok(match matches.get_one::<String>("format").map(String::as_str) {
            Some("spdx") => spdx(facts, &index),
            _ => cyclonedx(facts, &index),
        })
    })
}
