use super::super::scripted::{Act, Scripted};
use super::super::{MemoryConfig, MemoryStorage, Timeout, TimeoutConfig};
use super::*;
use crate::model::testing::spans_from_json;

const BUSY: Act = Act::Fail(ErrorKind::Unavailable, 0);

fn retry(script: impl IntoIterator<Item = Act>) -> (Retry, Arc<Scripted>) {
    let scripted = Arc::new(Scripted::new(script));
    (Retry::new(scripted.clone(), RetryConfig::default()), scripted)
}

fn batch(low: u64) -> Batch {
    Batch { spans: spans_from_json(&format!(r#"[{{"traceId":"{low:x}","id":"1"}}]"#)), position: None }
}

fn positioned(from: i64, next: i64) -> Batch {
    let position = SourcePosition {
        group: "g".to_owned(),
        topic: "t".to_owned(),
        partition: 0,
        from,
        next,
        last_message_ms: 0,
        last_message_checksum: 0,
    };
    Batch { position: Some(position), ..batch(next as u64) }
}

fn kinds(results: Vec<Result<Stored, StorageError>>) -> Vec<Result<usize, ErrorKind>> {
    results.into_iter().map(|result| result.map(|stored| stored.spans).map_err(|error| error.kind)).collect()
}

#[tokio::test(start_paused = true)]
async fn only_batches_that_failed_are_written_again() {
    let (store, scripted) = retry([Act::Fail(ErrorKind::Unavailable, 1), Act::Fail(ErrorKind::Full, 1), Act::Work]);
    assert_eq!(kinds(store.write(&[batch(1), batch(2), batch(3)]).await), [Ok(1); 3]);
    assert_eq!(*scripted.calls.lock(), [3, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_not_tried_again() {
    for kind in [ErrorKind::Rejected, ErrorKind::StalePosition, ErrorKind::Unsupported, ErrorKind::Corrupt] {
        let (store, scripted) = retry([Act::Fail(kind, 0)]);
        assert_eq!(kinds(store.write(&[batch(1)]).await), [Err(kind)]);
        assert_eq!(*scripted.calls.lock(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn tries_and_time_are_bounded_and_pauses_grow() {
    let (store, scripted) = retry([BUSY; 20]);
    let start = Instant::now();
    assert_eq!(kinds(store.write(&[batch(1)]).await), [Err(ErrorKind::Unavailable)]);
    assert_eq!(scripted.calls.lock().len(), 5);
    // Pauses of at most 50, 100, 200 and 400 ms, at least half of that.
    assert!((375..=750).contains(&(start.elapsed().as_millis() as u64)), "{:?}", start.elapsed());

    let slow = vec![Act::Stall(Duration::from_secs(60)); 20];
    let scripted = Arc::new(Scripted::new(slow));
    let limited =
        Timeout::new(scripted.clone(), TimeoutConfig { write: Duration::from_millis(900), ..Default::default() });
    let store = Retry::new(Arc::new(limited), RetryConfig { tries_max: 100, ..RetryConfig::default() });
    let start = Instant::now();
    assert_eq!(kinds(store.write(&[batch(1)]).await), [Err(ErrorKind::Unavailable)]);
    assert!(start.elapsed() < Duration::from_millis(3_000), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn reads_are_tried_again_and_checks_are_not() {
    let (store, scripted) = retry([BUSY, BUSY, Act::Work, BUSY]);
    assert!(store.service_names().await.is_ok());
    assert_eq!(scripted.calls.lock().len(), 3);
    assert!(store.check().await.is_err());
    assert_eq!(scripted.calls.lock().len(), 4);
}

/// The first batch fails, so the second of the same source looks stale although it only comes too early.
#[tokio::test(start_paused = true)]
async fn a_batch_behind_a_failed_one_of_its_source_is_tried_again_with_it() {
    let (store, scripted) = retry([]);
    *scripted.position.lock() = positioned(0, 10).position;
    let failing_once = FailFirst(scripted.clone(), parking_lot::Mutex::new(true));
    let store = Retry { inner: Arc::new(failing_once), ..store };
    assert_eq!(kinds(store.write(&[positioned(10, 20), positioned(20, 30)]).await), [Ok(1), Ok(1)]);
    assert_eq!(scripted.position.lock().as_ref().map(|position| position.next), Some(30));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_counts_as_written() {
    let scripted = Arc::new(Scripted::new([Act::Stall(Duration::from_secs(60))]));
    let limited =
        Timeout::new(scripted.clone(), TimeoutConfig { write: Duration::from_millis(100), ..Default::default() });
    let store = Retry::new(Arc::new(limited), RetryConfig::default());
    let results = store.write(&[positioned(0, 10), positioned(10, 20)]).await;
    assert_eq!(kinds(results), [Ok(1), Ok(1)]);
    // A position that really is behind stays refused.
    assert_eq!(kinds(store.write(&[positioned(0, 10)]).await), [Err(ErrorKind::StalePosition)]);
}

/// Refuses the first batch of the first write for now.
struct FailFirst(Arc<Scripted>, parking_lot::Mutex<bool>);

#[async_trait]
impl SpanConsumer for FailFirst {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        if !std::mem::take(&mut *self.1.lock()) {
            return self.0.write(batches).await;
        }
        let mut results = vec![Err(StorageError::new(ErrorKind::Unavailable, "test", "write", "busy"))];
        results.extend(self.0.write(&batches[1..]).await);
        results
    }

    async fn source_position(&self, g: &str, t: &str, p: i32) -> Result<Option<SourcePosition>, StorageError> {
        self.0.source_position(g, t, p).await
    }
}

#[async_trait]
impl SpanStore for FailFirst {
    async fn search(&self, _: &QueryRequest, _: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        Ok(Vec::new())
    }

    async fn traces(&self, _: &[TraceId], _: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        Ok(Vec::new())
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn span_names(&self, _: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn remote_service_names(&self, _: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn autocomplete_values(&self, _: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn dependencies(&self, _: i64, _: i64, _: &QueryBudget) -> Result<Vec<DependencyLink>, StorageError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl StorageBackend for FailFirst {
    fn name(&self) -> &'static str {
        "fail-first"
    }

    fn health_name(&self) -> String {
        "FailFirst{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

mod conformance {
    use super::*;

    crate::storage_conformance_suite!(|options| async move {
        let inner = Arc::new(MemoryStorage::new(MemoryConfig::default(), options));
        Retry::new(inner, RetryConfig::default())
    });
}
