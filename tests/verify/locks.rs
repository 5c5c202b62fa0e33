//! `--lock`: every wheel, or what it was built from, is one that the lock has under its name.

use pyzpack::application::LayoutChoice;
use pyzpack::digest::Sha256Digest;
use pyzpack::verify::{Request, verify};
use serde_json::{Value, json};

use crate::good::{Parts, Place, codes, parts};

/// The codes for a file with this manifest, and a lock with these lines.
fn check(change: impl FnOnce(&mut Value), lock: &str) -> (Vec<&'static str>, String) {
    let mut parts: Parts = parts(LayoutChoice::Zip);
    parts.manifest(change);
    let bytes = parts.bytes();
    let place = Place::new(&bytes);
    let lock = Some(place.write("requirements.txt", lock));
    let sha256 = Some(Sha256Digest::of(&bytes));
    let report = verify(&Request { file: place.file(), sha256, lock, ..Request::default() }).unwrap();
    let found = report.checks.iter().find(|check| check.name == "lock").unwrap().found.clone();
    (codes(&report), found)
}

fn digests() -> [String; 2] {
    let mut digests = Vec::new();
    parts(LayoutChoice::Zip).manifest(|manifest| {
        let wheels = manifest["wheels"].as_array().unwrap();
        digests = wheels.iter().map(|wheel| wheel["sha256"].as_str().unwrap().to_owned()).collect();
    });
    digests.try_into().unwrap()
}

#[test]
fn every_wheel_is_the_locks() {
    let [demo, lib] = digests();
    let zero = "0".repeat(64);
    let lock = |demo: &str, lib: &str| {
        check(|_| (), &format!("demo==1.0 --hash=sha256:{demo}\nlib==2.0 --hash=sha256:{lib}\n"))
    };
    let (codes, found) = lock(&demo, &lib);
    let nothing: [&str; 0] = [];
    assert_eq!(codes, nothing);
    assert_eq!(found, "`requirements.txt` has 2 of 2 wheels; it is not the very file of the build");
    assert_eq!(lock(&zero, &lib).0, ["lock-lacks-wheel"]);
    // Each under its own name.
    assert_eq!(lock(&lib, &demo).0, ["lock-lacks-wheel"]);
    assert_eq!(check(|_| (), &format!("demo==1.0 --hash=sha256:{demo}\n")).0, ["lock-lacks-wheel"]);
    assert_eq!(check(|_| (), "demo==1.0\n").0, ["lock-malformed"]);
    let more = format!("demo==1.0 --hash=sha256:{demo} --hash=sha256:{zero}\nlib==2.0 --hash=sha256:{lib}\n");
    assert_eq!(check(|_| (), &more).0, nothing);
}

#[test]
fn of_what_was_built_the_source_is_the_locks() {
    let [_, lib] = digests();
    let built = |source: Value| {
        move |manifest: &mut Value| {
            manifest["wheels"][0]["origin"] = "built".into();
            manifest["wheels"][0]["source"] = source;
        }
    };
    let nothing: [&str; 0] = [];
    let source = "a".repeat(64);
    let lock = format!("demo==1.0 --hash=sha256:{source}\nlib==2.0 --hash=sha256:{lib}\n");
    assert_eq!(check(built(json!({"uri": "demo-1.0.tar.gz", "sha256": source})), &lock).0, nothing);
    let other = json!({"uri": "demo-1.0.tar.gz", "sha256": "b".repeat(64)});
    assert_eq!(check(built(other), &lock).0, ["lock-lacks-wheel"]);
    let commit = json!({"uri": format!("git+https://example.org/demo.git@{}", "c".repeat(40))});
    assert_eq!(check(built(commit), &lock).0, ["lock-lacks-wheel"]);
    // A directory is no more than an input that the recipe has as one.
    let directory = || built(json!({"uri": "."}));
    assert_eq!(check(directory(), &lock).0, ["lock-lacks-wheel"]);
    let (codes, found) = check(
        |manifest| {
            directory()(manifest);
            manifest["recipe"]["inputs"] = json!(["."]);
        },
        &lock,
    );
    assert_eq!(codes, nothing);
    let not_compared = "not compared, as a lock pins neither directories nor the application itself: demo";
    let report = format!("`requirements.txt` has 1 of 2 wheels; {not_compared}; it is not the very file of the build");
    assert_eq!(found, report);

    // The application is its first input; what else is named has to be in the lock.
    let alone = format!("lib==2.0 --hash=sha256:{lib}\n");
    let file = json!({"filename": "demo-1.0.tar.gz", "sha256": source});
    let commit = "c".repeat(40);
    let git = json!({"uri": "https://example.org/demo.git", "commit": commit, "subdirectory": "a/b"});
    let uri = format!("git+https://example.org/demo.git@{commit}");
    let of_file = json!({"uri": "demo-1.0.tar.gz", "sha256": source});
    let of_git = json!({"uri": format!("{uri}#subdirectory=a/b")});
    for (input, from, expected) in [
        (&file, &of_file, &[][..]),
        (&git, &of_git, &[][..]),
        (&git, &json!({"uri": uri}), &["lock-lacks-wheel"][..]),
        (&json!({"filename": "demo-1.0.tar.gz", "sha256": "b".repeat(64)}), &of_file, &["lock-lacks-wheel"][..]),
    ] {
        let pack = |inputs: Value| {
            let origin = built(from.clone());
            move |manifest: &mut Value| {
                origin(manifest);
                manifest["recipe"]["inputs"] = inputs;
            }
        };
        let (codes, found) = check(pack(json!([input, "other"])), &alone);
        assert_eq!(codes, expected);
        if expected.is_empty() {
            assert_eq!(found, report);
        }
        assert_eq!(check(pack(json!(["other", input])), &alone).0, ["lock-lacks-wheel"]);
    }
}
