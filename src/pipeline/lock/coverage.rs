//! For whom a lock is.

use pep440_rs::{Operator, Version, VersionSpecifiers};

use crate::target::{Marker, PythonMinor, Target};

/// For which platforms and Pythons is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// For one.
    Target,
    /// For all that the project allows.
    Universal,
}

/// The environment that a target is, as far as other machines may be the same: no patch release, no kernel.
pub(super) fn environment(target: &Target) -> Marker {
    let environment = &target.environment;
    let text = format!(
        "implementation_name == '{}' and python_version == '{}' and sys_platform == '{}' and platform_machine == '{}'",
        environment.implementation_name,
        environment.python_version,
        environment.sys_platform,
        environment.platform_machine,
    );
    text.parse().expect("comparisons joined by `and` make a marker")
}

/// The Pythons that a lock is for where nothing that is locked says.
pub(super) fn default_python(universal: bool, own: PythonMinor) -> VersionSpecifiers {
    let text = if universal { format!(">={own}") } else { format!("=={own}.*") };
    text.parse().expect("a version makes a specifier")
}

/// The lowest Python that specifiers allow, as they write it.
pub(super) fn lowest_python(specifiers: &VersionSpecifiers) -> Version {
    let bounds = specifiers.iter().filter(|specifier| {
        use Operator::{Equal, EqualStar, GreaterThan, GreaterThanEqual, TildeEqual};
        matches!(specifier.operator(), Equal | EqualStar | GreaterThan | GreaterThanEqual | TildeEqual)
    });
    let oldest = PythonMinor::OLDEST;
    let oldest = Version::new([u64::from(oldest.major), u64::from(oldest.minor)]);
    bounds.map(|specifier| specifier.version().clone()).chain([oldest]).max().expect("there is the oldest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_lowest_python() {
        for (specifiers, lowest) in [
            (">=3.9", "3.9"),
            (">=3.9.1,<4", "3.9.1"),
            ("<4", "3.8"),
            ("~=3.10", "3.10"),
            ("==3.11.*", "3.11"),
            (">=2.7,!=3.0.*", "3.8"),
        ] {
            assert_eq!(lowest_python(&specifiers.parse().unwrap()).to_string(), lowest, "{specifiers}");
        }
    }
}
