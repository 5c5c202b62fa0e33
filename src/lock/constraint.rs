//! Version constraints of Poetry and PDM: PEP 440's with `||` for "or"; of Poetry `^1.2`, `~1.2`, `1.*`, `1.2` and blanks
//! for commas besides.

use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use crate::target::{Marker, specifiers_contain};

/// Alternatives, of which one has to be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constraint(Vec<VersionSpecifiers>);

impl Constraint {
    /// One that every version satisfies.
    pub(super) fn any() -> Self {
        Self(vec![VersionSpecifiers::empty()])
    }

    /// Whether a version satisfies it.
    pub(super) fn contains(&self, version: &Version) -> bool {
        self.0.iter().any(|alternative| specifiers_contain(alternative, version))
    }

    /// The specifiers, where there is one alternative, or one that leaves all open.
    pub(super) fn specifiers(&self) -> Option<&VersionSpecifiers> {
        match self.0.as_slice() {
            [one] => Some(one),
            alternatives => alternatives.iter().find(|alternative| alternative.is_empty()),
        }
    }

    /// The alternatives as markers on Python's version; none where all versions will do.
    ///
    /// As Poetry has it, a version without a third number is compared with `python_version`.
    pub(super) fn python_markers(&self) -> Vec<Marker> {
        if self.0.iter().any(VersionSpecifiers::is_empty) {
            return Vec::new();
        }
        let marker = |alternative: &VersionSpecifiers| {
            let parts = alternative.iter().filter_map(python_marker);
            parts.reduce(Marker::and)
        };
        self.0.iter().filter_map(marker).collect()
    }
}

fn python_marker(specifier: &VersionSpecifier) -> Option<Marker> {
    let version = specifier.version();
    let coarse = version.release().len() == 2 && !version.any_prerelease() && !version.is_post();
    let text = specifier.to_string();
    let (operator, rest) = text.split_at(text.find(|c: char| c.is_ascii_digit())?);
    let (operator, rest) = (operator.trim(), rest.trim_end_matches(".*"));
    match specifier.operator() {
        Operator::EqualStar | Operator::NotEqualStar if coarse => format!("python_version {operator} '{rest}'"),
        Operator::EqualStar | Operator::NotEqualStar => format!("python_full_version {operator} '{rest}.*'"),
        _ if coarse => format!("python_version {operator} '{rest}'"),
        _ => format!("python_full_version {operator} '{rest}'"),
    }
    .parse()
    .ok()
}

impl FromStr for Constraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |part: &str| format!("`{part}` is no version constraint");
        let mut alternatives = Vec::new();
        for alternative in text.split('|').filter(|part| !part.is_empty()) {
            let mut specifiers: Vec<VersionSpecifier> = Vec::new();
            for part in split_parts(alternative) {
                specifiers.extend(parse_part(&part).ok_or_else(|| refuse(&part))?);
            }
            alternatives.push(specifiers.into_iter().collect());
        }
        if alternatives.is_empty() {
            return Err(refuse(text));
        }
        Ok(Self(alternatives))
    }
}

/// The parts between commas and blanks; an operator may stand apart from its version.
fn split_parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in text.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()) {
        let is_operator = |part: &String| part.bytes().all(|byte| b"=!~<>^".contains(&byte));
        match parts.last_mut() {
            Some(last) if is_operator(last) => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

fn parse_part(part: &str) -> Option<Vec<VersionSpecifier>> {
    if part == "*" {
        return Some(Vec::new());
    }
    let operators = part.len() - part.trim_start_matches(['=', '!', '~', '<', '>', '^']).len();
    let (operator, version) = part.split_at(operators);
    let version = version.strip_prefix('v').unwrap_or(version);
    let release = |version: &str| version.split(['.', '-', '+']).count();
    match operator {
        "" | "=" | "==" => specify("==", version).map(|one| vec![one]),
        "<>" | "!=" => specify("!=", version).map(|one| vec![one]),
        "<" | "<=" | ">" | ">=" | "===" => specify(operator, version).map(|one| vec![one]),
        "~=" if release(version) > 1 => specify(operator, version).map(|one| vec![one]),
        "^" => between(version, next_breaking),
        "~" => between(version, |version| {
            let (major, minor) = (number(version, 0), number(version, 1));
            if version.release().len() > 1 {
                vec![major, minor.saturating_add(1)]
            } else {
                vec![major.saturating_add(1)]
            }
        }),
        _ => None,
    }
}

fn specify(operator: &str, version: &str) -> Option<VersionSpecifier> {
    // `1.x` is Poetry's too.
    let start = version.strip_suffix(".x").or_else(|| version.strip_suffix(".X"));
    let text = start.map_or_else(|| format!("{operator}{version}"), |start| format!("{operator}{start}.*"));
    text.parse().ok()
}

fn between(version: &str, end: impl FnOnce(&Version) -> Vec<u64>) -> Option<Vec<VersionSpecifier>> {
    let first: Version = version.parse().ok()?;
    let end = Version::new(end(&first)).with_epoch(first.epoch());
    let last = VersionSpecifier::from_version(Operator::LessThan, end).ok()?;
    Some(vec![VersionSpecifier::from_version(Operator::GreaterThanEqual, first).ok()?, last])
}

fn number(version: &Version, index: usize) -> u64 {
    version.release().get(index).copied().unwrap_or(0)
}

/// The version that `^` ends before: the next one in the first place that is not zero.
fn next_breaking(version: &Version) -> Vec<u64> {
    let (major, minor, patch) = (number(version, 0), number(version, 1), number(version, 2));
    match version.release().len() {
        _ if major > 0 => vec![major.saturating_add(1), 0],
        1 => vec![1, 0],
        _ if minor > 0 => vec![0, minor.saturating_add(1)],
        2 => vec![0, 1],
        _ => vec![0, 0, patch.saturating_add(1)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        text.parse::<Constraint>().unwrap().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_poetrys_forms() {
        for (text, expected) in [
            ("*", &[""][..]),
            ("^1.2.3", &[">=1.2.3, <2.0"]),
            ("^1", &[">=1, <2.0"]),
            ("^0.2.3", &[">=0.2.3, <0.3"]),
            ("^0.0.3", &[">=0.0.3, <0.0.4"]),
            ("^0.0", &[">=0.0, <0.1"]),
            ("^0", &[">=0, <1.0"]),
            ("^1.0a1", &[">=1.0a1, <2.0"]),
            ("~1.2.3", &[">=1.2.3, <1.3"]),
            ("~1.2", &[">=1.2, <1.3"]),
            ("~1", &[">=1, <2"]),
            ("~=1.2.3", &["~=1.2.3"]),
            ("1.2.*", &["==1.2.*"]),
            ("==1.2.*", &["==1.2.*"]),
            ("!=1.2.*", &["!=1.2.*"]),
            ("1.2", &["==1.2"]),
            ("=1.2", &["==1.2"]),
            ("<>1.2", &["!=1.2"]),
            ("v1.2", &["==1.2"]),
            (">= 1.0, < 2", &[">=1.0, <2"]),
            (">=1.0 <2,!=1.5", &[">=1.0, !=1.5, <2"]),
            (">=2.7, !=3.0.*", &[">=2.7, !=3.0.*"]),
            ("^2.7 || ^3.8", &[">=2.7, <3.0", ">=3.8, <4.0"]),
            (">=0.14.0,<0.15.0 || >0.15.0", &[">=0.14.0, <0.15.0", ">0.15.0"]),
        ] {
            assert_eq!(texts(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_constraint() {
        for text in ["", "||", "^", "~=1", "^x", "1.2.3.", ">>1", "latest", "^99999999999999999999999", "1 ^"] {
            assert!(text.parse::<Constraint>().is_err(), "{text}");
        }
        assert_eq!("latest".parse::<Constraint>(), Err("`latest` is no version constraint".to_owned()));
    }

    #[test]
    fn becomes_markers_on_python() {
        let markers = |text: &str| -> Vec<String> {
            text.parse::<Constraint>().unwrap().python_markers().iter().map(ToString::to_string).collect()
        };
        assert_eq!(markers("^3.9"), ["python_version >= \"3.9\" and python_version < \"4.0\""]);
        assert_eq!(markers(">=3.8.1"), ["python_full_version >= \"3.8.1\""]);
        assert_eq!(markers("3.9.*"), ["python_version == \"3.9\""]);
        assert_eq!(markers("3.*"), ["python_full_version == \"3.*\""]);
        assert_eq!(
            markers("~2.7 || >=3.6"),
            ["python_version >= \"2.7\" and python_version < \"2.8\"", "python_version >= \"3.6\""]
        );
        assert_eq!(markers("*"), <[&str; 0]>::default());
    }
}
