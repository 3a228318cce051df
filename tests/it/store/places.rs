//! Stores for the commands, and what tests ask of them.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use zipkind::config::{StorageKind, StoreAddress};
use zipkind::model::red::{RED_SERIES_MAX, RedAnswer, RedRequest};
use zipkind::model::{DependencyLink, QueryRequest, Span, SpanBatch, TraceId};
use zipkind::storage::database_servers::{mysql_database, postgres_database};
use zipkind::storage::{
    Batch, QueryBudget, ScanRequest, SpanStore, SqliteConfig, SqliteStorage, StorageBackend, StorageOptions,
    open_mysql, open_postgres,
};
use zipkind::telemetry::SystemClock;

use super::spans::T_MS;
use crate::binary::{PATIENCE, configuration, zipkind};

/// Which kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
    Native,
    Zipkin,
}

impl Kind {
    pub(super) const EXACT: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Native];
    pub(super) const ALL: [Self; 4] = [Self::Sqlite, Self::Postgres, Self::Native, Self::Zipkin];
}

/// An empty store of its own, by its address.
pub(super) struct Place {
    pub(super) address: String,
    folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tables = crate::support::zipkin_tables();
        let address = match kind {
            Kind::Sqlite => format!("sqlite:{}", folder.path().join("zipkind.db").display()),
            Kind::Postgres => postgres_database(),
            Kind::Native => format!("{}?layout=native", mysql_database("")),
            Kind::Zipkin => format!("{}?layout=zipkin", mysql_database(&tables)),
        };
        Self { address, folder }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database's own address, without what only the command understands.
    pub(super) fn database_url(&self) -> &str {
        self.address.split('?').next().unwrap()
    }

    /// The database file.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("zipkind.db")
    }

    /// Opens it as a server would, but keeps what is old.
    pub(super) async fn open(&self) -> Arc<dyn StorageBackend> {
        let address: StoreAddress = self.address.parse().unwrap();
        let mut config = address.applied_to(&configuration(&[("RETENTION_MAX_AGE", "0")]).storage);
        // However busy the machine is.
        config.postgres.acquire_timeout = PATIENCE;
        config.mysql.acquire_timeout = PATIENCE;
        let (options, clock) = (StorageOptions::default(), Arc::new(SystemClock));
        match config.kind {
            StorageKind::Sqlite => {
                // Small blocks: some of the spans are in them, some in memory.
                let config = SqliteConfig { recent_spans_max: 1_000, ..config.sqlite };
                Arc::new(SqliteStorage::open(config, options, clock).await.unwrap())
            }
            StorageKind::Postgres => Arc::new(open_postgres(config.postgres, options, clock).await.unwrap()),
            StorageKind::Mysql => open_mysql(config.mysql, options, clock).await.unwrap(),
            StorageKind::Mem | StorageKind::None => unreachable!("no address names one"),
        }
    }

    /// Writes messages one after another.
    pub(super) async fn fill(&self, messages: &[SpanBatch]) {
        let store = self.open().await;
        for spans in messages {
            store.write(&[Batch { spans: spans.clone(), position: None }]).await.remove(0).unwrap();
        }
        store.close().await;
    }

    /// All answers about it.
    pub(super) async fn answers(&self) -> Answers {
        let store = self.open().await;
        let answers = Answers::of(&*store).await;
        store.close().await;
        answers
    }
}

/// What a store answers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answers {
    pub(super) traces: Vec<(TraceId, Vec<Span>)>,
    pub(super) found: Vec<TraceId>,
    pub(super) links: Vec<DependencyLink>,
    pub(super) red: Option<RedAnswer>,
    pub(super) names: Vec<(String, Vec<String>, Vec<String>)>,
}

impl Answers {
    /// How much there is.
    pub(super) fn shown(&self) -> String {
        let (found, links) = (self.found.len(), self.links.len());
        format!("{} traces, {found} found, {links} links, {} services", self.traces.len(), self.names.len())
    }

    async fn of(store: &dyn StorageBackend) -> Self {
        let budget = QueryBudget::unlimited();
        let mut ids: Vec<TraceId> =
            scanned(store).await.iter().flat_map(SpanBatch::to_spans).map(|s| s.trace_id).collect();
        ids.sort_by_key(|id| (id.low(), id.high()));
        ids.dedup();
        let mut answers = Self::default();
        for id in ids {
            for trace in store.traces(&[id], &budget).await.unwrap() {
                answers.traces.push((id, trace.to_spans()));
            }
        }
        let hour_ms = 3_600_000;
        let request = QueryRequest::window(T_MS + hour_ms, 2 * hour_ms, 10_000);
        let found = store.search(&request, &budget).await.unwrap();
        answers.found = found.iter().filter_map(|trace| trace.get(0)).map(|span| span.trace_id).collect();
        answers.links = store.dependencies(T_MS + hour_ms, 2 * hour_ms, &budget).await.unwrap();
        if store.capabilities().red {
            let request = RedRequest {
                service_name: None,
                span_name: None,
                remote_service_name: None,
                start_minute: T_MS / 60_000 - 60,
                end_minute: T_MS / 60_000 + 60,
                step_minutes: 1,
                series_max: RED_SERIES_MAX,
            };
            answers.red = Some(SpanStore::red(store, &request, &budget).await.unwrap());
        }
        for service in store.service_names().await.unwrap() {
            let names = store.span_names(&service).await.unwrap();
            let remotes = store.remote_service_names(&service).await.unwrap();
            answers.names.push((service, names, remotes));
        }
        answers
    }
}

/// All traces, from end to end.
pub(super) async fn scanned(store: &dyn StorageBackend) -> Vec<SpanBatch> {
    let mut request = ScanRequest { after: None, window_ms: None, spans_max: 2_000 };
    let mut traces = Vec::new();
    loop {
        let page = store.scan(&request).await.unwrap();
        traces.extend(page.traces);
        request.after = page.next;
        if page.next.is_none() {
            return traces;
        }
    }
}

/// Runs a command to its end.
pub(super) fn run(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut command = zipkind(directory.path(), &[("RUST_BACKTRACE", "1")]);
    command.arg("store").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must do all it should; what it printed.
pub(super) fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// All that a command printed.
pub(super) fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
