//! Text, line by line: the shortest edit that turns one into the other (Myers 1986), as a unified diff.
//!
//! The work is bounded: where more than [`MOST_EDITS`] lines differ, one block replaces another.

use std::collections::HashMap;

use super::cause::CauseKind;
use super::difference::{LINE, Line};
use super::telling::explain_pair;

/// How many edits are looked for before a block as a whole counts as replaced.
const MOST_EDITS: usize = 1_000;

/// How many steps that takes at most, about.
const MOST_STEPS: usize = 50_000_000;

/// How many unchanged lines are shown around changed ones.
const CONTEXT: usize = 3;

/// How many lines are kept of one text.
const MOST_LINES: usize = 1_000;

/// How far into a long line the place where two differ is looked for.
const LEAD: usize = 60;

/// A stretch of lines that differs: `first` of one text is replaced by `second` of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hunk {
    first: std::ops::Range<usize>,
    second: std::ops::Range<usize>,
}

/// What came of comparing two texts.
pub(super) struct TextDifference {
    pub(super) lines: Vec<Line>,
    pub(super) left_out: usize,
    pub(super) removed: usize,
    pub(super) added: usize,
    /// What the pairs of lines tell; none where one of them tells nothing.
    pub(super) cause: Option<CauseKind>,
}

/// The text in these bytes; none where they are not text.
pub(super) fn as_text(bytes: &[u8]) -> Option<&str> {
    let is_binary = |byte: &u8| *byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    if bytes.iter().any(is_binary) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// Compares two texts that differ.
pub(super) fn compare_texts(first: &str, second: &str) -> TextDifference {
    let (old, new) = (lines(first), lines(second));
    let hunks = find_hunks(&old, &new);
    let (removed, added) =
        hunks.iter().fold((0, 0), |(removed, added), hunk| (removed + hunk.first.len(), added + hunk.second.len()));
    let mut lines = Vec::new();
    let mut left_out = 0;
    for group in groups(&hunks) {
        let group = &hunks[group];
        if lines.len() >= MOST_LINES {
            left_out += group.iter().map(|hunk| hunk.first.len() + hunk.second.len()).sum::<usize>();
        } else {
            render(group, &old, &new, &mut lines);
        }
    }
    if lines.len() > MOST_LINES {
        left_out += lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
    }
    TextDifference { lines, left_out, removed, added, cause: find_cause(&hunks, &old, &new) }
}

/// The lines with their ends, so that a last one without is another one.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The stretches that differ, in order.
fn find_hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (rest, other) = (&old[head..], &new[head..]);
    let tail = rest.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    let (one, two) = number_lines(&rest[..rest.len() - tail], &other[..other.len() - tail]);
    let mut hunks = Vec::new();
    for (first, second) in edits(&one, &two) {
        hunks
            .push(Hunk { first: first.start + head..first.end + head, second: second.start + head..second.end + head });
    }
    hunks
}

/// The lines as numbers, which compare faster.
fn number_lines<'t>(old: &[&'t str], new: &[&'t str]) -> (Vec<u32>, Vec<u32>) {
    let mut numbers: HashMap<&'t str, u32> = HashMap::new();
    let mut number = |line: &&'t str| {
        let next = u32::try_from(numbers.len()).expect("a text that is compared by lines has few enough");
        *numbers.entry(line).or_insert(next)
    };
    (old.iter().map(&mut number).collect(), new.iter().map(&mut number).collect())
}

type Ranges = (std::ops::Range<usize>, std::ops::Range<usize>);

/// The stretches of a shortest edit, by Myers' greedy algorithm; the whole as one stretch where it would be too long.
fn edits(one: &[u32], two: &[u32]) -> Vec<Ranges> {
    if one.is_empty() && two.is_empty() {
        return Vec::new();
    }
    let whole = vec![(0..one.len(), 0..two.len())];
    if one.is_empty() || two.is_empty() {
        return whole;
    }
    let lines = one.len() + two.len();
    let most = lines.min(MOST_EDITS).min(MOST_STEPS / lines + 10);
    // furthest[k] is how far in `one` a path on the diagonal k = x - y gets; a copy is kept of each round.
    let mut furthest = vec![0_usize; 2 * most + 3];
    let at = |diagonal: isize| (diagonal + most.cast_signed() + 1).cast_unsigned();
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for round in 0..=most {
        let reach = round.cast_signed();
        rounds.push(furthest[at(-reach) - usize::from(round > 0)..=at(reach) + usize::from(round > 0)].to_vec());
        let mut diagonal = -reach;
        while diagonal <= reach {
            let down =
                diagonal == -reach || (diagonal != reach && furthest[at(diagonal - 1)] < furthest[at(diagonal + 1)]);
            let mut x = if down { furthest[at(diagonal + 1)] } else { furthest[at(diagonal - 1)] + 1 };
            // A step beyond an end is none.
            let mut y = x.cast_signed() - diagonal;
            while x < one.len() && y >= 0 && y.cast_unsigned() < two.len() && one[x] == two[y.cast_unsigned()] {
                x += 1;
                y += 1;
            }
            furthest[at(diagonal)] = x;
            if x >= one.len() && y >= two.len().cast_signed() {
                return walk_back(&rounds, one.len(), two.len());
            }
            diagonal += 2;
        }
    }
    whole
}

/// The stretches of the path that was found, from its end.
fn walk_back(rounds: &[Vec<usize>], mut x: usize, mut y: usize) -> Vec<Ranges> {
    let mut stretches: Vec<Ranges> = Vec::new();
    for (round, furthest) in rounds.iter().enumerate().skip(1).rev() {
        let reach = round.cast_signed();
        let diagonal = x.cast_signed() - y.cast_signed();
        let get = |diagonal: isize| furthest[(diagonal + reach + 1).cast_unsigned()];
        let down = diagonal == -reach || (diagonal != reach && get(diagonal - 1) < get(diagonal + 1));
        let before = if down { diagonal + 1 } else { diagonal - 1 };
        let start_x = get(before);
        let start_y = (start_x.cast_signed() - before).max(0).cast_unsigned();
        let (end_x, end_y) = if down { (start_x, start_y + 1) } else { (start_x + 1, start_y) };
        match stretches.last_mut() {
            Some((first, second)) if first.start == end_x && second.start == end_y => {
                first.start = start_x;
                second.start = start_y;
            }
            _ => stretches.push((start_x..end_x, start_y..end_y)),
        }
        (x, y) = (start_x, start_y);
    }
    stretches.reverse();
    stretches
}

/// Which hunks stand so near each other that they are shown together.
fn groups(hunks: &[Hunk]) -> Vec<std::ops::Range<usize>> {
    let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, hunk) in hunks.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if hunk.first.start - hunks[group.end - 1].first.end <= 2 * CONTEXT => group.end = index + 1,
            _ => groups.push(index..index + 1),
        }
    }
    groups
}

fn render(group: &[Hunk], old: &[&str], new: &[&str], lines: &mut Vec<Line>) {
    let [first, .., last] = group else {
        let [only] = group else { return };
        return render_between(std::slice::from_ref(only), only, only, old, new, lines);
    };
    render_between(group, first, last, old, new, lines);
}

fn render_between(group: &[Hunk], first: &Hunk, last: &Hunk, old: &[&str], new: &[&str], lines: &mut Vec<Line>) {
    let lead = first.first.start.min(CONTEXT);
    let trail = (old.len() - last.first.end).min(CONTEXT);
    let place = |start: usize, length: usize| match length {
        1 => format!("{}", start + 1),
        // An empty stretch stands behind a line.
        0 => format!("{start},0"),
        _ => format!("{},{length}", start + 1),
    };
    let (from, to) = (first.first.start - lead, first.second.start - lead);
    let lengths = (last.first.end + trail - from, last.second.end + trail - to);
    lines.push(Line::Place(format!("@@ -{} +{} @@", place(from, lengths.0), place(to, lengths.1))));
    let mut at = from;
    for hunk in group {
        lines.extend(old[at..hunk.first.start].iter().map(|line| Line::Both(excerpt(line, None))));
        for (index, line) in old[hunk.first.clone()].iter().enumerate() {
            let partner = new[hunk.second.clone()].get(index).copied();
            lines.push(Line::First(excerpt(line, partner)));
        }
        for (index, line) in new[hunk.second.clone()].iter().enumerate() {
            let partner = old[hunk.first.clone()].get(index).copied();
            lines.push(Line::Second(excerpt(line, partner)));
        }
        at = hunk.first.end;
    }
    lines.extend(old[at..at + trail].iter().map(|line| Line::Both(excerpt(line, None))));
}

/// A line as it is shown: without its end, where that is a newline; of a long one the place where it differs from `partner`.
fn excerpt(line: &str, partner: Option<&str>) -> String {
    let (bare, end) = match line.strip_suffix('\n') {
        Some(bare) => (bare, ""),
        None => (line, " [no newline at the end]"),
    };
    let length = bare.chars().count();
    if length <= LINE {
        return format!("{bare}{end}");
    }
    let same = partner.map_or(0, |partner| bare.chars().zip(partner.chars()).take_while(|(a, b)| a == b).count());
    let from = same.saturating_sub(LEAD);
    let shown: String = bare.chars().skip(from).take(LINE).collect();
    let lead = if from > 0 { format!("[{from} characters] ") } else { String::new() };
    let after = length.saturating_sub(from + LINE);
    let rest = if after > 0 { format!(" [{after} characters]") } else { String::new() };
    format!("{lead}{shown}{rest}{end}")
}

/// A line without its end.
fn bare(line: &str) -> String {
    line.trim_end_matches(['\r', '\n']).to_owned()
}

/// What the pairs of lines that took each other's place have in common, where each tells something.
fn find_cause(hunks: &[Hunk], old: &[&str], new: &[&str]) -> Option<CauseKind> {
    let all = |side: &[&str], ranges: Vec<std::ops::Range<usize>>| -> Vec<String> {
        let mut lines: Vec<String> = ranges.into_iter().flat_map(|range| side[range].to_vec()).map(bare).collect();
        lines.sort_unstable();
        lines
    };
    let removed = all(old, hunks.iter().map(|hunk| hunk.first.clone()).collect());
    let added = all(new, hunks.iter().map(|hunk| hunk.second.clone()).collect());
    if removed == added {
        let in_place = hunks.iter().all(|hunk| {
            let pairs = || old[hunk.first.clone()].iter().zip(&new[hunk.second.clone()]);
            hunk.first.len() == hunk.second.len() && pairs().all(|(one, other)| bare(one) == bare(other))
        });
        return Some(if in_place { CauseKind::LineEndings } else { CauseKind::Unsorted });
    }
    let mut found = None;
    for hunk in hunks {
        if hunk.first.len() != hunk.second.len() {
            return None;
        }
        for (one, other) in old[hunk.first.clone()].iter().zip(&new[hunk.second.clone()]) {
            let cause = explain_pair(one, other)?;
            found = Some(found.map_or(cause, |found: CauseKind| found.min(cause)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(first: &str, second: &str) -> Vec<String> {
        let lines = compare_texts(first, second).lines;
        lines.iter().map(Line::parts).map(|(mark, text)| format!("{mark}{text}")).collect()
    }

    #[test]
    fn a_unified_diff_has_three_lines_around_each_change() {
        let first = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n";
        let second = "1\n2\n3\n4\n5x\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\nnew";
        let expected = [
            "@@ -2,7 +2,7 @@",
            " 2",
            " 3",
            " 4",
            "-5",
            "+5x",
            " 6",
            " 7",
            " 8",
            "@@ -13,3 +13,4 @@",
            " 13",
            " 14",
            " 15",
            "+new [no newline at the end]",
        ];
        assert_eq!(shown(first, second), expected);
        assert_eq!(shown("", "a\n"), ["@@ -0,0 +1 @@", "+a"]);
        assert_eq!(shown("a\n", "a"), ["@@ -1 +1 @@", "-a", "+a [no newline at the end]"]);
    }

    #[test]
    fn of_a_long_line_the_place_that_differs_is_shown() {
        let (one, other) = (format!("{}x{}", "a".repeat(5_000), "b".repeat(5_000)), format!("{}y", "a".repeat(5_000)));
        let lines = shown(&one, &other);
        let expected = format!(
            "-[4940 characters] {}x{} [4661 characters] [no newline at the end]",
            "a".repeat(60),
            "b".repeat(339)
        );
        assert_eq!(lines[1], expected);
        assert_eq!(lines[2], format!("+[4940 characters] {}y [no newline at the end]", "a".repeat(60)));
    }

    #[test]
    fn texts_that_have_little_in_common_take_no_longer() {
        let text = |seed: u32| {
            let lines: Vec<String> =
                (0..200_000).map(|line| (u32::wrapping_mul(line, seed) % 997).to_string()).collect();
            lines.join("\n")
        };
        let found = compare_texts(&text(3), &text(7));
        assert_eq!(found.lines.len(), MOST_LINES);
    }

    #[test]
    fn one_pair_that_tells_nothing_leaves_the_cause_open() {
        let first = "a = '2026-03-01'\n\n\n\nx = 1\n";
        assert_eq!(compare_texts(first, &first.replace("-01", "-02")).cause, Some(CauseKind::Time));
        assert_eq!(compare_texts(first, "a = '2026-03-02'\n\n\n\nx = 2\n").cause, None);
        assert_eq!(compare_texts("a\nb\nc\n", "c\nb\na\n").cause, Some(CauseKind::Unsorted));
        assert_eq!(compare_texts("a\nb\n", "a\r\nb\r\n").cause, Some(CauseKind::LineEndings));
    }

    proptest! {
        /// What is equal stays, what is not is replaced: the second text comes of the first.
        #[test]
        fn hunks_turn_one_text_into_the_other(first in "[abc\n]{0,60}", second in "[abc\n]{0,60}") {
            let (old, new) = (lines(&first), lines(&second));
            let hunks = find_hunks(&old, &new);
            let mut made: Vec<&str> = Vec::new();
            let mut at = 0;
            for hunk in &hunks {
                prop_assert!(hunk.first.start >= at);
                made.extend(&old[at..hunk.first.start]);
                prop_assert_eq!(made.len(), hunk.second.start);
                made.extend(&new[hunk.second.clone()]);
                at = hunk.first.end;
            }
            made.extend(&old[at..]);
            prop_assert_eq!(made, new);
            let _ = compare_texts(&first, &second);
        }
    }
}
