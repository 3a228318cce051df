//! One message on its way through a lane, and the ticket that tells what became of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::counters::{Counters, DropReason};
use super::memory::MemoryPermit;
use crate::model::SpanBatch;
use crate::storage::SourcePosition;

/// Why a message was not taken. Nothing of it counts as stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// No room in time.
    #[error("the collector is full, try again later")]
    Full {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store does not take spans now.
    #[error("storage is not available: {reason}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What the store said; for logs.
        reason: Arc<str>,
    },
    /// The store will never take this message.
    #[error("storage refuses this message: {reason}")]
    Rejected {
        /// What the store said.
        reason: Arc<str>,
    },
    /// The message lies behind the stored position of its source, or not directly after it.
    #[error("the position of this message is not the stored one")]
    StalePosition,
    /// The process is ending.
    #[error("the collector is shutting down")]
    ShuttingDown,
}

impl SubmitError {
    fn drop_reason(&self) -> DropReason {
        match self {
            Self::Full { .. } => DropReason::Full,
            Self::Unavailable { .. } => DropReason::Unavailable,
            Self::Rejected { .. } => DropReason::Rejected,
            Self::StalePosition => DropReason::StalePosition,
            Self::ShuttingDown => DropReason::Shutdown,
        }
    }
}

/// Resolves once, always: stored, or why not.
#[derive(Debug)]
#[must_use = "the ticket tells whether the message was stored"]
pub struct Ticket(oneshot::Receiver<Result<(), SubmitError>>);

impl Future for Ticket {
    type Output = Result<(), SubmitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|result| result.unwrap_or(Err(SubmitError::ShuttingDown)))
    }
}

/// A message in a lane.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) spans: SpanBatch,
    pub(super) receipt: Receipt,
    pub(super) queued_at: Instant,
}

impl Parcel {
    /// What the message costs its lane.
    pub(super) fn bytes(&self) -> usize {
        self.spans.record_bytes() + size_of::<Self>()
    }
}

/// What is kept of a message while its spans are written: the other end of its ticket and its place in the accounts.
///
/// Settled exactly once; one that is dropped unsettled is counted all the same (its sender went away before it entered a
/// lane, or the process ends), so no way out is unaccounted.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) span_count: usize,
    pub(super) position: Option<Box<SourcePosition>>,
    ticket: Option<oneshot::Sender<Result<(), SubmitError>>>,
    counters: Arc<Counters>,
    /// Zipkin's counter of the transport the message came by.
    spans_dropped: IntCounter,
    /// The memory of the message, given back when it is settled.
    _permit: MemoryPermit,
    settled: bool,
    entered: bool,
}

impl Receipt {
    pub(super) fn new(
        span_count: usize,
        counters: &Arc<Counters>,
        spans_dropped: &IntCounter,
        permit: MemoryPermit,
    ) -> Self {
        counters.in_flight.add(span_count as i64);
        Self {
            span_count,
            position: None,
            ticket: None,
            counters: Arc::clone(counters),
            spans_dropped: spans_dropped.clone(),
            _permit: permit,
            settled: false,
            entered: false,
        }
    }

    /// The message has room in its lane: from now on its sender's fate is not its own.
    pub(super) fn enter(&mut self) {
        self.entered = true;
    }

    /// The ticket of this message; asked for once.
    pub(super) fn ticket(&mut self) -> Ticket {
        let (sender, receiver) = oneshot::channel();
        self.ticket = Some(sender);
        Ticket(receiver)
    }

    /// The message is stored. The caller counts its spans as stored and no longer in flight, for a whole batch at once.
    pub(super) fn settle_stored(mut self) {
        self.settled = true;
        self.answer(Ok(()));
    }

    /// The message is not stored.
    pub(super) fn settle_dropped(self, error: SubmitError) {
        let reason = error.drop_reason();
        self.settle_dropped_as(reason, error);
    }

    /// The message is not stored, for a reason that is told apart in the accounts only.
    pub(super) fn settle_dropped_as(mut self, reason: DropReason, error: SubmitError) {
        self.count_dropped(reason);
        self.answer(Err(error));
    }

    fn count_dropped(&mut self, reason: DropReason) {
        self.settled = true;
        let count = self.span_count as u64;
        self.counters.in_flight.sub(count as i64);
        self.counters.dropped(reason).inc_by(count);
        self.spans_dropped.inc_by(count);
    }

    fn answer(&mut self, result: Result<(), SubmitError>) {
        if let Some(ticket) = self.ticket.take() {
            // The sender may be gone; what became of the message is counted all the same.
            let _ = ticket.send(result);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.settled {
            self.count_dropped(if self.entered { DropReason::Shutdown } else { DropReason::Cancelled });
            self.answer(Err(SubmitError::ShuttingDown));
        }
    }
}
