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

use super::keys::{PublicKey, SignatureFault, SigningKey};
use crate::json::{JsonFault, parse_json, to_canonical_json};

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
    /// One of each but its signature's, so that every code can be listed.
    pub const CODES: [&'static str; 10] = [
        "envelope-json",
        "envelope-unsigned",
        "envelope-member",
        "envelope-base64",
        "envelope-payload-type",
        "signature-none",
        "signature-several",
        "signature-empty",
        "signature-other-key",
        "signature-not-pae",
    ];

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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::evidence::keys::KeyType;

    pub(in crate::evidence) const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;

    /// A key that is the same in every run, and its other half.
    pub(in crate::evidence) fn key_of(key_type: KeyType) -> SigningKey {
        let pem = match key_type {
            KeyType::P256 => {
                "-----BEGIN PRIVATE KEY-----\n\
                 MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1z7EN/1jRuNhnF6/\n\
                 3/8PaRaASVWtMqyaxJKw7eH2/7ehRANCAARnzTkPd6o1nLCMIjX2UicEk6ntgysK\n\
                 vMAfcJVMA5DSOAx4K9VOJpElpE9EM6/xQyzpThK8pzqmesgM6hJgjd90\n\
                 -----END PRIVATE KEY-----\n"
            }
            KeyType::Ed25519 => {
                "-----BEGIN PRIVATE KEY-----\n\
                 MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                 -----END PRIVATE KEY-----\n"
            }
        };
        SigningKey::from_pem(pem.as_bytes()).unwrap()
    }

    /// The code and message of what becomes of a good envelope when it was changed, for the key that signed it.
    fn refusal(key: &SigningKey, change: impl FnOnce(&mut Value)) -> (&'static str, String) {
        let mut value = Envelope::sign(STATEMENT.to_vec(), key).to_value();
        change(&mut value);
        let envelope = Envelope::parse(value.to_string().as_bytes());
        let fault = envelope.and_then(|envelope| envelope.verify(&key.public())).unwrap_err();
        let known = EnvelopeFault::CODES.iter().chain(&SignatureFault::CODES);
        assert!(known.into_iter().any(|code| *code == fault.code()), "{fault}");
        (fault.code(), fault.to_string())
    }

    fn wrong() -> (&'static str, String) {
        ("signature-wrong", "the signature does not fit the text and the key".to_owned())
    }

    /// The example of the DSSE protocol, whose signature is a bare r||s.
    #[test]
    fn signs_as_the_specification_shows() {
        let text = pre_authentication("http://example.com/HelloWorld", b"hello world");
        assert_eq!(text, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pre_authentication("\u{e9}", b""), "DSSEv1 2 \u{e9} 0 ".as_bytes());
        let signature = key_of(KeyType::P256).sign(&text);
        let bare = p256::ecdsa::Signature::from_der(&signature).unwrap().to_bytes();
        let expected = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==";
        assert_eq!(STANDARD.encode(bare), expected);
    }

    #[test]
    fn what_was_signed_is_given_back_for_the_key_alone() {
        for key_type in [KeyType::P256, KeyType::Ed25519] {
            let key = key_of(key_type);
            let envelope = Envelope::sign(STATEMENT.to_vec(), &key);
            assert_eq!(envelope.to_bytes(), Envelope::sign(STATEMENT.to_vec(), &key).to_bytes());
            let read = Envelope::parse(&envelope.to_bytes()).unwrap();
            assert_eq!(read, envelope);
            assert_eq!(read.verify(&key.public()).unwrap().bytes(), STATEMENT);
            let other = SigningKey::generate(key_type).unwrap().public();
            let fault = read.verify(&other).unwrap_err();
            let message = format!(
                "the signature is not by the key `{}`: the envelope names the key `{}`",
                other.id(),
                key.public().id()
            );
            assert_eq!((fault.code(), fault.to_string()), ("signature-other-key", message));
        }
    }

    #[test]
    fn refuses_what_was_changed_after_signing() {
        for key_type in [KeyType::P256, KeyType::Ed25519] {
            let key = key_of(key_type);
            for at in 0..STATEMENT.len() {
                let mut payload = STATEMENT.to_vec();
                payload[at] ^= 1;
                assert_eq!(refusal(&key, |value| value["payload"] = STANDARD.encode(&payload).into()), wrong());
            }
            let text_plain = "the payload's type is `text/plain` instead of `application/vnd.in-toto+json`";
            assert_eq!(
                refusal(&key, |value| value["payloadType"] = "text/plain".into()),
                ("envelope-payload-type", text_plain.to_owned())
            );
            let resign = |text: &[u8]| STANDARD.encode(key.sign(text));
            assert_eq!(
                refusal(&key, |value| {
                    value["payloadType"] = "text/plain".into();
                    value["signatures"][0]["sig"] = resign(&pre_authentication("text/plain", STATEMENT)).into();
                }),
                ("envelope-payload-type", text_plain.to_owned())
            );
            for (signed, expected) in [
                (pre_authentication("text/plain", STATEMENT), wrong()),
                (pre_authentication(PAYLOAD_TYPE, b""), wrong()),
                (
                    STATEMENT.to_vec(),
                    (
                        "signature-not-pae",
                        "the signature covers the payload alone instead of the payload with its type (DSSE's PAE)"
                            .to_owned(),
                    ),
                ),
                (
                    STANDARD.encode(STATEMENT).into_bytes(),
                    (
                        "signature-not-pae",
                        "the signature covers the payload's base64 instead of the payload with its type (DSSE's PAE)"
                            .to_owned(),
                    ),
                ),
            ] {
                assert_eq!(refusal(&key, |value| value["signatures"][0]["sig"] = resign(&signed).into()), expected);
            }
            let other = SigningKey::generate(key_type).unwrap();
            let resigned = STANDARD.encode(other.sign(&pre_authentication(PAYLOAD_TYPE, STATEMENT)));
            assert_eq!(refusal(&key, |value| value["signatures"][0]["sig"] = resigned.into()), wrong());
        }
    }

    #[test]
    fn refuses_envelopes_that_are_not_whole() {
        type Change = Box<dyn FnOnce(&mut Value)>;
        let key = key_of(KeyType::P256);
        let set = |pointer: &'static str, new: Value| -> Change {
            Box::new(move |value: &mut Value| *value.pointer_mut(pointer).unwrap() = new)
        };
        let remove = |pointer: &'static str, name: &'static str| -> Change {
            Box::new(move |value: &mut Value| {
                value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            })
        };
        let twice = |value: &mut Value| {
            let signature = value["signatures"][0].clone();
            value["signatures"].as_array_mut().unwrap().push(signature);
        };
        for (change, code, message) in [
            (set("/signatures", json!([])), "signature-none", "the envelope has no signature"),
            (Box::new(twice), "signature-several", "the envelope has 2 signatures instead of one"),
            (set("/signatures/0/sig", json!("")), "signature-empty", "the signature is empty"),
            (remove("/signatures/0", "sig"), "envelope-member", "the envelope has no text `sig`"),
            (set("/signatures/0/sig", json!(null)), "envelope-member", "the envelope has no text `sig`"),
            (set("/signatures/0", json!("MEQ=")), "envelope-member", "the envelope has no text `sig`"),
            (set("/signatures/0/keyid", json!(1)), "envelope-member", "the envelope has no text `keyid`"),
            (remove("", "signatures"), "envelope-member", "the envelope has no list `signatures`"),
            (set("/signatures", json!({})), "envelope-member", "the envelope has no list `signatures`"),
            (remove("", "payloadType"), "envelope-member", "the envelope has no text `payloadType`"),
            (remove("", "payload"), "envelope-member", "the envelope has no text `payload`"),
            (set("/payload", json!(["e30="])), "envelope-member", "the envelope has no text `payload`"),
            (
                set("", json!({"_type": "https://in-toto.io/Statement/v1"})),
                "envelope-unsigned",
                "it is a statement that nobody signed",
            ),
            (set("", json!([])), "envelope-member", "the envelope has no text `payloadType`"),
        ] {
            assert_eq!(refusal(&key, change), (code, message.to_owned()));
        }
        let text = Envelope::sign(STATEMENT.to_vec(), &key).to_bytes();
        let twice = [&text[..text.len() - 1], b",\"payload\":\"e30=\"}"].concat();
        let fault = Envelope::parse(&twice).unwrap_err();
        let message = "the envelope cannot be read: the key `payload` occurs twice in one object";
        assert_eq!((fault.code(), fault.to_string()), ("envelope-json", message.to_owned()));
    }

    #[test]
    fn passes_over_members_that_it_does_not_know_and_keyids() {
        let key = key_of(KeyType::Ed25519);
        for (name, new) in [
            ("/signatures/0/keyid", json!("")),
            ("/signatures/0/keyid", json!(null)),
            // As securesystemslib names keys.
            ("/signatures/0/keyid", json!("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")),
            ("/signatures/0", json!({"sig": "", "extra": 1})),
        ] {
            let mut value = Envelope::sign(STATEMENT.to_vec(), &key).to_value();
            let signature = value["signatures"][0]["sig"].clone();
            *value.pointer_mut(name).unwrap() = new;
            value["signatures"][0]["sig"] = signature;
            value["later"] = json!({"added": true});
            let envelope = Envelope::parse(value.to_string().as_bytes()).unwrap();
            assert_eq!(envelope.verify(&key.public()).unwrap().bytes(), STATEMENT);
        }
    }

    #[test]
    fn reads_base64_of_both_alphabets_in_one_way() {
        for text in ["-_8=", "-_8", "+/8=", "+/8"] {
            assert_eq!(decode(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(decode(""), Some(vec![]));
        assert_eq!(decode("-_8A"), decode("+/8A"));
        for text in
            ["+_8=", "-/8=", "+/8==", "+/8=\n", "+/ 8=", "+/8=AA", "+/9=", "+", "+/8A=", "+/8A====", "=", "\u{e9}"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
        let key = key_of(KeyType::P256);
        let message = |name: &str| format!("`{name}` of the envelope is not base64 of one reading");
        for (pointer, name) in [("/payload", "payload"), ("/signatures/0/sig", "sig")] {
            let found = refusal(&key, |value| *value.pointer_mut(pointer).unwrap() = "+/9=".into());
            assert_eq!(found, ("envelope-base64", message(name)));
        }
    }
}
