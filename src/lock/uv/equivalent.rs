//! Whether two markers mean the same. uv writes a marker anew when it locks: in its own order, `python_version` as
//! `python_full_version`, `platform_system` as `sys_platform`, and without what `requires-python` says already. So
//! texts are no guide, and both are evaluated wherever their values could differ.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};

use crate::names::ExtraName;
use crate::target::{Activation, Marker, MarkerEnvironment, Variable, specifiers_contain};

/// `os_name`, `sys_platform` and `platform_system` as they go together.
const PLATFORMS: [(&str, &str, &str); 10] = [
    ("posix", "linux", "Linux"),
    ("posix", "darwin", "Darwin"),
    ("nt", "win32", "Windows"),
    ("posix", "cygwin", "CYGWIN_NT-10.0"),
    ("posix", "freebsd13", "FreeBSD"),
    ("posix", "aix", "AIX"),
    ("posix", "android", "Android"),
    ("posix", "emscripten", "Emscripten"),
    ("java", "java", "Java"),
    ("other", "other", "other"),
];

/// Beyond so many evaluations of one pair of markers they are taken to be the same.
const MOST: usize = 100_000;

/// Whether the markers hold in the same environments, of the Pythons that `requires_python` allows.
pub(super) fn are_equivalent(
    one: Option<&Marker>,
    other: Option<&Marker>,
    requires_python: Option<&VersionSpecifiers>,
) -> bool {
    if one == other {
        return true;
    }
    let mut literals: BTreeMap<Variable, BTreeSet<&str>> = BTreeMap::new();
    for (variable, literal) in one.into_iter().chain(other).flat_map(Marker::literals) {
        literals.entry(variable).or_default().insert(literal);
    }
    let of = |variable| literals.get(&variable).into_iter().flatten().copied();
    let values = |variable| -> Vec<&str> { of(variable).chain(["other"]).collect() };
    let mut pythons = sample_pythons(of(Variable::PythonVersion).chain(of(Variable::PythonFullVersion)));
    pythons.retain(|python| requires_python.is_none_or(|allowed| specifiers_contain(allowed, python)));
    let mut platforms = PLATFORMS.to_vec();
    // A known value goes together with what it goes with, and nothing else.
    let is_new = |name: &&str| !PLATFORMS.iter().any(|(os, sys, system)| [os, sys, system].contains(&name));
    platforms.extend(of(Variable::OsName).filter(is_new).map(|name| (name, "other", "other")));
    platforms.extend(of(Variable::SysPlatform).filter(is_new).map(|name| ("posix", name, "other")));
    platforms.extend(of(Variable::PlatformSystem).filter(is_new).map(|name| ("posix", "other", name)));
    let (machines, releases) = (values(Variable::PlatformMachine), values(Variable::PlatformRelease));
    let (implementations, names) =
        (values(Variable::PlatformPythonImplementation), values(Variable::ImplementationName));
    let mut extras = vec![BTreeSet::new()];
    extras.extend(of(Variable::Extra).filter_map(|name| Some(BTreeSet::from([name.parse::<ExtraName>().ok()?]))));
    let axes = [pythons.len(), platforms.len(), machines.len(), releases.len(), implementations.len(), names.len()];
    if axes.iter().fold(extras.len(), |product, axis| product.saturating_mul(*axis)) > MOST {
        return true;
    }
    let mut environment = blank_environment();
    for python in &pythons {
        environment.python_full_version = python.to_string();
        environment.implementation_version = python.to_string();
        environment.python_version = python.release().iter().take(2).map(u64::to_string).collect::<Vec<_>>().join(".");
        for (os_name, sys_platform, platform_system) in &platforms {
            (*os_name).clone_into(&mut environment.os_name);
            (*sys_platform).clone_into(&mut environment.sys_platform);
            (*platform_system).clone_into(&mut environment.platform_system);
            for machine in &machines {
                (*machine).clone_into(&mut environment.platform_machine);
                for release in &releases {
                    (*release).clone_into(&mut environment.platform_release);
                    for implementation in &implementations {
                        (*implementation).clone_into(&mut environment.platform_python_implementation);
                        for name in &names {
                            (*name).clone_into(&mut environment.implementation_name);
                            if !extras
                                .iter()
                                .all(|extras| holds(one, &environment, extras) == holds(other, &environment, extras))
                            {
                                return false;
                            }
                        }
                    }
                }
            }
        }
    }
    true
}

/// A marker without a value is like none other.
fn holds(marker: Option<&Marker>, environment: &MarkerEnvironment, names: &BTreeSet<ExtraName>) -> Option<bool> {
    marker.map_or(Some(true), |marker| marker.evaluate(environment, Activation::Several { names }).ok())
}

/// Versions on both sides of every one that is mentioned, and every minor version.
fn sample_pythons<'a>(literals: impl Iterator<Item = &'a str>) -> Vec<Version> {
    let mut patches = BTreeSet::from([0, 1]);
    let mut minors: BTreeSet<(u64, u64)> = (0..=20).map(|minor| (3, minor)).chain([(2, 7), (4, 0)]).collect();
    for text in literals.flat_map(|literal| literal.split([' ', ',', '|'])) {
        let Ok(version) = text.trim_end_matches(".*").parse::<Version>() else { continue };
        let mut release = version.release().iter().copied();
        let (major, minor, patch) = (release.next().unwrap_or(3), release.next().unwrap_or(0), release.next());
        minors.extend([minor.saturating_sub(1), minor, minor.saturating_add(1)].map(|minor| (major, minor)));
        patches.extend(patch.into_iter().flat_map(|patch| [patch.saturating_sub(1), patch, patch.saturating_add(1)]));
    }
    let versions = minors.iter().flat_map(|(major, minor)| patches.iter().map(move |patch| [*major, *minor, *patch]));
    versions.map(Version::new).collect()
}

fn blank_environment() -> MarkerEnvironment {
    MarkerEnvironment {
        implementation_name: String::new(),
        implementation_version: String::new(),
        os_name: String::new(),
        platform_machine: String::new(),
        platform_python_implementation: String::new(),
        platform_release: String::new(),
        platform_system: String::new(),
        platform_version: String::new(),
        python_full_version: String::new(),
        python_version: String::new(),
        sys_platform: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_marker_that_was_written_anew() {
        let allowed: VersionSpecifiers = ">=3.9".parse().unwrap();
        let same = |one: &str, other: &str| {
            let read = |text: &str| (!text.is_empty()).then(|| text.parse::<Marker>().unwrap());
            are_equivalent(read(one).as_ref(), read(other).as_ref(), Some(&allowed))
        };
        for (one, other) in [
            ("python_version >= '3.8'", ""),
            ("python_version < '3.11'", "python_full_version < '3.11'"),
            ("python_version <= '3.10'", "python_full_version < '3.11'"),
            ("platform_system == 'Windows'", "sys_platform == 'win32'"),
            ("os_name == 'nt' and extra == 'a'", "extra == 'a' and os_name == 'nt'"),
            ("python_version == '3.9' or python_version == '3.10'", "python_full_version < '3.11'"),
            ("python_version in '3.9, 3.10'", "python_full_version < '3.11'"),
        ] {
            assert!(same(one, other), "{one} | {other}");
        }
        for (one, other) in [
            ("python_version >= '3.10'", ""),
            ("python_full_version < '3.11'", "python_full_version < '3.11.2'"),
            ("platform_system == 'Linux'", "sys_platform == 'win32'"),
            ("extra == 'a'", "extra == 'b'"),
            ("platform_machine == 'x86_64'", "platform_machine != 'arm64'"),
            ("implementation_name == 'cpython'", ""),
        ] {
            assert!(!same(one, other), "{one} | {other}");
        }
    }
}
