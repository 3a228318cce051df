//! Real database servers for tests: one of each for a test process, a database of its own for each store.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, Connection};

pub use super::session::Session;
use crate::storage::{PostgresConfig, StorageBackend, StorageOptions, open_postgres};
use crate::telemetry::SystemClock;

/// A server that lives as long as this process: its script ends it when the pipe to it closes.
#[derive(Debug)]
struct Server {
    address: String,
    _script: Child,
}

/// Settings of PostgreSQL that make tests quick. Loss of power is not what they test.
const POSTGRES_CONF: &str = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_wal_size = 4GB\n";

fn start(script: &str, settings: (&str, &str), arguments: &[&str]) -> Server {
    let path = format!("{}/scripts/services/{script}", env!("CARGO_MANIFEST_DIR"));
    let port = free_port();
    let mut child = Command::new(&path)
        .args(["run", &port.to_string()])
        .args(arguments)
        .env(settings.0, settings.1)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{path} does not run: {error}"));
    let mut address = String::new();
    if let Some(output) = child.stdout.take() {
        let _ = BufReader::new(output).read_line(&mut address);
    }
    let address = address.trim().to_owned();
    assert!(
        !address.is_empty(),
        "{path} did not start a server; its output says why ({path} install needs root, once)"
    );
    Server { address, _script: child }
}

/// A free port for a server that is about to start; a different one each time. It is far from those that the system gives
/// to clients and to servers that take any: until the server listens, which may take seconds, nobody else gets it.
///
/// # Panics
/// When all are taken.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u16 = 11_000;
    const TRIES_MAX: u16 = 1_000;
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let first = FIRST + (std::process::id() % 400) as u16 * 20;
    let next = || first + GIVEN.fetch_add(1, Ordering::Relaxed) % TRIES_MAX;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(next).take(usize::from(TRIES_MAX));
    ports.find(is_free).unwrap_or_else(|| panic!("no free port from {first} on"))
}

fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs to its end on a thread of its own: callers may or may not be inside a runtime.
fn block_on<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap_or_else(|error| panic!("no runtime: {error}")).block_on(work)
    };
    std::thread::spawn(run).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The address of a new PostgreSQL database. It has the tables already, of a template that is made once: that is quicker.
#[must_use]
pub fn postgres_database() -> String {
    static TEMPLATE: OnceLock<()> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let address = new_postgres_database("made", "template1");
        block_on(async move {
            let config = PostgresConfig { url: Some(address), ..PostgresConfig::default() };
            let opened = open_postgres(config, StorageOptions::default(), Arc::new(SystemClock)).await;
            opened.unwrap_or_else(|error| panic!("no template for databases of tests: {error}")).close().await;
        });
    });
    new_postgres_database(&unique_name(), "made")
}

/// The address of a new PostgreSQL database without any table.
#[must_use]
pub fn empty_postgres_database() -> String {
    new_postgres_database(&unique_name(), "template1")
}

/// The address of a new PostgreSQL database behind PgBouncer in transaction mode.
#[must_use]
pub fn pooled_postgres_database() -> String {
    static POOLER: OnceLock<Server> = OnceLock::new();
    let direct = postgres_database();
    let port = |address: &str| {
        address.rsplit_once('/').and_then(|(base, _)| base.rsplit_once(':')).map(|(_, port)| port.to_owned())
    };
    let of_server = port(&direct).unwrap_or_default();
    let pooler = POOLER.get_or_init(|| start("pgbouncer", ("LC_ALL", "C"), &[&of_server]));
    direct.replace(&format!(":{of_server}/"), &format!(":{}/", port(&pooler.address).unwrap_or_default()))
}

fn new_postgres_database(name: &str, template: &str) -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| start("postgres", ("POSTGRES_CONF", POSTGRES_CONF), &[]));
    let (base, _) = server.address.rsplit_once('/').unwrap_or((&server.address, ""));
    let (address, statement) = (server.address.clone(), format!("CREATE DATABASE {name} TEMPLATE {template}"));
    block_on(async move {
        let mut connection = sqlx::PgConnection::connect(&address).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    })
    .unwrap_or_else(|error: sqlx::Error| panic!("no database for a test: {error}"));
    format!("{base}/{name}")
}

/// Settings of MariaDB that make tests quick.
const MARIADB_CONF: &str =
    "innodb_flush_log_at_trx_commit=0\ninnodb_doublewrite=0\ninnodb_buffer_pool_size=128M\nperformance_schema=OFF\n";

/// The address of a new MariaDB database, after `tables` was run in it.
#[must_use]
pub fn mysql_database(tables: &str) -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| start("mariadb", ("MARIADB_CONF", MARIADB_CONF), &[]));
    let (base, _) = server.address.rsplit_once('/').unwrap_or((&server.address, ""));
    let name = unique_name();
    let (address, statement) = (server.address.clone(), format!("CREATE DATABASE {name}; USE {name}; {tables}"));
    block_on(async move {
        let mut connection = sqlx::MySqlConnection::connect(&address).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    })
    .unwrap_or_else(|error: sqlx::Error| panic!("no database for a test: {error}"));
    format!("{base}/{name}")
}

/// The first column of a query's rows in a MariaDB database.
#[must_use]
pub fn mysql_texts(address: &str, sql: &str) -> Vec<String> {
    let (address, sql) = (address.to_owned(), sql.to_owned());
    block_on(async move {
        let mut connection = sqlx::MySqlConnection::connect(&address).await?;
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
        rows.iter().map(|row| sqlx::Row::try_get(row, 0)).collect::<Result<Vec<String>, sqlx::Error>>()
    })
    .unwrap_or_else(|error| panic!("a test's query fails: {error}"))
}

/// A server of a test's own, with its durable defaults, that the test may let crash.
#[derive(Debug)]
pub struct OwnServer {
    script: String,
    directory: PathBuf,
    port: String,
    /// Of its first database.
    pub address: String,
}

impl OwnServer {
    /// Starts `scripts/services/{script}`.
    #[must_use]
    pub fn start(script: &str) -> Self {
        let script = format!("{}/scripts/services/{script}", env!("CARGO_MANIFEST_DIR"));
        let directory = std::env::temp_dir().join(format!("zipkind-own-{}-{}", std::process::id(), unique_name()));
        let mut server = Self { script, directory, port: free_port().to_string(), address: String::new() };
        server.address = server.run(&["start"]);
        server
    }

    /// Ends it as a loss of power would, and starts it again.
    pub fn crash(&self) {
        self.vanish();
        self.appear();
    }

    /// Ends it as a loss of power would.
    pub fn vanish(&self) {
        self.run(&["crash"]);
    }

    /// Starts it again, with the same address.
    pub fn appear(&self) {
        self.run(&["start"]);
    }

    fn run(&self, verb: &[&str]) -> String {
        let mut command = Command::new(&self.script);
        command.args(verb).arg(&self.directory).stdin(Stdio::null()).stderr(Stdio::null());
        if verb == ["start"] {
            command.arg(&self.port);
        }
        let done = command.output().unwrap_or_else(|error| panic!("{} does not run: {error}", self.script));
        assert!(done.status.success(), "{} {verb:?} failed", self.script);
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.run(&["stop"]);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// With `UPDATE_PLANS` in the environment: puts the plans of an engine's queries into the decision record, which has a
/// section for each. Without it nothing happens: how a plan is worded depends on the server's version.
///
/// # Panics
/// When the record has no such section.
#[allow(clippy::disallowed_methods, reason = "a switch of the test, not of the server")]
pub fn keep_plans(section: &str, plans: &str) {
    if std::env::var_os("UPDATE_PLANS").is_none() {
        return;
    }
    let path = format!("{}/docs/adr/004-sql-servers.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let (begin, end) = (format!("<!-- plans of {section} -->\n"), format!("<!-- end of {section} -->"));
    let places = text.find(&begin).zip(text.find(&end));
    let Some((from, to)) = places else { panic!("{path} has no plans of {section}") };
    let text = format!("{}```text\n{plans}```\n{}", &text[..from + begin.len()], &text[to..]);
    assert!(std::fs::write(&path, text).is_ok(), "{path} cannot be written");
}
