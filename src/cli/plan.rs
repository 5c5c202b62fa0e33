//! `pyzpack plan`: the phases of a build, what each will do, and why.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::application::{EntryChoice, Layout, LayoutChoice};
use crate::error::Error;
use crate::pipeline::{
    self, FoundLock, Inputs, Observer, OutlinedEntry, OutlinedStep, Planned, SourceKind, find_compilers, outline_lock,
};
use crate::python::Interpreter;
use crate::runtime::Reach;
use crate::settings::BuildSettings;
use crate::shown::count;
use crate::shown::shown;
use crate::status::Status;
use crate::surroundings::Surroundings;
use crate::wheel::collect::CollectError;

use super::build::describe;
use super::observer::Terminal;
use super::{print_bytes, report};

pub(super) fn run(settings: &BuildSettings, world: &Surroundings, terminal: &Terminal, as_json: bool) -> Status {
    let outcome = outline(settings, world).and_then(|outline| {
        let planned = outline.plan(settings, world, terminal)?;
        Ok((outline, planned))
    });
    terminal.finish();
    let (outline, planned) = match outcome {
        Ok((outline, planned)) => (outline, planned),
        Err(error) => return report::fail(&error),
    };
    let (outline, planned) = match planned {
        Progress::Planned(planned) => (outline, Some(*planned)),
        Progress::Unbuilt(sources) => (outline.with_sources(sources), None),
    };
    let phases = outline.phases(settings, planned.as_ref());
    if as_json {
        print_bytes(format!("{:#}\n", document(&outline, &phases, planned.as_ref(), terminal)).as_bytes())
    } else {
        print_bytes(shown(&text(&outline, &phases, planned.as_ref())).as_bytes())
    }
}

/// One phase: what it will do, and why so.
struct Phase {
    name: &'static str,
    what: String,
    why: String,
}

/// How far planning came.
enum Progress {
    /// To the end.
    Planned(Box<Planned>),
    /// To sources that would have to be built first.
    Unbuilt(Vec<String>),
}

/// What reading the inputs tells.
struct Outline {
    setup: Phase,
    /// What compiles modules, where any are asked for.
    compilers: Vec<Interpreter>,
    /// What is built, as messages name it, whatever the versions are.
    sources: Vec<String>,
    named: usize,
    /// What is started, where it is not asked for.
    entry: EntryChoice,
    /// The script that was named, which is started where nothing else is.
    script: Option<String>,
    /// What was found by convention, and why.
    reasons: Vec<String>,
    lock: Option<(FoundLock, Vec<OutlinedEntry>)>,
}

fn outline(settings: &BuildSettings, world: &Surroundings) -> Result<Outline, Error> {
    let inputs = Inputs::read(settings, world)?;
    let interpreter = inputs.find_interpreter(settings, world)?;
    let compilers = find_compilers(&settings.bytecode, &interpreter, world)?;
    let shown = |path: &Path| path.strip_prefix(&settings.directory).unwrap_or(path).display().to_string();
    let built = inputs.sources.iter().filter_map(|source| match source {
        SourceKind::Project(project) if project.root == settings.directory => Some("this project".to_owned()),
        SourceKind::Project(project) => Some(shown(&project.root)),
        SourceKind::Sdist(path) => Some(shown(path)),
        SourceKind::Git(git) => Some(git.url.clone()),
        _ => None,
    });
    let lock = match inputs.read_lock()? {
        Some(found) => {
            let entries = outline_lock(settings, world, &inputs, &interpreter, &found.lock)?;
            Some((found, entries))
        }
        None => None,
    };
    let what = format!("CPython {} at {}", interpreter.full_version, interpreter.executable.display());
    let why = match &settings.python {
        Some(_) => "asked for with --python",
        None => "the first on PATH that fits, else the newest",
    };
    Ok(Outline {
        setup: Phase { name: "setup", what, why: why.to_owned() },
        compilers,
        sources: built.collect(),
        named: inputs.sources.len() + inputs.files.len() + inputs.detected_files.len(),
        script: inputs.sources.iter().find_map(|source| match source {
            SourceKind::Script { path, .. } => Some(shown(path)),
            _ => None,
        }),
        entry: inputs.entry,
        reasons: inputs.reasons,
        lock,
    })
}

impl Outline {
    /// Goes on as far as it can without building anything, or fetching what a lock names.
    fn plan(&self, settings: &BuildSettings, world: &Surroundings, observer: &dyn Observer) -> Result<Progress, Error> {
        if !self.sources.is_empty() || self.lock.is_some() {
            return Ok(Progress::Unbuilt(Vec::new()));
        }
        match pipeline::plan(settings, world, observer) {
            Ok(planned) => Ok(Progress::Planned(Box::new(planned))),
            Err(Error::Collect(CollectError::Unbuilt { sources })) => Ok(Progress::Unbuilt(sources)),
            Err(error) => Err(error),
        }
    }

    fn with_sources(mut self, sources: Vec<String>) -> Self {
        self.sources.extend(sources);
        self
    }

    fn phases(&self, settings: &BuildSettings, planned: Option<&Planned>) -> Vec<Phase> {
        let setup = Phase { name: "setup", what: self.setup.what.clone(), why: self.setup.why.clone() };
        let mut phases = vec![setup, self.resolve(planned), self.fetch(settings, planned), self.build()];
        phases.extend(self.compile());
        phases.extend([describe_pack(settings, planned), self.start(settings, planned)]);
        phases
    }

    fn compile(&self) -> Option<Phase> {
        let describe = |one: &Interpreter| format!("CPython {} at {}", one.full_version, one.executable.display());
        let compilers: Vec<String> = self.compilers.iter().map(describe).collect();
        let what = format!("all modules, by {}", compilers.join(", "));
        (!compilers.is_empty()).then(|| Phase { name: "compile", what, why: "asked for with --bytecode".to_owned() })
    }

    /// The entries of the lock that are no inputs.
    fn entries(&self) -> Option<impl Iterator<Item = &OutlinedEntry>> {
        let (_, entries) = self.lock.as_ref()?;
        Some(entries.iter().filter(|entry| entry.step != OutlinedStep::Input))
    }

    fn resolve(&self, planned: Option<&Planned>) -> Phase {
        let (what, why) = match (&self.lock, planned) {
            (Some((found, _)), _) => {
                let number = self.entries().into_iter().flatten().count();
                (format!("{} from `{}`", count(number, "distribution"), found.lock.filename()), found.why.clone())
            }
            (None, Some(planned)) => {
                let wheels = count(planned.collected.wheels.iter().len(), "distribution");
                let what = format!("{wheels} from {}", count(self.named, "input"));
                (what, format!("by {}; there is no lock", planned.collected.resolver))
            }
            (None, None) => (
                "what the wheels require".to_owned(),
                "by uv or pip where the wheels leave a choice; there is no lock".to_owned(),
            ),
        };
        Phase { name: "resolve", what, why }
    }

    fn fetch(&self, settings: &BuildSettings, planned: Option<&Planned>) -> Phase {
        let by_hash = || "checked by sha256".to_owned();
        let (what, why) = if let Some(entries) = self.entries() {
            let sizes: Vec<Option<u64>> = entries
                .filter_map(|entry| match entry.step {
                    OutlinedStep::Fetch(size) => Some(size),
                    _ => None,
                })
                .collect();
            let total = sizes.iter().copied().sum::<Option<u64>>().filter(|total| *total > 0);
            let of = total.map(|total| format!(", {}", report::size(total))).unwrap_or_default();
            match sizes.len() {
                0 => ("nothing".to_owned(), "all files are at hand or in the cache".to_owned()),
                number if settings.offline => {
                    (format!("{} cannot be fetched", count(number, "file")), "--offline".to_owned())
                }
                number => (format!("{}{of}", count(number, "file")), by_hash()),
            }
        } else {
            let fetched = planned.map(|planned| {
                let wheels = &planned.application.manifest.wheels;
                wheels.iter().filter(|wheel| wheel.origin == "index").count()
            });
            match fetched {
                Some(0) => ("nothing".to_owned(), "all wheels are at hand".to_owned()),
                Some(number) => (count(number, "wheel"), by_hash()),
                None if settings.offline => ("nothing".to_owned(), "--offline".to_owned()),
                None => ("what is not at hand".to_owned(), by_hash()),
            }
        };
        Phase { name: "fetch", what, why }
    }

    fn build(&self) -> Phase {
        let locked = self.entries().into_iter().flatten().filter(|entry| entry.step == OutlinedStep::Build);
        let mut named: BTreeSet<String> = BTreeSet::new();
        let sources: Vec<String> = self.sources.iter().cloned().chain(locked.map(|entry| entry.from.clone())).collect();
        let sources: Vec<String> = sources.into_iter().filter(|source| named.insert(source.clone())).collect();
        let (what, why) = if sources.is_empty() {
            ("nothing".to_owned(), "everything has a wheel".to_owned())
        } else {
            let (each, why) = if sources.len() == 1 { ("", "it is a source") } else { (" each", "they are sources") };
            (format!("{} to a wheel{each}, in an isolated environment", sources.join(", ")), why.to_owned())
        };
        Phase { name: "build", what, why }
    }

    fn start(&self, settings: &BuildSettings, planned: Option<&Planned>) -> Phase {
        let what = match &self.entry {
            EntryChoice::OnlyScript => self.script.clone().unwrap_or_else(|| "the only console script".to_owned()),
            EntryChoice::ConsoleScript(name) => format!("the console script `{name}`"),
            EntryChoice::Object(object) => object.to_string(),
        };
        let why = match (&settings.entry, &self.entry) {
            (EntryChoice::OnlyScript, EntryChoice::OnlyScript) if self.script.is_some() => "the script that is named",
            (EntryChoice::OnlyScript, EntryChoice::OnlyScript) => "nothing else was named",
            (EntryChoice::OnlyScript, _) => "found by its name",
            _ => "asked for",
        };
        let mut what = planned.map_or(what, |planned| planned.application.entry_point.to_string());
        if settings.reach == Reach::Children {
            what.push_str(", with the packages on PYTHONPATH for what it starts");
        }
        Phase { name: "start", what, why: why.to_owned() }
    }
}

fn describe_pack(settings: &BuildSettings, planned: Option<&Planned>) -> Phase {
    let name = |layout: Layout| match layout {
        Layout::Zip => "layout zip",
        Layout::Extract => "layout extract",
    };
    let (what, why) = match (planned, settings.layout) {
        (Some(planned), _) => {
            let application = &planned.application;
            let mut files = count(application.manifest.files.len(), "file");
            if !settings.bytecode.0.is_empty() {
                files += " and their bytecode";
            }
            (format!("{files}, {}", name(application.layout)), application.layout_reason.clone())
        }
        (None, LayoutChoice::Auto) if !settings.bytecode.0.is_empty() => {
            (format!("all files, {}", name(Layout::Extract)), "bytecode is packed".to_owned())
        }
        (None, LayoutChoice::Auto) => {
            ("all files".to_owned(), "the layout that fits them is chosen when they are known".to_owned())
        }
        (None, LayoutChoice::Zip) => (format!("all files, {}", name(Layout::Zip)), "asked for".to_owned()),
        (None, LayoutChoice::Extract) => (format!("all files, {}", name(Layout::Extract)), "asked for".to_owned()),
    };
    Phase { name: "pack", what, why }
}

fn text(outline: &Outline, phases: &[Phase], planned: Option<&Planned>) -> String {
    let mut text = String::new();
    for Phase { name, what, why } in phases {
        let _ = writeln!(text, "{name:<8} {what} ({why})");
        for reason in outline.reasons.iter().filter(|_| *name == "setup") {
            let _ = writeln!(text, "         {reason}");
        }
    }
    for entry in outline.entries().into_iter().flatten() {
        let version = entry.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let step = match entry.step {
            OutlinedStep::Input | OutlinedStep::AtHand => "at hand",
            OutlinedStep::Fetch(_) => "to fetch",
            OutlinedStep::Build => "to build",
        };
        let _ = writeln!(text, "         {}{version} ({step})", entry.name);
    }
    let Some(planned) = planned else {
        text.push_str("runs on: known when the wheels are\n");
        return text;
    };
    for wheel in &planned.application.manifest.wheels {
        let _ = writeln!(text, "         {} {} ({})", wheel.name, wheel.version, wheel.origin);
    }
    for note in &planned.application.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "{}", planned.application.runs_on);
    text
}

fn document(outline: &Outline, phases: &[Phase], planned: Option<&Planned>, terminal: &Terminal) -> Value {
    let mut document = planned.map_or_else(|| json!({}), describe);
    let phases: Vec<Value> =
        phases.iter().map(|Phase { name, what, why }| json!({"name": name, "what": what, "why": why})).collect();
    document["phases"] = phases.into();
    document["detected"] = outline.reasons.clone().into();
    document["warnings"] = terminal.warnings().into();
    if let Some((found, entries)) = &outline.lock {
        document["lock"] = json!({"filename": found.lock.filename(), "sha256": found.lock.sha256, "why": found.why});
        let entries = entries.iter().map(|entry| {
            let (step, size) = match entry.step {
                OutlinedStep::Input => ("input", None),
                OutlinedStep::AtHand => ("at-hand", None),
                OutlinedStep::Fetch(size) => ("fetch", size),
                OutlinedStep::Build => ("build", None),
            };
            json!({"name": entry.name, "version": entry.version, "from": entry.from, "step": step, "size": size})
        });
        document["locked"] = entries.collect();
    }
    document
}
