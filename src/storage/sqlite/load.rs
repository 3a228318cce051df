//! What is read when the file is opened: the list of blocks, and the rows that are not sealed.

use std::sync::Arc;

use futures_util::TryStreamExt;
use hashbrown::{HashMap, HashSet};
use sqlx::{Row, SqliteConnection};

use super::block::{BlockNames, Figures};
use super::error::{corrupt, during};
use super::live::{Block, BlockRef, Live, RecentRow, short_id};
use super::names;
use super::read::{Reader, unless_damaged};
use super::repair::rebuild;
use super::row;
use super::sums::{LinkCache, Warming};
use super::writer::{CHUNKS_MAX, KINDS_MAX};
use crate::model::SpanBatch;
use crate::storage::{ErrorKind, StorageError, StorageOptions};

const OPERATION: &str = "open";

/// A row of `block`, without what is derived.
type BlockRow = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);

/// The rows that tell which blocks there are.
#[derive(Debug)]
pub(super) struct BlockRows {
    rows: Vec<BlockRow>,
    taken: HashMap<i64, HashSet<u64>>,
    pub(super) next_block: i64,
    /// Number of the next row of `recent`.
    pub(super) next_row: i64,
}

/// The blocks, ready to be used.
#[derive(Debug)]
pub(super) struct LoadedBlocks {
    pub(super) blocks: Vec<BlockRef>,
    pub(super) names: BlockNames,
    /// Traces that are in several blocks.
    pub(super) divided: HashSet<u64>,
}

/// Reads the list.
pub(super) async fn block_rows(connection: &mut SqliteConnection) -> Result<BlockRows, sqlx::Error> {
    let rows: Vec<BlockRow> = sqlx::query_as(
        "SELECT id, sealed_to, covers_to, arrived_ms, min_ms, max_ms, spans, traces, chunks, bytes FROM block \
         ORDER BY sealed_to, id",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut taken: HashMap<i64, HashSet<u64>> = HashMap::new();
    for (block, low) in
        sqlx::query_as::<_, (i64, i64)>("SELECT block, trace_low FROM taken").fetch_all(&mut *connection).await?
    {
        taken.entry(block).or_default().insert(low as u64);
    }
    let next_block = rows.iter().map(|row| row.0).max().map_or(1, |id| id + 1);
    let last_row: i64 =
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM recent").fetch_one(&mut *connection).await?;
    let last_row = rows.iter().map(|row| row.1.max(row.2)).max().unwrap_or(0).max(last_row);
    Ok(BlockRows { rows, taken, next_block, next_row: last_row + 1 })
}

/// Removes what an interrupted sealing or removal left behind.
pub(super) async fn remove_left_over(
    connection: &mut SqliteConnection,
    read: &mut BlockRows,
) -> Result<(), sqlx::Error> {
    let known: HashSet<i64> = read.rows.iter().map(|row| row.0).collect();
    for (find, remove, per_block) in [
        ("SELECT min(id) FROM chunk WHERE id >= ?1", "DELETE FROM chunk WHERE id >= ?1 AND id < ?2", CHUNKS_MAX),
        ("SELECT min(id) FROM view WHERE id >= ?1", "DELETE FROM view WHERE id >= ?1 AND id < ?2", KINDS_MAX),
    ] {
        let mut from = 0_i64;
        while let Some(id) = sqlx::query_scalar::<_, Option<i64>>(find).bind(from).fetch_one(&mut *connection).await? {
            let block = id / per_block;
            from = (block + 1) * per_block;
            if !known.contains(&block) {
                tracing::info!(block, "removing what is left of a block that was not finished");
                sqlx::query(remove).bind(block * per_block).bind(from).execute(&mut *connection).await?;
                read.next_block = read.next_block.max(block + 1);
            }
        }
    }
    Ok(())
}

/// Reads what is derived from each block. A block whose views are damaged is left out and noted.
pub(super) fn blocks(
    mut read: BlockRows,
    reader: &Reader,
    options: &StorageOptions,
    links: &LinkCache,
) -> Result<LoadedBlocks, StorageError> {
    let mut loaded = LoadedBlocks { blocks: Vec::new(), names: BlockNames::default(), divided: HashSet::new() };
    let mut lows: Vec<u64> = Vec::new();
    let mut warming = Warming::new(links);
    for (id, sealed_to, covers_to, arrived_ms, min_ms, max_ms, spans, traces, chunks, bytes) in read.rows {
        let views = match reader.traces(id, chunks as u32).and_then(|traces| Ok((traces, reader.names(id)?))) {
            // From the spans, if those are whole. Stored by the next round of housekeeping.
            Err(error) if error.kind == ErrorKind::Corrupt => {
                let built = rebuild(reader, id, chunks as u32, options);
                built.map(|built| (reader.put_traces(id, built.traces), built.names))
            }
            views => views,
        };
        let Some((entries, of_block)) = unless_damaged(views.map(Some))? else { continue };
        let dead = read.taken.remove(&id).unwrap_or_default();
        warming.add((id, dead.len()), &entries, |low| dead.contains(&low))?;
        lows.extend(entries.entries.iter().map(|entry| entry.low).filter(|low| !dead.contains(low)));
        let mut ids: Vec<u32> = entries.entries.iter().map(|entry| short_id(entry.low)).collect();
        ids.sort_unstable();
        names::add(&mut loaded.names, &of_block, options);
        let figures = Figures { spans: spans as u64, traces: traces as u64, min_ms, max_ms };
        let block = Block {
            id,
            figures,
            arrived_ms,
            sealed_to,
            covers_to,
            bytes: bytes as u64,
            chunks: chunks as u32,
            ids: ids.into(),
            first_lows: entries.first_lows(),
            outline: of_block.outline(),
        };
        loaded.blocks.push(BlockRef { block: Arc::new(block), dead: Arc::new(dead) });
    }
    warming.finish();
    lows.sort_unstable();
    let several = lows.windows(2).filter(|pair| pair[0] == pair[1]);
    loaded.divided = several.map(|pair| pair[0]).collect();
    Ok(loaded)
}

/// Reads the rows that are not sealed into memory. Gives the numbers of damaged ones.
pub(super) async fn recent(
    connection: &mut SqliteConnection,
    live: &Live,
    reader: &Reader,
) -> Result<Vec<i64>, StorageError> {
    let blocks = live.blocks();
    let mut damaged = Vec::new();
    let mut covering: HashMap<i64, HashSet<u64>> = HashMap::new();
    let mut rows = sqlx::query("SELECT id, arrived_ms, spans FROM recent ORDER BY id").fetch(connection);
    while let Some(found) = rows.try_next().await.map_err(during(OPERATION))? {
        let id: i64 = found.try_get(0).map_err(during(OPERATION))?;
        let arrived_ms: i64 = found.try_get(1).map_err(during(OPERATION))?;
        let mut spans = SpanBatch::new();
        if let Err(error) = row::decode(found.try_get(2).map_err(during(OPERATION))?, &mut spans) {
            reader.damage.note(&format!("recent {id}"), &corrupt(OPERATION, error.to_string()));
            damaged.push(id);
            continue;
        }
        for known in blocks.iter().filter(|known| known.block.covers_to >= id) {
            let lows = match covering.get(&known.block.id) {
                Some(lows) => lows,
                None => covering.entry(known.block.id).or_insert(lows_of(reader, &known.block).await?),
            };
            // The block has them already.
            if spans.iter().any(|span| lows.contains(&span.trace_id.low())) {
                spans.retain(|span| !lows.contains(&span.trace_id.low()));
            }
        }
        live.add(RecentRow { id, spans: spans.len(), arrived_ms }, &spans);
    }
    Ok(damaged)
}

async fn lows_of(reader: &Reader, block: &Block) -> Result<HashSet<u64>, StorageError> {
    let (reader, id, chunks) = (reader.clone(), block.id, block.chunks);
    super::seal::on_blocking_thread(move || {
        let traces = reader.traces(id, chunks)?;
        Ok(traces.entries.iter().map(|entry| entry.low).collect())
    })
    .await
}
