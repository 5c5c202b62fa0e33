//! URLs, as far as they are needed here: credentials told apart from the rest, and files by path.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A URL taken apart at its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user, percent-decoded.
    pub user: String,
    /// The password, percent-decoded; empty where there is none.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Login(****)")
    }
}

/// The scheme, in lower case: what stands before `://`.
pub fn scheme(url: &str) -> Option<String> {
    let (scheme, _) = url.split_once("://")?;
    let valid = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then(|| scheme.to_ascii_lowercase())
}

/// Where the part between `://` and the path stands, as byte offsets.
fn authority_range(url: &str) -> Option<std::ops::Range<usize>> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |offset| start + offset);
    Some(start..end)
}

/// Host and port, as written, in lower case.
pub fn authority(url: &str) -> Option<String> {
    let authority = &url[authority_range(url)?];
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase())
}

/// What tells one server from another (RFC 6454, section 4): scheme, host and port, in lower case.
pub type Origin = (String, String, String);

/// The server of a URL, its port as a number where it has a default that may be left out.
pub fn origin(url: &str) -> Option<Origin> {
    let (scheme, authority) = (scheme(url)?, authority(url)?);
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (authority.as_str(), ""),
    };
    let port = match (port.trim_start_matches('0'), scheme.as_str()) {
        ("", "https") => "443",
        ("", "http") => "80",
        (port, _) => port,
    };
    let (host, port) = (host.to_owned(), port.to_owned());
    Some((scheme, host, port))
}

/// The URL without credentials, and the credentials.
pub fn split_login(url: &str) -> (String, Option<Login>) {
    let Some(range) = authority_range(url) else { return (url.to_owned(), None) };
    let Some((login, host)) = url[range.clone()].rsplit_once('@') else { return (url.to_owned(), None) };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let bare = format!("{}{host}{}", &url[..range.start], &url[range.end..]);
    let decode = |text| String::from_utf8_lossy(&percent_decode(text)).into_owned();
    (bare, Some(Login { user: decode(user), password: decode(password) }))
}

/// The last segment of the path, percent-decoded, without query and fragment.
pub fn file_name(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let (_, name) = path.rsplit_once('/')?;
    let name = String::from_utf8(percent_decode(name)).ok()?;
    (!name.is_empty()).then_some(name)
}

/// The path that a `file:` URL names; `None` for another scheme or another host.
pub fn path_of_file_url(url: &str) -> Option<PathBuf> {
    let rest = url.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:")).map(|_| &url[5..])?;
    let rest = rest.split(['?', '#']).next()?;
    let path = match rest.strip_prefix("//") {
        Some(after) => after.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(after),
        None => rest,
    };
    if !path.starts_with('/') {
        return None;
    }
    let bytes = percent_decode(path);
    #[cfg(unix)]
    let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes);
    #[cfg(not(unix))]
    let path = String::from_utf8(bytes).ok()?.trim_start_matches('/').to_owned();
    Some(PathBuf::from(path))
}

/// The `file:` URL of an absolute path.
pub fn file_url(path: &Path) -> String {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec();
    #[cfg(not(unix))]
    let bytes = format!("/{}", path.to_string_lossy().replace('\\', "/")).into_bytes();
    let mut url = String::from("file://");
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/-._~:+".contains(&byte) {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("a `String` takes every text");
        }
    }
    url
}

/// The bytes that a percent-encoded text stands for; what is no escape stays as it is.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at..at + 3).filter(|three| three[0] == b'%').and_then(|three| {
            let digits = std::str::from_utf8(&three[1..]).ok()?;
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
        });
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_credentials_out() {
        let (bare, login) = split_login("https://me%40x:p%3Aw@Example.org:8443/simple/?q#f");
        assert_eq!(bare, "https://Example.org:8443/simple/?q#f");
        assert_eq!(login, Some(Login { user: "me@x".to_owned(), password: "p:w".to_owned() }));
        assert_eq!(authority("https://a:b@Example.org:8443/x"), Some("example.org:8443".to_owned()));
        assert_eq!(split_login("https://example.org/a@b"), ("https://example.org/a@b".to_owned(), None));
    }

    #[test]
    fn tells_servers_apart() {
        let same = |one: &str, other: &str| origin(one) == origin(other);
        assert!(same("https://u:p@A.example/x", "HTTPS://a.example:443/y"));
        assert!(same("http://[::1]/x", "http://[::1]:80/"));
        assert!(!same("https://a.example", "http://a.example"));
        assert!(!same("http://a.example", "http://a.example:443"));
        assert!(!same("https://a.example", "https://b.example"));
        assert_eq!(origin("a.example"), None);
    }

    #[test]
    fn turns_paths_into_urls_and_back() {
        let path = Path::new("/tmp/a b/ü#%.whl");
        let url = file_url(path);
        assert_eq!(url, "file:///tmp/a%20b/%C3%BC%23%25.whl");
        assert_eq!(path_of_file_url(&url), Some(path.to_owned()));
        assert_eq!(path_of_file_url("file://localhost/a"), Some(PathBuf::from("/a")));
        assert_eq!(path_of_file_url("file://elsewhere/a"), None);
        assert_eq!(path_of_file_url("https://example.org/a"), None);
    }

    #[test]
    fn finds_file_names() {
        assert_eq!(file_name("https://example.org/x/a%2Bb-1.whl?x=1/2#y/z"), Some("a+b-1.whl".to_owned()));
        assert_eq!(file_name("https://example.org"), None);
    }
}
