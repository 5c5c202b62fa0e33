//! Scratch virtual environments: fresh for every build, without pip, never the user's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Interpreter;
use crate::process::{Child, ProcessError};
use crate::status::{Explain, Status};
use crate::target::PythonMinor;

/// How long making a virtual environment may take: it takes a fiftieth of a second.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A virtual environment without any distribution in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venv {
    /// Its directory.
    pub root: PathBuf,
    /// Its interpreter.
    pub python: PathBuf,
    /// Where its programs are.
    pub bin: PathBuf,
    /// Where its modules are.
    pub site_packages: PathBuf,
}

/// Why there is no virtual environment.
#[derive(Debug, thiserror::Error)]
pub enum VenvError {
    /// The interpreter did not do it.
    #[error("`{}` cannot make a virtual environment ({status}): {end}", interpreter.display())]
    Failed {
        /// The interpreter.
        interpreter: PathBuf,
        /// How it ended.
        status: String,
        /// The last line of its messages.
        end: String,
    },
    /// It did not run to its end.
    #[error("cannot make a virtual environment")]
    Run(#[from] ProcessError),
    /// A file of it cannot be made or found.
    #[error("cannot make the virtual environment `{}`", path.display())]
    Write {
        /// The virtual environment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The module `venv` is missing, and a virtual environment by hand needs symbolic links.
    #[error("`{}` has no module `venv`", interpreter.display())]
    NoModule {
        /// The interpreter.
        interpreter: PathBuf,
        /// Its minor version.
        minor: (u8, u8),
    },
}

impl Explain for VenvError {
    fn status(&self) -> Status {
        Status::Machine
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Failed { .. } => Some("choose another interpreter with --python".to_owned()),
            Self::NoModule { minor: (major, minor), .. } => Some(format!(
                "install the package python{major}.{minor}-venv, or choose another interpreter with --python"
            )),
            Self::Run(error) => error.hint(),
            Self::Write { .. } => None,
        }
    }
}

impl Venv {
    /// Makes one in `root`, which does not exist yet: by the interpreter's module `venv`, else by hand.
    ///
    /// # Errors
    /// The interpreter does not run, or files cannot be written.
    pub fn create(
        interpreter: &Interpreter,
        root: &Path,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Self, VenvError> {
        if interpreter.tools.venv {
            let parent = root.parent().unwrap_or(root);
            let ended = Child::new(&interpreter.executable, environment, parent, TIMEOUT)
                .args(["-I", "-m", "venv", "--without-pip"])
                .arg(root)
                .run()?;
            if !ended.success() {
                return Err(VenvError::Failed {
                    interpreter: interpreter.executable.clone(),
                    status: ended.describe_status(),
                    end: ended.messages.trim_end().lines().next_back().unwrap_or("it said nothing").to_owned(),
                });
            }
        } else {
            make_by_hand(interpreter, root)?;
        }
        Self::find(root).map_err(|source| VenvError::Write { path: root.to_owned(), source })
    }

    /// Has all of its Pythons list directories sorted and name temporary files in turn, so that neither reaches what they
    /// build.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn steady(&self) -> io::Result<()> {
        fs_err::write(self.site_packages.join("_pyzpack_steady.py"), include_str!("steady.py"))?;
        fs_err::write(self.site_packages.join("_pyzpack_steady.pth"), "import _pyzpack_steady\n")
    }

    /// The parts of the virtual environment in `root`. Implementations name the directory of modules differently
    /// (`lib/python3.13t`, `lib/pypy3.10`), so it is looked for.
    fn find(root: &Path) -> io::Result<Self> {
        let (bin, library) = if cfg!(windows) { ("Scripts", "Lib") } else { ("bin", "lib") };
        let bin = root.join(bin);
        let python = bin.join(format!("python{}", std::env::consts::EXE_SUFFIX));
        let library = root.join(library);
        let mut site_packages = library.join("site-packages");
        if !site_packages.is_dir() {
            site_packages = fs_err::read_dir(&library)?
                .filter_map(|entry| entry.ok().map(|entry| entry.path().join("site-packages")))
                .find(|candidate| candidate.is_dir())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has no directory `site-packages`"))?;
        }
        fs_err::symlink_metadata(&python)?;
        Ok(Self { root: root.to_owned(), python, bin, site_packages })
    }
}

/// What PEP 405 asks for: `pyvenv.cfg` beside a link to the interpreter, and the directory of modules.
#[cfg(unix)]
fn make_by_hand(interpreter: &Interpreter, root: &Path) -> Result<(), VenvError> {
    let PythonMinor { major, minor } = interpreter.target.python;
    let make = || {
        let base = base_of(&interpreter.executable);
        fs_err::create_dir_all(root.join(format!("lib/python{major}.{minor}/site-packages")))?;
        fs_err::create_dir_all(root.join("bin"))?;
        let home = base.parent().unwrap_or(Path::new("/")).display();
        let configuration = format!("home = {home}\ninclude-system-site-packages = false\nversion = {major}.{minor}\n");
        fs_err::write(root.join("pyvenv.cfg"), configuration)?;
        fs_err::os::unix::fs::symlink(&base, root.join("bin/python"))?;
        for name in [format!("python{major}"), format!("python{major}.{minor}")] {
            fs_err::os::unix::fs::symlink("python", root.join("bin").join(name))?;
        }
        Ok(())
    };
    make().map_err(|source| VenvError::Write { path: root.to_owned(), source })
}

#[cfg(not(unix))]
fn make_by_hand(interpreter: &Interpreter, _root: &Path) -> Result<(), VenvError> {
    Err(VenvError::NoModule { interpreter: interpreter.executable.clone(), minor: interpreter.minor })
}

/// The interpreter itself, where `executable` is that of a virtual environment.
#[cfg(unix)]
fn base_of(executable: &Path) -> PathBuf {
    let in_venv = executable.parent().and_then(Path::parent).is_some_and(|root| root.join("pyvenv.cfg").is_file());
    if in_venv { executable.canonicalize().unwrap_or_else(|_| executable.to_owned()) } else { executable.to_owned() }
}
