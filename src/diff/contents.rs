//! Two members that differ, looked into by what they are: RECORD by row, JSON by value, compiled modules by function,
//! binaries by section, text by line, anything else by its first byte that differs.

use std::io;

use serde_json::Value;

use super::archives::arrangement::{SCRIPTS, class_of};
use super::blob::{Blob, SMALL, first_difference};
use super::cause::CauseKind;
use super::difference::{Difference, Findings, Layer, Line, cut, hex};
use super::documents::{ValueDifference, compare_documents, lines};
use super::elf::{compare_binaries, is_elf};
use super::pyc::compare_modules;
use super::recipe::explain_manifests;
use super::record::compare_records;
use super::telling::explain_pair;
use super::text::{as_text, compare_texts};
use crate::json::parse_json;

/// What is known of the archive around two members.
pub(super) struct Around<'a> {
    /// Whether a file of this name differs between the two archives, or is in one alone.
    pub(super) changed: &'a (dyn Fn(&str) -> bool + Sync),
    /// The tool that packed both, where it is known by what it puts there.
    pub(super) tool: Option<Tool>,
    /// Whether different tools put the application's files in different places.
    pub(super) arranged: bool,
    /// What the second member is called, where it has another name than the first.
    pub(super) second_name: &'a str,
}

/// A tool that packs, and puts files of its own beside those of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Pyzpack,
    Pex,
    Shiv,
}

impl Tool {
    /// Whether this name is one of its own files.
    pub(super) fn owns(self, name: &str) -> bool {
        let directories: &[&str] = match self {
            Self::Pyzpack => &["_pyzpack/"],
            Self::Pex => &[".bootstrap/", "__pex__/"],
            Self::Shiv => &["_bootstrap/"],
        };
        name == "__main__.py"
            || name == "__main__.pyc"
            || directories.iter().any(|directory| name.starts_with(directory))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pyzpack => "pyzpack",
            Self::Pex => "pex",
            Self::Shiv => "shiv",
        }
    }

    /// Why its own files differ.
    pub(super) fn explain(self) -> String {
        format!("the start-up code differs: another version of {}, or other options of it", self.name())
    }
}

/// Compares what is known to differ. `member` is where it is, its last part the name that tells what it is.
pub(super) fn compare_contents(
    member: &[String],
    first: &Blob,
    second: &Blob,
    around: &Around<'_>,
) -> io::Result<Findings> {
    let name = member.last().map_or("", String::as_str);
    let heads = (first.head(64)?, second.head(64)?);
    let mut findings = Findings::default();
    if is_elf(&heads.0)
        && is_elf(&heads.1)
        && let Some(found) = compare_binaries(first, second)?
    {
        let what = "ELF sections differ";
        let mut difference = Difference::new(Layer::Contents, member, what).lines(found.lines);
        difference.examples = found.sections;
        findings.push(difference);
        for (kind, text) in found.causes {
            findings.cause(kind, text, member);
        }
        return Ok(findings);
    }
    if first.length() <= SMALL
        && second.length() <= SMALL
        && let (Some(one), Some(other)) = (first.whole()?, second.whole()?)
    {
        if name.ends_with(".pyc")
            && let Some(found) = compare_modules(&one, &other)
        {
            findings.push(Difference::new(Layer::Contents, member, "compiled module").lines(found.lines));
            for (kind, text) in found.causes {
                findings.cause(kind, text, member);
            }
            return Ok(findings);
        }
        if let (Some(one), Some(other)) = (as_text(&one), as_text(&other)) {
            compare_as_text(member, one, other, around, &mut findings);
            return Ok(findings);
        }
    }
    compare_as_bytes(member, first, second, &mut findings)?;
    Ok(findings)
}

fn compare_as_text(member: &[String], one: &str, other: &str, around: &Around<'_>, findings: &mut Findings) {
    let name = member.last().map_or("", String::as_str);
    let base = name.rsplit('/').next().unwrap_or(name);
    if name.ends_with(".dist-info/RECORD") {
        // The directory that holds `.dist-info`, from which paths of RECORD count.
        let root = |name: &str| {
            let info = name.strip_suffix("/RECORD").unwrap_or_default();
            info.rsplit_once('/').map(|(root, _)| format!("{root}/")).unwrap_or_default()
        };
        let roots = [root(name), root(around.second_name)];
        let changed = |path: &str| roots.iter().any(|root| (around.changed)(&format!("{root}{path}")));
        let found = compare_records(one, other, changed);
        if found.same_rows && around.arranged {
            let difference = Difference::new(Layer::Contents, member, "how RECORD is written");
            findings.push(Difference { follows: true, ..difference });
            return;
        }
        if !found.same_rows {
            let mut difference = Difference::new(Layer::Contents, member, "rows of RECORD").lines(found.lines);
            difference.left_out = found.left_out;
            difference.follows = found.follows;
            findings.push(difference);
            if !found.follows {
                let text = "RECORD lists what does not differ, or is not there: another installer or builder wrote it";
                findings.cause(CauseKind::Generator, text, member);
            }
            return;
        }
    }
    if (base.ends_with(".json") || base == "PEX-INFO")
        && let Some((one, other)) = parse(one).zip(parse(other))
    {
        let (values, left_out) = compare_documents(&one, &other);
        if !values.is_empty() {
            let mut difference = Difference::new(Layer::Contents, member, "values").lines(lines(&values));
            difference.left_out = left_out;
            difference.follows = !explain_values(member, [&one, &other], &values, findings);
            findings.push(difference);
            return;
        }
    }
    let found = compare_texts(one, other);
    let mut difference = Difference::new(Layer::Contents, member, "text").lines(found.lines);
    let removed = |lines: usize, sign: char| format!("{sign}{lines}");
    difference.sides = [Some(removed(found.removed, '-')), Some(removed(found.added, '+'))];
    difference.left_out = found.left_out;
    let own = around.tool.filter(|tool| tool.owns(name));
    let cause = match own {
        // It names digests of what it starts.
        Some(_) if found.cause == Some(CauseKind::Random) => None,
        Some(tool) => Some((CauseKind::Tool, tool.explain())),
        None if around.arranged && class_of(name) == Some(SCRIPTS) => {
            Some((CauseKind::Generator, "scripts of entry points were made by different installers".to_owned()))
        }
        None => explain_text(name, one, other, found.cause),
    };
    match cause {
        Some((kind, text)) => findings.cause(kind, text, member),
        None => difference.follows = true,
    }
    findings.push(difference);
}

fn parse(text: &str) -> Option<Value> {
    parse_json(text.as_bytes(), usize::try_from(SMALL).unwrap_or(usize::MAX)).ok()
}

/// Why a text differs, by its name and what was found; none where it only follows from another difference.
fn explain_text(name: &str, one: &str, other: &str, found: Option<CauseKind>) -> Option<(CauseKind, String)> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let field = |text: &str, name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    if name.ends_with(".dist-info/WHEEL") {
        let (ours, theirs) = (field(one, "Generator:"), field(other, "Generator:"));
        if let Some((ours, theirs)) = ours.zip(theirs).filter(|(ours, theirs)| ours != theirs) {
            return Some((CauseKind::Generator, format!("wheels were built by {ours} and {theirs}")));
        }
    }
    if name.ends_with(".dist-info/METADATA") {
        let (ours, theirs) = (field(one, "Version:"), field(other, "Version:"));
        // Told with the distributions.
        if ours != theirs {
            return None;
        }
    }
    match base {
        "direct_url.json" => return Some((CauseKind::Path, DIRECT_URL.to_owned())),
        "INSTALLER" => {
            return Some((CauseKind::Generator, "distributions were installed by different tools".to_owned()));
        }
        _ => {}
    }
    let kind = found.unwrap_or(CauseKind::Sources);
    Some((kind, explain(kind).to_owned()))
}

/// Why all time stamps of a .pyz differ, as its manifest tells.
pub(super) const EPOCHS: &str = "built with two values of SOURCE_DATE_EPOCH";

const DIRECT_URL: &str = "direct_url.json holds a path of the build";

/// A cause in words, for one that texts tell.
pub(super) fn explain(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::Path => "files hold a path of the build",
        CauseKind::Time => "files hold a time, as of their build",
        CauseKind::Random => "files hold digests or identifiers that differ: drawn at random, or of what differs",
        CauseKind::Unsorted => "files hold the same in another order: of a set, or of a directory's listing",
        CauseKind::LineEndings => "line endings differ: a checkout or an editor changed them (CRLF, LF)",
        _ => "files differ in their contents: other sources",
    }
}

/// Why values of a document differ. Tells whether one of them is a cause of anything, and not only a consequence.
fn explain_values(
    member: &[String],
    documents: [&Value; 2],
    values: &[ValueDifference],
    findings: &mut Findings,
) -> bool {
    let name = member.last().map_or("", String::as_str);
    let base = name.rsplit('/').next().unwrap_or(name);
    let find = |path: &str| values.iter().find(|value| value.path == path);
    let show = |value: &ValueDifference| {
        value
            .sides
            .clone()
            .map(|side| side.map_or("none".to_owned(), |side| side.trim_matches('"').to_owned()))
            .join(" and ")
    };
    let mut causes: Vec<(CauseKind, String)> = Vec::new();
    // What these say is computed from the rest of the file.
    let mut derived: Vec<&str> = Vec::new();
    match (base, name) {
        ("direct_url.json", _) => causes.push((CauseKind::Path, DIRECT_URL.to_owned())),
        ("uv_cache.json", _) => causes.push((CauseKind::Time, "uv_cache.json holds the time of the build".to_owned())),
        ("PEX-INFO", _) => {
            derived.extend(["bootstrap_hash", "code_hash", "distributions", "pex_hash"]);
            let tool: Vec<_> = values.iter().filter(|value| value.path.starts_with("build_properties")).collect();
            if let Some(version) = find("build_properties.pex_version") {
                causes.push((CauseKind::Tool, format!("packed by pex {}", show(version))));
            } else if let [value, ..] = tool[..] {
                causes.push((
                    CauseKind::Tool,
                    format!("packed by another Python or pex ({}: {})", value.path, show(value)),
                ));
            }
            derived.push("build_properties");
        }
        ("environment.json", "environment.json") => {
            derived.extend(["build_id", "hashes", "built_at", "shiv_version"]);
            if let Some(time) = find("built_at") {
                let text = format!("shiv wrote the time of the build ({}): set SOURCE_DATE_EPOCH", show(time));
                causes.push((CauseKind::Time, text));
            }
            if let Some(version) = find("shiv_version") {
                causes.push((CauseKind::Tool, format!("packed by shiv {}", show(version))));
            }
        }
        ("manifest.json", "_pyzpack/manifest.json") => {
            derived.extend(["files", "wheels", "tool", "epoch", "recipe", "layout", "entry_point", "console_scripts"]);
            causes.extend(explain_manifests(documents[0], documents[1]));
        }
        _ => {}
    }
    let is_derived = |path: &str| {
        derived
            .iter()
            .any(|known| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
    };
    let others: Vec<_> = values.iter().filter(|value| !is_derived(&value.path)).collect();
    let is_of_tool = base == "PEX-INFO" || name == "environment.json" || name == "_pyzpack/manifest.json";
    if let (true, Some(first)) = (is_of_tool, others.first()) {
        let text = format!("packed with other options ({}: {})", first.path, cut(show(first), 100));
        causes.push((CauseKind::Options, text));
    } else if causes.is_empty() && !others.is_empty() {
        let pair = |value: &&&ValueDifference| match &value.sides {
            [Some(one), Some(other)] => explain_pair(one, other),
            _ => None,
        };
        let kinds: Option<Vec<CauseKind>> = others.iter().map(|value| pair(&value)).collect();
        let kind = kinds.and_then(|kinds| kinds.into_iter().min()).unwrap_or(CauseKind::Sources);
        causes.push((kind, explain(kind).to_owned()));
    }
    let found = !causes.is_empty();
    for (kind, text) in causes {
        findings.cause(kind, text, member);
    }
    found
}

/// What is neither text nor anything else that is known.
fn compare_as_bytes(member: &[String], first: &Blob, second: &Blob, findings: &mut Findings) -> io::Result<()> {
    let Some(at) = first_difference(first, second)? else { return Ok(()) };
    let from = at & !15;
    let row = |blob: &Blob| blob.read(from, blob.length().saturating_sub(from).min(16));
    let shown = |bytes: Vec<u8>| {
        let text: String =
            bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        format!("{}  {text}", hex(&bytes))
    };
    let difference = Difference::new(Layer::Contents, member, "bytes");
    let sizes = [first, second].map(|blob| format!("{} bytes", blob.length()));
    let lines = vec![
        Line::Place(format!("the first that differs is byte {at}; from byte {from} on")),
        Line::First(shown(row(first)?)),
        Line::Second(shown(row(second)?)),
    ];
    let [one, other] = sizes;
    findings.push(difference.sides(one, other).lines(lines));
    findings.cause(CauseKind::Sources, explain(CauseKind::Sources), member);
    Ok(())
}
