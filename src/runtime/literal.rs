//! Python literals in ASCII, read alike by every Python 3, and parsed by 2.7.

use std::fmt::Write as _;

/// Writes a string literal.
pub(super) fn push_str(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            ' '..='~' => text.push(character),
            _ => {
                let code = u32::from(character);
                // Writing to a String cannot fail.
                let _ = match code {
                    0..=0xffff => write!(text, "\\u{code:04x}"),
                    _ => write!(text, "\\U{code:08x}"),
                };
            }
        }
    }
    text.push('"');
}

/// Writes a tuple of what `push_item` writes.
pub(super) fn push_tuple<T>(text: &mut String, items: &[T], push_item: impl Fn(&mut String, &T)) {
    text.push('(');
    for (index, item) in items.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { ", " });
        push_item(text, item);
    }
    text.push_str(if items.len() == 1 { ",)" } else { ")" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_whatever_could_end_a_literal_or_is_not_ascii() {
        for (value, expected) in [
            ("plain text", r#""plain text""#),
            ("\"'\\", r#""\"'\\""#),
            ("\n\r\0\x7f", r#""\n\u000d\u0000\u007f""#),
            ("\u{e9}\u{2028}\u{1f600}", r#""\u00e9\u2028\U0001f600""#),
            ("\\u0041{}%s", r#""\\u0041{}%s""#),
        ] {
            let mut text = String::new();
            push_str(&mut text, value);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn writes_tuples_of_none_one_and_two() {
        for (items, expected) in [(&[][..], "()"), (&["a"][..], "(\"a\",)"), (&["a", "b"][..], "(\"a\", \"b\")")] {
            let mut text = String::new();
            push_tuple(&mut text, items, |text, item| push_str(text, item));
            assert_eq!(text, expected);
        }
    }
}
