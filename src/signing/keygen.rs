//! A new pair of keys, in two files that were not there before.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::evidence::{KeyId, KeyType, NoRandomness, SigningKey};
use crate::process::PendingFile;
use crate::status::{Explain, Status};

/// A pair that was written.
#[derive(Debug)]
pub struct KeyPair {
    /// Where its public half is.
    pub public: PathBuf,
    /// The name of its public half.
    pub id: KeyId,
}

/// Why no pair was made.
#[derive(Debug, thiserror::Error)]
pub enum KeygenError {
    /// A file is there.
    #[error("`{0}` exists, and no key is overwritten")]
    Exists(String),
    /// The directory is not there.
    #[error("the directory of `{0}` is missing")]
    NoDirectory(String),
    /// The file system refuses.
    #[error("cannot write `{path}`: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// There is nothing to make a key from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Explain for KeygenError {
    fn status(&self) -> Status {
        match self {
            Self::Exists(_) => Status::Usage,
            Self::NoDirectory(_) | Self::Io { .. } | Self::NoRandomness(_) => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists(_) => "name another file, or move this one away".to_owned(),
            Self::NoDirectory(_) => "make it first: `mkdir -m 700 DIRECTORY`".to_owned(),
            Self::Io { .. } | Self::NoRandomness(_) => return None,
        })
    }
}

/// Makes a pair of keys: the private one at `path`, for its owner alone, the public one at `path` with `.pub`.
///
/// Each is written whole before it takes its name, the public one first: a private key that is there has its other half.
///
/// # Errors
/// When either is there, or cannot be written; neither is then there that was not before.
pub fn generate_keys(path: &Path, key_type: KeyType) -> Result<KeyPair, KeygenError> {
    let mut public_path = path.as_os_str().to_owned();
    public_path.push(".pub");
    let public_path = PathBuf::from(public_path);
    for path in [path, &public_path] {
        // A dangling link is there, too.
        if path.symlink_metadata().is_ok() {
            return Err(KeygenError::Exists(path.display().to_string()));
        }
    }
    // Both are begun before there is a secret to be written.
    let mut private = begin(path)?;
    let mut public = begin(&public_path)?;
    let key = SigningKey::generate(key_type)?;
    write(&mut private, path, 0o600, key.to_pem().as_bytes())?;
    write(&mut public, &public_path, 0o644, key.public().to_pem().as_bytes())?;
    private.persist_new_after(public).map_err(|(path, error)| fail(&path, error))?;
    Ok(KeyPair { public: public_path, id: key.public().id() })
}

fn begin(path: &Path) -> Result<PendingFile, KeygenError> {
    PendingFile::remove_abandoned(path);
    PendingFile::create(path).map_err(|error| fail(path, error))
}

fn write(pending: &mut PendingFile, path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeygenError> {
    let written = set_mode(pending.file(), mode).and_then(|()| pending.write_all(bytes));
    written.and_then(|()| pending.file().sync_all()).map_err(|error| fail(path, error))
}

fn fail(path: &Path, error: io::Error) -> KeygenError {
    let shown = path.display().to_string();
    match error.kind() {
        io::ErrorKind::AlreadyExists => KeygenError::Exists(shown),
        io::ErrorKind::NotFound => KeygenError::NoDirectory(shown),
        _ => KeygenError::Io { path: shown, error },
    }
}

/// Whatever the umask.
#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn leaves_nothing_where_either_file_is_there() {
        for (there, named) in [("a.key", "a.key"), ("a.key.pub", "a.key.pub")] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(there), "mine").unwrap();
            let error = generate_keys(&directory.path().join("a.key"), KeyType::P256).unwrap_err();
            let path = directory.path().join(named);
            assert_eq!(error.to_string(), format!("`{}` exists, and no key is overwritten", path.display()));
            assert_eq!(left(directory.path()), [there]);
            assert_eq!(std::fs::read(directory.path().join(there)).unwrap(), b"mine");
        }
    }

    #[test]
    fn what_was_made_is_a_pair() {
        let directory = tempfile::tempdir().unwrap();
        for key_type in [KeyType::P256, KeyType::Ed25519] {
            let path = directory.path().join(key_type.to_string());
            let pair = generate_keys(&path, key_type).unwrap();
            let private = SigningKey::from_pem(&std::fs::read(&path).unwrap()).unwrap();
            let public = crate::evidence::PublicKey::from_pem(&std::fs::read(pair.public).unwrap()).unwrap();
            assert_eq!((private.public(), public.id()), (public, pair.id));
        }
    }
}
