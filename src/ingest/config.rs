//! Settings of the pipeline.

use std::time::Duration;

/// When a sender is told that its message was taken (`COLLECTOR_ACK`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// When the store has committed the message.
    #[default]
    Stored,
    /// When the message is in a lane (zipkin's behaviour): a later failure is only counted.
    Accepted,
}

/// Settings of the pipeline. Every queue and wait is bounded by one of these.
#[derive(Clone, Debug, PartialEq)]
pub struct IngestConfig {
    /// Share of traces that are kept, 0 to 1 (`COLLECTOR_SAMPLE_RATE`); spans with the debug flag are always kept.
    pub sample_rate: f32,
    /// When senders are answered (`COLLECTOR_ACK`).
    pub ack: AckMode,
    /// Number of lanes; 0 = one per core. At least 2, and at least as many as the store takes writes at once.
    pub lanes: usize,
    /// Most messages waiting in one lane.
    pub lane_messages_max: usize,
    /// Most messages waiting in all lanes together, each of which gets an equal part. `None`: only lanes have a limit.
    pub messages_waiting_max: Option<usize>,
    /// Most bytes of spans waiting in one lane. A message beyond this enters a lane that is otherwise empty.
    pub lane_bytes_max: usize,
    /// A batch takes no further message once it has this many spans.
    pub batch_spans_max: usize,
    /// A batch takes no further message once it has this many bytes.
    pub batch_bytes_max: usize,
    /// How long a batch that could leave waits for more messages. Zero: the write in flight is what makes batches grow.
    pub linger: Duration,
    /// How long a message waits for room in its lane (`COLLECTOR_QUEUE_WAIT`).
    pub queue_wait: Duration,
    /// How long a message may stay in its lane before its sender hears that the store is too slow.
    pub lane_wait: Duration,
    /// How long one write may take before its messages are answered as not stored.
    pub write_timeout: Duration,
    /// What senders are told to wait before they try again.
    pub retry_after: Duration,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            sample_rate: 1.0,
            ack: AckMode::Stored,
            lanes: 0,
            lane_messages_max: 10_000,
            messages_waiting_max: None,
            lane_bytes_max: 32 << 20,
            batch_spans_max: 10_000,
            batch_bytes_max: 8 << 20,
            linger: Duration::ZERO,
            queue_wait: Duration::from_secs(2),
            lane_wait: Duration::from_secs(8),
            write_timeout: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
        }
    }
}
