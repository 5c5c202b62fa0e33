//! `pyzpack sign`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::ArgMatches;

use crate::evidence::{Claims, SigningKey};
use crate::process::interrupt;
use crate::shown::shown_in_line;
use crate::signing::{Form, SignSettings, sign};
use crate::status::Status;

use super::provenance::read_claims;
use super::{keys, print_bytes, report};

pub(super) fn run(matches: &ArgMatches) -> Status {
    if let Err(error) = interrupt::install(|| {}) {
        return report::fail_io("answer signals", &error);
    }
    let text = |name| matches.get_one::<String>(name).map(String::as_str);
    let name = text("key").unwrap_or_default();
    let key = match keys::read_key(name, SigningKey::from_pem) {
        Ok(key) => key,
        Err(error) => return report::fail(&error),
    };
    let file = PathBuf::from(text("file").unwrap_or_default());
    let claims = match claims(matches) {
        Ok(claims) => claims,
        Err(status) => return status,
    };
    let settings = SignSettings {
        file,
        claims,
        sbom: matches.get_flag("sbom"),
        form: if matches.get_flag("envelope") { Form::Envelope } else { Form::Bundle },
        output: text("output").map(PathBuf::from),
        key_file: Some(PathBuf::from(name)),
    };
    let written = match sign(&settings, &key) {
        Ok(written) => written,
        Err(error) => return report::fail(&error),
    };
    let (key, mut lines) = (key.public(), String::new());
    for signed in written {
        let path = signed.path.display().to_string();
        let path = shown_in_line(&path);
        let _ = writeln!(lines, "{path}: {}, signed with {} key {}", signed.what, key.key_type(), key.id());
    }
    print_bytes(lines.as_bytes())
}

/// What the options say of the build; none where they say nothing.
fn claims(matches: &ArgMatches) -> Result<Option<Claims>, Status> {
    let any = ["builder-id", "source", "index-url", "extra-index-url"].iter().any(|name| matches.contains_id(name));
    if any { read_claims(matches).map(Some) } else { Ok(None) }
}
