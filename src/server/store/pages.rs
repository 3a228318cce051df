//! Pages of a store, read ahead by one while the last is worked on.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::open::Source;
use crate::storage::{ScanCursor, ScanPage, ScanRequest, StorageError};

/// Spans of a page: a good size for one write, too.
pub(super) const PAGE_SPANS: usize = 5_000;
/// Pages that wait.
const AHEAD: usize = 1;

/// The pages from a place on. Reading ends when this is dropped.
#[derive(Debug)]
pub(super) struct Pages {
    pages: mpsc::Receiver<Result<ScanPage, StorageError>>,
    reading: JoinHandle<()>,
    /// The reading ended well.
    is_over: bool,
}

impl Pages {
    pub(super) fn read(source: Source, after: Option<ScanCursor>, window_ms: Option<(i64, i64)>) -> Self {
        let (sender, pages) = mpsc::channel(AHEAD);
        let source = Arc::new(source);
        let reading = tokio::spawn(async move {
            let mut request = ScanRequest { after, window_ms, spans_max: PAGE_SPANS };
            loop {
                let page = source.scan(&request).await;
                request.after = page.as_ref().ok().and_then(|page| page.next);
                if sender.send(page).await.is_err() || request.after.is_none() {
                    return;
                }
            }
        });
        Self::of(pages, reading)
    }

    /// What somebody reads and sends.
    pub(super) fn of(pages: mpsc::Receiver<Result<ScanPage, StorageError>>, reading: JoinHandle<()>) -> Self {
        Self { pages, reading, is_over: false }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// When the store cannot be read, or the task that reads it ended before the last page.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<ScanPage>> {
        match self.pages.recv().await {
            Some(page) => Ok(Some(page?)),
            // Without this a panic would pass for the end.
            None if self.is_over => Ok(None),
            None => {
                (&mut self.reading).await.context("the reading ended too early")?;
                self.is_over = true;
                Ok(None)
            }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
