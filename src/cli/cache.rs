//! `pyzpack cache`: where the cache is, what it takes, and what of it goes.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use clap::ArgMatches;
use serde_json::{Value, json};

use crate::cache::{self, Age, Amount, Freed, Measured};
use crate::shown::count;
use crate::status::Status;

use super::{print_bytes, report, world};

const DAY: Duration = Duration::from_hours(24);

/// How long the log of a failed build is kept.
const LOGS: Duration = DAY.saturating_mul(30);

pub(super) fn run(matches: &ArgMatches) -> Status {
    let root = match world::read() {
        Ok(world) => world.cache,
        Err(error) => return report::fail(&error),
    };
    let outcome = match matches.subcommand() {
        Some(("dir", _)) => return print_bytes(format!("{}\n", root.display()).as_bytes()),
        Some(("size", matches)) => cache::measure(&root).map(|measured| {
            if matches.get_flag("json") { as_json(&root.display().to_string(), &measured) } else { as_table(&measured) }
        }),
        Some(("prune", matches)) => {
            let unused = matches.get_one::<Duration>("older-than").copied().unwrap_or(DAY.saturating_mul(30));
            cache::prune(&root, &Age { now: SystemTime::now(), unused, logs: LOGS }).map(freed)
        }
        Some(("clear", _)) => cache::clear(&root).map(freed),
        _ => return Status::Usage,
    };
    match outcome {
        Ok(text) => print_bytes(text.as_bytes()),
        Err(error) => report::fail(&error),
    }
}

/// Reads an age: days, or a time as other options take it.
pub(super) fn parse_age(text: &str) -> Result<Duration, String> {
    let refused = || format!("not an age such as 30d or 12h: `{text}`");
    let (digits, unit) = match text.trim() {
        days if days.ends_with('d') => (&days[..days.len() - 1], DAY),
        hours if hours.ends_with('h') => (&hours[..hours.len() - 1], Duration::from_hours(1)),
        _ => return Err(refused()),
    };
    digits.parse().ok().and_then(|number| unit.checked_mul(number)).ok_or_else(refused)
}

fn rows(measured: &Measured) -> impl Iterator<Item = (&'static str, Amount)> {
    let parts = cache::PARTS.iter().map(|part| (*part, measured.parts.get(part).copied().unwrap_or_default()));
    parts.chain([("unfinished", measured.unfinished), ("total", measured.total())])
}

fn as_table(measured: &Measured) -> String {
    let mut text = String::new();
    for (name, amount) in rows(measured) {
        let _ = writeln!(text, "{name:<10} {:>9}  {}", report::size(amount.bytes), files(amount));
    }
    text
}

fn as_json(directory: &str, measured: &Measured) -> String {
    let rows = rows(measured)
        .map(|(name, Amount { files, bytes })| (name.to_owned(), json!({ "files": files, "bytes": bytes })));
    let mut document: serde_json::Map<String, Value> = rows.collect();
    document.insert("directory".to_owned(), directory.into());
    format!("{:#}\n", Value::Object(document))
}

fn freed(Freed { amount, applications, held }: Freed) -> String {
    let unpacked = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX), "unpacked application");
    let mut text = format!("freed {} in {}", report::size(amount.bytes), files(amount));
    if applications > 0 {
        let _ = write!(text, ", {} among them", unpacked(applications));
    }
    text.push('\n');
    if held > 0 {
        let _ = writeln!(text, "left {}, in use", unpacked(held));
    }
    text
}

fn files(amount: Amount) -> String {
    count(usize::try_from(amount.files).unwrap_or(usize::MAX), "file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ages() {
        for (text, hours) in [("30d", 720), ("0d", 0), ("12h", 12)] {
            assert_eq!(parse_age(text), Ok(Duration::from_hours(hours)));
        }
        for text in ["", "d", "30", "-1d", "1.5d", "1w", "99999999999d"] {
            assert_eq!(parse_age(text), Err(format!("not an age such as 30d or 12h: `{text}`")));
        }
    }
}
