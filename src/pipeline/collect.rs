//! From what was named to checked wheels: sources are built, versions chosen, files fetched, every wheel verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pep440_rs::VersionSpecifiers;
use serde::Serialize;

use crate::application::{LooseFile, Overridden, WheelSet};
use crate::archive::{ArchivePath, Epoch};
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::evidence::{Origins, RecipeFile, RecipeInput};
use crate::lock::{Lock, LockedPackage, LockedSource};
use crate::names::{ExtraName, PackageName};
use crate::process::ScratchDir;
use crate::project::git::Checkout;
use crate::project::requirements::digest_in_url;
use crate::python::Interpreter;
use crate::redact::recorded_url;
use crate::resolve::local_requirement;
use crate::settings::{BuildSettings, SourcePolicy, UnpinnedPolicy};
use crate::shown::count;
use crate::surroundings::Surroundings;
use crate::target::{Closure, Requirement, RequirementSource, Target};
use crate::urls::path_of_file_url;
use crate::wheel::build::{BuildRequirement, Known, Source};
use crate::wheel::collect::{CollectError, Made, Obtained, Workshop};
use crate::wheel::{BuiltFrom, CollectedWheel, Origin, VerifiedWheel, WheelError, WheelInput, repack, verify_wheels};

use super::chosen::Shelves;
use super::inputs::{Inputs, SourceKind};
use super::locked::Locked;
use super::origins;
use super::pins::{AllowedHashes, Unpinned, check, is_commit};
use super::repositories::{check_out, find_epoch};
use super::workshop::{Commission, build_lock, choose_target, command_for_builds, with_workshop};
use super::{Observer, Stage};

/// How long choosing versions may take.
pub(super) const RESOLVE_TIMEOUT: Duration = Duration::from_mins(10);

/// What is packed, checked.
#[derive(Debug)]
pub struct Collected {
    /// The wheels.
    pub wheels: WheelSet,
    /// Modules that no wheel holds.
    pub loose: Vec<LooseFile>,
    /// The script that was named.
    pub script: Option<ArchivePath>,
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
    /// Requirements that a lock overrides: with them its choice would contradict itself.
    pub overridden: Overridden,
    /// What it runs on.
    pub target: Target,
    /// The time of every entry.
    pub epoch: Epoch,
    /// The inputs, as the recipe has them.
    pub recipe_inputs: Vec<RecipeInput>,
    /// What chose the versions.
    pub resolver: String,
    /// What another day could choose otherwise.
    pub unpinned: Unpinned,
    /// What was built, and with what, by name.
    pub builds: Vec<BuildFacts>,
    /// What evidence tells of origins beyond the manifest.
    pub origins: Origins,
    /// Keeps fetched and built wheels until the archive is written.
    _scratch: ScratchDir,
}

pub(super) fn collect(
    settings: &BuildSettings,
    world: &Surroundings,
    inputs: &Inputs,
    lock: Option<&Lock>,
    interpreter: &Interpreter,
    observer: &dyn Observer,
) -> Result<Collected, Error> {
    let target = choose_target(settings, interpreter)?;
    // A lock that cannot be used is refused before anything is built or fetched.
    if let Some(lock) = lock {
        inputs.check_stated(lock, &target)?;
    }
    let select = |lock| Locked::select(lock, inputs, settings, &target, interpreter, world);
    let locked = lock.map(select).transpose()?;
    let command = command_for_builds(lock);
    let mut sets = locked.as_ref().map(|locked| locked.builds.clone()).unwrap_or_default();
    if settings.chosen.is_some() {
        let more = Shelves::new(settings, world, &inputs.index, interpreter).find_builds(&sets)?;
        sets.extend(more);
    }
    let build_lock = build_lock(&sets, &command, settings.unpinned);
    let scratch = ScratchDir::create(&world.temporary)?;
    let checkouts = check_out(inputs, settings, world, &scratch, observer)?;
    let epoch = find_epoch(inputs, &checkouts, settings, world, observer)?;
    let commission =
        Commission { settings, world, inputs, interpreter, scratch: &scratch, epoch, build_lock, observer };
    let (gathered, settled) = with_workshop(commission, |workshop| {
        let (target, scratch) = (&target, &scratch);
        let collector =
            Collector { settings, world, observer, scratch, target, epoch, workshop, given: Given::default() };
        let mut gathered = collector.gather(inputs, &checkouts)?;
        let requirements = collector.requirements(inputs, &gathered);
        let settled = match &locked {
            Some(locked) => collector.collect_locked(&mut gathered, requirements, locked)?,
            None => collector.collect_resolved(inputs, &mut gathered, requirements)?,
        };
        Ok((gathered, settled))
    })?;
    let Settled { wheels, roots, overridden, resolver } = settled;
    let named = gathered.named.clone();
    let wheels = WheelSet::new(wheels)?;
    let mut builds = gathered.builds;
    builds.retain(|build| wheels.get(&build.name).is_some());
    builds.sort_by(|left, right| left.name.cmp(&right.name));
    let mut unpinned = gathered.unpinned;
    unpinned.distributions.retain(|name| wheels.get(name).is_some());
    let first = gathered.named.first().and_then(|name| wheels.get(name)).filter(|_| gathered.first_is_distribution);
    let known = origins::Known {
        wheels: &wheels,
        roots: &roots,
        builds: &builds,
        given: &gathered.given,
        at_hand: &gathered.sources_at_hand,
        lock: lock.zip(locked.as_ref().map(|locked| locked.selected.as_slice())),
    };
    let origins = known.note();
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
        script: gathered.script,
        name,
        version,
        requires_python,
        named,
        roots,
        overridden,
        target,
        epoch,
        recipe_inputs: gathered.recipe_inputs,
        resolver,
        unpinned,
        builds,
        origins,
        _scratch: scratch,
    })
}

/// A wheel that was built, and what with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildFacts {
    /// The distribution.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// The wheel's file name.
    pub filename: String,
    /// The digest of the wheel as it was packed anew.
    pub sha256: Sha256Digest,
    /// What it was built from, as the manifest has it.
    pub source: String,
    /// The digest of that, where it is a file.
    pub source_sha256: Option<Sha256Digest>,
    /// Whether anything ran for it.
    pub made: Made,
    /// Whether a lock named all that it was built with.
    pub locked: bool,
    /// What it was built with, as far as that is known: nothing is of a wheel that was built elsewhere.
    pub requirements: Vec<BuildRequirement>,
}

/// The wheels that are packed, and why.
pub(super) struct Settled {
    pub(super) wheels: Vec<VerifiedWheel>,
    pub(super) roots: Vec<Requirement>,
    pub(super) overridden: Overridden,
    pub(super) resolver: String,
}

/// What of the inputs is had already, each in their order.
struct Checked<'a> {
    wheels: std::vec::IntoIter<VerifiedWheel>,
    checkouts: std::slice::Iter<'a, Checkout>,
}

/// What the inputs gave by themselves.
#[derive(Default)]
pub(super) struct Gathered {
    /// Wheels that were named or built, checked.
    pub(super) at_hand: Vec<VerifiedWheel>,
    named: Vec<PackageName>,
    loose: Vec<LooseFile>,
    script: Option<ArchivePath>,
    name: String,
    first_is_distribution: bool,
    requires_python: Option<VersionSpecifiers>,
    recipe_inputs: Vec<RecipeInput>,
    pub(super) unpinned: Unpinned,
    pub(super) builds: Vec<BuildFacts>,
    /// The distributions that the inputs are.
    given: BTreeSet<PackageName>,
    /// Sources that a resolver found on this machine.
    pub(super) sources_at_hand: BTreeSet<PackageName>,
}

/// What is needed, once for the resolver and once for following it here.
pub(super) struct Requirements {
    /// Lines for a resolver; they may hold credentials.
    pub(super) lines: Vec<String>,
    pub(super) constraints: Vec<String>,
    pub(super) roots: Vec<Requirement>,
    /// The digests that a file may have, by distribution.
    pub(super) hashes: AllowedHashes,
}

impl Requirements {
    /// What is required and not at hand, for a message.
    pub(super) fn open_requirements(&self, at_hand: &[VerifiedWheel]) -> String {
        let given = |name: &PackageName| at_hand.iter().any(|wheel| wheel.metadata.name == *name);
        let direct = self.roots.iter().filter(|root| !given(&root.name)).map(|root| format!("`{root}`"));
        let required = at_hand.iter().flat_map(|wheel| &wheel.metadata.requires_dist);
        direct.chain(required.map(|text| format!("`{text}`"))).collect::<Vec<_>>().join(", ")
    }
}

pub(super) struct Collector<'a> {
    pub(super) settings: &'a BuildSettings,
    pub(super) world: &'a Surroundings,
    pub(super) observer: &'a dyn Observer,
    pub(super) scratch: &'a ScratchDir,
    pub(super) target: &'a Target,
    pub(super) epoch: Epoch,
    pub(super) workshop: &'a Workshop<'a>,
    pub(super) given: Given<'a>,
}

/// What is said of sources besides what they are themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given<'a> {
    /// The lock that tells by its digest what a source distribution is of.
    pub(super) entries: Option<&'a Lock>,
    /// The project's directory in a source.
    pub(super) subdirectory: Option<&'a Path>,
}

impl Collector<'_> {
    /// Builds and checks what was named.
    pub(super) fn gather(&self, inputs: &Inputs, checkouts: &[Checkout]) -> Result<Gathered, Error> {
        let mut gathered = Gathered { name: inputs.fallback_name(), ..Gathered::default() };
        let wheels = inputs.sources.iter().filter_map(|source| match source {
            SourceKind::Wheel(path) => Some(WheelInput { path: path.clone(), expected: None, origin: Origin::Local }),
            _ => None,
        });
        let wheels: Vec<WheelInput> = wheels.collect();
        if !wheels.is_empty() {
            self.observer.begin(Stage::Verify, &format!("checking {}", count(wheels.len(), "wheel")));
        }
        let mut checked =
            Checked { wheels: verify_wheels(&wheels, &self.settings.limits)?.into_iter(), checkouts: checkouts.iter() };
        for (index, source) in inputs.sources.iter().enumerate() {
            let (name, is_distribution) = self.gather_one(inputs, source, &mut checked, &mut gathered)?;
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
    fn gather_one(
        &self,
        inputs: &Inputs,
        source: &SourceKind,
        checked: &mut Checked<'_>,
        gathered: &mut Gathered,
    ) -> Result<(String, bool), Error> {
        let wheel = match source {
            SourceKind::Requirement(requirement) => {
                gathered.recipe_inputs.push(describe_requirement(requirement)?);
                gathered.named.push(requirement.name.clone());
                return Ok((requirement.name.to_string(), true));
            }
            SourceKind::Script { path, module, script, file } => {
                gathered.recipe_inputs.push(RecipeInput::File(describe_file(path)?));
                gathered.loose.push(file.clone());
                gathered.script.get_or_insert_with(|| file.path.clone());
                gathered.requires_python = gathered.requires_python.take().or_else(|| script.requires_python.clone());
                return Ok((module.clone(), false));
            }
            SourceKind::Modules { module, files, .. } => {
                gathered.recipe_inputs.push(RecipeInput::Requirement(".".to_owned()));
                gathered.loose.extend(files.iter().cloned());
                return Ok((module.clone(), false));
            }
            SourceKind::Wheel(path) => {
                let wheel = checked.wheels.next().expect("every wheel that is named was checked");
                check_file(inputs, path, &wheel.filename.to_string(), wheel.sha256)?;
                let file = RecipeFile { filename: wheel.filename.to_string(), sha256: wheel.sha256 };
                gathered.recipe_inputs.push(RecipeInput::File(file));
                wheel
            }
            SourceKind::Project(project) => {
                self.observer.begin(Stage::Build, &format!("building {}", project.root.display()));
                let source = match self.given.subdirectory {
                    Some(inside) => {
                        let root = project.root.ancestors().nth(inside.components().count()).unwrap_or(&project.root);
                        Source::Directory { root, project: inside }
                    }
                    None => Source::Project(&project.root),
                };
                gathered.recipe_inputs.push(RecipeInput::Requirement(".".to_owned()));
                let from = BuiltFrom { uri: ".".to_owned(), sha256: None };
                self.build(&source, Known::default(), from, gathered)?
            }
            SourceKind::Sdist(path) => {
                let file = describe_file(path)?;
                check_file(inputs, path, &file.filename, file.sha256)?;
                self.observer.begin(Stage::Build, &format!("building {}", file.filename));
                let entry = self.given.entries.map(|lock| find_entry(lock, &file)).transpose()?.flatten();
                let version = entry.and_then(|entry| entry.version.as_ref()).map(ToString::to_string);
                let known = Known { name: entry.map(|entry| &entry.name), version: version.as_deref() };
                let locked = match entry.map(|entry| &entry.source) {
                    Some(LockedSource::Archive { subdirectory, .. }) => subdirectory.as_deref(),
                    _ => None,
                };
                let subdirectory = self.given.subdirectory.or(locked).map(Path::to_owned);
                let source = Source::Sdist { path, sha256: Some(file.sha256), subdirectory };
                let from = BuiltFrom { uri: file.filename.clone(), sha256: Some(file.sha256) };
                gathered.recipe_inputs.push(RecipeInput::File(file));
                self.build(&source, known, from, gathered)?
            }
            SourceKind::Git(git) => {
                let checkout = checked.checkouts.next().expect("every repository that is named was fetched");
                let input = RecipeInput::Git {
                    uri: recorded_url(&git.url),
                    commit: checkout.commit.clone(),
                    subdirectory: git.subdirectory.as_ref().map(|path| path.display().to_string()),
                };
                gathered.recipe_inputs.push(input);
                self.observer.begin(Stage::Build, &format!("building {}", git.url));
                let project = checkout.project.strip_prefix(&checkout.root).unwrap_or(Path::new(""));
                let source = Source::Directory { root: &checkout.root, project };
                if !git.revision.as_deref().is_some_and(is_commit) {
                    gathered.unpinned.repositories.insert(git.url.clone());
                }
                let from = BuiltFrom { uri: git.pinned(&checkout.commit), sha256: None };
                self.build(&source, Known::default(), from, gathered)?
            }
        };
        let name = wheel.metadata.name.clone();
        gathered.named.push(name.clone());
        gathered.given.insert(name.clone());
        gathered.at_hand.push(wheel);
        Ok((name.to_string(), true))
    }

    fn build(
        &self,
        source: &Source<'_>,
        known: Known<'_>,
        from: BuiltFrom,
        gathered: &mut Gathered,
    ) -> Result<VerifiedWheel, Error> {
        self.allow_building(vec![from.uri.clone()])?;
        let built = self.workshop.build(source, known, &[]).map_err(Box::new)?;
        self.take_built(&built, from, gathered)
    }

    /// Refuses to go on where something is not pinned and everything must be.
    pub(super) fn allow_unpinned(&self, unpinned: &Unpinned) -> Result<(), CollectError> {
        match self.settings.unpinned {
            UnpinnedPolicy::Refuse if !unpinned.is_empty() => Err(CollectError::Unpinned(unpinned.to_string())),
            UnpinnedPolicy::Refuse | UnpinnedPolicy::Tell => Ok(()),
        }
    }

    /// Warns of extras that were asked for and that nothing has.
    pub(super) fn tell_unknown_extras(&self, closure: &Closure<'_>) {
        for (name, extra) in &closure.unknown_extras {
            self.observer.warn(&format!("`{name}` has no extra `{extra}`"));
        }
    }

    /// Refuses to go on where these sources must be built and none may be.
    pub(super) fn allow_building(&self, sources: Vec<String>) -> Result<(), CollectError> {
        match self.settings.sources {
            SourcePolicy::Refuse if !sources.is_empty() => Err(CollectError::Unbuilt { sources }),
            SourcePolicy::Refuse | SourcePolicy::Build => Ok(()),
        }
    }

    /// Packs a wheel anew that was built, and keeps what it was built with.
    fn take_built(
        &self,
        built: &CollectedWheel,
        from: BuiltFrom,
        gathered: &mut Gathered,
    ) -> Result<VerifiedWheel, Error> {
        let Obtained::Built { build_requirements, locked, made, path_dependent, .. } = &built.obtained else {
            unreachable!("only what was built is packed anew");
        };
        let filename = &built.filename;
        if let Some(entry) = path_dependent.first() {
            let reason = "its backend wrote the path of the build into";
            self.observer.warn(&format!("`{filename}` depends on TMPDIR: {reason} `{entry}`"));
        }
        match made {
            Made::Now => {}
            Made::Before => self.observer.detail(&format!("`{filename}` was built before: the cache has it")),
            Made::Elsewhere => {
                self.observer.detail(&format!("`{filename}` was built elsewhere, and stands for {}", from.uri));
            }
        }
        gathered.unpinned.add_build_requirements(&built.obtained);
        let directory = self.scratch.subdirectory("canonical")?;
        let (source, source_sha256) = (from.uri.clone(), from.sha256);
        let wheel = repack(&built.path, from, &directory, self.epoch, &self.settings.limits)?;
        gathered.builds.push(BuildFacts {
            name: wheel.metadata.name.clone(),
            version: wheel.metadata.version.to_string(),
            filename: wheel.filename.to_string(),
            sha256: wheel.sha256,
            source,
            source_sha256,
            made: *made,
            locked: *locked,
            requirements: build_requirements.clone(),
        });
        Ok(wheel)
    }

    /// Checks what was fetched, found or built; `given` is the origin of what was not built.
    pub(super) fn check_collected(
        &self,
        collected: Vec<CollectedWheel>,
        hashes: &AllowedHashes,
        given: impl Fn(&Obtained) -> Origin,
        gathered: &mut Gathered,
    ) -> Result<Vec<VerifiedWheel>, Error> {
        self.observer.begin(Stage::Verify, &format!("checking {}", count(collected.len(), "wheel")));
        let mut checked = Vec::new();
        let mut wheel_inputs = Vec::new();
        for wheel in collected {
            let Obtained::Built { source, sha256, .. } = &wheel.obtained else {
                let origin = given(&wheel.obtained);
                wheel_inputs.push(WheelInput { path: wheel.path, expected: wheel.sha256, origin });
                continue;
            };
            match (hashes.of(&wheel.name), *sha256) {
                (Some(allowed), Some(found)) => check(source, allowed, found)?,
                // A directory or a repository has no digest.
                (Some(_), None) => return Err(CollectError::Unhashed(wheel.name.to_string()).into()),
                (None, _) => {}
            }
            let from = BuiltFrom { uri: source.clone(), sha256: *sha256 };
            checked.push(self.take_built(&wheel, from, gathered)?);
        }
        let verified = verify_wheels(&wheel_inputs, &self.settings.limits)?;
        for wheel in &verified {
            if let Some(allowed) = hashes.of(&wheel.metadata.name) {
                check(&wheel.filename.to_string(), allowed, wheel.sha256)?;
            }
        }
        checked.extend(verified);
        Ok(checked)
    }

    /// Everything that is needed, of all inputs.
    fn requirements(&self, inputs: &Inputs, gathered: &Gathered) -> Requirements {
        let mut needed = Requirements {
            lines: Vec::new(),
            constraints: Vec::new(),
            roots: Vec::new(),
            hashes: AllowedHashes::new(inputs.require_hashes),
        };
        for wheel in &gathered.at_hand {
            let extras: Vec<ExtraName> =
                self.settings.extras.iter().filter(|extra| wheel.metadata.extras.contains(extra)).cloned().collect();
            let name = &wheel.metadata.name;
            needed.lines.push(local_requirement(name, &extras, &absolute(&wheel.path)));
            let listed = extras.iter().map(ExtraName::as_str).collect::<Vec<_>>().join(",");
            let root = if listed.is_empty() { name.to_string() } else { format!("{name}[{listed}]") };
            needed.roots.push(root.parse().expect("a name and extras make a requirement"));
        }
        let has = |extra: &ExtraName| gathered.at_hand.iter().any(|wheel| wheel.metadata.extras.contains(extra));
        for extra in self.settings.extras.iter().filter(|extra| !has(extra)) {
            let requirement = inputs.sources.iter().find_map(|source| match source {
                SourceKind::Requirement(requirement) => Some(&requirement.name),
                _ => None,
            });
            // Its extras are known when it is resolved, and written where it is named.
            let advice = requirement.map_or_else(String::new, |name| format!("; for `{name}` write `{name}[{extra}]`"));
            self.observer.warn(&format!("no project or file among the inputs has an extra `{extra}`{advice}"));
        }
        let from_scripts = inputs.sources.iter().flat_map(|source| match source {
            SourceKind::Requirement(requirement) => std::slice::from_ref(requirement.as_ref()),
            SourceKind::Script { script, .. } => &script.dependencies,
            _ => &[],
        });
        let from_files = inputs.requirements_files().flat_map(|file| &file.requirements);
        for hashed in from_files.clone() {
            needed.hashes.allow(&hashed.requirement.name, &hashed.hashes);
        }
        let listed = from_files.map(|hashed| &hashed.requirement);
        for requirement in from_scripts.chain(listed).chain(&inputs.group_requirements) {
            needed.lines.push(requirement.text_with_credentials().to_owned());
            needed.roots.push(requirement.clone());
        }
        if inputs.require_hashes {
            for root in &needed.roots {
                needed.hashes.allow(&root.name, digest_in_url(root).as_slice());
            }
        }
        for constraint in inputs.requirements_files().flat_map(|file| &file.constraints) {
            needed.hashes.restrict(&constraint.requirement.name, &constraint.hashes);
            needed.constraints.push(constraint.requirement.text_with_credentials().to_owned());
        }
        needed
    }
}

/// The entry that a source distribution is of; what a lock names with another digest is refused.
fn find_entry<'l>(lock: &'l Lock, file: &RecipeFile) -> Result<Option<&'l LockedPackage>, Error> {
    let to_build = lock.builds.iter().flat_map(|build| &build.packages).map(|marked| &marked.package);
    let mut entries = lock.packages.iter().chain(to_build);
    if let Some(entry) = entries.clone().find(|entry| entry.digests().contains(&file.sha256)) {
        return Ok(Some(entry));
    }
    match entries.find_map(|entry| entry.digest_of(&file.filename)) {
        Some(expected) => {
            Err(CollectError::WrongHash { file: file.filename.clone(), expected, found: file.sha256 }.into())
        }
        None => Ok(None),
    }
}

/// Refuses a file that a requirements file names with other digests.
fn check_file(inputs: &Inputs, path: &Path, filename: &str, found: Sha256Digest) -> Result<(), Error> {
    let Some(allowed) = inputs.allowed.get(path) else { return Ok(()) };
    Ok(check(filename, allowed, found)?)
}

/// A requirement as the recipe has it: the file that it names by name and digest, everything else without directories
/// and tokens.
fn describe_requirement(requirement: &Requirement) -> Result<RecipeInput, Error> {
    let RequirementSource::Url(url) = &requirement.source else {
        return Ok(RecipeInput::Requirement(requirement.to_string()));
    };
    let url = url.with_credentials();
    let mut shown = recorded_url(url);
    if let Some(path) = path_of_file_url(url).filter(|path| path.is_file()) {
        let file = describe_file(&path)?;
        if requirement.extras.is_empty() && requirement.marker.is_none() {
            return Ok(RecipeInput::File(file));
        }
        shown = format!("file:{}#sha256={}", file.filename, file.sha256);
    }
    let extras = requirement.extras.iter().map(ExtraName::as_str).collect::<Vec<_>>().join(",");
    let extras = if extras.is_empty() { extras } else { format!("[{extras}]") };
    let marker = requirement.marker.as_ref().map(|marker| format!(" ; {marker}")).unwrap_or_default();
    Ok(RecipeInput::Requirement(format!("{}{extras} @ {shown}{marker}", requirement.name)))
}

pub(super) fn describe_file(path: &Path) -> Result<RecipeFile, Error> {
    let filename = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unreadable = |error| WheelError::Unreadable { wheel: path.display().to_string(), error };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let sha256 = Sha256Digest::of_reader(file).map_err(unreadable)?;
    Ok(RecipeFile { filename, sha256 })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_requirements_without_paths_and_tokens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app-1.whl");
        std::fs::write(&path, "x").unwrap();
        let sha256 = Sha256Digest::of(b"x");
        let file = RecipeFile { filename: "app-1.whl".to_owned(), sha256 };
        let url = crate::urls::file_url(&path);
        let described = |text: &str| describe_requirement(&text.parse().unwrap()).unwrap();
        assert_eq!(described(&format!("app @ {url}")), RecipeInput::File(file));
        for (text, kept) in [
            (format!("app[b,a] @ {url}"), format!("app[a,b] @ file:app-1.whl#sha256={sha256}")),
            ("app @ file:///nowhere/prj".to_owned(), "app @ file:prj".to_owned()),
            ("app @ git+file:///nowhere/prj@v1".to_owned(), "app @ git+file:prj@v1".to_owned()),
            ("app @ https://u:p@h/x.whl?X=SECRET".to_owned(), "app @ https://****@h/x.whl".to_owned()),
            ("app==1".to_owned(), "app==1".to_owned()),
        ] {
            assert_eq!(described(&text), RecipeInput::Requirement(kept));
        }
    }
}
