//! Licences as METADATA states them: its `License-Expression` (PEP 639), else the texts of `License` and the classifiers.
//! Nothing is guessed from a text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::describe::is_said;
use crate::evidence::Distribution;

/// The identifiers of the SPDX licence list 3.27, the exceptions after the empty line; without those that the Python
/// library `license-expression` 30.4 does not know, whom validators of SPDX documents ask.
const SPDX_LIST: &str = include_str!("spdx-licenses.txt");

/// How many parentheses may lie in each other.
const DEEPEST: usize = 32;

/// The longest text that counts as a licence's name; a longer one is its wording.
const LONGEST_NAME: usize = 200;

/// What a distribution's METADATA says of its licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Licences {
    /// An SPDX expression.
    Expression(Expression),
    /// Anything else; it may be nothing.
    Statements(Vec<Statement>),
}

/// An SPDX licence expression (SPDX 2.3, annex D).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    /// In the list's spelling, as far as it has the identifiers.
    pub(super) text: String,
    /// Whether it has them all.
    pub(super) known: bool,
}

/// What is said of a licence in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// A name, a classifier, or where the whole wording is given the distribution's name.
    pub(super) name: String,
    /// The wording.
    pub(super) text: Option<String>,
}

impl Licences {
    /// What METADATA says.
    pub(super) fn of(name: &str, distribution: &Distribution) -> Self {
        let expression = distribution.all("license-expression").find(|text| is_said(text));
        if let Some(read) = expression.and_then(Expression::read) {
            return Self::Expression(read);
        }
        let texts = expression.into_iter().chain(distribution.all("license").filter(|text| is_said(text)));
        let texts = texts.map(|text| {
            if text.contains('\n') || text.len() > LONGEST_NAME {
                Statement { name: format!("licence of {name}"), text: Some(text.to_owned()) }
            } else {
                Statement { name: text.to_owned(), text: None }
            }
        });
        let classifiers = distribution.all("classifier").filter(|text| text.starts_with("License ::"));
        let classifiers = classifiers.map(|text| Statement { name: text.to_owned(), text: None });
        let mut statements: Vec<Statement> = Vec::new();
        for statement in texts.chain(classifiers) {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
        Self::Statements(statements)
    }

    /// The same as an expression of listed identifiers alone, where it is one.
    pub(super) fn listed(&self) -> Option<String> {
        let expression = match self {
            Self::Expression(expression) => expression.clone(),
            // `License: MIT` says all that a classifier beside it does.
            Self::Statements(statements) => Expression::read(&statements.first()?.name)?,
        };
        expression.known.then_some(expression.text)
    }
}

impl Expression {
    /// Reads an expression; none where the text is not one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut reader = Reader { words: spaced.split_whitespace().peekable(), text: String::new(), known: true };
        reader.alternatives(0)?;
        reader.words.next().is_none().then_some(Self { text: reader.text, known: reader.known })
    }
}

/// Reads an expression from left to right, and writes it anew.
struct Reader<'a, I: Iterator<Item = &'a str>> {
    words: std::iter::Peekable<I>,
    text: String,
    known: bool,
}

impl<'a, I: Iterator<Item = &'a str>> Reader<'a, I> {
    /// What `AND` and `OR` join. Which of them binds more does not matter to who only passes it on.
    fn alternatives(&mut self, depth: usize) -> Option<()> {
        self.alternative(depth)?;
        while let Some(operator) = self.take(&["AND", "OR"]) {
            self.text.extend([" ", operator, " "]);
            self.alternative(depth)?;
        }
        Some(())
    }

    fn alternative(&mut self, depth: usize) -> Option<()> {
        if self.take(&["("]).is_some() {
            if depth == DEEPEST {
                return None;
            }
            self.text.push('(');
            self.alternatives(depth + 1)?;
            self.take(&[")"])?;
            self.text.push(')');
            return Some(());
        }
        self.identifier(Kind::Licence)?;
        if self.take(&["WITH"]).is_some() {
            self.text.push_str(" WITH ");
            self.identifier(Kind::Exception)?;
        }
        Some(())
    }

    fn take(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let next = self.words.peek()?;
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(next))?;
        self.words.next();
        Some(found)
    }

    fn identifier(&mut self, kind: Kind) -> Option<()> {
        let word = self.words.next()?;
        let operator = ["AND", "OR", "WITH"].iter().any(|operator| operator.eq_ignore_ascii_case(word));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'+' | b':');
        if operator || !word.bytes().all(allowed) {
            return None;
        }
        match LISTED.get(word.to_ascii_lowercase().as_str()) {
            Some((listed, found)) if *found == kind => self.text.push_str(listed),
            _ => {
                self.known = false;
                self.text.push_str(word);
            }
        }
        Some(())
    }
}

/// What an identifier stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Licence,
    Exception,
}

/// The list, by identifiers in lower case.
static LISTED: LazyLock<BTreeMap<String, (&'static str, Kind)>> = LazyLock::new(|| {
    let (licences, exceptions) = SPDX_LIST.split_once("\n\n").expect("the list has two parts");
    let of_kind = |text: &'static str, kind| text.split_whitespace().map(move |word| (word, kind));
    let listed = of_kind(licences, Kind::Licence).chain(of_kind(exceptions, Kind::Exception));
    listed.map(|(word, kind)| (word.to_ascii_lowercase(), (word, kind))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, bool)> {
        Expression::read(text).map(|read| (read.text, read.known))
    }

    #[test]
    fn reads_expressions_into_the_lists_spelling() {
        for (text, spelled, known) in [
            ("MIT", "MIT", true),
            ("mit or ( apache-2.0  and BSD-3-clause )", "MIT OR (Apache-2.0 AND BSD-3-Clause)", true),
            ("GPL-2.0+ with classpath-EXCEPTION-2.0", "GPL-2.0+ WITH Classpath-exception-2.0", true),
            ("((MIT))", "((MIT))", true),
            ("LicenseRef-Proprietary OR MIT", "LicenseRef-Proprietary OR MIT", false),
            ("BSD", "BSD", false),
            ("MIT WITH MIT", "MIT WITH MIT", false),
            ("LLVM-exception", "LLVM-exception", false),
        ] {
            assert_eq!(read(text), Some((spelled.to_owned(), known)), "{text}");
        }
    }

    #[test]
    fn takes_nothing_else_for_an_expression() {
        let deep = "(".repeat(1_000_000) + "MIT";
        for text in [
            "",
            " ",
            "MIT License",
            "MIT OR",
            "OR MIT",
            "MIT AND OR MIT",
            "(MIT",
            "MIT)",
            "MIT, BSD",
            "()",
            "MIT WITH",
            "A B",
            "GPL (>= 2)",
            "Apache 2.0",
            &deep,
        ] {
            assert_eq!(read(text), None, "{text:.20}");
        }
    }

    #[test]
    fn states_what_metadata_states() {
        let of = |fields: &[(&str, &str)]| {
            let metadata = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Licences::of("a", &Distribution { metadata, sboms: Vec::new() })
        };
        let said = |name: &str| Statement { name: name.to_owned(), text: None };
        let mit = Licences::Expression(Expression { text: "MIT".to_owned(), known: true });
        let classifier = "License :: OSI Approved :: BSD License";
        assert_eq!(of(&[("license", "BSD"), ("license-expression", "mit")]), mit);
        assert_eq!(of(&[]), Licences::Statements(Vec::new()));
        assert_eq!(of(&[("license", "UNKNOWN"), ("classifier", "Topic :: X")]), Licences::Statements(Vec::new()));
        let both = of(&[("license", "BSD-3-Clause"), ("classifier", classifier), ("classifier", classifier)]);
        assert_eq!(both, Licences::Statements(vec![said("BSD-3-Clause"), said(classifier)]));
        assert_eq!(both.listed().as_deref(), Some("BSD-3-Clause"));
        assert_eq!(of(&[("license", "MIT License")]).listed(), None);
        assert_eq!(of(&[("license-expression", "MIT License")]), Licences::Statements(vec![said("MIT License")]));
        let wording = "Permission is\n hereby granted";
        let worded = Statement { name: "licence of a".to_owned(), text: Some(wording.to_owned()) };
        assert_eq!(of(&[("license", wording)]), Licences::Statements(vec![worded]));
    }
}
