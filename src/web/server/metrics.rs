//! Metrics of the server loop.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Connections open, refused and ended by us. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    open: IntGauge,
    pub(super) connections_total: IntCounter,
    pub(super) connections_refused: IntCounter,
    closed: IntCounterVec,
    pub(super) accept_errors: IntCounter,
    pub(super) panics: IntCounter,
}

/// Why we ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The head of a request did not come in time.
    SlowHead,
    /// No request for too long.
    Idle,
    /// Answers were left unread.
    SlowReader,
}

impl CloseReason {
    const ALL: [Self; 3] = [Self::SlowHead, Self::Idle, Self::SlowReader];

    fn as_str(self) -> &'static str {
        match self {
            Self::SlowHead => "slow_head",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
        }
    }
}

impl ServerMetrics {
    /// Registers the families.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let open = IntGauge::new("http_server_connections", "connections that are open")?;
        registry.register(Box::new(open.clone()))?;
        let closed = IntCounterVec::new(
            Opts::new("http_server_connections_closed_total", "connections ended by the server before its time"),
            &["reason"],
        )?;
        registry.register(Box::new(closed.clone()))?;
        for reason in CloseReason::ALL {
            closed.with_label_values(&[reason.as_str()]);
        }
        Ok(Self {
            open,
            connections_total: counter("http_server_connections_total", "connections accepted")?,
            connections_refused: counter(
                "http_server_connections_refused_total",
                "connections closed at once because there were too many",
            )?,
            closed,
            accept_errors: counter("http_server_accept_errors_total", "connections that could not be accepted")?,
            panics: counter("http_server_panics_total", "requests that ended in a panic")?,
        })
    }

    pub(super) fn closed(&self, reason: CloseReason) {
        self.closed.with_label_values(&[reason.as_str()]).inc();
    }

    /// Counts one more open connection until the guard is dropped.
    pub(super) fn open_connection(&self) -> OpenConnection {
        self.open.inc();
        OpenConnection(self.open.clone())
    }
}

pub(super) struct OpenConnection(IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
