//! Settings of the PostgreSQL store.

use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::error::NAME;
use crate::storage::{ErrorKind, StorageError};

/// Prepared statements kept by a connection.
const STATEMENTS_MAX: usize = 64;

/// Whether connections are encrypted, as `sslmode` of PostgreSQL's own clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostgresTls {
    /// Never.
    Disable,
    /// When the server offers it.
    #[default]
    Prefer,
    /// Always; any certificate.
    Require,
    /// Always; the certificate must be of the host and signed by an authority of the system.
    VerifyFull,
}

/// Settings of the PostgreSQL store.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:port/database?sslmode=...`; wins over the single values. May hold a password.
    pub url: Option<String>,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database; it must be there.
    pub database: String,
    /// User; `None`: the one of the process.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Encryption.
    pub tls: PostgresTls,
    /// A pooler in transaction mode stands between: no named statements, nothing outside of transactions.
    pub pooled: bool,
    /// Most connections.
    pub connections_max: u32,
    /// Writes at once. With one, a write takes what all lanes have meanwhile: it costs a third less CPU a span than two do.
    pub concurrent_writes: usize,
    /// Longest wait for a connection.
    pub acquire_timeout: Duration,
    /// Longest time of one statement.
    pub statement_timeout: Duration,
    /// Spans older than this are removed, a day at a time. `None` keeps them.
    pub retention_max_age: Option<Duration>,
    /// A span stays at least this long after it arrived, however old its timestamp is.
    pub retention_min_stay: Duration,
    /// The oldest days are removed beyond this many bytes of tables and indexes. `None`: no limit.
    pub retention_max_bytes: Option<u64>,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            url: None,
            host: "localhost".to_owned(),
            port: 5432,
            database: "zipkin".to_owned(),
            user: None,
            password: None,
            tls: PostgresTls::Prefer,
            pooled: false,
            connections_max: 10,
            concurrent_writes: 1,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(60),
            retention_max_age: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_min_stay: Duration::from_secs(3600),
            retention_max_bytes: None,
        }
    }
}

impl std::fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the address nor the password.
        f.debug_struct("PostgresConfig").field("place", &self.place()).field("pooled", &self.pooled).finish()
    }
}

impl PostgresConfig {
    /// Checks an address without connecting.
    ///
    /// # Errors
    /// What is wrong with it, without its password.
    pub fn check_url(url: &str) -> Result<(), String> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err("does not begin with postgres://".to_owned());
        }
        PgConnectOptions::from_str(url).map(|_| ()).map_err(|error| format!("is not understood: {error}"))
    }

    /// Host, port and database.
    #[must_use]
    pub fn place(&self) -> String {
        match self.url.as_deref().map(PgConnectOptions::from_str) {
            Some(Ok(options)) => {
                let database = options.get_database().unwrap_or_default();
                format!("host={}, port={}, database={database}", options.get_host(), options.get_port())
            }
            _ => format!("host={}, port={}, database={}", self.host, self.port, self.database),
        }
    }

    pub(super) fn connect_options(&self) -> Result<PgConnectOptions, StorageError> {
        let options = match &self.url {
            Some(url) => PgConnectOptions::from_str(url).map_err(|error| {
                StorageError::new(
                    ErrorKind::Rejected,
                    NAME,
                    "connect",
                    format!("the address is not understood: {error}"),
                )
            })?,
            None => self.single_values(),
        };
        let statements = if self.pooled { 0 } else { STATEMENTS_MAX };
        let options =
            options.application_name("zipkind").statement_cache_capacity(statements).disable_statement_logging();
        Ok(options)
    }

    fn single_values(&self) -> PgConnectOptions {
        let tls = match self.tls {
            PostgresTls::Disable => PgSslMode::Disable,
            PostgresTls::Prefer => PgSslMode::Prefer,
            PostgresTls::Require => PgSslMode::Require,
            PostgresTls::VerifyFull => PgSslMode::VerifyFull,
        };
        let mut options =
            PgConnectOptions::new().host(&self.host).port(self.port).database(&self.database).ssl_mode(tls);
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        options
    }
}
