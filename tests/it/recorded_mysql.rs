//! What zipkin-server 3.6.1 wrote into MariaDB, and what it answered from there (`tests/recorded-mysql/*.json`): this server
//! writes the same rows and gives the same answers.

use serde_json::Value;

use crate::support::http::Request;
use crate::support::json::same;
use crate::support::read_json;
use crate::support::server::{Server, Store};

/// Where zipkin's answer is plainly wrong: a port above 32767 is stored with a sign, and lost when it is read. We give it.
const LOST_PORT: (&str, &str) = (r#""ipv6":"2001:db8::1""#, r#""ipv6":"2001:db8::1","port":65535"#);

fn replay(name: &str) {
    let case = read_json(&format!("recorded-mysql/{name}.json"));
    let env = case["env"].as_object().expect("env");
    let mut env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    env.push(("AUTOCOMPLETE_KEYS", "http.path"));
    let server = Server::start(Store::MysqlZipkin, &env);
    for post in case["posts"].as_array().expect("posts") {
        let path = post["path"].as_str().expect("text");
        let request = Request::new("POST", path)
            .header("Content-Type", "application/json")
            .body(post["body"].as_str().expect("text"));
        assert_eq!(server.send(&request).status, 202);
    }
    let mut problems = Vec::new();
    for answer in case["answers"].as_array().expect("answers") {
        let path = answer["path"].as_str().expect("text");
        let expected = answer["body"].as_str().expect("text").replace(LOST_PORT.0, LOST_PORT.1);
        let got = server.get(path);
        if (u64::from(got.status), got.text().as_str()) != (answer["status"].as_u64().expect("a number"), &expected) {
            problems.push(format!("{path}\n expected {expected}\n      got {}", got.text()));
        }
    }
    problems.extend(compare_rows(&server, &case, "zipkin_spans", SPAN_ROWS));
    problems.extend(compare_rows(&server, &case, "zipkin_annotations", ANNOTATION_ROWS));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

const SPAN_ROWS: &str = "SELECT JSON_OBJECT('trace_id_high', CAST(trace_id_high AS CHAR), 'trace_id', CAST(trace_id AS CHAR), \
    'id', CAST(id AS CHAR), 'name', name, 'remote_service_name', remote_service_name, 'parent_id', CAST(parent_id AS CHAR), \
    'debug', CAST(debug + 0 AS CHAR), 'start_ts', CAST(start_ts AS CHAR), 'duration', CAST(duration AS CHAR)) \
    FROM zipkin_spans";
const ANNOTATION_ROWS: &str = "SELECT JSON_OBJECT('trace_id_high', CAST(trace_id_high AS CHAR), \
    'trace_id', CAST(trace_id AS CHAR), 'span_id', CAST(span_id AS CHAR), 'a_key', a_key, 'a_value_hex', HEX(a_value), \
    'a_type', CAST(a_type AS CHAR), 'a_timestamp', CAST(a_timestamp AS CHAR), 'endpoint_ipv4', CAST(endpoint_ipv4 AS CHAR), \
    'endpoint_ipv6_hex', HEX(endpoint_ipv6), 'endpoint_port', CAST(endpoint_port AS CHAR), \
    'endpoint_service_name', endpoint_service_name) FROM zipkin_annotations";

/// Rows in any order.
fn compare_rows(server: &Server, case: &Value, table: &str, sql: &str) -> Vec<String> {
    let expected = case[table].as_array().expect("rows");
    let texts = zipkind::storage::database_servers::mysql_texts(server.database_url(), sql);
    let got: Vec<Value> = texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
    let missing = expected.iter().filter(|row| !got.iter().any(|other| same(row, other)));
    let extra = got.iter().filter(|row| !expected.iter().any(|other| same(row, other)));
    let missing = missing.map(|row| format!("{table}: missing {row}"));
    missing.chain(extra.map(|row| format!("{table}: not expected {row}"))).collect()
}

#[test]
fn strict_trace_ids() {
    replay("strict");
}

#[test]
fn lenient_trace_ids() {
    replay("lenient");
}
