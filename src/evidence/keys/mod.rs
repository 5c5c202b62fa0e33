//! Keys: P-256 with ECDSA, and Ed25519. Private keys are PKCS #8, public ones SPKI (RFC 5208, 5280), both in PEM.
//!
//! Everything else is refused by name: encrypted keys, certificates, other algorithms, a private key where the public one is
//! meant. Of a private key nothing gets into messages or `Debug`, and what held it is overwritten when it is let go, as far
//! as it was ours.

mod algorithm;
mod ed25519;
mod fault;
mod pem;
mod private;
mod public;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Sha256Digest;

pub use fault::{KeyFault, SignatureFault};
pub use private::{NoRandomness, SigningKey};
pub use public::PublicKey;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyType {
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5).
    #[default]
    P256,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl fmt::Display for KeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::P256 => "ECDSA P-256",
            Self::Ed25519 => "Ed25519",
        })
    }
}

/// The name of a public key: base64 of the SHA-256 of its SPKI in DER, as cosign writes hints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    fn of(spki: &[u8]) -> Self {
        Self(STANDARD.encode(Sha256Digest::of(spki).as_bytes()))
    }

    /// The 44 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
