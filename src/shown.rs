//! Text of others as a terminal may show it: nothing in it moves a cursor, changes a title, or forges a line.

use std::borrow::Cow;
use std::fmt::Write;

/// The longest line that is shown whole, in characters: a lock, for one, may quote anything.
const LONGEST: usize = 8_000;

/// What is shown of either end of a longer line.
const END: usize = 1_000;

/// `text` with control characters, those that turn the direction of writing and those that nobody sees, as escapes (`\u{1b}`); its lines stay
/// lines, and of one that is longer than any message the middle is left out.
pub fn shown(text: &str) -> Cow<'_, str> {
    let escaped = escape(text, |character| matches!(character, '\n' | '\t'));
    if escaped.lines().all(|line| line.len() <= LONGEST) {
        return escaped;
    }
    Cow::Owned(escaped.split('\n').map(shorten).collect::<Vec<_>>().join("\n"))
}

/// The same for text that is no more than a part of a line.
pub fn shown_in_line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// `1 distribution`, `2 distributions`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let hides = |character: char| is_steering(character) && !stays(character);
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hides(character) {
            write!(escaped, "{}", character.escape_default()).expect("a `String` takes every text");
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Controls (C0, DEL, C1), line separators, what turns the direction of writing (Unicode, UAX 9), and what is not shown at
/// all, by which two names would look alike.
fn is_steering(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') || is_invisible(character)
}

/// Unicode's `Default_Ignorable_Code_Point` (UAX 44), the marks of direction among them, and the anchors of annotations.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

fn shorten(line: &str) -> String {
    let length = line.chars().count();
    if length <= LONGEST {
        return line.to_owned();
    }
    let start: String = line.chars().take(END).collect();
    let end: String = line.chars().skip(length - END).collect();
    format!("{start} [{} characters] {end}", length - 2 * END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_people_do() {
        assert_eq!([0, 1, 2].map(|number| count(number, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn nothing_steers_a_terminal() {
        for (text, expected) in [
            ("lib 1.5: ü, 日本, `x`\n\tnext", "lib 1.5: ü, 日本, `x`\n\tnext"),
            ("\u{1b}]0;title\u{7}\u{9b}31m\r\u{7f}", "\\u{1b}]0;title\\u{7}\\u{9b}31m\\r\\u{7f}"),
            ("x\u{200d}\u{200b}y\u{feff}\u{ad}z", "x\\u{200d}\\u{200b}y\\u{feff}\\u{ad}z"),
            ("\u{2060}\u{fe0f}\u{e0041}\u{3164}\u{fff9}", "\\u{2060}\\u{fe0f}\\u{e0041}\\u{3164}\\u{fff9}"),
            ("a\u{202e}b\u{2066}c\u{2028}d", "a\\u{202e}b\\u{2066}c\\u{2028}d"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown_in_line("lib\nhint: do\tit"), "lib\\nhint: do\\tit");
    }

    #[test]
    fn of_an_endless_line_the_ends_are_shown() {
        let text = format!("first\n{}z", "é".repeat(9_000));
        let expected = format!("first\n{} [7001 characters] {}z", "é".repeat(1_000), "é".repeat(999));
        assert_eq!(shown(&text), expected);
    }
}
