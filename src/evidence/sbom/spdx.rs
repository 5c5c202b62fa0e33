//! SPDX 2.3, in JSON.
//!
//! What a wheel was built with stands in words with the wheel (`sourceInfo`): a package of its own would be taken for one
//! that is in the file.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::describe::{Described, Unique, describe, one_line};
use super::edges::Edges;
use super::licences::Licences;
use super::uuid_of;
use crate::digest::Sha256Digest;
use crate::epoch::Epoch;
use crate::evidence::{Facts, IndexNote, Manifest, purl};
use crate::json::to_canonical_json;
use crate::urls::authority;

/// What SPDX says where nothing is said.
const NOTHING_SAID: &str = "NOASSERTION";

/// The package that is the file itself.
const ROOT: &str = "SPDXRef-application";

/// The SBOM as SPDX 2.3; canonical JSON.
pub fn spdx(facts: &Facts, index: &IndexNote) -> Vec<u8> {
    let manifest = &facts.manifest;
    let described = describe(facts, index);
    let edges = Edges::of(facts);
    let mut unique = Unique::default();
    // An identifier is no name: what it may not hold is left out of it.
    let stem = |one: &Described<'_>| {
        let text = format!("wheel-{}-{}", one.wheel.name, one.wheel.version);
        text.replace(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '.' | '-'), "-")
    };
    let stems: Vec<String> = described.iter().map(|one| unique.name(&stem(one), "-")).collect();
    let identifier = |index: usize| format!("SPDXRef-{}", stems[index]);

    let mut packages = vec![describe_application(manifest, &facts.sha256)];
    let mut extracted = Vec::new();
    for (one, stem) in described.iter().zip(&stems) {
        packages.push(describe_package(one, stem, &mut extracted));
    }
    let mut relationships = vec![relate("SPDXRef-DOCUMENT", "DESCRIBES", ROOT)];
    relationships.extend((0..stems.len()).map(|index| relate(ROOT, "CONTAINS", &identifier(index))));
    relationships.extend(edges.direct.iter().map(|index| relate(ROOT, "DEPENDS_ON", &identifier(*index))));
    for (from, needed) in edges.of.iter().enumerate() {
        relationships.extend(needed.iter().map(|to| relate(&identifier(from), "DEPENDS_ON", &identifier(*to))));
    }

    let version = manifest.version.as_ref().map(|version| format!("-{version}")).unwrap_or_default();
    let mut document = Map::new();
    document.insert("spdxVersion".to_owned(), "SPDX-2.3".into());
    document.insert("dataLicense".to_owned(), "CC0-1.0".into());
    document.insert("SPDXID".to_owned(), "SPDXRef-DOCUMENT".into());
    document.insert("name".to_owned(), format!("{}{version}", manifest.name).into());
    document.insert(
        "creationInfo".to_owned(),
        json!({
            "created": Epoch::clamped(manifest.epoch).to_string(),
            "creators": [format!("Tool: {}-{}", manifest.tool.name, manifest.tool.version)],
        }),
    );
    document.insert("packages".to_owned(), packages.into());
    document.insert("relationships".to_owned(), relationships.into());
    if !extracted.is_empty() {
        document.insert("hasExtractedLicensingInfos".to_owned(), extracted.into());
    }
    let uuid = uuid_of(&to_canonical_json(&document));
    document.insert("documentNamespace".to_owned(), format!("https://pyzpack.dev/spdx/{uuid}").into());
    to_canonical_json(&document)
}

fn describe_application(manifest: &Manifest, sha256: &Sha256Digest) -> Value {
    let Manifest { layout, platform, pythons, recipe, .. } = manifest;
    let lock = recipe.lock.as_ref().map(|lock| format!("; lock {}, sha256 {}", lock.filename, lock.sha256));
    let lock = lock.unwrap_or_default();
    let comment = format!("layout {layout}, platform {platform}, CPython {}{lock}", pythons.join(", "));
    let mut package = package(ROOT, &manifest.name, sha256);
    package["primaryPackagePurpose"] = "APPLICATION".into();
    package["comment"] = comment.into();
    if let Some(version) = &manifest.version {
        package["versionInfo"] = version.as_str().into();
    }
    package
}

fn describe_package(one: &Described<'_>, stem: &str, extracted: &mut Vec<Value>) -> Value {
    let wheel = one.wheel;
    let mut package = package(&format!("SPDXRef-{stem}"), wheel.name.as_str(), &wheel.sha256);
    package["primaryPackagePurpose"] = "LIBRARY".into();
    package["versionInfo"] = wheel.version.as_str().into();
    package["packageFileName"] = wheel.filename.as_str().into();
    package["sourceInfo"] = tell_source(one).into();
    package["externalRefs"] = json!([{
        "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": one.purl,
    }]);
    if let Some(location) = location(one) {
        package["downloadLocation"] = location.into();
    }
    if let Some(summary) = one.summary {
        package["summary"] = one_line(summary).into();
    }
    let website = one.distribution.links().into_iter().find(|link| link.kind == "website");
    if let Some(link) = website.filter(|link| is_of_the_internet(&link.url)) {
        package["homepage"] = link.url.into();
    }
    if !one.distribution.sboms.is_empty() {
        let told = one.distribution.sboms.iter().map(|sbom| format!("{}, sha256 {}", sbom.path, sbom.sha256));
        package["comment"] = format!("it brings SBOMs: {}", told.collect::<Vec<_>>().join("; ")).into();
    }
    if let Some(expression) = one.licences.listed() {
        package["licenseDeclared"] = expression.into();
    } else if let Some((name, text)) = tell_licence(&one.licences) {
        let identifier = format!("LicenseRef-{stem}");
        extracted.push(json!({"licenseId": identifier, "name": name, "extractedText": text}));
        package["licenseDeclared"] = identifier.into();
    }
    package
}

/// What every package has.
fn package(identifier: &str, name: &str, sha256: &Sha256Digest) -> Value {
    json!({
        "SPDXID": identifier, "name": name, "filesAnalyzed": false,
        "checksums": [{"algorithm": "SHA256", "checksumValue": sha256}],
        "downloadLocation": NOTHING_SAID, "licenseConcluded": NOTHING_SAID, "licenseDeclared": NOTHING_SAID,
        "copyrightText": NOTHING_SAID,
    })
}

fn relate(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

/// How the wheel was come by.
fn tell_source(one: &Described<'_>) -> String {
    let Some(source) = &one.wheel.source else { return format!("origin: {}", one.wheel.origin) };
    let digest = |sha256: Option<Sha256Digest>| sha256.map(|sha256| format!(", sha256 {sha256}")).unwrap_or_default();
    let mut told = format!("origin: {} from {}{}", one.wheel.origin, source.uri, digest(source.sha256));
    for required in one.built_with {
        write!(told, "; with {}{}", required.filename, digest(required.sha256)).expect("a `String` takes every text");
    }
    told
}

/// Where the wheel, or what it was built from, is to be had.
fn location(one: &Described<'_>) -> Option<String> {
    let commit = one.wheel.source.as_ref().filter(|source| source.uri.starts_with("git+"));
    let location = match commit {
        Some(source) => {
            let (uri, inside) = purl::split_subdirectory(&source.uri);
            inside.map_or_else(|| uri.to_owned(), |inside| format!("{uri}#{inside}"))
        }
        None => one.url.clone()?,
    };
    let is_plain = is_of_the_internet(&location) && !location.contains(char::is_whitespace);
    // `spdx-tools` takes a repository's server for one where its last label is short.
    (is_plain && (commit.is_none() || last_label(&location).len() <= 5)).then_some(location)
}

/// Whether a URL's server has a name that ends as those of the internet do: of others validators of SPDX say that they
/// are none.
fn is_of_the_internet(url: &str) -> bool {
    let last = last_label(url);
    last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The last label of the server's name, where it has several.
fn last_label(url: &str) -> String {
    let host = authority(url).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    host.rsplit_once('.').map(|(_, last)| last.to_owned()).unwrap_or_default()
}

/// The licence in words: its name, and all that is said of it.
fn tell_licence(licences: &Licences) -> Option<(String, String)> {
    match licences {
        Licences::Expression(expression) => Some((expression.text.clone(), expression.text.clone())),
        Licences::Statements(statements) => {
            let texts = statements.iter().map(|statement| statement.text.as_ref().unwrap_or(&statement.name).as_str());
            Some((statements.first()?.name.clone(), texts.collect::<Vec<_>>().join("\n")))
        }
    }
}
