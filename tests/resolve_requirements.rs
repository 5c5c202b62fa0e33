//! Requirements become files: with uv and with pip, offline without a socket, and with errors that name what is wrong.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pyzpack::names::PackageName;
use pyzpack::python::Interpreter;
use pyzpack::resolve::{
    Artifact, IndexOptions, Location, Request, Resolution, ResolveError, TargetOverride, local_requirement, resolve,
};
use pyzpack::status::{Explain, Status};

mod support;
use support::{interpreters, network, surroundings};

/// A PATH with uv on it (`PYZPACK_TEST_UV` names the program, else PATH has it), and one without.
fn paths() -> Vec<(&'static str, String)> {
    let path = std::env::var("PATH").unwrap();
    let with_uv = std::env::var("PYZPACK_TEST_UV")
        .ok()
        .map_or_else(|| path.clone(), |uv| format!("{}:{path}", Path::new(&uv).parent().unwrap().display()));
    let has_uv = |path: &str| std::env::split_paths(path).any(|directory| directory.join("uv").is_file());
    let without: Vec<PathBuf> =
        std::env::split_paths(&path).filter(|directory| !directory.join("uv").is_file()).collect();
    let mut paths = vec![("pip", std::env::join_paths(without).unwrap().into_string().unwrap())];
    if has_uv(&with_uv) {
        paths.push(("uv", with_uv));
    } else {
        eprintln!("SKIPPED with uv: none on PATH, and PYZPACK_TEST_UV names none");
    }
    paths
}

#[derive(Default)]
struct Case<'a> {
    requirements: &'a [&'a str],
    index: IndexOptions,
    offline: bool,
    target: Option<TargetOverride>,
    environment: &'a [(&'a str, &'a str)],
}

fn run(case: &Case<'_>, python: &Interpreter, path: &str) -> Result<Resolution, ResolveError> {
    let directory = tempfile::tempdir().unwrap();
    let mut environment = vec![("PATH", path)];
    environment.extend(case.environment);
    let surroundings = surroundings(directory.path(), &environment);
    let requirements: Vec<String> = case.requirements.iter().map(|text| (*text).to_owned()).collect();
    let request = Request {
        requirements: &requirements,
        constraints: &[],
        index: &case.index,
        interpreter: python,
        target: case.target.as_ref(),
        offline: case.offline,
        directory: directory.path(),
        timeout: Duration::from_mins(2),
        told: &support::UNTOLD,
    };
    resolve(&request, &surroundings, &surroundings.temporary)
}

fn python() -> Option<Interpreter> {
    let python = interpreters().into_iter().find(|python| python.tools.pip);
    if python.is_none() {
        eprintln!("SKIPPED: no Python with pip here");
    }
    python
}

/// A directory with one wheel, which requires nothing.
fn links(directory: &Path) -> PathBuf {
    use std::io::Write;
    let links = directory.join("links");
    std::fs::create_dir_all(&links).unwrap();
    let file = std::fs::File::create(links.join("lonely-1.0-py3-none-any.whl")).unwrap();
    let mut zip = zip::ZipWriter::new(file);
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in [
        ("lonely.py", ""),
        ("lonely-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\n"),
        ("lonely-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ("lonely-1.0.dist-info/RECORD", ""),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    links
}

#[test]
fn both_resolvers_choose_the_same_files() {
    let Some(python) = python().filter(|_| network()) else { return };
    let case = Case { requirements: &["click==8.1.7", "docopt==0.6.2"], ..Case::default() };
    for (resolver, path) in paths() {
        let resolution = run(&case, &python, &path).unwrap();
        assert_eq!(resolution.resolver, resolver);
        let found: Vec<String> = resolution
            .packages
            .iter()
            .map(|package| match &package.artifact {
                Artifact::Wheel(file) => format!("wheel {} {}", file.filename, file.sha256.unwrap()),
                Artifact::Sdist { file, .. } => format!("sdist {} {}", file.filename, file.sha256.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            found,
            [
                "wheel click-8.1.7-py3-none-any.whl ae74fb96c20a0277a1d615f1e4d73c8414f5a98db8b799a7931d1582f3390c28",
                "sdist docopt-0.6.2.tar.gz 49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491",
            ],
            "{resolver}"
        );
    }
}

#[test]
fn takes_a_wheel_at_hand_and_find_links_and_tolerates_missing_directories() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    let links = links(&directory.path().join("a b"));
    let wheel = links.join("lonely-1.0-py3-none-any.whl");
    let name: PackageName = "lonely".parse().unwrap();
    let local = local_requirement(&name, &[], &wheel);
    for (resolver, path) in paths() {
        for requirement in ["lonely", &local] {
            let case = Case {
                requirements: &[requirement],
                index: IndexOptions { find_links: vec![links.clone()], no_index: true, ..IndexOptions::default() },
                offline: true,
                environment: &[("PIP_FIND_LINKS", "/nowhere/at/all"), ("HOME", "/nowhere")],
                ..Case::default()
            };
            let resolution = run(&case, &python, &path).unwrap_or_else(|error| panic!("{resolver}: {error}"));
            let [package] = &resolution.packages[..] else { panic!("{resolution:?}") };
            let Artifact::Wheel(file) = &package.artifact else { panic!("{package:?}") };
            assert_eq!(file.location, Location::Path(wheel.clone()), "{resolver}");
        }
    }
}

#[test]
fn names_a_requirement_that_nobody_has() {
    let Some(python) = python() else { return };
    let sources = tempfile::tempdir().unwrap();
    std::fs::write(sources.path().join("no-such-distribution-2.tar.gz"), "").unwrap();
    for (resolver, path) in paths() {
        let case = Case {
            requirements: &["no-such-distribution==1"],
            // A source distribution is for a resolver to look into.
            index: IndexOptions { no_index: true, find_links: vec![sources.path().into()], ..IndexOptions::default() },
            ..Case::default()
        };
        let error = run(&case, &python, &path).unwrap_err();
        assert_eq!(error.status(), Status::Refused);
        let message = error.to_string();
        let begin = format!("{resolver} cannot resolve `no-such-distribution==1`: ");
        assert!(message.starts_with(&begin) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn tells_that_the_network_is_down_without_the_credentials_of_the_index() {
    let Some(python) = python() else { return };
    for (resolver, path) in paths() {
        // Port 9 is closed: nothing listens there.
        let index = "http://planted:pa55w0rd@127.0.0.1:9/simple";
        let case = Case {
            requirements: &["click"],
            index: IndexOptions { index_url: Some(index.to_owned()), ..IndexOptions::default() },
            environment: &[("PIP_RETRIES", "1"), ("UV_HTTP_RETRIES", "0")],
            ..Case::default()
        };
        let error = run(&case, &python, &path).unwrap_err();
        assert_eq!(error.status(), Status::Machine, "{resolver}: {error}");
        assert!(!format!("{error} {error:?}").contains("pa55w0rd"), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{resolver} cannot reach an index: ")), "{error}");
    }
}

#[test]
fn resolves_for_another_target_with_uv_and_says_that_pip_cannot() {
    let Some(python) = python().filter(|_| network()) else { return };
    for (resolver, path) in paths() {
        let case = Case {
            requirements: &["colorama==0.4.6; sys_platform == 'win32'", "tomli==2.0.1; python_version < '3.11'"],
            target: Some(TargetOverride { python: Some((3, 10)), platform: Some("win_amd64".to_owned()) }),
            ..Case::default()
        };
        let result = run(&case, &python, &path);
        if resolver == "uv" {
            let names: Vec<String> = result.unwrap().packages.iter().map(|package| package.name.to_string()).collect();
            assert_eq!(names, ["colorama", "tomli"]);
        } else {
            let expected =
                "cannot resolve for Python 3.10 on win_amd64 with pip: it resolves for the Python that runs it";
            assert_eq!(result.unwrap_err().to_string(), expected);
        }
    }
}

#[test]
fn says_what_to_install_where_there_is_no_resolver() {
    let Some(mut python) = python() else { return };
    (python.tools.pip, python.tools.ensurepip) = (false, false);
    let (_, path) = paths().swap_remove(0);
    let error = run(&Case { requirements: &["click"], ..Case::default() }, &python, &path).unwrap_err();
    assert_eq!(error.status(), Status::Machine);
    assert!(error.hint().unwrap().starts_with("install uv, or "), "{error}");
}

#[test]
fn makes_pip_where_only_ensurepip_is_there() {
    let Some(mut python) = python().filter(|python| python.tools.ensurepip) else { return };
    python.tools.pip = false;
    let directory = tempfile::tempdir().unwrap();
    let links = links(directory.path());
    let (_, path) = paths().swap_remove(0);
    let index = IndexOptions { find_links: vec![links], no_index: true, ..IndexOptions::default() };
    let case = Case { requirements: &["lonely"], index, offline: true, ..Case::default() };
    assert_eq!(run(&case, &python, &path).unwrap().packages.len(), 1);
}

/// Runs `opens_no_internet_socket_offline` again under strace and reads which sockets were opened.
#[test]
fn opens_no_internet_socket_offline() {
    const INNER: &str = "PYZPACK_TEST_TRACED";
    let Some(python) = python() else { return };
    if std::env::var_os(INNER).is_some() {
        let directory = tempfile::tempdir().unwrap();
        let index = IndexOptions { find_links: vec![links(directory.path())], ..IndexOptions::default() };
        let case = Case { requirements: &["lonely"], index, offline: true, ..Case::default() };
        for (resolver, path) in paths() {
            run(&case, &python, &path).unwrap_or_else(|error| panic!("{resolver}: {error}"));
        }
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIPPED: no strace here");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-e", "trace=socket,execve", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "opens_no_internet_socket_offline", "--nocapture"])
        .env(INNER, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("execve("), "nothing was traced");
    let opened: Vec<&str> = trace.lines().filter(|line| line.contains("AF_INET")).collect();
    assert_eq!(opened, Vec::<&str>::new());
}
