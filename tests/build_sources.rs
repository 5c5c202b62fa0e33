//! Sources become wheels: isolated, the same bytes under changed conditions, and with errors that tell.

use std::path::Path;
use std::time::Duration;

use filetime::FileTime;
use pyzpack::digest::Sha256Digest;
use pyzpack::process::ScratchDir;
use pyzpack::resolve::{Artifact, Location, RemoteFile, Resolved};
use pyzpack::status::{Explain, Status};
use pyzpack::wheel::build::{Known, Source};
use pyzpack::wheel::collect::{Obtained, Wanted};
use pyzpack::wheel::locked::{LockedRequirements, Unlocked};

mod support;
use support::wheels::Wheel;
use support::{Bench, entries, interpreter, interpreters, network, write_tree};

const C_PROJECT: &[(&str, &str)] = &[
    (
        "pyproject.toml",
        "[build-system]\nrequires = [\"setuptools==80.9.0\"]\nbuild-backend = \"setuptools.build_meta\"\n",
    ),
    (
        "setup.py",
        // Compiled where a directory has a name of chance, in the order of a listing, with all that a compiler can tell.
        "from setuptools import setup, Extension\n\
         import glob, shutil, tempfile\n\
         place = tempfile.mkdtemp(prefix='cext-') + '/src'\n\
         shutil.copytree('src', place)\n\
         told = ['-g3', '-frecord-gcc-switches', '-UNDEBUG']\n\
         cext = Extension('cext', glob.glob(place + '/*.c'), extra_compile_args=told)\n\
         setup(name='cext', version='1.0', py_modules=['pure'], ext_modules=[cext])\n",
    ),
    ("pure.py", "VALUE = 1\n"),
    (
        "src/cext.c",
        "#include <Python.h>\n#include <assert.h>\n\
         extern const char *another(void);\n\
         static const char *file = __FILE__;\n\
         static PyObject *where(PyObject *s, PyObject *a) { assert(file); return PyUnicode_FromFormat(\"%s %s\", file, another()); }\n\
         static PyMethodDef m[] = {{\"where\", where, METH_NOARGS, 0}, {0}};\n\
         static struct PyModuleDef d = {PyModuleDef_HEAD_INIT, \"cext\", 0, -1, m};\n\
         PyMODINIT_FUNC PyInit_cext(void) { return PyModule_Create(&d); }\n",
    ),
    (
        "src/another.c",
        "#ifdef __OPTIMIZE__\nconst char *how = \"compiled to be fast\";\n\
         #else\nconst char *how = \"compiled to be slow\";\n#endif\n\
         const char *another(void) { return __FILE__; }\n",
    ),
];

fn build(bench: &Bench, project: &Path) -> std::path::PathBuf {
    let source = Source::Directory { root: project, project: Path::new("") };
    bench.workshop().build(&source, Known::default(), &[]).expect("a wheel").path
}

#[test]
fn builds_the_same_c_extension_whatever_the_directory_umask_zone_home_and_times() {
    if !network() {
        return;
    }
    let Some(python) = interpreter(11) else {
        eprintln!("SKIPPED: no Python 3.11 here");
        return;
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (one.path().join("p"), two.path().join("a much longer/directory name"));
    write_tree(&first, C_PROJECT);
    write_tree(&second, C_PROJECT);
    filetime::set_file_mtime(first.join("pure.py"), FileTime::from_unix_time(0, 0)).unwrap();
    filetime::set_file_mtime(second.join("src/cext.c"), FileTime::from_unix_time(1, 0)).unwrap();
    // What earlier builds left, and modes of another umask.
    write_tree(&second, &[("build/lib/pure.py", "STALE = 1\n"), ("__pycache__/x.pyc", ""), (".venv/x.py", "")]);
    std::fs::set_permissions(second.join("pure.py"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();

    let plain = Bench::new(one.path(), &python, &[("TZ", "UTC")]);
    let home = two.path().to_str().unwrap();
    let changed = Bench::new(
        two.path(),
        &python,
        &[("TZ", "Asia/Tokyo"), ("HOME", home), ("LC_ALL", "C"), ("PYTHONHASHSEED", "7")],
    );
    let left = build(&plain, &first);
    let mask = rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let right = build(&changed, &second);
    rustix::process::umask(mask);
    assert_eq!(left.file_name(), right.file_name());
    assert_eq!(entries(&left), entries(&right));
    // The interpreter's own flags count.
    let all = entries(&left).into_iter().flat_map(|(.., contents)| contents).collect::<Vec<u8>>();
    let holds = |text: &[u8]| all.windows(text.len()).any(|window| window == text);
    assert!(holds(b"compiled to be fast") && !holds(b"compiled to be slow"));
    assert!(!second.join("cext.egg-info").exists(), "the source tree was touched");
}

const BACKENDS: &[(&str, &[(&str, &str)])] = &[
    (
        "hatchling",
        &[
            (
                "pyproject.toml",
                "[build-system]\nrequires=['hatchling']\nbuild-backend='hatchling.build'\n[project]\nname='demo'\nversion='1'\n",
            ),
            ("demo/__init__.py", ""),
        ],
    ),
    (
        "flit_core",
        &[
            (
                "pyproject.toml",
                "[build-system]\nrequires=['flit_core>=3.2']\nbuild-backend='flit_core.buildapi'\n[project]\nname='demo'\nversion='1'\ndescription='x'\n",
            ),
            ("demo/__init__.py", ""),
        ],
    ),
    (
        "poetry-core",
        &[
            (
                "pyproject.toml",
                "[build-system]\nrequires=['poetry-core']\nbuild-backend='poetry.core.masonry.api'\n[tool.poetry]\nname='demo'\nversion='1'\ndescription=''\nauthors=[]\n",
            ),
            ("demo/__init__.py", ""),
        ],
    ),
    (
        "pdm-backend",
        &[
            (
                "pyproject.toml",
                "[build-system]\nrequires=['pdm-backend']\nbuild-backend='pdm.backend'\n[project]\nname='demo'\nversion='1'\n",
            ),
            ("demo/__init__.py", ""),
        ],
    ),
    (
        "setup.py alone",
        &[
            ("setup.py", "from setuptools import setup\nsetup(name='demo', version='1', py_modules=['demo'])\n"),
            ("demo.py", ""),
        ],
    ),
    (
        "a backend of its own",
        &[
            ("pyproject.toml", "[build-system]\nrequires=[]\nbuild-backend='own:api.hooks'\nbackend-path=['tools']\n"),
            (
                "tools/own.py",
                "import zipfile, types\n\
                 def build_wheel(directory, settings=None, metadata=None):\n\
                 \x20   name = 'demo-1-py3-none-any.whl'\n\
                 \x20   with zipfile.ZipFile(directory + '/' + name, 'w') as z: z.write('demo.py')\n\
                 \x20   return name\n\
                 api = types.SimpleNamespace(hooks=types.SimpleNamespace(build_wheel=build_wheel))\n",
            ),
            ("demo.py", ""),
        ],
    ),
];

#[test]
fn builds_with_every_common_backend_from_a_read_only_tree_with_times_before_1980() {
    if !network() {
        return;
    }
    let Some(python) = interpreter(12) else {
        eprintln!("SKIPPED: no Python 3.12 here");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::new(directory.path(), &python, &[]);
    for (backend, files) in BACKENDS {
        let project = directory.path().join("demo-project");
        write_tree(&project, files);
        for entry in walkdir::WalkDir::new(&project).contents_first(true) {
            let entry = entry.unwrap();
            filetime::set_file_mtime(entry.path(), FileTime::from_unix_time(1, 0)).unwrap();
            let mode = if entry.file_type().is_dir() { 0o555 } else { 0o444 };
            std::fs::set_permissions(entry.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        let source = Source::Directory { root: &project, project: Path::new("") };
        let wheel =
            bench.workshop().build(&source, Known::default(), &[]).unwrap_or_else(|error| panic!("{backend}: {error}"));
        assert_eq!(wheel.name.as_str(), "demo", "{backend}");
        let Obtained::Built { build_requirements, .. } = wheel.obtained else { panic!("{backend}: it was built") };
        assert_eq!(build_requirements.is_empty(), *backend == "a backend of its own", "{build_requirements:?}");
        std::fs::set_permissions(&project, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for entry in walkdir::WalkDir::new(&project).into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
            std::fs::set_permissions(entry.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        std::fs::remove_dir_all(&project).unwrap();
    }
}

#[test]
fn builds_an_sdist_of_the_index_with_every_interpreter() {
    if !network() {
        return;
    }
    for python in interpreters() {
        let directory = tempfile::tempdir().unwrap();
        let bench = Bench::new(directory.path(), &python, &[]);
        let requirements = ["docopt==0.6.2".to_owned()];
        let wanted =
            Wanted { requirements: &requirements, constraints: &[], target: None, directory: directory.path() };
        let wheels =
            bench.workshop().collect(&wanted, &|_, _| {}).unwrap_or_else(|error| panic!("{python:?}: {error:?}"));
        assert_eq!(wheels.len(), 1);
        assert!(wheels[0].filename.starts_with("docopt-0.6.2-"), "{}", wheels[0].filename);
        let Obtained::Built { source, sha256, .. } = &wheels[0].obtained else { panic!("{python:?}: it was built") };
        assert_eq!(source, "docopt-0.6.2.tar.gz");
        let expected = "49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491";
        assert_eq!(sha256.map(|digest| digest.to_string()).as_deref(), Some(expected));
    }
}

/// A project whose backend is its own and does what `body` says.
fn own_backend(directory: &Path, body: &str) -> std::path::PathBuf {
    let project = directory.join("own");
    let hooks = format!("def build_wheel(directory, settings=None, metadata=None):\n    {body}\n");
    let toml = "[build-system]\nrequires=[]\nbuild-backend='hooks'\nbackend-path=['.']\n";
    write_tree(&project, &[("pyproject.toml", toml), ("hooks.py", &hooks)]);
    project
}

#[test]
fn tells_the_end_of_a_failed_build_and_keeps_its_log() {
    let Some(python) = interpreters().into_iter().next() else {
        eprintln!("SKIPPED: no Python here");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::new(directory.path(), &python, &[]);
    let project = own_backend(directory.path(), "print('compiling'); raise ValueError('no such gadget')");
    let source = Source::Directory { root: &project, project: Path::new("") };
    let error = bench.workshop().build(&source, Known::default(), &[]).unwrap_err();
    assert_eq!(error.status(), Status::Refused);
    let message = error.to_string();
    let first = message.lines().next().unwrap();
    assert_eq!(first, "cannot build `own`: build_wheel of hooks failed (exit status 1): ValueError: no such gadget");
    let log = message.lines().last().unwrap().strip_prefix("the full log is ").unwrap();
    assert!(Path::new(log).starts_with(directory.path().join("cache/logs")), "{log}");
    assert!(std::fs::read_to_string(log).unwrap().contains("compiling"));
}

#[test]
fn stops_a_build_at_its_time_limit() {
    let Some(python) = interpreters().into_iter().next() else {
        eprintln!("SKIPPED: no Python here");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(directory.path(), &python, &[]);
    bench.build_timeout = Duration::from_secs(2);
    let project = own_backend(directory.path(), "import time; time.sleep(60)");
    let source = Source::Directory { root: &project, project: Path::new("") };
    let error = bench.workshop().build(&source, Known::default(), &[]).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("cannot build `own`: build_wheel of hooks did not end within 2 s\n"), "{message}");
    assert_eq!(error.hint().as_deref(), Some("raise the limit with --build-timeout"));
}

#[test]
fn tells_which_entries_hold_the_path_of_the_build_directory() {
    let Some(python) = interpreters().into_iter().next() else {
        eprintln!("SKIPPED: no Python here");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::new(directory.path(), &python, &[]);
    let body = "import os, zipfile; z = zipfile.ZipFile(directory + '/own-1-py3-none-any.whl', 'w'); \
                z.writestr('here.txt', 'at ' + os.getcwd()); z.writestr('x.txt', 'x'); z.close(); \
                return 'own-1-py3-none-any.whl'";
    let project = own_backend(directory.path(), body);
    let source = Source::Directory { root: &project, project: Path::new("") };
    let wheel = bench.workshop().build(&source, Known::default(), &[]).unwrap();
    let Obtained::Built { path_dependent, .. } = wheel.obtained else { panic!("it was built") };
    assert_eq!(path_dependent, ["here.txt"]);
}

#[test]
fn refuses_sockets_to_builds_offline() {
    let Some(python) = interpreters().into_iter().next() else {
        eprintln!("SKIPPED: no Python here");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(directory.path(), &python, &[]);
    bench.offline = true;
    let body = "import socket; socket.socketpair(); socket.create_connection(('127.0.0.1', 9))";
    let project = own_backend(directory.path(), body);
    let source = Source::Directory { root: &project, project: Path::new("") };
    let message = bench.workshop().build(&source, Known::default(), &[]).unwrap_err().to_string();
    let expected = "cannot build `own`: build_wheel of hooks failed (exit status 1): PermissionError: \
                    pyzpack runs with --offline: no internet socket may be opened (socket.getaddrinfo)";
    assert_eq!(message.lines().next(), Some(expected));
}

#[test]
fn makes_a_virtual_environment_by_hand_where_the_module_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    for mut python in interpreters() {
        python.tools.venv = false;
        let scratch = ScratchDir::create(directory.path()).unwrap();
        let environment = std::collections::BTreeMap::new();
        let root = scratch.path().join("venv");
        let venv = pyzpack::python::venv::Venv::create(&python, &root, &environment).unwrap();
        std::fs::write(venv.site_packages.join("there.py"), "").unwrap();
        let script = "import there, sys; print(sys.prefix != sys.base_prefix)";
        let output = std::process::Command::new(&venv.python).args(["-I", "-c", script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "True\n", "{python:?}: {output:?}");
    }
}

/// A distribution that a build may need, and a lock's entry for it.
fn helper(directory: &Path, version: &str) -> Resolved {
    let text = format!("VERSION = '{version}'\n");
    let path = Wheel::new("helper", version).file("helper.py", &text).write(&directory.join("wheels"));
    let filename = path.file_name().unwrap().to_str().unwrap().to_owned();
    let sha256 = Some(Sha256Digest::of(&std::fs::read(&path).unwrap()));
    let location = Location::Url(format!("https://files.example/{filename}"));
    let artifact = Artifact::Wheel(RemoteFile { filename, location, sha256, size: None });
    Resolved { name: "helper".parse().unwrap(), version: Some(version.to_owned()), artifact }
}

/// A project that is built with `helper` and packs the helper's version; its backend asks for `asked`.
fn helped(directory: &Path, requires: &str, asked: &str) -> std::path::PathBuf {
    let project = directory.join("helped");
    let toml = format!(
        "[project]\nname='helped'\n[build-system]\nrequires=[{requires}]\nbuild-backend='hooks'\nbackend-path=['.']\n"
    );
    let hooks = format!(
        "import zipfile\n\
         def get_requires_for_build_wheel(settings=None):\n    print('asked')\n    return [{asked}]\n\
         def build_wheel(directory, settings=None, metadata=None):\n\
         \x20   import helper\n\
         \x20   with zipfile.ZipFile(directory + '/helped-1-py3-none-any.whl', 'w') as z:\n\
         \x20       z.writestr(zipfile.ZipInfo('version.txt'), helper.VERSION)\n\
         \x20   return 'helped-1-py3-none-any.whl'\n"
    );
    write_tree(&project, &[("pyproject.toml", &toml), ("hooks.py", &hooks)]);
    project
}

/// A workshop that can ask nobody: what is not locked cannot be had.
fn locked_bench(directory: &Path, packages: Vec<Resolved>) -> Bench {
    let python = interpreters().into_iter().next().expect("these tests need a CPython, 3.8 or newer");
    let mut bench = Bench::new(directory, &python, &[]);
    bench.offline = true;
    bench.index.no_index = true;
    bench.index.find_links = vec![directory.join("wheels")];
    bench.unlocked = Unlocked::Refuse;
    let name = "helped".parse().unwrap();
    bench.locked = vec![LockedRequirements { name, version: None, requires: Vec::new(), packages }];
    bench
}

/// The wheel, or what was wrong and what to do.
fn attempt(bench: &Bench, project: &Path) -> Result<pyzpack::wheel::CollectedWheel, String> {
    let source = Source::Directory { root: project, project: Path::new("") };
    bench.workshop().build(&source, Known::default(), &[]).map_err(|error| {
        use std::error::Error;
        assert_eq!(error.status(), Status::Refused, "{error:?}");
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        let hint = error.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
        format!("{error}{cause}{hint}")
    })
}

#[test]
fn builds_with_exactly_what_the_lock_holds() {
    let directory = tempfile::tempdir().unwrap();
    let one = helper(directory.path(), "1.0");
    // The newest is not the one that is locked.
    helper(directory.path(), "2.0");
    let project = helped(directory.path(), "'helper'", "'helper>=1'");
    let bench = locked_bench(directory.path(), vec![one.clone()]);
    let wheel = attempt(&bench, &project).unwrap();
    assert_eq!(entries(&wheel.path)[0].3, b"1.0");
    let Obtained::Built { build_requirements, locked, .. } = wheel.obtained else { panic!("it was built") };
    assert!(locked);
    let Artifact::Wheel(file) = one.artifact else { panic!("it is a wheel") };
    let found = &build_requirements[0];
    assert_eq!((&*found.version, &found.filename, found.sha256), ("1.0", &file.filename, file.sha256));
}

#[test]
fn refuses_a_build_that_the_lock_is_stale_for() {
    let directory = tempfile::tempdir().unwrap();
    let packages = vec![helper(directory.path(), "1.0")];
    let bench = locked_bench(directory.path(), packages);
    for (requires, asked, requirement, has) in [
        ("'helper>=2'", "", "helper>=2", "helper 1.0"),
        ("'helper', 'wheel'", "", "wheel", "nothing of that name"),
        ("'helper'", "'cython<4'", "cython<4", "nothing of that name"),
    ] {
        let error = attempt(&bench, &helped(directory.path(), requires, asked)).unwrap_err();
        let expected = format!(
            "cannot build `helped`: the lock is stale: the build needs `{requirement}`, the lock has {has}\n\
             run `pyzpack lock`, then build again"
        );
        assert_eq!(error, expected);
    }
    // Requirements of another platform do not count.
    let project = helped(directory.path(), "'helper', 'wheel; sys_platform == \"none\"'", "");
    attempt(&bench, &project).unwrap();
}

#[test]
fn refuses_a_locked_build_requirement_with_another_hash() {
    let directory = tempfile::tempdir().unwrap();
    let mut locked = helper(directory.path(), "1.0");
    let Artifact::Wheel(file) = &mut locked.artifact else { panic!("it is a wheel") };
    let (expected, found) = (Sha256Digest::of(b"another"), file.sha256.unwrap());
    (file.location, file.sha256) =
        (Location::Path(directory.path().join("wheels").join(&file.filename)), Some(expected));
    let error = attempt(&locked_bench(directory.path(), vec![locked]), &helped(directory.path(), "'helper'", ""));
    let message = format!(
        "cannot build `helped`: its build requirements cannot be had: wrong hash of `helper-1.0-py3-none-any.whl`: \
         expected sha256 {expected}, found {found}"
    );
    assert_eq!(error.unwrap_err(), message);
}

#[test]
fn refuses_to_build_with_what_no_lock_holds() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = locked_bench(directory.path(), Vec::new());
    bench.locked.clear();
    helper(directory.path(), "1.0");
    let hint = "run `pyzpack lock`, then build again";
    for (requires, asked) in [("'helper'", ""), ("", "'helper'")] {
        let project = helped(directory.path(), requires, asked);
        let message = "cannot build `helped`: no lock holds what it is built with (helper)";
        assert_eq!(attempt(&bench, &project).unwrap_err(), format!("{message}\n{hint}"));
    }
    let legacy = directory.path().join("legacy");
    write_tree(&legacy, &[("setup.py", "")]);
    let message = "cannot build `legacy`: no lock holds what it is built with (setuptools>=40.8.0)";
    assert_eq!(attempt(&bench, &legacy).unwrap_err(), format!("{message}\n{hint}"));
    // What needs nothing needs no lock; and without `--locked` a resolver chooses.
    let body = "open(directory + '/own-1-py3-none-any.whl', 'w').close(); return 'own-1-py3-none-any.whl'";
    let wheel = attempt(&bench, &own_backend(directory.path(), body)).unwrap();
    assert!(matches!(wheel.obtained, Obtained::Built { locked: false, .. }));
    bench.unlocked = Unlocked::Resolve;
    attempt(&bench, &helped(directory.path(), "'helper'", "")).unwrap();
}

#[test]
fn refuses_before_the_first_source_is_built() {
    let directory = tempfile::tempdir().unwrap();
    let resolved = |name: &str, path: std::path::PathBuf| Resolved {
        name: name.parse().unwrap(),
        version: None,
        artifact: Artifact::Directory(path),
    };
    let note = directory.path().join("note");
    let first = own_backend(directory.path(), &format!("open('{}', 'w').close()", note.display()));
    let second = directory.path().join("second");
    write_tree(&second, &[("setup.py", "")]);
    let packages = vec![resolved("own", first), resolved("second", second)];
    let mut bench = locked_bench(directory.path(), packages);
    let project = helped(directory.path(), "'own'", "");
    bench.locked[0].requires = vec!["own".to_owned()];
    let message = "cannot build `helped`: its build requirements cannot be had: \
                   cannot build `second`: no lock holds what it is built with (setuptools>=40.8.0)\n\
                   run `pyzpack lock`, then build again";
    assert_eq!(attempt(&bench, &project).unwrap_err(), message);
    assert!(!note.exists(), "the first source was built");
}

#[test]
fn builds_several_sources_at_once() {
    if std::thread::available_parallelism().is_ok_and(|processors| processors.get() < 2) {
        eprintln!("SKIPPED: one processor builds one source at a time");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Each ends only when the other has begun.
    let package = |own: &str, other: &str| {
        let name = format!("{own}-1-py3-none-any.whl");
        let toml = "[build-system]\nrequires=[]\nbuild-backend='hooks'\nbackend-path=['.']\n";
        let hooks = format!(
            "import os, time, zipfile\n\
             def build_wheel(directory, settings=None, metadata=None):\n\
             \x20   open('{place}/{own}.begun', 'w').close()\n\
             \x20   end = time.monotonic() + 60\n\
             \x20   while not os.path.exists('{place}/{other}.begun'):\n\
             \x20       assert time.monotonic() < end, 'alone'\n\
             \x20       time.sleep(0.01)\n\
             \x20   with zipfile.ZipFile(directory + '/{name}', 'w') as z: z.writestr('{own}.txt', '')\n\
             \x20   return '{name}'\n",
            place = directory.path().display(),
        );
        let project = directory.path().join(own);
        write_tree(&project, &[("pyproject.toml", toml), ("hooks.py", &hooks)]);
        Resolved { name: own.parse().unwrap(), version: None, artifact: Artifact::Directory(project) }
    };
    let packages = vec![helper(directory.path(), "1.0"), package("one", "two"), package("two", "one")];
    attempt(&locked_bench(directory.path(), packages), &helped(directory.path(), "'helper'", "")).unwrap();
}
