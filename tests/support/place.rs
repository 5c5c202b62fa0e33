//! A user's machine in a temporary directory, where commands run and nothing else is.

#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use pyzpack::digest::Sha256Digest;
use serde_json::Value;
use tempfile::TempDir;

use super::wheels::{BACKEND, PYPROJECT, Wheel};
use super::{interpreters, write_tree};

/// A user's machine: a directory to work in, a home, a temporary directory, and a `python3` alone on PATH.
pub struct Place {
    pub root: TempDir,
}

/// How a command ended, with the working directory called `DIR`.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn new(status: i32, stdout: &str, stderr: &str) -> Self {
        Self { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["work", "home", "tmp", "bin"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        let interpreters = interpreters();
        let python = interpreters.first().expect("these tests need a CPython, 3.8 or newer");
        symlink(&python.executable, root.path().join("bin/python3")).unwrap();
        Self { root }
    }

    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    pub fn write(&self, files: &[(&str, &str)]) -> &Self {
        write_tree(&self.work(), files);
        self
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let root = self.root.path();
        let mut command = Command::cargo_bin("pyzpack").unwrap();
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", root.join("bin"))
            .env("HOME", root.join("home"))
            .env("TMPDIR", root.join("tmp"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[])
    }

    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let output = self.command(arguments).envs(environment.iter().copied()).output().unwrap();
        let ended = self.describe(&output);
        self.check_clean();
        ended
    }

    pub fn describe(&self, output: &Output) -> Ended {
        let work = self.work();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(work.to_str().unwrap(), "DIR");
        Ended {
            status: output.status.code().expect("an exit status"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Nothing is left but the cache, and nothing half-written.
    pub fn check_clean(&self) {
        let root = self.root.path();
        assert_eq!(names(&root.join("tmp")), BTreeSet::new(), "left in TMPDIR");
        assert!(names(&root.join("home")).is_subset(&[".cache".to_owned()].into()), "left in HOME");
        for entry in walkdir::WalkDir::new(self.work()) {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            assert_ne!(Path::new(&name).extension(), Some("tmp".as_ref()), "half-written: {name}");
        }
    }

    /// The result line of the build of `output`, up to the seconds, which are no part of it.
    pub fn result_line(&self, output: &str, distributions: &str) -> String {
        let bytes = std::fs::read(self.path(output)).unwrap();
        let size = match bytes.len() {
            0..1_000 => format!("{} B", bytes.len()),
            _ => format!("{} kB", (bytes.len() + 500) / 1_000),
        };
        format!("{output}: {size}, {distributions}, sha256 {}, ", Sha256Digest::of(&bytes))
    }

    /// Asserts a build that succeeds.
    pub fn builds(&self, arguments: &[&str], output: &str, distributions: &str, stderr: &str) {
        self.builds_with(arguments, &[], output, distributions, stderr);
    }

    pub fn builds_with(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        output: &str,
        distributions: &str,
        stderr: &str,
    ) {
        let mut ended = self.run_with(arguments, environment);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, stderr), "{}", ended.stdout);
        let line = self.result_line(output, distributions);
        let seconds = ended.stdout.split_off(line.len().min(ended.stdout.len()));
        assert_eq!(ended.stdout, line);
        let number = seconds.strip_suffix(" s\n").expect("seconds end the line");
        assert!(number.parse::<f64>().is_ok() && number.split_once('.').is_some_and(|(_, digits)| digits.len() == 2));
    }

    pub fn manifest(&self, output: &str) -> Value {
        let ended = self.run(&["inspect", output, "--json"]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        serde_json::from_str(&ended.stdout).unwrap()
    }

    pub fn start(&self, output: &str, arguments: &[&str]) -> Ended {
        let output = Command::new(self.path(output))
            .args(arguments)
            .env_clear()
            .env("PATH", self.root.path().join("bin"))
            .env("HOME", self.root.path().join("home"))
            .output()
            .unwrap();
        self.describe(&output)
    }
}

pub fn names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// A wheel with one console script of its own name, which prints its name and its arguments.
pub fn tool(name: &str) -> Wheel {
    Wheel::new(name, "1.0")
        .script(name, &format!("{name}:main"))
        .file(&format!("{name}.py"), &format!("import sys\n\ndef main():\n    print('{name}', *sys.argv[1:])\n"))
}

/// A project of the same kind.
pub const PROJECT: &[(&str, &str)] = &[
    ("pyproject.toml", PYPROJECT),
    ("backend.py", BACKEND),
    ("METADATA", "Metadata-Version: 2.1\nName: my-app\nVersion: 2.0\nRequires-Python: >=3.8\nProvides-Extra: more\n"),
    ("entry_points.txt", "[console_scripts]\nmy-app = my_app:main\n"),
    ("my_app.py", "import sys\n\ndef main():\n    print('my-app', *sys.argv[1:])\n    return 3\n"),
];

pub const ANYWHERE: &str = "runs on: CPython 3.8 to 3.14, any platform\n";
