//! What a search asks for.

/// Most pieces an annotation query is split into; the last one keeps the rest (zipkin's limit).
const ANNOTATION_TERMS_MAX: usize = 100;

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
    /// Any trace of the window, at most `limit`: the start of a request with conditions.
    #[must_use]
    pub fn window(end_ts_ms: i64, lookback_ms: i64, limit: usize) -> Self {
        Self {
            service_name: None,
            remote_service_name: None,
            span_name: None,
            annotation_query: Vec::new(),
            min_duration_us: None,
            max_duration_us: None,
            end_ts_ms,
            lookback_ms,
            limit,
        }
    }

    /// Start of the window, epoch milliseconds; saturates.
    #[must_use]
    pub fn start_ts_ms(&self) -> i64 {
        self.end_ts_ms.saturating_sub(self.lookback_ms)
    }

    /// Reads the text form of [`Self::annotation_query`] as zipkin does: `error and http.method=GET`.
    ///
    /// Pieces end at the exact text ` and `. A piece without `=` asks for a key unless the key is asked for already; one
    /// with `=` replaces what was asked of its key. Keys and values are trimmed of blanks and control characters.
    #[must_use]
    pub fn parse_annotation_query(text: &str) -> Vec<(String, String)> {
        let mut terms: Vec<(String, String)> = Vec::new();
        if text.is_empty() {
            return terms;
        }
        for piece in text.splitn(ANNOTATION_TERMS_MAX, " and ") {
            let (key, value) = piece.split_once('=').map_or((piece, None), |(key, value)| (key, Some(value)));
            let (key, value) = (trim(key), value.map(trim));
            let known = terms.iter_mut().find(|(asked, _)| asked == key);
            match (known, value) {
                (Some(term), Some(value)) => value.clone_into(&mut term.1),
                (Some(_), None) => {}
                (None, value) => terms.push((key.to_owned(), value.unwrap_or_default().to_owned())),
            }
        }
        terms
    }
}

/// Java's `trim`: everything up to the blank goes, other white space stays.
fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        QueryRequest::parse_annotation_query(text)
    }

    fn terms(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn terms_are_split_at_lower_case_and_with_single_blanks() {
        assert_eq!(parsed("error and http.method=GET"), terms(&[("error", ""), ("http.method", "GET")]));
        assert_eq!(parsed("a AND b"), terms(&[("a AND b", "")]));
        assert_eq!(parsed("error  and  sql"), terms(&[("error", ""), ("sql", "")]));
        assert_eq!(parsed("a and and b"), terms(&[("a", ""), ("and b", "")]));
        assert_eq!(parsed("and"), terms(&[("and", "")]));
        assert_eq!(parsed(""), terms(&[]));
    }

    #[test]
    fn a_value_replaces_what_its_key_asked_and_a_bare_key_does_not() {
        assert_eq!(parsed("p=/a and p=/b"), terms(&[("p", "/b")]));
        assert_eq!(parsed("p and p=/a"), terms(&[("p", "/a")]));
        assert_eq!(parsed("p=/a and p"), terms(&[("p", "/a")]));
        assert_eq!(parsed("p=/a and p="), terms(&[("p", "")]));
    }

    #[test]
    fn keys_and_values_are_cut_at_the_first_equals_sign_and_trimmed() {
        assert_eq!(parsed("\t k = v=w \n"), terms(&[("k", "v=w")]));
        assert_eq!(parsed("="), terms(&[("", "")]));
        assert_eq!(parsed("k\u{a0}=v"), terms(&[("k\u{a0}", "v")]));
    }

    #[test]
    fn the_hundredth_piece_keeps_the_rest() {
        let text = (0..150).map(|n| format!("k{n}")).collect::<Vec<_>>().join(" and ");
        let terms = parsed(&text);
        assert_eq!(terms.len(), 100);
        assert!(terms[99].0.starts_with("k99 and k100 and "));
    }
}
