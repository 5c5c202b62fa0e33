//! A new pair of keys, in two files that were not there before.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::evidence::{KeyId, KeyType, NoRandomness, SigningKey};
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
/// # Errors
/// When either is there, or cannot be written; neither is then there that was not before.
pub fn generate_keys(path: &Path, key_type: KeyType) -> Result<KeyPair, KeygenError> {
    let mut public_path = path.as_os_str().to_owned();
    public_path.push(".pub");
    let public_path = PathBuf::from(public_path);
    // Both are begun before there is a secret to be written.
    let private = NewFile::create(path, 0o600)?;
    let public = NewFile::create(&public_path, 0o644)?;
    let key = SigningKey::generate(key_type)?;
    let private = private.write(key.to_pem().as_bytes())?;
    let public = public.write(key.public().to_pem().as_bytes())?;
    private.keep();
    public.keep();
    Ok(KeyPair { public: public_path, id: key.public().id() })
}

/// A file that is removed again where it is not kept.
struct NewFile<'a> {
    path: &'a Path,
    file: File,
    kept: bool,
}

impl<'a> NewFile<'a> {
    /// Makes a file where none is, a dangling link included; never with more permissions than `mode`, and at last with these.
    fn create(path: &'a Path, mode: u32) -> Result<Self, KeygenError> {
        let shown = || path.display().to_string();
        let file = create_new(path, mode).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => KeygenError::Exists(shown()),
            io::ErrorKind::NotFound => KeygenError::NoDirectory(shown()),
            _ => KeygenError::Io { path: shown(), error },
        })?;
        let file = Self { path, file, kept: false };
        set_mode(&file.file, mode).map_err(|error| file.fail(error))?;
        Ok(file)
    }

    fn write(mut self, bytes: &[u8]) -> Result<Self, KeygenError> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        written.map_err(|error| self.fail(error))?;
        Ok(self)
    }

    fn fail(&self, error: io::Error) -> KeygenError {
        KeygenError::Io { path: self.path.display().to_string(), error }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(self.path);
        }
    }
}

#[cfg(unix)]
fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn create_new(path: &Path, _mode: u32) -> io::Result<File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

/// The umask may have taken something away that the owner needs.
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
