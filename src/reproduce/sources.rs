//! Where the sources of a finished file are here: a directory, or a commit that is cloned. Which directory of a repository is
//! the project is not guessed: where the recipe does not say it, whoever rebuilds has to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::against::{RebuildError, RebuildSettings};
use super::recipe::Repository;
use super::trees::repository_of;
use crate::error::Error;
use crate::evidence::{Claims, Facts};
use crate::names::PackageName;
use crate::pipeline::{SourceError, find_commit};
use crate::process::ScratchDir;
use crate::project::detect::DetectError;
use crate::project::git::GitSource;
use crate::project::sources::list_sources;
use crate::python::environment::resolver_environment;
use crate::redact::redact_url;
use crate::surroundings::Surroundings;
use crate::urls::path_of_file_url;

/// Where the sources are here.
pub(super) struct Sources {
    /// The project's directory.
    pub(super) directory: PathBuf,
    /// Where they were cloned from.
    cloned: Option<GitSource>,
    /// The work tree or repository on this machine that they are in.
    tree: Option<PathBuf>,
    /// The commit that was cloned.
    commit: Option<String>,
}

impl Sources {
    /// The repository that stands for one which only the builder's machine had.
    pub(super) fn repository(&self) -> Option<Repository<'_>> {
        let here = self.tree.as_deref().map(Repository::Here);
        here.or_else(|| self.cloned.as_ref().map(|cloned| Repository::There(&cloned.url)))
    }

    /// The error of a build; where it is that there is no project here, which directory could be meant.
    pub(super) fn explain(&self, error: Error, settings: &RebuildSettings, facts: &Facts) -> RebuildError {
        let Error::Detect(
            DetectError::Nothing { .. } | DetectError::NoScript { .. } | DetectError::SeveralScripts { .. },
        ) = error
        else {
            return error.into();
        };
        let source = settings.source.as_deref().map_or_else(|| ".".into(), redact_url);
        let git = source.starts_with("git+");
        let mut found = self.find_projects(&facts.manifest.name);
        for path in &mut found {
            *path = match (git, source.as_ref()) {
                (true, source) => format!("{source}#subdirectory={path}"),
                (false, ".") => path.clone(),
                (false, source) => format!("{}/{path}", source.trim_end_matches('/')),
            };
        }
        RebuildError::NoProject { source_name: source.into_owned(), found }
    }

    /// The directories below, whose `pyproject.toml` has this name.
    fn find_projects(&self, name: &str) -> Vec<String> {
        let listed = list_sources(&self.directory, None, &BTreeMap::new()).unwrap_or_default();
        let named = |file: &PathBuf| {
            let text = std::fs::read_to_string(self.directory.join(file)).ok()?;
            let table = text.parse::<toml::Table>().ok()?;
            let poetry = || table.get("tool")?.get("poetry")?.as_table();
            let project = table.get("project").and_then(toml::Value::as_table).or_else(poetry)?;
            let found = project.get("name")?.as_str()?.parse::<PackageName>().ok()?;
            (found.to_string() == name).then(|| file.parent().map(|parent| parent.display().to_string()))?
        };
        let files = listed.iter().filter(|file| file.file_name() == Some("pyproject.toml".as_ref()));
        files.filter_map(named).collect()
    }
}

/// Finds what `--source` names, or the working directory.
pub(super) fn find_sources(
    settings: &RebuildSettings,
    world: &Surroundings,
    scratch: &ScratchDir,
) -> Result<Sources, RebuildError> {
    let Some(source) = &settings.source else {
        return Ok(Sources { directory: settings.build.directory.clone(), cloned: None, tree: None, commit: None });
    };
    if !source.starts_with("git+") {
        let directory = settings.build.directory.join(source);
        let directory = directory.components().collect::<PathBuf>();
        if !directory.is_dir() {
            return Err(RebuildError::NoDirectory(source.clone()));
        }
        let tree = Some(repository_of(&directory)).filter(|tree| tree.join(".git").exists());
        return Ok(Sources { directory, cloned: None, tree, commit: None });
    }
    let repository = GitSource::parse(source)?;
    let into = scratch.subdirectory("source")?.join(repository.name());
    let temporary = scratch.subdirectory("git-tmp")?;
    let environment = resolver_environment(world, &temporary, None);
    let git = world.find_program("git");
    let checkout = repository.checkout(git.as_deref(), &into, &environment, settings.build.offline)?;
    let tree = path_of_file_url(&repository.url);
    Ok(Sources { directory: checkout.project, cloned: Some(repository), tree, commit: Some(checkout.commit) })
}

/// The commit of the sources, or why none can be claimed; it has to be the one that the builder claims, where they claim one.
pub(super) fn check_commit(
    settings: &RebuildSettings,
    claimed: Option<&Claims>,
    sources: &Sources,
    world: &Surroundings,
) -> Result<Result<String, String>, RebuildError> {
    let commit = match &sources.commit {
        Some(commit) => Ok(commit.clone()),
        None => find_commit(&sources.directory, world).map_err(|error: SourceError| error.to_string()),
    };
    let expected = claimed.iter().flat_map(|claims| &claims.commits).next();
    match (expected, &settings.bundle) {
        (Some(expected), Some(path)) if commit.as_ref() != Ok(expected) => Err(RebuildError::OtherCommit {
            path: path.display().to_string(),
            expected: expected.clone(),
            directory: settings.source.clone().unwrap_or_else(|| ".".to_owned()),
            found: match commit {
                Ok(found) => found,
                Err(reason) => format!("none: {reason}"),
            },
        }),
        _ => Ok(commit),
    }
}
