//! The one time that every entry of an archive carries.

use std::fmt;

/// Seconds since 1970-01-01 00:00:00 UTC, within what a zip entry can hold: 1980-01-01 00:00:00 to
/// 2107-12-31 23:59:58, always even (APPNOTE 4.4.6: MS-DOS time counts two seconds at a time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a whole number of seconds since 1970: `{0}`")]
pub struct EpochError(String);

/// 1980-01-01 00:00:00 UTC, the first moment that a zip can hold.
const FIRST: u64 = 315_532_800;
/// 2107-12-31 23:59:58 UTC, the last.
const LAST: u64 = 4_354_819_198;

impl Default for Epoch {
    /// 1980-01-01 00:00:00 UTC.
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Epoch {
    /// Reads a value of `SOURCE_DATE_EPOCH`; the second value tells whether it lay outside what a zip can hold.
    ///
    /// # Errors
    /// When `text` is not a whole, non-negative decimal number.
    pub fn parse(text: &str) -> Result<(Self, bool), EpochError> {
        let refused = || EpochError(text.to_owned());
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        let significant = text.trim_start_matches('0');
        // More digits than a u64 holds is merely a very late time.
        let seconds = if significant.len() > 19 { u64::MAX } else { text.parse().map_err(|_| refused())? };
        let epoch = Self::clamped(seconds);
        Ok((epoch, epoch.0 != seconds & !1))
    }

    /// The nearest moment to `seconds` that a zip can hold, rounded down to an even second.
    pub fn clamped(seconds: u64) -> Self {
        Self(seconds.clamp(FIRST, LAST) & !1)
    }

    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// The time and date words of a zip header (APPNOTE 4.4.6), in UTC.
    pub(crate) fn dos_time_and_date(self) -> (u16, u16) {
        let (year, month, day) = civil_from_days(self.0 / 86_400);
        let second = self.0 % 86_400;
        let time = (second / 3_600) << 11 | (second / 60 % 60) << 5 | (second % 60 / 2);
        let date = (year - 1980) << 9 | month << 5 | day;
        let word = |value: u64| u16::try_from(value).expect("an Epoch lies within MS-DOS time");
        (word(time), word(date))
    }
}

/// Year, month and day (from 1) of a day counted from 1970-01-01, in the proleptic Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0 / 86_400);
        let second = self.0 % 86_400;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(formatter, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamps_to_what_a_zip_can_hold_and_says_so() {
        for (text, time, clamped) in [
            ("0", "1980-01-01T00:00:00Z", true),
            ("315532799", "1980-01-01T00:00:00Z", true),
            ("315532800", "1980-01-01T00:00:00Z", false),
            ("315532801", "1980-01-01T00:00:00Z", false),
            ("1582934400", "2020-02-29T00:00:00Z", false),
            ("1893455998", "2029-12-31T23:59:58Z", false),
            ("4354819198", "2107-12-31T23:59:58Z", false),
            ("4354819200", "2107-12-31T23:59:58Z", true),
            ("99999999999999999999999", "2107-12-31T23:59:58Z", true),
        ] {
            let (epoch, changed) = Epoch::parse(text).unwrap();
            assert_eq!((epoch.to_string().as_str(), changed), (time, clamped), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_whole_number() {
        for text in ["", " 1", "1.0", "-1", "+1", "0x10", "1e9", "now", "١"] {
            assert_eq!(Epoch::parse(text), Err(EpochError(text.to_owned())));
        }
    }

    #[test]
    fn packs_time_and_date_as_ms_dos_did() {
        assert_eq!(Epoch::default().dos_time_and_date(), (0, 0x0021));
        // 2107-12-31 23:59:58: 127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29
        assert_eq!(Epoch(LAST).dos_time_and_date(), (0xBF7D, 0xFF9F));
    }
}
