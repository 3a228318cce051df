//! One server process with a folder of its own, and what tests ask of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::http::{Request, Response, send};
use crate::binary::Process;

/// Which store the server keeps its spans in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    Sqlite,
    Postgres,
    MysqlNative,
    MysqlZipkin,
}

/// A running server; killed when dropped. Its folder goes with it.
pub(crate) struct Server {
    process: Process,
    store: Store,
    /// Empty without a database server.
    database_url: String,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts the binary on a free port and waits until it serves.
    pub(crate) fn start(store: Store, env: &[(&str, &str)]) -> Self {
        Self::start_on(store, database_url(store), env)
    }

    /// As [`Self::start`], on the database at this address.
    pub(crate) fn start_on(store: Store, database_url: String, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = database(&folder);
        // With zipkin's own variables.
        let place = database_url.split_once('@').map_or("", |(_, place)| place);
        let jdbc_url = format!("jdbc:mysql://{place}?autoReconnect=true");
        let mut variables = match store {
            Store::Memory => vec![("STORAGE_TYPE", "mem")],
            Store::Sqlite => vec![("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", path.to_str().expect("a plain path"))],
            Store::Postgres => vec![("STORAGE_TYPE", "postgres"), ("POSTGRES_URL", &database_url)],
            Store::MysqlNative | Store::MysqlZipkin => vec![
                ("STORAGE_TYPE", "mysql"),
                ("MYSQL_JDBC_URL", &jdbc_url),
                ("MYSQL_USER", "zipkin"),
                ("MYSQL_PASS", "zipkin"),
            ],
        };
        variables.extend_from_slice(env);
        let process = Process::start(folder.path(), &variables);
        Self { process, store, database_url, folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What `/health` calls its store.
    pub(crate) fn store_health_name(&self) -> String {
        match self.store {
            Store::Memory => "InMemoryStorage{}".to_owned(),
            Store::Sqlite => format!("SQLiteStorage{{path={}}}", database(&self.folder).display()),
            Store::Postgres | Store::MysqlNative | Store::MysqlZipkin => {
                let health: serde_json::Value = serde_json::from_str(&self.get("/health").text()).expect("JSON");
                let details = health["zipkin"]["details"].as_object().expect("components").keys();
                details.into_iter().find(|name| name.contains("SQLStorage{")).expect("its name").clone()
            }
        }
    }

    /// Where its database server keeps its spans.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// All that it logged so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Sends a request as it is.
    pub(crate) fn send(&self, request: &Request) -> Response {
        send(self.address(), request).unwrap_or_else(|error| {
            panic!("{} {}: {error}\nthe server logged:\n{}", request.method, request.target, self.log())
        })
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.send(&Request::new("GET", target))
    }

    /// Posts JSON v2 and expects it to be taken.
    pub(crate) fn post_spans(&self, body: impl Into<Vec<u8>>) {
        let request = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json").body(body);
        let response = self.send(&request);
        assert_eq!(response.status, 202, "{}", response.text());
    }
}

/// A new database on the real server that this process keeps.
pub(crate) fn database_url(store: Store) -> String {
    match store {
        Store::Postgres => zipkind::storage::database_servers::postgres_database(),
        Store::MysqlNative => zipkind::storage::database_servers::mysql_database(""),
        Store::MysqlZipkin => zipkind::storage::database_servers::mysql_database(&super::zipkin_tables()),
        Store::Memory | Store::Sqlite => String::new(),
    }
}

fn database(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("zipkind.db")
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server logged:\n{}", self.log());
        }
    }
}
