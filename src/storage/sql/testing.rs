//! Real database servers for tests: one of each for a test process, a database of its own for each store.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, Connection};

/// A server that lives as long as this process: its script ends it when the pipe to it closes.
#[derive(Debug)]
struct Server {
    address: String,
    _script: Child,
}

/// Settings of PostgreSQL that make tests quick. Loss of power is not what they test.
const POSTGRES_CONF: &str = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_wal_size = 4GB\n";

fn start(script: &str, settings: (&str, &str)) -> Server {
    let path = format!("{}/scripts/services/{script}", env!("CARGO_MANIFEST_DIR"));
    // Bound and let go: the system does not give it to anyone else soon.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map(|address| address.port());
    let port = port.unwrap_or_else(|error| panic!("no free port: {error}"));
    let mut child = Command::new(&path)
        .args(["run", &port.to_string()])
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

/// The address of a new and empty PostgreSQL database.
#[must_use]
pub fn postgres_database() -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| start("postgres", ("POSTGRES_CONF", POSTGRES_CONF)));
    let (base, _) = server.address.rsplit_once('/').unwrap_or((&server.address, ""));
    let name = unique_name();
    let (address, statement) = (server.address.clone(), format!("CREATE DATABASE {name}"));
    block_on(async move {
        let mut connection = sqlx::PgConnection::connect(&address).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    })
    .unwrap_or_else(|error: sqlx::Error| panic!("no database for a test: {error}"));
    format!("{base}/{name}")
}
