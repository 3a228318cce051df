//! Links of our own tables, from tallies of calls.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlPoolOptions;

use super::super::native::NativeEngine;
use super::super::{MysqlConfig, MysqlLayout};
use super::support::{HandClock, NOW_MS, config, open_at, scalar, span_at, write};
use crate::storage::sql::engine::Engine;
use crate::storage::sql::link_check::{self, Processes};
use crate::storage::{StorageBackend, StorageOptions};

async fn two() -> (Arc<HandClock>, MysqlConfig, [Arc<dyn StorageBackend>; 2]) {
    let (clock, config) = (HandClock::new(), config(MysqlLayout::Native));
    let start = || open_at(config.clone(), StorageOptions::default(), Arc::clone(&clock));
    let stores = [start().await, start().await];
    (clock, config, stores)
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_traces_are_not_read_again() {
    let (clock, config, [one, other]) = two().await;
    let processes = Processes { stores: [&*one, &*other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::settled_traces_are_not_read_again(&processes).await;
    assert_eq!(scalar(&config, "SELECT count(*) FROM zipkind_link_unsettled").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsettled_traces_of_other_times_are_not_read() {
    let (clock, _, [one, other]) = two().await;
    let processes = Processes { stores: [&*one, &*other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::unsettled_traces_of_other_times_are_not_read(&processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_without_end_are_read_by_who_asks_for_them() {
    let (clock, _, [one, other]) = two().await;
    let processes = Processes { stores: [&*one, &*other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::traces_without_end_are_read_by_who_asks_for_them(&processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_tallies_equal_a_recount() {
    let (clock, _, [one, other]) = two().await;
    let processes = Processes { stores: [&*one, &*other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::links_of_tallies_equal_a_recount(&processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_follow_what_is_removed() {
    let (clock, _, [one, other]) = two().await;
    let processes = Processes { stores: [&*one, &*other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::links_follow_what_is_removed(&processes).await;
}

/// Whatever isolation the server has as its own, or was left on the connection by a transaction that was never begun.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_of_one_state_of_the_tables_whatever_isolation_is_set() {
    for level in ["SET SESSION TRANSACTION", "SET TRANSACTION"] {
        let (clock, config, [store, _]) = two().await;
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let statement = format!("{level} ISOLATION LEVEL READ COMMITTED");
                    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(|_| ())
                })
            })
            .connect_lazy(config.url.as_deref().unwrap())
            .unwrap();
        let engine = NativeEngine::new(pool, config, StorageOptions::default(), clock);
        write(&*store, span_at(1, 1, "a", NOW_MS * 1000)).await.unwrap();
        let mut snapshot = engine.begin().await.unwrap();
        assert_eq!(snapshot.fragments(&[1, 2]).await.unwrap().len(), 1, "{level}");
        write(&*store, span_at(2, 1, "b", NOW_MS * 1000)).await.unwrap();
        assert_eq!(snapshot.fragments(&[1, 2]).await.unwrap().len(), 1, "{level}");
        drop(snapshot);
        let mut snapshot = engine.begin().await.unwrap();
        assert_eq!(snapshot.fragments(&[1, 2]).await.unwrap().len(), 2, "{level}");
    }
}
