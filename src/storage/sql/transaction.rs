//! How a write's transaction ends, for engines behind sqlx.

use super::engine::WriteFailure;
use crate::storage::{SourcePosition, StorageError};

/// Why nothing was stored, as far as one knows.
#[derive(Debug)]
pub(in crate::storage) enum Failure {
    /// These positions (by index) are behind the stored ones.
    Stale(Vec<usize>),
    Engine(sqlx::Error),
    /// The transaction may have been committed or not.
    Unknown(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl Failure {
    /// Of a COMMIT: without an answer of the engine nobody knows.
    pub(in crate::storage) fn of_commit(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(_) => Self::Engine(error),
            None => Self::Unknown(error),
        }
    }

    /// What the store is told. An unknown outcome is looked up.
    pub(in crate::storage) async fn settle(
        self,
        is_stored: impl Future<Output = bool>,
        told: impl FnOnce(sqlx::Error) -> StorageError,
    ) -> Result<(), WriteFailure> {
        match self {
            Self::Stale(stale) => Err(WriteFailure::Stale(stale)),
            Self::Engine(error) => Err(WriteFailure::Engine(told(error))),
            Self::Unknown(error) if is_stored.await => {
                tracing::warn!(%error, "a commit that reported an error was stored all the same");
                Ok(())
            }
            Self::Unknown(error) => Err(WriteFailure::Engine(told(error))),
        }
    }
}

/// Indexes of positions in the order in which every writer touches them: by source, batches of one source in theirs.
pub(in crate::storage) fn in_order(positions: &[&SourcePosition]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..positions.len()).collect();
    order.sort_by_key(|&index| {
        let SourcePosition { group, topic, partition, .. } = positions[index];
        (group, topic, partition)
    });
    order
}
