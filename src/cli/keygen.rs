//! `pyzpack keygen`.

use std::path::PathBuf;

use clap::ArgMatches;

use crate::evidence::KeyType;
use crate::process::interrupt;
use crate::shown::shown_in_line;
use crate::signing::generate_keys;
use crate::status::Status;

use super::{print_bytes, report};

/// The names of the types, the first for those who name none.
pub(super) const TYPES: [&str; 2] = ["p256", "ed25519"];

pub(super) fn run(matches: &ArgMatches) -> Status {
    let path = PathBuf::from(matches.get_one::<String>("path").map_or("", String::as_str));
    let key_type = match matches.get_one::<String>("type").map(String::as_str) {
        Some("ed25519") => KeyType::Ed25519,
        _ => KeyType::P256,
    };
    if let Err(error) = interrupt::install(|| {}) {
        return report::fail_io("answer signals", &error);
    }
    match generate_keys(&path, key_type) {
        Ok(pair) => {
            let paths = format!("{}, {}", path.display(), pair.public.display());
            let line = format!("{}: {key_type} key {}\n", shown_in_line(&paths), pair.id);
            print_bytes(line.as_bytes())
        }
        Err(error) => report::fail(&error),
    }
}
