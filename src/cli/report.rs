//! What is said at the end: an error with its reason and the next step, or a result.

use std::io::{self, Write};

use crate::redact::{redact_keys, redact_url};
use crate::shown::shown;
use crate::status::{Explain, Status};

/// Says an error, its causes and its hint on standard error; gives the status to exit with.
pub(super) fn fail(error: &dyn Explain) -> Status {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(reason) = cause {
        let text = reason.to_string();
        // Some errors of other crates say their cause themselves.
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = reason.source();
    }
    say(&format!("error: {message}"));
    if let Some(hint) = error.hint() {
        say(&format!("hint: {hint}"));
    }
    error.status()
}

/// Says a line on standard error, or nothing where that is full or closed: the exit status still tells.
pub(super) fn say(line: &str) {
    // Paths and values may be URLs that were meant for another place: no credential leaves by a message. What it quotes
    // may be anything, and a terminal obeys what it is sent.
    let _ = writeln!(io::stderr(), "{}", redact_keys(&redact_url(&shown(line))));
}

/// Says that the machine does not let something be done.
pub(super) fn fail_io(what: &str, error: &io::Error) -> Status {
    say(&format!("error: cannot {what}: {error}"));
    Status::Machine
}

/// A number of bytes for people: `812 B`, `5.98 MB`, in powers of 1000.
pub(super) fn size(bytes: u64) -> String {
    let hundredths = |unit: u64| (u128::from(bytes) * 100 + u128::from(unit) / 2) / u128::from(unit);
    // What rounds to 1000 of a unit is one of the next.
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..999_500 => format!("{} kB", (bytes + 500) / 1_000),
        999_500..999_995_000 => format!("{}.{:02} MB", hundredths(1_000_000) / 100, hundredths(1_000_000) % 100),
        _ => format!("{}.{:02} GB", hundredths(1_000_000_000) / 100, hundredths(1_000_000_000) % 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_sizes_as_people_do() {
        let said = [0, 999, 1_000, 812_499, 812_500, 999_499, 999_500, 5_980_000].map(size);
        assert_eq!(said, ["0 B", "999 B", "1 kB", "812 kB", "813 kB", "999 kB", "1.00 MB", "5.98 MB"]);
        assert_eq!([999_994_999, 999_995_000, 1_500_000_000].map(size), ["999.99 MB", "1.00 GB", "1.50 GB"]);
    }
}
