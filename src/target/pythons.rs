//! For which minor versions of Python the selected wheels are the right ones.

use std::collections::BTreeMap;
use std::fmt;

use pep440_rs::VersionSpecifiers;

use super::closure::{ClosureError, DistributionFacts, close};
use super::{PythonMinor, Requirement, Target};

/// The minor versions of Python that a file runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pythons {
    /// Those of the known ones, ascending.
    pub minors: Vec<PythonMinor>,
    /// Whether nothing speaks against later ones either: 3.15 to 3.30 pass too.
    pub open_ended: bool,
    /// The known ones that were refused, ascending, each with the first reason.
    pub refused: Vec<(PythonMinor, PythonRefusal)>,
}

/// Why a minor version was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonRefusal {
    /// The application itself does not allow it.
    Application(VersionSpecifiers),
    /// The selected wheels are not what it needs.
    Wheels(ClosureError),
}

/// The last minor version that is tried for [`Pythons::open_ended`].
const LAST_FUTURE: u8 = 30;

/// Evaluates every marker, tag and `Requires-Python` for each minor version, on `target`'s platform.
///
/// A minor version passes if what `roots` then need is all among `selected`, in versions that satisfy, and fits; a wheel
/// that is then not needed does no harm. The target's own minor version is judged by its patch release; of another one
/// every patch release must find what it needs, while a `Requires-Python` need allow only one, for `>=3.8.1` is
/// how metadata speaks of 3.8.
pub fn supported_pythons(
    roots: &[Requirement],
    selected: &[DistributionFacts],
    target: &Target,
    application_requires_python: Option<&VersionSpecifiers>,
) -> Pythons {
    let mut candidates: BTreeMap<_, Vec<DistributionFacts>> = BTreeMap::new();
    for facts in selected {
        candidates.entry(facts.name.clone()).or_default().push(facts.clone());
    }
    let judge = |minor: PythonMinor| {
        let target = if minor == target.python { target.clone() } else { target.for_each_patch(minor) };
        if let Some(specifiers) = application_requires_python.filter(|specifiers| !target.satisfies(specifiers)) {
            return Err(PythonRefusal::Application(specifiers.clone()));
        }
        close(roots, &candidates, &target).map(|_| ()).map_err(PythonRefusal::Wheels)
    };
    let mut pythons = Pythons { minors: Vec::new(), open_ended: false, refused: Vec::new() };
    for minor in PythonMinor::known() {
        match judge(minor) {
            Ok(()) => pythons.minors.push(minor),
            Err(refusal) => pythons.refused.push((minor, refusal)),
        }
    }
    let future = PythonMinor::NEWEST.minor + 1..=LAST_FUTURE;
    pythons.open_ended = pythons.minors.last() == Some(&PythonMinor::NEWEST)
        && future.into_iter().all(|minor| judge(PythonMinor::new(3, minor)).is_ok());
    pythons
}

impl fmt::Display for PythonRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(specifiers) => write!(formatter, "the application needs Python {specifiers}"),
            Self::Wheels(error) => error.fmt(formatter),
        }
    }
}
