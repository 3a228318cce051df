//! The timer of the store's own duties: retention, views.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::storage::StorageBackend;

/// How long a turn that is under way at the end is waited for.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The running timer.
#[derive(Debug)]
pub(super) struct Background {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Calls `maintain` again and again, `interval` after the end of the turn before. The first turn is due at once.
pub(super) fn start(storage: Arc<dyn StorageBackend>, interval: Duration) -> Background {
    let stop = CancellationToken::new();
    let task = tokio::spawn(maintain_until_stopped(storage, interval, stop.clone()));
    Background { stop, task }
}

impl Background {
    /// Lets the turn under way finish, begins no other.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(STOP_TIMEOUT, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

async fn maintain_until_stopped(storage: Arc<dyn StorageBackend>, interval: Duration, stop: CancellationToken) {
    let mut failing = false;
    while !stop.is_cancelled() {
        // An error that stays is told once, and so is its end.
        match storage.maintain().await {
            Err(error) if !failing => {
                warn!(backend = storage.name(), %error, "background work failed and is tried again");
                failing = true;
            }
            Ok(()) if failing => {
                info!(backend = storage.name(), "background work succeeds again");
                failing = false;
            }
            _ => {}
        }
        let _ = tokio::time::timeout(interval, stop.cancelled()).await;
    }
}
