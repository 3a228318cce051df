//! Database servers.

use crate::config::reader::Reader;
use crate::config::variables as rows;
use crate::storage::{PostgresConfig, PostgresTls, SqliteConfig};

/// Retention is the same for every store; `embedded` has read it.
pub(super) fn postgres(reader: &mut Reader, embedded: &SqliteConfig, is_chosen: bool) -> PostgresConfig {
    let url = reader.text(&rows::POSTGRES_URL);
    if let (true, Some(Err(reason))) = (is_chosen, url.as_deref().map(PostgresConfig::check_url)) {
        reader.problem("POSTGRES_URL", reason);
    }
    let tls = match reader.choice(&rows::POSTGRES_SSL_MODE) {
        Some("disable") => PostgresTls::Disable,
        Some("require") => PostgresTls::Require,
        Some("verify-full") => PostgresTls::VerifyFull,
        _ => PostgresTls::Prefer,
    };
    let defaults = PostgresConfig::default();
    PostgresConfig {
        url,
        host: reader.text(&rows::POSTGRES_HOST).unwrap_or(defaults.host),
        port: reader.number(&rows::POSTGRES_TCP_PORT, 1..=u16::MAX),
        database: reader.text(&rows::POSTGRES_DB).unwrap_or(defaults.database),
        user: reader.text_if_set(&rows::POSTGRES_USER),
        password: reader.text(&rows::POSTGRES_PASS),
        tls,
        pooled: reader.flag(&rows::POSTGRES_POOLED),
        connections_max: reader.number(&rows::POSTGRES_MAX_CONNECTIONS, 2..=1000),
        concurrent_writes: reader.number(&rows::POSTGRES_CONCURRENT_WRITES, 1..=100),
        retention_max_age: embedded.retention_max_age,
        retention_min_stay: embedded.retention_min_stay,
        retention_max_bytes: embedded.retention_max_bytes,
        ..defaults
    }
}
