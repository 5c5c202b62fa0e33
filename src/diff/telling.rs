//! What two texts that stand in the same place tell of why they differ: two times, two paths, the same words in another order,
//! two identifiers. These are guesses by the look of them.

use super::cause::CauseKind;

/// Why two texts that stand in the same place differ, where they themselves tell.
pub(super) fn explain_pair(one: &str, other: &str) -> Option<CauseKind> {
    if one.len() > 100_000 || other.len() > 100_000 {
        return None;
    }
    let (paths, other_paths) = (mask_paths(one), mask_paths(other));
    if paths.1 != other_paths.1 && paths.0 == other_paths.0 {
        return Some(CauseKind::Path);
    }
    let (digits, other_digits) = (mask(one, |c| c.is_ascii_digit()), mask(other, |c| c.is_ascii_digit()));
    if (digits == other_digits && is_time(one) && is_time(other))
        || (mask_names(&digits) == mask_names(&other_digits) && has_clock(one) && has_clock(other))
    {
        return Some(CauseKind::Time);
    }
    let words = |text: &'_ str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (mut ours, mut theirs) = (words(one), words(other));
    if ours != theirs {
        ours.sort_unstable();
        theirs.sort_unstable();
        if ours == theirs {
            return Some(CauseKind::Unsorted);
        }
    }
    let hex = |text: &str| mask_runs(text, 8, |c| c.is_ascii_hexdigit() || c == '-');
    let base64 = |text: &str| mask_runs(text, 20, |c| c.is_ascii_alphanumeric() || "+/_-=".contains(c));
    let is_masked = |one: &str, masked: &str| one != masked;
    if (hex(one) == hex(other) && is_masked(one, &hex(one)))
        || (base64(one) == base64(other) && is_masked(one, &base64(one)))
    {
        return Some(CauseKind::Random);
    }
    None
}

/// With what a path of a build begins, whatever stands before it, as in `-I/home/a`.
const ROOTS: [&str; 9] = ["/home/", "/tmp/", "/root/", "/build/", "/builds/", "/usr/", "/var/", "/private/", "/Users/"];

/// The text with absolute paths taken out, and those.
fn mask_paths(text: &str) -> (String, Vec<&str>) {
    let mut masked = String::with_capacity(text.len());
    let mut paths = Vec::new();
    let mut rest = text;
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>:;,()[]{}|".contains(c);
    while let Some(at) = rest.find('/') {
        let before = rest[..at].chars().next_back();
        let tail = &rest[at..];
        let length = tail.find(ends).unwrap_or(tail.len());
        let path = &tail[..length];
        let rooted = ROOTS.iter().any(|root| path.starts_with(root));
        let begins = rooted || before.is_none_or(|c| !(c.is_alphanumeric() || "._-~/*".contains(c)));
        // `file:///home` has its path behind two slashes.
        let is_path = begins && path.matches('/').count() >= 2;
        masked.push_str(&rest[..at]);
        if is_path {
            masked.push('\0');
            paths.push(path);
        } else {
            masked.push_str(path);
        }
        rest = &tail[length..];
    }
    masked.push_str(rest);
    (masked, paths)
}

fn mask(text: &str, hides: impl Fn(char) -> bool) -> String {
    mask_runs(text, 1, hides)
}

/// The text with each run of `least` or more such characters as one mark.
fn mask_runs(text: &str, least: usize, hides: impl Fn(char) -> bool) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut run = String::new();
    let end = |run: &mut String, masked: &mut String| {
        if run.chars().count() >= least && run.chars().any(|c| c.is_ascii_digit()) {
            masked.push('\0');
        } else {
            masked.push_str(run);
        }
        run.clear();
    };
    for character in text.chars() {
        if hides(character) {
            run.push(character);
        } else {
            end(&mut run, &mut masked);
            masked.push(character);
        }
    }
    end(&mut run, &mut masked);
    masked
}

const NAMES: [&str; 19] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu",
    "Fri", "Sat", "Sun",
];

/// The text without names of months and days.
fn mask_names(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, name| text.replace(name, "\0"))
}

/// Whether a time of day with its two colons or its one stands in the text, digits around them.
fn has_clock(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .windows(5)
        .any(|window| window[2] == b':' && [0, 1, 3, 4].iter().all(|at: &usize| window[*at].is_ascii_digit()))
}

/// Whether a date, a time of day, or seconds since 1970 stand in the text.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_date = bytes.windows(10).any(|window| {
        let digits = [0, 1, 2, 3, 5, 6, 8, 9].iter().all(|at: &usize| window[*at].is_ascii_digit());
        digits && matches!(window[4], b'-' | b'/' | b'.') && window[7] == window[4]
    });
    let seconds = text.split(|c: char| !c.is_ascii_digit()).any(|run| {
        // From 2001 to 2128, in seconds, in thousandths or in thousand-millionths.
        matches!(run.len(), 10 | 13 | 16 | 19) && matches!(run.as_bytes()[0], b'1'..=b'4')
    });
    is_date || has_clock(text) || seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_lines_tell_why_they_differ() {
        for (one, other, cause) in [
            ("built 2026-03-01 10:00", "built 2026-03-02 11:30", Some(CauseKind::Time)),
            ("# Sun Mar  1 10:00:02 UTC 2026", "# Mon Mar  2 09:10:12 UTC 2026", Some(CauseKind::Time)),
            ("time = 1700000000.5", "time = 1700000111.7", Some(CauseKind::Time)),
            ("cc -I/home/a/include x.c", "cc -I/tmp/b/include x.c", Some(CauseKind::Path)),
            ("\"url\": \"file:///home/a\"", "\"url\": \"file:///tmp/b\"", Some(CauseKind::Path)),
            ("{'b', 'a'}", "{'a', 'b'}", Some(CauseKind::Unsorted)),
            ("id = 6fa459ea-ee8a-3ca4", "id = 16fd2706-8baf-433b", Some(CauseKind::Random)),
            ("x = 1", "x = 2", None),
            ("a.b = c", "a/b = c", None),
            ("version 1.2.3", "version 1.2.4", None),
            ("a/b", "c/d", None),
            ("", "", None),
        ] {
            assert_eq!(explain_pair(one, other), cause, "{one} | {other}");
        }
    }
}
