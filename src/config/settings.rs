//! What the process needs to know besides policy: facts that stay until it ends.
//!
//! Owns the typed form of the keys that are bound to sockets, files and threads. They change only with a restart
//! (spec 10 §2.3); what a reload can change is in [`Plan`](crate::policy::Plan).

use std::path::PathBuf;
use std::time::Duration;

use super::schema::Config;

/// Facts of the process, immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where clients connect.
    pub listen: ListenAddress,
    /// Path of the Engine's unix socket.
    pub upstream: PathBuf,
    /// Logs.
    pub log: LogSettings,
    /// The health endpoint, when it is served.
    pub health: Option<HealthSettings>,
    /// Time between two checks of the Engine's socket by the watchdog, when it runs. It runs without the endpoint, too.
    pub watchdog: Option<Duration>,
    /// The metrics endpoint, when it is served.
    pub metrics: Option<MetricsSettings>,
    /// How many shards serve; `None` is one for each core.
    pub shards: Option<usize>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A unix socket, mode 0600.
    Unix {
        /// Its path, used literally.
        path: PathBuf,
    },
    /// A TCP address.
    Tcp {
        /// `host:port` as configured.
        address: String,
    },
}

impl ListenAddress {
    /// The address that a configuration really listens on: a socket path wins over the address, which has a default
    /// and so is there also when nobody wants it.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        if config.listen.socket.is_empty() {
            Self::Tcp { address: config.listen.address.clone() }
        } else {
            Self::Unix { path: config.listen.socket.clone().into() }
        }
    }
}

impl std::fmt::Display for ListenAddress {
    /// `unix:PATH` or `tcp://ADDRESS`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix { path } => write!(out, "unix:{}", path.display()),
            Self::Tcp { address } => write!(out, "tcp://{address}"),
        }
    }
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Lowest level that is written.
    pub level: LogLevel,
    /// Format of the lines.
    pub format: LogFormat,
    /// Where they go.
    pub output: SinkTarget,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Where the audit stream goes, when there is one.
    pub audit: Option<SinkTarget>,
}

/// Levels of the operational log, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happened.
    Info,
    /// What an operator should look at.
    Warn,
    /// What failed.
    Error,
}

impl LogLevel {
    /// The level of this name, in lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" => Some(Self::Warn),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Formats of the operational log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// `key=value`.
    Text,
}

impl LogFormat {
    /// The format of this name, in lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

/// Where a stream of records goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkTarget {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, by absolute path; appended to.
    File(PathBuf),
}

/// Why a text names no sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be stderr, stdout, file:/absolute/path or /absolute/path without a .. segment")]
pub struct SinkError;

impl SinkTarget {
    /// Reads the four forms of spec 10 §2.1; blanks around them do not count.
    ///
    /// # Errors
    /// Any other word, a relative path, and a path with a `..` segment, which would hide where the file is.
    pub fn parse(text: &str) -> Result<Self, SinkError> {
        let text = text.trim();
        match text {
            "stderr" => return Ok(Self::Stderr),
            "stdout" => return Ok(Self::Stdout),
            _ => {}
        }
        let path = text.strip_prefix("file:").unwrap_or(text);
        let names_a_file = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
        if !names_a_file || path.split('/').any(|segment| segment == "..") {
            return Err(SinkError);
        }
        Ok(Self::File(path.into()))
    }
}

/// The health endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Its path.
    pub path: String,
}

/// The metrics endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Its path.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::{LogFormat, LogLevel, SinkError, SinkTarget};
    use crate::config::schema::{LOG_FORMATS, LOG_LEVELS};

    #[test]
    fn sinks() {
        let file = |path: &str| Ok(SinkTarget::File(path.into()));
        for (text, sink) in [
            ("stderr", Ok(SinkTarget::Stderr)),
            (" stdout ", Ok(SinkTarget::Stdout)),
            ("file:/var/log/a.log", file("/var/log/a.log")),
            ("/var/log/a.log", file("/var/log/a.log")),
            ("/var/log/..a/b..", file("/var/log/..a/b..")),
            ("", Err(SinkError)),
            ("STDERR", Err(SinkError)),
            ("syslog", Err(SinkError)),
            ("file:", Err(SinkError)),
            ("file:a.log", Err(SinkError)),
            ("a/b.log", Err(SinkError)),
            ("./a.log", Err(SinkError)),
            ("/var/log/../a.log", Err(SinkError)),
            ("file:/..", Err(SinkError)),
            ("file: /a", Err(SinkError)),
            ("/", Err(SinkError)),
            ("/var/log/", Err(SinkError)),
            ("/a\0b", Err(SinkError)),
        ] {
            assert_eq!(SinkTarget::parse(text), sink, "{text:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_schema() {
        for name in LOG_LEVELS {
            assert_eq!(LogLevel::parse(name).map(LogLevel::as_str), Some(*name));
        }
        for name in LOG_FORMATS {
            assert_eq!(LogFormat::parse(name).map(LogFormat::as_str), Some(*name));
        }
        assert!(LogLevel::Debug < LogLevel::Error && LogLevel::parse("Info").is_none());
    }
}
