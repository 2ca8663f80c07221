//! What the process needs to know besides policy: facts that stay until it ends.
//!
//! Owns the typed form of the keys that are bound to sockets, files and threads. They change only with a restart
//! (spec 10 §2.3); what a reload can change is in [`Plan`](crate::policy::Plan).

use std::path::PathBuf;
use std::time::Duration;

use super::schema::Config;
use crate::observe::SinkTarget;
use crate::record::{Format, Level};

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
    pub level: Level,
    /// Format of the lines.
    pub format: Format,
    /// Where they go.
    pub output: SinkTarget,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Where the audit stream goes, when there is one.
    pub audit: Option<SinkTarget>,
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
    use crate::config::schema::{LOG_FORMATS, LOG_LEVELS};
    use crate::record::{Format, Level};

    #[test]
    fn names_are_those_of_the_schema() {
        for name in LOG_LEVELS {
            assert_eq!(Level::parse(name).map(Level::name), Some(*name));
        }
        for name in LOG_FORMATS {
            assert_eq!(Format::parse(name).map(Format::name), Some(*name));
        }
        assert!(Level::Debug < Level::Error && Level::parse("Info").is_none());
    }
}
