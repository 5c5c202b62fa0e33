//! `uv.lock`: what is read, what is refused, and that the same entry made right is taken.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pyzpack::lock::{Choice, Context, Lock, LockError, LockedSource, Selected, Wanted};
use pyzpack::target::{MarkerEnvironment, Platform, PythonAbi, PythonMinor, Target};
use serde_json::{Value, json};

fn target(python: &str, platform: &str) -> Target {
    let environment = MarkerEnvironment {
        implementation_name: "cpython".into(),
        implementation_version: "3.11.7".into(),
        os_name: "posix".into(),
        platform_machine: "x86_64".into(),
        platform_python_implementation: "CPython".into(),
        platform_release: String::new(),
        platform_system: "Linux".into(),
        platform_version: String::new(),
        python_full_version: "3.11.7".into(),
        python_version: "3.11".into(),
        sys_platform: "linux".into(),
    };
    let abi = PythonAbi::default();
    let host: Platform = "manylinux_2_28_x86_64".parse().unwrap();
    let platform: Platform = platform.parse().unwrap();
    Target::new(PythonMinor::new(3, 11), abi, environment, host)
        .overridden(Some(python.parse().unwrap()), Some(&platform))
}

/// What stands in a `selections.json` for what was selected.
fn told(selected: Result<Vec<Selected<'_>>, LockError>) -> Value {
    let selected = match selected {
        Ok(selected) => selected,
        Err(LockError::Python { .. }) => return json!("python"),
        Err(LockError::Environment { .. }) => return json!("environment"),
        Err(LockError::Conflict { .. }) => return json!("conflict"),
        Err(error) => return json!(error.to_string()),
    };
    let file = |one: &Selected<'_>| match (&one.choice, &one.package.source) {
        (Choice::Wheel(file) | Choice::Sdist(file), _) => file.filename.clone(),
        (_, LockedSource::Git { .. }) => "git".to_owned(),
        (_, _) => "directory".to_owned(),
    };
    let version = |one: &Selected<'_>| one.package.version.as_ref().map(ToString::to_string);
    selected.iter().map(|one| json!([one.package.name, version(one), file(one)])).collect()
}

#[test]
fn selects_from_real_locks_what_uv_exports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/locks/uv");
    let mut compared = 0;
    for directory in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let files: Vec<PathBuf> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        let name = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let lock = files.iter().find(|path| name(path).ends_with(".lock")).unwrap();
        for selections in files.iter().filter(|path| name(path).starts_with("selections")) {
            let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(selections).unwrap()).unwrap();
            // One file, one project of the workspace.
            let project = directory.join(cases[0]["project"].as_str().unwrap_or(""));
            let lock = Lock::read(lock, Context { project: Some(&project), name: None });
            let lock = lock.unwrap_or_else(|error| panic!("{error}"));
            for case in cases {
                let names = |key: &str| -> BTreeSet<_> {
                    case[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().parse().unwrap()).collect()
                };
                let wanted = Wanted { extras: names("extras"), groups: names("groups") };
                let target = target(case["python"].as_str().unwrap(), case["platform"].as_str().unwrap());
                let expected = case.get("packages").or(case.get("error")).unwrap();
                assert_eq!(told(lock.select(&target, &wanted)), *expected, "{}: {case}", selections.display());
                compared += 1;
            }
        }
    }
    println!("compared {compared} selections from uv's locks");
    assert!(compared > 300, "{compared}");
}
