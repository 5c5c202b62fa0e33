//! The command line as its users meet it: whole outputs, exit statuses, and what is left on disk. Nothing here needs the
//! network: wheels are made on the spot, and projects have their build backend in their own tree.

#![cfg(unix)]

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;
use pyzpack::digest::Sha256Digest;
use serde_json::Value;

mod support;
use support::place::{ANYWHERE, Ended, PROJECT, Place, names, tool};
use support::wheels::{PYPROJECT, Wheel};

#[test]
fn builds_the_project_in_this_directory_and_leaves_it_as_it_was() {
    let place = Place::new();
    place.write(PROJECT);
    let state = |place: &Place| -> Vec<_> {
        let mut state: Vec<_> = names(&place.work())
            .into_iter()
            .filter(|name| name != "dist")
            .map(|name| (place.path(&name).metadata().unwrap().modified().unwrap(), name))
            .collect();
        state.sort();
        state
    };
    let before = state(&place);
    place.builds(&["build", "--offline"], "dist/my-app.pyz", "1 distribution", ANYWHERE);
    assert_eq!(state(&place), before);
    assert_eq!(names(&place.path("dist")), ["SHA256SUMS", "my-app.pyz", "my-app.pyz.sha256"].map(str::to_owned).into());
    assert_eq!(place.path("dist/my-app.pyz").metadata().unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(place.start("dist/my-app.pyz", &["a", "b c"]), Ended::new(3, "my-app a b c\n", ""));
}

#[test]
fn digests_are_as_sha256sum_reads_them() {
    let place = Place::new();
    tool("first").write(&place.work());
    tool("second").write(&place.work());
    place.builds(&["build", "./first-1.0-py3-none-any.whl", "-o", "a b.pyz"], "a b.pyz", "1 distribution", ANYWHERE);
    place.builds(&["build", "./second-1.0-py3-none-any.whl", "-o", "c.pyz"], "c.pyz", "1 distribution", ANYWHERE);
    let check = |file: &str| {
        let output = Command::new("sha256sum").args(["-c", file]).current_dir(place.work()).output().unwrap();
        place.describe(&output)
    };
    assert_eq!(check("SHA256SUMS"), Ended::new(0, "a b.pyz: OK\nc.pyz: OK\n", ""));
    assert_eq!(check("a b.pyz.sha256"), Ended::new(0, "a b.pyz: OK\n", ""));
    assert_eq!(check("c.pyz.sha256"), Ended::new(0, "c.pyz: OK\n", ""));
    std::fs::write(place.path("c.pyz"), "x").unwrap();
    let warning = "sha256sum: WARNING: 1 computed checksum did NOT match\n";
    assert_eq!(check("SHA256SUMS"), Ended::new(1, "a b.pyz: OK\nc.pyz: FAILED\n", warning));
}

#[test]
fn without_evidence_none_of_an_older_file_stays() {
    let place = Place::new();
    let wheel = tool("first").write(&place.work());
    let wheel = wheel.to_str().unwrap();
    place.builds(&["build", wheel, "-o", "a.pyz"], "a.pyz", "1 distribution", ANYWHERE);
    place.write(&[("a.pyz.sigstore.json", "{}"), ("b.pyz.sha256", "other")]);
    place.builds(&["build", wheel, "-o", "a.pyz", "--evidence", "none"], "a.pyz", "1 distribution", ANYWHERE);
    let left = ["a.pyz", "b.pyz.sha256", "first-1.0-py3-none-any.whl"].map(str::to_owned);
    assert_eq!(names(&place.work()), left.into());
}

#[test]
fn packs_a_script_and_modules_without_metadata() {
    let place = Place::new();
    Wheel::new("dep", "1.0").file("dep.py", "VALUE = 42\n").write(&place.path("wheels"));
    let script = "# /// script\n# requires-python = \">=3.9\"\n# dependencies = [\"dep\"]\n#\n# [tool.pyzpack]\n\
                  # no-index = true\n# find-links = [\"wheels\"]\n# ///\nimport sys, dep\nprint(__name__, dep.VALUE)\n\
                  sys.exit(7)\n";
    place.write(&[
        ("job.py", script),
        ("req.txt", "--no-index\n--find-links wheels\ndep==1.0\n"),
        ("app/__init__.py", "import dep\n\ndef main():\n    print('app', dep.VALUE)\n"),
        ("app/__main__.py", "print('as main')\n"),
        ("other.py", "left out\n"),
    ]);
    let runs_on = "runs on: CPython 3.9 to 3.14, any platform\n";
    place.builds(&["build", "job.py"], "dist/job.pyz", "1 distribution", runs_on);
    assert_eq!(place.start("dist/job.pyz", &[]), Ended::new(7, "__main__ 42\n", ""));

    place.builds(&["build", "-r", "req.txt", "-e", "app:main"], "dist/app.pyz", "1 distribution", ANYWHERE);
    assert_eq!(place.start("dist/app.pyz", &[]), Ended::new(0, "app 42\n", ""));
    let paths: Vec<String> = place.manifest("dist/app.pyz")["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    assert!(paths.contains(&"app/__init__.py".to_owned()) && !paths.contains(&"other.py".to_owned()), "{paths:?}");
    place.builds(&["build", "-r", "req.txt", "-e", "app"], "dist/app.pyz", "1 distribution", ANYWHERE);
    assert_eq!(place.start("dist/app.pyz", &[]), Ended::new(0, "as main\n", ""));
}

#[test]
fn starts_executables_and_python_scripts_of_wheels() {
    let place = Place::new();
    Wheel::new("exe", "1.0")
        .file("exe-1.0.data/scripts/shout", "#!/bin/sh\necho shell \"$@\"\nexit 5\n")
        .file("exe-1.0.data/scripts/say", "#!python\nimport sys\nprint('python', *sys.argv[1:])\nsys.exit(6)\n")
        .write(&place.work());
    let wheel = "./exe-1.0-py3-none-any.whl";
    place.builds(&["build", wheel, "-c", "shout", "-o", "shout.pyz"], "shout.pyz", "1 distribution", ANYWHERE);
    assert_eq!(place.start("shout.pyz", &["x"]), Ended::new(5, "shell x\n", ""));
    place.builds(&["build", wheel, "-c", "say", "-o", "say.pyz"], "say.pyz", "1 distribution", ANYWHERE);
    assert_eq!(place.start("say.pyz", &["x"]), Ended::new(6, "python x\n", ""));
    let refused = place.run(&["build", wheel, "-c", "shout", "--layout", "zip"]);
    let message = "error: layout `zip` cannot hold `bin/shout` of `exe`: an executable runs from a file system alone\n\
                   hint: use `--layout extract`\n";
    assert_eq!(refused, Ended::new(2, "", message));
}

#[test]
fn extras_and_nested_groups_are_packed() {
    let place = Place::new();
    place.write(PROJECT);
    let groups = "[dependency-groups]\nbase = [\"based\"]\ndev = [{include-group = \"base\"}, \"devd\"]\n";
    place.write(&[
        ("pyproject.toml", &format!("{PYPROJECT}{groups}")),
        (
            "METADATA",
            "Metadata-Version: 2.1\nName: my-app\nVersion: 2.0\nProvides-Extra: more\n\
             Requires-Dist: extrad; extra == 'more'\n",
        ),
    ]);
    for name in ["based", "devd", "extrad"] {
        Wheel::new(name, "1.0").file(&format!("{name}.py"), "").write(&place.path("wheels"));
    }
    let given = ["build", "--no-index", "--find-links", "wheels", "--group", "dev", "--extra", "more"];
    place.builds(&given, "dist/my-app.pyz", "4 distributions", ANYWHERE);
    let wheels = place.manifest("dist/my-app.pyz")["wheels"].clone();
    let packed: Vec<String> = wheels
        .as_array()
        .unwrap()
        .iter()
        .map(|wheel| format!("{} {}", wheel["name"].as_str().unwrap(), wheel["origin"].as_str().unwrap()))
        .collect();
    assert_eq!(packed, ["based local", "devd local", "extrad local", "my-app built"]);
    let unknown = place.run(&["build", "--group", "dve"]);
    let message = "error: `DIR/pyproject.toml` has no dependency group `dve` (it has: base, dev)\n";
    assert_eq!(unknown, Ended::new(2, "", message));
}

#[test]
fn json_report_has_this_shape() {
    let place = Place::new();
    tool("first").write(&place.work());
    let ended = place.run(&["build", "./first-1.0-py3-none-any.whl", "--json"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let mut report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let wheel = Sha256Digest::of(&std::fs::read(place.path("first-1.0-py3-none-any.whl")).unwrap());
    let output = std::fs::read(place.path("dist/first.pyz")).unwrap();
    let stages: Vec<String> = report["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| {
            assert!(stage["seconds"].is_f64());
            stage["name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(stages, ["setup", "verify", "resolve", "plan", "pack"]);
    assert!(report["seconds"].is_f64() && report["python"].is_string());
    for measured in ["stages", "seconds", "python"] {
        report.as_object_mut().unwrap().remove(measured);
    }
    let expected = serde_json::json!({
        "distributions": [{
            "filename": "first-1.0-py3-none-any.whl", "name": "first", "origin": "local",
            "sha256": wheel, "version": "1.0",
        }],
        "entry_point": "first:main",
        "evidence": ["dist/first.pyz.sha256", "dist/SHA256SUMS"],
        "files": 5,
        "bytecode": [],
        "layout": "zip",
        "layout_reason": "one small distribution of Python source alone",
        "name": "first",
        "notes": [],
        "output": "dist/first.pyz",
        "platform": "any",
        "pythons": ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"],
        "resolver": "the wheels at hand",
        "lock": null,
        "built": [],
        "runs_on": ANYWHERE.trim(),
        "sha256": Sha256Digest::of(&output),
        "size": output.len(),
        "unpinned": {"distributions": [], "build_requirements": [], "repositories": []},
        "version": "1.0",
        "warnings": [],
    });
    assert_eq!(report, expected);
}

#[test]
fn quiet_says_the_result_alone_and_verbose_the_stages() {
    let place = Place::new();
    tool("first").metadata("Provides-Extra: x").write(&place.work());
    let wheel = "./first-1.0-py3-none-any.whl";
    place.builds(&["build", "-q", wheel, "--extra", "nope"], "dist/first.pyz", "1 distribution", "");
    let warning = "warning: no project or file among the inputs has an extra `nope`\n";
    let stderr = format!("{warning}{ANYWHERE}");
    place.builds(&["build", wheel, "--extra", "nope"], "dist/first.pyz", "1 distribution", &stderr);
    let stderr = format!(
        "reading the inputs\nchecking 1 wheel\nchoosing versions\nplanning the archive\npacking DIR/dist/first.pyz\n{ANYWHERE}"
    );
    place.builds(&["build", wheel, "-v"], "dist/first.pyz", "1 distribution", &stderr);
}

/// The first line of a plan names the interpreter, which differs from machine to machine.
fn without_setup(ended: Ended) -> Ended {
    let (setup, rest) = ended.stdout.split_once('\n').expect("a first line");
    assert!(setup.starts_with("setup    CPython 3."), "{setup}");
    Ended { stdout: rest.to_owned(), ..ended }
}

#[test]
fn plan_says_what_build_would_do_and_writes_nothing() {
    let place = Place::new();
    tool("first").metadata("Requires-Dist: second").write(&place.work());
    tool("second").write(&place.work());
    let arguments = ["plan", "first", "--no-index", "--find-links", "."];
    let text = "resolve  2 distributions from 1 input (by the wheels at hand; there is no lock)\n\
                fetch    nothing (all wheels are at hand)\n\
                build    nothing (everything has a wheel)\n\
                pack     10 files, layout extract (2 distributions are packed)\n\
                start    first:main (nothing else was named)\n         first 1.0 (local)\n         second 1.0 (local)\n";
    assert_eq!(without_setup(place.run(&arguments)), Ended::new(0, &format!("{text}{ANYWHERE}"), ""));
    assert_eq!(names(&place.work()).len(), 2);
}

#[test]
fn plan_of_a_project_builds_nothing() {
    let place = Place::new();
    place.write(PROJECT);
    // A backend that would leave a trace.
    place.write(&[("backend.py", "raise SystemExit('the backend ran')\n")]);
    let text = "         a project with packaging metadata: pyproject.toml\n         there is no lock\n\
                resolve  what the wheels require (by uv or pip where the wheels leave a choice; there is no lock)\n\
                fetch    nothing (--offline)\n\
                build    this project to a wheel, in an isolated environment (it is a source)\n\
                pack     all files, layout zip (asked for)\n\
                start    the console script `my-app` (asked for)\n\
                runs on: known when the wheels are\n";
    let ended = place.run(&["plan", "--offline", "--layout", "zip", "-c", "my-app"]);
    assert_eq!(without_setup(ended), Ended::new(0, text, ""));
    assert!(!place.path("dist").exists());
}

#[test]
fn plan_names_what_a_requirement_would_have_built() {
    let place = Place::new();
    support::write_tree(&place.path("source"), PROJECT);
    let requirement = format!("my-app @ file://{}", place.path("source").display());
    let text = "resolve  what the wheels require (by uv or pip where the wheels leave a choice; there is no lock)\n\
                fetch    nothing (--offline)\n\
                build    source to a wheel, in an isolated environment (it is a source)\n\
                pack     all files, layout zip (asked for)\n\
                start    the console script `my-app` (asked for)\n\
                runs on: known when the wheels are\n";
    let ended = place.run(&["plan", &requirement, "--offline", "--no-index", "--layout", "zip", "-c", "my-app"]);
    assert_eq!(without_setup(ended), Ended::new(0, text, ""));
}

#[test]
fn inspect_says_what_is_in_a_file() {
    let place = Place::new();
    let wheel = tool("first").write(&place.work());
    place.builds(&["build", wheel.to_str().unwrap(), "-o", "a.pyz"], "a.pyz", "1 distribution", ANYWHERE);
    let archive = std::fs::read(place.path("a.pyz")).unwrap();
    let manifest = place.manifest("a.pyz");
    assert_eq!(manifest["sha256"], Sha256Digest::of(&archive).to_string());
    let files = manifest["files"].as_array().unwrap();
    let unpacked: u64 = files.iter().map(|file| file["size"].as_u64().unwrap()).sum();
    let mut text = format!(
        "a.pyz: first 1.0\n  size      {} kB, {unpacked} B unpacked\n  sha256    {}\n  starts    first:main\n  \
         shebang   /usr/bin/env python3\n  layout    zip, 5 files\n  built by  pyzpack {}\n  scripts   first\n  \
         1 distribution:\n    first 1.0 (local) sha256 {}\n",
        (archive.len() + 500) / 1000,
        Sha256Digest::of(&archive),
        env!("CARGO_PKG_VERSION"),
        Sha256Digest::of(&std::fs::read(&wheel).unwrap()),
    );
    assert_eq!(place.run(&["inspect", "a.pyz"]), Ended::new(0, &format!("{text}{ANYWHERE}"), ""));
    text += "  files:\n";
    for file in files {
        let field = |name: &str| file[name].as_str().unwrap();
        let size = file["size"].as_u64().unwrap();
        let _ = writeln!(text, "    {} {} {size:>10} {}", field("sha256"), field("mode"), field("path"));
    }
    assert_eq!(place.run(&["inspect", "a.pyz", "--files"]), Ended::new(0, &format!("{text}{ANYWHERE}"), ""));
}

#[test]
fn inspect_refuses_what_is_not_of_pyzpack() {
    let place = Place::new();
    let wheel = tool("first").write(&place.work());
    place.builds(&["build", wheel.to_str().unwrap(), "-o", "a.pyz"], "a.pyz", "1 distribution", ANYWHERE);
    let mut longer = std::fs::read(place.path("a.pyz")).unwrap();
    longer.push(b'x');
    std::fs::write(place.path("longer.pyz"), &longer).unwrap();
    place.write(&[("text.pyz", "no zip\n"), ("directory.pyz/x", "")]);
    let end =
        "no end-of-central-directory record at the very end (truncated, or something was appended) [zip-end-record]";
    for (file, status, message) in [
        ("longer.pyz", 1, format!("`longer.pyz` is not a .pyz of pyzpack: {end}")),
        ("text.pyz", 1, format!("`text.pyz` is not a .pyz of pyzpack: {end}")),
        ("directory.pyz", 2, "cannot read `directory.pyz`: it is not a regular file".to_owned()),
        ("gone.pyz", 2, "cannot read `gone.pyz`: No such file or directory (os error 2)".to_owned()),
    ] {
        assert_eq!(place.run(&["inspect", file]), Ended::new(status, "", &format!("error: {message}\n")));
    }
}

#[test]
fn completions_and_manual_name_every_verb() {
    let place = Place::new();
    for arguments in [&["completions", "bash"][..], &["completions", "fish"], &["man"]] {
        let ended = place.run(arguments);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        for verb in ["build", "plan", "inspect", "diff", "reproduce", "normalize", "completions"] {
            assert!(ended.stdout.contains(verb), "{arguments:?} without {verb}");
        }
    }
}

#[test]
fn a_requirements_file_may_name_what_is_started() {
    let place = Place::new();
    support::write_tree(&place.path("app"), PROJECT);
    place.write(&[("req.txt", "--no-index\n-e ./app\n")]);
    place.builds(&["build", "-r", "req.txt"], "dist/my-app.pyz", "1 distribution", ANYWHERE);
}

#[test]
fn a_script_runs_whatever_module_has_its_name() {
    let place = Place::new();
    place.write(&[("json.py", "import sys\nprint('mine', *sys.argv[1:])\n")]);
    let warning = "warning: the application brings a module `json`, but the one of the standard library is imported\n";
    place.builds(&["build", "./json.py"], "dist/json.pyz", "0 distributions", &format!("{warning}{ANYWHERE}"));
    assert_eq!(place.start("dist/json.pyz", &["a"]), Ended::new(0, "mine a\n", ""));
    assert_eq!(place.manifest("dist/json.pyz")["entry_point"], "json.py");
}
