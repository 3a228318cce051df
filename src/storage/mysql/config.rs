//! Settings of the MySQL store.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::error::NAME;
use super::jdbc;
use crate::storage::{ErrorKind, StorageError};

/// Prepared statements kept by a connection.
const STATEMENTS_MAX: usize = 128;

/// Whose tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MysqlLayout {
    /// Zipkin's, which zipkin-server may read and write at the same time.
    Zipkin,
    /// Our own.
    Native,
}

/// Settings of the MySQL store.
#[derive(Clone, PartialEq, Eq)]
pub struct MysqlConfig {
    /// `jdbc:mysql://host:port/database?...`, `jdbc:mariadb://...` or `mysql://user:password@host:port/database`; wins over
    /// host, port, database and encryption. May hold a password.
    pub url: Option<String>,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database; it must be there.
    pub database: String,
    /// User.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Encrypt connections, any certificate.
    pub tls: bool,
    /// Whose tables; `None`: zipkin's when they are there, else our own.
    pub layout: Option<MysqlLayout>,
    /// Most connections.
    pub connections_max: u32,
    /// Writes at once. With one, a write takes what all lanes have meanwhile: it costs a third less CPU a span than two do.
    pub concurrent_writes: usize,
    /// Longest wait for a connection.
    pub acquire_timeout: Duration,
    /// Spans older than this are removed. `None` keeps them; zipkin's tables are only touched when it was asked for.
    pub retention_max_age: Option<Duration>,
    /// A span stays at least this long after it arrived, however old its timestamp is. Not known in zipkin's tables.
    pub retention_min_stay: Duration,
    /// Remove old rows from zipkin's tables too.
    pub retention_of_zipkin: bool,
}

impl Default for MysqlConfig {
    fn default() -> Self {
        Self {
            url: None,
            host: "localhost".to_owned(),
            port: 3306,
            database: "zipkin".to_owned(),
            user: None,
            password: None,
            tls: false,
            layout: None,
            connections_max: 10,
            concurrent_writes: 1,
            acquire_timeout: Duration::from_secs(5),
            retention_max_age: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_min_stay: Duration::from_secs(3600),
            retention_of_zipkin: false,
        }
    }
}

impl std::fmt::Debug for MysqlConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the address nor the password.
        f.debug_struct("MysqlConfig").field("place", &self.place()).field("layout", &self.layout).finish()
    }
}

impl MysqlConfig {
    /// Checks an address without connecting.
    ///
    /// # Errors
    /// What is wrong with it, without its password.
    pub fn check_url(url: &str) -> Result<(), String> {
        jdbc::parse(url).map(|_| ())
    }

    fn address(&self) -> Result<MySqlConnectOptions, String> {
        let options = match &self.url {
            Some(url) => jdbc::parse(url)?,
            None => {
                let tls = if self.tls { MySqlSslMode::Required } else { MySqlSslMode::Disabled };
                MySqlConnectOptions::new().host(&self.host).port(self.port).database(&self.database).ssl_mode(tls)
            }
        };
        let options = self.user.iter().fold(options, |options, user| options.username(user));
        Ok(self.password.iter().fold(options, |options, password| options.password(password)))
    }

    /// Host, port and database.
    #[must_use]
    pub fn place(&self) -> String {
        match self.address() {
            Ok(options) => {
                let (host, port) = (options.get_host(), options.get_port());
                format!("host={host}, port={port}, database={}", options.get_database().unwrap_or_default())
            }
            Err(_) => "?".to_owned(),
        }
    }

    pub(super) fn connect_options(&self) -> Result<MySqlConnectOptions, StorageError> {
        let options = self.address().map_err(|reason| {
            StorageError::new(ErrorKind::Rejected, NAME, "connect", format!("the address {reason}"))
        })?;
        Ok(options.statement_cache_capacity(STATEMENTS_MAX).disable_statement_logging())
    }
}
