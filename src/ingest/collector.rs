//! The front of the pipeline: what transports hand their spans to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{AckMode, IngestConfig};
use super::counters::{Counters, DropReason};
use super::lane::{LaneLimits, LaneQueue, NoEntry, ReadyLanes};
use super::lanes::{Lane, LaneList};
use super::memory::{MemoryBudget, MemoryPermit};
use super::parcel::{Parcel, Receipt, SubmitError, Ticket};
use super::sampler::Sampler;
use super::writer::Writer;
use crate::model::SpanBatch;
use crate::storage::{SourcePosition, StorageBackend};
use crate::telemetry::TransportMetrics;

/// Fewest lanes, so that a message that waits never stops all others.
const LANES_MIN: usize = 2;
/// How often messages that waited too long are looked for, as a share of the time they may wait.
const SWEEPS_PER_LANE_WAIT: u32 = 8;

/// What a drain did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Spans written since the drain began.
    pub stored: u64,
    /// Spans that were still on their way when the deadline came. With [`AckMode::Stored`] their senders were told so;
    /// with [`AckMode::Accepted`] they are lost.
    pub lost: u64,
}

/// Takes decoded messages, samples them and sees them stored. Cheap to clone; clones share the lanes.
///
/// When the last clone is dropped the writers stop; [`Collector::drain`] first if something may be under way.
#[derive(Clone)]
pub struct Collector {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    config: IngestConfig,
    sampler: Sampler,
    limits: LaneLimits,
    lanes: Vec<Arc<LaneQueue>>,
    /// The lanes above and those opened at run time.
    list: LaneList,
    ready: Arc<ReadyLanes>,
    counters: Arc<Counters>,
    draining: AtomicBool,
    turn_over: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Collector {
    /// Starts the lanes and the writer stage on the current runtime and registers the pipeline's metrics.
    ///
    /// # Errors
    /// When the registry has one of the metrics already.
    pub fn start(
        config: &IngestConfig,
        storage: Arc<dyn StorageBackend>,
        registry: &Registry,
        budget: MemoryBudget,
    ) -> Result<Self, prometheus::Error> {
        let counters = Arc::new(Counters::register(registry)?);
        budget.register(registry)?;
        let workers = storage.capabilities().concurrent_writes.max(1);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lane_count = if config.lanes == 0 { cores } else { config.lanes }.max(LANES_MIN).max(workers);
        let part = config.messages_waiting_max.map_or(usize::MAX, |all| (all / lane_count).max(1));
        let limits = LaneLimits {
            messages_max: config.lane_messages_max.min(part),
            bytes_max: config.lane_bytes_max,
            batch_spans_max: config.batch_spans_max,
            batch_bytes_max: config.batch_bytes_max,
        };
        let list = LaneList::register(registry)?;
        let lanes: Vec<_> = (0..lane_count).map(|index| list.open(index.to_string(), limits, true)).collect();
        let inner = Inner {
            config: config.clone(),
            sampler: Sampler::new(config.sample_rate),
            limits,
            lanes,
            list,
            ready: Arc::default(),
            counters,
            draining: AtomicBool::new(false),
            turn_over: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        inner.spawn_writers(storage, workers);
        inner.spawn_sweeper();
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Samples a message and hands it to the lane of its first span's trace.
    ///
    /// Returns when the message is stored ([`AckMode::Stored`]) or in its lane ([`AckMode::Accepted`]). A caller that
    /// goes away after the message entered its lane does not take it back. `permit` is the memory of `spans`.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing of the message counts as stored then.
    pub async fn submit(
        &self,
        metrics: &TransportMetrics,
        mut spans: SpanBatch,
        permit: MemoryPermit,
    ) -> Result<(), SubmitError> {
        let inner = &*self.inner;
        inner.sample(metrics, &mut spans);
        let Some(first) = spans.get(0) else { return Ok(()) };
        let lane = inner.lane_of(first.trace_id.low());
        let mut parcel = inner.parcel(metrics, spans, permit);
        match inner.config.ack {
            AckMode::Accepted => inner.enter(lane, parcel, Some(inner.config.queue_wait)).await,
            AckMode::Stored => {
                let ticket = parcel.receipt.ticket();
                inner.enter(lane, parcel, Some(inner.config.queue_wait)).await?;
                ticket.await
            }
        }
    }

    /// Opens a lane of its own, for a source that keeps order and positions.
    #[must_use]
    pub fn open_lane(&self, name: &str) -> Lane {
        let queue = self.inner.list.open(name.to_owned(), self.inner.limits, false);
        Lane { queue, collector: self.clone() }
    }

    /// Lets no message in any more, waits until everything under way is stored or refused, and ends the writers.
    ///
    /// After `deadline` what is left is given up: its tickets say so and the report counts it.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        let inner = &*self.inner;
        let (stored, lost) = (&inner.counters.stored, inner.counters.dropped(DropReason::Shutdown));
        let (stored_before, lost_before) = (stored.get(), lost.get());
        inner.draining.store(true, Ordering::Release);
        inner.list.for_each(|lane| lane.refuse_new());
        let in_time = tokio::time::timeout(deadline, inner.all_written()).await.is_ok();
        inner.stop.cancel();
        inner.tasks.close();
        inner.tasks.wait().await;
        inner.list.for_each(|lane| lane.close());
        let report = DrainReport { stored: stored.get() - stored_before, lost: lost.get() - lost_before };
        if in_time {
            tracing::info!(spans_stored = report.stored, "the lanes are drained");
        } else {
            tracing::error!(
                spans_stored = report.stored,
                spans_lost = report.lost,
                "the lanes were not drained in time"
            );
        }
        report
    }

    pub(super) async fn submit_to(
        &self,
        lane: &Arc<LaneQueue>,
        metrics: &TransportMetrics,
        mut spans: SpanBatch,
        position: Option<SourcePosition>,
        permit: MemoryPermit,
    ) -> Result<Ticket, SubmitError> {
        let inner = &*self.inner;
        inner.sample(metrics, &mut spans);
        let mut parcel = inner.parcel(metrics, spans, permit);
        parcel.receipt.position = position.map(Box::new);
        let ticket = parcel.receipt.ticket();
        inner.enter(lane, parcel, None).await?;
        Ok(ticket)
    }
}

impl Inner {
    fn spawn_writers(&self, storage: Arc<dyn StorageBackend>, workers: usize) {
        let writer = Writer {
            storage,
            ready: Arc::clone(&self.ready),
            counters: Arc::clone(&self.counters),
            turn_over: Arc::clone(&self.turn_over),
            lanes_per_turn: if workers == 1 { usize::MAX } else { 1 },
            linger: self.config.linger,
            write_timeout: self.config.write_timeout,
            retry_after: self.config.retry_after,
        };
        for _ in 0..workers {
            let stopped = self.stop.clone().cancelled_owned();
            let writer = writer.clone();
            self.tasks.spawn(async move {
                tokio::select! {
                    () = stopped => {}
                    () = writer.run_forever() => {}
                }
            });
        }
    }

    /// Answers messages that waited too long, also while a write hangs.
    fn spawn_sweeper(&self) {
        let (list, stop, lane_wait) = (self.list.clone(), self.stop.clone(), self.config.lane_wait);
        let reason = Arc::from("the store is too slow");
        let error = SubmitError::Unavailable { retry_after: self.config.retry_after, reason };
        let interval = (lane_wait / SWEEPS_PER_LANE_WAIT).max(Duration::from_millis(1));
        self.tasks.spawn(async move {
            while tokio::time::timeout(interval, stop.cancelled()).await.is_err() {
                if let Some(limit) = Instant::now().checked_sub(lane_wait) {
                    list.for_each(|lane| {
                        if lane.expires {
                            lane.expire(limit, &error)
                        }
                    });
                }
            }
        });
    }

    /// Counts a message as received and takes out what is not kept.
    fn sample(&self, metrics: &TransportMetrics, spans: &mut SpanBatch) {
        if spans.is_empty() {
            return;
        }
        let received = spans.len();
        metrics.spans.inc_by(received as u64);
        metrics.message_spans.set(received as f64);
        self.counters.received.inc_by(received as u64);
        let sampled_out = self.sampler.sample(spans) as u64;
        if sampled_out > 0 {
            self.counters.sampled_out.inc_by(sampled_out);
            metrics.spans_dropped.inc_by(sampled_out);
        }
    }

    fn parcel(&self, metrics: &TransportMetrics, spans: SpanBatch, mut permit: MemoryPermit) -> Parcel {
        permit.shrink_to(spans.memory_bytes());
        let receipt = Receipt::new(spans.len(), &self.counters, &metrics.spans_dropped, permit);
        Parcel { spans, receipt, queued_at: Instant::now() }
    }

    /// The same trace always goes to the same lane. The multiplication spreads ids that differ in few bits.
    fn lane_of(&self, trace_id_low: u64) -> &Arc<LaneQueue> {
        let spread = trace_id_low.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.lanes[((spread * self.lanes.len() as u64) >> 32) as usize]
    }

    async fn enter(
        &self,
        lane: &Arc<LaneQueue>,
        mut parcel: Parcel,
        wait: Option<Duration>,
    ) -> Result<(), SubmitError> {
        if let Err(no_entry) = lane.reserve(parcel.bytes(), wait).await {
            let error = match no_entry {
                NoEntry::Full => SubmitError::Full { retry_after: self.config.retry_after },
                NoEntry::Closed => SubmitError::ShuttingDown,
            };
            parcel.receipt.settle_dropped(error.clone());
            return Err(error);
        }
        parcel.receipt.enter();
        if lane.push(parcel)? {
            self.ready.push(Arc::clone(lane));
        }
        Ok(())
    }

    async fn all_written(&self) {
        loop {
            let turn_over = self.turn_over.notified();
            tokio::pin!(turn_over);
            turn_over.as_mut().enable();
            if self.list.all_idle() {
                return;
            }
            turn_over.await;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.inner;
        f.debug_struct("Collector")
            .field("config", &inner.config)
            .field("lanes", &inner.lanes.len())
            .field("draining", &inner.draining.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
