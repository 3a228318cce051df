//! `GET /api/ext/v1/red`: rate, errors and durations per minute.
//!
//! Parameters, all of them optional:
//! * `serviceName`: the requests of this service, its spans by name and kind, the calls from it and to it. Without it: the
//!   requests of every service, and all calls
//! * `spanName`: only the spans of this name of `serviceName`
//! * `remoteServiceName`: only the calls to this service, of `serviceName` or of any
//! * `endTs` (epoch ms, default now), `lookback` (ms, default an hour): whole minutes, the first and the last included
//! * `step` (ms, default a minute): whole minutes; steps begin at multiples of it, so the first may reach before the window
//! * `limit` (default 1000): series; those with the most calls are kept
//!
//! The answer: `{"startTs","endTs","step","series":[{"type","serviceName","spanName","kind","remoteServiceName","total",
//! "points"}],"complete"}`. `endTs` is the first moment after the last minute. `type` is `service`, `span` (with `spanName`, and
//! `kind` where there is one) or `edge` (calls of `serviceName` to `remoteServiceName`). A point is `{"ts","calls","errors",
//! "timed","meanUs","p50Us","p95Us","p99Us","maxUs"}`; `timed` says how many have a duration, without any the times are
//! absent; steps without calls are left out. `total` is the same over the window, without `ts`. Quantiles are within two
//! percent. `complete` is false when series or points were left out. What counts: [`crate::model::red`].

use std::cmp::Reverse;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::ApiState;
use super::encode::written;
use super::error::ApiError;
use super::params::Params;
use crate::model::SpanKind;
use crate::model::red::{MINUTE_MS, Red, RedAnswer, RedKeyRef, RedRequest, RedSeries};

const LOOKBACK_DEFAULT_MS: i64 = 3_600_000;
/// Most steps of a series: the minutes of a day.
const STEPS_MAX: i64 = 1_440;
const SERIES_DEFAULT: i64 = 1_000;
/// Most series of an answer.
const SERIES_MAX: i64 = 10_000;
/// Most points of an answer, over all its series.
const POINTS_MAX: usize = 100_000;
/// Bytes of a point in JSON, about, halved as [`written`] reckons.
const POINT_BYTES: usize = 70;

pub(super) async fn red(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let (request, limit) = red_request(&params, state.inner.clock.now_ms(), state.inner.query.config().red_series_max)?;
    let answer = state.inner.query.red(&request).await?;
    let (chosen, is_complete) = choose(answer, limit);
    let points: usize = chosen.iter().map(|series| series.steps.len() + 1).sum();
    Ok(written(points * POINT_BYTES, move |body| write(&request, &chosen, is_complete, body)).await)
}

/// Reads the parameters: all numbers first, then checks.
fn red_request(params: &Params, now_ms: i64, series_max: usize) -> Result<(RedRequest, usize), ApiError> {
    let lower = |name| params.non_empty(name).map(str::to_lowercase);
    let end_ts_ms: i64 = params.number("endTs")?.unwrap_or(now_ms);
    let lookback_ms: i64 = params.number("lookback")?.unwrap_or(LOOKBACK_DEFAULT_MS);
    let step_ms: i64 = params.number("step")?.unwrap_or(MINUTE_MS);
    let limit: i64 = params.number("limit")?.unwrap_or(SERIES_DEFAULT);
    let (service_name, span_name, remote_service_name) =
        (lower("serviceName"), lower("spanName"), lower("remoteServiceName"));
    let refused = [
        (end_ts_ms <= 0, "endTs <= 0".to_owned()),
        (lookback_ms <= 0, "lookback <= 0".to_owned()),
        (step_ms <= 0, "step <= 0".to_owned()),
        (step_ms % MINUTE_MS != 0, format!("step is not a multiple of {MINUTE_MS}")),
        (limit <= 0, "limit <= 0".to_owned()),
        (limit > SERIES_MAX, format!("limit > {SERIES_MAX}")),
        (span_name.is_some() && service_name.is_none(), "spanName is only valid with serviceName".to_owned()),
        (
            span_name.is_some() && remote_service_name.is_some(),
            "spanName and remoteServiceName exclude each other".to_owned(),
        ),
    ];
    if let Some((_, message)) = refused.into_iter().find(|(is_wrong, _)| *is_wrong) {
        return Err(ApiError::bad_request(message));
    }
    let step_minutes = step_ms / MINUTE_MS;
    let first_minute = end_ts_ms.saturating_sub(lookback_ms).max(0) / MINUTE_MS;
    let start_minute = first_minute - first_minute % step_minutes;
    let end_minute = end_ts_ms / MINUTE_MS + 1;
    if (end_minute - start_minute) / step_minutes > STEPS_MAX {
        return Err(ApiError::bad_request(format!("lookback / step > {STEPS_MAX}")));
    }
    let request =
        RedRequest { service_name, span_name, remote_service_name, start_minute, end_minute, step_minutes, series_max };
    Ok((request, limit.unsigned_abs() as usize))
}

/// The series with the most calls, in their order; false when some had to be left out.
fn choose(answer: RedAnswer, series_max: usize) -> (Vec<RedSeries>, bool) {
    let RedAnswer { mut series, left_out } = answer;
    let mut points: usize = series.iter().map(|series| series.steps.len()).sum();
    if series.len() <= series_max && points <= POINTS_MAX {
        return (series, left_out == 0);
    }
    series.sort_by_cached_key(|series| Reverse(series.steps.iter().map(|(_, red)| red.calls).sum::<u64>()));
    series.truncate(series_max);
    points = 0;
    series.retain(|series| {
        points = points.saturating_add(series.steps.len());
        points <= POINTS_MAX
    });
    series.sort_unstable_by(|a, b| a.key.as_ref().cmp(&b.key.as_ref()));
    (series, false)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerJson<'a> {
    start_ts: i64,
    end_ts: i64,
    step: i64,
    series: Vec<SeriesJson<'a>>,
    complete: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeriesJson<'a> {
    r#type: &'static str,
    service_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_service_name: Option<&'a str>,
    total: PointJson,
    points: Vec<PointJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PointJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    calls: u64,
    errors: u64,
    timed: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    durations: Option<DurationsJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DurationsJson {
    mean_us: u64,
    p50_us: u64,
    p95_us: u64,
    p99_us: u64,
    max_us: u64,
}

fn write(request: &RedRequest, series: &[RedSeries], is_complete: bool, body: &mut Vec<u8>) {
    let answer = AnswerJson {
        start_ts: request.start_ms(),
        end_ts: request.last_ms().saturating_add(1),
        step: request.step_minutes.saturating_mul(MINUTE_MS),
        series: series.iter().map(SeriesJson::from).collect(),
        complete: is_complete,
    };
    // Plain structs of text and numbers always serialize.
    let _ = serde_json::to_writer(body, &answer);
}

impl<'a> From<&'a RedSeries> for SeriesJson<'a> {
    fn from(series: &'a RedSeries) -> Self {
        let (r#type, service_name, span_name, kind, remote_service_name) = match series.key.as_ref() {
            RedKeyRef::Service { service } => ("service", service, None, None, None),
            RedKeyRef::Span { service, name, kind } => ("span", service, Some(name), kind.map(SpanKind::as_str), None),
            RedKeyRef::Edge { parent, child } => ("edge", parent, None, None, Some(child)),
        };
        let points = series.steps.iter().map(|(minute, red)| point(Some(minute.saturating_mul(MINUTE_MS)), red));
        let total = point(None, &series.total());
        Self { r#type, service_name, span_name, kind, remote_service_name, total, points: points.collect() }
    }
}

fn point(ts: Option<i64>, red: &Red) -> PointJson {
    let Red { calls, errors, durations } = red;
    let quantile = |quantile| durations.quantile_us(quantile);
    let durations_json = match (quantile(0.5), quantile(0.95), quantile(0.99)) {
        (Some(p50_us), Some(p95_us), Some(p99_us)) => {
            let mean_us = durations.sum_us() / durations.count();
            Some(DurationsJson { mean_us, p50_us, p95_us, p99_us, max_us: durations.max_us() })
        }
        _ => None,
    };
    PointJson { ts, calls: *calls, errors: *errors, timed: durations.count(), durations: durations_json }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::red::RedTable;
    use crate::model::testing::spans_from_json;

    const NOW: i64 = 1_700_000_030_000;

    fn read(query: &str) -> Result<(RedRequest, usize), String> {
        red_request(&Params::parse(query), NOW, 100_000).map_err(|error| error.to_string())
    }

    #[test]
    fn the_last_hour_by_minutes_is_the_default() {
        let (request, series_max) = read("serviceName=&spanName=&remoteServiceName=&endTs=&lookback=&step=").unwrap();
        assert_eq!((request.start_minute, request.end_minute, request.step_minutes), (28_333_273, 28_333_334, 1));
        assert_eq!((request.start_ms(), request.last_ms() + 1), (1_699_996_380_000, 1_700_000_040_000));
        assert_eq!((request.service_name, series_max), (None, 1_000));
    }

    #[test]
    fn steps_begin_at_multiples_and_names_are_lower_cased() {
        let (request, _) = read("serviceName=A&spanName=B&endTs=1700000030000&lookback=1&step=300000").unwrap();
        assert_eq!((request.start_minute, request.end_minute, request.step_minutes), (28_333_330, 28_333_334, 5));
        assert_eq!((request.service_name.as_deref(), request.span_name.as_deref()), (Some("a"), Some("b")));
        assert_eq!(read("endTs=1&lookback=9223372036854775807").unwrap().0.start_minute, 0);
    }

    #[test]
    fn wrong_parameters_are_refused_in_order() {
        let refused = [
            ("endTs=x&step=0", "For input string: \"x\""),
            ("endTs=0&lookback=0", "endTs <= 0"),
            ("lookback=-1&step=0", "lookback <= 0"),
            ("step=0", "step <= 0"),
            ("step=90000", "step is not a multiple of 60000"),
            ("limit=0", "limit <= 0"),
            ("limit=10001", "limit > 10000"),
            ("spanName=a", "spanName is only valid with serviceName"),
            ("serviceName=a&spanName=a&remoteServiceName=b", "spanName and remoteServiceName exclude each other"),
            ("lookback=86460000", "lookback / step > 1440"),
            ("lookback=9223372036854775807", "lookback / step > 1440"),
        ];
        for (query, message) in refused {
            assert_eq!(read(query).unwrap_err(), message, "{query}");
        }
        assert!(read("lookback=86340000").is_ok());
        assert!(read("lookback=9223372036854775807&step=9223372036854720000").is_ok());
    }

    #[test]
    fn the_busiest_series_are_kept_in_their_order() {
        let mut table = RedTable::of_everything();
        for (trace, service) in [(1, "a"), (2, "b"), (3, "c"), (4, "b"), (5, "c"), (6, "c")] {
            table.put_trace(
                spans_from_json(&format!(
                    r#"[{{"traceId":"{trace}","id":"1","timestamp":1,"localEndpoint":{{"serviceName":"{service}"}}}}]"#
                ))
                .iter(),
            );
        }
        let answer = table.into_answer();
        let kept = |series_max| {
            let (series, is_complete) = choose(answer.clone(), series_max);
            let names: Vec<_> = series.iter().map(|series| SeriesJson::from(series).service_name.to_owned()).collect();
            (names.join(" "), is_complete)
        };
        assert_eq!(
            [kept(3), kept(2), kept(1)],
            [("a b c", true), ("b c", false), ("c", false)].map(|(n, c)| (n.to_owned(), c))
        );
        let some_left_out = RedAnswer { left_out: 1, ..answer.clone() };
        assert!(!choose(some_left_out, 3).1);
    }
}
