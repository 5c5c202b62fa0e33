//! Every entry of every archive, unpacked once to be measured: its stream, checksum and digest.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::container::Container;
use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use super::report::Finding;
use crate::archive::{ReadError, Source, Unpacker, ZipEntry, ZipFault};
use crate::digest::Sha256Digest;
use crate::finished::is_own;

/// An entry and what its bytes are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured<'a> {
    pub(super) source: &'a Source,
    pub(super) entry: &'a ZipEntry,
    pub(super) sha256: Sha256Digest,
}

/// The entries of a container by name: what starts the program, and what is installed.
pub(super) struct Contents<'a> {
    /// Those at the root of the file that are not the application's: `__main__.py`, and all below `_pyzpack/`.
    pub(super) own: BTreeMap<&'a str, Measured<'a>>,
    /// The application's, wherever they are.
    pub(super) installed: BTreeMap<&'a str, Measured<'a>>,
    /// Those whose bytes cannot be had: what is wrong with them is said once.
    broken: BTreeSet<&'a str>,
    problems: Vec<Problem>,
}

impl<'a> Contents<'a> {
    /// Unpacks everything, to memory of a fixed size.
    pub(super) fn read(opened: &Opened, container: &'a Container) -> Result<Self, VerifyError> {
        let entries: Vec<_> = container
            .archives
            .iter()
            .flat_map(|archive| archive.structure.files.iter().map(move |entry| (archive, entry)))
            .collect();
        let unpacked: Vec<Result<Sha256Digest, ReadError>> = entries
            .par_iter()
            .map_init(Unpacker::default, |unpacker, (archive, entry)| {
                unpacker.unpack(&archive.source, entry, |_| Ok(())).map(|contents| contents.sha256)
            })
            .collect();
        let mut contents =
            Self { own: BTreeMap::new(), installed: BTreeMap::new(), broken: BTreeSet::new(), problems: Vec::new() };
        for ((archive, entry), unpacked) in entries.into_iter().zip(unpacked) {
            let name = entry.path.as_str();
            let mut refuse = |error| {
                contents.problems.push(opened.problem(archive.name.as_deref(), error)?);
                Ok::<(), VerifyError>(())
            };
            let sha256 = match unpacked {
                Ok(sha256) => sha256,
                Err(error) => {
                    refuse(error)?;
                    contents.broken.insert(name);
                    continue;
                }
            };
            let own = archive.name.is_none() && is_own(name);
            let measured = Measured { source: &archive.source, entry, sha256 };
            let place = if own { &mut contents.own } else { &mut contents.installed };
            if place.insert(name, measured).is_some() {
                // Two payloads with one file.
                contents
                    .problems
                    .push(opened.problem(archive.name.as_deref(), ReadError::entry(name, ZipFault::Duplicate))?);
            }
        }
        Ok(contents)
    }

    /// What was found of the container as a whole.
    pub(super) fn finding(&mut self, container: &Container) -> Finding {
        if !self.problems.is_empty() {
            return Finding::Failed(std::mem::take(&mut self.problems));
        }
        let outer = &container.outer().structure;
        let inner: usize = container.payloads().iter().map(|payload| payload.structure.files.len()).sum();
        let entries = outer.files.len() + outer.directories.len();
        Finding::Held(match container.payloads().len() {
            0 => format!("format 1, {entries} entries"),
            1 => format!("format 1, {entries} entries, and {inner} in a payload"),
            payloads => format!("format 1, {entries} entries, and {inner} in {payloads} payloads"),
        })
    }

    /// Whether the entry is there, and is known to be broken.
    pub(super) fn is_broken(&self, path: &str) -> bool {
        self.broken.contains(path)
    }

    /// The problems of a foreign container.
    pub(super) fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The bytes of an installed file, where it is not larger than `limit`.
    pub(super) fn read_file(
        &self,
        opened: &Opened,
        path: &str,
        limit: u64,
    ) -> Result<Option<Result<Vec<u8>, Problem>>, VerifyError> {
        let Some(measured) = self.installed.get(path).or_else(|| self.own.get(path)) else { return Ok(None) };
        match Unpacker::default().read(measured.source, measured.entry, limit) {
            Ok(bytes) => Ok(Some(Ok(bytes))),
            Err(error) => Ok(Some(Err(opened.problem(None, error)?))),
        }
    }
}
