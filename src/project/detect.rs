//! What a directory is when it is packed by convention: which kind of project, what is started, which lock says the
//! versions, and what else states requirements. Each decision comes with its reason in words.
//!
//! Nothing is guessed: where several scripts, or several locks, could be meant, that is an error which lists them.
//! A single script (PEP 723) is packed only when it is named, with the lock beside it if there is one
//! ([`script_locks`]).

#[cfg(test)]
mod tests;
pub(super) mod workspace;

use std::path::{Path, PathBuf};

use super::pyproject::has_packaging_metadata;
use super::requirements::{RequirementsError, RequirementsFile};
use crate::status::{Explain, Status};

/// The names that lock files have by convention.
const LOCKS: [&str; 5] = ["pylock.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"];

/// The names that the script which starts an application has by convention: those of Railpack and Nixpacks, `start.py`
/// and `run.py` that others use, Django's `manage.py`, and `__main__.py`, which Python itself starts.
const SCRIPTS: [&str; 9] =
    ["main.py", "app.py", "start.py", "run.py", "bot.py", "hello.py", "server.py", "manage.py", "__main__.py"];

/// What the user named, which is not looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// The lock (`--lock`).
    pub lock: Option<&'a Path>,
    /// Requirements files (`--requirement`).
    pub requirements: &'a [PathBuf],
    /// The top-level module that is started (`--entry-point`).
    pub module: Option<&'a str>,
}

/// What a directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Its kind.
    pub kind: Kind,
    /// The lock that says the versions.
    pub lock: Option<PathBuf>,
    /// Files that state requirements and are no lock, nor the project's own metadata.
    pub stated: Vec<Stated>,
    /// Why: a clause for each decision, without a full stop.
    pub reasons: Vec<String>,
}

/// A kind of directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A project that a build backend makes a wheel of.
    Project,
    /// Modules without packaging metadata, packed as they are; this one runs as `__main__`.
    Application {
        /// The top-level module.
        module: String,
    },
}

/// A file that states requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The file: a requirements file, or a Pipfile.
    pub path: PathBuf,
    /// What becomes of it.
    pub role: Role,
}

/// What becomes of a file that states requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is what is installed.
    Followed,
    /// The lock is followed, and has to agree with it.
    Compared,
}

/// Why a directory cannot be packed by convention.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// There is nothing that says what is needed.
    #[error(
        "`{directory}` is not a Python project: it has no pyproject.toml with a project, setup.py, setup.cfg, requirements.txt, Pipfile or lock"
    )]
    Nothing {
        /// The directory.
        directory: String,
        /// A script that could be meant.
        script: Option<String>,
    },
    /// No script has a name that says that it is to be started.
    #[error("nothing to start: `{directory}` has no packaging metadata, and none of {}", SCRIPTS.join(", "))]
    NoScript {
        /// The directory.
        directory: String,
    },
    /// Several scripts have such names.
    #[error("several scripts in `{directory}` could be started: {}", scripts.join(", "))]
    SeveralScripts {
        /// The directory.
        directory: String,
        /// Their names.
        scripts: Vec<String>,
    },
    /// The script has the name that an archive's own start has.
    #[error("`{0}` cannot be packed under its name: a .pyz has a `__main__.py` of its own")]
    ReservedScript(String),
    /// Several locks.
    #[error("several locks: {}", list(.0))]
    SeveralLocks(Vec<PathBuf>),
    /// A Pipfile that was never locked.
    #[error("`{}` has no Pipfile.lock beside it", .0.display())]
    UnlockedPipfile(PathBuf),
    /// A requirements file cannot be read.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
}

impl Explain for DetectError {
    fn status(&self) -> Status {
        match self {
            Self::Requirements(error) => error.status(),
            _ => Status::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Nothing { script: Some(script), .. } => {
                format!("a script is packed by itself when it is named: `pyzpack build {script}`")
            }
            Self::Nothing { script: None, .. } => {
                "run it in a project's directory, or name what to pack: `pyzpack build httpie -c http`, \
                 `pyzpack build -r requirements.txt -e app:main`"
                    .to_owned()
            }
            Self::NoScript { .. } => {
                "name the module to start, as in `-e app:main`, and run it in the directory that holds it".to_owned()
            }
            Self::SeveralScripts { scripts, .. } => {
                let module = scripts.first().map_or("app", |name| name.trim_end_matches(".py"));
                format!("choose one with `-e MODULE`, as in `-e {module}`")
            }
            Self::ReservedScript(_) => "give it another name, `main.py` for one".to_owned(),
            Self::SeveralLocks(locks) => {
                let first = locks.first().map(|path| path.display().to_string()).unwrap_or_default();
                format!(
                    "choose one with `--lock FILE`, as in `--lock {first}`, or for good as `lock` in [tool.pyzpack]"
                )
            }
            Self::UnlockedPipfile(_) => "run `pipenv lock`, or name requirements with `-r FILE`".to_owned(),
            Self::Requirements(error) => return error.hint(),
        })
    }
}

/// What `directory` is, as far as nothing is named.
///
/// # Errors
/// [`DetectError`]: it is nothing that is packed by convention, or could be several things.
pub fn detect(directory: &Path, named: Named<'_>) -> Result<Detected, DetectError> {
    let mut reasons = Vec::new();
    let metadata = has_packaging_metadata(directory);
    let mut lock = match named.lock {
        Some(lock) => {
            reasons.push(format!("the lock is `{}`: it is named", lock.display()));
            Some(lock.to_owned())
        }
        None => detect_lock(directory)?,
    };
    if let (Some(lock), None) = (&lock, named.lock) {
        let why = if lock.parent() == Some(directory) { "the only one in the directory" } else { "its workspace's" };
        reasons.push(format!("the lock is `{}`: {why}", shown(lock, directory)));
    }
    let stated = detect_stated(directory, named, metadata, &mut lock, &mut reasons)?;
    let kind = if metadata {
        reasons.insert(0, format!("a project with packaging metadata: {}", metadata_files(directory).join(", ")));
        Kind::Project
    } else if lock.is_none() && stated.is_empty() {
        let pipfile = directory.join("Pipfile");
        if pipfile.is_file() {
            return Err(DetectError::UnlockedPipfile(pipfile));
        }
        let script = scripts(directory).into_iter().next();
        return Err(DetectError::Nothing { directory: directory.display().to_string(), script });
    } else {
        let (module, why) = detect_module(directory, named)?;
        reasons.insert(0, format!("an application without packaging metadata, which starts `{module}`: {why}"));
        Kind::Application { module }
    };
    Ok(Detected { kind, lock, stated, reasons })
}

/// The one lock of the project in `directory`: in it, or for a member of a uv workspace, the workspace's.
///
/// # Errors
/// [`DetectError::SeveralLocks`].
pub fn detect_lock(directory: &Path) -> Result<Option<PathBuf>, DetectError> {
    let mut locks: Vec<PathBuf> = LOCKS.iter().map(|name| directory.join(name)).filter(|path| is_there(path)).collect();
    locks.extend(workspace::find_root(directory).map(|root| root.join("uv.lock")).filter(|path| path.is_file()));
    if locks.len() > 1 {
        return Err(DetectError::SeveralLocks(locks));
    }
    Ok(locks.pop())
}

/// The locks of a single script that lie beside it: uv writes `SCRIPT.py.lock`, and [`lock_of_script`] is the other name.
pub fn script_locks(script: &Path) -> Vec<PathBuf> {
    let by_uv = script.file_name().map(|name| {
        let mut name = name.to_owned();
        name.push(".lock");
        script.with_file_name(name)
    });
    by_uv.into_iter().chain(lock_of_script(script)).filter(|path| is_there(path)).collect()
}

/// Where a script's `pylock.NAME.toml` is; none for a name with a dot in it, which PEP 751 does not allow there.
pub fn lock_of_script(script: &Path) -> Option<PathBuf> {
    let stem = script.file_stem()?.to_str().filter(|stem| !stem.contains('.'))?;
    Some(script.with_file_name(format!("pylock.{stem}.toml")))
}

/// Whether something is called so. A link that leads nowhere, or a directory, is refused where it is read: passed over,
/// it would leave a build unlocked.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// What states requirements besides metadata and lock; a complete requirements file becomes the lock where there is none.
fn detect_stated(
    directory: &Path,
    named: Named<'_>,
    metadata: bool,
    lock: &mut Option<PathBuf>,
    reasons: &mut Vec<String>,
) -> Result<Vec<Stated>, DetectError> {
    let role = if lock.is_some() { Role::Compared } else { Role::Followed };
    if !named.requirements.is_empty() {
        let files = named.requirements.iter();
        reasons.extend(files.clone().map(|path| format!("`{}` is added: it is named", path.display())));
        return Ok(files.map(|path| Stated { path: path.clone(), role }).collect());
    }
    let found = |name: &str| Some(directory.join(name)).filter(|path| path.is_file());
    let requirements = found("requirements.txt");
    let rye = found("requirements.lock");
    let rye_is_input = "`requirements.lock` is no lock: rye writes it without hashes";
    if named.lock.is_some() {
        let others = [&requirements, &rye]
            .into_iter()
            .flatten()
            .chain(&found("Pipfile"))
            .map(|path| format!("`{}` is not read: the lock is named", shown(path, directory)))
            .collect::<Vec<_>>();
        reasons.extend(others);
        return Ok(Vec::new());
    }
    if let Some(lock) = lock {
        let own = lock.file_name().is_some_and(|name| name == "Pipfile.lock");
        let pipfile = found("Pipfile").filter(|_| !own);
        let mut stated = Vec::new();
        for path in [requirements, pipfile].into_iter().flatten() {
            let (name, lock) = (shown(&path, directory), shown(lock, directory));
            reasons.push(format!("`{name}` is not followed, and has to agree: `{lock}` is the lock"));
            stated.push(Stated { path, role });
        }
        if rye.is_some() {
            reasons.push(format!("{rye_is_input}; it is not read"));
        }
        return Ok(stated);
    }
    if let Some(path) = requirements.as_ref().or(rye.as_ref().filter(|_| !metadata)) {
        let name = shown(path, directory);
        // One that cannot be read says nothing about a project that does not need it.
        let complete = match RequirementsFile::read(path) {
            Ok(file) => file.is_complete(),
            Err(_) if metadata => false,
            Err(error) => return Err(error.into()),
        };
        if complete && requirements.is_some() {
            reasons.push(format!("the lock is `{name}`: everything in it is pinned and has a hash"));
            *lock = Some(path.clone());
            return Ok(Vec::new());
        }
        if !metadata {
            if requirements.is_none() {
                reasons.push(format!("{rye_is_input}; it is followed as requirements"));
            }
            reasons.push(format!(
                "what is needed is in `{name}`, which does not pin everything with a hash: there is no lock"
            ));
            return Ok(vec![Stated { path: path.clone(), role }]);
        }
        reasons.push(format!("`{name}` is not read: it is no lock, and the project's metadata say what it needs"));
    }
    if metadata {
        if rye.is_some() {
            reasons.push(format!("{rye_is_input}; it is not read"));
        }
        if found("Pipfile").is_some() {
            reasons.push("`Pipfile` is not read: the project's metadata say what it needs".to_owned());
        }
        reasons.push("there is no lock".to_owned());
    }
    Ok(Vec::new())
}

/// The module that is started, and why.
fn detect_module(directory: &Path, named: Named<'_>) -> Result<(String, String), DetectError> {
    if let Some(module) = named.module {
        return Ok((module.to_owned(), "it is named".to_owned()));
    }
    let mut scripts = scripts(directory);
    let (Some(script), true) = (scripts.pop(), scripts.is_empty()) else {
        let directory_shown = directory.display().to_string();
        let scripts = self::scripts(directory);
        return Err(if scripts.is_empty() {
            DetectError::NoScript { directory: directory_shown }
        } else {
            DetectError::SeveralScripts { directory: directory_shown, scripts }
        });
    };
    if script == "__main__.py" {
        return Err(DetectError::ReservedScript(directory.join(script).display().to_string()));
    }
    Ok((script.trim_end_matches(".py").to_owned(), format!("`{script}` is there")))
}

/// The scripts in `directory` that have a name which says that they are started.
fn scripts(directory: &Path) -> Vec<String> {
    SCRIPTS.iter().filter(|name| directory.join(name).is_file()).map(|name| (*name).to_owned()).collect()
}

/// The files that make a directory a project.
fn metadata_files(directory: &Path) -> Vec<&'static str> {
    ["pyproject.toml", "setup.py", "setup.cfg"].into_iter().filter(|name| directory.join(name).is_file()).collect()
}

/// A path as it is told: below the directory by its name alone.
fn shown(path: &Path, directory: &Path) -> String {
    path.strip_prefix(directory).unwrap_or(path).display().to_string()
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
