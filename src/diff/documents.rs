//! JSON by its values: each that differs under its path, whatever the layout of the text. Members of arrays that name
//! themselves (`path`, `name`, `filename`) are compared by that name, others by their place.

use serde_json::Value;
use std::collections::BTreeMap;

use super::difference::{LINE, Line, cut};

/// How many values are told.
const MOST_VALUES: usize = 500;

/// A value that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ValueDifference {
    /// Such as `recipe.layout`.
    pub(super) path: String,
    pub(super) sides: [Option<String>; 2],
}

/// The values in which two documents differ, as many as are told, and how many more there are.
pub(super) fn compare_documents(first: &Value, second: &Value) -> (Vec<ValueDifference>, usize) {
    let (mut found, mut left_out) = (Vec::new(), 0);
    compare(String::new(), Some(first), Some(second), &mut found, &mut left_out);
    (found, left_out)
}

fn compare(
    path: String,
    first: Option<&Value>,
    second: Option<&Value>,
    found: &mut Vec<ValueDifference>,
    left_out: &mut usize,
) {
    if first == second {
        return;
    }
    let inner = match (first, second) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let members = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            let mut keys = members(one);
            keys.extend(members(other).into_iter().filter(|key| !one.contains_key(key)));
            keys.into_iter().map(|key| (key.clone(), one.get(&key), other.get(&key))).collect::<Vec<_>>()
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => match (named(one), named(other)) {
            (Some(ours), Some(theirs)) if !ours.is_empty() || !theirs.is_empty() => {
                let mut keys: Vec<&str> = ours.keys().chain(theirs.keys()).copied().collect();
                keys.sort_unstable();
                keys.dedup();
                let pair = |key: &str| (format!("[{key}]"), ours.get(key).copied(), theirs.get(key).copied());
                keys.into_iter().map(pair).collect()
            }
            _ => {
                let length = one.len().max(other.len());
                (0..length).map(|index| (format!("[{index}]"), one.get(index), other.get(index))).collect()
            }
        },
        _ => {
            if found.len() >= MOST_VALUES {
                *left_out += 1;
            } else {
                let show = |value: Option<&Value>| value.map(|value| cut(value.to_string(), LINE));
                found.push(ValueDifference { path, sides: [show(first), show(second)] });
            }
            return;
        }
    };
    for (key, one, other) in inner {
        let separator = if path.is_empty() || key.starts_with('[') { "" } else { "." };
        compare(format!("{path}{separator}{key}"), one, other, found, left_out);
    }
}

/// The members of an array by what they are called, where each is and no two alike.
fn named(values: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let key = ["path", "filename", "name"]
        .into_iter()
        .find(|key| !values.is_empty() && values.iter().all(|value| value.get(key).is_some_and(Value::is_string)));
    let names: BTreeMap<&str, &Value> = match key {
        Some(key) => values.iter().filter_map(|value| Some((value.get(key)?.as_str()?, value))).collect(),
        None if values.is_empty() => BTreeMap::new(),
        None => return None,
    };
    (names.len() == values.len()).then_some(names)
}

/// The values as lines of details.
pub(super) fn lines(values: &[ValueDifference]) -> Vec<Line> {
    let mut lines = Vec::new();
    for ValueDifference { path, sides: [first, second] } in values {
        lines.extend(first.iter().map(|value| Line::First(format!("{path}: {value}"))));
        lines.extend(second.iter().map(|value| Line::Second(format!("{path}: {value}"))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_compared_by_path_and_by_name() {
        let first = json!({"a": 1, "files": [{"path": "x", "size": 1}, {"path": "y", "size": 2}], "list": [1, 2]});
        let second = json!({"files": [{"path": "y", "size": 3}, {"path": "z", "size": 2}], "list": [1, 3], "b": null});
        let (found, left_out) = compare_documents(&first, &second);
        let texts: Vec<String> =
            lines(&found).iter().map(Line::parts).map(|(mark, text)| format!("{mark}{text}")).collect();
        assert_eq!(
            texts,
            [
                "-a: 1",
                "-files[x]: {\"path\":\"x\",\"size\":1}",
                "-files[y].size: 2",
                "+files[y].size: 3",
                "+files[z]: {\"path\":\"z\",\"size\":2}",
                "-list[1]: 2",
                "+list[1]: 3",
                "+b: null"
            ]
        );
        assert_eq!(left_out, 0);
    }
}
