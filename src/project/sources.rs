//! Copies of source trees that may be built: the tree itself is only read.
//!
//! Where there is git, the copy holds its tracked and unignored files and the repository's own directory (for backends
//! that take the version from it); without git everything but what tools are known to leave behind, and all of what nobody
//! may write to. Symbolic links that leave the tree, and what is neither file, directory nor link, are refused by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use walkdir::{DirEntry, WalkDir};

use super::clamp::{clamp_tree, make_link, resolve_link};
use super::git::without_configuration;
use super::reach::Part;
use crate::process::{Child, Ended, ProcessError};
use crate::status::{Explain, Status};

/// Directories that tools make at any depth.
const LEFT_BEHIND: &[&str] = &[
    ".eggs",
    ".git",
    ".hg",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "node_modules",
];

/// Directories that hold what was built, at the root of a project; a package may have the same name, which
/// `__init__.py` tells.
const BUILT: &[&str] = &["build", "dist", "target", "venv"];

/// How long git may take to look at a tree.
const TIMEOUT: Duration = Duration::from_mins(5);

/// What version control says of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// There is no version control that is understood.
    None,
    /// A git work tree.
    Git {
        /// The commit, in hexadecimal digits; `None` before the first one.
        commit: Option<String>,
    },
}

/// A copy of a source tree.
#[derive(Debug, Clone)]
pub struct SourceCopy {
    /// The copy's root.
    pub root: PathBuf,
    /// What version control says of the original.
    pub revision: Revision,
}

/// Why a source tree is not copied.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// It cannot be read, or the copy not be written.
    #[error("cannot copy the source tree `{}`", tree.display())]
    Copy {
        /// The tree.
        tree: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A symbolic link leads out of the tree.
    #[error("source tree `{}`: the symbolic link `{}` leaves the tree (to `{}`)", tree.display(), link.display(), target.display())]
    LinkLeaves {
        /// The tree.
        tree: PathBuf,
        /// The link, relative to the tree.
        link: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// It is neither file, directory nor symbolic link.
    #[error("source tree `{}`: `{}` is neither a file, a directory nor a symbolic link", tree.display(), path.display())]
    Special {
        /// The tree.
        tree: PathBuf,
        /// The path, relative to the tree.
        path: PathBuf,
    },
    /// git failed.
    #[error("git cannot list the source tree `{}` ({status}): {messages}", tree.display())]
    Git {
        /// The tree.
        tree: PathBuf,
        /// How it ended.
        status: String,
        /// What it said.
        messages: String,
    },
    /// git did not run to its end.
    #[error("cannot list the source tree `{}`", tree.display())]
    Run {
        /// The tree.
        tree: PathBuf,
        /// Why.
        source: ProcessError,
    },
}

impl Explain for SourcesError {
    fn status(&self) -> Status {
        match self {
            Self::LinkLeaves { .. } | Self::Special { .. } | Self::Git { .. } => Status::Refused,
            Self::Copy { .. } => Status::Machine,
            Self::Run { source, .. } => source.status(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::LinkLeaves { link, .. } => Some(format!("replace `{}` by a copy of what it names", link.display())),
            Self::Special { path, .. } => Some(format!("remove `{}`, or have git ignore it", path.display())),
            _ => None,
        }
    }
}

/// Copies the source tree `tree` to `into`, which does not exist yet, with every time `epoch` and every mode 0644 or
/// 0755. `git` is the program, where there is one, and `environment` what it sees.
///
/// # Errors
/// [`SourcesError`].
pub fn copy_sources(
    tree: &Path,
    into: &Path,
    epoch: u64,
    git: Option<&Path>,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<SourceCopy, SourcesError> {
    copy_part(tree, &Part::Whole, into, epoch, git, environment)
}

/// The same, of a part of the tree.
///
/// # Errors
/// [`SourcesError`].
pub fn copy_part(
    tree: &Path,
    part: &Part,
    into: &Path,
    epoch: u64,
    git: Option<&Path>,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<SourceCopy, SourcesError> {
    let fail = |source| SourcesError::Copy { tree: tree.to_owned(), source };
    let tree = &fs_err::canonicalize(tree).map_err(fail)?;
    let repository = Git { program: git, environment };
    fs_err::create_dir_all(into).map_err(fail)?;
    let revision = match part {
        Part::Whole => {
            if copy_files(tree, Path::new(""), into, &repository)? {
                copy_repository(&tree.join(".git"), &into.join(".git")).map_err(fail)?;
                repository.revision(tree)?
            } else {
                Revision::None
            }
        }
        Part::Only(paths) => {
            for path in paths {
                copy_files(tree, path, into, &repository)?;
            }
            Revision::None
        }
    };
    clamp_tree(into, epoch).map_err(fail)?;
    Ok(SourceCopy { root: into.to_owned(), revision })
}

/// Copies what is at `path` of `tree`; tells whether git said what that is.
fn copy_files(tree: &Path, path: &Path, into: &Path, repository: &Git<'_>) -> Result<bool, SourcesError> {
    let directory = tree.join(path);
    if !directory.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        copy_entry(tree, path, into)?;
        return Ok(false);
    }
    let listed = if in_work_tree(&directory) { repository.list(&directory)? } else { None };
    if let Some(files) = listed {
        for file in &files {
            copy_entry(tree, &path.join(file), into)?;
        }
        return Ok(true);
    }
    for entry in walk(&directory) {
        let entry = entry.map_err(|error| SourcesError::Copy { tree: tree.to_owned(), source: error.into() })?;
        copy_entry(tree, entry.path().strip_prefix(tree).unwrap_or(entry.path()), into)?;
    }
    Ok(false)
}

/// Whether the repository at `root` has something below `path` in its index.
pub(super) fn is_tracked(
    root: &Path,
    path: &Path,
    git: Option<&Path>,
    environment: &BTreeMap<OsString, OsString>,
) -> bool {
    let (Some(program), Some(path)) = (git, path.to_str()) else { return false };
    let repository = Git { program: git, environment };
    let ended = repository.run(program, root, &["--literal-pathspecs", "ls-files", "-z", "--", path]);
    ended.is_ok_and(|ended| ended.success() && !ended.stdout.is_empty())
}

/// The files and links of the source tree `tree` that [`copy_sources`] would copy, relative to it, sorted.
///
/// # Errors
/// [`SourcesError`].
pub fn list_sources(
    tree: &Path,
    git: Option<&Path>,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Vec<PathBuf>, SourcesError> {
    let fail = |source| SourcesError::Copy { tree: tree.to_owned(), source };
    let tree = &fs_err::canonicalize(tree).map_err(fail)?;
    let repository = Git { program: git, environment };
    let listed = if in_work_tree(tree) { repository.list(tree)? } else { None };
    let mut files = Vec::new();
    if let Some(listed) = listed {
        // What was deleted may still be tracked.
        files.extend(listed.into_iter().filter(|path| tree.join(path).symlink_metadata().is_ok()));
    } else {
        for entry in walk(tree) {
            let entry = entry.map_err(|error| fail(error.into()))?;
            if !entry.file_type().is_dir() {
                files.push(entry.path().strip_prefix(tree).unwrap_or(entry.path()).to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether the tree, or one that it lies in, is git's.
fn in_work_tree(tree: &Path) -> bool {
    tree.ancestors().any(|ancestor| ancestor.join(".git").symlink_metadata().is_ok())
}

/// What is below a directory that git does not know, without what tools left there.
fn walk(directory: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let sealed = is_sealed(directory);
    let stays = move |entry: &DirEntry| {
        let is_left =
            if sealed { entry.file_name() == ".git" || is_result_of_nix(entry.path()) } else { is_left_behind(entry) };
        !is_left
    };
    WalkDir::new(directory).min_depth(1).into_iter().filter_entry(stays)
}

/// Whether nobody may write to a directory, as in the store of Nix: no tool left anything there, and all of it is source.
#[cfg(unix)]
fn is_sealed(directory: &Path) -> bool {
    let mode = |found: std::fs::Metadata| std::os::unix::fs::PermissionsExt::mode(&found.permissions());
    directory.metadata().is_ok_and(|found| mode(found) & 0o222 == 0)
}

#[cfg(not(unix))]
fn is_sealed(_directory: &Path) -> bool {
    false
}

/// Whether a tool made this and no build needs it.
fn is_left_behind(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    if entry.path_is_symlink() {
        return is_result_of_nix(entry.path());
    }
    if !entry.file_type().is_dir() {
        return entry.file_type().is_file() && (name.ends_with(".pyc") || name == ".DS_Store" || name == ".git");
    }
    let path = entry.path();
    LEFT_BEHIND.contains(&&*name)
        || (entry.depth() == 1 && BUILT.contains(&&*name) && !path.join("__init__.py").exists())
        // setuptools takes the file list of an earlier build from there.
        || (name.ends_with(".egg-info") && path.join("SOURCES.txt").exists())
        || path.join("pyvenv.cfg").exists()
}

/// Whether a file that no commit has is called like what a build writes (`src/output/`), or is what Nix leaves: an older
/// output is no source of the next one.
pub(super) fn is_output(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let evidence = name.ends_with(".sha256") || name.ends_with(".json");
    let written = name == "SHA256SUMS" || name.ends_with(".pyz") || (evidence && name.contains(".pyz."));
    written || is_result_of_nix(path)
}

/// Whether this is the link that `nix build` leaves: `result`, `result-OUTPUT` or `result-NUMBER`, which leads to
/// `STORE/DIGEST-NAME`.
fn is_result_of_nix(path: &Path) -> bool {
    let is_named = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name == "result" || name.starts_with("result-")
    };
    let leads_to_store = |target: PathBuf| {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let digest = name.split_once('-').map_or("", |(digest, _)| digest);
        let is_digit = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        target.is_absolute() && digest.len() == 32 && digest.bytes().all(is_digit)
    };
    is_named(path) && path.read_link().is_ok_and(leads_to_store)
}

/// Copies one file, link or directory of `tree`; what vanished meanwhile, or was deleted but is still tracked, is left
/// out.
fn copy_entry(tree: &Path, path: &Path, into: &Path) -> Result<(), SourcesError> {
    let fail = |source| SourcesError::Copy { tree: tree.to_owned(), source };
    let (from, to) = (tree.join(path), into.join(path));
    let metadata = match fs_err::symlink_metadata(&from) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    if let Some(parent) = to.parent() {
        fs_err::create_dir_all(parent).map_err(fail)?;
    }
    if metadata.is_symlink() {
        let target = fs_err::read_link(&from).map_err(fail)?;
        // Text alone does not tell where a link through another link leads; the file system does.
        let stays = resolve_link(path, &target).is_some()
            && from.canonicalize().map_or(true, |resolved| resolved.starts_with(tree));
        if !stays {
            return Err(SourcesError::LinkLeaves { tree: tree.to_owned(), link: path.to_owned(), target });
        }
        make_link(&target, &to).map_err(fail)
    } else if metadata.is_dir() {
        fs_err::create_dir_all(&to).map_err(fail)
    } else if metadata.is_file() {
        fs_err::copy(&from, &to).map_err(fail)?;
        Ok(())
    } else {
        Err(SourcesError::Special { tree: tree.to_owned(), path: path.to_owned() })
    }
}

/// What of a repository's own directory is not copied: hooks never run in a copy, objects are shared, submodules are
/// copied as files, and of remotes and what was fetched when the commit knows nothing.
const NOT_COPIED: &[&str] = &["FETCH_HEAD", "ORIG_HEAD", "hooks", "logs", "modules", "objects"];

/// Settings of a repository (git-config(1), `core`) that say how its files and objects are kept.
const KEPT_SETTINGS: &[&str] = &[
    "autocrlf",
    "bare",
    "eol",
    "filemode",
    "ignorecase",
    "logallrefupdates",
    "precomposeunicode",
    "repositoryformatversion",
    "safecrlf",
    "symlinks",
];

/// Copies a repository's own directory without its objects, which are read where they are (gitrepository-layout(5):
/// objects/info/alternates); a `.git` file, of a work tree or a submodule, is made to name its place absolutely.
///
/// Of its settings those are copied that say how files are kept: the others may hold credentials and name programs.
pub(crate) fn copy_repository(from: &Path, to: &Path) -> io::Result<()> {
    let Ok(metadata) = from.symlink_metadata() else { return Ok(()) };
    if metadata.is_file() {
        let text = fs_err::read_to_string(from)?;
        let place = text.trim_end().strip_prefix("gitdir: ").unwrap_or_default();
        let place = from.parent().unwrap_or(from).join(place).canonicalize()?;
        return fs_err::write(to, format!("gitdir: {}\n", place.display()));
    }
    if !metadata.is_dir() {
        return Ok(());
    }
    let skipped = |entry: &DirEntry| {
        entry.depth() == 1 && NOT_COPIED.iter().any(|name| entry.file_name() == OsStr::new(name))
            // A lock belongs to a process that works on the original.
            || entry.path().extension().is_some_and(|extension| extension == "lock")
    };
    fs_err::create_dir_all(to)?;
    for entry in WalkDir::new(from).min_depth(1).into_iter().filter_entry(|entry| !skipped(entry)) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(target)?;
        } else if entry.file_type().is_file() && entry.depth() == 1 && is_configuration(&entry) {
            fs_err::write(target, kept_settings(&fs_err::read_to_string(entry.path())?))?;
        } else if entry.file_type().is_file() {
            fs_err::copy(entry.path(), target)?;
        }
    }
    let objects = from.join("objects");
    fs_err::create_dir_all(to.join("objects/info"))?;
    fs_err::create_dir_all(to.join("objects/pack"))?;
    let mut alternates = objects.as_os_str().as_encoded_bytes().to_vec();
    alternates.push(b'\n');
    fs_err::write(to.join("objects/info/alternates"), alternates)
}

fn is_configuration(entry: &DirEntry) -> bool {
    ["config", "config.worktree"].iter().any(|name| entry.file_name() == OsStr::new(name))
}

/// The lines of a repository's configuration that are kept: of `[core]` those of [`KEPT_SETTINGS`], of `[extensions]` all,
/// since git refuses a repository whose extensions it is not told.
fn kept_settings(text: &str) -> String {
    let mut section = String::new();
    let mut kept = String::new();
    let mut goes_on = false;
    for line in text.lines().map(str::trim) {
        let continues = std::mem::replace(&mut goes_on, line.ends_with('\\'));
        // A value of several lines is none of these, whatever its lines look like.
        if continues || goes_on || line.starts_with([';', '#']) {
            continue;
        }
        // A setting may follow its section's header in the same line.
        let (header, setting) = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, rest)) => (Some(name.trim().to_ascii_lowercase()), rest.trim()),
            None => (None, line),
        };
        if let Some(header) = header {
            section = header;
        }
        let key = setting.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        let wanted = match section.as_str() {
            "core" => KEPT_SETTINGS.contains(&key.as_str()),
            "extensions" => !key.is_empty(),
            _ => false,
        };
        if wanted {
            kept.extend(["[", &section, "]\n\t", setting, "\n"]);
        }
    }
    kept
}

/// git, looking at a tree without changing it.
struct Git<'a> {
    program: Option<&'a Path>,
    environment: &'a BTreeMap<OsString, OsString>,
}

impl Git<'_> {
    fn run(&self, program: &Path, tree: &Path, arguments: &[&str]) -> Result<Ended, SourcesError> {
        Child::new(program, &without_configuration(self.environment), tree, TIMEOUT)
            // A tree of another user is read like any other; nothing that its configuration names is run.
            .args([
                "--no-optional-locks",
                "-c",
                "safe.directory=*",
                "-c",
                "core.fsmonitor=false",
                "-c",
                "core.quotePath=false",
            ])
            .args(arguments)
            .capture_stdout()
            .run()
            .map_err(|source| SourcesError::Run { tree: tree.to_owned(), source })
    }

    /// Tracked and unignored files below the tree, relative to it; `None` where git knows nothing of the project (no
    /// git, or a directory that a repository around it ignores).
    fn list(&self, tree: &Path) -> Result<Option<Vec<PathBuf>>, SourcesError> {
        let Some(program) = self.program else { return Ok(None) };
        // Not `--exclude-standard`: what one user ignores (core.excludesFile, .git/info/exclude) is no part of the project.
        let listing = ["ls-files", "-cot", "--exclude-per-directory=.gitignore", "-z"];
        let ended = self.run(program, tree, &listing)?;
        if !ended.success() {
            return Err(SourcesError::Git {
                tree: tree.to_owned(),
                status: ended.describe_status(),
                messages: ended.messages.trim_end().to_owned(),
            });
        }
        let mut files = BTreeSet::new();
        for line in ended.stdout.split(|byte| *byte == 0).filter(|line| line.len() > 2) {
            // A letter, a blank, a path.
            let path = path_of_bytes(&line[2..]);
            if line[0] == b'?' && is_output(&tree.join(&path)) {
                continue;
            }
            // A submodule, or another repository inside: git names its directory only.
            if tree.join(&path).symlink_metadata().is_ok_and(|found| found.is_dir()) {
                if tree.join(&path).join(".git").exists() {
                    let inner = self.list(&tree.join(&path))?.unwrap_or_default();
                    files.extend(inner.into_iter().map(|file| path.join(file)));
                }
            } else {
                files.insert(path);
            }
        }
        Ok((!files.is_empty()).then_some(files.into_iter().collect()))
    }

    /// The commit. Whether files differ from it is not asked: git would run the filters that a repository's
    /// configuration names to tell.
    fn revision(&self, tree: &Path) -> Result<Revision, SourcesError> {
        let Some(program) = self.program else { return Ok(Revision::None) };
        let ended = self.run(program, tree, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
        let commit = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        Ok(Revision::Git { commit: (ended.success() && !commit.is_empty()).then_some(commit) })
    }
}

#[cfg(unix)]
fn path_of_bytes(bytes: &[u8]) -> PathBuf {
    <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_of_a_configuration_how_files_are_kept() {
        let text = "[core]\n\trepositoryformatversion = 1\n\tfileMode = true\n\tfsmonitor = run me\n\
                    \tsshCommand = run \\\n\tbare = me\n\
                    [extensions]\n\tobjectformat = sha256\n; [core]\n\
                    [remote \"origin\"]\n\turl = https://u:secret@host.example/x\n\
                    [http \"https://host.example/\"]\n\textraheader = AUTHORIZATION: basic secret\n[CORE] symlinks = false\n";
        let kept = "[core]\n\trepositoryformatversion = 1\n[core]\n\tfileMode = true\n\
                    [extensions]\n\tobjectformat = sha256\n[core]\n\tsymlinks = false\n";
        assert_eq!(kept_settings(text), kept);
    }
}
