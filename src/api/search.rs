//! The parameters of `/traces`: parsing of all numbers first, then checks, in the order of the peer.

use super::error::ApiError;
use super::params::Params;
use crate::model::QueryRequest;

const LIMIT_DEFAULT: i32 = 10;

/// Reads a search.
///
/// # Errors
/// 400 with zipkin's words.
pub(super) fn search_request(params: &Params, lookback_default_ms: i64, now_ms: i64) -> Result<QueryRequest, ApiError> {
    let lower = |name| params.non_empty(name).map(str::to_lowercase);
    let min_duration_us: Option<i64> = params.number("minDuration")?;
    let max_duration_us: Option<i64> = params.number("maxDuration")?;
    let end_ts_ms: i64 = params.number("endTs")?.unwrap_or(now_ms);
    let lookback_ms: i64 = params.number("lookback")?.unwrap_or(lookback_default_ms);
    let limit: i32 = match params.get("limit") {
        Some(value) => params.primitive("limit", value)?,
        None => LIMIT_DEFAULT,
    };
    let refused = [
        (end_ts_ms <= 0, "endTs <= 0"),
        (limit <= 0, "limit <= 0"),
        (lookback_ms <= 0, "lookback <= 0"),
        (min_duration_us.is_some_and(|min| min <= 0), "minDuration <= 0"),
        (max_duration_us.is_some() && min_duration_us.is_none(), "maxDuration is only valid with minDuration"),
        (max_duration_us < min_duration_us && max_duration_us.is_some(), "maxDuration < minDuration"),
    ];
    if let Some((_, message)) = refused.iter().find(|(wrong, _)| *wrong) {
        return Err(ApiError::bad_request(*message));
    }
    Ok(QueryRequest {
        service_name: lower("serviceName"),
        remote_service_name: lower("remoteServiceName"),
        span_name: lower("spanName").filter(|name| name != "all"),
        annotation_query: QueryRequest::parse_annotation_query(params.get("annotationQuery").unwrap_or_default()),
        min_duration_us,
        max_duration_us,
        end_ts_ms,
        lookback_ms,
        limit: limit.unsigned_abs() as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<QueryRequest, String> {
        search_request(&Params::parse(query), 86_400_000, 1_700_000_000_000).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_or_empty_takes_its_default() {
        let expected = QueryRequest::window(1_700_000_000_000, 86_400_000, 10);
        assert_eq!(read(""), Ok(expected.clone()));
        let empty =
            "serviceName=&remoteServiceName=&spanName=&annotationQuery=&minDuration=&maxDuration=&endTs=&lookback=";
        assert_eq!(read(empty), Ok(expected.clone()));
        assert_eq!(read("spanName=ALL"), Ok(expected));
    }

    #[test]
    fn names_are_lower_cased_and_annotations_are_not() {
        let request = read("serviceName=A&remoteServiceName=B&spanName=C&annotationQuery=D=E").unwrap();
        assert_eq!(request.service_name.as_deref(), Some("a"));
        assert_eq!(request.remote_service_name.as_deref(), Some("b"));
        assert_eq!(request.span_name.as_deref(), Some("c"));
        assert_eq!(request.annotation_query, [("D".to_owned(), "E".to_owned())]);
    }

    #[test]
    fn numbers_are_parsed_before_anything_is_checked() {
        assert_eq!(read("endTs=0&limit=x"), Err("For input string: \"x\"".to_owned()));
        assert_eq!(read("limit="), Err("Cannot set null to primitive type parameter: limit".to_owned()));
    }

    #[test]
    fn checks_run_in_the_order_of_the_peer() {
        let first_refused = [
            ("endTs=0&limit=0&lookback=0", "endTs <= 0"),
            ("limit=0&lookback=0", "limit <= 0"),
            ("lookback=0&minDuration=0", "lookback <= 0"),
            ("minDuration=0&maxDuration=-1", "minDuration <= 0"),
            ("minDuration=6&maxDuration=5", "maxDuration < minDuration"),
            ("maxDuration=5", "maxDuration is only valid with minDuration"),
        ];
        for (query, message) in first_refused {
            assert_eq!(read(query), Err(message.to_owned()), "{query}");
        }
    }
}
