//! Where a lock may say that something is: at an http or https URL, in a git repository, or at a path of the project.

use std::path::PathBuf;

use super::bounds::{Bounds, subdirectory};
use super::{EntryFault, LockedSource};
use crate::project::git::{GitError, GitSource};
use crate::redact::redact_url;
use crate::urls;

/// A URL that files are fetched from.
///
/// # Errors
/// [`EntryFault::Scheme`].
pub(super) fn http_url(url: &str) -> Result<String, EntryFault> {
    // Blanks are escaped where it is asked; a line break would be dropped (WHATWG URL, 4.4), and name another place.
    let hides = |c: char| c.is_control() || c.is_whitespace() && c != ' ';
    match urls::scheme(url).as_deref() {
        Some("http" | "https") if !url.contains(hides) => Ok(url.to_owned()),
        _ => Err(EntryFault::Scheme(redact_url(url).into_owned())),
    }
}

/// The absolute path that a text stands for, which may be a `file:` URL.
///
/// # Errors
/// [`EntryFault::Outside`]; [`EntryFault::Scheme`] for another URL.
pub(super) fn local_path(bounds: &Bounds, text: &str) -> Result<PathBuf, EntryFault> {
    match urls::path_of_file_url(text) {
        Some(path) => bounds.resolve(&path.to_string_lossy()),
        None if text.contains("://") => Err(EntryFault::Scheme(redact_url(text).into_owned())),
        None => bounds.resolve(text),
    }
}

/// A commit of a git repository: by https, by ssh, or a directory of the project.
///
/// # Errors
/// The URL is none that can be cloned, or the commit is not a whole one.
pub(super) fn git_commit(
    url: &str,
    commit: &str,
    inside: Option<&str>,
    bounds: &Bounds,
) -> Result<LockedSource, EntryFault> {
    if ![40, 64].contains(&commit.len()) || !commit.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(EntryFault::Repository(format!("`{commit}` is not a whole commit (40 or 64 hexadecimal digits)")));
    }
    let commit = commit.to_ascii_lowercase();
    let subdirectory = inside.map_or(Ok(None), subdirectory)?;
    let url = url.strip_prefix("git+").unwrap_or(url);
    let refuse = |reason: &str| EntryFault::Repository(format!("`{}` {reason}", redact_url(url)));
    let url = match urls::scheme(url).as_deref() {
        Some("https" | "ssh") => url.to_owned(),
        Some("file") => {
            let path = urls::path_of_file_url(url).and_then(|path| path.to_str().map(str::to_owned));
            let path = path.ok_or_else(|| refuse("is no path of this machine"))?;
            return Ok(LockedSource::Git { url: urls::file_url(&bounds.resolve(&path)?), commit, subdirectory });
        }
        _ => return Err(refuse("is neither an https nor an ssh URL of a repository")),
    };
    if url.contains(['#', '\\']) {
        return Err(refuse("cannot be a repository's: there is no fragment and no `\\` in one"));
    }
    // git hands user and host to ssh, where they must not read as options.
    match GitSource::parse(&format!("git+{url}@{commit}")) {
        Ok(_) => Ok(LockedSource::Git { url, commit, subdirectory }),
        Err(GitError::Input { rule, .. }) => Err(refuse(&format!("cannot be a repository's: {rule}"))),
        Err(error) => Err(refuse(&error.to_string())),
    }
}

/// The URL that `user@host:path`, the short form of ssh, stands for (git-clone(1)); another text is its own.
pub(super) fn long_form(url: &str) -> String {
    let bare = url.strip_prefix("git+").unwrap_or(url);
    match (bare.contains("://"), bare.split_once(':')) {
        (false, Some((host, path))) if host.contains('@') && !host.contains('/') => {
            format!("ssh://{host}/{}", path.trim_start_matches('/'))
        }
        _ => bare.to_owned(),
    }
}

/// What is wrong with a repository of another kind.
pub(super) fn not_git(kind: &str) -> EntryFault {
    EntryFault::Repository(format!("a `{kind}` repository, and only git ones can be fetched"))
}
