//! The rules for incoming wheels: each has hostile wheels that break it and nothing else, and harmless twins.
//!
//! A hostile wheel is the good one with one change; every test takes the good one first.

mod wheels;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use pyzpack::archive::Limits;
use pyzpack::digest::Sha256Digest;
use pyzpack::status::{Explain, Status};
use pyzpack::wheel::{Origin, VerifiedWheel, WheelInput, verify_wheel};
use sha2::{Digest as _, Sha384, Sha512};

use wheels::{Entry, Wheel, Zip, Zip64, base64url, deflate, extra, row, verify, verify_bytes, zip64_extra};

const FILENAME: &str = "demo-1.0-py3-none-any.whl";
const DATA: &str = "demo/data.txt";
const INIT: &str = "demo/__init__.py";

fn demo() -> Wheel {
    Wheel::new("demo", "1.0")
        .file(INIT, "def main():\n    return 0\n")
        .file(DATA, "some data, some data, some data\n")
        .info("entry_points.txt", "[console_scripts]\ndemo = demo:main\n")
}

/// What a wheel holds, by path.
fn contents(wheel: &VerifiedWheel) -> BTreeMap<String, Sha256Digest> {
    wheel.files.iter().map(|file| (file.entry.path.to_string(), file.contents.sha256)).collect()
}

fn take_bytes(bytes: &[u8]) -> BTreeMap<String, Sha256Digest> {
    contents(&verify_bytes(FILENAME, bytes).unwrap_or_else(|error| panic!("{error}")))
}

/// The message about a wheel that is refused, without the name of the wheel, which must be there.
#[track_caller]
fn refusal_of_bytes(filename: &str, bytes: &[u8]) -> String {
    let Err(error) = verify_bytes(filename, bytes) else { panic!("the hostile wheel is taken") };
    assert_eq!(error.status(), Status::Refused);
    let message = error.to_string();
    let prefix = format!("refused wheel `{filename}`: ");
    message.strip_prefix(&prefix).unwrap_or_else(|| panic!("`{message}` names the wheel")).to_owned()
}

/// The message about the good wheel after `change`, which is the one thing that differs.
#[track_caller]
fn refusal(change: impl FnOnce(&mut Zip)) -> String {
    let good = demo().zip();
    take_bytes(&good.to_bytes());
    let mut hostile = good.clone();
    change(&mut hostile);
    assert_ne!(hostile, good, "the fixture is changed");
    refusal_of_bytes(FILENAME, &hostile.to_bytes())
}

/// The good wheel is taken after `change` too, and holds the same files.
#[track_caller]
fn take(change: impl FnOnce(&mut Zip)) {
    let mut zip = demo().zip();
    let expected = take_bytes(&zip.to_bytes());
    change(&mut zip);
    assert_eq!(take_bytes(&zip.to_bytes()), expected);
}

/// The message about a wheel whose files, but not whose container, break a rule.
#[track_caller]
fn refusal_of(wheel: &Wheel) -> String {
    refusal_of_bytes(&wheel.filename(), &wheel.zip().to_bytes())
}

#[track_caller]
fn take_wheel(wheel: &Wheel) -> VerifiedWheel {
    verify_bytes(&wheel.filename(), &wheel.zip().to_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes that an entry takes in the archive.
fn length(entry: &Entry) -> usize {
    let local = &entry.local;
    30 + local.name.len() + local.extra.len() + entry.data.len() + entry.descriptor.len()
}

/// Rule 1: the promised digest.
mod digest {
    use super::*;

    #[test]
    fn refuses_another_sha256_than_was_promised() {
        let directory = tempfile::tempdir().unwrap();
        let path = demo().write(directory.path());
        let found = Sha256Digest::of(&std::fs::read(&path).unwrap());
        let promise = |expected| WheelInput { path: path.clone(), expected: Some(expected), origin: Origin::Locked };
        let wheel = verify_wheel(&promise(found), &Limits::default()).unwrap();
        assert_eq!(wheel.sha256, found);

        let expected = Sha256Digest::of(b"another wheel");
        let error = verify_wheel(&promise(expected), &Limits::default()).unwrap_err();
        let message = format!("refused wheel `{FILENAME}`: sha256: expected {expected}, found {found} [wheel-sha256]");
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn compares_the_digest_before_anything_is_parsed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILENAME);
        std::fs::write(&path, "not a zip at all, and long enough to have an end record").unwrap();
        let (expected, found) = (Sha256Digest::of(b""), Sha256Digest::of(&std::fs::read(&path).unwrap()));
        let input = WheelInput { path, expected: Some(expected), origin: Origin::Locked };
        let message = format!("refused wheel `{FILENAME}`: sha256: expected {expected}, found {found} [wheel-sha256]");
        assert_eq!(verify_wheel(&input, &Limits::default()).unwrap_err().to_string(), message);
    }
}

/// Rule 2: the end of the archive.
mod end_records {
    use super::*;

    const NO_END: &str =
        "no end-of-central-directory record at the very end (truncated, or something was appended) [zip-end-record]";
    const BAD_END: &str = "the end-of-central-directory record is inconsistent: ";

    #[test]
    fn refuses_every_truncation() {
        let bytes = demo().zip().to_bytes();
        take_bytes(&bytes);
        for end in 0..bytes.len() {
            assert_eq!(refusal_of_bytes(FILENAME, &bytes[..end]), NO_END, "{end} bytes");
        }
    }

    #[test]
    fn refuses_a_comment_and_anything_behind_the_end() {
        assert_eq!(refusal(|zip| zip.comment = b"hello".to_vec()), NO_END);
        assert_eq!(refusal(|zip| zip.after = vec![0]), NO_END);
        assert_eq!(refusal(|zip| zip.after = b"PK\x05\x06 a piece of a second one".to_vec()), NO_END);
        // A comment whose length is not said.
        assert_eq!(refusal(|zip| zip.after = b"hello".to_vec()), NO_END);
    }

    #[test]
    fn refuses_a_second_end_record() {
        // The outer record is whole and finds the directory; the inner one ends it.
        let bytes = demo().zip().to_bytes();
        let end = bytes[bytes.len() - 22..].to_vec();
        let message =
            format!("{BAD_END}the central directory does not end where the end records begin [zip-end-record]");
        assert_eq!(refusal(|zip| zip.after = end.clone()), message);
        // The same, with the inner record counted as a part of the directory.
        let message = "the central directory is malformed: it holds more than its entries [zip-central-directory]";
        assert_eq!(refusal(|zip| zip.directory_rest = end), message);
    }

    #[test]
    fn refuses_end_fields_that_disagree() {
        let offset = |by: i64| {
            let zip = demo().zip();
            let truth: usize = zip.entries.iter().map(length).sum();
            u32::try_from(i64::try_from(truth).unwrap() + by).unwrap()
        };
        let unaligned =
            format!("{BAD_END}the central directory does not end where the end records begin [zip-end-record]");
        let disks = format!("{BAD_END}it speaks of more than one disk [zip-end-record]");
        let counts = format!("{BAD_END}entries on this disk and entries in all differ [zip-end-record]");
        assert_eq!(refusal(|zip| zip.directory_offset = Some(offset(1))), unaligned);
        assert_eq!(refusal(|zip| zip.directory_offset = Some(offset(-1))), unaligned);
        assert_eq!(refusal(|zip| zip.directory_size = Some(7)), unaligned);
        assert_eq!(refusal(|zip| zip.directory_offset = Some(u32::MAX)), unaligned);
        assert_eq!(refusal(|zip| zip.disk = 1), disks);
        assert_eq!(refusal(|zip| zip.directory_disk = 1), disks);
        assert_eq!(refusal(|zip| zip.entries_here = Some(1)), counts);
        let more = "the central directory is malformed: it holds more than its entries [zip-central-directory]";
        assert_eq!(refusal(|zip| zip.count = Some(5)), more);
        let fewer = "the central directory is malformed: no header where one is due [zip-central-directory]";
        assert_eq!(refusal(|zip| zip.count = Some(7)), fewer);
        let short = "the central directory is malformed: it is too short for its number of entries \
                     [zip-central-directory]";
        assert_eq!(refusal(|zip| zip.count = Some(0xfffe)), short);
    }

    #[test]
    fn refuses_a_central_header_that_is_cut_off() {
        let message = "the central directory is malformed: a header is cut off [zip-central-directory]";
        let mut bytes = demo().zip().to_bytes();
        let last = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        bytes[last + 32] = 1; // a comment of one byte, which is not there
        assert_eq!(refusal_of_bytes(FILENAME, &bytes), message);
    }

    #[test]
    fn takes_zip64_records_that_agree() {
        take(|zip| zip.zip64 = Some(Zip64::default()));
        // The short fields may hold the truth or all ones (4.4.1.4).
        take(|zip| {
            zip.zip64 = Some(Zip64::default());
            (zip.count, zip.directory_size, zip.directory_offset) = (Some(0xffff), Some(u32::MAX), Some(u32::MAX));
        });
    }

    #[test]
    fn refuses_zip64_records_that_lie() {
        fn zip64(change: impl FnOnce(&mut Zip64)) -> String {
            take(|zip| zip.zip64 = Some(Zip64::default()));
            refusal(|zip| change(zip.zip64.insert(Zip64::default())))
        }
        let disagree = "zip64: the two end records disagree [zip-zip64]";
        assert_eq!(zip64(|record| record.entries = Some(5)), disagree);
        assert_eq!(zip64(|record| record.size = Some(1)), disagree);
        assert_eq!(zip64(|record| record.offset = Some(1)), disagree);
        let disks = "zip64: the end record speaks of more than one disk [zip-zip64]";
        assert_eq!(zip64(|record| record.disk = 1), disks);
        assert_eq!(zip64(|record| record.entries_here = Some(1)), disks);
        let length = "zip64: the end record is not one of 44 bytes [zip-zip64]";
        assert_eq!(zip64(|record| record.length = Some(45)), length);
        let locator = "zip64: the locator does not point at the record in front of it [zip-zip64]";
        assert_eq!(zip64(|record| record.locator_offset = Some(0)), locator);
        assert_eq!(zip64(|record| record.locator_offset = Some(u64::MAX - 10)), locator);
        let disks = "zip64: the locator speaks of more than one disk [zip-zip64]";
        assert_eq!(zip64(|record| record.disks = Some(2)), disks);
        assert_eq!(zip64(|record| record.disks = Some(0)), disks);
    }

    #[test]
    fn refuses_a_zip64_record_that_alone_speaks_of_another_directory() {
        // All short fields defer to the record: only that the directory ends where the records begin gives it away.
        let message =
            format!("{BAD_END}the central directory does not end where the end records begin [zip-end-record]");
        let found = refusal(|zip| {
            zip.zip64 = Some(Zip64 { offset: Some(u64::MAX), size: Some(22), ..Zip64::default() });
            (zip.count, zip.directory_size, zip.directory_offset) = (Some(0xffff), Some(u32::MAX), Some(u32::MAX));
        });
        assert_eq!(found, message);
    }
}

/// Rule 3: every byte belongs to an entry.
mod layout {
    use super::*;

    #[test]
    fn refuses_bytes_that_belong_to_no_entry() {
        let zip = demo().zip();
        let (first, all): (usize, usize) = (length(&zip.entries[0]), zip.entries.iter().map(length).sum());
        let second = String::from_utf8(zip.entries[1].local.name.clone()).unwrap();
        let gap = |entry: &str, offset: usize, bytes: usize| {
            let place = if entry.is_empty() { String::new() } else { format!("entry `{entry}`: ") };
            format!("{place}{bytes} bytes at offset {offset} belong to no entry [zip-gap]")
        };
        let leading = String::from_utf8(zip.entries[0].local.name.clone()).unwrap();
        assert_eq!(refusal(|zip| zip.before = b"#!/bin/sh\n".to_vec()), gap(&leading, 0, 10));
        assert_eq!(refusal(|zip| zip.entries[1].gap = vec![0; 3]), gap(&second, first, 3));
        assert_eq!(refusal(|zip| zip.gap = vec![0]), gap("", all, 1));
    }

    #[test]
    fn refuses_leading_bytes_that_the_offsets_do_not_count() {
        // As a self-extracting archive has them: most readers correct all offsets by the difference.
        let message = "the end-of-central-directory record is inconsistent: the central directory does not end where \
                       the end records begin [zip-end-record]";
        let bytes = [b"MZ".to_vec(), demo().zip().to_bytes()].concat();
        assert_eq!(refusal_of_bytes(FILENAME, &bytes), message);
    }

    #[test]
    fn refuses_an_entry_that_the_central_directory_does_not_list() {
        let hidden = Entry::file("demo/hidden.py", b"print('hidden')\n");
        let size = length(&hidden);
        let zip = demo().zip();
        let offset: usize = zip.entries.iter().map(length).sum();
        let hide = move |zip: &mut Zip| zip.entries.push(Entry { listed: false, ..hidden });
        assert_eq!(refusal(hide), format!("{size} bytes at offset {offset} belong to no entry [zip-gap]"));
    }

    #[test]
    fn refuses_entries_that_share_bytes() {
        // Two names for one local header: the second does not follow the first.
        let found = refusal(|zip| {
            let twice = Entry { offset: Some(0), ..zip.entries[0].clone() };
            let mut twice = Entry { data: Vec::new(), ..twice };
            twice.central.name = b"demo/again.py".to_vec();
            twice.listed = true;
            let position = zip.entries.len();
            zip.entries.insert(position, twice);
        });
        assert_eq!(found, "entry `demo/again.py`: the entry overlaps what follows it, at offset 0 [zip-overlap]");
    }

    #[test]
    fn refuses_a_stream_that_reaches_beyond_the_central_directory() {
        let zip = demo().zip();
        let offset: usize = zip.entries.iter().map(length).sum();
        let found = refusal(|zip| {
            zip.entries.last_mut().unwrap().both(|header| header.compressed_size += 1);
        });
        let record = "demo-1.0.dist-info/RECORD";
        assert_eq!(
            found,
            format!("entry `{record}`: the entry overlaps what follows it, at offset {offset} [zip-overlap]")
        );
    }

    #[test]
    fn refuses_an_offset_without_a_local_header() {
        let zip = demo().zip();
        let all: usize = zip.entries.iter().map(length).sum();
        let last = all - length(zip.entries.last().unwrap());
        let record = "demo-1.0.dist-info/RECORD";
        let found = refusal(|zip| zip.entries.last_mut().unwrap().offset = Some(u32::try_from(last + 1).unwrap()));
        assert_eq!(found, format!("entry `{record}`: 1 bytes at offset {last} belong to no entry [zip-gap]"));
        let found = refusal(|zip| zip.entries.last_mut().unwrap().offset = Some(u32::MAX - 1));
        let gap = u32::MAX as usize - 1 - last;
        assert_eq!(found, format!("entry `{record}`: {gap} bytes at offset {last} belong to no entry [zip-gap]"));

        let mut bytes = demo().zip().to_bytes();
        bytes[last] = b'Q';
        assert_eq!(
            refusal_of_bytes(FILENAME, &bytes),
            format!("entry `{record}`: no local header at offset {last} [zip-local-header]")
        );
    }

    #[test]
    fn takes_a_central_directory_in_another_order() {
        let mut zip = demo().zip();
        let expected = take_bytes(&zip.to_bytes());
        let offsets: Vec<usize> = zip
            .entries
            .iter()
            .scan(0, |offset, entry| {
                *offset += length(entry);
                Some(*offset - length(entry))
            })
            .collect();
        let bytes = zip.to_bytes();
        // The entries keep their places; the directory lists them backwards.
        let entries_end: usize = zip.entries.iter().map(length).sum();
        for (entry, offset) in zip.entries.iter_mut().zip(offsets) {
            entry.offset = Some(u32::try_from(offset).unwrap());
        }
        zip.entries.reverse();
        let backwards = zip.to_bytes();
        let reordered = [&bytes[..entries_end], &backwards[entries_end..]].concat();
        assert_ne!(reordered, bytes);
        assert_eq!(take_bytes(&reordered), expected);
    }
}

/// Rules 4 to 6: what two headers and a stream say of one entry.
mod entries {
    use super::*;

    fn at(message: &str) -> String {
        format!("entry `{DATA}`: {message}")
    }

    #[test]
    fn refuses_headers_that_disagree() {
        let disagree = |field: &str, local: &str, central: &str| {
            at(&format!("local and central header disagree on the {field}: {local} and {central} [zip-local-header]"))
        };
        let zip = demo().zip();
        let entry = zip.entries.iter().find(|entry| entry.local.name == DATA.as_bytes()).unwrap();
        let (crc, size) = (entry.local.crc32, entry.local.compressed_size);
        let local = |change: fn(&mut wheels::Header)| refusal(|zip| change(&mut zip.entry(DATA).local));
        assert_eq!(
            local(|header| header.name = b"demo/DATA.txt".to_vec()),
            disagree("name", "`demo/DATA.txt`", "`demo/data.txt`")
        );
        assert_eq!(local(|header| header.flags = 2), disagree("flags", "0x0002", "0x0000"));
        assert_eq!(local(|header| header.method = 0), disagree("method", "0", "8"));
        let other = crc ^ 1;
        assert_eq!(
            local(|header| header.crc32 ^= 1),
            disagree("CRC-32", &format!("{other:08x}"), &format!("{crc:08x}"))
        );
        assert_eq!(
            local(|header| header.compressed_size += 1),
            disagree("compressed size", &(size + 1).to_string(), &size.to_string())
        );
        assert_eq!(local(|header| header.size += 1), disagree("size", "33", "32"));
        // Without a data descriptor, zero is a value like any other.
        assert_eq!(local(|header| header.size = 0), disagree("size", "0", "32"));
    }

    #[test]
    fn takes_headers_that_differ_where_no_reader_looks() {
        take(|zip| {
            let entry = zip.entry(DATA);
            (entry.local.time, entry.local.date, entry.local.needed) = (1, 0x21, 45);
            (entry.made_by, entry.internal) = (0x0a3f, 1);
            entry.local.extra = extra(0x5455, &[1, 0, 0, 0, 0]);
            entry.central.extra = extra(0x7875, b"\x01\x04\0\0\0\0\x04\0\0\0\0");
            entry.comment = b"a comment".to_vec();
            // Bits 1 and 2 tell how hard the deflater tried.
            entry.both(|header| header.flags = 0b110);
        });
    }

    #[test]
    fn takes_zip64_extra_fields_that_agree() {
        // As protobuf's wheels have it: the sizes fit in 32 bits, and the local header has them in 64 all the same.
        take(|zip| {
            let local = &mut zip.entry(DATA).local;
            local.extra = zip64_extra(&[local.size.into(), local.compressed_size.into()]);
            (local.size, local.compressed_size) = (u32::MAX, u32::MAX);
        });
        take(|zip| {
            let central = &mut zip.entry(DATA).central;
            central.extra = zip64_extra(&[central.size.into()]);
            central.size = u32::MAX;
        });
        // An extra field that stands there though nothing asks for it.
        take(|zip| zip.entry(DATA).local.extra = zip64_extra(&[]));
    }

    #[test]
    fn refuses_zip64_extra_fields_that_lie_or_are_not_due() {
        let lacking = at("zip64: the extra field lacks a value that is due [zip-zip64]");
        let undue = at("zip64: the extra field holds a value that is not due [zip-zip64]");
        for local in [true, false] {
            let header = move |change: fn(&mut wheels::Header)| {
                refusal(|zip| {
                    let entry = zip.entry(DATA);
                    change(if local { &mut entry.local } else { &mut entry.central });
                })
            };
            let lies = header(|header| {
                header.extra = zip64_extra(&[33]);
                header.size = u32::MAX;
            });
            let (one, other) = if local { ("33", "32") } else { ("32", "33") };
            assert_eq!(
                lies,
                at(&format!("local and central header disagree on the size: {one} and {other} [zip-local-header]"))
            );
            assert_eq!(header(|header| header.extra = zip64_extra(&[32])), undue);
            let cut = header(|header| {
                header.extra = extra(1, &[0; 7]);
                header.size = u32::MAX;
            });
            assert_eq!(cut, lacking);
            let doubled = header(|header| header.extra = [zip64_extra(&[]), zip64_extra(&[])].concat());
            assert_eq!(doubled, at("extra field: two zip64 fields [zip-extra-field]"));
        }
        // All ones without an extra field are 4 GiB, which the other header does not have.
        let found = refusal(|zip| zip.entry(DATA).local.size = u32::MAX);
        let message = "local and central header disagree on the size: 4294967295 and 32 [zip-local-header]";
        assert_eq!(found, at(message));
    }

    #[test]
    fn refuses_malformed_and_misleading_extra_fields() {
        for local in [true, false] {
            let with = |field: Vec<u8>| {
                refusal(|zip| {
                    let entry = zip.entry(DATA);
                    (if local { &mut entry.local } else { &mut entry.central }).extra = field;
                })
            };
            let cut = at("extra field: a field is cut off [zip-extra-field]");
            assert_eq!(with(vec![0]), cut);
            assert_eq!(with(vec![0x55, 0x54, 1]), cut);
            assert_eq!(with(vec![0x55, 0x54, 1, 0]), cut);
            assert_eq!(with(vec![0x55, 0x54, 0xff, 0xff]), cut);
            let unicode_path = [&[1][..], &[0; 4], b"demo/other.py"].concat();
            assert_eq!(with(extra(0x7075, &unicode_path)), at("extra field: another name (0x7075) [zip-extra-field]"));
            for id in [0x9901, 0x0017, 0x0014, 0x0015, 0x0016] {
                let message = at("extra field: encryption or certificates [zip-extra-field]");
                assert_eq!(with(extra(id, &[0; 4])), message);
            }
        }
    }

    #[test]
    fn takes_data_descriptors_in_all_their_forms() {
        for signature in [true, false] {
            for wide in [false, true] {
                take(|zip| zip.entry(DATA).defer(signature, wide));
                // Some writers know the values in advance and put them into the local header all the same.
                take(|zip| {
                    let entry = zip.entry(DATA);
                    let local = entry.local.clone();
                    entry.defer(signature, wide);
                    entry.local = wheels::Header { flags: wheels::DESCRIPTOR, ..local };
                });
            }
            // With zip64 in the local header, the descriptor is of 64 bits (4.3.9.2).
            take(|zip| {
                let entry = zip.entry(DATA);
                entry.defer(signature, true);
                entry.local.extra = zip64_extra(&[0, 0]);
                (entry.local.size, entry.local.compressed_size) = (u32::MAX, u32::MAX);
            });
        }
        take(|zip| zip.entries.iter_mut().for_each(|entry| entry.defer(true, false)));
    }

    #[test]
    fn refuses_data_descriptors_that_lie_or_are_missing() {
        let message = at("the data descriptor disagrees with the central directory [zip-data-descriptor]");
        for wide in [false, true] {
            let sizes = if wide { [8, 16] } else { [8, 12] };
            for place in [0, 4, sizes[0], sizes[1]] {
                let found = refusal(|zip| {
                    let entry = zip.entry(DATA);
                    entry.defer(true, wide);
                    entry.descriptor[place] ^= 1;
                });
                assert_eq!(found, message, "byte {place}, wide: {wide}");
            }
        }
        let found = refusal(|zip| {
            let entry = zip.entry(DATA);
            entry.defer(true, false);
            entry.descriptor.clear();
        });
        assert_eq!(found, message);
        let narrow = refusal(|zip| {
            let entry = zip.entry(DATA);
            entry.defer(true, false);
            entry.local.extra = zip64_extra(&[0, 0]);
            (entry.local.size, entry.local.compressed_size) = (u32::MAX, u32::MAX);
        });
        assert_eq!(narrow, message, "zip64 in the local header asks for 64 bits");
        // Deferred values that are there are compared.
        let found = refusal(|zip| {
            let entry = zip.entry(DATA);
            entry.defer(true, false);
            entry.local.size = 33;
        });
        let message = "local and central header disagree on the size: 33 and 32 [zip-local-header]";
        assert_eq!(found, at(message));
    }

    #[test]
    fn refuses_streams_that_do_not_fill_their_compressed_size() {
        let text = demo().files[DATA].clone();
        let stream = deflate(&text);
        let (used, given) = (stream.len(), stream.len() + 1);
        let replace = |data: &[u8]| {
            refusal(|zip| {
                let entry = zip.entry(DATA);
                *entry = entry.clone().with_stream(8, data);
            })
        };
        let trailing = [stream.as_slice(), b"x"].concat();
        let message = format!("the deflate stream takes {used} of {given} compressed bytes [zip-stream]");
        assert_eq!(replace(&trailing), at(&message));
        // A second stream behind the first.
        let twice = [stream.as_slice(), &stream].concat();
        let message = format!("the deflate stream takes {used} of {} compressed bytes [zip-stream]", 2 * used);
        assert_eq!(replace(&twice), at(&message));
        assert_eq!(replace(&stream[..used - 1]), at("the deflate stream is broken [zip-stream]"));
        assert_eq!(replace(b""), at("the deflate stream is broken [zip-stream]"));
        // A reserved block type.
        assert_eq!(replace(b"\x07"), at("the deflate stream is broken [zip-stream]"));
        // A zlib stream is not a raw one.
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&text, 6);
        assert_eq!(replace(&zlib), at("the deflate stream is broken [zip-stream]"));
    }

    #[test]
    fn takes_other_streams_of_the_same_bytes() {
        let text = demo().files[DATA].clone();
        for level in [0, 1, 9] {
            let stream = miniz_oxide::deflate::compress_to_vec(&text, level);
            take(|zip| {
                let entry = zip.entry(DATA);
                *entry = entry.clone().with_stream(8, &stream);
            });
        }
        take(|zip| {
            let entry = zip.entry(DATA);
            *entry = entry.clone().with_stream(0, &text);
        });
    }

    #[test]
    fn refuses_another_checksum_or_size_than_the_stream_yields() {
        let crc = crc32fast::hash(&demo().files[DATA]);
        let found = refusal(|zip| zip.entry(DATA).both(|header| header.crc32 ^= 0x80));
        assert_eq!(found, at(&format!("CRC-32: expected {:08x}, found {crc:08x} [zip-crc]", crc ^ 0x80)));
        for size in [31, 33, 0] {
            let found = refusal(|zip| zip.entry(DATA).both(|header| header.size = size));
            assert_eq!(found, at(&format!("unpacked size: expected {size}, found 32 [zip-size]")));
        }
        // A stored entry of two sizes.
        let text = demo().files[DATA].clone();
        let found = refusal(|zip| {
            let entry = zip.entry(DATA);
            *entry = entry.clone().with_stream(0, &text);
            entry.both(|header| header.size = 33);
        });
        assert_eq!(found, at("unpacked size: expected 33, found 32 [zip-size]"));
    }

    #[test]
    fn refuses_flags_methods_and_disks_that_a_wheel_has_no_use_for() {
        let flags = |flags: u16| refusal(|zip| zip.entry(DATA).both(|header| header.flags = flags));
        for encrypted in [1, 1 << 6, 1 | 1 << 6] {
            assert_eq!(flags(encrypted), at("the entry is encrypted [zip-encrypted]"));
        }
        // Enhanced deflating, patched data, unused bits, masked headers.
        for bit in [4, 5, 7, 8, 9, 10, 12, 13, 14, 15] {
            let message = format!("general purpose flags {:#06x} hold an unsupported bit [zip-flags]", 1 << bit);
            assert_eq!(flags(1 << bit), at(&message));
        }
        for method in [1, 9, 12, 14, 93, 95, 99] {
            let found = refusal(|zip| zip.entry(DATA).both(|header| header.method = method));
            let message = format!("compression method {method} is neither stored (0) nor deflated (8) [zip-method]");
            assert_eq!(found, at(&message));
        }
        for (needed, shown) in [(46, "4.6"), (51, "5.1"), (99, "9.9"), (0x0333, "5.1")] {
            let late = format!("version needed {shown} is later than 4.5, the last that anything allowed here needs");
            let late = at(&format!("{late} [zip-version]"));
            assert_eq!(refusal(|zip| zip.entry(DATA).central.needed = needed), late);
            assert_eq!(refusal(|zip| zip.entry(DATA).local.needed = needed), late);
        }
        // Of zip64; and some writers put a system into the upper byte.
        take(|zip| zip.entry(DATA).both(|header| header.needed = 0x032d));
        let disk = at("the entry lies on another disk of a split archive [zip-disk]");
        assert_eq!(refusal(|zip| zip.entry(DATA).disk = 1), disk);
        assert_eq!(refusal(|zip| zip.entry(DATA).disk = 0xffff), disk);
    }
}

/// Rule 7: names and kinds of files.
mod names {
    use super::*;

    #[track_caller]
    fn renamed(name: &[u8]) -> String {
        refusal(|zip| zip.entry(DATA).rename(name))
    }

    #[test]
    fn refuses_every_kind_of_unsafe_name() {
        let device = "a segment of the name is a device on Windows";
        let dots = "the name has a `.` or `..` segment";
        let trailing = "a segment of the name ends in a dot or a space";
        let empty = "the name has an empty segment";
        let (long, deep) = ("x".repeat(256), "a/".repeat(2047) + "bc");
        for (name, shown, fault) in [
            ("", "", empty),
            ("demo//data.txt", "demo//data.txt", empty),
            (&long, &long, "a segment of the name is 256 bytes long, more than 255"),
            (&deep, &deep, "the name is 4096 bytes long, more than 4095"),
            ("/etc/passwd", "/etc/passwd", "the name is absolute"),
            ("../data.txt", "../data.txt", dots),
            ("demo/../../data.txt", "demo/../../data.txt", dots),
            ("demo/./data.txt", "demo/./data.txt", dots),
            ("demo/..", "demo/..", dots),
            ("demo/a\0b.py", "demo/a\\0b.py", "the name holds the control character U+0000"),
            ("demo/a\nb.py", "demo/a\\nb.py", "the name holds the control character U+000A"),
            ("demo/a\u{1b}[2J.py", "demo/a\\u{1b}[2J.py", "the name holds the control character U+001B"),
            ("demo/a\u{7f}.py", "demo/a\\u{7f}.py", "the name holds the control character U+007F"),
            ("demo/a\u{9b}.py", "demo/a\\u{9b}.py", "the name holds the control character U+009B"),
            ("demo\\data.txt", "demo\\\\data.txt", "the name holds `\\`"),
            ("C:/data.txt", "C:/data.txt", "the name holds `:`"),
            ("demo/data.txt:stream", "demo/data.txt:stream", "the name holds `:`"),
            ("demo/data.txt.", "demo/data.txt.", trailing),
            ("demo/data.txt ", "demo/data.txt ", trailing),
            ("demo./data.txt", "demo./data.txt", trailing),
            ("demo/aux.py", "demo/aux.py", device),
            ("NUL/data.txt", "NUL/data.txt", device),
            ("demo/com1", "demo/com1", device),
            ("demo/Lpt9.tar.gz", "demo/Lpt9.tar.gz", device),
            ("demo/e\u{301}.txt", "demo/e\u{301}.txt", "the name is not in Unicode normalisation form C"),
            ("demo/\u{212b}.txt", "demo/\u{212b}.txt", "the name is not in Unicode normalisation form C"),
        ] {
            assert_eq!(renamed(name.as_bytes()), format!("entry `{shown}`: {fault} [zip-name]"), "{name:?}");
        }
    }

    #[test]
    fn takes_unusual_names_that_mean_one_file_everywhere() {
        let mut wheel = demo();
        for name in ["a b.txt", ".hidden", "...a", "été.txt", "日本.txt", "a,b\".txt", "consent.py", "-x", "~", "com10"]
        {
            wheel = wheel.file(&format!("demo/{name}"), name);
        }
        let taken = take_wheel(&wheel);
        assert_eq!(taken.files.len(), wheel.files.len() + 1);
    }

    #[test]
    fn refuses_names_that_are_not_utf8_or_not_marked_as_such() {
        let message = |shown: &str| format!("entry `{shown}`: the name is not UTF-8, or not marked as such [zip-name]");
        assert_eq!(renamed(b"demo/\xe9.txt"), message("demo/\u{fffd}.txt"));
        let unmarked = refusal(|zip| {
            let entry = zip.entry(DATA);
            entry.rename("demo/é.txt".as_bytes());
            entry.both(|header| header.flags = 0);
        });
        assert_eq!(unmarked, message("demo/é.txt"));
        // The mark is allowed where the name would do without.
        take(|zip| zip.entry(DATA).both(|header| header.flags = wheels::UTF8));
    }

    #[test]
    fn refuses_everything_but_regular_files_and_directories() {
        let kind = |mode: u32| refusal(|zip| zip.entry(DATA).external = mode << 16);
        for mode in [0o120_777, 0o020_666, 0o060_666, 0o010_644, 0o140_755, 0o040_755, 0o160_000] {
            let message = format!("neither a regular file nor a directory (mode {mode:o}) [zip-file-type]");
            assert_eq!(kind(mode), format!("entry `{DATA}`: {message}"));
        }
        let dos_directory = refusal(|zip| zip.entry(DATA).external = 0x10);
        let message = "neither a regular file nor a directory (mode 0) [zip-file-type]";
        assert_eq!(dos_directory, format!("entry `{DATA}`: {message}"));
    }

    #[test]
    fn takes_other_permissions_and_keeps_only_the_execute_bit() {
        // Tools that know no unix leave the type out; a set-uid bit is a permission, which is not kept.
        for (made_by, external, executable) in [
            (0x0314, 0o100_600 << 16, false),
            (0x0314, 0o100_755 << 16, true),
            (0x0314, 0o104_755 << 16, true),
            (0x0314, 0o000_755 << 16, true),
            (0x0314, 0, false),
            (0x0014, 0x20, false),
            (0x0014, 0o100_755 << 16, false),
        ] {
            let mut zip = demo().zip();
            let entry = zip.entry(DATA);
            (entry.made_by, entry.external) = (made_by, external);
            let wheel = verify_bytes(FILENAME, &zip.to_bytes()).unwrap();
            assert_eq!(wheel.file(DATA).unwrap().entry.executable, executable, "{made_by:#x} {external:#o}");
        }
    }

    #[test]
    fn takes_directories_and_refuses_those_with_contents() {
        let with = |directory: Entry| move |zip: &mut Zip| zip.entries.insert(0, directory);
        take(with(Entry::directory("demo/")));
        take(with(Entry { external: 0, ..Entry::directory("demo/") }));
        take(with(Entry { external: 0o042_755 << 16, ..Entry::directory("demo/") }));
        // Writers that deflate whatever comes make an empty stream of two bytes.
        take(with(Entry::directory("demo/").with_stream(8, b"\x03\0")));
        take(with(Entry::directory("demo/").with_stream(8, b"\x01\0\0\xff\xff")));

        let message = "entry `demo/`: a directory with contents [zip-file-type]";
        let full = Entry { external: 0o040_755 << 16, ..Entry::stored("demo/", b"hidden") };
        assert_eq!(refusal(with(full)), message);
        // Bytes that no reader unpacks, behind a size of zero.
        assert_eq!(refusal(with(Entry::directory("demo/").with_stream(8, b"\x03\0hidden"))), message);
        assert_eq!(refusal(with(Entry::directory("demo/").with_stream(8, b"ab"))), message);
        let mut checksum = Entry::directory("demo/");
        checksum.both(|header| header.crc32 = 1);
        assert_eq!(refusal(with(checksum)), message);
    }

    #[test]
    fn refuses_two_entries_for_one_file() {
        let add = |entry: Entry| refusal(|zip| zip.entries.insert(0, entry));
        let message = format!("entry `{DATA}`: the name occurs twice [zip-duplicate]");
        assert_eq!(add(Entry::file(DATA, b"other")), message);
        assert_eq!(add(Entry::file(DATA, &demo().files[DATA])), message, "the same bytes too");
        let clash = |name: &str, other: &str| {
            format!("entry `{name}`: the name is the same file as `{other}` where case is ignored [zip-case-clash]")
        };
        assert_eq!(add(Entry::file("demo/DATA.txt", b"")), clash(DATA, "demo/DATA.txt"));
        assert_eq!(add(Entry::file("Demo/data.txt", b"")), clash(DATA, "Demo/data.txt"));
        let twice = |one: &str, other: &str| {
            let (one, other) = (Entry::file(one, b""), Entry::file(other, b""));
            refusal(|zip| zip.entries.extend([one, other]))
        };
        assert_eq!(twice("demo/straße", "demo/STRASSE"), clash("demo/STRASSE", "demo/straße"));
        assert_eq!(twice("demo/ΣΑΣ", "demo/σας"), clash("demo/σας", "demo/ΣΑΣ"));
        let directories = refusal(|zip| zip.entries.extend([Entry::directory("demo/a/"), Entry::directory("demo/A/")]));
        assert_eq!(directories, clash("demo/A/", "demo/a/"));
    }

    #[test]
    fn refuses_a_file_where_another_entry_has_a_directory() {
        let add = |entry: Entry| refusal(|zip| zip.entries.push(entry));
        let message = |file: &str, other: &str| {
            format!("entry `{file}`: a file where `{other}` has a directory [zip-file-and-directory]")
        };
        assert_eq!(add(Entry::file("demo/data.txt/x", b"")), message(DATA, "demo/data.txt/x"));
        assert_eq!(add(Entry::file("demo/DATA.txt/x", b"")), message(DATA, "demo/DATA.txt/x"));
        assert_eq!(add(Entry::file("DEMO", b"")), message("DEMO", INIT));
        assert_eq!(add(Entry::directory("demo/data.txt/")), message("demo/data.txt/", DATA));
        // With names between the two in the order of their bytes, which are nothing to them.
        let between = refusal(|zip| {
            zip.entries.extend(["x/y", "x", "x-1/z", "x.py"].map(|name| Entry::file(name, b"")));
        });
        assert_eq!(between, message("x", "x/y"));
    }
}

/// Rule 8: one distribution, and the one that the file name speaks of.
mod distribution {
    use super::*;

    #[test]
    fn refuses_all_but_one_dist_info_directory() {
        let due = "exactly one .dist-info directory is due, found: ";
        let none = Zip::new(vec![Entry::file(INIT, b"")]);
        assert_eq!(refusal_of_bytes(FILENAME, &none.to_bytes()), format!("{due}none [wheel-dist-info]"));

        let other = "other-2.0.dist-info";
        let both = format!("{due}demo-1.0.dist-info, {other} [wheel-dist-info]");
        take_wheel(&demo());
        assert_eq!(refusal_of(&demo().file("other-2.0.dist-info/METADATA", "")), both);
        let empty = refusal(|zip| zip.entries.push(Entry::directory("other-2.0.dist-info/")));
        assert_eq!(empty, both, "a second one that is only a directory entry");
        assert_eq!(
            refusal_of(&demo().file("other-2.0.DIST-INFO/x", "")),
            format!("{due}demo-1.0.dist-info, other-2.0.DIST-INFO [wheel-dist-info]")
        );
        // Not at the root, it is a file like any other.
        take_wheel(&demo().file("demo/_vendor/other-2.0.dist-info/METADATA", ""));
    }

    #[test]
    fn refuses_a_dist_info_directory_that_installing_would_make() {
        for place in ["purelib", "platlib", "data"] {
            let path = format!("demo-1.0.data/{place}/other-2.0.dist-info/METADATA");
            let message = format!("`{path}` would be a second .dist-info directory [wheel-dist-info]");
            assert_eq!(refusal_of(&demo().file(&path, "Name: other\n")), message);
            let path = format!("demo-1.0.data/{place}/demo-1.0.dist-info/INSTALLER");
            let message = format!("`{path}` would be a second .dist-info directory [wheel-dist-info]");
            assert_eq!(refusal_of(&demo().file(&path, "pip\n")), message);
            take_wheel(&demo().file(&format!("demo-1.0.data/{place}/share/other-2.0.dist-info/METADATA"), ""));
        }
    }

    #[test]
    fn refuses_the_dist_info_directory_of_another_distribution() {
        for (name, version) in [("other", "1.0"), ("demo", "1.1")] {
            let wheel = Wheel::new(name, version).file(INIT, "");
            take_wheel(&wheel);
            let message = format!("`{name}-{version}.dist-info` is not the directory of demo 1.0 [wheel-dist-info]");
            assert_eq!(refusal_of_bytes(FILENAME, &wheel.zip().to_bytes()), message);
        }
        // Another spelling is the same distribution (PEP 503, PEP 440).
        for (name, version, filename) in [
            ("Demo.App", "1.0", "demo_app-1.0-py3-none-any.whl"),
            ("demo_app", "1.0.0", "Demo.App-1.0-py3-none-any.whl"),
        ] {
            let wheel = Wheel::new(name, version).file(INIT, "");
            verify_bytes(filename, &wheel.zip().to_bytes()).unwrap();
        }
    }

    #[test]
    fn refuses_a_wheel_without_its_metadata_files() {
        for file in ["METADATA", "WHEEL"] {
            let path = format!("demo-1.0.dist-info/{file}");
            assert_eq!(refusal_of(&demo().without(&path)), format!("`{path}` is missing [wheel-dist-info]"));
        }
        let found = refusal(|zip| {
            zip.entries.pop();
        });
        assert_eq!(found, "`demo-1.0.dist-info/RECORD` is missing [wheel-dist-info]");
    }

    #[test]
    fn refuses_metadata_that_cannot_be_read() {
        let entry = "entry `demo-1.0.dist-info/WHEEL`: ";
        let wheel = |text: &str| demo().info("WHEEL", text);
        let tail = "Root-Is-Purelib: true\nTag: py3-none-any\n";
        for version in ["2.0", "0.9", "1", "1.x", "11.0", ""] {
            let message = format!("{entry}the field `Wheel-Version` is malformed: `{version}` [wheel-metadata]");
            assert_eq!(refusal_of(&wheel(&format!("Wheel-Version: {version}\n{tail}"))), message);
        }
        for version in ["1.0", "1.9", "1.10"] {
            take_wheel(&wheel(&format!("Wheel-Version: {version}\n{tail}")));
        }
        for (text, fault) in [
            (tail, "the field `Wheel-Version` is missing"),
            ("Wheel-Version: 1.0\nTag: py3-none-any\n", "the field `Root-Is-Purelib` is missing"),
            ("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n", "the field `Tag` is missing"),
            (
                "Wheel-Version: 1.0\nWheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                "the field `Wheel-Version` occurs twice",
            ),
            (
                "Wheel-Version: 1.0\nRoot-Is-Purelib: maybe\nTag: py3-none-any\n",
                "the field `Root-Is-Purelib` is malformed: `maybe`",
            ),
            ("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3\n", "the field `Tag` is malformed: `py3`"),
        ] {
            assert_eq!(refusal_of(&wheel(text)), format!("{entry}{fault} [wheel-metadata]"));
        }
        let entry = "entry `demo-1.0.dist-info/METADATA`: ";
        for (text, fault) in [
            (&b"Version: 1.0\n"[..], "the field `Name` is missing"),
            (b"Name: demo\n", "the field `Version` is missing"),
            (b"Name: demo\nName: demo\nVersion: 1.0\n", "the field `Name` occurs twice"),
            (b"Name: demo\nVersion: one\n", "the field `Version` is malformed: `one`"),
            (b"Name: demo\nVersion: 1.0\nSummary: \xff\n", "it is not UTF-8"),
        ] {
            assert_eq!(refusal_of(&demo().info("METADATA", text)), format!("{entry}{fault} [wheel-metadata]"));
        }
        // What stands behind the first empty line is the description.
        take_wheel(&demo().info("METADATA", "Name: Demo\nVersion: 1.0.0\n\nName: other\nVersion: 2\n"));
    }

    #[test]
    fn refuses_metadata_that_disagrees_with_the_file_name() {
        let message = |what: &str, filename: &str, file: &str, found: &str| {
            format!("{what}: the file name has {filename}, {file} has {found} [wheel-disagrees]")
        };
        assert_eq!(
            refusal_of(&demo().info("METADATA", "Name: other\nVersion: 1.0\n")),
            message("name", "demo", "METADATA", "other")
        );
        assert_eq!(
            refusal_of(&demo().info("METADATA", "Name: demo\nVersion: 1.1\n")),
            message("version", "1.0", "METADATA", "1.1")
        );
        let tags = |lines: &str| demo().info("WHEEL", format!("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n{lines}"));
        assert_eq!(refusal_of(&tags("Tag: py2-none-any\n")), message("tags", "py3-none-any", "WHEEL", "py2-none-any"));
        assert_eq!(
            refusal_of(&tags("Tag: py2-none-any\nTag: py3-none-any\n")),
            message("tags", "py3-none-any", "WHEEL", "py2-none-any py3-none-any")
        );
        // The file name's compressed set is the same as the lines that it stands for (PEP 425).
        let mut both = tags("Tag: py3-none-any\nTag: py2-none-any\n");
        both.tag = "py2.py3-none-any".to_owned();
        take_wheel(&both);
    }

    #[test]
    fn refuses_a_file_name_that_is_no_wheels() {
        let bytes = demo().zip().to_bytes();
        for (filename, reason) in [
            ("demo-1.0.zip", "it does not end in .whl"),
            ("demo.whl", "five or six parts between `-` are due"),
            ("demo-one-py3-none-any.whl", "its second part is no version (PEP 440)"),
        ] {
            let message = format!("not the name of a wheel: `{filename}` ({reason}) [wheel-filename]");
            assert_eq!(refusal_of_bytes(filename, &bytes), message);
        }
        verify_bytes("demo-1.0-1b-py3-none-any.whl", &bytes).unwrap();
    }
}

/// Rule 9: RECORD.
mod record {
    use super::*;

    fn at(fault: &str) -> String {
        format!("entry `{DATA}`: RECORD: {fault} [wheel-record]")
    }

    /// The good wheel with another row for its data file.
    fn with_row(change: impl Fn(&str) -> String) -> Wheel {
        let wheel = demo();
        let truth = row(DATA, &wheel.files[DATA]);
        wheel.record(|text| {
            assert!(text.contains(&truth));
            text.replace(&truth, &change(&truth))
        })
    }

    fn digest_row(algorithm: &str, digest: &[u8], size: usize) -> String {
        format!("{DATA},{algorithm}={},{size}\n", base64url(digest))
    }

    #[test]
    fn refuses_another_digest_or_size() {
        let text = demo().files[DATA].clone();
        let (expected, found) = (Sha256Digest::of(b"other"), Sha256Digest::of(&text));
        assert_eq!(
            refusal_of(&with_row(|_| digest_row("sha256", expected.as_bytes(), text.len()))),
            at(&format!("sha256: expected {expected}, found {found}"))
        );
        assert_eq!(
            refusal_of(&with_row(|_| digest_row("sha256", found.as_bytes(), 31))),
            at("size: expected 31, found 32")
        );
        take_wheel(&with_row(|_| digest_row("SHA256", found.as_bytes(), 32)));
    }

    #[test]
    fn refuses_ghosts_omissions_and_repetitions() {
        assert_eq!(refusal_of(&with_row(|_| String::new())), at("no row for this file"));
        for ghost in ["demo/ghost.py", "../demo/data.txt", "/demo/data.txt", "demo/", "DEMO/data.txt"] {
            let found = refusal_of(&with_row(|truth| format!("{truth}{}", row(ghost, b""))));
            assert_eq!(found, format!("RECORD: a row for `{ghost}`, which is not in the wheel [wheel-record]"));
        }
        let twice = format!("RECORD: two rows for `{DATA}` [wheel-record]");
        assert_eq!(refusal_of(&with_row(|truth| truth.repeat(2))), twice, "the same row");
        assert_eq!(refusal_of(&with_row(|truth| format!("{truth}{}", row(DATA, b"")))), twice);
        // A directory has no row, and needs none.
        take(|zip| zip.entries.push(Entry::directory("demo/empty/")));
    }

    #[test]
    fn refuses_weak_and_malformed_rows() {
        let weak = format!("RECORD: no digest of sha256 or stronger, with a size, for `{DATA}` [wheel-record]");
        let sha256 = Sha256Digest::of(&demo().files[DATA]);
        let encoded = base64url(sha256.as_bytes());
        let hex = format!("{DATA},sha256={sha256},32\n");
        for row in [
            digest_row("md5", &[0; 16], 32),
            digest_row("sha1", &[0; 20], 32),
            digest_row("sha224", &[0; 28], 32),
            digest_row("blake2b", &[0; 64], 32),
            digest_row("sha256", &sha256.as_bytes()[..31], 32),
            hex,
            format!("{DATA},,\n"),
            format!("{DATA},,32\n"),
            format!("{DATA},{encoded},32\n"),
            format!("{DATA},sha256={encoded},\n"),
            format!("{DATA},sha256={encoded},-32\n"),
            format!("{DATA},sha256={encoded},0x20\n"),
        ] {
            assert_eq!(refusal_of(&with_row(|_| row.clone())), weak, "{row}");
        }
        let at_line_3 = "RECORD: line 3 is malformed [wheel-record]";
        let lines = demo().true_record();
        assert_eq!(lines.lines().position(|line| line.contains("entry_points")), Some(2), "the line that is changed");
        for row in ["a row of one field\n", "two,fields\n", "four,,,fields\n", "\"unclosed\n"] {
            let wheel = demo().record(|text| text.replace("demo-1.0.dist-info/entry_points", row));
            assert_eq!(refusal_of(&wheel), at_line_3, "{row:?}");
        }
    }

    #[test]
    fn takes_stronger_digests_and_checks_them() {
        let text = demo().files[DATA].clone();
        let (sha384, sha512) = (Sha384::digest(&text), Sha512::digest(&text));
        take_wheel(&with_row(|_| digest_row("sha384", &sha384, 32)));
        take_wheel(&with_row(|_| digest_row("sha512", &sha512, 32)));
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let zeros = "00";
        assert_eq!(
            refusal_of(&with_row(|_| digest_row("sha384", &[0; 48], 32))),
            at(&format!("sha384: expected {}, found {}", zeros.repeat(48), hex(&sha384)))
        );
        assert_eq!(
            refusal_of(&with_row(|_| digest_row("sha512", &[0; 64], 32))),
            at(&format!("sha512: expected {}, found {}", zeros.repeat(64), hex(&sha512)))
        );
    }

    #[test]
    fn takes_other_spellings_of_a_true_record() {
        take_wheel(&demo().record(|text| text.replace('\n', "\r\n")));
        take_wheel(&demo().record(|text| text.replace(DATA, &format!("\"{DATA}\""))));
        take_wheel(&with_row(|truth| truth.replace(",32", "=,32")));
        take_wheel(&demo().record(|text| text.trim_end().to_owned()));
        // RECORD itself needs no row, or one with whatever digest.
        take_wheel(&demo().record(|text| text.replace("demo-1.0.dist-info/RECORD,,\n", "")));
    }

    #[test]
    fn takes_signatures_without_a_row() {
        for file in ["RECORD.jws", "RECORD.p7s"] {
            let mut zip = demo().zip();
            zip.entries.push(Entry::file(&format!("demo-1.0.dist-info/{file}"), b"{}"));
            assert_eq!(take_bytes(&zip.to_bytes()).len(), demo().files.len() + 2);
            // In another place, the name is like any other.
            let found = refusal(|zip| zip.entries.push(Entry::file(&format!("demo/{file}"), b"{}")));
            assert_eq!(found, format!("entry `demo/{file}`: RECORD: no row for this file [wheel-record]"));
        }
    }
}

/// Rule 10: scripts. What `.pth` files do is told by the plan: see `tree_conflicts.rs`.
mod scripts {
    use super::*;

    #[test]
    fn refuses_script_names_that_leave_the_directory_or_pass_for_the_interpreter() {
        for group in ["console_scripts", "gui_scripts"] {
            let scripts = |name: &str| demo().info("entry_points.txt", format!("[{group}]\n{name} = demo:main\n"));
            for name in ["python", "pythonw", "python3", "python3.13", "../x", "a/b", "a\\b", "..", ".", "a b", "a$(x)"]
            {
                let message = format!(
                    "entry `demo-1.0.dist-info/entry_points.txt`: the script name `{name}` is refused \
                     [wheel-entry-points]"
                );
                assert_eq!(refusal_of(&scripts(name)), message);
            }
            for name in ["python-argcomplete-check-easy-install-script", "python2", "py.test", "a-b_c.d", "2to3", "été"]
            {
                take_wheel(&scripts(name));
            }
        }
        // Another group's names are its own affair.
        take_wheel(&demo().info("entry_points.txt", "[mkdocs.plugins]\nmaterial/search = demo:main\npython = demo\n"));
    }

    #[test]
    fn refuses_scripts_that_cannot_be_called() {
        let entry = "entry `demo-1.0.dist-info/entry_points.txt`: ";
        let no_object = "not an object reference (`module` or `module:object`): ";
        for (text, fault) in [
            ("[console_scripts]\na = demo\n", format!("the script `a`: {no_object}`demo`")),
            ("[console_scripts]\na = demo:main()\n", format!("the script `a`: {no_object}`demo:main()`")),
            ("[console_scripts]\na = os;x:y\n", format!("the script `a`: {no_object}`os;x:y`")),
            ("[console_scripts]\na = demo:f\na = demo:g\n", "`a` occurs twice in one group".to_owned()),
            ("a = demo:main\n", "line 1 is malformed".to_owned()),
            ("[console_scripts\n", "line 1 is malformed".to_owned()),
        ] {
            let wheel = demo().info("entry_points.txt", text);
            assert_eq!(refusal_of(&wheel), format!("{entry}{fault} [wheel-entry-points]"));
        }
    }

    #[test]
    fn refuses_places_that_no_installation_scheme_has() {
        for path in ["demo-1.0.data/x", "demo-1.0.data/bin/x", "demo-1.0.data/SCRIPTS/x", "demo-1.0.data/lib/x"] {
            let message = format!("entry `{path}`: neither purelib, platlib, scripts, headers nor data [wheel-data]");
            assert_eq!(refusal_of(&demo().file(path, "")), message);
        }
        for place in ["purelib", "platlib", "scripts", "headers", "data"] {
            take_wheel(&demo().file(&format!("demo-1.0.data/{place}/x"), ""));
        }
        let two = demo().file("demo-1.0.data/data/x", "").file("demo-1.0.0.data/data/y", "");
        let message = "one .data directory is due at most, found: demo-1.0.0.data, demo-1.0.data [wheel-dist-info]";
        assert_eq!(refusal_of(&two), message);
        // Another distribution's name makes it a directory like any other.
        take_wheel(&demo().file("other-1.0.data/bin/x", ""));
    }
}

/// Rule 11: limits.
mod limits {
    use super::*;

    #[track_caller]
    fn refusal_within(wheel: &Wheel, limits: &Limits) -> (String, Option<String>) {
        let directory = tempfile::tempdir().unwrap();
        let error = verify(&wheel.write(directory.path()), limits).unwrap_err();
        (error.to_string(), error.hint())
    }

    #[track_caller]
    fn take_within(wheel: &Wheel, limits: &Limits) {
        let directory = tempfile::tempdir().unwrap();
        verify(&wheel.write(directory.path()), limits).unwrap();
    }

    #[test]
    fn bounds_entries_and_unpacked_bytes() {
        let wheel = demo();
        let unpacked = (wheel.files.values().map(Vec::len).sum::<usize>() + wheel.true_record().len()) as u64;
        let entries = wheel.files.len() as u64 + 1;
        let hint = Some("if you trust the wheel, raise the limit with `--max-unpacked SIZE`".to_owned());
        let exact = Limits { entries, unpacked, ..Limits::default() };
        take_within(&wheel, &exact);
        let message = |what: &str, found, limit| {
            format!("refused wheel `{FILENAME}`: {what}: {found} exceeds the limit of {limit} [zip-limit]")
        };
        assert_eq!(
            refusal_within(&wheel, &Limits { entries: entries - 1, ..exact }),
            (message("number of entries", entries, entries - 1), hint.clone())
        );
        assert_eq!(
            refusal_within(&wheel, &Limits { unpacked: unpacked - 1, ..exact }),
            (message("unpacked size", unpacked, unpacked - 1), hint)
        );
    }

    #[test]
    fn refuses_a_bomb_unless_its_size_is_allowed() {
        let size = (64 << 20) + 1;
        let bomb = demo().file("demo/zeros", vec![0; size]);
        let message = format!(
            "refused wheel `{FILENAME}`: entry `demo/zeros`: unpacked size of a highly compressed entry: {size} \
             exceeds the limit of {} [zip-limit]",
            64 << 20
        );
        assert_eq!(refusal_within(&bomb, &Limits::default()).0, message);
        take_within(&bomb, &Limits::with_unpacked(1 << 30));
        // One byte less is no bomb, whatever its ratio.
        take_within(&demo().file("demo/zeros", vec![0; size - 1]), &Limits::default());
    }

    #[test]
    fn takes_a_large_entry_that_is_not_highly_compressed() {
        let limits = Limits { entry_unpacked: 1_000, ..Limits::default() };
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(5_000)
        .collect();
        take_within(&demo().file("demo/noise", noise), &limits);
        let found = refusal_within(&demo().file("demo/noise", vec![7; 5_000]), &limits).0;
        let message = format!(
            "refused wheel `{FILENAME}`: entry `demo/noise`: unpacked size of a highly compressed entry: 5000 exceeds \
             the limit of 1000 [zip-limit]"
        );
        assert_eq!(found, message);
    }

    #[test]
    fn ends_unpacking_where_a_stream_yields_more_than_its_header_says() {
        // A bomb behind an honest-looking size: 100 MB from 100 kB.
        let stream = deflate(&vec![0; 100_000_000]);
        let found = refusal(|zip| {
            let entry = zip.entry(DATA);
            *entry = entry.clone().with_stream(8, &stream);
        });
        // One buffer is unpacked before it is seen.
        assert_eq!(found, format!("entry `{DATA}`: unpacked size: expected 32, found 131072 [zip-size]"));
    }
}

/// Bytes of headers that no reader needs, and the last byte of each deflate stream, whose last bits are padding.
fn idle_bytes(bytes: &[u8], zip: &Zip) -> Vec<usize> {
    let mut idle = Vec::new();
    let mut offset = 0;
    for entry in &zip.entries {
        // Version needed; time and date.
        idle.extend([4, 5, 10, 11, 12, 13].map(|at| offset + at));
        offset += length(entry);
        idle.push(offset - 1);
    }
    for entry in &zip.entries {
        assert_eq!(&bytes[offset..offset + 4], b"PK\x01\x02");
        // Version made by, version needed; time and date; internal and external attributes.
        idle.extend((4..8).chain(12..16).chain(36..42).map(|at| offset + at));
        offset += 46 + entry.central.name.len();
    }
    idle
}

/// Bytes of deflate streams.
fn stream_bytes(zip: &Zip) -> BTreeSet<usize> {
    let mut bytes = BTreeSet::new();
    let mut offset = 0;
    for entry in &zip.entries {
        let end = offset + length(entry);
        bytes.extend(end - entry.data.len()..end);
        offset = end;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn refuses_a_changed_byte_or_yields_the_same_contents(place in any::<prop::sample::Index>(), mask in 1_u8..) {
        let zip = demo().zip();
        let mut bytes = zip.to_bytes();
        let idle = idle_bytes(&bytes, &zip);
        let place = place.index(bytes.len());
        let expected = take_bytes(&bytes);
        bytes[place] ^= mask;
        match verify_bytes(FILENAME, &bytes) {
            Ok(wheel) => {
                // Deflate has many spellings of one text: another one is harmless, another text is not.
                let harmless = idle.contains(&place) || stream_bytes(&zip).contains(&place);
                prop_assert!(harmless, "byte {place} was changed by {mask:#x}, and nobody saw it");
                prop_assert_eq!(contents(&wheel), expected);
            }
            Err(error) => prop_assert_eq!(error.status(), Status::Refused),
        }
    }

    #[test]
    fn refuses_random_bytes_between_good_ones(
        place in any::<prop::sample::Index>(), length in 0_usize..40, noise in prop::collection::vec(any::<u8>(), 0..40)
    ) {
        let mut bytes = demo().zip().to_bytes();
        let place = place.index(bytes.len());
        let end = bytes.len().min(place + length);
        prop_assume!(bytes[place..end] != noise);
        let before = bytes.clone();
        bytes.splice(place..end, noise);
        // Whatever was cut and put in, the answer is the same contents or a refusal: never a panic.
        if let Ok(wheel) = verify_bytes(FILENAME, &bytes) {
            prop_assert_eq!(bytes.len(), before.len());
            prop_assert_eq!(contents(&wheel), take_bytes(&before));
        }
    }
}

#[test]
fn takes_a_changed_byte_that_no_reader_needs() {
    let zip = demo().zip();
    let bytes = zip.to_bytes();
    let expected = take_bytes(&bytes);
    let (mut taken, idle) = (0, idle_bytes(&bytes, &zip));
    for place in &idle {
        let mut changed = bytes.clone();
        changed[*place] ^= 0x40;
        taken += usize::from(verify_bytes(FILENAME, &changed).is_ok_and(|wheel| contents(&wheel) == expected));
    }
    // Streams end in padding or not, and attributes hold the file's type: most of the others are truly idle.
    assert!(taken * 10 > idle.len() * 8, "{taken} of {}", idle.len());
}
