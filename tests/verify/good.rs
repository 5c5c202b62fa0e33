//! A good file, taken apart so that a test can change any one thing and put the rest together as it was.

#![allow(unreachable_pub, reason = "the other files of this test use it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pyzpack::application::LayoutChoice;
use pyzpack::digest::Sha256Digest;
use pyzpack::verify::{Report, Request, verify};
use serde_json::Value;

use crate::wheels::application::{Packing, pack, read_by_zip_crate};
use crate::wheels::{Entry, Wheel, Zip, row};

pub const SHEBANG: &str = "#!/usr/bin/env python3\n";
pub const MANIFEST: &str = "_pyzpack/manifest.json";
pub const PAYLOAD: &str = "_pyzpack/payload.zip";

/// The start-up code of another payload, of which it has the digest in two places.
pub fn with_payload(main: &[u8], digest: &str) -> Vec<u8> {
    with_tree(&with_digest(main, &format!("{PAYLOAD}\", \""), digest), digest)
}

/// The start-up code with another name for the unpacked tree.
pub fn with_tree(main: &[u8], digest: &str) -> Vec<u8> {
    with_digest(main, "\"tree\": \"", digest)
}

fn with_digest(main: &[u8], place: &str, digest: &str) -> Vec<u8> {
    let text = str::from_utf8(main).expect("ASCII");
    let at = text.find(place).expect("the digest's place") + place.len();
    [&text[..at], digest, &text[at + 64..]].concat().into_bytes()
}
pub const RECORD: &str = "demo-1.0.dist-info/RECORD";

/// The application's wheels.
pub fn demo() -> Vec<Wheel> {
    let demo = Wheel::new("demo", "1.0")
        .file("demo.py", "def main():\n    return 0\n")
        .file("demo/data.txt", "data\n".repeat(40))
        .info("entry_points.txt", "[console_scripts]\ndemo = demo:main\n[gui_scripts]\nshow = demo:main\n")
        .executable("demo-1.0.data/scripts/tool", "#!/bin/sh\nexit 0\n");
    vec![demo, Wheel::new("lib", "2.0").file("lib.py", "name = 'lib'\n")]
}

/// The entries of an archive: permissions and contents by name; a directory's name ends in `/`.
pub type Entries = BTreeMap<String, (u32, Vec<u8>)>;

/// A file of ours, taken apart.
#[derive(Clone)]
pub struct Parts {
    pub shebang: String,
    pub outer: Entries,
    /// The payload's entries; none in layout `zip`.
    pub payload: Option<Entries>,
}

/// The good file.
pub fn parts(layout: LayoutChoice) -> Parts {
    let tool_version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let bytes = pack(&demo(), &Packing { layout, tool_version, ..Packing::default() });
    let mut outer = read_by_zip_crate(&bytes);
    let payload = outer.remove(PAYLOAD).map(|(_, bytes)| read_by_zip_crate(&bytes));
    Parts { shebang: SHEBANG.to_owned(), outer, payload }
}

/// Entries as format 1 has them, each stored.
pub fn canonical(entries: &Entries) -> Zip {
    let entry = |(name, (mode, contents)): (&String, &(u32, Vec<u8>))| {
        let mut entry = if name.ends_with('/') { Entry::directory(name) } else { Entry::stored(name, contents) };
        entry.both(|header| (header.needed, header.time, header.date) = (10, 0, 0x0021));
        if !name.ends_with('/') {
            entry.external = (0o100_000 | mode & 0o7777) << 16;
        }
        entry
    };
    Zip::new(entries.iter().map(entry).collect())
}

/// The bytes of an archive behind a first line, from whose start its offsets count.
pub fn behind(shebang: &str, mut zip: Zip) -> Vec<u8> {
    zip.before = [shebang.as_bytes(), &zip.before].concat();
    zip.to_bytes()
}

impl Parts {
    /// The files of the application.
    pub fn files(&mut self) -> &mut Entries {
        self.payload.as_mut().unwrap_or(&mut self.outer)
    }

    /// The file's own archive. The start-up code expects the payload that is there.
    pub fn zip(&self) -> Zip {
        let mut outer = self.outer.clone();
        if let Some(payload) = &self.payload {
            let bytes = canonical(payload).to_bytes();
            if let Some((_, find)) = outer.get_mut("_pyzpack/find.py") {
                *find = with_payload(find, &Sha256Digest::of(&bytes).to_string());
            }
            outer.insert(PAYLOAD.to_owned(), (0o644, bytes));
        }
        canonical(&outer)
    }

    pub fn bytes(&self) -> Vec<u8> {
        behind(&self.shebang, self.zip())
    }

    /// Changes the manifest, which stays canonical.
    pub fn manifest(&mut self, change: impl FnOnce(&mut Value)) {
        let bytes = &mut self.outer.get_mut(MANIFEST).expect("a manifest").1;
        let mut manifest = serde_json::from_slice(bytes).expect("JSON");
        change(&mut manifest);
        // Keys in order, no blanks, no floating-point numbers: canonical.
        *bytes = serde_json::to_vec(&manifest).expect("JSON");
    }

    /// Makes the manifest true for a file that was changed.
    pub fn own_up(&mut self, path: &str) {
        let contents = self.files()[path].1.clone();
        self.manifest(|manifest| {
            let files = manifest["files"].as_array_mut().expect("files");
            let file = files.iter_mut().find(|file| file["path"] == path).expect("the file");
            file["sha256"] = Sha256Digest::of(&contents).to_string().into();
            file["size"] = contents.len().into();
        });
    }

    /// Adds a file that the manifest has, of this distribution.
    pub fn add(&mut self, path: &str, contents: &[u8], distribution: Option<&str>) {
        self.files().insert(path.to_owned(), (0o644, contents.to_vec()));
        self.manifest(|manifest| {
            let files = manifest["files"].as_array_mut().expect("files");
            files.push(serde_json::json!({
                "path": path, "sha256": "", "size": 0, "mode": "0644", "distribution": distribution,
            }));
            files.sort_by(|one, other| one["path"].as_str().cmp(&other["path"].as_str()));
        });
        self.own_up(path);
    }

    /// Changes a RECORD, which the manifest then has so.
    pub fn record(&mut self, change: impl FnOnce(String) -> String) {
        let record = &mut self.files().get_mut(RECORD).expect("a RECORD").1;
        *record = change(String::from_utf8(record.clone()).expect("text")).into_bytes();
        self.own_up(RECORD);
    }

    /// The row that RECORD has of a file.
    pub fn row(&mut self, path: &str) -> String {
        row(path, &self.files()[path].1.clone())
    }
}

/// A directory with a file `demo.pyz` of these bytes.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub fn new(bytes: &[u8]) -> Self {
        let place = Self { directory: tempfile::tempdir().expect("a directory") };
        place.write("demo.pyz", bytes);
        place
    }

    /// Another directory with the same files.
    pub fn copy(&self) -> Self {
        let copy = Self { directory: tempfile::tempdir().expect("a directory") };
        for entry in std::fs::read_dir(self.directory.path()).expect("a directory") {
            let entry = entry.expect("a file");
            std::fs::copy(entry.path(), copy.directory.path().join(entry.file_name())).expect("a copy");
        }
        copy
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    pub fn file(&self) -> PathBuf {
        self.path("demo.pyz")
    }
}

/// Verifies a file that has the digest which is expected, so that only what is wrong with it speaks against it.
pub fn verify_trusted(path: &Path) -> Report {
    let sha256 = std::fs::read(path).ok().map(|bytes| Sha256Digest::of(&bytes));
    let request = Request { file: path.to_owned(), sha256, ..Request::default() };
    verify(&request).unwrap_or_else(|error| panic!("{error}"))
}

/// The codes of all problems, in their order, each once.
pub fn codes(report: &Report) -> Vec<&'static str> {
    let mut codes: Vec<_> = report.problems.iter().map(pyzpack::verify::Problem::code).collect();
    codes.dedup();
    assert_eq!(report.failed(), codes.first().copied(), "the first one is the answer");
    codes
}

/// The codes of what is wrong with a file of these bytes.
pub fn codes_of(bytes: &[u8]) -> Vec<&'static str> {
    codes(&verify_trusted(&Place::new(bytes).file()))
}
