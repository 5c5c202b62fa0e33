//! Environment markers (PEP 508), with the sets `extras` and `dependency_groups` that lock files use (PEP 751).
//!
//! The meaning is that of `packaging.markers` 26, which Python's installers share, kept so by a differential test. What
//! is refused here and not there: a comparison without exactly one variable, a backslash in a quoted text (PEP 508's
//! grammar has none), and a set used otherwise than after `in` and `not in` (there `"x" == extras` is silently false).

mod environment;
mod evaluate;
mod parse;
mod transform;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use environment::MarkerEnvironment;
pub use evaluate::{Activation, EvaluationError};
pub use parse::MarkerError;
pub(super) use parse::parse_marker;
pub use transform::Assumed;

/// A marker: a condition on the environment, on extras and on dependency groups.
///
/// `Display` gives the canonical text: double quotes where possible, today's names of variables, normalised names of
/// extras, parentheses only around an `or` inside an `and`. It parses to an equal marker.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Marker(Expression);

/// A condition or several, joined.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Expression {
    /// At least two, none of them an `Or`.
    Or(Vec<Expression>),
    /// At least two, none of them an `And`.
    And(Vec<Expression>),
    Comparison(Comparison),
}

/// One variable compared with one literal, on the side where the author wrote it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Comparison {
    variable: Variable,
    operator: Operator,
    literal: String,
    side: VariableSide,
}

/// The side of the operator that the variable stands on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum VariableSide {
    Left,
    Right,
}

macro_rules! texts {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl $name {
            /// The text as it stands in a marker.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

texts! {
    /// What a marker can ask for (PEP 508's eleven, `extra`, and PEP 751's two sets).
    pub enum Variable {
        ImplementationName = "implementation_name",
        ImplementationVersion = "implementation_version",
        OsName = "os_name",
        PlatformMachine = "platform_machine",
        PlatformPythonImplementation = "platform_python_implementation",
        PlatformRelease = "platform_release",
        PlatformSystem = "platform_system",
        PlatformVersion = "platform_version",
        PythonFullVersion = "python_full_version",
        PythonVersion = "python_version",
        SysPlatform = "sys_platform",
        Extra = "extra",
        Extras = "extras",
        DependencyGroups = "dependency_groups",
    }
}

texts! {
    /// How a marker compares.
    pub enum Operator {
        In = "in",
        NotIn = "not in",
        ArbitraryEqual = "===",
        Equal = "==",
        Compatible = "~=",
        NotEqual = "!=",
        LessEqual = "<=",
        GreaterEqual = ">=",
        Less = "<",
        Greater = ">",
    }
}

impl Marker {
    /// Whether the marker's value depends on `variable`'s.
    pub fn mentions(&self, variable: Variable) -> bool {
        self.0.comparisons().any(|comparison| comparison.variable == variable)
    }

    /// The variables that are compared, each with its literal, from left to right.
    pub fn literals(&self) -> impl Iterator<Item = (Variable, &str)> {
        self.0.comparisons().map(|comparison| (comparison.variable, comparison.literal.as_str()))
    }
}

impl Expression {
    /// Every comparison, from left to right.
    fn comparisons(&self) -> Box<dyn Iterator<Item = &Comparison> + '_> {
        match self {
            Self::Or(parts) | Self::And(parts) => Box::new(parts.iter().flat_map(Self::comparisons)),
            Self::Comparison(comparison) => Box::new(std::iter::once(comparison)),
        }
    }
}

impl TryFrom<String> for Marker {
    type Error = MarkerError;

    fn try_from(text: String) -> Result<Self, MarkerError> {
        text.parse()
    }
}

impl From<Marker> for String {
    fn from(marker: Marker) -> Self {
        marker.to_string()
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Marker({self})")
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Self::Comparison(comparison) => return comparison.fmt(formatter),
            Self::Or(parts) => (parts, " or "),
            Self::And(parts) => (parts, " and "),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                formatter.write_str(word)?;
            }
            match part {
                Self::Or(_) => write!(formatter, "({part})")?,
                _ => part.fmt(formatter)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, operator, literal, side } = self;
        // A literal holds at most one kind of quote: it came without escapes.
        let quote = if literal.contains('"') { '\'' } else { '"' };
        match side {
            VariableSide::Left => write!(formatter, "{variable} {operator} {quote}{literal}{quote}"),
            VariableSide::Right => write!(formatter, "{quote}{literal}{quote} {operator} {variable}"),
        }
    }
}
