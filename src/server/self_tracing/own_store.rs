//! Own spans into the own lanes, under transport `local`. Nothing on that way is traced.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanId as OtelSpanId, SpanKind as OtelKind};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::ingest::{Collector, MemoryBudget};
use crate::model::{SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};
use crate::telemetry::CollectorMetrics;
use crate::telemetry::self_tracing::SERVICE_NAME;

/// How long a report waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct OwnStore {
    collector: Collector,
    budget: MemoryBudget,
    metrics: CollectorMetrics,
}

impl OwnStore {
    pub(super) fn new(collector: Collector, budget: MemoryBudget, metrics: CollectorMetrics) -> Self {
        Self { collector, budget, metrics }
    }
}

impl SpanExporter for OwnStore {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = to_batch(&batch);
        // Shown from the first report on, as zipkin does.
        let metrics = self.metrics.transport("local");
        let bytes = spans.memory_bytes();
        metrics.messages.inc();
        metrics.bytes.inc_by(bytes as u64);
        metrics.message_bytes.set(bytes as f64);
        let failed = |reason: String| OTelSdkError::InternalFailure(reason);
        let permit = self.budget.acquire(bytes, MEMORY_WAIT).await.map_err(|error| failed(error.to_string()))?;
        self.collector.submit(&metrics, spans, permit).await.map_err(|error| failed(error.to_string()))
    }
}

fn to_batch(spans: &[SpanData]) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for span in spans {
        fill(&mut builder, span);
        // Ids are the SDK's: never missing.
        let _ = builder.finish(&mut batch);
    }
    batch
}

fn fill(builder: &mut SpanBuilder, span: &SpanData) {
    builder.clear();
    let trace_id = u128::from_be_bytes(span.span_context.trace_id().to_bytes());
    if let Some(trace_id) = TraceId::from_halves((trace_id >> 64) as u64, trace_id as u64) {
        builder.set_trace_id(trace_id);
    }
    builder.set_id(span_id(span.span_context.span_id()));
    builder.set_parent_id(span_id(span.parent_span_id));
    builder.set_name(&span.name);
    builder.set_kind(match span.span_kind {
        OtelKind::Server => Some(SpanKind::Server),
        OtelKind::Client => Some(SpanKind::Client),
        OtelKind::Producer => Some(SpanKind::Producer),
        OtelKind::Consumer => Some(SpanKind::Consumer),
        OtelKind::Internal => None,
    });
    builder.set_timestamp_us(micros(span.start_time));
    let took = span.end_time.duration_since(span.start_time).unwrap_or_default();
    builder.set_duration_us((took.as_micros() as i64).max(1));
    builder.local_endpoint.set_service_name(SERVICE_NAME);
    for attribute in &span.attributes {
        builder.add_tag(attribute.key.as_str(), &attribute.value.as_str());
    }
}

fn span_id(id: OtelSpanId) -> SpanId {
    SpanId::new(u64::from_be_bytes(id.to_bytes()))
}

fn micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}
