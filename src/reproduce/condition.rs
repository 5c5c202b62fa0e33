//! What must not matter to the bytes of a build: each condition by its name, and what it is changed to.

use std::fmt;
use std::str::FromStr;

/// One condition of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Where the sources are.
    Directory,
    /// How long that path is.
    DirectoryLength,
    /// Where scratch directories are (`TMPDIR`), and with it the place that wheels are built in.
    TemporaryDirectory,
    /// The order in which the file system lists directories.
    DirectoryOrder,
    /// When the sources were last written to.
    Mtimes,
    /// `TZ`.
    TimeZone,
    /// `LC_ALL`, `LANG` and `LANGUAGE`.
    Locale,
    /// What new files are not allowed.
    Umask,
    /// `HOME`, and what lies there.
    Home,
    /// `USER`, `LOGNAME` and `USERNAME`.
    User,
    /// The number of the user.
    UserId,
    /// `PYTHONHASHSEED`.
    HashSeed,
    /// The time of day, and the year.
    Clock,
    /// `--jobs`.
    Threads,
    /// How many processors there are.
    Processors,
    /// An empty cache elsewhere.
    ColdCache,
    /// A cache that has what was built before.
    WarmCache,
    /// The interpreter that builds.
    Python,
}

/// A name that no condition has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no condition{}", nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default())]
pub struct UnknownCondition {
    name: String,
    nearest: Option<&'static str>,
}

impl Condition {
    /// All of them, in the order in which they are tried one by one.
    pub const ALL: [Self; 18] = [
        Self::Directory,
        Self::DirectoryLength,
        Self::TemporaryDirectory,
        Self::DirectoryOrder,
        Self::Mtimes,
        Self::TimeZone,
        Self::Locale,
        Self::Umask,
        Self::Home,
        Self::User,
        Self::UserId,
        Self::HashSeed,
        Self::Clock,
        Self::Threads,
        Self::Processors,
        Self::ColdCache,
        Self::WarmCache,
        Self::Python,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::DirectoryLength => "directory-length",
            Self::TemporaryDirectory => "temporary-directory",
            Self::DirectoryOrder => "directory-order",
            Self::Mtimes => "mtimes",
            Self::TimeZone => "time-zone",
            Self::Locale => "locale",
            Self::Umask => "umask",
            Self::Home => "home",
            Self::User => "user",
            Self::UserId => "user-id",
            Self::HashSeed => "hash-seed",
            Self::Clock => "clock",
            Self::Threads => "threads",
            Self::Processors => "processors",
            Self::ColdCache => "cold-cache",
            Self::WarmCache => "warm-cache",
            Self::Python => "python",
        }
    }

    /// What is changed, in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Directory => "the sources lie in another directory, whose path is as long",
            Self::DirectoryLength => "their path is longer, with blanks and letters that are not ASCII",
            Self::TemporaryDirectory => "TMPDIR, where wheels are built",
            Self::DirectoryOrder => "sources and TMPDIR list their files backwards (disorderfs)",
            Self::Mtimes => "the sources were last written at another time",
            Self::TimeZone => "TZ",
            Self::Locale => "LC_ALL, LANG, LANGUAGE",
            Self::Umask => "the umask",
            Self::Home => "HOME is an empty directory",
            Self::User => "USER, LOGNAME, USERNAME",
            Self::UserId => "the user's number (unshare)",
            Self::HashSeed => "PYTHONHASHSEED",
            Self::Clock => "the time of day and the year (faketime)",
            Self::Threads => "--jobs",
            Self::Processors => "one processor (taskset)",
            Self::ColdCache => "an empty cache elsewhere: all is fetched again",
            Self::WarmCache => "wheels that were built before are taken from the cache",
            Self::Python => "another version of the interpreter that builds, for the same target",
        }
    }

    /// The program that changes it, where it takes one that not every system has.
    pub(super) fn needs(self) -> Option<&'static str> {
        match self {
            Self::DirectoryOrder => Some("disorderfs"),
            Self::UserId => Some("unshare"),
            Self::Clock => Some("faketime"),
            Self::Processors => Some("taskset"),
            _ => None,
        }
    }

    /// Whether it can be changed in one build with the others: a cache that has all leaves nothing that could feel them,
    /// and another interpreter needs a target that is named.
    pub(super) fn goes_with_others(self) -> bool {
        !matches!(self, Self::WarmCache | Self::Python)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Condition {
    type Err = UnknownCondition;

    fn from_str(text: &str) -> Result<Self, UnknownCondition> {
        Self::ALL.into_iter().find(|condition| condition.name() == text).ok_or_else(|| {
            let nearest = crate::application::nearest(text, Self::ALL.into_iter().map(Self::name));
            let nearest = Self::ALL.into_iter().map(Self::name).find(|name| Some(*name) == nearest.as_deref());
            UnknownCondition { name: text.to_owned(), nearest }
        })
    }
}
