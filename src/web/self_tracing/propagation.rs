//! The trace a request belongs to, from its headers: B3 in one header, B3 in several, W3C trace context; the first counts.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::telemetry::self_tracing::Decision;

/// The parent of the request's span; an empty context when the headers say nothing or nothing that is understood.
pub(super) fn extract(headers: &HeaderMap) -> Context {
    let text = |name| headers.get(name)?.to_str().ok();
    if let Some(b3) = text("b3").and_then(single) {
        return b3.into_context();
    }
    if let Some(b3) = several(text) {
        return b3.into_context();
    }
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

struct B3 {
    ids: Option<(TraceId, SpanId)>,
    decision: Option<bool>,
}

impl B3 {
    fn into_context(self) -> Context {
        let context = Context::new().with_value(Decision(self.decision));
        let Some((trace_id, span_id)) = self.ids else { return context };
        let flags = TraceFlags::default().with_sampled(self.decision == Some(true));
        context.with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE))
    }
}

/// `{traceId}-{spanId}-{1|0|d}-{parentId}`, its end may be missing; or the decision alone.
fn single(text: &str) -> Option<B3> {
    let mut parts = text.split('-');
    let first = parts.next()?;
    let Some(second) = parts.next() else {
        return Some(B3 { ids: None, decision: Some(decision(first)?) });
    };
    let ids = Some((trace_id(first)?, span_id(second)?));
    Some(B3 { ids, decision: parts.next().and_then(decision) })
}

fn several<'a>(text: impl Fn(&'static str) -> Option<&'a str>) -> Option<B3> {
    let ids = text("x-b3-traceid").and_then(trace_id).zip(text("x-b3-spanid").and_then(span_id));
    let debug = text("x-b3-flags") == Some("1");
    let decision = if debug { Some(true) } else { text("x-b3-sampled").and_then(decision) };
    (ids.is_some() || decision.is_some()).then_some(B3 { ids, decision })
}

/// Old tracers wrote words.
fn decision(text: &str) -> Option<bool> {
    match text {
        "1" | "d" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// 16 or 32 hex digits, not all zeros.
fn trace_id(text: &str) -> Option<TraceId> {
    let digits = matches!(text.len(), 16 | 32) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = TraceId::from(u128::from_str_radix(text, 16).ok().filter(|_| digits)?);
    (id != TraceId::INVALID).then_some(id)
}

fn span_id(text: &str) -> Option<SpanId> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = SpanId::from(u64::from_str_radix(text, 16).ok().filter(|_| digits)?);
    (id != SpanId::INVALID).then_some(id)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    const LONG: &str = "463ac35c9f6413ad48485a3953bb6124";

    /// Trace id, parent span id and decision.
    fn found(headers: &[(&'static str, &str)]) -> (String, String, Option<Option<bool>>) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        let context = extract(&headers);
        let span = context.span().span_context().clone();
        let decision = context.get::<Decision>().map(|decision| decision.0);
        if !span.is_valid() {
            return (String::new(), String::new(), decision);
        }
        (span.trace_id().to_string(), span.span_id().to_string(), decision)
    }

    fn ids(trace_id: &str, span_id: &str, decision: Option<Option<bool>>) -> (String, String, Option<Option<bool>>) {
        (trace_id.to_owned(), span_id.to_owned(), decision)
    }

    #[test]
    fn b3_in_one_header() {
        let single = |text: &str| found(&[("b3", text)]);
        let span = "0020000000000001";
        assert_eq!(single(&format!("{LONG}-{span}-1-{span}")), ids(LONG, span, Some(Some(true))));
        assert_eq!(single(&format!("{LONG}-{span}-d")), ids(LONG, span, Some(Some(true))));
        assert_eq!(single(&format!("{LONG}-{span}-0")), ids(LONG, span, Some(Some(false))));
        assert_eq!(single(&format!("{LONG}-{span}")), ids(LONG, span, Some(None)));
        let padded = format!("0000000000000000{}", &LONG[16..]);
        assert_eq!(single(&format!("{}-{span}-1", &LONG[16..])), ids(&padded, span, Some(Some(true))));
        assert_eq!(single("0"), ids("", "", Some(Some(false))));
    }

    #[test]
    fn b3_in_several_headers() {
        let span = "0020000000000001";
        let ids_of = [("x-b3-traceid", LONG), ("x-b3-spanid", span)];
        assert_eq!(found(&ids_of), ids(LONG, span, Some(None)));
        assert_eq!(found(&[ids_of[0], ids_of[1], ("x-b3-sampled", "0")]), ids(LONG, span, Some(Some(false))));
        assert_eq!(found(&[ids_of[0], ids_of[1], ("x-b3-flags", "1")]), ids(LONG, span, Some(Some(true))));
        assert_eq!(found(&[("x-b3-sampled", "0")]), ids("", "", Some(Some(false))));
    }

    #[test]
    fn w3c_trace_context_and_b3_before_it() {
        let parent = format!("00-{LONG}-00f067aa0ba902b7-01");
        assert_eq!(found(&[("traceparent", &parent)]), ids(LONG, "00f067aa0ba902b7", None));
        assert_eq!(found(&[("traceparent", &parent), ("b3", "0")]), ids("", "", Some(Some(false))));
    }

    #[test]
    fn what_is_not_understood_is_as_if_it_were_not_there() {
        let nothing = ids("", "", None);
        let zeros = format!("{}-{}-1", "0".repeat(32), "0".repeat(16));
        for text in ["", "x", "1-2", "-", "--", "é", &zeros, &format!("{LONG}-+020000000000001-1"), &LONG[1..]] {
            assert_eq!(found(&[("b3", text)]), nothing, "{text:?}");
            assert_eq!(found(&[("x-b3-traceid", text), ("x-b3-spanid", text)]), nothing, "{text:?}");
            assert_eq!(found(&[("traceparent", text)]), nothing, "{text:?}");
        }
    }
}
