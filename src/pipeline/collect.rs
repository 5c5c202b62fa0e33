//! From what was named to checked wheels: sources are built, versions chosen, files fetched, every wheel verified.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pep440_rs::VersionSpecifiers;

use crate::application::{LooseFile, WheelSet, facts_of};
use crate::archive::Epoch;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::evidence::{RecipeFile, RecipeInput};
use crate::names::{ExtraName, PackageName};
use crate::process::ScratchDir;
use crate::project::requirements::RequirementsFile;
use crate::project::sdist;
use crate::python::Interpreter;
use crate::python::environment::resolver_environment;
use crate::python::venv::Venv;
use crate::resolve::{self, IndexOptions, Request, local_requirement};
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::target::{DistributionFacts, Requirement, Target, close};
use crate::wheel::access::Access;
use crate::wheel::build::Source;
use crate::wheel::collect::{self as workshop, CollectedBefore, Workshop};
use crate::wheel::fetch::Client;
use crate::wheel::install::install_wheel;
use crate::wheel::{
    BuiltFrom, CollectedWheel, Origin, VerifiedWheel, WheelError, WheelInput, repack, verify_wheel, verify_wheels,
};

use super::inputs::{Inputs, SourceKind};
use super::{Observer, Stage};

/// How long choosing versions may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_mins(10);

/// What is packed, checked.
#[derive(Debug)]
pub struct Collected {
    /// The wheels.
    pub wheels: WheelSet,
    /// Modules that no wheel holds.
    pub loose: Vec<LooseFile>,
    /// The module of a script that was named.
    pub script_module: Option<String>,
    /// The application's name: the first input's.
    pub name: String,
    /// Its version, where it has metadata.
    pub version: Option<String>,
    /// Its demand on Python's version.
    pub requires_python: Option<VersionSpecifiers>,
    /// The distributions that were named, the first input first.
    pub named: Vec<PackageName>,
    /// What the wheels are needed for.
    pub roots: Vec<Requirement>,
    /// What it runs on.
    pub target: Target,
    /// The inputs, as the recipe has them.
    pub recipe_inputs: Vec<RecipeInput>,
    /// What chose the versions.
    pub resolver: &'static str,
    /// Keeps fetched and built wheels until the archive is written.
    _scratch: ScratchDir,
}

pub(super) fn collect(
    settings: &BuildSettings,
    world: &Surroundings,
    inputs: &Inputs,
    interpreter: &Interpreter,
    observer: &dyn Observer,
) -> Result<Collected, Error> {
    let platform = settings.platform.as_deref().map(str::parse).transpose()?;
    let target = interpreter.target.overridden(settings.target_python, platform.as_ref());
    let index = index_options(settings, inputs);
    let scratch = ScratchDir::create(&world.temporary)?;
    let urls: Vec<String> = index.index_url.iter().chain(&index.extra_index_urls).cloned().collect();
    let client = Client::new(Access::read(world, &urls), settings.offline);
    let install = |path: &Path, expected: Option<&Sha256Digest>, venv: &Venv| {
        let input = WheelInput { path: path.to_owned(), expected: expected.copied(), origin: Origin::Local };
        verify_wheel(&input, &settings.limits)?;
        Ok(install_wheel(path, venv)?)
    };
    let own_tags: Vec<String> = interpreter.target.tags.iter().map(|tag| tag.to_string()).collect();
    let collector = Collector {
        settings,
        world,
        observer,
        scratch: &scratch,
        target: &target,
        workshop: Workshop {
            surroundings: world,
            scratch: &scratch,
            interpreter,
            tags: &own_tags,
            index: &index,
            client: &client,
            offline: settings.offline,
            epoch: settings.epoch.seconds(),
            build_timeout: settings.build_timeout,
            resolve_timeout: RESOLVE_TIMEOUT,
            limits: sdist::Limits { bytes: settings.limits.unpacked, ..sdist::Limits::default() },
            install: &install,
            collected: CollectedBefore::default(),
        },
    };
    let gathered = collector.gather(inputs)?;
    let requirements = collector.requirements(inputs, &gathered);
    let (wheels, resolver) = collector.collect_rest(inputs, gathered.at_hand, &requirements)?;
    let named = gathered.named.clone();
    let roots = requirements.roots;
    let wheels = select(wheels, &roots, &target, observer)?;
    let wheels = WheelSet::new(wheels)?;
    let first = gathered.named.first().and_then(|name| wheels.get(name)).filter(|_| gathered.first_is_distribution);
    let (name, version, requires_python) = match first {
        Some(wheel) => {
            let metadata = &wheel.metadata;
            (metadata.name.to_string(), Some(metadata.version.to_string()), metadata.requires_python.clone())
        }
        None => (gathered.name, None, gathered.requires_python),
    };
    Ok(Collected {
        wheels,
        loose: gathered.loose,
        script_module: gathered.script_module,
        name,
        version,
        requires_python,
        named,
        roots,
        target,
        recipe_inputs: gathered.recipe_inputs,
        resolver,
        _scratch: scratch,
    })
}

/// Index options of the settings and of all requirements files.
fn index_options(settings: &BuildSettings, inputs: &Inputs) -> IndexOptions {
    let mut index = settings.index.clone();
    index.find_links = index.find_links.iter().map(|path| settings.directory.join(path)).collect();
    for (_, file) in &inputs.files {
        let RequirementsFile { index_url, extra_index_urls, find_links, no_index, .. } = file;
        index.index_url = index.index_url.or_else(|| index_url.clone());
        index.extra_index_urls.extend(extra_index_urls.iter().cloned());
        index.find_links.extend(find_links.iter().map(|path| settings.directory.join(path)));
        index.no_index |= no_index;
    }
    index
}

/// What the inputs gave by themselves.
#[derive(Default)]
struct Gathered {
    /// Wheels that were named or built, checked.
    at_hand: Vec<VerifiedWheel>,
    named: Vec<PackageName>,
    loose: Vec<LooseFile>,
    script_module: Option<String>,
    name: String,
    first_is_distribution: bool,
    requires_python: Option<VersionSpecifiers>,
    recipe_inputs: Vec<RecipeInput>,
}

/// What is needed, once for the resolver and once for following it here.
struct Requirements {
    /// Lines for a resolver; they may hold credentials.
    lines: Vec<String>,
    constraints: Vec<String>,
    roots: Vec<Requirement>,
    /// The digests that a wheel may have, by distribution.
    hashes: BTreeMap<PackageName, Vec<Sha256Digest>>,
}

struct Collector<'a> {
    settings: &'a BuildSettings,
    world: &'a Surroundings,
    observer: &'a dyn Observer,
    scratch: &'a ScratchDir,
    target: &'a Target,
    workshop: Workshop<'a>,
}

impl Collector<'_> {
    /// Builds and checks what was named.
    fn gather(&self, inputs: &Inputs) -> Result<Gathered, Error> {
        let mut gathered = Gathered::default();
        for (index, source) in inputs.sources.iter().enumerate() {
            let (name, is_distribution) = self.gather_one(source, &mut gathered)?;
            if index == 0 {
                gathered.name = name;
                gathered.first_is_distribution = is_distribution;
            }
        }
        for (path, _) in &inputs.files {
            gathered.recipe_inputs.push(RecipeInput::File(describe_file(path)?));
        }
        Ok(gathered)
    }

    /// Takes in one input; gives its name, and whether that is a distribution's.
    fn gather_one(&self, source: &SourceKind, gathered: &mut Gathered) -> Result<(String, bool), Error> {
        let wheel = match source {
            SourceKind::Requirement(requirement) => {
                gathered.recipe_inputs.push(RecipeInput::Requirement(requirement.to_string()));
                gathered.named.push(requirement.name.clone());
                return Ok((requirement.name.to_string(), true));
            }
            SourceKind::Script { path, module, script, file } => {
                gathered.recipe_inputs.push(RecipeInput::File(describe_file(path)?));
                gathered.loose.push(file.clone());
                gathered.script_module.get_or_insert_with(|| module.clone());
                gathered.requires_python = gathered.requires_python.take().or_else(|| script.requires_python.clone());
                return Ok((module.clone(), false));
            }
            SourceKind::Modules { module, files } => {
                gathered.recipe_inputs.push(RecipeInput::Requirement(".".to_owned()));
                gathered.loose.extend(files.iter().cloned());
                return Ok((module.clone(), false));
            }
            SourceKind::Wheel(path) => {
                self.observer.begin(Stage::Verify, &format!("checking {}", path.display()));
                let input = WheelInput { path: path.clone(), expected: None, origin: Origin::Local };
                let wheel = verify_wheel(&input, &self.settings.limits)?;
                let file = RecipeFile { filename: wheel.filename.to_string(), sha256: wheel.sha256 };
                gathered.recipe_inputs.push(RecipeInput::File(file));
                wheel
            }
            SourceKind::Project(project) => {
                self.observer.begin(Stage::Build, &format!("building {}", project.root.display()));
                let source = Source::Directory { root: &project.root, project: Path::new("") };
                gathered.recipe_inputs.push(RecipeInput::Requirement(".".to_owned()));
                self.build(&source, BuiltFrom { uri: ".".to_owned(), sha256: None })?
            }
            SourceKind::Sdist(path) => {
                let file = describe_file(path)?;
                self.observer.begin(Stage::Build, &format!("building {}", file.filename));
                let source = Source::Sdist { path, sha256: Some(file.sha256) };
                let from = BuiltFrom { uri: file.filename.clone(), sha256: Some(file.sha256) };
                gathered.recipe_inputs.push(RecipeInput::File(file));
                self.build(&source, from)?
            }
            SourceKind::Git(git) => {
                self.observer.begin(Stage::Build, &format!("fetching {}", git.url));
                let into = self.scratch.subdirectory("git")?.join("source");
                let temporary = self.scratch.subdirectory("git-tmp")?;
                let environment = resolver_environment(self.world, &temporary, None);
                let program = self.world.find_program("git");
                let checkout = git.checkout(program.as_deref(), &into, &environment, self.settings.offline)?;
                let recorded = RecipeInput::Git { uri: git.url.clone(), commit: checkout.commit.clone() };
                gathered.recipe_inputs.push(recorded);
                self.observer.begin(Stage::Build, &format!("building {}", git.url));
                let project = checkout.project.strip_prefix(&checkout.root).unwrap_or(Path::new(""));
                let source = Source::Directory { root: &checkout.root, project };
                self.build(&source, BuiltFrom { uri: git.pinned(&checkout.commit), sha256: None })?
            }
        };
        let name = wheel.metadata.name.clone();
        gathered.named.push(name.clone());
        gathered.at_hand.push(wheel);
        Ok((name.to_string(), true))
    }

    fn build(&self, source: &Source<'_>, from: BuiltFrom) -> Result<VerifiedWheel, Error> {
        let built = self.workshop.build(source, None, &[]).map_err(Box::new)?;
        self.repack(&built, from)
    }

    fn repack(&self, built: &CollectedWheel, from: BuiltFrom) -> Result<VerifiedWheel, Error> {
        let directory = self.scratch.subdirectory("canonical")?;
        let epoch: Epoch = self.settings.epoch;
        Ok(repack(&built.path, from, &directory, epoch, &self.settings.limits)?)
    }

    /// Everything that is needed, of all inputs.
    fn requirements(&self, inputs: &Inputs, gathered: &Gathered) -> Requirements {
        let mut needed =
            Requirements { lines: Vec::new(), constraints: Vec::new(), roots: Vec::new(), hashes: BTreeMap::new() };
        for wheel in &gathered.at_hand {
            let extras: Vec<ExtraName> =
                self.settings.extras.iter().filter(|extra| wheel.metadata.extras.contains(extra)).cloned().collect();
            let name = &wheel.metadata.name;
            needed.lines.push(local_requirement(name, &extras, &absolute(&wheel.path)));
            let listed = extras.iter().map(ExtraName::as_str).collect::<Vec<_>>().join(",");
            let root = if listed.is_empty() { name.to_string() } else { format!("{name}[{listed}]") };
            needed.roots.push(root.parse().expect("a name and extras make a requirement"));
        }
        let unknown = self.settings.extras.iter().filter(|extra| {
            !gathered.at_hand.is_empty() && !gathered.at_hand.iter().any(|wheel| wheel.metadata.extras.contains(extra))
        });
        for extra in unknown {
            self.observer.warn(&format!("no input has an extra `{extra}`"));
        }
        let from_scripts = inputs.sources.iter().flat_map(|source| match source {
            SourceKind::Requirement(requirement) => std::slice::from_ref(requirement.as_ref()),
            SourceKind::Script { script, .. } => &script.dependencies,
            _ => &[],
        });
        let from_files = inputs.files.iter().flat_map(|(_, file)| &file.requirements);
        for hashed in from_files.clone().filter(|hashed| !hashed.hashes.is_empty()) {
            needed.hashes.entry(hashed.requirement.name.clone()).or_default().extend(&hashed.hashes);
        }
        let listed = from_files.map(|hashed| &hashed.requirement);
        for requirement in from_scripts.chain(listed).chain(&inputs.group_requirements) {
            needed.lines.push(requirement.text_with_credentials().to_owned());
            needed.roots.push(requirement.clone());
        }
        let constraints = inputs.files.iter().flat_map(|(_, file)| &file.constraints);
        needed.constraints = constraints.map(|constraint| constraint.text_with_credentials().to_owned()).collect();
        needed
    }

    /// Resolves, fetches, builds and checks what is not at hand.
    fn collect_rest(
        &self,
        inputs: &Inputs,
        mut at_hand: Vec<VerifiedWheel>,
        needed: &Requirements,
    ) -> Result<(Vec<VerifiedWheel>, &'static str), Error> {
        if needed.lines.is_empty() {
            return Ok((at_hand, "nothing"));
        }
        self.observer.begin(Stage::Resolve, "choosing versions");
        let tags: Vec<String> = self.target.tags.iter().map(|tag| tag.to_string()).collect();
        let overridden =
            (self.settings.target_python.is_some() || self.settings.platform.is_some()).then(|| resolve::Target {
                python: self.settings.target_python.map(|minor| (minor.major, minor.minor)),
                platform: self.settings.platform.clone(),
            });
        let root = inputs.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(project.root.as_path()),
            _ => None,
        });
        let request = Request {
            requirements: &needed.lines,
            constraints: &needed.constraints,
            index: self.workshop.index,
            interpreter: self.workshop.interpreter,
            target: overridden.as_ref(),
            tags: &tags,
            offline: self.settings.offline,
            directory: root.unwrap_or(&self.settings.directory),
            timeout: RESOLVE_TIMEOUT,
        };
        let resolution =
            resolve::resolve(&request, self.world, self.scratch.path()).map_err(workshop::CollectError::from)?;
        let known: BTreeSet<PackageName> = at_hand.iter().map(|wheel| wheel.metadata.name.clone()).collect();
        let packages: Vec<_> =
            resolution.packages.into_iter().filter(|package| !known.contains(&package.name)).collect();
        self.observer.begin(Stage::Fetch, &format!("fetching {} distributions", packages.len()));
        let advance = |done, total| self.observer.advance(done, total);
        let collected = self.workshop.materialise(packages, &advance, &[])?;
        self.observer.begin(Stage::Verify, &format!("checking {} wheels", collected.len()));
        let mut given = Vec::new();
        for wheel in collected {
            match &wheel.origin {
                workshop::Origin::Built { source, sha256, .. } => {
                    let from = BuiltFrom { uri: source.clone(), sha256: *sha256 };
                    at_hand.push(self.repack(&wheel, from)?);
                }
                workshop::Origin::Fetched(_) => given.push((wheel, Origin::Index)),
                workshop::Origin::Local => given.push((wheel, Origin::Local)),
            }
        }
        let wheel_inputs: Vec<WheelInput> = given
            .into_iter()
            .map(|(wheel, origin)| WheelInput { path: wheel.path, expected: wheel.sha256, origin })
            .collect();
        let verified = verify_wheels(&wheel_inputs, &self.settings.limits)?;
        check_hashes(&verified, &needed.hashes)?;
        at_hand.extend(verified);
        Ok((at_hand, resolution.resolver))
    }
}

/// A wheel whose distribution has digests in a requirements file has one of them.
fn check_hashes(wheels: &[VerifiedWheel], hashes: &BTreeMap<PackageName, Vec<Sha256Digest>>) -> Result<(), WheelError> {
    for wheel in wheels {
        let Some(allowed) = hashes.get(&wheel.metadata.name) else { continue };
        if let (false, Some(expected)) = (allowed.contains(&wheel.sha256), allowed.first()) {
            let fault = crate::wheel::WheelFault::Sha256 { expected: *expected, found: wheel.sha256 };
            return Err(WheelError::Refused { wheel: wheel.filename.to_string(), fault });
        }
    }
    Ok(())
}

/// Follows the requirements through what the checked wheels themselves say: what is needed is there and fits the target,
/// and nothing else is packed.
fn select(
    wheels: Vec<VerifiedWheel>,
    roots: &[Requirement],
    target: &Target,
    observer: &dyn Observer,
) -> Result<Vec<VerifiedWheel>, Error> {
    let mut candidates: BTreeMap<PackageName, Vec<DistributionFacts>> = BTreeMap::new();
    for wheel in &wheels {
        candidates.entry(wheel.metadata.name.clone()).or_default().push(facts_of(wheel)?);
    }
    let closure = close(roots, &candidates, target).map_err(Box::new)?;
    for (name, extra) in &closure.unknown_extras {
        observer.warn(&format!("`{name}` has no extra `{extra}`"));
    }
    let selected: BTreeSet<PackageName> = closure.selected.into_keys().collect();
    Ok(wheels.into_iter().filter(|wheel| selected.contains(&wheel.metadata.name)).collect())
}

fn describe_file(path: &Path) -> Result<RecipeFile, Error> {
    let filename = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unreadable = |error| WheelError::Unreadable { wheel: path.display().to_string(), error };
    let file = fs_err::File::open(path).map_err(unreadable)?;
    let sha256 = Sha256Digest::of_reader(file).map_err(unreadable)?;
    Ok(RecipeFile { filename, sha256 })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
