//! Where spans rest: the traits every backend implements, and what goes in and out.
//!
//! A backend contains its engine and nothing else. Metrics, timeout and retry are wrappers round the traits; merging, linking
//! and matching are pure functions of [`model`](crate::model). One conformance suite is stamped on every backend.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod index;
mod memory;
mod metered;
mod mysql;
mod none;
mod pass_on;
mod postgres;
mod red_metrics;
mod retry;
mod scan;
#[cfg(test)]
pub(crate) mod scripted;
mod sql;
mod sqlite;
mod throttle;
mod timeout;
mod traced;
mod types;

use async_trait::async_trait;

pub use error::{ErrorKind, StorageError};
pub use memory::{MemoryConfig, MemoryStats, MemoryStorage};
pub use metered::{Metered, StorageMetrics};
pub use mysql::{MysqlConfig, MysqlLayout, migrate_mysql, open_mysql, open_mysql_to_read};
pub use none::NoneStorage;
pub use postgres::{PostgresConfig, PostgresTls, migrate_postgres, open_postgres, open_postgres_to_read};
pub use red_metrics::RedMetrics;
pub use retry::{Retry, RetryConfig};
pub use scan::{ScanCursor, ScanPage, ScanRequest};
#[cfg(any(test, feature = "conformance"))]
pub use sql::testing as database_servers;
pub use sqlite::{
    SqliteConfig, SqliteFigures, SqliteInspector, SqliteMetrics, SqliteStorage, Synchronous, migrate_sqlite,
};
pub use throttle::{Throttle, ThrottleConfig, ThrottleMetrics};
pub use timeout::{Timeout, TimeoutConfig};
pub use traced::Traced;
pub use types::{
    Batch, Capabilities, PINS_PART, PinnedTrace, QueryBudget, SchemaChange, SourcePosition, StorageOptions, Stored,
};

use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

/// The write side.
#[async_trait]
pub trait SpanConsumer: Send + Sync {
    /// Writes each batch whole or not at all, with its source position in the same transaction where there is one.
    ///
    /// One result per batch, in order. Writing a span again adds nothing and is not an error. When the future is
    /// dropped a batch may or may not have been written. `Ok` means as durable as the backend promises.
    ///
    /// # Errors
    /// [`ErrorKind::is_retryable`] tells whether the same batch may be offered again.
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>>;

    /// The stored position of a source: (group, topic, partition). `None` when nothing was ever written with it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] from a store without positions ([`Capabilities::source_positions`]).
    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError>;
}

/// The read side. Every answer sees each batch whole or not at all, and everything acknowledged before the call.
#[async_trait]
pub trait SpanStore: Send + Sync {
    /// Traces that match, newest first, at most `limit` (strict splitting of a 64-bit group may exceed it, as in zipkin).
    ///
    /// Spans of a trace are raw: not merged, in the order of `model::arrival_order`. Rules: `model::search`.
    ///
    /// # Errors
    /// [`ErrorKind::Deadline`] and [`ErrorKind::Exhausted`] when the budget ends first.
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError>;

    /// The spans of each given trace that exists, in the order asked. Lenient mode ([`StorageOptions::strict_trace_id`]
    /// off) goes by the low 64 bits: ids that share them give one entry.
    ///
    /// # Errors
    /// As [`SpanStore::search`].
    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError>;

    /// Local service names, sorted by UTF-16 code units.
    async fn service_names(&self) -> Result<Vec<String>, StorageError>;

    /// Span names of a (lower-case) local service, sorted.
    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError>;

    /// Remote service names of a (lower-case) local service, sorted.
    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError>;

    /// Values seen for one of [`StorageOptions::autocomplete_keys`], sorted; none for any other key.
    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError>;

    /// Links of all traces with a span in `end_ts_ms - lookback_ms ..= end_ts_ms`, in the order of zipkin's memory store
    /// (traces by newest key first, links by first insertion).
    ///
    /// # Errors
    /// As [`SpanStore::search`].
    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError>;

    /// Rate, errors and durations per minute of what is stored now: late and duplicate spans have corrected them, what
    /// was removed is gone. Rules: [`model::red`](crate::model::red).
    ///
    /// # Errors
    /// As [`SpanStore::search`]; [`ErrorKind::Unsupported`] from a store without them ([`Capabilities::red`]).
    async fn red(&self, _request: &RedRequest, _budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        Err(StorageError::new(ErrorKind::Unsupported, "storage", "red", "this store tells no rates and durations"))
    }

    /// All traces, page by page, in an order of the store's own: the cursor that a page ends with begins the next one, in this
    /// process or a later one. What is there when the scan begins and stays comes at least once (again when the store moves
    /// it meanwhile); what is written meanwhile may come or not.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] from a store that cannot be read so ([`Capabilities::scans`]).
    async fn scan(&self, _request: &ScanRequest) -> Result<ScanPage, StorageError> {
        Err(StorageError::new(ErrorKind::Unsupported, "storage", "scan", "this store cannot be read from end to end"))
    }
}

/// Both sides, and what operations need to know.
#[async_trait]
pub trait StorageBackend: SpanConsumer + SpanStore {
    /// Short lower-case name (`mem`, `sqlite`): label of metrics and logs.
    fn name(&self) -> &'static str;

    /// Name of the component in `/health` (`InMemoryStorage{}`).
    fn health_name(&self) -> String;

    /// What the backend can do; the conformance suite holds it to it.
    fn capabilities(&self) -> Capabilities;

    /// Looks whether the engine answers. Called for each `/health` request.
    ///
    /// # Errors
    /// Why it does not.
    async fn check(&self) -> Result<(), StorageError>;

    /// Background duty that is due now (retention, views). The server calls it on a timer, one call at a time.
    ///
    /// # Errors
    /// Logged and tried again at the next turn.
    async fn maintain(&self) -> Result<(), StorageError> {
        Ok(())
    }

    /// Keeps a copy of the spans that the trace has now. [`SpanStore::traces`] finds them as long as the trace is pinned, whatever
    /// became of the trace itself; searches and views see what is stored. Pinning again copies what came since.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] from a store without pins ([`Capabilities::pins`]),
    /// [`ErrorKind::NotFound`] when there is no such trace, [`ErrorKind::Full`] when all copies together would be more than
    /// one [`PINS_PART`]th of what the store may hold.
    async fn pin(&self, _id: TraceId) -> Result<PinnedTrace, StorageError> {
        Err(no_pins("pin"))
    }

    /// Removes the copy. False when the trace was not pinned.
    ///
    /// # Errors
    /// As [`StorageBackend::pin`].
    async fn unpin(&self, _id: TraceId) -> Result<bool, StorageError> {
        Err(no_pins("unpin"))
    }

    /// Every pinned trace, by id.
    ///
    /// # Errors
    /// As [`StorageBackend::pin`].
    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        Err(no_pins("pinned"))
    }

    /// Finishes what is under way and closes files and connections. Nothing is called afterwards.
    async fn close(&self) {}
}

fn no_pins(operation: &'static str) -> StorageError {
    StorageError::new(ErrorKind::Unsupported, "storage", operation, "this store pins no traces")
}
