//! Signs what is said of a finished `.pyz`: its provenance, and its SBOM where that is asked for.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::Source;
use crate::evidence::{
    Bundle, Claims, Envelope, Facts, PROVENANCE_TYPE, Provenance, ProvenanceFault, STATEMENT_LIMIT, SigningKey,
    Statement, StatementFault, Subject, check_subject, cyclonedx, provenance_statement, write_statement,
};
use crate::finished::FinishedError;
use crate::inspect::checked_facts;
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
    /// It is about other files too, which nobody looked at.
    #[error("cannot sign `{path}`: it has {subjects} subjects, and only the file itself was looked at")]
    Subjects {
        /// The file.
        path: String,
        /// How many.
        subjects: usize,
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
    #[error("`{path}` says something else than the options: {difference}")]
    OtherClaims {
        /// The file.
        path: String,
        /// What, and both values.
        difference: String,
    },
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
            Self::Statement { .. } | Self::Subjects { .. } | Self::Provenance { .. } => Some(again("provenance")),
            Self::OtherClaims { .. } => Some(format!("leave the options out, or {}", again("provenance"))),
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
    let facts = checked_facts(file)?;
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

/// Signs the provenance of a file under these claims, in a Sigstore bundle, whatever lies beside the file.
///
/// # Errors
/// When it cannot be written; what was there before is as it was.
pub fn attest(facts: &Facts, claims: &Claims, key: &SigningKey, target: &Path) -> Result<(), SignError> {
    let statement = provenance_statement(facts, claims);
    let path = facts.filename.clone();
    let fault_of = |fault| SignError::Own { what: "provenance", path, fault: Box::new(fault) };
    Statement::read(&statement).map_err(fault_of)?;
    Ok(write_document(target, &Bundle::of(Envelope::sign(statement, key)).to_bytes())?)
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
    if statement.subject.len() > 1 {
        return Err(SignError::Subjects { path: shown(), subjects: statement.subject.len() });
    }
    statement.check_predicate_type(PROVENANCE_TYPE).map_err(statement_fault)?;
    let provenance_fault = |fault| SignError::Provenance { path: shown(), fault: Box::new(fault) };
    let provenance = Provenance::read(&statement.predicate).map_err(provenance_fault)?;
    let claims = provenance.claims().clone();
    let named = Facts { filename: name.clone().unwrap_or_else(|| facts.filename.clone()), ..facts.clone() };
    provenance.check_facts(&named).map_err(provenance_fault)?;
    match given {
        Some((wanted, options)) if wanted != bytes && options != claims => {
            Err(SignError::OtherClaims { path: shown(), difference: difference(&claims, &options) })
        }
        _ => Ok((bytes, claims)),
    }
}

/// The first thing that a provenance says and the options do not.
fn difference(found: &Claims, options: &Claims) -> String {
    let commits = |claims: &Claims| match claims.commits.iter().map(String::as_str).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "no commit".to_owned(),
        commits => commits,
    };
    if found.builder != options.builder {
        format!("builder `{}`, expected `{}`", found.builder, options.builder)
    } else if found.commits != options.commits {
        format!("{}, expected {}", commits(found), commits(options))
    } else {
        "another index".to_owned()
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
    match Source::read_file(path, STATEMENT_LIMIT as u64 + 1) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}
