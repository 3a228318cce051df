//! Rate, errors and durations.

use super::sample::{DAY_MS, Sample, T, batch, span, trace_id};
use super::{Fixture, Suite};
use crate::model::SpanKind::{Client, Server};
use crate::model::red::{MINUTE_MS, RED_SERIES_MAX, Red, RedAnswer, RedKeyRef, RedRequest, RedTable};
use crate::storage::{ErrorKind, QueryBudget, SpanStore, StorageOptions};

const MINUTE: i64 = T / MINUTE_MS;

/// Services and edges, minute by minute, from the minute of [`T`] on.
fn minutes(minutes: i64) -> RedRequest {
    RedRequest {
        service_name: None,
        span_name: None,
        remote_service_name: None,
        start_minute: MINUTE,
        end_minute: MINUTE + minutes,
        step_minutes: 1,
        series_max: RED_SERIES_MAX,
    }
}

fn of(service: &str) -> RedRequest {
    RedRequest { service_name: Some(service.to_owned()), ..minutes(1) }
}

/// The answer in words, minutes counted from that of [`T`]: `a→b 0: 2/1 max 7` is two calls, one failed, the longest 7 µs.
fn told(answer: &RedAnswer) -> Vec<String> {
    let key = |key: RedKeyRef<'_>| match key {
        RedKeyRef::Service { service } => service.to_owned(),
        RedKeyRef::Span { service, name, .. } => format!("{service}.{name}"),
        RedKeyRef::Edge { parent, child } => format!("{parent}→{child}"),
    };
    let step = |(minute, Red { calls, errors, durations }): &(i64, Red)| {
        format!("{}: {calls}/{errors} max {}", minute - MINUTE, durations.max_us())
    };
    let of = |series: &crate::model::red::RedSeries| {
        series.steps.iter().map(|known| format!("{} {}", key(series.key.as_ref()), step(known))).collect::<Vec<_>>()
    };
    answer.series.iter().flat_map(of).collect()
}

async fn store(suite: &Suite) -> Option<Fixture> {
    let store = suite.store().await;
    store.capabilities().red.then_some(store)
}

fn client(low: u64, id: u64) -> Sample {
    span(low, id).kind(Client).service("a").name("call").lasting(900)
}

fn server(low: u64, id: u64) -> Sample {
    span(low, id).kind(Server).service("b").name("serve").lasting(700)
}

pub(super) async fn red_counts_requests_errors_and_durations(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let samples: Vec<Sample> = (1..=100)
        .flat_map(|low| {
            let answer = server(low, 2).parent(1).lasting(low as i64 * 1_000);
            let answer = if low % 10 == 0 { answer.tag("error", "") } else { answer };
            [client(low, 1), answer]
        })
        .collect();
    store.put(batch(&samples)).await;
    assert_eq!(told(&store.red_of(&minutes(1)).await), ["b 0: 100/10 max 100000", "a→b 0: 100/10 max 100000"]);
    let expected = ["b 0: 100/10 max 100000", "b.serve 0: 100/10 max 100000", "a→b 0: 100/10 max 100000"];
    let answer = store.red_of(&of("b")).await;
    assert_eq!(told(&answer), expected);
    assert_eq!(told(&store.red_of(&of("a")).await), ["a.call 0: 100/0 max 900", "a→b 0: 100/10 max 100000"]);
    for series in answer.series {
        for (quantile, exact) in [(0.5, 50_000_u64), (0.95, 95_000), (0.99, 99_000)] {
            let told = series.total().durations.quantile_us(quantile).unwrap_or_default();
            assert!(told.abs_diff(exact) * 50 <= exact, "p{quantile} is {told}");
        }
    }
}

/// What is counted early is replaced by what came late; nothing is counted twice.
pub(super) async fn red_counts_late_and_repeated_spans_once(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let job = span(1, 1).service("job").lasting(5);
    let guess = client(2, 1).remote("guess");
    for _ in 0..3 {
        store.put(batch([&job, &guess, &job])).await;
        assert_eq!(told(&store.red_of(&minutes(1)).await), ["job 0: 1/0 max 5", "a→guess 0: 1/0 max 900"]);
    }
    // The server's half comes in another minute, after an answer was given: the call moves there.
    let late = server(2, 1).at(3 * MINUTE_MS).tag("error", "late");
    for _ in 0..2 {
        store.put(batch([&late])).await;
        let expected = ["b 3: 1/1 max 700", "job 0: 1/0 max 5", "a→b 3: 1/1 max 700"];
        assert_eq!(told(&store.red_of(&minutes(5)).await), expected);
    }
}

pub(super) async fn red_merges_what_came_in_parts(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let begin = span(1, 1).kind(Server).service("b").name("n");
    let end = span(1, 1).at_us(0).service("b").lasting(40).tag("error", "x");
    let child = span(1, 2).parent(1).service("b").name("local");
    store.put(batch([&begin])).await;
    assert_eq!(told(&store.red_of(&minutes(1)).await), ["b 0: 1/0 max 0"]);
    store.put_all(vec![batch([&child]), batch([&end, &begin])]).await;
    assert_eq!(told(&store.red_of(&of("b")).await), ["b 0: 1/1 max 40", "b.local 0: 1/0 max 0", "b.n 0: 1/1 max 40"]);
    // Ids that share the low half are one trace, as for links.
    store.put(batch([&client(2, 1).high(7), &server(2, 2).parent(1)])).await;
    assert_eq!(told(&store.red_of(&minutes(1)).await), ["b 0: 2/1 max 700", "a→b 0: 1/0 max 700"]);
}

/// A trace may begin long before the window and end long after it, and still be asked for its middle.
pub(super) async fn red_takes_the_minutes_of_the_window(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let into_minute = T % MINUTE_MS;
    let first_ms = -into_minute;
    let times = [-DAY_MS, first_ms - 1, first_ms, first_ms + MINUTE_MS - 1, first_ms + MINUTE_MS, DAY_MS];
    let samples: Vec<Sample> =
        (1..).zip(times).map(|(id, after_ms)| server(1, id).parent(99).at(after_ms).lasting(id as i64)).collect();
    store.put(batch(&samples)).await;
    store.put(batch([&server(2, 1).at_us(0)])).await;
    let told_of = async |start: i64, end: i64, step_minutes: i64| {
        let window = RedRequest { start_minute: MINUTE + start, end_minute: MINUTE + end, step_minutes, ..minutes(1) };
        told(&store.red_of(&window).await)
    };
    assert_eq!(told_of(0, 1, 1).await, ["b 0: 2/0 max 4"]);
    assert_eq!(told_of(-1, 2, 1).await, ["b -1: 1/0 max 2", "b 0: 2/0 max 4", "b 1: 1/0 max 5"]);
    assert_eq!(told_of(-1, 2, 2).await, ["b -1: 3/0 max 4", "b 1: 1/0 max 5"]);
    assert_eq!(told_of(-MINUTE, MINUTE, 2 * MINUTE).await, [format!("b {}: 6/0 max 6", -MINUTE)]);
    assert_eq!(told_of(2, 100, 1).await, [""; 0]);
    assert_eq!(told_of(0, 0, 1).await, [""; 0]);
}

pub(super) async fn red_equals_a_recount_of_all_traces(suite: &Suite) {
    const TRACES: u64 = 150;
    let Some(store) = store(suite).await else { return };
    let mut rng = fastrand::Rng::with_seed(7);
    let request = RedRequest { step_minutes: 7, ..minutes(60) };
    for round in 0..6 {
        let samples: Vec<Sample> = (0..400)
            .map(|_| {
                let (low, id) = (rng.u64(1..=TRACES), rng.u64(1..=6));
                let sample =
                    span(low, id).parent(rng.u64(0..id)).at(rng.i64(0..70 * MINUTE_MS)).lasting(rng.i64(0..9_999));
                let sample = sample.service(["a", "b", "c", ""][rng.usize(..4)]).name(["n", "m"][rng.usize(..2)]);
                let sample = if rng.u8(..8) == 0 { sample.tag("error", "x") } else { sample };
                match rng.u8(..3) {
                    0 => sample,
                    1 => sample.kind(Client).remote(["a", "b", "d"][rng.usize(..3)]),
                    _ => sample.kind(Server),
                }
            })
            .collect();
        store.put_all(samples.chunks(50).map(batch).collect()).await;
        let mut recount = RedTable::new(request.clone());
        let ids: Vec<_> = (1..=TRACES).map(|low| trace_id(0, low)).collect();
        store.read(&ids).await.iter().for_each(|trace| recount.put_trace(trace.iter()));
        assert_eq!(store.red_of(&request).await, recount.into_answer(), "round {round}");
    }
}

pub(super) async fn red_leaves_out_and_counts_series_beyond_the_limit(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let samples = [("a", 1), ("b", 2), ("c", 3)].map(|(service, low)| span(low, 1).service(service));
    store.put(batch(&samples)).await;
    let answer = store.red_of(&RedRequest { series_max: 2, ..minutes(1) }).await;
    assert_eq!((answer.series.len(), answer.left_out), (2, 1), "{:?}", told(&answer));
    let whole = store.red_of(&minutes(1)).await;
    assert_eq!((whole.series.len(), whole.left_out), (3, 0), "{:?}", told(&whole));
}

pub(super) async fn red_comes_without_search_too(suite: &Suite) {
    let store = suite.store_with(StorageOptions { search_enabled: false, ..StorageOptions::default() }).await;
    if store.capabilities().red {
        store.put(batch([&server(1, 1)])).await;
        assert_eq!(told(&store.red_of(&minutes(1)).await), ["b 0: 1/0 max 700"]);
    }
}

pub(super) async fn red_ends_on_the_budget(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    store.put(batch(&(1..=50).map(|low| server(low, 1)).collect::<Vec<_>>())).await;
    let ask = async |budget: QueryBudget| store.red(&minutes(1), &budget).await.map_err(|error| error.kind);
    let passed = QueryBudget::new(Some(std::time::Instant::now()), u64::MAX);
    assert_eq!(ask(passed).await.err(), Some(ErrorKind::Deadline));
    assert_eq!(ask(QueryBudget::new(None, 10)).await.err(), Some(ErrorKind::Exhausted));
    assert!(ask(QueryBudget::new(None, 50)).await.is_ok());
}

pub(super) async fn stores_without_red_say_so(suite: &Suite) {
    let store = suite.store().await;
    if !store.capabilities().red {
        let error = SpanStore::red(&*store, &minutes(1), &QueryBudget::unlimited()).await.err();
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Unsupported));
    }
}
