//! `pyzpack verify`: whether a finished file is the one that somebody whom the user trusts made. Nothing of it is run.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use serde_json::{Value, json};

use crate::digest::Sha256Digest;
use crate::shown::shown_in_line;
use crate::status::Status;
use crate::verify::{Problem, Report, Request, explain, verify};

use super::options::{finished_argument, switch};
use super::{print_bytes, report};

/// How many problems are listed for people; `--json` lists all.
const MOST: usize = 50;

/// The arguments.
pub(super) fn command() -> Command {
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_hint(ValueHint::FilePath).help(help)
    };
    let files = |name, help| file(name, help).action(ArgAction::Append);
    let uri = |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("URI").help(help);
    Command::new("verify")
        .about("Tell whether a .pyz is what somebody whom you trust says it is; nothing of it is run")
        .arg(finished_argument().required(false).required_unless_present("explain"))
        .arg(
            files("key", "Trust the file where the other half of this public key signed it; repeatable: any of them")
                .value_name("PUB"),
        )
        .arg(files(
            "bundle",
            "What is signed: a Sigstore bundle or a DSSE envelope; repeatable: all of them \
             [default: FILE.sigstore.json, else FILE.dsse.json]",
        ))
        .arg(
            Arg::new("sha256")
                .long("sha256")
                .value_name("HEX")
                .value_parser(clap::value_parser!(Sha256Digest))
                .help("Trust the file with this digest"),
        )
        .arg(file("checksums", "Trust the file with the digest that this list (of sha256sum) has of it"))
        .arg(file("lock", "Demand that every wheel, or its source, is in this lock"))
        .arg(files("sbom", "Demand that this SBOM is the file's; repeatable"))
        .arg(uri("expect-builder", "Demand that the signed provenance names this builder").requires("key"))
        .arg(
            uri(
                "predicate-type",
                "Demand that what is signed is of this type [default: SLSA provenance, CycloneDX or SPDX]",
            )
            .requires("key"),
        )
        .arg(
            Arg::new("explain")
                .long("explain")
                .value_name("CODE")
                .num_args(0..=1)
                .default_missing_value("")
                .exclusive(true)
                .help("Say what a code means; without one, list them all"),
        )
        .arg(switch("json", None, "Write JSON"))
}

pub(super) fn run(matches: &ArgMatches) -> Status {
    if matches.contains_id("explain") {
        let code = matches.get_one::<String>("explain").map(String::as_str);
        return match explain(code.filter(|code| !code.is_empty())) {
            Some(text) => print_bytes(text.as_bytes()),
            None => {
                report::say(&format!("error: unknown code `{}`", code.unwrap_or_default()));
                report::say("hint: `pyzpack verify --explain` lists them all");
                Status::Usage
            }
        };
    }
    let path = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    let paths = |name: &str| matches.get_many::<String>(name).into_iter().flatten().map(PathBuf::from).collect();
    let request = Request {
        file: path("file").unwrap_or_default(),
        keys: paths("key"),
        bundles: paths("bundle"),
        sboms: paths("sbom"),
        expected_builder: matches.get_one("expect-builder").cloned(),
        predicate_type: matches.get_one("predicate-type").cloned(),
        sha256: matches.get_one("sha256").copied(),
        checksums: path("checksums"),
        lock: path("lock"),
    };
    let result = match verify(&request) {
        Ok(result) => result,
        Err(error) => return report::fail(&error),
    };
    let text = if matches.get_flag("json") { as_json(&result) } else { as_text(&result) };
    let status = if result.failed().is_none() { Status::Done } else { Status::Refused };
    // An answer that nobody got is no yes.
    match print_bytes(text.as_bytes()) {
        Status::Done => status,
        failed => failed,
    }
}

fn as_text(result: &Report) -> String {
    let mut text = String::new();
    let width = result.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in &result.checks {
        let _ = writeln!(text, "{:<width$}  {:<7}  {}", check.name, check.state, shown_in_line(&check.found));
    }
    for problem in result.problems.iter().take(MOST) {
        let _ = writeln!(text, "problem: {}: {}", problem.code(), shown_in_line(&problem.to_string()));
        let _ = writeln!(text, "   hint: {}", shown_in_line(&problem.hint()));
    }
    if result.problems.len() > MOST {
        let _ = writeln!(text, "and {} more problems, which `--json` lists", result.problems.len() - MOST);
    }
    let _ = match result.failed() {
        None => writeln!(text, "PASSED"),
        Some(code) => writeln!(text, "FAILED {code}"),
    };
    text
}

fn as_json(result: &Report) -> String {
    let problem = |problem: &Problem| {
        json!({
            "code": problem.code(), "message": problem.to_string(), "what": problem.what(), "hint": problem.hint(),
        })
    };
    let checks =
        result.checks.iter().map(|check| json!({"check": check.name, "state": check.state, "found": check.found}));
    let document = json!({
        "file": result.file.display().to_string(),
        "sha256": result.sha256,
        "result": if result.failed().is_none() { "PASSED" } else { "FAILED" },
        "code": result.failed(),
        "checks": checks.collect::<Vec<Value>>(),
        "problems": result.problems.iter().map(problem).collect::<Vec<Value>>(),
    });
    format!("{document:#}\n")
}
