//! JSON as Python's `json.dumps(value, sort_keys=True)` writes it, which some tools take digests of.

use std::fmt::Write;

use toml::Value;

/// What stands between members, and between a key and its value.
#[derive(Clone, Copy)]
struct Separators {
    item: &'static str,
    key: &'static str,
}

/// Python's own.
const SPACED: Separators = Separators { item: ", ", key: ": " };

/// `separators=(",", ":")`.
const COMPACT: Separators = Separators { item: ",", key: ":" };

/// The text of a TOML document's value. A date, which Python's `json` refuses, becomes a text.
pub(super) fn dump(value: &Value) -> String {
    value_text(value, SPACED)
}

/// The same without blanks.
pub(super) fn dump_compact(value: &Value) -> String {
    value_text(value, COMPACT)
}

/// The text of an object, of which `None` is `null`. Keys are written in the order of their code points.
pub(super) fn dump_object(members: &[(&str, Option<String>)]) -> String {
    object_text(members.iter().map(|(key, value)| (*key, value.clone().unwrap_or_else(|| "null".to_owned()))), SPACED)
}

fn value_text(value: &Value, separators: Separators) -> String {
    match value {
        Value::String(string) => quoted(string),
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => float_text(*float),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Datetime(datetime) => quoted(&datetime.to_string()),
        Value::Array(array) => {
            let items: Vec<String> = array.iter().map(|item| value_text(item, separators)).collect();
            format!("[{}]", items.join(separators.item))
        }
        Value::Table(table) => {
            object_text(table.iter().map(|(key, value)| (key.as_str(), value_text(value, separators))), separators)
        }
    }
}

fn object_text<'a>(members: impl Iterator<Item = (&'a str, String)>, separators: Separators) -> String {
    let sorted: std::collections::BTreeMap<&str, String> = members.collect();
    let members: Vec<String> =
        sorted.iter().map(|(key, value)| format!("{}{}{value}", quoted(key), separators.key)).collect();
    format!("{{{}}}", members.join(separators.item))
}

/// `ensure_ascii`: what is beyond ASCII stands as UTF-16 escapes.
fn quoted(string: &str) -> String {
    let mut text = String::from("\"");
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").expect("a `String` takes every text");
                }
            }
        }
    }
    text.push('"');
    text
}

/// `float.__repr__`, whose shortest digits Rust's are; Python writes an exponent's sign and two digits.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let text = format!("{float:?}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_python_writes() {
        // python3 -c 'import json, tomllib; print(json.dumps(tomllib.loads(TEXT), sort_keys=True))'
        let text = "b = [1, 1.0, true]\na = { z = \"\\u00e9\\U0001F600\\n\\\"\\\\\\u007F\", B = \"x\", \"é\" = {} }\n\
                    c = [1e16, 1.5e300, 1e-5, 0.0001, 123456789.5, inf, -inf, -0.0, 1e22]\nd = []";
        let expected = "{\"a\": {\"B\": \"x\", \"z\": \"\\u00e9\\ud83d\\ude00\\n\\\"\\\\\\u007f\", \"\\u00e9\": {}}, \
                        \"b\": [1, 1.0, true], \
                        \"c\": [1e+16, 1.5e+300, 1e-05, 0.0001, 123456789.5, Infinity, -Infinity, -0.0, 1e+22], \
                        \"d\": []}";
        assert_eq!(dump(&Value::Table(text.parse().unwrap())), expected);
    }
}
