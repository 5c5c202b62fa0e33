//! Fields of headers in words, and why those of many entries differ as they do.

use super::cause::CauseKind;
use super::difference::{Difference, hex};
use crate::archive::{Descriptor, LenientZip, extra_fields};
use crate::shown::count;

/// 1980-01-01 00:00:00, the first moment of MS-DOS, which stands for none.
const UNSET: u32 = 0x0021_0000;

/// Why time stamps differ.
pub(super) fn explain_times(first: &LenientZip, second: &LenientZip, times: &[(u32, u32)]) -> (CauseKind, String) {
    let seconds = |(one, other): &(u32, u32)| seconds_of(*one).zip(seconds_of(*other)).map(|(one, other)| other - one);
    let shift = seconds(&times[0]);
    let constant = times.iter().all(|pair| seconds(pair) == shift);
    let spread = |zip: &LenientZip| {
        let mut found: Vec<u32> = zip.entries.iter().map(|entry| entry.central.time_and_date).collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    };
    let spreads = (spread(first), spread(second));
    let earliest = |side: fn(&(u32, u32)) -> u32| times.iter().map(side).min().unwrap_or_default();
    let (one, other) = (show_time(earliest(|pair| pair.0)), show_time(earliest(|pair| pair.1)));
    let unset = times.iter().any(|(one, other)| *one == UNSET || *other == UNSET);
    if let Some(shift) = shift.filter(|shift| constant && !unset && shift % 900 == 0 && shift.abs() <= 26 * 3600) {
        let text = format!("time stamps differ by {} everywhere: packed in another time zone", show_shift(shift));
        return (CauseKind::TimeZone, text);
    }
    let is_fixed = |side: fn(&(u32, u32)) -> u32| times.iter().all(|pair| side(pair) == UNSET);
    let why = match (is_fixed(|pair| pair.0), is_fixed(|pair| pair.1)) {
        _ if spreads == (1, 1) && first.entries.len() > 1 => {
            "built with two values of SOURCE_DATE_EPOCH, or without it"
        }
        (true, _) => "the second was built without SOURCE_DATE_EPOCH",
        (_, true) => "the first was built without SOURCE_DATE_EPOCH",
        _ => "built without SOURCE_DATE_EPOCH",
    };
    let text = format!("time stamps differ ({one}, {other}): {why}");
    (CauseKind::TimeStamps, text)
}

/// Why modes differ: by a umask where one side lacks nothing but bits that a umask takes.
pub(super) fn explain_modes(modes: &[(u32, u32)]) -> String {
    let mut taken = (0, 0);
    let mut executable = true;
    for (one, other) in modes {
        taken.0 |= other & !one;
        taken.1 |= one & !other;
        executable &= one ^ other == 0o111 & (one ^ other);
    }
    if executable {
        return "some files are executable in one and not in the other".to_owned();
    }
    let masks = |bits: u32| bits & !0o077 == 0;
    match taken {
        (0, mask) | (mask, 0) if masks(mask) => {
            format!("modes differ by the bits {mask:04o}: built under another umask")
        }
        _ => "modes differ: other permissions of the sources, or another tool that writes them".to_owned(),
    }
}

pub(super) fn explain_extra(found: &[&Difference]) -> String {
    let has = |text: &str| found.iter().any(|one| one.sides.iter().flatten().any(|side| side.contains(text)));
    match () {
        () if has("0x5455") || has("0x7875") || has("0x5855") => {
            "extra fields hold times of files, or user and group (zip without -X)".to_owned()
        }
        () if has("0x0001") => "one writes zip64's extra field".to_owned(),
        () if has("0xcafe") => "one has the extra field of Java's jar".to_owned(),
        () => "extra fields differ: another tool wrote them".to_owned(),
    }
}

/// Seconds since 1980 of an MS-DOS time (4.4.6), as far as its fields make one; months count as 31 days.
fn seconds_of(time_and_date: u32) -> Option<i64> {
    let [year, month, day, hour, minute, second] = parts_of(time_and_date);
    let sound = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    // Days from the civil calendar, counted from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    sound.then(|| ((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn parts_of(time_and_date: u32) -> [i64; 6] {
    let (date, time) = (i64::from(time_and_date >> 16), i64::from(time_and_date & 0xffff));
    [1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2]
}

pub(super) fn show_time(time_and_date: u32) -> String {
    let [year, month, day, hour, minute, second] = parts_of(time_and_date);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn show_shift(seconds: i64) -> String {
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() % 3600 / 60);
    let sign = if seconds < 0 { '-' } else { '+' };
    if minutes == 0 { format!("{sign}{hours} h") } else { format!("{sign}{hours} h {minutes} min") }
}

/// As `ls` writes it, and in octal digits.
pub(super) fn show_mode(mode: u32) -> String {
    format!("{mode:06o}")
}

pub(super) fn show_system(system: u16) -> String {
    match system {
        0 => "MS-DOS (0)".to_owned(),
        3 => "unix (3)".to_owned(),
        10 => "Windows (10)".to_owned(),
        19 => "macOS (19)".to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn show_version(version: u16) -> String {
    format!("{}.{}", version / 10, version % 10)
}

pub(super) fn show_flags(flags: u16) -> String {
    let names = [(0, "encrypted"), (3, "data descriptor"), (11, "UTF-8")];
    let mut said: Vec<String> =
        names.iter().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, name)| (*name).to_owned()).collect();
    match flags >> 1 & 3 {
        1 => said.push("best compression".to_owned()),
        2 => said.push("fast compression".to_owned()),
        3 => said.push("fastest compression".to_owned()),
        _ => {}
    }
    if said.is_empty() { format!("{flags:#06x}") } else { format!("{flags:#06x} ({})", said.join(", ")) }
}

pub(super) fn show_method(method: u16) -> String {
    match method {
        0 => "stored".to_owned(),
        8 => "deflated".to_owned(),
        9 => "deflate64".to_owned(),
        12 => "bzip2".to_owned(),
        14 => "LZMA".to_owned(),
        93 => "zstd".to_owned(),
        95 => "xz".to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn show_descriptor(descriptor: Descriptor) -> String {
    match descriptor {
        Descriptor::None => "none".to_owned(),
        Descriptor::Signed(length) => format!("{length} bytes, signed"),
        Descriptor::Bare(length) => format!("{length} bytes, without signature"),
        Descriptor::Missing => "announced, and not there".to_owned(),
    }
}

/// The numbers of extra fields, and their bytes.
pub(super) fn show_extra(extra: &[u8]) -> String {
    if extra.is_empty() {
        return "none".to_owned();
    }
    let fields = extra_fields(extra).take(8).map(|(id, contents)| format!("{id:#06x}:{}", hex(contents)));
    fields.collect::<Vec<_>>().join(" ")
}

pub(super) fn quote(bytes: &[u8]) -> String {
    if bytes.is_empty() { "none".to_owned() } else { format!("`{}`", String::from_utf8_lossy(bytes)) }
}

pub(super) fn count_bytes(bytes: u64) -> String {
    count(usize::try_from(bytes).unwrap_or(usize::MAX), "byte")
}
