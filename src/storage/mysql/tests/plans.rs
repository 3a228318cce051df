//! Each query of our own layout and of zipkin's is served by the index that is meant for it. `UPDATE_PLANS=1` keeps the plans in
//! the decision record.

use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, MySql, MySqlConnection, Row};

use super::super::native::{names, read};
use super::super::zipkin::queries_of_zipkins_tables;
use super::super::{MysqlConfig, MysqlLayout, position};
use super::support::{NOW_MS, config, execute, open, span_at, write};
use crate::model::SpanBatch;
use crate::storage::StorageOptions;
use crate::storage::sql::rows::{service_bit, service_number};
use crate::storage::sql::testing::keep_plans;

type Bound = Query<'static, MySql, MySqlArguments>;

/// Name, statement, its values, and the index that the plan must go by.
type Case = (&'static str, String, fn(Bound) -> Bound, &'static str);

fn native_queries() -> Vec<Case> {
    let some = |head: &str| format!("{head} (1,2,3)");
    vec![
        ("traces by id", some(read::FRAGMENTS), |query| query, "fragment_trace"),
        (
            "a step through a window",
            read::NEWEST.to_owned(),
            |query| query.bind(0_i64).bind(NOW_MS).bind(NOW_MS).bind(i64::MAX).bind(NOW_MS).bind(64_i64),
            "fragment_time",
        ),
        (
            "traces of a rare service",
            read::TRACES_OF_SERVICE.to_owned(),
            |query| query.bind(service_number("s1")).bind(2_001_i64),
            "PRIMARY",
        ),
        (
            "traces of a service that may have a tag",
            read::WITH_TERM_OF_SERVICE.to_owned(),
            |query| query.bind(service_number("s1")).bind(vec![1_u8, 2, 3, 4]).bind(8_193_i64),
            "PRIMARY",
        ),
        (
            "writes whose calls are not tallied",
            read::UNSETTLED.to_owned(),
            |query| query.bind(i64::MAX).bind(1_024_i64),
            "PRIMARY",
        ),
        (
            "tallies of calls",
            read::TALLIES.to_owned(),
            |query| query.bind(i64::MAX).bind(NOW_MS - 1_000).bind(NOW_MS).bind(32_i64),
            "PRIMARY",
        ),
        (
            "which traces have a service",
            some(read::WITH_SERVICE),
            |query| query.bind(service_bit(service_number("s1"))),
            "fragment_trace",
        ),
        ("when traces were", some(read::TIMES), |query| query.bind(0_i64).bind(NOW_MS), "fragment_trace"),
        (
            "how much there is of traces",
            format!("{} {}", some(read::SIZES.0), read::SIZES.1),
            |query| query,
            "fragment_trace",
        ),
        ("a scan", read::SCAN.to_owned(), |query| query.bind(i64::MIN).bind(256_i64), "fragment_trace"),
        (
            "a scan of a window",
            read::SCAN_WINDOW.to_owned(),
            |query| query.bind(i64::MIN).bind(0_i64).bind(NOW_MS).bind(256_i64),
            "fragment_trace",
        ),
        (
            "a list of names",
            names::LIST.to_owned(),
            |query| query.bind(1_i8).bind(1_i64).bind("s1").bind(10_i64),
            "PRIMARY",
        ),
        (
            "a source position",
            position::STORED.to_owned(),
            |query| query.bind("group").bind("topic").bind(0_i32),
            "PRIMARY",
        ),
    ]
}

/// Table, way, key, remark of each row of a plan.
async fn plan_of(config: &MysqlConfig, sql: &str, bind: impl Fn(Bound) -> Bound) -> Vec<[String; 4]> {
    let mut connection = MySqlConnection::connect(config.url.as_deref().unwrap()).await.unwrap();
    let query = bind(sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}"))));
    let rows = query.fetch_all(&mut connection).await.unwrap();
    let text = |row: &sqlx::mysql::MySqlRow, name: &str| {
        row.try_get::<Option<String>, _>(name).unwrap().unwrap_or_else(|| "-".to_owned())
    };
    rows.iter().map(|row| ["table", "type", "key", "Extra"].map(|name| text(row, name))).collect()
}

fn shown(name: &str, sql: &str, plan: &[[String; 4]]) -> String {
    let lines: String =
        plan.iter().map(|[table, way, key, extra]| format!("  {table}: {way}, key {key}. {extra}\n")).collect();
    format!("-- {name}\n{}\n{lines}\n", sql.split_whitespace().collect::<Vec<_>>().join(" "))
}

async fn fill(config: &MysqlConfig) {
    let store = open(config.clone(), StorageOptions::default()).await;
    for part in 0..5_u64 {
        let mut spans = SpanBatch::new();
        for n in 0..400 {
            let low = part * 400 + n + 1;
            spans.append(&span_at(low, 1, &format!("s{}", n % 9), (NOW_MS - low as i64 * 1000) * 1000));
        }
        write(&*store, spans).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_our_own_layout_is_served_by_its_index() {
    let config = config(MysqlLayout::Native);
    fill(&config).await;
    execute(&config, "ANALYZE TABLE zipkind_fragment, zipkind_service_traces, zipkind_name").await;
    let mut plans = String::new();
    for (name, sql, bind, index) in native_queries() {
        let plan = plan_of(&config, &sql, bind).await;
        // An empty table is known to be empty, without a plan.
        let is_empty = plan.iter().any(|[_, _, _, extra]| extra.contains("const table"));
        assert!(is_empty || plan.iter().all(|[_, _, key, _]| key == index), "{name}: {plan:?}");
        plans.push_str(&shown(name, &sql, &plan));
    }
    // Every list is looked at, and no span.
    let (name, sql) = ("traces that may have a tag", read::WITH_TERM);
    let plan = plan_of(&config, sql, |query| query.bind(vec![1_u8, 2, 3, 4]).bind(8_193_i64)).await;
    assert!(plan.iter().all(|[table, ..]| table == "zipkind_service_traces"), "{name}: {plan:?}");
    plans.push_str(&shown(name, sql, &plan));
    keep_plans("mysql native", &plans);
}

/// Its indexes are zipkin's: what they do not serve, they do not serve for zipkin-server either.
#[tokio::test(flavor = "multi_thread")]
async fn searches_and_traces_of_zipkins_tables_do_not_read_all_annotations() {
    let config = config(MysqlLayout::Zipkin);
    fill(&config).await;
    execute(&config, "ANALYZE TABLE zipkin_spans, zipkin_annotations").await;
    let mut plans = String::new();
    for (name, sql) in queries_of_zipkins_tables(config.clone(), NOW_MS).await {
        let plan = plan_of(&config, &sql, |query| query).await;
        let reads_all =
            |[table, way, ..]: &&[String; 4]| (table == "a" || table == "zipkin_annotations") && way == "ALL";
        let is_list = !(name.starts_with("search") || name.starts_with("traces"));
        assert!(is_list || plan.iter().find(reads_all).is_none(), "{name}: {plan:?}");
        plans.push_str(&shown(name, &sql, &plan));
    }
    keep_plans("mysql zipkin", &plans);
}
