//! What people see with plain SQL.

use super::support::{HandClock, put, scalar, store};
use crate::model::testing::spans_from_json;

const SPANS: &str = r#"[
  {"traceId":"463ac35c9f6413ad48485a3953bb6124","parentId":"a","id":"b","kind":"CLIENT","name":"get /x","timestamp":1600000000000123,
   "duration":207000,"localEndpoint":{"serviceName":"front","ipv4":"127.0.0.1","ipv6":"2001:db8::c001","port":8080},
   "remoteEndpoint":{"serviceName":"back","ipv4":"192.168.99.101","port":9000},
   "annotations":[{"timestamp":-5,"value":"before"},{"timestamp":1600000000000200,"value":"foo"}],
   "tags":{"http.path":"/x","error":"nul\u0000","ключ":"значение"},"debug":true},
  {"traceId":"463ac35c9f6413ad48485a3953bb6124","parentId":"a","id":"b","kind":"SERVER","timestamp":1600000000000400,
   "localEndpoint":{"port":65535},"shared":true},
  {"traceId":"ffffffffffffffff","id":"e","duration":1}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn spans_show_every_field_once() {
    let store = store(&HandClock::new()).await;
    put(&store, spans_from_json(SPANS)).await;
    // The same span in another fragment: still one row.
    put(&store, spans_from_json(SPANS).slice(0, 1)).await;
    assert_eq!(scalar(&store, "SELECT count(*) FROM zipkind.spans").await, "3");
    let fields = "SELECT concat_ws('|', trace_id, id, parent_id, kind, name, timestamp_us, duration_us, local_service_name, \
        local_ipv4, local_ipv6, local_port, remote_service_name, remote_ipv4, remote_port, annotations, debug, shared) \
        FROM zipkind.spans WHERE kind = 'CLIENT'";
    let expected = "463ac35c9f6413ad48485a3953bb6124|000000000000000b|000000000000000a|CLIENT|get /x|1600000000000123|207000|\
        front|127.0.0.1|2001:db8::c001|8080|back|192.168.99.101|9000|\
        [{\"value\": \"before\", \"timestamp\": -5}, {\"value\": \"foo\", \"timestamp\": 1600000000000200}]|t|f";
    assert_eq!(scalar(&store, fields).await, expected);
    let other = "SELECT concat_ws('|', local_port, remote_port, duration_us, shared, tags) FROM zipkind.spans WHERE kind = 'SERVER'";
    assert_eq!(scalar(&store, other).await, "65535|t|{}");
    let last =
        "SELECT concat_ws('|', trace_id, trace_low, started_at, duration_us) FROM zipkind.spans WHERE kind IS NULL";
    assert_eq!(scalar(&store, last).await, "ffffffffffffffff|-1|1");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_traces_are_rows() {
    let store = store(&HandClock::new()).await;
    put(&store, spans_from_json(SPANS)).await;
    let tags = "SELECT string_agg(key || '=' || replace(value, E'\\u0001', '~'), ', ' ORDER BY key COLLATE \"C\") FROM zipkind.tags";
    assert_eq!(scalar(&store, tags).await, "error=nul~0, http.path=/x, ключ=значение");
    let trace = "SELECT concat_ws('|', extract(epoch FROM started_at), duration_us, spans, errors, service_names) \
        FROM zipkind.traces WHERE trace_low = x'48485a3953bb6124'::bigint";
    assert_eq!(scalar(&store, trace).await, "1600000000.000123|207000|2|1|{front}");
}
