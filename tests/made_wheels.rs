//! `pyzpack wheel` as its users meet it: whole outputs, exit statuses, and what is left on disk. That its wheels give the
//! bytes that their sources give is proved in `tests/e2e/test_wheel_verb.py`.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;

use pyzpack::digest::Sha256Digest;

mod support;
use support::place::{Ended, PROJECT, Place, names, tool};
use support::{entries, write_tree};

const WHEEL: &str = "my_app-2.0-py3-none-any.whl";

/// The line of a wheel that was written.
fn line(place: &Place, path: &str) -> String {
    let bytes = std::fs::read(place.path(path)).unwrap();
    let size =
        if bytes.len() < 1_000 { format!("{} B", bytes.len()) } else { format!("{} kB", (bytes.len() + 500) / 1_000) };
    format!("{path}: {size}, sha256 {}\n", Sha256Digest::of(&bytes))
}

#[test]
fn builds_the_canonical_wheel_of_the_project_here() {
    let place = Place::new();
    place.write(PROJECT);
    let ended = place.run(&["wheel", "--locked", "--offline"]);
    assert_eq!(ended, Ended::new(0, &line(&place, &format!("dist/{WHEEL}")), ""));
    assert_eq!(names(&place.path("dist")), [WHEEL.to_owned()].into());
    let path = place.path("dist").join(WHEEL);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o644);
    let times: Vec<String> = entries(&path).into_iter().map(|(_, _, time, _)| time).collect();
    assert!(times.iter().all(|time| *time == "DateTime::default()"), "{times:?}");

    // What is there is replaced, by the same bytes; another time is another wheel.
    let first = std::fs::read(&path).unwrap();
    std::fs::write(&path, "old").unwrap();
    assert_eq!(place.run(&["wheel", ".", "-o", "dist"]).status, 0);
    assert_eq!(std::fs::read(&path).unwrap(), first);
    assert_eq!(place.run(&["wheel", ".", "-o", "a/b", "--source-date-epoch", "1500000000"]).status, 0);
    assert_ne!(std::fs::read(place.path("a/b").join(WHEEL)).unwrap(), first);
}

#[test]
fn refuses_what_is_no_source() {
    let place = Place::new();
    tool("app").write(&place.work());
    place.write(&[("job.py", "print()\n"), ("empty/x.txt", "")]);
    let hint = "hint: name a directory, a source distribution, another archive (.tar.gz, .zip) or git+URL@COMMIT\n";
    for (source, shown, kind) in [
        ("./app-1.0-py3-none-any.whl", "DIR/./app-1.0-py3-none-any.whl", "a wheel"),
        ("app==1.0", "app==1.0", "the name of a distribution"),
        ("job.py", "DIR/job.py", "a script"),
    ] {
        let message = format!("error: `{shown}` is {kind}, and no source that a wheel is built from\n{hint}");
        assert_eq!(place.run(&["wheel", source]), Ended::new(2, "", &message));
    }
    let message = "error: `DIR/./empty` is not a Python project: it has no pyproject.toml, setup.py or setup.cfg\n\
                   hint: run it in a project's directory, or name what to pack: `pyzpack build httpie -c http`, `pyzpack \
                   build -r requirements.txt -e app:main`\n";
    assert_eq!(place.run(&["wheel", "./empty"]), Ended::new(2, "", message));
    assert!(!place.path("dist").exists());
}

#[test]
fn a_subdirectory_is_one_of_one_source() {
    let place = Place::new();
    write_tree(&place.path("tree/python"), PROJECT);
    let ended = place.run(&["wheel", "./tree", "--subdirectory", "python"]);
    assert_eq!(ended, Ended::new(0, &line(&place, &format!("dist/{WHEEL}")), ""));
    let message = "error: `--subdirectory` is for one directory, source distribution or archive\n\
                   hint: of a repository it is `git+URL@COMMIT#subdirectory=DIR`\n";
    for sources in [&["./tree", "./tree/python"][..], &["git+https://h.example/r@main"]] {
        let arguments = [&["wheel", "--subdirectory", "python"], sources].concat();
        assert_eq!(place.run(&arguments), Ended::new(2, "", message));
    }
    for outside in ["../x", "/x", "a/../b"] {
        let message = format!("error: option --subdirectory: `{outside}` is no path inside of a source\n");
        assert_eq!(place.run(&["wheel", "./tree", "--subdirectory", outside]), Ended::new(2, "", &message));
    }
}

#[test]
fn two_sources_of_one_wheel_and_a_file_for_a_directory_are_refused() {
    let place = Place::new();
    write_tree(&place.path("one"), PROJECT);
    write_tree(&place.path("two"), PROJECT);
    let message = format!(
        "error: two of the sources give `{WHEEL}`\nhint: write one of them to another directory, with `-o DIR`\n"
    );
    assert_eq!(place.run(&["wheel", "./one", "./two"]), Ended::new(1, "", &message));
    assert!(!place.path("dist").exists());
    std::fs::write(place.path("file"), "").unwrap();
    let ended = place.run(&["wheel", "./one", "-o", "file"]);
    let message =
        "error: the directory of the output is not a directory: `DIR/file`\nhint: choose another with `-o FILE`\n";
    assert_eq!(ended, Ended::new(3, "", message));
}

#[test]
fn a_lock_for_another_python_is_refused_where_it_says_what_to_build_with() {
    let place = Place::new();
    place.write(PROJECT);
    let lock = "lock-version = \"1.0\"\ncreated-by = \"tests\"\nrequires-python = \"<3\"\npackages = []\n";
    place.write(&[("pylock.toml", lock), ("other.txt", "")]);
    assert_eq!(place.run(&["wheel", "--lock", "pylock.toml"]).status, 0);
    let builds =
        "[tool.pyzpack]\nlock-version = 1\n[[tool.pyzpack.builds]]\nname = \"my-app\"\nrequires = []\npackages = []\n";
    place.write(&[("pylock.toml", &format!("{lock}{builds}"))]);
    let ended = place.run(&["wheel", "--lock", "pylock.toml"]);
    let message = "error: `DIR/pylock.toml` is for Python <3, the target is Python";
    assert_eq!((ended.status, ended.stderr.starts_with(message)), (1, true), "{}", ended.stderr);
    let ended = place.run(&["wheel", "--lock", "pylock.nowhere.toml"]);
    assert_eq!(ended, Ended::new(2, "", "error: no such lock file: `DIR/pylock.nowhere.toml`\n"));
}
