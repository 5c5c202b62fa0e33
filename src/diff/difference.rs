//! What differs, as data: where, what, and what stands on either side.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::cause::{Cause, CauseKind};
use crate::digest::Sha256Digest;

/// How much is kept of a line, in characters.
pub(super) const LINE: usize = 400;

/// How many names are kept as examples.
const EXAMPLES: usize = 3;

/// In how many ways entries may differ of which each is told.
const WAYS: usize = 8;

/// In which layer two files differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The file as a row of bytes.
    Bytes,
    /// What an archive says of its members, and how it packs them.
    Container,
    /// Which distributions there are.
    Distributions,
    /// Which files there are.
    Files,
    /// What is in the files that both have.
    Contents,
}

impl Layer {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Container => "container",
            Self::Distributions => "distributions",
            Self::Files => "files",
            Self::Contents => "contents",
        }
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which layer.
    pub layer: Layer,
    /// The member, with the archives that it lies in before it; empty for the file itself.
    pub member: Vec<String>,
    /// What differs, such as `time stamps`.
    pub what: &'static str,
    /// What stands on either side; none where one has nothing, or both are in `lines`.
    pub sides: [Option<String>; 2],
    /// How many members of the archive differ in this way, and the names of the first; none for a single thing.
    pub entries: usize,
    /// Their first names.
    pub examples: Vec<String>,
    /// Whether it only follows from another difference.
    pub follows: bool,
    /// The details, as a unified diff has them.
    pub lines: Vec<Line>,
    /// How many more details there are.
    pub left_out: usize,
}

/// A line of details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// What the next lines are about.
    Place(String),
    /// On both sides.
    Both(String),
    /// On the first side alone.
    First(String),
    /// On the second side alone.
    Second(String),
}

impl Line {
    /// What marks it in a unified diff, and its text.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Place(text) => ("", text),
            Self::Both(text) => (" ", text),
            Self::First(text) => ("-", text),
            Self::Second(text) => ("+", text),
        }
    }
}

impl Difference {
    pub(super) fn new(layer: Layer, member: &[String], what: &'static str) -> Self {
        Self {
            layer,
            member: member.to_vec(),
            what,
            sides: [None, None],
            entries: 0,
            examples: Vec::new(),
            follows: false,
            lines: Vec::new(),
            left_out: 0,
        }
    }

    pub(super) fn sides(mut self, first: impl Into<String>, second: impl Into<String>) -> Self {
        self.sides = [Some(cut(first.into(), LINE)), Some(cut(second.into(), LINE))];
        self
    }

    pub(super) fn lines(mut self, lines: Vec<Line>) -> Self {
        self.lines = lines;
        self
    }

    /// Keeps the first `most` lines of details.
    pub(super) fn keep_lines(&mut self, most: usize) {
        if self.lines.len() > most {
            self.left_out += self.lines.len() - most;
            self.lines.truncate(most);
        }
    }
}

/// A text of which no more is kept than so many characters.
pub(super) fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// The first bytes, in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = hex_of(&bytes[..bytes.len().min(16)]);
    text.push_str(if bytes.len() > 16 { "..." } else { "" });
    text
}

/// All of these bytes, in hexadecimal digits.
pub(super) fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a `String` takes every text");
        text
    })
}

/// One of the two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// As it was named.
    pub path: String,
    /// What it is, such as `a wheel`.
    pub kind: &'static str,
    /// In bytes.
    pub size: u64,
    /// Its digest; none where the files are the same, which takes no digest to tell.
    pub sha256: Option<Sha256Digest>,
}

/// What came of comparing two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The two files.
    pub sides: [Side; 2],
    /// Likely causes, the likeliest first.
    pub causes: Vec<Cause>,
    /// All that differs, by layer.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Whether the files are the same, byte for byte.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether both unpack to the same files.
    pub fn unpacks_alike(&self) -> bool {
        self.differences.iter().all(|difference| difference.layer <= Layer::Container)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) differences: Vec<Difference>,
    causes: BTreeMap<(CauseKind, String), (usize, Vec<String>)>,
}

impl Findings {
    pub(super) fn push(&mut self, difference: Difference) {
        self.differences.push(difference);
    }

    /// Adds a cause that one member shows, or the file itself.
    pub(super) fn cause(&mut self, kind: CauseKind, text: impl Into<String>, member: &[String]) {
        let names = if member.is_empty() { Vec::new() } else { vec![member.join(" / ")] };
        self.add_cause(kind, text.into(), names.len(), names);
    }

    fn add_cause(&mut self, kind: CauseKind, text: String, members: usize, names: Vec<String>) {
        let (count, examples) = self.causes.entry((kind, text)).or_default();
        *count += members;
        let room = EXAMPLES.saturating_sub(examples.len());
        examples.extend(names.into_iter().take(room));
    }

    pub(super) fn add(&mut self, other: Self) {
        self.differences.extend(other.differences);
        for ((kind, text), (members, examples)) in other.causes {
            self.add_cause(kind, text, members, examples);
        }
    }

    /// Keeps the first `most` lines of details in all, and tells how many these are.
    pub(super) fn keep_lines(&mut self, most: usize) -> usize {
        let mut left = most;
        for difference in &mut self.differences {
            difference.keep_lines(left);
            left -= difference.lines.len();
        }
        most - left
    }

    /// Leaves of this kind the one cause that says it best, where it is there.
    pub(super) fn prefer_cause(&mut self, kind: CauseKind, text: &str) {
        if self.causes.contains_key(&(kind, text.to_owned())) {
            self.causes.retain(|(other_kind, other), _| *other_kind != kind || other == text);
        }
    }

    pub(super) fn drop_causes(&mut self, is_it: impl Fn(CauseKind, &str) -> bool) {
        self.causes.retain(|(kind, text), _| !is_it(*kind, text));
    }

    pub(super) fn has_cause(&self, kind: CauseKind) -> bool {
        self.causes.keys().any(|(known, _)| *known == kind)
    }

    /// The causes, the likeliest first, and the differences by layer.
    pub(super) fn finish(self) -> (Vec<Cause>, Vec<Difference>) {
        let causes = self.causes.into_iter();
        let causes = causes.map(|((kind, text), (members, examples))| Cause { kind, text, members, examples });
        let mut differences = self.differences;
        differences.sort_by_key(|difference| difference.layer);
        (causes.collect(), differences)
    }
}

/// What stands on either side, in how many entries, and the first of these.
type Way = (String, String, usize, Vec<String>);

/// Things that differ in the same way in many entries of an archive.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<(&'static str, String, String), (usize, Vec<String>)>);

impl Groups {
    pub(super) fn add(&mut self, what: &'static str, first: String, second: String, name: String) {
        let (count, examples) = self.0.entry((what, first, second)).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(name);
        }
    }

    /// The most frequent ways first, those beyond [`WAYS`] of one kind in sum.
    pub(super) fn finish(self, member: &[String], findings: &mut Findings) {
        let mut kinds: BTreeMap<&'static str, Vec<Way>> = BTreeMap::new();
        for ((what, first, second), (entries, examples)) in self.0 {
            kinds.entry(what).or_default().push((first, second, entries, examples));
        }
        for (what, mut ways) in kinds {
            ways.sort_by_key(|way| std::cmp::Reverse(way.2));
            let rest = ways.split_off(ways.len().min(WAYS));
            for (first, second, entries, examples) in ways {
                let difference = Difference::new(Layer::Container, member, what).sides(first, second);
                findings.push(Difference { entries, examples, ..difference });
            }
            if let Some((.., examples)) = rest.first() {
                let entries = rest.iter().map(|way| way.2).sum();
                let difference = Difference::new(Layer::Container, member, what);
                findings.push(Difference { entries, examples: examples.clone(), ..difference });
            }
        }
    }
}
