//! Looking into a `.pyz` of ours: every file is the one that the manifest names; nothing of it is run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use crate::archive::{ReadError, Unpacker, ZipFault};
use crate::digest::Sha256Digest;
use crate::evidence::{Facts, Manifest, ManifestFile};
use crate::finished::{FinishedError, FinishedPyz};

/// What a `.pyz` says of itself.
#[derive(Debug)]
pub struct Inspected {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its first line, without `#!`.
    pub shebang: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Looks into the `.pyz` at `path`.
///
/// # Errors
/// When it cannot be read, is not in format 1, has no usable manifest, or holds other files than the manifest names.
pub fn inspect(path: &Path) -> Result<Inspected, FinishedError> {
    let finished = FinishedPyz::open(path)?;
    check_files(&finished)?;
    let sha256 = finished.sha256()?;
    let FinishedPyz { manifest, shebang, source, .. } = finished;
    Ok(Inspected { manifest, shebang, size: source.length(), sha256 })
}

/// What evidence of the `.pyz` at `path` is made of, every file of which is the one that its manifest names.
///
/// # Errors
/// As [`inspect`], or when somebody writes to the file meanwhile.
pub(crate) fn checked_facts(path: &Path) -> Result<Facts, FinishedError> {
    let finished = FinishedPyz::open(path)?;
    let sha256 = finished.sha256()?;
    check_files(&finished)?;
    let facts = finished.facts(sha256)?;
    // What was looked at is what has the digest.
    if finished.sha256()? == sha256 { Ok(facts) } else { Err(FinishedError::Changed(path.display().to_string())) }
}

/// Refuses a file of which an installed file is not the one that the manifest names, or that lacks one or has another.
///
/// # Errors
/// The first such file.
pub(crate) fn check_files(finished: &FinishedPyz) -> Result<(), FinishedError> {
    compare_files(finished).map_err(|error| FinishedError::differs(&finished.path, error))
}

fn compare_files(finished: &FinishedPyz) -> Result<(), ReadError> {
    let found: Vec<_> = finished.installed().collect();
    let fault = |name: &str| Err(ReadError::entry(name, ZipFault::Contents));
    let files = finished.manifest.files.iter();
    let named: BTreeMap<&str, &ManifestFile> = files.map(|file| (file.path.as_str(), file)).collect();
    let present: BTreeSet<&str> = found.iter().map(|(_, entry)| entry.path.as_str()).collect();
    if let Some(missing) = named.keys().find(|name| !present.contains(*name)) {
        return fault(missing);
    }
    let results: Vec<Result<(), ReadError>> = found
        .par_iter()
        .map_init(Unpacker::default, |unpacker, (source, entry)| {
            let name = entry.path.as_str();
            let Some(file) = named.get(name) else { return fault(name) };
            let contents = unpacker.unpack(source, entry, |_| Ok(()))?;
            if contents.sha256 == file.sha256 && entry.size == file.size && entry.mode() == file.mode {
                Ok(())
            } else {
                fault(name)
            }
        })
        .collect();
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ArchivePath, ArchivePlan, EntrySource, Epoch, Mode, Packing, PlannedEntry, write_archive};
    use crate::evidence::{MANIFEST_PATH, Recipe, RecipeTarget, Tool};

    fn manifest(file: ManifestFile) -> Manifest {
        Manifest {
            format: 1,
            tool: Tool { name: "pyzpack".to_owned(), version: "0".to_owned() },
            name: "a".to_owned(),
            version: None,
            epoch: Epoch::default().seconds(),
            entry_point: "a".to_owned(),
            console_scripts: BTreeMap::new(),
            requires_python: None,
            pythons: vec!["3.8".to_owned()],
            platform: "any".to_owned(),
            layout: "zip".to_owned(),
            wheels: Vec::new(),
            files: vec![file],
            recipe: Recipe {
                inputs: Vec::new(),
                lock: None,
                console_script: None,
                entry_point: None,
                extras: Vec::new(),
                groups: Vec::new(),
                target: RecipeTarget { python: None, platform: None },
                layout: "zip".to_owned(),
                compression: "deflate".to_owned(),
                recompress: false,
                bytecode: Vec::new(),
                on_conflict: "error".to_owned(),
                shebang: "x".to_owned(),
            },
        }
    }

    /// Looks into an archive with this file and a manifest that names `named`.
    fn look(bytes: &[u8], named: ManifestFile) -> Result<(), String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.pyz");
        let entry = |bytes: &[u8]| PlannedEntry {
            source: EntrySource::Bytes { bytes: bytes.into(), packing: Packing::Encode },
            mode: Mode::Regular,
        };
        let name = |name: &str| ArchivePath::new(name).unwrap();
        let entries = [(name("a.py"), entry(bytes)), (name(MANIFEST_PATH), entry(&manifest(named).to_bytes()))];
        let plan = ArchivePlan { prefix: b"#!x\n".to_vec(), epoch: Epoch::default(), entries: entries.into() };
        write_archive(&plan, &std::fs::File::create(&path).unwrap(), &tempfile::tempfile).unwrap();
        inspect(&path).map(|_| ()).map_err(|error| error.to_string().replace(path.to_str().unwrap(), "a.pyz"))
    }

    #[test]
    fn believes_a_manifest_only_where_the_files_are_there() {
        let bytes = b"pass\n";
        let file = |path: &str, bytes: &[u8], size, mode: &str| ManifestFile {
            path: path.to_owned(),
            sha256: Sha256Digest::of(bytes),
            size,
            mode: mode.to_owned(),
            distribution: None,
        };
        assert_eq!(look(bytes, file("a.py", bytes, 5, "0644")), Ok(()));
        for (named, entry) in [
            (file("a.py", b"other", 5, "0644"), "a.py"),
            (file("a.py", bytes, 6, "0644"), "a.py"),
            (file("a.py", bytes, 5, "0755"), "a.py"),
            (file("b.py", bytes, 5, "0644"), "b.py"),
        ] {
            let message = format!(
                "`a.pyz` does not hold what its manifest names: entry `{entry}`: the contents are not those that were \
                 checked [zip-contents]"
            );
            assert_eq!(look(bytes, named), Err(message));
        }
    }
}
