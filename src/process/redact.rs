//! Credentials taken out of everything that is kept or shown.

use std::collections::BTreeSet;

use crate::urls;

/// What stands in place of a credential.
const MASK: &str = "****";

/// The shortest text that is replaced wherever it occurs: a shorter one would deface every message. Inside a URL every
/// credential is replaced, however short.
const SHORTEST: usize = 4;

/// Texts that no log, message or report may hold.
#[derive(Clone, Default)]
pub struct Secrets(BTreeSet<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Adds a text.
    pub fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.0.insert(secret.to_owned());
        }
    }

    /// Adds the credentials of every URL in `text` (a URL, or a requirement that holds one).
    pub fn add_urls_of(&mut self, text: &str) {
        for (start, end) in url_logins(text) {
            let login = &text[start..end];
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let url = format!("x://{login}@x");
            let decoded = urls::split_login(&url).1;
            // A lone user name is a token (`https://TOKEN@host`); beside a password it is none.
            let raw = if password.is_empty() { user } else { password };
            self.add(raw);
            if let Some(decoded) = decoded {
                self.add(if decoded.password.is_empty() { &decoded.user } else { &decoded.password });
            }
        }
    }

    /// The length of the longest of them.
    pub(crate) fn longest(&self) -> usize {
        self.0.iter().map(String::len).max().unwrap_or(0)
    }

    /// `text` with each of them, and the credentials of any URL, made `****`.
    pub fn redact(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        let mut from = 0;
        for (start, end) in url_logins(text) {
            kept.push_str(&text[from..start]);
            kept.push_str(MASK);
            from = end;
        }
        kept.push_str(&text[from..]);
        // The longest first: one may be a part of another.
        let mut secrets: Vec<&String> = self.0.iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            if kept.contains(secret.as_str()) {
                kept = kept.replace(secret.as_str(), MASK);
            }
        }
        kept
    }
}

/// A URL as it may be shown: its credentials are `****`.
pub fn redact_url(url: &str) -> String {
    Secrets::default().redact(url)
}

/// Where the credentials of URLs stand in `text`, as byte ranges. The user name of `ssh://git@host` is none.
fn url_logins(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = text[from..].find("://") {
        let start = from + offset + 3;
        let stops =
            |character: char| character.is_whitespace() || matches!(character, '/' | '?' | '#' | '"' | '\'' | '>');
        let end = text[start..].find(stops).map_or(text.len(), |length| start + length);
        if let Some(at) = text[start..end].rfind('@') {
            let ssh = text[..start - 3].ends_with("ssh");
            if at > 0 && (!ssh || text[start..start + at].contains(':')) {
                found.push((start, start + at));
            }
        }
        from = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_credentials_of_urls_and_listed_texts() {
        let mut secrets = Secrets::default();
        secrets.add_urls_of("pkg @ https://user:s%2Bcret@example.org/x");
        assert_eq!(
            secrets.redact("at 'https://a:b@h/x' and https://tok@h, s+cret, s%2Bcret; git+ssh://git@h/x user"),
            "at 'https://****@h/x' and https://****@h, ****, ****; git+ssh://git@h/x user"
        );
    }

    #[test]
    fn leaves_what_is_no_credential() {
        let text = "see https://example.org/a@b and me@example.org";
        assert_eq!(Secrets::default().redact(text), text);
    }
}
