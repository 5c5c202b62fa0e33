//! JSON as Python's `json.dumps(value, sort_keys=True)` writes it, which some tools take digests of.

use std::fmt::Write;

use toml::Value;

/// The text of a TOML document's value. A date, which Python's `json` refuses, becomes a text.
pub(super) fn dump(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// The text of an object, of which `None` is `null`. Keys are written in the order of their code points.
pub(super) fn dump_object(members: &[(&str, Option<String>)]) -> String {
    let mut members: Vec<&(&str, Option<String>)> = members.iter().collect();
    members.sort_by_key(|(key, _)| *key);
    let mut text = String::from("{");
    for (index, (key, value)) in members.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { ", " });
        write_text(&mut text, key);
        text.push_str(": ");
        text.push_str(value.as_deref().unwrap_or("null"));
    }
    text.push('}');
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::String(string) => write_text(text, string),
        Value::Integer(integer) => write!(text, "{integer}").expect("a `String` takes every text"),
        Value::Float(float) => text.push_str(&float_text(*float)),
        Value::Boolean(boolean) => text.push_str(if *boolean { "true" } else { "false" }),
        Value::Datetime(datetime) => write_text(text, &datetime.to_string()),
        Value::Array(array) => {
            text.push('[');
            for (index, value) in array.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                write_value(text, value);
            }
            text.push(']');
        }
        Value::Table(table) => {
            let members: Vec<_> = table.iter().map(|(key, value)| (key.as_str(), Some(dump(value)))).collect();
            text.push_str(&dump_object(&members));
        }
    }
}

/// `ensure_ascii`: what is beyond ASCII stands as UTF-16 escapes.
fn write_text(text: &mut String, string: &str) {
    text.push('"');
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
