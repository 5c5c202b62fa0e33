//! Keys, envelopes, statements, provenance and SBOMs: a signed good file passes, every single change of it does not.

#![allow(unreachable_pub, reason = "the other files of this test use it")]

use pyzpack::application::LayoutChoice;
use pyzpack::digest::Sha256Digest;
use pyzpack::evidence::{
    Bundle, Claims, Envelope, Facts, IndexNote, KeyType, PROVENANCE_TYPE, SigningKey, cyclonedx, provenance_statement,
    spdx,
};
use pyzpack::finished::FinishedPyz;
use pyzpack::verify::{Request, Trust, verify};
use serde_json::{Value, json};

use crate::good::{Place, codes, parts};

const NOTHING: [&str; 0] = [];
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A file with all that its author signs about it.
pub struct Signed {
    pub place: Place,
    pub key: SigningKey,
    pub facts: Facts,
    /// The provenance statement.
    pub statement: Vec<u8>,
}

fn facts_of(place: &Place) -> Facts {
    let finished = FinishedPyz::open(&place.file()).unwrap();
    finished.facts(finished.sha256().unwrap()).unwrap()
}

pub fn signed_with(key_type: KeyType) -> Signed {
    let place = Place::new(&parts(LayoutChoice::Extract).bytes());
    let facts = facts_of(&place);
    let (cdx, spdx) = (cyclonedx(&facts, &IndexNote::Default), spdx(&facts, &IndexNote::Default));
    place.write("demo.pyz.cdx.json", cdx);
    place.write("demo.pyz.spdx.json", spdx);
    let statement = provenance_statement(&facts, &Claims::default());
    let key = SigningKey::generate(key_type).unwrap();
    place.write("key.pub", key.public().to_pem());
    Signed { place, key, facts, statement }
}

fn signed() -> Signed {
    let signed = signed_with(KeyType::P256);
    signed.sign(&signed.statement);
    signed
}

impl Signed {
    /// The same in another directory.
    pub fn copy(&self) -> Self {
        let Self { place, key, facts, statement } = self;
        let key = SigningKey::from_pem(key.to_pem().as_bytes()).unwrap();
        Self { place: place.copy(), key, facts: facts.clone(), statement: statement.clone() }
    }

    /// Writes the bundle of a statement beside the file.
    pub fn sign(&self, statement: &[u8]) {
        let bundle = Bundle::of(Envelope::sign(statement.to_vec(), &self.key));
        self.place.write("demo.pyz.sigstore.json", bundle.to_bytes());
    }

    fn request(&self) -> Request {
        Request { file: self.place.file(), keys: vec![self.place.path("key.pub")], ..Request::default() }
    }

    fn codes(&self) -> Vec<&'static str> {
        self.codes_with(|_| ())
    }

    fn codes_with(&self, change: impl FnOnce(&mut Request)) -> Vec<&'static str> {
        let mut request = self.request();
        change(&mut request);
        let report = verify(&request).unwrap_or_else(|error| panic!("{error}"));
        let reasons = [Trust::Sha256, Trust::Checksums, Trust::Signature];
        assert!(report.failed().is_some() || report.trust.iter().any(|trust| reasons.contains(trust)));
        codes(&report)
    }
}

/// The codes when another statement is signed.
#[track_caller]
fn statement(change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let signed = signed();
    let mut statement = serde_json::from_slice(&signed.statement).unwrap();
    change(&mut statement);
    signed.sign(statement.to_string().as_bytes());
    signed.codes()
}

#[test]
fn a_signature_by_a_given_key_is_a_reason_to_trust() {
    for key_type in [KeyType::P256, KeyType::Ed25519] {
        let signed = signed_with(key_type);
        signed.sign(&signed.statement);
        let report = verify(&signed.request()).unwrap();
        assert_eq!(codes(&report), NOTHING);
        assert_eq!(report.trust, [Trust::Signature]);
        // The same without a bundle around it, and under another name.
        std::fs::remove_file(signed.place.path("demo.pyz.sigstore.json")).unwrap();
        let envelope = Envelope::sign(signed.statement.clone(), &signed.key).to_bytes();
        signed.place.write("demo.pyz.dsse.json", &envelope);
        assert_eq!(signed.codes(), NOTHING);
        let other = signed.place.write("other.json", &envelope);
        assert_eq!(signed.codes_with(|request| request.bundles = vec![other]), NOTHING);
    }
}

#[test]
fn a_file_may_have_been_renamed() {
    let signed = signed();
    let [file, bundle] = ["demo.pyz", "demo.pyz.sigstore.json"].map(|name| signed.place.path(name));
    let renamed = signed.place.path("renamed.pyz");
    std::fs::rename(file, &renamed).unwrap();
    let sbom = signed.place.path("demo.pyz.cdx.json");
    assert_eq!(
        signed.codes_with(|request| {
            (request.file, request.bundles, request.sboms) = (renamed, vec![bundle], vec![sbom]);
        }),
        NOTHING
    );
}

#[test]
fn any_of_several_keys_may_have_signed_and_every_bundle_must_be_signed() {
    let signed = signed();
    let other = SigningKey::generate(KeyType::Ed25519).unwrap();
    let other_key = signed.place.write("other.pub", other.public().to_pem());
    assert_eq!(signed.codes_with(|request| request.keys.insert(0, other_key.clone())), NOTHING);
    assert_eq!(signed.codes_with(|request| request.keys = vec![other_key.clone()]), ["signature-other-type"]);
    let good = signed.place.path("demo.pyz.sigstore.json");
    let envelope = Envelope::sign(signed.statement.clone(), &other);
    let bad = signed.place.write("bad.json", Bundle::of(envelope).to_bytes());
    let both = |request: &mut Request| request.bundles = vec![good.clone(), bad.clone()];
    assert_eq!(signed.codes_with(both), ["signature-other-type"]);
    assert_eq!(
        signed.codes_with(|request| {
            both(request);
            request.keys.push(other_key.clone());
        }),
        NOTHING
    );
    // One bad key among good ones is said too.
    let broken = signed.place.write("broken.pub", "no key\n");
    assert_eq!(signed.codes_with(|request| request.keys.push(broken)), ["key-no-pem"]);
}

#[test]
fn what_proves_nothing_is_no_reason_to_trust() {
    let signed = signed();
    // A bundle without a key, whatever it brings.
    let bundle = signed.place.path("demo.pyz.sigstore.json");
    let no_key = |request: &mut Request| (request.keys, request.bundles) = (Vec::new(), vec![bundle.clone()]);
    assert_eq!(signed.codes_with(no_key), ["key-missing"]);
    let digest = Some(signed.facts.sha256);
    assert_eq!(signed.codes_with(|request| (no_key(request), request.sha256 = digest).1), ["key-missing"]);
    // A key without a bundle.
    std::fs::remove_file(&bundle).unwrap();
    assert_eq!(signed.codes(), ["signature-missing"]);
    assert_eq!(signed.codes_with(|request| request.sha256 = digest), ["signature-missing"]);
    // Conditions alone.
    let sbom = signed.place.path("demo.pyz.cdx.json");
    assert_eq!(signed.codes_with(|request| (request.keys, request.sboms) = (Vec::new(), vec![sbom])), ["untrusted"]);
    // A statement that nobody signed.
    signed.place.write("demo.pyz.sigstore.json", &signed.statement);
    assert_eq!(signed.codes(), ["envelope-unsigned"]);
}

#[test]
fn a_predicate_of_another_type_must_be_asked_for() {
    let signed = signed();
    let kind = "https://example.org/test-result/v1";
    let mut statement: Value = serde_json::from_slice(&signed.statement).unwrap();
    statement["predicateType"] = kind.into();
    statement["predicate"] = json!({"passed": true});
    signed.sign(statement.to_string().as_bytes());
    let ask = |kind: &str| signed.codes_with(|request| request.predicate_type = Some(kind.to_owned()));
    assert_eq!(ask(kind), NOTHING);
    assert_eq!(ask(PROVENANCE_TYPE), ["statement-predicate-type"]);
    signed.sign(&signed.statement);
    assert_eq!(ask(PROVENANCE_TYPE), NOTHING);
    assert_eq!(ask(kind), ["statement-predicate-type"]);
}

#[test]
fn refuses_provenance_that_is_not_the_files() {
    let set = |pointer: &str, value: Value| {
        statement(|statement| *statement.pointer_mut(&format!("/predicate{pointer}")).unwrap() = value)
    };
    let remove = |pointer: &str, key: &str| {
        statement(|statement| {
            let object = statement.pointer_mut(&format!("/predicate{pointer}")).unwrap();
            object.as_object_mut().unwrap().remove(key).unwrap();
        })
    };
    assert_eq!(set("/buildDefinition/buildType", json!("https://example.org/b")), ["provenance-build-type"]);
    let unknown = statement(|statement| {
        statement["predicate"]["buildDefinition"]["externalParameters"]["evil"] = "x".into();
    });
    assert_eq!(unknown, ["provenance-external-parameter"]);
    assert_eq!(set("/buildDefinition/externalParameters/inputs", json!(["evil"])), ["provenance-differs"]);
    assert_eq!(set("/buildDefinition/resolvedDependencies", json!([])), ["provenance-differs"]);
    assert_eq!(set("/buildDefinition/internalParameters/epoch", json!("0")), ["provenance-differs"]);
    for (pointer, key) in [
        ("", "buildDefinition"),
        ("", "runDetails"),
        ("/buildDefinition", "buildType"),
        ("/buildDefinition", "externalParameters"),
        ("/runDetails", "builder"),
        ("/runDetails/builder", "id"),
    ] {
        assert_eq!(remove(pointer, key), ["provenance-field-missing"], "{key}");
    }
    assert_eq!(set("/runDetails/builder/id", json!(7)), ["provenance-field-kind"]);
    assert_eq!(set("/runDetails/byproducts/0/digest/sha256", json!("0".repeat(64))), ["provenance-byproduct"]);
}

#[test]
fn a_signature_does_not_excuse_a_file_that_is_not_what_it_says() {
    let signed = signed();
    let mut tampered = parts(LayoutChoice::Extract);
    tampered.files().get_mut("lib.py").unwrap().1 = b"name = 'evi'\n".to_vec();
    signed.place.write("demo.pyz", tampered.bytes());
    let facts = facts_of(&signed.place);
    signed.sign(&provenance_statement(&facts, &Claims::default()));
    assert_eq!(signed.codes(), ["manifest-file-differs", "record-differs"]);
}

#[test]
fn sboms_are_of_the_file_and_those_that_the_provenance_names() {
    let signed = signed();
    let hand = |name: &str, text: &[u8]| {
        let path = signed.place.write(name, text);
        signed.codes_with(|request| request.sboms = vec![path])
    };
    let good = std::fs::read(signed.place.path("demo.pyz.cdx.json")).unwrap();
    assert_eq!(hand("copy.json", &good), NOTHING);
    assert_eq!(hand("copy.json", &std::fs::read(signed.place.path("demo.pyz.spdx.json")).unwrap()), NOTHING);
    let edit = |change: fn(&mut Value)| {
        let mut sbom = serde_json::from_slice(&good).unwrap();
        change(&mut sbom);
        hand("edited.json", sbom.to_string().as_bytes())
    };
    // The same document in another spelling is not the one that was signed.
    assert_eq!(hand("spaced.json", &[&good[..], b"\n"].concat()), ["sbom-byproduct"]);
    let of_other = |sbom: &mut Value| sbom["metadata"]["component"]["hashes"][0]["content"] = "0".repeat(64).into();
    assert_eq!(edit(of_other), ["sbom-subject", "sbom-byproduct"]);
    let extra = |sbom: &mut Value| {
        let mut evil = sbom["components"][0].clone();
        (evil["name"], evil["bom-ref"]) = ("evil".into(), "evil".into());
        sbom["components"].as_array_mut().unwrap().push(evil);
    };
    assert_eq!(edit(extra), ["sbom-extra", "sbom-byproduct"]);
    let missing = |sbom: &mut Value| drop(sbom["components"].as_array_mut().unwrap().pop());
    assert_eq!(edit(missing), ["sbom-missing", "sbom-byproduct"]);
    let hash = |sbom: &mut Value| sbom["components"][0]["hashes"][0]["content"] = "0".repeat(64).into();
    assert_eq!(edit(hash), ["sbom-hash", "sbom-byproduct"]);
    let licence = |sbom: &mut Value| sbom["components"][0]["copyright"] = "mine".into();
    assert_eq!(edit(licence), ["sbom-differs", "sbom-byproduct"]);
    assert_eq!(hand("list.json", b"[]"), ["sbom-format", "sbom-byproduct"]);
    assert_eq!(hand("broken.json", b"{"), ["sbom-json", "sbom-byproduct"]);
}

#[test]
fn of_a_file_of_others_a_digest_is_signed_and_nothing_more() {
    let program = crate::wheels::Zip::new(vec![crate::wheels::Entry::file("__main__.py", b"print(1)\n")]).to_bytes();
    let signed = signed();
    let sbom = signed.place.path("demo.pyz.cdx.json");
    signed.place.write("demo.pyz", &program);
    let mut statement: Value = serde_json::from_slice(&signed.statement).unwrap();
    statement["subject"][0]["digest"]["sha256"] = Sha256Digest::of(&program).to_string().into();
    signed.sign(statement.to_string().as_bytes());
    // A provenance of pyzpack's about what pyzpack did not make.
    assert_eq!(signed.codes(), ["manifest-missing"]);
    statement["predicateType"] = "https://example.org/released/v1".into();
    statement["predicate"] = json!({});
    signed.sign(statement.to_string().as_bytes());
    let asked = |request: &mut Request| request.predicate_type = Some("https://example.org/released/v1".to_owned());
    assert_eq!(signed.codes_with(asked), NOTHING);
    assert_eq!(signed.codes_with(|request| (asked(request), request.sboms.push(sbom)).1), ["manifest-missing"]);
}
