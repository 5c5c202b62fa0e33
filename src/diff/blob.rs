//! The bytes of a member, unpacked: in memory where they are few, else in a file without a name.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::archive::{ContentsError, LenientEntry, LenientZip, Source};

/// How many bytes are held in memory, and looked at as a whole.
pub(super) const SMALL: u64 = 8 << 20;

/// Bytes compared at a time.
const PIECE: usize = 128 * 1024;

/// Bytes of a file, or of a member.
#[derive(Debug)]
pub(super) enum Blob {
    Memory(Vec<u8>),
    File(Source),
}

/// What a member unpacks to.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) blob: Blob,
    /// What of its headers is not true of it.
    pub(super) damage: Option<String>,
}

/// Why a member was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// The bound on all that is unpacked was reached.
    #[error("too much was unpacked before it")]
    Exhausted,
    /// The file cannot be read, or the temporary one not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How many bytes may still be unpacked and compared in all.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    pub(super) fn spend(&self, bytes: u64) -> Result<(), UnpackError> {
        let spent = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        spent.map(|_| ()).map_err(|_| UnpackError::Exhausted)
    }
}

impl Blob {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(source) => source.length(),
        }
    }

    /// The first bytes, as many as there are up to `length`.
    pub(super) fn head(&self, length: u64) -> io::Result<Vec<u8>> {
        self.read(0, length.min(self.length()))
    }

    /// The `length` bytes from `offset` on.
    pub(super) fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        match self {
            Self::File(source) => source.read_vec(offset, length),
            Self::Memory(bytes) => {
                let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(length)).ok());
                let found = range.and_then(|(start, end)| bytes.get(start..end));
                Ok(found.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
            }
        }
    }

    /// All of them, where they are few.
    pub(super) fn whole(&self) -> io::Result<Option<Vec<u8>>> {
        if self.length() > SMALL { Ok(None) } else { self.read(0, self.length()).map(Some) }
    }

    /// As a source, for readers of files.
    pub(super) fn into_source(self, temporary: &Path) -> io::Result<Source> {
        match self {
            Self::File(source) => Ok(source),
            Self::Memory(bytes) => {
                let spilled = tempfile::tempfile_in(temporary).and_then(|mut file| {
                    file.write_all(&bytes)?;
                    Ok(file)
                });
                Source::of_file(Arc::new(spilled.map_err(|error| unwritable(temporary, &error))?))
            }
        }
    }
}

/// The offset of the first byte that differs; the shorter length where one begins with the other; none where both are equal.
pub(super) fn first_difference(first: &Blob, second: &Blob) -> io::Result<Option<u64>> {
    if let (Blob::Memory(one), Blob::Memory(other)) = (first, second) {
        if one == other {
            return Ok(None);
        }
        let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
        return Ok(Some(same as u64));
    }
    let both = first.length().min(second.length());
    // Most members are small.
    let piece = usize::try_from(both).map_or(PIECE, |both| both.min(PIECE));
    let mut buffers = (vec![0; piece], vec![0; piece]);
    let mut offset = 0;
    while offset < both {
        let size = usize::try_from(both - offset).map_or(PIECE, |left| left.min(PIECE));
        let (one, other) = (&mut buffers.0[..size], &mut buffers.1[..size]);
        first.read_into(one, offset)?;
        second.read_into(other, offset)?;
        if one != other {
            let same = one.iter().zip(other.iter()).take_while(|(a, b)| a == b).count();
            return Ok(Some(offset + same as u64));
        }
        offset += size as u64;
    }
    Ok((first.length() != second.length()).then_some(both))
}

impl Blob {
    fn read_into(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(source) => source.read_exact_at(buffer, offset),
            Self::Memory(_) => {
                buffer.copy_from_slice(&self.read(offset, buffer.len() as u64)?);
                Ok(())
            }
        }
    }
}

/// What is said where a member cannot be unpacked to the temporary directory.
fn unwritable(temporary: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot unpack a member to `{}` (TMPDIR): {error}", temporary.display()))
}

/// What of an entry's headers is not true of `size` bytes with this checksum.
fn find_damage(entry: &LenientEntry, size: u64, crc: u32) -> Option<String> {
    match () {
        () if size != entry.size => Some(format!("it has {size} bytes, its header says {}", entry.size)),
        () if crc != entry.central.crc32 => {
            Some(format!("its CRC-32 is {crc:08x}, its header says {:08x}", entry.central.crc32))
        }
        () => None,
    }
}

/// Unpacks `entry`. A stream that breaks off gives what it gave until then.
pub(super) fn unpack(
    zip: &LenientZip,
    entry: &LenientEntry,
    budget: &Budget,
    temporary: &Path,
) -> Result<Unpacked, UnpackError> {
    let mut reader = zip.open(entry)?;
    // What is stored in much room is read where it lies.
    if entry.central.method == 0
        && entry.compressed_size > SMALL
        && let Some(data) = zip.data(entry)
    {
        budget.spend(data.length())?;
        let mut crc = crc32fast::Hasher::new();
        data.for_each_piece(0, data.length(), &mut vec![0; PIECE], |piece| {
            crc.update(piece);
            io::Result::Ok(())
        })?;
        let damage = find_damage(entry, data.length(), crc.finalize());
        return Ok(Unpacked { blob: Blob::File(data), damage });
    }
    let mut memory = Vec::new();
    let mut file: Option<File> = None;
    let mut crc = crc32fast::Hasher::new();
    let (mut size, mut broken) = (0_u64, false);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => {
                broken = true;
                break;
            }
        };
        budget.spend(read as u64)?;
        let piece = &piece[..read];
        crc.update(piece);
        size += read as u64;
        if file.is_none() && size > SMALL {
            let mut spilled = tempfile::tempfile_in(temporary).map_err(|error| unwritable(temporary, &error))?;
            spilled.write_all(&memory).map_err(|error| unwritable(temporary, &error))?;
            memory = Vec::new();
            file = Some(spilled);
        }
        match &mut file {
            Some(file) => file.write_all(piece).map_err(|error| unwritable(temporary, &error))?,
            None => memory.extend_from_slice(piece),
        }
    }
    let crc = crc.finalize();
    let used = reader.used();
    let damage = match () {
        () if broken => Some(format!("its stream is broken after {size} bytes")),
        () => find_damage(entry, size, crc).or_else(|| {
            let is_more = used.is_some_and(|used| used != entry.compressed_size);
            is_more.then(|| "something follows its stream within its data".to_owned())
        }),
    };
    let blob = match file {
        Some(file) => Blob::File(Source::of_file(Arc::new(file))?),
        None => Blob::Memory(memory),
    };
    Ok(Unpacked { blob, damage })
}
