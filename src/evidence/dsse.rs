//! DSSE envelopes: a statement and one signature over it (the DSSE protocol and envelope, version 1.0.2).
//!
//! What is signed is the pre-authentication encoding of the payload's type and bytes, never the payload alone. Read is one
//! signature, of which nothing but the key that is given decides: the `keyid` inside is not signed, so it is kept for
//! messages. Members that the specification does not know are passed over, as it asks.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};

use super::json::{JsonFault, parse_json, to_canonical_json};
use super::keys::{PublicKey, SignatureFault, SigningKey};

/// The type of what is signed: an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An envelope or a bundle with more bytes is not read: SBOMs of thousands of distributions have fewer.
pub const ATTESTATION_LIMIT: usize = 64 << 20;

/// What an envelope holds. Its signature was compared with nothing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    signature: Vec<u8>,
    keyid: String,
}

/// Bytes whose signature was found to be that of a given key. There is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPayload {
    bytes: Vec<u8>,
}

/// Why bytes are not an envelope, or not signed by the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeFault {
    /// No JSON to rely on.
    #[error("the envelope cannot be read: {0}")]
    Json(#[from] JsonFault),
    /// A bare statement.
    #[error("it is a statement that nobody signed")]
    Unsigned,
    /// A member that is missing or of another type.
    #[error("the envelope has no {expected} `{name}`")]
    Member {
        /// Which.
        name: &'static str,
        /// What it is to be.
        expected: &'static str,
    },
    /// Base64 that readers could take for different bytes.
    #[error("`{0}` of the envelope is not base64 of one reading")]
    Base64(&'static str),
    /// Something else than a statement.
    #[error("the payload's type is `{0}` instead of `{PAYLOAD_TYPE}`")]
    PayloadType(String),
    /// No signature.
    #[error("the envelope has no signature")]
    NoSignature,
    /// Several signatures.
    #[error("the envelope has {0} signatures instead of one")]
    SeveralSignatures(usize),
    /// A signature of no bytes.
    #[error("the signature is empty")]
    EmptySignature,
    /// A signature that does not fit.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// A signature that does not fit, where another key is named.
    #[error("the signature is not by the key `{given}`: the envelope names the key `{named}`")]
    OtherKey {
        /// The key that the envelope names.
        named: String,
        /// The key that was given.
        given: String,
    },
    /// A signature over less than it has to cover.
    #[error("the signature covers {0} instead of the payload with its type (DSSE's PAE)")]
    NotPae(&'static str),
}

impl EnvelopeFault {
    /// Its name, which stays.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "envelope-json",
            Self::Unsigned => "envelope-unsigned",
            Self::Member { .. } => "envelope-member",
            Self::Base64(_) => "envelope-base64",
            Self::PayloadType(_) => "envelope-payload-type",
            Self::NoSignature => "signature-none",
            Self::SeveralSignatures(_) => "signature-several",
            Self::EmptySignature => "signature-empty",
            Self::Signature(fault) => fault.code(),
            Self::OtherKey { .. } => "signature-other-key",
            Self::NotPae(_) => "signature-not-pae",
        }
    }

    /// One thing to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unsigned => Some("its author signs with `pyzpack sign APP.pyz --key KEY`"),
            Self::OtherKey { .. } => {
                Some("ask for the public key by a way that you trust; the envelope's is a name alone")
            }
            _ => None,
        }
    }
}

impl Envelope {
    /// Signs a statement.
    pub fn sign(statement: Vec<u8>, key: &SigningKey) -> Self {
        let signature = key.sign(&pre_authentication(PAYLOAD_TYPE, &statement));
        Self { payload: statement, signature, keyid: key.public().id().to_string() }
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// When it is none with one signature over a statement.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeFault> {
        Self::from_value(&parse_json(bytes, ATTESTATION_LIMIT)?)
    }

    pub(super) fn from_value(value: &Value) -> Result<Self, EnvelopeFault> {
        if value.get("_type").is_some() && value.get("payload").is_none() {
            return Err(EnvelopeFault::Unsigned);
        }
        let text = |value: &Value, name| {
            let found = value.get(name).and_then(Value::as_str).map(str::to_owned);
            found.ok_or(EnvelopeFault::Member { name, expected: "text" })
        };
        let payload_type = text(value, "payloadType")?;
        if payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeFault::PayloadType(payload_type));
        }
        let payload = decode(&text(value, "payload")?).ok_or(EnvelopeFault::Base64("payload"))?;
        let signatures = value.get("signatures").and_then(Value::as_array);
        let signature = match signatures.map(Vec::as_slice) {
            None => return Err(EnvelopeFault::Member { name: "signatures", expected: "list" }),
            Some([]) => return Err(EnvelopeFault::NoSignature),
            Some([one]) => one,
            Some(several) => return Err(EnvelopeFault::SeveralSignatures(several.len())),
        };
        // Missing and empty are the same: the specification has it so, and so it is with null.
        let keyid = match signature.get("keyid") {
            None | Some(Value::Null) => String::new(),
            Some(_) => text(signature, "keyid")?,
        };
        let signature = decode(&text(signature, "sig")?).ok_or(EnvelopeFault::Base64("sig"))?;
        if signature.is_empty() {
            return Err(EnvelopeFault::EmptySignature);
        }
        Ok(Self { payload, signature, keyid })
    }

    /// Its one spelling.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_canonical_json(&self.to_value())
    }

    pub(super) fn to_value(&self) -> Value {
        json!({
            "payload": STANDARD.encode(&self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": self.keyid, "sig": STANDARD.encode(&self.signature)}],
        })
    }

    /// What it calls its key; empty where it does not. Nobody signed it.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// What it claims to hold, to be shown and never to be relied on: [`Envelope::verify`] gives what was signed.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// What it holds, where `key` signed it.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(&self, key: &PublicKey) -> Result<VerifiedPayload, EnvelopeFault> {
        match key.verify(&pre_authentication(PAYLOAD_TYPE, &self.payload), &self.signature) {
            Ok(()) => Ok(VerifiedPayload { bytes: self.payload.clone() }),
            Err(SignatureFault::Wrong) => Err(self.explain(key)),
            Err(fault) => Err(fault.into()),
        }
    }

    /// What a signature is that fits no more than its form.
    fn explain(&self, key: &PublicKey) -> EnvelopeFault {
        let covers = |text: &[u8]| key.verify(text, &self.signature).is_ok();
        let given = key.id().to_string();
        if covers(&self.payload) {
            EnvelopeFault::NotPae("the payload alone")
        } else if covers(STANDARD.encode(&self.payload).as_bytes()) {
            EnvelopeFault::NotPae("the payload's base64")
        } else if self.keyid.is_empty() || self.keyid == given {
            SignatureFault::Wrong.into()
        } else {
            EnvelopeFault::OtherKey { named: self.keyid.clone(), given }
        }
    }
}

impl VerifiedPayload {
    /// The bytes that were signed as an in-toto statement.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is signed for a payload (DSSE protocol, PAE): lengths keep type and body apart.
pub fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Decodes base64 of either alphabet (RFC 4648, 4 and 5), but not of both; with all of its padding or with none; without
/// line breaks, and without bits that belong to no byte. So no two texts of one alphabet are the same bytes.
fn decode(text: &str) -> Option<Vec<u8>> {
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let padding =
        if text.ends_with('=') { DecodePaddingMode::RequireCanonical } else { DecodePaddingMode::RequireNone };
    // Without a single `=` both modes mean the same for a whole number of groups of four.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}
