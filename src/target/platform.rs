//! What a file runs on besides Python: operating system, architecture, C library; and the platform tags that wheels
//! for it may have.

use std::fmt;
use std::str::FromStr;

use crate::status::{Explain, Status};

/// A platform, as precise as a wheel's tag is about one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Linux.
    Linux {
        /// The machine as tags name it: `x86_64`, `aarch64`, `i686`, `armv7l`.
        architecture: String,
        /// The C library and its version.
        libc: Libc,
        /// Whether this machine is meant, or any such one.
        machine: Machine,
    },
    /// macOS.
    Macos {
        /// Major and minor version: the least that must be there.
        version: (u16, u16),
        /// `arm64` or `x86_64`.
        architecture: String,
    },
    /// Windows; the tag itself: `win_amd64`, `win32`, `win_arm64`.
    Windows {
        /// The tag.
        tag: String,
    },
}

/// The C library of a Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Libc {
    /// GNU, with major and minor version (PEP 600).
    Glibc(u16, u16),
    /// musl, with major and minor version (PEP 656).
    Musl(u16, u16),
    /// Not known: only wheels that were built for this very machine fit.
    Unknown,
}

/// Which Linux is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// The one that was looked at: a wheel tagged `linux_*`, which was built here and promises nothing else, fits.
    This,
    /// Any with such a C library: a wheel tagged `linux_*` does not fit.
    Any,
}

/// Why a text is not a platform tag that a file can be built for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown platform tag `{0}`")]
pub struct PlatformError(String);

impl Explain for PlatformError {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        let examples = "manylinux_2_28_x86_64, musllinux_1_2_aarch64, macosx_11_0_arm64 or win_amd64";
        Some(format!("write a wheel's platform tag, such as {examples}"))
    }
}

/// What PEP 513, 571 and 599 called the C libraries that PEP 600 numbers.
const LEGACY_MANYLINUX: [(&str, (u16, u16)); 3] =
    [("manylinux1", (2, 5)), ("manylinux2010", (2, 12)), ("manylinux2014", (2, 17))];

/// Machines that manylinux exists for (PEP 600, and `packaging`'s list); `i686` and `armv7l` besides.
const MANYLINUX_ARCHITECTURES: [&str; 9] =
    ["x86_64", "aarch64", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64", "i686", "armv7l"];

impl Platform {
    /// The platform tags that fit, the best first, in `packaging.tags`' order.
    pub fn tags(&self) -> Vec<String> {
        match self {
            Self::Linux { architecture, libc, machine } => linux_tags(architecture, *libc, *machine),
            Self::Macos { version, architecture } => macos_tags(*version, architecture),
            Self::Windows { tag } => vec![tag.clone()],
        }
    }

    /// The machine in the words of wheel tags: `x86_64`, `arm64`, `amd64`.
    pub fn architecture(&self) -> &str {
        match self {
            Self::Linux { architecture, .. } | Self::Macos { architecture, .. } => architecture,
            Self::Windows { tag } => match tag.strip_prefix("win_") {
                Some(architecture) => architecture,
                None => "x86",
            },
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    /// Reads a platform tag that names exactly one platform.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        parse_platform(text).ok_or_else(|| PlatformError(text.to_owned()))
    }
}

fn parse_platform(text: &str) -> Option<Platform> {
    let linux = |architecture: &str, libc| {
        let valid = !architecture.is_empty() && architecture.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let machine = if libc == Libc::Unknown { Machine::This } else { Machine::Any };
        valid.then(|| Platform::Linux { architecture: architecture.to_owned(), libc, machine })
    };
    if ["win32", "win_amd64", "win_arm64"].contains(&text) {
        return Some(Platform::Windows { tag: text.to_owned() });
    }
    if let Some((version, architecture)) = text.strip_prefix("macosx_").and_then(versioned) {
        // Apple's ARM machines began with macOS 11, and 64-bit Intel with 10.4.
        let known = match architecture {
            "arm64" => version >= (11, 0),
            "x86_64" => version >= (10, 4),
            _ => false,
        };
        return known.then(|| Platform::Macos { version, architecture: architecture.to_owned() });
    }
    if let Some(architecture) = text.strip_prefix("linux_") {
        return linux(architecture, Libc::Unknown);
    }
    if let Some(((major, minor), architecture)) = text.strip_prefix("musllinux_").and_then(versioned) {
        return linux(architecture, Libc::Musl(major, minor));
    }
    let ((major, minor), architecture) = manylinux_version(text)?;
    MANYLINUX_ARCHITECTURES.contains(&architecture).then(|| linux(architecture, Libc::Glibc(major, minor))).flatten()
}

/// The glibc version and the architecture of a manylinux tag, legacy names included (PEP 600).
pub(super) fn manylinux_version(tag: &str) -> Option<((u16, u16), &str)> {
    if let Some(found) = tag.strip_prefix("manylinux_").and_then(versioned) {
        return Some(found);
    }
    LEGACY_MANYLINUX.iter().find_map(|(name, version)| {
        let architecture = tag.strip_prefix(name)?.strip_prefix('_')?;
        Some((*version, architecture))
    })
}

/// Splits `2_28_x86_64` into its version and the rest.
pub(super) fn versioned(text: &str) -> Option<((u16, u16), &str)> {
    let mut parts = text.splitn(3, '_');
    let version = (number(parts.next()?)?, number(parts.next()?)?);
    parts.next().map(|rest| (version, rest))
}

fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn linux_tags(architecture: &str, libc: Libc, machine: Machine) -> Vec<String> {
    // A 64-bit ARM machine in 32-bit mode runs what was built for ARMv7.
    let architectures = if architecture == "armv8l" { vec!["armv8l", "armv7l"] } else { vec![architecture] };
    let mut tags = Vec::new();
    if machine == Machine::This {
        tags.extend(architectures.iter().map(|architecture| format!("linux_{architecture}")));
    }
    match libc {
        Libc::Glibc(major, minor) => {
            if architectures.iter().any(|architecture| MANYLINUX_ARCHITECTURES.contains(architecture)) {
                for architecture in &architectures {
                    manylinux_tags((major, minor), architecture, &mut tags);
                }
            }
        }
        Libc::Musl(major, minor) => {
            for architecture in architectures {
                tags.extend((0..=minor).rev().map(|minor| format!("musllinux_{major}_{minor}_{architecture}")));
            }
        }
        Libc::Unknown => {}
    }
    tags
}

fn manylinux_tags(glibc: (u16, u16), architecture: &str, tags: &mut Vec<String>) {
    // The first glibc that a manylinux was made for: CentOS 5's on Intel, CentOS 7's elsewhere.
    let oldest = if matches!(architecture, "x86_64" | "i686") { (2, 5) } else { (2, 17) };
    for major in (oldest.0..=glibc.0).rev() {
        // `packaging` takes 50 for the last minor version of an earlier major one.
        let newest = if major == glibc.0 { glibc.1 } else { 50 };
        let first = if major == oldest.0 { oldest.1 } else { 0 };
        for minor in (first..=newest).rev() {
            tags.push(format!("manylinux_{major}_{minor}_{architecture}"));
            for (name, version) in LEGACY_MANYLINUX {
                if version == (major, minor) {
                    tags.push(format!("{name}_{architecture}"));
                }
            }
        }
    }
}

fn macos_tags(version: (u16, u16), architecture: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut add = |version: (u16, u16), formats: &[&str]| {
        tags.extend(formats.iter().map(|format| format!("macosx_{}_{}_{format}", version.0, version.1)));
    };
    let intel = ["x86_64", "intel", "fat64", "fat3", "universal2", "universal"];
    let arm = ["arm64", "universal2"];
    let formats: &[&str] = if architecture == "x86_64" { &intel } else { &arm };
    // Since macOS 11 each year has its major version, and minor versions do not count.
    for major in (11..=version.0).rev() {
        add((major, 0), formats);
    }
    let newest = if version.0 >= 11 { 16 } else { version.1 };
    for minor in (4..=newest).rev() {
        // Before 11 there was no arm64: only a universal2's Intel half may ask for less.
        add((10, minor), if architecture == "x86_64" { &intel } else { &["universal2"] });
    }
    tags
}

impl fmt::Display for Platform {
    /// The most precise tag: `manylinux_2_36_x86_64`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linux { architecture, libc: Libc::Glibc(major, minor), .. } => {
                write!(formatter, "manylinux_{major}_{minor}_{architecture}")
            }
            Self::Linux { architecture, libc: Libc::Musl(major, minor), .. } => {
                write!(formatter, "musllinux_{major}_{minor}_{architecture}")
            }
            Self::Linux { architecture, libc: Libc::Unknown, .. } => write!(formatter, "linux_{architecture}"),
            Self::Macos { version: (major, minor), architecture } => {
                write!(formatter, "macosx_{major}_{minor}_{architecture}")
            }
            Self::Windows { tag } => formatter.write_str(tag),
        }
    }
}
