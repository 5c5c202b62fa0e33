//! Wheels made on the spot, as `bdist_wheel` would, and a project whose build backend lies in its own tree.

#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pyzpack::digest::Sha256Digest;
use zip::write::SimpleFileOptions;

/// A wheel under construction.
pub struct Wheel {
    name: String,
    version: String,
    tag: String,
    metadata: String,
    scripts: String,
    files: Vec<(String, String)>,
}

impl Wheel {
    /// A wheel for every Python 3 and every platform, with nothing in it.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            tag: "py3-none-any".to_owned(),
            metadata: String::new(),
            scripts: String::new(),
            files: Vec::new(),
        }
    }

    pub fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// A line of METADATA.
    pub fn metadata(mut self, line: &str) -> Self {
        let _ = writeln!(self.metadata, "{line}");
        self
    }

    pub fn script(mut self, name: &str, object: &str) -> Self {
        let _ = writeln!(self.scripts, "{name} = {object}");
        self
    }

    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Writes it into `directory`.
    pub fn write(self, directory: &Path) -> PathBuf {
        let Self { name, version, tag, metadata, scripts, mut files } = self;
        let dist_info = format!("{name}-{version}.dist-info");
        let mut add = |path: &str, text: String| files.push((format!("{dist_info}/{path}"), text));
        add("METADATA", format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"));
        add("WHEEL", format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"));
        if !scripts.is_empty() {
            add("entry_points.txt", format!("[console_scripts]\n{scripts}"));
        }
        let mut record = String::new();
        for (path, text) in &files {
            let digest = base64(&Sha256Digest::of(text.as_bytes()));
            let _ = writeln!(record, "{path},sha256={digest},{}", text.len());
        }
        let own = format!("{dist_info}/RECORD");
        let _ = writeln!(record, "{own},,");
        files.push((own, record));
        std::fs::create_dir_all(directory).expect("a directory");
        let path = directory.join(format!("{name}-{version}-{tag}.whl"));
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).expect("a wheel"));
        for (path, text) in &files {
            let mode = if path.contains(".data/scripts/") { 0o755 } else { 0o644 };
            archive.start_file(path.as_str(), SimpleFileOptions::default().unix_permissions(mode)).expect("an entry");
            archive.write_all(text.as_bytes()).expect("its content");
        }
        archive.finish().expect("a whole wheel");
        path
    }
}

/// A digest as RECORD has it: URL-safe base64 without padding.
fn base64(digest: &Sha256Digest) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let hexadecimal = digest.to_string();
    let digits: Vec<usize> =
        hexadecimal.chars().map(|digit| digit.to_digit(16).expect("a digit") as usize).chain([0, 0]).collect();
    // Three digits of four bits are two of six; 64 digits leave one, which zeros fill up.
    let pairs = digits.chunks_exact(3).flat_map(|three| {
        let bits = three[0] << 8 | three[1] << 4 | three[2];
        [bits >> 6, bits & 63]
    });
    pairs.take(43).map(|index| char::from(ALPHABET[index])).collect()
}

/// A build backend that needs nothing but Python: it packs `*.py` of the project but itself, with the metadata that
/// `METADATA` and `entry_points.txt` of the project say.
pub const BACKEND: &str = r#"
import base64, glob, hashlib, os, zipfile


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    metadata = open("METADATA").read()
    fields = dict(line.split(": ", 1) for line in metadata.splitlines())
    stem = fields["Name"].replace("-", "_") + "-" + fields["Version"]
    files = {name: open(name).read() for name in sorted(glob.glob("*.py")) if name != "backend.py"}
    files[stem + ".dist-info/METADATA"] = metadata
    files[stem + ".dist-info/WHEEL"] = "Wheel-Version: 1.0\nGenerator: b\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if os.path.exists("entry_points.txt"):
        files[stem + ".dist-info/entry_points.txt"] = open("entry_points.txt").read()
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (name, digest, len(text.encode()))
    files[stem + ".dist-info/RECORD"] = record + stem + ".dist-info/RECORD,,\n"
    wheel = stem + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel
"#;

/// `pyproject.toml` of a project with that backend.
pub const PYPROJECT: &str = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
