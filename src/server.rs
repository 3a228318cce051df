//! Puts the parts together and runs them: the one module that knows every part.
//!
//! Start: listen (without accepting), open the store, start the lanes, accept. End: accept no more, let requests under way
//! finish and drain the lanes within the drain timeout, then close the store.

mod backends;
mod background;
mod ending;
mod kafka;
mod open_files;
mod otlp_ports;
mod probe;
mod routes;
mod self_tracing;
mod signals;
mod sockets;
mod store;

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use sd_notify::NotifyState;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use ending::Ending;
pub use kafka::run_task as run_kafka_task;
pub use probe::ask_for_health;
pub use store::run_store_command;

use crate::config::{Config, ServerConfig};
use crate::ingest::{Collector, MemoryBudget};
use crate::storage::StorageBackend;
use crate::telemetry::{Clock, CollectorMetrics, SystemClock, log, process};
use crate::transport::kafka::KafkaCollector;
use crate::web::limits::ServerLimits;
use crate::web::server::{ServeReport, ServerMetrics, serve};
use background::Background;
use self_tracing::{Reporting, SelfTracing};
use sockets::HandedOver;

/// Share of the drain timeout that requests under way get at most; the lanes get what is left of it.
const REQUESTS_SHARE: f64 = 0.5;
/// Share of the drain timeout for partitions to finish and their group to be left.
const KAFKA_SHARE: f64 = 0.5;
/// How long the store may take to close, after the drain timeout if need be.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs a server until SIGTERM or SIGINT, and ends it in good order. A second signal ends the process at once.
///
/// # Errors
/// Why it did not start.
pub fn run_until_signal(config: Config) -> anyhow::Result<Ending> {
    log::init(&config.log)?;
    let given = sockets::handed_over(&config)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.server.worker_threads {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().thread_name("zipkind").build().context("the runtime does not start")?;
    let ending = runtime.block_on(async {
        let signal = signals::first()?;
        log_configuration(&config);
        open_files::raise_limit(config.limits.connections_max);
        let server = Server::start_on(config, given).await?;
        tell_manager(NotifyState::Ready);
        Ok(server.run_until(signal).await)
    });
    // What still runs in threads for blocking work has missed its deadline: the process does not wait for it.
    runtime.shutdown_background();
    ending
}

/// A server that runs, for `main` and for tests.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<Ending>,
}

impl Server {
    /// Starts all parts; when it returns, the server answers.
    ///
    /// # Errors
    /// Why it cannot: the port is taken, the store does not open.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        Self::start_on(config, HandedOver::default()).await
    }

    async fn start_on(config: Config, mut given: HandedOver) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let main = sockets::main(&config.server, &mut given)?;
        let address = main.first().context("there is no socket to listen on")?.local_addr()?;
        let registry = Registry::new();
        process::register(&registry)?;
        let storage =
            backends::open(&config.storage, &config.kafka, &registry, Arc::clone(&clock), config.self_tracing.enabled)
                .await?;
        let budget = MemoryBudget::new(config.ingest_memory_bytes);
        let collector = Collector::start(&config.ingest, Arc::clone(&storage), &registry, budget.clone())?;
        let metrics = CollectorMetrics::register(&registry)?;
        let reporting = Reporting { collector: &collector, budget: &budget, metrics: &metrics };
        let self_tracing = self_tracing::start(&config.self_tracing, &reporting)?;
        let shutdown = CancellationToken::new();
        let kafka = kafka::start(kafka::Parts {
            config: &config,
            collector: collector.clone(),
            storage: Arc::clone(&storage),
            budget: budget.clone(),
            metrics: &metrics,
            registry: &registry,
            clock: Arc::clone(&clock),
        })?;
        let parts = routes::Parts {
            config: &config,
            storage: Arc::clone(&storage),
            collector: collector.clone(),
            budget,
            registry: &registry,
            metrics,
            tracer: self_tracing.as_ref().map(SelfTracing::tracer),
            health: kafka.iter().map(KafkaCollector::health).collect(),
            clock,
            draining: shutdown.clone(),
        };
        let doors = routes::all(parts)?;
        let listeners = sockets::with_routes(&config, main, &mut given, doors)?;
        let drain_timeout = config.server.drain_timeout;
        let limits = ServerLimits { shutdown_timeout: drain_timeout.mul_f64(REQUESTS_SHARE), ..config.limits };
        let metrics = ServerMetrics::register(&registry)?;
        let running = Running {
            background: background::start(Arc::clone(&storage), config.storage.maintain_interval),
            kafka,
            collector,
            self_tracing,
            storage,
            drain_timeout,
        };
        let serving = tokio::spawn(serve(listeners, limits, metrics, shutdown.clone()));
        let serving = tokio::spawn(running.end_in_order(serving, shutdown.clone()));
        info!(%address, storage = config.storage.kind.name(), "zipkind {} serves", process::VERSION);
        Ok(Self { address, shutdown, serving })
    }

    /// The address it listens on, with the port that was chosen for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server: no new connections, requests and lanes drained, the store closed.
    pub async fn stop(self) -> Ending {
        self.shutdown.cancel();
        ending(self.serving.await)
    }

    /// Serves until a signal, of which `signal` tells the name, or until the server ends by itself, which is a bug.
    async fn run_until(mut self, signal: impl Future<Output = &'static str>) -> Ending {
        tokio::select! {
            name = signal => info!(signal = name, "ending"),
            ended = &mut self.serving => return ending(ended),
        }
        signals::exit_at_next();
        tell_manager(NotifyState::Stopping);
        self.stop().await
    }
}

/// Tells the service manager, where there is one that wants to know (`NOTIFY_SOCKET`).
fn tell_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "the service manager could not be told");
    }
}

/// What has to be ended, in the order of its fields.
struct Running {
    background: Background,
    self_tracing: Option<SelfTracing>,
    kafka: Option<KafkaCollector>,
    collector: Collector,
    storage: Arc<dyn StorageBackend>,
    drain_timeout: Duration,
}

impl Running {
    /// Waits for `shutdown`, then ends all parts.
    async fn end_in_order(self, mut serving: JoinHandle<ServeReport>, shutdown: CancellationToken) -> Ending {
        let ended_early = tokio::select! {
            () = shutdown.cancelled() => None,
            report = &mut serving => Some(report),
        };
        shutdown.cancel();
        let deadline = Instant::now() + self.drain_timeout;
        self.background.stop().await;
        if let Some(kafka) = self.kafka {
            kafka.stop(self.drain_timeout.mul_f64(KAFKA_SHARE)).await;
        }
        let served = match ended_early {
            Some(report) => report,
            None => serving.await,
        };
        let connections_cut = served.map_or(0, |report| report.connections_cut);
        if let Some(self_tracing) = self.self_tracing {
            self_tracing.stop(deadline.saturating_duration_since(Instant::now()) / 2).await;
        }
        let drained = self.collector.drain(deadline.saturating_duration_since(Instant::now())).await;
        let storage_closed = tokio::time::timeout(CLOSE_TIMEOUT, self.storage.close()).await.is_ok();
        Ending { connections_cut, spans_lost: drained.lost, storage_closed }
    }
}

fn ending(ended: Result<Ending, JoinError>) -> Ending {
    let ending = ended.unwrap_or_else(|error| {
        tracing::error!(%error, "the server ended out of order");
        Ending::default()
    });
    ending.log();
    ending
}

fn listening_address(config: &ServerConfig) -> SocketAddr {
    config.socket_address().unwrap_or_else(|| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), config.port))
}

/// What is set, once, and a warning for each thing that is set and has no effect.
fn log_configuration(config: &Config) {
    let set = config.settings.iter().filter(|setting| !setting.is_default());
    let set: Vec<String> = set.map(|setting| format!("{}={}", setting.name, setting.value)).collect();
    info!(set = set.join(" "), "configuration, all else has its default (--check-config shows it)");
    for note in &config.notes {
        warn!("{note}");
    }
}
