//! What several tests need: interpreters of this machine, the surroundings of a command line, a workshop.

#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

#[cfg(unix)]
pub mod place;
pub mod targets;
pub mod wheels;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use pyzpack::process::ScratchDir;
use pyzpack::project::sdist::Limits;
use pyzpack::python::Interpreter;
use pyzpack::resolve::{IndexOptions, Told};
use pyzpack::surroundings::Surroundings;
use pyzpack::target::PythonMinor;
use pyzpack::wheel::Workshop;
use pyzpack::wheel::access::Access;
use pyzpack::wheel::collect::InstallWheel;
use pyzpack::wheel::fetch::Client;
use pyzpack::wheel::install::install_wheel;
use pyzpack::wheel::locked::{BuildLock, LockedRequirements, Unlocked};

/// The earliest time that a zip archive knows.
pub const EPOCH: u64 = 315_532_800;

/// Interpreters of this machine that pyzpack works with, the system's first, by executable.
pub fn interpreters() -> Vec<Interpreter> {
    static FOUND: OnceLock<Vec<Interpreter>> = OnceLock::new();
    FOUND.get_or_init(find_interpreters).clone()
}

fn find_interpreters() -> Vec<Interpreter> {
    let mut candidates = vec![PathBuf::from("/usr/bin/python3")];
    let versions = std::env::home_dir().unwrap_or_default().join(".pyenv/versions");
    let mut found: Vec<PathBuf> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/python"))
        .collect();
    found.sort();
    candidates.extend(found);
    let environment = std::env::vars_os().collect();
    candidates.iter().filter_map(|path| Interpreter::probe(path, &environment).ok()).collect()
}

/// The interpreter of this version, if there is one.
pub fn interpreter(minor: u8) -> Option<Interpreter> {
    interpreters().into_iter().rfind(|python| python.target.python == PythonMinor::new(3, minor))
}

/// The surroundings of this process with another environment on top, and temporary files and cache in `directory`.
pub fn surroundings(directory: &Path, changes: &[(&str, &str)]) -> Surroundings {
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, value) in changes {
        environment.insert(name.into(), value.into());
    }
    let (temporary, cache) = (directory.join("tmp"), directory.join("cache"));
    std::fs::create_dir_all(&temporary).expect("a temporary directory");
    std::fs::create_dir_all(&cache).expect("a cache");
    Surroundings { environment, temporary, cache }
}

/// Installs without verifying.
pub fn install() -> Box<InstallWheel<'static>> {
    Box::new(|wheel, _, venv| Ok(install_wheel(wheel, venv)?))
}

/// What a workshop borrows.
pub struct Bench {
    pub surroundings: Surroundings,
    pub scratch: ScratchDir,
    pub interpreter: Interpreter,
    pub index: IndexOptions,
    pub client: Client,
    pub install: Box<InstallWheel<'static>>,
    pub offline: bool,
    pub locked: Vec<LockedRequirements>,
    pub unlocked: Unlocked,
    pub build_timeout: Duration,
}

impl Bench {
    pub fn new(directory: &Path, interpreter: &Interpreter, changes: &[(&str, &str)]) -> Self {
        let surroundings = surroundings(directory, changes);
        Self {
            scratch: ScratchDir::create(&surroundings.temporary).expect("a scratch directory"),
            interpreter: interpreter.clone(),
            index: IndexOptions::default(),
            client: Client::new(Access::read(&surroundings, &[]), false),
            install: install(),
            offline: false,
            locked: Vec::new(),
            unlocked: Unlocked::Resolve,
            build_timeout: Duration::from_mins(5),
            surroundings,
        }
    }

    pub fn workshop(&self) -> Workshop<'_> {
        Workshop {
            surroundings: &self.surroundings,
            scratch: &self.scratch,
            interpreter: &self.interpreter,
            index: &self.index,
            client: &self.client,
            offline: self.offline,
            epoch: EPOCH,
            build_timeout: self.build_timeout,
            resolve_timeout: Duration::from_mins(3),
            limits: Limits::default(),
            build_lock: BuildLock { sets: &self.locked, unlocked: self.unlocked, ..BuildLock::default() },
            install: &*self.install,
            collected: pyzpack::wheel::collect::CollectedBefore::default(),
            told: &UNTOLD,
        }
    }
}

/// Hears nothing of the configuration of resolvers.
pub static UNTOLD: Told<'static> = Told::to(&|_| ());

/// Whether tests that need the package index run: they do unless `PYZPACK_TEST_OFFLINE` is set, which is said.
pub fn network() -> bool {
    let offline = std::env::var_os("PYZPACK_TEST_OFFLINE").is_some();
    if offline {
        eprintln!("SKIPPED: PYZPACK_TEST_OFFLINE is set, and this test needs the package index");
    }
    !offline
}

/// Writes files, by relative path.
pub fn write_tree(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
}

/// Entries of a zip file: name, mode, time and content.
pub fn entries(path: &Path) -> Vec<(String, Option<u32>, String, Vec<u8>)> {
    use std::io::Read;
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("a wheel")).expect("a zip file");
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).expect("an entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("its content");
            let name = entry.name().expect("its name").into_owned();
            let time = entry.last_modified().map(|time| format!("{time:?}")).unwrap_or_default();
            (name, entry.unix_mode(), time, content)
        })
        .collect()
}
