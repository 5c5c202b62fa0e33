//! Wheels laid out together: what two of them may both bring, what is left out, and a RECORD that is true for what is
//! there.

mod wheels;

use std::collections::{BTreeMap, BTreeSet};

use pyzpack::application::{Compression, ConflictPolicy, LayoutChoice};
use pyzpack::archive::{Epoch, Limits};
use pyzpack::status::Explain;
use pyzpack::wheel::{BuiltFrom, repack};
use sha2::{Digest as _, Sha256};

use wheels::application::{Packing, installed_files, lay_out, loose, pack, plan};
use wheels::{Entry, Wheel, Zip, base64url};

/// The application, whose `demo:main` is started.
fn demo() -> Wheel {
    Wheel::new("demo", "1.0").file("demo/__init__.py", "def main():\n    return 0\n")
}

fn other() -> Wheel {
    Wheel::new("other", "2.0").file("other.py", "")
}

/// The message and the hint about wheels that cannot stand beside each other.
#[track_caller]
fn refusal(wheels: &[Wheel], packing: &Packing) -> (String, String) {
    let Err(error) = lay_out(wheels, packing) else { panic!("the wheels are laid out") };
    assert_eq!(error.status(), pyzpack::status::Status::Refused);
    (error.to_string(), error.hint().unwrap_or_default())
}

/// The permissions of the installed files by path.
fn modes(wheels: &[Wheel], packing: &Packing) -> BTreeMap<String, u32> {
    let (_place, _, tree) = lay_out(wheels, packing).unwrap_or_else(|error| panic!("{error}"));
    tree.files.iter().map(|(path, file)| (path.to_string(), file.mode.bits())).collect()
}

/// The installed files, read from archives of both layouts, which hold the same.
fn installed(wheels: &[Wheel], packing: &Packing) -> BTreeMap<String, Vec<u8>> {
    let [zip, extract] = [LayoutChoice::Zip, LayoutChoice::Extract].map(|layout| {
        let packing = Packing { layout, ..packing.clone() };
        installed_files(&pack(wheels, &packing), layout)
    });
    assert_eq!(zip, extract);
    check_records(&zip);
    zip
}

/// What `importlib.metadata` and `pip check` ask of a RECORD: every row's file is there with that digest and size, and
/// every file has a row in one RECORD at least, but a loose module.
fn check_records(files: &BTreeMap<String, Vec<u8>>) {
    let mut listed = BTreeSet::new();
    for (record, text) in files.iter().filter(|(path, _)| path.ends_with(".dist-info/RECORD")) {
        let text = String::from_utf8(text.clone()).unwrap();
        let mut paths = Vec::new();
        for line in text.lines() {
            let (path, rest) = match line.strip_prefix('"').and_then(|line| line.split_once("\",")) {
                Some((path, rest)) => (path.replace("\"\"", "\""), rest),
                None => line.split_once(',').map(|(path, rest)| (path.to_owned(), rest)).unwrap(),
            };
            let contents = files.get(&path).unwrap_or_else(|| panic!("{record} lists `{path}`, which is not there"));
            let digest = base64url(&Sha256::digest(contents));
            let expected = if path == *record { ",".to_owned() } else { format!("sha256={digest},{}", contents.len()) };
            assert_eq!(rest, expected, "{path} in {record}");
            paths.push(path);
        }
        assert!(paths.windows(2).all(|pair| pair[0] < pair[1]), "{record} is sorted, each path once");
        listed.extend(paths);
    }
    let unlisted: Vec<_> = files.keys().filter(|path| !listed.contains(*path) && !path.starts_with("loose")).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
}

#[test]
fn allows_two_wheels_the_same_bytes_and_mode() {
    let shared = "shared/data.txt";
    let files = installed(&[demo().file(shared, "same"), other().file(shared, "same")], &Packing::default());
    assert_eq!(files[shared], b"same");
    for record in ["demo-1.0.dist-info/RECORD", "other-2.0.dist-info/RECORD"] {
        assert!(String::from_utf8_lossy(&files[record]).contains(shared), "{record}");
    }
}

#[test]
fn refuses_different_bytes_and_different_permissions() {
    let hint = "leave one of them out, or choose with `--on-conflict first` or `--on-conflict last` (in the order of the \
                distributions' names)";
    let message = |what: &str| format!("`demo` and `other` both bring `shared/data.txt`, with different {what}");
    let wheels = [other().file("shared/data.txt", "two"), demo().file("shared/data.txt", "one")];
    assert_eq!(refusal(&wheels, &Packing::default()), (message("contents"), hint.to_owned()));
    let wheels = [demo().file("shared/data.txt", "same"), other().executable("shared/data.txt", "same")];
    assert_eq!(refusal(&wheels, &Packing::default()), (message("permissions"), hint.to_owned()));
}

#[test]
fn lets_the_first_or_the_last_name_win_whatever_the_order_of_the_wheels() {
    let path = "shared/data.txt";
    let (one, two) = (demo().file(path, "one"), other().executable(path, "the second"));
    for wheels in [[one.clone(), two.clone()], [two, one]] {
        for (policy, contents, mode) in
            [(ConflictPolicy::First, "one", 0o644), (ConflictPolicy::Last, "the second", 0o755)]
        {
            let packing = Packing { policy, ..Packing::default() };
            // `installed` checks that both RECORDs speak of the file that is there.
            assert_eq!(installed(&wheels, &packing)[path], contents.as_bytes());
            assert_eq!(modes(&wheels, &packing)[path], mode);
        }
    }
}

#[test]
fn no_policy_lets_wheels_clash_where_case_is_ignored() {
    let hint = "leave one of them out: no file system could hold both everywhere";
    for policy in [ConflictPolicy::Error, ConflictPolicy::First, ConflictPolicy::Last] {
        let packing = Packing { policy, ..Packing::default() };
        let wheels = [demo().file("shared/Straße.txt", ""), other().file("Shared/STRASSE.TXT", "")];
        let message = "`Shared/STRASSE.TXT` of `other` and `shared/Straße.txt` of `demo` are one file where case is \
                       ignored";
        assert_eq!(refusal(&wheels, &packing), (message.to_owned(), hint.to_owned()));
        for (file, directory) in [("shared", "shared/a.txt"), ("SHARED", "shared/a.txt"), ("a/Ä", "a/ä/b")] {
            let wheels = [demo().file(directory, ""), other().file(file, "")];
            let message = format!("`other` brings the file `{file}`, where `demo` has a directory");
            assert_eq!(refusal(&wheels, &packing), (message, hint.to_owned()));
        }
    }
    installed(&[demo().file("shared/a.txt", ""), other().file("shared/b.txt", "")], &Packing::default());
}

#[test]
fn loose_modules_follow_the_same_rules() {
    let with = |path: &str, contents: &[u8]| Packing { loose: vec![loose(path, contents)], ..Packing::default() };
    let message = "`demo` and the application itself both bring `demo/__init__.py`, with different contents";
    assert_eq!(refusal(&[demo()], &with("demo/__init__.py", b"other")).0, message);
    let message = "the application itself brings the file `DEMO`, where `demo` has a directory";
    assert_eq!(refusal(&[demo()], &with("DEMO", b"")).0, message);
    assert_eq!(installed(&[demo()], &with("loose.py", b"x = 1\n"))["loose.py"], b"x = 1\n");
}

#[test]
fn refuses_two_wheels_of_one_distribution() {
    let (one, two) = (Wheel::new("demo", "1.0"), Wheel::new("Demo", "1.1"));
    let message = "two wheels of `demo`: `Demo-1.1-py3-none-any.whl` and `demo-1.0-py3-none-any.whl`";
    assert_eq!(refusal(&[one, two], &Packing::default()), (message.to_owned(), "give one of them".to_owned()));
}

#[test]
fn a_main_module_at_a_wheels_root_goes_into_the_payload_alone() {
    let started_before = ["__main__.pyc", "__Main__.pyc", "__main__/__init__.py"];
    let own = ["__main__.py", "__MAIN__.py", "_pyzpack/run.py", "_PYZPACK/x.py", "_pyzpack", "__main__.py/x"];
    for reserved in own.into_iter().chain(started_before) {
        let wheel = demo().file(reserved, "print('not the application')\n");
        let packing = |layout| Packing { layout, ..Packing::default() };
        let error = plan(std::slice::from_ref(&wheel), &packing(LayoutChoice::Zip)).unwrap_err();
        assert_eq!(error.to_string(), format!("`demo` brings `{reserved}`, which the archive itself needs"));
        assert_eq!(error.hint().as_deref(), Some("use `--layout extract`, where it does no harm"));

        let planned = plan(std::slice::from_ref(&wheel), &packing(LayoutChoice::Auto)).unwrap();
        assert_eq!(planned.plan.layout, pyzpack::application::Layout::Extract, "{reserved}");
        let bytes = pack(std::slice::from_ref(&wheel), &packing(LayoutChoice::Extract));
        let files = installed_files(&bytes, LayoutChoice::Extract);
        assert_eq!(files[reserved], b"print('not the application')\n");
        let outer = wheels::application::read_by_zip_crate(&bytes);
        assert_ne!(outer["__main__.py"].1, files[reserved], "the archive's own starts");
    }
    // In a package it is a module like any other.
    installed(&[demo().file("demo/__main__.py", "")], &Packing::default());
}

#[test]
fn refuses_the_marker_of_an_unpacked_tree() {
    for reserved in [".pyzpack", ".PyzPack", ".pyzpack/x"] {
        let packing = Packing { layout: LayoutChoice::Extract, ..Packing::default() };
        let error = plan(&[demo().file(reserved, "")], &packing).unwrap_err();
        assert_eq!(error.to_string(), format!("`demo` brings `{reserved}`, which the unpacked tree itself needs"));
        assert_eq!(error.hint().as_deref(), Some("give it another name, or leave its distribution out"));
        assert_eq!(error.status(), pyzpack::status::Status::Refused);
    }
    installed(&[demo().file(".pyzpack2", "").file("demo/.pyzpack", "")], &Packing::default());
}

#[test]
fn writes_the_patch_releases_that_a_wheel_refuses_into_the_bootstrap() {
    let needs = |specifiers: &str| {
        let metadata = format!("Metadata-Version: 2.1\nName: other\nVersion: 2.0\nRequires-Python: {specifiers}\n");
        let bytes = pack(&[demo(), other().info("METADATA", metadata)], &Packing::default());
        String::from_utf8(wheels::application::read_by_zip_crate(&bytes)["_pyzpack/find.py"].1.clone()).unwrap()
    };
    let main = needs(">=3.8.2,!=3.10.7");
    let expected = r#""refused": {(3, 8): ((0, 1), ">=3.8.2"), (3, 10): ((7,), "!=3.10.7")}, "newest""#;
    assert!(main.contains(expected), "{main}");
    // Whole minor versions are not the start's to refuse again.
    assert!(!needs(">=3.9").contains(r#""refused": "#));
}

#[test]
fn drops_what_installers_and_interpreters_leave_behind() {
    let clean = demo().file("demo/cache.py", "");
    let mut residue = clean.clone();
    for file in ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"] {
        residue = residue.info(file, "residue");
    }
    residue = residue
        .file("demo/__pycache__/__init__.cpython-312.pyc", "compiled")
        .file("__pycache__/x.pyc", "compiled")
        .file("demo-1.0.data/purelib/demo/__pycache__/y.pyc", "compiled");
    let mut files = installed(std::slice::from_ref(&residue), &Packing::default());
    assert_eq!(files, installed(&[clean], &Packing::default()));
    // The same names elsewhere are files like any other.
    let kept = residue.file("demo/INSTALLER", "kept").info("licenses/INSTALLER", "kept");
    let all = installed(&[kept], &Packing::default());
    for path in ["demo/INSTALLER", "demo-1.0.dist-info/licenses/INSTALLER"] {
        assert_eq!(all[path], b"kept");
    }
    files.retain(|path, _| path.contains("dist-info"));
    assert_eq!(
        files.into_keys().collect::<Vec<_>>(),
        ["METADATA", "RECORD", "WHEEL"].map(|file| format!("demo-1.0.dist-info/{file}"))
    );
}

#[test]
fn drops_signatures_of_the_record_that_is_replaced() {
    let mut zip = demo().zip();
    zip.entries.push(Entry::file("demo-1.0.dist-info/RECORD.jws", b"{}"));
    let wheel = wheels::verify_bytes("demo-1.0-py3-none-any.whl", &zip.to_bytes()).unwrap();
    assert!(wheel.file("demo-1.0.dist-info/RECORD.jws").is_some());
    let wheels = pyzpack::application::WheelSet::new(vec![wheel]).unwrap();
    let tree = pyzpack::application::InstalledTree::lay_out(&wheels, &[], ConflictPolicy::Error).unwrap();
    assert!(!tree.files.keys().any(|path| path.as_str().ends_with("RECORD.jws")));
}

#[test]
fn maps_the_data_directory_as_an_installer_does() {
    let wheel = demo()
        .file("demo-1.0.data/purelib/pure.py", "pure")
        .file("demo-1.0.data/platlib/plat/__init__.py", "plat")
        .executable("demo-1.0.data/scripts/run", "#!/bin/sh\n")
        .file("demo-1.0.data/headers/demo.h", "header")
        .file("demo-1.0.data/data/share/demo/data.txt", "data")
        .file("other-1.0.data/scripts/x", "another distribution's name");
    let files = installed(std::slice::from_ref(&wheel), &Packing::default());
    for (path, contents) in [
        ("pure.py", "pure"),
        ("plat/__init__.py", "plat"),
        ("bin/run", "#!/bin/sh\n"),
        ("include/demo/demo.h", "header"),
        ("share/demo/data.txt", "data"),
        ("other-1.0.data/scripts/x", "another distribution's name"),
    ] {
        assert_eq!(files[path], contents.as_bytes(), "{path}");
    }
    assert!(!files.keys().any(|path| path.starts_with("demo-1.0.data")));
    assert_eq!(modes(&[wheel], &Packing::default())["bin/run"], 0o755);
}

#[test]
fn no_script_names_a_python_of_the_machine_that_built_it() {
    for (script, packed) in [
        ("#!/home/me/venv/bin/python3.11 -I\nrun()\n", "#!python\nrun()\n"),
        ("#! /usr/bin/python\n", "#!python\n"),
        ("#!C:\\Python\\python.exe\r\nrun()\n", "#!python\nrun()\n"),
        // These name no place, or no Python.
        ("#!python\nrun()\n", "#!python\nrun()\n"),
        ("#!/usr/bin/env python3\n", "#!/usr/bin/env python3\n"),
        ("#!/bin/sh\npython3\n", "#!/bin/sh\npython3\n"),
        ("run()\n", "run()\n"),
    ] {
        let files = installed(&[demo().file("demo-1.0.data/scripts/tool", script)], &Packing::default());
        assert_eq!(String::from_utf8_lossy(&files["bin/tool"]), packed, "{script:?}");
    }
}

#[test]
fn refuses_what_the_data_directory_would_put_over_another_file() {
    let wheel = demo().file("demo-1.0.data/purelib/demo/__init__.py", "other");
    let message = "`demo` and `demo` both bring `demo/__init__.py`, with different contents";
    assert_eq!(refusal(&[wheel], &Packing::default()).0, message);
    // The name that installing gives is checked like any other.
    let wheel = demo().file("demo-1.0.data/data/DEMO/__init__.py", "");
    let message = "`DEMO/__init__.py` of `demo` and `demo/__init__.py` of `demo` are one file where case is ignored";
    assert_eq!(refusal(&[wheel], &Packing::default()).0, message);
}

#[test]
fn quotes_names_with_commas_in_the_record() {
    let files = installed(&[demo().file("demo/a,b.txt", "x").file("demo/c\"d.txt", "y")], &Packing::default());
    let record = String::from_utf8_lossy(&files["demo-1.0.dist-info/RECORD"]);
    assert!(
        record.contains("\n\"demo/a,b.txt\",sha256=") && record.contains("\n\"demo/c\"\"d.txt\",sha256="),
        "{record}"
    );
}

#[test]
fn tells_what_pth_files_do() {
    let wheel = demo()
        .file("code.pth", "# a comment\nimport os; os.environ\n")
        .file("paths.pth", "lib\n\n")
        .file("both.pth", "import\tsys\r\nlib\r\n")
        .file("nothing.pth", "# import os\n\n")
        .file("demo-1.0.data/purelib/mapped.pth", "importlib_is_a_path\n")
        .file("demo/deep.pth", "import os\n");
    let planned = plan(&[wheel], &Packing::default()).unwrap();
    let expected = [
        ("both.pth", "runs code and adds to the import path"),
        ("code.pth", "runs code"),
        ("mapped.pth", "adds to the import path"),
        ("paths.pth", "adds to the import path"),
    ]
    .map(|(path, does)| format!("`{path}` of `demo` {does} at each start"));
    assert_eq!(planned.plan.warnings, expected);
}

/// The wheel as backends write it: every way of packing the same files.
fn packings(wheel: &Wheel) -> Vec<(&'static str, Zip)> {
    let change = |change: &dyn Fn(&mut Entry)| {
        let mut zip = wheel.zip();
        zip.entries.iter_mut().for_each(change);
        zip
    };
    let contents = |entry: &Entry| miniz_oxide::inflate::decompress_to_vec(&entry.data).expect("a stream of ours");
    let mut backwards = wheel.zip();
    backwards.entries.reverse();
    let mut directories = wheel.zip();
    directories.entries.insert(0, Entry::directory("demo/"));
    vec![
        ("as it is", wheel.zip()),
        ("stored", change(&|entry| *entry = entry.clone().with_stream(0, &contents(entry)))),
        (
            "at level 1",
            change(&|entry| {
                let stream = miniz_oxide::deflate::compress_to_vec(&contents(entry), 1);
                *entry = entry.clone().with_stream(8, &stream);
            }),
        ),
        ("in another order", backwards),
        ("with directories", directories),
        ("at another time", change(&|entry| entry.both(|header| header.date = 0x5b42))),
        ("by another system's tool", change(&|entry| entry.both(|header| header.needed = 45))),
        ("with data descriptors", change(&|entry| entry.defer(true, false))),
        ("with another group's permissions", change(&|entry| entry.external |= 0o020 << 16)),
    ]
}

#[test]
fn a_built_wheel_has_the_same_canonical_bytes_however_its_backend_packed_it() {
    let text = "text that deflates, text that deflates, text that deflates\n".repeat(30);
    let wheel = demo().file("demo/text.txt", text).executable("demo/tool.sh", "#!/bin/sh\n").file("demo/empty", "");
    let repacked = |zip: &Zip| {
        let place = tempfile::tempdir().unwrap();
        let built = place.path().join(wheel.filename());
        std::fs::write(&built, zip.to_bytes()).unwrap();
        let from = BuiltFrom { uri: ".".to_owned(), sha256: None };
        let directory = place.path().join("canonical");
        let made = repack(&built, from, &directory, Epoch::default(), &Limits::default()).unwrap();
        let bytes = std::fs::read(directory.join(wheel.filename())).unwrap();
        assert_eq!(made.sha256, pyzpack::digest::Sha256Digest::of(&bytes));
        bytes
    };
    let canonical = repacked(&wheel.zip());
    let as_written: BTreeSet<Vec<u8>> = packings(&wheel).iter().map(|(_, zip)| zip.to_bytes()).collect();
    assert_eq!(as_written.len(), packings(&wheel).len(), "the fixtures differ");
    for (how, zip) in packings(&wheel) {
        assert!(repacked(&zip) == canonical, "{how}");
    }
    // A changed byte of a file changes the canonical bytes too.
    assert!(repacked(&wheel.clone().file("demo/empty", "x").zip()) != canonical);
    // And the canonical wheel is one that is taken, with the same files.
    wheels::verify_bytes(&wheel.filename(), &canonical).unwrap();
}

#[test]
fn recompressed_archives_do_not_depend_on_the_streams_of_their_wheels() {
    let wheel = demo().file("demo/text.txt", "text, text, text, text, text, text, text\n".repeat(20));
    let mut digests = BTreeSet::new();
    for (_, zip) in packings(&wheel) {
        let found = wheels::verify_bytes(&wheel.filename(), &zip.to_bytes()).unwrap();
        digests.insert(found.files.iter().map(|file| file.contents.sha256).collect::<BTreeSet<_>>());
    }
    assert_eq!(digests.len(), 1);
    let packing = Packing { layout: LayoutChoice::Extract, compression: Compression::Recompress, ..Packing::default() };
    let payload = |bytes: &[u8]| wheels::application::read_by_zip_crate(bytes)["_pyzpack/payload.zip"].1.clone();
    let expected = payload(&pack(std::slice::from_ref(&wheel), &packing));
    for (how, zip) in packings(&wheel) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(wheel.filename());
        std::fs::write(&path, zip.to_bytes()).unwrap();
        let verified = wheels::verify(&path, &Limits::default()).unwrap();
        let planned = wheels::application::plan_verified(vec![verified], &packing).unwrap();
        let bytes = wheels::application::write(&planned.plan.archive, &planned.wheels).unwrap();
        assert!(payload(&bytes) == expected, "{how}");
    }
}
