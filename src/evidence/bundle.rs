//! Sigstore bundles with a key: the envelope, and the name of the key that signed it (`application/vnd.dev.sigstore.bundle`).
//!
//! The name is a hint: no key is taken from a bundle, and one that brings its own is refused. A bundle with a certificate
//! speaks of an identity, which takes Sigstore's roots and logs to check: that is others' trade. Entries of transparency logs
//! and time stamps beside a key are counted, not checked. Members that the format does not know are passed over, as
//! sigstore-js does; members that it knows have to be what it says, in their JSON spelling (`publicKey`, not `public_key`).

use serde_json::{Value, json};

use super::dsse::{ATTESTATION_LIMIT, Envelope, EnvelopeFault};
use crate::json::{JsonFault, parse_json, to_canonical_json};

/// The media type that is written.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Those that are read; for a bundle with a key they mean the same.
const MEDIA_TYPES: [&str; 4] = [
    MEDIA_TYPE,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
];

/// A bundle with a key's name and an envelope. Its signature was compared with nothing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The envelope.
    pub envelope: Envelope,
    /// The name of the key, or what else helps to find it; may be empty. Nobody signed it.
    pub hint: String,
    /// How many entries of transparency logs it brings; none of them is checked.
    pub log_entries: usize,
}

/// A signed statement, in either form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attestation {
    /// With the key's name beside it.
    Bundle(Bundle),
    /// An envelope alone.
    Envelope(Envelope),
}

/// Why bytes are not a bundle that can be checked with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// No JSON to rely on.
    #[error("the bundle cannot be read: {0}")]
    Json(#[from] JsonFault),
    /// The envelope inside.
    #[error(transparent)]
    Envelope(#[from] EnvelopeFault),
    /// Neither form.
    #[error("it is neither a Sigstore bundle nor a DSSE envelope")]
    Unknown,
    /// A media type of another version, or of something else.
    #[error("the bundle's media type `{0}` is not known")]
    MediaType(String),
    /// A member that is missing or of another type.
    #[error("the bundle has no {expected} `{name}`")]
    Member {
        /// Which.
        name: &'static str,
        /// What it is to be.
        expected: &'static str,
    },
    /// An identity instead of a key.
    #[error("the bundle is signed by an identity (a certificate) instead of a key")]
    Keyless,
    /// A key that comes with what it is to prove.
    #[error("the bundle brings a key of its own, which proves nothing")]
    OwnKey,
    /// A signature over a digest, without a statement.
    #[error("the bundle signs a digest (`messageSignature`) instead of a statement")]
    MessageSignature,
    /// Two names for one key.
    #[error("the bundle names the key `{hint}`, its envelope the key `{keyid}`")]
    Hint {
        /// The bundle's.
        hint: String,
        /// The envelope's.
        keyid: String,
    },
}

impl BundleFault {
    /// One of each but its envelope's, so that every code can be listed.
    pub const CODES: [&'static str; 8] = [
        "bundle-json",
        "bundle-unknown",
        "bundle-media-type",
        "bundle-member",
        "bundle-keyless",
        "bundle-own-key",
        "bundle-message-signature",
        "bundle-hint",
    ];

    /// Its name, which stays.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "bundle-json",
            Self::Envelope(fault) => fault.code(),
            Self::Unknown => "bundle-unknown",
            Self::MediaType(_) => "bundle-media-type",
            Self::Member { .. } => "bundle-member",
            Self::Keyless => "bundle-keyless",
            Self::OwnKey => "bundle-own-key",
            Self::MessageSignature => "bundle-message-signature",
            Self::Hint { .. } => "bundle-hint",
        }
    }

    /// One thing to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Envelope(fault) => fault.hint(),
            Self::Keyless => Some(
                "`cosign verify-blob-attestation --bundle BUNDLE --certificate-identity WHO --certificate-oidc-issuer \
                 ISSUER APP.pyz` checks identities, and so does `gh attestation verify APP.pyz --bundle BUNDLE --owner WHO`",
            ),
            Self::OwnKey => Some("ask for the public key by a way that you trust"),
            Self::MessageSignature => Some("`cosign verify-blob --key PUB --bundle BUNDLE APP.pyz` checks those"),
            _ => None,
        }
    }
}

impl Bundle {
    /// The bundle of an envelope, whose key it names.
    pub fn of(envelope: Envelope) -> Self {
        Self { hint: envelope.keyid().to_owned(), envelope, log_entries: 0 }
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// When it is none with a key and an envelope.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleFault> {
        Self::from_value(&parse_json(bytes, ATTESTATION_LIMIT)?)
    }

    fn from_value(value: &Value) -> Result<Self, BundleFault> {
        let media_type = text(value, "mediaType")?;
        if !MEDIA_TYPES.contains(&media_type) {
            return Err(BundleFault::MediaType(media_type.to_owned()));
        }
        let material = member(value, "verificationMaterial").filter(|material| material.is_object());
        let material = material.ok_or(BundleFault::Member { name: "verificationMaterial", expected: "object" })?;
        if member(material, "certificate").or(member(material, "x509CertificateChain")).is_some() {
            return Err(BundleFault::Keyless);
        }
        let key = member(material, "publicKey").filter(|key| key.is_object());
        let key = key.ok_or(BundleFault::Member { name: "publicKey", expected: "object" })?;
        if member(key, "rawBytes").is_some() {
            return Err(BundleFault::OwnKey);
        }
        let hint = if member(key, "hint").is_some() { text(key, "hint")? } else { "" };
        let log_entries = match member(material, "tlogEntries") {
            None => 0,
            Some(Value::Array(entries)) => entries.len(),
            Some(_) => return Err(BundleFault::Member { name: "tlogEntries", expected: "list" }),
        };
        if member(value, "messageSignature").is_some() {
            return Err(BundleFault::MessageSignature);
        }
        let envelope = member(value, "dsseEnvelope").filter(|envelope| envelope.is_object());
        let envelope = envelope.ok_or(BundleFault::Member { name: "dsseEnvelope", expected: "object" })?;
        let envelope = Envelope::from_value(envelope)?;
        let keyid = envelope.keyid();
        if !hint.is_empty() && !keyid.is_empty() && hint != keyid {
            return Err(BundleFault::Hint { hint: hint.to_owned(), keyid: keyid.to_owned() });
        }
        Ok(Self { hint: hint.to_owned(), envelope, log_entries })
    }

    /// Its one spelling.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_canonical_json(&json!({
            "dsseEnvelope": self.envelope.to_value(),
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": self.hint}, "tlogEntries": []},
        }))
    }
}

impl Attestation {
    /// Reads a bundle, or an envelope without one.
    ///
    /// # Errors
    /// When it is neither, or not one that can be checked with a key.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleFault> {
        let value = parse_json(bytes, ATTESTATION_LIMIT)?;
        let has = |name| value.get(name).is_some();
        if has("mediaType") || has("verificationMaterial") || has("dsseEnvelope") {
            Bundle::from_value(&value).map(Self::Bundle)
        } else if has("payload") || has("signatures") || has("_type") {
            Ok(Self::Envelope(Envelope::from_value(&value)?))
        } else {
            Err(BundleFault::Unknown)
        }
    }

    /// What is signed, and the signature.
    pub fn envelope(&self) -> &Envelope {
        match self {
            Self::Bundle(bundle) => &bundle.envelope,
            Self::Envelope(envelope) => envelope,
        }
    }
}

/// A member that is there; null is not (proto3's JSON mapping).
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|member| !member.is_null())
}

fn text<'a>(value: &'a Value, name: &'static str) -> Result<&'a str, BundleFault> {
    member(value, name).and_then(Value::as_str).ok_or(BundleFault::Member { name, expected: "text" })
}

#[cfg(test)]
mod tests {
    use super::super::dsse::tests::{STATEMENT, key_of};
    use super::*;
    use crate::evidence::keys::{KeyType, SigningKey};

    fn good() -> (SigningKey, Value) {
        let key = key_of(KeyType::Ed25519);
        let bundle = Bundle::of(Envelope::sign(STATEMENT.to_vec(), &key));
        let value = serde_json::from_slice(&bundle.to_bytes()).unwrap();
        (key, value)
    }

    #[test]
    fn is_written_one_way() {
        let key = key_of(KeyType::Ed25519);
        let bundle = Bundle::of(Envelope::sign(STATEMENT.to_vec(), &key));
        let expected = "{\"dsseEnvelope\":{\"payload\":\"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==\",\
             \"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{\"keyid\":\
             \"BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k=\",\"sig\":\"2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==\"}]},\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\
             \"verificationMaterial\":{\"publicKey\":{\"hint\":\"BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k=\"},\"tlogEntries\":[]}}";
        assert_eq!(String::from_utf8(bundle.to_bytes()).unwrap(), expected);
        assert_eq!(Bundle::parse(&bundle.to_bytes()), Ok(bundle.clone()));
        assert_eq!(Attestation::parse(&bundle.to_bytes()), Ok(Attestation::Bundle(bundle.clone())));
        let envelope = bundle.envelope;
        assert_eq!(Attestation::parse(&envelope.to_bytes()), Ok(Attestation::Envelope(envelope.clone())));
    }

    #[test]
    fn reads_what_others_write() {
        // Older media types, no hint, no keyid, no list of log entries or one that is not empty, members of later versions.
        let changes: [fn(&mut Value); 9] = [
            |value| value["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1".into(),
            |value| value["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2".into(),
            |value| value["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.3".into(),
            |value| value["verificationMaterial"] = json!({"publicKey": {"hint": ""}}),
            |value| value["verificationMaterial"] = json!({"publicKey": {}, "timestampVerificationData": {}}),
            |value| value["verificationMaterial"]["certificate"] = Value::Null,
            |value| value["dsseEnvelope"]["signatures"][0]["keyid"] = "".into(),
            |value| value["verificationMaterial"]["tlogEntries"] = json!([{"logIndex": "1"}]),
            |value| value["later"] = json!({"added": [1]}),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (key, mut value) = good();
            change(&mut value);
            let bundle = Bundle::parse(value.to_string().as_bytes()).unwrap();
            assert_eq!(bundle.envelope.verify(&key.public()).unwrap().bytes(), STATEMENT);
            assert_eq!(bundle.log_entries, usize::from(number == 7));
        }
    }

    #[test]
    fn refuses_what_a_key_cannot_settle() {
        let certificate = json!({"rawBytes": "AAAA"});
        let keyless = "the bundle is signed by an identity (a certificate) instead of a key";
        for (pointer, new, code, message) in [
            (
                "/mediaType",
                json!("application/vnd.dev.sigstore.bundle.v0.4+json"),
                "bundle-media-type",
                "the bundle's media type `application/vnd.dev.sigstore.bundle.v0.4+json` is not known",
            ),
            ("/mediaType", json!(3), "bundle-member", "the bundle has no text `mediaType`"),
            ("/verificationMaterial", json!({"certificate": certificate}), "bundle-keyless", keyless),
            (
                "/verificationMaterial",
                json!({"x509CertificateChain": {"certificates": [certificate]}}),
                "bundle-keyless",
                keyless,
            ),
            (
                "/verificationMaterial",
                json!({"publicKey": {"hint": ""}, "certificate": certificate}),
                "bundle-keyless",
                keyless,
            ),
            ("/verificationMaterial", json!(null), "bundle-member", "the bundle has no object `verificationMaterial`"),
            ("/verificationMaterial", json!({}), "bundle-member", "the bundle has no object `publicKey`"),
            (
                "/verificationMaterial",
                json!({"public_key": {"hint": ""}}),
                "bundle-member",
                "the bundle has no object `publicKey`",
            ),
            (
                "/verificationMaterial",
                json!({"publicKey": {"rawBytes": "MCowBQYDK2VwAyEA"}}),
                "bundle-own-key",
                "the bundle brings a key of its own, which proves nothing",
            ),
            ("/verificationMaterial/publicKey/hint", json!(1), "bundle-member", "the bundle has no text `hint`"),
            ("/verificationMaterial/tlogEntries", json!({}), "bundle-member", "the bundle has no list `tlogEntries`"),
            (
                "/verificationMaterial/publicKey/hint",
                json!("other"),
                "bundle-hint",
                "the bundle names the key `other`, its envelope the key `BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k=`",
            ),
            ("/dsseEnvelope", json!(null), "bundle-member", "the bundle has no object `dsseEnvelope`"),
            ("/dsseEnvelope/signatures", json!([]), "signature-none", "the envelope has no signature"),
        ] {
            let (_, mut value) = good();
            *value.pointer_mut(pointer).unwrap() = new;
            let fault = Bundle::parse(value.to_string().as_bytes()).unwrap_err();
            let known = BundleFault::CODES.iter().chain(&EnvelopeFault::CODES);
            assert!(known.into_iter().any(|code| *code == fault.code()), "{fault}");
            assert_eq!((fault.code(), fault.to_string()), (code, message.to_owned()));
        }
        let (_, mut value) = good();
        value["messageSignature"] = json!({"signature": "AAAA"});
        let fault = Bundle::parse(value.to_string().as_bytes()).unwrap_err();
        let message = "the bundle signs a digest (`messageSignature`) instead of a statement";
        assert_eq!((fault.code(), fault.to_string()), ("bundle-message-signature", message.to_owned()));
    }

    #[test]
    fn refuses_what_is_neither_form() {
        for (text, code, message) in [
            ("{}", "bundle-unknown", "it is neither a Sigstore bundle nor a DSSE envelope"),
            ("[]", "bundle-unknown", "it is neither a Sigstore bundle nor a DSSE envelope"),
            // What cosign wrote before bundles.
            (
                "{\"base64Signature\": \"\", \"cert\": \"\", \"rekorBundle\": {}}",
                "bundle-unknown",
                "it is neither a Sigstore bundle nor a DSSE envelope",
            ),
            (
                "{\"_type\": \"https://in-toto.io/Statement/v1\"}",
                "envelope-unsigned",
                "it is a statement that nobody signed",
            ),
            ("{\"dsseEnvelope\": {}}", "bundle-member", "the bundle has no text `mediaType`"),
            ("{\"signatures\": []}", "envelope-member", "the envelope has no text `payloadType`"),
            ("{} {}", "bundle-json", "the bundle cannot be read: something follows the document"),
            (
                "{\"mediaType\": \"\", \"mediaType\": \"\"}",
                "bundle-json",
                "the bundle cannot be read: the key `mediaType` occurs twice in one object",
            ),
        ] {
            let fault = Attestation::parse(text.as_bytes()).unwrap_err();
            assert_eq!((fault.code(), fault.to_string()), (code, message.to_owned()));
        }
    }
}
