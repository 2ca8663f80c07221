//! Durations as the configuration writes them (spec 10 §1.5): `5s`, `1m30s`, `1.5h`.
//!
//! Owns the grammar only. What sign a setting accepts, and what an empty text means, is the setting's own business.

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing there, or only a sign.
    #[error("is empty")]
    Empty,
    /// A number is missing where one has to start.
    #[error("has no number before its unit")]
    NumberMissing,
    /// A number without a unit; only a bare `0` may do without.
    #[error("has a number without a unit (ns, us, ms, s, m, h)")]
    UnitMissing,
    /// A unit that does not exist; there are no days or weeks.
    #[error("has an unknown unit (known: ns, us, ms, s, m, h)")]
    UnitUnknown,
    /// More than a signed 64-bit count of nanoseconds, about 292 years.
    #[error("is longer than 292 years")]
    TooLong,
}

/// Units with their length in nanoseconds. Both spellings of micro are in use: U+00B5 and U+03BC.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Digits of a fraction that can still change the result: a nanosecond is 1 / 3.6e12 of the longest unit.
const FRACTION_DIGITS_MAX: u32 = 18;

/// Parses a duration and returns nanoseconds, negative when the text says so.
///
/// # Errors
/// One [`DurationError`] for the first thing that is wrong; blanks anywhere are wrong.
pub fn parse_nanoseconds(text: &str) -> Result<i64, DurationError> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    if rest == "0" {
        return Ok(0);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = parse_term(rest)?;
        total = total.checked_add(nanoseconds).ok_or(DurationError::TooLong)?;
        rest = after;
    }
    if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() }.ok_or(DurationError::TooLong)
}

/// One number with its unit at the start of `text`, and what follows it.
fn parse_term(text: &str) -> Result<(u64, &str), DurationError> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::NumberMissing);
    }
    let unit_end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    if unit.is_empty() {
        return Err(DurationError::UnitMissing);
    }
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::UnitUnknown)?;
    let whole = decimal(whole).ok_or(DurationError::TooLong)?;
    let nanoseconds = whole.checked_mul(*unit).ok_or(DurationError::TooLong)?;
    let nanoseconds = nanoseconds.checked_add(part_of(fraction, *unit)).ok_or(DurationError::TooLong)?;
    Ok((nanoseconds, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn decimal(digits: &str) -> Option<u64> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

/// `0.fraction` of a unit, rounded down. Digits past the resolution are ignored, however many there are.
fn part_of(fraction: &str, unit: u64) -> u64 {
    let mut scale: u128 = 1;
    let mut value: u128 = 0;
    for digit in fraction.bytes().take(FRACTION_DIGITS_MAX as usize) {
        value = value * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    u64::try_from(value * u128::from(unit) / scale).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{DurationError, parse_nanoseconds};

    #[test]
    fn durations_of_the_grammar() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("-5s", -5_000_000_000),
            ("500ms", 500_000_000),
            ("1m30s", 90_000_000_000),
            ("90m", 5_400_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("0.5h", 1_800_000_000_000),
            ("100\u{b5}s", 100_000),
            ("100\u{3bc}s", 100_000),
            ("100us", 100_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("0.0000000001s", 0),
            ("0.3333333333333333333333333333333333h", 1_200_000_000_000 - 1),
            ("2562047h", 9_223_369_200_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse_nanoseconds(text), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_duration() {
        use DurationError::{Empty, NumberMissing, TooLong, UnitMissing, UnitUnknown};
        for (text, error) in [
            ("", Empty),
            ("+", Empty),
            ("-", Empty),
            ("5", UnitMissing),
            ("00", UnitMissing),
            ("1.5", UnitMissing),
            ("5s30", UnitMissing),
            ("1.2.3s", UnitMissing),
            ("s", NumberMissing),
            (".s", NumberMissing),
            (".", NumberMissing),
            ("abc", NumberMissing),
            ("--5s", NumberMissing),
            (" 5s", NumberMissing),
            ("PT5S", NumberMissing),
            ("5 s", UnitUnknown),
            ("5s ", UnitUnknown),
            ("1d", UnitUnknown),
            ("2w", UnitUnknown),
            ("5S", UnitUnknown),
            ("5sec", UnitUnknown),
            ("1h-5m", UnitUnknown),
            ("1e3s", UnitUnknown),
            ("5,5s", UnitUnknown),
            ("5s5m5\u{e9}", UnitUnknown),
            ("9223372036854775808ns", TooLong),
            ("-9223372036854775809ns", TooLong),
            ("2562048h", TooLong),
            ("99999999999999999999s", TooLong),
        ] {
            assert_eq!(parse_nanoseconds(text), Err(error), "{text}");
        }
    }
}
