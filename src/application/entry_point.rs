//! What is started: chosen from what the user asks for and what the wheels offer, and found in the tree before anything
//! is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::archive::ArchivePath;
use crate::names::PackageName;
use crate::status::{Explain, Status};
use crate::wheel::{ObjectReference, VerifiedWheel};

use super::tree::{FileSource, InstalledFile, InstalledTree, WheelSet};

/// What the user asks to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryChoice {
    /// The only script of the distributions that were named.
    OnlyScript,
    /// The script of this name, of any distribution.
    ConsoleScript(String),
    /// An object, or a module that runs as `__main__`.
    Object(ObjectReference),
}

/// Something that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryPoint {
    /// An object that is called, or a module that runs as `__main__`.
    Object(ObjectReference),
    /// A Python script of the tree.
    PythonScript(ArchivePath),
    /// An executable of the tree.
    Executable(ArchivePath),
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => object.fmt(formatter),
            Self::PythonScript(path) | Self::Executable(path) => path.fmt(formatter),
        }
    }
}

/// The scripts that the wheels offer, each with the distribution that it comes from.
#[derive(Debug, Clone)]
pub struct Scripts(BTreeMap<String, Vec<(PackageName, EntryPoint)>>);

/// Why there is nothing to start.
#[derive(Debug, thiserror::Error)]
pub enum EntryPointError {
    /// No distribution that was named has a script.
    #[error("no entry point: {0} has no console script")]
    None(String),
    /// Several scripts, and nothing said which.
    #[error("which entry point? {distribution} has {count} console scripts: {scripts}", count = .scripts.split(", ").count())]
    Several {
        /// Whose scripts they are.
        distribution: String,
        /// Their names, separated by commas.
        scripts: String,
    },
    /// No distribution has a script of this name.
    #[error("no console script `{name}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownScript {
        /// The name.
        name: String,
        /// The nearest name that there is.
        nearest: Option<String>,
        /// All names that there are.
        known: String,
    },
    /// Two distributions have a script of this name.
    #[error("`{name}` is a console script of {owners}")]
    Ambiguous {
        /// The name.
        name: String,
        /// The distributions.
        owners: String,
    },
    /// No wheel holds the module.
    #[error("no distribution holds the module `{module}` of the entry point `{entry}`{}", did_you_mean(.nearest.as_deref()))]
    NoModule {
        /// The entry point.
        entry: String,
        /// The module.
        module: String,
        /// The nearest module that there is.
        nearest: Option<String>,
    },
    /// A package without `__main__.py` cannot run as `__main__`.
    #[error("the package `{0}` cannot be run: it has no `__main__.py`")]
    NoMain(String),
    /// The module does not bind the name.
    #[error("`{path}` defines no `{name}` for the entry point `{entry}`{}", did_you_mean(.nearest.as_deref()))]
    NoObject {
        /// The entry point.
        entry: String,
        /// The module's file.
        path: String,
        /// The name.
        name: String,
        /// The nearest name that there is.
        nearest: Option<String>,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

impl Explain for EntryPointError {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::None(_) => "name one with `-e MODULE:FUNCTION`, or with `-e MODULE` to run a module".to_owned(),
            Self::Several { .. } => "choose one with `-c NAME`".to_owned(),
            Self::UnknownScript { known, .. } if known.is_empty() => {
                "the distributions have no console scripts: name an object with `-e MODULE:FUNCTION`".to_owned()
            }
            Self::UnknownScript { known, .. } => format!("there are: {known}"),
            Self::Ambiguous { .. } => "name its object with `-e MODULE:FUNCTION`".to_owned(),
            Self::NoModule { .. } | Self::NoObject { .. } => {
                "check the spelling, and that the distribution which holds it is among the inputs".to_owned()
            }
            Self::NoMain(module) => format!("name a function of it with `-e {module}:FUNCTION`"),
        })
    }
}

impl Scripts {
    /// Collects the scripts of `wheels`: entry points, and the files of `.data/scripts`.
    pub fn collect(wheels: &WheelSet, tree: &InstalledTree) -> Self {
        let mut scripts: BTreeMap<String, Vec<(PackageName, EntryPoint)>> = BTreeMap::new();
        for wheel in wheels.iter() {
            let entry_points = [&wheel.entry_points.console_scripts, &wheel.entry_points.gui_scripts];
            for (name, object) in entry_points.into_iter().flatten() {
                let entry = (wheel.metadata.name.clone(), EntryPoint::Object(object.clone()));
                scripts.entry(name.clone()).or_default().push(entry);
            }
        }
        for (path, file) in &tree.files {
            let (Some(name), Some(owner)) = (path.as_str().strip_prefix("bin/"), &file.distribution) else { continue };
            if name.contains('/') {
                continue;
            }
            let head = match &file.source {
                FileSource::Bytes(bytes) => bytes,
                FileSource::Wheel { wheel, file } => wheels.at(*wheel).files[*file].kept.as_deref().unwrap_or_default(),
            };
            let entry = if runs_python(head) { EntryPoint::PythonScript } else { EntryPoint::Executable };
            let found = scripts.entry(name.to_owned()).or_default();
            // An entry point of the same name is what an installer would leave in place.
            if found.is_empty() {
                found.push((owner.clone(), entry(path.clone())));
            }
        }
        Self(scripts)
    }

    /// Every script by name; where several distributions have one of a name, the one of the first of `preferred`.
    pub fn by_name(&self, preferred: &[PackageName]) -> BTreeMap<&str, &EntryPoint> {
        let rank = |name: &PackageName| preferred.iter().position(|one| one == name).unwrap_or(usize::MAX);
        let best = |owners: &'_ Vec<(PackageName, EntryPoint)>| {
            owners.iter().enumerate().min_by_key(|(index, (owner, _))| (rank(owner), *index)).map(|(index, _)| index)
        };
        self.0.iter().filter_map(|(name, owners)| Some((name.as_str(), &owners[best(owners)?].1))).collect()
    }

    fn of(&self, distributions: &[PackageName]) -> BTreeMap<&str, &EntryPoint> {
        let owned = |owners: &'_ Vec<(PackageName, EntryPoint)>| {
            owners.iter().position(|(owner, _)| distributions.contains(owner))
        };
        self.0.iter().filter_map(|(name, owners)| Some((name.as_str(), &owners[owned(owners)?].1))).collect()
    }

    /// Chooses what is started; `named` are the distributions that the user named.
    ///
    /// # Errors
    /// When there is nothing to choose, or more than one thing.
    pub fn choose(&self, choice: &EntryChoice, named: &[PackageName]) -> Result<EntryPoint, EntryPointError> {
        let list = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(", ");
        match choice {
            EntryChoice::Object(object) => Ok(EntryPoint::Object(object.clone())),
            EntryChoice::OnlyScript => {
                let scripts = self.of(named);
                let distribution = match named {
                    [] => "the application".to_owned(),
                    _ => list(&mut named.iter().map(PackageName::as_str)),
                };
                let different: BTreeSet<String> = scripts.values().map(ToString::to_string).collect();
                match (scripts.values().next(), different.len()) {
                    (None, _) => Err(EntryPointError::None(distribution)),
                    (Some(only), 1) => Ok((*only).clone()),
                    _ => {
                        let scripts = list(&mut scripts.keys().copied());
                        Err(EntryPointError::Several { distribution, scripts })
                    }
                }
            }
            EntryChoice::ConsoleScript(name) => {
                let Some(owners) = self.0.get(name) else {
                    let nearest = nearest(name, self.0.keys().map(String::as_str));
                    let known = list(&mut self.0.keys().map(String::as_str));
                    return Err(EntryPointError::UnknownScript { name: name.clone(), nearest, known });
                };
                let of_named: Vec<_> = owners.iter().filter(|(owner, _)| named.contains(owner)).collect();
                let candidates = if of_named.is_empty() { owners.iter().collect() } else { of_named };
                let first = &candidates[0].1;
                if candidates.iter().all(|(_, entry)| entry == first) {
                    return Ok(first.clone());
                }
                let owners = list(&mut candidates.iter().map(|(owner, _)| owner.as_str()));
                Err(EntryPointError::Ambiguous { name: name.clone(), owners })
            }
        }
    }
}

/// Whether a script's first line asks for Python: the `#!python` of the wheel format, or any interpreter of that name.
fn runs_python(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(command) = line.strip_prefix(b"#!") else { return false };
    String::from_utf8_lossy(command)
        .split_ascii_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .any(|word| word.starts_with("python"))
}

/// The nearest of `known` to `name`, where it is near enough to have been meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + name.len().min(candidate.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// A module's file in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleFile<'a> {
    /// Python source.
    Source(&'a ArchivePath),
    /// Compiled: what it binds is known when it runs.
    Compiled,
    /// A package without `__init__`.
    Namespace,
}

/// Finds the entry point's file in the tree, and for an object of a Python module the module's source and the name that
/// it must bind.
///
/// # Errors
/// When no distribution holds the module or the file.
pub fn locate<'a>(
    entry: &EntryPoint,
    tree: &'a InstalledTree,
) -> Result<Option<(&'a ArchivePath, String)>, EntryPointError> {
    let EntryPoint::Object(object) = entry else { return Ok(None) };
    let module = object.module.as_str();
    let no_module = || EntryPointError::NoModule {
        entry: entry.to_string(),
        module: module.to_owned(),
        nearest: nearest(module, modules(tree).iter().map(String::as_str)),
    };
    let file = find_module(tree, module).ok_or_else(no_module)?;
    match &object.attribute {
        None => {
            let package = tree.files.keys().any(|path| {
                path.as_str().strip_prefix(&module.replace('.', "/")).is_some_and(|rest| rest.starts_with('/'))
            });
            let has_main = find_module(tree, &format!("{module}.__main__")).is_some();
            let plain = matches!(file, ModuleFile::Source(path) if !path.as_str().ends_with("/__init__.py"));
            if package && !has_main && !plain { Err(EntryPointError::NoMain(module.to_owned())) } else { Ok(None) }
        }
        Some(attribute) => Ok(match file {
            ModuleFile::Source(path) => {
                Some((path, attribute.split('.').next().expect("a split gives at least one piece").to_owned()))
            }
            ModuleFile::Compiled => None,
            ModuleFile::Namespace => return Err(no_module()),
        }),
    }
}

/// Checks that a module binds the name of an object, where the names that it binds are known.
///
/// # Errors
/// When it does not.
pub fn check_bound(
    entry: &EntryPoint,
    path: &ArchivePath,
    name: &str,
    bound: Option<&BTreeSet<String>>,
    submodule: bool,
) -> Result<(), EntryPointError> {
    match bound {
        Some(bound) if !bound.contains(name) && !submodule => Err(EntryPointError::NoObject {
            entry: entry.to_string(),
            path: path.to_string(),
            name: name.to_owned(),
            nearest: nearest(name, bound.iter().map(String::as_str)),
        }),
        _ => Ok(()),
    }
}

/// The file of the module with this dotted name.
pub fn find_module<'a>(tree: &'a InstalledTree, module: &str) -> Option<ModuleFile<'a>> {
    let base = module.replace('.', "/");
    let source = |path: String| {
        let path = ArchivePath::new(path).ok()?;
        tree.files.get_key_value(&path).map(|(path, _)| ModuleFile::Source(path))
    };
    let found = source(format!("{base}/__init__.py")).or_else(|| source(format!("{base}.py")));
    if found.is_some() {
        return found;
    }
    let mut directory = false;
    for path in tree.files.keys() {
        let Some(rest) = path.as_str().strip_prefix(&base) else { continue };
        let rest = rest.strip_prefix("/__init__").unwrap_or(rest);
        if rest.starts_with('.') && !rest.contains('/') && [".so", ".pyd", ".pyc"].iter().any(|end| rest.ends_with(end))
        {
            return Some(ModuleFile::Compiled);
        }
        directory |= rest.starts_with('/');
    }
    directory.then_some(ModuleFile::Namespace)
}

/// The dotted names of all modules with source.
fn modules(tree: &InstalledTree) -> BTreeSet<String> {
    tree.files
        .keys()
        .filter_map(|path| path.as_str().strip_suffix(".py"))
        .map(|stem| stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', "."))
        .collect()
}

/// The bytes of a file of the tree.
///
/// # Errors
/// When its wheel cannot be read, or was written to since it was checked.
pub(crate) fn read_tree_file(file: &InstalledFile, wheels: &WheelSet) -> Result<Vec<u8>, crate::wheel::WheelError> {
    match &file.source {
        FileSource::Bytes(bytes) => Ok(bytes.to_vec()),
        FileSource::Wheel { wheel, file } => {
            let wheel: &VerifiedWheel = wheels.at(*wheel);
            wheel.read_file(&wheel.files[*file])
        }
    }
}
