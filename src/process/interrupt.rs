//! The end by signal: children are killed, temporary files and directories removed, and the process exits 130 or 143.
//!
//! One registry knows every running child and everything temporary. Whoever makes, renames or starts something holds
//! its lock meanwhile; the thread that answers SIGINT, SIGTERM and SIGHUP takes the lock and never gives it back, so nothing
//! new can appear while it cleans up. Without that thread (in a library, in tests) the guards clean up by themselves.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long children may take to end by themselves after SIGTERM.
const GRACE: Duration = Duration::from_millis(400);

/// How often a removal is tried again while a dying child still writes.
const REMOVAL_TRIES: u32 = 50;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 0, paths: BTreeMap::new(), groups: BTreeMap::new() });

/// What has to go when the process ends by a signal.
pub(crate) struct Registry {
    next: u64,
    paths: BTreeMap<u64, PathBuf>,
    groups: BTreeMap<u64, u32>,
}

impl Registry {
    /// The registry, locked; it blocks for ever once a signal came.
    pub(crate) fn lock() -> MutexGuard<'static, Self> {
        REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes in a path that is removed at the end.
    pub(crate) fn add_path(&mut self, path: PathBuf) -> u64 {
        let key = self.key();
        self.paths.insert(key, path);
        key
    }

    /// Whether this path is removed at the end.
    pub(crate) fn has_path(&self, path: &Path) -> bool {
        self.paths.values().any(|known| known == path)
    }

    /// Forgets a path.
    pub(crate) fn forget_path(&mut self, key: u64) {
        self.paths.remove(&key);
    }

    /// Takes in a process group, by the process id of its leader.
    pub(crate) fn add_group(&mut self, leader: u32) -> u64 {
        let key = self.key();
        self.groups.insert(key, leader);
        key
    }

    /// Forgets a process group.
    pub(crate) fn forget_group(&mut self, key: u64) {
        self.groups.remove(&key);
    }
}

/// Starts the thread that answers SIGINT, SIGTERM and, unless it is ignored (`nohup`), SIGHUP; `before_exit` is called after
/// the cleaning (a terminal's cursor comes back there).
///
/// # Errors
/// The handlers cannot be installed.
#[cfg(unix)]
pub fn install(before_exit: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let registry = Registry::lock();
            clean_up(&registry);
            before_exit();
            let status =
                if signal == SIGINT { crate::status::Status::Interrupted } else { crate::status::Status::Terminated };
            // The guard lives until the process is gone.
            std::process::exit(i32::from(status.code()));
        }
    })?;
    Ok(())
}

/// Whether a signal is ignored; taken to be where that cannot be known.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Does nothing where there are no such signals.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn install(_before_exit: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn clean_up(registry: &Registry) {
    let groups: Vec<u32> = registry.groups.values().copied().collect();
    end_groups(&groups, GRACE);
    for path in registry.paths.values() {
        remove_persistently(path);
    }
}

/// Ends process groups whose leaders were not reaped yet: SIGTERM, after the grace SIGKILL.
///
/// An unreaped leader keeps its process id, so no foreign group can be met.
#[cfg(unix)]
pub(crate) fn end_groups(leaders: &[u32], grace: Duration) {
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
    const STEP: Duration = Duration::from_millis(10);
    let leaders: Vec<Pid> =
        leaders.iter().filter_map(|leader| i32::try_from(*leader).ok().and_then(Pid::from_raw)).collect();
    for leader in &leaders {
        let _ = kill_process_group(*leader, Signal::TERM);
    }
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let mut waited = Duration::ZERO;
    while waited < grace && leaders.iter().any(|leader| matches!(waitid(WaitId::Pid(*leader), options), Ok(None))) {
        std::thread::sleep(STEP);
        waited += STEP;
    }
    for leader in &leaders {
        let _ = kill_process_group(*leader, Signal::KILL);
    }
}

/// Removes a file or a directory tree, again and again while something still writes there.
pub(crate) fn remove_persistently(path: &Path) {
    for _ in 0..REMOVAL_TRIES {
        match remove(path) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return std::fs::remove_file(path);
    }
    std::fs::remove_dir_all(path).or_else(|error| {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return Err(error);
        }
        // Directories that a build made read-only (a Go module cache does) cannot be emptied as they are.
        for entry in walkdir::WalkDir::new(path).into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
            make_writable(entry.path());
        }
        std::fs::remove_dir_all(path)
    })
}

#[cfg(unix)]
fn make_writable(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700));
}

#[cfg(not(unix))]
fn make_writable(_directory: &Path) {}
