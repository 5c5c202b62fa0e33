//! The file, and what the options name.

use pyzpack::application::LayoutChoice::Extract;
use serde_json::{Value, json};

use super::Change::{Bytes, Checksums, Lock, Sbom};
use super::{Case, Change, DIGEST, command, set};
use crate::good::{MANIFEST, Parts, RECORD, canonical, parts};
use crate::wheels::{Entry, Zip};

const fn file(name: &'static str, code: &'static str, change: fn(&mut Parts)) -> Case {
    (name, code, Change::Parts(change))
}

fn replace(parts: &mut Parts, path: &str, old: &str, new: &str) {
    let bytes = &mut parts.outer.get_mut(path).expect("an entry").1;
    let text = String::from_utf8(bytes.clone()).expect("text");
    assert!(text.contains(old), "{path} has {old}");
    *bytes = text.replacen(old, new, 1).into_bytes();
}

fn manifest(parts: &mut Parts, pointer: &str, new: impl Into<Value>) {
    parts.manifest(|manifest| set(manifest, pointer, new));
}

pub(super) const ARTIFACTS: &[Case] = &[
    command("a symbolic link", "file-symlink", "link.pyz --sha256 DIGEST", |signed| {
        std::os::unix::fs::symlink("demo.pyz", signed.place.path("link.pyz")).unwrap();
    }),
    command("a directory", "file-directory", "directory --sha256 DIGEST", |signed| {
        std::fs::create_dir(signed.place.path("directory")).unwrap();
    }),
    command("a socket", "file-irregular", "socket --sha256 DIGEST", |signed| {
        drop(std::os::unix::net::UnixListener::bind(signed.place.path("socket")).unwrap());
    }),
    command("an empty file", "file-empty", "empty --sha256 DIGEST", |signed| drop(signed.place.write("empty", b""))),
    ("no zip", "file-not-a-zip", Bytes(|_| b"#!/bin/sh\nexit\n".to_vec())),
    ("a byte appended", "zip-end-record", Bytes(|bytes| [bytes, b"\0"].concat())),
    ("a byte removed", "zip-end-record", Bytes(|bytes| bytes[..bytes.len() - 1].to_vec())),
    file("another first line", "manifest-differs", |parts| "#!/usr/bin/env pythonX\n".clone_into(&mut parts.shebang)),
    (
        "a line behind the first",
        "zip-end-record",
        Bytes(|bytes| [&bytes[..23], b"import evil\n", &bytes[23..]].concat()),
    ),
    file("a manifest with blanks", "manifest-not-canonical", |parts| replace(parts, MANIFEST, "{\"", "{ \"")),
    file("a manifest with more", "manifest-malformed", |parts| parts.manifest(|manifest| manifest["more"] = 1.into())),
    file("a later format", "manifest-format", |parts| manifest(parts, "/format", 2)),
    file("an odd time", "manifest-value", |parts| manifest(parts, "/epoch", 315_532_801)),
    file("a file added", "manifest-file-unlisted", |parts| {
        parts.files().insert("sitecustomize.py".to_owned(), (0o644, b"evil".to_vec()));
    }),
    file("a module removed", "manifest-file-missing", |parts| {
        parts.add("more.py", b"pass\n", None);
        parts.files().remove("more.py");
    }),
    file("a file other than the manifest's", "manifest-file-differs", |parts| {
        parts.add("more.py", b"pass\n", None);
        parts.files().get_mut("more.py").unwrap().1 = b"evil\n".to_vec();
    }),
    file("another mode than the manifest's", "manifest-file-differs", |parts| {
        parts.files().get_mut("lib.py").unwrap().0 = 0o755;
    }),
    file("an entry that nobody knows", "bootstrap-unknown-entry", |parts| {
        parts.outer.insert("_pyzpack/evil.py".to_owned(), (0o644, Vec::new()));
    }),
    file("start-up code removed", "bootstrap-missing", |parts| drop(parts.outer.remove("_pyzpack/run.py"))),
    file("start-up code changed", "bootstrap-differs", |parts| {
        replace(parts, "_pyzpack/find.py", "import os\n", "import os, evil\n");
    }),
    file("another entry point", "bootstrap-constant", |parts| {
        replace(parts, "_pyzpack/find.py", "(\"object\", \"demo\", \"main\")", "(\"object\", \"evil\", \"main\")");
    }),
    command("another payload", "bootstrap-payload", DIGEST, |signed| {
        let mut changed = parts(Extract);
        let bytes = canonical(changed.payload.as_ref().unwrap()).to_bytes();
        changed.outer.insert(crate::good::PAYLOAD.to_owned(), (0o644, bytes));
        changed.payload = None;
        let other = "0".repeat(64);
        let find = &mut changed.outer.get_mut("_pyzpack/find.py").expect("the start-up code").1;
        *find = crate::good::with_payload(find, &other);
        signed.place.write("demo.pyz", changed.bytes());
    }),
    file("a RECORD removed", "record-missing", |parts| {
        parts.files().remove(RECORD);
        parts.manifest(|manifest| manifest["files"].as_array_mut().unwrap().retain(|file| file["path"] != RECORD));
    }),
    file("a weak digest in a RECORD", "record-malformed", |parts| {
        parts.record(|record| record.replacen("demo.py,sha256=", "demo.py,md5=", 1));
    }),
    file("a row without file", "record-ghost", |parts| {
        let row = parts.row("demo.py").replace("demo.py", "ghost.py");
        parts.record(|record| format!("{record}{row}"));
    }),
    file("a file without row", "record-unlisted", |parts| parts.add("more.py", b"pass\n", Some("demo"))),
    file("a file other than its RECORD's", "record-differs", |parts| {
        parts.files().get_mut("demo.py").unwrap().1 = b"def main():\n    return 1\n".to_vec();
        parts.own_up("demo.py");
    }),
    file("a wheel that is not inside", "wheel-missing", |parts| {
        parts.manifest(|manifest| {
            let wheels = manifest["wheels"].as_array_mut().unwrap();
            let mut wheel = wheels[0].clone();
            (wheel["name"], wheel["filename"]) = ("zzz".into(), "zzz-1.0-py3-none-any.whl".into());
            wheels.push(wheel);
        });
    }),
    file("a wheel that is not in the manifest", "wheel-unlisted", |parts| {
        let path = "more-1.0.dist-info/METADATA";
        parts.add(path, b"Metadata-Version: 2.1\nName: more\nVersion: 1.0\n", None);
        let row = parts.row(path);
        parts.add("more-1.0.dist-info/RECORD", format!("{row}more-1.0.dist-info/RECORD,,\n").as_bytes(), None);
    }),
    file("METADATA that is none", "wheel-metadata", |parts| {
        let path = "more-1.0.dist-info/METADATA";
        parts.add(path, b"Name: more\n", None);
        let row = parts.row(path);
        parts.add("more-1.0.dist-info/RECORD", format!("{row}more-1.0.dist-info/RECORD,,\n").as_bytes(), None);
    }),
    file("a wheel of another version", "wheel-differs", |parts| {
        manifest(parts, "/wheels/0/filename", "demo-1.1-py3-none-any.whl");
    }),
    command(
        "no file of pyzpack's, and a lock",
        "manifest-missing",
        "demo.pyz --sha256 DIGEST --lock requirements.txt",
        |signed| {
            let program = Zip::new(vec![Entry::file("__main__.py", b"print(1)\n")]);
            signed.place.write("demo.pyz", program.to_bytes());
        },
    ),
    command("another digest", "sha256-differs", "demo.pyz --sha256 OTHER", |_| ()),
    ("another checksum", "checksums-differs", Checksums(|sums| sums.replacen(&sums[..64], &"0".repeat(64), 1))),
    ("a checksum of another file", "checksums-no-entry", Checksums(|sums| sums.replace("demo", "other"))),
    ("a checksum file of another kind", "checksums-malformed", Checksums(|sums| sums.replace("  ", " "))),
    ("two checksums", "checksums-ambiguous", Checksums(|sums| format!("{sums}{}  demo.pyz\n", "0".repeat(64)))),
    (
        "an SBOM of another file",
        "sbom-subject",
        Sbom(|sbom| set(sbom, "/metadata/component/hashes/0/content", "0".repeat(64))),
    ),
    (
        "an SBOM with a wheel that is not inside",
        "sbom-extra",
        Sbom(|sbom| {
            let mut evil = sbom["components"][0].clone();
            (evil["name"], evil["bom-ref"]) = ("evil".into(), "evil".into());
            sbom["components"].as_array_mut().unwrap().push(evil);
        }),
    ),
    (
        "an SBOM without a wheel that is inside",
        "sbom-missing",
        Sbom(|sbom| drop(sbom["components"].as_array_mut().unwrap().pop())),
    ),
    (
        "an SBOM with another wheel",
        "sbom-hash",
        Sbom(|sbom| set(sbom, "/components/0/hashes/0/content", "0".repeat(64))),
    ),
    ("an SBOM with more", "sbom-differs", Sbom(|sbom| sbom["components"][0]["copyright"] = "mine".into())),
    ("an SBOM of no known kind", "sbom-format", Sbom(|sbom| *sbom = json!([]))),
    command("an SBOM that is no JSON", "sbom-json", "demo.pyz --sha256 DIGEST --sbom demo.pyz.cdx.json", |signed| {
        signed.place.write("demo.pyz.cdx.json", "{");
    }),
    command(
        "an SBOM other than the signed one",
        "sbom-byproduct",
        "demo.pyz --key key.pub --sbom demo.pyz.cdx.json",
        |signed| {
            let path = signed.place.path("demo.pyz.cdx.json");
            let spaced = [std::fs::read(path).unwrap(), b"\n".to_vec()].concat();
            signed.place.write("demo.pyz.cdx.json", spaced);
        },
    ),
    ("a lock with another wheel", "lock-lacks-wheel", Lock(|lock| lock.replacen("sha256:", OTHER_WHEEL, 1))),
    ("a lock without a wheel", "lock-lacks-wheel", Lock(|lock| lock.lines().next().unwrap().to_owned())),
    ("a lock without hashes", "lock-malformed", Lock(|_| "demo==1.0\n".to_owned())),
    command("nothing to trust", "untrusted", "demo.pyz", |_| ()),
    command("conditions alone", "untrusted", "demo.pyz --sbom demo.pyz.cdx.json --lock requirements.txt", |_| ()),
];

/// Before the digest of a wheel: another one instead of it, which becomes the hash of what comes next.
const OTHER_WHEEL: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000 #";
