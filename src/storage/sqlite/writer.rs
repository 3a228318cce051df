//! The one connection that writes.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::error::during;
use super::insert::Insert;
use super::log::Log;
use super::names::{NameCache, NameCounts, REFRESH_MS};
use super::rows::Rows;
use crate::storage::{SourcePosition, StorageError, StorageOptions};
use crate::telemetry::Clock;

/// How often the time of arrival is noted.
const ARRIVAL_STEP_MS: i64 = 60_000;
/// A trace whose fragments lie further apart is not found by postings alone; see `search`.
pub(super) const EXTENT_MAX_MS: i64 = 2_000;

/// Why nothing of a transaction was stored.
#[derive(Debug)]
pub(super) enum WriteFailure {
    /// These positions (by index) are behind the stored ones.
    Stale(Vec<usize>),
    /// Names were removed since the rows were worked out: work them out again.
    Outdated,
    Engine(StorageError),
}

/// The writer's connection and what it knows of the tables. Used by one task at a time.
#[derive(Debug)]
pub(super) struct Writer {
    connection: SqliteConnection,
    connect: SqliteConnectOptions,
    options: StorageOptions,
    names: Arc<NameCache>,
    clock: Arc<dyn Clock>,
    log: Log,
    counts: NameCounts,
    next_id: i64,
    /// Last note in `arrival`: number of the next fragment then, and when.
    arrival_noted: (i64, i64),
    names_renewed_ms: i64,
    insert_fragment: Insert,
    insert_posting: Insert,
    /// A transaction failed: what is in memory may differ from the tables.
    stale: bool,
}

impl Writer {
    pub(super) async fn new(
        mut connection: SqliteConnection,
        connect: SqliteConnectOptions,
        options: StorageOptions,
        names: Arc<NameCache>,
        clock: Arc<dyn Clock>,
        log: Log,
    ) -> Result<Self, sqlx::Error> {
        let counts = NameCounts::load(&mut connection, &options).await?;
        let next_id = next_id(&mut connection).await?;
        let names_renewed_ms = clock.now_ms();
        Ok(Self {
            connection,
            connect,
            options,
            names,
            clock,
            log,
            counts,
            next_id,
            arrival_noted: (0, i64::MIN),
            names_renewed_ms,
            insert_fragment: Insert::new("INSERT INTO fragment (id, trace_low, max_ms, extent_ms, spans) VALUES", 5),
            insert_posting: Insert::new("INSERT OR IGNORE INTO posting (service, max_ms, trace_low) VALUES", 3),
            stale: false,
        })
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
        self.write_arrival(self.clock.now_ms()).await
    }

    /// Notes that everything so far had arrived by now, unless that was done not long ago.
    pub(super) async fn note_arrival(&mut self) -> Result<(), sqlx::Error> {
        self.refresh().await?;
        let now_ms = self.clock.now_ms();
        let (noted_id, noted_ms) = self.arrival_noted;
        if noted_id != self.next_id && now_ms.saturating_sub(noted_ms) >= ARRIVAL_STEP_MS {
            self.write_arrival(now_ms).await?;
        }
        Ok(())
    }

    async fn write_arrival(&mut self, now_ms: i64) -> Result<(), sqlx::Error> {
        // The earliest time says most.
        sqlx::query(
            "INSERT INTO arrival (first_id, arrived_ms) VALUES (?1, ?2) \
             ON CONFLICT (first_id) DO UPDATE SET arrived_ms = min(arrived_ms, excluded.arrived_ms)",
        )
        .bind(self.next_id)
        .bind(now_ms)
        .execute(&mut self.connection)
        .await?;
        self.arrival_noted = (self.next_id, now_ms);
        Ok(())
    }

    /// Stores rows and positions in one transaction. `Ok` when the commit is as durable as the engine was told.
    pub(super) async fn store(&mut self, rows: Rows, positions: &[SourcePosition]) -> Result<(), WriteFailure> {
        self.refresh().await.map_err(|error| WriteFailure::Engine(during("write")(error)))?;
        if self.names.is_outdated(&rows.names) {
            return Err(WriteFailure::Outdated);
        }
        let result = self.transaction(rows, positions).await;
        if result.is_err() {
            self.stale = true;
            // There may be no transaction any more: the engine ends some by itself.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        } else {
            self.log.bound(&mut self.connection).await;
        }
        result
    }

    async fn transaction(&mut self, rows: Rows, positions: &[SourcePosition]) -> Result<(), WriteFailure> {
        let engine = |error| WriteFailure::Engine(during("write")(error));
        self.execute("BEGIN IMMEDIATE").await.map_err(engine)?;
        let stale = self.move_positions(positions).await.map_err(engine)?;
        if !stale.is_empty() {
            return Err(WriteFailure::Stale(stale));
        }
        let first_id = self.next_id;
        let names = self.insert(rows).await.map_err(engine)?;
        match self.execute("COMMIT").await {
            Ok(()) => {}
            Err(error) => {
                // The outcome is unknown: only the tables can tell.
                let _ = self.execute("ROLLBACK").await;
                let stored = self.is_stored(first_id, positions).await.unwrap_or(false);
                if !stored {
                    return Err(engine(error));
                }
                tracing::warn!(%error, "a commit that reported an error was stored all the same");
            }
        }
        self.names.learn(&names);
        Ok(())
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut self.connection).await.map(|_| ())
    }

    /// After a failure: a new connection if the old one is gone, and everything remembered read again.
    async fn refresh(&mut self) -> Result<(), sqlx::Error> {
        if self.stale {
            if self.connection.ping().await.is_err() {
                self.connection = self.connect.connect().await?;
            }
            self.counts = NameCounts::load(&mut self.connection, &self.options).await?;
            self.next_id = next_id(&mut self.connection).await?;
            self.arrival_noted = (0, i64::MIN);
            self.stale = false;
        }
        if self.clock.now_ms() - self.names_renewed_ms > REFRESH_MS {
            self.names_renewed_ms = self.clock.now_ms();
            self.names.forget();
        }
        Ok(())
    }

    /// Reads back what was remembered of names, after some were removed.
    pub(super) fn names_removed(&mut self) {
        self.stale = true;
        self.names.forget_removed();
    }

    /// Moves each position whose stored value is where the batch begins; gives the others.
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

    async fn insert(&mut self, rows: Rows) -> Result<super::names::NewNames, sqlx::Error> {
        let now_ms = self.clock.now_ms();
        let Rows { fragments, postings, names } = rows;
        let first_id = self.next_id;
        if !fragments.is_empty() && now_ms.saturating_sub(self.arrival_noted.1) >= ARRIVAL_STEP_MS {
            self.write_arrival(now_ms).await?;
        }
        self.next_id += fragments.len() as i64;
        let numbered = (first_id..self.next_id).zip(fragments).collect::<Vec<_>>().into_iter();
        self.insert_fragment
            .execute(&mut self.connection, numbered, |query, (id, row)| {
                query.bind(id).bind(row.trace_low).bind(row.max_ms).bind(row.extent_ms).bind(row.spans)
            })
            .await?;
        self.insert_posting
            .execute(&mut self.connection, postings.into_iter(), |query, row| {
                query.bind(row.service).bind(row.max_ms).bind(row.trace_low)
            })
            .await?;
        if self.next_id > first_id {
            self.note_wide_traces(first_id).await?;
        }
        self.counts.write(&mut self.connection, &names, now_ms).await?;
        Ok(names)
    }

    /// Notes the traces of fragments from `first_id` on that lie apart from, or have no time with, their others.
    async fn note_wide_traces(&mut self, first_id: i64) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO wide_trace (trace_low, min_ms, max_ms) \
             SELECT trace_low, min(oldest_ms, own_oldest_ms), newest_ms FROM ( \
               SELECT new.trace_low AS trace_low, new.max_ms - new.extent_ms AS own_oldest_ms, \
                 (SELECT min(max_ms) FROM fragment AS f WHERE f.trace_low = new.trace_low) AS oldest_ms, \
                 (SELECT max(max_ms) FROM fragment AS f WHERE f.trace_low = new.trace_low) AS newest_ms \
               FROM fragment AS new WHERE new.id >= ?1) AS noted \
             WHERE newest_ms - oldest_ms > ?2 OR newest_ms - own_oldest_ms > ?2 OR oldest_ms < 0 \
                OR EXISTS (SELECT 1 FROM wide_trace AS w WHERE w.trace_low = noted.trace_low) \
             ON CONFLICT (trace_low) DO UPDATE SET \
               min_ms = min(min_ms, excluded.min_ms), max_ms = max(max_ms, excluded.max_ms)",
        )
        .bind(first_id)
        .bind(EXTENT_MAX_MS)
        .execute(&mut self.connection)
        .await
        .map(|_| ())
    }

    /// Whether a transaction that began with the fragment `first_id` is in the tables.
    async fn is_stored(&mut self, first_id: i64, positions: &[SourcePosition]) -> Result<bool, sqlx::Error> {
        if let Some(position) = positions.last() {
            let stored =
                position_of(&mut self.connection, &position.group, &position.topic, position.partition).await?;
            return Ok(stored.as_ref() == Some(position));
        }
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM fragment WHERE id = ?1")
            .bind(first_id)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(found.is_some())
    }
}

async fn next_id(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    // Both tables: retention may have taken the newest fragments, and a number must not come back.
    sqlx::query_scalar(
        "SELECT max(coalesce((SELECT max(id) FROM fragment), 0), coalesce((SELECT max(first_id) FROM arrival), 0)) + 1",
    )
    .fetch_one(connection)
    .await
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
