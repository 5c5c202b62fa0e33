//! What a copied source tree is, as a digest: whoever copied it, from wherever.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use walkdir::WalkDir;

use super::git::without_configuration;
use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::process::Child;

/// How long git may take to describe a copy.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The digest of paths, kinds, contents and, of files, whether their owner may execute them, of everything below `root`
/// but repositories' own directories (`.git`).
///
/// # Errors
/// A file cannot be read.
pub fn tree_digest(root: &Path) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256Hasher::default();
    let entries = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| entry.file_name() != ".git") {
        let entry = entry?;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path()).as_os_str().as_encoded_bytes();
        if entry.file_type().is_dir() {
            add(&mut hasher, &[b"directory", path]);
        } else if entry.file_type().is_symlink() {
            add(&mut hasher, &[b"link", path, fs_err::read_link(entry.path())?.as_os_str().as_encoded_bytes()]);
        } else {
            let content = Sha256Digest::of_reader(fs_err::File::open(entry.path())?)?;
            let kind: &[u8] = if is_executable(&entry.metadata()?) { b"program" } else { b"file" };
            add(&mut hasher, &[kind, path, content.as_bytes()]);
        }
    }
    Ok(hasher.finish())
}

/// The digest of what version control says of a copy, for backends that ask it: HEAD, branches and tags, the index
/// without the times in it, the repository's settings. `None` where git does not tell.
///
/// Remotes and reflogs do not count, and objects only as far as something names them.
pub fn repository_digest(
    git: Option<&Path>,
    root: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Option<Sha256Digest> {
    let mut hasher = Sha256Hasher::default();
    if root.join(".git").symlink_metadata().is_err() {
        return Some(hasher.finish());
    }
    let environment = without_configuration(environment);
    let questions: [&[&str]; 4] = [
        &["rev-parse", "--symbolic-full-name", "HEAD"],
        &["show-ref", "--head"],
        &["ls-files", "--stage", "-z"],
        &["config", "--local", "--list", "-z"],
    ];
    for question in questions {
        let ended = Child::new(git?, &environment, root, TIMEOUT)
            .args(["--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"])
            .args(question)
            .capture_stdout()
            .run()
            .ok()?;
        // Before the first commit some of them have no answer, which is one.
        add(&mut hasher, &[ended.describe_status().as_bytes(), &ended.stdout]);
    }
    Some(hasher.finish())
}

/// Adds parts so that no two lists of parts are the same bytes.
fn add(hasher: &mut Sha256Hasher, parts: &[&[u8]]) {
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn changes_with_every_path_mode_link_and_byte_and_with_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let file = root.join("a/b.py");
        let make = |text: &str| {
            std::fs::create_dir_all(root.join("a/.git")).unwrap();
            std::fs::write(&file, text).unwrap();
            std::fs::write(root.join("a/.git/x"), text).unwrap();
        };
        make("1");
        symlink("a", root.join("link")).unwrap();
        let first = tree_digest(root).unwrap();
        filetime::set_file_mtime(&file, filetime::FileTime::zero()).unwrap();
        std::fs::write(root.join("a/.git/x"), "2").unwrap();
        assert_eq!(tree_digest(root).unwrap(), first);

        make("2");
        assert_ne!(tree_digest(root).unwrap(), first);
        make("1");
        assert_eq!(tree_digest(root).unwrap(), first);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(tree_digest(root).unwrap(), first);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::create_dir(root.join("empty")).unwrap();
        assert_ne!(tree_digest(root).unwrap(), first);
        std::fs::remove_dir(root.join("empty")).unwrap();
        std::fs::remove_file(root.join("link")).unwrap();
        symlink("b", root.join("link")).unwrap();
        assert_ne!(tree_digest(root).unwrap(), first);
    }
}
