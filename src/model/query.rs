//! What a search asks for.

/// A search for traces, checked and normalised (Zipkin API v2, `GET /traces`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRequest {
    /// Lower-case local service name; `None` for any.
    pub service_name: Option<String>,
    /// Lower-case remote service name; `None` for any.
    pub remote_service_name: Option<String>,
    /// Lower-case span name; `None` for any.
    pub span_name: Option<String>,
    /// Terms that must all match: key, and a value or "" (an annotation, or a tag of any value).
    pub annotation_query: Vec<(String, String)>,
    /// Shortest duration in microseconds.
    pub min_duration_us: Option<i64>,
    /// Longest duration in microseconds; only together with `min_duration_us`.
    pub max_duration_us: Option<i64>,
    /// End of the window, epoch milliseconds, positive.
    pub end_ts_ms: i64,
    /// Length of the window in milliseconds, positive.
    pub lookback_ms: i64,
    /// Most traces in the answer, positive.
    pub limit: usize,
}

impl QueryRequest {
    /// Start of the window, epoch milliseconds; saturates.
    #[must_use]
    pub fn start_ts_ms(&self) -> i64 {
        self.end_ts_ms.saturating_sub(self.lookback_ms)
    }
}
