//! What the way through a lane costs: from decoded messages to tickets resolved, over a store that takes everything at
//! once. Eight senders in a closed loop, as eight keep-alive connections would.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prometheus::Registry;
use zipkind::ingest::{AckMode, Collector, IngestConfig, MemoryBudget};
use zipkind::model::{SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};
use zipkind::storage::NoneStorage;
use zipkind::telemetry::{CollectorMetrics, TransportMetrics};

const SENDERS: u64 = 8;

/// A message of spans of about the usual size, of one trace.
fn message(trace: u64, spans: u64) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for id in 1..=spans {
        builder.clear();
        if let Some(trace_id) = TraceId::from_halves(0, trace) {
            builder.set_trace_id(trace_id);
        }
        builder.set_id(SpanId::new(id));
        builder.set_kind(Some(SpanKind::Server));
        builder.set_name("get /checkout/{id}");
        builder.set_timestamp_us(1_700_000_000_000_000);
        builder.set_duration_us(1_500);
        builder.local_endpoint.set_service_name("checkout");
        builder.add_tag("http.method", "GET");
        builder.add_tag("http.path", "/checkout/4711");
        builder.add_tag("http.status_code", "200");
        let _ = builder.finish(&mut batch);
    }
    batch
}

struct Pipeline {
    collector: Collector,
    metrics: TransportMetrics,
    budget: MemoryBudget,
}

impl Pipeline {
    fn start(ack: AckMode) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let budget = MemoryBudget::new(512 << 20);
        let config = IngestConfig { ack, ..IngestConfig::default() };
        let metrics = CollectorMetrics::register(&registry)?.transport("http");
        let collector = Collector::start(&config, Arc::new(NoneStorage), &registry, budget.clone())?;
        Ok(Self { collector, metrics, budget })
    }

    /// Sends `count` messages from all senders together and tells how long it took.
    async fn send(self: Arc<Self>, count: u64, spans: u64) -> Duration {
        let start = Instant::now();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let pipeline = Arc::clone(&self);
                let original = message(sender + 1, spans);
                tokio::spawn(async move {
                    for _ in 0..count.div_ceil(SENDERS) {
                        let spans = original.clone();
                        let Some(permit) = pipeline.budget.try_acquire(spans.memory_bytes()) else { return };
                        let answer = pipeline.collector.submit(&pipeline.metrics, spans, permit).await;
                        let _ = black_box(answer);
                    }
                })
            })
            .collect();
        for sender in senders {
            let _ = sender.await;
        }
        start.elapsed()
    }
}

fn lane(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else { return };
    let mut group = criterion.benchmark_group("lane");
    for (name, ack) in [("stored", AckMode::Stored), ("accepted", AckMode::Accepted)] {
        for spans in [1, 10, 100] {
            let Ok(pipeline) = runtime.block_on(async { Pipeline::start(ack) }).map(Arc::new) else { return };
            group.throughput(Throughput::Elements(spans));
            group.bench_with_input(BenchmarkId::new(name, spans), &spans, |bencher, &spans| {
                bencher.iter_custom(|count| runtime.block_on(Arc::clone(&pipeline).send(count, spans)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, lane);
criterion_main!(benches);
