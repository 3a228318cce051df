//! A member in a process of its own over a real store, which dies by SIGKILL at a chosen point of a write: before the store's
//! commit, or between it and Kafka's. Or the store's commit is told as an error.
//!
//! The process is this test binary again, told by a variable what to do instead of the test.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use zipkind::config::{StorageConfig, StorageKind};
use zipkind::storage::{
    Batch, Capabilities, ErrorKind, SourcePosition, SpanConsumer, SqliteStorage, StorageBackend, StorageError, Stored,
    open_mysql, open_postgres,
};
use zipkind::telemetry::SystemClock;

use super::broker::{committed, send, servers, topic};
use super::member::Member;
use super::sent::Messages;
use super::{PATIENCE, reads, wait_for};
use crate::binary::{Process, configuration};

const PLAN: &str = "ZIPKIND_TEST_FAIL_POINT";
/// The test that becomes the member.
const THIS_TEST: &str = "kafka::fail_points::a_member_whose_fail_points_are_off_stores_everything_and_tells_kafka";
const MEMORY_BYTES: usize = 256 << 20;

/// Where the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Point {
    Never,
    /// Before the store is asked.
    BeforeStore,
    /// The store has committed, and nobody was told.
    AfterStore,
}

/// What happens to the writes of a member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) point: Point,
    /// Which write that is.
    pub(crate) write: u64,
    /// Each write of a multiple of this number is committed and told as an error; 0 is none.
    pub(crate) errors_every: u64,
    /// The member's settings.
    pub(crate) variables: Vec<(String, String)>,
}

/// Starts a member that ends as planned.
pub(crate) fn start(plan: &Plan) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", THIS_TEST, "--nocapture"]).env(PLAN, serde_json::to_string(plan).unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("this test binary starts again")
}

/// Waits until the member was killed.
pub(crate) fn wait_until_killed(mut member: Child) {
    let status = wait_for("the member reaches its fail point", || member.try_wait().unwrap());
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "it ended otherwise: {status}");
}

/// A store that can be told to end the process.
struct FailPoints {
    store: Arc<dyn StorageBackend>,
    plan: Plan,
    writes: AtomicU64,
}

impl FailPoints {
    async fn open(plan: Plan) -> Self {
        let variables: Vec<(&str, &str)> = plan.variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let store = open(configuration(&variables).storage).await;
        Self { store, plan, writes: AtomicU64::new(0) }
    }
}

async fn open(config: StorageConfig) -> Arc<dyn StorageBackend> {
    let (options, clock) = (config.options.clone(), Arc::new(SystemClock));
    match config.kind {
        StorageKind::Sqlite => Arc::new(SqliteStorage::open(config.sqlite, options, clock).await.unwrap()),
        StorageKind::Postgres => Arc::new(open_postgres(config.postgres, options, clock).await.unwrap()),
        StorageKind::Mysql => open_mysql(config.mysql, options, clock).await.unwrap(),
        StorageKind::Mem | StorageKind::None => panic!("that store keeps no positions"),
    }
}

fn die() -> ! {
    kill(Pid::this(), Signal::SIGKILL).unwrap();
    panic!("a process outlived its SIGKILL");
}

#[async_trait]
impl SpanConsumer for FailPoints {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.plan.point == Point::BeforeStore && number == self.plan.write {
            die();
        }
        let results = self.store.write(batches).await;
        if self.plan.point == Point::AfterStore && number >= self.plan.write && results.iter().any(Result::is_ok) {
            die();
        }
        if self.plan.errors_every > 0 && number.is_multiple_of(self.plan.errors_every) {
            let lost = || StorageError::new(ErrorKind::Unavailable, "fail points", "write", "the answer was lost");
            return batches.iter().map(|_| Err(lost())).collect();
        }
        results
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.store.source_position(group, topic, partition).await
    }
}

zipkind::pass_on_reads!(FailPoints, store);

zipkind::pass_on_duties!(FailPoints, store, {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn health_name(&self) -> String {
        self.store.health_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn close(&self) {
        self.store.close().await;
    }
});

#[allow(clippy::disallowed_methods, reason = "the test is told by it to be a member instead")]
fn plan_from_environment() -> Option<Plan> {
    std::env::var(PLAN).ok().map(|plan| serde_json::from_str(&plan).expect("a plan"))
}

/// Stores what comes until it is killed.
fn be_a_member(plan: Plan) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let variables: Vec<(&str, &str)> = plan.variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let config = configuration(&variables).kafka;
        let storage = Arc::new(FailPoints::open(plan.clone()).await);
        let _member = Member::join(&config, &storage, MEMORY_BYTES);
        tokio::time::sleep(PATIENCE).await;
        panic!("no fail point was reached");
    });
}

fn sqlite(path: &str, topic: &str) -> Vec<(String, String)> {
    let mut variables = reads(servers(), topic);
    // A member with a name of its own is let in again at once.
    let name = ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_GROUP_INSTANCE_ID", "member");
    variables.extend([("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", path), name]);
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_member_whose_fail_points_are_off_stores_everything_and_tells_kafka() {
    if let Some(plan) = plan_from_environment() {
        return be_a_member(plan);
    }
    let topic = topic("fail-points-off", 1);
    let folder = tempfile::tempdir().unwrap();
    let variables = sqlite(folder.path().join("zipkind.db").to_str().unwrap(), &topic);
    let plan = Plan { point: Point::Never, write: 0, errors_every: 0, variables };
    let messages = Messages::new();
    send(&topic, 0, (0..10).map(|number| messages.body(number)));
    let mut member = start(&plan);
    wait_for("Kafka is told", || (committed(&topic, &topic, 0) == Some(10)).then_some(()));
    member.kill().unwrap();
    member.wait().unwrap();
    let variables: Vec<(&str, &str)> = plan.variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let process = Process::start(folder.path(), &variables);
    assert_eq!(messages.faults(process.address(), 10), Vec::<String>::new());
}

#[test]
fn what_the_store_committed_before_a_kill_is_there_and_kafka_was_not_told() {
    let topic = topic("between", 1);
    let folder = tempfile::tempdir().unwrap();
    let variables = sqlite(folder.path().join("zipkind.db").to_str().unwrap(), &topic);
    let messages = Messages::new();
    let mut sent = 0;
    for point in [Point::BeforeStore, Point::AfterStore] {
        send(&topic, 0, (sent..sent + 5).map(|number| messages.body(number)));
        sent += 5;
        let told = committed(&topic, &topic, 0);
        wait_until_killed(start(&Plan { point, write: 1, errors_every: 0, variables: variables.clone() }));
        assert_eq!(committed(&topic, &topic, 0), told, "{point:?}");
    }
    let settings: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let process = Process::start(folder.path(), &settings);
    wait_for("the rest is stored", || (committed(&topic, &topic, 0) == Some(sent as i64)).then_some(()));
    assert_eq!(messages.faults(process.address(), sent), Vec::<String>::new());
    let metrics = crate::support::http::Request::new("GET", "/prometheus");
    let metrics = crate::support::http::send(process.address(), &metrics).unwrap().text();
    let read = super::metric_in(&metrics, "zipkin_collector_messages_total", &["kafka"]);
    assert!(read < sent as f64, "{read} messages were read again: nothing was committed before the kill");
}
