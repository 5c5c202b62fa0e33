//! JSON of two kinds. What is written is canonical (RFC 8785), for documents without floating-point numbers: one value has
//! one spelling, so that it can be hashed, signed and compared. What others wrote is read so that no two readers can take it
//! for different documents (RFC 7493): no key twice, nothing behind the end, no byte-order mark, bounds on size and depth.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::{Map, Value};

/// How deep arrays and objects may lie in each other.
const DEEPEST: usize = 64;

/// Why bytes are not a JSON document that can be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// More bytes than are read.
    #[error("{found} bytes exceed the limit of {limit}")]
    TooLarge {
        /// Their number.
        found: usize,
        /// How many are read.
        limit: usize,
    },
    /// A byte-order mark in front.
    #[error("it begins with a byte-order mark")]
    ByteOrderMark,
    /// Bytes that are no UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// A key twice in one object.
    #[error("the key `{0}` occurs twice in one object")]
    DuplicateKey(String),
    /// Too many arrays and objects in each other.
    #[error("more than {DEEPEST} arrays and objects lie in each other")]
    TooDeep,
    /// Something behind the end of the document.
    #[error("something follows the document")]
    Trailing,
    /// No JSON.
    #[error("it is not JSON: {0}")]
    Syntax(String),
}

/// Reads a document of at most `limit` bytes.
///
/// # Errors
/// When it is none, or two readers could take it for different ones.
pub fn parse_json(bytes: &[u8], limit: usize) -> Result<Value, JsonFault> {
    if bytes.len() > limit {
        return Err(JsonFault::TooLarge { found: bytes.len(), limit });
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonFault::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::Encoding)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut fault = None;
    let value = StrictValue { depth: 0, fault: &mut fault }.deserialize(&mut reader);
    let value = value.map_err(|error| fault.unwrap_or_else(|| JsonFault::Syntax(error.to_string())))?;
    reader.end().map_err(|_| JsonFault::Trailing)?;
    Ok(value)
}

/// Reads a value whose objects have every key once. What else is wrong with it is left in `fault`, since the reader's own
/// errors are texts.
struct StrictValue<'a> {
    depth: usize,
    fault: &'a mut Option<JsonFault>,
}

impl StrictValue<'_> {
    /// For what lies one level deeper.
    fn inner<E: de::Error>(&mut self) -> Result<StrictValue<'_>, E> {
        if self.depth == DEEPEST {
            return Err(self.fail(JsonFault::TooDeep));
        }
        Ok(StrictValue { depth: self.depth + 1, fault: self.fault })
    }

    fn fail<E: de::Error>(&mut self, fault: JsonFault) -> E {
        *self.fault = Some(fault);
        E::custom("")
    }
}

impl<'de> DeserializeSeed<'de> for StrictValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.fail(JsonFault::DuplicateKey(key)));
            }
            let value = members.next_value_seed(self.inner()?)?;
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

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
    fn reads_documents_that_all_readers_take_for_the_same() {
        let read = parse_json(b" {\"a\": [1, -2, 0.5, \"x\\u00e9\", true, null], \"b\": {\"a\": {}}}\n", 100);
        assert_eq!(read, Ok(json!({"a": [1, -2, 0.5, "x\u{e9}", true, null], "b": {"a": {}}})));
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_json(deep(DEEPEST).as_bytes(), 1000).is_ok());
        for (bytes, fault) in [
            (&b"{\"a\": 1, \"b\": {\"c\": 1, \"c\": 1}}"[..], JsonFault::DuplicateKey("c".to_owned())),
            (b"{\"a\": 1, \"\\u0061\": 1}", JsonFault::DuplicateKey("a".to_owned())),
            (b"\xef\xbb\xbf{}", JsonFault::ByteOrderMark),
            (b"\"\xff\"", JsonFault::Encoding),
            (b"{} {}", JsonFault::Trailing),
            (b"{}\0", JsonFault::Trailing),
            (deep(DEEPEST + 1).as_bytes(), JsonFault::TooDeep),
            (deep(100_000).as_bytes(), JsonFault::TooLarge { found: 200_000, limit: 10_000 }),
            (b"{'a': 1}", JsonFault::Syntax("key must be a string at line 1 column 2".to_owned())),
            (b"", JsonFault::Syntax("EOF while parsing a value at line 1 column 0".to_owned())),
            (b"NaN", JsonFault::Syntax("expected value at line 1 column 1".to_owned())),
        ] {
            assert_eq!(parse_json(bytes, 10_000), Err(fault));
        }
    }

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
