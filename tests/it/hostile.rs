//! Hostile input over HTTP against the real binary: the right answer, bounded memory, no panic, and a well-behaved client
//! beside it that is served all the time. `scripts/prove hostile` runs the same with `ZIPKIND_HOSTILE=long`.

mod bombs;
mod content;
mod crowds;
mod cuts;
mod framing;
mod http2;
mod injection;
mod paths;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::http::{Request, Response, send};
use crate::support::server::{Server, Store};

const MIB: u64 = 1 << 20;
/// Longest time any answer to the well-behaved client may take, on a busy machine, too.
const SERVED_WITHIN: Duration = Duration::from_secs(10);
/// Traces of the well-behaved client have ids from here on.
const BESIDE_TRACE_ID: u64 = 0xbe51_de00_0000_0000;

/// True in the long form.
#[allow(clippy::disallowed_methods, reason = "a switch of the test, not of the server")]
fn is_long() -> bool {
    std::env::var("ZIPKIND_HOSTILE").is_ok_and(|form| form == "long")
}

/// A number of the long form, or of the short one.
fn scaled<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// A server under attack, with a well-behaved client beside.
struct Siege {
    server: Server,
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    beside: Option<JoinHandle<Duration>>,
}

impl Siege {
    /// Over memory, with small limits of memory unless the variables say otherwise.
    fn begin(variables: &[(&str, &str)]) -> Self {
        let small = [("INGEST_MEMORY_BYTES", "256MiB"), ("MEM_MAX_BYTES", "128MiB")];
        let variables: Vec<_> = small.iter().chain(variables).copied().collect();
        let server = Server::start(Store::Memory, &variables);
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (address, stopped, count) = (server.address(), Arc::clone(&stop), Arc::clone(&served));
        let beside = std::thread::spawn(move || be_well_behaved(address, &stopped, &count));
        Self { server, stop, served, beside: Some(beside) }
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).expect("the server accepts");
        stream.set_nodelay(true).unwrap();
        stream
    }

    fn post(&self, path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Response {
        self.server.send(&Request::new("POST", path).header("Content-Type", media_type).body(body))
    }

    fn post_json(&self, body: impl Into<Vec<u8>>) -> Response {
        self.post("/api/v2/spans", "application/json", body)
    }

    /// The value of a metric, summed over its labels that contain `label`.
    fn metric(&self, name: &str, label: &str) -> f64 {
        let text = self.server.get("/prometheus").text();
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until the well-behaved client was served again, so that it was while the attack goes on.
    fn until_served_again(&self) {
        let before = self.served.load(Ordering::Relaxed);
        let began = Instant::now();
        while self.served.load(Ordering::Relaxed) <= before {
            let is_running = self.beside.as_ref().is_some_and(|beside| !beside.is_finished());
            assert!(is_running && began.elapsed() < SERVED_WITHIN * 2, "the well-behaved client is not served");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Most memory that the process ever had, in MiB.
    fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    }

    /// The attack is over: the server is whole, and never had more memory than this.
    fn end(mut self, about: &str, peak_mib_max: u64) {
        self.until_served_again();
        self.stop.store(true, Ordering::Relaxed);
        let slowest = self.beside.take().unwrap().join().expect("the well-behaved client was served all the time");
        let (peak_mib, served) = (self.peak_mib(), self.served.load(Ordering::Relaxed));
        eprintln!("{about}: at most {peak_mib} MiB; {served} messages served beside, the slowest in {slowest:?}");
        assert!(peak_mib <= peak_mib_max, "{about}: {peak_mib} MiB are more than {peak_mib_max}");
        assert_eq!(self.metric("http_server_panics_total", ""), 0.0);
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Posts and reads back one small trace after the other; the longest time one took.
fn be_well_behaved(address: SocketAddr, stop: &AtomicBool, served: &AtomicU64) -> Duration {
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let id = BESIDE_TRACE_ID + served.load(Ordering::Relaxed);
        let body = format!(r#"[{{"traceId":"{id:x}","id":"1","name":"beside"}}]"#);
        let posted = send(address, &Request::new("POST", "/api/v2/spans").body(body)).expect("an answer");
        assert_eq!(posted.status, 202, "{}", posted.text());
        let read = send(address, &Request::new("GET", &format!("/api/v2/trace/{id:x}"))).expect("an answer");
        assert_eq!(read.status, 200, "{}", read.text());
        slowest = slowest.max(began.elapsed());
        assert!(slowest < SERVED_WITHIN, "{slowest:?}");
        served.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10));
    }
    slowest
}

/// Writes bytes as they are and reads until the server ends the connection, or sends nothing for so long.
fn exchange(stream: &mut TcpStream, bytes: &[u8], silence: Duration) -> String {
    stream.set_read_timeout(Some(silence)).unwrap();
    // The server may answer and close before it read everything.
    let _ = stream.write_all(bytes);
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The statuses of the answers that follow each other in this text.
fn statuses(answers: &str) -> Vec<u16> {
    answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}
