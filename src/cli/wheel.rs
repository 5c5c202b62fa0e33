//! `pyzpack wheel`.

use std::path::Path;

use clap::ArgMatches;
use serde_json::{Value, json};

use crate::pipeline::Observer;
use crate::pipeline::wheel::{MadeWheel, MadeWheels, WheelSettings, make_wheels};
use crate::shown::shown_in_line;
use crate::status::Status;

use super::observer::Terminal;
use super::session::Session;
use super::{print_bytes, report, settings};

pub(super) fn run(matches: &ArgMatches) -> Status {
    let Session { world, settings, terminal } =
        match Session::begin(matches, settings::resolve_wheel, |settings| &settings.build) {
            Ok(session) => session,
            Err(status) => return status,
        };
    let result = make_wheels(&settings, &world, &terminal);
    let made = match result {
        Ok(made) => made,
        Err(error) => {
            terminal.finish();
            return report::fail(&error);
        }
    };
    if !made.unpinned.is_empty() {
        terminal.note(&format!("not pinned, so another day may choose otherwise: {}", made.unpinned));
    }
    terminal.finish();
    if matches.get_flag("json") {
        return print_bytes(format!("{:#}\n", describe(&made, &settings, &terminal)).as_bytes());
    }
    let line = |wheel: &MadeWheel| {
        let shown = shown_path(wheel, &settings);
        format!("{}: {}, sha256 {}\n", shown_in_line(&shown), report::size(wheel.size), wheel.facts.sha256)
    };
    print_bytes(made.wheels.iter().map(line).collect::<String>().as_bytes())
}

/// The wheel as the user would name it.
fn shown_path(wheel: &MadeWheel, settings: &WheelSettings) -> String {
    settings.directory.join(&wheel.facts.filename).display().to_string()
}

fn describe(made: &MadeWheels, settings: &WheelSettings, terminal: &Terminal) -> Value {
    let wheels = made.wheels.iter().map(|wheel| {
        let mut facts = serde_json::to_value(&wheel.facts).unwrap_or_default();
        facts["file"] = shown_path(wheel, settings).into();
        facts["size"] = wheel.size.into();
        facts
    });
    let stages = terminal.stages();
    let stages: Vec<_> =
        stages.iter().map(|(stage, time)| json!({"name": stage.name(), "seconds": time.as_secs_f64()})).collect();
    let python: &Path = &made.interpreter.executable;
    json!({
        "wheels": wheels.collect::<Vec<_>>(),
        "python": python,
        "unpinned": {
            "build_requirements": made.unpinned.build_requirements,
            "repositories": made.unpinned.repositories,
        },
        "stages": stages,
        "seconds": terminal.elapsed().as_secs_f64(),
        "warnings": terminal.warnings(),
    })
}
