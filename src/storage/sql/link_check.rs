//! Every engine: links that are added up from tallies are those of the spans, whatever came late, twice, or went.

use std::fmt::Write as _;

use crate::model::testing::spans_from_json;
use crate::model::{DependencyLink, SpanBatch};
use crate::storage::{
    Batch, MemoryConfig, MemoryStorage, QueryBudget, SpanConsumer, SpanStore, StorageBackend, StorageOptions,
};

const NOW_MS: i64 = 1_600_000_000_000;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// Two processes on one database, and their clock.
pub(in crate::storage) struct Processes<'a> {
    /// The first has the lease.
    pub(in crate::storage) stores: [&'a dyn StorageBackend; 2],
    pub(in crate::storage) advance_ms: &'a (dyn Fn(i64) + Sync),
}

impl Processes<'_> {
    async fn put(&self, process: usize, spans: &SpanBatch) {
        let batch = Batch { spans: spans.clone(), position: None };
        self.stores[process].write(&[batch]).await.remove(0).unwrap();
        // Spans of a trace come in the order of arrival.
        (self.advance_ms)(1_000);
    }

    async fn settle(&self) {
        (self.advance_ms)(10_000);
        self.stores[0].maintain().await.unwrap();
    }

    async fn links(&self, process: usize, end_ms: i64, lookback_ms: i64, spans_max: u64) -> Vec<DependencyLink> {
        let budget = QueryBudget::new(None, spans_max);
        self.stores[process].dependencies(end_ms, lookback_ms, &budget).await.unwrap()
    }
}

/// Service `a` calls service `b`, in two spans.
fn call(low: u64, parent: &str, child: &str, at_ms: i64) -> SpanBatch {
    let timestamp = at_ms * 1000;
    spans_from_json(&format!(
        r#"[{{"traceId":"{low:x}","id":"1","kind":"CLIENT","timestamp":{timestamp},"localEndpoint":{{"serviceName":"{parent}"}}}},
            {{"traceId":"{low:x}","id":"1","kind":"SERVER","shared":true,"timestamp":{timestamp},
              "localEndpoint":{{"serviceName":"{child}"}}}}]"#
    ))
}

fn link(parent: &str, child: &str, call_count: u64) -> DependencyLink {
    DependencyLink { parent: parent.to_owned(), child: child.to_owned(), call_count, error_count: 0 }
}

/// Spans read are counted: none of those that have settled.
pub(in crate::storage) async fn settled_traces_are_not_read_again(processes: &Processes<'_>) {
    let mut spans = SpanBatch::new();
    (1..=300).for_each(|low| spans.append(&call(low, "a", "b", NOW_MS - low as i64)));
    processes.put(0, &spans).await;
    processes.settle().await;
    assert_eq!(processes.links(1, NOW_MS, DAY_MS, 0).await, [link("a", "b", 300)]);
    // Late, from the other process: the call of the trace is another one now, and one more.
    let late = spans_from_json(&format!(
        r#"[{{"traceId":"7","id":"2","parentId":"1","kind":"CLIENT","timestamp":{},
              "localEndpoint":{{"serviceName":"b"}},"remoteEndpoint":{{"serviceName":"c"}}}}]"#,
        NOW_MS * 1000
    ));
    processes.put(1, &late).await;
    let expected = [link("a", "b", 300), link("b", "c", 1)];
    assert_eq!(processes.links(0, NOW_MS, DAY_MS, 3).await, expected, "the trace that changed is read");
    processes.settle().await;
    assert_eq!(processes.links(0, NOW_MS, DAY_MS, 0).await, expected);
    // The same once more changes nothing, before and after it has settled.
    processes.put(0, &spans).await;
    assert_eq!(processes.links(1, NOW_MS, DAY_MS, 601).await, expected);
    processes.settle().await;
    assert_eq!(processes.links(1, NOW_MS, DAY_MS, 0).await, expected);
    // A window's edge goes through a trace: its spans tell.
    assert_eq!(processes.links(1, NOW_MS - 10, 5, 0).await, [link("a", "b", 6)]);
    assert_eq!(processes.links(1, NOW_MS - 3, 100, 3).await, [link("a", "b", 101), link("b", "c", 1)]);
}

/// Traces of other times that have not settled are not read for a window, however long it is.
pub(in crate::storage) async fn unsettled_traces_of_other_times_are_not_read(processes: &Processes<'_>) {
    processes.put(0, &call(1, "a", "b", NOW_MS)).await;
    processes.settle().await;
    let mut spans = SpanBatch::new();
    (2..=300).for_each(|low| spans.append(&call(low, "c", "d", NOW_MS - 3 * HOUR_MS)));
    processes.put(1, &spans).await;
    assert_eq!(processes.links(0, NOW_MS, HOUR_MS, 0).await, [link("a", "b", 1)]);
    assert_eq!(processes.links(0, NOW_MS, DAY_MS, 598).await, [link("a", "b", 1), link("c", "d", 299)]);
}

/// A trace that everything is put into is not read each time it grows, but by who asks for its time.
pub(in crate::storage) async fn traces_without_end_are_read_by_who_asks_for_them(processes: &Processes<'_>) {
    const SPANS: u64 = 1_100;
    let mut json = String::new();
    for n in 1..=SPANS as i64 {
        let timestamp = (NOW_MS - HOUR_MS - n * 2_000) * 1000;
        let _ = write!(
            json,
            r#"{}{{"traceId":"1","id":"{n:x}","kind":"PRODUCER","timestamp":{timestamp},
                  "localEndpoint":{{"serviceName":"a"}},"remoteEndpoint":{{"serviceName":"queue"}}}}"#,
            if n == 1 { '[' } else { ',' },
        );
    }
    json.push(']');
    processes.put(0, &spans_from_json(&json)).await;
    processes.put(0, &call(2, "a", "b", NOW_MS)).await;
    processes.settle().await;
    assert_eq!(processes.links(1, NOW_MS, HOUR_MS / 2, 0).await, [link("a", "b", 1)], "another time");
    let expected = [link("a", "b", 1), link("a", "queue", SPANS)];
    assert_eq!(processes.links(1, NOW_MS, DAY_MS, SPANS).await, expected);
    let few = QueryBudget::new(None, SPANS - 1);
    assert!(processes.stores[1].dependencies(NOW_MS, DAY_MS, &few).await.is_err(), "only its spans tell");
}

struct Random(fastrand::Rng);

impl Random {
    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.0.usize(..texts.len())]
    }

    /// Spans of traces that many writes have spans of: of services that call each other, of any time, or none.
    fn spans(&mut self) -> SpanBatch {
        let mut json = String::from("[");
        for n in 0..self.0.u64(1..20) {
            let (low, id) = (self.0.u64(1..80), self.0.u64(1..7));
            let comma = if n == 0 { "" } else { "," };
            let _ = write!(json, r#"{comma}{{"traceId":"{low:x}","id":"{id:x}""#);
            if id > 1 {
                let _ = write!(json, r#","parentId":"{:x}""#, self.0.u64(1..id));
            }
            let kind = self.one_of(&["", "CLIENT", "SERVER", "CLIENT", "SERVER", "PRODUCER", "CONSUMER"]);
            if !kind.is_empty() {
                let _ = write!(json, r#","kind":"{kind}","shared":{}"#, kind == "SERVER" && self.0.bool());
            }
            // Most of a trace are near to each other; some are days away, some have no time.
            let away_ms = match self.0.u32(..30) {
                0 => -3 * DAY_MS,
                1 => DAY_MS,
                2 => -10 * DAY_MS,
                _ => self.0.i64(0..200),
            };
            if low % 11 != 0 || self.0.bool() {
                let _ = write!(json, r#","timestamp":{}"#, (NOW_MS - low as i64 * 1_000 + away_ms) * 1000);
            }
            for end in ["local", "remote"] {
                let service = self.one_of(&["", "a", "b", "c", "d", "e"]);
                if !service.is_empty() {
                    let _ = write!(json, r#","{end}Endpoint":{{"serviceName":"{service}"}}"#);
                }
            }
            if self.0.u32(..8) == 0 {
                json.push_str(r#","tags":{"error":""}"#);
            }
            json.push('}');
        }
        json.push(']');
        spans_from_json(&json)
    }
}

/// Two processes write the same traces in any order, some spans twice, while tallies are made; the memory store is the recount.
pub(in crate::storage) async fn links_of_tallies_equal_a_recount(processes: &Processes<'_>) {
    let memory = MemoryStorage::new(MemoryConfig::default(), StorageOptions::default());
    let mut random = Random(fastrand::Rng::with_seed(11));
    let mut earlier = Vec::new();
    for round in 0..40 {
        for _ in 0..3 {
            let spans = match random.0.usize(..5) {
                0 if !earlier.is_empty() => SpanBatch::clone(&earlier[random.0.usize(..earlier.len())]),
                _ => random.spans(),
            };
            processes.put(random.0.usize(..2), &spans).await;
            memory.write(&[Batch { spans: spans.clone(), position: None }]).await.remove(0).unwrap();
            earlier.push(spans);
        }
        if round % 3 > 0 {
            processes.settle().await;
        }
        let windows = [(0, 20 * DAY_MS), (0, 40_000), (-20_000, 15_000), (-41_500, 2_000), (2 * DAY_MS, 5 * DAY_MS)];
        for (to_ms, lookback_ms) in windows {
            let end_ms = NOW_MS + to_ms;
            let expected = memory.dependencies(end_ms, lookback_ms, &QueryBudget::unlimited()).await.unwrap();
            let found = processes.links(round % 2, end_ms, lookback_ms, u64::MAX).await;
            assert_eq!(found, expected, "round {round}, {lookback_ms} ms to {to_ms}");
        }
    }
}

/// What retention leaves is what is counted: a window from the beginning of time is always made from the spans.
pub(in crate::storage) async fn links_follow_what_is_removed(processes: &Processes<'_>) {
    let mut spans = SpanBatch::new();
    for n in 0..60_u64 {
        let at_ms = NOW_MS - 6 * DAY_MS + (n as i64 * 5) * HOUR_MS / 2;
        spans.append(&call(n + 1, "a", "b", at_ms));
        if n % 3 == 0 {
            // The trace goes on a day later.
            spans.append(&spans_from_json(&format!(
                r#"[{{"traceId":"{:x}","id":"2","parentId":"1","kind":"PRODUCER","timestamp":{},
                      "localEndpoint":{{"serviceName":"b"}},"remoteEndpoint":{{"serviceName":"queue"}}}}]"#,
                n + 1,
                (at_ms + DAY_MS) * 1000
            )));
        }
    }
    spans.append(&call(1_000, "old", "b", NOW_MS - 300 * DAY_MS));
    spans.append(&call(1_001, "next", "b", NOW_MS + 20 * DAY_MS));
    processes.put(0, &spans).await;
    let mut before = usize::MAX;
    for hours in [0, 1, 3, 20, 24, 24, 30, 48, 24 * 9, 24 * 30] {
        (processes.advance_ms)(hours * HOUR_MS);
        for _ in 0..2 {
            processes.settle().await;
            let end_ms = NOW_MS + 400 * DAY_MS;
            let expected = processes.links(1, end_ms, end_ms + 1, u64::MAX).await;
            assert_eq!(processes.links(1, end_ms, end_ms - 1, u64::MAX).await, expected, "{hours} hours later");
            let calls = expected.iter().map(|link| link.call_count as usize).sum();
            assert!(calls <= before);
            before = calls;
        }
    }
    assert_eq!(before, 0, "all is gone");
}
