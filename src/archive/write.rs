//! The canonical writer: a plan becomes bytes in format 1, with memory bounded whatever the size of the largest entry.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use rayon::prelude::*;

use super::encode::{Encoder, Ready, Stream, memory_needed};
use super::fault::ReadError;
use super::path::ArchivePath;
use super::plan::{ArchivePlan, EntrySource, Mode, Packing, PlannedEntry};
use super::structure::Method;
use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::epoch::Epoch;

/// Bytes that are handed on at a time.
const PIECE: usize = 1 << 20;
/// Bytes of entries that are made ready at a time, and their number.
const WINDOW_BYTES: u64 = 16 << 20;
const WINDOW_ENTRIES: usize = 256;
/// A zip without zip64 holds so many entries and bytes.
pub(crate) const MAX_ENTRIES: usize = 0xffff;
const MAX_BYTES: u64 = 0xffff_ffff;

/// Why an archive was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// More entries than a zip can count.
    #[error("{0} entries are more than the 65535 that a zip without zip64 can count")]
    TooManyEntries(usize),
    /// More bytes than a zip can address.
    #[error("the archive is larger than the 4 GiB that a zip without zip64 can address")]
    TooLarge,
    /// An entry's bytes cannot be had, or are not those that were checked.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file cannot be written.
    #[error(transparent)]
    Io(io::Error),
}

/// What the written archive must turn out to hold, when it is read again.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(super) path: ArchivePath,
    /// None for a directory.
    pub(super) file: Option<ExpectedFile>,
}

/// What a written file must turn out to be.
#[derive(Debug)]
pub(super) struct ExpectedFile {
    pub(super) mode: Mode,
    pub(super) method: Method,
    pub(super) crc32: u32,
    pub(super) size: u64,
    pub(super) stream_sha256: Sha256Digest,
    pub(super) unproved: Option<Sha256Digest>,
    pub(super) nested: Option<Vec<Expected>>,
}

/// A header that is written before its entry's checksum is known, and put right afterwards.
struct Patch {
    offset: u64,
    bytes: Vec<u8>,
}

/// Writes the archive of `plan` to `file`, which is empty, and tells what it must turn out to hold.
///
/// # Errors
/// When the plan exceeds what a zip can hold, when an entry is not what was checked, or when the file cannot be written.
pub(crate) fn write_archive(
    plan: &ArchivePlan,
    file: &File,
    scratch: &(dyn Fn() -> io::Result<File> + Sync),
) -> Result<Vec<Expected>, WriteError> {
    let generated = encode_generated(plan);
    thread::scope(|scope| {
        let mut writer = Writer { output: Output::new(scope, file), scratch, generated };
        writer.output.push(&plan.prefix)?;
        let mut expected = writer.write_entries(plan, None, 0)?;
        let patches = writer.output.finish()?;
        for Patch { offset, bytes } in patches {
            write_all_at(file, &bytes, offset).map_err(WriteError::Io)?;
        }
        expected.shrink_to_fit();
        Ok(expected)
    })
}

/// An entry's name, behind that of the archive within the archive that holds it.
type Place<'a> = (Option<&'a ArchivePath>, &'a ArchivePath);

/// Makes all that was generated ready, the largest first: one by one in their turn, manifest and RECORDs would each keep
/// one thread busy and the others waiting. They are small beside the wheels, and compress well.
fn encode_generated(plan: &ArchivePlan) -> HashMap<Place<'_>, Ready> {
    let mut generated = Vec::new();
    collect_generated(plan, None, &mut generated);
    generated.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    let encode = |encoder: &mut Encoder, (place, bytes)| (place, encoder.encode_bytes(bytes, Packing::Encode));
    generated.into_par_iter().with_max_len(1).map_init(Encoder::default, encode).collect()
}

fn collect_generated<'a>(
    plan: &'a ArchivePlan,
    within: Option<&'a ArchivePath>,
    generated: &mut Vec<(Place<'a>, &'a Arc<[u8]>)>,
) {
    for (path, entry) in &plan.entries {
        match &entry.source {
            EntrySource::Bytes { bytes, packing: Packing::Encode } => generated.push(((within, path), bytes)),
            EntrySource::Nested(nested) => collect_generated(nested, Some(path), generated),
            _ => {}
        }
    }
}

/// An archive under way.
struct Writer<'plan, 'scope, 'env> {
    output: Output<'scope, 'env>,
    /// Opens a file without a name, for what is too large for memory.
    scratch: &'env (dyn Fn() -> io::Result<File> + Sync),
    /// What is ready already.
    generated: HashMap<Place<'plan>, Ready>,
}

impl<'plan> Writer<'plan, '_, '_> {
    /// Writes the entries and the central directory of `plan`, whose offsets count from `base`.
    fn write_entries(
        &mut self,
        plan: &'plan ArchivePlan,
        within: Option<&'plan ArchivePath>,
        base: u64,
    ) -> Result<Vec<Expected>, WriteError> {
        if plan.entries.len() > MAX_ENTRIES {
            return Err(WriteError::TooManyEntries(plan.entries.len()));
        }
        let mut entries: Vec<(&'plan ArchivePath, &'plan PlannedEntry)> = plan.entries.iter().collect();
        // By the names as they are written: a directory's ends in `/`, and so comes after a file that has a `.` there.
        let is_directory = |entry: &PlannedEntry| matches!(entry.source, EntrySource::Directory);
        entries.sort_by_cached_key(|(path, entry)| format!("{path}{}", if is_directory(entry) { "/" } else { "" }));
        let mut central = Vec::with_capacity(entries.len() * 96);
        let mut expected = Vec::with_capacity(entries.len());
        let mut digests = Vec::with_capacity(plan.nested_count());
        let mut late = None;
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let (window, after) = rest.split_at(window_length(rest));
            rest = after;
            let Self { scratch, generated, .. } = self;
            let make_ready = |encoder: &mut Encoder, (path, entry): &(&ArchivePath, &PlannedEntry)| {
                if generated.contains_key(&(within, *path)) {
                    Ok(None)
                } else {
                    encoder.make_ready(&entry.source, scratch)
                }
            };
            let ready: Vec<Result<Option<Ready>, ReadError>> =
                window.par_iter().with_min_len(4).map_init(Encoder::default, make_ready).collect();
            for ((path, entry), ready) in window.iter().zip(ready) {
                let offset = self.output.position - base;
                let ready = ready?.or_else(|| self.generated.remove(&(within, *path)));
                let header = Header::new(path, entry, plan.epoch, offset)?;
                let (header, file) = match (&entry.source, ready) {
                    (EntrySource::Directory, _) => {
                        self.output.push(&header.local())?;
                        (header, None)
                    }
                    (EntrySource::Nested(nested), _) => {
                        let (header, file) = self.write_nested(nested, path, header, base)?;
                        digests.push(file.stream_sha256);
                        (header, Some(ExpectedFile { mode: entry.mode, ..file }))
                    }
                    (EntrySource::NamesDigests(render), _) => {
                        // Room now, the bytes when the nested archives' digests are known.
                        let room = render(&vec![Sha256Digest::of(b""); plan.nested_count()]);
                        let header = header.with(Method::Stored, &room);
                        self.output.push(&header.local())?;
                        self.output.push(&room)?;
                        late = Some((central.len(), expected.len(), header.clone(), render));
                        (header, Some(ExpectedFile::stored(entry.mode, &room)))
                    }
                    (_, Some(ready)) => {
                        let header = header.with_ready(&ready);
                        self.output.push(&header.local())?;
                        self.output.push_stream(&ready.stream)?;
                        (header, Some(ExpectedFile::from_ready(entry.mode, &ready)))
                    }
                    (_, None) => unreachable!("files are made ready, and the other kinds have their own arms"),
                };
                header.check_size()?;
                central.extend_from_slice(&header.central());
                expected.push(Expected { path: (*path).clone(), file });
            }
        }
        if let Some((at, index, header, render)) = late {
            let bytes = render(&digests);
            assert_eq!(bytes.len() as u64, header.size, "the length of what names digests does not depend on them");
            let header = header.with(Method::Stored, &bytes);
            let mut patch = header.local();
            patch.extend_from_slice(&bytes);
            self.output.patches.push(Patch { offset: base + u64::from(header.offset), bytes: patch });
            let fixed = header.central();
            central[at..at + fixed.len()].copy_from_slice(&fixed);
            let mode = plan.entries[&expected[index].path].mode;
            expected[index].file = Some(ExpectedFile::stored(mode, &bytes));
        }
        let directory_offset = self.output.position - base;
        self.output.push(&central)?;
        self.output.push(&end_record(entries.len(), central.len() as u64, directory_offset)?)?;
        if self.output.position - base > MAX_BYTES {
            return Err(WriteError::TooLarge);
        }
        Ok(expected)
    }

    /// Writes an archive within the archive, hashing it on the way.
    fn write_nested<'name>(
        &mut self,
        nested: &'plan ArchivePlan,
        path: &'plan ArchivePath,
        header: Header<'name>,
        base: u64,
    ) -> Result<(Header<'name>, ExpectedFile), WriteError> {
        self.output.push(&header.local())?;
        let start = self.output.position;
        self.output.begin_digest()?;
        self.output.push(&nested.prefix)?;
        let inner = self.write_entries(nested, Some(path), start)?;
        let (sha256, crc32) = self.output.end_digest()?;
        let size = self.output.position - start;
        let header = header.with_values(Method::Stored, crc32, size, size);
        self.output.patches.push(Patch { offset: base + u64::from(header.offset), bytes: header.local() });
        let file = ExpectedFile {
            mode: Mode::Regular,
            method: Method::Stored,
            crc32,
            size,
            stream_sha256: sha256,
            unproved: None,
            nested: Some(inner),
        };
        Ok((header, file))
    }
}

/// How many of `entries` are made ready together.
fn window_length(entries: &[(&ArchivePath, &PlannedEntry)]) -> usize {
    let mut bytes = 0;
    let fits = |(_, entry): &&(&ArchivePath, &PlannedEntry)| {
        bytes += memory_needed(&entry.source);
        bytes <= WINDOW_BYTES
    };
    entries.iter().take(WINDOW_ENTRIES).take_while(fits).count().max(1)
}

impl ExpectedFile {
    fn stored(mode: Mode, bytes: &[u8]) -> Self {
        let stream_sha256 = Sha256Digest::of(bytes);
        let size = bytes.len() as u64;
        let crc32 = crc32fast::hash(bytes);
        Self { mode, method: Method::Stored, crc32, size, stream_sha256, unproved: None, nested: None }
    }

    fn from_ready(mode: Mode, ready: &Ready) -> Self {
        let Ready { method, crc32, size, stream_sha256, unproved, .. } = *ready;
        Self { mode, method, crc32, size, stream_sha256, unproved, nested: None }
    }
}

/// The fields of a local and a central header (APPNOTE 4.3.7, 4.3.12) that differ from entry to entry.
#[derive(Clone)]
struct Header<'a> {
    name: std::borrow::Cow<'a, str>,
    method: Method,
    crc32: u32,
    compressed_size: u64,
    size: u64,
    time: u16,
    date: u16,
    external_attributes: u32,
    offset: u32,
}

impl<'a> Header<'a> {
    fn new(path: &'a ArchivePath, entry: &PlannedEntry, epoch: Epoch, offset: u64) -> Result<Self, WriteError> {
        let directory = matches!(entry.source, EntrySource::Directory);
        let (time, date) = epoch.dos_time_and_date();
        let name = if directory { format!("{path}/").into() } else { path.as_str().into() };
        let external_attributes =
            if directory { 0o040_755 << 16 | 0x10 } else { (0o100_000 | entry.mode.bits()) << 16 };
        let offset = u32::try_from(offset).map_err(|_| WriteError::TooLarge)?;
        let (method, crc32, compressed_size, size) = (Method::Stored, 0, 0, 0);
        Ok(Self { name, method, crc32, compressed_size, size, time, date, external_attributes, offset })
    }

    fn with_values(self, method: Method, crc32: u32, compressed_size: u64, size: u64) -> Self {
        Self { method, crc32, compressed_size, size, ..self }
    }

    fn with(self, method: Method, bytes: &[u8]) -> Self {
        self.with_values(method, crc32fast::hash(bytes), bytes.len() as u64, bytes.len() as u64)
    }

    fn with_ready(self, ready: &Ready) -> Self {
        self.with_values(ready.method, ready.crc32, ready.stream.length(), ready.size)
    }

    fn check_size(&self) -> Result<(), WriteError> {
        let largest = self.size.max(self.compressed_size);
        if largest >= MAX_BYTES || self.name.len() > 0xffff { Err(WriteError::TooLarge) } else { Ok(()) }
    }

    /// From "version needed to extract" to "extra field length": the same bytes in both headers.
    fn shared(&self, header: &mut Vec<u8>) {
        let needed: u16 = if self.method == Method::Stored { 10 } else { 20 };
        let flags: u16 = if self.name.is_ascii() { 0 } else { 1 << 11 };
        for word in [needed, flags, self.method.number(), self.time, self.date] {
            header.extend_from_slice(&word.to_le_bytes());
        }
        header.extend_from_slice(&self.crc32.to_le_bytes());
        for size in [self.compressed_size, self.size] {
            // What does not fit is refused by `check_size` before anybody sees the file.
            header.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        }
        header.extend_from_slice(&u16::try_from(self.name.len()).unwrap_or(u16::MAX).to_le_bytes());
        header.extend_from_slice(&[0, 0]);
    }

    fn local(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(30 + self.name.len());
        header.extend_from_slice(b"PK\x03\x04");
        self.shared(&mut header);
        header.extend_from_slice(self.name.as_bytes());
        header
    }

    fn central(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(46 + self.name.len());
        // Version made by: 2.0, on unix (3).
        header.extend_from_slice(b"PK\x01\x02\x14\x03");
        self.shared(&mut header);
        // No comment, disk 0, no internal attributes.
        header.extend_from_slice(&[0; 6]);
        header.extend_from_slice(&self.external_attributes.to_le_bytes());
        header.extend_from_slice(&self.offset.to_le_bytes());
        header.extend_from_slice(self.name.as_bytes());
        header
    }
}

/// The end-of-central-directory record (4.3.16).
fn end_record(entries: usize, size: u64, offset: u64) -> Result<Vec<u8>, WriteError> {
    let entries = u16::try_from(entries).map_err(|_| WriteError::TooManyEntries(entries))?;
    let mut record = b"PK\x05\x06\0\0\0\0".to_vec();
    record.extend_from_slice(&entries.to_le_bytes());
    record.extend_from_slice(&entries.to_le_bytes());
    for value in [size, offset] {
        record.extend_from_slice(&u32::try_from(value).map_err(|_| WriteError::TooLarge)?.to_le_bytes());
    }
    record.extend_from_slice(&[0, 0]);
    Ok(record)
}

/// What the digesting thread is told.
enum Digesting {
    Piece(Arc<Vec<u8>>),
    End,
}

/// A thread that digests what it is sent, and gives SHA-256 and CRC-32.
type Digester<'scope> = (SyncSender<Digesting>, thread::ScopedJoinHandle<'scope, (Sha256Digest, u32)>);

/// The file under way: bytes go out in large pieces, and past a digesting thread while an archive within the archive is
/// being written.
struct Output<'scope, 'env> {
    scope: &'scope thread::Scope<'scope, 'env>,
    file: &'env File,
    position: u64,
    pending: Vec<u8>,
    patches: Vec<Patch>,
    digesting: Option<Digester<'scope>>,
    /// Buffers that came back from the digesting thread.
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl<'scope, 'env> Output<'scope, 'env> {
    fn new(scope: &'scope thread::Scope<'scope, 'env>, file: &'env File) -> Self {
        let pending = Vec::with_capacity(PIECE);
        Self { scope, file, position: 0, pending, patches: Vec::new(), digesting: None, spare: Arc::default() }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        self.position += bytes.len() as u64;
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(PIECE - self.pending.len()));
            self.pending.extend_from_slice(piece);
            bytes = rest;
            if self.pending.len() == PIECE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn push_stream(&mut self, stream: &Stream) -> Result<(), WriteError> {
        match stream {
            Stream::Memory(bytes) => self.push(bytes),
            Stream::Stored(bytes) => self.push(bytes),
            Stream::Source { source, offset, length } => {
                let mut done = 0;
                while done < *length {
                    // Straight into the pending piece: a copied stream passes through memory once.
                    let used = self.pending.len();
                    let room = PIECE - used;
                    let size = usize::try_from(length - done).map_or(room, |left| left.min(room));
                    self.pending.resize(used + size, 0);
                    source.read_exact_at(&mut self.pending[used..], offset + done).map_err(ReadError::Io)?;
                    done += size as u64;
                    self.position += size as u64;
                    if self.pending.len() == PIECE {
                        self.flush()?;
                    }
                }
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        use std::io::Write;
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut file = self.file;
        if let Some((sender, _)) = &self.digesting {
            let empty = self.spare.lock().ok().and_then(|mut spare| spare.pop());
            let piece = std::mem::replace(&mut self.pending, empty.unwrap_or_else(|| Vec::with_capacity(PIECE)));
            let piece = Arc::new(piece);
            // The digesting thread ends only after it was told to.
            let _ = sender.send(Digesting::Piece(piece.clone()));
            file.write_all(&piece).map_err(WriteError::Io)?;
            if let (Some(mut piece), Ok(mut spare)) = (Arc::into_inner(piece), self.spare.lock()) {
                piece.clear();
                spare.push(piece);
            }
        } else {
            file.write_all(&self.pending).map_err(WriteError::Io)?;
            self.pending.clear();
        }
        Ok(())
    }

    /// From here on all bytes are digested.
    fn begin_digest(&mut self) -> Result<(), WriteError> {
        self.flush()?;
        let (sender, receiver) = sync_channel(4);
        let spare = self.spare.clone();
        self.digesting = Some((sender, self.scope.spawn(move || digest_pieces(&receiver, &spare))));
        Ok(())
    }

    /// The SHA-256 and CRC-32 of all bytes since [`Output::begin_digest`].
    fn end_digest(&mut self) -> Result<(Sha256Digest, u32), WriteError> {
        self.flush()?;
        let (sender, handle) = self.digesting.take().expect("a digest ends after it began");
        let _ = sender.send(Digesting::End);
        Ok(handle.join().expect("digesting does not panic"))
    }

    fn finish(mut self) -> Result<Vec<Patch>, WriteError> {
        self.flush()?;
        Ok(self.patches)
    }
}

fn digest_pieces(pieces: &Receiver<Digesting>, spare: &Mutex<Vec<Vec<u8>>>) -> (Sha256Digest, u32) {
    let (mut sha256, mut crc32) = (Sha256Hasher::default(), crc32fast::Hasher::new());
    while let Ok(Digesting::Piece(piece)) = pieces.recv() {
        sha256.update(&piece);
        crc32.update(&piece);
        if let (Some(mut piece), Ok(mut spare)) = (Arc::into_inner(piece), spare.lock()) {
            piece.clear();
            spare.push(piece);
        }
    }
    (sha256.finish(), crc32.finalize())
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}
