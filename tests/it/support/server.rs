//! One server process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::{Request, Response, send};
use crate::binary::zipkind;

/// Longest wait for a server to say where it listens.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Which store the server keeps its spans in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    Sqlite,
}

/// A running server; killed when dropped. Its folder goes with it.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    store: Store,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts the binary on a free port and waits until it serves.
    pub(crate) fn start(store: Store, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let local =
            [("SERVER_ADDRESS", "127.0.0.1"), ("QUERY_PORT", "0"), ("LOG_FORMAT", "json"), ("RUST_BACKTRACE", "1")];
        let mut command = zipkind(folder.path(), &local);
        match store {
            Store::Memory => command.env("STORAGE_TYPE", "mem"),
            Store::Sqlite => command.env("STORAGE_TYPE", "sqlite").env("SQLITE_PATH", database(&folder)),
        };
        command.envs(env.iter().copied());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, addresses) = sync_channel(1);
        follow(child.stdout.take().expect("piped"), log.clone(), sender.clone());
        follow(child.stderr.take().expect("piped"), log.clone(), sender);
        match wait_for_address(&addresses) {
            Some(address) => Self { child, address, log, store, folder },
            None => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server did not start:\n{}", log.lock().unwrap());
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `/health` calls its store.
    pub(crate) fn store_health_name(&self) -> String {
        match self.store {
            Store::Memory => "InMemoryStorage{}".to_owned(),
            Store::Sqlite => format!("SQLiteStorage{{path={}}}", database(&self.folder).display()),
        }
    }

    /// All that it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends a request as it is.
    pub(crate) fn send(&self, request: &Request) -> Response {
        send(self.address, request).unwrap_or_else(|error| {
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

fn database(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("zipkind.db")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server logged:\n{}", self.log());
        }
    }
}

/// Keeps the log and looks in it for the address.
fn follow(output: impl Read + Send + 'static, log: Arc<Mutex<String>>, addresses: SyncSender<SocketAddr>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = served_address(&line) {
                let _ = addresses.try_send(address);
            }
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// The event that says so is the only one with an address.
fn served_address(line: &str) -> Option<SocketAddr> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    event["address"].as_str()?.parse().ok()
}

/// `None` when both outputs end, because the process ended, or when it takes too long.
fn wait_for_address(addresses: &Receiver<SocketAddr>) -> Option<SocketAddr> {
    addresses.recv_timeout(START_TIMEOUT).ok()
}
