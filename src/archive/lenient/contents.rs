//! What an entry unpacks to, read piece by piece. Neither size nor checksum of the headers is relied on: the stream is
//! followed to its own end, and whoever reads bounds how far.

use std::io::{self, BufReader, Read};

use super::super::source::{Source, SourceReader};
use super::{LenientEntry, LenientZip};

/// Bytes read of a file at a time.
const PIECE: usize = 64 * 1024;

/// Why an entry cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContentsError {
    /// Its data lies nowhere.
    #[error("its data is not there")]
    Absent,
    /// It is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// It is packed by a method that is not known.
    #[error("it is packed by method {0}, which is neither stored (0) nor deflated (8)")]
    Method(u16),
}

/// Reads what an entry unpacks to.
pub(crate) enum ContentsReader {
    /// Its bytes as they stand.
    Stored(SourceReader),
    /// What its deflate stream gives.
    Deflated(Box<flate2::bufread::DeflateDecoder<BufReader<SourceReader>>>),
}

impl ContentsReader {
    /// How many bytes of the entry's data were used, where that is known.
    pub(crate) fn used(&self) -> Option<u64> {
        match self {
            Self::Stored(_) => None,
            Self::Deflated(decoder) => Some(decoder.total_in()),
        }
    }
}

impl Read for ContentsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(reader) => reader.read(buffer),
            Self::Deflated(decoder) => decoder.read(buffer),
        }
    }
}

impl LenientZip {
    /// The data of `entry` as it stands; none where it lies nowhere.
    pub(crate) fn data(&self, entry: &LenientEntry) -> Option<Source> {
        self.source.slice(entry.data_offset?, entry.compressed_size).ok()
    }

    /// A reader of what `entry` unpacks to.
    ///
    /// # Errors
    /// When it cannot be unpacked at all; a broken stream shows where it is read.
    pub(crate) fn open(&self, entry: &LenientEntry) -> Result<ContentsReader, ContentsError> {
        let data = self.data(entry).ok_or(ContentsError::Absent)?;
        if entry.is_encrypted() {
            return Err(ContentsError::Encrypted);
        }
        let reader = SourceReader::new(data);
        match entry.central.method {
            0 => Ok(ContentsReader::Stored(reader)),
            8 => {
                let buffered = BufReader::with_capacity(PIECE, reader);
                Ok(ContentsReader::Deflated(Box::new(flate2::bufread::DeflateDecoder::new(buffered))))
            }
            method => Err(ContentsError::Method(method)),
        }
    }
}
