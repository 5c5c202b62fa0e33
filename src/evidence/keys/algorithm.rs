//! Which algorithm a key says it is for, as DER has it (RFC 5280, 4.1.1.2).

use p256::pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier};

use super::{KeyFault, KeyType};

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// What others' keys are for, by the identifier of the algorithm, or of the curve.
const OTHERS: [(&str, &str); 14] = [
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSA (PSS)"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.132.0.33", "P-224"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
];

/// The type of a key with this algorithm, or why it is refused.
pub(super) fn key_type(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<KeyType, KeyFault> {
    let name_of = |oid: ObjectIdentifier| {
        let oid = oid.to_string();
        let known = OTHERS.iter().find(|(other, _)| *other == oid);
        known.map_or_else(|| format!("the algorithm {oid}"), |(_, name)| (*name).to_owned())
    };
    match algorithm.oid {
        // RFC 8410, 3: there are no parameters.
        ED25519 if algorithm.parameters.is_none() => Ok(KeyType::Ed25519),
        ED25519 => Err(KeyFault::Der),
        EC => match algorithm.parameters_oid() {
            Ok(P256) => Ok(KeyType::P256),
            Ok(curve) => Err(KeyFault::Algorithm(name_of(curve))),
            Err(_) => Err(KeyFault::Algorithm("a curve that it describes itself".to_owned())),
        },
        oid => Err(KeyFault::Algorithm(name_of(oid))),
    }
}
