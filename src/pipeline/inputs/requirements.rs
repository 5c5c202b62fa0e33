//! What requirements files and groups add to the inputs, and all that these require by themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lock::LockFormat;
use crate::names::{ExtraName, PackageName};
use crate::project::input::{Input, InputError};
use crate::project::requirements::{HashedInput, RequirementsFile};
use crate::redact::redact_url;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::target::{Requirement, WheelFilename};
use crate::urls;

use super::{Inputs, SourceKind};

/// What the inputs themselves require.
pub(in crate::pipeline) struct DirectRequirements {
    /// The distributions that the inputs are.
    pub(in crate::pipeline) given: BTreeSet<PackageName>,
    /// Requirements, each with what has it.
    pub(in crate::pipeline) required: Vec<(String, Requirement)>,
}

impl Inputs {
    /// Takes in the files and directories that requirements files name.
    pub(super) fn add_files_of_files(&mut self, settings: &BuildSettings, world: &Surroundings) -> Result<(), Error> {
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
    pub(in crate::pipeline) fn requirements_files(&self) -> impl Iterator<Item = &RequirementsFile> + Clone {
        self.files.iter().chain(&self.detected_files).map(|(_, file)| file)
    }

    /// Adds the index options of requirements files, one that is the lock included; every directory among them is there.
    pub(super) fn read_index_options(&mut self, settings: &BuildSettings) -> Result<(), Error> {
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

    pub(super) fn read_groups(&mut self, settings: &BuildSettings) -> Result<(), Error> {
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

    /// What the inputs themselves require; none where that is known only when something is built.
    pub(in crate::pipeline) fn direct_requirements(&self, settings: &BuildSettings) -> Option<DirectRequirements> {
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
