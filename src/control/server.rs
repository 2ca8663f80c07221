//! The server: everything that `serve` does once the configuration is compiled (spec 60 §5, §6, §8, 70 §6).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::shards::{Common, Event, Shards};
use super::signals::{self, Stop};
use super::watchdog::{Watch, Watchdog};
use crate::config::build::VERSION;
use crate::config::{ListenAddress, Settings};
use crate::engine::reach::{self, ReachError};
use crate::limits;
use crate::listen::{ListenError, Listening, UnixBinding, bind_tcp, bind_unix};
use crate::observe::Observer;
use crate::policy::Plan;
use crate::proxy::{Facts, Generation};
use crate::record::{Listener, OwnershipContext};
use crate::rt::{ShardError, Workers};
use crate::sys::{capacity, probe};

/// Beyond the drain's budget, the time in which every shard must have ended.
const SHUTDOWN_SLACK: Duration = Duration::from_secs(5);

/// Between two attempts to bind an address that is taken.
const BIND_PAUSE: Duration = Duration::from_millis(20);

/// Why serving did not begin or ended unasked.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The machine cannot run shards.
    #[error(transparent)]
    Machine(#[from] probe::ProbeError),
    /// The Engine cannot be reached.
    #[error(transparent)]
    Upstream(#[from] ReachError),
    /// The listener could not be bound.
    #[error("listener: {0}")]
    Listen(#[from] ListenError),
    /// A shard could not be started, or ended unasked.
    #[error("server error: {0}")]
    Shard(#[from] ShardError),
    /// Threads or signal handlers could not be set up.
    #[error("server error: {0}")]
    System(#[from] std::io::Error),
}

/// How serving ended: asked to.
#[derive(Debug)]
pub struct Stopped;

/// A bound server.
pub struct Server {
    cpus: Vec<Option<usize>>,
    listening: Listening,
    address: String,
    binding: Option<UnixBinding>,
    common: Common,
    upstream: PathBuf,
    watch_interval: Option<Duration>,
}

/// What ends the wait of the supervisor.
enum Wake {
    Shard(Event),
    Stop(Stop),
}

impl Server {
    /// Checks the machine and the Engine, publishes the policy, and binds the listener.
    ///
    /// # Errors
    /// What is missing. Nothing stays bound.
    pub fn bind(
        settings: &Settings,
        plan: Plan,
        ownership: OwnershipContext,
        observer: Arc<Observer>,
    ) -> Result<Server, ServeError> {
        let cpus = capacity::shard_cpus(settings.shards);
        probe::check(cpus.len())?;
        capacity::raise_descriptor_limit();
        reach::check_at_start(&settings.upstream)?;
        let (listening, address, binding, listener) = match &settings.listen {
            ListenAddress::Unix { path } => {
                let (binding, socket) = patiently(|| bind_unix(path))?;
                (Listening::One(socket), format!("unix:{}", path.display()), Some(binding), Listener::Unix)
            }
            ListenAddress::Tcp { address } => {
                let (bound, sockets) = patiently(|| bind_tcp(address, cpus.len()))?;
                (Listening::Each(sockets), format!("tcp://{bound}"), None, Listener::Tcp)
            }
        };
        let path = |path: &str| -> Box<[u8]> { path.as_bytes().into() };
        let facts = Facts {
            listener,
            health_path: settings.health.as_ref().map(|health| path(&health.path)),
            metrics_path: settings.metrics.as_ref().map(|metrics| path(&metrics.path)),
            watched: settings.watchdog.map(|_| Arc::default()),
            upstream: settings.upstream.clone(),
            version: VERSION,
            started: Instant::now(),
            ownership,
            shards: cpus.len(),
            spool_folder: std::env::temp_dir(),
        };
        let published = Arc::new(ArcSwap::from_pointee(Generation::new(plan)));
        let workers = Workers::start(cpus.len())?;
        let common = Common { facts: Arc::new(facts), published, observer, workers };
        Ok(Server {
            cpus,
            listening,
            address,
            binding,
            common,
            upstream: settings.upstream.clone(),
            watch_interval: settings.watchdog,
        })
    }

    /// Where it listens: `unix:PATH` or `tcp://ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The Engine's socket.
    pub fn upstream(&self) -> &std::path::Path {
        &self.upstream
    }

    /// Serves until SIGTERM or SIGINT; `serving` is called once every shard does.
    ///
    /// # Errors
    /// A shard could not be started or ended unasked; the others have been drained.
    pub fn run(self, serving: impl FnOnce(&str)) -> Result<Stopped, ServeError> {
        let Server { cpus, listening, address, binding, common, upstream, watch_interval } = self;
        let watchdog = watch_interval.zip(common.facts.watched.clone()).map(|(interval, observation)| {
            let metrics = common.observer.metrics.clone();
            Watchdog::start(Watch { socket: upstream, interval, observation, metrics })
        });
        let outcome = watchdog
            .transpose()
            .map_err(ServeError::from)
            .and_then(|watchdog| supervise(&cpus, listening, &common, || serving(&address), watchdog));
        if let Some(binding) = binding
            && let Err(error) = binding.remove()
        {
            tracing::error!(%error, socket = %binding.path().display(), "remove socket error");
        }
        outcome
    }
}

/// Binds, and tries again for a while when the address is taken: a process that was killed holds its listeners until the
/// kernel has taken its rings down, which is some moments after its end is known.
fn patiently<T>(bind: impl Fn() -> Result<T, ListenError>) -> Result<T, ListenError> {
    let deadline = Instant::now() + limits::BIND_PATIENCE;
    loop {
        match bind() {
            Err(error) if error.may_pass() && Instant::now() < deadline => std::thread::sleep(BIND_PAUSE),
            outcome => return outcome,
        }
    }
}

fn supervise(
    cpus: &[Option<usize>],
    listening: Listening,
    common: &Common,
    serving: impl FnOnce(),
    watchdog: Option<Watchdog>,
) -> Result<Stopped, ServeError> {
    let (report, events) = flume::unbounded();
    let (wake, wakes) = flume::unbounded();
    let stops = wake.clone();
    signals::watch(move |stop| drop(stops.send(Wake::Stop(stop))))?;
    let shards = Shards::start(cpus, listening, common, &report)?;
    drop(report);
    std::thread::Builder::new().name("events".to_owned()).stack_size(64 << 10).spawn(move || {
        for event in events {
            let _ = wake.send(Wake::Shard(event));
        }
    })?;
    let (mut ready, mut alive) = (0, shards.count());
    let mut serving = Some(serving);
    let mut failure = None;
    while let Ok(event) = wakes.recv() {
        match event {
            Wake::Shard(Event::Ready) => {
                ready += 1;
                if ready == shards.count() {
                    serving.take().into_iter().for_each(|serving| serving());
                }
            }
            Wake::Shard(Event::Ended(outcome)) => {
                alive -= 1;
                failure = Some(outcome.err().unwrap_or_else(|| ShardError::Executor("ended unexpectedly".to_owned())));
                break;
            }
            Wake::Stop(stop) => {
                tracing::info!(signal = stop.name(), "shutdown signal received");
                break;
            }
        }
    }
    drop(watchdog);
    shards.drain();
    let deadline = Instant::now() + limits::DRAIN_BUDGET + SHUTDOWN_SLACK;
    while alive > 0 {
        match wakes.recv_deadline(deadline) {
            Ok(Wake::Shard(Event::Ended(outcome))) => {
                alive -= 1;
                failure = failure.or(outcome.err());
            }
            Ok(Wake::Shard(Event::Ready) | Wake::Stop(_)) => {}
            Err(_) => {
                tracing::error!(error = "a shard did not end in time", "shutdown error");
                break;
            }
        }
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(Stopped),
    }
}
