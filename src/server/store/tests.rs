//! Copies into a store that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use super::copy::{Copy, Overtaken};
use super::open::{Source, target};
use super::pages::Pages;
use super::to_its_end;
use crate::config::{Config, CopyArguments, StorageConfig, StoreAddress, WindowArguments};
use crate::model::{SpanBatch, SpanBuilder, SpanId, TraceId};
use crate::storage::{
    Batch, Capabilities, ErrorKind, SourcePosition, SpanConsumer, StorageBackend, StorageError, Stored,
};

const TRACES: u64 = 1_000;
const SPANS_EACH: u64 = 20;

/// A store that takes so many batches with a position and is gone then; and may lose spans.
struct Failing {
    inner: Arc<dyn StorageBackend>,
    takes: AtomicI64,
    loses: bool,
}

#[async_trait]
impl SpanConsumer for Failing {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        if self.takes.fetch_sub(1, Ordering::Relaxed) <= 0 {
            let gone = || Err(StorageError::new(ErrorKind::Unavailable, "failing", "write", "gone"));
            return batches.iter().map(|_| gone()).collect();
        }
        if self.loses {
            let cut = |batch: &Batch| Batch {
                spans: batch.spans.slice(1, batch.spans.len()),
                position: batch.position.clone(),
            };
            return self.inner.write(&batches.iter().map(cut).collect::<Vec<_>>()).await;
        }
        self.inner.write(batches).await
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.inner.source_position(group, topic, partition).await
    }
}

crate::pass_on_reads!(Failing, inner);

crate::pass_on_duties!(Failing, inner, {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn health_name(&self) -> String {
        "Failing{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    /// The test does it.
    async fn close(&self) {}
});

/// A file with some traces and one for their copy.
struct Stores {
    from: StorageConfig,
    to: StorageConfig,
    _directory: tempfile::TempDir,
}

async fn stores() -> Stores {
    let directory = tempfile::tempdir().unwrap();
    let base =
        Config::load(&[], &std::collections::HashMap::<String, String>::new(), directory.path()).unwrap().storage;
    let named = |name: &str| {
        let address: StoreAddress = format!("sqlite:{}", directory.path().join(name).display()).parse().unwrap();
        address.applied_to(&base)
    };
    let (from, to) = (named("from.db"), named("to.db"));
    let store = target(&from).await.unwrap();
    let mut spans = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for trace in 1..=TRACES {
        for id in 1..=SPANS_EACH {
            builder.clear();
            builder.set_trace_id(TraceId::from_halves(0, trace.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap());
            builder.set_id(SpanId::new(id));
            builder.set_timestamp_us(1_700_000_000_000_000);
            builder.finish(&mut spans).unwrap();
        }
    }
    store.write(&[Batch { spans, position: None }]).await.remove(0).unwrap();
    store.close().await;
    Stores { from, to, _directory: directory }
}

fn arguments(restart: bool) -> CopyArguments {
    CopyArguments { from: None, to: None, window: WindowArguments::default(), restart, no_check: false }
}

impl Stores {
    /// What the command prints, or why it failed.
    async fn copy(&self, takes: i64, loses: bool, restart: bool) -> Result<(bool, String), String> {
        let arguments = arguments(restart);
        let source = Source::open(&self.from).await.unwrap();
        let inner = target(&self.to).await.unwrap();
        let failing = Arc::new(Failing { inner: Arc::clone(&inner), takes: AtomicI64::new(takes), loses });
        let copy = Copy::begin(&self.from, &self.to, &arguments, failing).await.unwrap();
        let mut output = Vec::new();
        let copied = copy.run(source, &mut output).await;
        inner.close().await;
        let said = String::from_utf8(output).unwrap();
        copied.map(|is_well| (is_well, said)).map_err(|error| format!("{error:#}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_goes_on_where_it_was_and_begins_anew_when_it_was_finished() {
    let stores = stores().await;
    let all = TRACES * SPANS_EACH;
    for _ in 0..2 {
        let error = stores.copy(1, false, false).await.unwrap_err();
        assert!(error.contains("the same command goes on from here") && error.contains("gone"), "{error}");
    }
    let (is_well, said) = stores.copy(i64::MAX, false, false).await.unwrap();
    assert!(is_well, "{said}");
    let before = format!("before this run 10000 spans were copied, {all} in all");
    assert!(said.contains("10000 spans (") && said.contains(&before), "{said}");
    assert!(said.contains("read back 10000 spans, 0 missing"), "{said}");
    let (is_well, said) = stores.copy(i64::MAX, false, false).await.unwrap();
    assert!(is_well && said.contains(&format!("{all} spans (")) && !said.contains("before"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_told_to_begins_anew() {
    let stores = stores().await;
    stores.copy(2, false, false).await.unwrap_err();
    let (is_well, said) = stores.copy(i64::MAX, false, true).await.unwrap();
    assert!(is_well && said.contains(&format!("{} spans (", TRACES * SPANS_EACH)), "{said}");
    assert!(!said.contains("before"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_a_store_loses_are_missed() {
    let stores = stores().await;
    let (is_well, said) = stores.copy(i64::MAX, true, false).await.unwrap();
    assert!(!is_well && said.contains("4 missing"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_ends_early_tells_what_it_did_and_the_next_what_it_did_not_read_back() {
    let stores = stores().await;
    let mut said = Vec::new();
    let source = Source::open(&stores.from).await.unwrap();
    let inner = target(&stores.to).await.unwrap();
    let failing = Failing { inner: Arc::clone(&inner), takes: AtomicI64::new(2), loses: true };
    let copy = Copy::begin(&stores.from, &stores.to, &arguments(false), Arc::new(failing)).await.unwrap();
    copy.run(source, &mut said).await.unwrap_err();
    inner.close().await;
    drop(inner);
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("10000 spans (") && said.contains("read back 10000 spans, 2 missing"), "{said}");
    let (is_well, said) = stores.copy(i64::MAX, false, false).await.unwrap();
    assert!(is_well && said.contains("read back 10000 spans, 0 missing"), "{said}");
    assert!(said.contains("10000 spans of this copy were not read back by this run"), "{said}");
}

/// A source whose reading panics after the first page.
#[tokio::test]
async fn a_reading_that_panics_does_not_pass_for_the_end_of_the_source() {
    let (sender, pages) = tokio::sync::mpsc::channel(1);
    let reading = tokio::spawn(async move {
        sender.send(Ok(crate::storage::ScanPage::default())).await.unwrap();
        panic!("the test's panic");
    });
    let mut pages = Pages::of(pages, reading);
    assert!(pages.next().await.unwrap().is_some());
    let error = pages.next().await.unwrap_err();
    assert!(format!("{error:#}").contains("too early"), "{error:#}");
}

#[test]
fn a_command_that_fails_waits_for_nobody_who_reads_the_input() {
    let (_input, reads) = std::sync::mpsc::sync_channel::<()>(1);
    let (end, ended) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let (begin, begun) = tokio::sync::oneshot::channel();
        let done: anyhow::Result<()> = to_its_end(async {
            tokio::task::spawn_blocking(move || {
                let _ = begin.send(());
                let _ = reads.recv();
            });
            begun.await?;
            anyhow::bail!("refused")
        });
        let _ = end.send(done.unwrap_err().to_string());
    });
    // As long as the input is open, which is until the end of this test.
    let error = ended.recv_timeout(std::time::Duration::from_secs(60)).expect("the command ends");
    assert_eq!(error, "refused");
}

/// As when the last page of a killed copy is committed while the next one starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_place_was_moved_before_its_first_page_writes_nothing_and_is_told_apart() {
    let stores = stores().await;
    let inner = target(&stores.to).await.unwrap();
    let begin = async |takes: i64| {
        let failing = Failing { inner: Arc::clone(&inner), takes: AtomicI64::new(takes), loses: false };
        Copy::begin(&stores.from, &stores.to, &arguments(false), Arc::new(failing)).await.unwrap()
    };
    let source = async || Source::open(&stores.from).await.unwrap();
    let (late, killed) = (begin(i64::MAX).await, begin(1).await);
    killed.run(source().await, &mut Vec::new()).await.unwrap_err();
    let error = late.run(source().await, &mut Vec::new()).await.unwrap_err();
    assert!(error.is::<Overtaken>(), "{error:#}");
    let mut said = Vec::new();
    assert!(begin(i64::MAX).await.run(source().await, &mut said).await.unwrap());
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("before this run 5000 spans were copied, 20000 in all"), "{said}");
    inner.close().await;
}
