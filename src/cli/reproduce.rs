//! `pyzpack reproduce`: whether a build gives the same bytes under other conditions.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use serde_json::{Value, json};

use crate::pipeline::Observer;
use crate::python::PythonRequest;
use crate::reproduce::{
    Condition, Difference, Manner, Outcome, ReproduceError, ReproduceSettings, Reproduced, Tried, Unattributed,
    list_conditions, reproduce,
};
use crate::shown::{count, shown_in_line};
use crate::status::Status;

use super::options::{BUILD_OPTIONS, BuildOption, Kind, building, switch};
use super::session::Session;
use super::settings::{self, Resolved};
use super::{print_bytes, report};

/// Options of a build that say nothing of one that is thrown away.
const LEFT_OUT: [&str; 3] = ["output", "evidence", "builder-id"];

/// Those that hold paths, or are given in another way.
const NOT_PASSED_ON: [&str; 4] = ["requirement", "lock", "find-links", "jobs"];

/// The verb's arguments.
pub(super) fn command() -> Command {
    let times = Arg::new("times")
        .long("times")
        .value_name("N")
        .value_parser(clap::value_parser!(u16).range(2..=100))
        .default_value("2")
        .help("Build so often where nothing differs, each time under other conditions");
    let conditions = Arg::new("condition")
        .long("condition")
        .value_name("NAME[,NAME]")
        .value_delimiter(',')
        .value_parser(clap::value_parser!(Condition))
        .action(ArgAction::Append)
        .help("Change these conditions only [default: all that can be changed]");
    let keep = Arg::new("keep").long("keep").value_name("DIR").value_hint(ValueHint::DirPath);
    building("reproduce", "Build again under changed conditions, and tell which of them changes the bytes", &LEFT_OUT)
        .arg(times)
        .arg(conditions)
        .arg(switch("each", None, "Change one condition at a time, also where nothing differs"))
        .arg(switch("list", None, "Show the conditions, and which cannot be changed here; nothing is built"))
        .arg(keep.help("Keep builds that differ there [default: a new directory in TMPDIR]"))
}

pub(super) fn run(matches: &ArgMatches) -> Status {
    let begun = Session::begin(matches, settings::resolve, |resolved| &resolved.settings);
    let Session { world, settings: resolved, terminal } = match begun {
        Ok(session) => session,
        Err(status) => return status,
    };
    resolved.notes.iter().for_each(|note| terminal.warn(note));
    let settings = match read(matches, resolved) {
        Ok(settings) => settings,
        Err(error) => return report::fail_io("find this program", &error),
    };
    let as_json = matches.get_flag("json");
    if matches.get_flag("list") {
        let listed = list_conditions(&settings, &world);
        terminal.finish();
        return match listed {
            Ok(conditions) if as_json => print_json(&json!({"conditions": listing(&conditions)})),
            Ok(conditions) => print_bytes(list(&conditions).as_bytes()),
            Err(error) => report::fail(&error),
        };
    }
    let result = reproduce(&settings, &world, &terminal);
    terminal.finish();
    let reproduced = match result {
        Ok(reproduced) => reproduced,
        Err(error) => {
            if let ReproduceError::First { messages, .. } = &error {
                messages.lines().for_each(report::say);
            }
            return report::fail(&error);
        }
    };
    reproduced.messages.lines().for_each(|line| terminal.say(line));
    let answer = if reproduced.same { Status::Done } else { Status::Refused };
    let written = if as_json {
        let mut value = serde_json::to_value(&reproduced).unwrap_or_default();
        value["seconds"] = terminal.elapsed().as_secs_f64().into();
        print_json(&value)
    } else {
        print_bytes(describe(&reproduced, terminal.elapsed().as_secs_f64()).as_bytes())
    };
    if written == Status::Done { answer } else { written }
}

fn read(matches: &ArgMatches, resolved: Resolved) -> std::io::Result<ReproduceSettings> {
    let conditions: Vec<Condition> = matches.get_many("condition").into_iter().flatten().copied().collect();
    Ok(ReproduceSettings {
        options: passed_on(matches, &resolved),
        build: resolved.settings,
        program: std::env::current_exe()?,
        jobs: resolved.jobs,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        times: usize::from(matches.get_one::<u16>("times").copied().unwrap_or(2)),
        conditions: if conditions.is_empty() { Condition::ALL.to_vec() } else { conditions },
        manner: if matches.get_flag("each") { Manner::Each } else { Manner::Together },
        keep: matches.get_one::<String>("keep").map(PathBuf::from),
    })
}

/// The build's options as they were given, without those that hold paths: these mean other places in a copy.
fn passed_on(matches: &ArgMatches, resolved: &Resolved) -> Vec<String> {
    let is_passed = |option: &&BuildOption| {
        let path = option.name == "python" && matches!(resolved.settings.python, Some(PythonRequest::Path(_)));
        !path && !LEFT_OUT.contains(&option.name) && !NOT_PASSED_ON.contains(&option.name)
    };
    let mut given = Vec::new();
    for option in BUILD_OPTIONS.iter().filter(is_passed) {
        let name = option.name;
        if option.kind == Kind::Flag {
            given.extend(matches.get_flag(name).then(|| format!("--{name}")));
        } else {
            let values = matches.get_many::<String>(name).into_iter().flatten();
            given.extend(values.map(|value| format!("--{name}={value}")));
        }
    }
    given
}

fn print_json(value: &Value) -> Status {
    print_bytes(format!("{value:#}\n").as_bytes())
}

fn listing(conditions: &[Tried]) -> Vec<Value> {
    let one = |tried: &Tried| {
        let reason = match &tried.outcome {
            Outcome::NotTried { reason } => Some(reason),
            _ => None,
        };
        json!({
            "condition": tried.condition.name(),
            "about": tried.condition.about(),
            "value": tried.value,
            "possible": reason.is_none(),
            "reason": reason,
        })
    };
    conditions.iter().map(one).collect()
}

/// The conditions, a line each.
fn list(conditions: &[Tried]) -> String {
    let mut text = String::new();
    for tried in conditions {
        let about = tried.condition.about();
        let value = if tried.value.is_empty() { String::new() } else { format!(": {}", tried.value) };
        let reason = match &tried.outcome {
            Outcome::NotTried { reason } => format!("; not here: {}", shown_in_line(reason)),
            _ => String::new(),
        };
        let _ = writeln!(text, "{:<20} {about}{value}{reason}", tried.condition);
    }
    text
}

/// The answer, and what each condition came to.
fn describe(reproduced: &Reproduced, seconds: f64) -> String {
    let Reproduced { name, sha256, builds, same, conditions, unattributed, kept, .. } = reproduced;
    let name = shown_in_line(name);
    let verdict = if *same { "the same bytes from" } else { "DIFFERS, after" };
    let mut text = format!("{name}: {verdict} {}, sha256 {sha256}, {seconds:.1} s\n", count(*builds, "build"));
    match unattributed {
        Some(Unattributed::Chance { difference, clock_excluded }) => {
            let clock = if *clock_excluded { ", nor by the clock: it differs while that stands still" } else { "" };
            let _ = writeln!(text, "differs with nothing changed: by no condition{clock}");
            describe_difference(&mut text, difference);
        }
        Some(Unattributed::Together { outcome }) => {
            let _ = writeln!(text, "with all conditions changed: {}; with none of them alone", word(outcome));
            describe_outcome(&mut text, outcome);
        }
        None => {}
    }
    let named = |wanted: fn(&Outcome) -> bool| conditions.iter().filter(move |tried| wanted(&tried.outcome));
    for tried in named(|outcome| matches!(outcome, Outcome::Differs(_) | Outcome::Fails { .. })) {
        let value = if tried.value.is_empty() { String::new() } else { format!(" ({})", shown_in_line(&tried.value)) };
        let _ = writeln!(text, "{}{value}: {}", tried.condition, word(&tried.outcome));
        describe_outcome(&mut text, &tried.outcome);
    }
    let unchanging: Vec<&str> =
        named(|outcome| matches!(outcome, Outcome::Same)).map(|tried| tried.condition.name()).collect();
    if !unchanging.is_empty() {
        let _ = writeln!(text, "changes nothing: {}", unchanging.join(", "));
    }
    for tried in named(|outcome| matches!(outcome, Outcome::NotTried { .. })) {
        if let Outcome::NotTried { reason } = &tried.outcome {
            let _ = writeln!(text, "not tried: {}: {}", tried.condition, shown_in_line(reason));
        }
    }
    if let Some(kept) = kept {
        let _ = writeln!(text, "kept: {}", shown_in_line(&kept.display().to_string()));
    }
    text
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Same => "the same",
        Outcome::Differs(_) => "DIFFERS",
        Outcome::Fails { .. } => "FAILS",
        Outcome::NotTried { .. } => "not tried",
    }
}

fn describe_outcome(text: &mut String, outcome: &Outcome) {
    match outcome {
        Outcome::Differs(difference) => describe_difference(text, difference),
        Outcome::Fails { reason } => {
            for line in reason.lines() {
                let _ = writeln!(text, "  {}", shown_in_line(line));
            }
        }
        Outcome::Same | Outcome::NotTried { .. } => {}
    }
}

fn describe_difference(text: &mut String, difference: &Difference) {
    for file in &difference.files {
        let _ = writeln!(text, "  {}", shown_in_line(file));
    }
    let more = difference.count - difference.files.len();
    if more > 0 {
        let _ = writeln!(text, "  and {more} more");
    }
}
