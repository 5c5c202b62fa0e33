//! What of a work tree differs from its commit, told without running anything that the repository's configuration names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::git::{GitError, without_configuration};
use crate::process::{Child, Ended};

/// How long git may take to look at a tree.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The files below `directory` that differ from the commit of its repository, or that it does not have and no
/// `.gitignore` names, as git names them. `environment` is a resolver's.
///
/// # Errors
/// There is no git, or it fails.
pub fn changed_files(
    git: Option<&Path>,
    directory: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Vec<String>, GitError> {
    let mut environment = without_configuration(environment);
    disarm_filters(git, directory, &mut environment)?;
    let status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=dirty"];
    let ended = run_git(git, directory, &environment, &[&status[..], &["--", "."]].concat())?;
    if !ended.success() {
        return Err(GitError::of_look(directory, &ended));
    }
    let listed = String::from_utf8_lossy(&ended.stdout);
    // Two letters, a blank, a path.
    Ok(listed.split('\0').filter_map(|line| line.get(3..)).map(str::to_owned).collect())
}

/// Runs git in a work tree, whoever owns it; it writes nothing.
pub(super) fn run_git(
    git: Option<&Path>,
    directory: &Path,
    environment: &BTreeMap<OsString, OsString>,
    arguments: &[&str],
) -> Result<Ended, GitError> {
    let shown = directory.display().to_string();
    let git = git.ok_or_else(|| GitError::NoGit { url: shown.clone() })?;
    Child::new(git, environment, directory, TIMEOUT)
        .args(["--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .capture_stdout()
        .run()
        .map_err(|source| GitError::Run { url: shown, source })
}

/// Takes their programs from filters (gitattributes(5)), which git would run to compare.
pub(super) fn disarm_filters(
    git: Option<&Path>,
    directory: &Path,
    environment: &mut BTreeMap<OsString, OsString>,
) -> Result<(), GitError> {
    // Exit status 1: there are none.
    let filters = run_git(git, directory, environment, &["config", "-z", "--name-only", "--get-regexp", r"^filter\."])?;
    disarm(environment, &String::from_utf8_lossy(&filters.stdout));
    Ok(())
}

/// The same; `keys` are those of the configuration, each ended by a NUL.
fn disarm(environment: &mut BTreeMap<OsString, OsString>, keys: &str) {
    let count = environment.get(std::ffi::OsStr::new("GIT_CONFIG_COUNT"));
    let mut count: usize = count.and_then(|count| count.to_str()?.parse().ok()).unwrap_or(0);
    for key in keys.split('\0') {
        let value = match key.rsplit('.').next() {
            Some("clean" | "process") => "",
            Some("required") => "false",
            _ => continue,
        };
        environment.insert(format!("GIT_CONFIG_KEY_{count}").into(), key.into());
        environment.insert(format!("GIT_CONFIG_VALUE_{count}").into(), value.into());
        count += 1;
    }
    environment.insert("GIT_CONFIG_COUNT".into(), count.to_string().into());
}
