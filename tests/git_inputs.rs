//! Git inputs, from real repositories: over file, ssh (a stand-in for its program) and https (a server on loopback).

#![cfg(unix)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pyzpack::project::git::{Checkout, GitError, GitSource, commit_time};
use pyzpack::python::environment::resolver_environment;
use pyzpack::status::{Explain, Status};

mod support;
use support::{interpreters, surroundings, write_tree};

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("git")).find(|path| path.is_file());
    found.expect("these tests need git")
}

/// A machine with a repository `repo`: commits `one` (tag v1.0), `two` (main), and `three` on a branch `feature/x`.
struct Place {
    root: tempfile::TempDir,
    changes: Vec<(String, String)>,
    offline: bool,
}

impl Place {
    fn new() -> Self {
        let place = Self { root: tempfile::tempdir().unwrap(), changes: Vec::new(), offline: false };
        for directory in ["home", "repo"] {
            std::fs::create_dir(place.path(directory)).unwrap();
        }
        place.git("repo", &["init", "-q", "-b", "main"]);
        place.commit("repo", "one", 1_000_000_001);
        place.git("repo", &["tag", "-a", "-m", "x", "v1.0"]);
        place.commit("repo", "two", 1_000_000_002);
        place.git("repo", &["checkout", "-q", "-b", "feature/x"]);
        place.commit("repo", "three", 1_000_000_003);
        place.git("repo", &["tag", "later"]);
        place.git("repo", &["checkout", "-q", "main"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn git(&self, directory: &str, arguments: &[&str]) -> String {
        self.git_at(directory, arguments, 1_000_000_000)
    }

    fn git_at(&self, directory: &str, arguments: &[&str], time: u64) -> String {
        let output = Command::new(program())
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.path(directory))
            .env_clear()
            .envs([("PATH", std::env::var_os("PATH").unwrap_or_default()), ("HOME", self.path("home").into())])
            .envs(
                ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|n| (n, "x")),
            )
            .envs(["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"].map(|name| (name, format!("{time} +0200"))))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits a change of the file `version`.
    fn commit(&self, directory: &str, text: &str, time: u64) {
        write_tree(&self.path(directory), &[("version", text), ("py/pyproject.toml", "")]);
        self.git(directory, &["add", "-A"]);
        self.git_at(directory, &["commit", "-q", "-m", text], time);
    }

    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let home = self.path("home");
        let mut changes = vec![("HOME", home.to_str().unwrap()), ("XDG_CONFIG_HOME", "")];
        changes.extend(self.changes.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let surroundings = surroundings(self.root.path(), &changes);
        resolver_environment(&surroundings, &surroundings.temporary, None)
    }

    /// Checks out an input in which REPO stands for the repository's path.
    fn checkout(&self, input: &str) -> Result<Checkout, GitError> {
        let source = GitSource::parse(&input.replace("REPO", self.path("repo").to_str().unwrap()))?;
        let into = tempfile::tempdir_in(self.root.path()).unwrap().keep().join("source");
        source.checkout(Some(&program()), &into, &self.environment(), self.offline)
    }

    fn version(&self, input: &str) -> String {
        let checkout = self.checkout(input).unwrap_or_else(|error| panic!("{input}: {error}"));
        std::fs::read_to_string(checkout.root.join("version")).unwrap()
    }

    /// The message and the status of a refusal.
    fn refusal(&self, input: &str) -> (String, Status) {
        let error = self.checkout(input).unwrap_err();
        (error.to_string().replace(self.root.path().to_str().unwrap(), "DIR"), error.status())
    }

    /// A program that stands for ssh: it takes host and command, and runs the command here.
    fn use_ssh(&mut self) {
        let script = self.path("ssh");
        let note = self.path("ssh-note");
        let text = format!(
            "#!/bin/sh\necho \"$@\" >> {}\nwhile [ \"$#\" -gt 1 ]; do shift; done\nexec sh -c \"$1\"\n",
            note.display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.changes.push(("GIT_SSH_COMMAND".to_owned(), script.to_str().unwrap().to_owned()));
    }
}

#[test]
fn takes_branches_tags_and_commits_long_and_short() {
    let mut place = Place::new();
    place.use_ssh();
    place.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let one = place.git("repo", &["rev-parse", "v1.0^{commit}"]);
    for scheme in ["git+file://", "git+ssh://git@host.example"] {
        for (revision, version) in [
            ("", "two"),
            ("@main", "two"),
            ("@v1.0", "one"),
            ("@feature/x", "three"),
            (&format!("@{one}"), "one"),
            (&format!("@{}", one.to_uppercase()), "one"),
            (&format!("@{}", &one[..9]), "one"),
        ] {
            assert_eq!(place.version(&format!("{scheme}REPO{revision}")), version, "{scheme} {revision}");
        }
    }
    let checkout = place.checkout(&format!("git+file://REPO@{one}#egg=x&subdirectory=py")).unwrap();
    assert_eq!((checkout.commit, checkout.time), (one, 1_000_000_001));
    assert_eq!(checkout.project, checkout.root.join("py"));
    let missing = ("repository `file://DIR/repo` has no revision `no-such`".to_owned(), Status::Refused);
    assert_eq!(place.refusal("git+file://REPO@no-such"), missing);
    let (message, status) = place.refusal("git+file://REPO#subdirectory=no/such");
    let two = place.git("repo", &["rev-parse", "HEAD"]);
    assert_eq!(message, format!("repository `file://DIR/repo` has no directory `no/such` at commit {two}"));
    assert_eq!(status, Status::Refused);
}

#[test]
fn takes_a_commit_that_no_branch_holds_and_no_branch_for_a_commit() {
    let place = Place::new();
    place.git("repo", &["checkout", "-q", "--detach"]);
    place.commit("repo", "four", 1_000_000_004);
    let four = place.git("repo", &["rev-parse", "HEAD"]);
    place.git("repo", &["update-ref", "refs/pull/4/head", &four]);
    place.git("repo", &["checkout", "-q", "main"]);
    place.git("repo", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    assert_eq!(place.version(&format!("git+file://REPO@{four}")), "four");
    assert_eq!(place.version("git+file://REPO@refs/pull/4/head"), "four");
    // A branch whose name is a commit's digits is not that commit.
    let absent = "0123456789".repeat(4);
    place.git("repo", &["update-ref", &format!("refs/heads/{absent}"), &four]);
    let (message, _) = place.refusal(&format!("git+file://REPO@{absent}"));
    assert_eq!(message, format!("repository `file://DIR/repo` has no revision `{absent}`"));
}

#[test]
fn a_checkout_holds_nothing_of_where_and_when_it_was_cloned() {
    let mut place = Place::new();
    place.use_ssh();
    place.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    for input in ["git+file://REPO@main", "git+ssh://git:secret@host.exampleREPO@main"] {
        let root = place.checkout(input).unwrap().root;
        let ask = |arguments: &[&str]| {
            let output = Command::new(program()).args(arguments).current_dir(&root).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        // What backends take versions from is there: the tag before the commit, and not the one after it.
        assert_eq!(ask(&["tag"]), "v1.0");
        assert_eq!(ask(&["describe", "--dirty", "--tags", "--long"]).split("-g").next().unwrap(), "v1.0-1");
        assert_eq!(ask(&["status", "--porcelain"]), "");
        assert_eq!(ask(&["branch", "--all"]), "* (no branch)");
        let mut files = walkdir::WalkDir::new(root.join(".git")).into_iter().map(|entry| entry.unwrap().into_path());
        let telling = files.find(|path| {
            let text = std::fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            text.contains("host.example") || text.contains("secret") || text.contains("/repo")
        });
        assert_eq!(telling, None, "{input}");
    }
    let note = std::fs::read_to_string(place.path("ssh-note")).unwrap();
    assert!(note.contains("git@host.example") && !note.contains("secret"), "{note}");
}

#[test]
fn fetches_submodules_recursively_and_no_directory_of_this_machine_for_a_remote_repository() {
    let mut place = Place::new();
    for (outer, inner) in [("middle", "inner"), ("repo", "middle")] {
        for name in [outer, inner] {
            if !place.path(name).exists() {
                std::fs::create_dir(place.path(name)).unwrap();
                place.git(name, &["init", "-q", "-b", "main"]);
                place.commit(name, name, 1_000_000_000);
            }
        }
        let url = format!("file://{}", place.path(inner).display());
        place.git(outer, &["submodule", "--quiet", "add", &url, "sub"]);
        place.commit(outer, "with a submodule", 1_000_000_000);
    }
    // The repository's submodule is what `middle` was last.
    let root = place.checkout("git+file://REPO").unwrap().root;
    assert_eq!(std::fs::read_to_string(root.join("sub/sub/version")).unwrap(), "inner");

    place.use_ssh();
    let (message, status) = place.refusal("git+ssh://git@host.exampleREPO");
    assert!(
        message.starts_with("git cannot fetch the submodules of `ssh://git@host.exampleDIR/repo` (exit status 1): ")
            && message.contains("fatal: transport 'file' not allowed"),
        "{message}"
    );
    assert_eq!(status, Status::Refused);
}

#[test]
fn refuses_options_and_other_protocols() {
    let mut place = Place::new();
    let note = place.path("note");
    let run = format!("sh -c touch% {}", note.display());
    for input in [
        format!("git+ext::{run}"),
        "git+git://host.example/x".to_owned(),
        "git+http://host.example/x".to_owned(),
        "git+file://REPO@--upload-pack=touch".to_owned(),
        "git+file://REPO@-x".to_owned(),
        "git+ssh://-oProxyCommand=touch/x".to_owned(),
        "git+ssh://%2doProxyCommand=touch/x".to_owned(),
        "git+ssh://git@-oProxyCommand=touch/x".to_owned(),
        "git+ssh://git@%2DoProxyCommand=touch/x".to_owned(),
        "git+file://REPO#subdirectory=../x".to_owned(),
    ] {
        let (message, status) = place.refusal(&input);
        assert!(message.starts_with("not a git input: `"), "{message}");
        assert_eq!(status, Status::Usage);
    }
    // A submodule that names a command.
    let modules = format!("[submodule \"sub\"]\n\tpath = sub\n\turl = ext::{run}\n");
    write_tree(&place.path("repo"), &[(".gitmodules", &modules)]);
    let commit = place.git("repo", &["rev-parse", "HEAD"]);
    place.git("repo", &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},sub")]);
    place.git("repo", &["add", ".gitmodules"]);
    place.git("repo", &["commit", "-q", "-m", "x"]);
    let (message, _) = place.refusal("git+file://REPO");
    assert!(message.contains("fatal: transport 'ext' not allowed"), "{message}");
    assert!(!note.exists());

    place.offline = true;
    let offline = "cannot fetch `https://host.example/x` with --offline".to_owned();
    assert_eq!(place.refusal("git+https://u:secret@host.example/x?token=secret"), (offline, Status::Refused));
}

#[test]
fn runs_nothing_that_a_users_configuration_or_environment_names() {
    let mut place = Place::new();
    let note = place.path("note");
    let script = place.path("script");
    std::fs::write(&script, format!("#!/bin/sh\ntouch {}\n", note.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = place.path("hooks");
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        std::fs::create_dir_all(&hooks).unwrap();
        std::fs::copy(&script, hooks.join(hook)).unwrap();
    }
    let script = script.to_str().unwrap();
    let configuration = format!(
        "[core]\n\thooksPath = {}\n\tfsmonitor = {script}\n\tattributesFile = {}\n\
         [filter \"x\"]\n\tsmudge = {script}\n[init]\n\ttemplateDir = {}\n",
        hooks.display(),
        place.path("attributes").display(),
        hooks.display(),
    );
    write_tree(&place.path("home"), &[(".gitconfig", &configuration)]);
    write_tree(place.root.path(), &[("attributes", "* filter=x\n")]);
    let elsewhere = place.path("elsewhere");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_EXTERNAL_DIFF"] {
        place.changes.push((name.to_owned(), elsewhere.to_str().unwrap().to_owned()));
    }
    assert_eq!(place.version("git+file://REPO@v1.0"), "one");
    assert!(!note.exists(), "a program was run");
    assert!(!elsewhere.exists());
}

#[test]
fn tells_when_the_commit_of_a_project_was_made() {
    let place = Place::new();
    let environment = place.environment();
    let time = |directory: &str| commit_time(Some(&program()), &place.path(directory), &environment);
    assert_eq!(time("repo").unwrap(), 1_000_000_002);
    assert_eq!(time("repo/py").unwrap(), 1_000_000_002);
    std::fs::create_dir(place.path("empty")).unwrap();
    place.git("empty", &["init", "-q"]);
    for directory in ["home", "empty"] {
        let error = time(directory).unwrap_err();
        let message = error.to_string().replace(place.root.path().to_str().unwrap(), "DIR");
        assert_eq!(message, format!("`DIR/{directory}` is in no git repository with a commit"));
        assert_eq!(error.status(), Status::Usage);
    }
    let error = commit_time(None, Path::new("/x"), &environment).unwrap_err();
    assert_eq!(error.to_string(), "no program `git` on PATH, which `/x` needs");
}

/// A server for the repositories of a place, which ends with this value.
struct Server {
    process: std::process::Child,
    port: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `None`, visibly, where there is no openssl to make a certificate with.
fn serve(place: &mut Place) -> Option<Server> {
    use std::io::{BufRead, BufReader};
    let (certificate, key) = (place.path("certificate.pem"), place.path("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("SKIPPED: no openssl here");
        return None;
    }
    let mut process = Command::new(&interpreters().first().expect("these tests need a CPython").executable)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/https_git.py"))
        .args([place.root.path(), &certificate, &key])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
    place.changes.push(("GIT_SSL_CAINFO".to_owned(), certificate.to_str().unwrap().to_owned()));
    Some(Server { process, port: port.trim().to_owned() })
}

#[test]
fn logs_in_over_https_and_tells_nobody() {
    let mut place = Place::new();
    place.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let Some(server) = serve(&mut place) else { return };
    // A helper of the user's own would store what it is given.
    let note = place.path("note");
    let helper = format!("[credential]\n\thelper = \"!cat >> {}; echo\"\n", note.display());
    write_tree(&place.path("home"), &[(".gitconfig", &helper)]);
    let port = server.port.clone();
    let input = format!("git+https://user:pass%2Fword@localhost:{port}/repo@v1.0");
    let checkout = place.checkout(&input).unwrap();
    assert_eq!(std::fs::read_to_string(checkout.root.join("version")).unwrap(), "one");
    assert!(!note.exists(), "{}", std::fs::read_to_string(&note).unwrap());
    for entry in walkdir::WalkDir::new(&checkout.root) {
        let text = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("word") && !text.contains("localhost"), "{text}");
    }
    // In a partial clone what version tools ask for needs no server.
    drop(server);
    let describe = Command::new(program())
        .args(["describe", "--dirty", "--tags", "--long"])
        .current_dir(&checkout.root)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&describe.stdout).starts_with("v1.0-0-g"), "{describe:?}");

    let (message, _) = place.refusal(&input);
    assert!(message.starts_with(&format!("git cannot clone `https://localhost:{port}/repo` (exit status 128): ")));
    assert!(!message.contains("word"), "{message}");
}

#[test]
fn shows_no_login_that_is_wrong() {
    let mut place = Place::new();
    let Some(server) = serve(&mut place) else { return };
    let port = &server.port;
    for login in ["user:hunter22", "token-hunter22"] {
        let (message, status) =
            place.refusal(&format!("git+https://{login}@localhost:{port}/repo?private_token=hunter22"));
        assert!(message.starts_with(&format!("git cannot clone `https://localhost:{port}/repo` (exit status 128): ")));
        assert!(!message.contains("hunter22"), "{message}");
        assert_eq!(status, Status::Refused);
    }
}
