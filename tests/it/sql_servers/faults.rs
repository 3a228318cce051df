//! A database behind a bad line, away, locked, or without a free connection: nothing acknowledged is lost, nothing is doubled,
//! and a batch is kept as long as its senders may wait.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use zipkind::storage::database_servers::{Session, empty_postgres_database};

use super::{answers, trace};
use crate::binary::PATIENCE;
use crate::support::http::{Request, send};
use crate::support::proxy::Proxy;
use crate::support::server::{Server, Store, database_url};

const WRITERS: usize = 3;
/// A write is tried again for as long as any fault of these tests lasts.
const PATIENT: [(&str, &str); 6] = [
    ("AUTOCOMPLETE_KEYS", "env"),
    ("STORAGE_TRIES_MAX", "100"),
    ("STORAGE_RETRY_TIME_MAX", "60s"),
    ("STORAGE_WRITE_TIMEOUT", "20s"),
    ("INGEST_WRITE_TIMEOUT", "60s"),
    ("INGEST_LANE_WAIT", "60s"),
];

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Tries of writes that failed.
fn failed_writes(server: &Server) -> f64 {
    let metrics = server.get("/prometheus").text();
    let of_writes = metrics
        .lines()
        .filter(|line| line.starts_with("storage_errors_total{") && line.contains(r#"operation="write""#));
    of_writes.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

fn message(number: u64) -> Request {
    let spans: Vec<_> = trace(number).into_iter().flatten().collect();
    let body = serde_json::to_vec(&spans).unwrap();
    Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json").body(body)
}

/// Senders that send the next message when the one before was taken.
#[derive(Default)]
struct Senders {
    next: AtomicU64,
    taken: AtomicU64,
    are_over: AtomicBool,
}

impl Senders {
    fn run(&self, address: SocketAddr) {
        while !self.are_over.load(Ordering::SeqCst) {
            let request = message(self.next.fetch_add(1, Ordering::SeqCst));
            while send(address, &request).map_or(0, |response| response.status) != 202 {
                std::thread::sleep(Duration::from_millis(20));
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn wait_for_more(&self, messages: u64) {
        let before = self.taken.load(Ordering::SeqCst);
        wait_until("messages are taken", || self.taken.load(Ordering::SeqCst) >= before + messages);
    }
}

/// Ends the senders also when the test fails.
struct EndOf<'a>(&'a Senders);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.are_over.store(true, Ordering::SeqCst);
    }
}

fn a_bad_line_loses_and_doubles_nothing(store: Store) {
    let url = database_url(store);
    let place = url.split_once("127.0.0.1:").unwrap().1.split_once('/').unwrap().0;
    let proxy = Proxy::before(SocketAddr::from(([127, 0, 0, 1], place.parse().unwrap())));
    let server = Server::start_on(store, proxy.in_url(&url), &PATIENT);
    let senders = Senders::default();
    std::thread::scope(|scope| {
        let end = EndOf(&senders);
        for _ in 0..WRITERS {
            scope.spawn(|| senders.run(server.address()));
        }
        senders.wait_for_more(10);
        // There and back.
        proxy.set_latency(Duration::from_millis(150));
        senders.wait_for_more(2 * WRITERS as u64);
        proxy.set_latency(Duration::ZERO);
        for _ in 0..12 {
            senders.wait_for_more(1);
            proxy.reset_all();
        }
        let before = failed_writes(&server);
        proxy.set_away(true);
        wait_until("writes fail", || failed_writes(&server) > before);
        proxy.set_away(false);
        senders.wait_for_more(10);
        drop(end);
    });
    let traces = senders.next.load(Ordering::SeqCst);
    assert_eq!(senders.taken.load(Ordering::SeqCst), traces);
    let recount = Server::start(Store::Memory, &[("AUTOCOMPLETE_KEYS", "env")]);
    for number in 0..traces {
        assert_eq!(send(recount.address(), &message(number)).unwrap().status, 202);
    }
    for ((path, found), (_, expected)) in answers(&server, traces).iter().zip(&answers(&recount, traces)) {
        assert_eq!(found, expected, "{store:?} {path}");
    }
}

#[test]
fn a_bad_line_to_postgres_loses_and_doubles_nothing() {
    a_bad_line_loses_and_doubles_nothing(Store::Postgres);
}

#[test]
fn a_bad_line_to_mariadb_loses_and_doubles_nothing() {
    a_bad_line_loses_and_doubles_nothing(Store::MysqlNative);
}

/// The one message of the test is on its way while the fault lasts, and is taken after it.
fn the_batch_is_kept(server: &Server, break_it: impl FnOnce(), heal: impl FnOnce()) {
    let before = failed_writes(server);
    the_batch_is_kept_until(server, break_it, || failed_writes(server) > before, heal);
}

fn the_batch_is_kept_until(
    server: &Server,
    break_it: impl FnOnce(),
    has_failed: impl FnMut() -> bool,
    heal: impl FnOnce(),
) {
    break_it();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(server.address(), &message(0)).unwrap());
        wait_until("the write fails", has_failed);
        heal();
        assert_eq!(sender.join().unwrap().status, 202);
    });
    let found = server.get("/api/v2/trace/1").json();
    assert_eq!(found.as_array().unwrap().len(), trace(0).iter().map(Vec::len).sum::<usize>());
}

#[test]
fn a_batch_outlives_lock_waits_and_statement_timeouts_of_postgres() {
    let url = database_url(Store::Postgres);
    let session = Session::open(&url);
    let database = session.texts("SELECT current_database()::text").remove(0);
    // Far more than any statement takes on a busy machine: those of the start are under it, too.
    session.run(&format!("ALTER DATABASE {database} SET statement_timeout = '3s'"));
    let server = Server::start_on(Store::Postgres, url, &PATIENT);
    the_batch_is_kept(
        &server,
        || session.run("BEGIN; LOCK TABLE zipkind.fragment IN EXCLUSIVE MODE"),
        || session.run("COMMIT"),
    );
}

#[test]
fn a_batch_outlives_lock_waits_of_mariadb() {
    let url = database_url(Store::MysqlNative);
    let session = Session::open(&url);
    let mut env = PATIENT.to_vec();
    env.push(("STORAGE_WRITE_TIMEOUT", "500ms"));
    let server = Server::start_on(Store::MysqlNative, url, &env);
    // A second try waits beside the first, which was given up.
    let waiting = "SELECT CAST(count(*) AS CHAR) FROM information_schema.processlist \
        WHERE db = database() AND state LIKE 'Waiting for table%'";
    the_batch_is_kept_until(
        &server,
        || session.run("LOCK TABLES zipkind_fragment WRITE"),
        || session.texts(waiting).remove(0).parse::<u64>().unwrap() >= 2,
        || session.run("UNLOCK TABLES"),
    );
}

#[test]
fn a_batch_outlives_too_many_connections_of_postgres() {
    let url = empty_postgres_database();
    let session = Session::open(&url);
    let user = format!("u{:016x}", fastrand::u64(..));
    session.run(&format!("CREATE ROLE {user} LOGIN; CREATE SCHEMA zipkind AUTHORIZATION {user}"));
    let own_url = url.replace("zipkin@", &format!("{user}@"));
    let server = Server::start_on(Store::Postgres, own_url.clone(), &PATIENT);
    let mut held = None;
    the_batch_is_kept(
        &server,
        || {
            session.run(&format!("ALTER ROLE {user} CONNECTION LIMIT 1"));
            let end = format!("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE usename = '{user}'");
            // The server may be making one at this moment, which no list has yet. It has none when this one is the only one.
            wait_until("the only connection is another one's", || {
                session.run(&end);
                let own = Session::open(&own_url);
                let has_it = own.try_texts("SELECT 'here'").is_ok();
                held = Some(own);
                has_it
            });
        },
        || session.run(&format!("ALTER ROLE {user} CONNECTION LIMIT -1")),
    );
    drop(held);
}

#[test]
fn a_batch_outlives_too_many_connections_of_mariadb() {
    let url = database_url(Store::MysqlNative);
    let session = Session::open(&url);
    let user = format!("u{:016x}", fastrand::u64(..));
    let database = session.texts("SELECT database()").remove(0);
    session.run(&format!(
        "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'word'; GRANT ALL ON {database}.* TO {user}@'127.0.0.1'"
    ));
    let mut env = PATIENT.to_vec();
    env.extend([("MYSQL_USER", &*user), ("MYSQL_PASS", "word")]);
    let server = Server::start_on(Store::MysqlNative, url.clone(), &env);
    let other = url.replace("zipkin:zipkin@", &format!("{user}:word@"));
    let mut held = None;
    the_batch_is_kept(
        &server,
        || {
            session.run(&format!("ALTER USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1"));
            wait_until("the only connection is another one's", || {
                session.run(&format!("KILL USER {user}@'127.0.0.1'"));
                let own = Session::open(&other);
                let has_it = own.try_texts("SELECT database()").is_ok();
                held = Some(own);
                has_it
            });
        },
        || session.run(&format!("ALTER USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0")),
    );
    drop(held);
}
