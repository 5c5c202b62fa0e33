//! Where builds are run: a copy of the sources, a cache and a `TMPDIR` of their own, and each build a child process, so that
//! what is changed around it is real.
//!
//! The sources themselves are only read. Of the user's cache what was fetched is used, and what was built is not: else
//! nothing would be built again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filetime::FileTime;
use serde_json::Value;

use super::ReproduceSettings;
use super::changes::{Cached, Changes};
use super::error::ReproduceError;
use super::trees::{copy_files, copy_tree, repository_of};
use crate::digest::Sha256Digest;
use crate::process::interrupt::remove_persistently;
use crate::process::stopwatch::Stopwatch;
use crate::process::{Child, ProcessError, ScratchDir};
use crate::project::clamp::make_link;
use crate::project::detect::script_locks;
use crate::project::input::Input;
use crate::python::PythonRequest;
use crate::python::environment::resolver_environment;
use crate::surroundings::Surroundings;

/// Where the sources are in the stage, where that is not changed.
const SOURCES: &str = "sources";

/// Where scratch directories are in it.
const TEMPORARY: &str = "tmp";

/// Where what the first build built is kept in it, for one that is to build nothing.
const BUILT: &str = "built";

/// How long the first build may take: what it waits for has time limits of its own.
const LONGEST: Duration = Duration::from_hours(240);

/// How long each other build may take: so many times as long as the first, and this. What gives a process another clock has
/// made programs wait for ever.
const PATIENCE: (u32, Duration) = (20, Duration::from_mins(10));

/// What runs a command while directories are listed backwards.
const REVERSED: &str = include_str!("reversed.sh");

/// Where programs are that are found first under another clock, with `real` in which those are that they run.
const OF_THE_CLOCK: &str = "bin";

/// A place for builds; it goes when it is dropped.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    settings: &'a ReproduceSettings,
    world: &'a Surroundings,
    scratch: ScratchDir,
    /// The trees that were copied: where each is, and its place below the sources.
    trees: Vec<Tree>,
    /// How many builds were run.
    pub(super) builds: usize,
    /// How long one may take.
    limit: Duration,
}

#[derive(Debug)]
struct Tree {
    root: PathBuf,
    place: PathBuf,
}

/// How a build ended.
#[derive(Debug)]
pub(super) enum Attempt {
    /// It wrote a file.
    Built(Built),
    /// It did not.
    Failed {
        /// Its exit status.
        status: Option<i32>,
        /// What it said.
        messages: String,
    },
}

/// A build that wrote a file.
#[derive(Debug, Clone)]
pub(super) struct Built {
    /// The file.
    pub(super) path: PathBuf,
    /// Its digest.
    pub(super) sha256: Sha256Digest,
    /// What it reported.
    pub(super) report: Value,
    /// What it said.
    pub(super) messages: String,
}

impl<'a> Stage<'a> {
    /// Copies what is packed.
    pub(super) fn prepare(settings: &'a ReproduceSettings, world: &'a Surroundings) -> Result<Self, ReproduceError> {
        let scratch = ScratchDir::create(&world.temporary)?;
        let mut stage = Self { settings, world, scratch, trees: Vec::new(), builds: 0, limit: LONGEST };
        for directory in [TEMPORARY, "home", "made"] {
            private_directory(&stage.path().join(directory))?;
        }
        std::fs::write(stage.path().join("reversed.sh"), REVERSED).map_err(ReproduceError::Stage)?;
        if let Some(rustc) = world.find_program("rustc") {
            make_rustc(&rustc, &stage.path().join(OF_THE_CLOCK)).map_err(ReproduceError::Stage)?;
        }
        share_cache(world, &stage.path().join("cache")).map_err(ReproduceError::Stage)?;
        stage.copy_trees()?;
        Ok(stage)
    }

    /// Its directory.
    pub(super) fn path(&self) -> &Path {
        self.scratch.path()
    }

    fn copy_trees(&mut self) -> Result<(), ReproduceError> {
        let build = &self.settings.build;
        let mut wanted: BTreeMap<PathBuf, Option<BTreeSet<PathBuf>>> = BTreeMap::new();
        let mut whole = |directory: &Path| {
            wanted.insert(repository_of(directory), None);
        };
        let mut files: Vec<PathBuf> = Vec::new();
        if build.inputs.is_empty() {
            whole(&build.directory);
        }
        for input in &build.inputs {
            match Input::parse(input, &build.directory) {
                Ok(Input::Directory(path)) => whole(&path),
                Ok(Input::Script(path)) => {
                    files.extend(script_locks(&path));
                    files.push(path);
                }
                Ok(Input::Wheel(path) | Input::Sdist(path)) => files.push(path),
                // Nothing of it lies here; what is wrong with an input its build says.
                Ok(Input::Git(_) | Input::Requirement(_)) | Err(_) => {}
            }
        }
        // Where nothing is packed of the working directory, what configures a resolver there comes along.
        wanted.entry(build.directory.clone()).or_insert_with(|| Some(BTreeSet::new()));
        let configuration = ["pyproject.toml", "uv.toml"].map(|name| build.directory.join(name));
        files.extend(configuration.into_iter().filter(|file| file.is_file()));
        for file in files {
            let directory = file.parent().unwrap_or(&file).to_owned();
            if let Some(listed) = wanted.entry(directory).or_insert_with(|| Some(BTreeSet::new())) {
                listed.insert(file);
            }
        }
        let roots: Vec<PathBuf> = wanted.keys().cloned().collect();
        let within_another = |root: &Path| {
            roots.iter().any(|other| other != root && root.starts_with(other) && wanted.get(other) == Some(&None))
        };
        let environment = resolver_environment(self.world, &self.world.temporary, None);
        let git = self.world.find_program("git");
        for (number, root) in roots.iter().filter(|root| !within_another(root)).enumerate() {
            let place = PathBuf::from(number.to_string()).join(root.file_name().unwrap_or(OsStr::new("root")));
            let into = self.path().join(SOURCES).join(&place);
            fs_err::create_dir_all(&into).map_err(ReproduceError::Stage)?;
            match &wanted[root] {
                Some(files) => {
                    let names = files.iter().filter_map(|file| file.file_name());
                    copy_files(root, names.map(PathBuf::from), &into)?;
                }
                None => copy_tree(root, &into, git.as_deref(), &environment, &build.directory)?,
            }
            self.trees.push(Tree { root: root.clone(), place });
        }
        Ok(())
    }

    /// Where a path is in the copy, or where it is itself if it was not copied.
    fn mapped(&self, path: &Path, sources: &Path) -> PathBuf {
        let path: PathBuf = self.settings.build.directory.join(path).components().collect();
        let copied = self.trees.iter().find_map(|tree| {
            let inside = path.strip_prefix(&tree.root).ok()?;
            let original = self.path().join(SOURCES).join(&tree.place).join(inside);
            original.symlink_metadata().is_ok().then(|| sources.join(&tree.place).join(inside))
        });
        copied.unwrap_or(path)
    }

    /// What the build is told. The time of a copy's commit is the original's.
    fn arguments(&self, changes: &Changes, sources: &Path, output: &Path) -> Vec<OsString> {
        let build = &self.settings.build;
        let mut arguments: Vec<OsString> = vec!["build".into(), "--json".into(), "--evidence=none".into()];
        arguments.extend(self.settings.options.iter().map(OsString::from));
        let mut path_option = |name: &str, path: &Path| {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(self.mapped(path, sources));
            arguments.push(argument);
        };
        build.requirement_files.iter().for_each(|path| path_option("requirement", path));
        build.index.find_links.iter().for_each(|path| path_option("find-links", path));
        build.lock.iter().for_each(|path| path_option("lock", path));
        if let Some(python) = &build.python
            && !changes.options.iter().any(|option| option.starts_with("--python="))
        {
            let python = match python {
                PythonRequest::Path(path) => build.directory.join(path).display().to_string(),
                PythonRequest::Version(version) => version.to_string(),
            };
            arguments.push(format!("--python={python}").into());
        }
        path_option_output(&mut arguments, output);
        if let Some(jobs) = self.settings.jobs
            && !changes.options.iter().any(|option| option.starts_with("--jobs="))
        {
            arguments.push(format!("--jobs={jobs}").into());
        }
        arguments.extend(changes.options.iter().map(OsString::from));
        arguments.push("--".into());
        for input in &build.inputs {
            arguments.push(match Input::parse(input, &build.directory) {
                Ok(Input::Directory(path) | Input::Script(path) | Input::Wheel(path) | Input::Sdist(path)) => {
                    self.mapped(&path, sources).into_os_string()
                }
                _ => input.into(),
            });
        }
        arguments
    }

    /// Builds once, changed so, and gives what came of it the name `label`.
    pub(super) fn build(&mut self, changes: &Changes, label: &str) -> Result<Attempt, ReproduceError> {
        self.builds += 1;
        let fail = ReproduceError::Stage;
        let place = self.path().to_owned();
        let (usual, sources) =
            (place.join(SOURCES), place.join(changes.sources.as_deref().unwrap_or(SOURCES.as_ref())));
        let temporary = place.join(changes.temporary.as_deref().unwrap_or(TEMPORARY.as_ref()));
        private_directory(&temporary)?;
        let output = place.join("made").join(format!("{label}.pyz"));
        // While all is still in its usual place.
        let directory = self.mapped(&self.settings.build.directory, &sources);
        let arguments = self.arguments(changes, &sources, &output);
        if sources != usual {
            let parent = sources.parent().unwrap_or(&place);
            fs_err::create_dir_all(parent).and_then(|()| fs_err::rename(&usual, &sources)).map_err(fail)?;
        }
        let _moved = Moved { from: sources.clone(), back: usual };
        let _times = changes.mtimes.map(|time| Times::set(&sources, time)).transpose().map_err(fail)?;
        let mut wrapped: Vec<OsString> = Vec::new();
        let mut below = Vec::new();
        if let Some(disorderfs) = &changes.backwards {
            wrapped.extend(["/bin/sh".into(), place.join("reversed.sh").into(), disorderfs.into()]);
            for (mount, name) in [(&sources, "sources-below"), (&temporary, "tmp-below")] {
                let moved = place.join(name);
                fs_err::rename(mount, &moved).and_then(|()| fs_err::create_dir(mount)).map_err(fail)?;
                wrapped.extend([moved.clone().into(), mount.into()]);
                below.push(Moved { from: moved, back: mount.clone() });
            }
            wrapped.push(directory.clone().into());
        }
        wrapped.extend(changes.wrappers.iter().rev().flatten().cloned());
        wrapped.push(self.settings.program.clone().into());
        wrapped.extend(arguments);
        let cache = match changes.cache {
            Cached::Nothing => place.join(format!("cold-cache-{}", self.builds)),
            Cached::Fetched | Cached::All => place.join("cache"),
        };
        private_directory(&cache)?;
        remove_persistently(&cache.join("built"));
        if changes.cache == Cached::All && place.join(BUILT).exists() {
            fs_err::rename(place.join(BUILT), cache.join("built")).map_err(fail)?;
        }
        let mut environment = self.world.environment.clone();
        for (name, value) in &changes.environment {
            match value {
                Some(value) => environment.insert(name.clone(), value.clone()),
                None => environment.remove(name),
            };
        }
        if changes.fake_the_clock() {
            let path = std::iter::once(place.join(OF_THE_CLOCK)).chain(self.world.search_path());
            environment.insert("PATH".into(), std::env::join_paths(path).unwrap_or_default());
        }
        environment.insert("PYZPACK_CACHE".into(), cache.clone().into());
        environment.insert("TMPDIR".into(), temporary.into());
        let program = wrapped.remove(0);
        let program = self.world.find_program(&program.to_string_lossy()).unwrap_or_else(|| program.into());
        // What is mounted first has no directories yet.
        let directory = if changes.backwards.is_some() { &place } else { &directory };
        let watch = Stopwatch::start();
        let ended = Child::new(&program, &environment, directory, self.limit).args(wrapped).capture_stdout().run();
        drop(below);
        let ended = match ended {
            Err(error @ ProcessError::TimedOut { .. }) => {
                return Ok(Attempt::Failed { status: None, messages: format!("error: {error}") });
            }
            ended => ended?,
        };
        if self.builds == 1 {
            self.limit = watch.elapsed().saturating_mul(PATIENCE.0) + PATIENCE.1;
        }
        if self.builds == 1 && cache.join("built").exists() {
            fs_err::rename(cache.join("built"), place.join(BUILT)).map_err(fail)?;
        }
        // What it names of the cache is found in the user's own.
        let (cache, own) = (cache.display().to_string(), self.world.cache.display().to_string());
        let mut messages = ended.messages.replace(&cache, &own);
        for tree in &self.trees {
            let copy = sources.join(&tree.place);
            messages = messages.replace(&*copy.to_string_lossy(), &tree.root.to_string_lossy());
        }
        if !ended.success() {
            return Ok(Attempt::Failed { status: ended.status.code(), messages });
        }
        let report: Value = serde_json::from_slice(&ended.stdout).map_err(|error| fail(error.into()))?;
        let sha256 = fs_err::File::open(&output).and_then(Sha256Digest::of_reader).map_err(fail)?;
        Ok(Attempt::Built(Built { path: output, sha256, report, messages }))
    }

    /// Whether `changes` can be made here: what they wrap a build in is run with a program that does nothing.
    pub(super) fn try_out(&self, changes: &Changes) -> Result<(), String> {
        let place = self.path().join("trial");
        let mut command: Vec<OsString> = Vec::new();
        if changes.values.keys().any(|condition| condition.needs() == Some("disorderfs")) {
            let disorderfs = changes.backwards.as_ref().ok_or_else(|| missing("disorderfs"))?;
            command.extend(["/bin/sh".into(), self.path().join("reversed.sh").into(), disorderfs.into()]);
            for name in ["a", "b"] {
                let (below, mount) = (place.join(name), place.join(format!("{name}-mount")));
                [&below, &mount]
                    .into_iter()
                    .try_for_each(std::fs::create_dir_all)
                    .map_err(|error| error.to_string())?;
                command.extend([below.into(), mount.into()]);
            }
            command.push(self.path().into());
        }
        for needed in changes.values.keys().filter_map(|condition| condition.needs()) {
            self.world.find_program(needed).ok_or_else(|| missing(needed))?;
        }
        command.extend(changes.wrappers.iter().rev().flatten().cloned());
        if command.is_empty() {
            return Ok(());
        }
        command.push("true".into());
        let program = command.remove(0);
        let program = self.world.find_program(&program.to_string_lossy()).unwrap_or_else(|| program.into());
        let ended =
            Child::new(&program, &self.world.environment, self.path(), Duration::from_mins(1)).args(command).run();
        remove_persistently(&place);
        match ended {
            Ok(ended) if ended.success() => Ok(()),
            Ok(ended) => {
                let last = ended.messages.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
                Err(last.unwrap_or_else(|| ended.describe_status()))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Makes a cache that has of the user's own what is of the network: what is fetched, and logs, are kept there.
pub(super) fn share_cache(world: &Surroundings, cache: &Path) -> io::Result<()> {
    crate::surroundings::make_private_directory(cache)?;
    for part in ["wheels", "uv", "pip", "logs"] {
        make_link(&world.make_cache_directory(part)?, &cache.join(part))?;
    }
    Ok(())
}

/// What is found as `rustc` in `directory`, and runs the one at `rustc`.
fn make_rustc(rustc: &Path, directory: &Path) -> io::Result<()> {
    fs_err::create_dir_all(directory.join("real"))?;
    make_link(rustc, &directory.join("real/rustc"))?;
    let script = directory.join("rustc");
    fs_err::write(&script, include_str!("rustc.sh"))?;
    #[cfg(unix)]
    fs_err::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(())
}

fn missing(program: &str) -> String {
    format!("no program `{program}` on PATH")
}

fn path_option_output(arguments: &mut Vec<OsString>, output: &Path) {
    let mut argument = OsString::from("--output=");
    argument.push(output);
    arguments.push(argument);
}

fn private_directory(directory: &Path) -> Result<(), ReproduceError> {
    crate::surroundings::make_private_directory(directory).map_err(ReproduceError::Stage)
}

/// A directory that is elsewhere for a while.
struct Moved {
    from: PathBuf,
    back: PathBuf,
}

impl Drop for Moved {
    fn drop(&mut self) {
        if self.from != self.back {
            // What stands in its place is empty: a mount's directory.
            let _ = std::fs::remove_dir(&self.back);
            let _ = std::fs::rename(&self.from, &self.back);
        }
    }
}

/// The times that files had before others were set.
struct Times(Vec<(PathBuf, FileTime)>);

impl Times {
    fn set(root: &Path, time: i64) -> io::Result<Self> {
        let mut before = Vec::new();
        for entry in walkdir::WalkDir::new(root).contents_first(true) {
            let entry = entry?;
            let found = entry.metadata()?;
            before.push((entry.path().to_owned(), FileTime::from_last_modification_time(&found)));
            let time = FileTime::from_unix_time(time, 0);
            filetime::set_symlink_file_times(entry.path(), time, time)?;
        }
        Ok(Self(before))
    }
}

impl Drop for Times {
    fn drop(&mut self) {
        for (path, time) in &self.0 {
            let _ = filetime::set_symlink_file_times(path, *time, *time);
        }
    }
}
