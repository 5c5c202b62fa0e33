//! RECORD by its rows (PEP 376): which files it lists on one side alone, and of which it says something else. What is no row
//! of three fields is told as the line that it is.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::Line;

/// How many rows are told.
const MOST_ROWS: usize = 1_000;

/// Compares two RECORDs; `changed` tells whether a file of that name differs anyway, or is on one side alone.
pub(super) struct RecordDifference {
    pub(super) lines: Vec<Line>,
    pub(super) left_out: usize,
    /// Whether every row that differs is of a file that does.
    pub(super) follows: bool,
    /// Whether the rows are the same, in another order or spelling.
    pub(super) same_rows: bool,
}

pub(super) fn compare_records(first: &str, second: &str, changed: impl Fn(&str) -> bool) -> RecordDifference {
    let (ours, theirs) = (rows(first), rows(second));
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut found = RecordDifference { lines: Vec::new(), left_out: 0, follows: true, same_rows: true };
    for path in paths {
        let (one, other) = (ours.get(path), theirs.get(path));
        if one == other {
            continue;
        }
        found.same_rows = false;
        found.follows &= changed(path);
        if found.lines.len() >= MOST_ROWS {
            found.left_out += 1;
            continue;
        }
        let show = |rows: &[String]| rows.iter().map(|row| format!("{path},{row}")).collect::<Vec<_>>();
        found.lines.extend(one.map(|rows| show(rows)).unwrap_or_default().into_iter().map(Line::First));
        found.lines.extend(other.map(|rows| show(rows)).unwrap_or_default().into_iter().map(Line::Second));
    }
    found.follows &= !found.same_rows;
    found
}

/// What stands behind each path.
fn rows(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (path, rest) = match line.strip_prefix('"') {
            // Quoted, with quotes in it doubled (RFC 4180).
            Some(quoted) => match quoted.split_once("\",") {
                Some((path, rest)) => (path.replace("\"\"", "\""), rest),
                None => (line.to_owned(), ""),
            },
            None => match line.split_once(',') {
                Some((path, rest)) => (path.to_owned(), rest),
                None => (line.to_owned(), ""),
            },
        };
        rows.entry(path).or_default().push(rest.to_owned());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_by_path() {
        let first = "a.py,sha256=aa,1\n\"b,c.py\",sha256=bb,2\ngone.py,sha256=cc,3\nx.dist-info/RECORD,,\n";
        let second = "x.dist-info/RECORD,,\n\"b,c.py\",sha256=b0,2\na.py,sha256=aa,1\nnew.py,,\n";
        let found = compare_records(first, second, |path| path == "b,c.py");
        let lines: Vec<String> =
            found.lines.iter().map(Line::parts).map(|(mark, text)| format!("{mark}{text}")).collect();
        assert_eq!(lines, ["-b,c.py,sha256=bb,2", "+b,c.py,sha256=b0,2", "-gone.py,sha256=cc,3", "+new.py,,"]);
        assert!(!found.follows && !found.same_rows);
        assert!(compare_records(first, second, |_| true).follows);
        assert!(compare_records("a,,\nb,,\n", "b,,\r\na,,\r\n", |_| false).same_rows);
    }
}
