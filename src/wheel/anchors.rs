//! The links of an HTML page, as far as an index needs them: start tags and their attributes, nothing nested, nothing
//! closed. A page that is broken gives fewer links, never an error, and takes time in proportion to its length.

use std::borrow::Cow;

/// A start tag that an index page is read for: `a`, `base` or `meta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// Its name, in lower case.
    pub(super) name: String,
    /// Its attributes, names in lower case, values with their entities decoded.
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute; empty where it has none.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The tags of a page, in its order.
pub(super) fn read_tags(page: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let name_end = rest.find(|next: char| !next.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..name_end].to_ascii_lowercase();
        match name.as_str() {
            "a" | "base" | "meta" => {
                let (attributes, after) = read_attributes(&rest[name_end..]);
                tags.push(Tag { name, attributes });
                rest = after;
            }
            // What is in them is text.
            "script" | "style" => rest = after_end_tag(&rest[name_end..], &name),
            _ => rest = &rest[name_end..],
        }
    }
    tags
}

/// What follows the end tag of that name.
fn after_end_tag<'a>(text: &'a str, name: &str) -> &'a str {
    let ends = text.match_indices("</").map(|(at, _)| &text[at + 2..]);
    let mut own = ends.filter(|rest| rest.get(..name.len()).is_some_and(|end| end.eq_ignore_ascii_case(name)));
    own.next().unwrap_or("")
}

/// The attributes of a tag, and what follows its `>`.
fn read_attributes(text: &str) -> (Vec<(String, String)>, &str) {
    let mut attributes = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|next: char| next.is_ascii_whitespace() || next == '/');
        if rest.is_empty() {
            return (attributes, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (attributes, after);
        }
        // The first character is a part of the name whatever it is, says HTML.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let name_end = rest[first..].find(|next: char| next.is_ascii_whitespace() || "=/>".contains(next));
        let name_end = name_end.map_or(rest.len(), |length| first + length);
        let name = rest[..name_end].to_ascii_lowercase();
        rest = rest[name_end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            (value, rest) = match after.chars().next() {
                // Without its end it takes all, as in a browser.
                Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                _ => {
                    let end = after.find(|next: char| next.is_ascii_whitespace() || next == '>');
                    after.split_at(end.unwrap_or(after.len()))
                }
            };
        }
        attributes.push((name, decode_entities(value).into_owned()));
    }
}

/// The text with its character references decoded: the numeric ones and those of XML, which are what tools write.
fn decode_entities(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        // The longest reference is `&#x10ffff;`.
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((character(&rest[1..end])?, end))) {
            Some((character, end)) => {
                decoded.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = reference.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The value of the first attribute called `name` of each tag.
    fn values(page: &str, name: &str) -> Vec<Option<String>> {
        read_tags(page).iter().map(|tag| tag.attribute(name).map(str::to_owned)).collect()
    }

    #[test]
    fn reads_attributes_however_they_are_written() {
        let page = "<!DOCTYPE html><HTML><A class=x HREF = 'a.whl' data-yanked>a</a>\
                    <a\nhref=b.whl\tdata-yanked=\"bad &amp; &quot;old&#34;&#x22;\"/>b<a href=\"c>d\" href=later>";
        assert_eq!(values(page, "href"), ["a.whl", "b.whl", "c>d"].map(|href| Some(href.to_owned())));
        let yanked = [Some(String::new()), Some("bad & \"old\"\"".to_owned()), None];
        assert_eq!(values(page, "data-yanked"), yanked);
    }

    #[test]
    fn passes_over_comments_scripts_and_other_tags() {
        let page = "<!-- <a href=no> --><abbr href=no><script>'<a href=no>'</SCRIPT><style><a href=no></style>\
                    <base href=yes><link href=no>< a href=no>";
        assert_eq!(values(page, "href"), [Some("yes".to_owned())]);
    }

    #[test]
    fn takes_a_broken_page_as_far_as_it_goes() {
        for (page, hrefs) in [
            ("<a href=\"x", vec![Some("x".to_owned())]),
            ("<a href", vec![Some(String::new())]),
            ("<a", vec![None]),
            ("<", vec![]),
            ("<a =é=é>", vec![None]),
            ("<!-- <a href=x>", vec![]),
            ("<script><a href=x>", vec![]),
            ("<a href='&#x110000;&#;&#xd800;&unknown;&'>", vec![Some("&#x110000;&#;&#xd800;&unknown;&".to_owned())]),
        ] {
            assert_eq!(values(page, "href"), hrefs, "{page}");
        }
    }

    #[test]
    fn takes_a_long_broken_page_in_no_time() {
        for part in ["<", "<a ", "<a href='", "<script></", "<!--", "<a x=&", "&", "<base =="] {
            read_tags(&part.repeat(1 << 18));
        }
    }

    proptest! {
        #[test]
        fn takes_every_text(text in "(<a |<!--|-->|href=|['\"<>&;#/= ]|é|x){0,40}") {
            read_tags(&text);
        }
    }
}
