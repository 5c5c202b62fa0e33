//! Whole documents of one application, and every way in which one that is handed in can be wrong.

use serde_json::{Value, json};

use super::*;
use crate::digest::Sha256Digest;
use crate::evidence::{Distribution, EmbeddedSbom, Facts, IndexNote, Manifest, Origins};
use crate::json::to_canonical_json;

fn digest(text: &str) -> Sha256Digest {
    Sha256Digest::of(text.as_bytes())
}

fn described(metadata: &[&str]) -> Distribution {
    let split = |line: &&str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    Distribution { metadata: metadata.iter().map(split).collect(), sboms: Vec::new() }
}

/// A project with a wheel of each origin.
fn facts() -> Facts {
    let wheel = |name: &str, version: &str, origin: &str, source: Value| {
        let filename = format!("{name}-{version}-py3-none-any.whl");
        let mut wheel = json!({
            "name": name, "version": version, "filename": filename, "sha256": digest(&filename), "origin": origin,
        });
        if !source.is_null() {
            wheel["source"] = source;
        }
        wheel
    };
    let archive = json!({"uri": "speed-0.5.tar.gz", "sha256": digest("speed")});
    let commit =
        json!({"uri": "git+https://git.example.org/r.git@0123456789abcdef0123456789abcdef01234567#subdirectory=p"});
    let manifest: Manifest = serde_json::from_value(json!({
        "format": 1, "tool": {"name": "pyzpack", "version": env!("CARGO_PKG_VERSION")}, "name": "tool",
        "version": "1.0", "epoch": 1_700_000_000, "entry_point": "tool:main", "console_scripts": {},
        "requires_python": null, "pythons": ["3.10", "3.11"], "platform": "manylinux_2_17_x86_64", "layout": "extract",
        "wheels": [
            wheel("commit", "3", "built", commit),
            wheel("foreign", "4", "local", Value::Null),
            wheel("lib", "2.0+local.1", "locked", Value::Null),
            wheel("speed", "0.5", "built", archive),
            wheel("tool", "1.0", "built", json!({"uri": "."})),
        ],
        "files": [],
        "recipe": {
            "inputs": ["."], "lock": {"filename": "uv.lock", "sha256": digest("lock")}, "console_script": null,
            "entry_point": null, "extras": [], "groups": [], "target": {"python": null, "platform": null},
            "layout": "auto", "compression": "deflate", "recompress": false, "bytecode": [], "on_conflict": "error",
            "shebang": "/usr/bin/env python3",
        },
    }))
    .unwrap();
    let origins: Origins = serde_json::from_value(json!({"wheels": [
        {"filename": "lib-2.0+local.1-py3-none-any.whl", "provider": {"index": "https://index.example/simple"}},
        {"filename": "speed-0.5-py3-none-any.whl", "provider": {"url": "https://files.example/speed-0.5.tar.gz"},
         "build_requirements": [
            {"name": "setuptools", "version": "80.9", "filename": "setuptools-80.9-py3-none-any.whl",
             "sha256": digest("setuptools")},
            {"name": "wheel", "version": "1", "filename": "wheel-1-py3-none-any.whl"},
        ]},
    ]}))
    .unwrap();
    let mut lib = described(&[
        "summary: A library",
        "author-email: A B <ab@lib.example>",
        "home-page: https://lib.example",
        "project-url: Changelog, https://lib.example/changes",
        "license: BSD",
        "classifier: License :: OSI Approved :: BSD License",
        "requires-dist: speed ; extra == 'fast'",
        "requires-dist: foreign ; sys_platform == 'win32'",
        "requires-dist: tool ; python_full_version < '3.10.1'",
    ]);
    let path = "lib-2.0+local.1.dist-info/sboms/c lib.cdx.json".to_owned();
    lib.sboms.push(EmbeddedSbom { path, sha256: digest("sbom") });
    let distributions = vec![
        described(&["license-expression: mit OR apache-2.0"]),
        described(&["summary: UNKNOWN", "license: all rights\nreserved"]),
        lib,
        described(&["license-expression: LicenseRef-Proprietary", "requires-dist: lib[slow]"]),
        described(&["license: MIT", "requires-dist: lib[Fast]>=1", "requires-dist: lib"]),
    ];
    Facts { filename: "t.pyz".to_owned(), sha256: digest("file"), manifest, origins, distributions }
}

/// Compares with a document of testdata/, which is spread over lines to be read.
fn assert_golden(document: &[u8], golden: &str) {
    let found: Value = serde_json::from_slice(document).unwrap();
    let expected: Value = serde_json::from_str(golden).unwrap();
    assert_eq!(format!("{found:#}"), format!("{expected:#}"));
    assert_eq!(document, to_canonical_json(&expected));
}

#[test]
fn writes_cyclonedx_as_it_is_published() {
    let document = cyclonedx(&facts(), &IndexNote::Default);
    assert_golden(&document, include_str!("../../../testdata/evidence/tool.cdx.json"));
}

#[test]
fn writes_spdx_as_it_is_published() {
    let document = spdx(&facts(), &IndexNote::Default);
    assert_golden(&document, include_str!("../../../testdata/evidence/tool.spdx.json"));
}

#[test]
fn uuids_are_those_of_the_standard() {
    // RFC 9562, A.4: www.example.com in the namespace of names, whose fourth byte is another.
    let mut names = URLS;
    names[3] = 0x10;
    let found = format!("{:032x}", u128::from_be_bytes(uuid_v5(&names, b"www.example.com")));
    assert_eq!(found, "2ed6657de927568b95e12665a8aea6a2");
}

#[test]
fn renaming_changes_nothing_and_time_counts_from_1980() {
    let written = |change: fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        serde_json::from_slice::<Value>(&cyclonedx(&facts, &IndexNote::Default)).unwrap()
    };
    assert_eq!(written(|facts| facts.filename = "other.pyz".to_owned()), written(|_| ()));
    let timestamp = |document: Value| document["metadata"].get("timestamp").cloned();
    assert_eq!(timestamp(written(|_| ())), Some("2023-11-14T22:13:20Z".into()));
    assert_eq!(timestamp(written(|facts| facts.manifest.epoch = 315_532_800)), None);
    assert_eq!(timestamp(written(|facts| facts.manifest.epoch = 0)), None);
    assert_eq!(timestamp(written(|facts| facts.manifest.epoch = u64::MAX)), Some("2107-12-31T23:59:58Z".into()));
}

/// The edges by names, the application's first.
fn edges(facts: &Facts) -> Vec<String> {
    let name = |index: &usize| facts.manifest.wheels[*index].name.to_string();
    let edges = edges::Edges::of(facts);
    let told = edges.of.iter().enumerate().filter(|(_, needed)| !needed.is_empty());
    let told = told.map(|(index, needed)| (name(&index), needed));
    std::iter::once((String::new(), &edges.direct))
        .chain(told)
        .map(|(from, needed)| format!("{from} > {}", needed.iter().map(name).collect::<Vec<_>>().join(" ")))
        .collect()
}

#[test]
fn follows_requirements_where_the_file_runs() {
    let mut facts = facts();
    // `commit` and `foreign` are reached from nothing; 3.10.0 is one of the Pythons.
    assert_eq!(edges(&facts), [" > commit foreign tool", "lib > speed tool", "speed > lib", "tool > lib"]);
    facts.manifest.platform = "any".to_owned();
    assert_eq!(edges(&facts)[1], "lib > foreign speed tool");
    assert_eq!(edges(&facts)[0], " > commit tool");
    facts.manifest.pythons = vec!["3.11".to_owned(), "strange".to_owned()];
    assert_eq!(edges(&facts)[1], "lib > foreign speed");
    // No extra is asked for any more.
    facts.distributions[4] = described(&["requires-dist: lib", "requires-dist: no requirement at all"]);
    assert_eq!(edges(&facts), [" > commit speed tool", "lib > foreign", "speed > lib", "tool > lib"]);
}

#[test]
fn inputs_are_direct_and_rings_are_reached() {
    let mut facts = facts();
    let input = |text: &str| serde_json::from_value(json!([text])).unwrap();
    facts.manifest.recipe.inputs = input("lib[fast]; python_version > '3'");
    facts.distributions[4] = described(&[]);
    assert_eq!(edges(&facts), [" > commit foreign lib", "lib > speed tool", "speed > lib"]);
    facts.manifest.recipe.inputs = input("lib[fast]; python_version < '3'");
    facts.distributions[2] = described(&["requires-dist: speed", "requires-dist: lib[x]"]);
    assert_eq!(edges(&facts), [" > commit foreign lib tool", "lib > speed", "speed > lib"]);
    // The recipe's extras are those of what is packed from a project or a file.
    facts.distributions[4] = described(&["requires-dist: foreign; extra == 'dev'"]);
    facts.manifest.recipe.inputs = input(".");
    assert_eq!(edges(&facts)[0], " > commit foreign lib tool");
    facts.manifest.recipe.extras = vec!["Dev".parse().unwrap()];
    assert_eq!(edges(&facts), [" > commit lib tool", "lib > speed", "speed > lib", "tool > foreign"]);
    facts.manifest.recipe.inputs = serde_json::from_value(json!([
        {"filename": "foreign.whl", "sha256": digest("foreign-4-py3-none-any.whl")},
        {"filename": "speed-0.5.tar.gz", "sha256": digest("speed")},
        {"uri": "https://git.example.org/r.git", "commit": "0123456789abcdef0123456789abcdef01234567", "subdirectory": "p"},
    ]))
    .unwrap();
    assert_eq!(edges(&facts), [" > commit foreign speed tool", "lib > speed", "speed > lib"]);
}

#[test]
fn names_of_spdx_stay_apart() {
    let mut facts = facts();
    for (index, version) in [(0, "1+a"), (1, "1!a"), (2, "1-a")] {
        facts.manifest.wheels[index].name = "x".parse().unwrap();
        facts.manifest.wheels[index].version = version.to_owned();
    }
    let document: Value = serde_json::from_slice(&spdx(&facts, &IndexNote::Default)).unwrap();
    let found: Vec<&str> =
        document["packages"].as_array().unwrap().iter().map(|one| one["SPDXID"].as_str().unwrap()).collect();
    assert_eq!(
        found,
        [
            "SPDXRef-application",
            "SPDXRef-wheel-x-1-a",
            "SPDXRef-wheel-x-1-a-2",
            "SPDXRef-wheel-x-1-a-3",
            "SPDXRef-wheel-speed-0.5",
            "SPDXRef-wheel-tool-1.0",
        ]
    );
}

/// The faults of a document, each with its code.
fn faults(bytes: &[u8]) -> Vec<String> {
    check_sbom(bytes, &facts()).iter().map(|fault| format!("{}: {fault}", fault.code())).collect()
}

/// The same, of our documents with a change.
fn tampered(change: impl Fn(&mut Value)) -> [Vec<String>; 2] {
    [cyclonedx(&facts(), &IndexNote::Default), spdx(&facts(), &IndexNote::Default)].map(|document| {
        let mut document: Value = serde_json::from_slice(&document).unwrap();
        change(&mut document);
        faults(document.to_string().as_bytes())
    })
}

#[test]
fn believes_what_pyzpack_writes_whatever_index_was_named() {
    let named = IndexNote::from_options(Some("https://corp.example/a b/simple"), &[]);
    for index in [IndexNote::Default, IndexNote::Unsaid, named] {
        for document in [cyclonedx(&facts(), &index), spdx(&facts(), &index)] {
            assert_eq!(faults(&document), Vec::<String>::new());
            let spread = format!("{:#}\n", serde_json::from_slice::<Value>(&document).unwrap());
            assert_eq!(faults(spread.as_bytes()), Vec::<String>::new());
        }
    }
}

#[test]
fn refuses_what_is_no_sbom() {
    for (bytes, fault) in [
        (
            &b"{\"bomFormat\": 1, \"bomFormat\": 2}"[..],
            "sbom-json: the SBOM cannot be read: the key `bomFormat` occurs twice in one object",
        ),
        (b"", "sbom-json: the SBOM cannot be read: it is not JSON: EOF while parsing a value at line 1 column 0"),
        (
            b"[]",
            "sbom-format: the SBOM is neither CycloneDX 1 nor SPDX 2 in JSON: it has neither `bomFormat` nor `spdxVersion` of one",
        ),
        (
            b"{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\"}",
            "sbom-format: the SBOM is neither CycloneDX 1 nor SPDX 2 in JSON: `metadata.component` is missing",
        ),
        (
            b"{\"spdxVersion\": \"SPDX-2.3\"}",
            "sbom-format: the SBOM is neither CycloneDX 1 nor SPDX 2 in JSON: it does not describe one package",
        ),
        (
            b"{\"spdxVersion\": \"SPDX-2.3\", \"packages\": [1]}",
            "sbom-format: the SBOM is neither CycloneDX 1 nor SPDX 2 in JSON: `packages` is not a list of objects",
        ),
        (
            b"{\"spdxVersion\": \"SPDX-2.3\", \"packages\": [{\"name\": 1}]}",
            "sbom-format: the SBOM is neither CycloneDX 1 nor SPDX 2 in JSON: a `name` is not a text",
        ),
    ] {
        assert_eq!(faults(bytes), [fault]);
    }
}

#[test]
fn tells_an_sbom_of_another_file() {
    let other = digest("another").to_string();
    let expected = digest("file");
    let message = |found: &str| {
        format!("sbom-subject: the SBOM speaks of another file: expected sha256 {expected}, found {found}")
    };
    for (found, hash) in [(other.as_str(), Some(other.as_str())), ("none", None)] {
        let faults = tampered(|document| {
            let cyclonedx = hash.map_or(json!([]), |hash| json!([{"alg": "SHA-256", "content": hash}]));
            let spdx = hash.map_or(json!([]), |hash| json!([{"algorithm": "SHA256", "checksumValue": hash}]));
            match document.pointer_mut("/metadata/component/hashes") {
                Some(hashes) => *hashes = cyclonedx,
                None => document["packages"][0]["checksums"] = spdx,
            }
        });
        assert_eq!(faults, [[message(found)], [message(found)]]);
    }
}

/// The list of distributions, and where it begins: SPDX has the file itself before them.
fn list(document: &mut Value) -> (&mut Vec<Value>, usize) {
    let (key, first) = if document.get("components").is_some() { ("components", 0) } else { ("packages", 1) };
    (document[key].as_array_mut().unwrap(), first)
}

#[test]
fn tells_what_is_listed_and_not_inside_and_the_reverse() {
    let extra =
        |what: &str| format!("sbom-extra: the SBOM lists `{what}`, which is not in the file, or lists it twice");
    let missing = |what: &str| format!("sbom-missing: the SBOM does not list `{what}`, which is in the file");
    let faults = tampered(|document| {
        let (list, first) = list(document);
        list.remove(first + 2);
    });
    assert_eq!(faults, [[missing("lib 2.0+local.1")], [missing("lib 2.0+local.1")]]);
    let faults = tampered(|document| {
        let (list, first) = list(document);
        let again = list[first].clone();
        list.push(again);
        list[first + 1]["name"] = "another\u{1b}[2J".into();
    });
    let expected = vec![extra("another\\u{1b}[2J 4"), extra("commit 3"), missing("foreign 4")];
    assert_eq!(faults[1], expected);
    let mut sorted = faults[0].clone();
    sorted.sort();
    let mut expected = expected;
    expected.sort();
    assert_eq!(sorted, expected);
    // A component of a component is listed too.
    let [nested, _] = tampered(|document| {
        if let Some(component) = document.pointer_mut("/components/1") {
            component["components"] = json!([{"type": "framework", "name": "hidden", "version": "1"}]);
        }
    });
    assert_eq!(nested, [extra("hidden 1")]);
}

#[test]
fn tells_another_hash_of_a_wheel() {
    let expected = digest("lib-2.0+local.1-py3-none-any.whl");
    let message = |found: &str| {
        format!("sbom-hash: the SBOM has another hash of `lib 2.0+local.1`: expected sha256 {expected}, found {found}")
    };
    let other = digest("another").to_string();
    let faults = tampered(|document| {
        let (list, first) = list(document);
        for (key, value) in [("hashes", "content"), ("checksums", "checksumValue")] {
            if let Some(hashes) = list[first + 2].get_mut(key) {
                hashes[0][value] = other.as_str().into();
            }
        }
    });
    assert_eq!(faults, [[message(&other)], [message(&other)]]);
    let faults = tampered(|document| {
        let (list, first) = list(document);
        let lib = list[first + 2].as_object_mut().unwrap();
        lib.remove("hashes");
        lib.remove("checksums");
    });
    assert_eq!(faults, [[message("none")], [message("none")]]);
}

#[test]
fn tells_what_pyzpack_would_not_have_written() {
    let message = |place: &str, expected: &str, found: &str| {
        format!(
            "sbom-differs: the SBOM is not what pyzpack writes of this file: at `{place}` expected {expected}, found {found}"
        )
    };
    let faults = tampered(|document| {
        let (list, first) = list(document);
        let lib = &mut list[first + 2];
        if lib.get("purl").is_some() {
            lib["purl"] = "pkg:pypi/lib@1.9".into();
        } else {
            lib["licenseDeclared"] = "MIT".into();
        }
    });
    let purl =
        "\"pkg:pypi/lib@2.0%2Blocal.1?file_name=lib-2.0%2Blocal.1-py3-none-any.whl&repository_url=https://inde ...";
    assert_eq!(
        faults,
        [
            [message("/components/2/purl", purl, "\"pkg:pypi/lib@1.9\"")],
            [message("/packages/3/licenseDeclared", "\"LicenseRef-wheel-lib-2.0-local.1\"", "\"MIT\"")],
        ]
    );
    let faults = tampered(|document| {
        document["extra/~"] = 1.into();
        if let Some(dependencies) = document.get_mut("dependencies") {
            dependencies.as_array_mut().unwrap().pop();
        }
    });
    let tool =
        "{\"dependsOn\":[\"pkg:pypi/lib@2.0%2Blocal.1?file_name=lib-2.0%2Blocal.1-py3-none-any.whl&repository_ur ...";
    assert_eq!(faults[0], [message("/dependencies/5", tool, "nothing")]);
    assert_eq!(faults[1], [message("/extra~1~0", "nothing", "1")]);
    // What another tool writes, or another version, has other shapes.
    let faults = tampered(|document| {
        document["extra"] = 1.into();
        match document.pointer_mut("/metadata/tools") {
            Some(tools) => *tools = json!([{"vendor": "x", "name": "other"}]),
            None => document["creationInfo"]["creators"] = json!(["Tool: other-1"]),
        }
    });
    assert_eq!(faults, [Vec::<String>::new(), Vec::new()]);
}

#[test]
fn takes_versions_as_other_tools_spell_them() {
    let faults = tampered(|document| {
        let (list, first) = list(document);
        for key in ["version", "versionInfo"] {
            if list[first + 3].get(key).is_some() {
                list[first + 3][key] = "v0.5.0".into();
            }
        }
        list[first + 3]["name"] = "Speed".into();
        document["metadata"] =
            json!({"component": {"name": "x", "hashes": document["metadata"]["component"]["hashes"]}});
        document["creationInfo"] = Value::Null;
    });
    assert_eq!(faults, [Vec::<String>::new(), Vec::new()]);
}
