//! Every metric family, once, in the order of the exposition (spec 70 §8).

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

impl Kind {
    /// The value of a `# TYPE` line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Name, kind and meaning of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Metric name.
    pub name: &'static str,
    /// What it measures.
    pub kind: Kind,
    /// Its `# HELP` text; no backslash and no line end.
    pub help: &'static str,
}

/// Constant 1, labelled with what was built.
pub const BUILD_INFO: Family = Family {
    name: "sockguard_build_info",
    kind: Kind::Gauge,
    help: "Constant 1, labelled with version, commit, build date and the compiler that built the process.",
};
/// When the process started.
pub const START_TIME: Family = Family {
    name: "sockguard_start_time_seconds",
    kind: Kind::Gauge,
    help: "Unix time at which the process started, in seconds.",
};
/// Completed requests.
pub const REQUESTS: Family =
    Family { name: "sockguard_http_requests_total", kind: Kind::Counter, help: "Completed requests." };
/// Requests that were denied, or would have been.
pub const DENIED_REQUESTS: Family = Family {
    name: "sockguard_http_denied_requests_total",
    kind: Kind::Counter,
    help: "Requests that were denied, or would have been under enforcement.",
};
/// How long requests took.
pub const REQUEST_DURATION: Family = Family {
    name: "sockguard_http_request_duration_seconds",
    kind: Kind::Histogram,
    help: "Time from a request to the end of its answer, stream or tunnel, in seconds.",
};
/// Requests in flight.
pub const ACTIVE_REQUESTS: Family = Family {
    name: "sockguard_http_requests_active",
    kind: Kind::Gauge,
    help: "Requests in flight, streams and tunnels included.",
};
/// Whether the Engine's socket accepts connections; absent until the watchdog has looked.
pub const SOCKET_UP: Family = Family {
    name: "sockguard_upstream_socket_up",
    kind: Kind::Gauge,
    help: "1 when the watchdog last reached the upstream socket, 0 when it did not.",
};
/// Checks of the watchdog.
pub const WATCHDOG_CHECKS: Family = Family {
    name: "sockguard_upstream_watchdog_checks_total",
    kind: Kind::Counter,
    help: "Checks of the upstream socket by the watchdog.",
};
/// Requests that a limit turned down, or would have.
pub const THROTTLED_REQUESTS: Family = Family {
    name: "sockguard_throttle_requests_total",
    kind: Kind::Counter,
    help: "Requests that a rate or concurrency limit denied, or would have denied under enforcement.",
};
/// Requests in flight of profiles with a concurrency limit.
pub const INFLIGHT_REQUESTS: Family = Family {
    name: "sockguard_inflight_requests",
    kind: Kind::Gauge,
    help: "Requests in flight of a profile with a concurrency limit.",
};
/// Outcomes of configuration reloads.
pub const RELOADS: Family =
    Family { name: "sockguard_config_reload_total", kind: Kind::Counter, help: "Configuration reloads by outcome." };
/// When a reload last succeeded; absent until one has.
pub const LAST_RELOAD: Family = Family {
    name: "sockguard_config_reload_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    help: "Unix time of the last successful configuration reload, in seconds.",
};

/// Every family, in the order of the exposition.
pub const ALL: [Family; 12] = [
    BUILD_INFO,
    START_TIME,
    REQUESTS,
    DENIED_REQUESTS,
    REQUEST_DURATION,
    ACTIVE_REQUESTS,
    SOCKET_UP,
    WATCHDOG_CHECKS,
    THROTTLED_REQUESTS,
    INFLIGHT_REQUESTS,
    RELOADS,
    LAST_RELOAD,
];
