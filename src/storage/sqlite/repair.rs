//! Views made anew from the spans of their block: what is derived is never lost.

use std::sync::Arc;

use super::Store;
use super::block::{BlockBuilder, BlockNames, BuiltBlock};
use super::error::{corrupt, during};
use super::live::Block;
use super::read::Reader;
use super::seal::{on_blocking_thread, open_writer};
use crate::model::SpanBatch;
use crate::storage::{ErrorKind, StorageError, StorageOptions};

const OPERATION: &str = "repair";

/// Builds a block again out of its chunks.
///
/// # Errors
/// When a chunk is damaged too.
pub(super) fn rebuild(
    reader: &Reader,
    block: i64,
    chunks: u32,
    options: &StorageOptions,
) -> Result<BuiltBlock, StorageError> {
    let failed = |error: &dyn std::fmt::Display| corrupt(OPERATION, format!("block {block}: {error}"));
    let mut builder = BlockBuilder::new(&options.autocomplete_keys, options.search_enabled);
    for chunk in 0..chunks {
        let records = reader.records(block, chunk)?;
        for place in 0..records.traces() as u32 {
            let mut spans = SpanBatch::new();
            records.copy(place, &mut spans);
            let low = spans.get(0).map(|span| span.trace_id.low()).ok_or_else(|| failed(&"an empty trace"))?;
            builder.push(low, &spans).map_err(|error| failed(&error))?;
        }
        builder.end_chunk().map_err(|error| failed(&error))?;
    }
    let built = builder.finish().map_err(|error| failed(&error))?;
    built.filter(|built| built.chunks.len() == chunks as usize).ok_or_else(|| failed(&"other chunks"))
}

/// The names of a block: its view, or, where that is damaged, what its spans give.
///
/// # Errors
/// When a chunk is damaged too.
pub(super) fn names(reader: &Reader, block: &Block, options: &StorageOptions) -> Result<BlockNames, StorageError> {
    match reader.names(block.id) {
        Err(error) if error.kind == ErrorKind::Corrupt => {
            rebuild(reader, block.id, block.chunks, options).map(|built| built.names)
        }
        names => names,
    }
}

impl Store {
    /// Makes damaged views anew, if their block has all its spans. A block whose views cannot be replaced keeps its turn for the
    /// next time, and the others theirs now.
    ///
    /// # Errors
    /// The last of what failed.
    pub(super) async fn repair_views(self: &Arc<Self>) -> Result<(), StorageError> {
        let _alone = self.housekeeping.lock().await;
        let (mut mended, mut failed) = (false, Ok(()));
        for id in self.reader.damage.take_views() {
            match self.repair_views_of(id).await {
                Ok(is_mended) => mended |= is_mended,
                Err(error) => {
                    tracing::warn!(block = id, %error, "damaged views could not be made anew; tried again later");
                    self.reader.damage.note_views(id);
                    failed = Err(error);
                }
            }
        }
        if mended {
            self.links.forget();
            self.renew_names().await?;
        }
        failed
    }

    /// True when they are whole again.
    async fn repair_views_of(self: &Arc<Self>, id: i64) -> Result<bool, StorageError> {
        let known = self.live.blocks().iter().find(|known| known.block.id == id).cloned();
        let Some(known) = known else {
            // Merged or removed meanwhile.
            self.reader.damage.mended(id);
            return Ok(false);
        };
        let store = Arc::clone(self);
        let chunks = known.block.chunks;
        let built = on_blocking_thread(move || rebuild(&store.reader, id, chunks, &store.live.options)).await;
        let built = match built {
            Ok(built) => built,
            // Told when it was found; without all spans the views cannot be what they were.
            Err(error) if error.kind == ErrorKind::Corrupt => return Ok(false),
            Err(error) => return Err(error),
        };
        {
            let mut writer = self.writer.lock().await;
            open_writer(&mut writer)?.replace_views(id, &built).await.map_err(during(OPERATION))?;
        }
        self.step("views replaced");
        self.reader.cache.forget(id);
        self.reader.damage.mended(id);
        tracing::info!(block = id, "damaged views were made anew from the spans of their block");
        Ok(true)
    }
}
