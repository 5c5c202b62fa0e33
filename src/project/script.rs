//! Scripts that state their requirements themselves (PEP 723, inline script metadata).

use std::path::Path;

use pep440_rs::VersionSpecifiers;

use crate::status::{Explain, Status};
use crate::target::{Requirement, RequirementError};

/// A script and what it says that it needs.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its requirements.
    pub dependencies: Vec<Requirement>,
    /// Its demand on Python's version.
    pub requires_python: Option<VersionSpecifiers>,
    /// `[tool.pyzpack]`.
    pub settings: toml::Table,
}

/// Why a script cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It cannot be read.
    #[error("cannot read the script `{path}`: {error}")]
    Read {
        /// The script.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Its metadata block is not what PEP 723 says.
    #[error("script `{path}`: {reason}")]
    Metadata {
        /// The script.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// One of its requirements cannot be read.
    #[error("script `{path}`: {error}")]
    Requirement {
        /// The script.
        path: String,
        /// What is wrong.
        error: RequirementError,
    },
}

impl Explain for ScriptError {
    fn status(&self) -> Status {
        Status::Usage
    }
}

impl Script {
    /// Reads a script; one without a metadata block needs nothing.
    ///
    /// # Errors
    /// When it cannot be read, or its metadata block cannot be used.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let shown = || path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| ScriptError::Read { path: shown(), error })?;
        let malformed = |reason: String| ScriptError::Metadata { path: shown(), reason };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let block = find_block(&text).map_err(|reason| malformed(reason.to_owned()))?.unwrap_or_default();
        let table: toml::Table =
            block.parse().map_err(|error: toml::de::Error| malformed(error.message().to_owned()))?;
        let dependencies = match table.get("dependencies") {
            None => Vec::new(),
            Some(toml::Value::Array(items)) => items
                .iter()
                .map(|item| {
                    let text = item.as_str().ok_or_else(|| malformed("`dependencies` holds texts".to_owned()))?;
                    text.parse().map_err(|error| ScriptError::Requirement { path: shown(), error })
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(malformed("`dependencies` is not a list".to_owned())),
        };
        let requires_python = match table.get("requires-python") {
            None => None,
            Some(value) => {
                let text = value.as_str().unwrap_or_default();
                let refused = || malformed(format!("`requires-python` is not a version specifier: `{text}`"));
                Some(text.parse().map_err(|_| refused())?)
            }
        };
        let settings = super::pyproject::read_settings(&block).map_err(malformed)?;
        Ok(Self { bytes, dependencies, requires_python, settings })
    }
}

/// The text of the one `script` block: from `# /// script` to the last `# ///` of the comment lines that follow.
fn find_block(text: &str) -> Result<Option<String>, &'static str> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = None;
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim_end() != "# /// script" {
            at += 1;
            continue;
        }
        let comment = |line: &&&str| **line == "#" || line.starts_with("# ");
        let length = lines[at + 1..].iter().take_while(comment).count();
        let block = &lines[at + 1..=at + length];
        let Some(end) = block.iter().rposition(|line| line.trim_end() == "# ///") else {
            return Err("the block `# /// script` has no end `# ///`");
        };
        let contents: Vec<&str> =
            block[..end].iter().map(|line| line.strip_prefix("# ").unwrap_or(&line[1..])).collect();
        if found.replace(contents.join("\n")).is_some() {
            return Err("two blocks `# /// script`");
        }
        at += end + 2;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_block_and_refuses_two_or_half_a_one() {
        let block = "# /// script\n# dependencies = [\"a>=1\"]\n#\n# [tool.x]\n# ///\n";
        assert_eq!(find_block(block).unwrap().as_deref(), Some("dependencies = [\"a>=1\"]\n\n[tool.x]"));
        assert_eq!(find_block("print()\n"), Ok(None));
        assert_eq!(find_block("# /// script\n# a\nx\n"), Err("the block `# /// script` has no end `# ///`"));
        assert_eq!(find_block(&format!("{block}\n{block}")), Err("two blocks `# /// script`"));
    }
}
