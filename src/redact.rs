//! Credentials taken out of everything that is kept or shown: those of URLs wherever a URL stands, and those that are
//! known by themselves wherever they stand.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::urls;

/// What stands in place of a credential.
const MASK: &str = "****";

/// The shortest text that is replaced wherever it occurs: a shorter one would deface every message. Inside a URL every
/// credential is replaced, however short.
const SHORTEST: usize = 4;

/// `text` with the user information of every URL in it (RFC 3986, 3.2.1) replaced by `****`.
///
/// `https://user:secret@host/` becomes `https://****@host/`. It works on any text, such as a line of another program's
/// output; a URL without user information is left alone, and so is the lone user name of `ssh://git@host`, which is
/// none and without which a repository is not found again. User information ends at the last `@` before a `/`, a blank
/// or a quote, so that a password which should have been escaped is hidden too.
pub fn redact_url(text: &str) -> Cow<'_, str> {
    let logins = url_logins(text);
    if logins.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for login in logins {
        shown.push_str(&text[from..login.start]);
        shown.push_str(MASK);
        from = login.end;
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// How the base64 of a private key goes on behind its first bytes, which tell its length: PKCS#8 of either version for
/// Ed25519, and for P-256 with and without its public half; and SEC 1 for P-256.
const KEYS: [&str; 5] = ["CAQAwBQYDK2Vw", "CAQEwBQYDK2Vw", "CAQAwEwYHKoZIzj0C", "AgEAMBMGByqGSM49AgE", "MHcCAQEE"];

/// `text` with the base64 of every private key in it replaced by `****`: one that was given where a name belongs.
pub fn redact_keys(text: &str) -> Cow<'_, str> {
    if !KEYS.iter().any(|key| text.contains(key)) {
        return Cow::Borrowed(text);
    }
    let digit = |character: char| character.is_ascii_alphanumeric() || "+/=".contains(character);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (other, behind) = rest.split_at(rest.find(digit).unwrap_or(rest.len()));
        let (word, behind) = behind.split_at(behind.find(|next| !digit(next)).unwrap_or(behind.len()));
        shown.push_str(other);
        shown.push_str(if KEYS.iter().any(|key| word.contains(key)) { MASK } else { word });
        rest = behind;
    }
    Cow::Owned(shown)
}

/// The URL as it is kept and shown: without credentials, query and fragment, each of which can hold a token, but with a
/// fragment's `subdirectory`. A `file:` URL is its last name: a path says something of the machine and nothing of the
/// content.
pub fn recorded_url(url: &str) -> String {
    let redacted = redact_url(url);
    let (bare, fragment) = redacted.split_once('#').unwrap_or((&redacted, ""));
    let bare = bare.split('?').next().unwrap_or(bare);
    let subdirectory = fragment.split('&').find(|part| part.starts_with("subdirectory="));
    let fragment = subdirectory.map(|part| format!("#{part}")).unwrap_or_default();
    let local = |prefix: &str| bare.get(..prefix.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(prefix));
    match ["file:", "git+file:"].into_iter().find(|prefix| local(prefix)) {
        Some(prefix) => {
            let path = bare[prefix.len()..].trim_end_matches('/');
            // A revision may have slashes of its own.
            let (path, revision) = match path.rsplit_once('@').filter(|_| prefix == "git+file:") {
                Some((path, revision)) => (path.trim_end_matches('/'), format!("@{revision}")),
                None => (path, String::new()),
            };
            let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
            format!("{prefix}{name}{revision}{fragment}")
        }
        None => format!("{bare}{fragment}"),
    }
}

/// Where the credentials of URLs stand in `text`, as byte ranges.
fn url_logins(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("://").map(|offset| from + offset + 3) {
        let end = text[start..].find(ends_authority).map_or(text.len(), |length| start + length);
        if let Some(length) = text[start..end].rfind('@').filter(|length| *length > 0) {
            let ssh = text[..start - 3].ends_with("ssh");
            if !ssh || text[start..start + length].contains(':') {
                found.push(start..start + length);
            }
        }
        from = end;
    }
    found
}

/// `?` and `#` end an authority too, but a password may hold them unescaped: taking them in hides more.
fn ends_authority(character: char) -> bool {
    matches!(character, '/' | '\'' | '"' | '>') || character.is_whitespace()
}

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

    /// Adds the credentials of every URL in `text` (a URL, or a requirement that holds one), as written and decoded.
    pub fn add_urls_of(&mut self, text: &str) {
        for login in url_logins(text) {
            let (user, password) = text[login.clone()].split_once(':').unwrap_or((&text[login], ""));
            // A lone user name is a token (`https://TOKEN@host`); beside a password it is none.
            let secret = if password.is_empty() { user } else { password };
            self.add(secret);
            self.add(&String::from_utf8_lossy(&urls::percent_decode(secret)));
        }
    }

    /// The length of the longest of them.
    pub(crate) fn longest(&self) -> usize {
        self.0.iter().map(String::len).max().unwrap_or(0)
    }

    /// `text` with each of them, and the credentials of any URL, made `****`.
    pub fn redact(&self, text: &str) -> String {
        let mut kept = redact_url(text).into_owned();
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hides_private_keys_and_no_public_ones() {
        let ed25519 = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
        let p256 = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1z7EN/1jRuNhnF6/";
        let p256_alone = "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCA=";
        let sec1 = "MHcCAQEEINc+xDf9Y0bjYZxevw==";
        for key in [ed25519, p256, p256_alone, sec1] {
            assert_eq!(redact_keys(&format!("no `{key}`, nor env:K={key}.")), "no `****`, nor env:****.");
        }
        let public = "no such file: `MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE`, \u{e9}";
        assert_eq!(redact_keys(public), public);
    }

    #[test]
    fn hides_user_information_and_nothing_else() {
        for (text, shown) in [
            ("https://user:pass@host/a@b", "https://****@host/a@b"),
            ("https://token@host", "https://****@host"),
            ("git+ssh://git@host/r.git@v1", "git+ssh://git@host/r.git@v1"),
            ("git+ssh://git:pw@host/r.git@v1", "git+ssh://****@host/r.git@v1"),
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

    #[test]
    fn keeps_neither_paths_nor_tokens() {
        for (url, kept) in [
            ("https://u:p@h.example/x.whl?X-Amz-Signature=SECRET#sha256=00", "https://****@h.example/x.whl"),
            ("https://h.example/x.zip?t=1#egg=x&subdirectory=py", "https://h.example/x.zip#subdirectory=py"),
            ("https://h.example", "https://h.example"),
            ("file:///tmp/p1/app-1.whl#sha256=00", "file:app-1.whl"),
            ("FILE:/tmp/p1/", "file:p1"),
            ("git+file:///tmp/prj/@feature/x#subdirectory=a/b", "git+file:prj@feature/x#subdirectory=a/b"),
            ("git+ssh://git@h.example/r.git@v1", "git+ssh://git@h.example/r.git@v1"),
        ] {
            assert_eq!(recorded_url(url), kept);
        }
    }

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

    #[test]
    fn knows_a_password_that_should_have_been_escaped() {
        let mut secrets = Secrets::default();
        secrets.add_urls_of("https://user:se?c#ret@example.org/x");
        assert_eq!(secrets.redact("wrong password se?c#ret"), "wrong password ****");
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
