//! Every engine: searches for tags read the lists where they are rare, and find what versions before wrote, which had no terms.

use crate::model::testing::spans_from_json;
use crate::model::{QueryRequest, SpanBatch};
use crate::storage::{Batch, ErrorKind, QueryBudget, StorageBackend, StorageError};

const NOW_US: i64 = 1_600_000_000_000_000;
const TRACES: u64 = 1_000;
const TRACES_OF_WRITE: u64 = 25;
/// More than a search reads before it asks the lists, fewer than all.
const SPANS_MAX: u64 = 400;

/// A trace of two spans: one of a service, with tags, one without a service. The higher the id, the newer.
fn trace(low: u64) -> SpanBatch {
    let (time, service) = (NOW_US + (low as i64 - TRACES as i64) * 10_000, low % 7);
    spans_from_json(&format!(
        r#"[{{"traceId":"{low:x}","id":"1","timestamp":{time},"tags":{{"number":"{low}","of":"all"}},
              "annotations":[{{"timestamp":{time},"value":"note {low}"}}],"localEndpoint":{{"serviceName":"s{service}"}}}},
            {{"traceId":"{low:x}","id":"2","parentId":"1","timestamp":{time},"tags":{{"lone":"{low}"}}}}]"#
    ))
}

async fn put_traces(store: &dyn StorageBackend, lows: impl Iterator<Item = u64>) {
    let mut spans = SpanBatch::new();
    lows.for_each(|low| spans.append(&trace(low)));
    store.write(&[Batch { spans, position: None }]).await.remove(0).unwrap();
}

async fn found(
    store: &dyn StorageBackend,
    service: Option<&str>,
    terms: &[(&str, &str)],
    spans_max: u64,
) -> Result<Vec<u64>, StorageError> {
    let mut request = QueryRequest::window(NOW_US / 1000 + 86_400_000, 2 * 86_400_000, 10);
    request.service_name = service.map(str::to_owned);
    request.annotation_query = terms.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let traces = store.search(&request, &QueryBudget::new(None, spans_max)).await?;
    Ok(traces.iter().map(|spans| spans.get(0).unwrap().trace_id.low()).collect())
}

/// Spans read are counted, not time: a walk through all of them would go beyond the budget.
pub(in crate::storage) async fn rare_tags_are_found_without_reading_all(store: &dyn StorageBackend) {
    for from in (1..=TRACES).step_by(TRACES_OF_WRITE as usize) {
        put_traces(store, from..from + TRACES_OF_WRITE).await;
    }
    let spans_max = 2 * SPANS_MAX;
    let find = |service, terms: &'static [(&str, &str)]| found(store, service, terms, spans_max);
    assert_eq!(find(None, &[("number", "5")]).await.unwrap(), [5]);
    assert_eq!(find(None, &[("lone", "5")]).await.unwrap(), [5], "a span without a service");
    assert_eq!(find(None, &[("note 9", "")]).await.unwrap(), [9]);
    assert_eq!(find(None, &[("number", "nowhere")]).await.unwrap(), [0; 0]);
    assert_eq!(find(None, &[("nowhere", "")]).await.unwrap(), [0; 0]);
    assert_eq!(find(None, &[("of", "all"), ("lone", "6"), ("number", "6")]).await.unwrap(), [6], "of different spans");
    assert_eq!(find(None, &[("lone", "6"), ("number", "7")]).await.unwrap(), [0; 0], "of different traces");
    let common = find(None, &[("of", "all")]).await.unwrap();
    assert_eq!(common, (TRACES - 9..=TRACES).rev().collect::<Vec<_>>());
    assert_eq!(find(Some("s5"), &[("number", "5")]).await.unwrap(), [5]);
    assert_eq!(find(Some("s4"), &[("number", "5")]).await.unwrap(), [0; 0], "of another service");
    assert_eq!(find(Some("s5"), &[("lone", "5")]).await.unwrap(), [0; 0], "of no service");
    let read_all = found(store, None, &[], spans_max).await.unwrap();
    assert_eq!(read_all.len(), 10, "the budget is not what ends a search");
}

/// A span that comes late brings its terms with it, wherever its trace is.
pub(in crate::storage) async fn tags_of_late_spans_are_found(store: &dyn StorageBackend) {
    for from in (1..=TRACES).step_by(TRACES_OF_WRITE as usize) {
        put_traces(store, from..from + TRACES_OF_WRITE).await;
    }
    let late = |service: &str, days: i64| {
        spans_from_json(&format!(
            r#"[{{"traceId":"3","id":"3","parentId":"1","timestamp":{},"tags":{{"late":"{days}"}},
                  "localEndpoint":{{"serviceName":"{service}"}}}}]"#,
            NOW_US - days * 86_400_000_000
        ))
    };
    for (service, days) in [("late", 0), ("", 1), ("s1", 5)] {
        // A repeated write changes nothing.
        for _ in 0..2 {
            let batch = Batch { spans: late(service, days), position: None };
            store.write(&[batch]).await.remove(0).unwrap();
        }
        let days = days.to_string();
        assert_eq!(found(store, None, &[("late", &days)], 2 * SPANS_MAX).await.unwrap(), [3], "{days} days");
    }
}

/// `make_older` turns what was written into rows of the version before, which knew no terms.
pub(in crate::storage) async fn tags_of_older_rows_are_found<F: Future<Output = ()>>(
    store: &dyn StorageBackend,
    make_older: impl FnOnce() -> F,
) {
    put_traces(store, 1..=5).await;
    make_older().await;
    for from in (6..=TRACES).step_by(TRACES_OF_WRITE as usize) {
        put_traces(store, from..from + TRACES_OF_WRITE).await;
    }
    for (key, low) in [("number", 2), ("lone", 2), ("number", 7), ("lone", 7)] {
        let value = low.to_string();
        assert_eq!(found(store, None, &[(key, &value)], u64::MAX).await.unwrap(), [low], "{key}={low}");
    }
    // Spans of a service were listed before, too: its lists tell enough.
    assert_eq!(found(store, Some("s2"), &[("number", "2")], 2 * SPANS_MAX).await.unwrap(), [2]);
    let error = found(store, None, &[("number", "nowhere")], 2 * SPANS_MAX).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Exhausted, "older rows are read as before");
}
