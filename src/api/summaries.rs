//! `GET /api/ext/v1/summaries`: what a list of results shows of each trace, without its spans.
//!
//! Parameters are those of `/traces`, and:
//! * `sort`: `newest` (default), `longest`, `mostErrors`, `mostSpans`; all but the first rank the newest 10,000 matches
//! * `cursor`: `nextCursor` of the page before, with otherwise equal parameters
//!
//! The answer: `{"summaries":[{"traceId","startUs","durationUs","spanCount","errorCount","root":{"serviceName","name"},
//! "services":[{"name","spanCount","errorCount","maxDurationUs","criticalShare"}]}],"nextCursor","complete"}`. `criticalShare` is
//! the service's part of what the root waited for, 0 to 1, absent when it has none; `root` is absent when it was not received, `nextCursor` on the last page; `complete` is false when more traces match than were looked at. A cursor keeps
//! the end of the window, so new traces do not shift the pages; spans that come late may.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::ApiState;
use super::error::ApiError;
use super::params::Params;
use super::search::search_request;
use crate::query::summary::{SUMMARIES_MAX, ServiceSummary, SummaryOrder, SummaryPage, TraceSummary};
use crate::web::answer;

pub(super) async fn summaries(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let query = &state.inner.query;
    let mut request = search_request(&params, query.config().lookback_default_ms, state.inner.clock.now_ms())?;
    let order = order(params.non_empty("sort"))?;
    let cursor = params.non_empty("cursor").map(Cursor::parse).transpose()?;
    if let Some(cursor) = cursor {
        request.end_ts_ms = cursor.end_ts_ms;
    }
    let offset = cursor.map_or(0, |cursor| cursor.offset);
    let page = query.summaries(&request, order, offset).await?;
    let next = Cursor { end_ts_ms: request.end_ts_ms, offset: offset + page.summaries.len() };
    Ok(answer::json(written(&page, page.has_more.then_some(next))))
}

fn order(text: Option<&str>) -> Result<SummaryOrder, ApiError> {
    Ok(match text {
        None | Some("newest") => SummaryOrder::Newest,
        Some("longest") => SummaryOrder::Longest,
        Some("mostErrors") => SummaryOrder::MostErrors,
        Some("mostSpans") => SummaryOrder::MostSpans,
        Some(other) => return Err(ApiError::bad_request(format!("unknown sort: {other}"))),
    })
}

/// Where a page begins. Text form `1.{endTs}.{offset}`; the first number is the version of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    end_ts_ms: i64,
    offset: usize,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let mut parts = text.split('.');
        let version = parts.next();
        let end_ts_ms = parts.next().and_then(|part| part.parse().ok()).filter(|end| *end > 0);
        let offset = parts.next().and_then(|part| part.parse().ok()).filter(|offset| *offset < SUMMARIES_MAX);
        match (version, end_ts_ms, offset, parts.next()) {
            (Some("1"), Some(end_ts_ms), Some(offset), None) => Ok(Self { end_ts_ms, offset }),
            _ => Err(ApiError::bad_request(format!("unknown cursor: {text}"))),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageJson<'a> {
    summaries: Vec<SummaryJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    complete: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SummaryJson<'a> {
    trace_id: String,
    start_us: i64,
    duration_us: i64,
    span_count: usize,
    error_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<RootJson<'a>>,
    services: Vec<ServiceJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RootJson<'a> {
    service_name: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceJson<'a> {
    name: &'a str,
    span_count: usize,
    error_count: usize,
    max_duration_us: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_share: Option<f64>,
}

fn written(page: &SummaryPage, next: Option<Cursor>) -> Vec<u8> {
    let next_cursor = next.map(|cursor| format!("1.{}.{}", cursor.end_ts_ms, cursor.offset));
    let summaries = page.summaries.iter().map(SummaryJson::from).collect();
    // Plain structs of text and numbers always serialize.
    serde_json::to_vec(&PageJson { summaries, next_cursor, complete: page.is_complete }).unwrap_or_default()
}

impl<'a> From<&'a TraceSummary> for SummaryJson<'a> {
    fn from(summary: &'a TraceSummary) -> Self {
        Self {
            trace_id: summary.trace_id.to_string(),
            start_us: summary.start_us,
            duration_us: summary.duration_us,
            span_count: summary.span_count,
            error_count: summary.error_count,
            root: summary.root.as_ref().map(|root| RootJson { service_name: &root.service_name, name: &root.name }),
            services: summary.services.iter().map(ServiceJson::from).collect(),
        }
    }
}

impl<'a> From<&'a ServiceSummary> for ServiceJson<'a> {
    fn from(service: &'a ServiceSummary) -> Self {
        Self {
            name: &service.name,
            span_count: service.span_count,
            error_count: service.error_count,
            max_duration_us: service.max_duration_us,
            critical_share: rounded_share(service.critical_share),
        }
    }
}

/// To a hundredth of a percent: more is noise, and bytes.
fn rounded_share(share: f64) -> Option<f64> {
    let rounded = (share * 10_000.0).round() / 10_000.0;
    (rounded > 0.0).then_some(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_strictly() {
        assert_eq!(Cursor::parse("1.5.10").unwrap(), Cursor { end_ts_ms: 5, offset: 10 });
        for text in ["", "1", "2.5.10", "1.5", "1.5.10.1", "1.0.10", "1.5.-1", "1.5.10000", "1.x.1"] {
            assert_eq!(Cursor::parse(text).unwrap_err().to_string(), format!("unknown cursor: {text}"));
        }
    }
}
