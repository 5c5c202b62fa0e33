//! Which distributions are in a file: by the manifest of a `.pyz` of pyzpack, by the PEX-INFO of a pex, else by the names of
//! `.dist-info` directories, wherever they lie but in another distribution.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cause::CauseKind;
use super::difference::{Difference, Findings, Layer};
use super::pairs::distribution_of;
use crate::archive::{LenientEntry, LenientZip};

/// What is known of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Distribution {
    version: String,
    /// A digest of it, where something names one.
    digest: Option<Digest>,
}

/// What is known of the wheel that a distribution came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Digest {
    /// That of the wheel's file.
    Wheel(String),
    /// What pex computes of the files that it installed.
    Pex(String),
}

/// Those of a file, by name: of one name there may be several.
type Distributions = BTreeMap<String, BTreeSet<Distribution>>;

pub(super) fn compare_distributions(
    first: (&LenientZip, Option<&Value>),
    second: (&LenientZip, Option<&Value>),
    member: &[String],
    findings: &mut Findings,
) {
    let (ours, theirs) = (distributions(first), distributions(second));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        let (one, other) = (ours.get(name), theirs.get(name));
        if one == other {
            continue;
        }
        let versions = |found: Option<&BTreeSet<Distribution>>| {
            let versions: BTreeSet<&str> = found.into_iter().flatten().map(|one| one.version.as_str()).collect();
            (!versions.is_empty()).then(|| versions.into_iter().collect::<Vec<_>>().join(", "))
        };
        let (version, other_version) = (versions(one), versions(other));
        let mut difference = Difference::new(Layer::Distributions, member, "distribution");
        difference.examples.push(name.clone());
        let digest = |found: Option<&BTreeSet<Distribution>>| {
            found.and_then(|found| found.first()).and_then(|one| one.digest.clone())
        };
        match (&version, &other_version) {
            (Some(same), Some(version)) if same == version => {
                // One side may not say which wheel it was, or say it otherwise.
                let ((Some(Digest::Wheel(one)), Some(Digest::Wheel(other)))
                | (Some(Digest::Pex(one)), Some(Digest::Pex(other)))) = (digest(one), digest(other))
                else {
                    continue;
                };
                difference.sides = [one, other].map(|digest| Some(format!("{same}, wheel {digest}")));
                let text = format!("{name} {same} comes from different wheels");
                findings.cause(CauseKind::Wheels, text, &[]);
            }
            (Some(version), Some(other)) => {
                findings.cause(CauseKind::Versions, format!("{name} is of version {version} and {other}"), &[]);
                difference.sides = [Some(version.clone()), Some(other.clone())];
            }
            _ => {
                let (place, version) = if version.is_some() { ("first", &version) } else { ("second", &other_version) };
                let version = version.as_deref().unwrap_or_default();
                let text = format!("only the {place} file has the distribution {name} {version}");
                findings.cause(CauseKind::Versions, text, &[]);
                difference.sides = [version_of(one), version_of(other)];
            }
        }
        findings.push(difference);
    }
}

fn version_of(found: Option<&BTreeSet<Distribution>>) -> Option<String> {
    found.and_then(|found| found.first()).map(|one| one.version.clone())
}

/// The directory that a path lies in.
fn place_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(place, _)| place)
}

fn distributions((zip, document): (&LenientZip, Option<&Value>)) -> Distributions {
    let mut found = Distributions::new();
    let mut add = |name: &str, version: &str, digest: Option<Digest>| {
        let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
        found.entry(name).or_default().insert(Distribution { version: version.to_owned(), digest });
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let wheels = document.and_then(|document| document.get("wheels")).and_then(Value::as_array);
    for wheel in wheels.into_iter().flatten() {
        if let Some((name, version)) = text(wheel.get("name")).zip(text(wheel.get("version"))) {
            add(&name, &version, text(wheel.get("sha256")).map(Digest::Wheel));
        }
    }
    let packed = document.and_then(|document| document.get("distributions")).and_then(Value::as_object);
    for (filename, digest) in packed.into_iter().flatten() {
        if let Some((name, version, _)) = distribution_of(filename) {
            add(name, version, digest.as_str().map(|digest| Digest::Pex(digest.to_owned())));
        }
    }
    if found.is_empty() {
        let names: Vec<String> = zip.entries.iter().map(LenientEntry::name).collect();
        let directories: BTreeSet<&str> =
            names.iter().filter_map(|name| Some(name.split_once(".dist-info/")?.0)).collect();
        let places: BTreeSet<&str> = directories.iter().map(|directory| place_of(directory)).collect();
        // What a distribution carries inside (setuptools/_vendor) is its own affair.
        let carried = |place: &str| place.match_indices('/').any(|(end, _)| places.contains(&place[..end]));
        for directory in directories {
            let place = place_of(directory);
            let base = directory.rsplit('/').next().unwrap_or(directory);
            if let Some((name, version)) = base.split_once('-')
                && !carried(place)
                && (place.is_empty() || !places.contains(""))
            {
                let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
                let distribution = Distribution { version: version.to_owned(), digest: None };
                found.entry(name).or_default().insert(distribution);
            }
        }
    }
    found
}
