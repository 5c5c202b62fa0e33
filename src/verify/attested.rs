//! What was signed: keys, envelopes, statements, and what these say of the file.
//!
//! A bundle or an envelope is believed for nothing but the bytes under a signature by a key that the user gave. Of several
//! keys any may have signed; of several bundles all have to be signed, about this file, and true.

use std::path::{Path, PathBuf};

use super::opened::{VerifyError, read_found, read_named};
use super::problem::Problem;
use super::report::{Finding, Ledger, Trust};
use super::{Known, Request, file_name};
use crate::digest::Sha256Digest;
use crate::evidence::{
    ATTESTATION_LIMIT, Attestation, BundleFault, EnvelopeFault, Facts, PROVENANCE_TYPE, Provenance, PublicKey,
    Statement, VerifiedPayload, check_sbom, check_subject,
};

/// A public key has some 200 bytes.
const KEY_LIMIT: u64 = 1 << 20;

/// The predicate of an attestation that is an SBOM.
const SBOM_TYPES: [&str; 2] = ["https://cyclonedx.org/bom", "https://spdx.dev/Document"];

/// The keys and bundles that were named, read; each with its name.
pub(super) struct Evidence {
    keys: Vec<(String, Result<PublicKey, Problem>)>,
    bundles: Vec<(String, Result<Attestation, Problem>)>,
}

/// A statement that a given key signed.
pub(super) struct Attested {
    pub(super) bundle: String,
    pub(super) statement: Statement,
    pub(super) provenance: Option<Provenance>,
}

impl Evidence {
    /// Reads keys and bundles; where a key and no bundle is named, the bundle that lies beside the file.
    pub(super) fn read(request: &Request) -> Result<Self, VerifyError> {
        let read_key = |path: &PathBuf| {
            let file = file_name(path);
            let key = PublicKey::from_pem(&read_named(path, KEY_LIMIT)?);
            Ok((file.clone(), key.map_err(|fault| Problem::Key { file, fault })))
        };
        let keys = request.keys.iter().map(read_key).collect::<Result<_, VerifyError>>()?;
        let parse = |path: &Path, bytes: Vec<u8>| {
            let file = file_name(path);
            (file.clone(), Attestation::parse(&bytes).map_err(|fault| Problem::Bundle { file, fault }))
        };
        let limit = ATTESTATION_LIMIT as u64;
        let mut bundles = Vec::new();
        for path in &request.bundles {
            bundles.push(parse(path, read_named(path, limit)?));
        }
        if let Some(path) = beside(&request.file, [".sigstore.json", ".dsse.json"])
            .filter(|_| bundles.is_empty() && !request.keys.is_empty())
        {
            bundles.push(parse(&path, read_found(&path, limit)?));
        }
        Ok(Self { keys, bundles })
    }

    /// Every check of what was signed; gives the statements that were.
    pub(super) fn check(
        self,
        request: &Request,
        found: Sha256Digest,
        known: &Known,
        ledger: &mut Ledger,
    ) -> Vec<Attested> {
        let payloads = self.check_signatures(ledger);
        if payloads.is_empty() {
            for check in ["statement", "subject", "predicate", "provenance", "builder"] {
                ledger.skip(check, "nothing is signed by a key that was given");
            }
            return Vec::new();
        }
        let mut statements = Vec::new();
        let mut problems = Vec::new();
        for (bundle, payload) in payloads {
            match Statement::read(payload.bytes()) {
                Ok(statement) => statements.push((bundle, statement)),
                Err(fault) => problems.push(Problem::Statement { file: bundle, fault }),
            }
        }
        ledger.add("statement", Finding::of(problems, || format!("{} read", statements.len())));
        let (statements, finding) = check_subjects(statements, request, found);
        ledger.add("subject", finding);
        if statements.is_empty() {
            for check in ["predicate", "provenance", "builder"] {
                ledger.skip(check, "no statement about this file could be read");
            }
            return Vec::new();
        }
        ledger.add("predicate", check_types(&statements, request));
        let (attested, finding) = read_provenances(statements, known);
        ledger.add("provenance", finding);
        ledger.add("builder", check_builder(&attested, request));
        attested
    }

    /// What each bundle holds, where one of the keys signed it.
    fn check_signatures(self, ledger: &mut Ledger) -> Vec<(String, VerifiedPayload)> {
        if self.keys.is_empty() && self.bundles.is_empty() {
            ledger.skip("signature", "no `--key` was given");
            return Vec::new();
        }
        let mut problems = Vec::new();
        let mut keys = Vec::new();
        for (file, key) in self.keys {
            match key {
                Ok(key) => keys.push((file, key)),
                Err(problem) => problems.push(problem),
            }
        }
        let any_bundle = !self.bundles.is_empty();
        let mut payloads = Vec::new();
        let mut signers = Vec::new();
        for (file, attestation) in self.bundles {
            match attestation {
                Err(problem) => problems.push(problem),
                Ok(_) if keys.is_empty() => {}
                Ok(attestation) => match verify_by_any(&attestation, &keys) {
                    Ok((signer, payload)) => {
                        signers.push(format!("`{file}` by `{signer}`"));
                        payloads.push((file, payload));
                    }
                    Err(fault) => problems.push(Problem::Bundle { file, fault: BundleFault::Envelope(fault) }),
                },
            }
        }
        if problems.is_empty() && keys.is_empty() {
            problems.push(Problem::NoKey);
        }
        if !any_bundle {
            problems.push(Problem::NoSignature);
        }
        ledger.add("signature", Finding::of(problems, || signers.join(", ")));
        payloads
    }
}

/// The bundle of an SBOM that lies beside the file and was not named. It is not read by itself: others may have signed it,
/// and the SBOM that a signed provenance names is covered without it.
pub(super) fn unread_sbom(request: &Request) -> Option<String> {
    let found = beside(&request.file, [".cdx.sigstore.json", ".cdx.dsse.json"])?;
    let asked = !request.keys.is_empty() && !request.bundles.iter().any(|path| path.file_name() == found.file_name());
    asked.then(|| file_name(&found))
}

/// The bundle with one of these endings that lies beside the file.
fn beside(file: &Path, suffixes: [&str; 2]) -> Option<PathBuf> {
    let candidates = suffixes.map(|suffix| {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        file.with_file_name(name)
    });
    // Whatever has the name is read, so that what is wrong with it is told.
    candidates.into_iter().find(|path| path.symlink_metadata().is_ok())
}

/// What was signed, and the name of the key's file; where no key fits, why the one does not that the envelope names, else
/// the first.
fn verify_by_any<'a>(
    attestation: &Attestation,
    keys: &'a [(String, PublicKey)],
) -> Result<(&'a str, VerifiedPayload), EnvelopeFault> {
    let envelope = attestation.envelope();
    let mut fault = None;
    for (file, key) in keys {
        match envelope.verify(key) {
            Ok(payload) => return Ok((file, payload)),
            Err(one) if fault.is_none() || key.id().as_str() == envelope.keyid() => fault = Some(one),
            Err(_) => {}
        }
    }
    Err(fault.unwrap_or(EnvelopeFault::NoSignature))
}

/// The statements about the file: what others say is no matter.
fn check_subjects(
    statements: Vec<(String, Statement)>,
    request: &Request,
    found: Sha256Digest,
) -> (Vec<(String, Statement)>, Finding) {
    if statements.is_empty() {
        return (statements, Finding::Skipped("no statement could be read".to_owned()));
    }
    let name = file_name(&request.file);
    let mut problems = Vec::new();
    let mut about_it = Vec::new();
    for (bundle, statement) in statements {
        match check_subject(&statement, &found, &name) {
            Ok(_) => about_it.push((bundle, statement)),
            Err(fault) => problems.push(Problem::Statement { file: bundle, fault }),
        }
    }
    (about_it, Finding::vouched(problems, Trust::Signature, || "it is this file".to_owned()))
}

fn check_types(statements: &[(String, Statement)], request: &Request) -> Finding {
    let usual = || std::iter::once(PROVENANCE_TYPE).chain(SBOM_TYPES);
    let mut problems = Vec::new();
    for (file, statement) in statements {
        let checked = match &request.predicate_type {
            Some(expected) => statement.check_predicate_type(expected),
            None if usual().any(|known| known == statement.predicate_type) => Ok(()),
            None => statement.check_predicate_type(PROVENANCE_TYPE),
        };
        problems.extend(checked.err().map(|fault| Problem::Statement { file: file.clone(), fault }));
    }
    let read = |kind: &str| if usual().any(|known| known == kind) { "" } else { " (not read any further)" };
    let kinds = statements.iter().map(|(_, statement)| &statement.predicate_type);
    Finding::of(problems, || kinds.map(|kind| format!("{kind}{}", read(kind))).collect::<Vec<_>>().join(", "))
}

/// What the statements say of the file, against the file.
fn read_provenances(statements: Vec<(String, Statement)>, known: &Known) -> (Vec<Attested>, Finding) {
    let mut attested = Vec::new();
    let mut problems = Vec::new();
    let mut compared = 0;
    for (bundle, statement) in statements {
        let mut provenance = None;
        if statement.predicate_type == PROVENANCE_TYPE {
            match Provenance::read(&statement.predicate) {
                Ok(read) => {
                    compared += 1;
                    if let Some(facts) = known.facts(&mut problems, "the provenance") {
                        let facts = named_by(&statement, facts);
                        let checked = read.check_facts(&facts);
                        problems.extend(checked.err().map(|fault| Problem::Provenance { file: bundle.clone(), fault }));
                    }
                    provenance = Some(read);
                }
                Err(fault) => problems.push(Problem::Provenance { file: bundle.clone(), fault }),
            }
        } else if SBOM_TYPES.contains(&statement.predicate_type.as_str()) {
            compared += 1;
            if let Some(facts) = known.facts(&mut problems, "the SBOM that is signed") {
                let bytes = serde_json::to_vec(&statement.predicate).unwrap_or_default();
                let faults = check_sbom(&bytes, facts).into_iter();
                problems.extend(faults.map(|fault| Problem::Sbom { file: bundle.clone(), fault }));
            }
        }
        attested.push(Attested { bundle, statement, provenance });
    }
    let finding = match (problems.is_empty(), compared, known) {
        (false, ..) => Finding::Failed(problems),
        (true, 0, _) => Finding::Skipped("nothing is signed that says how the file was made".to_owned()),
        (true, _, Known::Unreadable(reason)) => Finding::Skipped((*reason).to_owned()),
        (true, ..) => Finding::Held("it says of the file what the file says of itself".to_owned()),
    };
    (attested, finding)
}

/// The facts under the name that the statement has for the file, which may have been renamed since.
fn named_by(statement: &Statement, facts: &Facts) -> Facts {
    let subject = statement.subject.iter().find(|subject| subject.sha256 == facts.sha256);
    let name = subject.and_then(|subject| subject.name.clone());
    Facts { filename: name.unwrap_or_else(|| facts.filename.clone()), ..facts.clone() }
}

fn check_builder(attested: &[Attested], request: &Request) -> Finding {
    let Some(expected) = &request.expected_builder else {
        let found = attested.iter().filter_map(|one| one.provenance.as_ref());
        let builders: Vec<String> = found.map(|provenance| provenance.claims().builder.to_string()).collect();
        let named =
            if builders.is_empty() { String::new() } else { format!("; the provenance names {}", builders.join(", ")) };
        return Finding::Skipped(format!("no `--expect-builder` was given{named}"));
    };
    let mut problems = Vec::new();
    let mut any = false;
    for Attested { bundle, provenance, .. } in attested {
        let Some(provenance) = provenance else { continue };
        any = true;
        let checked = provenance.check_builder(expected);
        problems.extend(checked.err().map(|fault| Problem::Provenance { file: bundle.clone(), fault }));
    }
    if !any {
        problems.push(Problem::NoProvenance);
    }
    Finding::of(problems, || expected.clone())
}
