//! What repositories say of the inputs: the commits of `git+` inputs, fetched before anything is built, and the time that
//! all entries carry, which may be a commit's.

use std::path::{Path, PathBuf};

use crate::archive::Epoch;
use crate::error::Error;
use crate::process::ScratchDir;
use crate::project::changes::changed_files;
use crate::project::git::{Checkout, commit_time};
use crate::project::input::InputError;
use crate::python::environment::resolver_environment;
use crate::settings::{BuildSettings, EpochChoice, UnpinnedPolicy};
use crate::surroundings::Surroundings;
use crate::wheel::collect::CollectError;

use super::checkouts::list;
use super::inputs::{Inputs, SourceKind};
use super::pins::is_commit;
use super::{Observer, Stage};

/// The commits of the inputs that are repositories, in their order.
pub(super) fn check_out(
    inputs: &Inputs,
    settings: &BuildSettings,
    world: &Surroundings,
    scratch: &ScratchDir,
    observer: &dyn Observer,
) -> Result<Vec<Checkout>, Error> {
    let mut checkouts = Vec::new();
    for source in &inputs.sources {
        let SourceKind::Git(git) = source else { continue };
        if !git.revision.as_deref().is_some_and(is_commit) && settings.unpinned == UnpinnedPolicy::Refuse {
            return Err(CollectError::NoCommit(git.url.clone()).into());
        }
        observer.begin(Stage::Build, &format!("fetching {}", git.url));
        let into = scratch.subdirectory("git")?.join(git.name());
        let temporary = scratch.subdirectory("git-tmp")?;
        let environment = resolver_environment(world, &temporary, None);
        let program = world.find_program("git");
        checkouts.push(git.checkout(program.as_deref(), &into, &environment, settings.offline)?);
    }
    Ok(checkouts)
}

/// The time of every entry: the one that is given, or that of the commit of the first input.
pub(super) fn find_epoch(
    inputs: &Inputs,
    checkouts: &[Checkout],
    settings: &BuildSettings,
    world: &Surroundings,
    observer: &dyn Observer,
) -> Result<Epoch, Error> {
    match settings.epoch {
        EpochChoice::At(epoch) => return Ok(epoch),
        EpochChoice::Commit => {}
    }
    let undated = |shown: &Path| InputError::Undated(shown.display().to_string());
    let time = match (inputs.sources.first(), checkouts.first()) {
        (Some(SourceKind::Git(_)), Some(checkout)) => checkout.time,
        (Some(SourceKind::Project(project)), _) => time_of(&project.root, world, observer)?,
        (Some(SourceKind::Modules { root, .. }), _) => time_of(root, world, observer)?,
        (Some(SourceKind::Script { path, .. }), _) => {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            time_of(directory.unwrap_or(&settings.directory), world, observer)?
        }
        (Some(SourceKind::Wheel(path) | SourceKind::Sdist(path)), _) => return Err(undated(path).into()),
        (Some(SourceKind::Requirement(requirement)), _) => {
            return Err(InputError::Undated(requirement.to_string()).into());
        }
        (Some(SourceKind::Git(_)) | None, _) => time_of(&settings.directory, world, observer)?,
    };
    let epoch = Epoch::clamped(time);
    if epoch.seconds() != time & !1 {
        observer.warn(&format!("the commit's time {time} is outside what a zip can hold: {epoch} is used"));
    }
    observer.detail(&format!("the commit's time is used: {epoch}"));
    Ok(epoch)
}

/// The time of the commit that `directory` is at; what differs from it is told.
fn time_of(directory: &Path, world: &Surroundings, observer: &dyn Observer) -> Result<u64, Error> {
    let environment = resolver_environment(world, &world.temporary, None);
    let git: Option<PathBuf> = world.find_program("git");
    let time = commit_time(git.as_deref(), directory, &environment)?;
    let changed = changed_files(git.as_deref(), directory, &environment)?;
    if !changed.is_empty() {
        let shown = directory.display();
        observer.warn(&format!("`{shown}` differs from the commit whose time is used: {}", list(&changed)));
    }
    Ok(time)
}
