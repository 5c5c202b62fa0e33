//! What to pack, as the user names it: a directory, a file, a repository, or a distribution.

use std::path::{Path, PathBuf};

use super::git::{GitError, GitSource};
use super::requirements::looks_like_path;
use crate::status::{Explain, Status};
use crate::target::{Requirement, RequirementError};

/// One thing to pack.
#[derive(Debug, Clone)]
pub enum Input {
    /// A project's directory.
    Directory(PathBuf),
    /// A script (PEP 723).
    Script(PathBuf),
    /// A wheel.
    Wheel(PathBuf),
    /// A source distribution.
    Sdist(PathBuf),
    /// A commit of a repository.
    Git(GitSource),
    /// A distribution by name.
    Requirement(Box<Requirement>),
}

/// Why a text names nothing that can be packed.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// There is no such file or directory.
    #[error("no such file or directory: `{0}`")]
    Missing(String),
    /// A file of a kind that cannot be packed.
    #[error("`{0}` is neither a wheel (.whl), a source distribution (.tar.gz, .zip) nor a script (.py)")]
    Kind(String),
    /// Neither a path nor a requirement.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// Not a git URL.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Extras behind a file: given with `--extra`.
    #[error("`{0}`: extras of a file or directory are given with `--extra`")]
    Extras(String),
    /// A digest of something that has none.
    #[error("`{0}`: only a wheel or a source distribution can have a hash")]
    Hashes(String),
    /// A directory that should hold distributions.
    #[error("no such directory: `{0}` (from `--find-links`)")]
    FindLinks(String),
    /// A page of links, which pip reads and others do not.
    #[error("`--find-links` takes a directory, and `{0}` is a URL")]
    FindLinksUrl(String),
    /// An index that nobody can ask.
    #[error("the index `{0}` is neither an http nor an https nor a file URL")]
    IndexUrl(String),
    /// Groups are a project's.
    #[error("`--group` needs a project directory among the inputs")]
    GroupsWithoutProject,
    /// A loose module that is not there.
    #[error("no module `{module}` in `{directory}`")]
    NoModule {
        /// The module's name.
        module: String,
        /// Where it was looked for.
        directory: String,
    },
    /// Something that no wheel is built from, where one is to be built.
    #[error("`{input}` is {kind}, and no source that a wheel is built from")]
    NoSource {
        /// The input.
        input: String,
        /// What it is.
        kind: &'static str,
    },
    /// A subdirectory of several sources, or of a repository, whose URL has it.
    #[error("`--subdirectory` is for one directory, source distribution or archive")]
    Subdirectory,
    /// The time of a commit was asked for, of what has none.
    #[error("`--source-date-epoch commit` takes the time of the first input's commit, and `{0}` has none")]
    Undated(String),
    /// There is nothing to pack but requirements, and nothing said what is started.
    #[error("nothing to start: `{0}` has no packaging metadata, and no entry point is named")]
    NothingToStart(String),
    /// A file of a loose module cannot be read, or has a name that cannot be packed.
    #[error("cannot pack `{path}`: {reason}")]
    Loose {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

impl Explain for InputError {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(path) if !path.contains(['/', '\\']) => None,
            Self::FindLinksUrl(_) => {
                Some("download what it links to, or name an index with `--extra-index-url URL`".to_owned())
            }
            Self::NoSource { .. } => Some(
                "name a directory, a source distribution, another archive (.tar.gz, .zip) or git+URL@COMMIT".to_owned(),
            ),
            Self::Subdirectory => Some("of a repository it is `git+URL@COMMIT#subdirectory=DIR`".to_owned()),
            Self::Undated(_) => Some("give the time itself, in seconds since 1970".to_owned()),
            Self::Missing(_) => Some("check the path; a distribution is named without `/`".to_owned()),
            Self::NothingToStart(_) | Self::NoModule { .. } => Some(
                "name the module to start, as in `-e app:main`, and run it in the directory that holds it".to_owned(),
            ),
            _ => None,
        }
    }
}

impl Input {
    /// Reads one input; paths are relative to `directory`.
    ///
    /// # Errors
    /// When it is neither something on disk, nor a repository, nor a requirement.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, InputError> {
        if text.starts_with("git+") {
            return Ok(Self::Git(GitSource::parse(text)?));
        }
        if !looks_like_path(text) {
            return Ok(Self::Requirement(Box::new(text.parse()?)));
        }
        let path = directory.join(text);
        if !path.exists() {
            let bare = text.split_once('[').map(|(bare, _)| directory.join(bare));
            return Err(if bare.is_some_and(|bare| bare.exists()) {
                InputError::Extras(text.to_owned())
            } else {
                InputError::Missing(text.to_owned())
            });
        }
        if path.is_dir() {
            return Ok(Self::Directory(path));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        if ends(&[".whl"]) {
            Ok(Self::Wheel(path))
        } else if ends(&[".tar.gz", ".tgz", ".zip"]) {
            Ok(Self::Sdist(path))
        } else if ends(&[".py"]) {
            Ok(Self::Script(path))
        } else {
            Err(InputError::Kind(text.to_owned()))
        }
    }
}
