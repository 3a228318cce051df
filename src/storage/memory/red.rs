//! Rate, errors and durations of a window.

use hashbrown::HashSet;

use super::NAME;
use super::shared::Shared;
use crate::model::red::{RedAnswer, RedRequest, RedTable};
use crate::storage::index::red::Counting;
use crate::storage::{QueryBudget, StorageError};

impl Shared {
    /// What was asked for, out of every trace with a span in the window.
    pub(super) fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let (from_ms, last_ms) = (request.start_ms(), request.last_ms());
        let mut table = RedTable::new(request.clone());
        if from_ms <= last_ms {
            let counting = Counting {
                store: NAME,
                index: &self.index,
                hashes: &self.hashes,
                cache: &self.red,
                seen: self.index.read().seen(),
                elsewhere: &HashSet::new(),
                bytes_max: self.config.bytes_max,
                budget,
            };
            counting.add_to(&mut table, from_ms, last_ms)?;
        }
        Ok(table.into_answer())
    }
}
