//! Signs what is said of a finished `.pyz`: its provenance, and its SBOM where that is asked for.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::evidence::{
    Bundle, Claims, Envelope, Facts, PROVENANCE_TYPE, Provenance, ProvenanceFault, STATEMENT_LIMIT, SigningKey,
    Statement, StatementFault, Subject, check_subject, cyclonedx, provenance_statement, write_statement,
};
use crate::finished::{FinishedError, FinishedPyz};
use crate::inspect::check_files;
use crate::output::{OutputError, beside, check_not_input, check_target, write_document};
use crate::status::{Explain, Status};

/// The `predicateType` of a `CycloneDX` SBOM (in-toto attestation specification, predicates).
pub const CYCLONEDX_TYPE: &str = "https://cyclonedx.org/bom";

/// What is signed, and where it goes.
#[derive(Debug)]
pub struct SignSettings {
    /// The `.pyz`.
    pub file: PathBuf,
    /// What the provenance says beyond the file, where anything was said.
    pub claims: Option<Claims>,
    /// Whether the SBOM is signed too.
    pub sbom: bool,
    /// What is written.
    pub form: Form,
    /// Where the signed provenance goes; beside the file where this is none.
    pub output: Option<PathBuf>,
    /// The file that the key came from, which no output may replace.
    pub key_file: Option<PathBuf>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A Sigstore bundle: the envelope, and the name of its key.
    Bundle,
    /// A DSSE envelope alone.
    Envelope,
}

/// A file that was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed {
    /// Where it is.
    pub path: PathBuf,
    /// What is signed in it: `provenance` or `SBOM`.
    pub what: &'static str,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The file is not a sound `.pyz`.
    #[error(transparent)]
    Finished(#[from] FinishedError),
    /// The file was written to meanwhile.
    #[error("`{0}` changed while it was read")]
    Changed(String),
    /// What lies beside the file cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// What lies beside the file is no statement about it.
    #[error("cannot sign `{path}`: {fault} [{}]", fault.code())]
    Statement {
        /// The file.
        path: String,
        /// What is wrong.
        fault: Box<StatementFault>,
    },
    /// It is no provenance of it.
    #[error("cannot sign `{path}`: {fault} [{}]", fault.code())]
    Provenance {
        /// The file.
        path: String,
        /// What is wrong.
        fault: Box<ProvenanceFault>,
    },
    /// It does not say what was asked for.
    #[error("`{0}` says something else than the options")]
    OtherClaims(String),
    /// The SBOM beside the file is not the one that would be signed.
    #[error("`{0}` is not the SBOM that pyzpack writes of this file")]
    OtherSbom(String),
    /// What would be signed is more than is read again.
    #[error("cannot sign the {what} of `{path}`: {fault} [{}]", fault.code())]
    Own {
        /// What.
        what: &'static str,
        /// The `.pyz`.
        path: String,
        /// What is wrong.
        fault: Box<StatementFault>,
    },
    /// What was signed cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Explain for SignError {
    fn status(&self) -> Status {
        match self {
            Self::Finished(error) => error.status(),
            Self::Output(error) => error.status(),
            Self::Read { .. } => Status::Machine,
            _ => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let again = |verb| format!("write it again with `pyzpack {verb}`, or remove it");
        match self {
            Self::Finished(error) => error.hint(),
            Self::Output(error) => error.hint(),
            Self::Changed(_) => Some("sign when nothing writes to it".to_owned()),
            Self::Statement { .. } | Self::Provenance { .. } => Some(again("provenance")),
            Self::OtherClaims(_) => Some(format!("leave the options out, or {}", again("provenance"))),
            Self::OtherSbom(_) => Some(again("sbom")),
            Self::Read { .. } | Self::Own { .. } => None,
        }
    }
}

/// Signs; gives what was written.
///
/// # Errors
/// When the file is not sound, what lies beside it speaks of another one, or the output cannot be written. What was there
/// before is as it was then, but for the first of two outputs where the second fails.
pub fn sign(settings: &SignSettings, key: &SigningKey) -> Result<Vec<Signed>, SignError> {
    let file = settings.file.as_path();
    let (suffix, sbom_suffix) = match settings.form {
        Form::Bundle => (".sigstore.json", ".cdx.sigstore.json"),
        Form::Envelope => (".dsse.json", ".cdx.dsse.json"),
    };
    let (statement_path, sbom_path) = (beside(file, ".intoto.json"), beside(file, ".cdx.json"));
    let target = settings.output.clone().unwrap_or_else(|| beside(file, suffix));
    let sbom_target = settings.sbom.then(|| beside(file, sbom_suffix));
    let inputs: Vec<&Path> =
        [file, &statement_path, &sbom_path].into_iter().chain(settings.key_file.as_deref()).collect();
    for target in [Some(&target), sbom_target.as_ref()].into_iter().flatten() {
        check_target(target)?;
        check_not_input(target, inputs.iter().copied())?;
    }
    let facts = read_facts(file)?;
    let (statement, claims) = provenance_of(&facts, &statement_path, settings.claims.as_ref())?;
    let mut outputs = vec![("provenance", target, statement)];
    if let Some(target) = sbom_target {
        outputs.push(("SBOM", target, sbom_statement(&facts, &sbom_path, &claims)?));
    }
    for (what, _, statement) in &outputs {
        let fault_of = |fault| SignError::Own { what, path: file.display().to_string(), fault: Box::new(fault) };
        Statement::read(statement).map_err(fault_of)?;
    }
    let mut written = Vec::new();
    for (what, path, statement) in outputs {
        let envelope = Envelope::sign(statement, key);
        let document = match settings.form {
            Form::Bundle => Bundle::of(envelope).to_bytes(),
            Form::Envelope => envelope.to_bytes(),
        };
        write_document(&path, &document)?;
        written.push(Signed { path, what });
    }
    Ok(written)
}

/// What is said of the file, all of which is as its manifest has it.
fn read_facts(file: &Path) -> Result<Facts, SignError> {
    let finished = FinishedPyz::open(file)?;
    let sha256 = finished.sha256()?;
    check_files(&finished)?;
    let facts = finished.facts(sha256)?;
    // What was looked at is what has the digest.
    if finished.sha256()? == sha256 { Ok(facts) } else { Err(SignError::Changed(file.display().to_string())) }
}

/// The statement beside the file, which is compared with it; else the one that `pyzpack provenance` writes.
fn provenance_of(facts: &Facts, path: &Path, claims: Option<&Claims>) -> Result<(Vec<u8>, Claims), SignError> {
    let shown = || path.display().to_string();
    let given = claims.map(|claims| (provenance_statement(facts, claims), claims.clone()));
    let Some(bytes) = read_small(path).map_err(|error| SignError::Read { path: shown(), error })? else {
        let claims = Claims::default();
        return Ok(given.unwrap_or_else(|| (provenance_statement(facts, &claims), claims)));
    };
    let statement_fault = |fault| SignError::Statement { path: shown(), fault: Box::new(fault) };
    let statement = Statement::read(&bytes).map_err(statement_fault)?;
    let Subject { name, .. } = check_subject(&statement, &facts.sha256, &facts.filename).map_err(statement_fault)?;
    statement.check_predicate_type(PROVENANCE_TYPE).map_err(statement_fault)?;
    let provenance_fault = |fault| SignError::Provenance { path: shown(), fault: Box::new(fault) };
    let provenance = Provenance::read(&statement.predicate).map_err(provenance_fault)?;
    let claims = provenance.claims().clone();
    let named = Facts { filename: name.clone().unwrap_or_else(|| facts.filename.clone()), ..facts.clone() };
    provenance.check_facts(&named).map_err(provenance_fault)?;
    match given {
        Some((wanted, _)) if wanted != bytes => Err(SignError::OtherClaims(shown())),
        _ => Ok((bytes, claims)),
    }
}

/// The SBOM as a statement about the file. Another one beside it would not be what is signed, and so it is refused.
fn sbom_statement(facts: &Facts, path: &Path, claims: &Claims) -> Result<Vec<u8>, SignError> {
    let shown = || path.display().to_string();
    let sbom = cyclonedx(facts, &claims.index);
    match read_small(path).map_err(|error| SignError::Read { path: shown(), error })? {
        Some(found) if found != sbom => return Err(SignError::OtherSbom(shown())),
        _ => {}
    }
    let predicate: serde_json::Value = serde_json::from_slice(&sbom).expect("an SBOM of ours is JSON");
    Ok(write_statement(&facts.filename, &facts.sha256, CYCLONEDX_TYPE, &predicate))
}

/// The bytes of a file, where it is there; one more than is read of statements at most.
fn read_small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(STATEMENT_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
