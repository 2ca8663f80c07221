//! The watchdog: checks the Engine's socket every so often, and says when it goes and when it comes back (spec 60 §7).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::reach::{Observation, connect_blocking};
use crate::limits;
use crate::observe::Metrics;

/// A running watchdog; dropping it ends it.
pub(super) struct Watchdog {
    _stop: flume::Sender<()>,
}

/// What it is started with.
pub(super) struct Watch {
    pub(super) socket: PathBuf,
    pub(super) interval: Duration,
    pub(super) observation: Arc<Observation>,
    pub(super) metrics: Option<Arc<Metrics>>,
}

impl Watchdog {
    /// Checks at once, then every interval.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(super) fn start(watch: Watch) -> std::io::Result<Watchdog> {
        let (stop, stopped) = flume::bounded::<()>(0);
        std::thread::Builder::new().name("watchdog".to_owned()).stack_size(128 << 10).spawn(move || {
            let mut checks = Checks { last: None, watch };
            loop {
                checks.tick();
                // Disconnected when the watchdog was dropped.
                if stopped.recv_timeout(checks.watch.interval) != Err(flume::RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Watchdog { _stop: stop })
    }
}

struct Checks {
    watch: Watch,
    last: Option<(Instant, Result<(), String>)>,
}

impl Checks {
    fn tick(&mut self) {
        let outcome = self.check();
        let is_up = outcome.is_ok();
        if let Some(metrics) = &self.watch.metrics {
            metrics.watchdog_checked(is_up);
        }
        let before = self.watch.observation.record(is_up);
        if before.is_some_and(|before| before != is_up) {
            let upstream_socket = self.watch.socket.display().to_string();
            const MESSAGE: &str = "upstream socket watchdog state changed";
            match &outcome {
                Ok(()) => tracing::info!(upstream_socket, upstream_status = "connected", up = true, "{MESSAGE}"),
                Err(error) => {
                    tracing::warn!(upstream_socket, upstream_status = "unreachable", up = false, %error, "{MESSAGE}");
                }
            }
        }
    }

    /// One check, or the last one's outcome while it is fresh.
    fn check(&mut self) -> Result<(), String> {
        if let Some((at, outcome)) = &self.last {
            let ttl = if outcome.is_ok() { limits::HEALTH_SUCCESS_TTL } else { limits::HEALTH_FAILURE_TTL };
            if at.elapsed() < ttl {
                return outcome.clone();
            }
        }
        let outcome = connect_blocking(&self.watch.socket, limits::HEALTH_CONNECT_TIMEOUT);
        let outcome = outcome.map_err(|error| error.to_string());
        self.last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}
