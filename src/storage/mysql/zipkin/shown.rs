//! The queries of zipkin's tables as text, for the test that looks at their plans.

use sqlx::MySqlPool;

use super::search::Value;
use super::{REMOTE_NAMES, REPORTED, SERVICES, SPAN_NAMES, Schema, TAG_VALUES, ZipkinTables};
use crate::model::QueryRequest;
use crate::storage::StorageOptions;
use crate::storage::mysql::MysqlConfig;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn filled(sql: &str, values: &[String]) -> String {
    values.iter().fold(sql.to_owned(), |sql, value| sql.replacen('?', value, 1))
}

/// Name and statement, with values of a usual question.
pub(in crate::storage::mysql) async fn queries_of_zipkins_tables(
    config: MysqlConfig,
    end_ms: i64,
) -> Vec<(&'static str, String)> {
    let pool = MySqlPool::connect_with(config.connect_options().unwrap()).await.unwrap();
    let schema = Schema::probe(&pool).await.unwrap().unwrap();
    let tables = ZipkinTables::new(pool, config, StorageOptions::default(), schema);
    let search = |request: QueryRequest| {
        let (sql, values) = tables.statement(&request);
        let literal = |value: &Value| match value {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => quoted(text),
            Value::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes)),
        };
        filled(&sql, &values.iter().map(literal).collect::<Vec<_>>())
    };
    let window = || QueryRequest::window(end_ms, 3_600_000, 10);
    let of_service = || QueryRequest { service_name: Some("s1".to_owned()), ..window() };
    let name = [quoted("s1"), "1000".to_owned()];
    let day_us = [(end_ms - 86_400_000) * 1000, end_ms * 1000].map(|us| us.to_string());
    vec![
        ("search: the newest", search(window())),
        ("search: a service", search(of_service())),
        ("search: a service's span name", search(QueryRequest { span_name: Some("get".to_owned()), ..of_service() })),
        ("search: a service's durations", search(QueryRequest { min_duration_us: Some(1_000), ..of_service() })),
        (
            "search: a service's tag",
            search(QueryRequest { annotation_query: vec![("http.path".to_owned(), "/x".to_owned())], ..of_service() }),
        ),
        ("traces by id: spans", tables.spans_statement(2).replace("(?,?)", "(0,1)")),
        ("traces by id: annotations", tables.annotations_statement(2).replace("(?,?)", "(0,1)")),
        ("services", filled(SERVICES, &["10000".to_owned()])),
        ("whether a service reported", filled(REPORTED, &[quoted("s1"), quoted("s1"), "1".to_owned()])),
        ("span names of a service", filled(SPAN_NAMES, &name)),
        ("remote services of a service", filled(REMOTE_NAMES, &name)),
        ("values of a tag", filled(TAG_VALUES, &[quoted("http.path"), "1000".to_owned()])),
        ("dependencies, where no job fills their table", filled(&tables.sides_statement(), &day_us)),
    ]
}
