//! What a resolver is configured by, of the user's own: told by name, because a value may be a credential.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Request;
use crate::python::default_index::{pip_files, uv_files};
use crate::python::environment::resolver_configuration;
use crate::surroundings::Surroundings;

/// Hears once of each resolver that ran what it was configured by.
pub struct Told<'a> {
    say: &'a (dyn Fn(&str) + Sync),
    before: Mutex<BTreeSet<&'static str>>,
}

impl fmt::Debug for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Told").field("before", &self.before).finish_non_exhaustive()
    }
}

impl<'a> Told<'a> {
    /// Told to `say`, a line each.
    pub const fn to(say: &'a (dyn Fn(&str) + Sync)) -> Self {
        Self { say, before: Mutex::new(BTreeSet::new()) }
    }

    /// Tells it of a resolver that is about to run, unless it was told before.
    pub(super) fn tell(&self, resolver: &'static str, names: impl FnOnce() -> Vec<String>) {
        if self.before.lock().unwrap_or_else(PoisonError::into_inner).insert(resolver) {
            let names = names();
            let names = if names.is_empty() { "nothing but pyzpack".to_owned() } else { names.join(", ") };
            (self.say)(&format!("{resolver} is configured by {names}"));
        }
    }
}

/// What configures uv: variables by name, files by path.
pub(super) fn of_uv(request: &Request<'_>, world: &Surroundings) -> Vec<String> {
    // Those of pip that are passed on to uv (`with_index` of uv.rs).
    const TAKEN: [&str; 4] = ["PIP_CERT", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL"];
    let has_table = |path: &Path| {
        let table = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<toml::Table>().ok());
        table.is_some_and(|table| table.get("tool").and_then(|tool| tool.get("uv")).is_some())
    };
    let mut files = Vec::new();
    if world.variable("UV_NO_CONFIG").is_none() && world.variable("UV_CONFIG_FILE").is_none() {
        // The nearest directory that has any counts, as uv looks for it.
        files.extend(request.directory.ancestors().find_map(|directory| {
            let (own, project) = (directory.join("uv.toml"), directory.join("pyproject.toml"));
            if own.is_file() { Some(own) } else { has_table(&project).then_some(project) }
        }));
    }
    files.extend(uv_files(world));
    list(world, |name| !name.starts_with("PIP_") || TAKEN.contains(&name), files)
}

/// What configures pip: variables by name, files by path.
pub(super) fn of_pip(request: &Request<'_>, world: &Surroundings, removed: &[&str]) -> Vec<String> {
    list(world, |name| !name.starts_with("UV_") && !removed.contains(&name), pip_files(world, request.interpreter))
}

fn list(world: &Surroundings, counts: impl Fn(&str) -> bool, mut files: Vec<PathBuf>) -> Vec<String> {
    let netrc = world.home().map(|home| home.join(if cfg!(windows) { "_netrc" } else { ".netrc" }));
    files.extend(world.variable("NETRC").map(PathBuf::from).or(netrc));
    let files = files.into_iter().filter(|file| file.is_file()).map(|file| file.display().to_string());
    resolver_configuration(world).into_iter().filter(|name| counts(name)).chain(files).collect()
}
