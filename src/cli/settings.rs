//! From arguments, environment and `[tool.pyzpack]` to [`BuildSettings`]: the first that says something wins.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;

use crate::application::{Compression, ConflictPolicy, EntryChoice, LayoutChoice};
use crate::archive::{Epoch, Limits, Shebang};
use crate::bytecode::{BytecodeVersionError, BytecodeVersions};
use crate::evidence::{BuilderId, BuilderIdError};
use crate::names::{NameError, PackageName};
use crate::output::EvidenceKind;
use crate::pipeline::lock::{Coverage, LockSettings, NixSettings, Versions};
use crate::pipeline::wheel::WheelSettings;
use crate::project::input::Input;
use crate::project::pyproject::read_settings;
use crate::project::script::Script;
use crate::redact::redact_url;
use crate::resolve::IndexOptions;
use crate::runtime::Reach;
use crate::settings::{BuildSettings, EpochChoice, SourcePolicy, UnpinnedPolicy};
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;

use super::options::{BUILD_OPTIONS, BuildOption, EXPORT_PATH, Kind};

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    /// A value that the option does not take.
    #[error("{place}: {reason}")]
    Value {
        /// Where it was given.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key that `[tool.pyzpack]` does not have.
    #[error("`{file}`: unknown key `{key}` in [tool.pyzpack]{}", .nearest.as_ref().map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default())]
    UnknownKey {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// The nearest key that there is.
        nearest: Option<String>,
    },
    /// A file that should hold settings.
    #[error("`{file}`: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two options that exclude each other.
    #[error("`--{0}` and `--{1}` exclude each other")]
    Exclusive(&'static str, &'static str),
    /// An option that means something with another one alone.
    #[error("`--{0}` goes with `--{1}` alone")]
    Alone(&'static str, &'static str),
    /// The working directory is gone.
    #[error("cannot tell the working directory: {0}")]
    Directory(std::io::Error),
}

impl Explain for SettingsError {
    fn status(&self) -> Status {
        match self {
            Self::Directory(_) => Status::Machine,
            _ => Status::Usage,
        }
    }
}

/// Variables that are no option of a build: the cache's place, and what a `.pyz` reads when it starts.
const OTHER_VARIABLES: [&str; 6] =
    ["PYZPACK_CACHE", "PYZPACK_SCRIPT", "PYZPACK_INTERPRETER", "PYZPACK_INFO", "PYZPACK_VERIFY", "PYZPACK_QUIET"];

/// The three layers of settings.
struct Layers<'a> {
    arguments: &'a ArgMatches,
    world: &'a Surroundings,
    /// `[tool.pyzpack]`, with the file that holds it.
    table: toml::Table,
    file: String,
}

/// A value and where it was given.
struct Given<T> {
    value: T,
    layer: Layer,
    place: String,
}

/// Where a value can be given, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Table,
    Environment,
    Arguments,
}

/// A build's settings, and what the user should know of them.
pub(super) struct Resolved {
    pub(super) settings: BuildSettings,
    pub(super) jobs: Option<usize>,
    pub(super) notes: Vec<String>,
}

/// Reads all layers.
pub(super) fn resolve(arguments: &ArgMatches, world: &Surroundings) -> Result<Resolved, SettingsError> {
    let directory = std::env::current_dir().map_err(SettingsError::Directory)?;
    let inputs: Vec<String> = arguments.get_many("inputs").into_iter().flatten().cloned().collect();
    let (table, file) = find_table(&inputs, &directory)?;
    let layers = Layers { arguments, world, table, file };
    layers.check_keys()?;
    let mut notes = mistyped_variables(world);
    let epoch = layers.epoch(&mut notes)?;
    let settings = BuildSettings {
        entry: layers.entry()?,
        index: IndexOptions {
            index_url: layers.text("index-url")?.map(|given| given.value),
            extra_index_urls: layers.list("extra-index-url")?,
            find_links: layers.list("find-links")?.into_iter().map(PathBuf::from).collect(),
            no_index: layers.flag("no-index")?,
        },
        lock: layers.text("lock")?.map(|given| PathBuf::from(given.value)),
        unpinned: if layers.flag("locked")? { UnpinnedPolicy::Refuse } else { UnpinnedPolicy::Tell },
        requirement_files: layers.list("requirement")?.into_iter().map(PathBuf::from).collect(),
        output: layers.text("output")?.map(|given| PathBuf::from(given.value)),
        extras: layers.parse_list("extra")?,
        groups: layers.parse_list("group")?,
        offline: layers.flag("offline")?,
        python: layers.parse("python", |text| text.parse().map_err(|error| format!("{error}")))?,
        target_python: layers.parse("target-python", |text| text.parse().map_err(|error| format!("{error}")))?,
        platform: layers.text("platform")?.map(|given| given.value),
        shebang: layers
            .parse("shebang", |text| Shebang::new(text).map_err(|error| error.to_string()))?
            .unwrap_or_default(),
        layout: layers.choose(
            "layout",
            &[("auto", LayoutChoice::Auto), ("zip", LayoutChoice::Zip), ("extract", LayoutChoice::Extract)],
        )?,
        reach: layers.reach(),
        compression: layers.compression()?,
        bytecode: layers.parse("bytecode", parse_bytecode)?.unwrap_or_default(),
        on_conflict: layers.choose(
            "on-conflict",
            &[("error", ConflictPolicy::Error), ("first", ConflictPolicy::First), ("last", ConflictPolicy::Last)],
        )?,
        limits: layers.parse("max-unpacked", parse_size)?.map_or_else(Limits::default, Limits::with_unpacked),
        sources: SourcePolicy::Build,
        build_timeout: layers.parse("build-timeout", parse_duration)?.unwrap_or(Duration::from_mins(30)),
        evidence: layers.parse("evidence", parse_evidence)?.unwrap_or_else(|| [EvidenceKind::Sha256].into()),
        builder: layers.parse("builder-id", parse_builder)?.unwrap_or_default(),
        epoch,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        chosen: None,
        inputs,
        directory,
    };
    if settings.layout == LayoutChoice::Zip && !settings.bytecode.0.is_empty() {
        // Python looks for bytecode in the __pycache__ of a file system alone.
        return Err(SettingsError::Exclusive("layout zip", "bytecode"));
    }
    let jobs = layers.parse("jobs", |text| match text.parse::<usize>() {
        Ok(jobs) if jobs > 0 => Ok(jobs),
        _ => Err(format!("not a number of threads: `{text}`")),
    })?;
    Ok(Resolved { settings, jobs, notes })
}

/// Reads all layers for a lock: what only an archive has is left at its default, and what is packed of a project says
/// nothing of what is locked.
pub(super) fn resolve_lock(arguments: &ArgMatches, world: &Surroundings) -> Result<LockSettings, SettingsError> {
    let Resolved { mut settings, .. } = resolve(arguments, world)?;
    if arguments.contains_id("lock") {
        return Err(SettingsError::Alone("lock", "format nix"));
    }
    let named = |option: &str| -> Result<Vec<PackageName>, SettingsError> {
        let parse = |text: &String| {
            text.parse().map_err(|error: NameError| refuse(format!("option --{option}"), error.to_string()))
        };
        arguments.get_many::<String>(option).into_iter().flatten().map(parse).collect()
    };
    (settings.extras, settings.groups) = (named("extra")?, named("group")?);
    if arguments.get_flag("universal") {
        let excluded = ["target-python", "platform"].into_iter().find(|name| arguments.contains_id(name));
        if let Some(name) = excluded {
            return Err(SettingsError::Exclusive("universal", name));
        }
        (settings.target_python, settings.platform) = (None, None);
    }
    Ok(LockSettings {
        // `output` of `[tool.pyzpack]` and of the environment is an archive.
        output: arguments.get_one::<String>("output").map(PathBuf::from),
        coverage: if arguments.get_flag("universal") { Coverage::Universal } else { Coverage::Target },
        versions: versions(arguments),
        build: settings,
    })
}

/// Reads all layers for a lock as data for Nix: everything that the lock holds is written.
pub(super) fn resolve_nix(arguments: &ArgMatches, world: &Surroundings) -> Result<NixSettings, SettingsError> {
    if arguments.get_flag("universal") {
        return Err(SettingsError::Exclusive("format nix", "universal"));
    }
    if let Some(name) = ["extra", "group"].into_iter().find(|name| arguments.contains_id(name)) {
        return Err(SettingsError::Exclusive("format nix", name));
    }
    let Resolved { mut settings, .. } = resolve(arguments, world)?;
    (settings.extras, settings.groups) = (Vec::new(), Vec::new());
    Ok(NixSettings {
        output: arguments.get_one::<String>("output").map(PathBuf::from),
        versions: versions(arguments),
        build: settings,
    })
}

/// Reads all layers for wheels: what only an archive has is left at its default.
pub(super) fn resolve_wheel(arguments: &ArgMatches, world: &Surroundings) -> Result<WheelSettings, SettingsError> {
    let Resolved { mut settings, .. } = resolve(arguments, world)?;
    (settings.extras, settings.groups) = (Vec::new(), Vec::new());
    settings.requirement_files = Vec::new();
    // A wheel is for the interpreter that builds it.
    (settings.target_python, settings.platform) = (None, None);
    let subdirectory = arguments.get_one::<String>("subdirectory").map(PathBuf::from);
    let is_inside = |path: &PathBuf| path.components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(outside) = subdirectory.as_ref().filter(|path| !is_inside(path)) {
        let reason = format!("`{}` is no path inside of a source", outside.display());
        return Err(refuse("option --subdirectory".to_owned(), reason));
    }
    Ok(WheelSettings {
        // `output` of `[tool.pyzpack]` and of the environment is an archive.
        directory: arguments.get_one::<String>("output").map_or_else(|| PathBuf::from("dist"), PathBuf::from),
        subdirectory: subdirectory.filter(|path| !path.as_os_str().is_empty()),
        build: settings,
    })
}

fn versions(arguments: &ArgMatches) -> Versions {
    if arguments.get_flag("upgrade") { Versions::Upgrade } else { Versions::Keep }
}

/// A value that its option does not take; a credential in it is not repeated.
fn refuse(place: String, reason: impl AsRef<str>) -> SettingsError {
    SettingsError::Value { place, reason: redact_url(reason.as_ref()).into_owned() }
}

/// `[tool.pyzpack]` of the first input that has any: a project's, or a script's own.
fn find_table(inputs: &[String], directory: &Path) -> Result<(toml::Table, String), SettingsError> {
    let first = inputs.first().map_or(Ok(Input::Directory(directory.to_owned())), |text| Input::parse(text, directory));
    match first {
        Ok(Input::Directory(path)) => {
            let file = path.join("pyproject.toml");
            let shown = file.display().to_string();
            let Ok(text) = std::fs::read_to_string(&file) else { return Ok((toml::Table::new(), shown)) };
            let mut table =
                read_settings(&text).map_err(|reason| SettingsError::File { file: shown.clone(), reason })?;
            anchor_paths(&mut table, &path, directory);
            Ok((table, shown))
        }
        Ok(Input::Script(path)) => {
            let shown = path.display().to_string();
            let mut table = Script::read(&path).map(|script| script.settings).unwrap_or_default();
            anchor_paths(&mut table, path.parent().unwrap_or(directory), directory);
            Ok((table, shown))
        }
        // What is wrong with an input is said when it is read.
        _ => Ok((toml::Table::new(), String::new())),
    }
}

/// Makes the relative paths of a table start from the directory of its file: it means the same wherever it is used from.
fn anchor_paths(table: &mut toml::Table, base: &Path, directory: &Path) {
    if base == directory {
        return;
    }
    for option in BUILD_OPTIONS.iter().filter(|option| option.takes_path()) {
        let values = match table.get_mut(option.name) {
            Some(toml::Value::Array(items)) => items.iter_mut().collect(),
            Some(value) => vec![value],
            None => Vec::new(),
        };
        for value in values {
            if let toml::Value::String(path) = value
                && !path.contains("://")
            {
                // Without the `.` of `./project`, and as short as the user would write it.
                let anchored: PathBuf = base.join(&*path).components().collect();
                *path = anchored.strip_prefix(directory).unwrap_or(&anchored).display().to_string();
            }
        }
    }
}

/// Variables that no option has, but almost: what they were to set is left at its default.
fn mistyped_variables(world: &Surroundings) -> Vec<String> {
    let known: Vec<String> =
        BUILD_OPTIONS.iter().map(BuildOption::variable).chain(OTHER_VARIABLES.map(str::to_owned)).collect();
    let given = world.environment.keys().filter_map(|name| name.to_str());
    given
        .filter(|name| name.starts_with("PYZPACK_") && !known.iter().any(|known| known == name))
        .filter_map(|name| {
            let nearest = crate::application::nearest(name, known.iter().map(String::as_str))?;
            Some(format!("environment variable {name} is not known; did you mean {nearest}?"))
        })
        .collect()
}

impl Layers<'_> {
    fn check_keys(&self) -> Result<(), SettingsError> {
        for (key, value) in &self.table {
            let kind = match BuildOption::named(key) {
                Some(option) => Some(option.kind),
                None => (key == EXPORT_PATH).then_some(Kind::Flag),
            };
            let Some(kind) = kind else {
                let known = BUILD_OPTIONS.iter().map(|option| option.name).chain([EXPORT_PATH]);
                let nearest = crate::application::nearest(key, known);
                return Err(SettingsError::UnknownKey { file: self.file.clone(), key: key.clone(), nearest });
            };
            let strings = |items: &[toml::Value]| items.iter().all(toml::Value::is_str);
            let (fits, wanted) = match (kind, value) {
                (Kind::Flag, value) => (value.is_bool(), "true or false"),
                (Kind::Text, value) => (value.is_str() || value.is_integer(), "a string"),
                (Kind::Names, toml::Value::Array(items)) => (strings(items), "a string or a list of strings"),
                (Kind::Names, value) => (value.is_str(), "a string or a list of strings"),
                (Kind::List, toml::Value::Array(items)) => (strings(items), "a list of strings"),
                (Kind::List, _) => (false, "a list of strings"),
            };
            if !fits {
                return Err(refuse(self.key_place(key), format!("expected {wanted}, found {}", value.type_str())));
            }
        }
        Ok(())
    }

    fn key_place(&self, key: &str) -> String {
        format!("`{}`, key `{key}` in [tool.pyzpack]", self.file)
    }

    /// The value of an argument; none where the verb does not take it.
    fn argument(&self, name: &str) -> Option<&String> {
        self.arguments.try_get_one::<String>(name).ok().flatten()
    }

    fn text(&self, name: &'static str) -> Result<Option<Given<String>>, SettingsError> {
        if let Some(value) = self.argument(name) {
            return Ok(Some(Given {
                value: value.clone(),
                layer: Layer::Arguments,
                place: format!("option --{name}"),
            }));
        }
        let option = BuildOption::named(name).expect("every setting is in the table");
        let variable = option.variable();
        if let Some(value) = self.world.environment.get(OsStr::new(&variable)) {
            let place = format!("environment variable {variable}");
            let value = value.to_str().ok_or_else(|| refuse(place.clone(), "it is not UTF-8"))?;
            // An empty variable is a way to unset it; an empty time would be a silent default.
            if !value.is_empty() || name == "source-date-epoch" {
                return Ok(Some(Given { value: value.to_owned(), layer: Layer::Environment, place }));
            }
        }
        let value = self.table.get(name).map(|value| match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(items) => items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(","),
            value => value.to_string(),
        });
        Ok(value.map(|value| Given { value, layer: Layer::Table, place: self.key_place(name) }))
    }

    fn parse<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        let Some(Given { value, place, .. }) = self.text(name)? else { return Ok(None) };
        read(&value).map(Some).map_err(|reason| refuse(place, reason))
    }

    fn choose<T: Copy>(&self, name: &'static str, values: &[(&str, T)]) -> Result<T, SettingsError> {
        let chosen = self.parse(name, |text| {
            let found = values.iter().find(|(known, _)| *known == text).map(|(_, value)| *value);
            let known: Vec<&str> = values.iter().map(|(known, _)| *known).collect();
            found.ok_or_else(|| format!("`{text}` is none of: {}", known.join(", ")))
        })?;
        Ok(chosen.unwrap_or(values[0].1))
    }

    fn list(&self, name: &'static str) -> Result<Vec<String>, SettingsError> {
        if let Some(values) = self.arguments.try_get_many::<String>(name).ok().flatten() {
            return Ok(values.cloned().collect());
        }
        let option = BuildOption::named(name).expect("every setting is in the table");
        let variable = option.variable();
        if let Some(value) = self.world.variable(&variable) {
            let place = format!("environment variable {variable}");
            let value = value.to_str().ok_or_else(|| refuse(place, "it is not UTF-8"))?;
            return Ok(value.split_whitespace().map(str::to_owned).collect());
        }
        let items = self.table.get(name).and_then(toml::Value::as_array).into_iter().flatten();
        Ok(items.filter_map(toml::Value::as_str).map(str::to_owned).collect())
    }

    fn parse_list<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<Vec<T>, SettingsError> {
        let read =
            |text: String| text.parse().map_err(|error: T::Err| refuse(format!("option --{name}"), error.to_string()));
        self.list(name)?.into_iter().map(read).collect()
    }

    fn flag(&self, name: &'static str) -> Result<bool, SettingsError> {
        if self.arguments.try_get_one::<bool>(name).ok().flatten() == Some(&true) {
            return Ok(true);
        }
        let option = BuildOption::named(name).expect("every setting is in the table");
        let variable = option.variable();
        if let Some(value) = self.world.variable(&variable) {
            let lower = value.to_string_lossy().to_ascii_lowercase();
            return match lower.as_str() {
                "1" | "true" | "yes" | "on" => Ok(true),
                "0" | "false" | "no" | "off" => Ok(false),
                _ => Err(refuse(format!("environment variable {variable}"), format!("`{lower}` is neither 1 nor 0"))),
            };
        }
        Ok(self.table.get(name).and_then(toml::Value::as_bool).unwrap_or(false))
    }

    fn entry(&self) -> Result<EntryChoice, SettingsError> {
        // On one layer both would contradict each other; on different layers the stronger one decides.
        let (script, object) = match (self.text("console-script")?, self.text("entry-point")?) {
            (Some(script), Some(object)) => match script.layer.cmp(&object.layer) {
                Ordering::Equal => return Err(SettingsError::Exclusive("console-script", "entry-point")),
                Ordering::Greater => (Some(script), None),
                Ordering::Less => (None, Some(object)),
            },
            either => either,
        };
        match (script, object) {
            (Some(script), _) => Ok(EntryChoice::ConsoleScript(script.value)),
            (None, Some(Given { value, place, .. })) => {
                value.parse().map(EntryChoice::Object).map_err(|error| refuse(place, error.to_string()))
            }
            (None, None) => Ok(EntryChoice::OnlyScript),
        }
    }

    /// Who finds the packages: of the program's own file alone, for whoever builds it cannot know better.
    fn reach(&self) -> Reach {
        match self.table.get(EXPORT_PATH).and_then(toml::Value::as_bool) {
            Some(true) => Reach::Children,
            _ => Reach::Program,
        }
    }

    /// The time of every entry. `commit` is no value of `SOURCE_DATE_EPOCH`, which other tools read too.
    fn epoch(&self, notes: &mut Vec<String>) -> Result<EpochChoice, SettingsError> {
        let Some(Given { value, layer, place }) = self.text("source-date-epoch")? else {
            return Ok(EpochChoice::default());
        };
        if value == "commit" {
            return if layer == Layer::Environment {
                let reason = "`commit` is for the option --source-date-epoch and its key in [tool.pyzpack]";
                Err(refuse(place, reason))
            } else {
                Ok(EpochChoice::Commit)
            };
        }
        let (epoch, clamped) = Epoch::parse(&value).map_err(|error| refuse(place, error.to_string()))?;
        if clamped {
            notes.push(format!("SOURCE_DATE_EPOCH {value} is outside what a zip can hold: {epoch} is used"));
        }
        Ok(EpochChoice::At(epoch))
    }

    fn compression(&self) -> Result<Compression, SettingsError> {
        let store = self.choose("compression", &[("deflate", false), ("store", true)])?;
        match (store, self.flag("recompress")?) {
            (true, true) => Err(SettingsError::Exclusive("compression store", "recompress")),
            (true, false) => Ok(Compression::Store),
            (false, true) => Ok(Compression::Recompress),
            (false, false) => Ok(Compression::Reuse),
        }
    }
}

/// The time of every entry, for a verb that packs what has no commit.
pub(super) fn resolve_time(
    arguments: &ArgMatches,
    world: &Surroundings,
    notes: &mut Vec<String>,
) -> Result<Epoch, SettingsError> {
    let layers = Layers { arguments, world, table: toml::Table::new(), file: String::new() };
    match layers.epoch(notes)? {
        EpochChoice::At(epoch) => Ok(epoch),
        EpochChoice::Commit => Err(refuse(
            "option --source-date-epoch".to_owned(),
            "a file that is packed already has no commit: give its time",
        )),
    }
}

/// Names of evidence, with commas or blanks between them.
fn parse_evidence(text: &str) -> Result<BTreeSet<EvidenceKind>, String> {
    let names: Vec<&str> = text.split([',', ' ']).filter(|name| !name.is_empty()).collect();
    let kinds = || EvidenceKind::ALL.iter().map(|kind| kind.name());
    let known: Vec<&str> = kinds().chain(["all", "none"]).collect();
    let mut chosen = BTreeSet::new();
    for name in &names {
        match EvidenceKind::ALL.into_iter().find(|kind| kind.name() == *name) {
            Some(kind) => drop(chosen.insert(kind)),
            None if *name == "all" => chosen.extend(EvidenceKind::ALL),
            None if *name == "none" && names.len() == 1 => {}
            None if *name == "none" => return Err("`none` stands alone".to_owned()),
            None => {
                let nearest = match *name {
                    "sbom" => Some("cyclonedx".to_owned()),
                    name => crate::application::nearest(name, known.iter().copied()),
                };
                let meant = nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
                return Err(format!("`{name}` is none of: {}{meant}", known.join(", ")));
            }
        }
    }
    if names.is_empty() {
        return Err(format!("`{text}` is none of: {}", known.join(", ")));
    }
    Ok(chosen)
}

/// Who builds.
fn parse_builder(text: &str) -> Result<BuilderId, String> {
    text.parse().map_err(|error: BuilderIdError| error.to_string())
}

/// Versions to compile for.
fn parse_bytecode(text: &str) -> Result<BytecodeVersions, String> {
    text.parse().map_err(|error: BytecodeVersionError| error.to_string())
}

/// A number of bytes, with `K`, `M`, `G` or `T` for powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    let refused = || format!("not a size such as 500M or 20G: `{text}`");
    let bare = text.trim().trim_end_matches(['B', 'b']).trim_end_matches('i');
    let (digits, shift) = match bare.to_ascii_uppercase().chars().last() {
        Some('K') => (&bare[..bare.len() - 1], 10),
        Some('M') => (&bare[..bare.len() - 1], 20),
        Some('G') => (&bare[..bare.len() - 1], 30),
        Some('T') => (&bare[..bare.len() - 1], 40),
        _ => (bare, 0),
    };
    let number: u64 = digits.trim().parse().map_err(|_| refused())?;
    number.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(refused)
}

/// A time such as `90s`, `30m`, `2h`; a bare number is seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("not a time such as 90s, 30m or 2h: `{text}`");
    let text_trimmed = text.trim();
    let (digits, seconds) = match text_trimmed.chars().last() {
        Some('s') => (&text_trimmed[..text_trimmed.len() - 1], 1),
        Some('m') => (&text_trimmed[..text_trimmed.len() - 1], 60),
        Some('h') => (&text_trimmed[..text_trimmed.len() - 1], 3_600),
        _ => (text_trimmed, 1),
    };
    let number: u64 = digits.parse().map_err(|_| refused())?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_and_times() {
        for (text, size) in [("1", 1), ("2K", 2048), ("500M", 500 << 20), ("20GiB", 20 << 30), ("1t", 1 << 40)] {
            assert_eq!(parse_size(text), Ok(size));
        }
        for text in ["", "0", "-1", "1.5G", "G", "99999999T"] {
            assert_eq!(parse_size(text), Err(format!("not a size such as 500M or 20G: `{text}`")));
        }
        for (text, seconds) in [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "0", "m", "1d", "-1"] {
            assert_eq!(parse_duration(text), Err(format!("not a time such as 90s, 30m or 2h: `{text}`")));
        }
    }
}
