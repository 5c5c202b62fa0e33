//! The environment and the directories of this process, read once.

use std::path::{Path, PathBuf};

use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;

/// Why there is no place for the cache.
#[derive(Debug, thiserror::Error)]
#[error("the cache directory `{path}` cannot be trusted: {reason}")]
pub(super) struct WorldError {
    path: String,
    reason: &'static str,
}

impl Explain for WorldError {
    fn status(&self) -> Status {
        Status::Machine
    }

    fn hint(&self) -> Option<String> {
        Some("name a directory of your own with PYZPACK_CACHE".to_owned())
    }
}

/// Whether a terminal may be sent colours (no-color.org).
pub(super) fn wants_colour() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// The environment, for a verb that needs no cache.
pub(super) fn without_cache() -> Surroundings {
    let mut world =
        Surroundings { environment: std::env::vars_os().collect(), temporary: PathBuf::new(), cache: PathBuf::new() };
    let named = world.variable("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
    world.temporary = named.unwrap_or_else(std::env::temp_dir);
    world
}

/// Reads the environment.
pub(super) fn read() -> Result<Surroundings, WorldError> {
    let mut world = without_cache();
    world.cache = find_cache(&world)?;
    Ok(world)
}

/// `PYZPACK_CACHE`, else `XDG_CACHE_HOME/pyzpack`, else `~/.cache/pyzpack`, else a directory of one's own beside other
/// temporary files: that one may be there already, made by anybody, and is looked at before it is trusted.
fn find_cache(world: &Surroundings) -> Result<PathBuf, WorldError> {
    if let Some(cache) = world.variable("PYZPACK_CACHE") {
        return Ok(std::path::absolute(cache).unwrap_or_else(|_| PathBuf::from(cache)));
    }
    let shared = world.variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let shared = shared.or_else(|| world.home().map(|home| home.join(".cache")));
    if let Some(cache) = shared.map(|shared| shared.join("pyzpack")).filter(|cache| can_be_made(cache)) {
        return Ok(cache);
    }
    own_temporary(&world.temporary)
}

/// Whether the directory is there and writable, or could be made.
#[cfg(unix)]
fn can_be_made(directory: &Path) -> bool {
    let nearest = directory.ancestors().find(|ancestor| ancestor.exists());
    nearest.is_some_and(|nearest| {
        nearest.is_dir()
            && rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
    })
}

#[cfg(not(unix))]
fn can_be_made(_directory: &Path) -> bool {
    true
}

#[cfg(unix)]
fn own_temporary(temporary: &Path) -> Result<PathBuf, WorldError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    let user = rustix::process::geteuid().as_raw();
    let path = temporary.join(format!("pyzpack-{user}"));
    let refuse = |reason| Err(WorldError { path: path.display().to_string(), reason });
    let _ = std::fs::DirBuilder::new().mode(0o700).create(&path);
    match std::fs::symlink_metadata(&path) {
        Err(_) => refuse("it cannot be made"),
        Ok(metadata) if !metadata.is_dir() => refuse("it is not a directory"),
        Ok(metadata) if metadata.uid() != user => refuse("it belongs to another user"),
        Ok(metadata) if metadata.permissions().mode() & 0o022 != 0 => refuse("others may write to it"),
        Ok(_) => Ok(path),
    }
}

#[cfg(not(unix))]
fn own_temporary(temporary: &Path) -> Result<PathBuf, WorldError> {
    Ok(temporary.join("pyzpack"))
}
