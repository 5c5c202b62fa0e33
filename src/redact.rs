//! Credentials in URLs: taken out before a URL is shown anywhere.

use std::borrow::Cow;

/// `text` with the user information of every URL in it (RFC 3986, 3.2.1) replaced by `****`.
///
/// `https://user:secret@host/` becomes `https://****@host/`. It works on any text, such as a line of another program's
/// output; a URL without user information is left alone. User information ends at the last `@` before a `/`, a
/// blank or a quote, so that a password which should have been escaped is hidden too.
pub fn redact_url(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|index| index + 3) {
        let (before, after) = rest.split_at(start);
        let authority_end = after.find(ends_authority).unwrap_or(after.len());
        shown.push_str(before);
        let host = after[..authority_end].rfind('@').map_or(0, |at| {
            shown.push_str("****");
            at
        });
        shown.push_str(&after[host..authority_end]);
        rest = &after[authority_end..];
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// `?` and `#` end an authority too, but a password may hold them unescaped: taking them in hides more.
fn ends_authority(character: char) -> bool {
    character == '/' || character == '\'' || character == '"' || character == '>' || character.is_whitespace()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::redact_url;

    #[test]
    fn hides_user_information_and_nothing_else() {
        for (text, shown) in [
            ("https://user:pass@host/a@b", "https://****@host/a@b"),
            ("https://token@host", "https://****@host"),
            ("git+ssh://git@host/r.git@v1", "git+ssh://****@host/r.git@v1"),
            ("https://u:p@ss@host/x", "https://****@host/x"),
            ("https://u:p?a#b@host/x", "https://****@host/x"),
            ("https://host/path?mail=a@b", "https://host/path?mail=a@b"),
            ("a https://u:p@h/1 b http://v:q@g/2 c", "a https://****@h/1 b http://****@g/2 c"),
            ("a@b no URL", "a@b no URL"),
            ("", ""),
        ] {
            assert_eq!(redact_url(text), shown);
        }
    }

    proptest! {
        #[test]
        fn never_shows_a_password(
            user in "[a-z0-9%]{0,8}",
            password in "S3CRET[^/'\">\\s]{0,9}",
            before in "[a-z ]{0,9}",
        ) {
            let text = format!("{before}https://{user}:{password}@example.org/simple");
            let shown = redact_url(&text);
            prop_assert!(!shown.contains("S3CRET"), "{shown}");
            prop_assert!(shown.ends_with("://****@example.org/simple"));
        }
    }
}
