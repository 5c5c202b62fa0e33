//! Verifying a finished file: is it what somebody whom the user trusts says it is, and does it hold what it says of itself?
//!
//! Every check looks at one open file, which is neither run nor imported nor unpacked to disk, and hands back what it found
//! or its problems, which are data ([`Problem`]). The answer is yes only where there is no problem at all, and where at
//! least one thing that the user named to trust covers the file: a digest, or a signature by a key. Everything else that is
//! named is a condition.

mod attested;
mod bootstrap;
mod checksums;
mod codes;
mod container;
mod contents;
mod foreign;
mod lock;
mod manifest;
mod opened;
mod problem;
mod records;
mod report;
mod sboms;
mod wheels;

use std::path::{Path, PathBuf};

use crate::digest::Sha256Digest;
use crate::evidence::Facts;

pub use codes::{CODES, Code, explain};
pub use opened::VerifyError;
pub use problem::Problem;
pub use report::{Check, Finding, Report, Trust};

use attested::Evidence;
use checksums::Checksums;
use container::{Container, Maker};
use contents::Contents;
use opened::{Opened, Opening};
use report::Ledger;
use sboms::Handed;

/// What is verified, and against what.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The file.
    pub file: PathBuf,
    /// Public keys, any of which may have signed: reasons to trust.
    pub keys: Vec<PathBuf>,
    /// Bundles or envelopes, all of which must be signed and about the file; none for the one beside the file.
    pub bundles: Vec<PathBuf>,
    /// The digest that it must have: a reason to trust it.
    pub sha256: Option<Sha256Digest>,
    /// A checksum file that must name it with its digest: a reason to trust it.
    pub checksums: Option<PathBuf>,
    /// A lock that must hold every wheel's digest: a condition.
    pub lock: Option<PathBuf>,
    /// SBOMs that must be of the file: conditions.
    pub sboms: Vec<PathBuf>,
    /// The builder that a signed provenance must name: a condition.
    pub expected_builder: Option<String>,
    /// The type that every signed statement must have: a condition.
    pub predicate_type: Option<String>,
}

/// Verifies.
///
/// # Errors
/// When the file, or another one that was named, is not there or cannot be read. Whatever is wrong with them is a problem
/// in the report.
pub fn verify(request: &Request) -> Result<Report, VerifyError> {
    let mut run = Run::start(request)?;
    match Opened::open(&request.file)? {
        Opening::Refused(problem) => run.ledger.add("file", Finding::Failed(vec![problem])),
        Opening::Open(opened) => match run.check(&opened) {
            Err(error) if error.is_end_of(&request.file) => {
                run.ledger.add("unchanged", Finding::Failed(vec![Problem::Replaced]));
            }
            checked => {
                checked?;
                run.finish(&opened)?;
            }
        },
    }
    Ok(run.ledger.conclude(&request.file, run.sha256))
}

/// What the file says of itself, as far as it could be read.
enum Known {
    /// All that evidence is made of.
    Facts(Box<Facts>),
    /// Nothing: it is not of pyzpack.
    Foreign,
    /// Nothing, for a reason that is a problem already.
    Unreadable(&'static str),
}

impl Known {
    /// The facts, for what needs them; that there are none in a foreign file is a problem.
    fn facts(&self, problems: &mut Vec<Problem>, needed_for: &'static str) -> Option<&Facts> {
        match self {
            Self::Facts(facts) => Some(facts),
            Self::Foreign => {
                problems.push(Problem::NoManifest(needed_for));
                None
            }
            Self::Unreadable(_) => None,
        }
    }
}

/// A verification under way.
struct Run<'a> {
    request: &'a Request,
    checksums: Option<Result<Checksums, Problem>>,
    evidence: Option<Evidence>,
    sboms: Vec<Handed>,
    lock: Option<Result<crate::lock::Lock, Problem>>,
    sha256: Option<Sha256Digest>,
    ledger: Ledger,
}

impl<'a> Run<'a> {
    /// Reads everything that was named beside the file.
    fn start(request: &'a Request) -> Result<Self, VerifyError> {
        Ok(Self {
            request,
            checksums: request.checksums.as_deref().map(Checksums::read).transpose()?,
            evidence: Some(Evidence::read(request)?),
            sboms: sboms::read(&request.sboms)?,
            lock: request.lock.as_deref().map(lock::read).transpose()?,
            sha256: None,
            ledger: Ledger::default(),
        })
    }

    /// Every check, in the order of the report.
    fn check(&mut self, opened: &Opened) -> Result<(), VerifyError> {
        let (maker, container) = container::recognise(opened)?;
        let (found, known) = match container {
            Ok(container) => {
                // Both read the whole file: one core takes the digest, all others what is in it.
                let (found, contents) = rayon::join(|| opened.sha256(), || Contents::read(opened, &container));
                let found = self.note_digest(opened, found?);
                let known = match maker {
                    Maker::Pyzpack => self.check_ours(opened, &container, contents?, found)?,
                    Maker::Other => self.check_foreign(opened, &container, contents?)?,
                };
                (found, known)
            }
            Err(problem) => {
                let found = self.note_digest(opened, opened.sha256()?);
                let others = ["manifest", "bootstrap", "records", "wheels"];
                let unreadable = self.stop("container", problem, &others, "the container cannot be read");
                (found, if maker == Maker::Pyzpack { unreadable } else { Known::Foreign })
            }
        };
        self.check_digests(found);
        let evidence = self.evidence.take().expect("it is checked once");
        let attested = evidence.check(self.request, found, &known, &mut self.ledger);
        let unread = attested::unread_sbom(self.request);
        self.ledger.add("sbom", sboms::check(&self.sboms, &attested, &known, unread));
        let finding = self.check_lock(&known);
        self.ledger.add("lock", finding);
        Ok(())
    }

    fn note_digest(&mut self, opened: &Opened, found: Sha256Digest) -> Sha256Digest {
        self.sha256 = Some(found);
        self.ledger.add("file", Finding::Held(format!("{} bytes, sha256 {found}", opened.source.length())));
        found
    }

    /// A file of ours.
    fn check_ours(
        &mut self,
        opened: &Opened,
        container: &Container,
        mut contents: Contents<'_>,
        found: Sha256Digest,
    ) -> Result<Known, VerifyError> {
        self.ledger.add("container", contents.finding(container));
        let mut document = match manifest::read(opened, container)? {
            Ok(document) => document,
            Err(problem) => {
                let reason = "the manifest cannot be read";
                return Ok(self.stop("manifest", problem, &["bootstrap", "records", "wheels"], reason));
            }
        };
        self.ledger.add("manifest", document.check(opened, container, &contents));
        let manifest = &document.manifest;
        self.ledger.add("bootstrap", bootstrap::check(manifest, opened, container, &contents)?);
        self.ledger.add("records", records::check(manifest, opened, &contents)?);
        let mut wheels = wheels::check(manifest, opened, &contents)?;
        let known = match document.into_facts(opened, container, found)? {
            Ok(facts) => Known::Facts(Box::new(facts)),
            Err(problem) => {
                // What cannot be read of the metadata is most probably found already; it must not pass in any case.
                if !matches!(wheels, Finding::Failed(_)) {
                    wheels = Finding::Failed(vec![problem]);
                }
                Known::Unreadable("the wheels' metadata cannot be read")
            }
        };
        self.ledger.add("wheels", wheels);
        Ok(known)
    }

    /// A file of another tool, or none of any: what can be checked without a manifest.
    fn check_foreign(
        &mut self,
        opened: &Opened,
        container: &Container,
        mut contents: Contents<'_>,
    ) -> Result<Known, VerifyError> {
        let without = "the file is not of pyzpack";
        self.ledger.add("container", foreign::describe(opened, container, &mut contents));
        self.ledger.skip("manifest", "there is none: the file does not say what it should hold");
        self.ledger.skip("bootstrap", without);
        self.ledger.add("records", foreign::check_records(opened, &contents)?);
        self.ledger.skip("wheels", without);
        Ok(Known::Foreign)
    }

    /// A check that failed so that others cannot be made.
    fn stop(&mut self, check: &'static str, problem: Problem, others: &[&'static str], reason: &'static str) -> Known {
        self.ledger.add(check, Finding::Failed(vec![problem]));
        for other in others {
            self.ledger.skip(other, reason);
        }
        Known::Unreadable(reason)
    }

    /// What the user named to trust the file by its digest.
    fn check_digests(&mut self, found: Sha256Digest) {
        let sha256 = match self.request.sha256 {
            None => Finding::Skipped("no `--sha256` was given".to_owned()),
            Some(expected) if expected == found => {
                Finding::Vouched("it is the one that was given".to_owned(), Trust::Sha256)
            }
            Some(expected) => Finding::Failed(vec![Problem::Sha256Differs { expected, found }]),
        };
        self.ledger.add("sha256", sha256);
        let name = file_name(&self.request.file);
        let checksums = match self.checksums.take() {
            None => Finding::Skipped("no `--checksums` was given".to_owned()),
            Some(read) => match read.and_then(|checksums| checksums.check(&name, found)) {
                Ok(line) => Finding::Vouched(format!("line {line} has it"), Trust::Checksums),
                Err(problem) => Finding::Failed(vec![problem]),
            },
        };
        self.ledger.add("checksums", checksums);
    }

    /// The lock, where one was given.
    fn check_lock(&mut self, known: &Known) -> Finding {
        match (self.lock.take(), known) {
            (None, _) => Finding::Skipped("no `--lock` was given".to_owned()),
            (Some(Err(problem)), _) => Finding::Failed(vec![problem]),
            (Some(Ok(lock)), Known::Facts(facts)) => lock::check(&facts.manifest, &lock),
            (Some(Ok(_)), Known::Foreign) => Finding::Failed(vec![Problem::NoManifest("--lock")]),
            (Some(Ok(_)), Known::Unreadable(reason)) => Finding::Skipped((*reason).to_owned()),
        }
    }

    /// What was read is still what lies there.
    fn finish(&mut self, opened: &Opened) -> Result<(), VerifyError> {
        let finding = match opened.check_unchanged()? {
            None => Finding::Held("the file is the one that was opened".to_owned()),
            Some(problem) => Finding::Failed(vec![problem]),
        };
        self.ledger.add("unchanged", finding);
        Ok(())
    }
}

/// The name of a file, without directory.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of what is found when `meanwhile` happens to the file after it was read.
    fn verify_while(meanwhile: impl FnOnce(&Path)) -> Vec<&'static str> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.pyz");
        std::fs::write(&file, b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
        let sha256 = Some(Sha256Digest::of(&std::fs::read(&file).unwrap()));
        let request = Request { file: file.clone(), sha256, ..Request::default() };
        let mut run = Run::start(&request).unwrap();
        let Opening::Open(opened) = Opened::open(&file).unwrap() else { panic!("a file") };
        run.check(&opened).unwrap();
        meanwhile(&file);
        run.finish(&opened).unwrap();
        run.ledger.conclude(&file, run.sha256).problems.iter().map(Problem::code).collect()
    }

    #[test]
    fn sees_that_the_file_was_replaced_changed_or_removed_meanwhile() {
        let none: [&str; 0] = [];
        assert_eq!(verify_while(|_| ()), none);
        assert_eq!(
            verify_while(|file| {
                let other = file.with_extension("new");
                std::fs::copy(file, &other).unwrap();
                std::fs::rename(other, file).unwrap();
            }),
            ["file-replaced"]
        );
        assert_eq!(verify_while(|file| std::fs::write(file, b"other").unwrap()), ["file-replaced"]);
        assert_eq!(verify_while(|file| std::fs::remove_file(file).unwrap()), ["file-replaced"]);
        #[cfg(unix)]
        assert_eq!(
            verify_while(|file| {
                let moved = file.with_extension("moved");
                std::fs::rename(file, &moved).unwrap();
                std::os::unix::fs::symlink(moved, file).unwrap();
            }),
            ["file-replaced"]
        );
    }
}
