//! Spans of every shape through a block and back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::testing::spans_from_json;
use crate::model::{QueryRequest, SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId, group_by_millisecond, search};

/// Builds a block of the spans, by trace.
fn build(traces: &BTreeMap<u64, SpanBatch>) -> BuiltBlock {
    let keys = ["env".to_owned()];
    let mut builder = BlockBuilder::new(&keys, true);
    traces.iter().for_each(|(low, spans)| builder.push(*low, spans).unwrap());
    builder.finish().unwrap().unwrap()
}

fn by_trace(spans: &SpanBatch) -> BTreeMap<u64, SpanBatch> {
    let mut traces: BTreeMap<u64, SpanBatch> = BTreeMap::new();
    spans.iter().for_each(|span| traces.entry(span.trace_id.low()).or_default().push_record(span.record()));
    traces
}

/// Every trace as the block's values give it.
fn read_back(built: &BuiltBlock) -> BTreeMap<u64, SpanBatch> {
    let table = Traces::read(&built.traces_value).unwrap();
    let mut traces = BTreeMap::new();
    for entry in &table.entries {
        let chunk = &built.chunks[entry.chunk as usize];
        let find = Find::read(&chunk.find).unwrap();
        let records = find.records(&chunk.rest).unwrap();
        let range = find.spans_of(entry.place as usize);
        assert_eq!((find.lows()[entry.place as usize], range.len()), (entry.low, entry.spans as usize));
        traces.insert(entry.low, records.slice(range.start, range.end));
    }
    traces
}

fn any_spans() -> impl Strategy<Value = SpanBatch> {
    let text = prop_oneof![Just(String::new()), "[a-c]{1,3}", "\\PC{0,12}"];
    let texts = proptest::collection::vec((text.clone(), text.clone()), 0..4);
    let notes = proptest::collection::vec((any::<i64>(), text.clone()), 0..3);
    let ids = (0_u64..5, 0_u64..3, 0_u64..6, 0_u64..6);
    let times = (prop_oneof![Just(0_i64), 0_i64..10_000_000, any::<i64>()], prop_oneof![Just(0_i64), any::<i64>()]);
    let names = (text.clone(), text.clone(), text);
    let span = (ids, times, names, texts, notes, (0_u8..5, any::<bool>(), any::<bool>(), any::<u16>()));
    proptest::collection::vec(span, 1..80).prop_map(|spans| {
        let mut batch = SpanBatch::new();
        let mut builder = SpanBuilder::new();
        for ((low, high, id, parent), (time, duration), (name, local, remote), tags, notes, rest) in spans {
            let (kind, debug, shared, port) = rest;
            builder.clear();
            builder.set_trace_id(TraceId::from_halves(high, low + 1).unwrap());
            builder.set_id(SpanId::new(id));
            builder.set_parent_id(SpanId::new(parent));
            let kinds = [None, Some(SpanKind::Client), Some(SpanKind::Server), Some(SpanKind::Producer)];
            builder.set_kind(kinds.get(kind as usize).copied().unwrap_or(Some(SpanKind::Consumer)));
            builder.set_name(&name);
            builder.set_timestamp_us(time);
            builder.set_duration_us(duration);
            builder.local_endpoint.set_service_name(&local);
            builder.local_endpoint.set_port(port);
            builder.remote_endpoint.set_service_name(&remote);
            builder.remote_endpoint.set_ip(if debug { "2001:db8::1" } else { "10.1.2.3" });
            tags.iter().for_each(|(key, value)| builder.add_tag(key, value));
            notes.iter().for_each(|(time, text)| builder.add_annotation(*time, text));
            builder.set_debug(debug);
            builder.set_shared(shared);
            builder.finish(&mut batch).unwrap();
        }
        batch
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_record_comes_back_byte_by_byte(spans in any_spans()) {
        let traces = by_trace(&spans);
        prop_assert_eq!(read_back(&build(&traces)), traces);
    }

    /// A chunk that a search passes over has no trace that matches.
    #[test]
    fn conditions_let_every_match_pass(spans in any_spans(), with_tag in any::<bool>(), shortest in 0_i64..3) {
        let traces = by_trace(&spans);
        let built = build(&traces);
        let span = spans.get(0).unwrap();
        let term = span.tags().next().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let request = QueryRequest {
            service_name: span.local_service_name().map(str::to_owned),
            span_name: span.name.map(str::to_owned),
            remote_service_name: span.remote_service_name().map(str::to_owned),
            annotation_query: term.into_iter().filter(|_| with_tag).collect(),
            min_duration_us: (shortest > 0).then_some(shortest),
            ..QueryRequest::window(i64::MAX / 2000, i64::MAX / 1000, 10)
        };
        let find = Find::read(&built.chunks[0].find).unwrap();
        let test = ChunkTest::new(&find, &request);
        let outline = built.names.outline();
        let wanted = Wanted::new(
            request.service_name.as_deref(),
            request.span_name.as_deref(),
            request.remote_service_name.as_deref(),
            shortest as u64,
        );
        for (place, low) in find.lows().iter().enumerate() {
            let trace = group_by_millisecond(traces[low].clone());
            if search::matches(trace.iter(), &request) {
                prop_assert!(test.as_ref().is_some_and(|test| test.lets_pass(&find, place)));
                prop_assert!(outline.may_match(&wanted));
            }
        }
    }
}

#[test]
fn a_block_of_many_chunks_gives_every_trace_back() {
    let mut spans = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for n in 0..9_000_u64 {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(n % 3, n % 700 + 1).unwrap());
        builder.set_id(SpanId::new(n + 1));
        builder.set_parent_id(SpanId::new(n / 2));
        builder.set_timestamp_us(1_700_000_000_000_000 + n as i64 * 977);
        builder.set_name(&format!("name {}", n % 17));
        builder.add_tag("path", &format!("/item/{n}"));
        builder.finish(&mut spans).unwrap();
    }
    let traces = by_trace(&spans);
    let built = build(&traces);
    assert!(built.chunks.len() > 3, "{}", built.chunks.len());
    assert_eq!(read_back(&built), traces);
    assert_eq!((built.figures.spans, built.figures.traces), (9_000, 700));
}

#[test]
fn views_come_back_from_their_values() {
    let spans = spans_from_json(
        r#"[{"traceId":"1","id":"1","kind":"CLIENT","name":"get","timestamp":5000,"duration":70,
             "localEndpoint":{"serviceName":"a"},"remoteEndpoint":{"serviceName":"b"},"tags":{"env":"prod"}},
            {"traceId":"2","id":"1","kind":"CLIENT","timestamp":900000,"duration":9,
             "localEndpoint":{"serviceName":"a"},"remoteEndpoint":{"serviceName":"c"},"tags":{"error":"x"},
             "annotations":[{"timestamp":1,"value":"note"}]},
            {"traceId":"3","id":"1"}]"#,
    );
    let built = build(&by_trace(&spans));
    assert_eq!(BlockNames::read(&built.names_value).unwrap(), built.names);
    assert_eq!(built.names.services["a"].longest_us, 70);
    assert_eq!(built.names.values["env"].iter().collect::<Vec<_>>(), ["prod"]);
    let traces = Traces::read(&built.traces_value).unwrap();
    assert_eq!(traces.entries, built.traces.entries);
    assert_eq!(traces.pairs().collect::<Vec<_>>(), [("a", "b"), ("a", "c")]);
    let calls: Vec<Vec<Call>> = (0..3).map(|at| traces.calls_of(at).collect()).collect();
    let call = |pair, is_error| vec![Call { pair, is_error }];
    assert_eq!(calls, [call(0, false), call(1, true), vec![]]);
    assert_eq!((traces.entries[1].max_ms, traces.entries[1].start_us, traces.entries[2].start_us), (900, 900_000, -1));
    let terms = TermFilter::read(&built.terms_value).unwrap();
    let is_somewhere = |term| (0..built.chunks.len() as u32).any(|chunk| terms.may_contain(chunk, term));
    assert!(is_somewhere(tag_term("env", "prod")) && is_somewhere(key_term("note")));
    assert!(!is_somewhere(key_term("nowhere")));
}
