//! One interpreter, asked once what it is.
//!
//! The question is probe.py; everything that the file system can answer is looked up here instead, for a Python's
//! start is the dearest part.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::status::{Explain, Status};
use crate::target::{
    Libc, Machine, MarkerEnvironment, Platform, PythonAbi, PythonBuild, PythonMinor, Target, Threading,
};

/// A `CPython`, 3.8 or newer, that was run and asked.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// Its own `sys.executable`: what a shim or a version manager's link leads to; a venv's own link.
    pub executable: PathBuf,
    /// `platform.python_version()`: `3.13.0`, `3.14.0rc1`.
    pub full_version: String,
    /// Minor version, ABI, marker environment, platform and tags, best first.
    pub target: Target,
    /// Whether the distribution it came with asks installers to keep out (PEP 668); never in a venv.
    pub externally_managed: bool,
    /// What it brings for making an environment.
    pub tools: VenvTools,
}

/// Which of the tools for making an environment an interpreter has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenvTools {
    /// The module `venv`.
    pub venv: bool,
    /// The module `ensurepip`, which Debian has in a package of its own.
    pub ensurepip: bool,
    /// The distribution `pip`.
    pub pip: bool,
}

/// Why a program is not an interpreter that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It could not be started.
    #[error("cannot run `{}`", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("`{}` failed ({status}): {message}", path.display())]
    Failed {
        /// The program.
        path: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The most telling line of what it wrote.
        message: String,
    },
    /// Its answer is not one.
    #[error("`{}` does not answer as a Python interpreter", path.display())]
    Answer {
        /// The program.
        path: PathBuf,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
    /// Older than 3.8, or not `CPython`.
    #[error("`{}` is {found}; CPython 3.8 or newer is needed", path.display())]
    Unsupported {
        /// The program.
        path: PathBuf,
        /// Implementation and version: `Python 2.7.18`, `PyPy 3.10.14`.
        found: String,
    },
    /// On an operating system whose wheel tags are not known.
    #[error("`{}` runs on `{system}`, for which no wheel tags are known", path.display())]
    System {
        /// The program.
        path: PathBuf,
        /// `sys.platform`.
        system: String,
    },
}

impl Explain for ProbeError {
    fn status(&self) -> Status {
        Status::Machine
    }

    fn hint(&self) -> Option<String> {
        Some("name another interpreter with --python".to_owned())
    }
}

const PROBE: &str = include_str!("probe.py");

impl Interpreter {
    /// Runs `path` once, in `environment` and nothing else, and reads what it is.
    ///
    /// # Errors
    /// It does not run, is no Python, or is none that can be used.
    pub fn probe(path: &Path, environment: &BTreeMap<OsString, OsString>) -> Result<Self, ProbeError> {
        let output = Command::new(path)
            .args(["-E", "-s", "-S", "-B", "-c", PROBE])
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ProbeError::Run { path: path.to_owned(), source })?;
        if !output.status.success() {
            let message = telling_line(&String::from_utf8_lossy(&output.stderr));
            return Err(ProbeError::Failed { path: path.to_owned(), status: output.status, message });
        }
        let answer = |source| ProbeError::Answer { path: path.to_owned(), source };
        let identity: Identity = serde_json::from_slice(&output.stdout).map_err(answer)?;
        let supported = identity.version >= (PythonMinor::OLDEST.major, PythonMinor::OLDEST.minor);
        if !supported || identity.implementation_name != "cpython" {
            return Err(ProbeError::Unsupported { path: path.to_owned(), found: identity.describe() });
        }
        let facts: Facts = serde_json::from_slice(&output.stdout).map_err(answer)?;
        Self::of_facts(path, identity, facts)
    }

    fn of_facts(path: &Path, identity: Identity, facts: Facts) -> Result<Self, ProbeError> {
        let reported = path_of(facts.executable);
        // `sys.executable` is empty where Python cannot tell.
        let executable = if reported.as_os_str().is_empty() { path.to_owned() } else { reported };
        let python = PythonMinor::new(identity.version.0, identity.version.1);
        let abi = PythonAbi {
            threading: if facts.abi.free_threaded { Threading::Free } else { Threading::Locked },
            build: if facts.abi.debug { PythonBuild::Debug } else { PythonBuild::Release },
        };
        let platform = platform(&facts.operating_system, facts.abi.wide, &executable)
            .ok_or_else(|| ProbeError::System { path: path.to_owned(), system: facts.sys_platform.clone() })?;
        let environment = MarkerEnvironment {
            implementation_name: identity.implementation_name,
            implementation_version: facts.implementation_version,
            os_name: facts.os_name,
            platform_machine: facts.operating_system.machine,
            platform_python_implementation: "CPython".to_owned(),
            platform_release: facts.operating_system.release,
            platform_system: facts.operating_system.system,
            platform_version: facts.operating_system.version,
            python_full_version: identity.full_version.clone(),
            python_version: python.to_string(),
            sys_platform: facts.sys_platform,
        };
        let standard_library = facts.path.into_iter().map(path_of).find(|directory| directory.join("os.py").is_file());
        let home = Home { executable: &executable, prefix: path_of(facts.prefix), standard_library, python };
        Ok(Self {
            externally_managed: home.venv().is_none() && home.has("EXTERNALLY-MANAGED"),
            tools: VenvTools { venv: home.has("venv"), ensurepip: home.has("ensurepip"), pip: home.has_pip() },
            full_version: identity.full_version,
            target: Target::new(python, abi, environment, platform),
            executable,
        })
    }
}

/// What every Python says, however old.
#[derive(Deserialize)]
struct Identity {
    version: (u8, u8),
    full_version: String,
    implementation_name: String,
}

impl Identity {
    fn describe(&self) -> String {
        match self.implementation_name.as_str() {
            "cpython" | "python" => format!("Python {}", self.full_version),
            "pypy" => format!("PyPy {}", self.full_version),
            other => format!("{other} {}", self.full_version),
        }
    }
}

/// What a supported Python says besides.
#[derive(Deserialize)]
struct Facts {
    abi: AbiFacts,
    implementation_version: String,
    os_name: String,
    sys_platform: String,
    operating_system: OperatingSystem,
    executable: Vec<u8>,
    prefix: Vec<u8>,
    path: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct AbiFacts {
    debug: bool,
    free_threaded: bool,
    /// Whether a pointer has 64 bits.
    wide: bool,
}

#[derive(Deserialize)]
struct OperatingSystem {
    system: String,
    machine: String,
    release: String,
    version: String,
    /// `glibc 2.36`.
    glibc: Option<String>,
    /// `14.2.1`.
    macos: Option<String>,
    windows_tag: Option<String>,
}

fn platform(system: &OperatingSystem, wide: bool, executable: &Path) -> Option<Platform> {
    if let Some(tag) = &system.windows_tag {
        return Some(Platform::Windows { tag: tag.clone() });
    }
    if let Some(version) = &system.macos {
        // A Python built against an old SDK is told 10.16 on every later macOS.
        let version = Some(major_minor(version)?).filter(|version| *version != (10, 16)).unwrap_or((11, 0));
        return Some(Platform::Macos { version, architecture: system.machine.clone() });
    }
    if system.system != "Linux" {
        return None;
    }
    // As `packaging` does: the kernel's machine, unless the interpreter is a 32-bit program on it.
    let architecture = match (system.machine.as_str(), wide) {
        ("x86_64", false) => "i686",
        ("aarch64", false) => "armv8l",
        (machine, _) => machine,
    };
    let glibc = system.glibc.as_deref().and_then(|text| text.strip_prefix("glibc ")).and_then(major_minor);
    let libc = match glibc {
        Some((major, minor)) => Libc::Glibc(major, minor),
        None => musl_version(executable).map_or(Libc::Unknown, |(major, minor)| Libc::Musl(major, minor)),
    };
    Some(Platform::Linux { architecture: architecture.to_owned(), libc, machine: Machine::This })
}

/// The leading two numbers of a version, whatever follows (`2.20-2014.11`).
fn major_minor(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split(|character: char| !character.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().unwrap_or("0");
    Some((major, if minor.is_empty() { 0 } else { minor.parse().ok()? }))
}

/// The version of the musl that a program is linked to: its loader, named near the program's beginning, says it (PEP
/// 656).
fn musl_version(executable: &Path) -> Option<(u16, u16)> {
    let mut beginning = Vec::new();
    fs_err::File::open(executable).ok()?.take(64 * 1024).read_to_end(&mut beginning).ok()?;
    let marker = b"/lib/ld-musl-";
    let start = beginning.windows(marker.len()).position(|window| window == marker)?;
    let name = beginning[start..].split(|byte| *byte == 0).next()?;
    let output = Command::new(std::str::from_utf8(name).ok()?).stdin(Stdio::null()).output().ok()?;
    parse_musl_version(&String::from_utf8_lossy(&output.stderr))
}

fn parse_musl_version(text: &str) -> Option<(u16, u16)> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next().filter(|line| line.starts_with("musl"))?;
    major_minor(lines.next()?.strip_prefix("Version ")?)
}

/// Where an interpreter keeps its modules.
struct Home<'a> {
    executable: &'a Path,
    prefix: PathBuf,
    standard_library: Option<PathBuf>,
    python: PythonMinor,
}

impl Home<'_> {
    /// Whether the standard library holds a file or package of that name.
    fn has(&self, name: &str) -> bool {
        self.standard_library.as_ref().is_some_and(|directory| {
            let path = directory.join(name);
            path.is_file() || path.join("__init__.py").is_file()
        })
    }

    /// The root of the venv that the interpreter belongs to (PEP 405).
    fn venv(&self) -> Option<&Path> {
        let directory = self.executable.parent()?;
        [Some(directory), directory.parent()].into_iter().flatten().find(|root| root.join("pyvenv.cfg").is_file())
    }

    fn has_pip(&self) -> bool {
        let Some(standard_library) = &self.standard_library else { return false };
        let own_name = standard_library.file_name().unwrap_or_default();
        let directories = match self.venv() {
            Some(root) => vec![root.join("lib").join(own_name).join("site-packages"), root.join("Lib/site-packages")],
            None => vec![
                standard_library.join("site-packages"),
                // Debian's two.
                standard_library.with_file_name("python3").join("dist-packages"),
                self.prefix.join(format!("local/lib/python{}/dist-packages", self.python)),
            ],
        };
        directories.iter().any(|directory| directory.join("pip/__init__.py").is_file())
    }
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The line of a program's errors that tells most: a traceback's last, else the first.
pub(super) fn telling_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = if text.contains("Traceback") { lines.next_back() } else { lines.next() };
    line.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_whatever_follows_them() {
        for (text, version) in [
            ("2.36", Some((2, 36))),
            ("2.20-2014.11", Some((2, 20))),
            ("14.2.1", Some((14, 2))),
            ("14", Some((14, 0))),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(major_minor(text), version, "{text}");
        }
    }

    #[test]
    fn reads_what_musl_says_of_itself() {
        let said = "musl libc (x86_64)\nVersion 1.2.4\nDynamic Program Loader\nUsage: ...\n";
        assert_eq!(parse_musl_version(said), Some((1, 2)));
        assert_eq!(parse_musl_version("glibc\nVersion 2.36"), None);
        assert_eq!(parse_musl_version(""), None);
    }

    #[test]
    fn a_32_bit_interpreter_has_its_own_architecture() {
        let system = |machine: &str| OperatingSystem {
            system: "Linux".into(),
            machine: machine.into(),
            release: String::new(),
            version: String::new(),
            glibc: Some("glibc 2.31".into()),
            macos: None,
            windows_tag: None,
        };
        let name = |machine, wide| platform(&system(machine), wide, Path::new("")).unwrap().to_string();
        assert_eq!(name("x86_64", true), "manylinux_2_31_x86_64");
        assert_eq!(name("x86_64", false), "manylinux_2_31_i686");
        assert_eq!(name("aarch64", false), "manylinux_2_31_armv8l");
    }

    #[test]
    fn picks_the_line_that_tells_most() {
        assert_eq!(
            telling_line("\npyenv: python3.4: command not found\n\nThe command exists in\n"),
            "pyenv: python3.4: command not found"
        );
        assert_eq!(telling_line("Traceback (most recent call last):\n  File\nImportError: x\n"), "ImportError: x");
        assert_eq!(telling_line(""), "no message");
    }
}
