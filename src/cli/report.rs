//! What is said at the end: an error with its reason and the next step, or a result.

use std::io;

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
    eprintln!("error: {message}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
    error.status()
}

/// Says that the machine does not let something be done.
pub(super) fn fail_io(what: &str, error: &io::Error) -> Status {
    eprintln!("error: cannot {what}: {error}");
    Status::Machine
}

/// A number of bytes for people: `812 B`, `5.98 MB`, in powers of 1000.
pub(super) fn size(bytes: u64) -> String {
    let scaled = |unit: u64| {
        let hundredths = (u128::from(bytes) * 100 + u128::from(unit) / 2) / u128::from(unit);
        (hundredths / 100, hundredths % 100)
    };
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", scaled(1_000).0),
        1_000_000..1_000_000_000 => format!("{}.{:02} MB", scaled(1_000_000).0, scaled(1_000_000).1),
        _ => format!("{}.{:02} GB", scaled(1_000_000_000).0, scaled(1_000_000_000).1),
    }
}

/// `1 distribution`, `2 distributions`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_sizes_and_counts_as_people_do() {
        let said = [0, 999, 1_000, 812_499, 5_980_000, 1_500_000_000].map(size);
        assert_eq!(said, ["0 B", "999 B", "1 kB", "812 kB", "5.98 MB", "1.50 GB"]);
        assert_eq!((count(1, "file"), count(2, "file")), ("1 file".to_owned(), "2 files".to_owned()));
    }
}
