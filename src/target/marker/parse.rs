//! Parsing markers: PEP 508's grammar, as `packaging` reads it.

use std::str::FromStr;

use super::{Comparison, Expression, Marker, Operator, Variable, VariableSide};
use crate::status::{Explain, Status};
use crate::target::cursor::{Cursor, Expected};

/// Why a text is not a marker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid marker `{text}`: expected {expected} at character {position}")]
pub struct MarkerError {
    /// The text that was given.
    pub text: String,
    /// The place of the fault: a number of characters, the first being 1.
    pub position: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

impl Explain for MarkerError {
    fn status(&self) -> Status {
        Status::Refused
    }
}

/// Names of variables, and what they are called today. The dotted ones and `python_implementation` come from
/// setuptools before PEP 508 and stand in old metadata.
const NAMES: [(&str, Variable); 20] = [
    ("python_version", Variable::PythonVersion),
    ("python_full_version", Variable::PythonFullVersion),
    ("os_name", Variable::OsName),
    ("os.name", Variable::OsName),
    ("sys_platform", Variable::SysPlatform),
    ("sys.platform", Variable::SysPlatform),
    ("platform_release", Variable::PlatformRelease),
    ("platform_system", Variable::PlatformSystem),
    ("platform_version", Variable::PlatformVersion),
    ("platform.version", Variable::PlatformVersion),
    ("platform_machine", Variable::PlatformMachine),
    ("platform.machine", Variable::PlatformMachine),
    ("platform_python_implementation", Variable::PlatformPythonImplementation),
    ("platform.python_implementation", Variable::PlatformPythonImplementation),
    ("python_implementation", Variable::PlatformPythonImplementation),
    ("implementation_name", Variable::ImplementationName),
    ("implementation_version", Variable::ImplementationVersion),
    ("extra", Variable::Extra),
    ("extras", Variable::Extras),
    ("dependency_groups", Variable::DependencyGroups),
];

/// Symbols, the longer first.
const SYMBOLS: [Operator; 8] = [
    Operator::ArbitraryEqual,
    Operator::Equal,
    Operator::Compatible,
    Operator::NotEqual,
    Operator::LessEqual,
    Operator::GreaterEqual,
    Operator::Less,
    Operator::Greater,
];

/// How deep parentheses may nest: past anything that people or tools write, and short of a stack's end.
const DEEPEST: usize = 100;

impl FromStr for Marker {
    type Err = MarkerError;

    fn from_str(text: &str) -> Result<Self, MarkerError> {
        let mut cursor = Cursor::new(text);
        let parsed = parse_marker(&mut cursor).and_then(|marker| {
            if cursor.at_end() { Ok(marker) } else { Err(cursor.expected("`and`, `or` or the end")) }
        });
        parsed.map_err(|Expected { position, expected }| MarkerError {
            text: text.to_owned(),
            position: position + 1,
            expected,
        })
    }
}

/// Reads a marker and the blanks around it.
pub(in crate::target) fn parse_marker(cursor: &mut Cursor<'_>) -> Result<Marker, Expected> {
    parse_or(cursor, DEEPEST).map(Marker)
}

fn parse_or(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expression, Expected> {
    let mut parts = vec![parse_and(cursor, depth)?];
    while cursor.take_word("or") {
        parts.push(parse_and(cursor, depth)?);
    }
    Ok(join(parts, |part| match part {
        Expression::Or(inner) => Ok(inner),
        other => Err(other),
    })
    .unwrap_or_else(Expression::Or))
}

fn parse_and(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expression, Expected> {
    let mut parts = vec![parse_atom(cursor, depth)?];
    while cursor.take_word("and") {
        parts.push(parse_atom(cursor, depth)?);
    }
    Ok(join(parts, |part| match part {
        Expression::And(inner) => Ok(inner),
        other => Err(other),
    })
    .unwrap_or_else(Expression::And))
}

/// The one part, or (as the error) all parts with those of the same kind merged in.
fn join(
    parts: Vec<Expression>,
    same_kind: impl Fn(Expression) -> Result<Vec<Expression>, Expression>,
) -> Result<Expression, Vec<Expression>> {
    let mut merged = Vec::with_capacity(parts.len());
    for part in parts {
        match same_kind(part) {
            Ok(inner) => merged.extend(inner),
            Err(other) => merged.push(other),
        }
    }
    if merged.len() == 1 { Ok(merged.remove(0)) } else { Err(merged) }
}

fn parse_atom(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expression, Expected> {
    cursor.skip_blanks();
    let expression = if cursor.take("(") {
        if depth == 0 {
            return Err(cursor.expected("fewer nested parentheses"));
        }
        let inner = parse_or(cursor, depth - 1)?;
        if !cursor.take(")") {
            return Err(cursor.expected("`and`, `or` or `)`"));
        }
        inner
    } else {
        Expression::Comparison(parse_comparison(cursor)?)
    };
    cursor.skip_blanks();
    Ok(expression)
}

enum Operand {
    Variable(Variable),
    Literal(String),
}

fn parse_comparison(cursor: &mut Cursor<'_>) -> Result<Comparison, Expected> {
    let left = parse_operand(cursor, "a marker variable or a quoted text")?;
    cursor.skip_blanks();
    let operator = parse_operator(cursor)?;
    cursor.skip_blanks();
    let right_expected = match left {
        Operand::Variable(_) => "a quoted text",
        Operand::Literal(_) => "a marker variable",
    };
    let start = cursor.clone();
    let right = parse_operand(cursor, right_expected)?;
    let (variable, literal, side) = match (left, right) {
        (Operand::Variable(variable), Operand::Literal(literal)) => (variable, literal, VariableSide::Left),
        (Operand::Literal(literal), Operand::Variable(variable)) => (variable, literal, VariableSide::Right),
        _ => return Err(start.expected(right_expected)),
    };
    let literal = match (variable, side) {
        (Variable::Extra, _) | (Variable::Extras | Variable::DependencyGroups, VariableSide::Right) => {
            normalise_name(&literal)
        }
        _ => literal,
    };
    Ok(Comparison { variable, operator, literal, side })
}

fn parse_operand(cursor: &mut Cursor<'_>, expected: &'static str) -> Result<Operand, Expected> {
    for (name, variable) in NAMES {
        if cursor.take_word(name) {
            return Ok(Operand::Variable(variable));
        }
    }
    let start = cursor.clone();
    for quote in ["'", "\""] {
        if !cursor.take(quote) {
            continue;
        }
        let literal = cursor.take_while(|character| !quote.contains(character));
        if !cursor.take(quote) {
            return Err(start.expected("a quoted text that ends"));
        }
        if literal.contains(['\\', '\n', '\r', '\0']) {
            return Err(start.expected("a quoted text without backslash, line break and NUL"));
        }
        return Ok(Operand::Literal(literal.to_owned()));
    }
    Err(start.expected(expected))
}

fn parse_operator(cursor: &mut Cursor<'_>) -> Result<Operator, Expected> {
    if cursor.take_word("in") {
        return Ok(Operator::In);
    }
    if cursor.take_word("not") {
        return if cursor.skip_blanks() && cursor.take_word("in") {
            Ok(Operator::NotIn)
        } else {
            Err(cursor.expected("`in` after `not`"))
        };
    }
    SYMBOLS
        .into_iter()
        .find(|symbol| cursor.take(symbol.as_str()))
        .ok_or_else(|| cursor.expected("one of <=, <, !=, ==, >=, >, ~=, ===, in, not in"))
}

/// A name in normalised form (PEP 503), of any text: what a marker compares with need not be a valid name.
pub(super) fn normalise_name(text: &str) -> String {
    let mut normalised = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '-' | '_' | '.' if normalised.ends_with('-') => {}
            '-' | '_' | '.' => normalised.push('-'),
            _ => normalised.extend(character.to_lowercase()),
        }
    }
    normalised
}
