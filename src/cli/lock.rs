//! `pyzpack lock`.

use std::path::Path;

use clap::ArgMatches;
use serde_json::json;

use crate::pipeline::lock::{
    LockSettings, NixSettings, WrittenLock, WrittenNix, check, check_for_nix, lock, lock_for_nix,
};
use crate::settings::BuildSettings;
use crate::shown::count;
use crate::status::Status;
use crate::surroundings::Surroundings;

use super::observer::Terminal;
use super::session::Session;
use super::{print_bytes, report, settings};

pub(super) fn run(matches: &ArgMatches) -> Status {
    match matches.get_one::<String>("format").map(String::as_str) {
        Some("nix") => run_for_nix(matches),
        _ => run_for_pylock(matches),
    }
}

fn run_for_pylock(matches: &ArgMatches) -> Status {
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
    let shown = shown_path(&settings.build, settings.output.as_deref(), &written.path);
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
    match check(settings, world) {
        Ok(path) => tell_fresh(&shown_path(&settings.build, settings.output.as_deref(), &path), as_json),
        Err(error) => report::fail(&error),
    }
}

fn run_for_nix(matches: &ArgMatches) -> Status {
    let Session { world, settings, terminal } =
        match Session::begin(matches, settings::resolve_nix, |settings| &settings.build) {
            Ok(session) => session,
            Err(status) => return status,
        };
    let as_json = matches.get_flag("json");
    if matches.get_flag("check") {
        return match check_for_nix(&settings, &world) {
            Ok(path) => tell_fresh(&shown_path(&settings.build, settings.output.as_deref(), &path), as_json),
            Err(error) => report::fail(&error),
        };
    }
    make_for_nix(&settings, &world, &terminal, as_json)
}

fn make_for_nix(settings: &NixSettings, world: &Surroundings, terminal: &Terminal, as_json: bool) -> Status {
    let result = lock_for_nix(settings, world, terminal);
    terminal.finish();
    let written = match result {
        Ok(written) => written,
        Err(error) => return report::fail(&error),
    };
    let shown = shown_path(&settings.build, settings.output.as_deref(), &written.path);
    if as_json {
        return print_bytes(format!("{:#}\n", describe_for_nix(&written, &shown, settings, terminal)).as_bytes());
    }
    let builds = match written.builds.len() {
        0 => String::new(),
        _ => format!(", {}", count(written.build_packages, "build requirement")),
    };
    print_bytes(format!("{shown}: {}{builds}\n", count(written.packages, "distribution")).as_bytes())
}

fn tell_fresh(shown: &str, as_json: bool) -> Status {
    if as_json {
        return print_bytes(format!("{:#}\n", json!({"lock": shown, "up_to_date": true})).as_bytes());
    }
    print_bytes(format!("{shown}: up to date\n").as_bytes())
}

/// The lock as the user would name it.
fn shown_path(settings: &BuildSettings, output: Option<&Path>, path: &Path) -> String {
    if let Some(output) = output {
        return output.display().to_string();
    }
    let directory = &settings.directory;
    let resolved = directory.canonicalize().unwrap_or_else(|_| directory.clone());
    path.strip_prefix(resolved).unwrap_or(path).display().to_string()
}

fn describe(written: &WrittenLock, shown: &str, terminal: &Terminal) -> serde_json::Value {
    json!({
        "lock": shown,
        "sha256": written.sha256,
        "inputs": format!("sha256:{}", written.inputs),
        "distributions": written.packages,
        "build_requirements": written.build_packages,
        "builds": written.builds,
        "target": written.target,
        "resolver": written.resolver,
        "stages": describe_stages(terminal),
        "seconds": terminal.elapsed().as_secs_f64(),
        "warnings": terminal.warnings(),
    })
}

fn describe_for_nix(
    written: &WrittenNix,
    shown: &str,
    settings: &NixSettings,
    terminal: &Terminal,
) -> serde_json::Value {
    json!({
        "output": shown,
        "sha256": written.sha256,
        "lock": shown_path(&settings.build, None, &written.lock),
        "lock_sha256": written.lock_sha256,
        "distributions": written.packages,
        "build_requirements": written.build_packages,
        "builds": written.builds,
        "stages": describe_stages(terminal),
        "seconds": terminal.elapsed().as_secs_f64(),
        "warnings": terminal.warnings(),
    })
}

fn describe_stages(terminal: &Terminal) -> Vec<serde_json::Value> {
    let stages = terminal.stages();
    stages.iter().map(|(stage, time)| json!({"name": stage.name(), "seconds": time.as_secs_f64()})).collect()
}
