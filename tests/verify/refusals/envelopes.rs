//! Envelope and key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pyzpack::evidence::{KeyType, SigningKey, pre_authentication};
use serde_json::{Value, json};

use super::Change::{Ed25519, Envelope, Key};
use super::{BUNDLE, Case, Change, SIGNED, command, set};
use crate::attestations::{PAYLOAD_TYPE, Signed};

const fn bundle(name: &'static str, code: &'static str, change: fn(&Signed, &mut Value)) -> Case {
    (name, code, Change::Bundle(change))
}

/// Another signature over these bytes.
fn resign(signed: &Signed, bundle: &mut Value, text: &[u8]) {
    set_signature(bundle, &signed.key.sign(text));
}

fn set_signature(bundle: &mut Value, signature: &[u8]) {
    set(bundle, "/dsseEnvelope/signatures/0/sig", STANDARD.encode(signature));
}

fn signature(signed: &Signed) -> Vec<u8> {
    signed.key.sign(&pre_authentication(PAYLOAD_TYPE, &signed.statement))
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// SPKI of Ed25519 with these bytes for a point.
fn ed25519_pem(point: [u8; 32]) -> String {
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    pem("PUBLIC KEY", &[&head[..], &point].concat())
}

pub(super) const ENVELOPES: &[Case] = &[
    command("no key", "key-missing", "demo.pyz --sha256 DIGEST --bundle demo.pyz.sigstore.json", |_| ()),
    command("no bundle", "signature-missing", SIGNED, |signed| {
        std::fs::remove_file(signed.place.path(BUNDLE)).unwrap();
    }),
    command("a bare statement", "envelope-unsigned", SIGNED, |signed| {
        signed.place.write(BUNDLE, &signed.statement);
    }),
    bundle("no signatures", "signature-none", |_, bundle| set(bundle, "/dsseEnvelope/signatures", json!([]))),
    bundle("an empty signature", "signature-empty", |_, bundle| set_signature(bundle, b"")),
    bundle("two signatures", "signature-several", |_, bundle| {
        let one = bundle["dsseEnvelope"]["signatures"][0].clone();
        set(bundle, "/dsseEnvelope/signatures", json!([one, one]));
    }),
    bundle("a bit of the payload", "signature-wrong", |signed, bundle| {
        let mut payload = signed.statement.clone();
        payload[40] ^= 1;
        set(bundle, "/dsseEnvelope/payload", STANDARD.encode(payload));
    }),
    bundle("another payload type", "envelope-payload-type", |_, bundle| {
        set(bundle, "/dsseEnvelope/payloadType", "text/plain");
    }),
    bundle("another payload type, signed", "envelope-payload-type", |signed, bundle| {
        set(bundle, "/dsseEnvelope/payloadType", "text/plain");
        resign(signed, bundle, &pre_authentication("text/plain", &signed.statement));
    }),
    bundle("a signature of the payload alone", "signature-not-pae", |signed, bundle| {
        resign(signed, bundle, &signed.statement);
    }),
    bundle("a signature of the payload's base64", "signature-not-pae", |signed, bundle| {
        resign(signed, bundle, STANDARD.encode(&signed.statement).as_bytes());
    }),
    bundle("another key under the same name", "signature-wrong", |signed, bundle| {
        let other = SigningKey::generate(KeyType::P256).unwrap();
        set_signature(bundle, &other.sign(&pre_authentication(PAYLOAD_TYPE, &signed.statement)));
    }),
    ("another key", "signature-other-key", Key(|_| SigningKey::generate(KeyType::P256).unwrap().public().to_pem())),
    bundle("a hint of another key", "bundle-hint", |_, bundle| {
        set(bundle, "/verificationMaterial/publicKey/hint", "other");
    }),
    (
        "an Ed25519 key for an ECDSA signature",
        "signature-other-type",
        Key(|_| SigningKey::generate(KeyType::Ed25519).unwrap().public().to_pem()),
    ),
    (
        "an ECDSA key for an Ed25519 signature",
        "signature-other-type",
        Ed25519(|signed, _| {
            let other = SigningKey::generate(KeyType::P256).unwrap();
            signed.place.write("key.pub", other.public().to_pem());
        }),
    ),
    bundle("r||s", "signature-raw", |signed, bundle| {
        set_signature(bundle, &p256::ecdsa::Signature::from_der(&signature(signed)).unwrap().to_bytes());
    }),
    bundle("other DER", "signature-der", |signed, bundle| {
        set_signature(bundle, &[&signature(signed)[..], &[0]].concat());
    }),
    bundle("r of zero", "signature-range", |_, bundle| set_signature(bundle, &[0x30, 6, 2, 1, 0, 2, 1, 1])),
    (
        "an Ed25519 signature of 63 bytes",
        "signature-length",
        Ed25519(|signed, bundle| set_signature(bundle, &signature(signed)[..63])),
    ),
    ("a private key", "key-private", Key(|signed| signed.key.to_pem().to_string())),
    ("an encrypted private key", "key-private", Key(|_| pem("ENCRYPTED PRIVATE KEY", b"x"))),
    (
        "a certificate",
        "key-certificate",
        Key(|_| include_str!("../../../testdata/signatures/certificate.pem").to_owned()),
    ),
    ("an RSA key", "key-algorithm", Key(|_| include_str!("../../../testdata/signatures/rsa.pub").to_owned())),
    ("two keys in one file", "key-blocks", Key(|signed| signed.key.public().to_pem().repeat(2))),
    ("another PEM block", "key-label", Key(|_| pem("SSH SIGNATURE", b"x"))),
    ("a key of another form", "key-no-pem", Key(|_| "ssh-ed25519 AAAA".to_owned())),
    ("a key that is cut", "key-pem", Key(|signed| signed.key.public().to_pem().replacen("MFk", "M!k", 1))),
    ("a key that is damaged", "key-der", Key(|signed| signed.key.public().to_pem().replacen("MFk", "MFl", 1))),
    ("a key off its curve", "key-point", Key(|_| ed25519_pem([0xff; 32]))),
    ("a key of low order", "key-low-order", Key(|_| ed25519_pem([0; 32]))),
    ("a key of two megabytes", "key-too-large", Key(|_| "x".repeat(2 << 20))),
    bundle("base64 of two alphabets", "envelope-base64", |_, bundle| set(bundle, "/dsseEnvelope/payload", "+/9-_A==")),
    bundle("base64 that is none", "envelope-base64", |_, bundle| {
        set(bundle, "/dsseEnvelope/signatures/0/sig", "x");
    }),
    bundle("no payload", "envelope-member", |_, bundle| set(bundle, "/dsseEnvelope/payload", Value::Null)),
    bundle("another media type", "bundle-media-type", |_, bundle| {
        set(bundle, "/mediaType", "application/vnd.dev.sigstore.bundle.v9+json");
    }),
    bundle("a keyless bundle", "bundle-keyless", |_, bundle| {
        set(bundle, "/verificationMaterial", json!({"certificate": {"rawBytes": "AAAA"}, "tlogEntries": [{}]}));
    }),
    bundle("a keyless bundle, version 0.1", "bundle-keyless", |_, bundle| {
        let chain = json!({"x509CertificateChain": {"certificates": [{"rawBytes": "AAAA"}]}});
        set(bundle, "/verificationMaterial", chain);
        set(bundle, "/mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1");
    }),
    bundle("the bundle's own key", "bundle-own-key", |_, bundle| {
        set(bundle, "/verificationMaterial", json!({"publicKey": {"rawBytes": "AAAA"}}));
    }),
    bundle("a signature of a digest", "bundle-message-signature", |_, bundle| {
        bundle["messageSignature"] = json!({"signature": "AAAA"});
    }),
    bundle("a bundle without material", "bundle-member", |_, bundle| set(bundle, "/verificationMaterial", json!({}))),
    bundle("another document", "bundle-unknown", |_, bundle| *bundle = json!({"more": 1})),
    command("a bundle that is no JSON", "bundle-json", SIGNED, |signed| {
        signed.place.write(BUNDLE, "{\"mediaType\": 1, \"mediaType\": 1}");
    }),
    ("an envelope without signatures", "signature-none", Envelope(|envelope| envelope["signatures"] = json!([]))),
];
