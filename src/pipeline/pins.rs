//! What nothing pins: choices that an index, a branch or a build backend could make otherwise on another day.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::resolve::{Location, Resolved};
use crate::target::{Requirement, RequirementSource};
use crate::wheel::collect::{CollectError, Obtained};

/// Names in one message; the rest is counted.
const LISTED: usize = 4;

/// The digests that requirements files allow, by distribution.
#[derive(Debug, Default)]
pub(super) struct AllowedHashes {
    digests: BTreeMap<PackageName, Vec<Sha256Digest>>,
    /// Whether every distribution needs one.
    required: bool,
}

impl AllowedHashes {
    /// None yet; `required` tells whether every distribution that is chosen needs one.
    pub(super) fn new(required: bool) -> Self {
        Self { required, ..Self::default() }
    }

    pub(super) fn allow(&mut self, name: &PackageName, hashes: &[Sha256Digest]) {
        if !hashes.is_empty() {
            self.digests.entry(name.clone()).or_default().extend(hashes);
        }
    }

    /// Takes in a constraint's digests, behind all of the requirements': where both give some, both must allow a file.
    pub(super) fn restrict(&mut self, name: &PackageName, hashes: &[Sha256Digest]) {
        match self.digests.get_mut(name) {
            Some(allowed) if !hashes.is_empty() => allowed.retain(|digest| hashes.contains(digest)),
            Some(_) => {}
            None => self.allow(name, hashes),
        }
    }

    /// Whether every distribution needs one.
    pub(super) fn is_required(&self) -> bool {
        self.required
    }

    /// The digests of a distribution; none where any will do.
    pub(super) fn of(&self, name: &PackageName) -> Option<&[Sha256Digest]> {
        self.digests.get(name).map(Vec::as_slice)
    }

    /// Refuses files that the resolver chose and no digest allows, before any of them is fetched or built; those on a
    /// server whose digest the resolver does not know get the only one that they may have.
    pub(super) fn bind(&self, packages: &mut [Resolved]) -> Result<(), CollectError> {
        if self.required {
            let unlisted = packages.iter().filter(|package| self.of(&package.name).is_none());
            let names: Vec<String> = unlisted.map(|package| package.name.to_string()).collect();
            if !names.is_empty() {
                return Err(CollectError::Unhashed(names.join(", ")));
            }
        }
        for package in packages {
            let (Some(allowed), Some(file)) = (self.of(&package.name), package.artifact.file_mut()) else { continue };
            match (file.sha256, &file.location, allowed) {
                (Some(found), _, _) => check(&file.filename, allowed, found)?,
                (None, Location::Path(path), _) => {
                    let read = |source| CollectError::Read { path: path.clone(), source };
                    let opened = std::fs::File::open(path).map_err(read)?;
                    let found = Sha256Digest::of_reader(opened).map_err(read)?;
                    check(&file.filename, allowed, found)?;
                    file.sha256 = Some(found);
                }
                (None, Location::Url(_), [only]) => file.sha256 = Some(*only),
                (None, Location::Url(_), _) => {}
            }
        }
        Ok(())
    }
}

/// Refuses a file whose digest is none of those that are allowed.
pub(super) fn check(filename: &str, allowed: &[Sha256Digest], found: Sha256Digest) -> Result<(), CollectError> {
    if allowed.contains(&found) {
        return Ok(());
    }
    let allowed = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    Err(CollectError::NotAllowed { by: "the requirements file".to_owned(), file: filename.to_owned(), allowed, found })
}

/// What could be another one tomorrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpinned {
    /// Distributions that came from an index or a URL, and whose digest nothing said beforehand.
    pub distributions: BTreeSet<PackageName>,
    /// Distributions that sources were built with, and that did not come from a directory of this machine.
    pub build_requirements: BTreeSet<PackageName>,
    /// Repositories of which a branch or tag was taken.
    pub repositories: BTreeSet<String>,
}

impl Unpinned {
    /// Whether everything was pinned.
    pub fn is_empty(&self) -> bool {
        self.distributions.is_empty() && self.build_requirements.is_empty() && self.repositories.is_empty()
    }

    /// Takes in what a wheel was built with, where no lock said it.
    pub(super) fn add_build_requirements(&mut self, obtained: &Obtained) {
        let Obtained::Built { build_requirements, locked: false, .. } = obtained else { return };
        let fetched = build_requirements.iter().filter(|requirement| !requirement.at_hand);
        self.build_requirements.extend(fetched.map(|requirement| requirement.name.clone()));
    }
}

/// `2 distributions (a, b), 1 build requirement (c)`.
impl fmt::Display for Unpinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: &BTreeSet<PackageName>| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let parts = [
            ("distribution", "distributions", names(&self.distributions)),
            ("build requirement", "build requirements", names(&self.build_requirements)),
            ("repository", "repositories", self.repositories.iter().cloned().collect()),
        ];
        let mut separator = "";
        for (one, many, names) in parts.iter().filter(|(_, _, names)| !names.is_empty()) {
            let noun = if names.len() == 1 { one } else { many };
            // One name is not worth hiding behind "and 1 more".
            let listed = if names.len() <= LISTED + 1 { names.len() } else { LISTED };
            write!(formatter, "{separator}{} {noun} ({}", names.len(), names[..listed].join(", "))?;
            if names.len() > listed {
                write!(formatter, " and {} more", names.len() - listed)?;
            }
            formatter.write_str(")")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Whether a requirement leaves no choice: its URL has a sha256 in its fragment, names a commit, or is a file's.
pub(super) fn fixes_source(requirement: &Requirement) -> bool {
    let RequirementSource::Url(url) = &requirement.source else { return false };
    let url = url.with_credentials();
    let (bare, fragment) = url.split_once('#').unwrap_or((url, ""));
    let commit = || bare.starts_with("git+") && bare.rsplit_once('@').is_some_and(|(_, revision)| is_commit(revision));
    bare.starts_with("file:") || commit() || fragment.split('&').any(|part| part.starts_with("sha256="))
}

/// Whether a revision is a whole commit (SHA-1 or SHA-256), which no one can move.
pub(super) fn is_commit(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraints_hashes_restrict_those_of_requirements() {
        let [one, two, three] = ["1", "2", "3"].map(|text| Sha256Digest::of(text.as_bytes()));
        let [both, constrained, plain] = ["both", "constrained", "plain"].map(|name| name.parse().unwrap());
        let mut hashes = AllowedHashes::new(true);
        hashes.allow(&both, &[one, two]);
        hashes.allow(&plain, &[one]);
        hashes.restrict(&both, &[two, three]);
        hashes.restrict(&constrained, &[three]);
        hashes.restrict(&plain, &[]);
        assert_eq!(hashes.of(&both), Some(&[two][..]));
        assert_eq!(hashes.of(&constrained), Some(&[three][..]));
        assert_eq!(hashes.of(&plain), Some(&[one][..]));
    }

    #[test]
    fn says_what_was_not_pinned_in_one_line() {
        let names = |names: &str| names.split_whitespace().map(|name| name.parse().unwrap()).collect();
        let mut unpinned = Unpinned { distributions: names("b a"), ..Unpinned::default() };
        assert_eq!(unpinned.to_string(), "2 distributions (a, b)");
        unpinned.build_requirements = names("w");
        unpinned.repositories.insert("https://h.example/r".to_owned());
        unpinned.distributions = names("a b c d e");
        assert_eq!(
            unpinned.to_string(),
            "5 distributions (a, b, c, d, e), 1 build requirement (w), 1 repository (https://h.example/r)"
        );
        unpinned = Unpinned { distributions: names("a b c d e f"), ..Unpinned::default() };
        assert_eq!(unpinned.to_string(), "6 distributions (a, b, c, d and 2 more)");
    }

    #[test]
    fn tells_what_is_fixed_from_what_can_move() {
        let requirement = |text: &str| fixes_source(&text.parse().unwrap());
        assert!(requirement("a @ file:///a.zip"));
        assert!(requirement(&format!("a @ git+https://h.example/a@{}#egg=a", "0a".repeat(20))));
        assert!(!requirement("a @ git+https://h.example/a@main"));
        assert!(requirement("a @ https://h.example/a.zip#egg=a&sha256=00"));
        assert!(!requirement("a @ https://h.example/a.zip#egg=sha256"));
        assert!(!requirement("a==1"));
        assert!(is_commit(&"0a".repeat(20)));
        assert!(!is_commit("main") && !is_commit(&"0g".repeat(20)));
    }
}
