mod recount;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::testing::spans_from_json;

/// Minute 26,666,666 begins here.
const BEGIN: &str = "1599999960";

/// The answer in words: `service a 26666666: 2 calls, 1 errors, 1 timed`.
fn told(answer: &RedAnswer) -> Vec<String> {
    let key = |key: RedKeyRef<'_>| match key {
        RedKeyRef::Service { service } => format!("service {service}"),
        RedKeyRef::Span { service, name, kind } => {
            format!("span {service} {name} {}", kind.map_or("-", SpanKind::as_str))
        }
        RedKeyRef::Edge { parent, child } => format!("edge {parent} {child}"),
    };
    let step = |series: &RedSeries, (minute, red): &(i64, Red)| {
        let Red { calls, errors, durations } = red;
        format!("{} {minute}: {calls} calls, {errors} errors, {} timed", key(series.key.as_ref()), durations.count())
    };
    answer.series.iter().flat_map(|series| series.steps.iter().map(|known| step(series, known))).collect()
}

/// All series of one trace. `B` in the text stands for the first second of a minute, `@` for `"localEndpoint"`.
fn red_of(spans: &str) -> Vec<String> {
    told(&table_of(spans).into_answer())
}

fn table_of(spans: &str) -> RedTable {
    let text = spans.replace("B.", BEGIN).replace('@', r#""traceId":"1","localEndpoint""#);
    let mut table = RedTable::of_everything();
    table.put_trace(spans_from_json(&format!("[{text}]")).iter());
    table
}

fn services(told: &[String]) -> Vec<&str> {
    told.iter().filter_map(|line| line.strip_prefix("service ")).collect()
}

#[test]
fn a_split_call_is_a_request_two_spans_and_one_call() {
    let red = red_of(
        r#"{@:{"serviceName":"a"},"id":"1","kind":"CLIENT","name":"get","timestamp":B.000000,"duration":50000},
           {@:{"serviceName":"b"},"id":"2","parentId":"1","kind":"SERVER","name":"get /x","timestamp":B.010000,"duration":30000,"tags":{"error":""}}"#,
    );
    let expected = [
        "service b 26666666: 1 calls, 1 errors, 1 timed",
        "span a get CLIENT 26666666: 1 calls, 0 errors, 1 timed",
        "span b get /x SERVER 26666666: 1 calls, 1 errors, 1 timed",
        "edge a b 26666666: 1 calls, 1 errors, 1 timed",
    ];
    assert_eq!(red, expected);
}

#[test]
fn the_halves_of_a_shared_span_are_one_request_however_often_they_are_reported() {
    let client =
        r#"{@:{"serviceName":"a"},"id":"1","kind":"CLIENT","name":"get","timestamp":B.000000,"duration":50000}"#;
    let server = r#"{@:{"serviceName":"b"},"id":"1","kind":"SERVER","shared":true,"name":"get /x","timestamp":B.010000,"duration":30000}"#;
    let late = r#"{@:{"serviceName":"b"},"id":"1","kind":"SERVER","shared":true,"tags":{"k":"v"}}"#;
    let expected = [
        "service b 26666666: 1 calls, 0 errors, 1 timed",
        "span a get CLIENT 26666666: 1 calls, 0 errors, 1 timed",
        "span b get /x SERVER 26666666: 1 calls, 0 errors, 1 timed",
        "edge a b 26666666: 1 calls, 0 errors, 1 timed",
    ];
    assert_eq!(red_of(&[client, server].join(",")), expected);
    assert_eq!(red_of(&[server, late, client, server, late].join(",")), expected);
}

#[test]
fn a_span_in_parts_counts_once_with_the_error_of_any_part() {
    let red = red_of(
        r#"{@:{"serviceName":"a"},"id":"1","kind":"SERVER","name":"n","timestamp":B.000000},
           {@:{"serviceName":"a"},"id":"1","duration":7,"tags":{"error":"late"}}"#,
    );
    let expected =
        ["service a 26666666: 1 calls, 1 errors, 1 timed", "span a n SERVER 26666666: 1 calls, 1 errors, 1 timed"];
    assert_eq!(red, expected);
}

#[test]
fn spans_without_kind_are_requests_where_a_service_is_entered() {
    let root = r#"{@:{"serviceName":"a"},"id":"1","timestamp":B.000000}"#;
    let local = r#"{@:{"serviceName":"a"},"id":"2","parentId":"1","timestamp":B.000000}"#;
    let entered = r#"{@:{"serviceName":"b"},"id":"3","parentId":"2","timestamp":B.000000}"#;
    let below = r#"{@:{"serviceName":"b"},"id":"4","parentId":"3","timestamp":B.000000}"#;
    let a = "a 26666666: 1 calls, 0 errors, 0 timed";
    let b = "b 26666666: 1 calls, 0 errors, 0 timed";
    assert_eq!(services(&red_of(&[root, local, entered, below].join(","))), [a, b]);
    // Without its parent it is not known who called, also when there is a root to hang it below.
    assert_eq!(services(&red_of(&[root, entered, below].join(","))), [a]);
    assert_eq!(services(&red_of(&[local, below].join(","))), [""; 0]);
}

#[test]
fn calls_and_messages_that_were_sent_are_no_requests_of_their_sender() {
    let red = red_of(
        r#"{@:{"serviceName":"a"},"id":"1","parentId":"9","kind":"CLIENT","timestamp":B.000000,"remoteEndpoint":{"serviceName":"db"}},
           {@:{"serviceName":"a"},"id":"2","parentId":"9","kind":"PRODUCER","timestamp":B.000000,"remoteEndpoint":{"serviceName":"kafka"}}"#,
    );
    let expected =
        ["edge a db 26666666: 1 calls, 0 errors, 0 timed", "edge a kafka 26666666: 1 calls, 0 errors, 0 timed"];
    assert_eq!(red, expected);
}

#[test]
fn a_span_belongs_to_the_minute_it_began_in_and_without_time_to_none() {
    let red = red_of(
        r#"{@:{"serviceName":"a"},"id":"1","kind":"SERVER","timestamp":B.000000,"duration":90000000},
           {@:{"serviceName":"a"},"id":"2","parentId":"1","kind":"SERVER","timestamp":1600000019999999},
           {@:{"serviceName":"a"},"id":"3","parentId":"1","kind":"SERVER","timestamp":1600000020000000},
           {@:{"serviceName":"a"},"id":"4","parentId":"1","kind":"SERVER","name":"n"}"#,
    );
    let expected = ["a 26666666: 2 calls, 0 errors, 1 timed", "a 26666667: 1 calls, 0 errors, 0 timed"];
    assert_eq!(services(&red), expected);
    assert!(!red.iter().any(|line| line.starts_with("span")), "{red:?}");
}

fn request(service: &str, span: &str, remote: &str) -> RedRequest {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    RedRequest {
        service_name: some(service),
        span_name: some(span),
        remote_service_name: some(remote),
        start_minute: 26_666_666,
        end_minute: 26_666_669,
        step_minutes: 2,
        series_max: RED_SERIES_MAX,
    }
}

#[test]
fn requests_choose_series_and_steps() {
    let spans = (0..4).map(|minute| {
        let time = 1_599_999_960 + minute * 60;
        format!(
            r#"{{@:{{"serviceName":"a"}},"id":"{0:x}","kind":"CLIENT","name":"get","timestamp":{time}000000}},
               {{@:{{"serviceName":"b"}},"id":"{1:x}","parentId":"{0:x}","kind":"SERVER","name":"n","timestamp":{time}000000}}"#,
            minute * 2 + 1,
            minute * 2 + 2,
        )
    });
    let everything = table_of(&spans.collect::<Vec<_>>().join(",")).encode();
    let chosen = |service: &str, span: &str, remote: &str| {
        let mut table = RedTable::new(request(service, span, remote));
        table.add_encoded(&everything).unwrap();
        let told = told(&table.into_answer());
        told.into_iter().map(|line| line.replace(", 0 errors, 0 timed", "").replace(" calls", "")).collect::<Vec<_>>()
    };
    let (b, edge) =
        (["service b 26666666: 2", "service b 26666668: 1"], ["edge a b 26666666: 2", "edge a b 26666668: 1"]);
    let (get, n) = (
        ["span a get CLIENT 26666666: 2", "span a get CLIENT 26666668: 1"],
        ["span b n SERVER 26666666: 2", "span b n SERVER 26666668: 1"],
    );
    assert_eq!(chosen("", "", ""), [b, edge].concat());
    assert_eq!(chosen("a", "", ""), [get, edge].concat());
    assert_eq!(chosen("b", "", ""), [b, n, edge].concat());
    assert_eq!(chosen("b", "n", ""), n);
    assert_eq!(chosen("b", "get", ""), [""; 0]);
    assert_eq!(chosen("a", "", "b"), edge);
    assert_eq!(chosen("", "", "b"), edge);
    assert_eq!(chosen("b", "", "a"), [""; 0]);
    assert_eq!((request("", "", "").start_ms(), request("", "", "").last_ms()), (1_599_999_960_000, 1_600_000_139_999));
}

#[test]
fn series_beyond_the_limit_are_counted_as_left_out() {
    let mut table = RedTable::with_series_max(2);
    let spans = r#"[{"traceId":"1","id":"1","parentId":"9","kind":"SERVER","timestamp":1,"localEndpoint":{"serviceName":"a"}},
        {"traceId":"1","id":"2","parentId":"9","kind":"SERVER","timestamp":1,"localEndpoint":{"serviceName":"b"}},
        {"traceId":"1","id":"3","parentId":"9","kind":"SERVER","timestamp":1,"localEndpoint":{"serviceName":"c"}},
        {"traceId":"1","id":"4","parentId":"9","kind":"SERVER","timestamp":1,"localEndpoint":{"serviceName":"a"}}]"#;
    table.put_trace(spans_from_json(spans).iter());
    assert_eq!(table.left_out(), 1);
    assert_eq!(
        told(&table.into_answer()),
        ["service a 0: 2 calls, 0 errors, 0 timed", "service b 0: 1 calls, 0 errors, 0 timed"]
    );
}

#[test]
fn damaged_bytes_are_refused() {
    let spans = r#"{@:{"serviceName":"a"},"id":"1","kind":"SERVER","name":"n","timestamp":B.000000,"duration":1}"#;
    let bytes = table_of(spans).encode();
    for cut in 0..bytes.len() {
        assert_eq!(RedTable::of_everything().add_encoded(&bytes[..cut]), Err(CorruptRed), "cut at {cut}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(RedTable::of_everything().add_encoded(&longer), Err(CorruptRed));
    // A later version, and a count far beyond the bytes.
    assert_eq!(RedTable::of_everything().add_encoded(&[2, 0, 0]), Err(CorruptRed));
    assert_eq!(
        RedTable::of_everything().add_encoded(&[1, 255, 255, 255, 255, 255, 255, 255, 255, 127]),
        Err(CorruptRed)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_table_or_refused(mut bytes in vec(any::<u8>(), 0..200), is_known_version in any::<bool>()) {
        if let Some(first) = bytes.first_mut().filter(|_| is_known_version) {
            *first = 1;
        }
        let _ = RedTable::of_everything().add_encoded(&bytes);
    }
}
