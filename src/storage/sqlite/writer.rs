//! The one connection that writes.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::block::BuiltBlock;
use super::error::during;
use super::live::Block;
use super::wal::Wal;
use crate::model::TraceId;
use crate::storage::{PinnedTrace, SourcePosition, StorageError};

/// Bytes of a page of the database, as the engine has it unless told otherwise.
pub(super) const PAGE_BYTES: usize = 4_096;
/// Bytes of chunks written in one transaction: what a write may have to wait for.
const CHUNK_BYTES_PER_TURN: usize = 512 << 10;
/// Chunks of a block, at most.
pub(super) const CHUNKS_MAX: i64 = 1 << 16;
/// Kinds of views, at most.
pub(super) const KINDS_MAX: i64 = 1 << 8;

/// Kinds of views.
pub(super) mod kind {
    pub(in super::super) const TRACES: u8 = 1;
    pub(in super::super) const NAMES: u8 = 2;
    pub(in super::super) const TERMS: u8 = 3;
    pub(in super::super) const RED: u8 = 4;
}

/// Why nothing of a transaction was stored.
#[derive(Debug)]
pub(super) enum WriteFailure {
    /// These positions (by index) are behind the stored ones.
    Stale(Vec<usize>),
    Engine(StorageError),
}

/// What a commit brings into the tables beside spans.
#[derive(Debug, Default)]
pub(super) struct Commit<'a> {
    pub(super) block: Option<(&'a Block, &'a BuiltBlock)>,
    /// Rows of `recent` that go, except the damaged ones.
    pub(super) sealed_to: Option<i64>,
    pub(super) damaged_rows: &'a [i64],
    /// Blocks that go. Their chunks and views are removed later, when nobody reads them.
    pub(super) removed: &'a [i64],
    /// Traces that a block loses.
    pub(super) taken: &'a [(i64, u64)],
}

/// The writer's connection. Used by one task at a time.
#[derive(Debug)]
pub(super) struct Writer {
    connection: SqliteConnection,
    connect: SqliteConnectOptions,
    wal: Wal,
    /// Number of the next row of `recent`.
    pub(super) next_row: i64,
    /// A transaction failed: the connection may be gone.
    stale: bool,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, connect: SqliteConnectOptions, wal: Wal, next_row: i64) -> Self {
        Self { connection, connect, wal, next_row, stale: false }
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(super) fn into_connection(self) -> SqliteConnection {
        self.connection
    }

    /// Writes and commits something harmless, to learn whether the engine can.
    pub(super) async fn try_write(&mut self) -> Result<(), sqlx::Error> {
        self.refresh().await?;
        self.execute("BEGIN IMMEDIATE").await?;
        let written = async {
            sqlx::query("INSERT INTO recent (id, arrived_ms, spans) VALUES (?1, 0, zeroblob(8192))")
                .bind(self.next_row)
                .execute(&mut self.connection)
                .await?;
            sqlx::query("DELETE FROM recent WHERE id = ?1").bind(self.next_row).execute(&mut self.connection).await?;
            self.execute("COMMIT").await
        };
        let written = written.await;
        if written.is_err() {
            self.undo().await;
        }
        written
    }

    /// Stores a row of spans (none: nothing but positions) and positions in one transaction. Gives the row's number. `Ok` when
    /// the commit is as durable as the engine was told.
    pub(super) async fn store(
        &mut self,
        spans: &[u8],
        arrived_ms: i64,
        positions: &[SourcePosition],
    ) -> Result<i64, WriteFailure> {
        self.refresh().await.map_err(|error| WriteFailure::Engine(during("write")(error)))?;
        let result = self.transaction(spans, arrived_ms, positions).await;
        match result {
            Ok(row) => {
                self.next_row = row + 1;
                self.bound_log(spans.len()).await;
            }
            Err(_) => self.undo().await,
        }
        result
    }

    async fn transaction(
        &mut self,
        spans: &[u8],
        arrived_ms: i64,
        positions: &[SourcePosition],
    ) -> Result<i64, WriteFailure> {
        let engine = |error| WriteFailure::Engine(during("write")(error));
        let row = self.next_row;
        self.execute("BEGIN IMMEDIATE").await.map_err(engine)?;
        let stale = self.move_positions(positions).await.map_err(engine)?;
        if !stale.is_empty() {
            return Err(WriteFailure::Stale(stale));
        }
        if !spans.is_empty() {
            sqlx::query("INSERT INTO recent (id, arrived_ms, spans) VALUES (?1, ?2, ?3)")
                .bind(row)
                .bind(arrived_ms)
                .bind(spans)
                .execute(&mut self.connection)
                .await
                .map_err(engine)?;
        }
        if let Err(error) = self.execute("COMMIT").await {
            // The outcome is unknown: only the tables can tell.
            let _ = self.execute("ROLLBACK").await;
            if !self.is_stored(row, positions).await.unwrap_or(false) {
                return Err(engine(error));
            }
            tracing::warn!(%error, "a commit that reported an error was stored all the same");
        }
        Ok(row)
    }

    /// Stores chunks of a block that is not there yet, in turns with `between`.
    pub(super) async fn store_chunks(
        &mut self,
        block: i64,
        first: usize,
        built: &BuiltBlock,
    ) -> Result<usize, sqlx::Error> {
        self.refresh().await?;
        self.execute("BEGIN IMMEDIATE").await?;
        let mut bytes = 0;
        let mut next = first;
        let written = async {
            for chunk in &built.chunks[first..] {
                if bytes >= CHUNK_BYTES_PER_TURN {
                    break;
                }
                sqlx::query("INSERT INTO chunk (id, find, rest) VALUES (?1, ?2, ?3)")
                    .bind(block * CHUNKS_MAX + next as i64)
                    .bind(chunk.find.as_slice())
                    .bind(chunk.rest.as_slice())
                    .execute(&mut self.connection)
                    .await?;
                bytes += chunk.find.len() + chunk.rest.len();
                next += 1;
            }
            self.execute("COMMIT").await
        };
        let written = written.await;
        if written.is_err() {
            self.undo().await;
        }
        self.bound_log(bytes).await;
        written.map(|()| next)
    }

    /// Stores the views of a block anew.
    pub(super) async fn replace_views(&mut self, block: i64, built: &BuiltBlock) -> Result<(), sqlx::Error> {
        self.refresh().await?;
        self.execute("BEGIN IMMEDIATE").await?;
        let written = async {
            self.put_views(block, built).await?;
            self.execute("COMMIT").await
        };
        let written = written.await;
        if written.is_err() {
            self.undo().await;
        }
        let bytes =
            built.traces_value.len() + built.names_value.len() + built.terms_value.len() + built.red_value.len();
        self.bound_log(bytes).await;
        written
    }

    /// Gives so many free pages back to the file system.
    pub(super) async fn give_back(&mut self, pages: i64) -> Result<(), sqlx::Error> {
        self.refresh().await?;
        let statement = format!("PRAGMA incremental_vacuum({pages})");
        let given = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut self.connection).await.map(drop);
        self.bound_log(pages.unsigned_abs() as usize * PAGE_BYTES).await;
        given
    }

    /// Keeps the log short after a transaction that was not made here.
    pub(super) async fn bound_log(&mut self, bytes: usize) {
        self.wal.bound(&mut self.connection, bytes).await;
    }

    async fn put_views(&mut self, block: i64, built: &BuiltBlock) -> Result<(), sqlx::Error> {
        let views = [
            (kind::TRACES, &built.traces_value),
            (kind::NAMES, &built.names_value),
            (kind::TERMS, &built.terms_value),
            (kind::RED, &built.red_value),
        ];
        for (kind, value) in views {
            sqlx::query("INSERT OR REPLACE INTO view (id, value) VALUES (?1, ?2)")
                .bind(block * KINDS_MAX + i64::from(kind))
                .bind(value.as_slice())
                .execute(&mut self.connection)
                .await?;
        }
        Ok(())
    }

    /// Changes the list of blocks in one transaction.
    pub(super) async fn commit(&mut self, commit: &Commit<'_>) -> Result<(), sqlx::Error> {
        self.refresh().await?;
        self.execute("BEGIN IMMEDIATE").await?;
        let bytes = commit.block.map_or(0, |(_, built)| built.traces_value.len() + built.terms_value.len());
        let written = async {
            self.change_blocks(commit).await?;
            let committed = self.execute("COMMIT").await;
            let Err(error) = committed else { return Ok(()) };
            // The outcome is unknown: only the tables can tell.
            let _ = self.execute("ROLLBACK").await;
            if !self.is_changed(commit).await.unwrap_or(false) {
                return Err(error);
            }
            tracing::warn!(%error, "a commit that reported an error was stored all the same");
            Ok(())
        };
        let written = written.await;
        if written.is_err() {
            self.undo().await;
        }
        self.bound_log(bytes).await;
        written
    }

    /// Whether the list of blocks is as after that commit.
    async fn is_changed(&mut self, commit: &Commit<'_>) -> Result<bool, sqlx::Error> {
        let Some(id) = commit.block.map(|(block, _)| block.id).or(commit.removed.first().copied()) else {
            return Ok(false);
        };
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM block WHERE id = ?1")
            .bind(id)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(found.is_some() == commit.block.is_some())
    }

    async fn change_blocks(&mut self, commit: &Commit<'_>) -> Result<(), sqlx::Error> {
        if let Some((block, built)) = commit.block {
            self.put_views(block.id, built).await?;
        }
        let connection = &mut self.connection;
        if let Some((block, _)) = commit.block {
            sqlx::query(
                "INSERT INTO block (id, sealed_to, covers_to, arrived_ms, min_ms, max_ms, spans, traces, chunks, bytes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .bind(block.id)
            .bind(block.sealed_to)
            .bind(block.covers_to)
            .bind(block.arrived_ms)
            .bind(block.figures.min_ms)
            .bind(block.figures.max_ms)
            .bind(block.figures.spans as i64)
            .bind(block.figures.traces as i64)
            .bind(i64::from(block.chunks))
            .bind(block.bytes as i64)
            .execute(&mut *connection)
            .await?;
        }
        for (block, low) in commit.taken {
            sqlx::query("INSERT OR IGNORE INTO taken (block, trace_low) VALUES (?1, ?2)")
                .bind(block)
                .bind(*low as i64)
                .execute(&mut *connection)
                .await?;
        }
        for block in commit.removed {
            sqlx::query("DELETE FROM block WHERE id = ?1").bind(block).execute(&mut *connection).await?;
            sqlx::query("DELETE FROM taken WHERE block = ?1").bind(block).execute(&mut *connection).await?;
        }
        if let Some(sealed_to) = commit.sealed_to {
            // A damaged row stays, for whoever can repair it.
            let damaged = format!("{:?}", commit.damaged_rows);
            sqlx::query("DELETE FROM recent WHERE id <= ?1 AND id NOT IN (SELECT value FROM json_each(?2))")
                .bind(sealed_to)
                .bind(damaged)
                .execute(connection)
                .await?;
        }
        Ok(())
    }

    /// Runs a statement of housekeeping; its transaction is its own.
    pub(super) async fn run(&mut self, sql: &'static str, value: i64) -> Result<u64, sqlx::Error> {
        self.refresh().await?;
        let done = sqlx::query(sql).bind(value).execute(&mut self.connection).await?;
        self.bound_log(0).await;
        Ok(done.rows_affected())
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut self.connection).await.map(|_| ())
    }

    async fn undo(&mut self) {
        self.stale = true;
        // There may be no transaction any more: the engine ends some by itself.
        let _ = self.execute("ROLLBACK").await;
    }

    /// Keeps a copy of a trace, in a transaction of its own.
    pub(super) async fn put_pin(&mut self, pinned: &PinnedTrace, records: &[u8]) -> Result<(), sqlx::Error> {
        self.refresh().await?;
        sqlx::query("INSERT OR REPLACE INTO pinned (trace_low, trace_high, spans, records) VALUES (?1, ?2, ?3, ?4)")
            .bind(pinned.trace_id.low() as i64)
            .bind(pinned.trace_id.high() as i64)
            .bind(pinned.spans as i64)
            .bind(records)
            .execute(&mut self.connection)
            .await?;
        self.bound_log(records.len()).await;
        Ok(())
    }

    /// Removes the copy of a trace, if there is one.
    pub(super) async fn remove_pin(&mut self, id: TraceId) -> Result<(), sqlx::Error> {
        self.refresh().await?;
        let removed = sqlx::query("DELETE FROM pinned WHERE trace_low = ?1").bind(id.low() as i64);
        removed.execute(&mut self.connection).await.map(drop)
    }

    /// After a failure: a new connection if the old one is gone.
    async fn refresh(&mut self) -> Result<(), sqlx::Error> {
        if self.stale {
            if self.connection.ping().await.is_err() {
                self.connection = self.connect.connect().await?;
            }
            self.stale = false;
        }
        Ok(())
    }

    /// Compare-and-set of each position; gives the indexes of those that are behind.
    async fn move_positions(&mut self, positions: &[SourcePosition]) -> Result<Vec<usize>, sqlx::Error> {
        let mut stale = Vec::new();
        for (index, position) in positions.iter().enumerate() {
            let moved = sqlx::query(
                "INSERT INTO source_position \
                 (consumer_group, topic, partition, batch_from, next, last_message_ms, last_message_checksum) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET \
                 batch_from = excluded.batch_from, next = excluded.next, \
                 last_message_ms = excluded.last_message_ms, last_message_checksum = excluded.last_message_checksum \
                 WHERE source_position.next = excluded.batch_from",
            )
            .bind(position.group.as_str())
            .bind(position.topic.as_str())
            .bind(position.partition)
            .bind(position.from)
            .bind(position.next)
            .bind(position.last_message_ms)
            .bind(position.last_message_checksum as i64)
            .execute(&mut self.connection)
            .await?;
            if moved.rows_affected() == 0 {
                stale.push(index);
            }
        }
        Ok(stale)
    }

    /// Whether a transaction with that row is in the tables.
    async fn is_stored(&mut self, row: i64, positions: &[SourcePosition]) -> Result<bool, sqlx::Error> {
        if let Some(position) = positions.last() {
            let stored =
                position_of(&mut self.connection, &position.group, &position.topic, position.partition).await?;
            return Ok(stored.as_ref() == Some(position));
        }
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM recent WHERE id = ?1")
            .bind(row)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(found.is_some())
    }
}

/// The stored position of a source.
pub(super) async fn position_of(
    connection: &mut SqliteConnection,
    group: &str,
    topic: &str,
    partition: i32,
) -> Result<Option<SourcePosition>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT batch_from, next, last_message_ms, last_message_checksum FROM source_position \
         WHERE consumer_group = ?1 AND topic = ?2 AND partition = ?3",
    )
    .bind(group)
    .bind(topic)
    .bind(partition)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SourcePosition {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition,
        from: row.try_get(0)?,
        next: row.try_get(1)?,
        last_message_ms: row.try_get(2)?,
        last_message_checksum: row.try_get::<i64, _>(3)? as u64,
    }))
}
