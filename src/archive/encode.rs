//! Making an entry ready to be written: after this its header is known and its bytes are at hand.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::sync::Arc;

use super::deflate::Deflater;
use super::fault::ReadError;
use super::plan::{EntrySource, Packing};
use super::source::Source;
use super::structure::Method;
use super::unpack::Unpacker;
use crate::digest::{Sha256Digest, Sha256Hasher};

/// An entry whose unpacked size is above this is encoded through a file instead of memory.
const IN_MEMORY: u64 = 4 << 20;

/// An entry that is ready: all that its header needs, and where its bytes are.
pub(super) struct Ready {
    pub(super) method: Method,
    pub(super) crc32: u32,
    pub(super) size: u64,
    pub(super) stream: Stream,
    pub(super) stream_sha256: Sha256Digest,
    /// The digest of the unpacked bytes, where the stream was made here and so is not proved yet.
    pub(super) unproved: Option<Sha256Digest>,
}

/// Where the bytes of a ready entry are.
pub(super) enum Stream {
    Memory(Vec<u8>),
    Stored(Arc<[u8]>),
    Source { source: Source, offset: u64, length: u64 },
}

impl Stream {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Stored(bytes) => bytes.len() as u64,
            Self::Source { length, .. } => *length,
        }
    }
}

/// Bytes that making `source` ready takes in memory.
pub(super) fn memory_needed(source: &EntrySource) -> u64 {
    match source {
        EntrySource::Entry { entry, packing: Packing::Encode | Packing::Store, .. } => entry.size.min(IN_MEMORY),
        EntrySource::Bytes { bytes, packing: Packing::Encode } => bytes.len() as u64,
        _ => 0,
    }
}

/// What one thread encodes with.
#[derive(Default)]
pub(super) struct Encoder {
    unpacker: Unpacker,
    deflater: Deflater,
}

impl Encoder {
    /// Makes an entry ready; `scratch` opens a file without a name for what is too large for memory.
    pub(super) fn make_ready(
        &mut self,
        source: &EntrySource,
        scratch: &(dyn Fn() -> io::Result<File> + Sync),
    ) -> Result<Option<Ready>, ReadError> {
        Ok(Some(match source {
            EntrySource::Entry { source, entry, contents, packing } => {
                let reusable = match packing {
                    Packing::Reuse => entry.size > 0 || entry.method == Method::Stored,
                    Packing::Store => entry.method == Method::Stored,
                    Packing::Encode => false,
                };
                if reusable {
                    let (offset, length) = (entry.data_offset, entry.compressed_size);
                    Ready {
                        method: entry.method,
                        crc32: entry.crc32,
                        size: entry.size,
                        stream: Stream::Source { source: source.clone(), offset, length },
                        stream_sha256: contents.stream_sha256,
                        unproved: None,
                    }
                } else {
                    let deflate = *packing == Packing::Encode && entry.size > 0;
                    self.unpack_and_encode(source, entry, contents.sha256, deflate, scratch)?
                }
            }
            EntrySource::Bytes { bytes, packing } => self.encode_bytes(bytes, *packing),
            EntrySource::Nested(_) | EntrySource::NamesDigests(_) | EntrySource::Directory => return Ok(None),
        }))
    }

    pub(super) fn encode_bytes(&mut self, bytes: &Arc<[u8]>, packing: Packing) -> Ready {
        let sha256 = Sha256Digest::of(bytes);
        let (crc32, size) = (crc32fast::hash(bytes), bytes.len() as u64);
        if packing == Packing::Encode && size > 0 {
            let mut stream = Vec::new();
            self.deflater.push(bytes, &mut stream);
            self.deflater.finish(&mut stream);
            if (stream.len() as u64) < size {
                let stream_sha256 = Sha256Digest::of(&stream);
                let stream = Stream::Memory(stream);
                return Ready { method: Method::Deflated, crc32, size, stream, stream_sha256, unproved: Some(sha256) };
            }
        }
        let stream = Stream::Stored(bytes.clone());
        Ready { method: Method::Stored, crc32, size, stream, stream_sha256: sha256, unproved: None }
    }

    /// Unpacks an entry and packs it anew, through memory where it is small.
    fn unpack_and_encode(
        &mut self,
        source: &Source,
        entry: &super::structure::ZipEntry,
        sha256: Sha256Digest,
        deflate: bool,
        scratch: &(dyn Fn() -> io::Result<File> + Sync),
    ) -> Result<Ready, ReadError> {
        let mut buffer = Vec::new();
        let mut file = if entry.size > IN_MEMORY { Some(scratch()?) } else { None };
        let mut length = 0;
        let mut stream_digest = Sha256Hasher::default();
        let mut spill = |buffer: &mut Vec<u8>, file: &mut Option<File>| -> io::Result<()> {
            if let Some(file) = file {
                stream_digest.update(buffer);
                length += buffer.len() as u64;
                file.write_all(buffer)?;
                buffer.clear();
            }
            Ok(())
        };
        let deflater = &mut self.deflater;
        let contents = self.unpacker.unpack(source, entry, |piece| {
            if deflate {
                deflater.push(piece, &mut buffer);
            } else {
                buffer.extend_from_slice(piece);
            }
            Ok(spill(&mut buffer, &mut file)?)
        });
        if deflate {
            deflater.finish(&mut buffer);
        }
        if contents?.sha256 != sha256 {
            return Err(ReadError::entry(entry.path.as_str(), super::fault::ZipFault::Contents));
        }
        spill(&mut buffer, &mut file)?;
        let encoded = if file.is_some() { length } else { buffer.len() as u64 };
        if deflate && encoded >= entry.size {
            return self.unpack_and_encode(source, entry, sha256, false, scratch);
        }
        let (stream, stream_sha256) = match file {
            Some(mut file) => {
                file.rewind()?;
                let source = Source::of_file(Arc::new(file))?;
                (Stream::Source { source, offset: 0, length }, stream_digest.finish())
            }
            None => {
                let digest = Sha256Digest::of(&buffer);
                (Stream::Memory(buffer), digest)
            }
        };
        let method = if deflate { Method::Deflated } else { Method::Stored };
        Ok(Ready {
            method,
            crc32: entry.crc32,
            size: entry.size,
            stream,
            stream_sha256,
            unproved: deflate.then_some(sha256),
        })
    }
}
