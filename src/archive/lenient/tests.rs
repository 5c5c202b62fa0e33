use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;

use super::*;

/// A zip with two files, behind `prefix`.
fn sample(prefix: &[u8]) -> Vec<u8> {
    let mut cursor = Cursor::new(prefix.to_vec());
    cursor.set_position(prefix.len() as u64);
    let mut writer = zip::ZipWriter::new(cursor);
    for (name, method) in [("a.txt", zip::CompressionMethod::Deflated), ("b.txt", zip::CompressionMethod::Stored)] {
        writer.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(&name.repeat(20).into_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(bytes: &[u8]) -> Option<LenientZip> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    LenientZip::read(&Source::open(file.path()).unwrap()).unwrap()
}

fn contents(zip: &LenientZip) -> Vec<(String, String)> {
    let read = |entry: &LenientEntry| {
        let mut text = String::new();
        zip.open(entry).unwrap().read_to_string(&mut text).unwrap();
        (entry.name(), text)
    };
    zip.entries.iter().map(read).collect()
}

fn expected() -> Vec<(String, String)> {
    ["a.txt", "b.txt"].map(|name| (name.to_owned(), name.repeat(20))).to_vec()
}

/// Where the last of these bytes stands.
fn last(bytes: &[u8], wanted: &[u8]) -> usize {
    memchr::memmem::rfind(bytes, wanted).unwrap()
}

#[test]
fn a_plain_zip_is_read_without_an_oddity() {
    let zip = read(&sample(b"")).unwrap();
    assert_eq!(contents(&zip), expected());
    assert_eq!((zip.prefix, zip.base, zip.trailing, zip.gaps.len()), (0, 0, 0, 0));
    assert_eq!(zip.oddities, []);
}

#[test]
fn what_stands_before_and_behind_it_is_measured() {
    let whole = sample(b"#!/bin/sh\n");
    for (bytes, base) in [
        (whole.clone(), 0),
        // Put behind its first line when it was there already: offsets count from the first entry.
        ([b"#!/bin/sh\n", sample(b"").as_slice()].concat(), 10),
    ] {
        let zip = read(&bytes).unwrap();
        assert_eq!((zip.prefix, zip.base, zip.trailing), (10, base, 0));
        assert_eq!(contents(&zip), expected());
    }
    let zip = read(&[whole.as_slice(), &[b'x'; 1_000]].concat()).unwrap();
    assert_eq!((zip.prefix, zip.base, zip.trailing), (10, 0, 1_000));
    assert_eq!(contents(&zip), expected());
}

#[test]
fn a_file_without_an_end_record_is_no_zip() {
    for bytes in [&b""[..], b"text", b"PK\x05\x06", &vec![0; 200_000]] {
        assert!(read(bytes).is_none());
    }
    let whole = sample(b"");
    assert!(read(&whole[..whole.len() - 1]).is_none());
}

#[test]
fn what_tools_disagree_about_is_an_oddity() {
    let whole = sample(b"");
    let end = last(&whole, b"PK\x05\x06");
    let central = last(&whole, b"PK\x01\x02");
    let change = |at: usize, to: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        read(&bytes).unwrap().oddities
    };
    assert_eq!(change(end + 10, &[9]), [Oddity::EntryCount { declared: 9, found: 2 }]);
    assert_eq!(change(central + 42, &[200]), [Oddity::NoLocalHeader("b.txt".to_owned())]);
    assert_eq!(change(central + 20, &[0, 0, 0, 1]), [Oddity::Cut("b.txt".to_owned())]);
    assert_eq!(change(central + 46, b"a.txt"), [Oddity::Duplicate("a.txt".to_owned())]);
    assert_eq!(change(central + 42, &[0; 4]), [Oddity::Overlap("b.txt".to_owned())]);
}

#[test]
fn bytes_of_no_entry_are_a_gap() {
    let whole = sample(b"");
    let directory = memchr::memmem::find(&whole, b"PK\x01\x02").unwrap();
    let mut bytes = [&whole[..directory], &b"hidden"[..], &whole[directory..]].concat();
    let end = last(&bytes, b"PK\x05\x06");
    let offset = u32::try_from(directory + 6).unwrap();
    bytes[end + 16..end + 20].copy_from_slice(&offset.to_le_bytes());
    let zip = read(&bytes).unwrap();
    assert_eq!(zip.gaps, [Gap { offset: directory as u64, length: 6 }]);
    assert_eq!(contents(&zip), expected());
    assert_eq!(zip.oddities, []);
}

#[test]
fn no_truncation_and_no_changed_byte_panics() {
    let whole = sample(b"#!x\n");
    for end in 0..whole.len() {
        let _ = read(&whole[..end]);
    }
    for at in 0..whole.len() {
        for to in [0, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = to;
            if let Some(zip) = read(&bytes) {
                for entry in &zip.entries {
                    let _ = zip.open(entry).map(|reader| reader.take(10_000).read_to_end(&mut Vec::new()));
                }
            }
        }
    }
}
