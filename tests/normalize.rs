//! The canonical form of other tools' zips, byte by byte: its digests, what stands before it, what it takes and refuses.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use pyzpack::digest::Sha256Digest;
use pyzpack::epoch::Epoch;
use pyzpack::normalize::{check, normalize};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime};

/// A zip with what makes a difference, packed so or so, behind `prefix`.
fn sample(prefix: &[u8], method: CompressionMethod, backwards: bool) -> Vec<u8> {
    let mut cursor = Cursor::new(prefix.to_vec());
    cursor.set_position(prefix.len() as u64);
    let mut writer = zip::ZipWriter::new(cursor);
    let time = DateTime::from_date_and_time(2024, 2, 29, 12, 34, 56).unwrap();
    let options = SimpleFileOptions::default().compression_method(method).last_modified_time(time);
    let mut members: Vec<(&str, Option<String>, u32)> = vec![
        ("directory/", None, 0o700),
        ("directory/empty", Some(String::new()), 0o600),
        ("tool.sh", Some("#!/bin/sh\nexit 0\n".to_owned()), 0o4711),
        ("text.txt", Some("text, text, text\n".repeat(500)), 0o666),
        ("é", Some("accented".to_owned()), 0o644),
    ];
    if backwards {
        members.reverse();
    }
    for (name, text, mode) in members {
        let options = options.unix_permissions(mode);
        match text {
            None => writer.add_directory(name, options).unwrap(),
            Some(text) => {
                writer.start_file(name, options).unwrap();
                writer.write_all(text.as_bytes()).unwrap();
            }
        }
    }
    writer.finish().unwrap().into_inner()
}

fn write(bytes: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.zip");
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

/// The canonical form, which is clean and stays.
#[track_caller]
fn canonical(bytes: &[u8], epoch: Epoch) -> Vec<u8> {
    let (directory, path) = write(bytes);
    let looked = check(&path, epoch, 100, directory.path()).unwrap();
    let done = normalize(&path, None, epoch).unwrap();
    let canonical = std::fs::read(&path).unwrap();
    assert_eq!((looked.sha256, looked.size), (done.sha256, done.size));
    assert_eq!((done.sha256, done.size), (Sha256Digest::of(&canonical), canonical.len() as u64));
    assert!(looked.changes.is_some_and(|found| found.unpacks_alike()));
    assert!(check(&path, epoch, 100, directory.path()).unwrap().changes.is_none());
    assert!(normalize(&path, None, epoch).unwrap().was_canonical);
    assert_eq!(std::fs::read(&path).unwrap(), canonical);
    assert_eq!(names(directory.path()), ["a.zip"]);
    canonical
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    let (directory, path) = write(bytes);
    let error = normalize(&path, None, Epoch::default()).unwrap_err().to_string();
    let looked = check(&path, Epoch::default(), 100, directory.path()).unwrap_err().to_string();
    assert_eq!(looked, error);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(names(directory.path()), ["a.zip"]);
    error.split_once("canonical: ").unwrap().1.to_owned()
}

#[test]
fn golden_digests_pin_the_form() {
    let line = b"#!/usr/bin/env python3\n";
    let later = Epoch::clamped(1_700_000_000);
    for (prefix, epoch, digest) in [
        (&b""[..], Epoch::default(), "124ddbf8242b8a02"),
        (line, Epoch::default(), "045e0208258e6c7b"),
        (line, later, "6440a8dc1f451429"),
    ] {
        for (method, backwards) in [(CompressionMethod::Deflated, false), (CompressionMethod::Stored, true)] {
            let form = canonical(&sample(prefix, method, backwards), epoch);
            assert!(form.starts_with(prefix));
            assert_eq!(&Sha256Digest::of(&form).to_string()[..16], digest, "{method} {prefix:?} {epoch}");
        }
    }
}

#[test]
fn a_large_member_takes_no_memory_and_the_same_bytes() {
    // Above what is encoded in memory.
    let pack = |method| {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file("large", options).unwrap();
        writer.write_all(&vec![b'x'; 5 << 20]).unwrap();
        writer.finish().unwrap().into_inner()
    };
    let form = canonical(&pack(CompressionMethod::Stored), Epoch::default());
    assert_eq!(form, canonical(&pack(CompressionMethod::Deflated), Epoch::default()));
    assert!(form.len() < 50_000);
}

#[test]
fn what_stands_before_it_stays_with_where_offsets_count_from() {
    let plain = sample(b"", CompressionMethod::Deflated, false);
    let script = b"#!/bin/sh\nexec python3 \"$0\"\n";
    for (bytes, prefix, base) in [
        ([&b"MZ\0\0#!python.exe\n"[..], &plain].concat(), 17, 17),
        ([&script[..], &plain].concat(), 28, 28),
        (sample(script, CompressionMethod::Deflated, false), 28, 0),
        // A first line alone, however it came there.
        ([&b"#!/bin/sh\n"[..], &plain].concat(), 10, 0),
        // An archive with a first line, behind a launcher.
        ([&b"MZ"[..], &sample(b"#!x\n", CompressionMethod::Stored, false)].concat(), 6, 2),
    ] {
        let form = canonical(&bytes, Epoch::default());
        assert_eq!(form[..prefix], bytes[..prefix]);
        assert_eq!(form[prefix..prefix + 4], *b"PK\x03\x04");
        let word = |at: usize| u32::from_le_bytes(form[at..at + 4].try_into().unwrap()) as usize;
        let end = form.len() - 22;
        assert_eq!(end - word(end + 12) - word(end + 16), base);
    }
}

#[test]
fn an_empty_archive_has_a_form_too() {
    let empty = zip::ZipWriter::new(Cursor::new(Vec::new())).finish().unwrap().into_inner();
    let (_directory, path) = write(&empty);
    assert!(normalize(&path, None, Epoch::default()).unwrap().was_canonical);
    let mut commented = empty.clone();
    commented[20] = 4;
    commented.extend(b"note");
    assert_eq!(canonical(&commented, Epoch::default()), empty);
}

#[test]
fn every_byte_counts() {
    let bytes = sample(b"#!x\n", CompressionMethod::Stored, false);
    let form = canonical(&bytes, Epoch::default());
    let (directory, path) = write(&bytes);
    let mut taken = 0;
    for place in 0..form.len() {
        let mut changed = form.clone();
        changed[place] ^= 0x40;
        std::fs::write(&path, &changed).unwrap();
        let Ok(looked) = check(&path, Epoch::default(), 0, directory.path()) else { continue };
        // What passes is the first line, a name in both headers alike, a mode or a time: some are put right.
        taken += 1;
        let was_canonical = normalize(&path, None, Epoch::default()).unwrap().was_canonical;
        assert_eq!(was_canonical, looked.changes.is_none(), "byte {place}");
    }
    assert!(taken > 4, "{taken}");
}

#[test]
fn what_no_member_accounts_for_is_refused() {
    let plain = sample(b"", CompressionMethod::Stored, false);
    let end =
        "no end-of-central-directory record at the very end (truncated, or something was appended) [zip-end-record]";
    assert_eq!(refusal(&[&plain[..], b"\n"].concat()), end);
    assert_eq!(
        refusal(&plain[1..]),
        "the end-of-central-directory record is inconsistent: the central directory does not \
                                      end where the end records begin [zip-end-record]"
    );
}

#[test]
fn nothing_that_could_be_another_archive_stands_before_it() {
    let plain = sample(b"", CompressionMethod::Stored, false);
    let local = "holds the signature of a zip's local header";
    let kind = "is neither a script (`#!`) nor a program (`MZ`, ELF)";
    let said =
        |what: &str, offset: usize| format!("what stands before the archive {what}, at offset {offset} [zip-gap]");
    let mut tar = b"#!member".to_vec();
    tar.resize(512, 0);
    let sum: u32 = tar.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let across = [&b"MZ"[..], &vec![0; (1 << 20) - 4]].concat();
    let prefixes: Vec<(Vec<u8>, &str, usize)> = vec![
        // Whole archives, members without a directory, and the parts of an archive alone.
        (plain.clone(), local, 0),
        ([b"#!x\n", &plain[..]].concat(), local, 4),
        ([b"#!/bin/sh\n\n", &plain[..]].concat(), local, 11),
        ([b"#!/bin/sh\nexit\n", &plain[..60]].concat(), local, 15),
        ([b"MZ", &plain[..60]].concat(), local, 2),
        ([&b"\x7fELF"[..], &[0; 60], &plain[..60]].concat(), local, 64),
        ([&across[..], b"PK\x03\x04"].concat(), local, (1 << 20) - 2),
        (b"#!x PK\x01\x02\n".to_vec(), "holds the signature of a zip's central header", 4),
        (b"MZ PK\x05\x06".to_vec(), "holds the signature of a zip's end record", 3),
        (b"MZ PK\x06\x06".to_vec(), "holds the signature of a zip64 end record", 3),
        (b"MZ PK\x06\x07".to_vec(), "holds the signature of a zip64 locator", 3),
        // Self-extracting archives of other kinds.
        (b"MZ 7z\xbc\xaf\x27\x1c".to_vec(), "holds the signature of a 7z archive", 3),
        (b"MZ Rar!\x1a\x07\x01\0".to_vec(), "holds the signature of a RAR archive", 3),
        (b"MZ MSCF\0\0\0\0".to_vec(), "holds the signature of a cabinet", 3),
        ([&across[..], b"\x01CD001\x01"].concat(), "holds the signature of a disc image", (1 << 20) - 2),
        (tar, "is a tar archive", 0),
        // What begins as an archive, or as nothing known.
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), kind, 0),
        (b"BZh9".to_vec(), kind, 0),
        (b"\xfd7zXZ\0".to_vec(), kind, 0),
        (b"\x28\xb5\x2f\xfd".to_vec(), kind, 0),
        (b"!<arch>\n".to_vec(), kind, 0),
        (b"LZIP\x01".to_vec(), kind, 0),
        (b"\x1f\x9d\x90".to_vec(), kind, 0),
        (b"070701".to_vec(), kind, 0),
        (b"#mtree\n".to_vec(), kind, 0),
        (b"\n".to_vec(), kind, 0),
    ];
    for (prefix, what, offset) in prefixes {
        // Offsets count from the archive, or from the file.
        assert_eq!(refusal(&[&prefix[..], &plain].concat()), said(what, offset));
        assert_eq!(refusal(&sample(&prefix, CompressionMethod::Stored, false)), said(what, offset));
    }
}
