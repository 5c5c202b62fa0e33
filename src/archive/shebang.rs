//! The first line of a `.pyz`, which names the interpreter that the kernel starts.

use std::fmt;

/// What stands after `#!`: without newline, and short enough for every kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shebang(String);

/// Why a text cannot be a shebang.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShebangError {
    /// Nothing to start.
    #[error("the shebang is empty")]
    Empty,
    /// The text brings its own `#!`.
    #[error("the shebang is given without its `#!`: `{0}`")]
    WithMarker(String),
    /// A newline, carriage return or NUL would end the line early.
    #[error("the shebang holds a control character")]
    Control,
    /// Linux before 5.1 cuts the line, `#!` and newline included, at 128 bytes.
    #[error("the shebang is {0} bytes long, more than 127")]
    TooLong(usize),
}

impl Default for Shebang {
    fn default() -> Self {
        Self("/usr/bin/env python3".to_owned())
    }
}

impl Shebang {
    /// Checks `text`, which is given without `#!`.
    ///
    /// # Errors
    /// When it is empty, brings `#!` itself, holds a control character, or is longer than 127 bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, ShebangError> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(ShebangError::Empty);
        }
        if text.starts_with("#!") {
            return Err(ShebangError::WithMarker(text));
        }
        if text.chars().any(|character| character.is_control() && character != '\t') {
            return Err(ShebangError::Control);
        }
        if text.len() > 127 {
            return Err(ShebangError::TooLong(text.len()));
        }
        Ok(Self(text))
    }

    /// The whole line: `#!`, the text, a newline.
    pub fn line(&self) -> String {
        format!("#!{}\n", self.0)
    }

    /// The text without `#!` and newline.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shebang {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_line_of_127_bytes_and_refuses_one_more() {
        let longest = "x".repeat(127);
        assert_eq!(Shebang::new(&longest).unwrap().line(), format!("#!{longest}\n"));
        assert_eq!(Shebang::new("x".repeat(128)), Err(ShebangError::TooLong(128)));
    }

    #[test]
    fn refuses_what_would_break_the_first_line() {
        assert_eq!(Shebang::new(" "), Err(ShebangError::Empty));
        assert_eq!(Shebang::new("#!/bin/sh"), Err(ShebangError::WithMarker("#!/bin/sh".to_owned())));
        assert_eq!(Shebang::new("a\nb"), Err(ShebangError::Control));
    }
}
