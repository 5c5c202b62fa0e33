//! Statement and provenance.

use serde_json::{Value, json};

use super::Change::{Statement, Text};
use super::{Case, SIGNED, command, read_json, set};
use crate::good::parts;
use pyzpack::application::LayoutChoice::Zip as InPlace;

fn remove(value: &mut Value, pointer: &str, key: &str) {
    let object = value.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
    object.remove(key).expect("a member");
}

pub(super) const STATEMENTS: &[Case] = &[
    ("a key twice", "statement-duplicate-key", Text(|text| text.replacen('{', "{\"_type\":\"x\",", 1).into_bytes())),
    ("more behind it", "statement-trailing", Text(|text| format!("{text} {{}}").into_bytes())),
    (
        "not UTF-8",
        "statement-encoding",
        Text(|text| {
            let (start, end) = text.split_once("demo").expect("a name");
            [start.as_bytes(), b"\xffemo", end.as_bytes()].concat()
        }),
    ),
    ("a byte-order mark", "statement-byte-order-mark", Text(|text| [b"\xef\xbb\xbf", text.as_bytes()].concat())),
    ("no JSON", "statement-syntax", Text(|text| text.replacen("demo", "\u{1}", 1).into_bytes())),
    ("of 17 megabytes", "statement-too-large", Text(|text| format!("{}{text}", " ".repeat(17 << 20)).into_bytes())),
    (
        "99 levels deep",
        "statement-too-deep",
        Text(|text| text.replacen('{', &format!("{{\"a\":{}{},", "[".repeat(99), "]".repeat(99)), 1).into_bytes()),
    ),
    (
        "of in-toto 0.1",
        "statement-type",
        Statement(|statement| set(statement, "/_type", "https://in-toto.io/Statement/v0.1")),
    ),
    ("no subject", "statement-no-subject", Statement(|statement| set(statement, "/subject", json!([])))),
    ("subjects missing", "statement-field-missing", Statement(|statement| remove(statement, "", "subject"))),
    ("subjects that are none", "statement-field-kind", Statement(|statement| set(statement, "/subject", json!({})))),
    ("no digest", "statement-no-digest", Statement(|statement| remove(statement, "/subject/0", "digest"))),
    (
        "weak digests alone",
        "statement-no-sha256",
        Statement(|statement| set(statement, "/subject/0/digest", json!({"md5": "x", "sha1": "x"}))),
    ),
    (
        "the right name with another digest",
        "statement-wrong-digest",
        Statement(|statement| set(statement, "/subject/0/digest/sha256", "0".repeat(64))),
    ),
    (
        "another name with another digest",
        "statement-wrong-subject",
        Statement(|statement| {
            set(statement, "/subject/0", json!({"name": "other.pyz", "digest": {"sha256": "0".repeat(64)}}));
        }),
    ),
    (
        "a digest in upper case",
        "statement-digest-form",
        Statement(|statement| {
            let digest = statement["subject"][0]["digest"]["sha256"].as_str().unwrap().to_uppercase();
            set(statement, "/subject/0/digest/sha256", digest);
        }),
    ),
    (
        "a digest that is cut",
        "statement-digest-form",
        Statement(|statement| set(statement, "/subject/0/digest/sha256", "0".repeat(63))),
    ),
    (
        "another predicate type",
        "statement-predicate-type",
        Statement(|statement| set(statement, "/predicateType", "https://example.org/p/v1")),
    ),
    ("null for a predicate", "statement-predicate", Statement(|statement| set(statement, "/predicate", Value::Null))),
    (
        "another build type",
        "provenance-build-type",
        Statement(|statement| set(statement, "/predicate/buildDefinition/buildType", "https://example.org/b")),
    ),
    (
        "an unknown parameter",
        "provenance-external-parameter",
        Statement(|statement| statement["predicate"]["buildDefinition"]["externalParameters"]["evil"] = "x".into()),
    ),
    (
        "other inputs",
        "provenance-differs",
        Statement(|statement| {
            set(statement, "/predicate/buildDefinition/externalParameters/inputs", json!(["evil"]));
        }),
    ),
    (
        "no builder",
        "provenance-field-missing",
        Statement(|statement| remove(statement, "/predicate/runDetails", "builder")),
    ),
    (
        "a builder that is a number",
        "provenance-field-kind",
        Statement(|statement| set(statement, "/predicate/runDetails/builder/id", 7)),
    ),
    (
        "another SBOM than the file's",
        "provenance-byproduct",
        Statement(|statement| set(statement, "/predicate/runDetails/byproducts/0/digest/sha256", "0".repeat(64))),
    ),
    command(
        "another builder",
        "provenance-builder",
        "demo.pyz --key key.pub --expect-builder https://pyzpack.dev/local/v10",
        |_| (),
    ),
    command(
        "no builder at all",
        "provenance-missing",
        "demo.pyz --key key.pub --expect-builder https://pyzpack.dev/local/v1",
        |signed| {
            let mut statement: Value = serde_json::from_slice(&signed.statement).unwrap();
            set(&mut statement, "/predicateType", "https://cyclonedx.org/bom");
            set(&mut statement, "/predicate", read_json(&signed.place.path("demo.pyz.cdx.json")));
            signed.sign(statement.to_string().as_bytes());
        },
    ),
    command("another artifact's attestation", "statement-wrong-digest", SIGNED, |signed| {
        let mut changed = parts(InPlace);
        changed.add("more.py", b"pass\n", None);
        signed.place.write("demo.pyz", changed.bytes());
    }),
];
