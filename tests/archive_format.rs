//! Format 1, byte by byte: what the writer writes is taken apart here by a parser of its own, and by the `zip` crate.

mod wheels;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use pyzpack::application::{Compression, InstalledTree, LayoutChoice, WheelSet};
use pyzpack::archive::{
    ArchivePath, ArchivePlan, EntrySource, Epoch, Limits, Mode, Packing as EntryPacking, PlannedEntry,
};
use pyzpack::digest::Sha256Digest;
use pyzpack::output::{EvidenceRequest, write_output};

use wheels::application::{Packing, loose, pack, plan, plan_verified, read_by_zip_crate, write};
use wheels::{Wheel, deflate};

const SHEBANG: &str = "#!/usr/bin/env python3\n";
const LAYOUTS: [LayoutChoice; 2] = [LayoutChoice::Zip, LayoutChoice::Extract];
const COMPRESSIONS: [Compression; 3] = [Compression::Reuse, Compression::Recompress, Compression::Store];

/// A wheel with all that makes a difference: empty files, directories without `__init__.py`, an executable, a name that
/// is not ASCII, bytes that deflate makes no smaller.
fn demo() -> Wheel {
    Wheel::new("demo", "1.0")
        .file("demo/__init__.py", "def main():\n    return 0\n\n\nif main():\n    main()\n")
        .file("demo/empty.py", "")
        .file("demo/data/é.txt", "accented, accented, accented, accented\n")
        .file("demo/noise.bin", noise(300))
        .executable("demo/tool.sh", "#!/bin/sh\nexit 0\n")
        .file("demo-1.0.data/scripts/demo-script", "#!python\nprint('a script')\n")
        .info("entry_points.txt", "[console_scripts]\ndemo = demo:main\n")
}

/// Bytes that no encoder makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// An entry as the bytes have it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parsed {
    name: String,
    method: u16,
    external: u32,
    stream: Vec<u8>,
    contents: Vec<u8>,
}

/// Takes apart an archive in format 1, and fails at the first byte that is not as format 1 has it.
#[track_caller]
fn parse(bytes: &[u8], prefix: &str, time: u16, date: u16) -> Vec<Parsed> {
    let word = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
    let long = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let index = |at: usize| long(at) as usize;
    assert_eq!(&bytes[..prefix.len()], prefix.as_bytes(), "the first line");
    // The local part, read forwards: each header is followed by its stream, and that by the next header.
    let mut entries = Vec::new();
    let mut position = prefix.len();
    while &bytes[position..position + 4] == b"PK\x03\x04" {
        let start = position;
        let name_end = start + 30 + usize::from(word(start + 26));
        assert_eq!(word(start + 28), 0, "no extra field");
        position = name_end + index(start + 18);
        entries.push((start, name_end, position));
    }
    // The central part: one header for each, in the same order, and nothing more.
    let directory = position;
    let mut parsed = Vec::new();
    for (start, name_end, end) in entries {
        let name = std::str::from_utf8(&bytes[start + 30..name_end]).unwrap().to_owned();
        let is_directory = name.ends_with('/');
        assert_eq!(&bytes[position..position + 6], b"PK\x01\x02\x14\x03", "{name}: made by 2.0 on unix");
        assert_eq!(bytes[position + 6..position + 32], bytes[start + 4..start + 30], "{name}: both headers agree");
        let (method, flags) = (word(start + 8), word(start + 6));
        assert_eq!(word(start + 4), if method == 0 { 10 } else { 20 }, "{name}: version needed");
        assert_eq!(flags, if name.is_ascii() { 0 } else { 0x0800 }, "{name}: flags");
        assert_eq!((word(start + 10), word(start + 12)), (time, date), "{name}: time and date");
        assert_eq!(bytes[position + 32..position + 38], [0; 6], "{name}: no comment, disk 0, no internal attributes");
        let external = long(position + 38);
        let kinds: &[u32] = if is_directory { &[0x41ed_0010] } else { &[0x81a4_0000, 0x81ed_0000] };
        assert!(kinds.contains(&external), "{name}: external attributes {external:#x}");
        assert_eq!(index(position + 42), start, "{name}: the offset counts from the first byte");
        let central_end = position + 46 + name.len();
        assert_eq!(&bytes[position + 46..central_end], name.as_bytes());
        position = central_end;

        let stream = bytes[name_end..end].to_vec();
        let contents = match method {
            0 => stream.clone(),
            8 => miniz_oxide::inflate::decompress_to_vec(&stream).unwrap(),
            other => panic!("{name}: method {other}"),
        };
        assert_eq!(contents.len(), index(start + 22), "{name}: size");
        assert_eq!(crc32fast::hash(&contents), long(start + 14), "{name}: CRC-32");
        assert!(!contents.is_empty() || method == 0, "{name}: empty and stored");
        assert!(!is_directory || contents.is_empty(), "{name}: a directory is empty");
        parsed.push(Parsed { name, method, external, stream, contents });
    }
    assert_eq!(&bytes[position..position + 8], b"PK\x05\x06\0\0\0\0");
    let count = parsed.len();
    assert_eq!((usize::from(word(position + 8)), usize::from(word(position + 10))), (count, count));
    assert_eq!((index(position + 12), index(position + 16)), (position - directory, directory));
    assert_eq!(bytes[position + 20..], [0, 0], "no comment, and nothing behind the end");
    assert!(parsed.windows(2).all(|pair| pair[0].name.as_bytes() < pair[1].name.as_bytes()), "sorted, each once");
    parsed
}

/// An archive as format 1 has it in 1980, by name.
fn parse_default(bytes: &[u8], prefix: &str) -> BTreeMap<String, Parsed> {
    parse(bytes, prefix, 0, 0x0021).into_iter().map(|entry| (entry.name.clone(), entry)).collect()
}

fn path(name: &str) -> ArchivePath {
    ArchivePath::new(name).unwrap()
}

fn no_wheels() -> WheelSet {
    WheelSet::new(Vec::new()).unwrap()
}

/// An archive of bytes alone.
fn plan_of(files: impl IntoIterator<Item = (String, Vec<u8>)>, packing: EntryPacking) -> ArchivePlan {
    let entry = |bytes: Vec<u8>| PlannedEntry {
        source: EntrySource::Bytes { bytes: bytes.into(), packing },
        mode: Mode::Regular,
    };
    let entries = files.into_iter().map(|(name, bytes)| (path(&name), entry(bytes))).collect();
    ArchivePlan { prefix: Vec::new(), epoch: Epoch::default(), entries }
}

#[test]
fn writes_format_1_in_every_layout_and_compression() {
    for layout in LAYOUTS {
        for compression in COMPRESSIONS {
            let packing = Packing { layout, compression, ..Packing::default() };
            let planned = plan(&[demo()], &packing).unwrap();
            let bytes = write(&planned.plan.archive, &planned.wheels).unwrap();
            let outer = parse_default(&bytes, SHEBANG);
            let files = match layout {
                LayoutChoice::Extract => {
                    let payload = &outer["_pyzpack/payload.zip"];
                    assert_eq!((payload.method, payload.external), (0, 0x81a4_0000));
                    let find = String::from_utf8(outer["_pyzpack/find.py"].contents.clone()).unwrap();
                    assert!(find.contains(&Sha256Digest::of(&payload.contents).to_string()), "a constant");
                    assert!(!outer.keys().any(|name| name.ends_with('/')), "no directories");
                    parse_default(&payload.contents, "")
                }
                _ => outer.clone(),
            };
            for name in ["__main__.py", "_pyzpack/find.py"] {
                assert_eq!(outer[name].method, 0, "{name} is read before zlib is");
            }
            assert_eq!(outer["_pyzpack/manifest.json"].contents, planned.plan.manifest.to_bytes());
            for (name, file) in &planned.tree.files {
                let packed = &files[name.as_str()];
                assert_eq!(Sha256Digest::of(&packed.contents), file.sha256, "{name}");
                assert_eq!(packed.external, (0o100_000 | file.mode.bits()) << 16, "{name}");
                assert!(compression != Compression::Store || packed.method == 0, "{name}");
            }
            assert_eq!(files["demo/tool.sh"].external, 0o100_755 << 16);
            // The second reader sees the same names, permissions and contents.
            for (parsed, bytes) in [(&outer, bytes.as_slice()), (&files, &files_bytes(&outer, &bytes))] {
                let expected: BTreeMap<String, (u32, Vec<u8>)> = parsed
                    .iter()
                    .map(|(name, entry)| (name.clone(), (entry.external >> 16, entry.contents.clone())))
                    .collect();
                assert_eq!(read_by_zip_crate(bytes), expected);
            }
        }
    }
}

/// The archive that holds the application's files: the payload where there is one.
fn files_bytes(outer: &BTreeMap<String, Parsed>, bytes: &[u8]) -> Vec<u8> {
    outer.get("_pyzpack/payload.zip").map_or_else(|| bytes.to_vec(), |payload| payload.contents.clone())
}

#[test]
fn lists_the_directories_that_zipimport_does_not_find() {
    let bytes = pack(&[demo()], &Packing { layout: LayoutChoice::Zip, ..Packing::default() });
    let directories: Vec<String> =
        parse_default(&bytes, SHEBANG).into_keys().filter(|name| name.ends_with('/')).collect();
    assert_eq!(directories, ["_pyzpack/", "bin/", "demo/data/"]);
}

#[test]
fn sorts_by_names_as_they_are_written() {
    let wheel = demo().file("demo.py", "").file("share/x", "").file("share-1/x", "");
    let bytes = pack(&[wheel], &Packing { layout: LayoutChoice::Zip, ..Packing::default() });
    let names: Vec<String> = parse_default(&bytes, SHEBANG).into_keys().filter(|name| name.ends_with('/')).collect();
    assert_eq!(names, ["_pyzpack/", "bin/", "demo/data/", "share-1/", "share/"]);
}

#[test]
fn stores_what_is_empty_or_no_smaller_deflated() {
    let text = b"text, text, text, text, text, text".to_vec();
    let files = [("empty", Vec::new()), ("noise", noise(300)), ("short", b"ab".to_vec()), ("text", text)];
    let files = files.map(|(name, bytes)| (name.to_owned(), bytes));
    let methods = |packing| {
        let parsed = parse_default(&write(&plan_of(files.clone(), packing), &no_wheels()).unwrap(), "");
        parsed.into_values().map(|entry| (entry.name, entry.method)).collect::<Vec<_>>()
    };
    let expect = |text: u16| {
        [("empty", 0), ("noise", 0), ("short", 0), ("text", text)].map(|(name, method)| (name.to_owned(), method))
    };
    assert_eq!(methods(EntryPacking::Encode), expect(8));
    assert_eq!(methods(EntryPacking::Store), expect(0));
}

#[test]
fn keeps_the_streams_of_wheels_and_makes_them_anew_when_asked() {
    let text = b"a text that can be said in many streams, said in many streams, many streams\n".repeat(20);
    let wheel = demo().file("demo/text.txt", &text);
    let place = tempfile::tempdir().unwrap();
    let mut streams = Vec::new();
    for level in [0, 1, 9] {
        let stream = miniz_oxide::deflate::compress_to_vec(&text, level);
        let mut zip = wheel.zip();
        let entry = zip.entry("demo/text.txt");
        *entry = entry.clone().with_stream(8, &stream);
        let file = place.path().join(wheel.filename());
        std::fs::write(&file, zip.to_bytes()).unwrap();
        let wheels = WheelSet::new(vec![wheels::verify(&file, &Limits::default()).unwrap()]).unwrap();
        for packing in [EntryPacking::Reuse, EntryPacking::Encode, EntryPacking::Store] {
            let checked = wheels.iter().next().unwrap().file("demo/text.txt").unwrap().clone();
            let source = EntrySource::Entry {
                source: pyzpack::archive::Source::open(&file).unwrap(),
                entry: checked.entry,
                contents: checked.contents,
                packing,
            };
            let entries = [(path("text.txt"), PlannedEntry { source, mode: Mode::Regular })].into();
            let plan = ArchivePlan { prefix: Vec::new(), epoch: Epoch::default(), entries };
            let found = parse_default(&write(&plan, &no_wheels()).unwrap(), "").remove("text.txt").unwrap();
            let expected = match packing {
                EntryPacking::Reuse => stream.clone(),
                EntryPacking::Encode => deflate(&text),
                EntryPacking::Store => text.clone(),
            };
            assert!(found.stream == expected, "{packing:?} of level {level}");
        }
        streams.push(stream);
    }
    assert!(streams.windows(2).all(|pair| pair[0] != pair[1]), "the fixtures differ");
}

/// A change of these digests is a change of what users get: it goes with a line in CHANGELOG.md, and a change of the
/// container's or the encoder's bytes with a new format number.
#[test]
fn golden_digests_pin_whole_archives() {
    let expected = GOLDEN.map(|(layout, compression, digest)| (layout, compression, digest.to_owned()));
    let found = GOLDEN.map(|(layout, compression, _)| {
        let packing = Packing { layout, compression, ..Packing::default() };
        (layout, compression, Sha256Digest::of(&pack(&[demo()], &packing)).to_string())
    });
    assert_eq!(found, expected, "a change needs a line in CHANGELOG.md");
}

/// As above, without what the runtime and the manifest contribute: it changes with the format's number alone.
#[test]
fn a_golden_digest_pins_the_container() {
    let text = b"def main():\n    return 0\n".repeat(40);
    let files = [("a.py", text), ("empty", Vec::new()), ("naïve.txt", b"naive".to_vec()), ("noise", noise(1000))];
    let mut plan = plan_of(files.map(|(name, bytes)| (name.to_owned(), bytes)), EntryPacking::Encode);
    let nested = EntrySource::Nested(Box::new(plan.clone()));
    let names = EntrySource::NamesDigests(Arc::new(|digests| format!("{digests:?}").into_bytes()));
    plan.prefix = SHEBANG.into();
    for (name, source) in [("b.zip", nested), ("__main__.py", names), ("dir", EntrySource::Directory)] {
        plan.entries.insert(path(name), PlannedEntry { source, mode: Mode::Regular });
    }
    let bytes = write(&plan, &no_wheels()).unwrap();
    let parsed = parse_default(&bytes, SHEBANG);
    let inner = Sha256Digest::of(&parsed["b.zip"].contents);
    assert_eq!(parsed["__main__.py"].contents, format!("[{inner}]").into_bytes());
    assert_eq!(Sha256Digest::of(&bytes).to_string(), GOLDEN_CONTAINER);
}

#[test]
fn writes_the_same_bytes_with_any_number_of_threads() {
    // More entries than are made ready at a time, and one that goes through a file instead of memory.
    let large = sample(5 << 20);
    let mut wheel = demo().file("demo/large.txt", &large);
    for index in 0..600 {
        wheel = wheel.file(&format!("demo/many/m{index}.py"), format!("value = {index}\n").repeat(index % 7));
    }
    for compression in [Compression::Reuse, Compression::Recompress] {
        let packing = Packing { layout: LayoutChoice::Extract, compression, ..Packing::default() };
        let archives = [1, 2, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| pack(std::slice::from_ref(&wheel), &packing))
        });
        assert!(archives[0] == archives[1] && archives[1] == archives[2], "{compression:?}");
        let payload = &parse_default(&archives[0], SHEBANG)["_pyzpack/payload.zip"].contents;
        let streamed = &parse_default(payload, "")["demo/large.txt"];
        assert!(streamed.stream == deflate(&large), "through a file, the stream is the one that memory gives");
    }
}

/// Text that deflate makes smaller, never the same for long.
fn sample(length: usize) -> Vec<u8> {
    let words: [&[u8]; 8] = [b"def ", b"return ", b"self.", b"import ", b"(x)\n", b"    ", b"None", b"\xff\x00"];
    noise(length).into_iter().flat_map(|byte| words[usize::from(byte >> 5)]).copied().take(length).collect()
}

#[test]
fn gives_every_entry_the_one_time() {
    // Seconds since 1970, and the two words of MS-DOS time that stand for them (4.4.6).
    let clock = |hour: u16, minute: u16, two_seconds: u16| hour * 0x800 + minute * 0x20 + two_seconds;
    let calendar = |years: u16, month: u16, day: u16| years * 0x200 + month * 0x20 + day;
    for (seconds, time, date) in [
        ("0", 0, calendar(0, 1, 1)),
        ("315532800", 0, calendar(0, 1, 1)),
        ("315532803", 1, calendar(0, 1, 1)),
        ("1582979696", clock(12, 34, 28), calendar(40, 2, 29)),
        ("4354819199", clock(23, 59, 29), calendar(127, 12, 31)),
        ("99999999999", clock(23, 59, 29), calendar(127, 12, 31)),
    ] {
        let epoch = Epoch::parse(seconds).unwrap().0;
        let bytes = pack(&[demo()], &Packing { layout: LayoutChoice::Extract, epoch, ..Packing::default() });
        let outer = parse(&bytes, SHEBANG, time, date);
        let payload = outer.iter().find(|entry| entry.name == "_pyzpack/payload.zip").unwrap();
        parse(&payload.contents, "", time, date);
        let manifest = outer.iter().find(|entry| entry.name == "_pyzpack/manifest.json").unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.contents).unwrap();
        assert_eq!(manifest["epoch"], epoch.seconds(), "the manifest holds the clamped time");
    }
}

/// Loose modules, of which there can be many without a wheel for them.
fn many(count: usize) -> Packing {
    let loose = (0..count).map(|index| loose(&format!("m{index:05}"), b"")).collect();
    Packing { loose, ..Packing::default() }
}

#[test]
fn splits_the_payload_where_a_zip_can_count_no_further() {
    let packing = Packing { layout: LayoutChoice::Extract, ..many(0xffff) };
    let planned = plan(&[demo()], &packing).unwrap();
    let bytes = write(&planned.plan.archive, &planned.wheels).unwrap();
    let outer = parse_default(&bytes, SHEBANG);
    let counts =
        ["_pyzpack/payload.zip", "_pyzpack/payload-2.zip"].map(|name| parse_default(&outer[name].contents, "").len());
    assert_eq!(counts, [0xffff, planned.tree.files.len() - 0xffff]);
    let find = String::from_utf8(outer["_pyzpack/find.py"].contents.clone()).unwrap();
    let digest = |name: &str| Sha256Digest::of(&outer[name].contents);
    let payloads = format!(
        r#""payloads": (("_pyzpack/payload.zip", "{}"), ("_pyzpack/payload-2.zip", "{}"))"#,
        digest("_pyzpack/payload.zip"),
        digest("_pyzpack/payload-2.zip")
    );
    assert!(find.contains(&payloads), "both payloads are constants of the bootstrap, in their order");
}

#[test]
fn refuses_more_entries_than_a_zip_can_count() {
    use pyzpack::status::Explain;
    let packing = Packing { layout: LayoutChoice::Zip, ..many(0xffff) };
    let error = plan(&[demo()], &packing).unwrap_err();
    let message = "layout `zip` would need 65563 entries, more than the 65535 of a zip without zip64";
    assert_eq!((error.to_string().as_str(), error.hint()), (message, Some("use `--layout extract`".to_owned())));

    let files = |count: usize| (0..count).map(|index| (format!("m{index:05}"), Vec::new()));
    assert_eq!(
        parse_default(&write(&plan_of(files(0xffff), EntryPacking::Store), &no_wheels()).unwrap(), "").len(),
        0xffff
    );
    let error = write(&plan_of(files(0x1_0000), EntryPacking::Store), &no_wheels()).unwrap_err().to_string();
    let reason = "65536 entries are more than the 65535 that a zip without zip64 can count";
    assert!(error.starts_with("cannot write `") && error.ends_with(&format!("demo.pyz`: {reason}")), "{error}");
}

/// Writes a wheel with an entry of `size` bytes, a piece at a time, by the `zip` crate.
fn write_large_wheel(path: &Path, size: usize) {
    let piece = sample(1 << 20);
    let mut hasher = sha2::Sha256::default();
    let pieces = || std::iter::repeat_n(&piece, size >> 20);
    pieces().for_each(|piece| sha2::Digest::update(&mut hasher, piece));
    let digest = wheels::base64url(&sha2::Digest::finalize(hasher));
    let small = demo();
    let record = small.true_record() + &format!("demo/large.bin,sha256={digest},{size}\n");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("demo/large.bin", options).unwrap();
    pieces().for_each(|piece| archive.write_all(piece).unwrap());
    let files = small.files.iter().map(|(name, contents)| (name.clone(), contents.clone()));
    for (name, contents) in files.chain([("demo-1.0.dist-info/RECORD".to_owned(), record.into_bytes())]) {
        archive.start_file(name, options).unwrap();
        archive.write_all(&contents).unwrap();
    }
    archive.finish().unwrap();
}

/// The application of a wheel that lies in `place`, planned, before `change` is made to the wheel's file, written after.
fn write_after(change: impl FnOnce(&Path)) -> Result<Vec<u8>, String> {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(demo().filename());
    let planned = plan_verified(vec![demo().verified(place.path())], &Packing::default()).unwrap();
    change(&file);
    write(&planned.plan.archive, &planned.wheels).map_err(|error| error.to_string())
}

#[test]
fn refuses_a_wheel_that_is_written_to_while_it_is_packed() {
    let changed = Err("wheel `demo-1.0-py3-none-any.whl` changed while it was being packed".to_owned());
    let rewrite = |change: fn(&mut Vec<u8>)| {
        write_after(|file| {
            let mut bytes = std::fs::read(file).unwrap();
            change(&mut bytes);
            // In place: the open file is the one that changes.
            std::fs::write(file, bytes).unwrap();
        })
    };
    assert_eq!(rewrite(|bytes| bytes[100] ^= 1), changed);
    assert_eq!(rewrite(|bytes| bytes.push(0)), changed);
    assert_eq!(rewrite(Vec::clear), changed);
}

#[test]
fn takes_a_wheel_that_loses_its_name_while_it_is_packed() {
    let expected = write_after(|_| {}).unwrap();
    assert!(write_after(|file| std::fs::remove_file(file).unwrap()).unwrap() == expected, "a cache may be cleared");
    let link = |file: &Path| std::fs::hard_link(file, file.with_extension("link")).unwrap();
    assert!(write_after(link).unwrap() == expected, "another process may link to a cached file");
}

/// What the kernel says of the most memory that this process ever had, in kB.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
const PLACE: &str = "PYZPACK_TEST_LARGE_WHEEL";

#[cfg(target_os = "linux")]
#[test]
#[ignore = "started in a process of its own by `memory_does_not_grow_with_the_largest_entry`"]
fn pack_a_large_entry_and_tell_the_peak_of_memory() {
    let place = std::env::var_os(PLACE).expect("the test that starts this one says where the wheel is");
    let place = Path::new(&place);
    let wheel = wheels::verify(&place.join(demo().filename()), &Limits::default()).unwrap();
    let wheels = WheelSet::new(vec![wheel]).unwrap();
    let tree = InstalledTree::lay_out(&wheels, &[], pyzpack::application::ConflictPolicy::Error).unwrap();
    for packing in [EntryPacking::Reuse, EntryPacking::Encode] {
        let files = &wheels.iter().next().unwrap().files;
        let source = pyzpack::archive::Source::open(&place.join(demo().filename())).unwrap();
        let entry = |file: &pyzpack::wheel::VerifiedFile| EntrySource::Entry {
            source: source.clone(),
            entry: file.entry.clone(),
            contents: file.contents,
            packing,
        };
        let planned = |file| PlannedEntry { source: entry(file), mode: Mode::Regular };
        let entries = files.iter().map(|file| (file.entry.path.clone(), planned(file))).collect();
        let payload = ArchivePlan { prefix: Vec::new(), epoch: Epoch::default(), entries };
        let nested = PlannedEntry { source: EntrySource::Nested(Box::new(payload)), mode: Mode::Regular };
        let plan = ArchivePlan {
            prefix: SHEBANG.into(),
            epoch: Epoch::default(),
            entries: [(path("payload.zip"), nested)].into(),
        };
        write_output(&plan, &wheels, &place.join("large.pyz"), &EvidenceRequest::default()).unwrap();
    }
    println!("files {}", tree.files.len());
    println!("peak {}", peak_memory());
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_largest_entry() {
    let place = tempfile::tempdir().unwrap();
    let size = 200 << 20;
    write_large_wheel(&place.path().join(demo().filename()), size);
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pack_a_large_entry_and_tell_the_peak_of_memory", "--ignored", "--nocapture"])
        .env(PLACE, place.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let peak: u64 = text.lines().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap();
    println!("peak of memory: {peak} kB");
    assert!(peak < 64 << 10, "{peak} kB for an entry of {size} bytes");
    // The entry itself is there, whole.
    assert!(std::fs::metadata(place.path().join("large.pyz")).unwrap().len() > 1 << 20);
}

const GOLDEN: [(LayoutChoice, Compression, &str); 6] = [
    (LayoutChoice::Zip, Compression::Reuse, "a96687f1d7426881f02f87940f585f020a7bd3385583336d464ec234535383b9"),
    (LayoutChoice::Zip, Compression::Recompress, "05e1363bed5f912cbd6396c7d44ac3d7a6d13f15ab9efd54354516ef98937ce9"),
    (LayoutChoice::Zip, Compression::Store, "fc77767d3ffa36105df0efa0deba48c9ad8125740cd5f8306ea50e0319fc28d6"),
    (LayoutChoice::Extract, Compression::Reuse, "4a54ebe37a138a6c828bb383806c99a920ebc41162979fc64a4b0d53b8e8c262"),
    (
        LayoutChoice::Extract,
        Compression::Recompress,
        "66673ed8b8a2ea4f2b694b63973bd51b50b945f1d477bcfd7fd2b32b5d59e106",
    ),
    (LayoutChoice::Extract, Compression::Store, "a04a60e5ba902fbf9de782aac100447b750e3dce1207c5639344de779cb67430"),
];

const GOLDEN_CONTAINER: &str = "3944e894a77c96a4b1b6214224df50bab9ba7baeddce23dcd412deefb37bf106";
