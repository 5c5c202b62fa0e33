//! What the file must run on: Python's version and ABI, the platform, the values of environment markers; and what of
//! given distributions that takes.
//!
//! Markers (PEP 508), requirements, specifiers (PEP 440) and wheel tags (PEP 425) mean what they mean to `packaging`
//! 26, which Python's installers share; `scripts/check-markers` compares. There is no resolver here: where a choice
//! between versions is open, [`close`] says so.

mod closure;
mod cursor;
mod filename;
mod marker;
mod platform;
mod pythons;
mod reach;
mod requirement;
mod specifier;
mod tags;
mod version;

use std::collections::BTreeSet;
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use crate::names::ExtraName;
pub use closure::{Closure, ClosureError, Demand, DistributionFacts, Requirer, SelectedDistribution, close};
pub use filename::{WheelFilename, WheelFilenameError, is_any_sdist_name, is_sdist_name, sdist_versions};
pub use marker::{Activation, Assumed, EvaluationError, Marker, MarkerEnvironment, MarkerError, Operator, Variable};
pub use platform::{Libc, Machine, Platform, PlatformError};
pub use pythons::{PythonRefusal, Pythons, supported_pythons};
pub use reach::{minors_text, platform_of, runs_on};
pub use requirement::{Requirement, RequirementError, RequirementSource, RequirementUrl};
pub use specifier::{specifier_contains, specifiers_contain};
pub use tags::{Fit, PythonAbi, PythonBuild, SupportedTags, TagError, Threading, WheelTag, supported_tags};
pub use version::{PythonMinor, PythonMinorError};

/// What a file must run on. `Display` gives `CPython 3.11 on manylinux_2_28_x86_64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Python's minor version.
    pub python: PythonMinor,
    /// How that Python was built.
    pub abi: PythonAbi,
    /// The values of markers' variables.
    pub environment: MarkerEnvironment,
    /// Operating system, architecture, C library.
    pub platform: Platform,
    /// The wheel tags that fit, the best first.
    pub tags: SupportedTags,
    patch: Patch,
}

/// Which patch release of the minor version is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patch {
    /// The environment's.
    Exact,
    /// Any; markers see the first, as resolvers assume for a minor version.
    First,
    /// Any; a marker holds if it does for one of them.
    Each,
}

impl Target {
    /// The target that an interpreter with these properties is.
    pub fn new(python: PythonMinor, abi: PythonAbi, environment: MarkerEnvironment, platform: Platform) -> Self {
        let tags = supported_tags(&platform, python, abi);
        Self { python, abi, environment, platform, tags, patch: Patch::Exact }
    }

    /// This target with another Python or another platform, neither of which need be on this machine.
    ///
    /// A Python that is asked for is taken as its `X.Y.0` where a marker asks, whatever patch release the interpreter is:
    /// the same request means the same on every machine. A platform leaves `platform_release` and
    /// `platform_version` empty: a tag says nothing about them.
    #[must_use]
    pub fn overridden(&self, python: Option<PythonMinor>, platform: Option<&Platform>) -> Self {
        let mut target = self.clone();
        if let Some(python) = python {
            target = target.for_minor(python, Patch::First);
        }
        if let Some(platform) = platform {
            describe_platform(&mut target.environment, platform);
            target.platform = platform.clone();
        }
        target.tags = supported_tags(&target.platform, target.python, target.abi);
        target
    }

    /// This target with every patch release of another Python.
    fn for_each_patch(&self, python: PythonMinor) -> Self {
        self.for_minor(python, Patch::Each)
    }

    fn for_minor(&self, python: PythonMinor, patch: Patch) -> Self {
        let mut target = self.clone();
        target.python = python;
        target.patch = patch;
        target.environment.python_version = python.to_string();
        set_full_version(&mut target.environment, &format!("{python}.0"));
        target.tags = supported_tags(&target.platform, python, self.abi);
        target
    }

    /// Whether the target's Python satisfies a `Requires-Python`: its version, or some patch release of it where only
    /// the minor version is given.
    pub fn satisfies(&self, specifiers: &VersionSpecifiers) -> bool {
        match (self.patch, self.environment.python_full_version.trim_end_matches('+').parse::<Version>()) {
            (Patch::Exact, Ok(version)) => specifiers_contain(specifiers, &version),
            _ => self.python.satisfies(specifiers),
        }
    }

    /// Whether a distribution's requirement with this marker counts, given the extras that were asked for.
    ///
    /// # Errors
    /// The marker has no value.
    pub fn applies(&self, marker: &Marker, extras: &BTreeSet<ExtraName>) -> Result<bool, EvaluationError> {
        match self.patch {
            Patch::Each => applies_to_some_patch(marker, self.python, self.environment.clone(), extras),
            Patch::Exact | Patch::First => marker.evaluate(&self.environment, Activation::Metadata { extras }),
        }
    }

    /// The Python in words: `Python 3.11.7`, or `Python 3.11` where the patch release is open.
    pub fn python_text(&self) -> String {
        match self.patch {
            Patch::Exact => format!("Python {}", self.environment.python_full_version),
            Patch::First | Patch::Each => format!("Python {}", self.python),
        }
    }
}

/// Whether a distribution's requirement with this marker counts for a `CPython` of this minor version on this platform,
/// whichever its patch release, given the extras that were asked for.
///
/// # Errors
/// The marker has no value.
pub fn applies_on(
    marker: &Marker,
    python: PythonMinor,
    platform: &Platform,
    extras: &BTreeSet<ExtraName>,
) -> Result<bool, EvaluationError> {
    let mut environment = MarkerEnvironment {
        implementation_name: "cpython".to_owned(),
        platform_python_implementation: "CPython".to_owned(),
        python_version: python.to_string(),
        ..MarkerEnvironment::default()
    };
    set_full_version(&mut environment, &format!("{python}.0"));
    describe_platform(&mut environment, platform);
    applies_to_some_patch(marker, python, environment, extras)
}

/// Whether the marker holds for one of the patch releases.
fn applies_to_some_patch(
    marker: &Marker,
    python: PythonMinor,
    mut environment: MarkerEnvironment,
    extras: &BTreeSet<ExtraName>,
) -> Result<bool, EvaluationError> {
    let activation = Activation::Metadata { extras };
    if !marker.mentions(Variable::PythonFullVersion) && !marker.mentions(Variable::ImplementationVersion) {
        return marker.evaluate(&environment, activation);
    }
    for version in python.patches() {
        set_full_version(&mut environment, &version.to_string());
        if marker.evaluate(&environment, activation)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn set_full_version(environment: &mut MarkerEnvironment, version: &str) {
    version.clone_into(&mut environment.python_full_version);
    version.clone_into(&mut environment.implementation_version);
}

/// What Python's `os`, `sys` and `platform` modules say on such a platform.
fn describe_platform(environment: &mut MarkerEnvironment, platform: &Platform) {
    let (os_name, sys_platform, system, machine) = match platform {
        Platform::Linux { architecture, .. } => ("posix", "linux", "Linux", architecture.as_str()),
        Platform::Macos { architecture, .. } => ("posix", "darwin", "Darwin", architecture.as_str()),
        Platform::Windows { tag } => {
            let machine = match tag.as_str() {
                "win_amd64" => "AMD64",
                "win_arm64" => "ARM64",
                _ => "x86",
            };
            ("nt", "win32", "Windows", machine)
        }
    };
    os_name.clone_into(&mut environment.os_name);
    sys_platform.clone_into(&mut environment.sys_platform);
    system.clone_into(&mut environment.platform_system);
    machine.clone_into(&mut environment.platform_machine);
    environment.platform_release.clear();
    environment.platform_version.clear();
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threading = if self.abi.threading == Threading::Free { " (free-threaded)" } else { "" };
        write!(formatter, "CPython {}{threading} on {}", self.python, self.platform)
    }
}
