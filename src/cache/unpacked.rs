//! What layout `extract` unpacked: which of it goes, and what a running program needs of it.
//!
//! The rule is that of the runtime's `cache.py`, which removes by it too, and both may be at it at once. Beside a tree
//! lies a pipe, `.SHA256.used`. Each start opens it for reading, for as long as its process and the forks of that live;
//! its time is that of the last start. A start opens the pipe first and looks then whether the tree is whole; so here the
//! tree is first made not whole, and then asked for. A tree without a pipe is left: nothing is known of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::Age;

/// What the names of directories begin with into which the runtime is unpacking.
pub(super) const UNPACKING_PREFIX: &str = ".unpacking-";

/// What the names of trees begin with that nobody uses any more.
pub(super) const REMOVED_PREFIX: &str = ".removing-";

/// How the names of pipes end.
pub(super) const PIPE_SUFFIX: &str = ".used";

/// What became of a tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Retired {
    /// It is out of use, and has this name until it is removed.
    Tree(PathBuf),
    /// There was a pipe alone.
    Nothing,
    /// It was used lately, or is none that can be told unused.
    Kept,
    /// Something that runs uses it, or works on it.
    Held,
}

/// The name of the tree that a file in `apps` is the pipe of.
pub(super) fn tree_of_pipe(name: &str) -> Option<&str> {
    let tree = name.strip_prefix('.')?.strip_suffix(PIPE_SUFFIX)?;
    is_tree(tree).then_some(tree)
}

/// Whether a name in `apps` is that of a tree: the digest of what was unpacked.
pub(super) fn is_tree(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where the pipe of a tree lies.
pub(super) fn pipe_of(apps: &Path, tree: &str) -> PathBuf {
    apps.join(format!(".{tree}{PIPE_SUFFIX}"))
}

/// Takes a tree that has a pipe out of use, where it is older than `age` says, and where nothing that runs uses it.
#[cfg(unix)]
pub(super) fn retire(apps: &Path, tree: &str, age: Option<&Age>) -> io::Result<Retired> {
    let pipe = pipe_of(apps, tree);
    let last_use = pipe.symlink_metadata()?.modified()?;
    if age.is_some_and(|age| !age.exceeds(age.unused, last_use)) {
        return Ok(Retired::Kept);
    }
    let path = apps.join(tree);
    let there = match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_dir() => return Ok(Retired::Kept),
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    let Some(_lock) = Lock::take(apps.join(format!(".{tree}.lock")))? else { return Ok(Retired::Held) };
    if is_used(&pipe) {
        return Ok(Retired::Held);
    }
    let mut retired = Retired::Nothing;
    if there {
        make_unwhole(&path)?;
        if is_used(&pipe) {
            return Ok(Retired::Held);
        }
        let removed = apps.join(format!("{REMOVED_PREFIX}{}-{}", std::process::id(), &tree[..16]));
        std::fs::rename(&path, &removed)?;
        retired = Retired::Tree(removed);
    }
    std::fs::remove_file(&pipe)?;
    Ok(retired)
}

/// Without pipes nothing is known of any tree.
#[cfg(not(unix))]
pub(super) fn retire(_apps: &Path, _tree: &str, _age: Option<&Age>) -> io::Result<Retired> {
    Ok(Retired::Kept)
}

/// The lock under which a tree is unpacked, mended or taken out of use. Its file goes with it.
#[cfg(unix)]
struct Lock {
    path: PathBuf,
    _file: File,
}

#[cfg(unix)]
impl Lock {
    /// Takes it; none where somebody has it.
    fn take(path: PathBuf) -> io::Result<Option<Self>> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            // Else its last holder has removed it, and it keeps nobody out.
            Ok(()) if crate::wheel::partial::is_at(&file, &path) => Ok(Some(Self { path, _file: file })),
            Ok(()) | Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(unix)]
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether somebody has a pipe open for reading, or its file system cannot say so.
#[cfg(unix)]
fn is_used(pipe: &Path) -> bool {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;
    open(pipe, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).err() != Some(Errno::NXIO)
}

/// Gives a tree another time than that of a whole one.
#[cfg(unix)]
fn make_unwhole(tree: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    Ok(utimensat(CWD, tree, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
