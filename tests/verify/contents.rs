//! What the file says of itself: manifest, start-up code, RECORDs, wheels.

use pyzpack::application::LayoutChoice::{Extract, Zip as InPlace};
use serde_json::json;

use crate::good::{MANIFEST, Parts, RECORD, codes_of, parts};

const NOTHING: [&str; 0] = [];

/// The codes of the good file with one change, which must be the same in both layouts.
#[track_caller]
fn change(change: impl Fn(&mut Parts)) -> Vec<&'static str> {
    let [zip, extract] = [InPlace, Extract].map(|layout| {
        let mut parts = parts(layout);
        change(&mut parts);
        codes_of(&parts.bytes())
    });
    assert_eq!(zip, extract);
    zip
}

/// The codes when the manifest has another value at `pointer`.
#[track_caller]
fn manifest(pointer: &str, value: impl Into<serde_json::Value>) -> Vec<&'static str> {
    let value = value.into();
    change(|parts| parts.manifest(|manifest| *manifest.pointer_mut(pointer).expect("the key") = value.clone()))
}

#[test]
fn refuses_a_manifest_that_is_not_its_one_spelling() {
    let edit = |old: &'static str, new: &'static str| {
        change(|parts| {
            let bytes = &mut parts.outer.get_mut(MANIFEST).unwrap().1;
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(old));
            *bytes = text.replacen(old, new, 1).into_bytes();
        })
    };
    assert_eq!(edit("{\"", "{ \""), ["manifest-not-canonical"]);
    assert_eq!(edit("\"format\":1", "\"format\":1,\"format\":1"), ["manifest-malformed"]);
    assert_eq!(edit("\"format\":1", "\"format\":2"), ["manifest-format"]);
    assert_eq!(edit("\"format\":1", "\"format\":1,\"later\":1"), ["manifest-malformed"]);
    assert_eq!(edit("\"name\":\"demo\"", "\"name\":7"), ["manifest-malformed"]);
    let without = change(|parts| drop(parts.outer.remove(MANIFEST)));
    // Nothing is left that would say whose it is; what was listed in it is no longer said to be there.
    assert_eq!(without, NOTHING);
}

#[test]
fn refuses_notes_that_are_not_what_they_should_be() {
    let notes = |text: &'static str| {
        change(|parts| drop(parts.outer.insert("_pyzpack/origins.json".to_owned(), (0o644, text.as_bytes().to_vec()))))
    };
    assert_eq!(notes("{\"wheels\":[]}"), NOTHING);
    let of = |names: &[&str]| {
        let notes: Vec<_> = names.iter().map(|name| json!({"filename": name, "provider": "nobody"})).collect();
        let text = json!({"wheels": notes}).to_string().into_bytes();
        change(|parts| drop(parts.outer.insert("_pyzpack/origins.json".to_owned(), (0o644, text.clone()))))
    };
    let (demo, lib) = ("demo-1.0-py3-none-any.whl", "lib-2.0-py3-none-any.whl");
    assert_eq!(of(&[demo, lib]), NOTHING);
    for wrong in [&[lib, demo][..], &[demo, demo], &["other-1.0-py3-none-any.whl"]] {
        assert_eq!(of(wrong), ["manifest-value"], "{wrong:?}");
    }
    assert_eq!(notes("{\"wheels\": []}"), ["manifest-not-canonical"]);
    assert_eq!(notes("{\"wheels\":[],\"more\":1}"), ["manifest-malformed"]);
    assert_eq!(notes("{\"wheels\":[],\"wheels\":[]}"), ["manifest-malformed"]);
}

#[test]
fn refuses_values_that_cannot_be_or_are_not() {
    assert_eq!(manifest("/epoch", json!(315_532_802)), ["manifest-differs"]);
    assert_eq!(manifest("/epoch", json!(315_532_801)), ["manifest-value"]);
    assert_eq!(manifest("/recipe/shebang", json!("/bin/python3")), ["manifest-differs"]);
    assert_eq!(manifest("/pythons", json!([])), ["manifest-value", "bootstrap-constant"]);
    assert_eq!(manifest("/pythons", json!(["3.12", "3.11"])), ["manifest-value", "bootstrap-constant"]);
    assert_eq!(manifest("/platform", json!("plan9_mips")), ["manifest-value", "bootstrap-constant"]);
    assert_eq!(manifest("/wheels/0/origin", json!("stolen")), ["manifest-value"]);
    assert_eq!(manifest("/wheels/0/origin", json!("built")), ["manifest-value"]);
    let inputs = vec![json!("demo"); 10_001];
    assert_eq!(manifest("/recipe/inputs", inputs), ["manifest-malformed"]);
    assert_eq!(manifest("/files/0/distribution", json!("nobody")), ["manifest-value"]);
    let swapped = change(|parts| parts.manifest(|manifest| manifest["wheels"].as_array_mut().unwrap().swap(0, 1)));
    assert_eq!(swapped, ["manifest-value"]);
    let twice = change(|parts| {
        parts.manifest(|manifest| {
            let files = manifest["files"].as_array_mut().unwrap();
            files.insert(0, files[0].clone());
        });
    });
    assert_eq!(twice, ["manifest-value"]);
    let layout = |layout, other: &str| {
        let mut parts = parts(layout);
        parts.manifest(|manifest| manifest["layout"] = other.into());
        codes_of(&parts.bytes())
    };
    assert_eq!(layout(InPlace, "extract"), ["manifest-differs"]);
    assert_eq!(layout(Extract, "zip"), ["manifest-differs"]);
}

#[test]
fn refuses_files_that_are_not_those_of_the_manifest() {
    let edited = change(|parts| parts.files().get_mut("lib.py").unwrap().1 = b"name = 'evi'\n".to_vec());
    assert_eq!(edited, ["manifest-file-differs", "record-differs"]);
    let executable = change(|parts| parts.files().get_mut("lib.py").unwrap().0 = 0o755);
    assert_eq!(executable, ["manifest-file-differs"]);
    let missing = change(|parts| drop(parts.files().remove("lib.py")));
    assert_eq!(missing, ["manifest-file-missing", "record-ghost"]);
    let added = change(|parts| drop(parts.files().insert("sitecustomize.py".to_owned(), (0o644, b"evil".to_vec()))));
    assert_eq!(added, ["manifest-file-unlisted"]);
    assert_eq!(manifest("/files/0/size", json!(1)), ["manifest-file-differs"]);
    assert_eq!(manifest("/files/0/sha256", json!("0".repeat(64))), ["manifest-file-differs"]);
    assert_eq!(manifest("/files/0/mode", json!("0600")), ["manifest-file-differs"]);
}

#[test]
fn refuses_bytecode_that_is_not_what_was_packed() {
    const PYC: &str = "__pycache__/demo.cpython-312.pyc";
    let change = |change: &dyn Fn(&mut Parts)| {
        let mut parts = parts(Extract);
        parts.add(PYC, b"\xcb\r\r\n\x01\0\0\0hash of.code", Some("demo"));
        let row = parts.row(PYC);
        parts.record(|record| format!("{row}{record}"));
        parts.manifest(|manifest| manifest["recipe"]["bytecode"] = json!(["3.12.1"]));
        change(&mut parts);
        codes_of(&parts.bytes())
    };
    assert_eq!(change(&|_| ()), NOTHING);
    let edited = change(&|parts| *parts.files().get_mut(PYC).unwrap().1.last_mut().unwrap() ^= 1);
    assert_eq!(edited, ["manifest-file-differs", "record-differs"]);
    let owned_up = change(&|parts| {
        parts.files().get_mut(PYC).unwrap().1.push(0);
        parts.own_up(PYC);
    });
    assert_eq!(owned_up, ["record-differs"]);
    let unlisted = change(&|parts| {
        let row = parts.row(PYC);
        parts.record(|record| record.replace(&row, ""));
    });
    assert_eq!(unlisted, ["record-unlisted"]);
    let added = change(&|parts| {
        parts.files().insert(PYC.replace("demo", "lib"), (0o644, b"evil".to_vec()));
    });
    assert_eq!(added, ["manifest-file-unlisted"]);
    let missing = change(&|parts| drop(parts.files().remove(PYC)));
    assert_eq!(missing, ["manifest-file-missing", "record-ghost"]);
    for versions in [&["3.12"][..], &["3.7.1"], &["3.12.1", "3.12.2"], &["3.12.1", "3.11.7"], &["312"], &[""]] {
        let wrong = change(&|parts| parts.manifest(|manifest| manifest["recipe"]["bytecode"] = json!(versions)));
        assert_eq!(wrong, ["manifest-value"], "{versions:?}");
    }
    let mut in_place = parts(InPlace);
    in_place.manifest(|manifest| manifest["recipe"]["bytecode"] = json!(["3.12.1"]));
    assert_eq!(codes_of(&in_place.bytes()), ["manifest-value"]);
}

#[test]
fn refuses_records_that_are_not_true() {
    assert_eq!(change(|parts| parts.record(|record| record)), NOTHING);
    let edit = |old: &'static str, new: &'static str| {
        change(|parts| {
            parts.record(|record| {
                assert!(record.contains(old), "{record}");
                record.replacen(old, new, 1)
            });
        })
    };
    assert_eq!(edit("demo.py,sha256=", "demo.py,md5="), ["record-malformed"]);
    assert_eq!(edit("demo.py,sha256=", "\"demo.py,sha256="), ["record-malformed"]);
    assert_eq!(edit(",200\n", ",201\n"), ["record-differs"]);
    assert_eq!(edit("demo.py,", "demos.py,"), ["record-ghost", "record-unlisted"]);
    let row = parts(InPlace).row("demo.py");
    let twice = change(|parts| parts.record(|record| format!("{record}{row}")));
    assert_eq!(twice, ["record-malformed"]);
    let omitted = change(|parts| parts.record(|record| record.replace(&row, "")));
    assert_eq!(omitted, ["record-unlisted"]);
    let ghost = change(|parts| parts.record(|record| format!("{record}{}", row.replace("demo.py", "ghost.py"))));
    assert_eq!(ghost, ["record-ghost"]);
    let other = change(|parts| {
        parts.files().get_mut("demo.py").unwrap().1 = b"def main():\n    return 1\n".to_vec();
        parts.own_up("demo.py");
    });
    assert_eq!(other, ["record-differs"]);
    let added = change(|parts| parts.add("more.py", b"pass\n", Some("demo")));
    assert_eq!(added, ["record-unlisted"]);
    // A module of the application itself belongs to no RECORD.
    assert_eq!(change(|parts| parts.add("more.py", b"pass\n", None)), NOTHING);
    let missing = change(|parts| {
        parts.files().remove(RECORD);
        parts.manifest(|manifest| manifest["files"].as_array_mut().unwrap().retain(|file| file["path"] != RECORD));
    });
    assert_eq!(missing, ["record-missing"]);
}

#[test]
fn refuses_wheels_that_are_not_the_distributions_inside() {
    assert_eq!(manifest("/wheels/0/version", json!("1.1")), ["wheel-differs"]);
    assert_eq!(manifest("/wheels/0/filename", json!("demo-1.1-py3-none-any.whl")), ["wheel-differs"]);
    assert_eq!(manifest("/wheels/0/filename", json!("other-1.0-py3-none-any.whl")), ["wheel-differs"]);
    assert_eq!(manifest("/wheels/0/filename", json!("demo")), ["wheel-differs"]);
    let ghost = change(|parts| {
        parts.manifest(|manifest| {
            let wheels = manifest["wheels"].as_array_mut().unwrap();
            let mut wheel = wheels[0].clone();
            wheel["name"] = "zzz".into();
            wheel["filename"] = "zzz-1.0-py3-none-any.whl".into();
            wheels.push(wheel);
        });
    });
    assert_eq!(ghost, ["wheel-missing"]);
    let unlisted = change(|parts| parts.manifest(|manifest| drop(manifest["wheels"].as_array_mut().unwrap().pop())));
    assert_eq!(unlisted, ["manifest-value", "wheel-unlisted"]);
    let metadata = change(|parts| {
        let path = "demo-1.0.dist-info/METADATA";
        parts.files().get_mut(path).unwrap().1 = b"Name: demo\n".to_vec();
        parts.own_up(path);
        let row = parts.row(path);
        parts.record(|record| {
            record.lines().map(|line| if line.starts_with(path) { row.clone() } else { format!("{line}\n") }).collect()
        });
    });
    assert_eq!(metadata, ["wheel-missing", "wheel-metadata"]);
}

#[test]
fn refuses_start_up_code_that_is_not_its_own() {
    let edit = |path: &'static str, old: &'static str, new: &'static str| {
        change(|parts| {
            let bytes = &mut parts.outer.get_mut(path).unwrap().1;
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(old), "{old}");
            *bytes = text.replacen(old, new, 1).into_bytes();
        })
    };
    let find = |old, new| edit("_pyzpack/find.py", old, new);
    for fixed in ["__main__.py", "_pyzpack/run.py"] {
        assert_eq!(edit(fixed, "\n", "\nimport evil\n"), ["bootstrap-differs"], "{fixed}");
    }
    assert_eq!(find("import os\n", "import os, evil\n"), ["bootstrap-differs"]);
    assert_eq!(find("\"name\": \"demo\"", "\"name\": \"d\" \"emo\""), ["bootstrap-differs"]);
    assert_eq!(find("\"name\": \"demo\"", "\"name\": \"other\""), ["bootstrap-constant"]);
    assert_eq!(find("(\"object\", \"demo\", \"main\")", "(\"object\", \"evil\", \"main\")"), ["bootstrap-constant"]);
    assert_eq!(find("(\"object\", \"demo\", \"main\")", "(\"module\", \"evil\")"), ["bootstrap-constant"]);
    assert_eq!(find("\"scripts\": {", "\"scripts\": {\"a\": (\"module\", \"evil\"), "), ["bootstrap-constant"]);
    assert_eq!(find("\"show\": (\"object\", \"demo\"", "\"show\": (\"object\", \"evil\""), ["bootstrap-constant"]);
    assert_eq!(find("\"pth\": ()", "\"pth\": (\"evil.pth\",)"), ["bootstrap-constant"]);
    assert_eq!(find("\"version\": \"1.0\"", "\"version\": \"1.1\""), ["bootstrap-constant"]);
    assert_eq!(change(|parts| drop(parts.outer.remove("_pyzpack/run.py"))), ["bootstrap-missing"]);
    assert_eq!(change(|parts| drop(parts.outer.remove("_pyzpack/find.py"))), ["bootstrap-missing"]);
    for unknown in ["_pyzpack/evil.py", "_pyzpack/payload-2.txt", "_pyzpack/more/x", "_pyzpack/payload-3.zip"] {
        let added = change(|parts| drop(parts.outer.insert(unknown.to_owned(), (0o644, Vec::new()))));
        assert_eq!(added, ["bootstrap-unknown-entry"], "{unknown}");
    }
    for name in ["__main__.pyc", "__main__/__init__.py", "__Main__.pyc"] {
        let added = |layout| {
            let mut parts = parts(layout);
            parts.add(name, b"evil", None);
            codes_of(&parts.bytes())
        };
        assert_eq!(added(InPlace), ["bootstrap-unknown-entry"], "{name}");
        // Unpacked, it is one file among others.
        assert_eq!(added(Extract), NOTHING, "{name}");
    }
    let mut marked = parts(Extract);
    marked.add(".PyzPack/x", b"evil", None);
    assert_eq!(codes_of(&marked.bytes()), ["bootstrap-unknown-entry"]);
    for name in ["__main__.pyc", "os.py"] {
        let mut parts = parts(Extract);
        parts.add(name, b"evil", None);
        let added = parts.files().remove(name).unwrap();
        parts.outer.insert(name.to_owned(), added);
        assert_eq!(codes_of(&parts.bytes()), ["bootstrap-unknown-entry"], "{name}");
    }
    let directory = |layout| {
        let mut parts = parts(layout);
        parts.files().insert("nothing/".to_owned(), (0o755, Vec::new()));
        codes_of(&parts.bytes())
    };
    assert_eq!([directory(InPlace), directory(Extract)], [["bootstrap-unknown-entry"]; 2]);
}

#[test]
fn start_up_code_of_another_version_cannot_be_compared() {
    let other = change(|parts| {
        parts.manifest(|manifest| manifest["tool"]["version"] = "999.0".into());
        parts.outer.insert("_pyzpack/later.py".to_owned(), (0o644, b"pass\n".to_vec()));
    });
    assert_eq!(other, NOTHING);
    let other = change(|parts| {
        parts.manifest(|manifest| manifest["tool"]["version"] = "999.0".into());
        parts.outer.insert("_pyzpack/later.txt".to_owned(), (0o644, b"pass\n".to_vec()));
    });
    assert_eq!(other, ["bootstrap-unknown-entry"]);
}

#[test]
fn refuses_a_payload_or_a_tree_that_the_start_up_code_does_not_expect() {
    let parts = parts(Extract);
    for (with, code) in [
        (crate::good::with_payload as fn(&[u8], &str) -> Vec<u8>, "bootstrap-payload"),
        (crate::good::with_tree, "bootstrap-constant"),
    ] {
        let mut zip = parts.zip();
        let find = zip.entry("_pyzpack/find.py");
        let other = with(&find.data, &"0".repeat(64));
        find.both(|header| header.crc32 = crc32fast::hash(&other));
        find.data = other;
        assert_eq!(codes_of(&crate::good::behind(&parts.shebang, zip)), [code]);
    }
}
