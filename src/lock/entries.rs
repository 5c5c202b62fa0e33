//! What readers of poetry.lock and pdm.lock have in common: the project's `pyproject.toml`; files with one hash each,
//! repositories, archives.

use std::path::{Path, PathBuf};

use super::bounds::{Bounds, subdirectory};
use toml::Table;

use super::fields::parse_toml;
use super::{Document, EntryFault, FileHash, FileLocation, LockError, LockedFile, LockedSource};
use crate::digest::Sha256Digest;
use crate::redact::redact_url;
use crate::urls;

/// How names of wheels and source distributions end: those that old releases have too.
const ENDINGS: [&str; 7] = [".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar.Z"];

/// The project's `pyproject.toml` and its path, where there is one.
///
/// # Errors
/// It cannot be read, or is not TOML.
pub(super) fn read_pyproject(project: &Path) -> Result<Option<(PathBuf, Table)>, LockError> {
    let path = project.join("pyproject.toml");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LockError::Read { path, source }),
    };
    let text = str::from_utf8(&bytes).map_err(|_| LockError::malformed(&path, "it is not UTF-8"))?;
    let sha256 = Sha256Digest::of(&bytes);
    let table = parse_toml(&Document { path: &path, text, sha256 })?;
    Ok(Some((path, table)))
}

/// `sha256:DIGEST`; of another algorithm its name is kept.
///
/// # Errors
/// [`EntryFault::BadHash`].
pub(super) fn parse_hash(text: Option<&str>) -> Result<FileHash, EntryFault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(FileHash::Missing) };
    let bad = || EntryFault::BadHash(text.to_owned());
    match text.split_once(':') {
        Some(("sha256", digest)) => digest.parse().map(FileHash::Sha256).map_err(|_| bad()),
        Some((algorithm, _)) if !algorithm.is_empty() => Ok(FileHash::Weak(vec![algorithm.to_owned()])),
        _ => Err(bad()),
    }
}

/// A name that one file of an index may have.
///
/// # Errors
/// [`EntryFault::FileName`].
pub(super) fn check_filename(name: &str) -> Result<String, EntryFault> {
    let plain = !name.starts_with(['.', '-']) && !name.contains(['/', '\\']) && !name.contains(char::is_control);
    if plain && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        Ok(name.to_owned())
    } else {
        Err(EntryFault::FileName(name.to_owned()))
    }
}

/// A URL that files are fetched from.
///
/// # Errors
/// [`EntryFault::Scheme`].
pub(super) fn check_url(url: &str) -> Result<String, EntryFault> {
    // Blanks are escaped where it is asked; a line break would be dropped (WHATWG URL, 4.4), and name another place.
    let hides = |c: char| c.is_control() || c.is_whitespace() && c != ' ';
    match urls::scheme(url).as_deref() {
        Some("http" | "https") if !url.contains(hides) => Ok(url.to_owned()),
        _ => Err(EntryFault::Scheme(redact_url(url).into_owned())),
    }
}

/// One file of its own, at a URL.
///
/// # Errors
/// The URL or the file's name cannot be used.
pub(super) fn archive_at_url(url: &str, hash: FileHash, inside: Option<PathBuf>) -> Result<LockedSource, EntryFault> {
    let url = check_url(url)?;
    let name = urls::file_name(&url).unwrap_or_default();
    let file = LockedFile { filename: check_filename(&name)?, location: FileLocation::Url(url), hash, size: None };
    Ok(LockedSource::Archive { file, subdirectory: inside })
}

/// One file of its own, of the project.
///
/// # Errors
/// The path or the file's name cannot be used.
pub(super) fn archive_at_path(
    path: &str,
    bounds: &Bounds,
    hash: FileHash,
    inside: Option<PathBuf>,
) -> Result<LockedSource, EntryFault> {
    let path = bounds.resolve(path)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let filename = check_filename(name)?;
    let file = LockedFile { filename, location: FileLocation::Path(path), hash, size: None };
    Ok(LockedSource::Archive { file, subdirectory: inside })
}

/// A commit of a git repository.
///
/// # Errors
/// The URL is none that can be fetched, or the commit is not a whole one.
pub(super) fn git_commit(
    url: &str,
    commit: &str,
    inside: Option<&str>,
    bounds: &Bounds,
) -> Result<LockedSource, EntryFault> {
    if ![40, 64].contains(&commit.len()) || !commit.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(EntryFault::Repository(format!("`{commit}` is not a whole commit (40 or 64 hexadecimal digits)")));
    }
    let subdirectory = inside.map_or(Ok(None), subdirectory)?;
    Ok(LockedSource::Git { url: repository_url(url, bounds)?, commit: commit.to_ascii_lowercase(), subdirectory })
}

/// A repository's URL, in one of the forms that git inputs have; `user@host:path` is one by ssh.
fn repository_url(url: &str, bounds: &Bounds) -> Result<String, EntryFault> {
    let url = url.strip_prefix("git+").unwrap_or(url);
    let refuse = |reason| EntryFault::Repository(format!("`{}` {reason}", redact_url(url)));
    let url = match (url.contains("://"), url.split_once(':')) {
        (false, Some((host, path))) if host.contains('@') && !host.contains('/') => {
            format!("ssh://{host}/{}", path.trim_start_matches('/'))
        }
        _ => url.to_owned(),
    };
    match urls::scheme(&url).as_deref() {
        Some("https" | "ssh") => {}
        Some("file") => {
            let path = urls::path_of_file_url(&url).and_then(|path| path.to_str().map(str::to_owned));
            let path = path.ok_or_else(|| refuse("is no path of this machine"))?;
            return Ok(urls::file_url(&bounds.resolve(&path)?));
        }
        _ => return Err(refuse("is neither an https nor an ssh URL of a repository")),
    }
    // What git hands to ssh as a user or a host must not read as an option.
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    let option = after_scheme.starts_with('-') || urls::authority(&url).is_none_or(|host| host.starts_with('-'));
    if option || url.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '#' | '\\')) {
        let reason = "cannot be a repository's: a host begins with no `-`, and there are no blanks and no fragment";
        return Err(refuse(reason));
    }
    Ok(url)
}
