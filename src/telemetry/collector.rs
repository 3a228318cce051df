//! The counters every transport keeps, with zipkin's names (`zipkin_collector_*`, label `transport`).

use prometheus::{GaugeVec, IntCounter, IntCounterVec, Opts, Registry};

/// Families of collector metrics; [`CollectorMetrics::transport`] gives one transport's share.
#[derive(Clone, Debug)]
pub struct CollectorMetrics {
    messages: IntCounterVec,
    messages_dropped: IntCounterVec,
    bytes: IntCounterVec,
    spans: IntCounterVec,
    spans_dropped: IntCounterVec,
    message_spans: GaugeVec,
    message_bytes: GaugeVec,
}

/// One transport's counters. Counted per message, not per span.
#[derive(Clone, Debug)]
pub struct TransportMetrics {
    /// Messages received, empty and bad ones included.
    pub messages: IntCounter,
    /// Messages that could not be read (zipkin counts a decode error over HTTP twice).
    pub messages_dropped: IntCounter,
    /// Bytes received (HTTP: after inflating; `[]` counts 0).
    pub bytes: IntCounter,
    /// Spans decoded.
    pub spans: IntCounter,
    /// Spans lost to sampling, refusal or a failing store.
    pub spans_dropped: IntCounter,
    /// Spans of the last message.
    pub message_spans: prometheus::Gauge,
    /// Bytes of the last message.
    pub message_bytes: prometheus::Gauge,
}

impl CollectorMetrics {
    /// Registers the families.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounterVec, prometheus::Error> {
            let family = IntCounterVec::new(Opts::new(name, help), &["transport"])?;
            registry.register(Box::new(family.clone()))?;
            Ok(family)
        };
        let gauge = |name: &str, help: &str| -> Result<GaugeVec, prometheus::Error> {
            let family = GaugeVec::new(Opts::new(name, help), &["transport"])?;
            registry.register(Box::new(family.clone()))?;
            Ok(family)
        };
        Ok(Self {
            messages: counter("zipkin_collector_messages_total", "cumulative amount of messages received")?,
            messages_dropped: counter(
                "zipkin_collector_messages_dropped_total",
                "cumulative amount of messages received that were later dropped",
            )?,
            bytes: counter("zipkin_collector_bytes_total", "cumulative amount of bytes received")?,
            spans: counter("zipkin_collector_spans_total", "cumulative amount of spans received")?,
            spans_dropped: counter(
                "zipkin_collector_spans_dropped_total",
                "cumulative amount of spans received that were later dropped",
            )?,
            message_spans: gauge("zipkin_collector_message_spans", "count of spans per message")?,
            message_bytes: gauge("zipkin_collector_message_bytes", "size of a message containing serialized spans")?,
        })
    }

    /// The counters of one transport (`http`, `grpc`, `kafka`), at zero from the first call.
    #[must_use]
    pub fn transport(&self, name: &str) -> TransportMetrics {
        let labels = &[name];
        TransportMetrics {
            messages: self.messages.with_label_values(labels),
            messages_dropped: self.messages_dropped.with_label_values(labels),
            bytes: self.bytes.with_label_values(labels),
            spans: self.spans.with_label_values(labels),
            spans_dropped: self.spans_dropped.with_label_values(labels),
            message_spans: self.message_spans.with_label_values(labels),
            message_bytes: self.message_bytes.with_label_values(labels),
        }
    }
}
