//! What is written of a file that has everything, and each way in which a provenance is not the file's.

use super::*;
use crate::evidence::{Distribution, Manifest, Origins, Statement};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A digest that is told by its first digits.
fn digest(number: u8) -> Sha256Digest {
    format!("{number:02x}").repeat(32).parse().unwrap()
}

fn sboms() -> SbomDigests {
    SbomDigests { cyclonedx: digest(0xcd), spdx: digest(0xdb) }
}

/// A file with a wheel of an index, and wheels that were built from a directory, an archive and a commit.
fn facts() -> Facts {
    let wheel = |name: &str, number: u8, origin: &str, source: Value| {
        let mut wheel = json!({
            "name": name, "version": "1.0", "filename": format!("{name}-1.0-py3-none-any.whl"),
            "sha256": digest(number), "origin": origin,
        });
        if !source.is_null() {
            wheel["source"] = source;
        }
        wheel
    };
    let manifest: Manifest = serde_json::from_value(json!({
        "format": 1, "tool": {"name": "pyzpack", "version": env!("CARGO_PKG_VERSION")},
        "name": "app", "version": "1.0", "epoch": 1_700_000_000, "entry_point": "app:main",
        "console_scripts": {"app": "app:main"}, "requires_python": null, "pythons": ["3.11", "3.12"],
        "platform": "any", "layout": "extract", "files": [],
        "wheels": [
            wheel("app", 1, "built", json!({"uri": "."})),
            wheel("click", 2, "index", Value::Null),
            wheel("lib", 3, "built", json!({"uri": "lib-1.0.tar.gz", "sha256": digest(4)})),
            wheel("repo", 5, "built", json!({
                "uri": format!("git+https://example.org/repo.git@{COMMIT}#subdirectory=py"),
            })),
            wheel("local", 6, "local", Value::Null),
        ],
        "recipe": {
            "inputs": [
                ".", {"filename": "local-1.0-py3-none-any.whl", "sha256": digest(6)}, "click>=1",
                {"filename": "requirements.txt", "sha256": digest(7)},
                {"uri": "https://example.org/repo.git", "commit": COMMIT, "subdirectory": "py"},
            ],
            "lock": null, "console_script": "app", "entry_point": null, "extras": ["all"], "groups": ["dev"],
            "target": {"python": "3.11", "platform": null}, "layout": "auto", "compression": "deflate",
            "recompress": true, "bytecode": [], "on_conflict": "first", "shebang": "/usr/bin/env python3.11",
        },
    }))
    .unwrap();
    let origins: Origins = serde_json::from_value(json!({"wheels": [
        {"filename": "lib-1.0-py3-none-any.whl", "build_requirements": [
            {"name": "helper", "version": "2.0", "filename": "helper-2.0-py3-none-any.whl"},
            {"name": "click", "version": "1.0", "filename": "click-1.0-py3-none-any.whl", "sha256": digest(2)},
            {"name": "setuptools", "version": "80.0", "filename": "setuptools-80.0-py3-none-any.whl", "sha256": digest(8)},
        ]},
    ]}))
    .unwrap();
    let distributions = vec![Distribution::default(); manifest.wheels.len()];
    Facts { filename: "app.pyz".to_owned(), sha256: digest(0xaa), manifest, origins, distributions }
}

fn claims() -> Claims {
    let index = IndexNote::from_options(Some("https://index.example.org/simple"), &[]);
    Claims { builder: "https://example.org/ci/v1".parse().unwrap(), commits: [COMMIT.to_owned()].into(), index }
}

/// The statement about a file that has those SBOMs.
fn statement(facts: &Facts, claims: &Claims) -> Vec<u8> {
    write_statement(&facts.filename, &facts.sha256, PROVENANCE_TYPE, &predicate(facts, claims, &sboms()))
}

/// What a reader takes out of a statement.
fn read(statement: &[u8]) -> Provenance {
    let statement = Statement::read(statement).unwrap();
    statement.check_predicate_type(PROVENANCE_TYPE).unwrap();
    Provenance::read(&statement.predicate).unwrap()
}

#[test]
fn says_what_went_in_and_how_it_was_built() {
    let statement = statement(&facts(), &claims());
    let document: Value = serde_json::from_slice(&statement).unwrap();
    let sha256 = |number: u8| json!({"sha256": digest(number)});
    let git = json!({"gitCommit": COMMIT});
    let roles = |roles: &[&str]| json!({"roles": roles});
    let index = "repository_url=https://index.example.org/simple";
    let expected = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app.pyz", "digest": sha256(0xaa)}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://pyzpack.dev/build/v1",
                "externalParameters": {
                    "inputs": [
                        ".", "local-1.0-py3-none-any.whl", "click>=1", "requirements.txt",
                        format!("git+https://example.org/repo.git@{COMMIT}#subdirectory=py"),
                    ],
                    "console-script": "app", "extra": ["all"], "group": ["dev"], "target-python": "3.11",
                    "recompress": "true", "on-conflict": "first", "shebang": "/usr/bin/env python3.11",
                    "index-url": "https://index.example.org/simple",
                },
                "internalParameters": {
                    "entry_point": "app:main", "epoch": "1700000000", "layout": "extract", "platform": "any",
                    "pythons": ["3.11", "3.12"],
                },
                "resolvedDependencies": [
                    {"name": "app-1.0-py3-none-any.whl", "digest": sha256(1), "annotations": roles(&["built-wheel"])},
                    {
                        "name": "click-1.0-py3-none-any.whl", "digest": sha256(2),
                        "uri": format!("pkg:pypi/click@1.0?file_name=click-1.0-py3-none-any.whl&{index}"),
                        "annotations": roles(&["build-requirement", "wheel"]),
                    },
                    {
                        "name": "helper-2.0-py3-none-any.whl",
                        "uri": "pkg:generic/helper@2.0?file_name=helper-2.0-py3-none-any.whl",
                        "annotations": roles(&["build-requirement"]),
                    },
                    {"name": "lib-1.0-py3-none-any.whl", "digest": sha256(3), "annotations": roles(&["built-wheel"])},
                    {
                        "name": "lib-1.0.tar.gz", "digest": sha256(4),
                        "uri": format!("pkg:pypi/lib@1.0?file_name=lib-1.0.tar.gz&{index}"),
                        "annotations": roles(&["source"]),
                    },
                    {
                        "name": "local-1.0-py3-none-any.whl", "digest": sha256(6),
                        "uri": "pkg:generic/local@1.0?file_name=local-1.0-py3-none-any.whl",
                        "annotations": roles(&["input", "wheel"]),
                    },
                    {
                        "name": "repo", "digest": git, "uri": format!("git+https://example.org/repo.git@{COMMIT}"),
                        "annotations": roles(&["source"]),
                    },
                    {"name": "repo-1.0-py3-none-any.whl", "digest": sha256(5), "annotations": roles(&["built-wheel"])},
                    {"name": "requirements.txt", "digest": sha256(7), "annotations": roles(&["input"])},
                    {
                        "name": "setuptools-80.0-py3-none-any.whl", "digest": sha256(8),
                        "uri": format!("pkg:pypi/setuptools@80.0?file_name=setuptools-80.0-py3-none-any.whl&{index}"),
                        "annotations": roles(&["build-requirement"]),
                    },
                    {"name": "source", "digest": git, "annotations": roles(&["source"])},
                ],
            },
            "runDetails": {
                "builder": {"id": "https://example.org/ci/v1", "version": {"pyzpack": env!("CARGO_PKG_VERSION")}},
                "byproducts": [
                    {"name": "app.pyz.cdx.json", "mediaType": "application/vnd.cyclonedx+json", "digest": sha256(0xcd)},
                    {"name": "app.pyz.spdx.json", "mediaType": "application/spdx+json", "digest": sha256(0xdb)},
                ],
            },
        },
    });
    assert_eq!(format!("{document:#}"), format!("{expected:#}"));
}

#[test]
fn its_bytes_are_those_of_the_build_type() {
    // A change of this digest is a change of what `https://pyzpack.dev/build/v1` means.
    let mut facts = facts();
    facts.manifest.tool.version = "1".to_owned();
    let statement = statement(&facts, &claims());
    let golden = "82cc723744193e1359158545c0aa60319804706d7c17ba2b75c80915cec55964";
    assert_eq!(Sha256Digest::of(&statement).to_string(), golden);
}

#[test]
fn is_written_with_the_file_s_own_sboms() {
    let (facts, claims) = (facts(), claims());
    let provenance = read(&provenance_statement(&facts, &claims));
    assert_eq!(provenance.check_facts(&facts), Ok(()));
    let written = cyclonedx(&facts, &claims.index);
    assert_eq!(provenance.byproduct("app.pyz.cdx.json"), Some(Sha256Digest::of(&written)));
    let written = spdx(&facts, &claims.index);
    assert_eq!(provenance.byproduct("app.pyz.spdx.json"), Some(Sha256Digest::of(&written)));
    let document: Value = serde_json::from_slice(&provenance_statement(&facts, &claims)).unwrap();
    assert_eq!(provenance_predicate(&facts, &claims), to_canonical_json(&document["predicate"]));
}

#[test]
fn says_of_a_locked_build_which_lock_and_of_no_index() {
    let mut facts = facts();
    facts.manifest.recipe.lock =
        Some(crate::evidence::RecipeFile { filename: "pylock.toml".to_owned(), sha256: digest(9) });
    let statement = statement(&facts, &claims());
    assert_eq!(statement, self::statement(&facts, &Claims { index: IndexNote::Default, ..claims() }));
    let document: Value = serde_json::from_slice(&statement).unwrap();
    let parameters = document.pointer("/predicate/buildDefinition/externalParameters").unwrap();
    assert_eq!((&parameters["lock"], parameters.get("index-url")), (&json!("pylock.toml"), None));
    let resolved = document.pointer("/predicate/buildDefinition/resolvedDependencies").unwrap().as_array().unwrap();
    let lock = json!({"name": "pylock.toml", "digest": {"sha256": digest(9)}, "annotations": {"roles": ["lock"]}});
    assert!(resolved.contains(&lock), "{resolved:#?}");
    assert_eq!(read(&statement).check_with(&facts, &sboms()), Ok(()));
}

#[test]
fn a_builder_is_an_absolute_uri_without_a_login() {
    for text in [LOCAL_BUILDER, "https://example.org/a@refs/tags/v1?x=%2f#y", "urn:example:a", "git+ssh://host/x"] {
        assert_eq!(text.parse::<BuilderId>().map(|builder| builder.to_string()), Ok(text.to_owned()));
    }
    for text in [
        "",
        "me",
        "/a",
        "https:",
        "https:///a",
        "https://a b",
        "1a:b",
        "a:",
        "a:%2",
        "a:%zz",
        "a:\n",
        "https://ü/",
        "a:{}",
    ] {
        assert_eq!(text.parse::<BuilderId>(), Err(BuilderIdError::NotAbsolute(text.to_owned())));
    }
    assert_eq!("https://u:p@example.org/".parse::<BuilderId>(), Err(BuilderIdError::Login));
}

/// The message and code of what reading says of a predicate that was changed at `pointer`; none there for null.
fn refusal(pointer: &str, value: Value) -> (String, &'static str) {
    let mut predicate = predicate(&facts(), &claims(), &sboms());
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match predicate.pointer_mut(parent).unwrap() {
        Value::Object(members) if value.is_null() => drop(members.remove(key)),
        Value::Object(members) => drop(members.insert(key.to_owned(), value)),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
    let read = Provenance::read(&predicate).and_then(|read| read.check_with(&facts(), &sboms()));
    let fault = read.expect_err("it is refused");
    assert!(ProvenanceFault::CODES.contains(&fault.code()), "{fault}");
    (fault.to_string(), fault.code())
}

#[test]
fn refuses_what_lacks_what_slsa_requires() {
    for field in [
        "buildDefinition",
        "buildDefinition.buildType",
        "buildDefinition.externalParameters",
        "runDetails",
        "runDetails.builder",
        "runDetails.builder.id",
    ] {
        let pointer = format!("/{}", field.replace('.', "/"));
        let missing = (format!("the provenance has no `{field}`"), "provenance-field-missing");
        assert_eq!(refusal(&pointer, Value::Null), missing);
        let wanted = if field.ends_with("Type") || field.ends_with("id") { "a string" } else { "an object" };
        let kind = (format!("`{field}` of the provenance is not {wanted}"), "provenance-field-kind");
        assert_eq!(refusal(&pointer, json!(1)), kind);
    }
    for (field, value, wanted) in [
        ("runDetails.builder.id", json!("me"), "an absolute URI"),
        ("buildDefinition.resolvedDependencies", json!({}), "a list"),
        ("runDetails.byproducts", json!("x"), "a list"),
        ("buildDefinition.externalParameters.index-url", json!(1), "a string"),
    ] {
        let kind = (format!("`{field}` of the provenance is not {wanted}"), "provenance-field-kind");
        assert_eq!(refusal(&format!("/{}", field.replace('.', "/")), value), kind);
    }
    assert_eq!(
        refusal("/buildDefinition/buildType", json!("https://pyzpack.dev/build/v2")),
        (
            "the provenance's build type is `https://pyzpack.dev/build/v2`, expected `https://pyzpack.dev/build/v1`"
                .to_owned(),
            "provenance-build-type"
        )
    );
    assert_eq!(
        refusal("/buildDefinition/externalParameters/more", json!("x")),
        (
            "the provenance has an external parameter that no build of this type has: `more`".to_owned(),
            "provenance-external-parameter"
        )
    );
}

#[test]
fn names_the_first_key_that_is_not_the_file_s() {
    let definition = "/buildDefinition";
    for (pointer, value, field, stated, expected) in [
        ("/externalParameters/layout", json!("zip"), "externalParameters.layout", "\"zip\"", "missing"),
        ("/externalParameters/recompress", Value::Null, "externalParameters.recompress", "missing", "\"true\""),
        ("/externalParameters/inputs/0", json!("x"), "externalParameters.inputs[0]", "\"x\"", "\".\""),
        ("/internalParameters/epoch", json!("1"), "internalParameters.epoch", "\"1\"", "\"1700000000\""),
        (
            "/internalParameters",
            Value::Null,
            "internalParameters",
            "missing",
            "{\"entry_point\":\"app:main\",\"epoch\":\"1700000000\",\"layout\":\"extract\",\"platform\":\"any\",\"pythons\":[\"3.11\",\"3.12\"]}",
        ),
        (
            "/resolvedDependencies/1/digest/sha256",
            json!("0"),
            "resolvedDependencies[1].digest.sha256",
            "\"0\"",
            "\"0202020202020202020202020202020202020202020202020202020202020202\"",
        ),
        (
            "/resolvedDependencies/1/annotations/more",
            json!(1),
            "resolvedDependencies[1].annotations.more",
            "1",
            "missing",
        ),
    ] {
        let message = format!("`buildDefinition.{field}` of the provenance is {stated}, but {expected} in the file");
        assert_eq!(refusal(&format!("{definition}{pointer}"), value), (message, "provenance-differs"));
    }
    assert_eq!(
        refusal("/runDetails/builder/version/pyzpack", json!("0")),
        (
            format!(
                "`runDetails.builder.version.pyzpack` of the provenance is \"0\", but \"{}\" in the file",
                env!("CARGO_PKG_VERSION")
            ),
            "provenance-differs"
        )
    );
    assert_eq!(
        refusal("/runDetails/byproducts/0/digest", json!({})),
        (
            format!(
                "`runDetails.byproducts[0].digest.sha256` of the provenance is missing, but \"{}\" for the file's SBOM",
                digest(0xcd)
            ),
            "provenance-byproduct"
        )
    );
}

#[test]
fn passes_over_what_others_may_add_and_the_file_cannot_tell() {
    let mut predicate = predicate(&facts(), &claims(), &sboms());
    predicate["runDetails"]["metadata"] = json!({"invocationId": "x", "startedOn": "2026-01-01T00:00:00Z"});
    predicate["runDetails"]["builder"]["version"]["runner"] = "1".into();
    predicate["buildDefinition"]["internalParameters"]["more"] = 1.into();
    predicate["more"] = json!([]);
    let read = Provenance::read(&predicate).unwrap();
    assert_eq!(read.check_with(&facts(), &sboms()), Ok(()));
    assert_eq!(read.claims().commits, claims().commits);
    assert_eq!(read.byproduct("app.pyz.cdx.json"), Some(digest(0xcd)));
    assert_eq!(read.byproduct("other.cdx.json"), None);
    assert_eq!(read.check_builder("https://example.org/ci/v1"), Ok(()));
    let fault = read.check_builder(LOCAL_BUILDER).unwrap_err();
    assert_eq!(
        (fault.to_string().as_str(), fault.code()),
        (
            "the provenance names the builder `https://example.org/ci/v1`, expected `https://pyzpack.dev/local/v1`",
            "provenance-builder"
        )
    );
    // SBOMs of another version of pyzpack may be written otherwise.
    let mut older = facts();
    older.manifest.tool.version = "0.0.1".to_owned();
    let written = super::predicate(&older, &claims(), &sboms());
    let others = SbomDigests { cyclonedx: digest(1), spdx: digest(2) };
    assert_eq!(Provenance::read(&written).unwrap().check_with(&older, &others), Ok(()));
    for index in [IndexNote::Default, IndexNote::Unsaid] {
        let claims = Claims { index, ..Claims::default() };
        let written = super::predicate(&facts(), &claims, &sboms());
        assert_eq!(Provenance::read(&written).unwrap().check_with(&facts(), &sboms()), Ok(()));
    }
}
