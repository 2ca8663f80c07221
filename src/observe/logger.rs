//! The operational log: `tracing` events as the lines of spec 70 §1.1, on the sink of the access records.
//!
//! Owns the way from an event to a line. An event never blocks the thread that it happens on, shards included; what
//! finds no room is counted as lost. Spans are not recorded.

use std::error::Error;
use std::fmt::{Debug, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::sink::{Batch, Sink, StreamKind};
use crate::record::{Format, Level, Line, Timestamp};

/// Somebody has set up a log for this process already.
#[derive(Debug, thiserror::Error)]
#[error("a log is set up already")]
pub struct AlreadyInstalled;

/// A layer that writes events to a sink.
#[derive(Debug)]
pub struct LogLayer {
    sink: Sink,
    format: Format,
    level: Level,
}

impl LogLayer {
    /// A layer for events of `level` and above.
    #[must_use]
    pub fn new(sink: Sink, format: Format, level: Level) -> LogLayer {
        LogLayer { sink, format, level }
    }

    /// Makes this the log of the process.
    ///
    /// # Errors
    /// When the process has one.
    pub fn install(self) -> Result<(), AlreadyInstalled> {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(self)).map_err(|_| AlreadyInstalled)
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        metadata.is_event() && level_of(metadata).is_some_and(|level| level >= self.level)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.level {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        })
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let Some(level) = level_of(event.metadata()) else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = Timestamp::from_unix_nanoseconds(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        let mut bytes = self.sink.spare().unwrap_or_default();
        encode(event, self.format, level, &timestamp, &mut bytes);
        let kind = StreamKind::Operational;
        if let Err(refused) = self.sink.send(Batch { bytes, records: 1, kind }) {
            self.sink.count_lost(kind, refused.records);
        }
    }
}

/// None for what is below the least level that there is.
fn level_of(metadata: &Metadata<'_>) -> Option<Level> {
    match *metadata.level() {
        tracing::Level::ERROR => Some(Level::Error),
        tracing::Level::WARN => Some(Level::Warn),
        tracing::Level::INFO => Some(Level::Info),
        tracing::Level::DEBUG => Some(Level::Debug),
        tracing::Level::TRACE => None,
    }
}

fn encode(event: &Event<'_>, format: Format, level: Level, timestamp: &Timestamp, out: &mut Vec<u8>) {
    let mut message = MessageVisitor(String::new());
    event.record(&mut message);
    let line = Line::begin(out, format, timestamp, level, &message.0);
    let mut attributes = AttributeVisitor { line, group: None };
    event.record(&mut attributes);
    attributes.leave_group();
    attributes.line.end();
}

const MESSAGE: &str = "message";

/// Finds the message, which stands before the attributes whatever its place among the fields.
struct MessageVisitor(String);

impl Visit for MessageVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.0.push_str(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            // Writing to a string fails only when the value's own formatting does.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Writes the other fields. Neighbours named `group.member` form a group.
struct AttributeVisitor<'o> {
    line: Line<'o>,
    group: Option<&'static str>,
}

impl<'o> AttributeVisitor<'o> {
    /// Writes the name of a field; nothing when it is the message.
    fn name(&mut self, field: &Field) -> Option<&mut Line<'o>> {
        if field.name() == MESSAGE {
            return None;
        }
        let (group, member) = match field.name().split_once('.') {
            Some((group, member)) => (Some(group), member),
            None => (None, field.name()),
        };
        if group != self.group {
            self.leave_group();
            if let Some(group) = group {
                self.line.begin_group(group);
                self.group = Some(group);
            }
        }
        self.line.name(group, member);
        Some(&mut self.line)
    }

    fn leave_group(&mut self) {
        if self.group.take().is_some() {
            self.line.end_group();
        }
    }
}

impl Visit for AttributeVisitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if let Some(line) = self.name(field) {
            line.float(value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if let Some(line) = self.name(field) {
            line.integer(value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some(line) = self.name(field) {
            line.integer(value);
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        if let Some(line) = self.name(field) {
            line.integer(value);
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        if let Some(line) = self.name(field) {
            line.integer(value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if let Some(line) = self.name(field) {
            line.boolean(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(line) = self.name(field) {
            line.string(value.as_bytes());
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if let Some(line) = self.name(field) {
            line.string(value.to_string().as_bytes());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if let Some(line) = self.name(field) {
            line.string(format!("{value:?}").as_bytes());
        }
    }
}
