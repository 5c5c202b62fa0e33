//! Reading a dependency specifier from left to right: the position that an error names, and what blanks are there
//! (PEP 508 knows spaces and tabs alone).

/// A text and how far it was read, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

/// What was expected, and where: the caller adds the text and says what kind of text it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    /// Characters before the place.
    pub(super) position: usize,
    /// What should have stood there.
    pub(super) expected: &'static str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// Skips spaces and tabs, and tells whether there were any.
    pub(super) fn skip_blanks(&mut self) -> bool {
        !self.take_while(|character| matches!(character, ' ' | '\t')).is_empty()
    }

    /// Skips `token` if it is next.
    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.position += token.len();
        }
        found
    }

    /// Skips `word` if it is next and ends there.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let Some(after) = self.rest().strip_prefix(word) else { return false };
        let ends = !after.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        if ends {
            self.position += word.len();
        }
        ends
    }

    /// Reads as long as `wanted` holds.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.position += length;
        &rest[..length]
    }

    /// Takes back the last `bytes`, which were just read.
    pub(super) fn step_back(&mut self, bytes: usize) {
        self.position -= bytes;
    }

    /// The error for this place.
    pub(super) fn expected(&self, expected: &'static str) -> Expected {
        Expected { position: self.text[..self.position].chars().count(), expected }
    }
}
