//! The promises every store makes, with named statements and as behind a pooler.

mod direct {
    use super::super::super::PostgresConfig;
    use super::super::support::{HandClock, config, open};

    crate::storage_conformance_suite!(|options| async move {
        let config = PostgresConfig { retention_max_age: None, ..config() };
        open(config, options, HandClock::new()).await
    });
}
