use super::*;
use crate::model::cpu_time::CpuTime;
use crate::model::{Annotation, Span, SpanBatch, SpanBuilder, SpanKind};

fn endpoint(service: &str) -> Endpoint {
    Endpoint { service_name: Some(service.to_owned()), ..Endpoint::default() }
}

fn boxed(service: &str) -> Option<Box<Endpoint>> {
    Some(Box::new(endpoint(service)))
}

fn v1(annotations: &[(i64, &str, &str)]) -> V1Span {
    let annotation = |(timestamp_us, value, service): &(i64, &str, &str)| V1Annotation {
        timestamp_us: *timestamp_us,
        value: (*value).to_owned(),
        endpoint: boxed(service).filter(|_| !service.is_empty()),
    };
    V1Span {
        trace_id: TraceId::from_halves(0, 1).unwrap(),
        parent_id: None,
        id: SpanId::new(2),
        name: "Get".to_owned(),
        timestamp_us: 0,
        duration_us: 0,
        annotations: annotations.iter().map(annotation).collect(),
        binary_annotations: Vec::new(),
        debug: false,
    }
}

fn address(key: &str, service: &str) -> V1BinaryAnnotation {
    V1BinaryAnnotation { key: key.to_owned(), value: V1Value::Address, endpoint: boxed(service) }
}

fn tag(key: &str, service: &str) -> V1BinaryAnnotation {
    V1BinaryAnnotation { key: key.to_owned(), value: V1Value::Text("v".to_owned()), endpoint: boxed(service) }
}

fn to_v2(source: V1Span) -> Vec<Span> {
    let mut batch = SpanBatch::new();
    V1Converter::new().convert(source, 100, &mut batch).unwrap();
    batch.to_spans()
}

/// `CLIENT web>db 100+50 shared`: kind, service, remote service, timestamp, duration, flag.
fn outline(span: &Span) -> String {
    let service = |endpoint: &Option<Endpoint>| endpoint.as_ref().and_then(|e| e.service_name.clone());
    format!(
        "{} {}>{} {}+{}{}",
        span.kind.map_or("-", SpanKind::as_str),
        service(&span.local_endpoint).unwrap_or_default(),
        service(&span.remote_endpoint).unwrap_or_default(),
        span.timestamp_us.unwrap_or(0),
        span.duration_us.unwrap_or(0),
        if span.shared { " shared" } else { "" }
    )
}

fn outlines(source: V1Span) -> Vec<String> {
    to_v2(source).iter().map(outline).collect()
}

#[test]
fn a_call_seen_from_both_sides_becomes_a_client_and_a_shared_server() {
    let mut source = v1(&[(100, "cs", "web"), (110, "sr", "api"), (140, "ss", "api"), (150, "cr", "web")]);
    source.binary_annotations = vec![address("ca", "web"), address("sa", "api")];
    let expected = ["CLIENT web>api 100+50", "SERVER api>web 110+30 shared"];
    assert_eq!(outlines(source.clone()), expected);
    // The span's own times are the client's.
    (source.timestamp_us, source.duration_us) = (90, 70);
    assert_eq!(outlines(source)[0], "CLIENT web>api 90+70");
}

#[test]
fn a_service_that_calls_itself_still_becomes_two_spans() {
    let source = v1(&[(100, "cs", "a"), (110, "sr", "a"), (120, "ss", "a"), (130, "cr", "a"), (115, "x", "a")]);
    let spans = to_v2(source);
    assert_eq!(outline(&spans[0]), "CLIENT a> 100+30");
    assert_eq!(outline(&spans[1]), "SERVER a> 110+10 shared");
    assert_eq!(spans[0].annotations, [Annotation { timestamp_us: 115, value: "x".to_owned() }]);
}

#[test]
fn one_way_calls_have_no_duration() {
    let source = v1(&[(100, "cs", "web"), (110, "sr", "api")]);
    assert_eq!(outlines(source), ["CLIENT web> 100+0", "SERVER api> 110+0 shared"]);
}

#[test]
fn a_start_is_assumed_when_the_end_is_the_end_of_the_span() {
    for (value, kind) in [("cr", SpanKind::Client), ("ss", SpanKind::Server)] {
        let mut source = v1(&[(150, value, "a")]);
        (source.timestamp_us, source.duration_us) = (100, 50);
        assert_eq!(outlines(source.clone()), [format!("{} a> 100+50", kind.as_str())]);
        // Half of the truth is no truth: the end stays an annotation.
        source.duration_us = 49;
        let spans = to_v2(source);
        assert_eq!(outline(&spans[0]), format!("{} a> 100+49", kind.as_str()));
        assert_eq!(spans[0].annotations, [Annotation { timestamp_us: 150, value: value.to_owned() }]);
    }
}

#[test]
fn a_server_that_leaves_times_to_the_client_is_shared() {
    let server = |timestamp_us, duration_us| {
        let mut source = v1(&[(100, "sr", "api"), (150, "ss", "api")]);
        (source.timestamp_us, source.duration_us) = (timestamp_us, duration_us);
        outlines(source).remove(0)
    };
    assert_eq!(server(0, 0), "SERVER api> 100+50 shared");
    assert_eq!(server(90, 0), "SERVER api> 100+50 shared");
    assert_eq!(server(90, 70), "SERVER api> 90+70");
}

#[test]
fn messages_become_producer_and_consumer() {
    let mut source = v1(&[(100, "ms", "p"), (101, "ws", "p"), (109, "wr", "c"), (110, "mr", "c")]);
    source.binary_annotations = vec![address("ma", "kafka")];
    let expected = ["PRODUCER p>kafka 100+1", "CONSUMER c>kafka 109+1 shared"];
    assert_eq!(outlines(source), expected);
    assert_eq!(outlines(v1(&[(110, "mr", "c")])), ["CONSUMER c> 110+0"]);
    assert_eq!(outlines(v1(&[(100, "ms", "x"), (110, "mr", "x")])), ["PRODUCER x> 100+0", "CONSUMER x> 110+0 shared"]);
}

#[test]
fn every_service_gets_the_tags_and_annotations_it_reported() {
    let mut source = v1(&[(1, "x", "a"), (2, "y", "b"), (3, "z", ""), (4, "cs", "")]);
    source.binary_annotations = vec![tag("k", "b"), tag("l", "c")];
    let spans = to_v2(source);
    let seen: Vec<_> = spans
        .iter()
        .map(|span| {
            let annotations: Vec<_> = span.annotations.iter().map(|a| a.value.as_str()).collect();
            let tags: Vec<_> = span.tags.iter().map(|(key, _)| key.as_str()).collect();
            (span.local_endpoint.clone().and_then(|e| e.service_name).unwrap_or_default(), annotations, tags)
        })
        .collect();
    // Without an endpoint they belong to the first, and core annotations are like any other.
    assert_eq!(
        seen,
        [
            ("a".to_owned(), vec!["x", "z", "cs"], vec![]),
            ("b".to_owned(), vec!["y"], vec!["k"]),
            ("c".to_owned(), vec![], vec!["l"])
        ]
    );
}

#[test]
fn addresses_tell_kinds_only_where_zipkin_trusts_them() {
    let with = |binary_annotations: Vec<V1BinaryAnnotation>| {
        let mut source = v1(&[]);
        source.binary_annotations = binary_annotations;
        outlines(source).remove(0)
    };
    assert_eq!(with(vec![address("sa", "db")]), "- >db 0+0");
    assert_eq!(with(vec![address("ca", "web")]), "SERVER >web 0+0");
    assert_eq!(with(vec![address("ca", "web"), address("sa", "db")]), "- web>db 0+0");
    // zipkin-ruby writes text instead of true.
    assert_eq!(with(vec![tag("sa", "db")]), "- >db 0+0");
    assert_eq!(with(vec![address("lc", "job")]), "- > 0+0");
}

#[test]
fn a_client_address_of_the_servers_own_name_keeps_its_port_only() {
    let mut source = v1(&[(9, "sr", "api")]);
    source.binary_annotations = vec![address("ca", "api")];
    assert_eq!(to_v2(source.clone())[0].remote_endpoint, None);
    source.binary_annotations[0].endpoint.as_mut().unwrap().port = Some(7);
    let expected = Endpoint { port: Some(7), ..Endpoint::default() };
    assert_eq!(to_v2(source)[0].remote_endpoint, Some(expected));
}

#[test]
fn more_sides_than_the_limit_refuse_the_span_and_leave_the_batch_alone() {
    let source = v1(&[(1, "x", "a"), (2, "y", "b"), (3, "z", "c")]);
    let mut converter = V1Converter::new();
    let mut batch = SpanBatch::new();
    assert_eq!(converter.convert(source.clone(), 2, &mut batch), Err(V1Error::TooManySpans));
    assert!(batch.is_empty());
    converter.convert(source.clone(), 4, &mut batch).unwrap();
    assert_eq!(batch.len(), 3);
    assert_eq!(converter.convert(source.clone(), 4, &mut batch), Err(V1Error::TooManySpans));
    assert_eq!(converter.convert(source, 3, &mut batch), Err(V1Error::TooManySpans));
    assert_eq!(batch.len(), 3);
}

#[test]
fn a_long_name_is_not_repeated_for_thousands_of_services() {
    let names: Vec<String> = (0..17).map(|index| format!("s{index}")).collect();
    let annotations: Vec<_> = names.iter().map(|name| (1, "x", name.as_str())).collect();
    let convert = |name_bytes, services| {
        let mut source = v1(&annotations[..services]);
        source.name = "n".repeat(name_bytes);
        let mut batch = SpanBatch::new();
        V1Converter::new().convert(source, 100, &mut batch).map(|()| batch.len())
    };
    assert_eq!(convert(256, 17), Ok(17));
    assert_eq!(convert(1_000_000, 16), Ok(16));
    assert_eq!(convert(257, 17), Err(V1Error::LongNameOfManyServices));
}

#[test]
fn a_span_of_thousands_of_services_takes_linear_time() {
    let names: Vec<String> = (0..50_000).map(|index| format!("s{index}")).collect();
    let annotations: Vec<_> = names.iter().map(|name| (1, "x", name.as_str())).collect();
    let mut source = v1(&annotations);
    source.annotations.extend(source.annotations.clone());
    let mut batch = SpanBatch::new();
    let started = CpuTime::start();
    V1Converter::new().convert(source, 100_000, &mut batch).unwrap();
    assert_eq!(batch.len(), 50_000);
    // Looking through the list for each would be 2.5 thousand million comparisons: minutes in a debug build.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn core_annotations_of_a_v2_span_widen_its_times_and_are_not_repeated() {
    let mut builder = SpanBuilder::new();
    let mut batch = SpanBatch::new();
    builder.set_trace_id(TraceId::from_halves(0, 1).unwrap());
    builder.set_id(SpanId::new(2));
    builder.set_timestamp_us(100);
    builder.local_endpoint.set_service_name("a");
    for (timestamp_us, value) in [(90, "cs"), (150, "cr"), (120, "x")] {
        builder.add_annotation(timestamp_us, value);
    }
    builder.finish(&mut batch).unwrap();
    let source = V1Span::from(&batch.get(0).unwrap());
    let annotations: Vec<_> = source.annotations.iter().map(|a| (a.timestamp_us, a.value.as_str())).collect();
    assert_eq!(annotations, [(90, "cs"), (120, "x"), (150, "cr")]);
}

#[test]
fn spans_survive_the_way_to_v1_and_back() {
    for kind in
        [None, Some(SpanKind::Client), Some(SpanKind::Server), Some(SpanKind::Producer), Some(SpanKind::Consumer)]
    {
        for shared in [false, true] {
            // Without an own time, v1 can say "shared" of a server only.
            if shared && kind != Some(SpanKind::Server) {
                continue;
            }
            let span = Span {
                trace_id: TraceId::from_halves(7, 1).unwrap(),
                parent_id: Some(SpanId::new(1)),
                id: SpanId::new(2),
                kind,
                name: Some("get".to_owned()),
                timestamp_us: Some(100),
                duration_us: Some(50),
                local_endpoint: Some(Endpoint { port: Some(80), ..endpoint("web") }),
                remote_endpoint: Some(endpoint("db")),
                annotations: vec![Annotation { timestamp_us: 110, value: "x".to_owned() }],
                tags: vec![("a".to_owned(), String::new()), ("b".to_owned(), "c".to_owned())],
                debug: true,
                shared,
            };
            let batch: SpanBatch = [&span].into_iter().collect();
            assert_eq!(to_v2(V1Span::from(&batch.get(0).unwrap())), [span]);
        }
    }
}
