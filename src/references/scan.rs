//! The search itself: bytes come piece by piece, and a reference is found wherever the pieces are cut.

use std::path::Path;
use std::str::FromStr;

use memchr::memmem::Finder;

/// How many bytes from a reference's start on are looked at.
const LONGEST: usize = 200;

/// The length of the hash in the names of a Nix store.
const HASH: usize = 32;

/// How many bytes are gathered before they are searched.
const WINDOW: usize = 256 * 1024;

/// The directory that references lead into.
#[derive(Debug, Clone)]
pub struct Directory {
    /// Its path, with `/` at the end.
    prefix: String,
    finder: Finder<'static>,
}

/// A text that names no directory that can be referred to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the absolute path of a directory below the root, such as /nix/store")]
pub struct DirectoryError(String);

impl FromStr for Directory {
    type Err = DirectoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.trim_end_matches('/');
        if path.is_empty() || !(path.starts_with('/') || Path::new(path).is_absolute()) {
            return Err(DirectoryError(text.to_owned()));
        }
        let prefix = format!("{path}/");
        let finder = Finder::new(&prefix).into_owned();
        Ok(Self { prefix, finder })
    }
}

impl Directory {
    /// The path, without `/` at the end.
    pub fn path(&self) -> &str {
        self.prefix.strip_suffix('/').unwrap_or(&self.prefix)
    }

    /// The first reference in these bytes.
    pub(super) fn first_in(&self, bytes: &[u8]) -> Option<String> {
        let mut from = 0;
        while let Some(at) = self.finder.find(&bytes[from..]).map(|at| from + at) {
            if let Some(text) = self.reference(&bytes[at..]) {
                return Some(text);
            }
            from = at + 1;
        }
        None
    }

    /// The reference that these bytes, which begin with the prefix, begin with.
    fn reference(&self, bytes: &[u8]) -> Option<String> {
        let name = &bytes[self.prefix.len()..];
        if is_removed(name) || !name.first().is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let limit = bytes.len().min(self.prefix.len() + LONGEST);
        let length = name.iter().position(|byte| ends_path(*byte)).unwrap_or(name.len());
        let bytes = &bytes[..limit.min(self.prefix.len() + length)];
        // In binaries anything may follow.
        let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        Some(text.to_owned())
    }
}

/// Whether a name stands where a reference to a Nix store was removed: with `e` for every digit of the hash
/// (`remove-references-to`, `nuke-refs`, `-fmacro-prefix-map` of nixpkgs' clang), or with the hash's letters made capitals, as
/// nixpkgs' gcc writes the headers that `__FILE__` names. Hashes have neither `e` nor capitals.
fn is_removed(name: &[u8]) -> bool {
    let Some((hash, rest)) = name.split_at_checked(HASH) else { return false };
    let is_whole = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
    let is_mangled = hash.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && hash.iter().any(u8::is_ascii_uppercase);
    is_whole && (is_mangled || hash.iter().all(|byte| *byte == b'e'))
}

/// Whether a byte is none of a path as text, search paths, scripts and binaries have them.
fn ends_path(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f || b"\"'`<>:;,()[]{}|\\".contains(&byte)
}

/// A reference that was found.
pub(super) struct Hit<'w> {
    /// Where it begins.
    pub(super) offset: u64,
    /// Where the byte ends that makes it one.
    pub(super) end: u64,
    /// What is told of it.
    pub(super) text: String,
    /// What follows the directory's path and its `/`.
    pub(super) next: &'w [u8],
}

/// Searches bytes that come piece by piece.
pub(super) struct Scanner<'d> {
    directory: &'d Directory,
    window: Vec<u8>,
    /// The offset of the window's first byte.
    start: u64,
}

impl<'d> Scanner<'d> {
    pub(super) fn new(directory: &'d Directory) -> Self {
        Self { directory, window: Vec::new(), start: 0 }
    }

    pub(super) fn push(&mut self, piece: &[u8], found: &mut impl FnMut(Hit<'_>)) {
        self.window.extend_from_slice(piece);
        if self.window.len() >= WINDOW {
            // What begins later may reach beyond what is here.
            let end = self.window.len() - (self.directory.prefix.len() + LONGEST);
            self.search(end, found);
        }
    }

    pub(super) fn finish(&mut self, found: &mut impl FnMut(Hit<'_>)) {
        self.search(self.window.len(), found);
    }

    /// Searches for what begins before `end`, and lets that go.
    fn search(&mut self, end: usize, found: &mut impl FnMut(Hit<'_>)) {
        let prefix = self.directory.prefix.len();
        let mut from = 0;
        while let Some(at) = self.directory.finder.find(&self.window[from..]).map(|at| from + at) {
            if at >= end {
                break;
            }
            if let Some(text) = self.directory.reference(&self.window[at..]) {
                let offset = self.start + at as u64;
                found(Hit { offset, end: offset + prefix as u64 + 1, text, next: &self.window[at + prefix..] });
            }
            from = at + 1;
        }
        self.window.drain(..end);
        self.start += end as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(text: &str) -> Directory {
        text.parse().unwrap()
    }

    /// What is found when the bytes come in pieces of this size.
    fn find(directory: &Directory, bytes: &[u8], piece: usize) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        let mut scanner = Scanner::new(directory);
        bytes.chunks(piece).for_each(|piece| scanner.push(piece, &mut |hit| found.push((hit.offset, hit.text))));
        scanner.finish(&mut |hit| found.push((hit.offset, hit.text)));
        found
    }

    #[test]
    fn a_reference_is_the_directory_and_a_name() {
        let store = directory("/nix/store/");
        assert_eq!(store.path(), "/nix/store");
        let removed = "e".repeat(32);
        for (text, expected) in [
            ("/nix/store/abc-gcc/lib:/nix/store/def", Some("/nix/store/abc-gcc/lib")),
            ("x/nix/store/0", Some("/nix/store/0")),
            ("in /nix/store/... and \"/nix/store/Abc\"", Some("/nix/store/Abc")),
            ("/nix/store/a\u{1b}[2J", Some("/nix/store/a")),
            ("/nix/store", None),
            ("/nix/store/", None),
            ("/nix/store/...", None),
            ("/nix/store/*/bin", None),
            ("/nix/store/${hash}-name", None),
            ("/nix/store/.links/x", None),
            ("/nix/stores/abc", None),
            ("/NIX/STORE/abc", None),
            ("/nix/store//abc", None),
            (&format!("/nix/store/{removed}-gcc"), None),
            (&format!("/nix/store/{removed}"), None),
            (&format!("/nix/store/{removed}/x:/nix/store/b"), Some("/nix/store/b")),
            (&format!("/nix/store/{removed}e-x"), Some(&format!("/nix/store/{removed}e-x"))),
            (&format!("/nix/store/{}-gcc", &removed[1..]), Some(&format!("/nix/store/{}-gcc", &removed[1..]))),
            (&format!("/nix/store/{}-gcc", removed.replace("eee", "eeE")), Some("EEE")),
            ("/nix/store/0LZ3KXQ4B2IJMCSKFW8Q7ZGY1NVDH9PA-gcc-14/include/c++/vector", None),
            (
                "/nix/store/0LZ3KXQ4B2IJMCSKFW8Q7ZGY1NVDH9Pa-gcc-14",
                Some("/nix/store/0LZ3KXQ4B2IJMCSKFW8Q7ZGY1NVDH9Pa-gcc-14"),
            ),
            (
                "/nix/store/0LZ3KXQ4B2IJMCSKFW8Q7ZGY1NVDH9PAB-gcc",
                Some("/nix/store/0LZ3KXQ4B2IJMCSKFW8Q7ZGY1NVDH9PAB-gcc"),
            ),
            ("/nix/store/01234567890123456789012345678901-x", Some("/nix/store/01234567890123456789012345678901-x")),
            ("/nix/store/ABC-x", Some("/nix/store/ABC-x")),
        ] {
            let expected = match expected {
                Some("EEE") => Some(text.to_owned()),
                other => other.map(str::to_owned),
            };
            assert_eq!(store.first_in(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn an_endless_reference_is_cut() {
        let text = format!("/nix/store/{}", "a".repeat(1_000));
        assert_eq!(directory("/nix/store").first_in(text.as_bytes()).unwrap(), text[..11 + LONGEST]);
    }

    #[test]
    fn occurrences_that_overlap_are_all_seen() {
        assert_eq!(find(&directory("/a"), b"/a/a/a/.", 100), [(0, "/a/a/a/.".to_owned()), (2, "/a/a/.".to_owned())]);
    }

    #[test]
    fn no_cut_hides_a_reference_or_makes_one() {
        let store = directory("/nix/store");
        let reference = b"/nix/store/abc-def";
        // Around the first window's end, and at the very beginning and end.
        let ends =
            [0, 1, WINDOW - 400, WINDOW - 230, WINDOW - 211, WINDOW - 20, WINDOW - 12, WINDOW - 5, WINDOW, 2 * WINDOW];
        for at in ends {
            let mut bytes = vec![b' '; at];
            bytes.extend_from_slice(reference);
            for behind in [&b""[..], b" ", &vec![b' '; 700]] {
                let whole = [&bytes[..], behind].concat();
                for piece in [1, 7, 4_096, 131_072, WINDOW, usize::MAX] {
                    let expected = [(at as u64, "/nix/store/abc-def".to_owned())];
                    assert_eq!(find(&store, &whole, piece.min(whole.len())), expected, "{at} {piece}");
                }
            }
            let removed = [&bytes[..at], b"/nix/store/", &[b'e'; HASH], b"-def", &[b' '; 300]].concat();
            for piece in [1, 7, 131_072, WINDOW] {
                assert_eq!(find(&store, &removed, piece), [], "{at} {piece}");
            }
        }
    }

    #[test]
    fn only_an_absolute_path_below_the_root_can_be_referred_to() {
        for text in ["", "/", "//", "nix/store", "./nix", "~/x"] {
            let message =
                format!("`{text}` is not the absolute path of a directory below the root, such as /nix/store");
            assert_eq!(text.parse::<Directory>().map_err(|error| error.to_string()).map(|_| ()), Err(message));
        }
    }
}
