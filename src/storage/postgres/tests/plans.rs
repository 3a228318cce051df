//! Each query is served by the index that is meant for it. `UPDATE_PLANS=1` keeps the plans in the decision record.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row};

use super::super::{names, position, read};
use super::support::{HandClock, NOW_MS, put, span_at, store};
use crate::model::SpanBatch;
use crate::storage::sql::rows::{service_bit, service_number};
use crate::storage::sql::testing::keep_plans;

const DAY_MS: i64 = 86_400_000;
type Bound = Query<'static, Postgres, PgArguments>;

fn explain(sql: &str) -> Bound {
    sqlx::query(AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {sql}"))).persistent(false)
}

/// Name, statement, its values, and what the plan must go by.
type Case = (&'static str, &'static str, fn(Bound) -> Bound, &'static str);

fn queries() -> Vec<Case> {
    let lows: fn(Bound) -> Bound = |query| query.bind(vec![1_i64, 2, 3]);
    vec![
        ("traces by id", read::FRAGMENTS, lows, "_trace_low_content_day_idx"),
        (
            "a step through a window",
            read::NEWEST,
            |query| {
                let (floor_ms, end_ms) = (NOW_MS - DAY_MS, NOW_MS + DAY_MS);
                let days = (floor_ms / DAY_MS) as i32..(end_ms / DAY_MS) as i32;
                let query = query.bind(end_ms).bind(i64::MAX).bind(floor_ms).bind(end_ms);
                query.bind(days.start).bind(days.end).bind(64_i64)
            },
            "_max_ms_trace_low_idx",
        ),
        (
            "traces of a rare service",
            read::TRACES_OF_SERVICE,
            |query| query.bind(service_number("s1")).bind(2_001_i64),
            "_service_idx",
        ),
        (
            "traces of a service that may have a tag",
            read::WITH_TERM_OF_SERVICE,
            |query| query.bind(service_number("s1")).bind(vec![1_u8, 2, 3, 4]).bind(8_193_i64),
            "_service_idx",
        ),
        ("whether an older version wrote", read::UNNAMED, |query| query, "_day_idx"),
        (
            "writes whose calls are not tallied",
            read::UNSETTLED,
            |query| query.bind(i64::MAX).bind(1_024_i64),
            "link_unsettled_arrived",
        ),
        (
            "tallies of calls",
            read::TALLIES,
            |query| query.bind(i64::MAX).bind(NOW_MS - DAY_MS).bind(NOW_MS).bind(32_i64),
            "link_tally_pkey",
        ),
        (
            "which traces have a service",
            read::WITH_SERVICE,
            |query| query.bind(vec![1_i64, 2, 3]).bind(service_bit(service_number("s1"))),
            "_trace_low_content_day_idx",
        ),
        (
            "when traces were",
            read::TIMES,
            |query| query.bind(vec![1_i64, 2, 3]).bind(NOW_MS - DAY_MS).bind(NOW_MS),
            "_trace_low_content_day_idx",
        ),
        ("how much there is of traces", read::SIZES, lows, "_trace_low_content_day_idx"),
        ("a scan", read::SCAN, |query| query.bind(i64::MIN).bind(256_i64), "_trace_low_content_day_idx"),
        (
            "a scan of a window",
            read::SCAN_WINDOW,
            |query| {
                let (start_ms, end_ms) = (NOW_MS - DAY_MS, NOW_MS);
                let query = query.bind(i64::MIN).bind(256_i64).bind(start_ms).bind(end_ms);
                query.bind((start_ms / DAY_MS) as i32).bind((end_ms / DAY_MS) as i32)
            },
            "_trace_low_content_day_idx",
        ),
        ("a list of names", names::LIST, |query| query.bind(1_i16).bind(1_i64).bind("s1").bind(10_i64), "name_pkey"),
        (
            "a source position",
            position::STORED,
            |query| query.bind("group").bind("topic").bind(0_i32),
            "source_position_pkey",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_served_by_its_index() {
    let store = store(&HandClock::new()).await;
    for part in 0..10_u64 {
        let mut spans = SpanBatch::new();
        for n in 0..400 {
            let low = part * 400 + n + 1;
            let day = (low % 3) as i64;
            spans.append(&span_at(low, 1, &format!("s{}", n % 9), (NOW_MS - day * DAY_MS) * 1000 + low as i64));
        }
        put(&store, spans).await;
    }
    let engine = store.engine();
    sqlx::raw_sql("ANALYZE").execute(&engine.pool).await.unwrap();
    let mut plans = String::new();
    for (name, sql, bind, index) in queries() {
        let begin = AssertSqlSafe(engine.begin_read.clone());
        let mut transaction = engine.pool.begin_with(begin).await.unwrap();
        let rows = bind(explain(sql)).fetch_all(&mut *transaction).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get(0).unwrap()).collect();
        assert!(plan.iter().any(|line| line.contains(index)), "{name} does not go by {index}: {plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("Seq Scan")), "{name}: {plan:#?}");
        plans.push_str(&shown(name, sql, &plan));
    }
    // Every list is looked at, and no span.
    let (name, sql) = ("traces that may have a tag", read::WITH_TERM);
    let explained = explain(sql).bind(vec![1_u8, 2, 3, 4]).bind(8_193_i64);
    let rows = explained.fetch_all(&engine.pool).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.try_get(0).unwrap()).collect();
    let scans: Vec<&String> = plan.iter().filter(|line| line.contains("Scan")).collect();
    assert!(scans.iter().all(|line| line.contains(" on service_traces_")), "{name}: {plan:#?}");
    plans.push_str(&shown(name, sql, &plan));
    keep_plans("postgres", &plans);
}

/// With one partition of each plan, the one of today: they are all alike, but for empty ones.
fn shown(name: &str, sql: &str, plan: &[String]) -> String {
    let today = format!("_{}", NOW_MS / DAY_MS);
    let is_scan = |line: &&String| line.contains("->") && line.contains("Scan") && line.contains(" on ");
    let scans = plan.iter().filter(is_scan).count();
    let mut text = format!("-- {name}\n{}\n", sql.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut is_shown = true;
    for line in plan {
        if is_scan(&line) {
            is_shown = scans == 1 || line.contains(&today);
        }
        if is_shown {
            text.push_str(&format!("  {line}\n"));
        }
    }
    if scans > 1 {
        text.push_str(&format!("  ... and {} other partitions\n", scans - 1));
    }
    text.push('\n');
    text
}
