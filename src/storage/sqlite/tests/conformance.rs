//! The promises every store makes.

use super::support::{HandClock, config};
use crate::storage::conformance::Fixture;
use crate::storage::{SqliteConfig, SqliteStorage};

crate::storage_conformance_suite!(|options| async move {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { retention_max_age: None, ..config(directory.path()) };
    let store = SqliteStorage::open(config, options, HandClock::new()).await.unwrap();
    Fixture::with_guard(store, directory)
});

/// The same promises when nothing stays in memory for long.
mod in_blocks {
    use super::super::support::sealing_often;
    use super::*;

    crate::storage_conformance_suite!(|options| async move {
        let directory = tempfile::tempdir().unwrap();
        let config = SqliteConfig { recent_spans_max: 2, ..sealing_often(directory.path()) };
        let store = SqliteStorage::open(config, options, HandClock::new()).await.unwrap();
        Fixture::with_guard(store, directory)
    });
}
