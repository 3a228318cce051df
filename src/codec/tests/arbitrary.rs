//! Spans of every shape, for property tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::model::{Annotation, Endpoint, Span, SpanBatch, SpanId, SpanKind, TraceId};

/// Which spans to make.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Whatever the model can hold.
    Any,
    /// What protobuf can say: no empty keys or values where it takes empty for absent, addresses of one text.
    Binary,
    /// What v1 can say too: one side of a call, with times and a service of its own.
    Common,
}

/// One normalised span.
pub(crate) fn span(shape: Shape) -> impl Strategy<Value = Span> {
    let ids = (1..=u128::MAX, option::of(any::<u64>()), 1..=u64::MAX);
    let times = (time(shape), time(shape));
    let lists = (vec(annotation(shape), 0..4), vec(tag(shape), 0..5));
    let local = option::weighted(0.8, endpoint(shape, "local"));
    let ends = (kind(), text(shape, 0), local, option::of(endpoint(shape, "remote")));
    (ids, ends, times, lists, any::<(bool, bool)>()).prop_map(move |(ids, ends, times, lists, flags)| {
        let (kind, name, local_endpoint, remote_endpoint) = ends;
        let common = matches!(shape, Shape::Common);
        let span = Span {
            trace_id: TraceId::from_halves((ids.0 >> 64) as u64, (ids.0 as u64).max(1)).expect("not zero"),
            parent_id: ids.1.map(SpanId::new),
            id: SpanId::new(ids.2),
            // v1 can tell a kind only together with the side that it is about.
            kind: kind.filter(|_| !common || local_endpoint.is_some()),
            name: Some(name),
            timestamp_us: times.0,
            duration_us: times.1,
            local_endpoint,
            remote_endpoint,
            annotations: lists.0,
            tags: lists.1,
            debug: flags.0,
            shared: flags.1 && !common,
        };
        normalised(&span)
    })
}

/// The edges of a call are events in v1, so their sum must be a time as well.
fn time(shape: Shape) -> BoxedStrategy<Option<i64>> {
    match shape {
        Shape::Common => (1..=i64::MAX / 2).prop_map(Some).boxed(),
        _ => option::weighted(0.8, any::<i64>()).boxed(),
    }
}

fn normalised(span: &Span) -> Span {
    SpanBatch::from_iter([span]).to_spans().remove(0)
}

fn kind() -> impl Strategy<Value = Option<SpanKind>> {
    let kinds = [SpanKind::Client, SpanKind::Server, SpanKind::Producer, SpanKind::Consumer];
    option::of(proptest::sample::select(kinds.to_vec()))
}

/// Text of at least `length_min` characters; control characters, quotes and separators come often.
fn text(shape: Shape, length_min: usize) -> BoxedStrategy<String> {
    let odd = proptest::sample::select(
        "\"\\/\u{0}\u{1f}\n\t\u{7f}\u{2028}\u{2029}\u{e000}\u{ffff}\u{feff}😀İΣ".chars().collect::<Vec<_>>(),
    );
    let character = prop_oneof![4 => proptest::char::range('a', 'z'), 2 => odd, 1 => any::<char>()];
    let length_max = if matches!(shape, Shape::Any) { 40 } else { 12 };
    vec(character, length_min..length_max).prop_map(String::from_iter).boxed()
}

fn annotation(shape: Shape) -> impl Strategy<Value = Annotation> {
    let length_min = if matches!(shape, Shape::Any) { 0 } else { 3 };
    let timestamp_us =
        any::<i64>().prop_map(move |time| if matches!(shape, Shape::Any) || time != 0 { time } else { 1 });
    (timestamp_us, text(shape, length_min)).prop_map(|(timestamp_us, value)| Annotation { timestamp_us, value })
}

fn tag(shape: Shape) -> impl Strategy<Value = (String, String)> {
    // Two letters are the keys of addresses in v1.
    let length_min = if matches!(shape, Shape::Any) { 0 } else { 3 };
    (text(shape, length_min), text(shape, 0))
}

fn endpoint(shape: Shape, side: &'static str) -> impl Strategy<Value = Endpoint> {
    // In v1 the service tells the sides apart, so the two must differ and be there.
    let service_name = match shape {
        Shape::Common => text(shape, 1).prop_map(move |name| Some(format!("{side}{name}"))).boxed(),
        _ => option::of(text(shape, 1)).boxed(),
    };
    (service_name, option::of(ipv4(shape)), option::of(ipv6()), option::of(1..=u16::MAX))
        .prop_map(|(service_name, ipv4, ipv6, port)| Endpoint { service_name, ipv4, ipv6, port })
}

fn ipv4(shape: Shape) -> impl Strategy<Value = String> {
    // 0.0.0.0 is none in thrift, and leading zeros do not survive four bytes.
    any::<[u8; 4]>().prop_map(move |[a, b, c, d]| match shape {
        Shape::Any => format!("{a:03}.{b}.{c:02}.{d}"),
        _ => format!("{}.{b}.{c}.{d}", a.max(1)),
    })
}

fn ipv6() -> impl Strategy<Value = String> {
    let group = || prop_oneof![Just(0_u16), any::<u16>()];
    // The first group is not zero, or the bytes could be those of an IPv4 address.
    (1..=u16::MAX, vec(group(), 7))
        .prop_map(|(first, rest)| rest.iter().fold(format!("{first:X}"), |text, group| format!("{text}:{group:x}")))
}
