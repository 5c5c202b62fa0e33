//! Names of distributions, extras and dependency groups, normalised (PEP 503, PEP 685, PEP 735) when they are made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a distribution, in its normalised form (PEP 503): the only one that is compared or printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

/// The name of an extra, normalised as PEP 685 says.
pub type ExtraName = PackageName;

/// The name of a dependency group, normalised as PEP 735 says.
pub type GroupName = PackageName;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid name: `{0}` (letters, digits, `.`, `-` and `_`, beginning and ending with a letter or digit)")]
pub struct NameError(String);

impl PackageName {
    /// The normalised name: lower case, runs of `.`, `-` and `_` made one `-` (PEP 503).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that stands in file names: `-` made `_` (PEP 427, PEP 625).
    pub fn in_file_name(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bytes = text.as_bytes();
        let separator = |byte: &u8| matches!(byte, b'.' | b'-' | b'_');
        let valid = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || separator(byte))
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
        if !valid {
            return Err(NameError(text.to_owned()));
        }
        let mut normalised = String::with_capacity(text.len());
        for part in text.split(['.', '-', '_']).filter(|part| !part.is_empty()) {
            if !normalised.is_empty() {
                normalised.push('-');
            }
            normalised.push_str(&part.to_ascii_lowercase());
        }
        Ok(Self(normalised))
    }
}

impl TryFrom<String> for PackageName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_as_pep_503_says() {
        for text in ["Friendly-Bard", "friendly.bard", "FRIENDLY--_.bard"] {
            assert_eq!(text.parse::<PackageName>().unwrap().as_str(), "friendly-bard");
        }
        assert_eq!("a.B".parse::<PackageName>().unwrap().in_file_name(), "a_b");
    }

    #[test]
    fn refuses_what_no_distribution_may_be_called() {
        for text in ["", "-a", "a-", "a b", "é", "a/b", "."] {
            assert_eq!(text.parse::<PackageName>(), Err(NameError(text.to_owned())));
        }
    }
}
