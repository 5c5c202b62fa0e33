//! The commit that may be claimed for a checkout on this machine: that of a work tree in which nothing differs from it.
//!
//! Nothing that the repository's configuration names is run, no hook, no filter and no transport, and nothing is written. A
//! claim is made where every tracked file is as it was committed and there is no other but what a `.gitignore` names: an
//! untracked file reaches a build as well as a tracked one. Where git is told to overlook a file (sparse checkouts,
//! `--assume-unchanged`) or there is a submodule, whose files would have to be compared by its own configuration, nothing is
//! claimed either.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::changes::{disarm_filters, run_git};
use super::git::{GitError, without_configuration};
use super::sources::is_output;

/// A work tree that has a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkTree {
    /// The commit that is checked out, in hexadecimal digits.
    pub commit: String,
    /// What differs from it, cannot be compared, or is not in it and named by no `.gitignore`, as git names it. What builds
    /// wrote is not among it: it is no source.
    pub differences: Vec<String>,
}

/// Looks at the work tree around `input`, a file or a directory; none where no repository has it, or no commit.
/// `environment` is a resolver's.
///
/// # Errors
/// There is no git, or it fails.
pub fn look_at_work_tree(
    git: Option<&Path>,
    input: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Option<WorkTree>, GitError> {
    let Ok(input) = input.canonicalize() else { return Ok(None) };
    let directory = if input.is_dir() { input.as_path() } else { input.parent().unwrap_or(&input) };
    if !directory.ancestors().any(|ancestor| ancestor.join(".git").symlink_metadata().is_ok()) {
        return Ok(None);
    }
    let mut environment = without_configuration(environment);
    // No commit stands for another, and nothing that is missing is fetched.
    for (name, value) in [("GIT_NO_REPLACE_OBJECTS", "1"), ("GIT_NO_LAZY_FETCH", "1"), ("GIT_ALLOW_PROTOCOL", "")] {
        environment.insert(name.into(), value.into());
    }
    let ask = |environment: &_, directory: &Path, arguments: &[&str]| -> Result<Option<Vec<u8>>, GitError> {
        let ended = run_git(git, directory, environment, arguments)?;
        Ok(ended.success().then_some(ended.stdout))
    };
    let Some(root) = ask(&environment, directory, &["rev-parse", "--show-toplevel"])? else {
        return Ok(None);
    };
    let root = path_of(root.strip_suffix(b"\n").unwrap_or(&root));
    let Some(inside) = root.canonicalize().ok().and_then(|root| input.strip_prefix(root).ok().map(Path::to_owned))
    else {
        return Ok(None);
    };
    let Some(commit) = ask(&environment, &root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])? else {
        return Ok(None);
    };
    disarm_filters(git, &root, &mut environment)?;
    let demand = |arguments: &[&str]| {
        let ended = run_git(git, &root, &environment, arguments)?;
        if ended.success() { Ok(ended.stdout) } else { Err(GitError::of_look(&root, &ended)) }
    };
    let tracked = demand(&["ls-files", "-z", "-v", "--stage"])?;
    let tracked: Vec<Tracked> = tracked.split(|byte| *byte == 0).filter_map(Tracked::parse).collect();
    if !tracked.iter().any(|file| file.path.starts_with(&inside)) {
        return Ok(None);
    }
    let overlooked = tracked.iter().filter(|file| file.overlooked).map(|file| file.path.clone());
    let status =
        demand(&["status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=dirty"])?;
    // Two letters, a blank, a path.
    let changed = status.split(|byte| *byte == 0).filter_map(|line| line.get(3..)).map(path_of);
    // As they are copied for a build: what one user ignores is no part of the project.
    let untracked = demand(&["ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"])?;
    let untracked = untracked.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(path_of);
    let found: BTreeSet<PathBuf> =
        overlooked.chain(changed).chain(untracked.filter(|path| !is_output(&root.join(path)))).collect();
    Ok(Some(WorkTree {
        commit: String::from_utf8_lossy(&commit).trim().to_owned(),
        differences: found.iter().map(|path| path.display().to_string()).collect(),
    }))
}

/// A line of the index.
struct Tracked {
    path: PathBuf,
    /// Whether git does not compare it, or not all of it.
    overlooked: bool,
}

impl Tracked {
    /// Reads `H 100644 DIGEST 0<TAB>PATH`: `H` is a file that is compared, 160000 a submodule (git-ls-files(1)).
    fn parse(line: &[u8]) -> Option<Self> {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let overlooked = !line.starts_with(b"H ") || line.starts_with(b"H 160000 ");
        Some(Self { path: path_of(&line[tab + 1..]), overlooked })
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}
