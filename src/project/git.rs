//! Git inputs: `git+https://HOST/PATH@REV#subdirectory=DIR`, and the same with `git+ssh` and `git+file`.
//!
//! The whole history comes along, since backends derive versions from tags; file contents only of the commit itself
//! where the server allows. Credentials reach git through its environment, never its command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{Child, Ended, ProcessError};
use crate::redact::{Secrets, recorded_url, redact_url};
use crate::status::{Explain, Status};
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

/// Why a git input is not had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The text is no git input.
    #[error("not a git input: `{input}` ({rule})")]
    Input {
        /// The text, without credentials.
        input: String,
        /// What it should be.
        rule: &'static str,
    },
    /// It lies beyond the network.
    #[error("cannot fetch `{url}` with --offline")]
    Offline {
        /// The repository.
        url: String,
    },
    /// There is no git.
    #[error("cannot fetch `{url}`: no program `git` on PATH")]
    NoGit {
        /// The repository.
        url: String,
    },
    /// git failed.
    #[error("git cannot {action} `{url}` ({status}): {messages}")]
    Failed {
        /// What it was to do.
        action: &'static str,
        /// The repository.
        url: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        messages: String,
        /// Whether the network was in the way.
        network: bool,
    },
    /// The repository has no such branch, tag or commit.
    #[error("repository `{url}` has no revision `{revision}`")]
    Revision {
        /// The repository.
        url: String,
        /// The revision.
        revision: String,
    },
    /// The repository has no such directory.
    #[error("repository `{url}` has no directory `{}` at commit {commit}", subdirectory.display())]
    Subdirectory {
        /// The repository.
        url: String,
        /// The directory.
        subdirectory: PathBuf,
        /// The commit.
        commit: String,
    },
    /// git did not run to its end.
    #[error("cannot fetch `{url}`")]
    Run {
        /// The repository.
        url: String,
        /// Why.
        source: ProcessError,
    },
}

impl Explain for GitError {
    fn status(&self) -> Status {
        match self {
            Self::Input { .. } => Status::Usage,
            Self::NoGit { .. } | Self::Failed { network: true, .. } => Status::Machine,
            Self::Run { source, .. } => source.status(),
            Self::Offline { .. } | Self::Failed { .. } | Self::Revision { .. } | Self::Subdirectory { .. } => {
                Status::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoGit { .. } => Some("install git".to_owned()),
            Self::Offline { .. } => Some("name a clone on this machine: git+file:///PATH@REV".to_owned()),
            _ => None,
        }
    }
}

impl GitSource {
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
        if url[start..].starts_with('-') || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(refuse("a host does not begin with `-`, a URL has no blanks"));
        }
        let subdirectory = fragment.split('&').find_map(|pair| pair.strip_prefix("subdirectory=")).map(PathBuf::from);
        let inside = |path: &PathBuf| path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if subdirectory.as_ref().is_some_and(|path| !inside(path)) {
            return Err(refuse("a subdirectory stays inside"));
        }
        // ssh takes its user from the URL; its keys are not there.
        let (bare, login) = if scheme == "https" { urls::split_login(&url) } else { (url, None) };
        Ok(Self { url: bare, revision, subdirectory, login })
    }

    /// The input again, without credentials and directories of this machine, at a commit: what is recorded of it.
    pub fn pinned(&self, commit: &str) -> String {
        let fragment = self.subdirectory.as_ref().map(|path| format!("#subdirectory={}", path.display()));
        format!("git+{}@{commit}{}", recorded_url(&self.url), fragment.unwrap_or_default())
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
            return Err(GitError::Offline { url: self.url.clone() });
        }
        let git = git.ok_or_else(|| GitError::NoGit { url: self.url.clone() })?;
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
        let submodules = ["submodule", "--quiet", "update", "--init", "--recursive"].map(OsString::from);
        if into.join(".gitmodules").exists() {
            runner.demand("fetch the submodules of", into, &submodules)?;
        }
        let shown = own.demand("show", into, &["show", "--no-patch", "--format=%ct", &commit].map(OsString::from))?;
        let time = String::from_utf8_lossy(&shown).trim().parse().unwrap_or(0);
        let project = self.subdirectory.as_ref().map_or_else(|| into.to_owned(), |path| into.join(path));
        let stays = project
            .canonicalize()
            .ok()
            .zip(into.canonicalize().ok())
            .is_some_and(|(path, root)| path.starts_with(root));
        if !project.is_dir() || !stays {
            let subdirectory = self.subdirectory.clone().unwrap_or_default();
            return Err(GitError::Subdirectory { url: self.url.clone(), subdirectory, commit });
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
        let mut settings: Vec<(&str, String)> = PINNED.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        if let (Some(login), Some(authority)) = (&self.login, urls::authority(&self.url)) {
            set("PYZPACK_GIT_USER", &login.user);
            set("PYZPACK_GIT_PASSWORD", &login.password);
            let helper = r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$PYZPACK_GIT_USER" "$PYZPACK_GIT_PASSWORD"; }; f"#;
            settings.push(("", format!("credential.https://{authority}.helper={helper}")));
        }
        let first: usize = base
            .get(std::ffi::OsStr::new("GIT_CONFIG_COUNT"))
            .and_then(|count| count.to_str()?.parse().ok())
            .unwrap_or(0);
        let mut count = first;
        for (key, value) in &settings {
            let (key, value) =
                if key.is_empty() { value.split_once('=').unwrap_or(("", "")) } else { (*key, value.as_str()) };
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
        let mut secrets = Secrets::default();
        if let Some(login) = &self.source.login {
            secrets.add(if login.password.is_empty() { &login.user } else { &login.password });
        }
        Child::new(self.git, &self.environment, directory, TIMEOUT)
            .args(arguments)
            .capture_stdout()
            .secrets(&secrets)
            .run()
            .map_err(|source| GitError::Run { url: self.source.url.clone(), source })
    }

    fn demand(&self, action: &'static str, directory: &Path, arguments: &[OsString]) -> Result<Vec<u8>, GitError> {
        let ended = self.run(directory, arguments)?;
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
        let (url, status) = (self.source.url.clone(), ended.describe_status());
        Err(GitError::Failed { action, url, status, messages, network })
    }

    /// The commit of a tag, a commit or a branch of the remote, in this order.
    fn resolve(&self, repository: &Path, revision: &str) -> Result<String, GitError> {
        for name in [format!("refs/tags/{revision}"), format!("refs/remotes/origin/{revision}"), revision.to_owned()] {
            let name = format!("{name}^{{commit}}");
            let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name].map(OsString::from);
            let ended = self.run(repository, &arguments)?;
            let commit = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
            if ended.success() && commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Ok(commit);
            }
        }
        // A commit that no branch or tag holds (a pull request's) can be asked for by itself.
        if revision.len() >= 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let arguments = ["fetch", "--quiet", "origin", revision].map(OsString::from);
            if self.run(repository, &arguments)?.success() {
                return Ok(revision.to_owned());
            }
        }
        Err(GitError::Revision { url: self.source.url.clone(), revision: revision.to_owned() })
    }
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
        assert_eq!((ssh.url.as_str(), ssh.revision), ("ssh://git@example.org/a.git", None));
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
