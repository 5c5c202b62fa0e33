//! `pyzpack provenance`: from what, and how, a `.pyz` was made, as its build would have written it.

use std::path::Path;

use clap::ArgMatches;

use crate::evidence::{BuilderId, Claims, provenance_predicate, provenance_statement};
use crate::pipeline::find_commit;
use crate::status::Status;

use super::document::{named_index, write_about};
use super::{report, world};

pub(super) fn run(matches: &ArgMatches) -> Status {
    let write = if matches.get_flag("predicate-only") { provenance_predicate } else { provenance_statement };
    write_about(matches, |facts| {
        let claims = read_claims(matches)?;
        Ok(write(facts, &claims))
    })
}

/// What the options say that the file does not hold.
pub(super) fn read_claims(matches: &ArgMatches) -> Result<Claims, Status> {
    let builder = matches.get_one::<BuilderId>("builder-id").cloned().unwrap_or_default();
    let mut claims = Claims { builder, index: named_index(matches), ..Claims::default() };
    let sources: Vec<&String> = matches.get_many("source").into_iter().flatten().collect();
    if !sources.is_empty() {
        let world = world::read().map_err(|error| report::fail(&error))?;
        for source in sources {
            let commit = find_commit(Path::new(source), &world).map_err(|error| report::fail(&error))?;
            claims.commits.insert(commit);
        }
    }
    Ok(claims)
}
