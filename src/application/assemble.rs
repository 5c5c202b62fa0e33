//! The plan of a whole `.pyz`: installed tree, entry point and evidence put together, in one of the two layouts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pep440_rs::VersionSpecifiers;

use crate::archive::{
    ArchivePath, ArchivePlan, EntrySource, Epoch, MAX_ENTRIES, Mode, Packing, PathFault, PlannedEntry, Shebang,
};
use crate::digest::Sha256Digest;
use crate::evidence::{MANIFEST_PATH, Manifest, ManifestFile, ManifestSource, ManifestWheel, Recipe, Tool};
use crate::names::PackageName;
use crate::runtime::{self, Bootstrap};
use crate::status::{Explain, Status};
use crate::target::{
    DistributionFacts, PythonMinor, Pythons, Requirement, RequirementError, Target, WheelTag, platform_of, runs_on,
    supported_pythons,
};
use crate::wheel::{Origin, VerifiedWheel};

use super::entry_point::{EntryPoint, Scripts};
use super::stdlib::is_standard_library_module;
use super::tree::{FileSource, InstalledTree, WheelSet};

/// Where the application's files are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayoutChoice {
    /// `Zip` for a small application of one distribution and Python source alone, else `Extract`.
    #[default]
    Auto,
    /// At the archive's root, imported in place.
    Zip,
    /// In a payload that is unpacked once.
    Extract,
}

/// The layout that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// At the archive's root, imported in place.
    Zip,
    /// In a payload that is unpacked once.
    Extract,
}

/// How streams are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Wheels' streams as they are; all else deflated by the pinned encoder.
    #[default]
    Reuse,
    /// All deflated by the pinned encoder.
    Recompress,
    /// All stored.
    Store,
}

/// What decides about an archive besides its wheels.
#[derive(Debug, Clone)]
pub struct ApplicationOptions {
    /// The application's name: its first input's.
    pub name: String,
    /// Its version, where it has metadata.
    pub version: Option<String>,
    /// Its demand on Python's version.
    pub requires_python: Option<VersionSpecifiers>,
    /// The distributions that the user named, the first input first.
    pub named: Vec<PackageName>,
    /// What the wheels are needed for.
    pub roots: Vec<Requirement>,
    /// The time of every entry.
    pub epoch: Epoch,
    /// The first line.
    pub shebang: Shebang,
    /// Where the files are to be.
    pub layout: LayoutChoice,
    /// How streams are stored.
    pub compression: Compression,
    /// The version of this tool, as the manifest says it.
    pub tool_version: String,
    /// The recipe, which was made from the settings.
    pub recipe: Recipe,
}

/// A whole `.pyz`, planned.
#[derive(Debug, Clone)]
pub struct ApplicationPlan {
    /// The manifest that will be inside.
    pub manifest: Manifest,
    /// The archive.
    pub archive: ArchivePlan,
    /// The layout.
    pub layout: Layout,
    /// Why this layout.
    pub layout_reason: String,
    /// What is started.
    pub entry_point: EntryPoint,
    /// The Pythons that it runs on.
    pub pythons: Pythons,
    /// The line that says so.
    pub runs_on: String,
    /// What the user should know, a line each.
    pub warnings: Vec<String>,
    /// What only a user who plans wants to know, a line each.
    pub notes: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// `--layout zip` with what cannot run from a zip.
    #[error("layout `zip` cannot hold `{path}` of {owner}: {reason}")]
    NotInZip {
        /// The file.
        path: String,
        /// Its owner.
        owner: String,
        /// Why it cannot be there.
        reason: &'static str,
    },
    /// More files than a zip holds.
    #[error("layout `zip` would need {0} entries, more than the 65535 of a zip without zip64")]
    TooManyEntries(usize),
    /// A wheel brings a file where the archive has its own.
    #[error("{owner} brings `{path}`, which the archive itself needs")]
    Reserved {
        /// The file.
        path: String,
        /// Its owner.
        owner: String,
    },
    /// A wheel's requirement cannot be read.
    #[error("wheel `{wheel}`: {error}")]
    Requirement {
        /// The wheel.
        wheel: String,
        /// What is wrong.
        error: RequirementError,
    },
    /// No Python can run the wheels together.
    #[error("no Python of {first} to {last} can run these distributions together", first = PythonMinor::OLDEST, last = PythonMinor::NEWEST)]
    NoPython(Vec<String>),
    /// A name of our own making that is unsafe, made so by a wheel's name.
    #[error("`{name}`: {fault}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: PathFault,
    },
}

impl Explain for PlanError {
    fn status(&self) -> Status {
        match self {
            Self::NotInZip { .. } | Self::TooManyEntries(_) => Status::Usage,
            _ => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotInZip { .. } | Self::TooManyEntries(_) => Some("use `--layout extract`".to_owned()),
            Self::Reserved { .. } => Some("use `--layout extract`, where it does no harm".to_owned()),
            Self::NoPython(reasons) => reasons.first().cloned(),
            Self::Requirement { .. } => Some("ask its publisher for metadata that follows PEP 508".to_owned()),
            Self::Name { .. } => None,
        }
    }
}

/// What a wheel's metadata and file name say, for markers and tags.
///
/// # Errors
/// When one of its requirements cannot be read.
pub fn facts_of(wheel: &VerifiedWheel) -> Result<DistributionFacts, PlanError> {
    let read = |text: &String| {
        text.parse().map_err(|error| PlanError::Requirement { wheel: wheel.filename.to_string(), error })
    };
    Ok(DistributionFacts {
        name: wheel.metadata.name.clone(),
        version: wheel.metadata.version.clone(),
        requires_python: wheel.metadata.requires_python.clone(),
        requires_dist: wheel.metadata.requires_dist.iter().map(read).collect::<Result<_, _>>()?,
        provides_extra: wheel.metadata.extras.clone(),
        tags: wheel.filename.tags.clone(),
    })
}

/// Puts the plan together.
///
/// # Errors
/// When the layout cannot hold the tree, or no Python can run it.
pub fn assemble(
    wheels: &WheelSet,
    tree: &InstalledTree,
    scripts: &Scripts,
    entry_point: EntryPoint,
    target: &Target,
    options: ApplicationOptions,
) -> Result<ApplicationPlan, PlanError> {
    let facts = wheels.iter().map(facts_of).collect::<Result<Vec<_>, _>>()?;
    let pythons = supported_pythons(&options.roots, &facts, target, options.requires_python.as_ref());
    if pythons.minors.is_empty() {
        let reasons = pythons.refused.iter().rev().map(|(minor, reason)| format!("CPython {minor}: {reason}"));
        return Err(PlanError::NoPython(reasons.collect()));
    }
    let tags: Vec<&BTreeSet<WheelTag>> = facts.iter().map(|facts| &facts.tags).collect();
    let platform = platform_of(tags, &target.tags);
    let (layout, layout_reason) = choose_layout(tree, wheels, &entry_point, options.layout)?;
    let mut warnings = find_shadows(tree);
    warnings.extend(describe_pth(tree, wheels));

    let by_name = scripts.by_name(&options.named);
    let manifest = Manifest {
        format: 1,
        tool: Tool { name: "pyzpack".to_owned(), version: options.tool_version },
        name: options.name.clone(),
        version: options.version.clone(),
        epoch: options.epoch.seconds(),
        entry_point: entry_point.to_string(),
        console_scripts: by_name
            .iter()
            .filter(|(name, _)| wheels.iter().any(|wheel| wheel.entry_points.console_scripts.contains_key(**name)))
            .map(|(name, entry)| ((*name).to_owned(), entry.to_string()))
            .collect(),
        requires_python: options.requires_python.as_ref().map(ToString::to_string),
        pythons: pythons.minors.iter().map(ToString::to_string).collect(),
        platform: platform.clone(),
        layout: match layout {
            Layout::Zip => "zip".to_owned(),
            Layout::Extract => "extract".to_owned(),
        },
        wheels: wheels.iter().map(describe_wheel).collect(),
        files: describe_files(tree),
        recipe: options.recipe,
    };
    let bootstrap = Bootstrap {
        name: options.name,
        version: options.version.unwrap_or_default(),
        requires_python: manifest.requires_python.clone(),
        pythons: pythons.minors.iter().map(|minor| (minor.major, minor.minor)).collect(),
        open_ended: pythons.open_ended,
        newest_known: (PythonMinor::NEWEST.major, PythonMinor::NEWEST.minor),
        platform: platform.clone(),
        layout: runtime::Layout::Zip,
        entry: to_runtime(&entry_point),
        console_scripts: by_name
            .iter()
            .filter(|(_, entry)| layout == Layout::Extract || !matches!(entry, EntryPoint::Executable(_)))
            .map(|(name, entry)| ((*name).to_owned(), to_runtime(entry)))
            .collect(),
        pth: tree.pth_files().into_iter().map(str::to_owned).collect(),
    };
    let planner = Planner { wheels, tree, compression: options.compression, epoch: options.epoch };
    let archive = match layout {
        Layout::Zip => planner.plan_zip(&bootstrap, &manifest, &options.shebang)?,
        Layout::Extract => planner.plan_extract(bootstrap, &manifest, &options.shebang)?,
    };
    let runs_on = runs_on(&pythons, &platform);
    let notes = describe_prefix_data(wheels);
    Ok(ApplicationPlan { manifest, archive, layout, layout_reason, entry_point, pythons, runs_on, warnings, notes })
}

fn to_runtime(entry: &EntryPoint) -> runtime::Entry {
    match entry {
        EntryPoint::Object(object) => match &object.attribute {
            Some(attribute) => runtime::Entry::Object { module: object.module.clone(), attr: attribute.clone() },
            None => runtime::Entry::Module { module: object.module.clone() },
        },
        EntryPoint::PythonScript(path) => runtime::Entry::PythonScript { path: path.to_string() },
        EntryPoint::Executable(path) => runtime::Entry::Executable { path: path.to_string() },
    }
}

/// The number of modules from which `auto` unpacks: zipimport reads the directory of all of them at each start.
const MANY_MODULES: usize = 20;

fn choose_layout(
    tree: &InstalledTree,
    wheels: &WheelSet,
    entry_point: &EntryPoint,
    choice: LayoutChoice,
) -> Result<(Layout, String), PlanError> {
    let is_metadata = |path: &str| path.split('/').next().is_some_and(|root| root.ends_with(".dist-info"));
    let owner_of = |path: &ArchivePath| {
        tree.files[path].distribution.as_ref().map_or("the application".to_owned(), |name| format!("`{name}`"))
    };
    match choice {
        LayoutChoice::Extract => Ok((Layout::Extract, "as asked".to_owned())),
        LayoutChoice::Zip => {
            if let EntryPoint::Executable(path) = entry_point {
                let reason = "an executable runs from a file system alone";
                return Err(PlanError::NotInZip { path: path.to_string(), owner: owner_of(path), reason });
            }
            let native = tree.files.keys().find(|path| is_native(path.as_str()));
            native.map_or(Ok((Layout::Zip, "as asked".to_owned())), |path| {
                let reason = "a native extension is loaded from a file system alone";
                Err(PlanError::NotInZip { path: path.to_string(), owner: owner_of(path), reason })
            })
        }
        LayoutChoice::Auto => {
            let code = tree.files.keys().map(ArchivePath::as_str).filter(|path| !is_metadata(path));
            let (modules, others): (Vec<_>, Vec<_>) = code.partition(|path| path.ends_with(".py"));
            let distributions =
                wheels.iter().len() + usize::from(tree.files.values().any(|file| file.distribution.is_none()));
            let reserved = tree.files.keys().find(|path| is_reserved(path));
            let reason = match (reserved, others.first()) {
                _ if distributions > 1 => format!("{distributions} distributions are packed"),
                (Some(reserved), _) => format!("`{reserved}` is a name of the archive's own"),
                (None, Some(other)) => format!("`{other}` is not Python source"),
                _ if modules.len() >= MANY_MODULES => format!("{} modules are packed", modules.len()),
                _ => return Ok((Layout::Zip, "one small distribution of Python source alone".to_owned())),
            };
            Ok((Layout::Extract, reason))
        }
    }
}

/// Whether a path at the archive's root would be, or be taken for, one of the archive's own files.
fn is_reserved(path: &ArchivePath) -> bool {
    let folded = path.folded();
    matches!(folded.split('/').next(), Some("__main__.py" | "_pyzpack"))
}

fn is_native(path: &str) -> bool {
    [".so", ".pyd", ".dylib", ".dll"].iter().any(|end| path.ends_with(end)) || path.contains(".so.")
}

/// Top-level modules that the standard library has too: its own are the ones that are imported.
fn find_shadows(tree: &InstalledTree) -> Vec<String> {
    let shadows = tree.top_level_modules().into_iter().filter(|module| is_standard_library_module(module));
    shadows
        .map(|module| {
            let path = tree
                .files
                .iter()
                .find(|(path, _)| path.as_str().strip_prefix(module).is_some_and(|rest| rest.starts_with(['/', '.'])));
            let owner = path.and_then(|(_, file)| file.distribution.as_ref());
            let owner = owner.map_or_else(|| "the application".to_owned(), |name| format!("`{name}`"));
            format!("{owner} brings a module `{module}`, but the one of the standard library is imported")
        })
        .collect()
}

/// What the `.pth` files at the root do when the application starts.
fn describe_pth(tree: &InstalledTree, wheels: &WheelSet) -> Vec<String> {
    let describe = |path: &str| {
        let path = ArchivePath::new(path).ok()?;
        let file = tree.files.get(&path)?;
        let bytes = match &file.source {
            FileSource::Bytes(bytes) => bytes.to_vec(),
            FileSource::Wheel { wheel, file } => wheels.at(*wheel).files[*file].kept.clone()?,
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (code, paths): (Vec<_>, Vec<_>) =
            lines.partition(|line| line.starts_with("import ") || line.starts_with("import\t"));
        let does = match (code.is_empty(), paths.is_empty()) {
            (true, true) => return None,
            (false, true) => "runs code",
            (true, false) => "adds to the import path",
            (false, false) => "runs code and adds to the import path",
        };
        let owner = file.distribution.as_ref().map_or_else(|| "the application".to_owned(), |name| format!("`{name}`"));
        Some(format!("`{path}` of {owner} {does} at each start"))
    };
    tree.pth_files().into_iter().filter_map(describe).collect()
}

/// Files that an installer would put below `sys.prefix`, which is the host's own here.
fn describe_prefix_data(wheels: &WheelSet) -> Vec<String> {
    let describe = |wheel: &VerifiedWheel| {
        let data = format!("{}/data/", wheel.data_directory);
        let places: BTreeSet<&str> = wheel
            .files
            .iter()
            .filter_map(|file| file.entry.path.as_str().strip_prefix(&data))
            .map(|path| path.split('/').next().unwrap_or(path))
            .collect();
        let listed: Vec<String> = places.into_iter().map(|place| format!("`{place}`")).collect();
        (!listed.is_empty()).then(|| {
            let name = &wheel.metadata.name;
            format!("`{name}` brings {} for sys.prefix: a program that looks there does not find it", listed.join(", "))
        })
    };
    wheels.iter().filter_map(describe).collect()
}

fn describe_wheel(wheel: &VerifiedWheel) -> ManifestWheel {
    let source = match &wheel.origin {
        Origin::Built(from) => Some(ManifestSource { uri: from.uri.clone(), sha256: from.sha256 }),
        Origin::Locked | Origin::Index | Origin::Local => None,
    };
    ManifestWheel {
        name: wheel.metadata.name.clone(),
        version: wheel.metadata.version.to_string(),
        filename: wheel.filename.to_string(),
        sha256: wheel.sha256,
        origin: match wheel.origin {
            Origin::Locked => "locked",
            Origin::Index => "index",
            Origin::Local => "local",
            Origin::Built(_) => "built",
        }
        .to_owned(),
        source,
    }
}

fn describe_files(tree: &InstalledTree) -> Vec<ManifestFile> {
    tree.files
        .iter()
        .map(|(path, file)| ManifestFile {
            path: path.to_string(),
            sha256: file.sha256,
            size: file.size,
            mode: format!("{:04o}", file.mode.bits()),
            distribution: file.distribution.clone(),
        })
        .collect()
}

/// Turns the tree into archives.
struct Planner<'a> {
    wheels: &'a WheelSet,
    tree: &'a InstalledTree,
    compression: Compression,
    epoch: Epoch,
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
                        Compression::Reuse => Packing::Reuse,
                        Compression::Recompress => Packing::Encode,
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
            entries.insert(own_path(path)?, self.bytes(text.as_bytes().to_vec()));
        }
        entries.insert(own_path(MANIFEST_PATH)?, self.bytes(manifest.to_bytes()));
        Ok(entries)
    }

    fn plan_zip(
        &self,
        bootstrap: &Bootstrap,
        manifest: &Manifest,
        shebang: &Shebang,
    ) -> Result<ArchivePlan, PlanError> {
        let mut entries = self.own_files(manifest)?;
        // The bootstrap is stored: it is read at every start, before zlib is.
        let main = EntrySource::Bytes { bytes: runtime::render_main(bootstrap).into(), packing: Packing::Store };
        entries.insert(own_path("__main__.py")?, PlannedEntry { source: main, mode: Mode::Regular });
        for (path, entry) in self.files() {
            if is_reserved(&path) {
                let owner = self.tree.files[&path].distribution.as_ref();
                let owner = owner.map_or_else(|| "the application".to_owned(), |name| format!("`{name}`"));
                return Err(PlanError::Reserved { path: path.to_string(), owner });
            }
            entries.insert(path, entry);
        }
        for directory in directories(&entries) {
            entries.insert(directory, PlannedEntry { source: EntrySource::Directory, mode: Mode::Executable });
        }
        if entries.len() > MAX_ENTRIES {
            return Err(PlanError::TooManyEntries(entries.len()));
        }
        Ok(ArchivePlan { prefix: shebang.line(), epoch: self.epoch, entries })
    }

    fn plan_extract(
        &self,
        bootstrap: Bootstrap,
        manifest: &Manifest,
        shebang: &Shebang,
    ) -> Result<ArchivePlan, PlanError> {
        let mut entries = self.own_files(manifest)?;
        let files: Vec<_> = self.files().collect();
        let mut names = Vec::new();
        for (index, part) in files.chunks(MAX_ENTRIES).enumerate() {
            let name = if index == 0 {
                "_pyzpack/payload.zip".to_owned()
            } else {
                format!("_pyzpack/payload-{}.zip", index + 1)
            };
            let payload =
                ArchivePlan { prefix: String::new(), epoch: self.epoch, entries: part.iter().cloned().collect() };
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
            let layout = runtime::Layout::Extract { payloads };
            runtime::render_main(&Bootstrap { layout, ..bootstrap.clone() })
        };
        let main = EntrySource::NamesDigests(Arc::new(render));
        entries.insert(own_path("__main__.py")?, PlannedEntry { source: main, mode: Mode::Regular });
        Ok(ArchivePlan { prefix: shebang.line(), epoch: self.epoch, entries })
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
