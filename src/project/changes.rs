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
    let shown = directory.display().to_string();
    let git = git.ok_or_else(|| GitError::NoGit { url: shown.clone() })?;
    let mut environment = without_configuration(environment);
    let run = |environment: &BTreeMap<OsString, OsString>, arguments: &[&str]| -> Result<Ended, GitError> {
        Child::new(git, environment, directory, TIMEOUT)
            .args(["--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"])
            .args(arguments)
            .capture_stdout()
            .run()
            .map_err(|source| GitError::Run { url: shown.clone(), source })
    };
    // Exit status 1: there are none.
    let filters = run(&environment, &["config", "-z", "--name-only", "--get-regexp", r"^filter\."])?;
    disarm(&mut environment, &String::from_utf8_lossy(&filters.stdout));
    let status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=dirty"];
    let ended = run(&environment, &[&status[..], &["--", "."]].concat())?;
    if !ended.success() {
        let (status, messages) = (ended.describe_status(), ended.messages.trim_end().to_owned());
        return Err(GitError::Failed { action: "look for changes in", url: shown, status, messages, network: false });
    }
    let listed = String::from_utf8_lossy(&ended.stdout);
    // Two letters, a blank, a path.
    Ok(listed.split('\0').filter_map(|line| line.get(3..)).map(str::to_owned).collect())
}

/// Takes their programs from filters (gitattributes(5)), which git would run to compare; `keys` are those of the
/// configuration, each ended by a NUL.
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
