//! The file and its container.

use std::io::Write as _;

use pyzpack::application::LayoutChoice::{Extract, Zip as InPlace};

use crate::good::{Parts, Place, behind, canonical, codes, codes_of, parts, verify_trusted};
use crate::wheels::{Entry, Zip};

const NOTHING: [&str; 0] = [];

type Change = fn(&mut Zip);

/// The codes when the file's own archive is changed.
fn change(parts: &Parts, change: impl FnOnce(&mut Zip)) -> Vec<&'static str> {
    let mut zip = parts.zip();
    change(&mut zip);
    codes_of(&behind(&parts.shebang, zip))
}

#[test]
fn a_good_file_has_no_problem_in_either_layout() {
    for layout in [InPlace, Extract] {
        assert_eq!(codes_of(&parts(layout).bytes()), NOTHING, "{layout:?}");
    }
}

#[test]
fn refuses_what_is_not_a_file_of_its_own() {
    let place = Place::new(&parts(InPlace).bytes());
    let code = |name: &str| codes(&verify_trusted(&place.path(name)));
    std::fs::create_dir(place.path("directory")).unwrap();
    place.write("empty", b"");
    place.write("text", b"#!/bin/sh\necho no zip\n");
    assert_eq!(code("directory"), ["file-directory"]);
    assert_eq!(code("empty"), ["file-empty"]);
    assert_eq!(code("text"), ["file-not-a-zip"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(place.file(), place.path("link")).unwrap();
        assert_eq!(code("link"), ["file-symlink"]);
        let report = verify_trusted(&place.path("link"));
        let target = place.file().display().to_string();
        assert_eq!(report.problems[0].to_string(), format!("it is a symbolic link to `{target}`"));
        assert_eq!(report.problems[0].hint(), format!("verify the file itself: `{target}`"));
        let _listening = std::os::unix::net::UnixListener::bind(place.path("socket")).unwrap();
        assert_eq!(code("socket"), ["file-irregular"]);
    }
}

#[test]
fn refuses_every_truncation_and_anything_appended() {
    let bytes = parts(Extract).bytes();
    for end in (1..bytes.len()).filter(|end| end % 211 == 0 || *end < 30 || *end + 30 > bytes.len()) {
        let code = codes_of(&bytes[..end]);
        assert!(matches!(code[..], ["zip-end-record" | "file-not-a-zip"]), "{end} bytes: {code:?}");
    }
    assert_eq!(codes_of(&[&bytes[..], b"\0"].concat()), ["zip-end-record"]);
    assert_eq!(codes_of(&[&bytes[..], &bytes].concat()), ["zip-end-record"]);
}

#[test]
fn refuses_a_changed_first_line() {
    let good = parts(InPlace);
    let with = |shebang: &str| codes_of(&Parts { shebang: shebang.to_owned(), ..good.clone() }.bytes());
    assert_eq!(with("#!/usr/bin/env pythonX\n"), ["manifest-differs"]);
    assert_eq!(with("#!/usr/bin/env -S python3 -I\n"), ["manifest-differs"]);
    assert_eq!(with(""), ["manifest-differs"]);
    // Offsets count from the file's first byte: another length moves all of them.
    let bytes = String::from_utf8_lossy(&good.bytes()[..23]).into_owned();
    assert_eq!(bytes, good.shebang);
    let longer = [b"#!/usr/bin/env  python3\n", &good.bytes()[23..]].concat();
    assert_eq!(codes_of(&longer), ["zip-end-record"]);
    let inserted = [good.shebang.as_bytes(), b"import evil\n", &good.bytes()[23..]].concat();
    assert_eq!(codes_of(&inserted), ["zip-end-record"]);
    assert_eq!(change(&good, |zip| zip.before = b"import evil\n".to_vec()), ["zip-gap"]);
}

#[test]
fn refuses_faults_within_a_payload() {
    let with = |change: fn(&mut Zip)| {
        let parts = parts(Extract);
        let mut payload = canonical(parts.payload.as_ref().unwrap());
        change(&mut payload);
        let mut zip = parts.zip();
        let entry = zip.entry(crate::good::PAYLOAD);
        let stored = Entry::stored(crate::good::PAYLOAD, &payload.to_bytes());
        (entry.data, entry.local.crc32) = (stored.data.clone(), stored.local.crc32);
        entry.both(|header| {
            (header.crc32, header.size, header.compressed_size) =
                (stored.local.crc32, stored.local.size, stored.local.size);
        });
        codes_of(&behind(&parts.shebang, zip))
    };
    assert_eq!(with(|_| ()), NOTHING);
    assert_eq!(with(|zip| zip.after = vec![0]), ["zip-end-record"]);
    assert_eq!(with(|zip| zip.before = b"#!x\n".to_vec()), ["zip-gap"]);
    assert_eq!(with(|zip| zip.entries.swap(0, 1)), ["zip-not-canonical"]);
    // The digest in the start-up code is the good payload's.
    let crc = with(|zip| zip.entries[0].both(|header| header.crc32 ^= 1));
    assert_eq!(crc, ["zip-crc", "bootstrap-payload"]);
}

#[test]
fn a_payload_that_is_deflated_is_refused() {
    let parts = parts(Extract);
    let mut zip = parts.zip();
    let entry = zip.entry(crate::good::PAYLOAD);
    let stream = crate::wheels::deflate(&entry.data);
    *entry = entry.clone().with_stream(8, &stream);
    entry.both(|header| header.needed = 20);
    assert_eq!(codes_of(&behind(&parts.shebang, zip)), ["zip-not-canonical"]);
}

#[test]
fn a_file_of_others_is_read_as_far_as_it_goes() {
    let program = || Zip::new(vec![Entry::file("__main__.py", b"print(1)\n"), Entry::file("a/b.py", b"pass\n")]);
    let container = |bytes: &[u8]| {
        let report = verify_trusted(&Place::new(bytes).file());
        assert_eq!(codes(&report), NOTHING);
        report.checks.into_iter().find(|check| check.name == "container").unwrap().found
    };
    let unknown =
        "not of pyzpack: it seems to be a Python zip application, of no tool that is known by its files, 2 files";
    assert_eq!(container(&behind("#!/usr/bin/python3\n", program())), unknown);
    // Offsets that count from the end of the first line, as `cat` makes them.
    assert_eq!(container(&[b"#!/usr/bin/python3\n", &program().to_bytes()[..]].concat()), unknown);
    // A launcher of several lines.
    assert_eq!(container(&behind("#!/bin/sh\nexec python3 \"$0\"\n", program())), unknown);
    let with = |name: &str| {
        let mut zip = program();
        zip.entries.push(Entry::file(name, b""));
        container(&zip.to_bytes())
    };
    assert_eq!(with("PEX-INFO"), "not of pyzpack: it seems to be a pex, 3 files");
    let wheel = crate::wheels::Wheel::new("a", "1").zip().to_bytes();
    assert_eq!(container(&wheel), "not of pyzpack: it seems to be a wheel, 3 files");
    let faults: [(Change, &str); 4] = [
        (|zip| zip.after = vec![0], "zip-end-record"),
        (|zip| zip.gap = vec![0], "zip-gap"),
        (|zip| zip.entries[0].defer(true, false), ""),
        (
            |zip| {
                zip.entries[0].defer(true, false);
                zip.entries[0].descriptor[5] ^= 1;
            },
            "zip-data-descriptor",
        ),
    ];
    for (tamper, code) in faults {
        let mut zip = program();
        tamper(&mut zip);
        let expected: Vec<&str> = if code.is_empty() { Vec::new() } else { vec![code] };
        assert_eq!(codes_of(&zip.to_bytes()), expected);
    }
}

#[test]
fn a_record_in_a_file_of_others_must_not_lie() {
    let wheel = crate::wheels::Wheel::new("a", "1").file("a.py", "pass\n");
    let with = |record: String| {
        let wheel = crate::wheels::Wheel { record: Some(record), ..wheel.clone() };
        codes_of(&wheel.zip().to_bytes())
    };
    let good = wheel.true_record();
    assert_eq!(with(good.clone()), NOTHING);
    assert_eq!(with(format!("{good}../bin/a,sha256={},0\n__pycache__/a.pyc,,\n", "A".repeat(43))), NOTHING);
    assert_eq!(with(good.replace("a.py,sha256=", "a.py,sha256=A")), ["record-malformed"]);
    assert_eq!(with(good.replace(",5\n", ",6\n")), ["record-differs"]);
}

#[test]
fn nothing_vouches_for_a_file_that_was_not_named() {
    let place = Place::new(&parts(InPlace).bytes());
    let request = pyzpack::verify::Request { file: place.file(), ..Default::default() };
    let report = pyzpack::verify::verify(&request).unwrap();
    assert_eq!(codes(&report), ["untrusted"]);
    std::fs::OpenOptions::new().append(true).open(place.file()).unwrap().write_all(b"x").unwrap();
    assert_eq!(codes(&pyzpack::verify::verify(&request).unwrap()), ["zip-end-record"]);
}
