//! The plan of a whole `.pyz`: installed tree, entry point and evidence put together, in one of the two layouts.

use std::collections::BTreeSet;

use pep440_rs::VersionSpecifiers;

use crate::archive::{ArchivePlan, Epoch, PathFault, Shebang};
use crate::evidence::{Manifest, ManifestFile, ManifestSource, ManifestWheel, Origins, Recipe, Tool};
use crate::names::PackageName;
use crate::runtime::{self, Bootstrap, Reach, RefusedPatches};
use crate::status::{Explain, Status};
use crate::target::{
    DistributionFacts, PythonMinor, Pythons, Requirement, RequirementError, Target, WheelTag, platform_of, runs_on,
    specifier_contains, supported_pythons,
};
use crate::wheel::{Origin, VerifiedWheel};

use super::advice::{describe_prefix_data, describe_pth, find_shadows};
use super::entry_point::{EntryPoint, Scripts};
use super::layout::{Layout, LayoutChoice, choose_layout};
use super::planner::Planner;
use super::tree::{InstalledTree, WheelSet};

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

/// Requirements of distributions that a lock overrides: its choice was made without them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overridden(BTreeSet<(PackageName, String)>);

impl Overridden {
    /// Adds a requirement of a distribution.
    pub fn insert(&mut self, distribution: &PackageName, requirement: &Requirement) {
        self.0.insert((distribution.clone(), requirement.to_string()));
    }

    /// The distributions and their requirements, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(PackageName, String)> {
        self.0.iter()
    }

    /// The facts without what is overridden.
    fn apply(&self, mut facts: DistributionFacts) -> DistributionFacts {
        if !self.0.is_empty() {
            let counts = |requirement: &Requirement| !self.0.contains(&(facts.name.clone(), requirement.to_string()));
            facts.requires_dist.retain(counts);
        }
        facts
    }
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
    /// What of the wheels' requirements does not count.
    pub overridden: Overridden,
    /// The time of every entry.
    pub epoch: Epoch,
    /// The first line.
    pub shebang: Shebang,
    /// Where the files are to be.
    pub layout: LayoutChoice,
    /// Who finds the packages.
    pub reach: Reach,
    /// How streams are stored.
    pub compression: Compression,
    /// The version of this tool, as the manifest says it.
    pub tool_version: String,
    /// The recipe, which was made from the settings.
    pub recipe: Recipe,
    /// What evidence tells beyond the manifest.
    pub origins: Origins,
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
    /// What a user may want to know, a line each.
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
    /// A wheel brings a file where the archive, or the tree that it unpacks, has its own.
    #[error("{owner} brings `{path}`, which the {} itself needs", match layout {
        Layout::Zip => "archive",
        Layout::Extract => "unpacked tree",
    })]
    Reserved {
        /// The file.
        path: String,
        /// Its owner.
        owner: String,
        /// The layout in which it cannot be.
        layout: Layout,
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
            Self::Reserved { layout: Layout::Zip, .. } => {
                Some("use `--layout extract`, where it does no harm".to_owned())
            }
            Self::Reserved { layout: Layout::Extract, .. } => {
                Some("give it another name, or leave its distribution out".to_owned())
            }
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
        build: wheel.filename.build.clone(),
        filename: wheel.filename.to_string(),
    })
}

fn all_facts(wheels: &WheelSet, options: &ApplicationOptions) -> Result<Vec<DistributionFacts>, PlanError> {
    wheels.iter().map(|wheel| facts_of(wheel).map(|facts| options.overridden.apply(facts))).collect()
}

/// For which Pythons these wheels are the right ones; there may be none.
///
/// # Errors
/// When the requirement of a wheel cannot be read.
pub fn find_pythons(wheels: &WheelSet, target: &Target, options: &ApplicationOptions) -> Result<Pythons, PlanError> {
    let facts = all_facts(wheels, options)?;
    Ok(supported_pythons(&options.roots, &facts, target, options.requires_python.as_ref()))
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
    let facts = all_facts(wheels, &options)?;
    let pythons = supported_pythons(&options.roots, &facts, target, options.requires_python.as_ref());
    if pythons.minors.is_empty() {
        let reasons = pythons.refused.iter().rev().map(|(minor, reason)| format!("CPython {minor}: {reason}"));
        return Err(PlanError::NoPython(reasons.collect()));
    }
    let tags: Vec<&BTreeSet<WheelTag>> = facts.iter().map(|facts| &facts.tags).collect();
    let platform = platform_of(tags, &target.tags);
    let (layout, layout_reason) =
        choose_layout(tree, wheels, &entry_point, options.layout, !options.recipe.bytecode.is_empty())?;
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
    let demands = facts.iter().filter_map(|facts| facts.requires_python.as_ref());
    let demands: Vec<_> = demands.chain(options.requires_python.as_ref()).collect();
    let refused_patches = pythons
        .minors
        .iter()
        .filter_map(|minor| Some(((minor.major, minor.minor), find_refused_patches(*minor, &demands)?)))
        .collect();
    let bootstrap = Bootstrap {
        name: options.name,
        version: options.version.unwrap_or_default(),
        requires_python: manifest.requires_python.clone(),
        pythons: pythons.minors.iter().map(|minor| (minor.major, minor.minor)).collect(),
        refused_patches,
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
        reach: options.reach,
    };
    let locked = manifest.recipe.lock.is_some();
    let (compression, epoch) = (options.compression, options.epoch);
    let planner = Planner { wheels, tree, compression, locked, epoch, origins: &options.origins };
    let archive = match layout {
        Layout::Zip => planner.plan_zip(&bootstrap, &manifest, &options.shebang)?,
        Layout::Extract => planner.plan_extract(bootstrap, &manifest, &options.shebang)?,
    };
    let runs_on = runs_on(&pythons, &platform);
    let notes = describe_prefix_data(wheels);
    Ok(ApplicationPlan { manifest, archive, layout, layout_reason, entry_point, pythons, runs_on, warnings, notes })
}

/// The patch releases of a minor version that one of the demands refuses. A demand that refuses all of them is that of a
/// distribution which is not needed there: the minor version was found to be supported.
fn find_refused_patches(minor: PythonMinor, demands: &[&VersionSpecifiers]) -> Option<RefusedPatches> {
    let (mut patches, mut needs) = (Vec::new(), BTreeSet::new());
    let demands: Vec<_> = demands.iter().filter(|demand| minor.satisfies(demand)).collect();
    for (patch, version) in (0..).zip(minor.patches()) {
        let specifiers = demands.iter().flat_map(|demand| demand.iter());
        let refusing: Vec<_> = specifiers.filter(|specifier| !specifier_contains(specifier, &version)).collect();
        if !refusing.is_empty() {
            patches.push(patch);
            needs.extend(refusing.into_iter().map(ToString::to_string));
        }
    }
    (!patches.is_empty()).then(|| RefusedPatches { patches, needs: needs.into_iter().collect::<Vec<_>>().join(", ") })
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
