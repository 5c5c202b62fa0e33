//! What a verification came to: one finding a check, every problem, and the answer.

use std::path::{Path, PathBuf};

use super::codes::rank;
use super::problem::Problem;
use crate::digest::Sha256Digest;

/// What a check found.
#[derive(Debug)]
pub enum Finding {
    /// It holds; what was found.
    Held(String),
    /// It was not made; why.
    Skipped(String),
    /// It holds, and is a reason to trust the file.
    Vouched(String, Trust),
    /// It does not hold: at least one problem.
    Failed(Vec<Problem>),
}

impl Finding {
    /// What the problems make of it; where there is none, what holds.
    pub(super) fn of(problems: Vec<Problem>, held: impl FnOnce() -> String) -> Self {
        if problems.is_empty() { Self::Held(held()) } else { Self::Failed(problems) }
    }

    /// The same, for a check that is a reason to trust.
    pub(super) fn vouched(problems: Vec<Problem>, trust: Trust, held: impl FnOnce() -> String) -> Self {
        if problems.is_empty() { Self::Vouched(held(), trust) } else { Self::Failed(problems) }
    }
}

/// One check, as the report has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// `ok`, `skipped` or `failed`.
    pub state: &'static str,
    /// What was found.
    pub found: String,
}

/// Why the file is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It has the digest that the user gave.
    Sha256,
    /// It has the digest in the checksum file that the user gave.
    Checksums,
    /// It is what a statement is about that is signed by a key which the user gave.
    Signature,
}

/// What a verification came to.
#[derive(Debug)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Its digest, where it could be read.
    pub sha256: Option<Sha256Digest>,
    /// The checks, in their order.
    pub checks: Vec<Check>,
    /// The problems, in the order of their codes, and of being found.
    pub problems: Vec<Problem>,
    /// Why the file is trusted, where nothing speaks against it.
    pub trust: Vec<Trust>,
}

impl Report {
    /// The code of the answer no: the first problem's; none where the answer is yes.
    ///
    /// Yes takes both: no problem, and a reason to trust.
    pub fn failed(&self) -> Option<&'static str> {
        match self.problems.first() {
            Some(problem) => Some(problem.code()),
            None if self.trust.is_empty() => Some(Problem::Untrusted.code()),
            None => None,
        }
    }
}

/// The checks and problems so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    checks: Vec<Check>,
    problems: Vec<Problem>,
    trust: Vec<Trust>,
}

impl Ledger {
    pub(super) fn add(&mut self, name: &'static str, finding: Finding) {
        let (state, found) = match finding {
            Finding::Held(found) => ("ok", found),
            Finding::Skipped(why) => ("skipped", why),
            Finding::Vouched(found, trust) => {
                self.trust.push(trust);
                ("ok", found)
            }
            Finding::Failed(problems) => {
                let mut codes: Vec<&str> = problems.iter().map(Problem::code).collect();
                codes.sort_by_key(|code| rank(code));
                codes.dedup();
                let count =
                    if problems.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", problems.len()) };
                self.problems.extend(problems);
                ("failed", format!("{count}: {}", codes.join(", ")))
            }
        };
        self.checks.push(Check { name, state, found });
    }

    pub(super) fn skip(&mut self, name: &'static str, why: &str) {
        self.add(name, Finding::Skipped(why.to_owned()));
    }

    /// Comes to the answer. Where nothing is wrong and nothing says who vouches for the file, that is the problem.
    pub(super) fn conclude(mut self, file: &Path, sha256: Option<Sha256Digest>) -> Report {
        if self.trust.is_empty() && self.problems.is_empty() {
            self.problems.push(Problem::Untrusted);
        }
        self.problems.sort_by_key(|problem| rank(problem.code()));
        Report { file: file.to_owned(), sha256, checks: self.checks, problems: self.problems, trust: self.trust }
    }
}
