//! What others sign is verified: the files of `testdata/signatures`, by securesystemslib and @sigstore/sign.

use std::path::{Path, PathBuf};

use pyzpack::evidence::{Attestation, PublicKey};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/signatures")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(data().join(name)).expect("a file of the test data")
}

const KEYS: [&str; 2] = ["p256", "ed25519"];
const KINDS: [&str; 4] = ["securesystemslib.dsse", "url-safe.dsse", "sigstore", "no-hint.sigstore"];

#[test]
fn verifies_what_others_signed_and_with_no_other_key() {
    let statement = read("statement.json");
    let keys = KEYS.map(|name| PublicKey::from_pem(&read(&format!("{name}.pub"))).expect("a key by openssl"));
    for (index, name) in KEYS.into_iter().enumerate() {
        for kind in KINDS {
            let attestation = Attestation::parse(&read(&format!("{name}.{kind}.json"))).expect("a signed statement");
            let envelope = attestation.envelope();
            assert_eq!(matches!(attestation, Attestation::Bundle(_)), kind.ends_with("sigstore"), "{name} {kind}");
            let payload = envelope.verify(&keys[index]).expect("a signature by this key");
            assert_eq!(payload.bytes(), statement, "{name} {kind}");
            let refused = envelope.verify(&keys[1 - index]).expect_err("a signature of the other type");
            assert_eq!(refused.code(), "signature-other-type", "{name} {kind}");
        }
    }
}

#[test]
fn a_bit_flipped_anywhere_in_what_others_signed_is_seen() {
    // ECDSA is slow where nothing is optimised.
    for (name, kind, step) in [("ed25519", "sigstore", 1), ("p256", "securesystemslib.dsse", 11)] {
        let key = PublicKey::from_pem(&read(&format!("{name}.pub"))).expect("a key by openssl");
        let text = read(&format!("{name}.{kind}.json"));
        for at in (0..text.len()).step_by(step) {
            let mut changed = text.clone();
            changed[at] ^= 1;
            // What is not signed may change: blanks, the hint, the names of members that nobody reads. What is verified
            // is what was signed all the same.
            let verified = Attestation::parse(&changed).ok().and_then(|read| read.envelope().verify(&key).ok());
            if let Some(payload) = verified {
                assert_eq!(payload.bytes(), read("statement.json"), "{name} {kind} byte {at}");
            }
        }
    }
}
