//! The first stage: what the user names, read from disk, before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use crate::application::{EntryChoice, LooseFile};
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::{Context, Lock};
use crate::names::{ExtraName, PackageName};
use crate::project::input::{Input, InputError};
use crate::project::loose::{collect_module, loose_file};
use crate::project::pyproject::{Project, has_packaging_metadata};
use crate::project::requirements::{HashedInput, RequirementsFile};
use crate::project::script::Script;
use crate::python::{Interpreter, find};
use crate::redact::redact_url;
use crate::resolve::IndexOptions;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::target::{Requirement, WheelFilename};
use crate::urls;

use super::lock::find_staleness;

/// Everything that is to be packed, as far as reading files tells.
#[derive(Debug)]
pub struct Inputs {
    /// What was named, in order.
    pub sources: Vec<SourceKind>,
    /// The requirements files.
    pub files: Vec<(PathBuf, RequirementsFile)>,
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
        /// The top-level module.
        module: String,
        /// Its files.
        files: Vec<LooseFile>,
    },
}

impl Inputs {
    /// Reads what `settings` name.
    ///
    /// # Errors
    /// When something is not there, or is nothing that can be packed.
    pub fn read(settings: &BuildSettings) -> Result<Self, Error> {
        Self::read_for(settings, |file| may_be_started(settings, file))
    }

    /// Reads what `settings` name to lock it: nothing of it has to be what is started.
    ///
    /// # Errors
    /// When something is not there, or is nothing that can be packed.
    pub fn read_to_lock(settings: &BuildSettings) -> Result<Self, Error> {
        Self::read_for(settings, |_| true)
    }

    fn read_for(settings: &BuildSettings, suffices: impl Fn(&RequirementsFile) -> bool) -> Result<Self, Error> {
        let directory = settings.directory.as_path();
        let mut files = Vec::new();
        for name in &settings.requirement_files {
            let path = directory.join(name);
            files.push((path.clone(), RequirementsFile::read(&path)?));
        }
        let require_hashes = files.iter().any(|(_, file)| file.require_hashes);
        if require_hashes {
            files.iter().try_for_each(|(_, file)| file.check_all_hashed())?;
        }
        let index = index_options(settings, &files)?;
        let mut allowed = BTreeMap::new();
        let mut sources = Vec::new();
        for text in &settings.inputs {
            sources.push(SourceKind::read(Input::parse(text, directory)?)?);
        }
        if settings.inputs.is_empty() {
            match default_source(settings, directory) {
                Ok(source) => sources.push(source),
                // What the requirements files name can be started instead.
                Err(Error::Input(InputError::NothingToStart(_) | InputError::NoModule { .. }))
                    if files.iter().any(|(_, file)| suffices(file)) => {}
                Err(error) => return Err(error),
            }
        }
        for (_, file) in &files {
            for HashedInput { text, hashes } in &file.inputs {
                let input = Input::parse(text, directory)?;
                match &input {
                    _ if hashes.is_empty() => {}
                    Input::Wheel(path) | Input::Sdist(path) => {
                        allowed.entry(path.clone()).or_insert_with(Vec::new).extend(hashes);
                    }
                    _ => return Err(InputError::Hashes(text.clone()).into()),
                }
                sources.push(SourceKind::read(input)?);
            }
        }
        let mut group_requirements = Vec::new();
        if !settings.groups.is_empty() {
            let project = sources.iter().find_map(|source| match source {
                SourceKind::Project(project) => Some(project),
                _ => None,
            });
            let project = project.ok_or(InputError::GroupsWithoutProject)?;
            for group in &settings.groups {
                group_requirements.extend(project.group(group)?);
            }
        }
        Ok(Self { sources, files, group_requirements, index, allowed, require_hashes })
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
    pub fn fallback_name(&self, settings: &BuildSettings) -> String {
        match &settings.entry {
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
    pub fn read_lock(&self, settings: &BuildSettings) -> Result<Option<FoundLock>, Error> {
        let Some(path) = &settings.lock else { return Ok(None) };
        let project = self.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(project),
            _ => None,
        });
        let table = project.and_then(|project| project.pyproject.as_ref()?.project.as_ref());
        let name = table.and_then(|table| table.name.parse().ok());
        let context = Context { project: project.map(|project| project.root.as_path()), name: name.as_ref() };
        let lock = Lock::read(&settings.directory.join(path), context).map_err(Box::new)?;
        if let Some(reason) = find_staleness(self, &lock)? {
            return Err(Box::new(lock.stale(reason)).into());
        }
        Ok(Some(FoundLock { lock, why: "named with --lock".to_owned() }))
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
        for (path, file) in &self.files {
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

/// Index options of the settings and of the requirements files; every directory among them is there.
fn index_options(settings: &BuildSettings, files: &[(PathBuf, RequirementsFile)]) -> Result<IndexOptions, InputError> {
    let mut index = settings.index.clone();
    for (_, file) in files {
        let RequirementsFile { index_url, extra_index_urls, find_links, no_index, .. } = file;
        index.index_url = index.index_url.or_else(|| index_url.clone());
        index.extra_index_urls.extend(extra_index_urls.iter().cloned());
        index.find_links.extend(find_links.iter().map(PathBuf::from));
        index.no_index |= no_index;
    }
    for place in &mut index.find_links {
        let text = place.to_string_lossy().into_owned();
        let path = urls::path_of_file_url(&text).unwrap_or_else(|| place.clone());
        if text.contains("://") && path == *place {
            return Err(InputError::FindLinksUrl(redact_url(&text).into_owned()));
        }
        *place = settings.directory.join(path);
        if !place.is_dir() {
            return Err(InputError::FindLinks(text));
        }
    }
    Ok(index)
}

/// What is packed when nothing is named: the project in this directory, else the modules that the entry point names.
fn default_source(settings: &BuildSettings, directory: &Path) -> Result<SourceKind, Error> {
    if settings.requirement_files.is_empty() || has_packaging_metadata(directory) {
        return Ok(SourceKind::Project(Box::new(Project::read(directory)?)));
    }
    match &settings.entry {
        EntryChoice::Object(object) => {
            let module = object.module.split('.').next().unwrap_or(&object.module).to_owned();
            Ok(SourceKind::Modules { files: collect_module(directory, &module)?, module })
        }
        _ => Err(InputError::NothingToStart(directory.display().to_string()).into()),
    }
}

impl SourceKind {
    fn read(input: Input) -> Result<Self, Error> {
        Ok(match input {
            Input::Directory(path) => Self::Project(Box::new(Project::read(&path)?)),
            Input::Wheel(path) => Self::Wheel(path),
            Input::Sdist(path) => Self::Sdist(path),
            Input::Git(source) => Self::Git(source),
            Input::Requirement(requirement) => Self::Requirement(requirement),
            Input::Script(path) => {
                let script = Script::read(&path)?;
                let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let file = loose_file(&path, format!("{module}.py"), script.bytes.clone())?;
                Self::Script { path, module, script: Box::new(script), file }
            }
        })
    }
}
