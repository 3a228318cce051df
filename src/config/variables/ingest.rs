//! The partitioned buffer, and when senders are answered.

use super::Effect::Used;
use super::Kind::{Bytes, Choice, Duration, Flag, Number};
use super::Preset::{Computed, Text as Is};
use super::TimeUnit::Milliseconds;

super::variables! {
    COLLECTOR_ACK: Choice("stored, accepted"), Is("stored"), Used, ["COLLECTOR_ACK"], "zipkind.collector.ack",
        "senders are answered when their spans are stored, or (zipkin's way) when they are queued";
    COLLECTOR_QUEUE_WAIT: Duration(Milliseconds), Is("2s"), Used, ["COLLECTOR_QUEUE_WAIT"], "zipkind.collector.queue-wait",
        "how long a message waits for room before its sender hears 503";
    INGEST_MEMORY_BYTES: Bytes, Computed("a quarter of the memory, at most 1 GiB"), Used, ["INGEST_MEMORY_BYTES"], "zipkind.ingest.memory-bytes",
        "most memory of all messages under way: bodies, inflated bytes, decoded spans, lanes";
    INGEST_LANES: Number, Computed("one per processor, at least 2"), Used, ["INGEST_LANES"], "zipkind.ingest.lanes",
        "parts of the buffer, at most 1024";
    INGEST_LANE_MESSAGES_MAX: Number, Is("10000"), Used, ["INGEST_LANE_MESSAGES_MAX"], "zipkind.ingest.lane-messages-max",
        "most messages waiting in one lane";
    INGEST_LANE_BYTES_MAX: Bytes, Is("32MiB"), Used, ["INGEST_LANE_BYTES_MAX"], "zipkind.ingest.lane-bytes-max",
        "most bytes of spans waiting in one lane";
    INGEST_BATCH_SPANS_MAX: Number, Is("10000"), Used, ["INGEST_BATCH_SPANS_MAX"], "zipkind.ingest.batch-spans-max",
        "a batch with this many spans takes no further message";
    INGEST_BATCH_BYTES_MAX: Bytes, Is("8MiB"), Used, ["INGEST_BATCH_BYTES_MAX"], "zipkind.ingest.batch-bytes-max",
        "a batch with this many bytes takes no further message";
    INGEST_LINGER: Duration(Milliseconds), Is("0ms"), Used, ["INGEST_LINGER"], "zipkind.ingest.linger",
        "how long a batch that could leave waits for more";
    INGEST_WRITE_TIMEOUT: Duration(Milliseconds), Is("10s"), Used, ["INGEST_WRITE_TIMEOUT"], "zipkind.ingest.write-timeout",
        "how long a batch may take to be stored, tries and pauses included, before its senders hear that it was not";
    INGEST_LANE_WAIT: Duration(Milliseconds), Is("8s"), Used, ["INGEST_LANE_WAIT"], "zipkind.ingest.lane-wait",
        "how long a message may stay in its lane before its sender hears that the store is too slow";
    COLLECTOR_RETRY_AFTER: Duration(Milliseconds), Is("1s"), Used, ["COLLECTOR_RETRY_AFTER"], "zipkind.collector.retry-after",
        "what senders are told to wait after a 503";
    STORAGE_THROTTLE_ENABLED: Flag, Is("false"), Used, ["STORAGE_THROTTLE_ENABLED"], "zipkin.storage.throttle.enabled",
        "writes of batches at once follow how quickly the store answers, between the next two; without it there are as many as the store serves well";
    STORAGE_THROTTLE_MIN_CONCURRENCY: Number, Is("10"), Used, ["STORAGE_THROTTLE_MIN_CONCURRENCY"], "zipkin.storage.throttle.min-concurrency",
        "least writes at once, and what it begins with; never more than the store can serve (connections but two; SQLite: one)";
    STORAGE_THROTTLE_MAX_CONCURRENCY: Number, Is("200"), Used, ["STORAGE_THROTTLE_MAX_CONCURRENCY"], "zipkin.storage.throttle.max-concurrency",
        "most writes at once, within the same bound";
    STORAGE_THROTTLE_MAX_QUEUE_SIZE: Number, Is("1000"), Used, ["STORAGE_THROTTLE_MAX_QUEUE_SIZE"], "zipkin.storage.throttle.max-queue-size",
        "most messages waiting in all lanes together with the throttle; beyond it senders wait COLLECTOR_QUEUE_WAIT and hear 503";
}
