//! The command line: arguments become plain settings, the library does the work, a report says what came of it. The
//! environment, the clock and the terminal are read here and nowhere else.

mod build;
mod cache;
mod diff;
mod document;
mod inspect;
mod keygen;
mod keys;
mod lock;
mod normalize;
mod observer;
mod options;
mod plan;
mod provenance;
mod report;
mod reproduce;
mod sbom;
mod session;
mod settings;
mod sign;
mod verify;
mod wheel;
mod world;

use std::borrow::Cow;
use std::io::{self, Write};

use clap::ArgMatches;

use crate::redact::{redact_keys, redact_url};
use crate::status::Status;

/// Runs the command that `arguments` ask for, and tells how it ended.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Status {
    let matches = match options::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are answers, and go to standard output.
            let status = if error.use_stderr() { Status::Usage } else { Status::Done };
            return if print_answer(&error).is_ok() { status } else { Status::Machine };
        }
    };
    match matches.subcommand() {
        Some(("build", matches)) => build::run(matches, build::Purpose::Build),
        Some(("plan", matches)) => build::run(matches, build::Purpose::Plan),
        Some(("lock", matches)) => lock::run(matches),
        Some(("wheel", matches)) => wheel::run(matches),
        Some(("inspect", matches)) => inspect::run(matches),
        Some(("diff", matches)) => diff::run(matches),
        Some(("reproduce", matches)) => reproduce::run(matches),
        Some(("normalize", matches)) => normalize::run(matches),
        Some(("verify", matches)) => verify::run(matches),
        Some(("sbom", matches)) => sbom::run(matches),
        Some(("provenance", matches)) => provenance::run(matches),
        Some(("keygen", matches)) => keygen::run(matches),
        Some(("sign", matches)) => sign::run(matches),
        Some(("cache", matches)) => cache::run(matches),
        Some(("completions", matches)) => complete(matches),
        Some(("man", _)) => write_manual(),
        _ => Status::Usage,
    }
}

/// Prints what the parser of arguments answers. A value that it quotes may be a URL with a credential, or a key.
fn print_answer(error: &clap::Error) -> io::Result<()> {
    let text = error.render().to_string();
    if error.use_stderr() && (text.contains("PRIVATE KEY") || redact_keys(&text) != text) {
        report::fail(&keys::KeySourceError::Inline);
        return Ok(());
    }
    match redact_url(&text) {
        Cow::Borrowed(_) => error.print(),
        Cow::Owned(shown) => write!(io::stderr(), "{shown}"),
    }
}

fn complete(matches: &ArgMatches) -> Status {
    let Some(shell) = matches.get_one::<clap_complete::Shell>("shell") else { return Status::Usage };
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut options::command(), "pyzpack", &mut script);
    print_bytes(&script)
}

/// The manual: the command's own page, then one for each verb.
fn write_manual() -> Status {
    let command = options::command();
    let mut pages = Vec::new();
    let verbs = command.get_subcommands().map(|verb| verb.clone().name(format!("pyzpack-{}", verb.get_name())));
    for page in std::iter::once(command.clone()).chain(verbs.collect::<Vec<_>>()) {
        if let Err(error) = clap_mangen::Man::new(page).render(&mut pages) {
            return report::fail_io("write the manual", &error);
        }
    }
    print_bytes(&pages)
}

/// Writes a result to standard output. A reader that has had enough is no failure.
fn print_bytes(bytes: &[u8]) -> Status {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => report::fail_io("write to standard output", &error),
        _ => Status::Done,
    }
}
