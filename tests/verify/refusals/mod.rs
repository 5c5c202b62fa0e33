//! What `verify` must refuse, as a table: every case by its name, and the one code that the command line answers with.
//!
//! Each case is one change of a good file that is signed, has an SBOM and a lock; without the change the same command passes.
//! The other tests try more of a kind; this table is where a case that is missing can be seen.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use pyzpack::application::LayoutChoice::{Extract, Zip as InPlace};
use pyzpack::digest::Sha256Digest;
use pyzpack::evidence::{Envelope, KeyType, ManifestWheel};
use pyzpack::verify::CODES;
use rayon::prelude::*;
use serde_json::Value;

use crate::attestations::{Signed, signed_with};
use crate::good::{Parts, behind, parts};
use crate::wheels::Zip;

mod artifacts;
mod envelopes;
mod statements;
mod zips;

/// One change of what is good.
enum Change {
    /// Of the bundle after it was signed; the key is for ECDSA, or for Ed25519.
    Bundle(fn(&Signed, &mut Value)),
    Ed25519(fn(&Signed, &mut Value)),
    /// Of the envelope, handed in without a bundle.
    Envelope(fn(&mut Value)),
    /// Of the statement before it is signed, or of its text.
    Statement(fn(&mut Value)),
    Text(fn(&str) -> Vec<u8>),
    /// Of the public key's file.
    Key(fn(&Signed) -> String),
    /// Of the parts of the file, of its zip (in layout `zip`), or of its bytes; its digest is given.
    Parts(fn(&mut Parts)),
    Zip(fn(&mut Zip)),
    Bytes(fn(&[u8]) -> Vec<u8>),
    /// Of the SBOM; the file's digest is given.
    Sbom(fn(&mut Value)),
    /// Of the lock; the file's digest is given.
    Lock(fn(&str) -> String),
    /// Of a checksum file.
    Checksums(fn(&str) -> String),
    /// Of anything that lies there, and another command.
    Command(&'static str, fn(&Signed)),
}

use Change::{Bytes, Checksums, Ed25519, Key, Lock, Sbom, Statement, Text};

type Case = (&'static str, &'static str, Change);

const SIGNED: &str = "demo.pyz --key key.pub";
const BUNDLE: &str = "demo.pyz.sigstore.json";
const DIGEST: &str = "demo.pyz --sha256 DIGEST";

fn set(value: &mut Value, pointer: &str, new: impl Into<Value>) {
    *value.pointer_mut(pointer).expect("a member") = new.into();
}

const fn command(name: &'static str, code: &'static str, arguments: &'static str, change: fn(&Signed)) -> Case {
    (name, code, Change::Command(arguments, change))
}

/// Codes that no case above can have, and why.
const OTHERS: &[(&str, &str)] = &[
    ("file-replaced", "a race: src/verify/mod.rs and tests/e2e/test_verify.py"),
    ("zip-contents", "of archives that are being written, and of `inspect`"),
    ("key-public", "of private keys, which `sign` reads"),
    ("key-encrypted", "of private keys"),
    ("key-encrypted-cosign", "of private keys"),
    ("key-sec1", "of private keys"),
    ("key-openssh", "of private keys"),
    ("key-range", "of private keys"),
    ("key-halves", "of private keys"),
    ("envelope-json", "of envelopes alone; one that is handed in is read as a bundle first"),
];

fn cases() -> impl Iterator<Item = &'static Case> {
    let tables = [envelopes::ENVELOPES, statements::STATEMENTS, artifacts::ARTIFACTS, zips::ZIPS];
    tables.into_iter().flatten()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// The good file with all that belongs to it, in a directory of its own.
fn good(key_type: KeyType) -> Signed {
    static MODELS: LazyLock<[Signed; 2]> = LazyLock::new(|| {
        [KeyType::P256, KeyType::Ed25519].map(|key_type| {
            let signed = signed_with(key_type);
            signed.sign(&signed.statement);
            let sums = format!("{}  demo.pyz\n", signed.facts.sha256);
            signed.place.write("SHA256SUMS", sums);
            let line =
                |wheel: &ManifestWheel| format!("{}=={} --hash=sha256:{}\n", wheel.name, wheel.version, wheel.sha256);
            let lock: String = signed.facts.manifest.wheels.iter().map(line).collect();
            signed.place.write("requirements.txt", lock);
            signed
        })
    });
    MODELS[usize::from(key_type == KeyType::Ed25519)].copy()
}

/// Makes the change; gives the arguments.
fn tamper(signed: &Signed, change: &Change) -> &'static str {
    let place = &signed.place;
    match change {
        Change::Bundle(change) | Ed25519(change) => {
            let mut bundle = read_json(&place.path(BUNDLE));
            change(signed, &mut bundle);
            place.write(BUNDLE, bundle.to_string());
        }
        Change::Envelope(change) => {
            std::fs::remove_file(place.path(BUNDLE)).unwrap();
            let envelope = Envelope::sign(signed.statement.clone(), &signed.key);
            let mut envelope = serde_json::from_slice(&envelope.to_bytes()).unwrap();
            change(&mut envelope);
            place.write("demo.pyz.dsse.json", envelope.to_string());
        }
        Statement(change) => {
            let mut statement = serde_json::from_slice(&signed.statement).unwrap();
            change(&mut statement);
            signed.sign(statement.to_string().as_bytes());
        }
        Text(change) => signed.sign(&change(std::str::from_utf8(&signed.statement).unwrap())),
        Key(change) => drop(place.write("key.pub", change(signed))),
        Change::Parts(change) => {
            let mut parts = parts(Extract);
            change(&mut parts);
            place.write("demo.pyz", parts.bytes());
            return DIGEST;
        }
        Change::Zip(change) => {
            let parts = parts(InPlace);
            let mut zip = parts.zip();
            change(&mut zip);
            place.write("demo.pyz", behind(&parts.shebang, zip));
            return DIGEST;
        }
        Bytes(change) => {
            let bytes = std::fs::read(place.file()).unwrap();
            place.write("demo.pyz", change(&bytes));
            return DIGEST;
        }
        Sbom(change) => {
            let mut sbom = read_json(&place.path("demo.pyz.cdx.json"));
            change(&mut sbom);
            place.write("demo.pyz.cdx.json", sbom.to_string());
            return "demo.pyz --sha256 DIGEST --sbom demo.pyz.cdx.json";
        }
        Lock(change) => {
            let lock = std::fs::read_to_string(place.path("requirements.txt")).unwrap();
            place.write("requirements.txt", change(&lock));
            return "demo.pyz --sha256 DIGEST --lock requirements.txt";
        }
        Checksums(change) => {
            let sums = std::fs::read_to_string(place.path("SHA256SUMS")).unwrap();
            place.write("SHA256SUMS", change(&sums));
            return "demo.pyz --checksums SHA256SUMS";
        }
        Change::Command(arguments, change) => {
            change(signed);
            return arguments;
        }
    }
    SIGNED
}

/// Runs `pyzpack verify` in the place, as a user would.
fn run(signed: &Signed, arguments: &str) -> (Option<i32>, String) {
    let digest = std::fs::read(signed.place.path(arguments.split(' ').next().unwrap_or_default()));
    let digest = Sha256Digest::of(&digest.unwrap_or_default()).to_string();
    let arguments = arguments.replace("DIGEST", &digest).replace("OTHER", &"0".repeat(64));
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyzpack"));
    command.arg("verify").args(arguments.split(' ')).current_dir(signed.place.path("."));
    let done = command.output().expect("the binary");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{arguments}");
    (done.status.code(), String::from_utf8(done.stdout).expect("UTF-8"))
}

#[test]
fn without_a_change_everything_passes() {
    for key_type in [KeyType::P256, KeyType::Ed25519] {
        for arguments in [
            DIGEST,
            SIGNED,
            "demo.pyz --checksums SHA256SUMS",
            "demo.pyz --sha256 DIGEST --sbom demo.pyz.cdx.json --lock requirements.txt",
            "demo.pyz --key key.pub --sbom demo.pyz.cdx.json --lock requirements.txt --checksums SHA256SUMS \
             --expect-builder https://pyzpack.dev/local/v1",
        ] {
            let (status, text) = run(&good(key_type), arguments);
            assert_eq!((status, text.lines().last()), (Some(0), Some("PASSED")), "{text}");
        }
    }
}

#[test]
fn each_case_is_refused_with_its_one_code() {
    let refused = |case: &Case| {
        let (name, code, change) = case;
        let key_type = if matches!(change, Ed25519(_)) { KeyType::Ed25519 } else { KeyType::P256 };
        let signed = good(key_type);
        let arguments = tamper(&signed, change);
        let (status, text) = run(&signed, arguments);
        let problems = text.lines().filter_map(|line| line.strip_prefix("problem: "));
        let codes: BTreeSet<&str> = problems.filter_map(|problem| problem.split(':').next()).collect();
        let last = text.lines().last().unwrap_or_default();
        let right = status == Some(1) && last == format!("FAILED {code}") && codes == BTreeSet::from([*code]);
        (!right).then(|| format!("{name}: expected {code}, found {last} with {codes:?}, status {status:?}"))
    };
    let wrong: Vec<String> = cases().collect::<Vec<_>>().into_par_iter().filter_map(refused).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_code_is_without_a_case() {
    let of_cases: BTreeSet<&str> = cases().map(|(_, code, _)| *code).collect();
    let of_others: BTreeSet<&str> = OTHERS.iter().map(|(code, _)| *code).collect();
    let known: BTreeSet<&str> = CODES.iter().map(|known| known.code).collect();
    let both: Vec<_> = of_cases.intersection(&of_others).collect();
    let missing: Vec<_> = known.iter().filter(|code| !of_cases.contains(*code) && !of_others.contains(*code)).collect();
    assert!(both.is_empty() && missing.is_empty(), "twice: {both:?}, without a case: {missing:?}");
    let names: BTreeSet<&str> = cases().map(|(name, _, _)| *name).collect();
    assert_eq!(names.len(), cases().count(), "each has a name of its own");
}
