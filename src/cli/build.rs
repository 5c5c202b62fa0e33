//! `pyzpack build` and `pyzpack plan`.

use std::fmt::Write as _;
use std::path::Path;

use clap::ArgMatches;
use serde_json::{Value, json};

use crate::application::{ApplicationPlan, EntryChoice, Layout, LayoutChoice};
use crate::error::Error;
use crate::pipeline::{self, Built, Inputs, Observer, Planned, SourceKind};
use crate::process::interrupt;
use crate::settings::{BuildSettings, SourcePolicy};
use crate::status::Status;
use crate::surroundings::Surroundings;
use crate::wheel::collect::CollectError;

use super::observer::{Loudness, Terminal};
use super::{print_bytes, report, settings, world};

/// What the options of a build are given for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Build,
    Plan,
}

pub(super) fn run(matches: &ArgMatches, purpose: Purpose) -> Status {
    let loudness = match (matches.get_flag("quiet"), matches.get_flag("verbose")) {
        (true, _) => Loudness::Quiet,
        (false, true) => Loudness::Verbose,
        (false, false) => Loudness::Usual,
    };
    let world = match world::read() {
        Ok(world) => world,
        Err(error) => return report::fail(&error),
    };
    let mut resolved = match settings::resolve(matches, &world) {
        Ok(resolved) => resolved,
        Err(error) => return report::fail(&error),
    };
    let terminal = Terminal::new(loudness);
    let bar = terminal.bar();
    if let Err(error) = interrupt::install(move || bar.finish_and_clear()) {
        return report::fail_io("answer signals", &error);
    }
    if let Some(jobs) = resolved.jobs {
        // It fails only where a pool was made before, and none was.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global();
    }
    resolved.notes.iter().for_each(|note| terminal.warn(note));
    match purpose {
        Purpose::Build => build(&resolved.settings, &world, &terminal, matches.get_flag("json")),
        Purpose::Plan => {
            resolved.settings.sources = SourcePolicy::Refuse;
            plan(&resolved.settings, &world, &terminal, matches.get_flag("json"))
        }
    }
}

fn build(settings: &BuildSettings, world: &Surroundings, terminal: &Terminal, as_json: bool) -> Status {
    let result = pipeline::build(settings, world, terminal);
    terminal.finish();
    let built = match result {
        Ok(built) => built,
        Err(error) => return report::fail(&error),
    };
    let shown = shown_output(settings, &built);
    if as_json {
        let report = build_report(&built, &shown, terminal);
        return print_bytes(format!("{report:#}\n").as_bytes());
    }
    let packed = &built.packed;
    let line = format!(
        "{shown}: {}, {}, sha256 {}, {:.2} s\n",
        report::size(packed.size),
        report::count(built.planned.collected.wheels.iter().len(), "distribution"),
        packed.sha256,
        terminal.elapsed().as_secs_f64(),
    );
    let status = print_bytes(line.as_bytes());
    terminal.say(&built.planned.application.runs_on);
    status
}

/// The output as the user would name it.
fn shown_output(settings: &BuildSettings, built: &Built) -> String {
    let path = &built.packed.path;
    match &settings.output {
        Some(output) => output.display().to_string(),
        None => path.strip_prefix(&settings.directory).unwrap_or(path).display().to_string(),
    }
}

fn build_report(built: &Built, shown: &str, terminal: &Terminal) -> Value {
    let mut report = describe(&built.planned);
    let packed = &built.packed;
    let stages: Vec<Value> = terminal
        .stages()
        .iter()
        .map(|(stage, time)| json!({"name": stage.name(), "seconds": time.as_secs_f64()}))
        .collect();
    let evidence: Vec<String> = packed.evidence.iter().map(|path| path.display().to_string()).collect();
    let more = json!({
        "output": shown,
        "size": packed.size,
        "sha256": packed.sha256,
        "evidence": evidence,
        "stages": stages,
        "seconds": terminal.elapsed().as_secs_f64(),
        "warnings": terminal.warnings(),
    });
    if let (Value::Object(report), Value::Object(more)) = (&mut report, more) {
        report.extend(more);
    }
    report
}

/// What build and plan both tell of the application.
fn describe(planned: &Planned) -> Value {
    let application = &planned.application;
    let manifest = &application.manifest;
    let unpinned = &planned.collected.unpinned;
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "entry_point": manifest.entry_point,
        "layout": manifest.layout,
        "layout_reason": application.layout_reason,
        "pythons": manifest.pythons,
        "platform": manifest.platform,
        "runs_on": application.runs_on,
        "notes": application.notes,
        "resolver": planned.collected.resolver,
        "unpinned": {
            "distributions": unpinned.distributions,
            "build_requirements": unpinned.build_requirements,
            "repositories": unpinned.repositories,
        },
        "python": planned.interpreter.executable,
        "distributions": manifest.wheels,
        "files": manifest.files.len(),
    })
}

fn plan(settings: &BuildSettings, world: &Surroundings, terminal: &Terminal, as_json: bool) -> Status {
    let mut outline = match outline(settings, world) {
        Ok(outline) => outline,
        Err(error) => {
            terminal.finish();
            return report::fail(&error);
        }
    };
    // Nothing is built: where a source must be, the rest is known when it is.
    let planned = if outline.builds { Ok(None) } else { pipeline::plan(settings, world, terminal).map(Some) };
    let planned = match planned {
        Err(Error::Collect(CollectError::Unbuilt { sources })) => {
            outline.sources.extend(sources);
            Ok(None)
        }
        other => other,
    };
    terminal.finish();
    match planned {
        Err(error) => report::fail(&error),
        Ok(planned) if as_json => {
            let mut document = planned.as_ref().map_or_else(|| json!({}), describe);
            if let Value::Object(document) = &mut document {
                let phases: Vec<Value> = phases(&outline, settings, planned.as_ref())
                    .into_iter()
                    .map(|(name, what)| json!({"name": name, "what": what}))
                    .collect();
                document.insert("phases".to_owned(), phases.into());
                document.insert("warnings".to_owned(), terminal.warnings().into());
            }
            print_bytes(format!("{document:#}\n").as_bytes())
        }
        Ok(planned) => {
            let mut text = String::new();
            for (name, what) in phases(&outline, settings, planned.as_ref()) {
                let _ = writeln!(text, "{name:<8} {what}");
            }
            match &planned {
                Some(planned) => {
                    for wheel in &planned.application.manifest.wheels {
                        let _ = writeln!(text, "         {} {} ({})", wheel.name, wheel.version, wheel.origin);
                    }
                    for note in &planned.application.notes {
                        let _ = writeln!(text, "note: {note}");
                    }
                    let _ = writeln!(text, "{}", planned.application.runs_on);
                }
                None => text.push_str("runs on: known when the sources are built\n"),
            }
            print_bytes(text.as_bytes())
        }
    }
}

/// What reading the inputs tells.
struct Outline {
    setup: String,
    builds: bool,
    sources: Vec<String>,
    named: usize,
}

fn outline(settings: &BuildSettings, world: &Surroundings) -> Result<Outline, Error> {
    let inputs = Inputs::read(settings)?;
    let interpreter = inputs.find_interpreter(settings, world)?;
    let shown = |path: &Path| path.strip_prefix(&settings.directory).unwrap_or(path).display().to_string();
    let built = inputs.sources.iter().filter_map(|source| match source {
        SourceKind::Project(project) if project.root == settings.directory => Some("this project".to_owned()),
        SourceKind::Project(project) => Some(shown(&project.root)),
        SourceKind::Sdist(path) => Some(shown(path)),
        SourceKind::Git(git) => Some(git.url.clone()),
        _ => None,
    });
    Ok(Outline {
        setup: format!("CPython {} at {}", interpreter.full_version, interpreter.executable.display()),
        builds: inputs.needs_building(),
        sources: built.collect(),
        named: inputs.sources.len() + inputs.files.len(),
    })
}

/// The phases of the build, and what each will do.
fn phases(outline: &Outline, settings: &BuildSettings, planned: Option<&Planned>) -> Vec<(&'static str, String)> {
    let mut phases = vec![("setup", outline.setup.clone())];
    if !outline.sources.is_empty() {
        let each = if outline.sources.len() == 1 { "" } else { " each" };
        phases.push(("build", format!("{} to a wheel{each}, in an isolated environment", outline.sources.join(", "))));
    }
    let resolve = match planned {
        Some(planned) => format!(
            "{} from {}, by {}",
            report::count(planned.collected.wheels.iter().len(), "distribution"),
            report::count(outline.named, "input"),
            planned.collected.resolver,
        ),
        None => "what the wheels require, by uv or pip where they leave a choice".to_owned(),
    };
    phases.push(("resolve", resolve));
    let fetched = planned
        .map(|planned| planned.application.manifest.wheels.iter().filter(|wheel| wheel.origin == "index").count());
    let fetch = match fetched {
        Some(0) => "nothing: all wheels are at hand".to_owned(),
        Some(number) => format!("{}, checked by sha256", report::count(number, "wheel")),
        None if settings.offline => "nothing: --offline".to_owned(),
        None => "what is not at hand, checked by sha256".to_owned(),
    };
    phases.push(("fetch", fetch));
    let layout = |layout: Layout| match layout {
        Layout::Zip => "layout zip",
        Layout::Extract => "layout extract",
    };
    let (pack, start) = if let Some(planned) = planned {
        let application: &ApplicationPlan = &planned.application;
        let files = report::count(application.manifest.files.len(), "file");
        let pack = format!("{files}, {}: {}", layout(application.layout), application.layout_reason);
        (pack, application.entry_point.to_string())
    } else {
        let layout = match settings.layout {
            LayoutChoice::Auto => "the layout that fits them",
            LayoutChoice::Zip => layout(Layout::Zip),
            LayoutChoice::Extract => layout(Layout::Extract),
        };
        let start = match &settings.entry {
            EntryChoice::OnlyScript => "the only console script".to_owned(),
            EntryChoice::ConsoleScript(name) => format!("the console script `{name}`"),
            EntryChoice::Object(object) => object.to_string(),
        };
        (format!("all files, in {layout}"), format!("{start}, looked up in the wheels"))
    };
    phases.push(("pack", pack));
    phases.push(("start", start));
    phases
}
