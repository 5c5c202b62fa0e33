//! The manifest: canonical, and true for every file both ways.

use std::collections::BTreeSet;

use super::container::Container;
use super::contents::Contents;
use super::file_name;
use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use super::report::Finding;
use crate::archive::Unpacker;
use crate::digest::Sha256Digest;
use crate::epoch::Epoch;
use crate::evidence::{Facts, MANIFEST_PATH, Manifest, ORIGINS_PATH, Origins, parse_json};
use crate::finished::{FinishedError, MANIFEST_LIMIT, read_distributions};
use crate::names::PackageName;
use crate::shown::count;
use crate::target::{Platform, PythonMinor};

/// The manifest and what lies beside it, read.
pub(super) struct Document {
    pub(super) manifest: Manifest,
    origins: Origins,
    /// What is wrong with their spelling.
    problems: Vec<Problem>,
}

/// Reads the manifest and the notes on origins.
pub(super) fn read(opened: &Opened, container: &Container) -> Result<Result<Document, Problem>, VerifyError> {
    let bytes = match read_own(opened, container, MANIFEST_PATH)? {
        Some(Ok(bytes)) => bytes,
        Some(Err(problem)) => return Ok(Err(problem)),
        None => return Ok(Err(Problem::NoManifest("the file"))),
    };
    let malformed = |reason: String| Problem::ManifestMalformed { document: MANIFEST_PATH, reason };
    let limit = usize::try_from(MANIFEST_LIMIT).unwrap_or(usize::MAX);
    let value = match parse_json(&bytes, limit) {
        Ok(value) => value,
        Err(fault) => return Ok(Err(malformed(fault.to_string()))),
    };
    if let Some(format) = value.get("format").filter(|format| **format != 1) {
        return Ok(Err(Problem::ManifestFormat(format.to_string())));
    }
    let manifest: Manifest = match serde_json::from_value(value) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Err(malformed(error.to_string()))),
    };
    if let Some(excess) = manifest.excess() {
        return Ok(Err(malformed(excess)));
    }
    let mut problems = Vec::new();
    let mut origins = Origins::default();
    if manifest.to_bytes() != bytes {
        problems.push(Problem::ManifestNotCanonical(MANIFEST_PATH));
    }
    match read_own(opened, container, ORIGINS_PATH)? {
        None => {}
        Some(Err(problem)) => problems.push(problem),
        Some(Ok(bytes)) => {
            let read = parse_json(&bytes, limit).map_err(|fault| fault.to_string());
            let read =
                read.and_then(|value| serde_json::from_value::<Origins>(value).map_err(|error| error.to_string()));
            match read {
                Ok(read) if read.to_bytes() == bytes => {
                    problems.extend(
                        read.fault(&manifest)
                            .map(|value| Problem::ManifestValue { what: "wheel of a note on origins", value }),
                    );
                    origins = read;
                }
                Ok(_) => problems.push(Problem::ManifestNotCanonical(ORIGINS_PATH)),
                Err(reason) => problems.push(Problem::ManifestMalformed { document: ORIGINS_PATH, reason }),
            }
        }
    }
    Ok(Ok(Document { manifest, origins, problems }))
}

fn read_own(
    opened: &Opened,
    container: &Container,
    path: &str,
) -> Result<Option<Result<Vec<u8>, Problem>>, VerifyError> {
    let Some(entry) = container.find(path) else { return Ok(None) };
    match Unpacker::default().read(&container.outer().source, entry, MANIFEST_LIMIT) {
        Ok(bytes) => Ok(Some(Ok(bytes))),
        Err(error) => Ok(Some(Err(opened.problem(None, error)?))),
    }
}

impl Document {
    /// Compares the manifest with what is there.
    pub(super) fn check(&mut self, opened: &Opened, container: &Container, contents: &Contents<'_>) -> Finding {
        let mut problems = std::mem::take(&mut self.problems);
        let manifest = &self.manifest;
        check_values(manifest, opened, container, &mut problems);
        check_files(manifest, contents, &mut problems);
        Finding::of(problems, || {
            let version = manifest.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
            format!("{}{version}, {} as it says, and no others", manifest.name, count(manifest.files.len(), "file"))
        })
    }

    /// What evidence is made of.
    pub(super) fn into_facts(
        self,
        opened: &Opened,
        container: &Container,
        sha256: Sha256Digest,
    ) -> Result<Result<Facts, Problem>, VerifyError> {
        let Self { manifest, origins, .. } = self;
        let filename = file_name(&opened.path);
        match read_distributions(&opened.path, &manifest, container.installed()) {
            Ok(distributions) => Ok(Ok(Facts { filename, sha256, manifest, origins, distributions })),
            Err(FinishedError::Read { error, .. }) => Err(opened.fail(error)),
            Err(error) => Ok(Err(Problem::WheelMetadata { path: "METADATA".to_owned(), reason: error.to_string() })),
        }
    }
}

/// What the manifest says of the file as a whole.
fn check_values(manifest: &Manifest, opened: &Opened, container: &Container, problems: &mut Vec<Problem>) {
    let mut differs = |what, says: String, found: String| {
        if says != found {
            problems.push(Problem::ManifestDiffers { what, says, found });
        }
    };
    let layout = if container.payloads().is_empty() { "zip" } else { "extract" };
    differs("layout", manifest.layout.clone(), layout.to_owned());
    let shebang = opened.shebang.clone().unwrap_or_default();
    differs("first line", manifest.recipe.shebang.clone(), shebang);
    let (time, date) = Epoch::clamped(manifest.epoch).dos_time_and_date();
    let moment = u32::from(date) << 16 | u32::from(time);
    for archive in &container.archives {
        if archive.structure.time_and_date.is_some_and(|found| found != moment) {
            differs("time of the entries", manifest.epoch.to_string(), "another one".to_owned());
        }
    }
    let mut malformed = |what, holds: bool, value: &dyn Fn() -> String| {
        if !holds {
            problems.push(Problem::ManifestValue { what, value: value() });
        }
    };
    malformed("epoch", Epoch::clamped(manifest.epoch).seconds() == manifest.epoch, &|| manifest.epoch.to_string());
    let platform = manifest.platform == "any" || manifest.platform.parse::<Platform>().is_ok();
    malformed("platform", platform, &|| manifest.platform.clone());
    let minors: Option<Vec<PythonMinor>> = manifest.pythons.iter().map(|minor| minor.parse().ok()).collect();
    let ascending = |minors: Vec<PythonMinor>| !minors.is_empty() && minors.is_sorted_by(|one, next| one < next);
    malformed("pythons", minors.is_some_and(ascending), &|| manifest.pythons.join(", "));
    let compiled = &manifest.recipe.bytecode;
    let is_true = compiled.is_empty() || is_bytecode_of(compiled, &manifest.pythons) && layout == "extract";
    malformed("bytecode", is_true, &|| compiled.join(", "));
    let wheels = manifest.wheels.is_sorted_by(|one, next| one.name < next.name);
    malformed("order of the wheels", wheels, &|| join(manifest.wheels.iter().map(|wheel| wheel.name.as_str())));
    let files = manifest.files.is_sorted_by(|one, next| one.path < next.path);
    malformed("order of the files", files, &|| "not ascending, or one of them twice".to_owned());
    for wheel in &manifest.wheels {
        let known = matches!(wheel.origin.as_str(), "locked" | "index" | "local" | "built");
        malformed("origin of a wheel", known && (wheel.origin == "built") == wheel.source.is_some(), &|| {
            format!("{} ({})", wheel.origin, wheel.name)
        });
    }
    let names: BTreeSet<&PackageName> = manifest.wheels.iter().map(|wheel| &wheel.name).collect();
    let owners: BTreeSet<&PackageName> = manifest.files.iter().filter_map(|file| file.distribution.as_ref()).collect();
    for owner in owners.difference(&names) {
        malformed("owner of a file", false, &|| owner.to_string());
    }
}

/// Whether these are exact versions, ascending, at most one of each of `pythons`.
fn is_bytecode_of(exact: &[String], pythons: &[String]) -> bool {
    let minor = |version: &String| {
        let (end, _) = version.match_indices('.').nth(1)?;
        pythons.iter().position(|python| *python == version[..end])
    };
    let minors: Option<Vec<usize>> = exact.iter().map(minor).collect();
    minors.is_some_and(|minors| minors.is_sorted_by(|one, next| one < next))
}

/// Every file is the one that the manifest has, and there is no other.
fn check_files(manifest: &Manifest, contents: &Contents<'_>, problems: &mut Vec<Problem>) {
    let mut named = BTreeSet::new();
    for file in &manifest.files {
        named.insert(file.path.as_str());
        let Some(found) = contents.installed.get(file.path.as_str()) else {
            if !contents.is_broken(&file.path) {
                problems.push(Problem::FileMissing(file.path.clone()));
            }
            continue;
        };
        let mut differs = |what, expected: String, found: String| {
            if expected != found {
                problems.push(Problem::FileDiffers { path: file.path.clone(), what, expected, found });
            }
        };
        differs("sha256", file.sha256.to_string(), found.sha256.to_string());
        differs("size", file.size.to_string(), found.entry.size.to_string());
        differs("mode", file.mode.clone(), found.entry.mode());
    }
    let unlisted = contents.installed.keys().filter(|path| !named.contains(*path));
    problems.extend(unlisted.map(|path| Problem::FileUnlisted((*path).to_owned())));
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
