//! Bad input: the whole message, the documented status, the older output as it was, and nothing half-written.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pyzpack::digest::Sha256Digest;
use rustix::process::{Pid, Signal, kill_process};

mod support;
use support::place::{ANYWHERE, Ended, PROJECT, Place, names, tool};
use support::wheels::{PYPROJECT, Wheel};

/// Runs each command line and compares its status and what it says on standard error.
fn refuses(place: &Place, cases: &[(&[&str], i32, &str)]) {
    for (arguments, status, stderr) in cases {
        assert_eq!(place.run(arguments), Ended::new(*status, "", stderr), "{arguments:?}");
    }
}

#[test]
fn inputs_that_name_nothing() {
    let place = Place::new();
    place.write(&[("notes.txt", ""), ("empty/x", ""), ("job.py", "# /// script\n# dependencies = 3\n# ///\n")]);
    refuses(
        &place,
        &[
            (
                &["build"],
                2,
                "error: `DIR` is not a Python project: it has no pyproject.toml with a project, setup.py, setup.cfg, requirements.txt, Pipfile or lock\n\
                 hint: run it in a project's directory, or name what to pack: `pyzpack build httpie -c http`, \
                 `pyzpack build -r requirements.txt -e app:main`\n",
            ),
            (
                &["build", "./gone"],
                2,
                "error: no such file or directory: `./gone`\nhint: check the path; a distribution is named without `/`\n",
            ),
            (&["build", "gone.whl"], 2, "error: no such file or directory: `gone.whl`\n"),
            (
                &["build", "./notes.txt"],
                2,
                "error: `./notes.txt` is neither a wheel (.whl), a source distribution (.tar.gz, .zip) nor a script \
                 (.py)\n",
            ),
            (
                &["build", "foo bar"],
                2,
                "error: invalid requirement `foo bar`: expected `@`, a version specifier, `,`, `;` or the end at \
                 character 5\n",
            ),
            (
                &["build", "-r", "gone.txt", "-e", "a"],
                2,
                "error: cannot read the requirements file `DIR/gone.txt`: No such file or directory (os error 2)\n",
            ),
            (
                &["build", "-r", "notes.txt"],
                2,
                "error: nothing to start: `DIR` has no packaging metadata, and no entry point is named\n\
                 hint: name the module to start, as in `-e app:main`, and run it in the directory that holds it\n",
            ),
            (
                &["build", "-r", "notes.txt", "-e", "app:main"],
                2,
                "error: no module `app` in `DIR`\n\
                 hint: name the module to start, as in `-e app:main`, and run it in the directory that holds it\n",
            ),
            (
                &["build", "a", "--no-index", "--find-links", "gone"],
                2,
                "error: no such directory: `gone` (from `--find-links`)\n",
            ),
            (
                &["build", "a", "--find-links", "https://u:S3CRET@h.example/x"],
                2,
                "error: `--find-links` takes a directory, and `https://****@h.example/x` is a URL\n\
                 hint: download what it links to, or name an index with `--extra-index-url URL`\n",
            ),
            (
                &["build", "a", "--no-index", "--offline"],
                1,
                "error: requirement `a` of the application: no wheel of `a` was found\n\
                 hint: add a wheel of a to the inputs, or the directory that holds one with `--find-links DIR`\n",
            ),
        ],
    );
    assert_eq!(names(&place.work()), ["empty", "job.py", "notes.txt"].map(str::to_owned).into());
}

#[test]
fn entry_points_that_are_not_there() {
    let place = Place::new();
    Wheel::new("two", "1.0")
        .script("alpha", "two:alpha")
        .script("beta", "two:beta")
        .file("two/__init__.py", "def alpha(): ...\ndef beta(): ...\n")
        .write(&place.work());
    Wheel::new("none", "1.0").file("none.py", "").write(&place.work());
    let two = "./two-1.0-py3-none-any.whl";
    let spelling = "hint: check the spelling, and that the distribution which holds it is among the inputs\n";
    refuses(
        &place,
        &[
            (
                &["build", "./none-1.0-py3-none-any.whl"],
                2,
                "error: no entry point: none has no console script\n\
                 hint: name one with `-e MODULE:FUNCTION`, or with `-e MODULE` to run a module\n",
            ),
            (
                &["build", two],
                2,
                "error: which entry point? two has 2 console scripts: alpha, beta\nhint: choose one with `-c NAME`\n",
            ),
            (
                &["build", two, "-c", "aplha"],
                2,
                "error: no console script `aplha`; did you mean `alpha`?\nhint: there are: alpha, beta\n",
            ),
            (
                &["build", two, "-e", "two:gamma"],
                2,
                &format!("error: `two/__init__.py` defines no `gamma` for the entry point `two:gamma`\n{spelling}"),
            ),
            (
                &["build", two, "-e", "two:alhpa"],
                2,
                &format!(
                    "error: `two/__init__.py` defines no `alhpa` for the entry point `two:alhpa`; did you mean \
                     `alpha`?\n{spelling}"
                ),
            ),
            (
                &["build", two, "-e", "tow:alpha"],
                2,
                &format!(
                    "error: no distribution holds the module `tow` of the entry point `tow:alpha`; did you mean \
                     `two`?\n{spelling}"
                ),
            ),
            (
                &["build", two, "-e", "two"],
                2,
                "error: the package `two` cannot be run: it has no `__main__.py`\n\
                 hint: name a function of it with `-e two:FUNCTION`\n",
            ),
            (
                &["build", two, "-e", "two alpha"],
                2,
                "error: option --entry-point: not an object reference (`module` or `module:object`): `two alpha`\n",
            ),
            (
                &["build", two, "-e", "two:alpha", "-c", "alpha"],
                2,
                "error: `--console-script` and `--entry-point` exclude each other\n",
            ),
        ],
    );
    assert!(!place.path("dist").exists());
}

#[test]
fn wheels_that_do_not_fit_or_are_not_whole() {
    let place = Place::new();
    let wheel = tool("good").write(&place.work());
    let bytes = std::fs::read(&wheel).unwrap();
    std::fs::create_dir(place.path("cut")).unwrap();
    std::fs::write(place.path("cut/good-1.0-py3-none-any.whl"), &bytes[..bytes.len() - 30]).unwrap();
    tool("win").tag("py3-none-win_amd64").write(&place.work());
    tool("old").metadata("Requires-Python: <3.8").write(&place.work());
    tool("one").file("shared.txt", "1").write(&place.work());
    tool("other").file("shared.txt", "2").write(&place.work());
    let cut = place.run(&["build", "cut/good-1.0-py3-none-any.whl"]);
    assert_eq!((cut.status, cut.stdout.as_str()), (1, ""));
    assert_eq!(
        cut.stderr,
        "error: refused wheel `good-1.0-py3-none-any.whl`: no end-of-central-directory record at the very end \
         (truncated, or something was appended) [zip-end-record]\n\
         hint: fetch the wheel again; if it stays refused, ask its publisher for one that follows the specification\n"
    );
    let windows = place.run(&["build", "./win-1.0-py3-none-win_amd64.whl"]);
    let message = "error: requirement `win @ win-1.0-py3-none-win_amd64.whl` of the application: no wheel of \
                   win 1.0 fits CPython 3.";
    assert!(windows.stderr.starts_with(message), "{}", windows.stderr);
    assert!(windows.stderr.ends_with("; found py3-none-win_amd64\n"), "{}", windows.stderr);
    assert_eq!(windows.status, 1);
    let old = place.run(&["build", "./old-1.0-py3-none-any.whl"]);
    let message = "error: requirement `old @ old-1.0-py3-none-any.whl` of the application: old 1.0 needs Python <3.8, the target is ";
    assert!(old.stderr.starts_with(message), "{}", old.stderr);
    let hint = "\nhint: choose another Python with --python or --target-python\n";
    assert!(old.stderr.ends_with(hint), "{}", old.stderr);
    assert_eq!((old.status, old.stdout.as_str()), (1, ""));

    let both = ["build", "./one-1.0-py3-none-any.whl", "./other-1.0-py3-none-any.whl", "-c", "one"];
    let message = "error: `one` and `other` both bring `shared.txt`, with different contents\n\
                   hint: leave one of them out, or choose with `--on-conflict first` or `--on-conflict last` (in the \
                   order of the distributions' names)\n";
    assert_eq!(place.run(&both), Ended::new(1, "", message));
    let first = [&both[..], &["--on-conflict", "first", "-o", "c.pyz"]].concat();
    place.builds(&first, "c.pyz", "2 distributions", ANYWHERE);
}

#[test]
fn hashes_of_requirements_files_are_binding() {
    let place = Place::new();
    let wheel = tool("dep").write(&place.path("wheels"));
    let right = Sha256Digest::of(&std::fs::read(wheel).unwrap());
    let wrong = Sha256Digest::of(b"another");
    let options = "--no-index\n--find-links wheels\n";
    place.write(&[
        ("right.txt", &format!("{options}dep==1.0 --hash=sha256:{wrong} --hash=sha256:{right}\n")),
        ("wrong.txt", &format!("{options}dep==1.0 --hash=sha256:{wrong}\n")),
        ("broken.txt", &format!("{options}dep==1.0 --hash=sha256:12\n")),
        ("app.py", "import dep\n\ndef main(): ...\n"),
    ]);
    let build = |file: &str| place.run(&["build", "-r", file, "-e", "app:main", "-o", "a.pyz"]);
    let message = format!(
        "error: wrong hash of `dep-1.0-py3-none-any.whl`: the requirements file allows sha256 {wrong}; it has {right}\n\
         hint: list the hashes of all files of that version, as `pip-compile --generate-hashes` does\n"
    );
    assert_eq!(build("wrong.txt"), Ended::new(1, "", &message));
    let message = "error: `DIR/broken.txt`, line 3: not a sha256 digest: `dep==1.0 --hash=sha256:12`\n";
    assert_eq!(build("broken.txt"), Ended::new(2, "", message));
    assert!(!place.path("a.pyz").exists());
    place.builds(&["build", "-r", "right.txt", "-e", "app:main", "-o", "a.pyz"], "a.pyz", "1 distribution", ANYWHERE);
}

#[test]
fn hashes_count_wherever_a_requirements_file_has_them() {
    let place = Place::new();
    let dep = tool("dep").write(&place.path("wheels"));
    tool("top").metadata("Requires-Dist: dep").write(&place.path("wheels"));
    let right = Sha256Digest::of(&std::fs::read(dep).unwrap());
    let top = Sha256Digest::of(&std::fs::read(place.path("wheels/top-1.0-py3-none-any.whl")).unwrap());
    let wrong = Sha256Digest::of(b"another");
    let options = "--no-index\n--find-links wheels\n";
    place.write(&[
        ("path.txt", &format!("./wheels/dep-1.0-py3-none-any.whl --hash=sha256:{wrong}\n")),
        ("partial.txt", &format!("{options}top==1.0 --hash=sha256:{top}\n")),
        ("directory.txt", &format!("./wheels --hash=sha256:{wrong}\n")),
        ("whole.txt", &format!("{options}top==1.0 --hash=sha256:{top}\ndep==1.0 --hash=sha256:{right}\n")),
    ]);
    let wrong_hash = format!(
        "error: wrong hash of `dep-1.0-py3-none-any.whl`: the requirements file allows sha256 {wrong}; it has {right}\n\
         hint: list the hashes of all files of that version, as `pip-compile --generate-hashes` does\n"
    );
    let unlisted = "error: the requirements files require hashes, and there is none to check of: dep\n\
                    hint: list them with the hashes of their files, as `pip-compile --generate-hashes` does\n";
    let directory = "error: `DIR/./wheels`: only a wheel or a source distribution can have a hash\n";
    for (file, status, message) in
        [("path.txt", 1, wrong_hash.as_str()), ("partial.txt", 1, unlisted), ("directory.txt", 2, directory)]
    {
        assert_eq!(place.run(&["build", "-r", file, "-c", "dep"]), Ended::new(status, "", message), "{file}");
    }
    place.builds(&["build", "-r", "whole.txt", "-c", "top"], "dist/top.pyz", "2 distributions", ANYWHERE);
}

#[test]
fn a_required_distribution_can_be_started() {
    let place = Place::new();
    tool("dep").write(&place.path("wheels"));
    place.write(&[("r.txt", "--no-index\n--find-links wheels\ndep\n")]);
    for entry in [["-e", "dep:main"], ["-c", "dep"]] {
        let arguments = [&["build", "-r", "r.txt", "-o", "a.pyz"], &entry[..]].concat();
        place.builds(&arguments, "a.pyz", "1 distribution", ANYWHERE);
        assert_eq!(place.start("a.pyz", &["x"]), Ended::new(0, "dep x\n", ""));
        std::fs::remove_file(place.path("a.pyz")).unwrap();
    }
    place.builds(&["build", "-r", "r.txt", "-c", "dep"], "dist/dep.pyz", "1 distribution", ANYWHERE);
}

#[test]
fn a_failed_backend_is_shown_by_its_end_and_its_log() {
    let place = Place::new();
    place.write(PROJECT);
    place.write(&[(
        "backend.py",
        "def build_wheel(directory, settings=None, metadata=None):\n    print('S3CRET')\n    1 / 0\n",
    )]);
    place.write(&[("dist/my-app.pyz", "older"), ("dist/my-app.pyz.sha256", "its digest")]);
    let mut ended = place.run(&["build", "--offline"]);
    let log = ended.stderr.lines().find_map(|line| line.strip_prefix("the full log is ")).unwrap().to_owned();
    assert!(std::fs::read_to_string(&log).unwrap().contains("ZeroDivisionError: division by zero"));
    ended.stderr = ended.stderr.replace(&log, "LOG");
    let message = "error: cannot build `work`: build_wheel of backend failed (exit status 1): ZeroDivisionError: \
                   division by zero\n";
    assert!(ended.stderr.starts_with(message) && ended.stderr.ends_with("\nthe full log is LOG\n"), "{}", ended.stderr);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert_eq!(place.read("dist/my-app.pyz"), "older");
    assert_eq!(place.read("dist/my-app.pyz.sha256"), "its digest");
}

#[test]
fn a_backend_has_a_time_limit() {
    let place = Place::new();
    place.write(PROJECT);
    place.write(&[("backend.py", "import time\ntime.sleep(60)\n")]);
    let ended = place.run(&["build", "--offline", "--build-timeout", "1s"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("did not end within 1 s"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("hint: raise the limit with --build-timeout\n"), "{}", ended.stderr);
    assert!(!place.path("dist").exists());
}

#[test]
fn outputs_that_cannot_be_written() {
    let place = Place::new();
    tool("tool").write(&place.work());
    place.write(&[("directory/x", ""), ("file", "kept")]);
    let wheel = "./tool-1.0-py3-none-any.whl";
    refuses(
        &place,
        &[
            (
                &["build", wheel, "-o", "directory"],
                3,
                "error: the output `DIR/directory` is a directory\nhint: name a file in it, with `-o FILE`\n",
            ),
            (
                &["build", wheel, "-o", "gone/a.pyz"],
                3,
                "error: the directory of the output is missing: `DIR/gone`\n\
                 hint: make it first, or choose another with `-o FILE`\n",
            ),
            (
                &["build", wheel, "-o", "file/a.pyz"],
                3,
                "error: the directory of the output is not a directory: `DIR/file`\nhint: choose another with `-o FILE`\n",
            ),
        ],
    );
    assert_eq!(place.read("file"), "kept");
    std::fs::rename(place.path("file"), place.path("dist")).unwrap();
    let message =
        "error: the directory of the output is not a directory: `DIR/dist`\nhint: choose another with `-o FILE`\n";
    assert_eq!(place.run(&["build", wheel]), Ended::new(3, "", message));
}

#[test]
fn outputs_that_would_replace_what_is_no_archive() {
    let place = Place::new();
    place.write(&[("job.py", "print('job')\n"), ("requirements.txt", "\n")]);
    let wheel = tool("first").write(&place.work());
    let before = std::fs::read(&wheel).unwrap();
    assert!(Command::new("/usr/bin/mkfifo").arg(place.path("pipe")).status().unwrap().success());
    let hint = "hint: name another file, with `-o FILE`\n";
    refuses(
        &place,
        &[
            (
                &["build", "./job.py", "-o", "./job.py"],
                2,
                &format!("error: the output `DIR/./job.py` is one of the inputs\n{hint}"),
            ),
            (
                &["build", "first-1.0-py3-none-any.whl", "-o", "first-1.0-py3-none-any.whl"],
                2,
                &format!("error: the output `DIR/first-1.0-py3-none-any.whl` is one of the inputs\n{hint}"),
            ),
            (
                &["build", "-r", "requirements.txt", "-e", "job", "-o", "requirements.txt"],
                2,
                &format!("error: the output `DIR/requirements.txt` is one of the inputs\n{hint}"),
            ),
            (
                &["build", "./job.py", "-o", "pipe"],
                3,
                &format!("error: the output `DIR/pipe` is not a regular file\n{hint}"),
            ),
            (
                &["build", "./job.py", "-o", "new/"],
                3,
                "error: the output `DIR/new/` is a directory\nhint: name a file in it, with `-o FILE`\n",
            ),
            (&["inspect", "pipe"], 2, "error: cannot read `pipe`: it is not a regular file\n"),
        ],
    );
    assert_eq!(std::fs::read(&wheel).unwrap(), before);
    assert_eq!(place.read("job.py"), "print('job')\n");
}

#[test]
fn a_directory_of_another_user_is_refused_before_anything_is_built() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can run a command as another user");
        return;
    }
    let place = Place::new();
    place.write(PROJECT);
    // Whatever ran the backend would leave its message.
    place.write(&[("backend.py", "raise SystemExit('the backend ran')\n")]);
    for directory in ["", "tmp", "home"] {
        let mode = if directory.is_empty() { 0o755 } else { 0o777 };
        let path = place.root.path().join(directory);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let binary = assert_cmd::cargo::cargo_bin("pyzpack");
    let copied = place.root.path().join("pyzpack");
    std::fs::copy(binary, &copied).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copied)
        .args(["build", "--offline", "-o", "a.pyz"])
        .current_dir(place.work())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", place.root.path().join("home"))
        .env("TMPDIR", place.root.path().join("tmp"))
        .output()
        .unwrap();
    let message = "error: cannot write `DIR/a.pyz`: Permission denied (os error 13)\n\
                   hint: choose a directory that you may write to, with `-o FILE`\n";
    assert_eq!(place.describe(&output), Ended::new(3, "", message));
    place.check_clean();
}

#[test]
fn a_full_standard_output_is_said_and_a_closed_one_is_not() {
    let place = Place::new();
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let run = |stdout: Stdio| {
        let binary = assert_cmd::cargo::cargo_bin("pyzpack");
        let output = Command::new(binary).arg("man").stdout(stdout).stderr(Stdio::piped()).output().unwrap();
        place.describe(&output)
    };
    let message = "error: cannot write to standard output: No space left on device (os error 28)\n";
    assert_eq!(run(full()), Ended::new(3, "", message));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(run(writer.into()), Ended::new(0, "", ""));
    // Where nothing can be said the status still tells.
    let silent =
        Command::new(assert_cmd::cargo::cargo_bin("pyzpack")).args(["inspect", "gone"]).stderr(full()).status();
    assert_eq!(silent.unwrap().code(), Some(2));
}

#[test]
fn pyproject_that_cannot_be_read() {
    let place = Place::new();
    for (text, message) in [
        ("[build-system]\nrequires = [\n\n[x", "line 4: unclosed array, expected `]`"),
        ("[tool.pyzpack]\noutptu = \"x\"", "unknown key `outptu` in [tool.pyzpack]; did you mean `output`?"),
        ("[tool]\npyzpack = 3", "`tool.pyzpack` is not a table"),
    ] {
        place.write(&[("pyproject.toml", &format!("{text}\n"))]);
        assert_eq!(place.run(&["build"]), Ended::new(2, "", &format!("error: `DIR/pyproject.toml`: {message}\n")));
    }
    for (text, message) in [
        ("layout = 3", "`3` is none of: auto, zip, extract"),
        ("layout = [\"zip\"]", "expected a string, found array"),
        ("extra = \"x\"", "expected a list of strings, found string"),
        ("extra = [1]", "expected a list of strings, found array"),
        ("offline = \"yes\"", "expected true or false, found string"),
        ("shebang = \"a\\nb\"", "the shebang holds a control character"),
        ("index-url = 1.5", "expected a string, found float"),
    ] {
        place.write(&[("pyproject.toml", &format!("{PYPROJECT}[tool.pyzpack]\n{text}\n"))]);
        let key = text.split(' ').next().unwrap();
        let message = format!("error: `DIR/pyproject.toml`, key `{key}` in [tool.pyzpack]: {message}\n");
        assert_eq!(place.run(&["build"]), Ended::new(2, "", &message));
    }
}

#[test]
fn no_credential_is_shown_or_kept() {
    const SECRET: &str = "S3CRETx";
    let place = Place::new();
    place.write(PROJECT);
    let url = format!("http://user:{SECRET}@127.0.0.1:9/simple");
    place.write(&[("req.txt", &format!("--index-url {url}\n--extra-index-url {url}\n--bad {url}\n"))]);
    place.write(&[("pyproject.toml", &format!("{PYPROJECT}[tool.pyzpack]\nextra-index-url = [\"{url}\"]\n"))]);
    let given: BTreeSet<_> = names(&place.work());
    let requirement = format!("a @ {url} ; nonsense");
    let git = format!("git+{url}");
    let path = format!("./{url}");
    let switch = format!("--no-index={url}");
    let cases: [(&[&str], i32); 9] = [
        (&["build", "-r", "req.txt", "-e", "a"], 2),
        (&["build", &requirement], 2),
        (&["build", &git], 2),
        (&["build", &path], 2),
        (&["build", &switch], 2),
        (&["build", "--layout", &url], 2),
        (&["build", "--find-links", &url], 2),
        (&["inspect", &url], 2),
        (&["build", "-v", "--index-url", &url], 0),
    ];
    for (arguments, status) in cases {
        let ended = place.run_with(arguments, &[("PYZPACK_FIND_LINKS", "")]);
        assert_eq!(ended.status, status, "{arguments:?}: {}", ended.stderr);
        assert!(!format!("{ended:?}").contains(SECRET), "{arguments:?}: {ended:?}");
    }
    for entry in walkdir::WalkDir::new(place.root.path()) {
        let entry = entry.unwrap();
        let own = entry.path().parent() == Some(place.work().as_path())
            && given.contains(entry.file_name().to_str().unwrap());
        if entry.file_type().is_file() && !own {
            let bytes = std::fs::read(entry.path()).unwrap();
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "a credential is in {}", entry.path().display());
        }
    }
}

#[test]
fn a_signal_while_a_backend_runs_leaves_nothing() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::new();
        place.write(PROJECT);
        let mark = place.root.path().join("began");
        let backend = format!("import time\nopen({:?}, 'w').close()\ntime.sleep(60)\n", mark.to_str().unwrap());
        place.write(&[
            ("backend.py", &backend),
            ("dist/my-app.pyz", "older"),
            ("dist/my-app.pyz.sha256", "its digest"),
        ]);
        let mut process = Command::new(assert_cmd::cargo::cargo_bin("pyzpack"))
            .args(["build", "--offline"])
            .current_dir(place.work())
            .env_clear()
            .env("PATH", place.root.path().join("bin"))
            .env("HOME", place.root.path().join("home"))
            .env("TMPDIR", place.root.path().join("tmp"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !mark.exists() {
            assert!(started.elapsed() < Duration::from_mins(1), "the backend did not begin");
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(status));
        place.check_clean();
        assert_eq!(place.read("dist/my-app.pyz"), "older");
        assert_eq!(names(&place.path("dist")), ["my-app.pyz", "my-app.pyz.sha256"].map(str::to_owned).into());
    }
}

/// A small file system of its own, where this process may mount one.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_the_older_output() {
    let place = Place::new();
    let directory = place.path("disk");
    let Some(_disk) = SmallDisk::mount(&directory) else {
        eprintln!("SKIPPED: no file system can be mounted here");
        return;
    };
    tool("tool").file("large.txt", &"0123456789abcdef".repeat(16_384)).write(&place.work());
    place.write(&[("disk/a.pyz", "older"), ("disk/a.pyz.sha256", "its digest")]);
    let wheel = "./tool-1.0-py3-none-any.whl";
    let message = "error: cannot write `DIR/disk/a.pyz`: No space left on device (os error 28)\n\
                   hint: make room on that file system\n";
    assert_eq!(place.run(&["build", wheel, "-o", "disk/a.pyz", "--compression", "store"]), Ended::new(3, "", message));
    assert_eq!(names(&directory), ["a.pyz", "a.pyz.sha256"].map(str::to_owned).into());
    assert_eq!((place.read("disk/a.pyz"), place.read("disk/a.pyz.sha256")), ("older".into(), "its digest".into()));
}

#[test]
fn build_requirements_that_are_not_at_hand() {
    let place = Place::new();
    place.write(PROJECT);
    place.write(&[("pyproject.toml", &PYPROJECT.replace("requires = []", "requires = [\"maker>=2\"]"))]);
    let message = "error: cannot build `work`: its build requirements cannot be had: requirement `maker>=2` of the \
                   application: no wheel of `maker` was found\n\
                   hint: name the directory that holds a wheel of maker with `--find-links DIR`\n";
    assert_eq!(place.run(&["build", "--no-index"]), Ended::new(1, "", message));
}
