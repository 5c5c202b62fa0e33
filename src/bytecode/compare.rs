//! Two modules' code, compared: which functions differ, and in what.

use std::fmt::{self, Write};

use super::canonical::canonical_code;
use super::marshal::{Code, Id, MarshalFault, Object, Objects, Shape};
use crate::target::PythonMinor;

/// How many differences are told of a module.
const MOST: usize = 200;

/// What two modules' code comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeComparison {
    /// The same code, in two spellings: what is marked as shared, which strings are interned.
    Spelling,
    /// Other code.
    Differs(Vec<CodeDifference>),
}

/// A part of a code object that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeDifference {
    /// The function or class, with those around it; `<module>` for the module itself.
    pub function: String,
    /// Which part, such as `constants`.
    pub part: &'static str,
    /// What stands on either side.
    pub sides: [String; 2],
}

/// Compares the code of two modules that this Python compiled.
///
/// # Errors
/// When the bytes of one are not the code of a module.
pub fn compare_code(first: &[u8], second: &[u8], python: PythonMinor) -> Result<CodeComparison, MarshalFault> {
    if canonical_code(first, python)? == canonical_code(second, python)? {
        return Ok(CodeComparison::Spelling);
    }
    let shape = Shape::of(python);
    let (ours, our_root) = Objects::read(first, shape)?;
    let (theirs, their_root) = Objects::read(second, shape)?;
    let parts = if python < PythonMinor::new(3, 11) { &PARTS_BEFORE_311 } else { &PARTS };
    let mut comparer = Comparer { sides: [&ours, &theirs], parts, found: Vec::new(), budget: 1 << 20 };
    comparer.compare("<module>", our_root, their_root);
    Ok(CodeComparison::Differs(comparer.found))
}

/// What the objects of a code object are, before and after the number of the first line.
type Parts = ([&'static str; 8], &'static [&'static str]);

const PARTS_BEFORE_311: Parts = (
    ["instructions", "constants", "names", "variables", "free variables", "cells", "file name", "name"],
    &["line numbers"],
);

const PARTS: Parts = (
    ["instructions", "constants", "names", "variables", "kinds of variables", "file name", "name", "qualified name"],
    &["line numbers", "exception table"],
);

struct Comparer<'a> {
    sides: [&'a Objects<'a>; 2],
    parts: &'a Parts,
    found: Vec<CodeDifference>,
    /// How many objects are still looked at: one that is referred to often is looked at as often.
    budget: usize,
}

impl Comparer<'_> {
    fn compare(&mut self, function: &str, first: Id, second: Id) {
        let (Object::Code(one), Object::Code(other)) = (&self.sides[0].all[first], &self.sides[1].all[second]) else {
            return;
        };
        let objects = |code: &Code| code.before_line.iter().chain(&code.after_line).copied().collect::<Vec<_>>();
        let names = self.parts.0.iter().chain(self.parts.1);
        for ((part, ours), theirs) in names.zip(objects(one)).zip(objects(other)) {
            if *part == "constants" {
                self.compare_constants(function, ours, theirs);
            } else if !self.is_equal(ours, theirs) {
                self.tell(function, part, ours, theirs);
            }
        }
        if one.numbers != other.numbers {
            self.push(function, "counts and flags", [show_numbers(&one.numbers), show_numbers(&other.numbers)]);
        }
        if one.first_line != other.first_line {
            let lines = [one, other].map(|code| i32::from_le_bytes(code.first_line).to_string());
            self.push(function, "first line", lines);
        }
    }

    fn compare_constants(&mut self, function: &str, first: Id, second: Id) {
        let (Object::Tuple(ours), Object::Tuple(theirs)) = (&self.sides[0].all[first], &self.sides[1].all[second])
        else {
            return self.tell(function, "constants", first, second);
        };
        if ours.len() != theirs.len() {
            let (only, other_only) = (self.missing(ours, theirs, 0), self.missing(theirs, ours, 1));
            self.push(function, "constants", [only, other_only]);
        }
        for (one, other) in ours.iter().zip(theirs) {
            match (&self.sides[0].all[*one], &self.sides[1].all[*other]) {
                (Object::Code(code), Object::Code(_)) => {
                    let name = self.name(0, code);
                    let inner = if function == "<module>" { name } else { format!("{function}.{name}") };
                    if self.spend() && inner.len() < 1_000 {
                        self.compare(&inner, *one, *other);
                    }
                }
                _ if ours.len() == theirs.len() && !self.is_equal(*one, *other) => {
                    self.tell(function, "constants", *one, *other);
                }
                _ => {}
            }
        }
    }

    /// Those constants of `ours` that `theirs` has not got.
    fn missing(&mut self, ours: &[Id], theirs: &[Id], side: usize) -> String {
        let mut shown = Vec::new();
        let all: std::collections::HashSet<String> =
            theirs.iter().take(1_000).map(|id| self.show(1 - side, *id)).collect();
        for id in ours.iter().take(1_000) {
            let text = self.show(side, *id);
            if !all.contains(&text) {
                shown.push(text);
            }
        }
        format!("{} constants, of them here alone: {}", ours.len(), shown.join(", "))
    }

    fn spend(&mut self) -> bool {
        self.budget = self.budget.saturating_sub(1);
        self.budget > 0 && self.found.len() < MOST
    }

    fn is_equal(&mut self, first: Id, second: Id) -> bool {
        if !self.spend() {
            return true;
        }
        match (&self.sides[0].all[first], &self.sides[1].all[second]) {
            (Object::Tuple(one), Object::Tuple(other)) | (Object::FrozenSet(one), Object::FrozenSet(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| self.is_equal(*one, *other))
            }
            // Code is compared where it is reached.
            (Object::Code(_), Object::Code(_)) => true,
            (one, other) => one == other,
        }
    }

    fn name(&self, side: usize, code: &Code) -> String {
        let place = self.parts.0.iter().position(|part| *part == "name").unwrap_or_default();
        match &self.sides[side].all[code.before_line[place]] {
            Object::Text(name) => String::from_utf8_lossy(name).into_owned(),
            _ => "?".to_owned(),
        }
    }

    fn tell(&mut self, function: &str, part: &'static str, first: Id, second: Id) {
        let sides = [self.show(0, first), self.show(1, second)];
        self.push(function, part, sides);
    }

    fn push(&mut self, function: &str, part: &'static str, sides: [String; 2]) {
        if self.found.len() < MOST {
            self.found.push(CodeDifference { function: function.to_owned(), part, sides });
        }
    }

    /// An object as Python would write it, or nearly so.
    fn show(&self, side: usize, id: Id) -> String {
        let mut text = String::new();
        self.write(side, id, &mut text);
        text
    }

    fn write(&self, side: usize, id: Id, text: &mut String) {
        if text.len() > 300 {
            return;
        }
        match &self.sides[side].all[id] {
            Object::Constant(b'N') => text.push_str("None"),
            Object::Constant(b'T') => text.push_str("True"),
            Object::Constant(b'F') => text.push_str("False"),
            Object::Constant(_) => text.push_str("..."),
            Object::Int(number) => text.push_str(&i32::from_le_bytes(*number).to_string()),
            Object::Long(digits) => put(text, format_args!("an integer of {} bytes", digits.len())),
            Object::Float(bits) => text.push_str(&f64::from_le_bytes(*bits).to_string()),
            Object::Complex(_) => text.push_str("a complex number"),
            Object::Bytes(bytes) => {
                put(text, format_args!("{} bytes ", bytes.len()));
                bytes.iter().take(32).for_each(|byte| put(text, format_args!("{byte:02x}")));
                text.push_str(if bytes.len() > 32 { "..." } else { "" });
            }
            Object::Text(content) => {
                let content = String::from_utf8_lossy(&content[..content.len().min(1_000)]);
                put(text, format_args!("{:?}", content.chars().take(250).collect::<String>()));
            }
            Object::Tuple(held) | Object::FrozenSet(held) => {
                text.push('(');
                for (index, id) in held.iter().take(50).enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    self.write(side, *id, text);
                }
                text.push(')');
            }
            Object::Code(code) => put(text, format_args!("the code of {}", self.name(side, code))),
        }
    }
}

fn put(text: &mut String, arguments: fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a `String` takes every text");
}

fn show_numbers(numbers: &[[u8; 4]]) -> String {
    let numbers = numbers.iter().map(|number| i32::from_le_bytes(*number).to_string());
    numbers.collect::<Vec<_>>().join(" ")
}
