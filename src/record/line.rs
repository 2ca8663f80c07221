//! One log line, in JSON or in text (spec 70 §1.1).
//!
//! Owns the syntax between the values: members, groups, separators, the line end. Which members a record has is said in
//! [`access`](super::access) and [`audit`](super::audit); the operational log uses the same lines.

use super::escape::{push_json_string, push_text_value};
use super::timestamp::Timestamp;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Text,
}

impl Format {
    /// The format of this name in the configuration.
    #[must_use]
    pub fn parse(name: &str) -> Option<Format> {
        [Format::Json, Format::Text].into_iter().find(|format| format.name() == name)
    }

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Text => "text",
        }
    }
}

/// Importance of a record, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For finding faults.
    Debug,
    /// What happens in ordinary operation.
    Info,
    /// What somebody should look at.
    Warn,
    /// What failed.
    Error,
}

impl Level {
    /// The level of this name in the configuration: lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Level> {
        [Level::Debug, Level::Info, Level::Warn, Level::Error].into_iter().find(|level| level.name() == name)
    }

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }

    /// The value in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }
}

/// The name of a member together with what precedes its value, in both formats, so that it is appended in one piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) json: &'static str,
    pub(super) text: &'static str,
}

/// The [`Key`] of a name that needs no escaping.
macro_rules! key {
    ($name:literal) => {
        $crate::record::line::Key { json: concat!(",\"", $name, "\":"), text: concat!(" ", $name, "=") }
    };
}
pub(super) use key;

/// A line that is being written at the end of a buffer.
#[derive(Debug)]
pub struct Line<'o> {
    out: &'o mut Vec<u8>,
    format: Format,
}

impl<'o> Line<'o> {
    /// Begins a record with its time, level and message.
    pub fn begin(out: &'o mut Vec<u8>, format: Format, timestamp: &Timestamp, level: Level, message: &str) -> Line<'o> {
        match format {
            Format::Json => {
                out.extend_from_slice(b"{\"time\":\"");
                out.extend_from_slice(timestamp.nanosecond_form());
                out.extend_from_slice(b"\",\"level\":\"");
                out.extend_from_slice(level.as_str().as_bytes());
                out.extend_from_slice(b"\",\"msg\":");
                push_json_string(out, message.as_bytes());
            }
            Format::Text => {
                out.extend_from_slice(b"time=");
                timestamp.push_millisecond_form(out);
                out.extend_from_slice(b" level=");
                out.extend_from_slice(level.as_str().as_bytes());
                out.extend_from_slice(b" msg=");
                push_text_value(out, message.as_bytes());
            }
        }
        Line { out, format }
    }

    /// Carries on a JSON object that the caller has opened and given its first member.
    pub(super) fn of_object(out: &'o mut Vec<u8>) -> Line<'o> {
        Line { out, format: Format::Json }
    }

    /// Begins a member whose name is not known beforehand; its value must follow. `group` is the name of the open group,
    /// which text records repeat.
    pub fn name(&mut self, group: Option<&str>, name: &str) {
        match self.format {
            Format::Json => {
                // The first member of a group follows its brace.
                if !self.out.ends_with(b"{") {
                    self.out.push(b',');
                }
                push_json_string(self.out, name.as_bytes());
                self.out.push(b':');
            }
            Format::Text => {
                self.out.push(b' ');
                if let Some(group) = group {
                    push_text_value(self.out, group.as_bytes());
                    self.out.push(b'.');
                }
                push_text_value(self.out, name.as_bytes());
                self.out.push(b'=');
            }
        }
    }

    /// Opens a group of members.
    pub fn begin_group(&mut self, name: &str) {
        match self.format {
            Format::Json => {
                self.out.push(b',');
                push_json_string(self.out, name.as_bytes());
                self.out.extend_from_slice(b":{");
            }
            Format::Text => {}
        }
    }

    /// Closes the open group.
    pub fn end_group(&mut self) {
        match self.format {
            Format::Json => self.out.push(b'}'),
            Format::Text => {}
        }
    }

    /// A string value.
    pub fn string(&mut self, value: &[u8]) {
        match self.format {
            Format::Json => push_json_string(self.out, value),
            Format::Text => push_text_value(self.out, value),
        }
    }

    /// An integer value.
    pub fn integer(&mut self, value: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A truth value.
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A floating-point value, in its shortest decimal form. What JSON has no number for becomes a string.
    pub fn float(&mut self, value: f64) {
        use std::io::Write;
        if value.is_finite() {
            // Writing to a vector does not fail.
            let _ = write!(self.out, "{value}");
        } else {
            let name = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            self.string(name.as_bytes());
        }
    }

    /// Microseconds, shown as milliseconds with as many decimals as needed.
    pub fn milliseconds(&mut self, microseconds: u64) {
        self.integer(microseconds / 1000);
        let mut fraction = microseconds % 1000;
        let mut digits = 3;
        if fraction == 0 {
            return;
        }
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        self.out.push(b'.');
        for position in (0..digits).rev() {
            self.out.push(b'0' + (fraction / 10_u64.pow(position) % 10) as u8);
        }
    }

    /// Ends the record.
    pub fn end(self) {
        match self.format {
            Format::Json => self.out.extend_from_slice(b"}\n"),
            Format::Text => self.out.push(b'\n'),
        }
    }

    /// Begins a member; its value must follow.
    pub(super) fn key(&mut self, key: Key) -> &mut Self {
        let piece = match self.format {
            Format::Json => key.json,
            Format::Text => key.text,
        };
        self.out.extend_from_slice(piece.as_bytes());
        self
    }

    /// A string whose characters are known to need no escaping, and which is not empty in a text record.
    pub(super) fn verbatim(&mut self, value: &[u8]) {
        match self.format {
            Format::Json => {
                self.out.push(b'"');
                self.out.extend_from_slice(value);
                self.out.push(b'"');
            }
            Format::Text => self.out.extend_from_slice(value),
        }
    }

    /// The buffer behind the line, for values with a form of their own.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, write: impl Fn(&mut Line)) -> String {
        let mut out = Vec::new();
        let timestamp = Timestamp::from_unix_nanoseconds(1_767_366_245_123_456_789);
        let mut line = Line::begin(&mut out, format, &timestamp, Level::Warn, "two words");
        write(&mut line);
        line.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_and_groups() {
        let write = |line: &mut Line| {
            line.name(None, "path");
            line.string(b"/a b");
            line.begin_group("throttle");
            line.name(Some("throttle"), "client_id");
            line.string(b"ci");
            line.name(Some("throttle"), "cost");
            line.float(2.5);
            line.end_group();
            line.name(None, "up");
            line.boolean(false);
            line.name(None, "odd \"name\"");
            line.integer(-1);
        };
        assert_eq!(
            line(Format::Json, write),
            "{\"time\":\"2026-01-02T15:04:05.123456789Z\",\"level\":\"WARN\",\"msg\":\"two words\",\"path\":\"/a b\",\
             \"throttle\":{\"client_id\":\"ci\",\"cost\":2.5},\"up\":false,\"odd \\\"name\\\"\":-1}\n"
        );
        assert_eq!(
            line(Format::Text, write),
            "time=2026-01-02T15:04:05.123Z level=WARN msg=\"two words\" path=\"/a b\" throttle.client_id=ci \
             throttle.cost=2.5 up=false \"odd \\\"name\\\"\"=-1\n"
        );
    }

    #[test]
    fn milliseconds_keep_microseconds() {
        for (microseconds, expected) in [
            (0, "0"),
            (1, "0.001"),
            (10, "0.01"),
            (100, "0.1"),
            (120, "0.12"),
            (999, "0.999"),
            (1000, "1"),
            (1234, "1.234"),
            (10_500, "10.5"),
            (60_000_001, "60000.001"),
            (u64::MAX, "18446744073709551.615"),
        ] {
            let mut out = Vec::new();
            Line::of_object(&mut out).milliseconds(microseconds);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn floats_stay_json() {
        for (value, expected) in [
            (1.0, "1"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"+Inf\""),
            (f64::NEG_INFINITY, "\"-Inf\""),
        ] {
            let mut out = Vec::new();
            Line::of_object(&mut out).float(value);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn levels_are_ordered() {
        assert!(Level::Debug < Level::Info && Level::Info < Level::Warn && Level::Warn < Level::Error);
    }
}
