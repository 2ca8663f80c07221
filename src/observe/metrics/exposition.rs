//! The Prometheus text format 0.0.4 (spec 70 §7).
//!
//! Owns the syntax. The encoder of `prometheus-client` is not used: it writes OpenMetrics (a closing `# EOF`, counters
//! whose `# TYPE` line lacks `_total`), and puts samples in the order of a hash table.

use super::names::Family;

/// Media type of the exposition.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Names and values of a sample's labels, in emission order.
pub(super) type Labels<'l> = &'l [(&'static str, &'l str)];

/// An exposition that is being written at the end of a buffer.
pub(super) struct Exposition<'o> {
    out: &'o mut Vec<u8>,
    name: &'static str,
}

impl<'o> Exposition<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Exposition<'o> {
        Exposition { out, name: "" }
    }

    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, family: Family) {
        self.name = family.name;
        for (keyword, text) in [("HELP", family.help), ("TYPE", family.kind.as_str())] {
            for piece in ["# ", keyword, " ", family.name, " ", text, "\n"] {
                self.out.extend_from_slice(piece.as_bytes());
            }
        }
    }

    /// A sample with an integer value.
    pub(super) fn integer(&mut self, labels: Labels<'_>, value: impl itoa::Integer) {
        self.suffixed_integer("", labels, value);
    }

    /// A sample of a family of several series, with an integer value.
    pub(super) fn suffixed_integer(&mut self, suffix: &str, labels: Labels<'_>, value: impl itoa::Integer) {
        self.head(suffix, labels);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.out.push(b'\n');
    }

    /// A sample in seconds.
    pub(super) fn suffixed_seconds(&mut self, suffix: &str, labels: Labels<'_>, microseconds: u64) {
        self.head(suffix, labels);
        push_seconds(self.out, microseconds);
        self.out.push(b'\n');
    }

    fn head(&mut self, suffix: &str, labels: Labels<'_>) {
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        if !labels.is_empty() {
            for (index, (name, value)) in labels.iter().enumerate() {
                self.out.push(if index == 0 { b'{' } else { b',' });
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"=\"");
                push_label_value(self.out, value);
                self.out.push(b'"');
            }
            self.out.push(b'}');
        }
        self.out.push(b' ');
    }
}

fn push_label_value(out: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            other => out.push(other),
        }
    }
}

/// Microseconds as seconds, in the shortest decimal form.
fn push_seconds(out: &mut Vec<u8>, microseconds: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(microseconds / 1_000_000).as_bytes());
    let fraction = microseconds % 1_000_000;
    if fraction > 0 {
        // With a leading 1, so that the zeros behind the point are written as well.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(1_000_000 + fraction).trim_end_matches('0');
        out.push(b'.');
        out.extend_from_slice(digits.as_bytes().get(1..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::names;

    #[test]
    fn samples() {
        let mut out = Vec::new();
        let mut exposition = Exposition::new(&mut out);
        exposition.family(names::REQUESTS);
        exposition.integer(&[("profile", "a\\b\"c\nd"), ("route", "/containers/{id}")], 7_u64);
        exposition.family(names::ACTIVE_REQUESTS);
        exposition.integer(&[], -1_i64);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "# HELP sockguard_http_requests_total Completed requests.\n# TYPE sockguard_http_requests_total counter\n\
             sockguard_http_requests_total{profile=\"a\\\\b\\\"c\\nd\",route=\"/containers/{id}\"} 7\n\
             # HELP sockguard_http_requests_active Requests in flight, streams and tunnels included.\n\
             # TYPE sockguard_http_requests_active gauge\nsockguard_http_requests_active -1\n"
        );
    }

    #[test]
    fn seconds_are_shortest_decimals() {
        for (microseconds, expected) in [
            (0, "0"),
            (1, "0.000001"),
            (100_000, "0.1"),
            (1_000_000, "1"),
            (1_234_500, "1.2345"),
            (1_767_366_245_123_456, "1767366245.123456"),
        ] {
            let mut out = Vec::new();
            push_seconds(&mut out, microseconds);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn families_are_distinct_and_printable() {
        for (index, family) in names::ALL.iter().enumerate() {
            assert!(names::ALL.iter().skip(index + 1).all(|other| other.name != family.name));
            assert!(!family.help.is_empty() && !family.help.contains(['\\', '\n']));
            assert_eq!(family.name.ends_with("_total"), family.kind == names::Kind::Counter);
        }
    }
}
