//! All lanes of the process, and the handle of a lane that a transport opened for itself.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use prometheus::core::{Collector as MetricCollector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts, Registry};

use super::collector::Collector;
use super::lane::{LaneLimits, LaneQueue};
use super::memory::MemoryPermit;
use super::parcel::{SubmitError, Ticket};
use crate::model::SpanBatch;
use crate::storage::SourcePosition;
use crate::telemetry::TransportMetrics;

/// A lane of its own, for a source that keeps order and positions (a Kafka partition).
///
/// Messages are written in the order they were submitted, one batch at a time; a full lane is waited for without a
/// deadline (the source pauses), and messages do not expire. After a ticket that says `Unavailable`, everything that
/// waited behind it was answered the same way: read again from the stored position. When the handle is dropped, what is
/// in the lane is still written.
#[derive(Debug)]
pub struct Lane {
    pub(super) queue: Arc<LaneQueue>,
    pub(super) collector: Collector,
}

impl Lane {
    /// Samples a message and puts it into the lane. A message without spans moves the position.
    ///
    /// # Errors
    /// [`SubmitError::ShuttingDown`]; everything else the ticket tells.
    pub async fn submit(
        &self,
        metrics: &TransportMetrics,
        spans: SpanBatch,
        position: Option<SourcePosition>,
        permit: MemoryPermit,
    ) -> Result<Ticket, SubmitError> {
        self.collector.submit_to(&self.queue, metrics, spans, position, permit).await
    }

    /// Answers everything that waits in the lane as not stored: its source was taken away. A write under way goes on.
    pub fn discard_waiting(&self) {
        self.queue.fail_waiting(&SubmitError::StalePosition);
    }
}

/// The list of lanes; clones share it. Lanes that are gone leave it by themselves.
#[derive(Clone, Debug)]
pub(super) struct LaneList {
    lanes: Arc<Mutex<Vec<Weak<LaneQueue>>>>,
    messages: IntGaugeVec,
    bytes: IntGaugeVec,
}

impl LaneList {
    /// An empty list whose gauges stand in `registry`.
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["lane"]);
        let list = Self {
            lanes: Arc::default(),
            messages: gauge("ingest_lane_messages", "messages waiting in a lane")?,
            bytes: gauge("ingest_lane_bytes", "bytes of spans waiting in a lane")?,
        };
        registry.register(Box::new(list.clone()))?;
        Ok(list)
    }

    pub(super) fn open(&self, name: String, limits: LaneLimits, expires: bool) -> Arc<LaneQueue> {
        let lane = Arc::new(LaneQueue::new(name, limits, expires));
        let mut lanes = self.lanes.lock();
        lanes.retain(|lane| lane.strong_count() > 0);
        lanes.push(Arc::downgrade(&lane));
        lane
    }

    pub(super) fn for_each(&self, act: impl FnMut(Arc<LaneQueue>)) {
        // Not under the lock: `act` may settle tickets.
        let lanes: Vec<_> = self.lanes.lock().iter().filter_map(Weak::upgrade).collect();
        lanes.into_iter().for_each(act);
    }

    pub(super) fn all_idle(&self) -> bool {
        self.lanes.lock().iter().filter_map(Weak::upgrade).all(|lane| lane.is_idle())
    }
}

/// Read when asked, so that entering a lane costs nothing more.
impl MetricCollector for LaneList {
    fn desc(&self) -> Vec<&Desc> {
        [self.messages.desc(), self.bytes.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.messages.reset();
        self.bytes.reset();
        self.for_each(|lane| {
            let depth = lane.depth();
            self.messages.with_label_values(&[&lane.name]).set(depth.messages as i64);
            self.bytes.with_label_values(&[&lane.name]).set(depth.bytes as i64);
        });
        [self.messages.collect(), self.bytes.collect()].concat()
    }
}
