//! `CycloneDX` 1.6, in JSON.
//!
//! What a wheel was built with stands under `formulation`: it is not in the file, and who looks for vulnerable components
//! passes over it there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::describe::{Described, Unique, absolute_reference, describe, one_line, relative_reference};
use super::edges::Edges;
use super::licences::Licences;
use super::uuid_of;
use crate::digest::Sha256Digest;
use crate::epoch::Epoch;
use crate::evidence::{BuildRequirementNote, Facts, IndexNote, Manifest, purl};
use crate::json::to_canonical_json;

/// The SBOM as `CycloneDX` 1.6; canonical JSON.
pub fn cyclonedx(facts: &Facts, index: &IndexNote) -> Vec<u8> {
    let manifest = &facts.manifest;
    let described = describe(facts, index);
    let edges = Edges::of(facts);
    let root = format!("pyz:sha256:{}", facts.sha256);
    let mut unique = Unique::default();
    let references: Vec<String> = described.iter().map(|one| unique.name(&one.purl, "#")).collect();

    let listed = |places: &BTreeSet<usize>| -> Value {
        let mut named: Vec<&String> = places.iter().map(|place| &references[*place]).collect();
        named.sort();
        json!(named)
    };
    let mut dependencies = vec![json!({"ref": root, "dependsOn": listed(&edges.direct)})];
    for (reference, needed) in references.iter().zip(&edges.of) {
        dependencies.push(json!({"ref": reference, "dependsOn": listed(needed)}));
    }
    let components: Vec<Value> =
        described.iter().zip(&references).map(|(one, reference)| describe_component(one, reference)).collect();

    let mut document = Map::new();
    document.insert("bomFormat".to_owned(), "CycloneDX".into());
    document.insert("specVersion".to_owned(), "1.6".into());
    document.insert("version".to_owned(), 1.into());
    document.insert("metadata".to_owned(), describe_application(manifest, &root, &facts.sha256));
    document.insert("components".to_owned(), components.into());
    document.insert("dependencies".to_owned(), dependencies.into());
    if let Some(formula) = describe_builds(&described, &references, manifest, index) {
        document.insert("formulation".to_owned(), json!([formula]));
    }
    let uuid = uuid_of(&to_canonical_json(&document));
    document.insert("serialNumber".to_owned(), format!("urn:uuid:{uuid}").into());
    to_canonical_json(&document)
}

/// `metadata`: the file itself, and what wrote this.
fn describe_application(manifest: &Manifest, root: &str, sha256: &Sha256Digest) -> Value {
    let mut properties =
        vec![property("pyzpack:layout", &manifest.layout), property("pyzpack:platform", &manifest.platform)];
    properties.extend(manifest.pythons.iter().map(|python| property("pyzpack:python", python)));
    if let Some(lock) = &manifest.recipe.lock {
        properties.push(property("pyzpack:lock", &lock.filename));
        properties.push(property("pyzpack:lock:sha256", &lock.sha256.to_string()));
    }
    let mut component = json!({
        "type": "application", "bom-ref": root, "name": manifest.name, "hashes": hashes(sha256),
        "properties": properties,
    });
    if let Some(version) = &manifest.version {
        component["version"] = version.as_str().into();
    }
    let tool = json!({"type": "application", "name": manifest.tool.name, "version": manifest.tool.version});
    let mut metadata = json!({"component": component, "tools": {"components": [tool]}});
    // Without SOURCE_DATE_EPOCH no time is known, and 1980 is none.
    if manifest.epoch > Epoch::default().seconds() {
        metadata["timestamp"] = Epoch::clamped(manifest.epoch).to_string().into();
    }
    metadata
}

fn describe_component(one: &Described<'_>, reference: &str) -> Value {
    let wheel = one.wheel;
    let mut properties = vec![property("pyzpack:origin", &wheel.origin)];
    if let Some(source) = &wheel.source {
        properties.push(property("pyzpack:source:uri", &source.uri));
        properties.extend(source.sha256.map(|sha256| property("pyzpack:source:sha256", &sha256.to_string())));
    }
    let mut component = json!({
        "type": "library", "bom-ref": reference, "name": wheel.name, "version": wheel.version, "purl": one.purl,
        "hashes": hashes(&wheel.sha256), "externalReferences": references(one), "properties": properties,
    });
    if let Some(summary) = one.summary {
        component["description"] = one_line(summary).into();
    }
    let authors = one.distribution.authors().into_iter().map(|author| {
        let parts = [("name", author.name), ("email", author.email)];
        parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect::<Map<_, _>>()
    });
    let authors: Vec<_> = authors.collect();
    if !authors.is_empty() {
        component["authors"] = json!(authors);
    }
    let licences: Vec<Value> = match &one.licences {
        Licences::Expression(expression) => {
            vec![json!({"expression": expression.text, "acknowledgement": "declared"})]
        }
        Licences::Statements(statements) => {
            let told = statements.iter().map(|statement| {
                let mut licence = json!({"name": statement.name, "acknowledgement": "declared"});
                if let Some(text) = &statement.text {
                    licence["text"] = json!({"content": text, "contentType": "text/plain"});
                }
                json!({"license": licence})
            });
            told.collect()
        }
    };
    if !licences.is_empty() {
        component["licenses"] = licences.into();
    }
    component
}

/// Where the wheel, its source, its project, and the SBOMs that it brings are.
fn references(one: &Described<'_>) -> Vec<Value> {
    let wheel = one.wheel;
    let mut found = Vec::new();
    let whole = one.url.clone().filter(|_| wheel.source.is_none());
    let url = whole.unwrap_or_else(|| relative_reference(&wheel.filename));
    found.push(json!({"type": "distribution", "url": url, "hashes": hashes(&wheel.sha256)}));
    if let Some(source) = &wheel.source {
        let (uri, _) = purl::split_subdirectory(&source.uri);
        if let Some(sha256) = &source.sha256 {
            let url = one.url.clone().unwrap_or_else(|| relative_reference(uri));
            found.push(json!({"type": "source-distribution", "url": url, "hashes": hashes(sha256)}));
        } else if uri.starts_with("git+") {
            found.push(json!({"type": "vcs", "url": absolute_reference(uri)}));
        }
    }
    for sbom in &one.distribution.sboms {
        found.push(json!({"type": "bom", "url": relative_reference(&sbom.path), "hashes": hashes(&sbom.sha256)}));
    }
    for link in one.distribution.links() {
        let mut reference = json!({"type": link.kind, "url": link.url});
        if let Some(label) = link.label {
            reference["comment"] = label.into();
        }
        found.push(reference);
    }
    found
}

/// `formulation`: what the wheels that were built here were built with.
fn describe_builds(
    described: &[Described<'_>],
    references: &[String],
    manifest: &Manifest,
    index: &IndexNote,
) -> Option<Value> {
    let mut unique = Unique::default();
    let inputs = purl::Inputs::of(&manifest.recipe);
    let mut known: BTreeMap<&BuildRequirementNote, (String, String)> = BTreeMap::new();
    for required in described.iter().flat_map(|one| one.built_with) {
        known.entry(required).or_default();
    }
    for (required, (reference, purl)) in &mut known {
        *purl = purl::of_build_requirement(required, &inputs, index);
        *reference = unique.name(&format!("build-requirement:{purl}"), "#");
    }
    if known.is_empty() {
        return None;
    }
    let components = known.iter().map(|(required, (reference, purl))| {
        let mut component = json!({"type": "library", "bom-ref": reference, "name": required.name, "purl": purl});
        if !required.version.is_empty() {
            component["version"] = required.version.as_str().into();
        }
        if let Some(sha256) = &required.sha256 {
            component["hashes"] = hashes(sha256);
        }
        component
    });
    let built = described.iter().zip(references).filter(|(one, _)| !one.built_with.is_empty());
    let workflows = built.map(|(one, reference)| {
        let mut used: Vec<&str> = one.built_with.iter().map(|required| known[required].0.as_str()).collect();
        used.sort_unstable();
        used.dedup();
        let used: Vec<Value> = used.into_iter().map(|reference| json!({"ref": reference})).collect();
        let name = format!("build:{reference}");
        json!({
            "bom-ref": name, "uid": name, "taskTypes": ["build"], "resourceReferences": used,
            "outputs": [{"type": "artifact", "resource": {"ref": reference}}],
        })
    });
    let (components, workflows): (Vec<Value>, Vec<Value>) = (components.collect(), workflows.collect());
    Some(json!({"bom-ref": "build", "components": components, "workflows": workflows}))
}

fn hashes(sha256: &Sha256Digest) -> Value {
    json!([{"alg": "SHA-256", "content": sha256}])
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}
