//! `pyzpack lock`.

use clap::ArgMatches;
use serde_json::json;

use crate::pipeline::lock::{LockSettings, WrittenLock, check, lock};
use crate::shown::count;
use crate::status::Status;
use crate::surroundings::Surroundings;

use super::observer::Terminal;
use super::session::Session;
use super::{print_bytes, report, settings};

pub(super) fn run(matches: &ArgMatches) -> Status {
    let Session { world, settings, terminal } =
        match Session::begin(matches, settings::resolve_lock, |settings| &settings.build) {
            Ok(session) => session,
            Err(status) => return status,
        };
    let as_json = matches.get_flag("json");
    if matches.get_flag("check") {
        check_lock(&settings, &world, as_json)
    } else {
        make(&settings, &world, &terminal, as_json)
    }
}

fn make(settings: &LockSettings, world: &Surroundings, terminal: &Terminal, as_json: bool) -> Status {
    let result = lock(settings, world, terminal);
    terminal.finish();
    let written = match result {
        Ok(written) => written,
        Err(error) => return report::fail(&error),
    };
    let shown = shown_path(settings, &written.path);
    if as_json {
        return print_bytes(format!("{:#}\n", describe(&written, &shown, terminal)).as_bytes());
    }
    let builds = match written.builds.len() {
        0 => String::new(),
        _ => format!(", {}", count(written.build_packages, "build requirement")),
    };
    let target = written.target.as_deref().unwrap_or("any platform");
    let line = format!("{shown}: {}{builds}, for {target}\n", count(written.packages, "distribution"));
    print_bytes(line.as_bytes())
}

fn check_lock(settings: &LockSettings, world: &Surroundings, as_json: bool) -> Status {
    let path = match check(settings, world) {
        Ok(path) => path,
        Err(error) => return report::fail(&error),
    };
    let shown = shown_path(settings, &path);
    if as_json {
        return print_bytes(format!("{:#}\n", json!({"lock": shown, "up_to_date": true})).as_bytes());
    }
    print_bytes(format!("{shown}: up to date\n").as_bytes())
}

/// The lock as the user would name it.
fn shown_path(settings: &LockSettings, path: &std::path::Path) -> String {
    if let Some(output) = &settings.output {
        return output.display().to_string();
    }
    let directory = &settings.build.directory;
    let resolved = directory.canonicalize().unwrap_or_else(|_| directory.clone());
    path.strip_prefix(resolved).unwrap_or(path).display().to_string()
}

fn describe(written: &WrittenLock, shown: &str, terminal: &Terminal) -> serde_json::Value {
    let stages = terminal.stages();
    let stages: Vec<_> =
        stages.iter().map(|(stage, time)| json!({"name": stage.name(), "seconds": time.as_secs_f64()})).collect();
    json!({
        "lock": shown,
        "sha256": written.sha256,
        "inputs": format!("sha256:{}", written.inputs),
        "distributions": written.packages,
        "build_requirements": written.build_packages,
        "builds": written.builds,
        "target": written.target,
        "resolver": written.resolver,
        "stages": stages,
        "seconds": terminal.elapsed().as_secs_f64(),
        "warnings": terminal.warnings(),
    })
}
