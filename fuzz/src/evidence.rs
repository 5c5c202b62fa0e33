//! Evidence that is handed in: keys, signatures, envelopes and bundles, statements, SBOMs.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pyzpack::digest::Sha256Digest;
use pyzpack::evidence::{
    Attestation, BUILD_TYPE, Bundle, Envelope, Facts, LOCAL_BUILDER, PROVENANCE_TYPE, Provenance, PublicKey,
    SigningKey, Statement, check_sbom, check_subject,
};

use pyzpack::verify::Request;

use super::archives::{open, tell, wrap};
use super::{file, parts};

/// The keys of the seeds.
const PUBLIC: [&str; 2] = [include_str!("../keys/p256.pub"), include_str!("../keys/ed25519.pub")];

fn public_keys() -> &'static [PublicKey; 2] {
    static KEYS: OnceLock<[PublicKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| PUBLIC.map(|pem| PublicKey::from_pem(pem.as_bytes()).expect("a key")))
}

/// An envelope or a bundle; and whether one of the keys signed it.
pub fn envelope(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::parse(bytes) {
        let written = bundle.to_bytes();
        assert_eq!(Bundle::parse(&written).expect("what we write can be read").to_bytes(), written);
    }
    if let Ok(envelope) = Envelope::parse(bytes) {
        let written = envelope.to_bytes();
        assert_eq!(Envelope::parse(&written).expect("what we write can be read").to_bytes(), written);
    }
    let attestation = match Attestation::parse(bytes) {
        Ok(attestation) => attestation,
        Err(fault) => {
            let _ = (fault.code(), fault.hint(), fault.to_string());
            return;
        }
    };
    for key in public_keys() {
        match attestation.envelope().verify(key) {
            Ok(payload) => assert_eq!(payload.bytes(), attestation.envelope().unverified_payload()),
            Err(fault) => drop((fault.code(), fault.hint(), fault.to_string())),
        }
    }
}

/// Keys in PEM, and as whatever DER in it; a signature of a message.
pub fn keys(bytes: &[u8]) {
    let [pem, rest @ ..] = parts::<2>(bytes);
    key(pem);
    // The other parts are binary, so their lengths stand before them.
    let (der, rest) = rest[0].split_at(rest[0].first().map_or(0, |length| usize::from(*length).min(rest[0].len())));
    for label in ["PUBLIC KEY", "PRIVATE KEY", "EC PRIVATE KEY"] {
        let der = der.get(1..).unwrap_or_default();
        key(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der)).as_bytes());
    }
    let (signature, message) = rest.split_at(rest.len().min(72));
    for signature in [signature, signature.get(..64).unwrap_or_default()] {
        for key in public_keys() {
            let _ = key.verify(message, signature).map_err(|fault| (fault.code(), fault.to_string()));
        }
    }
}

fn key(pem: &[u8]) {
    match PublicKey::from_pem(pem) {
        Ok(key) => {
            let again = PublicKey::from_pem(key.to_pem().as_bytes()).expect("what we write can be read");
            assert_eq!((again.id(), again.key_type()), (key.id(), key.key_type()));
            assert!(key.verify(b"message", &[0x30; 64]).is_err());
        }
        Err(fault) => drop((fault.code(), fault.hint(), fault.to_string())),
    }
    if let Ok(key) = SigningKey::from_pem(pem) {
        let again = SigningKey::from_pem(key.to_pem().as_bytes()).expect("what we write can be read");
        assert_eq!(again.public().id(), key.public().id());
        assert!(key.public().verify(b"message", &key.sign(b"message")).is_ok());
    }
}

/// A statement, and what it states as a provenance.
pub fn statement(bytes: &[u8]) {
    let statement = match Statement::read(bytes) {
        Ok(statement) => statement,
        Err(fault) => return drop((fault.code(), fault.to_string())),
    };
    let _ = statement.check_predicate_type(PROVENANCE_TYPE).map_err(|fault| fault.to_string());
    let _ = check_subject(&statement, &Sha256Digest::of(b""), "a.pyz").map_err(|fault| fault.to_string());
    match Provenance::read(&statement.predicate) {
        Ok(provenance) => {
            let _ = provenance.check_facts(facts()).map_err(|fault| (fault.code(), fault.to_string()));
            let _ = (provenance.claims(), provenance.byproduct("a.pyz.cdx.json"));
            let _ = provenance.check_builder(LOCAL_BUILDER).map_err(|fault| fault.to_string());
        }
        Err(fault) => drop((fault.code(), fault.to_string(), BUILD_TYPE)),
    }
}

/// An SBOM, compared with a file.
pub fn sbom(bytes: &[u8]) {
    for fault in check_sbom(bytes, facts()) {
        let _ = (fault.code(), fault.to_string());
    }
}

/// Everything that can be handed in with a file: checksums, a bundle or an envelope, an SBOM, a lock.
pub fn handed(bytes: &[u8]) {
    let [checksums, bundle, sbom, lock] = parts(bytes);
    let request = Request {
        file: file("made.pyz", &wrap(MADE)),
        keys: vec![file("p256.pub", PUBLIC[0].as_bytes()), file("ed25519.pub", PUBLIC[1].as_bytes())],
        bundles: vec![file("bundle.json", bundle)],
        sha256: None,
        checksums: Some(file("SHA256SUMS", checksums)),
        lock: Some(file("pylock.toml", lock)),
        sboms: vec![file("sbom.json", sbom)],
        expected_builder: Some(LOCAL_BUILDER.to_owned()),
        predicate_type: None,
    };
    let _ = tell(&request).failed();
}

/// The parts of the file of [`sbom`] and [`handed`].
const MADE: &[u8] = include_bytes!("../corpus/finished/made-zip");

/// What that file holds.
fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| open(&file("made.pyz", &wrap(MADE))).expect("the seed is a manifest that fits"))
}
