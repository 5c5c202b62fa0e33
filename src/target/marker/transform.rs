//! Markers made of other markers: joined, negated, and with `extra` taken for granted.

use super::{Comparison, Expression, Marker, Operator, Variable, VariableSide};
use crate::names::ExtraName;

/// What is left of a marker once something is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assumed {
    /// It holds everywhere.
    Always,
    /// It holds nowhere.
    Never,
    /// It depends on this.
    When(Marker),
}

impl Marker {
    /// The marker that holds where both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(join(vec![self.0, other.0], Join::And))
    }

    /// The marker that holds where one of both does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(join(vec![self.0, other.0], Join::Or))
    }

    /// The marker that holds where this one does not; none where a comparison has no opposite (`~=`, `===`, an order of
    /// what are not versions).
    pub fn negated(&self) -> Option<Self> {
        negate(&self.0).map(Self)
    }

    /// What is left of a distribution's marker when `extra` is this name, or is not asked for.
    pub fn assume_extra(&self, extra: Option<&ExtraName>) -> Assumed {
        match assume(&self.0, extra.map_or("", ExtraName::as_str)) {
            Truth::Known(true) => Assumed::Always,
            Truth::Known(false) => Assumed::Never,
            Truth::Open(expression) => Assumed::When(Self(expression)),
        }
    }

    /// The marker with `extra == "name"` written as `"name" in extras`, and `!=` as `not in`: every one of several extras
    /// counts then, as in Poetry. None where `extra` is compared in another way.
    pub fn with_extras_as_set(&self) -> Option<Self> {
        as_set(&self.0).map(Self)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

/// Joins parts, of which those that are joined in the same way are taken apart.
fn join(parts: Vec<Expression>, by: Join) -> Expression {
    let mut flat: Vec<Expression> = Vec::new();
    for part in parts {
        let inner = match (part, by) {
            (Expression::And(inner), Join::And) | (Expression::Or(inner), Join::Or) => inner,
            (other, _) => vec![other],
        };
        for one in inner {
            if !flat.contains(&one) {
                flat.push(one);
            }
        }
    }
    match (flat.len(), by) {
        (1, _) => flat.remove(0),
        (_, Join::And) => Expression::And(flat),
        (_, Join::Or) => Expression::Or(flat),
    }
}

fn negate(expression: &Expression) -> Option<Expression> {
    let all = |parts: &[Expression]| parts.iter().map(negate).collect::<Option<Vec<_>>>();
    Some(match expression {
        Expression::Or(parts) => join(all(parts)?, Join::And),
        Expression::And(parts) => join(all(parts)?, Join::Or),
        Expression::Comparison(comparison) => {
            let version_valued = matches!(comparison.variable, Variable::PythonVersion | Variable::PythonFullVersion);
            let operator = match comparison.operator {
                Operator::In => Operator::NotIn,
                Operator::NotIn => Operator::In,
                Operator::Equal => Operator::NotEqual,
                Operator::NotEqual => Operator::Equal,
                Operator::LessEqual if version_valued => Operator::Greater,
                Operator::GreaterEqual if version_valued => Operator::Less,
                Operator::Less if version_valued => Operator::GreaterEqual,
                Operator::Greater if version_valued => Operator::LessEqual,
                _ => return None,
            };
            Expression::Comparison(Comparison { operator, ..comparison.clone() })
        }
    })
}

enum Truth {
    Known(bool),
    Open(Expression),
}

fn assume(expression: &Expression, extra: &str) -> Truth {
    let (parts, by) = match expression {
        Expression::And(parts) => (parts, Join::And),
        Expression::Or(parts) => (parts, Join::Or),
        Expression::Comparison(comparison) => {
            return match (comparison.variable, comparison.operator) {
                (Variable::Extra, Operator::Equal) => Truth::Known(comparison.literal == extra),
                (Variable::Extra, Operator::NotEqual) => Truth::Known(comparison.literal != extra),
                _ => Truth::Open(expression.clone()),
            };
        }
    };
    // `and` is decided by what is false, `or` by what is true.
    let decisive = by == Join::Or;
    let mut open = Vec::new();
    for part in parts {
        match assume(part, extra) {
            Truth::Known(value) if value == decisive => return Truth::Known(decisive),
            Truth::Known(_) => {}
            Truth::Open(expression) => open.push(expression),
        }
    }
    if open.is_empty() { Truth::Known(!decisive) } else { Truth::Open(join(open, by)) }
}

fn as_set(expression: &Expression) -> Option<Expression> {
    let all = |parts: &[Expression]| parts.iter().map(as_set).collect::<Option<Vec<_>>>();
    Some(match expression {
        Expression::And(parts) => Expression::And(all(parts)?),
        Expression::Or(parts) => Expression::Or(all(parts)?),
        Expression::Comparison(comparison) if comparison.variable == Variable::Extra => {
            let operator = match comparison.operator {
                Operator::Equal => Operator::In,
                Operator::NotEqual => Operator::NotIn,
                _ => return None,
            };
            let literal = comparison.literal.clone();
            let side = VariableSide::Right;
            Expression::Comparison(Comparison { variable: Variable::Extras, operator, literal, side })
        }
        Expression::Comparison(_) => expression.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(text: &str) -> Marker {
        text.parse().unwrap()
    }

    #[test]
    fn joins_what_is_joined_alike() {
        let (a, b) = (marker("os_name == 'nt' or os_name == 'x'"), marker("python_version < '3.9'"));
        let both = "(os_name == \"nt\" or os_name == \"x\") and python_version < \"3.9\"";
        assert_eq!(a.clone().and(b.clone()).to_string(), both);
        assert_eq!(a.clone().and(b.clone()).and(b.clone()).to_string(), both);
        assert_eq!(a.or(b).to_string(), "os_name == \"nt\" or os_name == \"x\" or python_version < \"3.9\"");
        assert_eq!(marker("os_name == 'nt'").and(marker("os_name == 'nt'")).to_string(), "os_name == \"nt\"");
    }

    #[test]
    fn negates_what_has_an_opposite() {
        let text = "python_version >= '3.9' and (os_name == 'nt' or 'arm' in platform_machine)";
        let negated = "python_version < \"3.9\" or os_name != \"nt\" and \"arm\" not in platform_machine";
        assert_eq!(marker(text).negated().unwrap().to_string(), negated);
        assert_eq!(marker(negated).negated().unwrap(), marker(text));
        for text in ["python_version ~= '3.9'", "platform_release >= '5'", "os_name > 'a'", "os_name === 'nt'"] {
            assert_eq!(marker(text).negated(), None, "{text}");
        }
    }

    #[test]
    fn an_extra_that_is_known_leaves_the_rest() {
        let name: ExtraName = "tls".parse().unwrap();
        let rest = Assumed::When(marker("os_name == 'nt'"));
        for (text, with, without) in [
            ("extra == 'TLS'", Assumed::Always, Assumed::Never),
            ("extra == 'x'", Assumed::Never, Assumed::Never),
            ("extra != 'tls'", Assumed::Never, Assumed::Always),
            ("os_name == 'nt' and extra == 'tls'", rest.clone(), Assumed::Never),
            ("os_name == 'nt' or extra == 'tls'", Assumed::Always, rest.clone()),
            ("os_name == 'nt'", rest.clone(), rest.clone()),
            ("os_name == 'nt' and (extra == 'x' or extra == 'tls')", rest, Assumed::Never),
        ] {
            assert_eq!(marker(text).assume_extra(Some(&name)), with, "{text}");
            assert_eq!(marker(text).assume_extra(None), without, "{text}");
        }
    }

    #[test]
    fn extras_as_a_set() {
        let text = "extra == 'a' and extra != 'b' or os_name == 'nt'";
        let set = "\"a\" in extras and \"b\" not in extras or os_name == \"nt\"";
        assert_eq!(marker(text).with_extras_as_set().unwrap().to_string(), set);
        assert_eq!(marker("extra in 'a b'").with_extras_as_set(), None);
    }
}
