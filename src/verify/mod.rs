//! Verifying a finished file: is it what somebody whom the user trusts says it is, and does it hold what it says of itself?
//!
//! Every check looks at one open file, which is neither run nor imported nor unpacked to disk, and hands back what it found
//! or its problems, which are data ([`Problem`]). The answer is yes only where there is no problem at all, and where at
//! least one thing that the user named to trust covers the file: a digest, or a signature by a key. Everything else that is
//! named is a condition.

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
mod wheels;

use std::path::{Path, PathBuf};

use crate::digest::Sha256Digest;

pub use codes::{CODES, Code, explain};
pub use opened::VerifyError;
pub use problem::Problem;
pub use report::{Check, Finding, Report, Trust};

use checksums::Checksums;
use container::{Container, Kind};
use contents::Contents;
use opened::{Opened, Opening};
use report::Ledger;

/// What is verified, and against what.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The file.
    pub file: PathBuf,
    /// The digest that it must have: reason to trust it.
    pub sha256: Option<Sha256Digest>,
    /// A checksum file that must name it with its digest: reason to trust it.
    pub checksums: Option<PathBuf>,
    /// A lock that must hold every wheel's digest: a condition.
    pub lock: Option<PathBuf>,
}

/// Why a file is not looked into further.
const UNREADABLE: &str = "the container cannot be read";

/// Verifies.
///
/// # Errors
/// When the file, or another one that was named, is not there or cannot be read. Whatever is wrong with them is a problem
/// in the report.
pub fn verify(request: &Request) -> Result<Report, VerifyError> {
    let mut run = Run::start(request)?;
    if let Some(opened) = run.opened.take() {
        run.check_file(&opened)?;
        run.finish(&opened)?;
    }
    Ok(run.ledger.conclude(&request.file, run.sha256))
}

/// A verification under way.
struct Run<'a> {
    request: &'a Request,
    checksums: Option<Result<Checksums, Problem>>,
    lock: Option<Result<crate::lock::Lock, Problem>>,
    opened: Option<Opened>,
    sha256: Option<Sha256Digest>,
    ledger: Ledger,
}

impl<'a> Run<'a> {
    /// Reads everything that was named, and opens the file.
    fn start(request: &'a Request) -> Result<Self, VerifyError> {
        let checksums = request.checksums.as_deref().map(Checksums::read).transpose()?;
        let lock = request.lock.as_deref().map(lock::read).transpose()?;
        let mut run = Self { request, checksums, lock, opened: None, sha256: None, ledger: Ledger::default() };
        match Opened::open(&request.file)? {
            Opening::Refused(problem) => run.ledger.add("file", Finding::Failed(vec![problem])),
            Opening::Open(opened) => {
                let sha256 = opened.sha256()?;
                run.ledger.add("file", Finding::Held(format!("{} bytes, sha256 {sha256}", opened.source.length())));
                (run.opened, run.sha256) = (Some(opened), Some(sha256));
            }
        }
        Ok(run)
    }

    /// Every check of the file itself, in the order of the report.
    fn check_file(&mut self, opened: &Opened) -> Result<(), VerifyError> {
        match container::recognise(opened)? {
            Kind::Ours(read) => self.check_ours(opened, read)?,
            Kind::Foreign(read) => self.check_foreign(opened, read)?,
        }
        Ok(())
    }

    fn check_ours(&mut self, opened: &Opened, read: Result<Container, Problem>) -> Result<(), VerifyError> {
        let container = match read {
            Ok(container) => container,
            Err(problem) => {
                self.ledger.add("container", Finding::Failed(vec![problem]));
                for check in ["manifest", "bootstrap", "records", "wheels"] {
                    self.ledger.skip(check, UNREADABLE);
                }
                self.check_digests();
                let finding = self.check_lock(None, UNREADABLE);
                self.ledger.add("lock", finding);
                return Ok(());
            }
        };
        let mut contents = Contents::read(opened, &container)?;
        self.ledger.add("container", contents.finding(&container));
        let manifest = manifest::read(opened, &container)?;
        match manifest {
            Ok((manifest, canonical)) => {
                self.ledger.add("manifest", manifest::check(&manifest, canonical, opened, &container, &contents));
                self.ledger.add("bootstrap", bootstrap::check(&manifest, opened, &container, &contents)?);
                self.ledger.add("records", records::check(&manifest, opened, &contents)?);
                self.ledger.add("wheels", wheels::check(&manifest, opened, &contents)?);
                self.check_digests();
                let finding = self.check_lock(Some(&manifest), "");
                self.ledger.add("lock", finding);
            }
            Err(problem) => {
                let reason = "the manifest cannot be read";
                self.ledger.add("manifest", Finding::Failed(vec![problem]));
                for check in ["bootstrap", "records", "wheels"] {
                    self.ledger.skip(check, reason);
                }
                self.check_digests();
                let finding = self.check_lock(None, reason);
                self.ledger.add("lock", finding);
            }
        }
        Ok(())
    }

    /// A file of another tool, or none of any: what can be checked without a manifest.
    fn check_foreign(&mut self, opened: &Opened, read: Result<Container, Problem>) -> Result<(), VerifyError> {
        let without = "there is no manifest: the file is not of pyzpack";
        match read {
            Ok(container) => {
                let mut contents = Contents::read(opened, &container)?;
                self.ledger.add("container", foreign::describe(opened, &container, &mut contents));
                self.ledger.skip("manifest", "none: the file is not of pyzpack, and says nothing of what it holds");
                self.ledger.skip("bootstrap", without);
                self.ledger.add("records", foreign::check_records(opened, &contents)?);
            }
            Err(problem) => {
                self.ledger.add("container", Finding::Failed(vec![problem]));
                self.ledger.skip("manifest", without);
                self.ledger.skip("bootstrap", without);
                self.ledger.skip("records", UNREADABLE);
            }
        }
        self.ledger.skip("wheels", without);
        self.check_digests();
        let finding = match &self.lock {
            Some(_) => Finding::Failed(vec![Problem::NoManifest("--lock")]),
            None => self.check_lock(None, without),
        };
        self.ledger.add("lock", finding);
        Ok(())
    }

    /// What the user named to trust the file by its digest.
    fn check_digests(&mut self) {
        let found = self.sha256.expect("an open file was hashed");
        let sha256 = match self.request.sha256 {
            None => Finding::Skipped("no `--sha256` was given".to_owned()),
            Some(expected) if expected == found => {
                self.ledger.trust(Trust::Sha256);
                Finding::Held("it is the one that was given".to_owned())
            }
            Some(expected) => Finding::Failed(vec![Problem::Sha256Differs { expected, found }]),
        };
        self.ledger.add("sha256", sha256);
        let name = file_name(&self.request.file);
        let checksums = match self.checksums.take() {
            None => Finding::Skipped("no `--checksums` was given".to_owned()),
            Some(read) => match read.and_then(|checksums| checksums.check(&name, found)) {
                Ok(line) => {
                    self.ledger.trust(Trust::Checksums);
                    Finding::Held(format!("line {line} has it"))
                }
                Err(problem) => Finding::Failed(vec![problem]),
            },
        };
        self.ledger.add("checksums", checksums);
    }

    /// The lock, where one was given; a file without a manifest cannot be compared with it, which is a problem already.
    fn check_lock(&mut self, manifest: Option<&crate::evidence::Manifest>, otherwise: &str) -> Finding {
        match (self.lock.take(), manifest) {
            (None, _) => Finding::Skipped("no `--lock` was given".to_owned()),
            (Some(Err(problem)), _) => Finding::Failed(vec![problem]),
            (Some(Ok(lock)), Some(manifest)) => lock::check(manifest, &lock),
            (Some(Ok(_)), None) => Finding::Skipped(otherwise.to_owned()),
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
        let opened = run.opened.take().unwrap();
        run.check_file(&opened).unwrap();
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
