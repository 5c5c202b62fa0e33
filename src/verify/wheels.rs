//! The manifest's wheels are the distributions that are there, and there are no others.

use std::collections::{BTreeMap, BTreeSet};

use super::contents::Contents;
use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use super::records::dist_infos;
use super::report::Finding;
use crate::evidence::Manifest;
use crate::finished::METADATA_LIMIT;
use crate::names::PackageName;
use crate::target::WheelFilename;
use crate::wheel::Metadata;

pub(super) fn check(manifest: &Manifest, opened: &Opened, contents: &Contents<'_>) -> Result<Finding, VerifyError> {
    let mut problems = Vec::new();
    let mut found: BTreeMap<PackageName, (String, &str)> = BTreeMap::new();
    let listed: BTreeSet<&PackageName> = manifest.wheels.iter().map(|wheel| &wheel.name).collect();
    for dist_info in dist_infos(contents) {
        let path = format!("{dist_info}/METADATA");
        let metadata = match contents.read_file(opened, &path, METADATA_LIMIT)? {
            Some(Ok(bytes)) => Metadata::parse(&bytes).map_err(|error| error.to_string()),
            Some(Err(problem)) => {
                problems.push(problem);
                continue;
            }
            None if contents.is_broken(&path) => continue,
            None => Err("it is not there".to_owned()),
        };
        match metadata {
            Err(reason) => problems.push(Problem::WheelMetadata { path, reason }),
            Ok(metadata) => {
                let (name, version) = (metadata.name, metadata.version.to_string());
                if !listed.contains(&name) || found.contains_key(&name) {
                    problems.push(Problem::WheelUnlisted { dist_info: dist_info.to_owned(), name: name.clone() });
                }
                found.insert(name, (version, dist_info));
            }
        }
    }
    for wheel in &manifest.wheels {
        let mut differs = |what, expected: String, found: String| {
            if expected != found {
                problems.push(Problem::WheelDiffers { wheel: wheel.filename.clone(), what, expected, found });
            }
        };
        match wheel.filename.parse::<WheelFilename>() {
            Ok(filename) => {
                differs("name", wheel.name.to_string(), filename.name.to_string());
                differs("version", wheel.version.clone(), filename.version.to_string());
            }
            Err(_) => differs("file name", "a wheel's".to_owned(), "another".to_owned()),
        }
        match found.get(&wheel.name) {
            None => problems.push(Problem::WheelMissing(wheel.filename.clone())),
            Some((version, _)) => differs("version in METADATA", wheel.version.clone(), version.clone()),
        }
    }
    Ok(Finding::of(problems, || format!("{} in the manifest, and their metadata inside", manifest.wheels.len())))
}
