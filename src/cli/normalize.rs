//! `pyzpack normalize`: a zip, a wheel or a `.pyz` in canonical form, or in what it is not. Nothing of it is run.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, ValueHint};
use serde_json::json;

use crate::archive::Epoch;
use crate::diff::{Comparison, Difference, Layer};
use crate::normalize::{Checked, NormalizeError, Normalized, check, normalize};
use crate::process::interrupt;
use crate::shown::{count, shown_in_line};
use crate::status::Status;

use super::diff::{Paint, describe_difference, differences};
use super::options::{BuildOption, switch};
use super::{print_bytes, report, settings, world};

/// How many lines of details are kept: members are told of in groups.
const MOST_LINES: usize = 200;

/// The arguments.
pub(super) fn command() -> Command {
    let input = Arg::new("file").value_name("IN").required(true).value_hint(ValueHint::FilePath);
    let named = |name| BuildOption::named(name).expect("an option of build").argument();
    Command::new("normalize")
        .about("Put any zip, wheel or .pyz into canonical form: the same members give the same bytes")
        .arg(input.help("A zip, a wheel or a .pyz (pex, shiv, zipapp too)"))
        .arg(named("output").help("The file to write [default: IN itself]"))
        .arg(
            switch("check", None, "Write nothing; show what would change, and exit 1 if anything would")
                .conflicts_with("output"),
        )
        .arg(named("source-date-epoch").help("Seconds since 1970 for every entry [default: 1980-01-01]"))
        .arg(switch("json", None, "Write JSON"))
}

pub(super) fn run(matches: &ArgMatches) -> Status {
    let world = world::without_cache();
    let mut notes = Vec::new();
    let epoch = match settings::resolve_time(matches, &world, &mut notes) {
        Ok(epoch) => epoch,
        Err(error) => return report::fail(&error),
    };
    for note in &notes {
        report::say(&format!("note: {note}"));
    }
    if let Err(error) = interrupt::install(|| {}) {
        return report::fail_io("answer signals", &error);
    }
    let input = PathBuf::from(matches.get_one::<String>("file").map_or("", String::as_str));
    let as_json = matches.get_flag("json");
    let outcome = if matches.get_flag("check") {
        check(&input, epoch, MOST_LINES, &world.temporary).map(|checked| tell_checked(&input, &checked, as_json))
    } else {
        let output = matches.get_one::<String>("output").map(PathBuf::from);
        put(&input, output.as_deref(), epoch, as_json)
    };
    outcome.unwrap_or_else(|error| report::fail(&error))
}

fn put(input: &Path, output: Option<&Path>, epoch: Epoch, as_json: bool) -> Result<Status, NormalizeError> {
    let Normalized { size, sha256, was_canonical, stale_modules, stale_evidence } = normalize(input, output, epoch)?;
    let path = output.unwrap_or(input).display().to_string();
    if let [first, ..] = stale_modules.as_slice() {
        let modules = count(stale_modules.len(), "compiled module");
        report::say(&format!(
            "note: {modules} with the time of the source beside it, such as `{first}`: that time is another one now, and \
             Python takes the source (compile with --invalidation-mode unchecked-hash)"
        ));
    }
    for path in &stale_evidence {
        report::say(&format!("note: `{}` is of the file as it was before", path.display()));
    }
    let text = if as_json {
        let document = json!({
            "file": input.display().to_string(),
            "output": path,
            "canonical": was_canonical,
            "size": size,
            "sha256": sha256,
            "stale_modules": stale_modules,
            "stale_evidence": stale_evidence.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    } else {
        let was = if was_canonical { "canonical already, " } else { "" };
        format!("{}: {was}{}, sha256 {sha256}\n", shown_in_line(&path), report::size(size))
    };
    Ok(print_bytes(text.as_bytes()))
}

/// What is not canonical; the members are the same.
fn tell_checked(input: &Path, checked: &Checked, as_json: bool) -> Status {
    let Checked { size, sha256, changes } = checked;
    let path = input.display().to_string();
    // That bytes differ is said by the rest.
    let wanted = |difference: &Difference| difference.layer != Layer::Bytes;
    let text = if as_json {
        let document = json!({
            "file": path,
            "canonical": changes.is_none(),
            "size": size,
            "sha256": sha256,
            "differences": changes.as_ref().map(|found| differences(found, &wanted)).unwrap_or_default(),
        });
        format!("{document:#}\n")
    } else {
        match changes {
            None => format!("{}: canonical, {}, sha256 {sha256}\n", shown_in_line(&path), report::size(*size)),
            Some(changes) => describe(&path, checked, changes, &wanted),
        }
    };
    match print_bytes(text.as_bytes()) {
        Status::Done if changes.is_some() => Status::Refused,
        status => status,
    }
}

fn describe(path: &str, checked: &Checked, changes: &Comparison, wanted: &dyn Fn(&Difference) -> bool) -> String {
    let paint = Paint(std::io::stdout().is_terminal() && world::wants_colour());
    let mut lines = Vec::new();
    for difference in changes.differences.iter().filter(|one| wanted(one)) {
        describe_difference(difference, changes, paint, &mut lines);
    }
    let (before, after) = (report::size(changes.sides[0].size), report::size(checked.size));
    let mut text = format!("{}: not canonical, {before}, would be {after}\n", shown_in_line(path));
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text
}
