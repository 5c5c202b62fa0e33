//! in-toto Statements, version 1: which file something is said of, and what kind of thing is said. Ours are written in their
//! one canonical spelling; others' are read strictly, because a signature covers whatever a reader takes them for.
//!
//! Digests alone decide whether a statement is about a file: names are for people, and a file may be renamed (in-toto
//! attestation specification, "Statement": subjects are matched purely by digest). A statement may have several subjects, and
//! one that is the file is enough, as it is for `cosign`, `gh attestation verify` and `slsa-verifier`: a release that attests
//! all its files at once says each of them was made like this. All subjects have to be well formed nevertheless. Keys that
//! the specification does not know are passed over, as it asks.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::digest::Sha256Digest;
use crate::json::{JsonFault, parse_json, to_canonical_json};

/// The `_type` of a statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// A larger statement is refused, in bytes: GitHub stores none above it either.
pub const STATEMENT_LIMIT: usize = 16 << 20;

/// A statement that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is about: one file at least.
    pub subject: Vec<Subject>,
    /// What kind of thing it says, as a URI.
    pub predicate_type: String,
    /// What it says: always an object.
    pub predicate: Value,
}

/// A file that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name, for people.
    pub name: Option<String>,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Why a statement cannot be relied on, or is not about a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementFault {
    /// It is no JSON document that has one meaning only.
    #[error("the statement cannot be read: {0}")]
    Json(JsonFault),
    /// A required key is not there.
    #[error("the statement has no `{0}`")]
    Missing(&'static str),
    /// A key holds something of another kind.
    #[error("`{field}` of the statement is not {wanted}")]
    Kind {
        /// The key.
        field: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// It is of another type or version.
    #[error("the statement's type is `{0}`, expected `{STATEMENT_TYPE}`")]
    Type(String),
    /// It is about nothing.
    #[error("the statement has no subject")]
    NoSubject,
    /// A subject has no digest at all.
    #[error("subject `{0}` of the statement has no digest")]
    NoDigest(String),
    /// A subject has digests, and none that is used here.
    #[error("subject `{subject}` of the statement has no sha256, only {found}")]
    NoSha256 {
        /// Its name.
        subject: String,
        /// The algorithms that it has, in words.
        found: String,
    },
    /// A digest is not spelled as one.
    #[error("the sha256 of subject `{subject}` of the statement is not 64 lower-case hexadecimal digits: `{found}`")]
    DigestForm {
        /// Its name.
        subject: String,
        /// What is there.
        found: String,
    },
    /// It says nothing.
    #[error("the statement's predicate is {0}, expected an object")]
    Predicate(&'static str),
    /// It says another kind of thing.
    #[error("the statement's predicate type is `{found}`, expected `{expected}`")]
    PredicateType {
        /// What was wanted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// It is about a file of this name with other contents.
    #[error("the statement is about a `{name}` with sha256 {stated}, found {found}")]
    WrongDigest {
        /// The file.
        name: String,
        /// What the statement says.
        stated: Sha256Digest,
        /// The file's.
        found: Sha256Digest,
    },
    /// It is about other files.
    #[error("the statement is not about this file, sha256 {found}, but about {stated}")]
    WrongSubject {
        /// What it is about, in words.
        stated: String,
        /// The file's digest.
        found: Sha256Digest,
    },
}

impl StatementFault {
    /// A stable name for the rule that is broken.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(JsonFault::TooLarge { .. }) => "statement-too-large",
            Self::Json(JsonFault::ByteOrderMark) => "statement-byte-order-mark",
            Self::Json(JsonFault::Encoding) => "statement-encoding",
            Self::Json(JsonFault::DuplicateKey(_)) => "statement-duplicate-key",
            Self::Json(JsonFault::TooDeep) => "statement-too-deep",
            Self::Json(JsonFault::Trailing) => "statement-trailing",
            Self::Json(JsonFault::Syntax(_)) => "statement-syntax",
            Self::Missing(_) => "statement-field-missing",
            Self::Kind { .. } => "statement-field-kind",
            Self::Type(_) => "statement-type",
            Self::NoSubject => "statement-no-subject",
            Self::NoDigest(_) => "statement-no-digest",
            Self::NoSha256 { .. } => "statement-no-sha256",
            Self::DigestForm { .. } => "statement-digest-form",
            Self::Predicate(_) => "statement-predicate",
            Self::PredicateType { .. } => "statement-predicate-type",
            Self::WrongDigest { .. } => "statement-wrong-digest",
            Self::WrongSubject { .. } => "statement-wrong-subject",
        }
    }

    /// One of each, so that every code can be listed.
    pub const CODES: [&'static str; 18] = [
        "statement-too-large",
        "statement-byte-order-mark",
        "statement-encoding",
        "statement-duplicate-key",
        "statement-too-deep",
        "statement-trailing",
        "statement-syntax",
        "statement-field-missing",
        "statement-field-kind",
        "statement-type",
        "statement-no-subject",
        "statement-no-digest",
        "statement-no-sha256",
        "statement-digest-form",
        "statement-predicate",
        "statement-predicate-type",
        "statement-wrong-digest",
        "statement-wrong-subject",
    ];
}

impl Statement {
    /// Reads a statement.
    ///
    /// # Errors
    /// When two readers could take it for different ones, or it lacks what every statement has.
    pub fn read(bytes: &[u8]) -> Result<Self, StatementFault> {
        let document = parse_json(bytes, STATEMENT_LIMIT).map_err(StatementFault::Json)?;
        let Value::Object(mut members) = document else {
            return Err(StatementFault::Kind { field: "document".to_owned(), wanted: "an object" });
        };
        let kind = text(&members, "_type")?;
        if kind != STATEMENT_TYPE {
            return Err(StatementFault::Type(kind.to_owned()));
        }
        let subject = match members.get("subject") {
            None => return Err(StatementFault::Missing("subject")),
            Some(Value::Array(items)) if items.is_empty() => return Err(StatementFault::NoSubject),
            Some(Value::Array(items)) => items.iter().enumerate().map(read_subject).collect::<Result<_, _>>()?,
            Some(_) => return Err(StatementFault::Kind { field: "subject".to_owned(), wanted: "a list" }),
        };
        let predicate_type = text(&members, "predicateType")?.to_owned();
        if predicate_type.is_empty() {
            return Err(StatementFault::Kind { field: "predicateType".to_owned(), wanted: "a URI" });
        }
        let predicate = match members.remove("predicate") {
            Some(predicate @ Value::Object(_)) => predicate,
            None => return Err(StatementFault::Predicate("missing")),
            Some(Value::Null) => return Err(StatementFault::Predicate("null")),
            Some(_) => return Err(StatementFault::Predicate("something else")),
        };
        Ok(Self { subject, predicate_type, predicate })
    }

    /// That it says this kind of thing.
    ///
    /// # Errors
    /// [`StatementFault::PredicateType`].
    pub fn check_predicate_type(&self, expected: &str) -> Result<(), StatementFault> {
        if self.predicate_type == expected {
            return Ok(());
        }
        let (expected, found) = (expected.to_owned(), self.predicate_type.clone());
        Err(StatementFault::PredicateType { expected, found })
    }
}

/// Writes a statement about one file in its canonical spelling.
///
/// # Panics
/// When the predicate holds floating-point numbers: ours hold none.
pub fn write_statement(
    filename: &str,
    sha256: &Sha256Digest,
    predicate_type: &str,
    predicate: &impl Serialize,
) -> Vec<u8> {
    let predicate = serde_json::to_value(predicate).expect("our predicates are trees of strings, numbers and lists");
    to_canonical_json(&json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": filename, "digest": {"sha256": sha256}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }))
}

/// Finds the subject that is the file with this digest, which has the name `filename` here.
///
/// # Errors
/// [`StatementFault::WrongDigest`] where it is about a file of this name, [`StatementFault::WrongSubject`] else.
pub fn check_subject<'a>(
    statement: &'a Statement,
    sha256: &Sha256Digest,
    filename: &str,
) -> Result<&'a Subject, StatementFault> {
    if let Some(subject) = statement.subject.iter().find(|subject| subject.sha256 == *sha256) {
        return Ok(subject);
    }
    if let Some(subject) = statement.subject.iter().find(|subject| subject.name.as_deref() == Some(filename)) {
        return Err(StatementFault::WrongDigest { name: filename.to_owned(), stated: subject.sha256, found: *sha256 });
    }
    let first = &statement.subject[0];
    let mut stated = match &first.name {
        Some(name) => format!("`{name}`, sha256 {}", first.sha256),
        None => format!("sha256 {}", first.sha256),
    };
    if statement.subject.len() > 1 {
        stated = format!("{stated} and {} more", statement.subject.len() - 1);
    }
    Err(StatementFault::WrongSubject { stated, found: *sha256 })
}

/// The text under a required key.
fn text<'a>(members: &'a Map<String, Value>, key: &'static str) -> Result<&'a str, StatementFault> {
    let value = members.get(key).ok_or(StatementFault::Missing(key))?;
    value.as_str().ok_or_else(|| StatementFault::Kind { field: key.to_owned(), wanted: "a string" })
}

/// Reads one subject (in-toto attestation specification, `ResourceDescriptor` and `DigestSet`).
fn read_subject((index, value): (usize, &Value)) -> Result<Subject, StatementFault> {
    let at = |key: &str| format!("subject[{index}]{key}");
    let kind = |key: &str, wanted| Err(StatementFault::Kind { field: at(key), wanted });
    let Value::Object(members) = value else { return kind("", "an object") };
    let name = match members.get("name") {
        None => None,
        Some(Value::String(name)) => Some(name.clone()),
        Some(_) => return kind(".name", "a string"),
    };
    let subject = name.clone().unwrap_or_else(|| at(""));
    let digests = match members.get("digest") {
        None => return Err(StatementFault::NoDigest(subject)),
        Some(Value::Object(digests)) if digests.is_empty() => return Err(StatementFault::NoDigest(subject)),
        Some(Value::Object(digests)) => digests,
        Some(_) => return kind(".digest", "an object"),
    };
    let sha256 = match digests.get("sha256") {
        None => {
            let found = digests.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(StatementFault::NoSha256 { subject, found });
        }
        Some(Value::String(text)) => text,
        Some(_) => return kind(".digest.sha256", "a string"),
    };
    // The type itself takes upper-case digits, which are another text under the signature.
    match sha256.parse::<Sha256Digest>() {
        Ok(digest) if digest.to_string() == *sha256 => Ok(Subject { name, sha256: digest }),
        _ => Err(StatementFault::DigestForm { subject, found: sha256.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn good() -> Value {
        json!({
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "a.pyz", "digest": {"sha256": DIGEST}}],
            "predicateType": "https://example.org/p/v1",
            "predicate": {"a": 1.5},
        })
    }

    fn refusal(bytes: &[u8]) -> (&'static str, String) {
        let fault = Statement::read(bytes).expect_err("it is refused");
        assert!(StatementFault::CODES.contains(&fault.code()), "{fault}");
        (fault.code(), fault.to_string())
    }

    #[test]
    fn writes_one_spelling_and_reads_it_again() {
        let digest = Sha256Digest::of(b"");
        let written = write_statement("a.pyz", &digest, "https://example.org/p/v1", &json!({"b": "x", "a": [1]}));
        let expected = format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicate\":{{\"a\":[1],\"b\":\"x\"}},\
             \"predicateType\":\"https://example.org/p/v1\",\
             \"subject\":[{{\"digest\":{{\"sha256\":\"{DIGEST}\"}},\"name\":\"a.pyz\"}}]}}"
        );
        assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
        let read = Statement::read(&written).unwrap();
        let subject = Subject { name: Some("a.pyz".to_owned()), sha256: digest };
        assert_eq!(read.subject, [subject]);
        assert_eq!(read.predicate, json!({"a": [1], "b": "x"}));
        assert_eq!(read.check_predicate_type("https://example.org/p/v1"), Ok(()));
        let fault = read.check_predicate_type("https://slsa.dev/provenance/v1").unwrap_err();
        assert_eq!(
            (fault.code(), fault.to_string().as_str()),
            (
                "statement-predicate-type",
                "the statement's predicate type is `https://example.org/p/v1`, expected `https://slsa.dev/provenance/v1`"
            )
        );
    }

    #[test]
    fn refuses_what_is_not_one_document() {
        let good = serde_json::to_string(&good()).unwrap();
        assert!(Statement::read(good.as_bytes()).is_ok());
        let twice = good.replacen('{', "{\"subject\":[],", 1);
        let deep = good.replace("1.5", &format!("{}{}", "[".repeat(70), "]".repeat(70)));
        for (bytes, code, message) in [
            (
                twice.as_bytes(),
                "statement-duplicate-key",
                "the statement cannot be read: the key `subject` occurs twice in one object",
            ),
            (
                format!("{good}{{}}").as_bytes(),
                "statement-trailing",
                "the statement cannot be read: something follows the document",
            ),
            (
                &good.replace("a.pyz", "\u{1}").into_bytes(),
                "statement-syntax",
                "the statement cannot be read: it is not JSON: control character (\\u0000-\\u001F) found while parsing a \
                 string at line 1 column 216",
            ),
            (
                &[&good.as_bytes()[..10], b"\xff", &good.as_bytes()[10..]].concat(),
                "statement-encoding",
                "the statement cannot be read: it is not UTF-8",
            ),
            (
                &[b"\xef\xbb\xbf", good.as_bytes()].concat(),
                "statement-byte-order-mark",
                "the statement cannot be read: it begins with a byte-order mark",
            ),
            (
                deep.as_bytes(),
                "statement-too-deep",
                "the statement cannot be read: more than 64 arrays and objects lie in each other",
            ),
            (
                &vec![b' '; STATEMENT_LIMIT + 1],
                "statement-too-large",
                "the statement cannot be read: 16777217 bytes exceed the limit of 16777216",
            ),
        ] {
            assert_eq!(refusal(bytes), (code, message.to_owned()));
        }
    }

    #[test]
    fn refuses_what_lacks_what_every_statement_has() {
        let upper = DIGEST.to_uppercase();
        let cases: [(&str, Value, &str, &str); 22] = [
            (
                "/_type",
                json!("https://in-toto.io/Statement/v0.1"),
                "statement-type",
                "the statement's type is `https://in-toto.io/Statement/v0.1`, expected `https://in-toto.io/Statement/v1`",
            ),
            ("/_type", json!(1), "statement-field-kind", "`_type` of the statement is not a string"),
            ("/_type", json!("-"), "statement-field-missing", "the statement has no `_type`"),
            ("/subject", json!("-"), "statement-field-missing", "the statement has no `subject`"),
            ("/subject", json!({}), "statement-field-kind", "`subject` of the statement is not a list"),
            ("/subject", json!([]), "statement-no-subject", "the statement has no subject"),
            ("/subject/0", json!(1), "statement-field-kind", "`subject[0]` of the statement is not an object"),
            ("/subject/0/name", json!(1), "statement-field-kind", "`subject[0].name` of the statement is not a string"),
            ("/subject/0/digest", json!("-"), "statement-no-digest", "subject `a.pyz` of the statement has no digest"),
            ("/subject/0/digest", json!({}), "statement-no-digest", "subject `a.pyz` of the statement has no digest"),
            (
                "/subject/0/digest",
                json!([]),
                "statement-field-kind",
                "`subject[0].digest` of the statement is not an object",
            ),
            (
                "/subject/0/digest",
                json!({"md5": "d41d8cd98f00b204e9800998ecf8427e", "sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}),
                "statement-no-sha256",
                "subject `a.pyz` of the statement has no sha256, only md5, sha1",
            ),
            (
                "/subject/0/digest/sha256",
                json!(null),
                "statement-field-kind",
                "`subject[0].digest.sha256` of the statement is not a string",
            ),
            (
                "/subject/0/digest/sha256",
                json!(upper),
                "statement-digest-form",
                "the sha256 of subject `a.pyz` of the statement is not 64 lower-case hexadecimal digits: \
                 `E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855`",
            ),
            (
                "/subject/0/digest/sha256",
                json!("e3b0"),
                "statement-digest-form",
                "the sha256 of subject `a.pyz` of the statement is not 64 lower-case hexadecimal digits: `e3b0`",
            ),
            ("/predicateType", json!("-"), "statement-field-missing", "the statement has no `predicateType`"),
            ("/predicateType", json!(""), "statement-field-kind", "`predicateType` of the statement is not a URI"),
            ("/predicateType", json!(null), "statement-field-kind", "`predicateType` of the statement is not a string"),
            ("/predicate", json!(null), "statement-predicate", "the statement's predicate is null, expected an object"),
            (
                "/predicate",
                json!("-"),
                "statement-predicate",
                "the statement's predicate is missing, expected an object",
            ),
            (
                "/predicate",
                json!([]),
                "statement-predicate",
                "the statement's predicate is something else, expected an object",
            ),
            ("", json!([]), "statement-field-kind", "`document` of the statement is not an object"),
        ];
        for (pointer, value, code, message) in cases {
            let mut document = good();
            if value == json!("-") {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            } else {
                *document.pointer_mut(pointer).unwrap() = value;
            }
            let bytes = serde_json::to_vec(&document).unwrap();
            assert_eq!(refusal(&bytes), (code, message.to_owned()), "{pointer}");
        }
        // Keys that are not known are no reason: the specification has others add some.
        let mut document = good();
        document["more"] = json!({"x": 1});
        document["subject"][0]["annotations"] = json!({"y": 2});
        assert!(Statement::read(&serde_json::to_vec(&document).unwrap()).is_ok());
    }

    #[test]
    fn is_about_a_file_by_its_digest_alone() {
        let [this, other] = [Sha256Digest::of(b"this"), Sha256Digest::of(b"other")];
        let statement = |subjects: &[(&str, Sha256Digest)]| Statement {
            subject: subjects
                .iter()
                .map(|(name, sha256)| Subject { name: (!name.is_empty()).then(|| (*name).to_owned()), sha256: *sha256 })
                .collect(),
            predicate_type: "x".to_owned(),
            predicate: json!({}),
        };
        for subjects in [
            &[("a.pyz", this)][..],
            &[("renamed.pyz", this)],
            &[("", this)],
            &[("b.pyz", other), ("a.pyz", this)],
            &[("a.pyz", other), ("b.pyz", this)],
        ] {
            assert_eq!(check_subject(&statement(subjects), &this, "a.pyz").map(|subject| subject.sha256), Ok(this));
        }
        for (subjects, code, message) in [
            (
                &[("b.pyz", other), ("a.pyz", other)][..],
                "statement-wrong-digest",
                format!("the statement is about a `a.pyz` with sha256 {other}, found {this}"),
            ),
            (
                &[("b.pyz", other)],
                "statement-wrong-subject",
                format!("the statement is not about this file, sha256 {this}, but about `b.pyz`, sha256 {other}"),
            ),
            (
                &[("", other), ("c.pyz", other)],
                "statement-wrong-subject",
                format!("the statement is not about this file, sha256 {this}, but about sha256 {other} and 1 more"),
            ),
        ] {
            let fault = check_subject(&statement(subjects), &this, "a.pyz").unwrap_err();
            assert_eq!((fault.code(), fault.to_string()), (code, message));
        }
    }
}
