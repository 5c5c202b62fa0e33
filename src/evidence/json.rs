//! Canonical JSON (RFC 8785), for documents without floating-point numbers: one value has one spelling, so that it can
//! be hashed, signed and compared.

use serde::Serialize;
use serde_json::Value;

/// The canonical bytes of `document`.
///
/// # Panics
/// When `document` holds a number that is not a whole one, or a map whose keys are not strings: ours hold none.
pub(crate) fn to_canonical_json(document: &impl Serialize) -> Vec<u8> {
    let value = serde_json::to_value(document).expect("our documents are trees of strings, numbers and lists");
    let mut text = Vec::new();
    write_value(&value, &mut text);
    text
}

fn write_value(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Bool(_) => text.extend_from_slice(value.to_string().as_bytes()),
        Value::Number(number) => {
            assert!(number.is_u64() || number.is_i64(), "our documents hold whole numbers only");
            text.extend_from_slice(number.to_string().as_bytes());
        }
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                write_value(item, text);
            }
            text.push(b']');
        }
        Value::Object(map) => {
            // RFC 8785, 3.2.3: keys are sorted by their UTF-16 code units.
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            text.push(b'{');
            for (index, (key, item)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                write_string(key, text);
                text.push(b':');
                write_value(item, text);
            }
            text.push(b'}');
        }
    }
}

/// RFC 8785, 3.2.2.2, asks for what ECMAScript's `JSON.stringify` writes, and so does `serde_json`: short escapes where
/// there are any, lower-case `\u00xx` for the other control characters, everything else as it is.
fn write_string(string: &str, text: &mut Vec<u8>) {
    serde_json::to_writer(text, string).expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sorts_keys_by_utf_16_and_escapes_as_ecmascript_does() {
        let document = json!({
            "\u{10000}": 1, "\u{e000}": -2, "b": [true, null, {"z": "", "a": "\u{7f}é\u{2028}"}],
            "a": "\u{0}\u{8}\t\n\u{c}\r\u{1f}\"\\/"
        });
        let text = String::from_utf8(to_canonical_json(&document)).unwrap();
        assert_eq!(
            text,
            "{\"a\":\"\\u0000\\b\\t\\n\\f\\r\\u001f\\\"\\\\/\",\"b\":[true,null,{\"a\":\"\u{7f}é\u{2028}\",\"z\":\"\"}],\
             \"\u{10000}\":1,\"\u{e000}\":-2}"
        );
    }
}
