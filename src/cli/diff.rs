//! `pyzpack diff`: in what two files differ, layer by layer, and what likely made them differ. Nothing of them is run.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, ValueHint};
use serde_json::{Value, json};

use crate::diff::{Cause, Comparison, Difference, Layer, Line, Request, Side, compare};
use crate::shown::{count, shown_in_line};
use crate::status::Status;

use super::options::switch;
use super::{print_bytes, report, world};

/// How many lines of details are shown where nothing else is said.
const MOST_LINES: &str = "200";

/// How many lines of details `--json` has where nothing else is said.
const MOST_JSON_LINES: usize = 20_000;

/// How many causes are told to people; `--json` lists all.
const MOST_CAUSES: usize = 8;

/// The arguments.
pub(super) fn command() -> Command {
    let file = |name: &'static str, value: &'static str| {
        Arg::new(name).value_name(value).required(true).value_hint(ValueHint::FilePath)
    };
    let most = Arg::new("max-lines").long("max-lines").value_name("N").value_parser(clap::value_parser!(usize));
    Command::new("diff")
        .about("Show in what two .pyz, wheels or zips differ, and the likely cause; exit 1 if they do")
        .arg(file("first", "A").help("A .pyz (pex, shiv, zipapp too), a wheel or a zip"))
        .arg(file("second", "B").help("Another one"))
        .arg(most.help(format!("Show this many lines of details, 0 for all [default: {MOST_LINES}]")))
        .arg(switch("json", None, "Write JSON"))
}

pub(super) fn run(matches: &ArgMatches) -> Status {
    let as_json = matches.get_flag("json");
    let default = if as_json { MOST_JSON_LINES } else { MOST_LINES.parse().unwrap_or_default() };
    let most_lines = match matches.get_one::<usize>("max-lines").copied().unwrap_or(default) {
        0 => usize::MAX,
        most => most,
    };
    let path = |name: &str| PathBuf::from(matches.get_one::<String>(name).map_or("", String::as_str));
    let files = [path("first"), path("second")];
    let comparison = match compare(&Request { files, most_lines, temporary: std::env::temp_dir() }) {
        Ok(comparison) => comparison,
        Err(error) => return report::fail(&error),
    };
    let text = if as_json {
        format!("{:#}\n", document(&comparison))
    } else {
        let paint = Paint(std::io::stdout().is_terminal() && world::wants_colour());
        describe(&comparison, most_lines, paint)
    };
    match print_bytes(text.as_bytes()) {
        Status::Done if !comparison.is_same() => Status::Refused,
        status => status,
    }
}

/// Whether text is coloured.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn first(self, text: &str) -> String {
        self.with("31", text)
    }

    fn second(self, text: &str) -> String {
        self.with("32", text)
    }

    fn place(self, text: &str) -> String {
        self.with("36", text)
    }
}

/// The verdict and its likely causes, then the details, `most` lines of them.
pub(super) fn describe(comparison: &Comparison, most: usize, paint: Paint) -> String {
    let [first, second] = &comparison.sides;
    if comparison.is_same() {
        let (one, other) = (shown_in_line(&first.path), shown_in_line(&second.path));
        return format!("{one} and {other} are the same, byte for byte: {}\n", report::size(first.size));
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}", paint.bold(&verdict(comparison)));
    for (index, cause) in comparison.causes.iter().take(MOST_CAUSES).enumerate() {
        let lead = if index == 0 { "likely cause" } else { "also" };
        let _ = writeln!(text, "{}: {}", paint.bold(lead), shown_in_line(&cause_line(cause)));
    }
    if comparison.causes.len() > MOST_CAUSES {
        let _ = writeln!(text, "also: {} more, which --json lists", comparison.causes.len() - MOST_CAUSES);
    }
    if comparison.causes.is_empty() {
        let _ = writeln!(text, "likely cause: none that is known");
    }
    let details = details(comparison, paint);
    for line in details.iter().take(most) {
        let _ = writeln!(text, "{line}");
    }
    let left_out: usize = comparison.differences.iter().map(|difference| difference.left_out).sum();
    let more = details.len().saturating_sub(most) + left_out;
    if more > 0 {
        let _ = writeln!(text, "[{more} more lines: --max-lines 0 shows all that is kept, diffoscope may tell more]");
    }
    text
}

fn verdict(comparison: &Comparison) -> String {
    let [first, second] = &comparison.sides;
    let show = |side: &Side| format!("{} ({}, {})", shown_in_line(&side.path), side.kind, report::size(side.size));
    let both = format!("{} and {} differ", show(first), show(second));
    if comparison.unpacks_alike() {
        let starts = comparison.differences.iter().any(|one| one.what == "what starts it");
        let what = if starts { "the application's files are" } else { "what they unpack to is" };
        return format!("{both}; {what} the same");
    }
    let files = |side: usize| -> usize {
        let found = comparison.differences.iter().filter(|one| is_one_sided(one) && one.sides[side].is_some());
        found.map(|one| one.entries.max(1)).sum()
    };
    let mut changed: Vec<&Vec<String>> =
        comparison.differences.iter().filter(|one| one.layer == Layer::Contents).map(|one| &one.member).collect();
    changed.dedup();
    let parts = [(changed.len(), "changed"), (files(0), "only in the first"), (files(1), "only in the second")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|part| part.0 > 0)
        .map(|(found, what)| format!("{} {what}", count(*found, "file")))
        .collect();
    if parts.is_empty() { format!("{both} in the names of files") } else { format!("{both}: {}", parts.join(", ")) }
}

/// Whether it tells of files that one side alone has.
fn is_one_sided(difference: &Difference) -> bool {
    difference.layer == Layer::Files && difference.sides.iter().flatten().count() == 1
}

fn cause_line(cause: &Cause) -> String {
    match cause.examples.as_slice() {
        [] => cause.text.clone(),
        examples => format!("{} ({})", cause.text, among(examples, cause.members)),
    }
}

/// `a, b and 3 more`.
fn among(examples: &[String], all: usize) -> String {
    let more = all.saturating_sub(examples.len());
    let names = examples.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

/// The details by layer, line by line.
fn details(comparison: &Comparison, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut layer = None;
    for difference in &comparison.differences {
        if layer != Some(difference.layer) {
            layer = Some(difference.layer);
            lines.push(paint.bold(difference.layer.name()));
        }
        describe_difference(difference, comparison, paint, &mut lines);
    }
    lines
}

/// What differs in the files themselves, and follows from nothing else; all that differs where nothing does there. `most`
/// lines of it.
pub(super) fn describe_contents(comparison: &Comparison, most: usize) -> String {
    let is_lead = |one: &&Difference| one.layer >= Layer::Files && !one.follows;
    let anywhere = !comparison.differences.iter().any(|one| is_lead(&one));
    let mut lines = Vec::new();
    for difference in comparison.differences.iter().filter(|one| anywhere || is_lead(one)) {
        describe_difference(difference, comparison, Paint(false), &mut lines);
    }
    let left_out = lines.len().saturating_sub(most);
    lines.truncate(most);
    if left_out > 0 {
        lines.push(format!("  [{left_out} more lines: pyzpack diff shows them]"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What differs in one place, as lines.
pub(super) fn describe_difference(
    difference: &Difference,
    comparison: &Comparison,
    paint: Paint,
    lines: &mut Vec<String>,
) {
    let member = difference.member.join(" / ");
    let mut place = if member.is_empty() { String::new() } else { format!("{member}: ") };
    let (first, second) = (&difference.sides[0], &difference.sides[1]);
    let in_line = |text: &str| shown_in_line(text).into_owned();
    match difference.layer {
        Layer::Bytes => {
            for (index, side) in comparison.sides.iter().enumerate() {
                let digest = side.sha256.map(|digest| format!(", sha256 {digest}")).unwrap_or_default();
                let row = format!("{} {} bytes{digest}", if index == 0 { '-' } else { '+' }, side.size);
                lines.push(format!("  {}", if index == 0 { paint.first(&row) } else { paint.second(&row) }));
            }
        }
        Layer::Files if is_one_sided(difference) && difference.what != "file" => {
            let (mark, paint_side): (_, fn(Paint, &str) -> String) =
                if first.is_some() { ('-', Paint::first) } else { ('+', Paint::second) };
            let shown = &difference.examples[..difference.examples.len().min(3)];
            let names = among(shown, difference.entries);
            let number = count(difference.entries, "file");
            let row = in_line(&format!("{mark} {place}{}, {number} ({names})", difference.what));
            lines.push(format!("  {}", paint_side(paint, &row)));
            return;
        }
        Layer::Distributions | Layer::Files if difference.what != "renamed" && difference.what != "moved" => {
            let name = difference.examples.first().map(|name| format!("{name} ")).unwrap_or_default();
            match (first, second) {
                (Some(one), Some(other)) => lines.push(in_line(&format!("  {place}{name}{one} -> {other}"))),
                (Some(one), None) => {
                    lines.push(format!("  {}", paint.first(&in_line(&format!("- {place}{name}{one}")))));
                }
                (None, Some(other)) => {
                    lines.push(format!("  {}", paint.second(&in_line(&format!("+ {place}{name}{other}")))));
                }
                (None, None) => {}
            }
        }
        _ => {
            place.push_str(difference.what);
            if difference.entries > 0 {
                let _ = write!(place, ", {}", count(difference.entries, "file"));
            }
            if !difference.examples.is_empty() {
                let all = if difference.entries == 0 { difference.examples.len() } else { difference.entries };
                let _ = write!(place, " ({})", among(&difference.examples, all));
            }
            let values = match (first, second) {
                (Some(one), Some(other)) if difference.what == "text" => format!(", {one} {other}"),
                (Some(one), Some(other)) => format!(": {one} -> {other}"),
                (Some(one), None) => format!(": first: {one}"),
                (None, Some(other)) => format!(": second: {other}"),
                (None, None) => String::new(),
            };
            let follows = if difference.follows { " (follows from the rest)" } else { "" };
            lines.push(in_line(&format!("  {place}{values}{follows}")));
        }
    }
    for line in &difference.lines {
        let (mark, text) = line.parts();
        let row = format!("{mark}{}", shown_in_line(text));
        let row = match line {
            Line::Place(_) => paint.place(&row),
            Line::Both(_) => row,
            Line::First(_) => paint.first(&row),
            Line::Second(_) => paint.second(&row),
        };
        lines.push(format!("    {row}"));
    }
    if difference.left_out > 0 {
        lines.push(format!("    [{} more]", difference.left_out));
    }
}

/// The differences that are `wanted`, as objects.
pub(super) fn differences(comparison: &Comparison, wanted: &dyn Fn(&Difference) -> bool) -> Vec<Value> {
    let object = |difference: &Difference| {
        let lines = difference.lines.iter().map(Line::parts).map(|(mark, text)| format!("{mark}{text}"));
        json!({
            "layer": difference.layer.name(),
            "path": difference.member,
            "what": difference.what,
            "first": difference.sides[0],
            "second": difference.sides[1],
            "files": difference.entries,
            "examples": difference.examples,
            "follows": difference.follows,
            "lines": lines.collect::<Vec<_>>(),
            "left_out": difference.left_out,
        })
    };
    comparison.differences.iter().filter(|one| wanted(one)).map(object).collect()
}

/// The same as one object.
pub(super) fn document(comparison: &Comparison) -> Value {
    let sides = comparison
        .sides
        .each_ref()
        .map(|side| json!({"file": side.path, "kind": side.kind, "size": side.size, "sha256": side.sha256}));
    let causes = comparison.causes.iter().map(|cause| {
        json!({"cause": cause.kind.name(), "text": cause.text, "files": cause.members, "examples": cause.examples})
    });
    let verdict = match (comparison.is_same(), comparison.unpacks_alike()) {
        (true, _) => "same",
        (false, true) => "packed-differently",
        (false, false) => "different",
    };
    json!({
        "verdict": verdict,
        "files": sides,
        "causes": causes.collect::<Vec<_>>(),
        "differences": differences(comparison, &|_| true),
    })
}
