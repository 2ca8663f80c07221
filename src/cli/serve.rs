//! `serve`: start-up in the order of spec 10 §3.1 and 70 §6, then the server until a signal ends it.

use std::sync::Arc;
use std::time::SystemTime;

use super::Failure;
use super::terminal::Terminal;
use crate::config::build::{BUILT, COMMIT, RUSTC, VERSION};
use crate::config::notice::{Notice, notices};
use crate::config::{Candidate, ConfigFile, Environment, Overrides, Settings, compile, unavailable};
use crate::control::Server;
use crate::observe::banner::{BannerFacts, banner};
use crate::observe::logger::LogLayer;
use crate::observe::{BuildInfo, LogStreams, Metrics, Observer, Sinks};
use crate::policy::Plan;
use crate::record::{Level, OwnershipContext};

const BUILD: BuildInfo = BuildInfo { version: VERSION, commit: COMMIT, date: BUILT, runtime: RUSTC };

/// Serves until a signal ends the process.
///
/// # Errors
/// The first stage of the start-up that fails, with its prefix; or the shard that ended unasked.
pub(super) fn run(overrides: &Overrides, file: &ConfigFile, terminal: &mut Terminal) -> Result<(), Failure> {
    crate::sys::heap::map_large_blocks();
    let environment: Environment = std::env::vars_os().collect();
    let candidate = Candidate::load(file, &environment, overrides)?;
    let (settings, plan) =
        compile(&candidate).map_err(|problems| Failure::Error(format!("config validation: {problems}")))?;
    let missing = unavailable(&candidate);
    if !missing.is_empty() {
        return Err(Failure::Error(format!("config validation: {missing}")));
    }
    let mut sinks = Sinks::default();
    let served = serve(&candidate, &settings, &plan, &mut sinks, terminal);
    sinks.close();
    served
}

fn serve(
    candidate: &Candidate,
    settings: &Settings,
    plan: &Plan,
    sinks: &mut Sinks,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let log = &settings.log;
    let operational = sinks.open(&log.output).map_err(|error| Failure::Error(format!("logger: {error}")))?;
    let (format, level) = (log.format, log.level);
    LogLayer::new(operational.clone(), format, level)
        .install()
        .map_err(|error| Failure::Error(format!("logger: {error}")))?;
    let audit = log.audit.as_ref().map(|target| sinks.open(target)).transpose();
    let audit = audit.map_err(|error| Failure::Error(format!("audit logger: {error}")))?;
    notices(candidate, plan).iter().for_each(say);
    let streams = LogStreams { operational, format, level, access: log.access_log, audit };
    let metrics = settings.metrics.as_ref().map(|_| Metrics::new(BUILD, SystemTime::now()));
    let observer = Arc::new(Observer { streams, metrics });
    let ownership = &candidate.config.ownership;
    let ownership = OwnershipContext { owner: ownership.owner.clone(), label_key: ownership.label_key.clone() };
    let server = Server::bind(settings, plan.clone(), ownership, observer)?;
    let upstream = settings.upstream.display().to_string();
    let rules = plan.rules.rules().len();
    server.run(|address| {
        let facts = BannerFacts {
            build: BUILD,
            listeners: &[address.to_owned()],
            admin: None,
            upstream: &upstream,
            rules,
            log_format: log.format.name(),
            log_level: log.level.name(),
            access_log: log.access_log,
        };
        terminal.complain(&banner(&facts, terminal.has_colour()));
        tracing::info!(
            version = VERSION,
            listeners = address,
            upstream,
            rules,
            log_level = log.level.name(),
            "sockguard started"
        );
    })?;
    tracing::info!("sockguard stopped");
    Ok(())
}

/// Logs a notice. Attribute names are not known beforehand, so they go into one attribute.
fn say(notice: &Notice) {
    let attributes: Vec<String> = notice.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let attributes = attributes.join(" ");
    match notice.level {
        Level::Debug => tracing::debug!(attributes, "{}", notice.message),
        Level::Info => tracing::info!(attributes, "{}", notice.message),
        Level::Warn => tracing::warn!(attributes, "{}", notice.message),
        Level::Error => tracing::error!(attributes, "{}", notice.message),
    }
}
