//! Git inputs: `git+https://HOST/PATH@REV#subdirectory=DIR`, and the same with `git+ssh` and `git+file`.
//!
//! The whole history comes along, since backends derive versions from tags; file contents only of the commit itself
//! where the server allows (a partial clone; a shallow one would have no tags to count from). Credentials reach git
//! through its environment, never its command line, and nothing of them or of the remote is left in the clone.
//!
//! What is refused: what could pass for an option; other protocols than https, ssh and file; file in the submodules of a
//! repository that is not itself on this machine, since they could name any directory here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use super::git_error::GitError;
use crate::process::{Child, Ended};
use crate::redact::{Secrets, recorded_url, redact_url};
use crate::urls::{self, Login};

/// How long fetching may take.
const TIMEOUT: Duration = Duration::from_mins(15);

/// An empty file, for git on every system.
const NOTHING: &str = "/dev/null";

/// Settings that decide about the bytes and modes of a work tree, or about what runs when it is written: they are the
/// same for every user.
const PINNED: &[(&str, &str)] = &[
    ("core.attributesFile", NOTHING),
    ("core.autocrlf", "false"),
    ("core.eol", "lf"),
    ("core.excludesFile", NOTHING),
    ("core.fileMode", "true"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", NOTHING),
    ("core.symlinks", "true"),
    ("protocol.file.allow", "always"),
];

/// A place in a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitSource {
    /// The repository's URL, without `git+`, credentials and revision.
    pub url: String,
    /// Branch, tag or commit; the repository's own default where there is none.
    pub revision: Option<String>,
    /// The project's directory in the repository.
    pub subdirectory: Option<PathBuf>,
    login: Option<Login>,
}

/// A checked-out commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The work tree.
    pub root: PathBuf,
    /// The project's directory in it.
    pub project: PathBuf,
    /// The commit, in hexadecimal digits.
    pub commit: String,
    /// When it was committed, in seconds since 1970.
    pub time: u64,
}

impl GitSource {
    /// What the repository is called: the last part of its URL, safe as a file name.
    pub fn name(&self) -> String {
        let last = self.url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        let last = last.strip_suffix(".git").unwrap_or(last).trim_start_matches('.');
        let plain = last.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if plain && !last.is_empty() { last.to_owned() } else { "source".to_owned() }
    }

    /// Reads `git+SCHEME://[LOGIN@]HOST/PATH[@REV][#subdirectory=DIR&...]`.
    ///
    /// # Errors
    /// Another scheme; a revision or directory that could pass for an option or leave the repository.
    pub fn parse(input: &str) -> Result<Self, GitError> {
        let refuse = |rule| GitError::Input { input: redact_url(input).into_owned(), rule };
        let url = input.strip_prefix("git+").ok_or_else(|| refuse("it begins with `git+`"))?;
        let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
        let scheme = urls::scheme(url).ok_or_else(|| refuse("a URL has a scheme"))?;
        if !["https", "ssh", "file"].contains(&scheme.as_str()) {
            return Err(refuse("the scheme is git+https, git+ssh or git+file"));
        }
        let start = url.find("://").map_or(0, |at| at + 3);
        let path = url[start..].find('/').map(|at| start + at).ok_or_else(|| refuse("a URL has a path"))?;
        let (url, revision) = match url[path..].rsplit_once('@') {
            Some((before, revision)) => (format!("{}{before}", &url[..path]), Some(revision.to_owned())),
            None => (url.to_owned(), None),
        };
        if revision.as_ref().is_some_and(|revision| {
            revision.is_empty()
                || revision.starts_with('-')
                || revision.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':')
        }) {
            return Err(refuse("a revision is a branch, a tag or a commit"));
        }
        let authority = urls::authority(&url).unwrap_or_default();
        let user_or_host = [&url[start..], &authority].map(urls::percent_decode);
        let passes_for_option = user_or_host.iter().any(|text| text.starts_with(b"-"));
        if passes_for_option || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(refuse("a host does not begin with `-`, a URL has no blanks"));
        }
        let subdirectory = fragment.split('&').find_map(|pair| pair.strip_prefix("subdirectory=")).map(PathBuf::from);
        let inside = |path: &PathBuf| path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if subdirectory.as_ref().is_some_and(|path| !inside(path)) {
            return Err(refuse("a subdirectory stays inside"));
        }
        let (bare, login) = match (scheme.as_str(), urls::split_login(&url)) {
            ("https", (bare, login)) => (bare, login),
            // ssh takes its user from the URL, and its keys from elsewhere; a password it would not take.
            ("ssh", (bare, Some(_))) => {
                let user = url[start..].split([':', '@']).next().unwrap_or_default();
                (bare.replacen("://", &format!("://{user}@"), 1), None)
            }
            _ => (url, None),
        };
        Ok(Self { url: bare, revision, subdirectory, login })
    }

    /// The input again, without credentials and directories of this machine, at a commit: what is recorded of it.
    pub fn pinned(&self, commit: &str) -> String {
        let fragment = self.subdirectory.as_ref().map(|path| format!("#subdirectory={}", path.display()));
        format!("git+{}@{commit}{}", recorded_url(&self.url), fragment.unwrap_or_default())
    }

    /// The repository as messages name it.
    fn shown(&self) -> String {
        let redacted = redact_url(&self.url);
        redacted.split('?').next().unwrap_or(&redacted).to_owned()
    }

    /// Clones into `into`, which does not exist yet, and checks the revision out, submodules included. `environment` is
    /// a resolver's.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn checkout(
        &self,
        git: Option<&Path>,
        into: &Path,
        environment: &BTreeMap<OsString, OsString>,
        offline: bool,
    ) -> Result<Checkout, GitError> {
        let local = urls::scheme(&self.url).is_some_and(|scheme| scheme == "file");
        if offline && !local {
            return Err(GitError::Offline { url: self.shown() });
        }
        let git = git.ok_or_else(|| GitError::NoGit { url: self.shown() })?;
        let runner = Runner { source: self, git, environment: self.environment(environment, offline) };
        // Blobs of a partial clone are fetched when they are checked out, for which the user's logins are needed.
        let own = Runner { environment: without_configuration(&runner.environment), ..runner.clone() };
        let parent = into.parent().unwrap_or(into);
        let mut clone = vec!["clone", "--quiet", "--no-checkout", "--origin", "origin"];
        if !local {
            clone.push("--filter=blob:none");
        }
        let target = into.as_os_str().to_owned();
        let mut arguments: Vec<OsString> = clone.iter().map(OsString::from).collect();
        arguments.extend(["--".into(), self.url.clone().into(), target]);
        runner.demand("clone", parent, &arguments)?;
        let revision = self.revision.as_deref().unwrap_or("HEAD");
        let commit = runner.resolve(into, revision)?;
        let checker = if local { &own } else { &runner };
        checker.demand("check out", into, &["checkout", "--quiet", "--detach", &commit].map(OsString::from))?;
        if into.join(".gitmodules").exists() {
            let submodules = ["submodule", "--quiet", "update", "--init", "--recursive"].map(OsString::from);
            let mut within = runner.clone();
            if !local {
                within.environment.insert("GIT_ALLOW_PROTOCOL".into(), "https:ssh".into());
            }
            within.demand("fetch the submodules of", into, &submodules)?;
        }
        let time = own.commit_time(into, &commit)?;
        own.forget_the_remote(into, &commit)?;
        let project = self.subdirectory.as_ref().map_or_else(|| into.to_owned(), |path| into.join(path));
        let stays = project
            .canonicalize()
            .ok()
            .zip(into.canonicalize().ok())
            .is_some_and(|(path, root)| path.starts_with(root));
        if !project.is_dir() || !stays {
            let subdirectory = self.subdirectory.clone().unwrap_or_default();
            return Err(GitError::Subdirectory { url: self.shown(), subdirectory, commit });
        }
        Ok(Checkout { root: into.to_owned(), project, commit, time })
    }

    /// git's environment: no question is asked, and a credential helper takes the login from two variables, because a
    /// command line can be read by every user of the machine.
    fn environment(&self, base: &BTreeMap<OsString, OsString>, offline: bool) -> BTreeMap<OsString, OsString> {
        let mut environment = base.clone();
        let mut set = |name: &str, value: &str| environment.insert(name.into(), value.into());
        set("GIT_TERMINAL_PROMPT", "0");
        set("GIT_ALLOW_PROTOCOL", if offline { "file" } else { "https:ssh:file" });
        if !base.contains_key(std::ffi::OsStr::new("GIT_SSH_COMMAND"))
            && !base.contains_key(std::ffi::OsStr::new("GIT_SSH"))
        {
            set("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        // A user's template would put hooks and attributes into the clone.
        set("GIT_TEMPLATE_DIR", "");
        let pinned = PINNED.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut settings: Vec<(String, String)> = pinned.collect();
        if let (Some(login), Some(authority)) = (&self.login, urls::authority(&self.url)) {
            set("PYZPACK_GIT_USER", &login.user);
            set("PYZPACK_GIT_PASSWORD", &login.password);
            let helper = r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$PYZPACK_GIT_USER" "$PYZPACK_GIT_PASSWORD"; }; f"#;
            let key = format!("credential.https://{authority}.helper");
            // The empty one puts aside the user's own, which would be given the login to store.
            settings.extend([(key.clone(), String::new()), (key, helper.to_owned())]);
        }
        let first: usize = base
            .get(std::ffi::OsStr::new("GIT_CONFIG_COUNT"))
            .and_then(|count| count.to_str()?.parse().ok())
            .unwrap_or(0);
        let mut count = first;
        for (key, value) in &settings {
            set(&format!("GIT_CONFIG_KEY_{count}"), key);
            set(&format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        set("GIT_CONFIG_COUNT", &count.to_string());
        environment
    }
}

/// `environment` for git commands that reach no other machine: the user's configuration, and the system's, do not count.
/// What the environment itself sets does.
pub(super) fn without_configuration(environment: &BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
    let mut environment = environment.clone();
    environment.insert("GIT_CONFIG_GLOBAL".into(), NOTHING.into());
    environment.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
    environment.insert("GIT_ATTR_NOSYSTEM".into(), "1".into());
    environment
}

#[derive(Clone)]
struct Runner<'a> {
    source: &'a GitSource,
    git: &'a Path,
    environment: BTreeMap<OsString, OsString>,
}

impl Runner<'_> {
    fn run(&self, directory: &Path, arguments: &[OsString]) -> Result<Ended, GitError> {
        self.run_with(directory, arguments, Vec::new())
    }

    fn run_with(&self, directory: &Path, arguments: &[OsString], input: Vec<u8>) -> Result<Ended, GitError> {
        let mut secrets = Secrets::default();
        if let Some((_, query)) = self.source.url.split_once('?') {
            secrets.add(query);
        }
        if let Some(login) = &self.source.login {
            secrets.add(if login.password.is_empty() { &login.user } else { &login.password });
        }
        Child::new(self.git, &self.environment, directory, TIMEOUT)
            .args(arguments)
            .input(input)
            .capture_stdout()
            .secrets(&secrets)
            .run()
            .map_err(|source| GitError::Run { url: self.source.shown(), source })
    }

    fn demand(&self, action: &'static str, directory: &Path, arguments: &[OsString]) -> Result<Vec<u8>, GitError> {
        self.demand_with(action, directory, arguments, Vec::new())
    }

    fn demand_with(
        &self,
        action: &'static str,
        directory: &Path,
        arguments: &[OsString],
        input: Vec<u8>,
    ) -> Result<Vec<u8>, GitError> {
        let ended = self.run_with(directory, arguments, input)?;
        if ended.success() {
            return Ok(ended.stdout);
        }
        let lines: Vec<&str> = ended.messages.lines().filter(|line| !line.trim().is_empty()).collect();
        let messages = lines[lines.len().saturating_sub(5)..].join("; ");
        let network = [
            "Could not resolve host",
            "Connection refused",
            "timed out",
            "Network is unreachable",
            "Failed to connect",
        ]
        .iter()
        .any(|sign| messages.contains(sign));
        let (url, status) = (self.source.shown(), ended.describe_status());
        Err(GitError::Failed { action, url, status, messages, network })
    }

    /// The commit of a whole commit's digits, a tag, a branch of the remote, or an abbreviated commit, in this order.
    fn resolve(&self, repository: &Path, revision: &str) -> Result<String, GitError> {
        let whole = matches!(revision.len(), 40 | 64) && is_hexadecimal(revision);
        let names = if whole {
            // No branch or tag is taken for it, whatever its name.
            vec![revision.to_owned()]
        } else {
            vec![format!("refs/tags/{revision}"), format!("refs/remotes/origin/{revision}"), revision.to_owned()]
        };
        for name in names {
            if let Some(commit) = self.commit_of(repository, &name)? {
                return Ok(commit);
            }
        }
        // What no branch or tag holds (a pull request's) can be asked for by itself.
        if whole || revision.starts_with("refs/") {
            let arguments = ["fetch", "--quiet", "origin", revision].map(OsString::from);
            if self.run(repository, &arguments)?.success()
                && let Some(commit) = self.commit_of(repository, if whole { revision } else { "FETCH_HEAD" })?
            {
                return Ok(commit);
            }
        }
        Err(GitError::Revision { url: self.source.shown(), revision: revision.to_owned() })
    }

    fn commit_of(&self, repository: &Path, name: &str) -> Result<Option<String>, GitError> {
        let name = format!("{name}^{{commit}}");
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name].map(OsString::from);
        let ended = self.run(repository, &arguments)?;
        let commit = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        Ok((ended.success() && commit.len() >= 40 && is_hexadecimal(&commit)).then_some(commit))
    }

    fn commit_time(&self, repository: &Path, commit: &str) -> Result<u64, GitError> {
        let arguments: Vec<OsString> = COMMIT_TIME.iter().copied().chain([commit]).map(OsString::from).collect();
        let shown = self.demand("show", repository, &arguments)?;
        let text = String::from_utf8_lossy(&shown).trim().to_owned();
        text.parse().map_err(|_| GitError::Failed {
            action: "tell the time of the commit of",
            url: self.source.shown(),
            status: "exit status 0".to_owned(),
            messages: text,
            network: false,
        })
    }

    /// Takes out what depends on where and when was cloned and not on the commit: remote, branches, tags that the commit
    /// does not come after, notes of what was fetched.
    fn forget_the_remote(&self, repository: &Path, commit: &str) -> Result<(), GitError> {
        let not_merged = format!("--no-merged={commit}");
        let mut deletions = Vec::new();
        for wanted in [&["refs/heads"][..], &["refs/tags", &not_merged]] {
            let command = ["for-each-ref", "--format=delete %(refname)"];
            let arguments: Vec<OsString> = command.iter().chain(wanted).map(OsString::from).collect();
            deletions.extend(self.demand("list the branches and tags of", repository, &arguments)?);
        }
        let arguments = ["update-ref", "--no-deref", "--stdin"].map(OsString::from);
        self.demand_with("forget the branches and tags of", repository, &arguments, deletions)?;
        self.demand("forget", repository, &["remote", "remove", "origin"].map(OsString::from))?;
        for left in ["FETCH_HEAD", "ORIG_HEAD", "logs"] {
            let path = repository.join(".git").join(left);
            // They need not be there, and a log that stays does no harm.
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
        Ok(())
    }
}

/// Asks for a commit's time, in seconds since 1970.
const COMMIT_TIME: &[&str] = &["show", "--no-patch", "--no-show-signature", "--format=%ct", "--end-of-options"];

/// When the commit was made that is checked out in the repository around `directory`, in seconds since 1970.
/// `environment` is a resolver's.
///
/// # Errors
/// There is no git, no repository, or no commit in it.
pub fn commit_time(
    git: Option<&Path>,
    directory: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<u64, GitError> {
    let shown = directory.display().to_string();
    let git = git.ok_or_else(|| GitError::NoGit { url: shown.clone() })?;
    let environment = without_configuration(environment);
    let ended = Child::new(git, &environment, directory, TIMEOUT)
        .args(["--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"])
        .args(COMMIT_TIME)
        .arg("HEAD")
        .capture_stdout()
        .run()
        .map_err(|source| GitError::Run { url: shown, source })?;
    let time = String::from_utf8_lossy(&ended.stdout).trim().parse().ok();
    time.ok_or_else(|| GitError::NoCommit { directory: directory.to_owned() })
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_parts_and_keeps_credentials_out() {
        let source = GitSource::parse("git+https://u:p@example.org/a/b.git@v1.0#egg=x&subdirectory=pkg/py").unwrap();
        assert_eq!(source.url, "https://example.org/a/b.git");
        assert_eq!(source.revision.as_deref(), Some("v1.0"));
        assert_eq!(source.pinned("abc"), "git+https://example.org/a/b.git@abc#subdirectory=pkg/py");
        assert!(!format!("{source:?}").contains(":p"));
        let local = GitSource::parse("git+file:///home/me/prj@main#subdirectory=py").unwrap();
        assert_eq!(local.pinned("abc"), "git+file:prj@abc#subdirectory=py");
        let ssh = GitSource::parse("git+ssh://git@example.org/a.git").unwrap();
        assert_eq!((ssh.url.as_str(), ssh.revision.as_deref()), ("ssh://git@example.org/a.git", None));
        assert_eq!([source.name(), local.name(), ssh.name()], ["b", "prj", "a"]);
        assert_eq!(GitSource::parse("git+https://example.org/..").unwrap().name(), "source");
    }

    #[test]
    fn refuses_what_could_pass_for_an_option_or_leave_the_repository() {
        for input in [
            "https://example.org/a",
            "git+http://example.org/a",
            "git+ext::sh -c x",
            "git+https://example.org/a@--upload-pack=x",
            "git+https://example.org/a@",
            "git+ssh://-oProxyCommand=x/a",
            "git+file:///a#subdirectory=../x",
            "git+file:///a#subdirectory=/x",
        ] {
            assert!(matches!(GitSource::parse(input), Err(GitError::Input { .. })), "{input}");
        }
    }
}
