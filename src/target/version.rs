//! A Python's minor version, such as 3.11: what wheels and files are made for.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};

use super::specifier::specifiers_contain;
use crate::status::{Explain, Status};

/// Major and minor version of a Python; `Display` and serde write `3.11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonMinor {
    /// 3.
    pub major: u8,
    /// 8 and up.
    pub minor: u8,
}

/// Why a text is not a Python's minor version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Python version of the form X.Y: `{0}`")]
pub struct PythonMinorError(String);

impl Explain for PythonMinorError {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("write major and minor version, such as 3.12".to_owned())
    }
}

/// No `CPython` had as many patch releases: 3.8 ended with 3.8.20.
const LAST_PATCH: u64 = 40;

impl PythonMinor {
    /// The oldest that a file runs on.
    pub const OLDEST: Self = Self::new(3, 8);
    /// The newest that is known.
    pub const NEWEST: Self = Self::new(3, 14);

    /// The version `major.minor`.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// 3.8 to 3.14.
    pub fn known() -> impl Iterator<Item = Self> {
        (Self::OLDEST.minor..=Self::NEWEST.minor).map(|minor| Self::new(3, minor))
    }

    /// Every patch release that there may be, the first first.
    pub fn patches(self) -> impl Iterator<Item = Version> {
        (0..=LAST_PATCH).map(move |patch| Version::new([u64::from(self.major), u64::from(self.minor), patch]))
    }

    /// Whether some patch release satisfies `specifiers`: `>=3.8.1` does not shut out 3.8.
    pub fn satisfies(self, specifiers: &VersionSpecifiers) -> bool {
        self.patches().any(|version| specifiers_contain(specifiers, &version))
    }
}

impl fmt::Display for PythonMinor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for PythonMinor {
    type Err = PythonMinorError;

    fn from_str(text: &str) -> Result<Self, PythonMinorError> {
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
            plain.then(|| digits.parse().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self::new(number(major)?, number(minor)?)))
            .ok_or_else(|| PythonMinorError(text.to_owned()))
    }
}

impl TryFrom<String> for PythonMinor {
    type Error = PythonMinorError;

    fn try_from(text: String) -> Result<Self, PythonMinorError> {
        text.parse()
    }
}

impl From<PythonMinor> for String {
    fn from(version: PythonMinor) -> Self {
        version.to_string()
    }
}
