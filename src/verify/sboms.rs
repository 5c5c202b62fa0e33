//! SBOMs that the user hands in: they are of this file, and where the file's provenance is signed, the ones that it names.

use std::path::{Path, PathBuf};

use super::attested::Attested;
use super::opened::{VerifyError, read_named};
use super::problem::Problem;
use super::report::Finding;
use super::{Known, file_name};
use crate::digest::Sha256Digest;
use crate::evidence::{SBOM_LIMIT, check_sbom};

/// An SBOM that was read: its file's name and its bytes.
pub(super) struct Handed {
    file: String,
    bytes: Vec<u8>,
}

pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Handed>, VerifyError> {
    let read = |path: &PathBuf| {
        let path: &Path = path;
        Ok(Handed { file: file_name(path), bytes: read_named(path, SBOM_LIMIT as u64)? })
    };
    paths.iter().map(read).collect()
}

/// Compares the SBOMs with the file; `unread` is the bundle of one that lies there and was not asked for.
pub(super) fn check(handed: &[Handed], attested: &[Attested], known: &Known, unread: Option<String>) -> Finding {
    if handed.is_empty() {
        let unread = unread.map(|name| format!("; `{name}` was not read: name it with `--bundle`"));
        return Finding::Skipped(format!("no `--sbom` was given{}", unread.unwrap_or_default()));
    }
    let mut problems = Vec::new();
    let mut named = 0;
    for Handed { file, bytes } in handed {
        let Some(facts) = known.facts(&mut problems, "--sbom") else { continue };
        let faults = check_sbom(bytes, facts).into_iter();
        problems.extend(faults.map(|fault| Problem::Sbom { file: file.clone(), fault }));
        let found = Sha256Digest::of(bytes);
        let is_cyclonedx = serde_json::from_slice::<serde_json::Value>(bytes)
            .is_ok_and(|document| document.get("bomFormat").is_some());
        let suffix = if is_cyclonedx { ".cdx.json" } else { ".spdx.json" };
        for Attested { statement, provenance, .. } in attested {
            let Some(provenance) = provenance else { continue };
            let subject = statement.subject.iter().find(|subject| subject.sha256 == facts.sha256);
            let name = subject.and_then(|subject| subject.name.as_deref()).unwrap_or(&facts.filename);
            match provenance.byproduct(&format!("{name}{suffix}")) {
                None => {}
                Some(expected) if expected == found => named += 1,
                Some(expected) => problems.push(Problem::SbomByproduct { file: file.clone(), expected, found }),
            }
        }
    }
    if let (true, Known::Unreadable(reason)) = (problems.is_empty(), known) {
        return Finding::Skipped((*reason).to_owned());
    }
    Finding::of(problems, || match named {
        0 => format!("{} of this file, and signed by nobody", handed.len()),
        _ => format!("{} of this file, as the signed provenance names them", handed.len()),
    })
}
