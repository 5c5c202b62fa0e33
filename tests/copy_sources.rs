//! Sources come into the scratch directory as they are, clamped, and never by a way out of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pyzpack::project::git::{GitError, GitSource};
use pyzpack::project::sdist::{Limits, unpack_sdist};
use pyzpack::project::sources::{Revision, SourceCopy, SourcesError, copy_sources, list_sources};
use pyzpack::status::{Explain, Status};

mod support;
use support::{EPOCH, write_tree};

fn environment() -> BTreeMap<OsString, OsString> {
    [("PATH".into(), std::env::var_os("PATH").unwrap()), ("HOME".into(), "/nowhere".into())].into()
}

fn git_program() -> Option<PathBuf> {
    let found =
        std::env::split_paths(&std::env::var_os("PATH")?).map(|path| path.join("git")).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no git here");
    }
    found
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.org",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(directory)
        .envs([("GIT_COMMITTER_DATE", "1700000000 +0000"), ("GIT_AUTHOR_DATE", "1700000000 +0000")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Files and links below a directory, without git's own, sorted.
fn listing(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = walkdir::WalkDir::new(root)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != ".git")
        .flatten()
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| entry.path().strip_prefix(root).unwrap().display().to_string())
        .collect();
    names.sort();
    names
}

fn copy(tree: &Path, git: Option<&Path>) -> Result<(tempfile::TempDir, SourceCopy), SourcesError> {
    let directory = tempfile::tempdir().unwrap();
    let copied = copy_sources(tree, &directory.path().join("source"), EPOCH, git, &environment())?;
    Ok((directory, copied))
}

#[test]
fn copies_without_git_everything_but_what_tools_leave() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(
        tree.path(),
        &[
            ("a.py", ""),
            ("pkg/build/__init__.py", ""),
            ("build/x", ""),
            ("dist/x", ""),
            ("env/pyvenv.cfg", ""),
            ("pkg/__pycache__/a.pyc", ""),
            ("pkg/node_modules/x", ""),
            ("pkg.egg-info/SOURCES.txt", ""),
            ("target/__init__.py", ""),
        ],
    );
    symlink("a.py", tree.path().join("link.py")).unwrap();
    std::fs::set_permissions(tree.path().join("a.py"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let (_kept, copied) = copy(tree.path(), None).unwrap();
    assert_eq!(listing(&copied.root), ["a.py", "link.py", "pkg/build/__init__.py", "target/__init__.py"]);
    assert_eq!(copied.revision, Revision::None);
    for entry in walkdir::WalkDir::new(&copied.root).into_iter().flatten() {
        let metadata = entry.path().symlink_metadata().unwrap();
        assert_eq!(metadata.mtime(), i64::try_from(EPOCH).unwrap(), "{entry:?}");
        if !metadata.is_symlink() {
            let executable = metadata.is_dir() || entry.file_name() == "a.py";
            assert_eq!(metadata.mode() & 0o7777, if executable { 0o755 } else { 0o644 }, "{entry:?}");
        }
    }
}

#[test]
fn copies_all_of_what_nobody_may_write_to() {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    write_tree(&tree, &[("a.py", ""), ("build/x", ""), ("pkg/node_modules/x", ""), ("pkg/.git/config", "")]);
    let list = || -> Vec<String> {
        let listed = list_sources(&tree, None, &environment()).unwrap();
        let (_kept, copied) = copy(&tree, None).unwrap();
        let listed: Vec<String> = listed.iter().map(|path| path.display().to_string()).collect();
        assert_eq!(listed, listing(&copied.root));
        listed
    };
    assert_eq!(list(), ["a.py"]);
    let set_mode = |mode| std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o555);
    assert_eq!(list(), ["a.py", "build/x", "pkg/node_modules/x"]);
    set_mode(0o755);
}

#[test]
fn copies_with_git_what_is_tracked_or_not_ignored_submodules_included() {
    let Some(program) = git_program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (inner, tree) = (directory.path().join("inner"), directory.path().join("tree"));
    for repository in [&inner, &tree] {
        std::fs::create_dir(repository).unwrap();
        git(repository, &["init", "-q"]);
        write_tree(repository, &[("tracked.py", ""), (".gitignore", "ignored*\n"), ("build/tracked", "")]);
        git(repository, &["add", "."]);
        git(repository, &["commit", "-qm", "one"]);
    }
    git(&tree, &["submodule", "--quiet", "add", inner.to_str().unwrap(), "sub"]);
    git(&tree, &["commit", "-qm", "two"]);
    git(&tree, &["tag", "v1.0"]);
    write_tree(&tree, &[("new \u{fc}.py", ""), ("ignored.py", "")]);
    std::fs::remove_file(tree.join("tracked.py")).unwrap();
    let before = std::fs::metadata(tree.join(".git/index")).unwrap().modified().unwrap();
    let (_kept, copied) = copy(&tree, Some(&program)).unwrap();
    assert_eq!(
        listing(&copied.root),
        [
            ".gitignore",
            ".gitmodules",
            "build/tracked",
            "new \u{fc}.py",
            "sub/.gitignore",
            "sub/build/tracked",
            "sub/tracked.py"
        ]
    );
    let commit = git(&tree, &["rev-parse", "HEAD"]);
    assert_eq!(copied.revision, Revision::Git { commit: Some(commit) });
    assert_eq!(git(&copied.root, &["describe", "--tags", "--long"])[..6], *"v1.0-0");
    assert_eq!(std::fs::metadata(tree.join(".git/index")).unwrap().modified().unwrap(), before);
    // A directory that the repository around it ignores is copied as if there were no git.
    write_tree(&tree, &[("ignored-project/setup.py", "")]);
    let (_kept, copied) = copy(&tree.join("ignored-project"), Some(&program)).unwrap();
    assert_eq!((listing(&copied.root), copied.revision), (vec!["setup.py".to_owned()], Revision::None));
}

#[test]
fn leaves_out_the_links_to_what_nix_built() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path(), &[("a.py", ""), ("deep/b.py", "")]);
    for link in ["result", "result-dev"] {
        symlink("/nix/store/abc-a-1.0", tree.path().join(link)).unwrap();
    }
    assert_eq!(listing(&copy(tree.path(), None).unwrap().1.root), ["a.py", "deep/b.py"]);
    for link in ["results", "deep/result", "deep/result-dev"] {
        symlink("/nix/store/abc-a-1.0", tree.path().join(link)).unwrap();
        assert!(matches!(copy(tree.path(), None), Err(SourcesError::LinkLeaves { .. })), "{link}");
        std::fs::remove_file(tree.path().join(link)).unwrap();
    }
    // One that stays is a file like any other.
    std::fs::remove_file(tree.path().join("result")).unwrap();
    symlink("a.py", tree.path().join("result")).unwrap();
    assert_eq!(listing(&copy(tree.path(), None).unwrap().1.root), ["a.py", "deep/b.py", "result"]);
}

#[test]
fn refuses_links_that_leave_the_tree_and_special_files() {
    for (target, link) in [("/etc/passwd", "x"), ("../x", "x"), ("d/../..", "deep/x")] {
        let tree = tempfile::tempdir().unwrap();
        write_tree(tree.path(), &[("deep/d/f", "")]);
        if link == "deep/x" {
            std::fs::remove_dir_all(tree.path().join("deep/d")).unwrap();
            symlink("..", tree.path().join("deep/d")).unwrap();
        }
        symlink(target, tree.path().join(link)).unwrap();
        let error = copy(tree.path(), None).unwrap_err();
        assert!(
            matches!(&error, SourcesError::LinkLeaves { link: found, .. } if found == Path::new(link)),
            "{error:?}"
        );
        assert_eq!(error.status(), Status::Refused);
    }
    let tree = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("s")).unwrap();
    assert!(matches!(copy(tree.path(), None), Err(SourcesError::Special { path, .. }) if path == Path::new("s")));
}

/// A .tar.gz of entries: name, type, content or link target. Names are written as they are, however hostile.
fn tar_gz(path: &Path, entries: &[(&str, tar::EntryType, &str)]) {
    let file = flate2::write::GzEncoder::new(std::fs::File::create(path).unwrap(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(file);
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o640);
        let body = if kind.is_file() { content.as_bytes() } else { b"" };
        if !kind.is_file() && !kind.is_dir() {
            header.as_ustar_mut().unwrap().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(body.len() as u64);
        header.set_cksum();
        builder.append(&header, body).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap().flush().unwrap();
}

fn unpack(archive: &Path, limits: Limits) -> Result<Vec<String>, String> {
    let into = tempfile::tempdir().unwrap();
    let top = unpack_sdist(archive, into.path(), limits, EPOCH).map_err(|error| error.to_string())?;
    Ok(listing(&top))
}

#[test]
fn unpacks_sdists_with_links_inside() {
    use tar::EntryType as Kind;
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("a-1.tar.gz");
    tar_gz(
        &archive,
        &[
            ("a-1/", Kind::dir(), ""),
            ("a-1/link", Kind::symlink(), "f"),
            ("a-1/f", Kind::file(), "x"),
            ("a-1/hard", Kind::hard_link(), "a-1/f"),
        ],
    );
    assert_eq!(unpack(&archive, Limits::default()), Ok(["f", "hard", "link"].map(str::to_owned).to_vec()));
    let zipped = directory.path().join("a-1.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&zipped).unwrap());
    zip.start_file("a-1/setup.py", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    assert_eq!(unpack(&zipped, Limits::default()), Ok(vec!["setup.py".to_owned()]));
}

#[test]
fn refuses_hostile_sdists_naming_entry_and_rule() {
    use tar::EntryType as Kind;
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("a-1.tar.gz");
    let refusal = |entries: &[(&str, Kind, &str)], limits| {
        tar_gz(&archive, entries);
        unpack(&archive, limits).unwrap_err()
    };
    let one = |name, kind, content| refusal(&[("a-1/ok", Kind::file(), ""), (name, kind, content)], Limits::default());
    let entry = |name: &str, rule: &str| format!("source distribution `a-1.tar.gz`: entry `{name}` {rule}");
    assert_eq!(one("/etc/x", Kind::file(), ""), entry("/etc/x", "is absolute"));
    assert_eq!(one("a-1/../../x", Kind::file(), ""), entry("a-1/../../x", "goes up with `..`"));
    assert_eq!(one("a-1/l", Kind::symlink(), "../../x"), entry("a-1/l", "is a link that leaves the tree"));
    assert_eq!(one("a-1/l", Kind::symlink(), "/etc"), entry("a-1/l", "is a link that leaves the tree"));
    assert_eq!(one("a-1/l", Kind::hard_link(), "/etc/passwd"), entry("/etc/passwd", "is absolute"));
    assert_eq!(one("a-1/l", Kind::hard_link(), "a-1/no"), entry("a-1/l", "is a hard link to what was not unpacked"));
    assert_eq!(one("a-1/d", Kind::block_special(), ""), entry("a-1/d", "is neither a file, a directory nor a link"));
    assert_eq!(
        one("b/x", Kind::file(), ""),
        "source distribution `a-1.tar.gz`: expected one top directory, found `a-1`, `b`"
    );
    let large = [("a-1/x", Kind::file(), "12345")];
    let tight = Limits { bytes: 4, ..Limits::default() };
    assert_eq!(refusal(&large, tight), "source distribution `a-1.tar.gz` unpacks to more than 4 bytes");
    let few = Limits { entries: 0, ..Limits::default() };
    assert_eq!(refusal(&large, few), "source distribution `a-1.tar.gz` unpacks to more than 0 entries");
    // A file that would be written through a link: the link is made last, so the name is taken.
    tar_gz(&archive, &[("a-1/l", Kind::symlink(), "."), ("a-1/l/x", Kind::file(), "")]);
    assert!(unpack(&archive, Limits::default()).is_err());
    tar_gz(&archive, &large);
    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(
        unpack(&archive, Limits::default()),
        Err("cannot unpack the source distribution `a-1.tar.gz`".to_owned())
    );
}

#[test]
fn checks_out_a_revision_and_refuses_what_is_not_there() {
    let Some(program) = git_program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let repository = directory.path().join("r");
    std::fs::create_dir(&repository).unwrap();
    git(&repository, &["init", "-q"]);
    write_tree(&repository, &[("pkg/setup.py", "one")]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-qm", "one"]);
    git(&repository, &["tag", "v1"]);
    let first = git(&repository, &["rev-parse", "HEAD"]);
    write_tree(&repository, &[("pkg/setup.py", "two")]);
    git(&repository, &["commit", "-qam", "two"]);
    let url = format!("git+file://{}", repository.display());
    let checkout = |suffix: &str, name: &str| {
        let source = GitSource::parse(&format!("{url}{suffix}")).unwrap();
        source.checkout(Some(&program), &directory.path().join(name), &environment(), true)
    };
    for (index, suffix) in ["@v1#subdirectory=pkg", &format!("@{first}#subdirectory=pkg")].iter().enumerate() {
        let found = checkout(suffix, &format!("c{index}")).unwrap();
        assert_eq!((&found.commit, found.time), (&first, 1_700_000_000));
        assert_eq!(std::fs::read_to_string(found.project.join("setup.py")).unwrap(), "one");
    }
    let head = checkout("", "head").unwrap();
    assert_eq!(std::fs::read_to_string(head.project.join("pkg/setup.py")).unwrap(), "two");
    assert!(matches!(checkout("@nope", "n"), Err(GitError::Revision { revision, .. }) if revision == "nope"));
    assert!(matches!(checkout("#subdirectory=nope", "s"), Err(GitError::Subdirectory { .. })));
    let far = GitSource::parse("git+https://u:pa55w0rd@example.invalid/r").unwrap();
    let error = far.checkout(Some(&program), &directory.path().join("far"), &environment(), true).unwrap_err();
    assert_eq!(error.to_string(), "cannot fetch `https://example.invalid/r` with --offline");
}

/// A home whose git configuration ignores, converts and filters.
fn meddling_home(directory: &Path) -> BTreeMap<OsString, OsString> {
    let home = directory.join("home");
    let attributes = home.join("attributes").display().to_string();
    write_tree(
        &home,
        &[
            (".config/git/ignore", "data.txt\n"),
            ("attributes", "*.txt text eol=crlf\n"),
            ("template/hooks/post-checkout", "#!/bin/sh\necho hook > data.txt\n"),
            ("template/info/attributes", "*.txt text eol=crlf\n"),
        ],
    );
    let template = home.join("template");
    std::fs::set_permissions(template.join("hooks/post-checkout"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let configuration = format!(
        "[core]\neol = crlf\nautocrlf = true\nfileMode = false\nsymlinks = false\nattributesFile = {attributes}\n\
         [init]\ntemplateDir = {}\n[clone]\ndefaultRemoteName = upstream\n[log]\nshowSignature = true\n",
        template.display()
    );
    std::fs::write(home.join(".gitconfig"), configuration).unwrap();
    let mut environment = environment();
    environment.insert("HOME".into(), home.into());
    environment
}

#[test]
fn copies_the_same_files_whatever_one_user_ignores() {
    let Some(program) = git_program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    git(&tree, &["init", "-q"]);
    write_tree(&tree, &[("data.txt", ""), ("local.py", ""), (".gitignore", "ignored\n"), ("ignored", "")]);
    write_tree(&tree, &[(".git/info/exclude", "local.py\n")]);
    let into = directory.path().join("copy");
    copy_sources(&tree, &into, EPOCH, Some(&program), &meddling_home(directory.path())).unwrap();
    assert_eq!(listing(&into), [".gitignore", "data.txt", "local.py"]);
}

#[test]
fn runs_no_filter_that_a_repository_names() {
    let Some(program) = git_program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    git(&tree, &["init", "-q"]);
    write_tree(&tree, &[("a.py", "one"), (".gitattributes", "*.py filter=f\n")]);
    git(&tree, &["add", "."]);
    git(&tree, &["commit", "-qm", "one"]);
    let mark = directory.path().join("ran");
    git(&tree, &["config", "filter.f.clean", &format!("touch '{}'; cat", mark.display())]);
    write_tree(&tree, &[("a.py", "two")]);
    let (_kept, copied) = copy(&tree, Some(&program)).unwrap();
    assert_eq!(copied.revision, Revision::Git { commit: Some(git(&tree, &["rev-parse", "HEAD"])) });
    assert!(!mark.exists());
}

#[test]
fn checks_out_the_same_bytes_whatever_the_user_configured() {
    let Some(program) = git_program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let repository = directory.path().join("r");
    std::fs::create_dir(&repository).unwrap();
    git(&repository, &["init", "-q"]);
    let attributes = "*.md text\n";
    write_tree(&repository, &[("data.txt", "a\nb\n"), ("read.md", "a\nb\n"), (".gitattributes", attributes)]);
    symlink("data.txt", repository.join("link")).unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-qm", "one"]);
    let source = GitSource::parse(&format!("git+file://{}@main", repository.display())).unwrap();
    let home = meddling_home(directory.path());
    let found = source.checkout(Some(&program), &directory.path().join("c"), &home, true).unwrap();
    let read = |name: &str| std::fs::read_to_string(found.project.join(name)).unwrap();
    assert_eq!((read("data.txt").as_str(), read("read.md").as_str()), ("a\nb\n", "a\nb\n"));
    assert!(found.project.join("link").is_symlink());
    assert_eq!(found.time, 1_700_000_000);
}

#[test]
fn lists_what_it_would_copy() {
    let Some(program) = git_program() else { return };
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    write_tree(
        &tree,
        &[
            ("main.py", ""),
            ("local.py", ""),
            ("lib/a.py", ""),
            ("lib/cache.bin", ""),
            ("deleted.py", ""),
            ("__pycache__/main.pyc", ""),
            (".gitignore", "local.py\n*.bin\n__pycache__/\n"),
        ],
    );
    let listed = |git: Option<&Path>| {
        let mut listed: Vec<String> =
            list_sources(&tree, git, &environment()).unwrap().iter().map(|path| path.display().to_string()).collect();
        listed.sort();
        listed
    };
    let everything = [".gitignore", "deleted.py", "lib/a.py", "lib/cache.bin", "local.py", "main.py"];
    assert_eq!(listed(None), everything);
    git(&tree, &["init", "-q"]);
    git(&tree, &["add", "."]);
    std::fs::remove_file(tree.join("deleted.py")).unwrap();
    let into = place.path().join("copy");
    copy_sources(&tree, &into, EPOCH, Some(&program), &environment()).unwrap();
    assert_eq!(listed(Some(&program)), [".gitignore", "lib/a.py", "main.py"]);
    assert_eq!(listed(Some(&program)), listing(&into));
}

#[test]
fn copies_no_login_and_no_program_of_a_repositorys_configuration() {
    let Some(program) = git_program() else { return };
    let tree = tempfile::tempdir().unwrap();
    git(tree.path(), &["init", "-q"]);
    write_tree(tree.path(), &[("a.py", "")]);
    git(tree.path(), &["add", "-A"]);
    git(tree.path(), &["commit", "-q", "-m", "x"]);
    git(tree.path(), &["tag", "v1.0"]);
    let note = tree.path().join("note");
    let run = format!("touch {}", note.display());
    for (key, value) in [
        ("remote.origin.url", "https://user:secret@host.example/x"),
        ("http.https://host.example/.extraheader", "AUTHORIZATION: basic secret"),
        ("core.fsmonitor", &run),
        ("core.sshCommand", &run),
    ] {
        git(tree.path(), &["config", key, value]);
    }
    std::fs::write(tree.path().join(".git/FETCH_HEAD"), "https://user:secret@host.example/x").unwrap();
    let (directory, copy) = copy(tree.path(), Some(&program)).unwrap();
    let text = std::fs::read_to_string(copy.root.join(".git/config")).unwrap();
    assert!(text.contains("repositoryformatversion") && !text.contains("secret") && !text.contains("touch"), "{text}");
    assert!(!copy.root.join(".git/FETCH_HEAD").exists());
    assert_eq!(git(&copy.root, &["describe", "--tags", "--dirty"]), "v1.0");
    assert!(!note.exists());
    drop(directory);
}
