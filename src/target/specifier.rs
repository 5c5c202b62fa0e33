//! Does a version satisfy a specifier (PEP 440), in the reading of `packaging.specifiers` 26.
//!
//! `pep440_rs` parses and orders versions; its `contains` differs from Python's installers (`==3.8.1.*` takes `3.8`,
//! `<1.0a2` refuses `1.0a1`), so membership is decided here.

use std::cmp::Ordering;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

/// Whether `version` satisfies every one of `specifiers`; pre-releases count as any other version.
pub fn specifiers_contain(specifiers: &VersionSpecifiers, version: &Version) -> bool {
    specifiers.iter().all(|specifier| specifier_contains(specifier, version))
}

/// Whether `version` satisfies `specifier`; pre-releases count as any other version.
///
/// `===` compares the normalised texts: `pep440_rs` does not keep the spelling.
pub fn specifier_contains(specifier: &VersionSpecifier, version: &Version) -> bool {
    let bound = specifier.version();
    match *specifier.operator() {
        Operator::Equal => equals(bound, version),
        Operator::NotEqual => !equals(bound, version),
        Operator::EqualStar => in_prefix(bound, bound.release(), version),
        Operator::NotEqualStar => !in_prefix(bound, bound.release(), version),
        Operator::TildeEqual => {
            let prefix = &bound.release()[..bound.release().len() - 1];
            version >= bound && *version < after_prefix(bound, prefix)
        }
        Operator::GreaterThanEqual => version >= bound,
        Operator::LessThanEqual => version <= bound || equals(bound, version),
        Operator::GreaterThan => greater(bound, version),
        Operator::LessThan if bound.any_prerelease() => version < bound,
        Operator::LessThan => *version < bound.clone().without_local().with_dev(Some(0)),
        Operator::ExactEqual => bound.to_string() == version.to_string(),
    }
}

/// PEP 440: the version's local label counts only where the specifier has one.
fn equals(bound: &Version, version: &Version) -> bool {
    if bound.is_local() { bound == version } else { *bound == version.clone().without_local() }
}

/// PEP 440: `>V` takes neither `V+local` nor, where V is none itself, V's post-releases.
fn greater(bound: &Version, version: &Version) -> bool {
    if version <= bound {
        return false;
    }
    if bound.is_dev() || bound.is_post() {
        return version.clone().without_local() > *bound;
    }
    version.epoch() != bound.epoch()
        || compare_releases(version.release(), bound.release()) != Ordering::Equal
        || version.pre() != bound.pre()
}

/// Whether `version` lies in `prefix.*`: from its first development release to before the next prefix's.
fn in_prefix(bound: &Version, prefix: &[u64], version: &Version) -> bool {
    let first = Version::new(prefix).with_epoch(bound.epoch()).with_dev(Some(0));
    first <= *version && *version < after_prefix(bound, prefix)
}

/// The first version past `prefix.*`.
fn after_prefix(bound: &Version, prefix: &[u64]) -> Version {
    let (last, leading) = prefix.split_last().expect("a release has a number, `~=` two");
    let next = leading.iter().copied().chain([last.saturating_add(1)]);
    Version::new(next).with_epoch(bound.epoch()).with_dev(Some(0))
}

/// Compares release numbers, `1.0` being `1.0.0`.
fn compare_releases(left: &[u64], right: &[u64]) -> Ordering {
    let number = |release: &[u64], index: usize| release.get(index).copied().unwrap_or(0);
    (0..left.len().max(right.len()))
        .map(|index| number(left, index).cmp(&number(right, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
