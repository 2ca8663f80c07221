//! RFC 3339 timestamps in UTC (spec 70 §1.1).
//!
//! Owns the calendar arithmetic of records. It reads no clock: the caller says what time it is.

/// `2026-01-02T15:04:05.123456789Z`
const NANOSECOND_FORM_BYTES: usize = 30;
/// `2026-01-02T15:04:05`, the part that changes once a second.
const SECOND_FORM_BYTES: usize = 19;
/// `2026-01-02T15:04:05.123`, the part that both forms share.
const MILLISECOND_DIGITS_END: usize = 23;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// One formatted moment. Access record and audit event of a request share it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timestamp([u8; NANOSECOND_FORM_BYTES]);

impl Timestamp {
    /// Formats a moment that is given in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn from_unix_nanoseconds(nanoseconds: u64) -> Timestamp {
        TimestampFormatter::new().format(nanoseconds)
    }

    /// The form of JSON records: nanoseconds and `Z`.
    #[must_use]
    pub fn nanosecond_form(&self) -> &[u8] {
        &self.0
    }

    /// Appends the form of text records: milliseconds and `Z`.
    pub fn push_millisecond_form(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0[..MILLISECOND_DIGITS_END]);
        out.push(b'Z');
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Timestamp({})", self.0.escape_ascii())
    }
}

/// Formats moments and remembers the last second, so that only the fraction is written anew within it.
#[derive(Clone, Debug)]
pub struct TimestampFormatter {
    second: u64,
    latest: Timestamp,
}

impl TimestampFormatter {
    /// A formatter that has the epoch in memory.
    #[must_use]
    pub fn new() -> TimestampFormatter {
        TimestampFormatter { second: 0, latest: Timestamp(*b"1970-01-01T00:00:00.000000000Z") }
    }

    /// Formats a moment that is given in nanoseconds since the Unix epoch.
    pub fn format(&mut self, nanoseconds: u64) -> Timestamp {
        let second = nanoseconds / NANOSECONDS_PER_SECOND;
        if second != self.second {
            self.second = second;
            write_second(&mut self.latest.0, second);
        }
        let fraction = nanoseconds % NANOSECONDS_PER_SECOND;
        write_digits(&mut self.latest.0[SECOND_FORM_BYTES + 1..NANOSECOND_FORM_BYTES - 1], fraction);
        self.latest
    }
}

impl Default for TimestampFormatter {
    fn default() -> Self {
        TimestampFormatter::new()
    }
}

/// Writes date and time of day over the digits of `form`; the separators are there already.
fn write_second(form: &mut [u8; NANOSECOND_FORM_BYTES], second: u64) {
    let (year, month, day) = civil_date(second / SECONDS_PER_DAY);
    let of_day = second % SECONDS_PER_DAY;
    write_digits(&mut form[0..4], year);
    write_digits(&mut form[5..7], month);
    write_digits(&mut form[8..10], day);
    write_digits(&mut form[11..13], of_day / 3600);
    write_digits(&mut form[14..16], of_day / 60 % 60);
    write_digits(&mut form[17..19], of_day % 60);
}

/// Year, month and day of a day since the epoch, in the proleptic Gregorian calendar.
///
/// Counted from 1 March of year 0, the leap day is the last of its year, and a month's length depends on its number
/// alone: five months are 153 days.
fn civil_date(days_since_epoch: u64) -> (u64, u64, u64) {
    const DAYS_TO_EPOCH: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = days_since_epoch + DAYS_TO_EPOCH;
    let of_era = days % DAYS_PER_ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = days / DAYS_PER_ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Writes the last digits of `value`, as many as `digits` has room for.
fn write_digits(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(timestamp: &Timestamp) -> (String, String) {
        let mut milliseconds = Vec::new();
        timestamp.push_millisecond_form(&mut milliseconds);
        (String::from_utf8(timestamp.nanosecond_form().to_vec()).unwrap(), String::from_utf8(milliseconds).unwrap())
    }

    #[test]
    fn known_moments() {
        for (nanoseconds, nanosecond_form, millisecond_form) in [
            (0, "1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:00.000Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999999999Z", "2000-02-28T23:59:59.999Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z", "2000-02-29T00:00:00.000Z"),
            (951_868_800_000_000_000, "2000-03-01T00:00:00.000000000Z", "2000-03-01T00:00:00.000Z"),
            (1_767_366_245_123_456_789, "2026-01-02T15:04:05.123456789Z", "2026-01-02T15:04:05.123Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z", "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z", "2554-07-21T23:34:33.709Z"),
        ] {
            let forms = shown(&Timestamp::from_unix_nanoseconds(nanoseconds));
            assert_eq!(forms, (nanosecond_form.to_owned(), millisecond_form.to_owned()));
        }
    }

    #[test]
    fn a_formatter_that_remembers_agrees_with_a_fresh_one() {
        let mut formatter = TimestampFormatter::new();
        let start = 1_767_225_599_000_000_000;
        for step in [0, 1, 999_999_999, 1_000_000_000, 1_000_000_001, 500, 86_400_000_000_000, 0] {
            assert_eq!(formatter.format(start + step), Timestamp::from_unix_nanoseconds(start + step));
        }
    }

    #[test]
    fn every_day_follows_its_predecessor() {
        let mut previous = civil_date(0);
        for days in 1..80_000 {
            let (year, month, day) = civil_date(days);
            let next_day = (previous.0, previous.1, previous.2 + 1);
            let next_month = (previous.0, previous.1 + 1, 1);
            let next_year = (previous.0 + 1, 1, 1);
            assert!([next_day, next_month, next_year].contains(&(year, month, day)), "{year}-{month}-{day}");
            assert!(day <= 31 && month <= 12);
            previous = (year, month, day);
        }
    }
}
