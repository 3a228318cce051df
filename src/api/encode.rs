//! Answers of the read API as bytes. Written straight from the compact spans; large ones on a blocking thread.

use axum::response::Response;
use http::StatusCode;

use crate::codec::json_v2;
use crate::model::{DependencyLink, SpanBatch};
use crate::web::answer;

/// From this size on writing would hold up other requests of the thread (about 0.5 ms).
const BLOCKING_BYTES_MIN: usize = 256 * 1024;

pub(super) async fn spans_answer(spans: SpanBatch) -> Response {
    let bytes = spans.record_bytes();
    written(bytes, move |body| json_v2::write_spans(&spans, body)).await
}

pub(super) async fn traces_answer(traces: Vec<SpanBatch>) -> Response {
    let bytes = traces.iter().map(SpanBatch::record_bytes).sum();
    written(bytes, move |body| json_v2::write_traces(&traces, body)).await
}

pub(super) fn names_answer(names: &[String]) -> Response {
    let mut body = Vec::new();
    json_v2::write_names(names, &mut body);
    answer::json(body)
}

pub(super) fn links_answer(links: &[DependencyLink]) -> Response {
    let mut body = Vec::new();
    json_v2::write_links(links, &mut body);
    let padding = links.iter().map(|link| peer_padding(&link.parent) + peer_padding(&link.child)).sum::<usize>();
    body.resize(body.len() + padding, 0);
    answer::json(body)
}

/// Zipkin reckons the size of its list of links before it writes it, and counts a line or paragraph separator two bytes too
/// long in a name with other characters beyond ASCII; what is left over are NUL bytes after the list. Recorded
/// (`deps-escape`), so ours are there, too.
fn peer_padding(name: &str) -> usize {
    if name.is_ascii() {
        return 0;
    }
    let is_separator = |character: &char| matches!(character, '\u{2028}' | '\u{2029}');
    let has_others = name.chars().any(|character| !character.is_ascii() && !is_separator(&character));
    if has_others { 2 * name.chars().filter(is_separator).count() } else { 0 }
}

/// `record_bytes` of compact spans become about twice as much JSON.
pub(super) async fn written(record_bytes: usize, write: impl FnOnce(&mut Vec<u8>) + Send + 'static) -> Response {
    let work = move || {
        let mut body = Vec::with_capacity(record_bytes * 2 + 2);
        write(&mut body);
        body
    };
    if record_bytes < BLOCKING_BYTES_MIN {
        return answer::json(work());
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(body) => answer::json(body),
        Err(error) => {
            tracing::error!(%error, "writing an answer failed");
            answer::message(StatusCode::INTERNAL_SERVER_ERROR, "writing the answer failed")
        }
    }
}
