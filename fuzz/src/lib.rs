//! What is fuzzed: one function for every reader of bytes that a stranger made. Each takes any bytes, and returns; what it
//! asserts holds for all of them.
//!
//! `fuzz_targets/` hands these functions to libFuzzer; `tests/fuzz_corpus.rs` of the program runs them over the seeds, and
//! over changed seeds, with the stable compiler alone.

mod archives;
mod compiled;
mod documents;
mod evidence;
mod texts;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pyzpack::target::{MarkerEnvironment, PythonAbi, PythonMinor, Target};

pub use archives::{diff, finished, normalize, sdist, wheel, wheel_files, zip};
pub use compiled::bytecode;
pub use documents::{
    index, json, lock_pdm, lock_pipfile, lock_poetry, lock_pylock, lock_requirements, lock_uv, project, requirements,
};
pub use evidence::{envelope, handed, keys, sbom, statement};
pub use texts::{names, requirement};

/// A target's function.
pub type Run = fn(&[u8]);

/// Every target, by the name of its binary and of its corpus.
pub const TARGETS: [(&str, Run); 25] = [
    ("bytecode", bytecode),
    ("diff", diff),
    ("envelope", envelope),
    ("finished", finished),
    ("handed", handed),
    ("index", index),
    ("json", json),
    ("keys", keys),
    ("lock_pdm", lock_pdm),
    ("lock_pipfile", lock_pipfile),
    ("lock_poetry", lock_poetry),
    ("lock_pylock", lock_pylock),
    ("lock_requirements", lock_requirements),
    ("lock_uv", lock_uv),
    ("names", names),
    ("normalize", normalize),
    ("project", project),
    ("requirement", requirement),
    ("requirements", requirements),
    ("sbom", sbom),
    ("sdist", sdist),
    ("statement", statement),
    ("wheel", wheel),
    ("wheel_files", wheel_files),
    ("zip", zip),
];

/// What separates the parts of an input that has several: a byte that no UTF-8 text holds, so that dictionaries and
/// splicing keep parts whole.
const SEPARATOR: u8 = 0xff;

/// The parts of an input; those that are missing are empty.
fn parts<const COUNT: usize>(bytes: &[u8]) -> [&[u8]; COUNT] {
    let mut split = bytes.splitn(COUNT, |byte| *byte == SEPARATOR);
    std::array::from_fn(|_| split.next().unwrap_or_default())
}

/// A directory of this thread, in memory where the system has such a place, removed at the thread's end.
fn directory() -> PathBuf {
    thread_local! {
        static DIRECTORY: tempfile::TempDir = {
            let memory = Path::new("/dev/shm");
            let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
            let place = std::env::var_os("PYZPACK_FUZZ_TMP").map_or(place, PathBuf::from);
            tempfile::Builder::new().prefix("pyzpack-fuzz-").tempdir_in(place).expect("a temporary directory")
        };
    }
    DIRECTORY.with(|directory| directory.path().to_owned())
}

/// A file of this thread with these bytes.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory().join(name);
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    path
}

/// Linux on x86-64, `CPython` 3.11.
fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let platform = "manylinux_2_28_x86_64".parse().expect("a platform");
        Target::new(PythonMinor::new(3, 11), PythonAbi::default(), environment(), platform)
    })
}

/// The values of the target's markers.
fn environment() -> MarkerEnvironment {
    MarkerEnvironment {
        implementation_name: "cpython".into(),
        implementation_version: "3.11.7".into(),
        os_name: "posix".into(),
        platform_machine: "x86_64".into(),
        platform_python_implementation: "CPython".into(),
        platform_release: "6.1.0".into(),
        platform_system: "Linux".into(),
        platform_version: "#1 SMP".into(),
        python_full_version: "3.11.7".into(),
        python_version: "3.11".into(),
        sys_platform: "linux".into(),
    }
}
