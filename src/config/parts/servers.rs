//! Database servers.

use crate::config::reader::Reader;
use crate::config::variables as rows;
use crate::storage::{MysqlConfig, MysqlLayout, PostgresConfig, PostgresTls, SqliteConfig};

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

/// As [`postgres`].
pub(super) fn mysql(reader: &mut Reader, embedded: &SqliteConfig, is_chosen: bool) -> MysqlConfig {
    let url = reader.text(&rows::MYSQL_JDBC_URL);
    if let (true, Some(Err(reason))) = (is_chosen, url.as_deref().map(MysqlConfig::check_url)) {
        reader.problem("MYSQL_JDBC_URL", reason);
    }
    let layout = match reader.choice(&rows::MYSQL_LAYOUT) {
        Some("zipkin") => Some(MysqlLayout::Zipkin),
        Some("native") => Some(MysqlLayout::Native),
        _ => None,
    };
    let defaults = MysqlConfig::default();
    MysqlConfig {
        url,
        host: reader.text(&rows::MYSQL_HOST).unwrap_or(defaults.host),
        port: reader.number(&rows::MYSQL_TCP_PORT, 1..=u16::MAX),
        database: reader.text(&rows::MYSQL_DB).unwrap_or(defaults.database),
        user: reader.text(&rows::MYSQL_USER),
        password: reader.text(&rows::MYSQL_PASS),
        tls: reader.flag(&rows::MYSQL_USE_SSL),
        layout,
        connections_max: reader.number(&rows::MYSQL_MAX_CONNECTIONS, 2..=1000),
        concurrent_writes: reader.number(&rows::MYSQL_CONCURRENT_WRITES, 1..=100),
        retention_max_age: embedded.retention_max_age,
        retention_min_stay: embedded.retention_min_stay,
        retention_of_zipkin: reader.flag(&rows::MYSQL_ZIPKIN_RETENTION),
        ..defaults
    }
}
