//! Settings: command line before `PYZPACK_*` before `[tool.pyzpack]` before the default; and what is said of a build that
//! is as it should be, and good to know.

#![cfg(unix)]

use serde_json::Value;

mod support;
use support::place::{ANYWHERE, Ended, PROJECT, Place, tool};
use support::wheels::{PYPROJECT, Wheel};

/// The value of a key of the built file's manifest.
fn built(place: &Place, arguments: &[&str], environment: &[(&str, &str)], key: &str) -> Value {
    let ended = place.run_with(&[&["build", "--offline", "-q"], arguments].concat(), environment);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let output = ended.stdout.split(": ").next().unwrap().to_owned();
    let manifest = place.manifest(&output);
    std::fs::remove_file(place.path(&output)).unwrap();
    match key {
        "output" => output.into(),
        key => manifest[key].clone(),
    }
}

#[test]
fn the_nearest_layer_wins() {
    let table = "[tool.pyzpack]\noutput = \"table.pyz\"\nlayout = \"extract\"\nshebang = \"/table\"\n\
                 entry-point = \"my_app:main\"\nsource-date-epoch = 1000000000\n";
    let place = Place::new();
    place.write(PROJECT);
    place.write(&[("my_app.py", "def main(): ...\ndef other(): ...\n")]);
    let cases: [(&str, &str, &str, &str, [Value; 4]); 5] = [
        (
            "output",
            "output",
            "variable.pyz",
            "line.pyz",
            ["dist/my-app.pyz".into(), "table.pyz".into(), "variable.pyz".into(), "line.pyz".into()],
        ),
        ("layout", "layout", "auto", "zip", ["zip".into(), "extract".into(), "zip".into(), "zip".into()]),
        (
            "shebang",
            "shebang",
            "/variable",
            "/line",
            ["/usr/bin/env python3".into(), "/table".into(), "/variable".into(), "/line".into()],
        ),
        (
            "entry-point",
            "entry_point",
            "my_app:other",
            "my_app",
            ["my_app:main".into(), "my_app:main".into(), "my_app:other".into(), "my_app".into()],
        ),
        (
            "source-date-epoch",
            "epoch",
            "1100000000",
            "1200000000",
            [315_532_800.into(), 1_000_000_000.into(), 1_100_000_000.into(), 1_200_000_000.into()],
        ),
    ];
    for (option, key, variable_value, line_value, [default, from_table, from_variable, from_line]) in cases {
        let variable = match option {
            "source-date-epoch" => "SOURCE_DATE_EPOCH".to_owned(),
            _ => format!("PYZPACK_{}", option.to_uppercase().replace('-', "_")),
        };
        let environment = [(variable.as_str(), variable_value)];
        let line = [format!("--{option}"), line_value.to_owned()];
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        place.write(&[("pyproject.toml", PYPROJECT)]);
        assert_eq!(built(&place, &[], &[], key), default, "default of {option}");
        place.write(&[("pyproject.toml", &format!("{PYPROJECT}{table}"))]);
        assert_eq!(built(&place, &[], &[], key), from_table, "{option} from the table");
        assert_eq!(built(&place, &[], &environment, key), from_variable, "{option} from the environment");
        assert_eq!(built(&place, &line, &environment, key), from_line, "{option} from the command line");
    }
}

#[test]
fn values_that_an_option_does_not_take() {
    let place = Place::new();
    place.write(PROJECT);
    let long = "x".repeat(128);
    let cases: [(&str, &str, &str); 21] = [
        ("layout", "zp", "`zp` is none of: auto, zip, extract"),
        ("compression", "best", "`best` is none of: deflate, store"),
        ("on-conflict", "ask", "`ask` is none of: error, first, last"),
        (
            "evidence",
            "cyclonedx,sdpx",
            "`sdpx` is none of: sha256, cyclonedx, spdx, provenance, all, none; did you mean `spdx`?",
        ),
        (
            "evidence",
            "sbom",
            "`sbom` is none of: sha256, cyclonedx, spdx, provenance, all, none; did you mean `cyclonedx`?",
        ),
        ("evidence", "none,sha256", "`none` stands alone"),
        ("evidence", ",", "`,` is none of: sha256, cyclonedx, spdx, provenance, all, none"),
        ("builder-id", "me", "not an absolute URI such as `https://example.org/builder/v1`: `me`"),
        ("builder-id", "https:", "not an absolute URI such as `https://example.org/builder/v1`: `https:`"),
        ("builder-id", "https://u:p@example.org/", "a URI without user name and password is wanted"),
        ("max-unpacked", "1.5G", "not a size such as 500M or 20G: `1.5G`"),
        ("build-timeout", "soon", "not a time such as 90s, 30m or 2h: `soon`"),
        ("jobs", "0", "not a number of threads: `0`"),
        ("target-python", "3.x", "not a Python version of the form X.Y: `3.x`"),
        ("shebang", &long, "the shebang is 128 bytes long, more than 127"),
        ("shebang", "a\nb", "the shebang holds a control character"),
        ("source-date-epoch", "-1", "not a whole number of seconds since 1970: `-1`"),
        ("source-date-epoch", "1.5", "not a whole number of seconds since 1970: `1.5`"),
        ("source-date-epoch", " 5", "not a whole number of seconds since 1970: ` 5`"),
        ("source-date-epoch", "today", "not a whole number of seconds since 1970: `today`"),
        ("entry-point", "a b", "not an object reference (`module` or `module:object`): `a b`"),
    ];
    for (option, value, reason) in cases {
        let given = place.run(&["build", &format!("--{option}={value}")]);
        assert_eq!(given, Ended::new(2, "", &format!("error: option --{option}: {reason}\n")));
        let variable = match option {
            "source-date-epoch" => "SOURCE_DATE_EPOCH".to_owned(),
            _ => format!("PYZPACK_{}", option.to_uppercase().replace('-', "_")),
        };
        let given = place.run_with(&["build"], &[(&variable, value)]);
        assert_eq!(given, Ended::new(2, "", &format!("error: environment variable {variable}: {reason}\n")));
    }
    let empty = place.run_with(&["build"], &[("SOURCE_DATE_EPOCH", "")]);
    let message = "error: environment variable SOURCE_DATE_EPOCH: not a whole number of seconds since 1970: ``\n";
    assert_eq!(empty, Ended::new(2, "", message));
    let flag = place.run_with(&["build"], &[("PYZPACK_OFFLINE", "maybe")]);
    let message = "error: environment variable PYZPACK_OFFLINE: `maybe` is neither 1 nor 0\n";
    assert_eq!(flag, Ended::new(2, "", message));
    assert!(!place.path("dist").exists());
}

#[test]
fn a_time_outside_a_zip_is_clamped_and_said() {
    let place = Place::new();
    place.write(PROJECT);
    let cases =
        [("0", "1980-01-01T00:00:00Z", 315_532_800_u64), ("99999999999", "2107-12-31T23:59:58Z", 4_354_819_198)];
    for (given, shown, clamped) in cases {
        let warning = format!("warning: SOURCE_DATE_EPOCH {given} is outside what a zip can hold: {shown} is used\n");
        let stderr = format!("{warning}{ANYWHERE}");
        let environment = [("SOURCE_DATE_EPOCH", given)];
        place.builds_with(&["build", "--offline"], &environment, "dist/my-app.pyz", "1 distribution", &stderr);
        assert_eq!(place.manifest("dist/my-app.pyz")["epoch"], clamped);
    }
}

#[test]
fn mistyped_variables_are_named() {
    let place = Place::new();
    place.write(PROJECT);
    let warning = "warning: environment variable PYZPACK_LAYOT is not known; did you mean PYZPACK_LAYOUT?\n";
    let stderr = format!("{warning}{ANYWHERE}");
    let environment = [("PYZPACK_LAYOT", "zip"), ("PYZPACK_TEST_OFFLINE", "1"), ("PYZPACK_INFO", "1")];
    place.builds_with(&["build", "--offline"], &environment, "dist/my-app.pyz", "1 distribution", &stderr);
}

#[test]
fn of_options_that_exclude_each_other_the_stronger_layer_decides() {
    let place = Place::new();
    place.write(PROJECT);
    place.write(&[("my_app.py", "def main(): ...\ndef other(): ...\n")]);
    let entry = |arguments: &[&str], environment: &[(&str, &str)]| built(&place, arguments, environment, "entry_point");
    let variable = [("PYZPACK_ENTRY_POINT", "my_app:other")];
    assert_eq!(entry(&["-c", "my-app"], &variable), "my_app:main");
    assert_eq!(entry(&["-e", "my_app:other"], &[("PYZPACK_CONSOLE_SCRIPT", "my-app")]), "my_app:other");
    place.write(&[("pyproject.toml", &format!("{PYPROJECT}[tool.pyzpack]\nconsole-script = \"my-app\"\n"))]);
    assert_eq!(entry(&[], &variable), "my_app:other");
    let both = [variable[0], ("PYZPACK_CONSOLE_SCRIPT", "my-app")];
    let message = "error: `--console-script` and `--entry-point` exclude each other\n";
    assert_eq!(place.run_with(&["build", "--offline"], &both), Ended::new(2, "", message));
}

#[test]
fn what_was_not_pinned_is_said_in_one_line() {
    let git = |place: &Place, arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(place.path("repository"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let place = Place::new();
    support::write_tree(&place.path("repository"), PROJECT);
    git(&place, &["init", "-q", "-b", "main"]);
    git(&place, &["add", "."]);
    git(&place, &["commit", "-q", "-m", "all"]);
    let commit = git(&place, &["rev-parse", "HEAD"]);
    let repository = format!("file://{}", place.path("repository").display());
    let path = format!("{}:/usr/bin:/bin:/usr/local/bin", place.root.path().join("bin").display());
    let environment = [("PATH", path.as_str())];
    let branch = format!("git+{repository}@main");
    let note = "note: not pinned, so another day may choose otherwise: 1 repository (file://DIR/repository)\n";
    let stderr = format!("{note}{ANYWHERE}");
    place.builds_with(&["build", &branch, "--offline"], &environment, "dist/my-app.pyz", "1 distribution", &stderr);
    let pinned = format!("git+{repository}@{commit}");
    place.builds_with(&["build", &pinned, "--offline"], &environment, "dist/my-app.pyz", "1 distribution", ANYWHERE);
}

#[test]
fn a_local_repository_is_recorded_by_name_commit_and_subdirectory() {
    let place = Place::new();
    support::write_tree(&place.path("repository/py"), PROJECT);
    let script = "git init -q -b main && git add . && git -c user.name=t -c user.email=t@example.org commit -q -m all";
    let made = std::process::Command::new("sh").args(["-c", script]).current_dir(place.path("repository")).status();
    assert!(made.unwrap().success());
    let mut head = std::process::Command::new("git");
    let head = head.args(["rev-parse", "HEAD"]).current_dir(place.path("repository")).output().unwrap();
    let commit = String::from_utf8(head.stdout).unwrap().trim().to_owned();
    let path = format!("{}:/usr/bin:/bin:/usr/local/bin", place.root.path().join("bin").display());
    let input = format!("git+file://{}@{commit}#subdirectory=py", place.path("repository").display());
    let arguments = ["build", &input, "--offline"];
    place.builds_with(&arguments, &[("PATH", &path)], "dist/my-app.pyz", "1 distribution", ANYWHERE);
    let mut archive = zip::ZipArchive::new(std::fs::File::open(place.path("dist/my-app.pyz")).unwrap()).unwrap();
    let manifest = archive.by_name(pyzpack::evidence::MANIFEST_PATH).unwrap();
    let manifest: serde_json::Value = serde_json::from_reader(manifest).unwrap();
    assert_eq!(
        manifest["recipe"]["inputs"],
        serde_json::json!([{"uri": "file:repository", "commit": commit, "subdirectory": "py"}])
    );
    assert!(!manifest.to_string().contains(place.root.path().to_str().unwrap()), "{manifest:#}");
}

#[test]
fn pythons_are_those_for_which_these_wheels_are_the_right_ones() {
    let place = Place::new();
    tool("app").metadata("Requires-Dist: tomli; python_version < '3.11'").write(&place.work());
    let pythons = |place: &Place, arguments: &[&str]| {
        built(
            place,
            &[&["--no-index", "--find-links", ".", "-c", "app", "-o", "a.pyz"], arguments].concat(),
            &[],
            "pythons",
        )
    };
    // Without tomli it runs where tomli is not needed; with it, on all.
    let newer = serde_json::json!(["3.11", "3.12", "3.13", "3.14"]);
    assert_eq!(pythons(&place, &["app", "--target-python", "3.11"]), newer);
    Wheel::new("tomli", "1.0").file("tomli.py", "").write(&place.work());
    let all = serde_json::json!(["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]);
    assert_eq!(pythons(&place, &["app", "--target-python", "3.10"]), all);
    assert_eq!(pythons(&place, &["app", "--target-python", "3.11"]), newer);
    // A tag for one version, and a demand on the version.
    Wheel::new("app2", "1.0").script("app", "m:f").file("m.py", "f = 1\n").tag("cp312-none-any").write(&place.work());
    assert_eq!(pythons(&place, &["app2", "--target-python", "3.12"]), serde_json::json!(["3.12"]));
    Wheel::new("app3", "1.0")
        .script("app", "m:f")
        .file("m.py", "f = 1\n")
        .metadata("Requires-Python: >=3.9,<3.12")
        .write(&place.work());
    assert_eq!(pythons(&place, &["app3", "--target-python", "3.10"]), serde_json::json!(["3.9", "3.10", "3.11"]));
}

#[test]
fn warns_of_what_may_surprise_at_the_start() {
    let place = Place::new();
    tool("app")
        .file("json.py", "")
        .file("hook.pth", "import sys\n")
        .metadata("Requires-Dist: dep[nope]")
        .write(&place.work());
    Wheel::new("dep", "1.0").file("dep.py", "").write(&place.work());
    let stderr = "warning: `dep` has no extra `nope`\n\
                  warning: `app` brings a module `json`, but the one of the standard library is imported\n\
                  warning: `hook.pth` of `app` runs code at each start\n";
    let arguments = ["build", "app", "--no-index", "--find-links", ".", "-o", "a.pyz"];
    place.builds(&arguments, "a.pyz", "2 distributions", &format!("{stderr}{ANYWHERE}"));
}

#[test]
fn says_where_data_for_sys_prefix_is() {
    let place = Place::new();
    let data = |path: &str| format!("app-1.0.data/data/{path}");
    tool("app")
        .file(&data("share/app/a.txt"), "")
        .file(&data("share/app/deep/b.txt"), "")
        .file(&data("etc/app.conf"), "")
        .file(&data("share/man/man1/app.1"), "")
        .write(&place.work());
    tool("silent").file("silent-1.0.data/data/share/man/man1/silent.1", "").write(&place.work());
    let note = "note: `app` brings `etc/app.conf`, `share/app` for sys.prefix: it lies beside the packages, and a program \
                that looks in sys.prefix does not find it\n";
    let arguments = ["--no-index", "--find-links", ".", "-c", "app"];
    let building = [&["build", "app", "silent", "-o", "a.pyz"], &arguments[..]].concat();
    place.builds(&building, "a.pyz", "2 distributions", &format!("{note}{ANYWHERE}"));
    let planned = place.run(&[&["plan", "app", "silent"], &arguments[..]].concat());
    assert!(planned.stdout.contains(note), "{}", planned.stdout);
}

#[test]
fn a_path_is_exported_where_the_program_says_so_and_nowhere_else() {
    let place = Place::new();
    place.write(PROJECT);
    let table = |value: &str| format!("{PYPROJECT}[tool.pyzpack]\nexport-path = {value}\n");
    let start = || {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(place.path("dist/my-app.pyz")).unwrap()).unwrap();
        let text = std::io::read_to_string(archive.by_name("_pyzpack/find.py").unwrap()).unwrap();
        text.lines().find(|line| line.starts_with("APP = ")).unwrap().to_owned()
    };
    let mut recipes = Vec::new();
    for (value, exported) in [("false", false), ("true", true)] {
        place.write(&[("pyproject.toml", &table(value))]);
        place.builds(&["build", "--offline"], "dist/my-app.pyz", "1 distribution", ANYWHERE);
        assert_eq!(start().ends_with(", \"export_path\": 1}"), exported, "{}", start());
        let verified = place.run(&["verify", "dist/my-app.pyz", "--checksums", "dist/SHA256SUMS"]);
        assert_eq!((verified.status, verified.stdout.contains("PASSED")), (0, true), "{}", verified.stdout);
        let planned = place.run(&["plan", "--offline"]).stdout;
        let told = "start    the only console script, with the packages on PYTHONPATH for what it starts (nothing else";
        assert_eq!(planned.contains(told), exported, "{planned}");
        recipes.push(place.manifest("dist/my-app.pyz")["recipe"].clone());
    }
    assert_eq!(recipes[0], recipes[1]);

    place.write(&[("pyproject.toml", PYPROJECT)]);
    let variable = [("PYZPACK_EXPORT_PATH", "1")];
    place.builds_with(&["build", "--offline"], &variable, "dist/my-app.pyz", "1 distribution", ANYWHERE);
    assert!(!start().contains("export_path"));
    assert_eq!(place.run(&["build", "--export-path"]).status, 2);
    place.write(&[("pyproject.toml", &table("\"yes\""))]);
    let refused =
        "error: `DIR/pyproject.toml`, key `export-path` in [tool.pyzpack]: expected true or false, found string\n";
    assert_eq!(place.run(&["build"]), Ended::new(2, "", refused));
}

#[test]
fn paths_of_a_table_start_from_its_file() {
    let place = Place::new();
    Wheel::new("dep", "1.0").file("dep.py", "").write(&place.path("app/wheels"));
    support::write_tree(&place.path("app"), PROJECT);
    let table = "[tool.pyzpack]\nno-index = true\nfind-links = [\"wheels\"]\nrequirement = [\"more.txt\"]\n\
                 output = \"out.pyz\"\n";
    place.write(&[("app/pyproject.toml", &format!("{PYPROJECT}{table}")), ("app/more.txt", "dep\n")]);
    place.write(&[("job/job.py", "# /// script\n# [tool.pyzpack]\n# output = \"job.pyz\"\n# ///\n")]);
    place.builds(&["build", "./app"], "app/out.pyz", "2 distributions", ANYWHERE);
    place.builds(&["build", "./job/job.py"], "job/job.pyz", "0 distributions", ANYWHERE);
}

#[test]
fn a_directory_is_not_mistaken_for_a_distribution_in_silence() {
    let place = Place::new();
    place.write(&[("tool/pyproject.toml", PYPROJECT)]);
    tool("tool").write(&place.path("wheels"));
    let stderr =
        format!("warning: `tool` is a distribution's name; to pack the directory `tool` write `./tool`\n{ANYWHERE}");
    let arguments = ["build", "tool", "--no-index", "--find-links", "wheels"];
    place.builds(&arguments, "dist/tool.pyz", "1 distribution", &stderr);
}
