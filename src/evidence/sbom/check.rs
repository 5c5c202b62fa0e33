//! An SBOM that somebody hands in, compared with the file that it is said to speak of. It may be another tool's: then what
//! counts is the file's digest, and that it lists the distributions that are inside, each with the wheel's digest.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde_json::{Map, Value};

use super::{cyclonedx, spdx};
use crate::digest::Sha256Digest;
use crate::evidence::{Facts, IndexNote, JsonFault, ManifestWheel, parse_json};
use crate::names::PackageName;
use crate::shown::shown_in_line;
use crate::urls::percent_decode;

/// A larger SBOM is not read.
pub const SBOM_LIMIT: usize = 64 << 20;

/// How many indexes of an SBOM's purls are tried for the one that its writer named.
const MOST_INDEXES: usize = 8;

/// How much of a value a message shows, in characters.
const SHOWN: usize = 100;

/// What is wrong with an SBOM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SbomFault {
    /// It is no JSON document that can be relied on.
    #[error("the SBOM cannot be read: {0}")]
    Json(#[from] JsonFault),
    /// It is no SBOM in a form that is known.
    #[error("the SBOM is neither CycloneDX 1 nor SPDX 2 in JSON: {0}")]
    Format(String),
    /// It speaks of another file.
    #[error("the SBOM speaks of another file: expected sha256 {expected}, found {}", told(found.as_ref()))]
    Subject {
        /// The file's digest.
        expected: Sha256Digest,
        /// What it says.
        found: Option<String>,
    },
    /// It lists what is not inside.
    #[error("the SBOM lists `{0}`, which is not in the file, or lists it twice")]
    Extra(String),
    /// It does not list what is inside.
    #[error("the SBOM does not list `{0}`, which is in the file")]
    Missing(String),
    /// It states another digest of a wheel.
    #[error("the SBOM has another hash of `{listed}`: expected sha256 {expected}, found {}", told(found.as_ref()))]
    Hash {
        /// The distribution.
        listed: String,
        /// The wheel's digest.
        expected: Sha256Digest,
        /// What it says.
        found: Option<String>,
    },
    /// It is pyzpack's, and not what pyzpack writes of this file.
    #[error("the SBOM is not what pyzpack writes of this file: at `{place}` expected {expected}, found {found}")]
    Differs {
        /// Where (RFC 6901).
        place: String,
        /// What pyzpack writes.
        expected: String,
        /// What stands there.
        found: String,
    },
}

impl SbomFault {
    /// The stable name of this kind of fault, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "sbom-json",
            Self::Format(_) => "sbom-format",
            Self::Subject { .. } => "sbom-subject",
            Self::Extra(_) => "sbom-extra",
            Self::Missing(_) => "sbom-missing",
            Self::Hash { .. } => "sbom-hash",
            Self::Differs { .. } => "sbom-differs",
        }
    }
}

fn told(found: Option<&String>) -> String {
    found.map_or_else(|| "none".to_owned(), |text| shorten(text))
}

/// Compares an SBOM with the file; gives what is wrong, which is nothing where it is right.
pub fn check_sbom(bytes: &[u8], facts: &Facts) -> Vec<SbomFault> {
    let read = parse_json(bytes, SBOM_LIMIT).map_err(SbomFault::from);
    let document = match read {
        Ok(document) => document,
        Err(fault) => return vec![fault],
    };
    let sbom = match Sbom::read(&document) {
        Ok(sbom) => sbom,
        Err(fault) => return vec![fault],
    };
    let mut faults = sbom.compare(facts);
    if faults.is_empty() && sbom.is_ours {
        faults.extend(sbom.find_difference(facts));
    }
    faults
}

/// An SBOM, as far as it is compared with a file.
struct Sbom<'a> {
    document: &'a Value,
    format: Format,
    /// The file that it speaks of.
    subject: Listed<'a>,
    /// What it lists besides.
    listed: Vec<Listed<'a>>,
    /// Whether it says that this version of pyzpack wrote it.
    is_ours: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    CycloneDx,
    Spdx,
}

/// A component or package.
struct Listed<'a> {
    name: &'a str,
    version: &'a str,
    /// Its SHA-256, in as many values as it states.
    sha256: Vec<&'a str>,
    purls: Vec<&'a str>,
}

impl<'a> Sbom<'a> {
    fn read(document: &'a Value) -> Result<Self, SbomFault> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("bomFormat") == "CycloneDX" && text("specVersion").starts_with("1.") {
            Self::read_cyclonedx(document)
        } else if text("spdxVersion").starts_with("SPDX-2.") {
            Self::read_spdx(document)
        } else {
            Err(malformed("it has neither `bomFormat` nor `spdxVersion` of one"))
        }
    }

    fn read_cyclonedx(document: &'a Value) -> Result<Self, SbomFault> {
        let subject = document.pointer("/metadata/component").and_then(Value::as_object);
        let subject = subject.ok_or_else(|| malformed("`metadata.component` is missing"))?;
        let mut listed = Vec::new();
        // What lies within a component is in the file too.
        let mut next = vec![subject];
        next.extend(objects(document.get("components"), "components")?);
        while let Some(component) = next.pop() {
            next.extend(objects(component.get("components"), "components")?);
            let kind = component.get("type").and_then(Value::as_str);
            let is_subject = std::ptr::eq(component, subject);
            if !is_subject && matches!(kind, Some("library" | "framework" | "application")) {
                listed.push(Listed::read_cyclonedx(component)?);
            }
        }
        listed.reverse();
        let tools = document.pointer("/metadata/tools/components").and_then(Value::as_array);
        let is_own = |tool: &Value| tool["name"] == "pyzpack" && tool["version"] == env!("CARGO_PKG_VERSION");
        let is_ours = tools.is_some_and(|tools| tools.iter().any(is_own));
        let subject = Listed::read_cyclonedx(subject)?;
        Ok(Self { document, format: Format::CycloneDx, subject, listed, is_ours })
    }

    fn read_spdx(document: &'a Value) -> Result<Self, SbomFault> {
        let mut described: BTreeSet<&str> = BTreeSet::new();
        for relationship in objects(document.get("relationships"), "relationships")? {
            let end = |key: &str| relationship.get(key).and_then(Value::as_str).unwrap_or_default();
            let (from, to) = (end("spdxElementId"), end("relatedSpdxElement"));
            match end("relationshipType") {
                "DESCRIBES" if from == "SPDXRef-DOCUMENT" => described.insert(to),
                "DESCRIBED_BY" if to == "SPDXRef-DOCUMENT" => described.insert(from),
                _ => false,
            };
        }
        let named = document.get("documentDescribes").and_then(Value::as_array);
        described.extend(named.into_iter().flatten().filter_map(Value::as_str));
        let (mut subjects, mut listed) = (Vec::new(), Vec::new());
        for package in objects(document.get("packages"), "packages")? {
            let identifier = package.get("SPDXID").and_then(Value::as_str).unwrap_or_default();
            let read = Listed::read_spdx(package)?;
            if described.contains(identifier) { subjects.push(read) } else { listed.push(read) }
        }
        let count = subjects.len();
        let subject = subjects.pop().filter(|_| count == 1);
        let subject = subject.ok_or_else(|| malformed("it does not describe one package"))?;
        let own = concat!("Tool: pyzpack-", env!("CARGO_PKG_VERSION"));
        let creators = document.pointer("/creationInfo/creators").and_then(Value::as_array);
        let is_ours = creators.is_some_and(|creators| creators.iter().any(|creator| creator == own));
        Ok(Self { document, format: Format::Spdx, subject, listed, is_ours })
    }

    /// What is wrong in what every SBOM says.
    fn compare(&self, facts: &Facts) -> Vec<SbomFault> {
        let mut faults = Vec::new();
        if let Err(found) = self.subject.check_sha256(&facts.sha256) {
            faults.push(SbomFault::Subject { expected: facts.sha256, found });
        }
        let wheels = &facts.manifest.wheels;
        let mut missing: BTreeSet<usize> = (0..wheels.len()).collect();
        let mut named: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
        for (index, wheel) in wheels.iter().enumerate() {
            named.entry(&wheel.name).or_default().push(index);
        }
        for listed in &self.listed {
            let name: Option<PackageName> = listed.name.parse().ok();
            let places = name.and_then(|name| named.get(&name)).into_iter().flatten().copied();
            let found = places
                .filter(|index| missing.contains(index))
                .find(|index| is_version(&wheels[*index].version, listed.version));
            let Some(index) = found else {
                faults.push(SbomFault::Extra(shorten(&format!("{} {}", listed.name, listed.version))));
                continue;
            };
            missing.remove(&index);
            if let Err(found) = listed.check_sha256(&wheels[index].sha256) {
                let (listed, expected) = (label(&wheels[index]), wheels[index].sha256);
                faults.push(SbomFault::Hash { listed, expected, found });
            }
        }
        faults.extend(missing.into_iter().map(|index| SbomFault::Missing(label(&wheels[index]))));
        faults
    }

    /// Where it differs from what pyzpack writes, whichever index options its writer gave: the file does not hold them.
    fn find_difference(&self, facts: &Facts) -> Option<SbomFault> {
        let mut nearest: Option<Comparison> = None;
        for index in self.possible_indexes() {
            let written = match self.format {
                Format::CycloneDx => cyclonedx(facts, &index),
                Format::Spdx => spdx(facts, &index),
            };
            let written: Value = serde_json::from_slice(&written).expect("we write JSON");
            let mut comparison = Comparison::default();
            comparison.compare(&written, self.document, "");
            if comparison.count == 0 {
                return None;
            }
            if nearest.as_ref().is_none_or(|other| comparison.count < other.count) {
                nearest = Some(comparison);
            }
        }
        nearest.and_then(|comparison| comparison.first)
    }

    fn possible_indexes(&self) -> Vec<IndexNote> {
        let purls = self.listed.iter().flat_map(|listed| &listed.purls);
        let named: BTreeSet<String> = purls
            .filter_map(|purl| {
                let (_, rest) = purl.split_once("repository_url=")?;
                let encoded = rest.split(['&', '#']).next()?;
                String::from_utf8(percent_decode(encoded)).ok()
            })
            .collect();
        let named = named.into_iter().take(MOST_INDEXES).map(|url| IndexNote::from_options(Some(&url), &[]));
        [IndexNote::Default, IndexNote::Unsaid].into_iter().chain(named).collect()
    }
}

impl<'a> Listed<'a> {
    fn read_cyclonedx(component: &'a Map<String, Value>) -> Result<Self, SbomFault> {
        let hashes = objects(component.get("hashes"), "hashes")?.into_iter();
        let sha256 = hashes.filter(|hash| hash.get("alg").is_some_and(|alg| alg == "SHA-256"));
        Ok(Self {
            name: text(component, "name")?,
            version: component.get("version").and_then(Value::as_str).unwrap_or_default(),
            sha256: sha256.map(|hash| text(hash, "content")).collect::<Result<_, _>>()?,
            purls: component.get("purl").and_then(Value::as_str).into_iter().collect(),
        })
    }

    fn read_spdx(package: &'a Map<String, Value>) -> Result<Self, SbomFault> {
        let checksums = objects(package.get("checksums"), "checksums")?.into_iter();
        let sha256 = checksums.filter(|checksum| checksum.get("algorithm").is_some_and(|kind| kind == "SHA256"));
        let references = objects(package.get("externalRefs"), "externalRefs")?.into_iter();
        let purls = references.filter(|reference| reference.get("referenceType").is_some_and(|kind| kind == "purl"));
        Ok(Self {
            name: text(package, "name")?,
            version: package.get("versionInfo").and_then(Value::as_str).unwrap_or_default(),
            sha256: sha256.map(|checksum| text(checksum, "checksumValue")).collect::<Result<_, _>>()?,
            purls: purls.map(|reference| text(reference, "referenceLocator")).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it states this digest, and no other; else the other one.
    fn check_sha256(&self, expected: &Sha256Digest) -> Result<(), Option<String>> {
        if self.sha256.is_empty() {
            return Err(None);
        }
        match self.sha256.iter().find(|text| text.parse().as_ref() != Ok(expected)) {
            Some(other) => Err(Some((*other).to_owned())),
            None => Ok(()),
        }
    }
}

fn label(wheel: &ManifestWheel) -> String {
    format!("{} {}", wheel.name, wheel.version)
}

/// Whether two texts are the same version (PEP 440): other tools write it as METADATA does.
fn is_version(one: &str, other: &str) -> bool {
    let read = |text: &str| text.parse::<Version>().ok();
    one == other || read(one).is_some_and(|version| read(other) == Some(version))
}

fn malformed(reason: &str) -> SbomFault {
    SbomFault::Format(reason.to_owned())
}

/// The objects of a list that may be missing.
fn objects<'a>(value: Option<&'a Value>, key: &str) -> Result<Vec<&'a Map<String, Value>>, SbomFault> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let objects = value.as_array().and_then(|items| items.iter().map(Value::as_object).collect());
    objects.ok_or_else(|| malformed(&format!("`{key}` is not a list of objects")))
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, SbomFault> {
    object.get(key).and_then(Value::as_str).ok_or_else(|| malformed(&format!("a `{key}` is not a text")))
}

/// How far two documents differ.
#[derive(Default)]
struct Comparison {
    count: usize,
    first: Option<SbomFault>,
}

impl Comparison {
    fn compare(&mut self, expected: &Value, found: &Value, place: &str) {
        match (expected, found) {
            (Value::Object(one), Value::Object(other)) => {
                let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for key in keys {
                    let place = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.compare_parts(one.get(key), other.get(key), &place);
                }
            }
            (Value::Array(one), Value::Array(other)) => {
                for index in 0..one.len().max(other.len()) {
                    self.compare_parts(one.get(index), other.get(index), &format!("{place}/{index}"));
                }
            }
            _ if expected == found => {}
            _ => self.note(Some(expected), Some(found), place),
        }
    }

    fn compare_parts(&mut self, expected: Option<&Value>, found: Option<&Value>, place: &str) {
        match (expected, found) {
            (Some(expected), Some(found)) => self.compare(expected, found, place),
            _ => self.note(expected, found, place),
        }
    }

    fn note(&mut self, expected: Option<&Value>, found: Option<&Value>, place: &str) {
        self.count += 1;
        let told =
            |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), |value| shorten(&value.to_string()));
        if self.first.is_none() {
            let (expected, found) = (told(expected), told(found));
            self.first = Some(SbomFault::Differs { place: shorten(place), expected, found });
        }
    }
}

/// The beginning of a text, fit to be shown.
fn shorten(text: &str) -> String {
    let shown = shown_in_line(text);
    match shown.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &shown[..end]),
        None => shown.into_owned(),
    }
}
