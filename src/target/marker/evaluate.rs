//! Evaluating markers as `packaging.markers` 26 does: as versions where the variable is one and the other side reads
//! as a specifier (PEP 440), else as texts, of which `<` and `>` never hold and `<=` and `>=` mean equality.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;

use pep440_rs::{Operator as VersionOperator, Version, VersionPattern, VersionSpecifier};

use super::{Comparison, Expression, Marker, MarkerEnvironment, Operator, Variable, VariableSide};
use crate::names::{ExtraName, GroupName};
use crate::status::{Explain, Status};
use crate::target::specifier::specifier_contains;

/// Which names a marker may ask for besides the environment's, and what is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation<'a> {
    /// A distribution's metadata: `extra` is defined. As with pip, the marker holds if it does with no extra or with
    /// any one of the active ones.
    Metadata {
        /// The extras that were asked for.
        extras: &'a BTreeSet<ExtraName>,
    },
    /// A lock file (PEP 751): `extras` and `dependency_groups` are defined.
    LockFile {
        /// The extras that were asked for.
        extras: &'a BTreeSet<ExtraName>,
        /// The dependency groups that were asked for.
        groups: &'a BTreeSet<GroupName>,
    },
    /// A uv.lock: `extra` is all of these names at once. `==` asks whether a name is among them, `!=` whether it is not.
    Several {
        /// The names that are active.
        names: &'a BTreeSet<ExtraName>,
    },
}

/// Why a marker has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A comparison that is defined for versions alone.
    #[error("marker `{marker}`: `{operator}` is not defined for `{left}` and `{right}`, which are not versions")]
    UndefinedComparison {
        /// The comparison.
        marker: String,
        /// Its operator.
        operator: Operator,
        /// The value on its left.
        left: String,
        /// The value on its right.
        right: String,
    },
    /// A variable that is not defined where the marker stands.
    #[error("marker `{marker}`: `{variable}` is not defined {place}")]
    UndefinedVariable {
        /// The comparison.
        marker: String,
        /// The variable.
        variable: Variable,
        /// Where the marker stands, in words.
        place: &'static str,
    },
    /// A set used otherwise than in `"name" in extras`.
    #[error("marker `{marker}`: `{variable}` is a set, usable only as in `\"name\" in {variable}`")]
    SetComparison {
        /// The comparison.
        marker: String,
        /// The variable.
        variable: Variable,
    },
}

impl Explain for EvaluationError {
    fn status(&self) -> Status {
        Status::Refused
    }
}

impl Marker {
    /// Whether the marker holds.
    ///
    /// # Errors
    /// A comparison without a meaning, wherever it stands in the marker: nothing is short-circuited.
    pub fn evaluate(
        &self,
        environment: &MarkerEnvironment,
        activation: Activation<'_>,
    ) -> Result<bool, EvaluationError> {
        match activation {
            Activation::LockFile { extras, groups } => self.0.evaluate(environment, &Names::Sets { extras, groups }),
            Activation::Several { names } => self.0.evaluate(environment, &Names::Several(names)),
            Activation::Metadata { extras } => {
                let mut holds = self.0.evaluate(environment, &Names::Extra(""))?;
                if self.mentions(Variable::Extra) {
                    for extra in extras {
                        holds |= self.0.evaluate(environment, &Names::Extra(extra.as_str()))?;
                    }
                }
                Ok(holds)
            }
        }
    }
}

/// What the variables outside the environment stand for during one evaluation.
enum Names<'a> {
    Extra(&'a str),
    Sets { extras: &'a BTreeSet<ExtraName>, groups: &'a BTreeSet<GroupName> },
    Several(&'a BTreeSet<ExtraName>),
}

enum Value<'a> {
    Text(Cow<'a, str>),
    Set(&'a BTreeSet<ExtraName>),
}

impl Expression {
    fn evaluate(&self, environment: &MarkerEnvironment, names: &Names<'_>) -> Result<bool, EvaluationError> {
        match self {
            Self::Or(parts) => {
                parts.iter().try_fold(false, |holds, part| Ok(part.evaluate(environment, names)? | holds))
            }
            Self::And(parts) => {
                parts.iter().try_fold(true, |holds, part| Ok(part.evaluate(environment, names)? & holds))
            }
            Self::Comparison(comparison) => comparison.evaluate(environment, names),
        }
    }
}

impl Comparison {
    fn evaluate(&self, environment: &MarkerEnvironment, names: &Names<'_>) -> Result<bool, EvaluationError> {
        match (self.value(environment, names)?, self.side) {
            (Value::Set(set), _)
                if self.variable == Variable::Extra
                    && matches!(self.operator, Operator::Equal | Operator::NotEqual) =>
            {
                let contained = set.iter().any(|name| name.as_str() == self.literal);
                Ok(contained == (self.operator == Operator::Equal))
            }
            (Value::Text(value), VariableSide::Left) => self.compare(&value, &self.literal),
            (Value::Text(value), VariableSide::Right) => self.compare(&self.literal, &value),
            (Value::Set(set), VariableSide::Right) if matches!(self.operator, Operator::In | Operator::NotIn) => {
                let contained = set.iter().any(|name| name.as_str() == self.literal);
                Ok(contained == (self.operator == Operator::In))
            }
            (Value::Set(_), _) => {
                Err(EvaluationError::SetComparison { marker: self.to_string(), variable: self.variable })
            }
        }
    }

    fn value<'a>(&self, environment: &'a MarkerEnvironment, names: &Names<'a>) -> Result<Value<'a>, EvaluationError> {
        if let Some(value) = environment.get(self.variable) {
            // An untagged build of Python calls itself `3.14.0+`, which is not a version.
            let untagged = self.variable == Variable::PythonFullVersion && value.ends_with('+');
            return Ok(Value::Text(if untagged { format!("{value}local").into() } else { value.into() }));
        }
        let undefined =
            |place| EvaluationError::UndefinedVariable { marker: self.to_string(), variable: self.variable, place };
        match (self.variable, names) {
            (Variable::Extra, Names::Extra(extra)) => Ok(Value::Text((*extra).into())),
            (Variable::Extra, Names::Several(names)) => Ok(Value::Set(names)),
            (Variable::Extras, Names::Sets { extras, .. }) => Ok(Value::Set(extras)),
            (Variable::DependencyGroups, Names::Sets { groups, .. }) => Ok(Value::Set(groups)),
            (_, Names::Extra(_) | Names::Several(_)) => Err(undefined("outside lock files")),
            (_, Names::Sets { .. }) => Err(undefined("in lock files")),
        }
    }

    fn compare(&self, left: &str, right: &str) -> Result<bool, EvaluationError> {
        let version_valued = matches!(
            self.variable,
            Variable::PythonVersion
                | Variable::PythonFullVersion
                | Variable::ImplementationVersion
                | Variable::PlatformRelease
        );
        if version_valued && let Some(holds) = compare_versions(left, self.operator, right) {
            return Ok(holds);
        }
        match self.operator {
            Operator::In => Ok(right.contains(left)),
            Operator::NotIn => Ok(!right.contains(left)),
            Operator::Equal | Operator::LessEqual | Operator::GreaterEqual => Ok(left == right),
            Operator::NotEqual => Ok(left != right),
            Operator::Less | Operator::Greater => Ok(false),
            Operator::Compatible | Operator::ArbitraryEqual => Err(EvaluationError::UndefinedComparison {
                marker: self.to_string(),
                operator: self.operator,
                left: left.to_owned(),
                right: right.to_owned(),
            }),
        }
    }
}

/// Compares as versions, if operator and right side are a version specifier; a left side that is no version satisfies
/// none.
fn compare_versions(left: &str, operator: Operator, right: &str) -> Option<bool> {
    let right = right.trim();
    let operator = match operator {
        Operator::In | Operator::NotIn => return None,
        Operator::ArbitraryEqual if right.contains(|c: char| c.is_whitespace() || matches!(c, ';' | ')')) => {
            return None;
        }
        Operator::ArbitraryEqual => return Some(left.to_lowercase() == right.to_lowercase()),
        Operator::Equal => VersionOperator::Equal,
        Operator::Compatible => VersionOperator::TildeEqual,
        Operator::NotEqual => VersionOperator::NotEqual,
        Operator::LessEqual => VersionOperator::LessThanEqual,
        Operator::GreaterEqual => VersionOperator::GreaterThanEqual,
        Operator::Less => VersionOperator::LessThan,
        Operator::Greater => VersionOperator::GreaterThan,
    };
    let pattern = VersionPattern::from_str(right).ok()?;
    let specifier = VersionSpecifier::from_pattern(operator, pattern).ok()?;
    Some(Version::from_str(left.trim()).is_ok_and(|version| specifier_contains(&specifier, &version)))
}
