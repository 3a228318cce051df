use super::*;
use crate::model::{SpanBuilder, SpanId};

/// One span, by fields that matter to searches.
#[derive(Clone, Default)]
struct Sample {
    high: u64,
    parent: u64,
    timestamp_us: i64,
    duration_us: i64,
    service: &'static str,
    remote: &'static str,
    name: &'static str,
    tags: &'static [(&'static str, &'static str)],
    annotations: &'static [&'static str],
}

fn trace(samples: &[Sample]) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for (index, sample) in samples.iter().enumerate() {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(sample.high, 7).unwrap());
        builder.set_id(SpanId::new(index as u64 + 1));
        builder.set_parent_id(SpanId::new(sample.parent));
        builder.set_timestamp_us(sample.timestamp_us);
        builder.set_duration_us(sample.duration_us);
        builder.set_name(sample.name);
        builder.local_endpoint.set_service_name(sample.service);
        builder.remote_endpoint.set_service_name(sample.remote);
        sample.tags.iter().for_each(|(key, value)| builder.add_tag(key, value));
        sample.annotations.iter().for_each(|value| builder.add_annotation(1, value));
        builder.finish(&mut batch).unwrap();
    }
    batch
}

fn any() -> QueryRequest {
    QueryRequest::window(2_000, 1_000, 10)
}

fn found(samples: &[Sample], request: &QueryRequest) -> bool {
    matches(trace(samples).iter(), request)
}

fn at(timestamp_us: i64) -> Sample {
    Sample { timestamp_us, ..Sample::default() }
}

#[test]
fn the_window_is_exact_to_the_microsecond_at_both_ends() {
    for (timestamp_us, expected) in
        [(999_999, false), (1_000_000, true), (2_000_000, true), (2_000_001, false), (0, false)]
    {
        assert_eq!(found(&[at(timestamp_us)], &any()), expected, "{timestamp_us}");
    }
}

#[test]
fn the_first_span_without_parent_gives_the_time_else_the_smallest() {
    let child = |timestamp_us| Sample { parent: 99, ..at(timestamp_us) };
    assert!(found(&[child(500_000), at(1_500_000), at(10)], &any()));
    assert!(found(&[at(0), at(1_500_000)], &any()));
    assert!(!found(&[child(1_500_000), child(500_000)], &any()));
    assert!(found(&[child(1_600_000), child(1_500_000)], &any()));
}

#[test]
fn extreme_windows_do_not_overflow() {
    let request = QueryRequest { end_ts_ms: i64::MAX, lookback_ms: i64::MAX, ..any() };
    assert!(found(&[at(i64::MAX)], &request));
    assert!(found(&[at(1)], &request));
}

#[test]
fn conditions_count_only_on_spans_of_the_asked_service() {
    let spans = [
        Sample { service: "front", name: "get", remote: "back", duration_us: 10, ..at(1_500_000) },
        Sample { service: "back", name: "query", tags: &[("error", "")], duration_us: 99, ..at(1_500_001) },
    ];
    let front = QueryRequest { service_name: Some("front".into()), ..any() };
    assert!(found(&spans, &front));
    assert!(!found(&spans, &QueryRequest { service_name: Some("other".into()), ..any() }));
    assert!(!found(&spans, &QueryRequest { span_name: Some("query".into()), ..front.clone() }));
    assert!(found(&spans, &QueryRequest { remote_service_name: Some("back".into()), ..front.clone() }));
    assert!(!found(&spans, &QueryRequest { annotation_query: vec![("error".into(), String::new())], ..front.clone() }));
    assert!(!found(&spans, &QueryRequest { min_duration_us: Some(11), ..front.clone() }));
    assert!(found(&spans, &QueryRequest { min_duration_us: Some(10), ..front }));
    assert!(found(&spans, &QueryRequest { span_name: Some("query".into()), min_duration_us: Some(99), ..any() }));
}

#[test]
fn different_spans_may_meet_different_terms() {
    let spans = [
        Sample { tags: &[("http.method", "GET")], ..at(1_500_000) },
        Sample { annotations: &["retry"], ..at(1_500_000) },
    ];
    let ask = |text: &str| QueryRequest { annotation_query: QueryRequest::parse_annotation_query(text), ..any() };
    assert!(found(&spans, &ask("http.method=GET and retry")));
    assert!(found(&spans, &ask("http.method")));
    assert!(!found(&spans, &ask("http.method=get")));
    assert!(!found(&spans, &ask("retry=x")));
    assert!(!found(&spans, &ask("and")));
}

#[test]
fn a_duration_range_takes_both_ends_and_no_duration_is_zero() {
    let ask = |min, max| QueryRequest { min_duration_us: Some(min), max_duration_us: max, ..any() };
    let lasting = |duration_us| [Sample { duration_us, ..at(1_500_000) }];
    assert!(found(&lasting(5), &ask(5, Some(5))));
    assert!(!found(&lasting(6), &ask(4, Some(5))));
    assert!(!found(&lasting(0), &ask(1, None)));
}

#[test]
fn parts_of_a_strict_split_are_tested_again_and_may_exceed_the_limit() {
    let of = |high, name| Sample { high, name, ..at(1_500_000) };
    let spans = trace(&[of(1, "a"), of(2, "b"), of(1, "c"), of(3, "b")]);
    let select = |request: &QueryRequest, strict| {
        let mut selection = Selection::new(request, strict);
        selection.offer(spans.clone());
        selection.offer(spans.clone());
        selection.into_traces().iter().map(SpanBatch::len).collect::<Vec<_>>()
    };
    let one = QueryRequest { limit: 1, ..any() };
    assert_eq!(select(&one, true), [2, 1, 1]);
    assert_eq!(select(&one, false), [4]);
    assert_eq!(select(&QueryRequest { span_name: Some("b".into()), ..one }, true), [1, 1]);
}
