//! The cache: what it has, how much room that takes, and what of it can go.
//!
//! Nothing outside of it is touched: links are removed, never followed, and a directory that holds anything else than a
//! cache does is refused. What another process is working on is told by its lock, and left.

mod unpacked;

use std::collections::BTreeMap;
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::status::{Explain, Status};
use crate::surroundings::CACHE_TAG;
use crate::wheel::partial::{PARTIAL_SUFFIX, is_at};
use unpacked::{PIPE_SUFFIX, REMOVED_PREFIX, Retired, UNPACKING_PREFIX, is_tree, pipe_of, retire, tree_of_pipe};

/// The parts of a cache: wheels by sha256, wheels that were built, what layout `extract` unpacked, logs of failed builds, and
/// what the resolvers keep.
pub const PARTS: [&str; 6] = ["wheels", "built", "apps", "logs", "uv", "pip"];

/// Files, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub files: u64,
    /// How many bytes they have, blocks left aside.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, metadata: &Metadata) {
        self.files += 1;
        self.bytes += metadata.len();
    }
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// What a cache has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// By part, each of [`PARTS`]; without what is under way.
    pub parts: BTreeMap<&'static str, Amount>,
    /// What is under way, or was when its process died: partial downloads, and what is being unpacked.
    pub unfinished: Amount,
}

impl Measured {
    /// Everything.
    pub fn total(&self) -> Amount {
        let mut total = self.unfinished;
        self.parts.values().for_each(|part| total += *part);
        total
    }
}

/// What was removed, and what was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Everything that went.
    pub amount: Amount,
    /// How many unpacked applications were among it.
    pub applications: u64,
    /// How many would have gone, but for something that runs.
    pub held: u64,
}

/// What is too old to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    /// The time now.
    pub now: SystemTime,
    /// Wheels, builds and unpacked applications that were not used for so long go.
    pub unused: Duration,
    /// Logs that were written longer ago go.
    pub logs: Duration,
}

/// Why a cache is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory is not one that pyzpack made.
    #[error("`{}` is not a cache of pyzpack: it has no CACHEDIR.TAG that says so", path.display())]
    NoTag {
        /// The directory.
        path: PathBuf,
    },
    /// There is something else in the directory.
    #[error("`{}` is not only a cache of pyzpack: it has `{entry}` in it", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// What does not belong there.
        entry: String,
    },
    /// It cannot be read, or something of it cannot be removed.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why it cannot be done.
        source: io::Error,
    },
}

impl Explain for CacheError {
    fn status(&self) -> Status {
        match self {
            Self::NoTag { .. } | Self::Foreign { .. } => Status::Usage,
            Self::Io { .. } => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoTag { .. } | Self::Foreign { .. } => {
                Some("name the cache with PYZPACK_CACHE, or remove it yourself".to_owned())
            }
            Self::Io { .. } => None,
        }
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    move |source| CacheError::Io { what, path: path.to_owned(), source }
}

/// Measures the cache at `root`, which need not be there.
///
/// # Errors
/// [`CacheError::Io`]: it cannot be read.
pub fn measure(root: &Path) -> Result<Measured, CacheError> {
    let root = &resolve(root);
    let mut measured = Measured::default();
    for part in PARTS {
        let mut amount = Amount::default();
        walk(&root.join(part), &mut |path, metadata| {
            if metadata.is_dir() || path.to_string_lossy().ends_with(PIPE_SUFFIX) && !metadata.is_file() {
                return Ok(());
            }
            if is_unfinished(root, path) {
                measured.unfinished.add(metadata);
            } else {
                amount.add(metadata);
            }
            Ok(())
        })?;
        measured.parts.insert(part, amount);
    }
    Ok(measured)
}

/// Removes what killed processes left, old logs, and wheels, builds and unpacked applications that were not used for long;
/// tells what went.
///
/// An application that runs stays. So do the caches of uv and pip, which have commands of their own.
///
/// # Errors
/// [`CacheError`].
pub fn prune(root: &Path, age: &Age) -> Result<Freed, CacheError> {
    let root = &resolve(root);
    let mut freed = Freed::default();
    if !check_cache(root)? {
        return Ok(freed);
    }
    for part in ["wheels", "built"] {
        for shelf in list(&root.join(part))? {
            for entry in list(&shelf)? {
                let unused = age.exceeds(age.unused, last_use(&entry)?);
                for file in list(&entry)?.iter().filter(|file| unused || is_unfinished(root, file)) {
                    freed.amount += remove(file)?;
                }
                let _ = std::fs::remove_dir(&entry);
            }
            let _ = std::fs::remove_dir(&shelf);
        }
    }
    remove_unpacked(root, Some(age), &mut freed)?;
    for log in list(&root.join("logs"))? {
        let written = log.symlink_metadata().and_then(|metadata| metadata.modified());
        if age.exceeds(age.logs, written.map_err(failed("read", &log))?) {
            freed.amount += remove(&log)?;
        }
    }
    Ok(freed)
}

/// Removes everything but what another process is working on, or runs from; tells what went.
///
/// # Errors
/// [`CacheError`]: among others, that this is not only a cache.
pub fn clear(root: &Path) -> Result<Freed, CacheError> {
    let root = &resolve(root);
    let mut freed = Freed::default();
    if !check_cache(root)? {
        return Ok(freed);
    }
    remove_unpacked(root, None, &mut freed)?;
    for part in PARTS.into_iter().filter(|part| *part != "apps") {
        freed.amount += remove(&root.join(part))?;
    }
    Ok(freed)
}

/// Removes what is left in `apps`, and trees: those that were not used for long, or all.
fn remove_unpacked(root: &Path, age: Option<&Age>, freed: &mut Freed) -> Result<(), CacheError> {
    let apps = &root.join("apps");
    for entry in list(apps)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = is_unfinished(root, &entry);
        let gone = match tree_of_pipe(&name) {
            Some(tree) => match retire(apps, tree, age) {
                Ok(Retired::Tree(tree)) => {
                    freed.applications += 1;
                    tree
                }
                Ok(Retired::Held) => {
                    freed.held += 1;
                    continue;
                }
                // A link in a tree's place, or where nothing can be known of trees.
                Ok(Retired::Kept) if age.is_none() => {
                    freed.amount += remove(&entry)?;
                    apps.join(tree)
                }
                Ok(Retired::Kept | Retired::Nothing) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("remove", &apps.join(tree))(error)),
            },
            // It goes by its pipe, or does not.
            None if is_tree(&name) && pipe_of(apps, &name).symlink_metadata().is_ok() => continue,
            None if unfinished || age.is_none() => entry,
            None => continue,
        };
        freed.amount += remove(&gone)?;
    }
    if age.is_none() {
        let _ = std::fs::remove_dir(apps);
    }
    Ok(())
}

/// Keeps a wheel or a build from being taken for unused: its directory has the time of the last use. That of a file must
/// stay, for whoever reads it just now.
pub(crate) fn mark_used(entry: &Path) {
    #[cfg(unix)]
    {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let _ = utimensat(CWD, entry, &Timestamps { last_access: now, last_modification: now }, AtFlags::empty());
    }
    #[cfg(not(unix))]
    let _ = entry;
}

impl Age {
    fn exceeds(&self, limit: Duration, time: SystemTime) -> bool {
        // A time to come is not old.
        self.now.duration_since(time).is_ok_and(|age| age > limit)
    }
}

/// When an entry, a directory of files, was used last, as far as the file system knows.
fn last_use(entry: &Path) -> Result<SystemTime, CacheError> {
    let mut last = SystemTime::UNIX_EPOCH;
    walk(entry, &mut |path, metadata| {
        last = last.max(metadata.modified().map_err(failed("read", path))?);
        // Reading a directory, as is done here, is no use of it.
        if let (true, Ok(accessed)) = (metadata.is_file(), metadata.accessed()) {
            last = last.max(accessed);
        }
        Ok(())
    })?;
    Ok(last)
}

/// Where the cache really is: its user may have put a link in its place, and there alone.
fn resolve(root: &Path) -> PathBuf {
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

/// Whether there is a cache; an error where there is something else.
fn check_cache(root: &Path) -> Result<bool, CacheError> {
    let entries = list(root)?;
    if entries.is_empty() {
        return Ok(false);
    }
    let tag = std::fs::read(root.join("CACHEDIR.TAG")).unwrap_or_default();
    // The rest says who made it: other programs have such caches too.
    let ours = tag.starts_with(CACHE_TAG.split('\n').next().unwrap_or_default().as_bytes())
        && tag.windows(7).any(|word| word == b"pyzpack");
    if !ours {
        return Err(CacheError::NoTag { path: root.to_owned() });
    }
    let names = entries.iter().filter_map(|entry| entry.file_name());
    let foreign = names.filter(|name| *name != "CACHEDIR.TAG" && !PARTS.iter().any(|part| name == part)).min();
    match foreign {
        Some(entry) => Err(CacheError::Foreign { path: root.to_owned(), entry: entry.to_string_lossy().into_owned() }),
        None => Ok(true),
    }
}

/// Whether a name below `root` is one of those that something has until it is whole, or the lock of such a thing.
fn is_unfinished(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else { return false };
    let mut names = below.iter().map(|name| name.to_string_lossy());
    let part = names.next().unwrap_or_default();
    let first = names.next().unwrap_or_default();
    let last = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = |name: &str, end: &str| name.starts_with('.') && name.ends_with(end);
    match &*part {
        "wheels" | "built" => last.ends_with(PARTIAL_SUFFIX) || hidden(&last, ".tmp"),
        "apps" => {
            [UNPACKING_PREFIX, REMOVED_PREFIX].iter().any(|start| first.starts_with(start)) || hidden(&first, ".lock")
        }
        _ => false,
    }
}

/// What is in a directory; nothing where it is missing, a link, or no directory.
fn list(directory: &Path) -> Result<Vec<PathBuf>, CacheError> {
    let read = || {
        if !directory.symlink_metadata()?.is_dir() {
            return Ok(Vec::new());
        }
        std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(failed("read", directory)),
    }
}

/// Visits what is at `path` and, in a directory, what is in it; follows no link. What vanishes meanwhile is passed over.
fn walk(path: &Path, visit: &mut dyn FnMut(&Path, &Metadata) -> Result<(), CacheError>) -> Result<(), CacheError> {
    for entry in walkdir::WalkDir::new(path).follow_links(false).follow_root_links(false) {
        let found = entry.and_then(|entry| Ok((entry.metadata()?, entry.into_path())));
        match found {
            Ok((metadata, path)) => visit(&path, &metadata)?,
            Err(error) => {
                let path = error.path().unwrap_or(path).to_owned();
                let error = io::Error::from(error);
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(failed("read", &path)(error));
                }
            }
        }
    }
    Ok(())
}

/// Removes what is at `path`, with all that is in it but what a process holds; tells what went.
fn remove(path: &Path) -> Result<Amount, CacheError> {
    let mut freed = Amount::default();
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(freed),
        Err(error) => return Err(failed("read", path)(error)),
    };
    // Held until it is gone: nobody takes it up meanwhile.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lockable = (metadata.is_dir() && name.starts_with(UNPACKING_PREFIX))
        || (metadata.is_file() && [PARTIAL_SUFFIX, ".tmp", ".lock"].iter().any(|end| name.ends_with(end)));
    let _held = if lockable {
        let Ok(file) = File::open(path) else { return Ok(freed) };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || (metadata.is_file() && !is_at(&file, path)) {
            return Ok(freed);
        }
        Some(file)
    } else {
        None
    };
    let gone = if metadata.is_dir() {
        make_writable(path, &metadata);
        for entry in list(path)? {
            freed += remove(&entry)?;
        }
        match std::fs::remove_dir(path) {
            // Something in it is held, or was made meanwhile.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            gone => gone,
        }
    } else {
        freed.add(&metadata);
        std::fs::remove_file(path)
    };
    match gone {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(freed),
    }
}

/// Directories that a resolver made read-only cannot be emptied as they are.
#[cfg(unix)]
fn make_writable(directory: &Path, metadata: &Metadata) {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o700 != 0o700 {
        let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700));
    }
}

#[cfg(not(unix))]
fn make_writable(_directory: &Path, _metadata: &Metadata) {}
