//! What a directory is packed as: a project, or an application without packaging metadata.

use std::path::Path;

use crate::application::EntryChoice;
use crate::error::Error;
use crate::project::detect::{Detected, Kind, Named, Role, Stated, detect};
use crate::project::input::InputError;
use crate::project::loose::{LooseApplication, collect_application, collect_module};
use crate::project::pyproject::{Project, has_packaging_metadata};
use crate::project::requirements::RequirementsFile;
use crate::project::sources::list_sources;
use crate::python::environment::resolver_environment;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::wheel::ObjectReference;
use crate::wheel::build_error::BuildError;

use super::{Inputs, Purpose, SourceKind};

impl Inputs {
    /// Takes in a directory: a project, or an application without packaging metadata.
    pub(super) fn add_directory(
        &mut self,
        root: &Path,
        settings: &BuildSettings,
        world: &Surroundings,
    ) -> Result<(), Error> {
        match self.purpose {
            Purpose::Build => {}
            Purpose::Lock => return self.add_directory_to_lock(root),
            Purpose::Wheel => {
                self.sources.push(SourceKind::Project(Box::new(Project::read(root)?)));
                return Ok(());
            }
        }
        let module = match &settings.entry {
            EntryChoice::Object(object) => object.module.split('.').next(),
            EntryChoice::ConsoleScript(_) | EntryChoice::OnlyScript => None,
        };
        let named = Named { lock: self.named_lock.as_deref(), requirements: &settings.requirement_files, module };
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
    pub(super) fn add_default(&mut self, settings: &BuildSettings, world: &Surroundings) -> Result<(), Error> {
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
}

/// Whether a requirements file can bring what is started: a project or a file that it names, or where an entry point is
/// named, a distribution.
fn may_be_started(settings: &BuildSettings, file: &RequirementsFile) -> bool {
    let named = !matches!(settings.entry, EntryChoice::OnlyScript);
    !file.inputs.is_empty() || (named && !file.requirements.is_empty())
}
