//! The first stage: what the user names, read from disk, before anything runs.

mod directories;
mod locks;
mod requirements;

use std::collections::BTreeMap;
use std::path::PathBuf;

use pep440_rs::VersionSpecifiers;

use crate::application::{EntryChoice, LooseFile};
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::project::detect::script_locks;
use crate::project::input::Input;
use crate::project::loose::loose_file;
use crate::project::pyproject::{Project, has_packaging_metadata};
use crate::project::requirements::RequirementsFile;
use crate::project::script::Script;
use crate::python::{Interpreter, find};
use crate::resolve::IndexOptions;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::target::Requirement;

pub use locks::FoundLock;
pub(super) use requirements::DirectRequirements;

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
    /// The lock that is named: none that is found counts beside it.
    named_lock: Option<PathBuf>,
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

/// What inputs are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Build,
    Lock,
    Wheel,
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

    /// Reads what `settings` name to build its wheels: a directory is a project, whatever lies in it.
    ///
    /// # Errors
    /// When something is not there, or is nothing that can be packed.
    pub fn read_to_build_wheels(settings: &BuildSettings, world: &Surroundings) -> Result<Self, Error> {
        Self::read_for(Purpose::Wheel, settings, world)
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
            named_lock: None,
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
                if self.named_lock.is_none() {
                    let found = script_locks(&path).into_iter();
                    self.locks.extend(found.map(|lock| (lock, "found beside the script".to_owned())));
                }
                SourceKind::Script { path, module, script: Box::new(script), file }
            }
        };
        self.sources.push(source);
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
        let directories = world.search_path();
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
}
