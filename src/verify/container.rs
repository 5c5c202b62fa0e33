//! The container: what kind of file it is, and the structure of its archives.

use std::collections::HashMap;

use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use crate::archive::{Limits, Profile, ReadError, Source, ZipEntry, ZipFault, ZipStructure, read_structure};
use crate::evidence::MANIFEST_PATH;
use crate::finished::is_own;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// It has a manifest of ours, or did before somebody changed it.
    Pyzpack,
    /// Anybody else.
    Other,
}

/// The archives of a file.
pub(super) struct Container {
    /// The file's own: none but the first has no name.
    pub(super) archives: Vec<Archive>,
}

/// An archive whose structure was checked.
pub(super) struct Archive {
    /// Its entry's name, for one within the file.
    pub(super) name: Option<String>,
    pub(super) source: Source,
    pub(super) structure: ZipStructure,
}

impl Container {
    /// The file's own archive.
    pub(super) fn outer(&self) -> &Archive {
        &self.archives[0]
    }

    /// The archives within it.
    pub(super) fn payloads(&self) -> &[Archive] {
        &self.archives[1..]
    }

    /// The application's files, wherever they are.
    pub(super) fn installed(&self) -> impl Iterator<Item = (&Source, &ZipEntry)> {
        self.archives.iter().flat_map(|archive| {
            let files = archive.structure.files.iter();
            let files = files.filter(|entry| archive.name.is_some() || !is_own(entry.path.as_str()));
            files.map(|entry| (&archive.source, entry))
        })
    }

    /// An entry of the file's own archive.
    pub(super) fn find(&self, name: &str) -> Option<&ZipEntry> {
        self.outer().structure.files.iter().find(|entry| entry.path.as_str() == name)
    }
}

/// The names that payloads have, in their order.
pub(super) fn payload_names() -> impl Iterator<Item = String> {
    std::iter::once("_pyzpack/payload.zip".to_owned())
        .chain((2..).map(|number| format!("_pyzpack/payload-{number}.zip")))
}

/// Reads the archives, or what is wrong with them. A file is held to format 1 if any trace of a manifest is in it, whatever
/// else was done to it.
pub(super) fn recognise(opened: &Opened) -> Result<(Maker, Result<Container, Problem>), VerifyError> {
    let source = &opened.source;
    let limits = Limits::default();
    let canonical = match read_structure(source, Profile::Canonical { prefix: opened.prefix() }, &limits) {
        Ok(structure) if has_manifest(&structure) => return Ok((Maker::Pyzpack, read_payloads(opened, structure)?)),
        Ok(structure) => return Ok((Maker::Other, Ok(single(source.clone(), structure)))),
        Err(error) => opened.problem(None, error)?,
    };
    Ok(match read_program(opened, &limits) {
        Ok(container) if has_manifest(&container.outer().structure) => (Maker::Pyzpack, Err(canonical)),
        Ok(container) => (Maker::Other, Ok(container)),
        Err(error @ ReadError::Io(_)) => (Maker::Pyzpack, Err(opened.problem(None, error)?)),
        Err(error) => {
            let mentions = |wanted: &[u8]| mentions(source, wanted).map_err(|error| opened.fail(error));
            if mentions(MANIFEST_PATH.as_bytes())? {
                (Maker::Pyzpack, Err(canonical))
            } else if mentions(b"PK\x05\x06")? {
                (Maker::Other, Err(opened.problem(None, error)?))
            } else {
                (Maker::Other, Err(Problem::NotAZip))
            }
        }
    })
}

fn has_manifest(structure: &ZipStructure) -> bool {
    structure.files.iter().any(|entry| entry.path.as_str() == MANIFEST_PATH)
}

fn single(source: Source, structure: ZipStructure) -> Container {
    Container { archives: vec![Archive { name: None, source, structure }] }
}

/// A zip as other tools make programs of it: offsets count from the file's first byte, or from the end of its first line.
fn read_program(opened: &Opened, limits: &Limits) -> Result<Container, ReadError> {
    let source = &opened.source;
    match read_structure(source, Profile::Program, limits) {
        Ok(structure) => Ok(single(source.clone(), structure)),
        Err(error) if opened.prefix() == 0 || opened.prefix() > source.length() => Err(error),
        Err(error) => {
            let rest = source.slice(opened.prefix(), source.length().saturating_sub(opened.prefix()))?;
            match read_structure(&rest, Profile::Wheel, limits) {
                Ok(structure) => Ok(single(rest, structure)),
                Err(_) => Err(error),
            }
        }
    }
}

fn read_payloads(opened: &Opened, outer: ZipStructure) -> Result<Result<Container, Problem>, VerifyError> {
    let named: HashMap<&str, &ZipEntry> = outer.files.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let mut payloads = Vec::new();
    for name in payload_names() {
        let Some(entry) = named.get(name.as_str()) else { break };
        if entry.method != crate::archive::Method::Stored {
            let fault = ZipFault::NotCanonical("a payload that is not stored");
            return Ok(Err(opened.problem(None, ReadError::entry(&name, fault))?));
        }
        let (offset, size) = (entry.data_offset, entry.compressed_size);
        let source = opened.source.slice(offset, size).map_err(|error| opened.fail(error))?;
        match read_structure(&source, Profile::Canonical { prefix: 0 }, &Limits::default()) {
            Ok(structure) => payloads.push(Archive { name: Some(name), source, structure }),
            Err(error) => return Ok(Err(opened.problem(Some(&name), error)?)),
        }
    }
    let mut container = single(opened.source.clone(), outer);
    container.archives.append(&mut payloads);
    Ok(Ok(container))
}

/// Whether `wanted` stands anywhere in the file.
fn mentions(source: &Source, wanted: &[u8]) -> std::io::Result<bool> {
    let mut found = false;
    let mut held: Vec<u8> = Vec::new();
    source.for_each_piece(0, source.length(), &mut vec![0; 128 * 1024], |piece| {
        if !found {
            held.extend_from_slice(piece);
            found = held.windows(wanted.len()).any(|window| window == wanted);
            // What may be the beginning of it stays.
            let keep = held.len().min(wanted.len() - 1);
            held.drain(..held.len() - keep);
        }
        std::io::Result::Ok(())
    })?;
    Ok(found)
}
