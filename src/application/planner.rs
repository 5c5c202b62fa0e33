//! From the installed tree to archives: which entries there are, and how each is packed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assemble::{Compression, PlanError};
use super::layout::Layout;
use super::tree::{FileSource, InstalledTree, WheelSet};
use crate::archive::{ArchivePath, ArchivePlan, EntrySource, Epoch, MAX_ENTRIES, Mode, Packing, PlannedEntry, Shebang};
use crate::digest::Sha256Digest;
use crate::evidence::{MANIFEST_PATH, Manifest, ORIGINS_PATH, Origins};
use crate::runtime::{self, Bootstrap};
use crate::wheel::Origin;

/// Turns the tree into archives.
pub(super) struct Planner<'a> {
    pub(super) wheels: &'a WheelSet,
    pub(super) tree: &'a InstalledTree,
    pub(super) compression: Compression,
    /// Whether there is a lock. Then the streams of a wheel that it does not hold are no more fixed than the wheel.
    pub(super) locked: bool,
    pub(super) epoch: Epoch,
    pub(super) origins: &'a Origins,
}

impl Planner<'_> {
    /// How what is made here is packed.
    fn generated(&self) -> Packing {
        if self.compression == Compression::Store { Packing::Store } else { Packing::Encode }
    }

    fn bytes(&self, bytes: Vec<u8>) -> PlannedEntry {
        let packing = self.generated();
        PlannedEntry { source: EntrySource::Bytes { bytes: bytes.into(), packing }, mode: Mode::Regular }
    }

    /// The installed files as entries.
    fn files(&self) -> impl Iterator<Item = (ArchivePath, PlannedEntry)> + '_ {
        self.tree.files.iter().map(|(path, file)| {
            let source = match &file.source {
                FileSource::Bytes(bytes) => EntrySource::Bytes { bytes: bytes.clone(), packing: self.generated() },
                FileSource::Wheel { wheel, file } => {
                    let wheel = self.wheels.at(*wheel);
                    let file = &wheel.files[*file];
                    let packing = match self.compression {
                        Compression::Reuse if !self.locked || wheel.origin == Origin::Locked => Packing::Reuse,
                        Compression::Reuse | Compression::Recompress => Packing::Encode,
                        Compression::Store => Packing::Store,
                    };
                    EntrySource::Entry {
                        source: wheel.source().clone(),
                        entry: file.entry.clone(),
                        contents: file.contents,
                        packing,
                    }
                }
            };
            (path.clone(), PlannedEntry { source, mode: file.mode })
        })
    }

    /// The entries that every layout has beside the application's files, the bootstrap apart.
    fn own_files(&self, manifest: &Manifest) -> Result<BTreeMap<ArchivePath, PlannedEntry>, PlanError> {
        let mut entries = BTreeMap::new();
        for (path, text) in runtime::support_files() {
            let mut entry = self.bytes(text.as_bytes().to_vec());
            if let ("__main__.py", EntrySource::Bytes { packing, .. }) = (path, &mut entry.source) {
                *packing = Packing::Store; // It is read at every start, before zlib is.
            }
            entries.insert(own_path(path)?, entry);
        }
        entries.insert(own_path(MANIFEST_PATH)?, self.bytes(manifest.to_bytes()));
        if !self.origins.wheels.is_empty() {
            entries.insert(own_path(ORIGINS_PATH)?, self.bytes(self.origins.to_bytes()));
        }
        Ok(entries)
    }

    fn reserved(&self, path: &ArchivePath, layout: Layout) -> PlanError {
        PlanError::Reserved { path: path.to_string(), owner: self.tree.files[path].owner(), layout }
    }

    /// The archive with the files at its root.
    pub(super) fn plan_zip(
        &self,
        bootstrap: &Bootstrap,
        manifest: &Manifest,
        shebang: &Shebang,
    ) -> Result<ArchivePlan, PlanError> {
        let mut entries = self.own_files(manifest)?;
        let find = EntrySource::Bytes { bytes: runtime::render_find(bootstrap).into(), packing: Packing::Store };
        entries.insert(own_path(runtime::FIND_PATH)?, PlannedEntry { source: find, mode: Mode::Regular });
        for (path, entry) in self.files() {
            if is_reserved(&path) {
                return Err(self.reserved(&path, Layout::Zip));
            }
            entries.insert(path, entry);
        }
        for directory in directories(&entries) {
            entries.insert(directory, PlannedEntry { source: EntrySource::Directory, mode: Mode::Executable });
        }
        if entries.len() > MAX_ENTRIES {
            return Err(PlanError::TooManyEntries(entries.len()));
        }
        Ok(ArchivePlan { prefix: shebang.line().into_bytes(), epoch: self.epoch, entries })
    }

    /// The archive with the files in payloads.
    pub(super) fn plan_extract(
        &self,
        bootstrap: Bootstrap,
        manifest: &Manifest,
        shebang: &Shebang,
    ) -> Result<ArchivePlan, PlanError> {
        let mut entries = self.own_files(manifest)?;
        let files: Vec<_> = self.files().collect();
        if let Some((path, _)) = files.iter().find(|(path, _)| is_reserved_in_tree(path)) {
            return Err(self.reserved(path, Layout::Extract));
        }
        let mut names = Vec::new();
        for (index, part) in files.chunks(MAX_ENTRIES).enumerate() {
            let name = if index == 0 {
                "_pyzpack/payload.zip".to_owned()
            } else {
                format!("_pyzpack/payload-{}.zip", index + 1)
            };
            let payload =
                ArchivePlan { prefix: Vec::new(), epoch: self.epoch, entries: part.iter().cloned().collect() };
            let source = EntrySource::Nested(Box::new(payload));
            entries.insert(own_path(&name)?, PlannedEntry { source, mode: Mode::Regular });
            names.push(name);
        }
        // Nested archives' digests come in the order of their names.
        names.sort();
        let render = move |digests: &[Sha256Digest]| {
            let mut payloads: Vec<runtime::Payload> = names
                .iter()
                .zip(digests)
                .map(|(name, digest)| runtime::Payload { name: name.clone(), sha256: *digest.as_bytes() })
                .collect();
            payloads.sort_by_key(|payload| (payload.name.len(), payload.name.clone()));
            let tree = runtime::name_tree(&payloads, |bytes| *Sha256Digest::of(bytes).as_bytes());
            let layout = runtime::Layout::Extract { payloads, tree };
            runtime::render_find(&Bootstrap { layout, ..bootstrap.clone() })
        };
        let find = EntrySource::NamesDigests(Arc::new(render));
        entries.insert(own_path(runtime::FIND_PATH)?, PlannedEntry { source: find, mode: Mode::Regular });
        Ok(ArchivePlan { prefix: shebang.line().into_bytes(), epoch: self.epoch, entries })
    }
}

fn own_path(name: &str) -> Result<ArchivePath, PlanError> {
    ArchivePath::new(name).map_err(|fault| PlanError::Name { name: name.to_owned(), fault })
}

/// The directories that need an entry of their own in a zip that is imported from: zipimport before 3.14 finds neither
/// namespace packages nor data directories without one (cpython issue 59110). A package with an `__init__.py` is found
/// by that, and metadata is looked up by whole names.
fn directories(entries: &BTreeMap<ArchivePath, PlannedEntry>) -> BTreeSet<ArchivePath> {
    let mut directories = BTreeSet::new();
    for path in entries.keys() {
        let in_metadata = path.as_str().split('/').next().is_some_and(|root| root.ends_with(".dist-info"));
        if in_metadata {
            continue;
        }
        for directory in path.ancestors().filter_map(|directory| ArchivePath::new(directory).ok()) {
            let init = directory.join("__init__.py");
            if !init.is_ok_and(|init| entries.contains_key(&init)) {
                directories.insert(directory);
            }
        }
    }
    directories
}

/// Whether a path at the archive's root would be, or be taken for, one of the archive's own files.
pub(super) fn is_reserved(path: &ArchivePath) -> bool {
    path.folded().split('/').next().is_some_and(runtime::is_own_root)
}

/// Whether a path at the unpacked tree's root would be, or be taken for, the marker of a whole tree.
fn is_reserved_in_tree(path: &ArchivePath) -> bool {
    path.folded().split('/').next() == Some(runtime::MARKER_OF_TREE)
}
