//! Random spans and random questions: the answers are those of the memory store, while spans are sealed, blocks merged and old ones
//! removed, and after restarts.

use std::time::Duration;

use super::support::{HandClock, NOW_MS, Random, batch, sealing_often};
use crate::model::red::{RED_SERIES_MAX, RedRequest};
use crate::model::{QueryRequest, SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};
use crate::storage::{
    Batch, MemoryConfig, MemoryStorage, QueryBudget, SpanConsumer, SpanStore, SqliteConfig, SqliteStorage,
    StorageBackend, StorageOptions,
};

const SERVICES: u64 = 5;

fn service(random: &mut Random) -> String {
    format!("svc{}", random.below(SERVICES))
}

/// A stretch of time with traces of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Era {
    now_ms: i64,
    first_low: u64,
}

impl Era {
    pub(super) const FIRST: Self = Self { now_ms: NOW_MS, first_low: u64::MAX / 2 };

    fn nth(number: u64) -> Self {
        let now_ms = NOW_MS + number as i64 * ERA_MS;
        Self { now_ms, first_low: Self::FIRST.first_low + number * 1_000_000 }
    }
}

/// Spans of few traces, most near each other in time, some far away, some without time; reported in any order, some twice.
pub(super) fn random_spans(random: &mut Random, count: u64, traces: u64) -> SpanBatch {
    random_spans_of(Era::FIRST, random, count, traces)
}

fn random_spans_of(era: Era, random: &mut Random, count: u64, traces: u64) -> SpanBatch {
    let mut spans = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for _ in 0..count {
        builder.clear();
        let place = random.below(traces);
        let low = place + era.first_low;
        let high = if random.chance(6) { random.below(3) } else { 0 };
        builder.set_trace_id(TraceId::from_halves(high, low).unwrap());
        builder.set_id(SpanId::new(random.below(6)));
        if random.chance(2) {
            builder.set_parent_id(SpanId::new(random.below(6)));
        }
        builder.set_kind([None, Some(SpanKind::Client), Some(SpanKind::Server)][random.below(3) as usize]);
        if !random.chance(8) {
            builder.set_name(["get", "post", "put"][random.below(3) as usize]);
        }
        let trace_ms = era.now_ms + place as i64 * 700;
        let offset_us = match random.below(12) {
            0 => random.below(60_000_000) as i64 - 30_000_000,
            1 => -trace_ms * 1000,
            _ => random.below(900_000) as i64,
        };
        builder.set_timestamp_us(trace_ms * 1000 + offset_us);
        builder.set_duration_us(random.below(3) as i64 * 1000);
        if !random.chance(10) {
            builder.local_endpoint.set_service_name(&service(random));
        }
        if random.chance(2) {
            builder.remote_endpoint.set_service_name(&service(random));
        }
        if random.chance(3) {
            builder.add_tag(["error", "env"][random.below(2) as usize], ["", "a", "b"][random.below(3) as usize]);
        }
        builder.finish(&mut spans).unwrap();
    }
    spans
}

pub(super) fn random_request(random: &mut Random, traces: u64) -> QueryRequest {
    let span_ms = traces * 700;
    QueryRequest {
        service_name: (!random.chance(3)).then(|| service(random)),
        remote_service_name: random.chance(6).then(|| service(random)),
        span_name: random.chance(4).then(|| "post".to_owned()),
        annotation_query: if random.chance(5) { vec![("env".to_owned(), "a".to_owned())] } else { Vec::new() },
        min_duration_us: random.chance(6).then_some(1000),
        max_duration_us: None,
        end_ts_ms: NOW_MS - 5_000 + random.below(span_ms + 10_000) as i64,
        lookback_ms: [500, 3_000, 60_000, i64::MAX / 4][random.below(4) as usize],
        limit: [1, 2, 10, 1_000][random.below(4) as usize],
    }
}

pub(super) struct Pair {
    pub(super) sqlite: SqliteStorage,
    pub(super) memory: MemoryStorage,
    /// What is asked for.
    pub(super) era: Era,
    pub(super) _directory: tempfile::TempDir,
}

async fn pair(strict_trace_id: bool) -> Pair {
    let directory = tempfile::tempdir().unwrap();
    let options =
        StorageOptions { strict_trace_id, autocomplete_keys: vec!["env".to_owned()], ..StorageOptions::default() };
    let sqlite = SqliteStorage::open(sealing_often(directory.path()), options.clone(), HandClock::new()).await.unwrap();
    let memory = MemoryStorage::new(MemoryConfig::default(), options);
    Pair { sqlite, memory, era: Era::FIRST, _directory: directory }
}

impl Pair {
    async fn write(&self, random: &mut Random, traces: u64) -> Vec<Batch> {
        let batches: Vec<Batch> = (0..1 + random.below(4))
            .map(|_| {
                let count = random.below(20);
                batch(random_spans_of(self.era, random, count, traces))
            })
            .collect();
        for storage in [&self.sqlite as &dyn SpanConsumer, &self.memory] {
            for (result, batch) in storage.write(&batches).await.into_iter().zip(&batches) {
                assert_eq!(result.unwrap().spans, batch.spans.len());
            }
        }
        batches
    }

    pub(super) async fn compare_search(&self, request: &QueryRequest) {
        let budget = QueryBudget::unlimited();
        let found = self.sqlite.search(request, &budget).await.unwrap();
        let expected = self.memory.search(request, &budget).await.unwrap();
        let ids = |traces: &[SpanBatch]| traces.iter().map(|t| t.get(0).unwrap().trace_id).collect::<Vec<_>>();
        assert_eq!(ids(&found), ids(&expected), "{request:?}");
        assert_eq!(found, expected, "{request:?}");
    }

    pub(super) async fn compare_lists(&self) {
        let pairs: [&dyn SpanStore; 2] = [&self.sqlite, &self.memory];
        let mut answers = Vec::new();
        for storage in pairs {
            let mut lists = vec![storage.service_names().await.unwrap()];
            for index in 0..=SERVICES {
                lists.push(storage.span_names(&format!("svc{index}")).await.unwrap());
                lists.push(storage.remote_service_names(&format!("svc{index}")).await.unwrap());
            }
            lists.push(storage.autocomplete_values("env").await.unwrap());
            lists.push(storage.autocomplete_values("error").await.unwrap());
            answers.push(lists);
        }
        assert_eq!(answers[0], answers[1]);
    }

    pub(super) async fn compare_traces(&self, random: &mut Random, traces: u64) {
        let ids: Vec<TraceId> = (0..5)
            .map(|_| TraceId::from_halves(random.below(2), random.below(traces) + self.era.first_low).unwrap())
            .collect();
        let budget = QueryBudget::unlimited();
        let found = self.sqlite.traces(&ids, &budget).await.unwrap();
        assert_eq!(found, self.memory.traces(&ids, &budget).await.unwrap(), "{ids:?}");
    }

    pub(super) async fn compare_dependencies(&self, random: &mut Random, traces: u64) {
        let end_ms = self.era.now_ms - 5_000 + random.below(traces * 700 + 10_000) as i64;
        let lookback_ms = [500, 3_000, 60_000, i64::MAX / 4][random.below(4) as usize];
        let budget = QueryBudget::unlimited();
        let found = self.sqlite.dependencies(end_ms, lookback_ms, &budget).await.unwrap();
        assert_eq!(
            found,
            self.memory.dependencies(end_ms, lookback_ms, &budget).await.unwrap(),
            "{end_ms} {lookback_ms}"
        );
    }
}

impl Pair {
    pub(super) async fn compare_red(&self, random: &mut Random, traces: u64) {
        let start_minute = self.era.now_ms / 60_000 - 1 + random.below(traces * 700 / 60_000 + 2) as i64;
        let request = RedRequest {
            service_name: random.chance(2).then(|| service(random)),
            span_name: None,
            remote_service_name: None,
            start_minute,
            end_minute: start_minute + 1 + random.below(4) as i64,
            step_minutes: 1,
            series_max: RED_SERIES_MAX,
        };
        let budget = QueryBudget::unlimited();
        let found = self.sqlite.red(&request, &budget).await.unwrap();
        assert_eq!(found, self.memory.red(&request, &budget).await.unwrap(), "{request:?}");
    }
}

/// Searches of a round; everything else is asked once.
const SEARCHES: u64 = 25;

impl Pair {
    /// Asks for everything; how many questions that were.
    pub(super) async fn compare_all(&self, random: &mut Random, traces: u64) -> u64 {
        for _ in 0..SEARCHES {
            let mut request = random_request(random, traces);
            request.end_ts_ms += self.era.now_ms - NOW_MS;
            self.compare_search(&request).await;
        }
        self.compare_traces(random, traces).await;
        self.compare_dependencies(random, traces).await;
        self.compare_red(random, traces).await;
        self.compare_lists().await;
        SEARCHES + 4
    }
}

async fn compare(seed: u64, strict_trace_id: bool) {
    let pair = pair(strict_trace_id).await;
    let mut random = Random::new(seed);
    let traces = [3, 30, 200][seed as usize % 3];
    for _ in 0..12 {
        let _ = pair.write(&mut random, traces).await;
        if random.chance(2) {
            pair.sqlite.maintain().await.unwrap();
        }
        pair.compare_all(&mut random, traces).await;
    }
    assert_eq!(pair.sqlite.metrics().damaged.get(), 0);
}

#[tokio::test]
async fn answers_are_those_of_the_memory_store_with_strict_ids() {
    for seed in 0..4 {
        compare(seed, true).await;
    }
}

#[tokio::test]
async fn answers_are_those_of_the_memory_store_with_lenient_ids() {
    for seed in 4..8 {
        compare(seed, false).await;
    }
}

/// Eras are so far apart that each outlives the next one and no more.
const ERA_MS: i64 = 3 * 3_600_000;
const AGE: Duration = Duration::from_secs(4 * 3_600);
const ERAS: u64 = 4;
const ROUNDS: u64 = 5;
/// Questions asked unless `ZIPKIND_DIFFERENTIAL_QUERIES` says otherwise (the long form).
const QUERIES: u64 = 1_500;

#[allow(clippy::disallowed_methods, reason = "the long form is the same test with more questions")]
fn queries() -> u64 {
    std::env::var("ZIPKIND_DIFFERENTIAL_QUERIES")
        .map_or(QUERIES, |queries| queries.parse().expect("a number of questions"))
}

/// A store through several eras, with restarts; how many questions were asked.
async fn compare_eras(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let traces = [3, 30, 200][seed as usize % 3];
    let directory = tempfile::tempdir().unwrap();
    let (clock, strict_trace_id) = (HandClock::new(), seed.is_multiple_of(2));
    let options =
        StorageOptions { strict_trace_id, autocomplete_keys: vec!["env".to_owned()], ..StorageOptions::default() };
    let config = SqliteConfig {
        retention_max_age: Some(AGE),
        retention_min_stay: Duration::ZERO,
        recent_age_max: Duration::from_secs(60),
        ..sealing_often(directory.path())
    };
    let (mut kept, mut asked, mut removed): (Vec<Batch>, u64, u64) = Default::default();
    for number in 0..ERAS {
        let sqlite = SqliteStorage::open(config.clone(), options.clone(), clock.clone()).await.unwrap();
        let memory = MemoryStorage::new(MemoryConfig::default(), options.clone());
        for spans in std::mem::take(&mut kept) {
            memory.write(&[spans]).await.remove(0).unwrap();
        }
        let mut pair = Pair { sqlite, memory, era: Era::nth(number), _directory: tempfile::tempdir().unwrap() };
        for _ in 0..ROUNDS {
            kept.extend(pair.write(&mut random, traces).await);
            if random.chance(2) {
                pair.sqlite.maintain().await.unwrap();
            }
            pair.era = Era::nth(number - random.below(2).min(number));
            asked += pair.compare_all(&mut random, traces).await;
            pair.era = Era::nth(number);
        }
        clock.advance_ms(ERA_MS);
        pair.sqlite.maintain().await.unwrap();
        assert_eq!(pair.sqlite.metrics().damaged.get(), 0);
        removed += pair.sqlite.metrics().removed_spans.with_label_values(&["age"]).get();
        pair.sqlite.close().await;
    }
    assert!(removed > 0, "nothing was too old");
    asked
}

#[tokio::test]
async fn answers_are_those_of_the_memory_store_while_what_is_old_goes_and_after_restarts() {
    let (mut asked, mut seed) = (0, 100);
    while asked < queries() {
        asked += compare_eras(seed).await;
        seed += 1;
    }
    println!("{asked} questions to {} stores: equal answers", seed - 100);
}
