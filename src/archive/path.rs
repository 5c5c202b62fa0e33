//! Names inside an archive. An [`ArchivePath`] can only be made from a name that means one and the same file on every
//! system: whatever could escape the root, hide, clash or be read differently by another tool is refused.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// `PATH_MAX` of Linux, without its NUL, in bytes.
const LONGEST: usize = 4095;

/// `NAME_MAX` of Linux, in bytes.
const LONGEST_SEGMENT: usize = 255;

/// A relative path with `/` between its segments that is safe to unpack anywhere, and means one file everywhere.
///
/// UTF-8 in NFC of at most 4,095 bytes, 255 a segment, no empty, `.` or `..` segment, no leading `/`, no control character, backslash or colon, no segment
/// that ends in a dot or a space, none that is a Windows device name. Ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchivePath(String);

/// Why a name cannot be an [`ArchivePath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// The name, or a segment of it, is empty.
    #[error("the name has an empty segment")]
    Empty,
    /// More than any system call takes.
    #[error("the name is {0} bytes long, more than 4095")]
    Long(usize),
    /// More than the file systems of Linux hold under one name.
    #[error("a segment of the name is {0} bytes long, more than 255")]
    LongSegment(usize),
    /// The name begins with `/`.
    #[error("the name is absolute")]
    Absolute,
    /// A segment is `.` or `..`.
    #[error("the name has a `.` or `..` segment")]
    Dots,
    /// A control character, NUL among them.
    #[error("the name holds the control character U+{:04X}", u32::from(*.0))]
    Control(char),
    /// A backslash or a colon: a separator or a drive on Windows.
    #[error("the name holds `{0}`")]
    Separator(char),
    /// A segment ends in a dot or a space, which Windows drops.
    #[error("a segment of the name ends in a dot or a space")]
    TrailingDotOrSpace,
    /// A segment is a device on Windows (`NUL`, `COM1.txt`).
    #[error("a segment of the name is a device on Windows")]
    WindowsDevice,
    /// The name is not in Unicode's normalisation form C.
    #[error("the name is not in Unicode normalisation form C")]
    NotNfc,
}

impl ArchivePath {
    /// Checks `name`.
    ///
    /// # Errors
    /// The first rule of the type's description that `name` breaks.
    pub fn new(name: impl Into<String>) -> Result<Self, PathFault> {
        let name = name.into();
        if name.is_empty() {
            return Err(PathFault::Empty);
        }
        if name.len() > LONGEST {
            return Err(PathFault::Long(name.len()));
        }
        if name.starts_with('/') {
            return Err(PathFault::Absolute);
        }
        for character in name.chars() {
            // Bidirectional and other invisible format characters are legal in file names; C0, DEL and C1 are not.
            if character.is_control() {
                return Err(PathFault::Control(character));
            }
            if matches!(character, '\\' | ':') {
                return Err(PathFault::Separator(character));
            }
        }
        name.split('/').try_for_each(check_segment)?;
        if !name.is_ascii() && !is_nfc(&name) {
            return Err(PathFault::NotNfc);
        }
        Ok(Self(name))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `self`, a `/`, and `rest`.
    ///
    /// # Errors
    /// As [`ArchivePath::new`].
    pub fn join(&self, rest: &str) -> Result<Self, PathFault> {
        Self::new(format!("{}/{rest}", self.0))
    }

    /// Every directory that the path lies in, the outermost first; none for a path at the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().expect("a split gives at least one piece")
    }

    /// The form in which two names are the same file on a file system that ignores case.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// The form in which `name` is compared where case is ignored: through upper case and back, so that `ß` meets `SS` and
/// the three sigmas meet each other, character by character, so that no context matters.
pub(crate) fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
}

fn check_segment(segment: &str) -> Result<(), PathFault> {
    match segment {
        "" => return Err(PathFault::Empty),
        "." | ".." => return Err(PathFault::Dots),
        _ if segment.len() > LONGEST_SEGMENT => return Err(PathFault::LongSegment(segment.len())),
        _ if segment.ends_with(['.', ' ']) => return Err(PathFault::TrailingDotOrSpace),
        _ => {}
    }
    // A device keeps its meaning with any extension, and with spaces in front of it.
    let stem = segment.split('.').next().unwrap_or(segment).trim_end_matches(' ');
    let numbered = |prefix: &str| {
        stem.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
            && matches!(&stem[3..], "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    let device = ["con", "prn", "aux", "nul", "conin$", "conout$"].iter().any(|name| stem.eq_ignore_ascii_case(name))
        || numbered("com")
        || numbered("lpt");
    if device { Err(PathFault::WindowsDevice) } else { Ok(()) }
}

impl fmt::Display for ArchivePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ArchivePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl AsRef<str> for ArchivePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_ordinary_names() {
        for name in
            ["a", "a/b.py", "pkg-1.0.dist-info/RECORD", "naïve/ß.txt", "consent.py", "com10.py", "a b/c", ".hidden"]
        {
            assert_eq!(ArchivePath::new(name).map(|path| path.0), Ok(name.to_owned()));
        }
    }

    #[test]
    fn a_name_has_to_fit_where_it_is_unpacked() {
        let segment = "x".repeat(255);
        let longest = vec![segment.as_str(); 16].join("/");
        assert!(ArchivePath::new(longest.as_str()).is_ok());
        assert_eq!(ArchivePath::new(format!("{longest}/")), Err(PathFault::Long(4096)));
        assert_eq!(ArchivePath::new("a/".repeat(32_000) + "b"), Err(PathFault::Long(64_001)));
        assert_eq!(ArchivePath::new(format!("a/{segment}x/b")), Err(PathFault::LongSegment(256)));
        // Bytes, not characters.
        assert!(ArchivePath::new("é".repeat(127)).is_ok());
        assert_eq!(ArchivePath::new("é".repeat(128)), Err(PathFault::LongSegment(256)));
    }

    #[test]
    fn refuses_each_kind_of_unsafe_name() {
        use PathFault::*;
        for (name, fault) in [
            ("", Empty),
            ("a//b", Empty),
            ("a/", Empty),
            ("/etc/passwd", Absolute),
            ("../a", Dots),
            ("a/../b", Dots),
            ("./a", Dots),
            ("a\0b", Control('\0')),
            ("a\nb", Control('\n')),
            ("a\u{85}b", Control('\u{85}')),
            ("a\\b", Separator('\\')),
            ("C:/a", Separator(':')),
            ("a./b", TrailingDotOrSpace),
            ("a /b", TrailingDotOrSpace),
            ("a/nul", WindowsDevice),
            ("Aux.py/b", WindowsDevice),
            ("COM1.tar.gz", WindowsDevice),
            ("lpt³", WindowsDevice),
            ("e\u{301}.py", NotNfc),
        ] {
            assert_eq!(ArchivePath::new(name), Err(fault), "{name:?}");
        }
    }

    #[test]
    fn folds_what_a_case_ignoring_file_system_would_merge() {
        for (one, other) in [("README", "readme"), ("Straße", "STRASSE"), ("Σίσυφος", "ΣΊΣΥΦΟΣ")] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("a"), fold("b"));
    }

    #[test]
    fn lists_the_directories_that_a_path_lies_in() {
        let path = ArchivePath::new("a/b/c.py").unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(path.file_name(), "c.py");
    }
}
