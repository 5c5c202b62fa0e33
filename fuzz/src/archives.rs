//! Archives: zips as they come, and well-formed ones around files that are not.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pyzpack::archive::{Limits, Profile, Source, Unpacker, read_structure};
use pyzpack::diff::{Request as Pair, compare};
use pyzpack::digest::Sha256Digest;
use pyzpack::epoch::Epoch;
use pyzpack::evidence::{
    Claims, Facts, IndexNote, Provenance, Statement, check_sbom, cyclonedx, provenance_statement, spdx,
};
use pyzpack::finished::FinishedPyz;
use pyzpack::inspect::inspect;
use pyzpack::normalize::{check, normalize as put};
use pyzpack::project::sdist;
use pyzpack::verify::{Report, Request, verify};
use pyzpack::wheel::{EntryPoints, Metadata, Origin, WheelInput, verify_wheel};

use super::{directory, file, parts};

const LIMITS: Limits = Limits { entries: 10_000, unpacked: 16 << 20, entry_unpacked: 1 << 20, ratio: 50 };

/// Any bytes as a stranger's wheel, as a zip of ours, and as a `.pyz`: what passes is unpacked whole.
pub fn zip(bytes: &[u8]) {
    let path = file("any.pyz", bytes);
    let source = Source::open(&path).expect("a file that was just written");
    let line = bytes.starts_with(b"#!").then(|| bytes.iter().position(|byte| *byte == b'\n')).flatten();
    let prefix = line.map_or(0, |at| at as u64 + 1);
    let mut unpacker = Unpacker::default();
    for profile in [Profile::Wheel, Profile::Canonical { prefix }] {
        let Ok(structure) = read_structure(&source, profile, &LIMITS) else { continue };
        for entry in &structure.files {
            let mut length = 0;
            let outcome = unpacker.unpack(&source, entry, |piece| {
                length += piece.len() as u64;
                Ok(())
            });
            assert!(outcome.is_err() || length == entry.size);
            assert!(entry.data_offset + entry.compressed_size <= source.length());
        }
    }
    open(&path);
}

/// Two files of any kind, the length of the first in front of them: they are the same where their bytes are, whichever is
/// the first.
pub fn diff(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (one, other) = rest.split_at(length.min(rest.len()));
    let files = [file("one.zip", one), file("other.zip", other)];
    let [first, second] = files.clone();
    for files in [files, [second, first]] {
        let pair = Pair { files, most_lines: 100, temporary: directory() };
        let comparison = compare(&pair).expect("files that were just written");
        assert_eq!(comparison.is_same(), one == other);
        let lines: usize = comparison.differences.iter().map(|difference| difference.lines.len()).sum();
        assert!(lines <= 100, "{lines} lines");
    }
}

/// Any bytes, put into canonical form: what is taken comes out as it is said to be, stays as it is a second time, and has what
/// it had before it.
pub fn normalize(bytes: &[u8]) {
    let (path, output) = (file("any.zip", bytes), directory().join("normal.zip"));
    let look = |path: &Path| check(path, Epoch::default(), 100, &directory());
    let (looked, done) = match (look(&path), put(&path, Some(&output), Epoch::default())) {
        (Ok(looked), Ok(done)) => (looked, done),
        (looked, done) => return assert!(looked.is_err() && done.is_err(), "{looked:?}, {done:?}"),
    };
    let canonical = std::fs::read(&output).expect("a file that was just written");
    assert_eq!((looked.sha256, looked.changes.is_none()), (done.sha256, done.was_canonical));
    assert_eq!((done.sha256, done.was_canonical), (Sha256Digest::of(&canonical), canonical == bytes));
    assert!(looked.changes.is_none_or(|found| found.unpacks_alike()));
    assert!(look(&output).expect("a canonical file").changes.is_none());
    assert!(put(&output, None, Epoch::default()).expect("a canonical file").was_canonical);
    assert_eq!(std::fs::read(&output).expect("a file that was just written"), canonical);
}

/// Everything that is read of a `.pyz` by its path; what evidence is made of then.
pub(super) fn open(path: &Path) -> Option<Facts> {
    let report = tell(&Request { file: path.to_owned(), ..Request::default() });
    assert!(report.failed().is_some(), "nothing was named to trust");
    let finished = FinishedPyz::open(path).ok()?;
    let _ = inspect(path);
    finished.facts(finished.sha256().ok()?).ok()
}

/// What verification comes to, every problem of it in words.
pub(super) fn tell(request: &Request) -> Report {
    let report = verify(request).expect("files that were just written");
    for problem in &report.problems {
        let _ = (problem.code(), problem.what(), problem.hint(), problem.to_string());
    }
    report
}

/// A `.pyz` in format 1 around a manifest, origins, a distribution's METADATA and a `__main__.py` that are anything. The
/// SBOMs and the provenance that are written of it are right.
pub fn finished(bytes: &[u8]) {
    let Some(facts) = open(&file("made.pyz", &wrap(bytes))) else { return };
    for document in [cyclonedx(&facts, &IndexNote::Default), spdx(&facts, &IndexNote::Unsaid)] {
        let faults: Vec<String> = check_sbom(&document, &facts).iter().map(ToString::to_string).collect();
        assert_eq!(faults, [""; 0]);
    }
    let statement =
        Statement::read(&provenance_statement(&facts, &Claims::default())).expect("what we write can be read");
    let provenance = Provenance::read(&statement.predicate).expect("what we write can be read");
    assert_eq!(provenance.check_facts(&facts), Ok(()));
}

/// A `.pyz` around its parts.
pub(super) fn wrap(bytes: &[u8]) -> Vec<u8> {
    let [manifest, origins, metadata, main] = parts(bytes);
    let mut files = vec![("__main__.py", main), ("_pyzpack/manifest.json", manifest)];
    if !origins.is_empty() {
        files.push(("_pyzpack/origins.json", origins));
    }
    files.push(("a-1.0.dist-info/METADATA", metadata));
    pack(b"#!/usr/bin/env python3\n", &files)
}

/// Any bytes as a wheel.
pub fn wheel(bytes: &[u8]) {
    check_wheel(bytes);
}

/// A wheel around METADATA, WHEEL, `entry_points.txt`, RECORD and a file that are anything. An empty RECORD is replaced by
/// a true one, so that what comes after its check is reached.
pub fn wheel_files(bytes: &[u8]) {
    let [metadata, wheel, entry_points, record, name, extra] = parts(bytes);
    let _ = Metadata::parse(metadata);
    let _ = EntryPoints::parse(entry_points);
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).unwrap_or("a.py");
    let mut files = vec![
        ("a-1.0.dist-info/METADATA", metadata),
        ("a-1.0.dist-info/WHEEL", wheel),
        ("a-1.0.dist-info/entry_points.txt", entry_points),
        (name, extra),
    ];
    let mut rows = vec!["a-1.0.dist-info/RECORD,,\n".to_owned()];
    for (name, contents) in &files {
        let digest = URL_SAFE_NO_PAD.encode(Sha256Digest::of(contents).as_bytes());
        rows.push(format!("\"{}\",sha256={digest},{}\n", name.replace('"', "\"\""), contents.len()));
    }
    let rows = rows.concat();
    let record = if record.is_empty() { rows.as_bytes() } else { record };
    files.push(("a-1.0.dist-info/RECORD", record));
    check_wheel(&pack(b"", &files));
}

fn check_wheel(bytes: &[u8]) {
    let path = file("a-1.0-py3-none-any.whl", bytes);
    let _ = verify_wheel(&WheelInput { path, expected: None, origin: Origin::Local }, &LIMITS);
}

/// Any bytes as a source distribution: a tar as it is (its gzip would hide it from the fuzzer), and a zip.
pub fn sdist(bytes: &[u8]) {
    let limits = sdist::Limits { entries: 100, bytes: 1 << 20 };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut gzip, bytes).expect("memory can be written");
    let gzip = gzip.finish().expect("memory can be written");
    for (name, bytes) in [("a-1.0.tar.gz", &gzip[..]), ("a-1.0.zip", bytes)] {
        let archive = file(name, bytes);
        let into = directory().join("unpacked");
        std::fs::create_dir(&into).expect("the last run's directory was removed");
        let _ = sdist::unpack_sdist(&archive, &into, limits, 315_532_800);
        std::fs::remove_dir_all(&into).expect("what was unpacked can be removed");
    }
}

/// A zip in format 1 behind `prefix`, everything stored.
fn pack(prefix: &[u8], files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut files = files.to_vec();
    files.sort_by_key(|(name, _)| name.as_bytes());
    let (mut body, mut directory) = (prefix.to_vec(), Vec::new());
    for (name, contents) in &files {
        let flags: u16 = if name.is_ascii() { 0 } else { 0x0800 };
        let size = u32::try_from(contents.len()).expect("inputs are short");
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        let mut common = Vec::new();
        for field in [10, flags, 0, 0, 0x21] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        for field in [crc32fast::hash(contents), size, size] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        common.extend_from_slice(&[length.to_le_bytes(), 0_u16.to_le_bytes()].concat());
        let offset = u32::try_from(body.len()).expect("inputs are short");
        let name = &name.as_bytes()[..usize::from(length)];
        directory
            .extend_from_slice(&[b"PK\x01\x02\x14\x03", &common[..], &[0; 6], &0x81a4_0000_u32.to_le_bytes()].concat());
        directory.extend_from_slice(&[&offset.to_le_bytes(), name].concat());
        body.extend_from_slice(&[b"PK\x03\x04", &common[..], name, contents].concat());
    }
    let count = u16::try_from(files.len()).expect("few files");
    let (size, offset) = (u32::try_from(directory.len()), u32::try_from(body.len()));
    let (size, offset) = (size.expect("inputs are short"), offset.expect("inputs are short"));
    body.extend_from_slice(&directory);
    body.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    body.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    body.extend_from_slice(&[size.to_le_bytes(), offset.to_le_bytes()].concat());
    body.extend_from_slice(&[0, 0]);
    body
}
