//! Wheels that were built before: kept in the cache under the digest of everything that went into them, so that the same
//! is not built twice.
//!
//! A key stands for source, build requirements, interpreter, environment and tools. What a backend asks for beyond
//! `[build-system] requires` is known only when it ran: its answer is kept under the key of what it ran with, and the
//! wheel under the key of everything that was then installed. So no choice of a resolver is ever taken for another one,
//! and a wheel is found only where the same wheels would be installed for it again. System libraries and headers are no
//! part of a key.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::collect::{CollectedWheel, Workshop};
use crate::cache::mark_used;
use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::names::PackageName;
use crate::process::PendingFile;
use crate::project::clamp::EARLIEST;
use crate::python::environment::{BuildPlace, build_environment};
use crate::surroundings::make_private_directory;

/// Changes with what is kept and what a key is made of.
const FORMAT: &str = "2";

/// Programs that builds run, found on PATH: another one is another key.
const TOOLS: &[&str] = &[
    "ar",
    "c++",
    "cargo",
    "cc",
    "clang",
    "clang++",
    "cmake",
    "g++",
    "gcc",
    "gfortran",
    "go",
    "ld",
    "make",
    "meson",
    "ninja",
    "pkg-config",
    "rustc",
    "swig",
];

/// What wheels of one source have in common, whatever they are built with.
pub(super) struct Ingredients(Sha256Hasher);

/// The place of one entry.
pub(super) struct Entry {
    directory: PathBuf,
}

/// A wheel that was kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The distribution.
    pub(super) name: PackageName,
    /// The file's name.
    pub(super) filename: String,
    /// Its digest.
    sha256: Sha256Digest,
    /// Entries that hold the path of the directory that it was built in.
    pub(super) path_dependent: Vec<String>,
    /// That directory, where there are such entries: only a build there gives the same.
    room: Option<String>,
}

impl Ingredients {
    /// Those of a source: the digest of its content, what version control says of it, and the project's directory in
    /// it.
    pub(super) fn new(
        workshop: &Workshop<'_>,
        content: &Sha256Digest,
        repository: &Sha256Digest,
        project: &Path,
    ) -> Self {
        let mut key = Self(Sha256Hasher::default());
        key.add(FORMAT.as_bytes());
        key.add(env!("CARGO_PKG_VERSION").as_bytes());
        key.add(content.as_bytes());
        key.add(repository.as_bytes());
        key.add(project.as_os_str().as_encoded_bytes());
        let interpreter = workshop.interpreter;
        key.add(interpreter.full_version.as_bytes());
        key.add(interpreter.target.tags.iter().next().map(|tag| tag.to_string()).unwrap_or_default().as_bytes());
        // Two builds of one version compile with different flags.
        key.add_program(&interpreter.executable);
        // The environment as it would be in a directory of a fixed name; whether sockets are refused changes no byte.
        let place = BuildPlace {
            root: Path::new("/build"),
            home: Path::new("/build/home"),
            temporary: Path::new("/build/tmp"),
            programs: Path::new("/build/venv"),
            epoch: workshop.epoch.max(EARLIEST),
            guard: None,
        };
        for (name, value) in build_environment(workshop.surroundings, &place) {
            key.add(name.as_encoded_bytes());
            key.add(value.as_encoded_bytes());
        }
        for tool in TOOLS {
            key.add(tool.as_bytes());
            if let Some(path) = workshop.surroundings.find_program(tool) {
                key.add_program(&path);
            }
        }
        key
    }

    /// The entry for what is built with these wheels, all of which have a digest.
    pub(super) fn with(&self, workshop: &Workshop<'_>, wheels: &[CollectedWheel]) -> Entry {
        let mut key = Self(self.0.clone());
        for wheel in wheels {
            key.add(wheel.filename.as_bytes());
            key.add(wheel.sha256.as_ref().map_or(&[][..], |digest| digest.as_bytes()));
        }
        let digest = key.0.finish().to_string();
        Entry { directory: workshop.surroundings.cache.join("built").join(&digest[..2]).join(digest) }
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// Adds which program this is: where it really lies, its size and its time.
    fn add_program(&mut self, path: &Path) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.add(real.as_os_str().as_encoded_bytes());
        if let Ok(metadata) = real.metadata() {
            self.add(&metadata.len().to_be_bytes());
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            self.add(&modified.map_or(0, |time| time.as_nanos()).to_be_bytes());
        }
    }
}

/// What a backend asked for.
#[derive(Serialize, Deserialize)]
struct Asked {
    requires: Vec<String>,
}

impl Entry {
    /// What the backend asked for when it ran with this, if it did.
    pub(super) fn asked(&self) -> Option<Vec<String>> {
        let asked = self.read::<Asked>("asked.json")?;
        mark_used(&self.directory);
        Some(asked.requires)
    }

    /// Keeps what the backend asked for. That it cannot be kept is no matter.
    pub(super) fn keep_asked(&self, requires: &[String]) {
        let _ = self.write("asked.json", &Asked { requires: requires.to_owned() });
    }

    /// The wheel, copied into `directory`, where there is one that a build in `room` would give. A damaged one is none.
    pub(super) fn take(&self, room: Option<&Path>, directory: &Path) -> Option<(Kept, PathBuf)> {
        let kept: Kept = self.read("wheel.json")?;
        let plain = Path::new(&kept.filename).file_name().is_some_and(|name| name == kept.filename.as_str());
        let here = kept.room.is_none() || kept.room.as_deref() == room.and_then(Path::to_str);
        if !plain || !here {
            return None;
        }
        // What is in the cache may be replaced or removed at any moment.
        let bytes = std::fs::read(self.directory.join(&kept.filename)).ok()?;
        let copy = directory.join(&kept.filename);
        let whole = Sha256Digest::of(&bytes) == kept.sha256 && std::fs::write(&copy, bytes).is_ok();
        if whole {
            mark_used(&self.directory);
        }
        whole.then_some((kept, copy))
    }

    /// Keeps a wheel that was built in `room`, which is none where its directory had a name of chance. That it cannot be
    /// kept is no matter.
    pub(super) fn keep(&self, wheel: &CollectedWheel, path_dependent: &[String], room: Option<&Path>) {
        let room = if path_dependent.is_empty() {
            None
        } else if let Some(room) = room.and_then(Path::to_str) {
            Some(room.to_owned())
        } else {
            return;
        };
        let keep = || {
            let bytes = std::fs::read(&wheel.path)?;
            let kept = Kept {
                name: wheel.name.clone(),
                filename: wheel.filename.clone(),
                sha256: Sha256Digest::of(&bytes),
                path_dependent: path_dependent.to_owned(),
                room,
            };
            self.write_file(&wheel.filename, &bytes)?;
            self.write("wheel.json", &kept)
        };
        let _: io::Result<()> = keep();
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&std::fs::read(self.directory.join(name)).ok()?).ok()
    }

    fn write(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        self.write_file(name, &serde_json::to_vec(value)?)
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        make_private_directory(&self.directory)?;
        let mut pending = PendingFile::create(&self.directory.join(name))?;
        pending.write_all(bytes)?;
        pending.persist().map(drop)
    }
}
