//! Names of wheel files (binary distribution format, "File name convention"; PEP 427, PEP 425) and of source
//! distributions (PEP 625).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;

use super::WheelTag;
use crate::names::PackageName;

/// The name of a wheel file, taken apart: `NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelFilename {
    text: String,
    /// The distribution's name.
    pub name: PackageName,
    /// The distribution's version.
    pub version: Version,
    /// The build tag, which begins with a digit, where there is one.
    pub build: Option<String>,
    /// Every tag that the compressed sets stand for.
    pub tags: BTreeSet<WheelTag>,
}

/// How the names of source distributions end that can be unpacked (PEP 625, and what was before it).
const SDIST_ENDINGS: [&str; 3] = [".tar.gz", ".tgz", ".zip"];

/// How those of old releases end that cannot.
const OLD_SDIST_ENDINGS: [&str; 3] = [".tar.bz2", ".tar.xz", ".tar.z"];

/// Whether a name ends as that of a source distribution that can be unpacked.
pub fn is_sdist_name(filename: &str) -> bool {
    stem(filename, &SDIST_ENDINGS).is_some()
}

/// Whether a name ends as that of any source distribution there ever was.
pub fn is_any_sdist_name(filename: &str) -> bool {
    sdist_stem(filename).is_some()
}

/// The versions, as written, that a source distribution of this name may have by its file's name: one, or where both
/// name and version may hold dashes (before PEP 625) several; none if it is another's.
pub fn sdist_versions<'f>(filename: &'f str, name: &PackageName) -> impl Iterator<Item = &'f str> {
    let parts =
        sdist_stem(filename).into_iter().flat_map(|stem| stem.match_indices('-').map(move |(at, _)| (stem, at)));
    parts.filter(move |(stem, at)| stem[..*at].parse().as_ref() == Ok(name)).map(|(stem, at)| &stem[at + 1..])
}

fn sdist_stem(filename: &str) -> Option<&str> {
    stem(filename, &SDIST_ENDINGS).or_else(|| stem(filename, &OLD_SDIST_ENDINGS))
}

fn stem<'f>(filename: &'f str, endings: &[&str]) -> Option<&'f str> {
    endings.iter().find_map(|ending| {
        let (stem, found) = filename.split_at_checked(filename.len().checked_sub(ending.len())?)?;
        found.eq_ignore_ascii_case(ending).then_some(stem)
    })
}

/// Why a file name is not a wheel's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a wheel: `{filename}` ({reason})")]
pub struct WheelFilenameError {
    filename: String,
    reason: &'static str,
}

impl WheelFilename {
    /// The whole file name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A build tag as it is ordered (PEP 427): its number first, then the rest as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BuildOrder {
    // Numbers of any size compare by length and then by text.
    digits: usize,
    number: String,
    rest: String,
}

impl BuildOrder {
    /// The order of this build tag.
    pub(super) fn of(build: &str) -> Self {
        let digits = build.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = build.split_at(digits);
        let number = number.trim_start_matches('0');
        Self { digits: number.len(), number: number.to_owned(), rest: rest.to_owned() }
    }
}

impl FromStr for WheelFilename {
    type Err = WheelFilenameError;

    fn from_str(filename: &str) -> Result<Self, WheelFilenameError> {
        let refuse = |reason| WheelFilenameError { filename: filename.to_owned(), reason };
        let stem = filename.strip_suffix(".whl").ok_or_else(|| refuse("it does not end in .whl"))?;
        if stem.contains(['/', '\\']) {
            return Err(refuse("it holds a path"));
        }
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build, tags) = match parts.as_slice() {
            [name, version, python, abi, platform] => (name, version, None, [python, abi, platform]),
            [name, version, build, python, abi, platform] => (name, version, Some(*build), [python, abi, platform]),
            _ => return Err(refuse("five or six parts between `-` are due")),
        };
        if build.is_some_and(|build| !build.starts_with(|first: char| first.is_ascii_digit())) {
            return Err(refuse("a build tag begins with a digit"));
        }
        let tags =
            WheelTag::parse_set(&tags.map(|part| *part).join("-")).map_err(|_| refuse("its tags are malformed"))?;
        Ok(Self {
            text: filename.to_owned(),
            name: name.parse().map_err(|_| refuse("its first part is no distribution's name"))?,
            // `_` stands for the `-` that may not occur in a part, and early tools left `+` and `!` as they were.
            version: version
                .replace('_', "-")
                .parse()
                .map_err(|_| refuse("its second part is no version (PEP 440)"))?,
            build: build.map(str::to_owned),
            tags,
        })
    }
}

impl fmt::Display for WheelFilename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_name_apart() {
        let wheel: WheelFilename = "Foo.Bar-1.0+local_1-2b-py2.py3-none-any.whl".parse().unwrap();
        assert_eq!(wheel.name.as_str(), "foo-bar");
        assert_eq!(wheel.version.to_string(), "1.0+local.1");
        assert_eq!(wheel.build.as_deref(), Some("2b"));
        let tags: Vec<_> = wheel.tags.iter().map(ToString::to_string).collect();
        assert_eq!(tags, ["py2-none-any", "py3-none-any"]);
    }

    #[test]
    fn refuses_each_kind_of_other_name() {
        for (filename, reason) in [
            ("a-1.0.tar.gz", "it does not end in .whl"),
            ("a-1.0-py3-none.whl", "five or six parts between `-` are due"),
            ("a-1.0-b1-py3-none-any.whl", "a build tag begins with a digit"),
            ("a-one-py3-none-any.whl", "its second part is no version (PEP 440)"),
            ("_-1.0-py3-none-any.whl", "its first part is no distribution's name"),
            ("a-1.0-py3.-none-any.whl", "its tags are malformed"),
            ("x/a-1.0-py3-none-any.whl", "it holds a path"),
        ] {
            let error = filename.parse::<WheelFilename>().unwrap_err();
            assert_eq!(error.to_string(), format!("not the name of a wheel: `{filename}` ({reason})"));
        }
    }
}
