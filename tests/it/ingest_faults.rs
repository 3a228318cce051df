//! The pipeline over a store that misbehaves: nothing acknowledged is lost, nobody waits for ever, every span is accounted
//! for. All on a paused clock.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod bounds;
mod drain;
mod lanes;
mod refusals;

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::task::JoinHandle;
use zipkind::ingest::{Collector, IngestConfig, MemoryBudget, SubmitError};
use zipkind::model::SpanBatch;
use zipkind::telemetry::{CollectorMetrics, TransportMetrics};

use crate::faulty_storage::{FaultyStorage, Mood, message};

/// A pipeline over a faulty store.
struct Pipeline {
    storage: Arc<FaultyStorage>,
    registry: Registry,
    budget: MemoryBudget,
    metrics: TransportMetrics,
    collector: Collector,
}

fn pipeline(config: IngestConfig, mood: Mood) -> Pipeline {
    pipeline_with_writers(config, mood, 1)
}

fn pipeline_with_writers(config: IngestConfig, mood: Mood, concurrent_writes: usize) -> Pipeline {
    let storage = Arc::new(FaultyStorage::new(mood, concurrent_writes));
    let registry = Registry::new();
    let budget = MemoryBudget::new(64 << 20);
    let metrics = CollectorMetrics::register(&registry).unwrap().transport("http");
    let collector = Collector::start(&config, Arc::clone(&storage) as _, &registry, budget.clone()).unwrap();
    Pipeline { storage, registry, budget, metrics, collector }
}

/// Two lanes, so that tests know what to expect on every machine.
fn config() -> IngestConfig {
    IngestConfig { lanes: 2, ..IngestConfig::default() }
}

type Answer = JoinHandle<Result<(), SubmitError>>;

impl Pipeline {
    /// Hands a message over from a task of its own, as a connection would.
    fn send(&self, spans: SpanBatch) -> Answer {
        let (collector, metrics) = (self.collector.clone(), self.metrics.clone());
        let permit = self.budget.try_acquire(spans.memory_bytes()).expect("memory for a message");
        tokio::spawn(async move { collector.submit(&metrics, spans, permit).await })
    }

    async fn submit(&self, spans: SpanBatch) -> Result<(), SubmitError> {
        self.send(spans).await.unwrap()
    }

    fn counted(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap_or_else(|| panic!("no {name}"));
        let values = family.get_metric().iter();
        values.map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value()).sum::<f64>() as u64
    }

    fn dropped(&self, reason: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "ingest_dropped_spans_total").unwrap();
        let of_reason = |metric: &&prometheus::proto::Metric| metric.get_label()[0].value() == reason;
        family.get_metric().iter().find(of_reason).unwrap().get_counter().get_value() as u64
    }

    /// Received = sampled out + dropped + stored + in flight, and zipkin's counters say the same.
    fn check_accounts(&self) {
        let received = self.counted("ingest_received_spans_total");
        let sampled_out = self.counted("ingest_sampled_out_spans_total");
        let dropped = self.counted("ingest_dropped_spans_total");
        let stored = self.counted("ingest_stored_spans_total");
        let in_flight = self.counted("ingest_in_flight_spans");
        assert_eq!(received, sampled_out + dropped + stored + in_flight, "received and what became of it");
        assert_eq!(self.counted("zipkin_collector_spans_total"), received);
        assert_eq!(self.counted("zipkin_collector_spans_dropped_total"), sampled_out + dropped);
    }

    /// Nothing is under way any more, and all memory is given back.
    fn check_at_rest(&self) {
        self.check_accounts();
        assert_eq!(self.counted("ingest_in_flight_spans"), 0);
        assert_eq!(self.budget.used_bytes(), 0, "memory that was not given back");
    }
}

/// Lets every task run until all of them wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn sorted(mut spans: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    spans.sort_unstable();
    spans
}

#[tokio::test(start_paused = true)]
async fn a_sender_hears_of_success_when_the_store_has_the_message_and_not_before() {
    let pipeline = pipeline(config(), Mood::Slow(Duration::from_millis(500)));
    let answer = pipeline.send(message(1, 3));
    tokio::time::sleep(Duration::from_millis(499)).await;
    assert!(!answer.is_finished());
    assert_eq!(pipeline.counted("ingest_in_flight_spans"), 3);
    pipeline.check_accounts();
    assert_eq!(answer.await.unwrap(), Ok(()));
    assert_eq!(pipeline.storage.stored(), [(1, 1), (1, 2), (1, 3)]);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn with_ack_accepted_a_sender_hears_of_success_before_the_store_does() {
    let config = IngestConfig { ack: zipkind::ingest::AckMode::Accepted, ..config() };
    let pipeline = pipeline(config, Mood::Slow(Duration::from_millis(500)));
    assert_eq!(pipeline.submit(message(1, 3)).await, Ok(()));
    assert_eq!(pipeline.storage.stored(), []);
    tokio::time::sleep(Duration::from_millis(501)).await;
    assert_eq!(pipeline.storage.stored().len(), 3);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_write_in_flight_makes_the_next_batch_grow_and_lanes_share_a_call() {
    let pipeline = pipeline(config(), Mood::Slow(Duration::from_millis(100)));
    let first = pipeline.send(message(1, 1));
    settle().await;
    let rest: Vec<_> = (1..=40).map(|trace| pipeline.send(message(trace, 2))).collect();
    first.await.unwrap().unwrap();
    for answer in rest {
        answer.await.unwrap().unwrap();
    }
    let calls = pipeline.storage.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!((calls[0].as_slice(), calls[1].len(), calls[1].iter().sum::<usize>()), ([1].as_slice(), 2, 80));
    assert_eq!(pipeline.storage.writing_most(), 1);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_batch_takes_no_more_than_its_limit_and_never_splits_a_message() {
    let config = IngestConfig { batch_spans_max: 10, ..config() };
    let pipeline = pipeline(config, Mood::Slow(Duration::from_millis(100)));
    let answers: Vec<_> = (0..6).map(|_| pipeline.send(message(7, 4))).chain([pipeline.send(message(7, 25))]).collect();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert!(
        pipeline.storage.calls().iter().all(|call| *call == [8] || *call == [25]),
        "{:?}",
        pipeline.storage.calls()
    );
    assert_eq!(pipeline.storage.stored().len(), 49);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_several_writes_at_once_gets_them() {
    let pipeline = pipeline_with_writers(config(), Mood::Slow(Duration::from_millis(100)), 4);
    let answers: Vec<_> = (1..=200).map(|trace| pipeline.send(message(trace, 1))).collect();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(pipeline.storage.writing_most(), 4);
    assert!(pipeline.storage.calls().iter().all(|call| call.len() == 1));
    assert_eq!(sorted(pipeline.storage.stored()), (1..=200).map(|trace| (trace, 1)).collect::<Vec<_>>());
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn lingering_gathers_messages_that_come_one_by_one() {
    let config = IngestConfig { linger: Duration::from_millis(50), ..config() };
    let pipeline = pipeline(config, Mood::Well);
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(pipeline.send(message(3, 1)));
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(pipeline.storage.calls(), [[10]]);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_goes_away_does_not_take_its_message_back() {
    let pipeline = pipeline(config(), Mood::Slow(Duration::from_millis(100)));
    let answer = pipeline.send(message(1, 2));
    settle().await;
    answer.abort();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(pipeline.storage.stored().len(), 2);
    pipeline.check_at_rest();
}
