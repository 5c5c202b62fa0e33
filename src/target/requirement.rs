//! One requirement (PEP 508), as `packaging.requirements` 26 reads it, the forms of older metadata (`foo (>=1.0)`)
//! included.
//!
//! A URL's credential is never in what `Display`, `Debug` or an error shows.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep440_rs::{VersionSpecifier, VersionSpecifiers};

use super::cursor::{Cursor, Expected};
use super::marker::{Marker, parse_marker};
use crate::names::{ExtraName, PackageName};
use crate::redact::redact_url;
use crate::status::{Explain, Status};

/// A requirement on a distribution.
///
/// `Display` gives it on one line in canonical form, without a URL's credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The distribution.
    pub name: PackageName,
    /// The extras asked for.
    pub extras: BTreeSet<ExtraName>,
    /// Which versions will do, or where the only one is.
    pub source: RequirementSource,
    /// When the requirement counts; without one, always.
    pub marker: Option<Marker>,
    text: String,
}

/// Which versions of a distribution will do, or where the only one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequirementSource {
    /// Any version that satisfies these specifiers (PEP 440), which may be none.
    Versions(VersionSpecifiers),
    /// The one at this URL.
    Url(RequirementUrl),
}

/// A URL in a requirement; it may hold a credential, which `Display` and `Debug` hide.
#[derive(Clone, PartialEq, Eq)]
pub struct RequirementUrl(String);

/// Why a text is not a requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid requirement `{text}`: expected {expected} at character {position}")]
pub struct RequirementError {
    /// The text that was given, without a URL's credential.
    pub text: String,
    /// The place of the fault: a number of characters of the text as it was given, the first being 1.
    pub position: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

impl Explain for RequirementError {
    /// As an argument; a stage that reads requirements from a file has its own error around this one.
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("write a requirement as in \"name[extra]>=1.0; python_version >= '3.8'\"".to_owned())
    }
}

impl Requirement {
    /// The text that was parsed, with a URL's credential if it had one: to be handed to a resolver, never to be shown.
    pub fn text_with_credentials(&self) -> &str {
        &self.text
    }

    /// The version specifiers; none for a URL.
    pub fn specifiers(&self) -> Option<&VersionSpecifiers> {
        match &self.source {
            RequirementSource::Versions(specifiers) => Some(specifiers),
            RequirementSource::Url(_) => None,
        }
    }
}

impl RequirementUrl {
    /// The URL with its credential: to fetch from, never to be shown.
    pub fn with_credentials(&self) -> &str {
        &self.0
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        parse_requirement(text).map_err(|Expected { position, expected }| RequirementError {
            text: redact_url(text).into_owned(),
            position: position + 1,
            expected,
        })
    }
}

fn parse_requirement(text: &str) -> Result<Requirement, Expected> {
    let mut cursor = Cursor::new(text);
    cursor.skip_blanks();
    let name = parse_name(&mut cursor, "the name of a distribution")?;
    cursor.skip_blanks();
    let extras = parse_extras(&mut cursor)?;
    cursor.skip_blanks();
    let (source, expected) = if cursor.take("@") {
        cursor.skip_blanks();
        let start = cursor.clone();
        let url = cursor.take_while(|character| !matches!(character, ' ' | '\t'));
        if url.is_empty() {
            return Err(start.expected("a URL after `@`"));
        }
        (RequirementSource::Url(RequirementUrl(url.to_owned())), "a blank and `;`, or the end, after the URL")
    } else {
        (RequirementSource::Versions(parse_specifiers(&mut cursor)?), "`@`, a version specifier, `,`, `;` or the end")
    };
    cursor.skip_blanks();
    let marker = if cursor.at_end() {
        None
    } else if cursor.take(";") {
        Some(parse_marker(&mut cursor)?)
    } else {
        return Err(cursor.expected(expected));
    };
    if !cursor.at_end() {
        return Err(cursor.expected("`and`, `or` or the end"));
    }
    Ok(Requirement { name, extras, source, marker, text: text.trim().to_owned() })
}

fn parse_name(cursor: &mut Cursor<'_>, expected: &'static str) -> Result<PackageName, Expected> {
    let start = cursor.clone();
    let read = cursor.take_while(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-'));
    let name = read.trim_end_matches(['.', '-']);
    cursor.step_back(read.len() - name.len());
    name.parse().map_err(|_| start.expected(expected))
}

fn parse_extras(cursor: &mut Cursor<'_>) -> Result<BTreeSet<ExtraName>, Expected> {
    let mut extras = BTreeSet::new();
    if !cursor.take("[") {
        return Ok(extras);
    }
    cursor.skip_blanks();
    if cursor.take("]") {
        return Ok(extras);
    }
    loop {
        extras.insert(parse_name(cursor, "the name of an extra")?);
        cursor.skip_blanks();
        if cursor.take("]") {
            return Ok(extras);
        }
        if !cursor.take(",") {
            return Err(cursor.expected("`,` or `]` after the name of an extra"));
        }
        cursor.skip_blanks();
    }
}

fn parse_specifiers(cursor: &mut Cursor<'_>) -> Result<VersionSpecifiers, Expected> {
    let parenthesised = cursor.take("(");
    let mut specifiers = Vec::new();
    cursor.skip_blanks();
    while cursor.rest().starts_with(['=', '!', '~', '<', '>']) {
        specifiers.push(parse_specifier(cursor)?);
        cursor.skip_blanks();
        if !cursor.take(",") {
            break;
        }
        cursor.skip_blanks();
    }
    if parenthesised && !cursor.take(")") {
        return Err(cursor.expected("a version specifier, `,` or `)`"));
    }
    Ok(specifiers.into_iter().collect())
}

fn parse_specifier(cursor: &mut Cursor<'_>) -> Result<VersionSpecifier, Expected> {
    let start = cursor.clone();
    let operator = cursor.take_while(|character| matches!(character, '=' | '!' | '~' | '<' | '>'));
    cursor.take_while(char::is_whitespace);
    let version = cursor.take_while(|character| {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '+' | '!' | '*')
    });
    format!("{operator}{version}").parse().map_err(|_| start.expected("a version specifier (PEP 440)"))
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(formatter)?;
        for (index, extra) in self.extras.iter().enumerate() {
            write!(formatter, "{}{extra}", if index == 0 { '[' } else { ',' })?;
        }
        if !self.extras.is_empty() {
            formatter.write_str("]")?;
        }
        match &self.source {
            RequirementSource::Versions(specifiers) => {
                // In the order of their texts, as `packaging` writes them.
                let texts: BTreeSet<String> = specifiers.iter().map(ToString::to_string).collect();
                formatter.write_str(&texts.into_iter().collect::<Vec<_>>().join(","))?;
            }
            RequirementSource::Url(url) => write!(formatter, " @ {url}")?,
        }
        match (&self.marker, &self.source) {
            (None, _) => Ok(()),
            (Some(marker), RequirementSource::Versions(_)) => write!(formatter, "; {marker}"),
            (Some(marker), RequirementSource::Url(_)) => write!(formatter, " ; {marker}"),
        }
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Requirement({self})")
    }
}

impl fmt::Display for RequirementUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&redact_url(&self.0))
    }
}

impl fmt::Debug for RequirementUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RequirementUrl({self})")
    }
}
