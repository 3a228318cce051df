//! Metrics of the server loop.

use std::error::Error;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Connections open, refused and ended by us. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    open: IntGauge,
    pub(super) connections_total: IntCounter,
    pub(super) connections_refused: IntCounter,
    closed: IntCounterVec,
    pub(super) accept_errors: IntCounter,
    pub(super) large_heads: IntCounter,
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
    /// The head of a request was too large (HTTP/1.1; over HTTP/2 the stream alone is refused, and counted under `large_heads`).
    LargeHead,
    /// What came is no HTTP, or more of it than the protocol allows (resets, CONTINUATION).
    Protocol,
}

impl CloseReason {
    const ALL: [Self; 5] = [Self::SlowHead, Self::Idle, Self::SlowReader, Self::LargeHead, Self::Protocol];

    /// Why a connection ended that the protocol library gave up; `None` when the peer went away.
    pub(super) fn of_error(error: &(dyn Error + 'static)) -> Option<Self> {
        let of_hyper = error.downcast_ref::<hyper::Error>()?;
        if of_hyper.is_parse_too_large() {
            return Some(Self::LargeHead);
        }
        let is_of_the_peer = of_hyper.is_incomplete_message() || is_caused_by_io(of_hyper);
        (!is_of_the_peer).then_some(Self::Protocol)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::SlowHead => "slow_head",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::LargeHead => "large_head",
            Self::Protocol => "protocol",
        }
    }
}

fn is_caused_by_io(error: &dyn Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
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
            large_heads: counter(
                "http_server_large_heads_total",
                "heads of requests that were too large, answered 431",
            )?,
            panics: counter("http_server_panics_total", "requests that ended in a panic")?,
        })
    }

    pub(super) fn closed(&self, reason: CloseReason) {
        self.closed.with_label_values(&[reason.as_str()]).inc();
        self.large_heads.inc_by(u64::from(reason == CloseReason::LargeHead));
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
