//! Wheels made in memory, field by field, so that a test can change any one of them; and what pyzpack says of them.

#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

pub mod application;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pyzpack::archive::Limits;
use pyzpack::wheel::{Origin, VerifiedWheel, WheelError, WheelInput, verify_wheel};
use sha2::{Digest as _, Sha256};

pub const DESCRIPTOR: u16 = 1 << 3;
pub const UTF8: u16 = 1 << 11;
const DESCRIPTOR_SIGNATURE: &[u8] = b"PK\x07\x08";

/// The fields that a local and a central header share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub needed: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub date: u16,
    pub crc32: u32,
    pub compressed_size: u32,
    pub size: u32,
    pub name: Vec<u8>,
    pub extra: Vec<u8>,
}

/// An entry: two headers, its stream, and what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Bytes in front of the local header that belong to nothing.
    pub gap: Vec<u8>,
    pub local: Header,
    pub data: Vec<u8>,
    pub descriptor: Vec<u8>,
    /// Whether the central directory has it.
    pub listed: bool,
    pub central: Header,
    pub made_by: u16,
    pub comment: Vec<u8>,
    pub disk: u16,
    pub internal: u16,
    pub external: u32,
    /// The offset that the central directory gives, where it is not the true one.
    pub offset: Option<u32>,
}

/// The zip64 end record and its locator; values that are none are the true ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zip64 {
    pub length: Option<u64>,
    pub disk: u32,
    pub entries: Option<u64>,
    pub entries_here: Option<u64>,
    pub size: Option<u64>,
    pub offset: Option<u64>,
    pub locator_offset: Option<u64>,
    pub disks: Option<u32>,
}

/// A whole zip; values that are none are the true ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zip {
    pub before: Vec<u8>,
    pub entries: Vec<Entry>,
    /// Bytes between the last entry and the central directory.
    pub gap: Vec<u8>,
    /// Bytes between the central directory's last header and the end records, counted as a part of it.
    pub directory_rest: Vec<u8>,
    pub zip64: Option<Zip64>,
    pub disk: u16,
    pub directory_disk: u16,
    pub entries_here: Option<u16>,
    pub count: Option<u16>,
    pub directory_size: Option<u32>,
    pub directory_offset: Option<u32>,
    pub comment: Vec<u8>,
    pub after: Vec<u8>,
}

pub fn deflate(contents: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(contents, 6)
}

/// An extra field.
pub fn extra(id: u16, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).expect("a short field");
    [&id.to_le_bytes()[..], &length.to_le_bytes(), contents].concat()
}

/// A zip64 extra field with these values of 64 bits.
pub fn zip64_extra(values: &[u64]) -> Vec<u8> {
    extra(1, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

impl Entry {
    /// A regular file, deflated, as `zipfile` of Python writes it on unix.
    pub fn file(name: &str, contents: &[u8]) -> Self {
        let data = deflate(contents);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a small fixture");
        let header = Header {
            needed: 20,
            flags: if name.is_ascii() { 0 } else { UTF8 },
            method: 8,
            time: 0x6000,
            date: 0x5a21,
            crc32: crc32fast::hash(contents),
            compressed_size: length(&data),
            size: length(contents),
            name: name.as_bytes().to_vec(),
            extra: Vec::new(),
        };
        Self {
            gap: Vec::new(),
            local: header.clone(),
            data,
            descriptor: Vec::new(),
            listed: true,
            central: header,
            made_by: 0x0314,
            comment: Vec::new(),
            disk: 0,
            internal: 0,
            external: 0o100_644 << 16,
            offset: None,
        }
    }

    pub fn stored(name: &str, contents: &[u8]) -> Self {
        Self::file(name, contents).with_stream(0, contents)
    }

    /// A directory; `name` ends in `/`.
    pub fn directory(name: &str) -> Self {
        Self { external: 0o040_755 << 16 | 0x10, ..Self::stored(name, b"") }
    }

    /// The same file with another stream.
    pub fn with_stream(mut self, method: u16, data: &[u8]) -> Self {
        let length = u32::try_from(data.len()).expect("a small fixture");
        data.clone_into(&mut self.data);
        self.both(|header| (header.method, header.compressed_size) = (method, length));
        self
    }

    /// Changes both headers alike.
    pub fn both(&mut self, change: impl Fn(&mut Header)) {
        change(&mut self.local);
        change(&mut self.central);
    }

    pub fn rename(&mut self, name: &[u8]) {
        self.both(|header| {
            name.clone_into(&mut header.name);
            header.flags = if name.is_ascii() { 0 } else { UTF8 };
        });
    }

    /// Puts checksum and sizes behind the data, as a writer does that cannot go back.
    pub fn defer(&mut self, signature: bool, wide: bool) {
        let Header { crc32, compressed_size, size, .. } = self.central;
        self.descriptor = if signature { DESCRIPTOR_SIGNATURE.to_vec() } else { Vec::new() };
        self.descriptor.extend(crc32.to_le_bytes());
        for value in [compressed_size, size] {
            let bytes = u64::from(value).to_le_bytes();
            self.descriptor.extend_from_slice(if wide { &bytes } else { &bytes[..4] });
        }
        self.both(|header| header.flags |= DESCRIPTOR);
        (self.local.crc32, self.local.compressed_size, self.local.size) = (0, 0, 0);
    }
}

/// From "version needed to extract" to "extra field length".
fn push_header(bytes: &mut Vec<u8>, header: &Header) {
    for word in [header.needed, header.flags, header.method, header.time, header.date] {
        bytes.extend(word.to_le_bytes());
    }
    for value in [header.crc32, header.compressed_size, header.size] {
        bytes.extend(value.to_le_bytes());
    }
    for field in [&header.name, &header.extra] {
        bytes.extend(u16::try_from(field.len()).expect("a short field").to_le_bytes());
    }
}

impl Zip {
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, ..Self::default() }
    }

    /// The entry called `name`.
    pub fn entry(&mut self, name: &str) -> &mut Entry {
        let found = self.entries.iter_mut().find(|entry| entry.local.name == name.as_bytes());
        found.unwrap_or_else(|| panic!("no entry `{name}` in the fixture"))
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.before.clone();
        let mut directory = Vec::new();
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.gap);
            let offset = entry.offset.unwrap_or(u32::try_from(bytes.len()).expect("a small fixture"));
            bytes.extend(b"PK\x03\x04");
            push_header(&mut bytes, &entry.local);
            for part in [&entry.local.name, &entry.local.extra, &entry.data, &entry.descriptor] {
                bytes.extend_from_slice(part);
            }
            if entry.listed {
                directory.extend(b"PK\x01\x02");
                directory.extend(entry.made_by.to_le_bytes());
                push_header(&mut directory, &entry.central);
                directory.extend(u16::try_from(entry.comment.len()).expect("a short comment").to_le_bytes());
                directory.extend(entry.disk.to_le_bytes());
                directory.extend(entry.internal.to_le_bytes());
                directory.extend(entry.external.to_le_bytes());
                directory.extend(offset.to_le_bytes());
                for part in [&entry.central.name, &entry.central.extra, &entry.comment] {
                    directory.extend_from_slice(part);
                }
            }
        }
        bytes.extend_from_slice(&self.gap);
        let (offset, count) = (bytes.len(), self.entries.iter().filter(|entry| entry.listed).count());
        directory.extend_from_slice(&self.directory_rest);
        bytes.extend_from_slice(&directory);
        if let Some(zip64) = &self.zip64 {
            let record = bytes.len() as u64;
            bytes.extend(b"PK\x06\x06");
            bytes.extend(zip64.length.unwrap_or(44).to_le_bytes());
            bytes.extend([45, 3, 45, 0]);
            bytes.extend(zip64.disk.to_le_bytes());
            bytes.extend(zip64.disk.to_le_bytes());
            for (value, truth) in [
                (zip64.entries_here.or(zip64.entries), count),
                (zip64.entries, count),
                (zip64.size, directory.len()),
                (zip64.offset, offset),
            ] {
                bytes.extend(value.unwrap_or(truth as u64).to_le_bytes());
            }
            bytes.extend(b"PK\x06\x07\0\0\0\0");
            bytes.extend(zip64.locator_offset.unwrap_or(record).to_le_bytes());
            bytes.extend(zip64.disks.unwrap_or(1).to_le_bytes());
        }
        bytes.extend(b"PK\x05\x06");
        let count = self.count.unwrap_or(u16::try_from(count).expect("few entries"));
        for word in [self.disk, self.directory_disk, self.entries_here.unwrap_or(count), count] {
            bytes.extend(word.to_le_bytes());
        }
        for (value, truth) in [(self.directory_size, directory.len()), (self.directory_offset, offset)] {
            bytes.extend(value.unwrap_or(u32::try_from(truth).expect("a small fixture")).to_le_bytes());
        }
        bytes.extend(u16::try_from(self.comment.len()).expect("a short comment").to_le_bytes());
        bytes.extend_from_slice(&self.comment);
        bytes.extend_from_slice(&self.after);
        bytes
    }
}

/// A wheel as its author sees it; [`Wheel::zip`] adds METADATA, WHEEL and a true RECORD.
#[derive(Debug, Clone)]
pub struct Wheel {
    pub name: String,
    pub version: String,
    pub tag: String,
    pub dist_info: String,
    pub files: BTreeMap<String, Vec<u8>>,
    /// What RECORD says, where it is not the truth.
    pub record: Option<String>,
    /// Names of the files with the execute bit.
    pub executable: Vec<String>,
}

/// URL-safe base64 without padding (RFC 4648, section 5).
pub fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let value = |group: &[u8]| (0..6).fold(0, |value, at| value << 1 | usize::from(group.get(at) == Some(&1)));
    bits.chunks(6).map(|group| char::from(ALPHABET[value(group)])).collect()
}

/// A row of RECORD.
pub fn row(path: &str, contents: &[u8]) -> String {
    let path = if path.contains([',', '"']) { format!("\"{}\"", path.replace('"', "\"\"")) } else { path.to_owned() };
    format!("{path},sha256={},{}\n", base64url(&Sha256::digest(contents)), contents.len())
}

impl Wheel {
    pub fn new(name: &str, version: &str) -> Self {
        let dist_info = format!("{name}-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        let files = BTreeMap::from([
            (format!("{dist_info}/METADATA"), metadata.into_bytes()),
            (format!("{dist_info}/WHEEL"), wheel.as_bytes().to_vec()),
        ]);
        let tag = "py3-none-any".to_owned();
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { name, version, tag, dist_info, files, record: None, executable: Vec::new() }
    }

    #[must_use]
    pub fn file(mut self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), contents.as_ref().to_vec());
        self
    }

    /// A file of the `.dist-info` directory.
    #[must_use]
    pub fn info(self, file: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = format!("{}/{file}", self.dist_info);
        self.file(&path, contents)
    }

    #[must_use]
    pub fn executable(mut self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.executable.push(path.to_owned());
        self.file(path, contents)
    }

    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        assert!(self.files.remove(path).is_some(), "no file `{path}` in the fixture");
        self
    }

    #[must_use]
    pub fn record(mut self, change: impl FnOnce(String) -> String) -> Self {
        self.record = Some(change(self.true_record()));
        self
    }

    pub fn true_record(&self) -> String {
        let rows: String = self.files.iter().map(|(path, contents)| row(path, contents)).collect();
        format!("{rows}{}/RECORD,,\n", self.dist_info)
    }

    pub fn filename(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.tag)
    }

    pub fn zip(&self) -> Zip {
        let mut entries: Vec<Entry> = self.files.iter().map(|(path, contents)| Entry::file(path, contents)).collect();
        let record = self.record.clone().unwrap_or_else(|| self.true_record());
        entries.push(Entry::file(&format!("{}/RECORD", self.dist_info), record.as_bytes()));
        for entry in &mut entries {
            if self.executable.iter().any(|path| path.as_bytes() == entry.local.name) {
                entry.external = 0o100_755 << 16;
            }
        }
        Zip::new(entries)
    }

    /// Writes the wheel into `directory`.
    pub fn write(&self, directory: &Path) -> PathBuf {
        let path = directory.join(self.filename());
        std::fs::write(&path, self.zip().to_bytes()).expect("a fixture");
        path
    }

    /// The wheel, checked.
    pub fn verified(&self, directory: &Path) -> VerifiedWheel {
        verify(&self.write(directory), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What pyzpack says of the wheel at `path`.
pub fn verify(path: &Path, limits: &Limits) -> Result<VerifiedWheel, WheelError> {
    verify_wheel(&WheelInput { path: path.to_owned(), expected: None, origin: Origin::Local }, limits)
}

/// What pyzpack says of a wheel with these bytes.
pub fn verify_bytes(filename: &str, bytes: &[u8]) -> Result<VerifiedWheel, WheelError> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(filename);
    std::fs::write(&path, bytes).expect("a fixture");
    verify(&path, &Limits::default())
}
