//! Unpacking one entry, once: the stream is inflated piece by piece, measured, and hashed on the way to whoever wants
//! the bytes. Memory does not depend on the entry's size.

use zlib_rs::{Inflate, InflateFlush, Status};

use super::fault::{ReadError, ZipFault};
use super::source::Source;
use super::structure::{Method, ZipEntry};
use crate::digest::{Sha256Digest, Sha256Hasher};

/// Bytes read, and bytes inflated, at a time.
const PIECE: usize = 128 * 1024;

/// What unpacking an entry proved of it, besides that its size and CRC-32 are what the headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Digest of the unpacked bytes.
    pub sha256: Sha256Digest,
    /// Digest of the bytes as they stand in the archive.
    pub stream_sha256: Sha256Digest,
}

/// Unpacks entries one after another through the same buffers; each thread has its own.
pub struct Unpacker {
    inflate: Inflate,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self { inflate: Inflate::new(false, 15), input: vec![0; PIECE], output: vec![0; PIECE] }
    }
}

impl Unpacker {
    /// Unpacks `entry` of `source`, hands the bytes to `sink` piece by piece, and checks that the stream takes exactly
    /// its compressed size and yields exactly its size and CRC-32.
    ///
    /// # Errors
    /// The fault, under the entry's name; or a file that cannot be read; or whatever `sink` fails with.
    pub fn unpack(
        &mut self,
        source: &Source,
        entry: &ZipEntry,
        mut sink: impl FnMut(&[u8]) -> Result<(), ReadError>,
    ) -> Result<Contents, ReadError> {
        let Self { inflate, input, output } = self;
        let mut measure = Measure::default();
        let mut contents = Sha256Hasher::default();
        let refuse = |fault| ReadError::entry(entry.path.as_str(), fault);
        let stream_sha256 = match entry.method {
            Method::Stored => {
                source.for_each_piece(entry.data_offset, entry.compressed_size, input, |piece| {
                    contents.update(piece);
                    measure.take(piece);
                    sink(piece)
                })?;
                None
            }
            Method::Deflated => {
                inflate.reset(false);
                let mut stream = Sha256Hasher::default();
                let mut ended = false;
                source.for_each_piece(entry.data_offset, entry.compressed_size, input, |mut piece| {
                    stream.update(piece);
                    loop {
                        if ended {
                            let used = inflate.total_in();
                            let fault = ZipFault::StreamLength { used, given: entry.compressed_size };
                            return if piece.is_empty() { Ok(()) } else { Err(refuse(fault)) };
                        }
                        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
                        let status = inflate.decompress(piece, output, InflateFlush::NoFlush);
                        let used = difference(inflate.total_in(), before_in);
                        let unpacked = &output[..difference(inflate.total_out(), before_out)];
                        piece = &piece[used..];
                        measure.take(unpacked);
                        contents.update(unpacked);
                        sink(unpacked)?;
                        // A stream that yields more than it should is not followed to its end.
                        if measure.size > entry.size {
                            return Err(refuse(ZipFault::Size { expected: entry.size, found: measure.size }));
                        }
                        match status {
                            Ok(Status::StreamEnd) => ended = true,
                            Ok(Status::Ok | Status::BufError) if piece.is_empty() && unpacked.len() < output.len() => {
                                return Ok(());
                            }
                            Ok(Status::Ok) => {}
                            Ok(Status::BufError) | Err(_) => return Err(refuse(ZipFault::Stream)),
                        }
                    }
                })?;
                if !ended {
                    return Err(refuse(ZipFault::Stream));
                }
                Some(stream.finish())
            }
        };
        measure.check(entry).map_err(refuse)?;
        let sha256 = contents.finish();
        Ok(Contents { sha256, stream_sha256: stream_sha256.unwrap_or(sha256) })
    }

    /// Hands the bytes of `entry` as they stand in the archive to `take`, piece by piece.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn for_each_stored_piece(
        &mut self,
        source: &Source,
        entry: &ZipEntry,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), ReadError> {
        source.for_each_piece(entry.data_offset, entry.compressed_size, &mut self.input, |piece| {
            take(piece);
            Ok(())
        })
    }

    /// The unpacked bytes of `entry`, whole, where it is not larger than `limit` bytes.
    ///
    /// # Errors
    /// As [`Unpacker::unpack`]; a larger entry is refused before it is unpacked.
    pub fn read(&mut self, source: &Source, entry: &ZipEntry, limit: u64) -> Result<Vec<u8>, ReadError> {
        if entry.size > limit {
            let fault = ZipFault::Limit { what: "size of a metadata file", found: entry.size, limit };
            return Err(ReadError::entry(entry.path.as_str(), fault));
        }
        let mut bytes = Vec::new();
        self.unpack(source, entry, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }
}

fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after - before).expect("a step's bytes lie in a buffer")
}

#[derive(Default)]
struct Measure {
    crc: crc32fast::Hasher,
    size: u64,
}

impl Measure {
    fn take(&mut self, piece: &[u8]) {
        self.crc.update(piece);
        self.size += piece.len() as u64;
    }

    fn check(self, entry: &ZipEntry) -> Result<(), ZipFault> {
        let found = self.crc.finalize();
        if self.size != entry.size {
            return Err(ZipFault::Size { expected: entry.size, found: self.size });
        }
        if found != entry.crc32 {
            return Err(ZipFault::Crc { expected: entry.crc32, found });
        }
        Ok(())
    }
}
