//! Public keys: read, written, and asked whether a signature is theirs.

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::SubjectPublicKeyInfoRef;

use super::algorithm::key_type;
use super::ed25519::Ed25519Public;
use super::fault::{KeyFault, SignatureFault};
use super::pem::{self, PemBlock};
use super::{KeyId, KeyType};

/// The SPKI of a P-256 key up to its point (RFC 5480, 2).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The SPKI of an Ed25519 key up to its 32 bytes (RFC 8410, 4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that tells whether a signature was made with its other half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey {
    /// For ECDSA on P-256.
    P256(VerifyingKey),
    /// For Ed25519.
    Ed25519(Ed25519Public),
}

impl PublicKey {
    /// Reads SPKI in PEM.
    ///
    /// # Errors
    /// When it is anything else, in another encoding than its one, or no point that can be trusted.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyFault> {
        let block = PemBlock::read(text)?;
        match block.label.as_str() {
            "PUBLIC KEY" => Self::from_der(&block.der),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Err(KeyFault::Certificate),
            "RSA PUBLIC KEY" => Err(KeyFault::Algorithm("RSA".to_owned())),
            label if label.ends_with("PRIVATE KEY") => Err(KeyFault::Private),
            label => Err(KeyFault::Label(label.to_owned())),
        }
    }

    /// Reads SPKI in DER.
    fn from_der(der: &[u8]) -> Result<Self, KeyFault> {
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| KeyFault::Der)?;
        let key_type = key_type(&info.algorithm)?;
        let point = info.subject_public_key.as_bytes().ok_or(KeyFault::Der)?;
        let key = match key_type {
            KeyType::P256 => Self::P256(VerifyingKey::from_sec1_bytes(point).map_err(|_| KeyFault::Point)?),
            KeyType::Ed25519 => Self::Ed25519(Ed25519Public::from_bytes(point)?),
        };
        // One key has one name. Compressed points and the like are others' trade: Go, and so cosign, refuse them too.
        if key.to_der() == der { Ok(key) } else { Err(KeyFault::Der) }
    }

    /// SPKI in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let head: &[u8] = match self {
            Self::P256(_) => &P256_SPKI,
            Self::Ed25519(_) => &ED25519_SPKI,
        };
        [head, &self.point()].concat()
    }

    /// The point as keys hold it: of P-256 not compressed.
    pub(super) fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.to_sec1_point(false).as_bytes().to_vec(),
            Self::Ed25519(key) => key.as_bytes().to_vec(),
        }
    }

    /// SPKI in PEM.
    pub fn to_pem(&self) -> String {
        pem::write("PUBLIC KEY", &self.to_der()).to_string()
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.to_der())
    }

    /// What it is for.
    pub fn key_type(&self) -> KeyType {
        match self {
            Self::P256(_) => KeyType::P256,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// Whether `signature` was made over `message` with its other half: of Ed25519 64 bytes, of ECDSA strict DER. Both s and
    /// n - s are an ECDSA signature, as FIPS 186-5 has it.
    ///
    /// # Errors
    /// When it was not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureFault> {
        let parsed = || Signature::from_der(signature).ok();
        let other_type = |signature| SignatureFault::OtherType { key: self.key_type(), signature };
        match self {
            Self::Ed25519(_) if signature.len() != 64 => Err(match parsed() {
                Some(_) => other_type(KeyType::P256),
                None => SignatureFault::Length(signature.len()),
            }),
            Self::Ed25519(key) if key.verifies(message, signature) => Ok(()),
            Self::Ed25519(_) => Err(SignatureFault::Wrong),
            Self::P256(key) => match parsed() {
                Some(signature) => key.verify(message, &signature).map_err(|_| SignatureFault::Wrong),
                None => Err(match Signature::from_slice(signature) {
                    Ok(raw) if key.verify(message, &raw).is_ok() => SignatureFault::Raw,
                    _ if signature.len() == 64 => other_type(KeyType::Ed25519),
                    _ if p256::ecdsa::DerSignature::from_bytes(signature).is_ok() => SignatureFault::Range,
                    _ => SignatureFault::Der,
                }),
            },
        }
    }
}
