//! The same times and modes for every copy of a source tree, whoever unpacked it and when.

use std::io;
use std::path::{Component, Path, PathBuf};

use filetime::FileTime;
use walkdir::WalkDir;

/// The earliest time that is given to a file: zip archives, and with them several build backends, know none before
/// 1980 (APPNOTE 4.4.6).
pub const EARLIEST: u64 = 315_532_800;

/// Gives everything below `root`, and `root` itself, the time `epoch` (seconds since 1970, at least 1980) and the modes
/// 0755 (directories, and files that their owner may execute) or 0644.
///
/// # Errors
/// A file cannot be changed; symbolic links keep their targets' modes untouched.
pub fn clamp_tree(root: &Path, epoch: u64) -> io::Result<()> {
    let time = FileTime::from_unix_time(i64::try_from(epoch.max(EARLIEST)).unwrap_or(i64::MAX), 0);
    // Contents first: a directory's time changes with what is made in it.
    for entry in WalkDir::new(root).contents_first(true) {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type().is_symlink() {
            filetime::set_symlink_file_times(path, time, time).map_err(|error| naming(path, &error))?;
            continue;
        }
        set_mode(path, entry.file_type().is_dir())?;
        filetime::set_file_times(path, time, time).map_err(|error| naming(path, &error))?;
    }
    Ok(())
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("failed to set the time of `{}`: {error}", path.display()))
}

#[cfg(unix)]
fn set_mode(path: &Path, directory: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs_err::symlink_metadata(path)?.permissions().mode();
    let wanted = if directory || found & 0o100 != 0 { 0o755 } else { 0o644 };
    if found & 0o7777 == wanted {
        return Ok(());
    }
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(wanted))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _directory: bool) -> io::Result<()> {
    Ok(())
}

/// Where a symbolic link at `link` (relative to the tree's root) leads, by its text alone; `None` when that is outside
/// of the tree.
pub(crate) fn resolve_link(link: &Path, target: &Path) -> Option<PathBuf> {
    let mut place = link.parent().unwrap_or(Path::new("")).to_owned();
    for component in target.components() {
        match component {
            Component::Normal(name) => place.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !place.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

/// Makes a symbolic link.
pub(crate) fn make_link(target: &Path, link: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return fs_err::os::unix::fs::symlink(target, link);
    #[cfg(windows)]
    return fs_err::os::windows::fs::symlink_file(target, link);
    #[cfg(not(any(unix, windows)))]
    return Err(io::ErrorKind::Unsupported.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_links_that_leave_the_tree() {
        let resolve = |link: &str, target: &str| resolve_link(Path::new(link), Path::new(target));
        assert_eq!(resolve("a/b", "../c"), Some(PathBuf::from("c")));
        assert_eq!(resolve("a/b", "./x/../y"), Some(PathBuf::from("a/y")));
        assert_eq!(resolve("a/b", "../../c"), None);
        assert_eq!(resolve("a", "/etc/passwd"), None);
    }
}
