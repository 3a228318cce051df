use super::*;

fn built(fill: impl FnOnce(&mut SpanBuilder)) -> Span {
    let mut builder = SpanBuilder::new();
    builder.set_trace_id(TraceId::parse(b"1").unwrap());
    builder.set_id(SpanId::new(2));
    fill(&mut builder);
    let mut batch = SpanBatch::new();
    builder.finish(&mut batch).unwrap();
    batch.to_spans().remove(0)
}

#[test]
fn names_are_lower_cased_by_unicode_rules_and_not_trimmed() {
    let name = |text: &str| built(|span| span.set_name(text)).name;
    assert_eq!(name("GET /Foo").as_deref(), Some("get /foo"));
    assert_eq!(name("ÀÉÎ ΣΑΣ").as_deref(), Some("àéî σας"));
    assert_eq!(name("İ").as_deref(), Some("i\u{307}"));
    assert_eq!(name("  X ").as_deref(), Some("  x "));
    assert_eq!(name(""), None);
}

#[test]
fn a_later_name_replaces_an_earlier_one() {
    let span = built(|span| {
        span.set_name("A");
        span.set_name("B");
        span.local_endpoint.set_service_name("C");
        span.local_endpoint.set_service_name("Ж");
    });
    assert_eq!(span.name.as_deref(), Some("b"));
    assert_eq!(span.local_endpoint.unwrap().service_name.as_deref(), Some("ж"));
}

#[test]
fn annotations_are_sorted_and_exact_duplicates_dropped() {
    let span = built(|span| {
        for (timestamp_us, value) in [(2, "b"), (2, "a"), (1, "c"), (2, "b"), (-5, "n"), (0, "")] {
            span.add_annotation(timestamp_us, value);
        }
    });
    let annotations: Vec<_> = span.annotations.iter().map(|a| (a.timestamp_us, a.value.as_str())).collect();
    assert_eq!(annotations, [(-5, "n"), (0, ""), (1, "c"), (2, "a"), (2, "b")]);
}

#[test]
fn tags_are_sorted_by_utf16_and_the_last_of_a_key_wins() {
    let span = built(|span| {
        for (key, value) in [("z", "1"), ("\u{ffff}", "2"), ("😀", "3"), ("z", ""), ("", "5"), ("z", "6"), ("a", "")]
        {
            span.add_tag(key, value);
        }
    });
    let tags: Vec<_> = span.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("", "5"), ("a", ""), ("z", "6"), ("😀", "3"), ("\u{ffff}", "2")]);
}

#[test]
fn times_of_zero_or_less_are_absent() {
    for value in [0, -1, i64::MIN] {
        let span = built(|span| {
            span.set_timestamp_us(value);
            span.set_duration_us(value);
        });
        assert_eq!((span.timestamp_us, span.duration_us), (None, None));
    }
    assert_eq!(built(|span| span.set_duration_us(i64::MAX)).duration_us, Some(i64::MAX));
}

#[test]
fn a_parent_of_zero_or_the_span_itself_is_none() {
    let parent = |value| built(|span| span.set_parent_id(SpanId::new(value))).parent_id;
    assert_eq!(parent(0), None);
    assert_eq!(parent(2), None);
    assert_eq!(parent(3), Some(SpanId::new(3)));
}

#[test]
fn shared_is_dropped_from_client_spans_only() {
    let shared = |kind| {
        built(|span| {
            span.set_shared(true);
            span.set_kind(kind);
        })
        .shared
    };
    assert!(!shared(Some(SpanKind::Client)));
    for kind in [None, Some(SpanKind::Server), Some(SpanKind::Producer), Some(SpanKind::Consumer)] {
        assert!(shared(kind));
    }
}

#[test]
fn an_endpoint_without_members_is_absent() {
    assert_eq!(built(|span| span.local_endpoint.set_ip("1.2.3")).local_endpoint, None);
    let endpoint = built(|span| {
        span.remote_endpoint.set_ip("2001:DB8::1");
        span.remote_endpoint.set_ip("01.2.3.4");
        span.remote_endpoint.set_ip("nonsense");
        span.remote_endpoint.set_port(65535);
    })
    .remote_endpoint;
    let expected = Endpoint {
        service_name: None,
        ipv4: Some("01.2.3.4".to_owned()),
        ipv6: Some("2001:db8::1".to_owned()),
        port: Some(65535),
    };
    assert_eq!(endpoint, Some(expected));
}

#[test]
fn a_cleared_builder_keeps_nothing_of_the_last_span() {
    let mut builder = SpanBuilder::new();
    let mut batch = SpanBatch::new();
    let span = built(|span| {
        span.set_name("n");
        span.set_kind(Some(SpanKind::Client));
        span.set_parent_id(SpanId::new(7));
        span.set_timestamp_us(1);
        span.set_duration_us(2);
        span.local_endpoint.set_port(3);
        span.remote_endpoint.set_ip("::1");
        span.add_annotation(1, "a");
        span.add_tag("k", "v");
        span.set_debug(true);
    });
    builder.copy_from_owned(&span);
    builder.finish(&mut batch).unwrap();
    builder.clear();
    assert_eq!(builder.finish(&mut batch), Err(MissingId::Both));
    builder.set_trace_id(TraceId::parse(b"1").unwrap());
    assert_eq!(builder.finish(&mut batch), Err(MissingId::Span));
    builder.set_id(SpanId::new(2));
    builder.finish(&mut batch).unwrap();
    assert_eq!(batch.to_spans(), [span, built(|_| ())]);
}

#[test]
fn utf16_order_differs_from_bytes_only_above_the_surrogates() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    for (a, b, order) in [
        ("a", "b", Less),
        ("a", "ab", Less),
        ("é", "z", Greater),
        ("😀", "\u{e000}", Less),
        ("😀", "\u{ffff}", Less),
        ("😀", "\u{d7ff}", Greater),
        ("x😀", "x😁", Less),
        ("\u{10ffff}", "\u{10000}", Greater),
        ("é", "é", Equal),
        ("è", "é", Less),
    ] {
        assert_eq!(cmp_utf16(a, b), order, "{a:?} {b:?}");
        assert_eq!(cmp_utf16(b, a), order.reverse(), "{b:?} {a:?}");
        assert_eq!(a.encode_utf16().cmp(b.encode_utf16()), order);
    }
}
