//! The promises every store makes, with named statements and as behind a pooler.

mod direct {
    use super::super::super::PostgresConfig;
    use super::super::support::{HandClock, config, open};

    crate::storage_conformance_suite!(|options| async move {
        let config = PostgresConfig { retention_max_age: None, ..config() };
        open(config, options, HandClock::new()).await
    });
}

/// Behind a pooler the statements are sent in another way: each of them is used here.
mod pooled {
    use super::super::super::PostgresConfig;
    use super::super::support::{HandClock, open};
    use crate::storage::conformance::{Suite, run_case};
    use crate::storage::sql::testing::pooled_postgres_database;

    const CASES: &[&str] = &[
        "every_field_is_read_back",
        "a_batch_with_known_and_new_spans_adds_the_new_ones",
        "traces_come_newest_first",
        "newest_goes_by_the_spans_inside_the_window",
        "lists_have_limits_and_spans_are_kept",
        "links_equal_the_recorded_ones",
        "a_stale_position_refuses_its_batch_only",
        "one_of_two_racing_members_wins",
        "readers_never_see_half_a_batch",
        "concurrent_writers_lose_and_double_nothing",
        "what_was_acknowledged_is_read",
    ];

    #[tokio::test(flavor = "multi_thread")]
    async fn promises_hold_behind_pgbouncer_in_transaction_mode() {
        let suite = Suite::new(|options| async move {
            let url = Some(pooled_postgres_database());
            let config = PostgresConfig { url, pooled: true, retention_max_age: None, ..PostgresConfig::default() };
            open(config, options, HandClock::new()).await
        });
        for case in CASES {
            run_case(case, &suite).await;
        }
    }
}
