//! The timer of the store's own duties: retention, views.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::storage::StorageBackend;

/// The running timer.
#[derive(Debug)]
pub(super) struct Background {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Calls `maintain` again and again, `interval` after the end of the turn before. The first turn is due at once.
pub(super) fn start(storage: Arc<dyn StorageBackend>, interval: Duration) -> Background {
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        tokio::select! {
            () = stopped => {}
            () = repeat_forever(interval, storage.name(), || storage.maintain()) => {}
        }
    });
    Background { stop, task }
}

impl Background {
    /// Ends the timer, and the turn under way where it next waits for something.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "background work ended out of order");
        }
    }
}

/// An error that stays is told once, and so is its end.
async fn repeat_forever<E, T>(interval: Duration, backend: &str, mut turn: impl FnMut() -> T)
where
    E: Display,
    T: Future<Output = Result<(), E>>,
{
    let mut failing = false;
    loop {
        match turn().await {
            Err(error) if !failing => {
                warn!(backend, %error, "background work failed and is tried again");
                failing = true;
            }
            Ok(()) if failing => {
                info!(backend, "background work succeeds again");
                failing = false;
            }
            _ => {}
        }
        tokio::time::sleep(interval).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::storage::{MemoryConfig, MemoryStorage, StorageOptions};

    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_at_once_and_then_after_each_interval_even_when_one_fails() {
        let start = Instant::now();
        let mut turns = Vec::new();
        let turn = || {
            turns.push(start.elapsed().as_secs());
            let failed = turns.len() == 2;
            async move {
                // A long turn is not overtaken by the next.
                tokio::time::sleep(Duration::from_secs(5)).await;
                if failed { Err("full") } else { Ok(()) }
            }
        };
        let turns_of_30_s = repeat_forever(Duration::from_secs(30), "test", turn);
        let _ = tokio::time::timeout(Duration::from_secs(100), turns_of_30_s).await;
        assert_eq!(turns, [0, 35, 70]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_the_interval() {
        let storage = MemoryStorage::new(MemoryConfig::default(), StorageOptions::default());
        let background = start(Arc::new(storage), Duration::from_secs(3600));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Instant::now();
        background.stop().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
