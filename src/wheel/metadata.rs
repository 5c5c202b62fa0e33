//! A wheel's METADATA and WHEEL files: header fields in the form of e-mail (core metadata specification; PEP 427).

use std::collections::BTreeSet;

use pep440_rs::{Version, VersionSpecifiers};

use crate::names::{ExtraName, PackageName};
use crate::target::WheelTag;

/// More fields than these are not read: large distributions have some hundreds.
const MOST_FIELDS: usize = 50_000;

/// Why a METADATA or WHEEL file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The bytes are not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// It has no end.
    #[error("it has more than {MOST_FIELDS} fields")]
    TooMany,
    /// A field that must be there is not.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field that may occur once occurs twice.
    #[error("the field `{0}` occurs twice")]
    Repeated(&'static str),
    /// A field's value cannot be read.
    #[error("the field `{field}` is malformed: `{value}`")]
    Malformed {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

/// The header fields of a file in the form of e-mail, in their order; what follows the first empty line is left out.
#[derive(Debug, Clone)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let text = std::str::from_utf8(bytes).map_err(|_| MetadataError::Encoding)?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if line.is_empty() {
                break;
            }
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                if headers.len() == MOST_FIELDS {
                    return Err(MetadataError::TooMany);
                }
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Ok(Self(headers))
    }

    pub(crate) fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| value.as_str())
    }

    fn at_most_one(&self, field: &'static str) -> Result<Option<&str>, MetadataError> {
        let mut values = self.all(field);
        let first = values.next();
        if values.next().is_some() { Err(MetadataError::Repeated(field)) } else { Ok(first) }
    }

    fn one(&self, field: &'static str) -> Result<&str, MetadataError> {
        self.at_most_one(field)?.ok_or(MetadataError::Missing(field))
    }
}

/// The header fields of a METADATA file in their order, names in lower case.
///
/// # Errors
/// When it is not UTF-8.
pub(crate) fn header_fields(bytes: &[u8]) -> Result<Vec<(String, String)>, MetadataError> {
    Headers::parse(bytes).map(|headers| headers.0)
}

/// What METADATA says of a distribution, as far as packing, running and describing it needs.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// Its name.
    pub name: PackageName,
    /// Its name as its author wrote it.
    pub display_name: String,
    /// Its version.
    pub version: Version,
    /// The Python versions that it runs on (PEP 345, PEP 440); none when it does not say.
    pub requires_python: Option<VersionSpecifiers>,
    /// Its requirements, as written (PEP 508).
    pub requires_dist: Vec<String>,
    /// The extras that it defines.
    pub extras: BTreeSet<ExtraName>,
}

impl Metadata {
    /// Reads a METADATA file.
    ///
    /// # Errors
    /// When it is not UTF-8, or a field is missing, repeated or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let headers = Headers::parse(bytes)?;
        let malformed = |field, value: &str| MetadataError::Malformed { field, value: value.to_owned() };
        let display_name = headers.one("Name")?;
        let version = headers.one("Version")?;
        let requires_python = headers.at_most_one("Requires-Python")?.filter(|text| !text.is_empty());
        Ok(Self {
            name: display_name.parse().map_err(|_| malformed("Name", display_name))?,
            display_name: display_name.to_owned(),
            version: version.parse().map_err(|_| malformed("Version", version))?,
            requires_python: requires_python
                .map(|text| parse_requires_python(text).ok_or_else(|| malformed("Requires-Python", text)))
                .transpose()?,
            requires_dist: headers.all("Requires-Dist").map(str::to_owned).collect(),
            // An extra whose name is not valid can be asked for by nobody.
            extras: headers.all("Provides-Extra").filter_map(|extra| extra.parse().ok()).collect(),
        })
    }
}

/// Reads a version specifier set, with the two old forms that occur in `Requires-Python` of real distributions: a
/// trailing comma, and `.*` behind an ordered comparison (`>=3.6.*`), which PEP 440 forbids and installers read as if
/// it were not there.
pub(crate) fn parse_requires_python(text: &str) -> Option<VersionSpecifiers> {
    let text = text.trim().trim_end_matches(',');
    if let Ok(specifiers) = text.parse() {
        return Some(specifiers);
    }
    let relaxed: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .map(|part| if part.starts_with(['<', '>', '~']) { part.strip_suffix(".*").unwrap_or(part) } else { part })
        .collect();
    relaxed.join(",").parse().ok()
}

/// What a WHEEL file says.
#[derive(Debug, Clone)]
pub(crate) struct WheelFile {
    /// The tags, expanded.
    pub(crate) tags: BTreeSet<WheelTag>,
    /// Whether the root of the archive goes to purelib rather than platlib.
    pub(crate) root_is_purelib: bool,
}

impl WheelFile {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let headers = Headers::parse(bytes)?;
        let malformed = |field, value: &str| MetadataError::Malformed { field, value: value.to_owned() };
        let version = headers.one("Wheel-Version")?;
        // Minor versions are compatible by definition (PEP 427); another major version is another format.
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !version.split_once('.').is_some_and(|(major, minor)| major == "1" && digits(minor)) {
            return Err(malformed("Wheel-Version", version));
        }
        let purelib = headers.one("Root-Is-Purelib")?;
        let root_is_purelib = match purelib.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(malformed("Root-Is-Purelib", purelib)),
        };
        let mut tags = BTreeSet::new();
        for tag in headers.all("Tag") {
            tags.append(&mut WheelTag::parse_set(tag).map_err(|_| malformed("Tag", tag))?);
        }
        if tags.is_empty() {
            return Err(MetadataError::Missing("Tag"));
        }
        Ok(Self { tags, root_is_purelib })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_fields_without_end() {
        let text = |fields| format!("Name: a\nVersion: 1\n{}", "X: y\n".repeat(fields - 2));
        assert!(Metadata::parse(text(MOST_FIELDS).as_bytes()).is_ok());
        let error = Metadata::parse(text(MOST_FIELDS + 1).as_bytes()).unwrap_err();
        assert_eq!(
            (error.clone(), error.to_string().as_str()),
            (MetadataError::TooMany, "it has more than 50000 fields")
        );
    }

    #[test]
    fn reads_the_fields_up_to_the_first_empty_line() {
        let metadata = Metadata::parse(
            b"Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\nRequires-Python: >=3.6.*, <4\nSummary: one\n  two\n\
              Requires-Dist: a ; extra == 'x'\nProvides-Extra: X\nRequires-Dist: b>1\n\nName: other\nRequires-Dist: c\n",
        )
        .unwrap();
        assert_eq!(metadata.name.as_str(), "foo-bar");
        assert_eq!(metadata.display_name, "Foo.Bar");
        assert_eq!(metadata.requires_dist, ["a ; extra == 'x'", "b>1"]);
        assert_eq!(metadata.requires_python.unwrap().to_string(), ">=3.6, <4");
        assert_eq!(metadata.extras.into_iter().map(String::from).collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn refuses_missing_repeated_and_malformed_fields() {
        let message = |bytes: &[u8]| Metadata::parse(bytes).unwrap_err().to_string();
        assert_eq!(message(b"Version: 1\n"), "the field `Name` is missing");
        assert_eq!(message(b"Name: a\nVersion: 1\nname: b\n"), "the field `Name` occurs twice");
        assert_eq!(message(b"Name: a\nVersion: one\n"), "the field `Version` is malformed: `one`");
        assert_eq!(message(b"Name: \xff\n"), "it is not UTF-8");
    }

    #[test]
    fn a_wheel_file_needs_version_1_and_a_tag() {
        let message = |text: &str| WheelFile::parse(text.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            message("Wheel-Version: 2.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            "the field `Wheel-Version` is malformed: `2.0`"
        );
        assert_eq!(message("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"), "the field `Tag` is missing");
        let wheel = WheelFile::parse(b"Wheel-Version: 1.9\nRoot-Is-Purelib: false\nTag: py2.py3-none-any\n").unwrap();
        assert_eq!((wheel.tags.len(), wheel.root_is_purelib), (2, false));
    }
}
