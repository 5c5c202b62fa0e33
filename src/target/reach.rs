//! Where a file runs, in one tag and in one line.

use std::collections::BTreeSet;

use super::platform::{manylinux_version, versioned};
use super::{PythonMinor, Pythons, SupportedTags, WheelTag};

/// A platform tag, taken apart so that two of them can be compared by how much they ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Need<'a> {
    /// A `linux_*` tag is bound to the machine that built the wheel, and so asks for more than any version.
    bound: bool,
    version: (u16, u16),
    family: Family,
    architecture: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Manylinux,
    Musllinux,
    Linux,
    Macos,
    Other,
}

impl<'a> Need<'a> {
    fn of(tag: &'a str) -> Self {
        let (family, bound, (version, architecture)) = if let Some(found) = manylinux_version(tag) {
            (Family::Manylinux, false, found)
        } else if let Some(found) = tag.strip_prefix("musllinux_").and_then(versioned) {
            (Family::Musllinux, false, found)
        } else if let Some(found) = tag.strip_prefix("macosx_").and_then(versioned) {
            (Family::Macos, false, found)
        } else if let Some(architecture) = tag.strip_prefix("linux_") {
            (Family::Linux, true, ((0, 0), architecture))
        } else {
            (Family::Other, false, ((0, 0), tag))
        };
        Self { bound, version, family, architecture }
    }

    fn tag(&self) -> String {
        let Self { version: (major, minor), architecture, .. } = self;
        match self.family {
            Family::Manylinux => format!("manylinux_{major}_{minor}_{architecture}"),
            Family::Musllinux => format!("musllinux_{major}_{minor}_{architecture}"),
            Family::Macos => format!("macosx_{major}_{minor}_{architecture}"),
            Family::Linux => format!("linux_{architecture}"),
            Family::Other => (*architecture).to_owned(),
        }
    }
}

/// The platform tag of a file that holds these wheels, each given by its tags: `any` if all of them are pure, else the
/// most demanding one.
///
/// Of a wheel with several tags the least demanding counts, of those that fit the target. A legacy manylinux tag
/// becomes its PEP 600 form.
pub fn platform_of<'a>(wheels: impl IntoIterator<Item = &'a BTreeSet<WheelTag>>, tags: &SupportedTags) -> String {
    let mut most: Option<Need<'a>> = None;
    let mut native_architecture = None;
    for wheel in wheels {
        let fitting: Vec<&WheelTag> = wheel.iter().filter(|tag| tags.rank(tag).is_some()).collect();
        if fitting.iter().any(|tag| tag.platform == "any") {
            continue;
        }
        let Some(need) = fitting.into_iter().map(|tag| Need::of(&tag.platform)).min() else { continue };
        // A universal2 wheel runs on both of Apple's architectures, a file that holds another one does not.
        if need.family == Family::Macos && !need.architecture.starts_with("universal") {
            native_architecture = Some(need.architecture);
        }
        most = most.max(Some(need));
    }
    most.map_or_else(
        || "any".to_owned(),
        |mut need| {
            need.architecture = native_architecture.unwrap_or(need.architecture);
            need.tag()
        },
    )
}

/// The line `runs on: CPython 3.8, 3.10 to 3.12, x86_64, glibc >= 2.28`, of what [`platform_of`] said.
pub fn runs_on(pythons: &Pythons, platform_tag: &str) -> String {
    format!("runs on: CPython {}, {}", minors_text(&pythons.minors), platform_text(platform_tag))
}

/// The versions, neighbours as a range: `3.8 to 3.11, 3.13`.
pub fn minors_text(minors: &[PythonMinor]) -> String {
    let mut runs: Vec<(PythonMinor, PythonMinor)> = Vec::new();
    for minor in minors {
        match runs.last_mut() {
            Some((_, last)) if last.major == minor.major && last.minor + 1 == minor.minor => *last = *minor,
            _ => runs.push((*minor, *minor)),
        }
    }
    if runs.is_empty() {
        return "of no known version".to_owned();
    }
    let texts = runs.into_iter().map(|(first, last)| match last.minor - first.minor {
        0 => first.to_string(),
        _ => format!("{first} to {last}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn platform_text(tag: &str) -> String {
    if tag == "any" {
        return "any platform".to_owned();
    }
    let Need { version: (major, minor), family, architecture, .. } = Need::of(tag);
    match (family, architecture) {
        (Family::Manylinux, _) => format!("{architecture}, glibc >= {major}.{minor}"),
        (Family::Musllinux, _) => format!("{architecture}, musl >= {major}.{minor}"),
        (Family::Linux, _) => format!("{architecture}, Linux with the libraries of the machine that built it"),
        (Family::Macos, "universal2") => format!("arm64 or x86_64, macOS >= {major}.{minor}"),
        (Family::Macos, _) => format!("{architecture}, macOS >= {major}.{minor}"),
        (Family::Other, "win_amd64") => "x86_64, Windows".to_owned(),
        (Family::Other, "win_arm64") => "arm64, Windows".to_owned(),
        (Family::Other, "win32") => "x86, Windows".to_owned(),
        (Family::Other, _) => architecture.to_owned(),
    }
}
