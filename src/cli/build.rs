//! `pyzpack build` and `pyzpack plan`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use serde_json::{Value, json};

use crate::pipeline::{self, Built, Observer, Planned};
use crate::settings::{BuildSettings, SourcePolicy};
use crate::shown::count;
use crate::shown::shown_in_line;
use crate::status::Status;
use crate::surroundings::Surroundings;

use super::observer::Terminal;
use super::session::Session;
use super::{plan, print_bytes, report, settings};

/// What the options of a build are given for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Build,
    Plan,
}

pub(super) fn run(matches: &ArgMatches, purpose: Purpose) -> Status {
    let Session { world, settings: mut resolved, terminal } =
        match Session::begin(matches, settings::resolve, |resolved| &resolved.settings) {
            Ok(session) => session,
            Err(status) => return status,
        };
    if let Some(jobs) = resolved.jobs {
        // It fails only where a pool was made before, and none was.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global();
    }
    resolved.notes.iter().for_each(|note| terminal.warn(note));
    match purpose {
        Purpose::Build => build(&resolved.settings, &world, &terminal, matches.get_flag("json")),
        Purpose::Plan => {
            resolved.settings.sources = SourcePolicy::Refuse;
            plan::run(&resolved.settings, &world, &terminal, matches.get_flag("json"))
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
        "{}: {}, {}, sha256 {}, {:.2} s\n",
        shown_in_line(&shown),
        report::size(packed.size),
        count(built.planned.collected.wheels.iter().len(), "distribution"),
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
    let named = |path: &PathBuf| Path::new(shown).with_file_name(path.file_name().unwrap_or_default());
    let evidence: Vec<String> = packed.evidence.iter().map(|path| named(path).display().to_string()).collect();
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
pub(super) fn describe(planned: &Planned) -> Value {
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
        "lock": manifest.recipe.lock,
        "built": planned.collected.builds,
        "files": manifest.files.len(),
        "bytecode": manifest.recipe.bytecode,
    })
}
