//! Wheel tags (PEP 425): what a wheel says it fits, and what a `CPython` on a platform takes, the best first.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use super::filename::{BuildOrder, WheelFilename};
use super::platform::Platform;
use super::version::PythonMinor;
use crate::status::{Explain, Status};

/// One tag of a wheel, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WheelTag {
    /// The Python tag: `py3`, `cp311`.
    pub python: String,
    /// The ABI tag: `none`, `abi3`, `cp311`, `cp313t`.
    pub abi: String,
    /// The platform tag: `any`, `manylinux_2_28_x86_64`.
    pub platform: String,
}

/// Why a text is not a set of tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Not three parts.
    #[error("invalid wheel tag `{0}`: expected python-abi-platform")]
    Parts(String),
    /// A part, or one side of a dot, is empty.
    #[error("invalid wheel tag `{0}`: an empty part")]
    Empty(String),
    /// A Python tag that is no identifier (PEP 425).
    #[error("invalid wheel tag `{0}`: `{1}` is not a Python tag")]
    Python(String, String),
    /// More tags than any honest wheel has.
    #[error("invalid wheel tag `{text}`: {count} tags, at most {MOST_TAGS} are taken")]
    TooMany {
        /// The text.
        text: String,
        /// The number of tags.
        count: usize,
    },
}

impl Explain for TagError {
    fn status(&self) -> Status {
        Status::Refused
    }
}

/// More than any published wheel has, and few enough to hold.
const MOST_TAGS: usize = 4096;

impl WheelTag {
    /// Reads a compressed tag set (PEP 425): `py2.py3-none-any` is two tags.
    ///
    /// # Errors
    /// Not three parts, an empty part, a Python tag that is no identifier, too many tags.
    pub fn parse_set(text: &str) -> Result<BTreeSet<Self>, TagError> {
        let parts: Vec<Vec<&str>> = text.split('-').map(|part| part.split('.').collect()).collect();
        if parts.iter().flatten().any(|part| part.is_empty()) {
            return Err(TagError::Empty(text.to_owned()));
        }
        let [pythons, abis, platforms] = parts.as_slice() else { return Err(TagError::Parts(text.to_owned())) };
        if let Some(python) = pythons.iter().find(|python| !is_identifier(python)) {
            return Err(TagError::Python(text.to_owned(), (*python).to_owned()));
        }
        let count = pythons.len().saturating_mul(abis.len()).saturating_mul(platforms.len());
        if count > MOST_TAGS {
            return Err(TagError::TooMany { text: text.to_owned(), count });
        }
        let mut tags = BTreeSet::new();
        for python in pythons {
            for abi in abis {
                tags.extend(platforms.iter().map(|platform| Self::new(python, abi, platform)));
            }
        }
        Ok(tags)
    }

    /// The tag of these three parts.
    pub fn new(python: &str, abi: &str, platform: &str) -> Self {
        Self { python: python.to_lowercase(), abi: abi.to_lowercase(), platform: platform.to_lowercase() }
    }
}

impl fmt::Display for WheelTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

fn is_identifier(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit()) && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// How a `CPython` was built, as far as its ABI goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PythonAbi {
    /// Whether it has a global interpreter lock.
    pub threading: Threading,
    /// Whether it was configured `--with-pydebug`.
    pub build: PythonBuild,
}

/// Whether a `CPython` has a global interpreter lock (PEP 703).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Threading {
    /// The usual build.
    #[default]
    Locked,
    /// The free-threaded build, 3.13 and later: `cp313t`.
    Free,
}

/// Whether a `CPython` was configured for debugging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PythonBuild {
    /// The usual build.
    #[default]
    Release,
    /// `--with-pydebug`; it takes the usual build's extension modules too.
    Debug,
}

/// Every tag that fits an interpreter on a platform, the best first: the order of `packaging.tags`.
///
/// Held as rows of (Python tag, ABI tag) and the platforms that each row runs through, for there are some thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedTags {
    rows: Vec<Row>,
    platforms: Vec<String>,
}

/// How well a wheel fits, the best first: by the best of its tags (PEP 425), then by the higher build tag, of which none
/// is the lowest (PEP 427).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    rank: usize,
    build: Reverse<Option<BuildOrder>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    python: String,
    abi: String,
    platforms: RowPlatforms,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowPlatforms {
    /// Each of the platform's tags.
    Listed,
    /// `any` alone.
    Any,
}

/// The tags that `CPython` `python`, built as `abi` says, takes on `platform`.
pub fn supported_tags(platform: &Platform, python: PythonMinor, abi: PythonAbi) -> SupportedTags {
    let PythonMinor { major, minor } = python;
    let free = abi.threading == Threading::Free && python >= PythonMinor::new(3, 13);
    let cpython = format!("cp{major}{minor}");
    let threading = if free { "t" } else { "" };
    let stable = if free { "abi3t" } else { "abi3" };
    let mut rows = Vec::new();
    let mut row = |python: &str, abi: &str, platforms| {
        rows.push(Row { python: python.to_owned(), abi: abi.to_owned(), platforms });
    };
    if abi.build == PythonBuild::Debug {
        row(&cpython, &format!("cp{major}{minor}{threading}d"), RowPlatforms::Listed);
    }
    row(&cpython, &format!("cp{major}{minor}{threading}"), RowPlatforms::Listed);
    row(&cpython, stable, RowPlatforms::Listed);
    row(&cpython, "none", RowPlatforms::Listed);
    // PEP 384: the stable ABI began with 3.2.
    for older in (2..minor).rev() {
        row(&format!("cp{major}{older}"), stable, RowPlatforms::Listed);
    }
    let pure: Vec<String> = [format!("py{major}{minor}"), format!("py{major}")]
        .into_iter()
        .chain((0..minor).rev().map(|older| format!("py{major}{older}")))
        .collect();
    for python in &pure {
        row(python, "none", RowPlatforms::Listed);
    }
    row(&cpython, "none", RowPlatforms::Any);
    for python in &pure {
        row(python, "none", RowPlatforms::Any);
    }
    SupportedTags { rows, platforms: platform.tags() }
}

impl SupportedTags {
    /// All tags, the best first.
    pub fn iter(&self) -> impl Iterator<Item = WheelTag> + '_ {
        self.rows
            .iter()
            .flat_map(|row| self.platforms_of(row).map(|platform| WheelTag::new(&row.python, &row.abi, platform)))
    }

    /// How good a tag is: 0 is the best; nothing if it does not fit.
    pub fn rank(&self, tag: &WheelTag) -> Option<usize> {
        let mut before = 0;
        for row in &self.rows {
            if row.python == tag.python
                && row.abi == tag.abi
                && let Some(index) = self.platforms_of(row).position(|platform| platform == tag.platform)
            {
                return Some(before + index);
            }
            before += match row.platforms {
                RowPlatforms::Listed => self.platforms.len(),
                RowPlatforms::Any => 1,
            };
        }
        None
    }

    /// The rank of a wheel's best tag; nothing if none fits.
    pub fn best_rank<'a>(&self, tags: impl IntoIterator<Item = &'a WheelTag>) -> Option<usize> {
        tags.into_iter().filter_map(|tag| self.rank(tag)).min()
    }

    /// How well a wheel with these tags and this build tag fits; nothing if it does not.
    pub fn fit(&self, tags: &BTreeSet<WheelTag>, build: Option<&str>) -> Option<Fit> {
        Some(Fit { rank: self.best_rank(tags)?, build: Reverse(build.map(BuildOrder::of)) })
    }

    /// Of files of one version, whose names `name` gives, the wheel that fits best; of equals the first.
    pub fn best_wheel<T>(&self, files: impl IntoIterator<Item = T>, name: impl Fn(&T) -> &str) -> Option<T> {
        let fitting = files.into_iter().filter_map(|file| {
            let wheel: WheelFilename = name(&file).parse().ok()?;
            Some((self.fit(&wheel.tags, wheel.build.as_deref())?, file))
        });
        fitting.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, file)| file)
    }

    fn platforms_of(&self, row: &Row) -> impl Iterator<Item = &str> + '_ {
        let (listed, any) = match row.platforms {
            RowPlatforms::Listed => (self.platforms.as_slice(), None),
            RowPlatforms::Any => (&[][..], Some("any")),
        };
        listed.iter().map(String::as_str).chain(any)
    }
}
