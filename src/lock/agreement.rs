//! Whether a lock and what else states requirements agree: a `requirements.txt` or a Pipfile beside a lock that is
//! followed. A file that asks for something else than the lock has is never silently passed over.

use std::path::{Path, PathBuf};

use super::Lock;
use crate::project::requirements::RequirementsFile;
use crate::status::{Explain, Status};
use crate::target::{Requirement, Target, specifiers_contain};

/// The first requirement that a lock does not meet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` and `{}` disagree: one asks for `{requirement}`, the other has {}", stated.display(), lock.display(), has(found))]
pub struct Disagreement {
    /// The file that states requirements.
    pub stated: PathBuf,
    /// The lock.
    pub lock: PathBuf,
    /// What the file asks for.
    pub requirement: Requirement,
    /// The lock's entries of that name.
    pub found: Vec<String>,
}

impl Explain for Disagreement {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(format!("lock again, or say that the lock counts with `--lock {}`", self.lock.display()))
    }
}

/// Checks that every requirement of `file`, read from `path`, that counts on `target` is met by an entry of that name in
/// the lock: by its version, where the requirement says one. A marker without a value counts.
///
/// # Errors
/// [`Disagreement`]: the first that is not met, in the file's order; then the first constraint that none of the entries
/// satisfies.
pub fn check_agreement(
    lock: &Lock,
    path: &Path,
    file: &RequirementsFile,
    target: &Target,
) -> Result<(), Box<Disagreement>> {
    let counts = |requirement: &Requirement| {
        let marker = requirement.marker.as_ref();
        marker.is_none_or(|marker| target.applies(marker, &std::collections::BTreeSet::new()).unwrap_or(true))
    };
    let required = file.requirements.iter().map(|one| (&one.requirement, false));
    let constrained = file.constraints.iter().map(|one| (&one.requirement, true));
    for (requirement, if_there) in required.chain(constrained).filter(|(requirement, _)| counts(requirement)) {
        let entries: Vec<_> = lock.packages.iter().filter(|package| package.name == requirement.name).collect();
        let met = entries.iter().any(|package| match (requirement.specifiers(), &package.version) {
            (Some(specifiers), Some(version)) => specifiers_contain(specifiers, version),
            // A file, a repository or a directory: what it is, the lock says.
            (None, _) | (_, None) => true,
        });
        let absent_is_fine = if_there && entries.is_empty();
        if !met && !absent_is_fine {
            return Err(Box::new(Disagreement {
                stated: path.to_owned(),
                lock: lock.path.clone(),
                requirement: requirement.clone(),
                found: entries.iter().map(|package| package.entry()).collect(),
            }));
        }
    }
    Ok(())
}

fn has(found: &[String]) -> String {
    if found.is_empty() { "no such entry".to_owned() } else { format!("`{}`", found.join("`, `")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Context;
    use crate::lock::listing::targets::target;
    use crate::target::PythonMinor;

    /// What a lock with `a 1.5`, `b 2.0` and a file of `c` says to these requirements.
    fn compare(text: &str, platform: &str) -> Result<(), String> {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let hash = format!("--hash=sha256:{}", crate::digest::Sha256Digest::of(b""));
            let path = place.path().join(name);
            std::fs::write(&path, text.replace("HASH", &hash)).unwrap();
            path
        };
        let locked = "A==1.5 HASH\nb==2.0 ; sys_platform == 'win32' HASH\nc @ https://files.example/c-1.tar.gz HASH\n";
        let lock = Lock::read(&write("lock.txt", locked), Context { project: None, name: None }).unwrap();
        write("limits.txt", "a<2\nother<1\nb>=3 ; sys_platform == 'win32'\n");
        let path = write("requirements.txt", text);
        let file = RequirementsFile::read(&path).unwrap();
        check_agreement(&lock, &path, &file, &target(PythonMinor::new(3, 11), platform)).map_err(|error| {
            assert_eq!(error.status(), Status::Usage);
            let hint = error.hint().unwrap();
            assert!(hint.starts_with("lock again, or say that the lock counts with `--lock "), "{hint}");
            error.to_string().replace(&place.path().display().to_string(), "DIR")
        })
    }

    #[test]
    fn names_the_first_requirement_that_the_lock_does_not_meet() {
        let linux = "manylinux_2_28_x86_64";
        let disagree = |asked: &str, found: &str| {
            let both = "`DIR/requirements.txt` and `DIR/lock.txt` disagree";
            Err(format!("{both}: one asks for `{asked}`, the other has {found}"))
        };
        for (text, expected) in [
            ("a\nA>=1,<2\nb\nc>=9\nc @ https://files.example/c-2.tar.gz\n-c limits.txt\n", Ok(())),
            ("a\na>=1.6\nb==1\n", disagree("a>=1.6", "`a 1.5`")),
            ("a\nd\n", disagree("d", "no such entry")),
            ("a\nd ; sys_platform == 'win32'\n", Ok(())),
            ("a\nd ; sys_platform == 'linux'\n", disagree("d; sys_platform == \"linux\"", "no such entry")),
        ] {
            assert_eq!(compare(text, linux), expected, "{text}");
        }
        let constraint = disagree("b>=3; sys_platform == \"win32\"", "`b 2.0`");
        assert_eq!(compare("-c limits.txt\n", "win_amd64"), constraint);
        assert_eq!(compare("-c limits.txt\n", linux), Ok(()));
    }
}
