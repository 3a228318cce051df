//! Links of our own tables, from tallies of calls.

use std::sync::Arc;

use super::super::{MysqlConfig, MysqlLayout};
use super::support::{HandClock, config, open_at, scalar};
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
