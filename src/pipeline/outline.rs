//! What a build with a lock will do, told beforehand: nothing is fetched, built or run but the interpreter's own probe.

use crate::error::Error;
use crate::lock::{Choice, Lock, LockedSource, Wanted};
use crate::names::PackageName;
use crate::python::Interpreter;
use crate::resolve::{Artifact, Location, RemoteFile};
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;

use super::finder::Finder;
use super::inputs::{Inputs, SourceKind};

/// An entry of a lock that the target takes, and what will be done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinedEntry {
    /// The distribution.
    pub name: PackageName,
    /// Its version, where the lock says.
    pub version: Option<String>,
    /// What is taken: a file's name, a repository, or a directory's name.
    pub from: String,
    /// What is done for it.
    pub step: OutlinedStep,
}

/// What is done for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutlinedStep {
    /// It is an input, and packed as that.
    Input,
    /// Its wheel is at hand or in the cache.
    AtHand,
    /// Its wheel is fetched; the size in bytes, where the lock says.
    Fetch(Option<u64>),
    /// It is built.
    Build,
}

/// What `lock` has for the target, by name.
///
/// # Errors
/// When the lock cannot be used for the target.
pub fn outline_lock(
    settings: &BuildSettings,
    world: &Surroundings,
    inputs: &Inputs,
    interpreter: &Interpreter,
    lock: &Lock,
) -> Result<Vec<OutlinedEntry>, Error> {
    let platform = settings.platform.as_deref().map(str::parse).transpose()?;
    let target = interpreter.target.overridden(settings.target_python, platform.as_ref());
    let wanted =
        Wanted { extras: settings.extras.iter().cloned().collect(), groups: settings.groups.iter().cloned().collect() };
    let finder = Finder::new(&target, &world.cache, &inputs.index.find_links);
    let mut entries = Vec::new();
    for one in lock.select(&target, &wanted).map_err(Box::new)? {
        let package = one.package;
        let is_input = |source: &SourceKind| {
            matches!((source, &package.source), (SourceKind::Project(project), LockedSource::Directory { path })
                if project.root == *path)
        };
        let placed = if inputs.sources.iter().any(is_input) { None } else { finder.place(&one)? };
        let here = |file: &RemoteFile| matches!(file.location, Location::Path(_)) || finder.is_cached(file);
        let (from, step) = match (&one.choice, &package.source) {
            _ if inputs.sources.iter().any(is_input) => (".".to_owned(), OutlinedStep::Input),
            (Choice::Sdist(file), _) => match finder.find_built(package) {
                Some((wheel, _)) => (wheel, OutlinedStep::AtHand),
                None => (file.filename.clone(), OutlinedStep::Build),
            },
            (Choice::Wheel(_) | Choice::Digests, _) => match (placed, &one.choice) {
                (Some(Artifact::Wheel(file)), _) if here(&file) => (file.filename, OutlinedStep::AtHand),
                (Some(Artifact::Sdist { file, .. }), _) => (file.filename, OutlinedStep::Build),
                (_, Choice::Wheel(file)) => (file.filename.clone(), OutlinedStep::Fetch(file.size)),
                _ => (package.entry(), OutlinedStep::Fetch(None)),
            },
            (_, LockedSource::Git { url, .. }) => (crate::redact::recorded_url(url), OutlinedStep::Build),
            (_, LockedSource::Directory { path }) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                (name.into_owned(), OutlinedStep::Build)
            }
            _ => unreachable!("a choice goes with its source"),
        };
        let version = package.version.as_ref().map(ToString::to_string);
        entries.push(OutlinedEntry { name: package.name.clone(), version, from, step });
    }
    Ok(entries)
}
