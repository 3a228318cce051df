//! Limits of the HTTP collector, seen through sockets, with a well-behaved client served beside every attack.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod bodies;
mod bombs;
mod encodings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use zipkind::ingest::{Collector, IngestConfig, MemoryBudget};
use zipkind::telemetry::CollectorMetrics;
use zipkind::transport::http::{HttpCollectorConfig, routes};
use zipkind::web::body::BodyReader;
use zipkind::web::limits::{BodyLimits, ServerLimits};
use zipkind::web::server::{ServerMetrics, bind, serve};

use crate::binary::PATIENCE;
use crate::faulty_storage::{FaultyStorage, Mood};

/// The HTTP collector on a free port over a store that tests can look into; ends with this value.
struct Running {
    address: SocketAddr,
    storage: Arc<FaultyStorage>,
    budget: MemoryBudget,
    registry: Registry,
    _shutdown: DropGuard,
}

fn start(bodies: BodyLimits, budget_bytes: usize) -> Running {
    let storage = Arc::new(FaultyStorage::new(Mood::Well, 1));
    let budget = MemoryBudget::new(budget_bytes);
    let registry = Registry::new();
    let ingest = IngestConfig { queue_wait: Duration::from_millis(500), ..IngestConfig::default() };
    let collector = Collector::start(&ingest, Arc::clone(&storage) as _, &registry, budget.clone()).unwrap();
    let bodies = BodyReader::register(bodies, budget.clone(), &registry).unwrap();
    let metrics = CollectorMetrics::register(&registry).unwrap();
    let router = routes(collector, &HttpCollectorConfig::default(), &metrics, bodies);
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let metrics = ServerMetrics::register(&registry).unwrap();
    tokio::spawn(serve(vec![(listener, router)], ServerLimits::default(), metrics, shutdown.clone()));
    Running { address, storage, budget, registry, _shutdown: shutdown.drop_guard() }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}/api/v2/spans", self.address)
    }

    fn refused(&self, reason: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "http_request_bodies_refused_total").unwrap();
        let of_reason = |metric: &&prometheus::proto::Metric| metric.get_label()[0].value() == reason;
        family.get_metric().iter().find(of_reason).unwrap().get_counter().get_value() as u64
    }

    async fn until_memory_is_back(&self) {
        let back = async {
            while self.budget.used_bytes() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, back).await;
        assert!(waited.is_ok(), "{} bytes were not given back", self.budget.used_bytes());
    }

    /// A client that posts a small message again and again; every answer must be 202, and come while the attack goes on.
    fn well_behaved_client(&self) -> WellBehaved {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, stopped, budget) = (self.url(), Arc::clone(&stop), self.budget.clone());
        let task = tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut served = 0;
            // At least one, however soon the attack is over.
            while served == 0 || !stopped.load(Ordering::Relaxed) {
                let answer = client
                    .post(&url)
                    .timeout(SERVED_WITHIN)
                    .body(small_message(served + 1_000_000))
                    .send()
                    .await
                    .unwrap();
                assert_eq!(answer.status(), 202, "after {served} messages: {}", answer.text().await.unwrap());
                assert!(budget.used_bytes() <= budget.bytes_max());
                served += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            served
        });
        WellBehaved { stop, task }
    }
}

/// Far beyond what a served client waits, far below what an attack lasts when nobody is served.
const SERVED_WITHIN: Duration = Duration::from_secs(20);

struct WellBehaved {
    stop: Arc<AtomicBool>,
    task: JoinHandle<u64>,
}

impl WellBehaved {
    async fn was_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        let served = self.task.await.expect("the well-behaved client was served all the time");
        assert!(served > 0);
    }
}

fn small_message(trace: u64) -> String {
    format!(r#"[{{"traceId":"{trace:x}","id":"1","name":"get","tags":{{"http.path":"/"}}}}]"#)
}

/// Everything until the server closes; the test fails when it does not.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    // A reset is an end as well.
    let _ = read.expect("the server leaves the connection open");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}
