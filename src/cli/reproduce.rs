//! `pyzpack reproduce`: whether a build gives the same bytes under other conditions, or those of a finished file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use serde_json::{Value, json};

use crate::evidence::{BuilderId, SigningKey};
use crate::pipeline::Observer;
use crate::reproduce::{
    AttestSettings, Condition, Difference, Manner, Outcome, RebuildSettings, Rebuilt, ReproduceError,
    ReproduceSettings, Reproduced, Tried, Unattributed, check_keep, list_conditions, rebuild, reproduce,
};
use crate::shown::{count, shown_in_line};
use crate::status::Status;
use crate::surroundings::Surroundings;

use super::observer::Terminal;
use super::options::{BUILD_OPTIONS, BuildOption, Kind, building, switch};
use super::session::Session;
use super::settings::{self, Resolved};
use super::{diff, keys, print_bytes, report};

/// How many lines are shown of how one build differs.
const MOST_LINES: usize = 40;

/// Options of a build that say nothing of one that is thrown away.
const LEFT_OUT: [&str; 3] = ["output", "evidence", "builder-id"];

/// Those that hold paths, or are given in another way.
const NOT_PASSED_ON: [&str; 5] = ["requirement", "lock", "find-links", "python", "jobs"];

/// What a finished file says itself, or what is asked of several builds.
const NOT_WITH_AGAINST: [&str; 21] = [
    "inputs",
    "console-script",
    "entry-point",
    "requirement",
    "lock",
    "locked",
    "extra",
    "group",
    "target-python",
    "platform",
    "shebang",
    "layout",
    "compression",
    "recompress",
    "bytecode",
    "on-conflict",
    "source-date-epoch",
    "times",
    "condition",
    "each",
    "list",
];

/// The arguments of the rebuilder.
fn rebuilding() -> [Arg; 7] {
    let path = |name: &'static str, value: &'static str| {
        Arg::new(name).long(name).value_name(value).value_hint(ValueHint::AnyPath)
    };
    let against = path("against", "APP.pyz").conflicts_with_all(NOT_WITH_AGAINST);
    let source = path("source", "DIR|git+URL@REV").requires("against");
    let bundle = path("bundle", "FILE").requires("against");
    let attest = switch("attest", None, "Sign its provenance where the bytes are the same");
    let key = path("key", "KEY").allow_hyphen_values(true).requires("attest");
    let named = |name| BuildOption::named(name).expect("an option of build").argument().requires("attest");
    [
        against.help("Build this file again from its own manifest, and compare"),
        source.help("With --against: where its sources are [default: .]"),
        bundle.help("With --against: the builder's provenance, whose commit has to be the source's"),
        attest.requires_all(["against", "key", "builder-id"]),
        key.help("With --attest: the private key: a file, env:NAME, or - for standard input"),
        named("builder-id").value_parser(clap::value_parser!(BuilderId)).help("With --attest: who rebuilds"),
        named("output").help("With --attest: the file to write [default: APP.pyz.rebuilt.sigstore.json]"),
    ]
}

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
        .args(rebuilding())
}

pub(super) fn run(matches: &ArgMatches) -> Status {
    let begun = Session::begin(matches, settings::resolve, |resolved| &resolved.settings);
    let Session { world, settings: resolved, terminal } = match begun {
        Ok(session) => session,
        Err(status) => return status,
    };
    if let Some(named) = matches.get_one::<String>("keep")
        && let Err(error) = check_keep(Path::new(named), &resolved.settings.directory)
    {
        return report::fail(&error);
    }
    if let Some(file) = matches.get_one::<String>("against") {
        return run_against(matches, file, resolved, &world, &terminal);
    }
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

fn run_against(
    matches: &ArgMatches,
    file: &str,
    resolved: Resolved,
    world: &Surroundings,
    terminal: &Terminal,
) -> Status {
    let text = |name| matches.get_one::<String>(name).cloned();
    let attest = match text("key").map(|name| read_attest(matches, &name)).transpose() {
        Ok(attest) => attest,
        Err(status) => return status,
    };
    if let Some(jobs) = resolved.jobs {
        // It fails only where a pool was made before, and none was.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global();
    }
    let settings = RebuildSettings {
        file: PathBuf::from(file),
        source: text("source"),
        bundle: text("bundle").map(PathBuf::from),
        build: resolved.settings,
        keep: text("keep").map(PathBuf::from),
        attest,
    };
    let result = rebuild(&settings, world, terminal);
    terminal.finish();
    let rebuilt = match result {
        Ok(rebuilt) => rebuilt,
        Err(error) => return report::fail(&error),
    };
    let answer = if rebuilt.difference.is_none() { Status::Done } else { Status::Refused };
    let written = if matches.get_flag("json") {
        let mut value = serde_json::to_value(&rebuilt).unwrap_or_default();
        value["same"] = rebuilt.difference.is_none().into();
        value["seconds"] = terminal.elapsed().as_secs_f64().into();
        value["warnings"] = terminal.warnings().into();
        print_json(&value)
    } else {
        print_bytes(describe_rebuilt(&rebuilt, &settings, terminal.elapsed().as_secs_f64()).as_bytes())
    };
    if written == Status::Done { answer } else { written }
}

fn read_attest(matches: &ArgMatches, name: &str) -> Result<AttestSettings, Status> {
    let key = keys::read_key(name, SigningKey::from_pem).map_err(|error| report::fail(&error))?;
    Ok(AttestSettings {
        key,
        key_file: PathBuf::from(name),
        builder: matches.get_one::<BuilderId>("builder-id").cloned().unwrap_or_default(),
        output: matches.get_one::<String>("output").map(PathBuf::from),
    })
}

/// Whether the file is what comes of its recipe.
fn describe_rebuilt(rebuilt: &Rebuilt, settings: &RebuildSettings, seconds: f64) -> String {
    let Rebuilt { name, expected, sha256, difference, kept, commit, attestation } = rebuilt;
    let name = shown_in_line(name);
    let mut text = match difference {
        None => format!("{name}: rebuilt, the same bytes, sha256 {sha256}, {seconds:.1} s\n"),
        Some(_) => format!("{name}: rebuilt, DIFFERS: expected sha256 {expected}, found {sha256}, {seconds:.1} s\n"),
    };
    if let Some(difference) = difference {
        describe_difference(&mut text, difference);
    }
    if let Some(commit) = commit {
        let _ = writeln!(text, "from commit {commit}");
    }
    if let Some(kept) = kept {
        let _ = writeln!(text, "kept: {}", shown_in_line(&kept.display().to_string()));
    }
    if let Some((path, attest)) = attestation.as_ref().zip(settings.attest.as_ref()) {
        let path = path.strip_prefix(&settings.build.directory).unwrap_or(path).display().to_string();
        let (path, key) = (shown_in_line(&path), attest.key.public());
        let signed = format!("signed with {} key {}", key.key_type(), key.id());
        let _ = writeln!(text, "{path}: provenance by {}, {signed}", attest.builder);
    }
    text
}

fn read(matches: &ArgMatches, resolved: Resolved) -> std::io::Result<ReproduceSettings> {
    let conditions: Vec<Condition> = matches.get_many("condition").into_iter().flatten().copied().collect();
    Ok(ReproduceSettings {
        options: passed_on(matches),
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
fn passed_on(matches: &ArgMatches) -> Vec<String> {
    let is_passed = |option: &&BuildOption| !LEFT_OUT.contains(&option.name) && !NOT_PASSED_ON.contains(&option.name);
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
        Some(Unattributed::Together { conditions, outcome }) => {
            let named = conditions.iter().map(|one| with_value(one.condition, &one.value)).collect::<Vec<_>>();
            let _ = writeln!(text, "{} together: {}; with none of them alone", named.join(" and "), word(outcome));
            describe_outcome(&mut text, outcome);
        }
        None => {}
    }
    let named = |wanted: fn(&Outcome) -> bool| conditions.iter().filter(move |tried| wanted(&tried.outcome));
    for tried in named(|outcome| matches!(outcome, Outcome::Differs(_) | Outcome::Fails { .. })) {
        let _ = writeln!(text, "{}: {}", with_value(tried.condition, &tried.value), word(&tried.outcome));
        describe_outcome(&mut text, &tried.outcome);
    }
    let unchanging: Vec<String> = named(|outcome| matches!(outcome, Outcome::Same)).map(in_a_list).collect();
    if !unchanging.is_empty() {
        let _ = writeln!(text, "changes nothing: {}", unchanging.join(", "));
    }
    let untried = named(|outcome| matches!(outcome, Outcome::NotTried { .. })).collect::<Vec<_>>();
    for alike in untried.chunk_by(|one, next| reason_of(one) == reason_of(next)) {
        let these: Vec<&str> = alike.iter().map(|tried| tried.condition.name()).collect();
        let _ = writeln!(text, "not tried: {}: {}", these.join(", "), shown_in_line(reason_of(alike[0])));
    }
    if let Some(kept) = kept {
        let _ = writeln!(text, "kept: {}", shown_in_line(&kept.display().to_string()));
    }
    text
}

/// Why a condition was not tried.
fn reason_of(tried: &Tried) -> &str {
    if let Outcome::NotTried { reason } = &tried.outcome { reason } else { "" }
}

/// A condition by its name, and what it was changed to.
fn with_value(condition: Condition, value: &str) -> String {
    if value.is_empty() { condition.to_string() } else { format!("{condition} ({})", shown_in_line(value)) }
}

/// A condition by its name; with what it was changed to where machines differ in that.
fn in_a_list(tried: &Tried) -> String {
    match tried.condition {
        Condition::Clock | Condition::Python => with_value(tried.condition, &tried.value),
        _ => tried.condition.to_string(),
    }
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
    text.push_str(&diff::describe_contents(&difference.comparison, MOST_LINES));
}
