//! The first stage: what the user names, read from disk, before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use crate::application::{EntryChoice, LooseFile};
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::{Context, Lock, LockFormat, check_agreement};
use crate::names::{ExtraName, PackageName};
use crate::project::detect::{DetectError, Detected, Kind, Named, Role, Stated, detect, script_lock};
use crate::project::input::{Input, InputError};
use crate::project::loose::{LooseApplication, collect_application, collect_module, loose_file};
use crate::project::pipfile::read_pipfile;
use crate::project::pyproject::{Project, has_packaging_metadata};
use crate::project::requirements::{HashedInput, RequirementsFile};
use crate::project::script::Script;
use crate::project::sources::list_sources;
use crate::python::environment::resolver_environment;
use crate::python::{Interpreter, find};
use crate::redact::redact_url;
use crate::resolve::IndexOptions;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::target::{Requirement, Target, WheelFilename};
use crate::urls;
use crate::wheel::ObjectReference;
use crate::wheel::build_error::BuildError;

use super::lock::find_staleness;

/// Everything that is to be packed, as far as reading files tells.
#[derive(Debug)]
pub struct Inputs {
    /// What was named, in order.
    pub sources: Vec<SourceKind>,
    /// The requirements files that were named.
    pub files: Vec<(PathBuf, RequirementsFile)>,
    /// Those that lie in a directory which is packed, and say what it needs.
    pub detected_files: Vec<(PathBuf, RequirementsFile)>,
    /// What is started, as far as it is asked for or known by convention.
    pub entry: EntryChoice,
    /// What was decided by convention, and why: a clause each.
    pub reasons: Vec<String>,
    purpose: Purpose,
    /// The locks that could be meant, each with why.
    locks: Vec<(PathBuf, String)>,
    /// What states requirements beside a lock, and has to agree with it.
    stated: Vec<PathBuf>,
    /// Requirements of dependency groups.
    pub group_requirements: Vec<Requirement>,
    /// Where distributions are looked for: what the settings say and all requirements files.
    pub index: IndexOptions,
    /// The digests that files may have of which a requirements file gives some.
    pub allowed: BTreeMap<PathBuf, Vec<Sha256Digest>>,
    /// Whether every distribution that is chosen needs a hash in a requirements file.
    pub require_hashes: bool,
}

/// What the inputs themselves require.
pub(super) struct DirectRequirements {
    /// The distributions that the inputs are.
    pub(super) given: BTreeSet<PackageName>,
    /// Requirements, each with what has it.
    pub(super) required: Vec<(String, Requirement)>,
}

/// The lock that a build follows.
#[derive(Debug)]
pub struct FoundLock {
    /// The lock, read.
    pub lock: Lock,
    /// Why this one.
    pub why: String,
}

/// What inputs are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Build,
    Lock,
}

/// One input, read.
#[derive(Debug)]
pub enum SourceKind {
    /// A project that is built.
    Project(Box<Project>),
    /// A wheel.
    Wheel(PathBuf),
    /// A source distribution that is built.
    Sdist(PathBuf),
    /// A repository that is cloned and built.
    Git(crate::project::git::GitSource),
    /// A distribution by name.
    Requirement(Box<Requirement>),
    /// A script, packed as it is.
    Script {
        /// Its file.
        path: PathBuf,
        /// The module that it becomes: its stem.
        module: String,
        /// What it needs.
        script: Box<Script>,
        /// Itself.
        file: LooseFile,
    },
    /// Modules without packaging metadata, packed as they are.
    Modules {
        /// The directory.
        root: PathBuf,
        /// The top-level module that is started.
        module: String,
        /// Its files.
        files: Vec<LooseFile>,
    },
}

impl Inputs {
    /// Reads what `settings` name, and what lies there by convention.
    ///
    /// # Errors
    /// When something is not there, or is nothing that can be packed, or could be several things.
    pub fn read(settings: &BuildSettings, world: &Surroundings) -> Result<Self, Error> {
        Self::read_for(Purpose::Build, settings, world)
    }

    /// Reads what `settings` name to lock it: nothing of it has to be what is started, and no lock counts.
    ///
    /// # Errors
    /// When something is not there, or is nothing that can be packed.
    pub fn read_to_lock(settings: &BuildSettings, world: &Surroundings) -> Result<Self, Error> {
        Self::read_for(Purpose::Lock, settings, world)
    }

    fn read_for(purpose: Purpose, settings: &BuildSettings, world: &Surroundings) -> Result<Self, Error> {
        let directory = settings.directory.as_path();
        let mut inputs = Self {
            purpose,
            sources: Vec::new(),
            files: Vec::new(),
            detected_files: Vec::new(),
            entry: settings.entry.clone(),
            reasons: Vec::new(),
            locks: Vec::new(),
            stated: Vec::new(),
            group_requirements: Vec::new(),
            index: settings.index.clone(),
            allowed: BTreeMap::new(),
            require_hashes: false,
        };
        for name in &settings.requirement_files {
            let path = directory.join(name);
            inputs.files.push((path.clone(), RequirementsFile::read(&path)?));
        }
        inputs.name_lock(settings);
        for text in &settings.inputs {
            let input = Input::parse(text, directory)?;
            inputs.add(input, settings, world)?;
        }
        if settings.inputs.is_empty() {
            inputs.add_default(settings, world)?;
        }
        inputs.add_files_of_files(settings, world)?;
        inputs.read_index_options(settings)?;
        if !settings.groups.is_empty() && (purpose == Purpose::Lock || inputs.locks.is_empty()) {
            inputs.read_groups(settings)?;
        }
        Ok(inputs)
    }

    /// Takes the lock that is named: with `--lock`, or as the only requirements file where that leaves nothing open.
    fn name_lock(&mut self, settings: &BuildSettings) {
        if let Some(path) = &settings.lock {
            self.locks.push((settings.directory.join(path), "named with --lock".to_owned()));
        } else if let [(path, file)] = self.files.as_slice()
            && file.is_complete()
        {
            self.locks.push((path.clone(), "everything in it is pinned and has a hash".to_owned()));
        }
    }

    fn add(&mut self, input: Input, settings: &BuildSettings, world: &Surroundings) -> Result<(), Error> {
        let source = match input {
            Input::Directory(path) => return self.add_directory(&path, settings, world),
            Input::Wheel(path) => SourceKind::Wheel(path),
            Input::Sdist(path) => SourceKind::Sdist(path),
            Input::Git(source) => SourceKind::Git(source),
            Input::Requirement(requirement) => SourceKind::Requirement(requirement),
            Input::Script(path) => {
                let script = Script::read(&path)?;
                let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let file = loose_file(&path, format!("{module}.py"), script.bytes.clone())?;
                if let (Some(lock), true) = (script_lock(&path), self.locks.is_empty()) {
                    self.locks.push((lock, "found beside the script".to_owned()));
                }
                SourceKind::Script { path, module, script: Box::new(script), file }
            }
        };
        self.sources.push(source);
        Ok(())
    }

    /// Takes in a directory: a project, or an application without packaging metadata.
    fn add_directory(&mut self, root: &Path, settings: &BuildSettings, world: &Surroundings) -> Result<(), Error> {
        if self.purpose == Purpose::Lock {
            return self.add_directory_to_lock(root);
        }
        let module = match &settings.entry {
            EntryChoice::Object(object) => object.module.split('.').next(),
            EntryChoice::ConsoleScript(_) | EntryChoice::OnlyScript => None,
        };
        let named = Named {
            lock: self.locks.first().map(|(path, _)| path.as_path()),
            requirements: &settings.requirement_files,
            module,
        };
        let Detected { kind, lock, stated, reasons } = detect(root, named)?;
        if let Some(lock) = lock.filter(|lock| self.locks.iter().all(|(known, _)| known != lock)) {
            let why = if lock.parent() == Some(root) { "found in the directory" } else { "found in its workspace" };
            self.locks.push((lock, why.to_owned()));
        }
        self.reasons.extend(reasons);
        for Stated { path, role } in stated.into_iter().filter(|_| settings.requirement_files.is_empty()) {
            match role {
                Role::Compared => self.stated.push(path),
                Role::Followed => {
                    let file = RequirementsFile::read(&path)?;
                    self.detected_files.push((path, file));
                }
            }
        }
        self.sources.push(match kind {
            Kind::Project => SourceKind::Project(Box::new(Project::read(root)?)),
            Kind::Application { module } => {
                let environment = resolver_environment(world, &world.temporary, None);
                let git = world.find_program("git");
                let sources =
                    list_sources(root, git.as_deref(), &environment).map_err(BuildError::from).map_err(Box::new)?;
                let LooseApplication { files, left_out } = collect_application(root, &module, &sources)?;
                if !left_out.is_empty() {
                    self.reasons.push(format!("not packed, as nothing imports it: {}", left_out.join(", ")));
                }
                if self.sources.is_empty() && matches!(self.entry, EntryChoice::OnlyScript) {
                    self.entry = EntryChoice::Object(ObjectReference { module: module.clone(), attribute: None });
                }
                SourceKind::Modules { root: root.to_owned(), module, files }
            }
        });
        Ok(())
    }

    /// Takes in what a directory needs: a project's own metadata say it, else its requirements file.
    fn add_directory_to_lock(&mut self, root: &Path) -> Result<(), Error> {
        let requirements = root.join("requirements.txt");
        if has_packaging_metadata(root) || !requirements.is_file() {
            self.sources.push(SourceKind::Project(Box::new(Project::read(root)?)));
        } else {
            let file = RequirementsFile::read(&requirements)?;
            self.detected_files.push((requirements, file));
        }
        Ok(())
    }

    /// What is packed when nothing is named: the directory here; with requirements files and without packaging metadata
    /// exactly the modules that the entry point names, if it is one of them.
    fn add_default(&mut self, settings: &BuildSettings, world: &Surroundings) -> Result<(), Error> {
        let directory = settings.directory.as_path();
        if self.files.is_empty() || has_packaging_metadata(directory) {
            return self.add_directory(directory, settings, world);
        }
        if self.purpose == Purpose::Lock {
            return Ok(());
        }
        let found = match &settings.entry {
            EntryChoice::Object(object) => {
                let module = object.module.split('.').next().unwrap_or(&object.module).to_owned();
                collect_module(directory, &module).map(|files| (module, files))
            }
            _ => Err(InputError::NothingToStart(directory.display().to_string())),
        };
        match found {
            Ok((module, files)) => {
                self.sources.push(SourceKind::Modules { root: directory.to_owned(), module, files });
            }
            // What the requirements files name can be started instead.
            Err(_) if self.files.iter().any(|(_, file)| may_be_started(settings, file)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes in the files and directories that requirements files name.
    fn add_files_of_files(&mut self, settings: &BuildSettings, world: &Surroundings) -> Result<(), Error> {
        let require_hashes = self.requirements_files().any(|file| file.require_hashes);
        self.require_hashes = require_hashes;
        if self.require_hashes {
            self.requirements_files().try_for_each(RequirementsFile::check_all_hashed)?;
        }
        let named: Vec<HashedInput> = self.requirements_files().flat_map(|file| file.inputs.iter().cloned()).collect();
        for HashedInput { text, hashes } in named {
            let input = Input::parse(&text, &settings.directory)?;
            match &input {
                _ if hashes.is_empty() => {}
                Input::Wheel(path) | Input::Sdist(path) => {
                    self.allowed.entry(path.clone()).or_default().extend(hashes);
                }
                _ => return Err(InputError::Hashes(text).into()),
            }
            self.add(input, settings, world)?;
        }
        Ok(())
    }

    /// The requirements files that are followed: those that were named, and those that lie there by convention.
    pub(super) fn requirements_files(&self) -> impl Iterator<Item = &RequirementsFile> + Clone {
        self.files.iter().chain(&self.detected_files).map(|(_, file)| file)
    }

    /// Adds the index options of requirements files, one that is the lock included; every directory among them is there.
    fn read_index_options(&mut self, settings: &BuildSettings) -> Result<(), Error> {
        let known = |path: &Path| self.files.iter().chain(&self.detected_files).any(|(other, _)| other == path);
        let is_requirements = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.and_then(LockFormat::of_name) == Some(LockFormat::Requirements)
        };
        let lock = self.locks.first().map(|(path, _)| path);
        let lock = lock.filter(|path| !known(path) && is_requirements(path) && path.is_file());
        // What is wrong with it is told where it is read as a lock.
        let lock = lock.and_then(|path| RequirementsFile::read(path).ok());
        let mut index = std::mem::take(&mut self.index);
        for RequirementsFile { index_url, extra_index_urls, find_links, no_index, .. } in
            self.requirements_files().chain(&lock)
        {
            index.index_url = index.index_url.or_else(|| index_url.clone());
            index.extra_index_urls.extend(extra_index_urls.iter().cloned());
            index.find_links.extend(find_links.iter().map(PathBuf::from));
            index.no_index |= no_index;
        }
        for url in index.index_url.iter().chain(&index.extra_index_urls) {
            // A path is left to those who resolve.
            let is_url = url.split_once(':').is_some_and(|(scheme, _)| scheme.len() > 1 && !scheme.contains('/'));
            let known = urls::scheme(url).is_some_and(|scheme| ["http", "https", "file"].contains(&scheme.as_str()));
            if is_url && !known || url.contains(char::is_control) {
                return Err(InputError::IndexUrl(redact_url(url).into_owned()).into());
            }
        }
        for place in &mut index.find_links {
            let text = place.to_string_lossy().into_owned();
            let path = urls::path_of_file_url(&text).unwrap_or_else(|| place.clone());
            if text.contains("://") && path == *place {
                return Err(InputError::FindLinksUrl(redact_url(&text).into_owned()).into());
            }
            *place = settings.directory.join(path);
            if !place.is_dir() {
                return Err(InputError::FindLinks(text).into());
            }
        }
        self.index = index;
        Ok(())
    }

    fn read_groups(&mut self, settings: &BuildSettings) -> Result<(), Error> {
        let project = self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(project),
            _ => None,
        });
        let project = project.ok_or(InputError::GroupsWithoutProject)?;
        for group in &settings.groups {
            self.group_requirements.extend(project.group(group)?);
        }
        Ok(())
    }

    /// The demand on Python's version of the first input, as far as it is known before anything is built.
    fn requires_python(&self) -> Option<VersionSpecifiers> {
        match self.sources.first()? {
            SourceKind::Project(project) => project.pyproject.as_ref()?.project.as_ref()?.requires_python.clone(),
            SourceKind::Script { script, .. } => script.requires_python.clone(),
            _ => None,
        }
    }

    /// What the application is called where no input gives it a name: after the entry point.
    pub fn fallback_name(&self) -> String {
        match &self.entry {
            EntryChoice::ConsoleScript(name) => name.clone(),
            EntryChoice::Object(object) => object.module.split('.').next().unwrap_or(&object.module).to_owned(),
            EntryChoice::OnlyScript => String::new(),
        }
    }

    /// Finds the interpreter to resolve and build with. One for another target need not be one that the inputs run on.
    ///
    /// # Errors
    /// When there is none.
    pub fn find_interpreter(&self, settings: &BuildSettings, world: &Surroundings) -> Result<Interpreter, Error> {
        let path = world.variable("PATH").unwrap_or_default();
        let directories: Vec<PathBuf> = std::env::split_paths(path).filter(|path| path.is_absolute()).collect();
        let requires = if settings.target_python.is_none() { self.requires_python() } else { None };
        Ok(find(settings.python.as_ref(), &directories, requires.as_ref(), &world.environment)?)
    }

    /// Distributions that were named as a directory here is called: a name without `/` never means a directory.
    pub fn mistakable_names(&self, settings: &BuildSettings) -> Vec<String> {
        let names = self.sources.iter().filter_map(|source| match source {
            SourceKind::Requirement(requirement) => Some(requirement.to_string()),
            _ => None,
        });
        names.filter(|name| has_packaging_metadata(&settings.directory.join(name))).collect()
    }

    /// The lock that says which versions are packed; none where nothing pins them.
    ///
    /// # Errors
    /// When it cannot be read or trusted.
    pub fn read_lock(&self) -> Result<Option<FoundLock>, Error> {
        let (path, why) = match self.locks.as_slice() {
            [] => return Ok(None),
            [only] => only,
            several => {
                let paths = several.iter().map(|(path, _)| path.clone()).collect();
                return Err(DetectError::SeveralLocks(paths).into());
            }
        };
        let root = self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(&project.root),
            SourceKind::Modules { root, .. } => Some(root),
            _ => None,
        });
        let table = self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => project.pyproject.as_ref()?.project.as_ref(),
            _ => None,
        });
        let name = table.and_then(|table| table.name.parse().ok());
        let context = Context { project: root.map(PathBuf::as_path), name: name.as_ref() };
        let lock = Lock::read(path, context).map_err(Box::new)?;
        if let Some(reason) = find_staleness(self, &lock)? {
            return Err(Box::new(lock.stale(reason)).into());
        }
        Ok(Some(FoundLock { lock, why: why.clone() }))
    }

    /// Refuses a lock that something beside it contradicts.
    pub(super) fn check_stated(&self, lock: &Lock, target: &Target) -> Result<(), Error> {
        for path in &self.stated {
            let is_pipfile = path.file_name().is_some_and(|name| name == "Pipfile");
            let file = if is_pipfile { read_pipfile(path)? } else { RequirementsFile::read(path)? };
            check_agreement(lock, path, &file, target)?;
        }
        Ok(())
    }

    /// What the inputs themselves require; none where that is known only when something is built.
    pub(super) fn direct_requirements(&self, settings: &BuildSettings) -> Option<DirectRequirements> {
        let mut given = BTreeSet::new();
        let mut required: Vec<(String, Requirement)> = Vec::new();
        for source in &self.sources {
            match source {
                SourceKind::Project(project) => {
                    let table = project.pyproject.as_ref()?.project.as_ref()?;
                    given.insert(table.name.parse().ok()?);
                    let is_dynamic = |field: &str| table.dynamic.iter().flatten().any(|name| name == field);
                    if is_dynamic("dependencies") || is_dynamic("optional-dependencies") {
                        return None;
                    }
                    let optional = table.optional_dependencies.iter().flatten().filter_map(|(extra, requirements)| {
                        let extra: ExtraName = extra.parse().ok()?;
                        settings.extras.contains(&extra).then_some(requirements)
                    });
                    for requirement in table.dependencies.iter().flatten().chain(optional.flatten()) {
                        required.push(("pyproject.toml".to_owned(), requirement.to_string().parse().ok()?));
                    }
                }
                SourceKind::Wheel(path) => {
                    let name: WheelFilename = path.file_name()?.to_str()?.parse().ok()?;
                    given.insert(name.name);
                }
                SourceKind::Sdist(_) | SourceKind::Git(_) => return None,
                SourceKind::Requirement(requirement) => {
                    required.push(("an input".to_owned(), requirement.as_ref().clone()));
                }
                SourceKind::Script { module, script, .. } => {
                    let dependencies = script.dependencies.iter();
                    required.extend(dependencies.map(|requirement| (format!("{module}.py"), requirement.clone())));
                }
                SourceKind::Modules { .. } => {}
            }
        }
        for (path, file) in self.files.iter().chain(&self.detected_files) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let listed = file.requirements.iter().map(|hashed| (name.clone().into_owned(), hashed.requirement.clone()));
            required.extend(listed);
        }
        let groups = self.group_requirements.iter();
        required.extend(groups.map(|requirement| ("a dependency group".to_owned(), requirement.clone())));
        Some(DirectRequirements { given, required })
    }
}

/// Whether a requirements file can bring what is started: a project or a file that it names, or where an entry point is
/// named, a distribution.
fn may_be_started(settings: &BuildSettings, file: &RequirementsFile) -> bool {
    let named = !matches!(settings.entry, EntryChoice::OnlyScript);
    !file.inputs.is_empty() || (named && !file.requirements.is_empty())
}
