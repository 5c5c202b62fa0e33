//! Looking into a `.pyz` of ours: its structure is read strictly, its manifest parsed, nothing of it run.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use rayon::prelude::*;

use crate::archive::{Limits, Profile, ReadError, Source, Unpacker, ZipEntry, ZipFault, ZipStructure, read_structure};
use crate::digest::Sha256Digest;
use crate::evidence::{MANIFEST_PATH, Manifest, ManifestFile};
use crate::status::{Explain, Status};

/// A manifest larger than this is refused; 300 bytes a file, for as many files as payloads hold.
const MANIFEST_LIMIT: u64 = 256 << 20;

/// The longest first line: `#!`, 127 bytes, a newline.
const FIRST_LINE: u64 = 130;

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

/// Why a file cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It is no zip in format 1.
    #[error("`{path}` is not a .pyz of pyzpack: {error}")]
    NotOurs {
        /// The file.
        path: String,
        /// What is wrong.
        error: ReadError,
    },
    /// It has no manifest.
    #[error("`{0}` is not a .pyz of pyzpack: it has no `{MANIFEST_PATH}`")]
    NoManifest(String),
    /// It does not hold the files that its manifest names.
    #[error("`{path}` does not hold what its manifest names: {error}")]
    Differs {
        /// The file.
        path: String,
        /// What differs.
        error: ReadError,
    },
    /// Its manifest is not one.
    #[error("`{path}`: its manifest cannot be used: {reason}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl Explain for InspectError {
    fn status(&self) -> Status {
        match self {
            Self::Read { error, .. } if error.kind() == io::ErrorKind::NotFound => Status::Usage,
            Self::Read { error, .. } if error.kind() == io::ErrorKind::InvalidInput => Status::Usage,
            Self::Read { .. } => Status::Machine,
            _ => Status::Refused,
        }
    }
}

/// Looks into the `.pyz` at `path`.
///
/// # Errors
/// When it cannot be read, is not in format 1, has no usable manifest, or holds other files than the manifest names.
pub fn inspect(path: &Path) -> Result<Inspected, InspectError> {
    let shown = || path.display().to_string();
    let io_error = |error| InspectError::Read { path: shown(), error };
    let not_ours = |error| match error {
        ReadError::Io(error) => io_error(error),
        error @ ReadError::Fault { .. } => InspectError::NotOurs { path: shown(), error },
    };
    let source = Source::open(path).map_err(io_error)?;
    let head = source.read_vec(0, source.length().min(FIRST_LINE)).map_err(io_error)?;
    let shebang = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let shebang = shebang.map(|line| String::from_utf8_lossy(line).into_owned());
    let prefix = shebang.as_ref().map_or(0, |line| line.len() as u64 + 3);
    let profile = Profile::Canonical { prefix };
    let structure = read_structure(&source, profile, &Limits::default()).map_err(not_ours)?;
    let entry = structure.files.iter().find(|entry| entry.path.as_str() == MANIFEST_PATH);
    let entry = entry.ok_or_else(|| InspectError::NoManifest(shown()))?;
    let bytes = Unpacker::default().read(&source, entry, MANIFEST_LIMIT).map_err(not_ours)?;
    let malformed = |reason: String| InspectError::Manifest { path: shown(), reason };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    if manifest.format != 1 {
        return Err(malformed(format!("format {} is not known to this pyzpack", manifest.format)));
    }
    let differs = |error| match error {
        ReadError::Io(error) => io_error(error),
        error @ ReadError::Fault { .. } => InspectError::Differs { path: shown(), error },
    };
    check_files(&source, &structure, &manifest).map_err(differs)?;
    let sha256 = source.sha256().map_err(io_error)?;
    Ok(Inspected { manifest, shebang: shebang.unwrap_or_default(), size: source.length(), sha256 })
}

/// Every installed file is the one that the manifest names, and there is no other.
fn check_files(source: &Source, structure: &ZipStructure, manifest: &Manifest) -> Result<(), ReadError> {
    let mut found: Vec<(Source, ZipEntry)> = Vec::new();
    for entry in &structure.files {
        let name = entry.path.as_str();
        if name.starts_with("_pyzpack/payload") {
            let payload = source.slice(entry.data_offset, entry.compressed_size)?;
            let inner = read_structure(&payload, Profile::Canonical { prefix: 0 }, &Limits::default())?;
            found.extend(inner.files.into_iter().map(|entry| (payload.clone(), entry)));
        } else if name != "__main__.py" && !name.starts_with("_pyzpack/") {
            found.push((source.clone(), entry.clone()));
        }
    }
    let fault = |name: &str| Err(ReadError::entry(name, ZipFault::Contents));
    let named: BTreeMap<&str, &ManifestFile> = manifest.files.iter().map(|file| (file.path.as_str(), file)).collect();
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
            let mode = format!("{:04o}", entry.external_attributes >> 16 & 0o7777);
            if contents.sha256 == file.sha256 && entry.size == file.size && mode == file.mode {
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
    use crate::evidence::{Recipe, RecipeTarget, Tool};

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
        let plan = ArchivePlan { prefix: "#!x\n".to_owned(), epoch: Epoch::default(), entries: entries.into() };
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
