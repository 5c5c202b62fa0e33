//! Bytes at an offset of an open file: what every reader of archives reads from.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::digest::{Sha256Digest, Sha256Hasher};

/// A stretch of an open file, read by position, so that any number of threads can share it.
///
/// The file is opened once: what is hashed, what is parsed and what is copied is one and the same open file.
#[derive(Debug, Clone)]
pub struct Source {
    file: Arc<File>,
    start: u64,
    length: u64,
}

/// What the file system knows of an open file's state; two equal stamps of one file mean that nobody wrote to it
/// between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Stamp {
    /// Whether the file was as long at both moments.
    pub(crate) fn has_length_of(&self, other: &Self) -> bool {
        self.length == other.length
    }
}

impl Source {
    /// Opens the regular file at `path`, whole.
    ///
    /// # Errors
    /// When it cannot be opened, or is not a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let irregular = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        // Opening a device may do something, so it is looked at first.
        if !std::fs::metadata(path)?.is_file() {
            return Err(irregular());
        }
        let file = open_at_once(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(irregular());
        }
        Ok(Self { file: Arc::new(file), start: 0, length: metadata.len() })
    }

    /// The bytes of the regular file at `path`; of a longer one the first `limit`.
    ///
    /// # Errors
    /// As [`Source::open`], or reading fails.
    pub(crate) fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let source = Self::open(path)?;
        source.read_vec(0, source.length.min(limit))
    }

    /// The whole of an open file.
    pub(crate) fn of_file(file: Arc<File>) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, start: 0, length })
    }

    /// The `length` bytes from `start` on, as a source of their own.
    ///
    /// # Errors
    /// When the stretch does not lie within this source.
    pub(crate) fn slice(&self, start: u64, length: u64) -> io::Result<Self> {
        match start.checked_add(length) {
            Some(end) if end <= self.length => Ok(Self { file: self.file.clone(), start: self.start + start, length }),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The number of bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The state of the underlying file now.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub(crate) fn stamp(&self) -> io::Result<Stamp> {
        let metadata = self.file.metadata()?;
        Ok(Stamp {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            changed: {
                use std::os::unix::fs::MetadataExt;
                (metadata.ctime(), metadata.ctime_nsec())
            },
        })
    }

    /// Whether the name `path` still leads to the open file, and not through a link to it.
    ///
    /// # Errors
    /// When the file system does not tell; a name that leads nowhere is an answer.
    pub(crate) fn is_at(&self, path: &Path) -> io::Result<bool> {
        let named = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            named => named?,
        };
        Ok(is_same_file(&self.file.metadata()?, &named))
    }

    /// The digest of all the bytes.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn sha256(&self) -> io::Result<Sha256Digest> {
        let mut hasher = Sha256Hasher::default();
        self.for_each_piece(0, self.length, &mut vec![0; 128 * 1024], |piece| {
            hasher.update(piece);
            io::Result::Ok(())
        })?;
        Ok(hasher.finish())
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// When the source ends before the buffer is full, or reading fails.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let wanted = buffer.len() as u64;
        if offset.checked_add(wanted).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_file_at(&self.file, buffer, self.start + offset)
    }

    /// The `length` bytes from `offset` on.
    ///
    /// # Errors
    /// As [`Source::read_exact_at`]; nothing is allocated for a stretch that does not exist.
    pub(crate) fn read_vec(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let end = offset.checked_add(length).filter(|end| *end <= self.length);
        let size = end.and_then(|_| usize::try_from(length).ok());
        let mut bytes = vec![0; size.ok_or(io::ErrorKind::UnexpectedEof)?];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Hands the stretch from `offset` on, `length` bytes, to `take` piece by piece through `buffer`.
    ///
    /// # Errors
    /// As [`Source::read_exact_at`], and whatever `take` fails with.
    pub(crate) fn for_each_piece<E: From<io::Error>>(
        &self,
        offset: u64,
        length: u64,
        buffer: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut done = 0;
        while done < length {
            let size = usize::try_from(length - done).map_or(buffer.len(), |left| left.min(buffer.len()));
            let piece = &mut buffer[..size];
            self.read_exact_at(piece, offset + done)?;
            take(piece)?;
            done += size as u64;
        }
        Ok(())
    }
}

/// Opens a file for reading. A pipe that took the name of a file meanwhile is not waited for.
#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn is_same_file(open: &std::fs::Metadata, named: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

/// What the standard library tells of a file elsewhere: a new file has a time of creation of its own.
#[cfg(not(unix))]
fn is_same_file(open: &std::fs::Metadata, named: &std::fs::Metadata) -> bool {
    named.is_file() && open.created().ok() == named.created().ok()
}

#[cfg(unix)]
fn read_file_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A source, read from its beginning to its end.
pub(crate) struct SourceReader {
    source: Source,
    offset: u64,
}

impl SourceReader {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, offset: 0 }
    }
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.source.length() - self.offset;
        let size = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        self.source.read_exact_at(&mut buffer[..size], self.offset)?;
        self.offset += size as u64;
        Ok(size)
    }
}
