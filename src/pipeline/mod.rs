//! The stages of a build in their order: a table of contents.
//!
//! `BuildSettings -> Inputs -> Interpreter -> WheelSet -> ApplicationPlan -> PackedArchive`

mod checkouts;
mod chosen;
mod collect;
mod compile;
mod finder;
mod inputs;
pub mod lock;
mod locked;
mod origins;
mod outline;
mod pins;
mod repositories;
mod resolved;
mod start;
pub mod wheel;
mod workshop;

use std::path::PathBuf;

use crate::application::{ApplicationOptions, ApplicationPlan, InstalledTree, Scripts, assemble};
use crate::error::Error;
use crate::evidence::{Claims, IndexNote, Recipe, RecipeFile, RecipeTarget};
use crate::lock::Lock;
use crate::output::{
    EvidenceKind, EvidenceRequest, PackedArchive, check_evidence, check_not_input, check_target, write_output,
};
use crate::python::Interpreter;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;

use self::checkouts::Checkouts;

pub use checkouts::{SourceError, find_commit};
pub use collect::{BuildFacts, Collected};
pub use compile::find_compilers;
pub use inputs::{FoundLock, Inputs, SourceKind};
pub use outline::{OutlinedEntry, OutlinedStep, outline_lock};
pub use pins::Unpinned;

/// A stage of a build, for progress and report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Inputs are read, an interpreter is found.
    Setup,
    /// Sources that were named are built to wheels.
    Build,
    /// Versions are chosen.
    Resolve,
    /// Files are fetched; sources among them are built.
    Fetch,
    /// Wheels are checked.
    Verify,
    /// Modules are compiled.
    Compile,
    /// The archive is planned.
    Plan,
    /// The archive is written and read again.
    Pack,
}

impl Stage {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Build => "build",
            Self::Resolve => "resolve",
            Self::Fetch => "fetch",
            Self::Verify => "verify",
            Self::Compile => "compile",
            Self::Plan => "plan",
            Self::Pack => "pack",
        }
    }
}

/// Who watches a build: it keeps the time, shows progress, and passes on what the user should know.
pub trait Observer: Sync {
    /// A stage begins, and with it the one before ends. `what` says what is being done.
    fn begin(&self, stage: Stage, what: &str);

    /// Bytes of the stage under way that are done, and how many there are in all, where that is known.
    fn advance(&self, _done: u64, _total: Option<u64>) {}

    /// Something that the user should know.
    fn warn(&self, message: &str);

    /// Something that is as it should be, and good to know.
    fn note(&self, message: &str);

    /// Something that only a curious user wants to know.
    fn detail(&self, _message: &str) {}
}

/// A build up to its plan.
#[derive(Debug)]
pub struct Planned {
    /// The wheels and what else is packed.
    pub collected: Collected,
    /// The interpreter that resolved and built.
    pub interpreter: Interpreter,
    /// The plan.
    pub application: ApplicationPlan,
}

/// A build that is done.
#[derive(Debug)]
pub struct Built {
    /// The build up to its plan.
    pub planned: Planned,
    /// The archive.
    pub packed: PackedArchive,
}

/// Builds the archive that `settings` ask for.
///
/// # Errors
/// The error of the stage that failed; an older output is as it was.
pub fn build(settings: &BuildSettings, world: &Surroundings, observer: &dyn Observer) -> Result<Built, Error> {
    if let Some(output) = &settings.output {
        let target = settings.directory.join(output);
        check_target(&target)?;
        check_evidence(&target, &settings.evidence)?;
        let named = settings.inputs.iter().map(|input| settings.directory.join(input));
        let read: Vec<PathBuf> =
            named.chain(settings.requirement_files.iter().map(|file| settings.directory.join(file))).collect();
        check_not_input(&target, read.iter().map(PathBuf::as_path))?;
    }
    observer.begin(Stage::Setup, "reading the inputs");
    let inputs = Inputs::read(settings, world)?;
    let wants_provenance = settings.evidence.contains(&EvidenceKind::Provenance);
    let checkouts = wants_provenance.then(|| Checkouts::look(&inputs, world));
    let planned = plan_inputs(&inputs, settings, world, observer, Modules::Compile)?;
    let output = OutputPlace::prepare(settings, &planned.application.manifest.name)?;
    let commits = checkouts.map(|before| before.commits(&Checkouts::look(&inputs, world), observer));
    let index = IndexNote::from_options(inputs.index.index_url.as_deref(), &inputs.index.extra_index_urls);
    let claims = Claims { builder: settings.builder.clone(), commits: commits.unwrap_or_default(), index };
    let request = EvidenceRequest { kinds: settings.evidence.clone(), claims };
    observer.begin(Stage::Pack, &format!("packing {}", output.target.display()));
    let packed = write_output(&planned.application.archive, &planned.collected.wheels, &output.target, &request)?;
    output.keep();
    Ok(Built { planned, packed })
}

/// Does everything of a build but writing the archive.
///
/// # Errors
/// The error of the stage that failed.
pub fn plan(settings: &BuildSettings, world: &Surroundings, observer: &dyn Observer) -> Result<Planned, Error> {
    observer.begin(Stage::Setup, "reading the inputs");
    let inputs = Inputs::read(settings, world)?;
    plan_inputs(&inputs, settings, world, observer, Modules::Leave)
}

/// What happens to modules for which bytecode is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Modules {
    /// They are compiled.
    Compile,
    /// They are left as they are, for compiling takes longer than all the rest of a plan.
    Leave,
}

fn plan_inputs(
    inputs: &Inputs,
    settings: &BuildSettings,
    world: &Surroundings,
    observer: &dyn Observer,
    modules: Modules,
) -> Result<Planned, Error> {
    let interpreter = inputs.find_interpreter(settings, world)?;
    let compilers = find_compilers(&settings.bytecode, &interpreter, world)?;
    for name in inputs.mistakable_names(settings) {
        observer.warn(&format!("`{name}` is a distribution's name; to pack the directory `{name}` write `./{name}`"));
    }
    let lock = inputs.read_lock()?.map(|found| found.lock);
    let collected = collect::collect(settings, world, inputs, lock.as_ref(), &interpreter, observer)?;
    observer.begin(Stage::Plan, "planning the archive");
    let mut tree = InstalledTree::lay_out(&collected.wheels, &collected.loose, settings.on_conflict)?;
    let scripts = Scripts::collect(&collected.wheels, &tree);
    let entry_point = start::choose(&inputs.entry, &collected, &scripts)?;
    let options = ApplicationOptions {
        name: collected.name.clone(),
        version: collected.version.clone(),
        requires_python: collected.requires_python.clone(),
        named: collected.named.clone(),
        roots: collected.roots.clone(),
        overridden: collected.overridden.clone(),
        epoch: collected.epoch,
        shebang: settings.shebang.clone(),
        layout: settings.layout,
        reach: settings.reach,
        compression: settings.compression,
        tool_version: settings.tool_version.clone(),
        recipe: recipe(settings, lock.as_ref(), &collected, &compilers),
        origins: collected.origins.clone(),
    };
    compile::check_supported(&compilers, &collected, &options)?;
    if modules == Modules::Compile && !compilers.is_empty() {
        observer.begin(Stage::Compile, "compiling modules");
        tree = compile::with_bytecode(&compilers, &collected, settings.on_conflict, world, observer)?;
        observer.begin(Stage::Plan, "planning the archive with bytecode");
    }
    // The check runs an interpreter, which takes as long as all the rest.
    let (checked, assembled) = std::thread::scope(|scope| {
        let check = scope.spawn(|| start::check(&entry_point, world, &interpreter, &collected, &tree));
        let entry_point = entry_point.clone();
        let assembled = assemble(&collected.wheels, &tree, &scripts, entry_point, &collected.target, options);
        (check.join().expect("the check does not panic"), assembled)
    });
    checked?;
    let application = assembled?;
    application.warnings.iter().for_each(|warning| observer.warn(warning));
    if !collected.unpinned.is_empty() {
        observer.note(&format!("not pinned, so another day may choose otherwise: {}", collected.unpinned));
    }
    application.notes.iter().for_each(|note| observer.note(note));
    Ok(Planned { collected, interpreter, application })
}

/// Everything that decides about the bytes, and nothing else.
fn recipe(settings: &BuildSettings, lock: Option<&Lock>, collected: &Collected, compilers: &[Interpreter]) -> Recipe {
    use crate::application::{Compression, ConflictPolicy, EntryChoice, LayoutChoice};
    let (console_script, entry_point) = match &settings.entry {
        EntryChoice::OnlyScript => (None, None),
        EntryChoice::ConsoleScript(name) => (Some(name.clone()), None),
        EntryChoice::Object(object) => (None, Some(object.to_string())),
    };
    let sorted = |names: &[crate::names::PackageName]| {
        let sorted: std::collections::BTreeSet<_> = names.iter().cloned().collect();
        sorted.into_iter().collect()
    };
    Recipe {
        inputs: collected.recipe_inputs.clone(),
        lock: lock.map(|lock| RecipeFile { filename: lock.filename(), sha256: lock.sha256 }),
        console_script,
        entry_point,
        extras: sorted(&settings.extras),
        groups: sorted(&settings.groups),
        target: RecipeTarget {
            python: settings.target_python.map(|minor| minor.to_string()),
            platform: settings.platform.clone(),
        },
        layout: match settings.layout {
            LayoutChoice::Auto => "auto",
            LayoutChoice::Zip => "zip",
            LayoutChoice::Extract => "extract",
        }
        .to_owned(),
        compression: if settings.compression == Compression::Store { "store" } else { "deflate" }.to_owned(),
        recompress: settings.compression == Compression::Recompress,
        bytecode: compilers.iter().map(|compiler| compiler.full_version.clone()).collect(),
        on_conflict: match settings.on_conflict {
            ConflictPolicy::Error => "error",
            ConflictPolicy::First => "first",
            ConflictPolicy::Last => "last",
        }
        .to_owned(),
        shebang: settings.shebang.to_string(),
    }
}

/// Where the output goes; a `dist` directory that was made for it goes again when the build fails.
struct OutputPlace {
    target: std::path::PathBuf,
    made: Option<std::path::PathBuf>,
}

impl OutputPlace {
    fn prepare(settings: &BuildSettings, name: &str) -> Result<Self, Error> {
        if let Some(output) = &settings.output {
            return Ok(Self { target: settings.directory.join(output), made: None });
        }
        let directory = settings.directory.join("dist");
        let made = match std::fs::create_dir(&directory) {
            Ok(()) => Some(directory.clone()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => None,
            Err(error) => {
                let path = directory.display().to_string();
                return Err(crate::output::OutputError::Io { path, error }.into());
            }
        };
        Ok(Self { target: directory.join(format!("{name}.pyz")), made })
    }

    fn keep(mut self) {
        self.made = None;
    }
}

impl Drop for OutputPlace {
    fn drop(&mut self) {
        if let Some(directory) = &self.made {
            // Only an empty directory goes.
            let _ = std::fs::remove_dir(directory);
        }
    }
}
