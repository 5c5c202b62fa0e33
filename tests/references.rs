//! `pyzpack inspect --references`: each place that may hold a reference, and the same place without one.

#![cfg(unix)]

use std::io::{Cursor, Write as _};

use serde_json::{Value, json};
use zip::CompressionMethod::{Deflated, Stored};
use zip::write::SimpleFileOptions;

mod support;
use support::place::{ANYWHERE, Ended, Place, tool};
use support::wheels::Wheel;

const STORE: &str = "/nix/store/abc-gcc/lib";

/// A zip with these members.
fn zip(members: &[(&str, &[u8], zip::CompressionMethod)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, method) in members {
        let options = SimpleFileOptions::default().compression_method(*method);
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that begin as an ELF file does and hold a search path between zeros.
fn binary(path: &str) -> Vec<u8> {
    [b"\x7fELF\x02\x01\x01\0", &[0; 300][..], path.as_bytes(), b"\0GLIBC_2.34\0", &[0xff; 400]].concat()
}

fn search(place: &Place, name: &str, bytes: &[u8]) -> Ended {
    std::fs::write(place.path(name), bytes).unwrap();
    place.run(&["inspect", name, "--references", "/nix/store"])
}

fn none(files: &str) -> Ended {
    Ended::new(0, &format!("a.zip: no reference to `/nix/store` in {files}\n"), "")
}

fn found(lines: &str) -> Ended {
    Ended::new(1, lines, "")
}

#[test]
fn finds_a_reference_in_every_kind_of_member() {
    let place = Place::new();
    let other = STORE.replace("store", "stare");
    for (name, member) in [
        ("lib/x.so", (|path: &str| binary(&format!("/usr/lib:{path}:$ORIGIN"))) as fn(&str) -> Vec<u8>),
        ("bin/tool", |path| format!("#!{path}\nprint()\n").into_bytes()),
        ("x/__pycache__/m.cpython-311.pyc", |path| {
            [b"\xa7\r\r\n\0\0\0\0\xe3\0\xda\x16", path.as_bytes(), b"\xe3"].concat()
        }),
        ("data.txt.gz", |path| gzip(&binary(path))),
        ("data.tar.gz", |path| gzip(&[b"one.gz\0", &gzip(b"one")[..], path.as_bytes(), &[0; 900]].concat())),
    ] {
        for method in [Stored, Deflated] {
            let twin = search(&place, "a.zip", &zip(&[(name, &member(&other), method), ("b", b"", Stored)]));
            assert_eq!(twin, none("2 files"), "{name}");
            let ended = search(&place, "a.zip", &zip(&[(name, &member(STORE), method), ("b", b"", Stored)]));
            assert_eq!(ended, found(&format!("{name}: `{STORE}`\n")), "{name}");
        }
    }
}

#[test]
fn finds_a_reference_in_names() {
    let place = Place::new();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.add_directory("c/nix/store/", SimpleFileOptions::default()).unwrap();
    archive.add_directory("d/nix/store/sub", SimpleFileOptions::default()).unwrap();
    for name in ["a/nix/store/abc/f", "b/nix/store/.x", "e/nix/store/abc"] {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
    }
    archive.write_all(STORE.as_bytes()).unwrap();
    let ended = search(&place, "a.zip", &archive.finish().unwrap().into_inner());
    let lines = "a/nix/store/abc/f, its name: `/nix/store/abc/f`\n\
                 d/nix/store/sub/, its name: `/nix/store/sub/`\n\
                 e/nix/store/abc: `/nix/store/abc-gcc/lib`\n";
    assert_eq!(ended, found(lines));
}

#[test]
fn looks_into_archives_in_archives() {
    let place = Place::new();
    let nest = |path: &str| {
        let wheel = zip(&[("pkg/x.so", &binary(path), Deflated), ("pkg/y.so", path.as_bytes(), Stored)]);
        let text = format!("{path} ");
        // Offsets that count from the zip, as `cat` leaves them, may be read in two ways.
        let program = [b"#!/bin/sh\n", &zip(&[("__main__.py", text.as_bytes(), Stored)])[..]].concat();
        zip(&[
            ("wheels/foo_bar-1.0-py3-none-any.whl", &wheel, Deflated),
            ("in/some.zip", &zip(&[("deep.zip", &zip(&[("t.gz", &gzip(path.as_bytes()), Stored)]), Deflated)]), Stored),
            ("tool", &program, Deflated),
        ])
    };
    let refused = "warning: not looked into `tool`: the end-of-central-directory record is inconsistent: the central directory does \
                   not end where the end records begin [zip-end-record]\n";
    let twin = search(&place, "a.zip", &nest("/nix/other/abc"));
    assert_eq!((twin.status, twin.stdout.as_str()), (0, "a.zip: no reference to `/nix/store` in 7 files\n"));
    let ended = search(&place, "a.zip", &nest(STORE));
    let lines = format!(
        "in/some.zip / deep.zip / t.gz: `{STORE}`\n\
         tool: `{STORE}`\n\
         wheels/foo_bar-1.0-py3-none-any.whl / pkg/x.so (foo-bar): `{STORE}`\n\
         wheels/foo_bar-1.0-py3-none-any.whl / pkg/y.so (foo-bar): `{STORE}`\n"
    );
    assert_eq!((ended.status, ended.stdout), (1, lines));
    assert_eq!((ended.stderr, twin.stderr), (refused.to_owned(), refused.to_owned()));
}

#[test]
fn tells_what_it_did_not_look_into() {
    let place = Place::new();
    let mut broken = zip(&[("x", b"text", Stored), ("y", STORE.as_bytes(), Deflated)]);
    let at = broken.iter().position(|byte| *byte == b't').unwrap();
    broken[at] = b'T';
    let cut = &gzip(&vec![b'a'; 5_000])[..20];
    let ended = search(
        &place,
        "a.zip",
        &zip(&[
            ("a.xz", b"\xfd7zXZ\0 ...", Stored),
            ("b.zip", &broken, Deflated),
            ("c.zip", b"PK\x03\x04 /nix/store/abc", Stored),
            ("d\u{202e}.gz", cut, Stored),
            ("e.gz", &gzip(&gzip(STORE.as_bytes())), Stored),
            ("f.gz", &gzip(&zip(&[("x", STORE.as_bytes(), Deflated)])), Stored),
        ]),
    );
    let warnings = "warning: not looked into `a.xz`: it is packed by xz\n\
                    warning: not looked into `b.zip / x`: entry `x`: CRC-32: expected 3b8ba7c7, found 9bb908f9 [zip-crc]\n\
                    warning: not looked into `c.zip`: no end-of-central-directory record at the very end (truncated, or \
                    something was appended) [zip-end-record]\n\
                    warning: not looked into `d\\u{202e}.gz`: it is no whole gzip stream: incomplete deflate stream\n\
                    warning: not looked into `e.gz`: it is packed twice\n\
                    warning: not looked into `f.gz`: it is packed twice\n";
    assert_eq!(ended, Ended::new(1, &format!("b.zip / y: `{STORE}`\nc.zip: `/nix/store/abc`\n"), warnings));
}

#[test]
fn a_zip_that_holds_zips_without_end_is_left_in_time() {
    let place = Place::new();
    let mut bytes = zip(&[("x", STORE.as_bytes(), Stored)]);
    for depth in 0..8 {
        bytes = zip(&[(format!("{depth}.zip").as_str(), &bytes, Deflated)]);
    }
    let ended = search(&place, "a.zip", &bytes);
    let warning = "warning: not looked into `7.zip / 6.zip / 5.zip / 4.zip / 3.zip / 2.zip / 1.zip`: it lies in 6 \
                   archives\n";
    assert_eq!(ended, Ended::new(0, "a.zip: no reference to `/nix/store` in 7 files\n", warning));
}

#[test]
fn finds_references_in_every_part_of_a_pyz() {
    let place = Place::new();
    for (name, text) in [("clean", "/nix/store/... is where Nix keeps things\n"), ("dirty", STORE)] {
        Wheel::new(name, "1.0").file(&format!("{name}.txt"), text).write(&place.work());
        tool("app").metadata(&format!("Requires-Dist: {name}")).write(&place.work());
        for layout in ["zip", "extract"] {
            let output = format!("{name}-{layout}.pyz");
            let wheel = format!("./{name}-1.0-py3-none-any.whl");
            let arguments = [
                "build",
                "./app-1.0-py3-none-any.whl",
                &wheel,
                "-c",
                "app",
                "-o",
                &output,
                "--layout",
                layout,
                "--offline",
            ];
            place.builds(&arguments, &output, "2 distributions", ANYWHERE);
        }
    }
    let search = |name: &str| place.run(&["inspect", name, "--references", "/nix/store/"]);
    let clean =
        |name: &str, files| Ended::new(0, &format!("{name}: no reference to `/nix/store` in {files} files\n"), "");
    assert_eq!(search("clean-zip.pyz"), clean("clean-zip.pyz", 24));
    assert_eq!(search("clean-extract.pyz"), clean("clean-extract.pyz", 25));
    assert_eq!(search("dirty-zip.pyz"), found(&format!("dirty.txt (dirty): `{STORE}`\n")));
    let line = format!("_pyzpack/payload.zip / dirty.txt (dirty): `{STORE}`\n");
    assert_eq!(search("dirty-extract.pyz"), found(&line));
    assert_eq!(search("dirty-1.0-py3-none-any.whl"), found(&format!("dirty.txt (dirty): `{STORE}`\n")));

    let python = "/nix/store/abc-python3/bin/python3";
    let arguments = [
        "build",
        "./app-1.0-py3-none-any.whl",
        "./dirty-1.0-py3-none-any.whl",
        "-c",
        "app",
        "-o",
        "s.pyz",
        "--shebang",
        python,
    ];
    place.builds(&arguments, "s.pyz", "2 distributions", ANYWHERE);
    let lines = format!(
        "its first line: `{python}`\n_pyzpack/manifest.json: `{python}`\n_pyzpack/payload.zip / dirty.txt (dirty): `{STORE}`\n"
    );
    assert_eq!(search("s.pyz"), found(&lines));
}

#[test]
fn bytes_outside_of_members_count() {
    let place = Place::new();
    let member = |text: &[u8]| {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut options = zip::write::FullFileOptions::default().compression_method(Stored);
        options.add_extra_field(0x7076, text, true).unwrap();
        archive.start_file("x", options).unwrap();
        archive.finish().unwrap().into_inner()
    };
    assert_eq!(search(&place, "a.zip", &member(b"/nix/store/")), none("1 file"));
    assert_eq!(search(&place, "a.zip", &member(b"/nix/store/abc ")), found("its headers: `/nix/store/abc`\n"));
}

#[test]
fn writes_json() {
    let place = Place::new();
    std::fs::write(
        place.path("a.zip"),
        zip(&[
            ("x\u{202e}", b"\"/nix/store/\xc2\x9babc\" /nix/store/a\xc2\x9b", Deflated),
            ("y.xz", b"\xfd7zXZ\0", Stored),
        ]),
    )
    .unwrap();
    let ended = place.run(&["inspect", "a.zip", "--references", "/nix/store", "--json"]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let expected = json!({
        "file": "a.zip",
        "directory": "/nix/store",
        "files": 2,
        "references": [{"path": ["x\u{202e}"], "distribution": null, "place": "contents", "reference": "/nix/store/a\u{9b}"}],
        "not_looked_into": [{"path": ["y.xz"], "reason": "it is packed by xz"}],
    });
    assert_eq!((ended.status, ended.stderr.as_str(), document), (1, "", expected));
    let shown = place.run(&["inspect", "a.zip", "--references", "/nix/store"]);
    let warning = "warning: not looked into `y.xz`: it is packed by xz\n";
    assert_eq!(shown, Ended::new(1, "x\\u{202e}: `/nix/store/a\\u{9b}`\n", warning));
}

#[test]
fn what_cannot_be_searched_is_an_error() {
    let place = Place::new();
    let say = |message: &str| format!("error: {message}\n");
    let search_for = |name: &str, directory: &str| place.run(&["inspect", name, "--references", directory]);
    let usage = search_for("a.zip", "nix/store");
    let message = "invalid value 'nix/store' for '--references <DIR>': `nix/store` is not the absolute path of a directory \
                   below the root, such as /nix/store\n\nFor more information, try '--help'.";
    assert_eq!(usage, Ended::new(2, "", &say(message)));
    let message = "cannot read `a.zip`: No such file or directory (os error 2)";
    assert_eq!(search_for("a.zip", "/nix/store"), Ended::new(2, "", &say(message)));
    std::fs::write(place.path("a.zip"), "text").unwrap();
    let message = "cannot search `a.zip`: no end-of-central-directory record at the very end (truncated, or something was \
                   appended) [zip-end-record]";
    assert_eq!(search_for("a.zip", "/nix/store"), Ended::new(1, "", &say(message)));
    let mut bytes = zip(&[("x", b"text", Stored)]);
    let at = bytes.iter().position(|byte| *byte == b't').unwrap();
    bytes[at] = b'T';
    let message = "cannot search `a.zip`: entry `x`: CRC-32: expected 3b8ba7c7, found 9bb908f9 [zip-crc]";
    assert_eq!(search(&place, "a.zip", &bytes), Ended::new(1, "", &say(message)));
}
