//! From a manifest to the build that makes its file again. What the recipe does not say is not guessed: files are found by
//! name and digest, distributions as they were chosen, and what only the builder's machine had is asked for.

use std::path::{Path, PathBuf};

use super::against::RebuildError;
use crate::application::{Compression, ConflictPolicy, EntryChoice, LayoutChoice};
use crate::archive::{Epoch, Shebang};
use crate::bytecode::BytecodeVersions;
use crate::digest::Sha256Digest;
use crate::evidence::{Facts, Manifest, ManifestWheel, OriginNote, Provider, Recipe, RecipeFile, RecipeInput};
use crate::project::clamp::make_link;
use crate::project::pyproject::read_settings;
use crate::project::script::Script;
use crate::project::sources::list_sources;
use crate::runtime::Reach;
use crate::settings::{BuildSettings, Chosen, ChosenBuild, ChosenFile, ChosenPlace, EpochChoice, UnpinnedPolicy};
use crate::target::PythonMinor;
use crate::urls::file_url;

/// Where the sources of a file are, as far as they are here.
pub(super) struct Place<'a> {
    /// The project's directory, or the one that holds the lock and the files that were named.
    pub(super) directory: &'a Path,
    /// The repository that stands for one which only the builder's machine had.
    pub(super) repository: Option<Repository<'a>>,
    /// An empty directory, where a repository gets the name that the builder's had.
    pub(super) links: &'a Path,
}

/// Where a repository is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Repository<'a> {
    /// On this machine.
    Here(&'a Path),
    /// At a URL.
    There(&'a str),
}

/// The settings of the build that makes the file again; `given` say where distributions are looked for, with what limits.
///
/// # Errors
/// Something that the recipe names is not here, or the recipe does not say what it was.
pub(super) fn settings_for(
    facts: &Facts,
    place: &Place<'_>,
    given: &BuildSettings,
) -> Result<BuildSettings, RebuildError> {
    let Manifest { recipe, epoch, .. } = &facts.manifest;
    let mut settings = given.clone();
    place.directory.clone_into(&mut settings.directory);
    settings.index.find_links = given.index.find_links.iter().map(|path| given.directory.join(path)).collect();
    read_inputs(recipe, place, &mut settings)?;
    settings.lock = recipe.lock.as_ref().map(|lock| find_file(lock, place, &settings)).transpose()?;
    settings.entry = match (&recipe.console_script, &recipe.entry_point) {
        (Some(script), _) => EntryChoice::ConsoleScript(script.clone()),
        (None, Some(object)) => EntryChoice::Object(object.parse().map_err(|_| unknown("entry point", object))?),
        (None, None) => EntryChoice::OnlyScript,
    };
    settings.extras.clone_from(&recipe.extras);
    settings.groups.clone_from(&recipe.groups);
    settings.target_python = recipe.target.python.as_deref().map(minor).transpose()?;
    settings.platform.clone_from(&recipe.target.platform);
    settings.shebang = Shebang::new(&recipe.shebang).map_err(|_| unknown("first line", &recipe.shebang))?;
    settings.layout = match recipe.layout.as_str() {
        "auto" => LayoutChoice::Auto,
        "zip" => LayoutChoice::Zip,
        "extract" => LayoutChoice::Extract,
        other => return Err(unknown("layout", other)),
    };
    settings.compression = match (recipe.compression.as_str(), recipe.recompress) {
        ("deflate", false) => Compression::Reuse,
        ("deflate", true) => Compression::Recompress,
        ("store", _) => Compression::Store,
        (other, _) => return Err(unknown("compression", other)),
    };
    settings.on_conflict = match recipe.on_conflict.as_str() {
        "error" => ConflictPolicy::Error,
        "first" => ConflictPolicy::First,
        "last" => ConflictPolicy::Last,
        other => return Err(unknown("way with conflicts", other)),
    };
    let compilers: Result<_, RebuildError> = recipe.bytecode.iter().map(|version| minor(minor_of(version))).collect();
    settings.bytecode = BytecodeVersions(compilers?);
    settings.epoch = EpochChoice::At(Epoch::clamped(*epoch));
    settings.reach = read_reach(&settings);
    // Nothing is chosen, so nothing has to be pinned.
    settings.unpinned = UnpinnedPolicy::Tell;
    settings.chosen = Some(read_choice(facts));
    Ok(settings)
}

/// `3.11` of `3.11.7`.
fn minor_of(version: &str) -> &str {
    version.match_indices('.').nth(1).map_or(version, |(at, _)| &version[..at])
}

fn minor(text: &str) -> Result<PythonMinor, RebuildError> {
    text.parse().map_err(|_| unknown("version of Python", text))
}

fn unknown(what: &'static str, value: &str) -> RebuildError {
    RebuildError::Unknown { what, value: value.to_owned() }
}

fn read_inputs(recipe: &Recipe, place: &Place<'_>, settings: &mut BuildSettings) -> Result<(), RebuildError> {
    (settings.inputs, settings.requirement_files) = (Vec::new(), Vec::new());
    let is_directory = |input: &&RecipeInput| **input == RecipeInput::Requirement(".".to_owned());
    let directories = recipe.inputs.iter().filter(is_directory).count();
    if directories > 1 {
        return Err(RebuildError::Directories(directories));
    }
    for input in &recipe.inputs {
        match input {
            RecipeInput::Requirement(text) if text == "." => {
                settings.inputs.push(place.directory.display().to_string());
            }
            RecipeInput::Requirement(text) => settings.inputs.push(text.clone()),
            RecipeInput::File(file) => {
                let path = find_file(file, place, settings)?;
                let is_input = [".whl", ".tar.gz", ".zip", ".py"].iter().any(|end| file.filename.ends_with(end));
                if is_input {
                    settings.inputs.push(path.display().to_string());
                } else {
                    settings.requirement_files.push(path);
                }
            }
            RecipeInput::Git { uri, commit, subdirectory } => {
                let url = match (uri.contains("://"), place.repository) {
                    (true, _) => uri.clone(),
                    (false, Some(Repository::There(url))) => url.to_owned(),
                    (false, Some(Repository::Here(repository))) => name_repository(uri, repository, place.links)?,
                    (false, None) => {
                        return Err(RebuildError::Repository { name: uri.clone(), commit: commit.clone() });
                    }
                };
                let fragment = subdirectory.as_ref().map(|path| format!("#subdirectory={path}")).unwrap_or_default();
                settings.inputs.push(format!("git+{url}@{commit}{fragment}"));
            }
        }
    }
    // As it was written: without inputs the directory is packed by the rules for that.
    let others = settings.inputs.len() - directories;
    if directories == 1 && others == 0 {
        settings.inputs.clear();
    }
    Ok(())
}

/// The URL of a repository on this machine under the name that the builder's had: the recipe has that name and no other.
fn name_repository(uri: &str, repository: &Path, links: &Path) -> Result<String, RebuildError> {
    let name = uri.strip_prefix("file:").unwrap_or(uri);
    let is_name = Path::new(name).file_name().is_some_and(|last| last == name);
    if !is_name || name.contains(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))) {
        return Err(unknown("repository", uri));
    }
    let link = links.join(name);
    if link.symlink_metadata().is_err() {
        make_link(repository, &link).map_err(RebuildError::Prepare)?;
    }
    Ok(file_url(&link))
}

/// The file of this name that has this digest: in the directory of the sources, in one of distributions, or deeper down
/// in the sources.
fn find_file(file: &RecipeFile, place: &Place<'_>, settings: &BuildSettings) -> Result<PathBuf, RebuildError> {
    let is_it = |path: &PathBuf| {
        let opened = std::fs::File::open(path);
        opened.and_then(Sha256Digest::of_reader).is_ok_and(|found| found == file.sha256)
    };
    let near = [place.directory].into_iter().chain(settings.index.find_links.iter().map(PathBuf::as_path));
    if let Some(path) = near.map(|directory| directory.join(&file.filename)).find(is_it) {
        return Ok(path);
    }
    let listed = list_sources(place.directory, None, &std::collections::BTreeMap::new()).unwrap_or_default();
    let mut deep = listed.into_iter().filter(|path| path.file_name() == Some(file.filename.as_ref()));
    deep.find_map(|path| Some(place.directory.join(path)).filter(is_it)).ok_or_else(|| RebuildError::NoFile {
        filename: file.filename.clone(),
        sha256: file.sha256,
        directory: place.directory.to_owned(),
    })
}

/// Who finds the packages is a property of the program, and stands in its own file alone.
fn read_reach(settings: &BuildSettings) -> Reach {
    let first = settings.inputs.first().map_or_else(|| settings.directory.clone(), PathBuf::from);
    let table = if first.extension().is_some_and(|extension| extension == "py") {
        Script::read(&first).map(|script| script.settings).ok()
    } else {
        let text = std::fs::read_to_string(first.join("pyproject.toml")).ok();
        text.and_then(|text| read_settings(&text).ok())
    };
    match table.and_then(|table| table.get("export-path").and_then(toml::Value::as_bool)) {
        Some(true) => Reach::Children,
        _ => Reach::Program,
    }
}

/// The distributions of the file and what sources were built with, as they are to be had again.
fn read_choice(facts: &Facts) -> Chosen {
    let mut chosen = Chosen::default();
    for (wheel, _, note) in facts.wheels() {
        chosen.distributions.extend(read_wheel(wheel, note));
        let requirements = note.map(|note| note.build_requirements.as_slice()).unwrap_or_default();
        if requirements.is_empty() {
            continue;
        }
        let locked = facts.manifest.recipe.lock.is_some();
        let requirements = requirements.iter().map(|requirement| ChosenFile {
            name: requirement.name.clone(),
            version: requirement.version.clone(),
            filename: requirement.filename.clone(),
            sha256: requirement.sha256,
            // Beside a lock nobody is said to give it, wherever it was from.
            place: place_of(requirement.provider.as_ref().filter(|provider| !locked || **provider != Provider::Nobody)),
        });
        let (name, version) = (wheel.name.clone(), wheel.version.clone());
        chosen.builds.push(ChosenBuild { name, version, requirements: requirements.collect() });
    }
    chosen
}

fn read_wheel(wheel: &ManifestWheel, note: Option<&OriginNote>) -> Option<ChosenFile> {
    let provider = note.and_then(|note| note.provider.as_ref());
    let (filename, sha256) = match &wheel.source {
        None => (wheel.filename.clone(), Some(wheel.sha256)),
        // What was packed of it is the recipe's.
        Some(source) if source.uri == "." => return None,
        Some(source) => (source.uri.clone(), source.sha256),
    };
    let place = if wheel.origin == "local" { ChosenPlace::AtHand } else { place_of(provider) };
    Some(ChosenFile { name: wheel.name.clone(), version: wheel.version.clone(), filename, sha256, place })
}

fn place_of(provider: Option<&Provider>) -> ChosenPlace {
    match provider {
        None | Some(Provider::Index(_)) => ChosenPlace::Index,
        Some(Provider::Url(url)) => ChosenPlace::Url(url.clone()),
        Some(Provider::Nobody) => ChosenPlace::AtHand,
    }
}
