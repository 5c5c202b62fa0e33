//! Private keys: made, read, written, and signing.

use std::fmt;

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey as EcdsaKey};
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::pkcs8::der::Tag;
use p256::pkcs8::der::asn1::OctetStringRef;
use p256::pkcs8::der::{Decode, ErrorKind};
use p256::pkcs8::{self, EncodePrivateKey, PrivateKeyInfoRef};
use ring::rand::{SecureRandom, SystemRandom};

use super::algorithm::key_type;
use super::ed25519::Ed25519Signing;
use super::fault::KeyFault;
use super::pem::{self, PemBlock};
use super::{KeyType, PublicKey};

/// The PKCS #8 of an Ed25519 key up to its seed (RFC 8410, 7).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key that signs.
pub enum SigningKey {
    /// With ECDSA on P-256.
    P256(EcdsaKey),
    /// With Ed25519.
    Ed25519(Ed25519Signing),
}

/// The system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

impl SigningKey {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// When there is none.
    pub fn generate(key_type: KeyType) -> Result<Self, NoRandomness> {
        let random = SystemRandom::new();
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            random.fill(&mut *bytes).map_err(|_| NoRandomness)?;
            match key_type {
                KeyType::Ed25519 => {
                    return Ok(Self::Ed25519(Ed25519Signing::from_seed(&*bytes).expect("32 bytes are a seed")));
                }
                // Not every number of that size is below the order of the group: FIPS 186-5, A.2.2.
                KeyType::P256 => {
                    if let Ok(key) = EcdsaKey::from_slice(&*bytes) {
                        return Ok(Self::P256(key));
                    }
                }
            }
        }
    }

    /// Reads PKCS #8 in PEM.
    ///
    /// # Errors
    /// When it is anything else, or its halves do not belong to each other.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyFault> {
        let block = PemBlock::read(text)?;
        match block.label.as_str() {
            "PRIVATE KEY" => Self::from_der(&block.der),
            "ENCRYPTED PRIVATE KEY" => Err(KeyFault::Encrypted),
            "ENCRYPTED COSIGN PRIVATE KEY" | "ENCRYPTED SIGSTORE PRIVATE KEY" => Err(KeyFault::EncryptedByCosign),
            "EC PRIVATE KEY" => Err(KeyFault::Sec1),
            "OPENSSH PRIVATE KEY" => Err(KeyFault::OpenSsh),
            "RSA PRIVATE KEY" => Err(KeyFault::Algorithm("RSA".to_owned())),
            "DSA PRIVATE KEY" => Err(KeyFault::Algorithm("DSA".to_owned())),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Err(KeyFault::Certificate),
            label if label.ends_with("PUBLIC KEY") => Err(KeyFault::Public),
            label => Err(KeyFault::Label(label.to_owned())),
        }
    }

    /// Reads PKCS #8 in DER.
    fn from_der(der: &[u8]) -> Result<Self, KeyFault> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyFault::Der)?;
        let named = info.public_key.map(|bits| bits.as_bytes().unwrap_or_default().to_vec());
        let key = match key_type(&info.algorithm)? {
            KeyType::P256 => Self::P256(p256::SecretKey::try_from(info).map_err(|error| fault_of(&error))?.into()),
            KeyType::Ed25519 => {
                // RFC 8410, 7: an OCTET STRING in the OCTET STRING.
                let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|_| KeyFault::Der)?;
                Self::Ed25519(Ed25519Signing::from_seed(seed.as_bytes())?)
            }
        };
        match named {
            Some(named) if named != key.public().point() => Err(KeyFault::Halves),
            _ => Ok(key),
        }
    }

    /// PKCS #8 in PEM, as openssl writes it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let der = match self {
            Self::P256(key) => {
                let key = p256::SecretKey::from(key.as_nonzero_scalar());
                Zeroizing::new(key.to_pkcs8_der().expect("a key has an encoding").as_bytes().to_vec())
            }
            Self::Ed25519(key) => {
                let mut der = Zeroizing::new(Vec::with_capacity(48));
                der.extend_from_slice(&ED25519_PKCS8);
                der.extend_from_slice(key.seed());
                der
            }
        };
        pem::write("PRIVATE KEY", &der)
    }

    /// Its other half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::P256(key) => PublicKey::P256(*key.verifying_key()),
            Self::Ed25519(key) => PublicKey::Ed25519(key.public()),
        }
    }

    /// Signs: the same key and message give the same signature (RFC 6979, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message),
        }
    }
}

/// Which part of a P-256 key its reader stumbled over.
fn fault_of(error: &pkcs8::Error) -> KeyFault {
    let pkcs8::Error::Asn1(error) = error else { return KeyFault::Der };
    match error.kind() {
        ErrorKind::Value { tag: Tag::BitString } => KeyFault::Halves,
        ErrorKind::Value { tag: Tag::OctetString } => KeyFault::Range,
        _ => KeyFault::Der,
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SigningKey").field(&self.public().id()).finish()
    }
}
