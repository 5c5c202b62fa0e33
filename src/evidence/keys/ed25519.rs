//! Ed25519 (RFC 8032): what the library that signs and verifies leaves to its caller.

use std::fmt;

use p256::elliptic_curve::bigint::{JacobiSymbol, NonZero, Odd, U256};
use p256::elliptic_curve::zeroize::Zeroizing;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::KeyFault;

/// 2^255 - 19.
const FIELD: U256 = U256::from_be_hex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed");

/// -121665/121666, RFC 8032, 5.1.
const D: U256 = U256::from_be_hex("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3");

/// The y of the points whose order divides eight. A signature under such a key fits many texts.
const LOW_ORDER: [U256; 5] = [
    U256::ZERO,
    U256::ONE,
    U256::from_be_hex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec"),
    U256::from_le_hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    U256::from_le_hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
];

/// A public key: the one encoding of a point on the curve, of a high order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ed25519Public([u8; 32]);

impl Ed25519Public {
    /// Checks an encoded point.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, KeyFault> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyFault::Der)?;
        let mut encoded = bytes;
        encoded[31] &= 0x7f;
        let y = U256::from_le_slice(&encoded);
        if y >= FIELD || !is_on_curve(&y) {
            return Err(KeyFault::Point);
        }
        if LOW_ORDER.contains(&y) {
            return Err(KeyFault::LowOrder);
        }
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

/// Whether x^2 = (y^2 - 1) / (d y^2 + 1) has a solution; a quotient is a square where the product is one.
fn is_on_curve(y: &U256) -> bool {
    let field = NonZero::new(FIELD).expect("a prime");
    let square = y.mul_mod_vartime(y, &field);
    let above = square.sub_mod(&U256::ONE, &field);
    let below = square.mul_mod_vartime(&D, &field).add_mod(&U256::ONE, &field);
    let odd = Odd::new(FIELD).expect("a prime");
    above.mul_mod_vartime(&below, &field).jacobi_symbol_vartime(&odd) != JacobiSymbol::MinusOne
}

/// A private key: its seed, from which all else is derived.
pub struct Ed25519Signing {
    seed: Zeroizing<[u8; 32]>,
    public: Ed25519Public,
}

impl Ed25519Signing {
    pub(super) fn from_seed(seed: &[u8]) -> Result<Self, KeyFault> {
        let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).map_err(|_| KeyFault::Der)?);
        let pair = pair_of(&seed);
        let public = pair.public_key().as_ref().try_into().expect("32 bytes");
        Ok(Self { seed, public: Ed25519Public(public) })
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    pub(super) fn public(&self) -> Ed25519Public {
        self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        pair_of(&self.seed).sign(message).as_ref().to_vec()
    }
}

fn pair_of(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("every 32 bytes are a seed")
}

impl fmt::Debug for Ed25519Signing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ed25519Signing").field("public", &self.public).finish_non_exhaustive()
    }
}
