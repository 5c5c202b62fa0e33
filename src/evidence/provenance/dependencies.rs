//! `resolvedDependencies`: everything that went into a build, as resource descriptors (in-toto attestation specification),
//! each with what it was there for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::digest::Sha256Digest;
use crate::evidence::facts::Facts;
use crate::evidence::manifest::{ManifestSource, RecipeInput};
use crate::evidence::purl::{self, IndexNote, split_subdirectory};
use crate::urls::file_name;

/// What the checkout that was packed is called: its directory's name says nothing.
pub(super) const CHECKOUT: &str = "source";

/// A digest, with the name of its algorithm in `DigestSet`.
type Digest = (&'static str, String);

/// What is known of one thing.
#[derive(Default)]
struct Known {
    uris: BTreeSet<String>,
    /// What it was there for.
    roles: BTreeSet<&'static str>,
}

/// Every dependency once, by name and digest.
#[derive(Default)]
struct Dependencies {
    known: BTreeMap<(String, Option<Digest>), Known>,
}

impl Dependencies {
    fn add(&mut self, role: &'static str, name: &str, digest: Option<Digest>, uri: Option<String>) {
        let known = self.known.entry((name.to_owned(), digest)).or_default();
        known.uris.extend(uri);
        known.roles.insert(role);
    }

    /// The descriptors, sorted. What has no URI is known by its digest, and what has several is several places.
    fn describe(self) -> Vec<Value> {
        let mut described = Vec::new();
        for ((name, digest), Known { uris, roles }) in self.known {
            let uris = if uris.is_empty() { vec![None] } else { uris.into_iter().map(Some).collect() };
            for uri in uris {
                let mut descriptor = json!({"name": name, "annotations": {"roles": roles}});
                if let Some(uri) = &uri {
                    descriptor["uri"] = uri.as_str().into();
                }
                if let Some((algorithm, value)) = &digest {
                    descriptor["digest"] = json!({*algorithm: value});
                }
                described.push(((name.clone(), uri, digest.clone()), descriptor));
            }
        }
        described.sort_by(|(one, _), (other, _)| one.cmp(other));
        described.into_iter().map(|(_, descriptor)| descriptor).collect()
    }
}

/// The descriptors of all that went into the file.
pub(super) fn dependencies(facts: &Facts, index: &IndexNote, commits: &BTreeSet<String>) -> Vec<Value> {
    let recipe = &facts.manifest.recipe;
    let inputs = purl::Inputs::of(recipe);
    let mut found = Dependencies::default();
    for (wheel, _, note) in facts.wheels() {
        let packed = Some(of_sha256(&wheel.sha256));
        let uri = purl::of_wheel(wheel, note, &inputs, index);
        match &wheel.source {
            None => found.add("wheel", &wheel.filename, packed, Some(uri)),
            // The URI is its source's: nobody else has this wheel.
            Some(source) => {
                found.add("built-wheel", &wheel.filename, packed, None);
                add_source(&mut found, source, uri);
            }
        }
        for required in note.map(|note| note.build_requirements.as_slice()).unwrap_or_default() {
            if required.filename.starts_with("git+") {
                add_commit(&mut found, "build-requirement", &required.filename);
                continue;
            }
            let uri = purl::of_build_requirement(required, &inputs, index);
            let digest = required.sha256.as_ref().map(of_sha256);
            found.add("build-requirement", &required.filename, digest, Some(uri));
        }
    }
    if let Some(lock) = &recipe.lock {
        found.add("lock", &lock.filename, Some(of_sha256(&lock.sha256)), None);
    }
    for input in &recipe.inputs {
        if let RecipeInput::File(file) = input {
            found.add("input", &file.filename, Some(of_sha256(&file.sha256)), None);
        }
    }
    for commit in commits {
        found.add("source", CHECKOUT, Some(("gitCommit", commit.clone())), None);
    }
    found.describe()
}

/// Adds what a wheel was built from, where that is more than a directory.
fn add_source(found: &mut Dependencies, source: &ManifestSource, purl: String) {
    let (uri, _) = split_subdirectory(&source.uri);
    if let Some(sha256) = &source.sha256 {
        let name = file_name(uri).unwrap_or_else(|| uri.to_owned());
        found.add("source", &name, Some(of_sha256(sha256)), Some(purl));
    } else {
        add_commit(found, "source", uri);
    }
}

/// Adds what `git+https://example.org/repo.git@COMMIT` names.
fn add_commit(found: &mut Dependencies, role: &'static str, uri: &str) {
    let (uri, _) = split_subdirectory(uri);
    let Some(repository) = uri.strip_prefix("git+") else { return };
    let (place, commit) = repository.rsplit_once('@').unwrap_or((repository, ""));
    let last = place.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let commit = is_commit(commit).then(|| ("gitCommit", commit.to_owned()));
    found.add(role, last.strip_suffix(".git").unwrap_or(last), commit, Some(uri.to_owned()));
}

fn of_sha256(sha256: &Sha256Digest) -> Digest {
    ("sha256", sha256.to_string())
}

/// Whether a text is a commit as git prints it, with SHA-1 or SHA-256.
pub(super) fn is_commit(text: &str) -> bool {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    matches!(text.len(), 40 | 64) && text.bytes().all(digits)
}
