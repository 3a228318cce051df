//! A v2 span as zipkin writes it into v1 stores: kinds and times become core annotations.

use super::{V1Annotation, V1BinaryAnnotation, V1Span, V1Value};
use crate::model::{Endpoint, SpanKind, SpanRef};

/// The core annotations and the address of one span.
struct Edges {
    begin: Option<(i64, &'static str)>,
    end: Option<(i64, &'static str)>,
    address_key: &'static str,
}

impl From<&SpanRef<'_>> for V1Span {
    fn from(span: &SpanRef<'_>) -> Self {
        let endpoint = span.local_endpoint.map(|endpoint| Box::new(Endpoint::from(endpoint)));
        let edges = Edges::of(span);
        let annotation = |(timestamp_us, value): (i64, &str)| V1Annotation {
            timestamp_us,
            value: value.to_owned(),
            endpoint: endpoint.clone(),
        };
        let is_edge = |value: &str| [edges.begin, edges.end].iter().flatten().any(|(_, edge)| *edge == value);
        let annotations: Vec<_> = edges
            .begin
            .into_iter()
            .chain(span.annotations().filter(|(_, value)| !is_edge(value)))
            .chain(edges.end)
            .map(annotation)
            .collect();
        let mut binary_annotations: Vec<_> = span
            .tags()
            .map(|(key, value)| V1BinaryAnnotation {
                key: key.to_owned(),
                value: V1Value::Text(value.to_owned()),
                endpoint: endpoint.clone(),
            })
            .collect();
        if annotations.is_empty() && binary_annotations.is_empty() && endpoint.is_some() {
            // Nothing else would carry the endpoint.
            let value = V1Value::Text(String::new());
            binary_annotations.push(V1BinaryAnnotation { key: "lc".to_owned(), value, endpoint });
        }
        if let Some(remote) = span.remote_endpoint {
            binary_annotations.push(V1BinaryAnnotation {
                key: edges.address_key.to_owned(),
                value: V1Value::Address,
                endpoint: Some(Box::new(remote.into())),
            });
        }
        // The times of a shared span are the client's, who reports them.
        let own_time = |time_us: Option<i64>| if span.shared { 0 } else { time_us.unwrap_or(0) };
        Self {
            trace_id: span.trace_id,
            parent_id: span.parent_id,
            id: span.id,
            name: span.name.unwrap_or_default().to_owned(),
            timestamp_us: own_time(span.timestamp_us),
            duration_us: own_time(span.duration_us),
            annotations,
            binary_annotations,
            debug: span.debug,
        }
    }
}

impl Edges {
    /// By kind and times; annotations with core values set the kind and widen the times.
    fn of(span: &SpanRef<'_>) -> Self {
        let mut kind = span.kind;
        let mut start = span.timestamp_us;
        let mut end = start.zip(span.duration_us).map(|(start, duration)| start.saturating_add(duration));
        let receives = span.annotations().any(|(_, value)| value == "wr") || end.is_some();
        for (timestamp_us, value) in span.annotations() {
            let (edge_kind, begins) = match value {
                "cs" => (SpanKind::Client, true),
                "cr" => (SpanKind::Client, false),
                "sr" => (SpanKind::Server, true),
                "ss" => (SpanKind::Server, false),
                "ms" => (SpanKind::Producer, true),
                "ws" => (SpanKind::Producer, false),
                "wr" => (SpanKind::Consumer, true),
                // Alone, the arrival of a message is all there is.
                "mr" => (SpanKind::Consumer, !receives),
                _ => continue,
            };
            kind = Some(edge_kind);
            if begins {
                start = Some(start.map_or(timestamp_us, |start| start.min(timestamp_us)));
            } else {
                end = Some(end.map_or(timestamp_us, |end| end.max(timestamp_us)));
            }
        }
        let (begin_value, end_value, address_key) = match kind {
            None => return Self { begin: None, end: None, address_key: "sa" },
            Some(SpanKind::Client) => ("cs", "cr", "sa"),
            Some(SpanKind::Server) => ("sr", "ss", "ca"),
            Some(SpanKind::Producer) => ("ms", "ws", "ma"),
            Some(SpanKind::Consumer) if receives => ("wr", "mr", "ma"),
            Some(SpanKind::Consumer) => ("mr", "mr", "ma"),
        };
        Self { begin: start.map(|start| (start, begin_value)), end: end.map(|end| (end, end_value)), address_key }
    }
}
