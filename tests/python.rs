//! Interpreters: stand-ins that answer as a given Python would, and every real one that this machine has.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pep440_rs::VersionSpecifiers;
use pyzpack::python::{Interpreter, PythonRequest, default_index, find};
use pyzpack::status::{Explain, Status};
use pyzpack::surroundings::Surroundings;
use pyzpack::target::{MarkerEnvironment, PythonMinor, Threading};
use tempfile::TempDir;

/// A directory of stand-ins, each a shell script that prints an answer without running Python.
struct Shelf {
    directory: TempDir,
}

impl Shelf {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn python(&self, name: &str, version: &str) -> PathBuf {
        let path = self.path(name);
        let numbers: Vec<&str> = version.split('.').collect();
        let executable: Vec<String> = path.to_str().unwrap().bytes().map(|byte| byte.to_string()).collect();
        let answer = format!(
            r#"{{"version":[{},{}],"full_version":"{version}","implementation_name":"cpython","implementation_version":"{version}",
            "abi":{{"debug":false,"free_threaded":{},"wide":true}},"os_name":"posix","sys_platform":"linux","prefix":[47],"path":[],
            "operating_system":{{"system":"Linux","machine":"x86_64","release":"6.1","version":"1","glibc":"glibc 2.36","macos":null,
            "windows_tag":null}},"executable":[{}]}}"#,
            numbers[0],
            numbers[1],
            name.ends_with('t'),
            executable.join(",")
        );
        self.script(name, &format!("cat <<'END'\n{answer}\nEND"))
    }

    fn find(&self, request: Option<&str>, requires: Option<&str>) -> Result<PathBuf, String> {
        let request: Option<PythonRequest> = request.map(|text| text.parse().unwrap());
        let requires: Option<VersionSpecifiers> = requires.map(|text| text.parse().unwrap());
        let search_path = [self.path("bin"), self.path("pyenv/shims")];
        match find(request.as_ref(), &search_path, requires.as_ref(), &own_environment()) {
            Ok(interpreter) => Ok(interpreter.executable.strip_prefix(self.directory.path()).unwrap().to_owned()),
            Err(error) => {
                assert_eq!(error.status(), Status::Machine);
                Err(error.to_string().replace(self.directory.path().to_str().unwrap(), "DIR"))
            }
        }
    }
}

/// Without what a shim sets that started the tests.
fn own_environment() -> BTreeMap<OsString, OsString> {
    env::vars_os().filter(|(name, _)| name != "PYENV_DIR").collect()
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what can fail")]
fn found(path: &str) -> Result<PathBuf, String> {
    Ok(path.into())
}

#[test]
fn takes_python3_where_it_fits_and_else_the_newest_that_does() {
    let shelf = Shelf::new();
    shelf.python("bin/python3", "3.10.4");
    shelf.python("bin/python3.9", "3.9.1");
    shelf.python("bin/python3.11", "3.11.9");
    shelf.python("bin/python3.12", "3.12.1");
    shelf.python("bin/python3.13t", "3.13.0");
    assert_eq!(shelf.find(None, None), found("bin/python3"));
    assert_eq!(shelf.find(None, Some(">=3.11")), found("bin/python3.12"));
    assert_eq!(shelf.find(None, Some(">=3.8,<3.10")), found("bin/python3.9"));
    assert_eq!(shelf.find(None, Some(">=3.10.5,<3.12.1")), found("bin/python3.11"));
}

#[test]
fn takes_the_version_that_was_asked_for() {
    let shelf = Shelf::new();
    shelf.python("bin/python3", "3.11.9");
    shelf.python("bin/python3.12", "3.12.1");
    shelf.python("bin/python3.13", "3.13.0");
    shelf.python("bin/python3.13t", "3.13.0");
    assert_eq!(shelf.find(Some("3.12"), None), found("bin/python3.12"));
    assert_eq!(shelf.find(Some("3.11"), None), found("bin/python3"));
    assert_eq!(shelf.find(Some("3.13t"), None), found("bin/python3.13t"));
    assert_eq!(shelf.find(Some("3"), None), found("bin/python3"));
    assert_eq!(
        shelf.find(Some("3.12.10"), None),
        Err("no Python 3.12.10 was found\n  DIR/bin/python3.12: Python 3.12.1\n  DIR/bin/python3: Python 3.11.9".into())
    );
    assert_eq!(
        shelf.find(Some("3.12"), Some("<3.12")),
        Err("no Python 3.12 that satisfies <3.12 was found\n  DIR/bin/python3.12: Python 3.12.1, which does not satisfy \
             <3.12\n  DIR/bin/python3: Python 3.11.9"
            .into())
    );
}

#[test]
fn looks_behind_a_shim_that_does_not_run() {
    let shelf = Shelf::new();
    shelf.script("pyenv/shims/python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127");
    shelf.python("pyenv/versions/3.12.1/bin/python3.12", "3.12.1");
    shelf.python("pyenv/versions/3.12.10/bin/python3.12", "3.12.10");
    shelf.python("pyenv/versions/3.9.18/bin/python3.9", "3.9.18");
    assert_eq!(shelf.find(Some("3.12"), None), found("pyenv/versions/3.12.10/bin/python3.12"));
    assert_eq!(shelf.find(Some("3.12.1"), None), found("pyenv/versions/3.12.1/bin/python3.12"));
    assert_eq!(shelf.find(None, Some("<3.10")), found("pyenv/versions/3.9.18/bin/python3.9"));
    assert_eq!(
        shelf.find(Some("3.10"), None),
        Err("no Python 3.10 was found".into()),
        "a shim of another version is not asked"
    );
}

#[test]
fn runs_what_a_shim_would_run_without_running_the_shim() {
    let shelf = Shelf::new();
    shelf.script("pyenv/shims/python3", "echo 'the shim ran' >&2; exit 1");
    shelf.python("pyenv/versions/3.9.18/bin/python3", "3.9.18");
    shelf.python("pyenv/versions/3.12.1/bin/python3", "3.12.1");
    fs::create_dir_all(shelf.path("pyenv/versions/empty/bin")).unwrap();
    let shim = "\n  DIR/pyenv/shims/python3: the shim ran";
    for (global, variable, expected) in [
        ("3.9.18\n", "", found("pyenv/versions/3.9.18/bin/python3")),
        ("3.9.18\n", "3.12.1", found("pyenv/versions/3.12.1/bin/python3")),
        ("empty\n3.12.1\n", "", found("pyenv/versions/3.12.1/bin/python3")),
        ("system", "", Err(format!("no Python was found{shim}"))),
        ("3.12", "", Err(format!("no Python was found{shim}"))),
        ("3.12.1", "../versions/3.9.18", Err(format!("no Python was found{shim}"))),
    ] {
        fs::write(shelf.path("pyenv/version"), global).unwrap();
        let mut environment = own_environment();
        environment.insert("PYENV_VERSION".into(), variable.into());
        environment.insert("PWD".into(), env::current_dir().unwrap().into());
        let result = find(None, &[shelf.path("pyenv/shims")], None, &environment);
        let root = shelf.directory.path();
        let result = result
            .map(|interpreter| interpreter.executable.strip_prefix(root).unwrap().to_owned())
            .map_err(|error| error.to_string().replace(root.to_str().unwrap(), "DIR"));
        assert_eq!(result, expected, "{global:?} {variable:?}");
    }
    let mut elsewhere = own_environment();
    elsewhere.remove("PYENV_VERSION".as_ref() as &std::ffi::OsStr);
    elsewhere.insert("PWD".into(), "/".into());
    fs::write(shelf.path("pyenv/version"), "3.12.1").unwrap();
    assert!(find(None, &[shelf.path("pyenv/shims")], None, &elsewhere).is_err(), "PWD is not believed");
}

#[test]
fn takes_a_venv_by_its_root() {
    let shelf = Shelf::new();
    shelf.python("venv/bin/python3", "3.11.9");
    let root = shelf.path("venv/");
    assert_eq!(shelf.find(Some(root.to_str().unwrap()), None), found("venv/bin/python3"));
}

#[test]
fn says_why_each_did_not_fit() {
    let shelf = Shelf::new();
    shelf.python("bin/python3", "3.7.16");
    shelf.script("bin/python3.12", "echo nonsense");
    shelf.script("bin/python3.11", "echo 'Fatal Python error: no codec' >&2; exit 1");
    shelf
        .script("bin/python3.10", r#"echo '{"version":[3,10],"full_version":"3.10.14","implementation_name":"pypy"}'"#);
    fs::write(shelf.path("bin/python3.9"), "not executable").unwrap();
    assert_eq!(
        shelf.find(None, None),
        Err("no Python was found\n  DIR/bin/python3: Python 3.7.16; CPython 3.8 or newer is needed\n  DIR/bin/python3.12: \
             does not answer as a Python interpreter\n  DIR/bin/python3.11: Fatal Python error: no codec\n  \
             DIR/bin/python3.10: PyPy 3.10.14; CPython 3.8 or newer is needed"
            .into())
    );
    let missing = shelf.path("nothing");
    assert_eq!(
        shelf.find(Some(missing.to_str().unwrap()), None),
        Err("no usable Python was found\n  DIR/nothing: cannot be run: No such file or directory (os error 2)".into())
    );
}

#[test]
fn errors_name_the_program() {
    let shelf = Shelf::new();
    let missing = shelf.path("missing");
    let failing =
        shelf.script("failing", "echo 'Traceback (most recent call last):' >&2; echo 'OSError: x' >&2; exit 3");
    let silent = shelf.script("silent", "exit 0");
    let solaris = shelf.python("solaris", "3.11.0");
    let text = fs::read_to_string(&solaris).unwrap();
    fs::write(&solaris, text.replace("\"Linux\"", "\"SunOS\"").replace("\"linux\"", "\"sunos5\"")).unwrap();
    for (path, message) in [
        (&missing, "cannot run `PATH`"),
        (&failing, "`PATH` failed (exit status: 3): OSError: x"),
        (&silent, "`PATH` does not answer as a Python interpreter"),
        (&solaris, "`PATH` runs on `sunos5`, for which no wheel tags are known"),
    ] {
        let error = Interpreter::probe(path, &own_environment()).unwrap_err();
        assert_eq!(error.to_string(), message.replace("PATH", path.to_str().unwrap()));
        assert_eq!(error.status(), Status::Machine);
    }
}

/// Every real interpreter, by pyenv's layout and the system's: (minor version, path).
fn real_pythons() -> Vec<(String, PathBuf)> {
    let root = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let versions = root.and_then(|root| root.join("versions").read_dir().ok()).into_iter().flatten();
    let mut found = vec![("system".to_owned(), PathBuf::from("/usr/bin/python3"))];
    found.extend(
        versions
            .filter_map(Result::ok)
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.path().join("bin/python"))),
    );
    found.retain(|(_, path)| path.exists());
    found
}

/// What the interpreter says when all of its library is there to answer.
fn ask(python: &Path, expression: &str) -> String {
    let code = format!("import os, platform, sys, sysconfig, importlib.util; print({expression})");
    let output = Command::new(python).args(["-c", &code]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn real_interpreters_are_what_their_own_library_says() {
    let mut asked = 0;
    for (name, path) in real_pythons() {
        if ["2.", "3.6.", "3.7."].iter().any(|old| name.starts_with(old)) {
            let error = Interpreter::probe(&path, &own_environment()).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{}` is Python {name}; CPython 3.8 or newer is needed", path.display())
            );
            continue;
        }
        let interpreter = Interpreter::probe(&path, &own_environment()).unwrap();
        let environment = &interpreter.target.environment;
        let expected = ask(
            &path,
            "'|'.join([sys.executable, platform.python_version(), os.name, sys.platform, platform.machine(), \
             platform.release(), platform.system(), platform.version(), platform.python_implementation(), \
             str(bool(importlib.util.find_spec('ensurepip'))), str(bool(importlib.util.find_spec('venv'))), \
             str(bool(importlib.util.find_spec('pip'))), \
             str(os.path.exists(os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED')))])",
        );
        let truth = |value: bool| if value { "True" } else { "False" };
        let answers = [
            interpreter.executable.to_str().unwrap(),
            &interpreter.full_version,
            &environment.os_name,
            &environment.sys_platform,
            &environment.platform_machine,
            &environment.platform_release,
            &environment.platform_system,
            &environment.platform_version,
            &environment.platform_python_implementation,
            truth(interpreter.tools.ensurepip),
            truth(interpreter.tools.venv),
            truth(interpreter.tools.pip),
            truth(interpreter.externally_managed),
        ];
        assert_eq!(answers.join("|"), expected, "{}", path.display());
        assert_eq!(interpreter.target.abi.threading, Threading::Locked);
        asked += 1;
    }
    println!("asked {asked} interpreters");
}

#[test]
fn real_interpreters_have_the_tags_and_markers_that_packaging_gives() {
    let Some(packaging) = env::var_os("PYZPACK_TEST_PACKAGING") else {
        println!("skipped: scripts/check-markers sets PYZPACK_TEST_PACKAGING to a directory that holds `packaging`");
        return;
    };
    let mut compared = 0;
    for (name, path) in real_pythons() {
        let Ok(interpreter) = Interpreter::probe(&path, &own_environment()) else { continue };
        let code = "import json; from packaging import tags, markers; \
                    print(json.dumps([list(map(str, tags.sys_tags())), markers.default_environment()]))";
        let output = Command::new(&path).env("PYTHONPATH", &packaging).args(["-c", code]).output().unwrap();
        if interpreter.target.python == PythonMinor::OLDEST && !output.status.success() {
            println!("skipped: Python {name}, which is too old for this `packaging`");
            continue;
        }
        let (tags, environment): (Vec<String>, MarkerEnvironment) = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(interpreter.target.environment, environment, "{name}");
        assert_eq!(interpreter.target.tags.iter().map(|tag| tag.to_string()).collect::<Vec<_>>(), tags, "{name}");
        compared += tags.len();
    }
    println!("real interpreters: {compared} tags compared, 0 differences");
}

#[test]
fn a_hostile_directory_and_environment_change_nothing() {
    let Some((_, python)) = real_pythons().into_iter().find(|(name, _)| name.starts_with("3.1")) else {
        println!("skipped: no Python 3.10 or newer of pyenv's here");
        return;
    };
    let shelf = Shelf::new();
    for module in ["json.py", "platform.py", "posix.py", "sitecustomize.py", "encodings.py"] {
        fs::write(shelf.path(module), "raise SystemExit('imported')").unwrap();
    }
    let directory = shelf.directory.path().as_os_str().to_owned();
    let environment = BTreeMap::from([
        ("PYTHONPATH".into(), directory.clone()),
        ("PYTHONSTARTUP".into(), shelf.path("json.py").into()),
        ("PYTHONHOME".into(), directory),
        ("LC_ALL".into(), "C".into()),
    ]);
    let interpreter = Interpreter::probe(&python, &environment).unwrap();
    assert!(interpreter.target.python >= PythonMinor::new(3, 10));
}

#[test]
fn a_venv_keeps_its_own_executable_and_is_never_externally_managed() {
    let Some((_, python)) = real_pythons().into_iter().find(|(name, _)| name == "system") else {
        println!("skipped: no /usr/bin/python3 here");
        return;
    };
    let shelf = Shelf::new();
    fs::create_dir_all(shelf.path("venv/bin")).unwrap();
    symlink(&python, shelf.path("venv/bin/python3")).unwrap();
    fs::write(shelf.path("venv/pyvenv.cfg"), format!("home = {}\n", python.parent().unwrap().display())).unwrap();
    let interpreter = Interpreter::probe(&shelf.path("venv/bin/python3"), &own_environment()).unwrap();
    assert_eq!(interpreter.executable, shelf.path("venv/bin/python3"));
    assert!(!interpreter.externally_managed);
    assert!(!interpreter.tools.pip);
}

#[test]
fn real_interpreters_know_the_index_of_their_pip() {
    let world = |environment| Surroundings { environment, temporary: PathBuf::new(), cache: PathBuf::new() };
    let home = TempDir::new().unwrap();
    let mut environment = own_environment();
    let settings = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE"];
    for name in settings {
        environment.remove(OsStr::new(name));
    }
    environment.extend([
        ("HOME".into(), home.path().into()),
        ("XDG_CONFIG_DIRS".into(), home.path().into()),
        ("UV_NO_CONFIG".into(), "1".into()),
    ]);
    let mut found = BTreeSet::new();
    for (name, path) in real_pythons() {
        let Ok(interpreter) = Interpreter::probe(&path, &environment) else { continue };
        match default_index(&world(environment.clone()), &interpreter) {
            Ok(url) => drop(found.insert(url)),
            Err(error) => {
                assert!(!interpreter.tools.pip && !interpreter.tools.ensurepip, "{name}: {error}");
                println!("Python {name} has neither pip nor ensurepip");
            }
        }
        let named = Path::new(&home.path()).join(".config/pip");
        fs::create_dir_all(&named).unwrap();
        fs::write(named.join("pip.conf"), "[global]\nindex-url = https://index.example/simple\n").unwrap();
        let of_file = default_index(&world(environment.clone()), &interpreter);
        assert_eq!(of_file.as_deref(), Ok("https://index.example/simple"), "{name}");
        let mut set = environment.clone();
        set.insert("UV_DEFAULT_INDEX".into(), "own=https://own.example/simple".into());
        assert_eq!(default_index(&world(set), &interpreter).as_deref(), Ok("https://own.example/simple"), "{name}");
        fs::remove_file(named.join("pip.conf")).unwrap();
    }
    println!("{found:?}");
    assert!(found.len() <= 1 && found.iter().all(|url| url.starts_with("https://") && url.ends_with("/simple")));
}

#[test]
fn an_interpreter_without_pip_names_no_index() {
    let shelf = Shelf::new();
    let path = shelf.python("bin/python3", "3.11.4");
    let mut interpreter = Interpreter::probe(&path, &own_environment()).unwrap();
    interpreter.executable = shelf.script("bin/python3", "echo 'it has neither pip nor ensurepip' >&2; exit 1");
    let environment =
        BTreeMap::from([("UV_NO_CONFIG".into(), "1".into()), ("PIP_CONFIG_FILE".into(), "/dev/null".into())]);
    let world = Surroundings { environment, temporary: PathBuf::new(), cache: PathBuf::new() };
    let error = default_index(&world, &interpreter).unwrap_err();
    let python = interpreter.executable.display();
    let message =
        format!("no index is configured, and that of `{python}` is not known: it has neither pip nor ensurepip");
    assert_eq!((error.to_string(), error.status()), (message, Status::Usage));
    assert_eq!(error.hint().as_deref(), Some("name an index with --index-url"));
}
