//! Looking at a file from outside: figures, a check of every value, all spans, a copy. Works beside a server that has the file open:
//! everything is read in one transaction, and nothing is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use prometheus::IntCounter;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, Row, SqlitePool};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::block::{BlockNames, FrameError, unpack};
use super::cache::Cache;
use super::error::{corrupt, during, storage_error, unavailable};
use super::live::{BlockRef, Live};
use super::load::{self, LoadedBlocks};
use super::read::{Damage, LASTING, Reader};
use super::repair::rebuild;
use super::row;
use super::scan;
use super::seal::on_blocking_thread;
use super::sums::LinkCache;
use super::writer::kind;
use crate::model::SpanBatch;
use crate::storage::{ScanPage, ScanRequest, StorageError, StorageOptions};

const OPERATION: &str = "inspect";
const CACHE_BYTES: usize = 16 << 20;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Figures of a file, by name.
pub type SqliteFigures = BTreeMap<&'static str, u64>;

/// A file that is only read.
#[derive(Debug)]
pub struct SqliteInspector {
    pool: SqlitePool,
    reader: Reader,
    loaded: Arc<LoadedBlocks>,
    /// With the rows that are in no block, read when they are asked for.
    live: OnceCell<Arc<Live>>,
}

impl SqliteInspector {
    /// Opens the file as it is at this moment.
    ///
    /// # Errors
    /// When it cannot be read, or has another layout.
    pub async fn open(path: &Path) -> Result<Self, StorageError> {
        let failed = |error: sqlx::Error| {
            let error = storage_error(OPERATION, error);
            StorageError::new(error.kind, super::error::NAME, OPERATION, format!("{path:?}: {}", error.source))
        };
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
        // One connection in one transaction: one state of the file, whatever a server does meanwhile.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::query("BEGIN").execute(connection).await.map(|_| ()) })
            })
            // One connection in one transaction: one state of the file, whatever a server does meanwhile.
            .connect_with(options.disable_statement_logging())
            .await
            .map_err(failed)?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await.map_err(failed)?;
        if version != super::open::schema_version() {
            return Err(unavailable(
                OPERATION,
                format!(
                    "{path:?} has schema version {version}; start the server once, or use the version that made it"
                ),
            ));
        }
        let found = IntCounter::new("damaged", "places found damaged")
            .map_err(|error| corrupt(OPERATION, error.to_string()))?;
        let reader = Reader {
            pool: pool.clone(),
            cache: Arc::new(Cache::new(CACHE_BYTES, LASTING)),
            handle: Handle::current(),
            damage: Arc::new(Damage::new(found)),
        };
        let rows = {
            let mut connection = pool.acquire().await.map_err(failed)?;
            load::block_rows(&mut connection).await.map_err(failed)?
        };
        let for_blocks = reader.clone();
        let load = move || load::blocks(rows, &for_blocks, &StorageOptions::default(), &LinkCache::default());
        let loaded = on_blocking_thread(load).await?;
        Ok(Self { pool, reader, loaded: Arc::new(loaded), live: OnceCell::new() })
    }

    /// Blocks, spans, bytes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn figures(&self) -> Result<SqliteFigures, StorageError> {
        let blocks = &self.loaded.blocks;
        let sum = |of: &dyn Fn(&BlockRef) -> u64| blocks.iter().map(of).sum::<u64>();
        let mut figures = BTreeMap::from([
            ("blocks", blocks.len() as u64),
            ("block_spans", sum(&|known| known.block.figures.spans)),
            ("block_traces", sum(&|known| known.block.figures.traces)),
            ("block_bytes", sum(&|known| known.block.bytes)),
            ("block_chunks", sum(&|known| u64::from(known.block.chunks))),
            ("taken_traces", sum(&|known| known.dead.len() as u64)),
            ("split_traces", self.loaded.divided.len() as u64),
            ("services", self.loaded.names.services.len() as u64),
            ("damaged", self.reader.damage.count() as u64),
        ]);
        for (name, sql) in [
            ("file_bytes", "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"),
            ("free_bytes", "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"),
            ("recent_rows", "SELECT count(*) FROM recent"),
            ("recent_bytes", "SELECT coalesce(sum(length(spans)), 0) FROM recent"),
        ] {
            let value: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await.map_err(during(OPERATION))?;
            figures.insert(name, value as u64);
        }
        Ok(figures)
    }

    /// Reads everything, checks the engine's pages, and derives the views of each block anew. Gives what is wrong.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub async fn check(&self) -> Result<Vec<String>, StorageError> {
        let pages: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check(100)").fetch_all(&self.pool).await.map_err(during(OPERATION))?;
        let mut problems: Vec<String> = pages.into_iter().filter(|line| line != "ok").collect();
        let (reader, loaded) = (self.reader.clone(), Arc::clone(&self.loaded));
        let of_blocks = on_blocking_thread(move || {
            let mut problems = Vec::new();
            for known in &loaded.blocks {
                if let Err(error) = check_block(&reader, known, &mut problems) {
                    problems.push(error.to_string());
                }
            }
            Ok(problems)
        });
        problems.extend(of_blocks.await?);
        self.check_recent(&mut problems).await?;
        problems.extend(self.reader.damage.places());
        problems.sort();
        problems.dedup();
        Ok(problems)
    }

    async fn check_recent(&self, problems: &mut Vec<String>) -> Result<(), StorageError> {
        let mut rows = sqlx::query("SELECT id, spans FROM recent ORDER BY id").fetch(&self.pool);
        while let Some(found) = rows.try_next().await.map_err(during(OPERATION))? {
            let id: i64 = found.try_get(0).map_err(during(OPERATION))?;
            let mut spans = SpanBatch::new();
            if let Err(error) = row::decode(found.try_get(1).map_err(during(OPERATION))?, &mut spans) {
                problems.push(format!("recent {id} {error}"));
            }
        }
        Ok(())
    }

    /// As [`SpanStore::scan`](crate::storage::SpanStore::scan), of the file as it was when it was opened.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        let live = self.live.get_or_try_init(|| self.live()).await?;
        // Blocks and rows that could not be loaded at all are told of once.
        let left_out = if request.after.is_none() { self.reader.damage.lost() } else { 0 };
        let (live, reader, request) = (Arc::clone(live), self.reader.clone(), *request);
        let mut page = on_blocking_thread(move || scan::page(&live, &reader, &live.view(), &request)).await?;
        page.damaged += left_out;
        Ok(page)
    }

    async fn live(&self) -> Result<Arc<Live>, StorageError> {
        // Bounded: what is not sealed fits into a server's memory. The one connection must be free for blocks.
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as("SELECT id, arrived_ms, spans FROM recent ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .map_err(during(OPERATION))?;
        let (reader, loaded) = (self.reader.clone(), Arc::clone(&self.loaded));
        on_blocking_thread(move || scan::live(&reader, &loaded, rows).map(Arc::new)).await
    }

    /// Writes a copy of the file as it is now to a new file.
    ///
    /// # Errors
    /// When the copy exists already or cannot be written.
    pub async fn backup(path: &Path, copy: &Path) -> Result<(), StorageError> {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT);
        let mut connection = options.create_if_missing(false).connect().await.map_err(during("backup"))?;
        let target = copy.to_str().ok_or_else(|| unavailable("backup", format!("{copy:?} is no text")))?;
        sqlx::query("VACUUM INTO ?1").bind(target).execute(&mut connection).await.map_err(during("backup"))?;
        connection.close().await.map_err(during("backup"))
    }
}

/// Derives the views of a block from its chunks and compares.
fn check_block(reader: &Reader, known: &BlockRef, problems: &mut Vec<String>) -> Result<(), StorageError> {
    let id = known.block.id;
    let BlockNames { services, .. } = reader.names(id)?;
    // Without search a block has no names and no terms.
    let options = StorageOptions { search_enabled: !services.is_empty(), ..StorageOptions::default() };
    let built = rebuild(reader, id, known.block.chunks, &options)?;
    if built.figures != known.block.figures {
        problems.push(format!("block {id} has {:?}, its list says {:?}", built.figures, known.block.figures));
    }
    for (view, made) in
        [(kind::TRACES, &built.traces_value), (kind::TERMS, &built.terms_value), (kind::RED, &built.red_value)]
    {
        let stored = reader.view_value(id, view)?;
        let read = |value: &[u8]| -> Result<(Vec<u8>, Vec<u8>), FrameError> {
            let (soft, hard) = unpack(value)?;
            Ok((soft, hard.to_vec()))
        };
        if read(&stored) != read(made) {
            problems.push(format!("block {id} view {view} is not what its spans give"));
        }
    }
    if services != built.names.services {
        problems.push(format!("block {id} names are not those of its spans"));
    }
    Ok(())
}
