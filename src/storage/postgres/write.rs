//! One write, one transaction.

use std::collections::HashSet;

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::{PgConnection, Row};

use super::PostgresEngine;
use super::copy;
use super::error::{code, is_code, storage_error};
use crate::storage::SourcePosition;
use crate::storage::sql::engine::WriteFailure;
use crate::storage::sql::lists::{PostingRow, ServiceTraces};
use crate::storage::sql::rows::{FragmentRow, Postings, Rows};
use crate::storage::sql::transaction::Failure;

/// Fragments of one statement that looks at duplicates.
const INSERT_ROWS: usize = 2_000;

const LIST: &str = "INSERT INTO zipkind.service_traces (day, service, arrived, traces, terms, is_named) \
    SELECT l.day, l.service, $3, l.traces, l.terms, true \
    FROM unnest($1::integer[], $2::integer[], $4::bytea[], $5::bytea[]) AS l (day, service, traces, terms)";
const NAME_AND_LIST: &str = "WITH named AS (INSERT INTO zipkind.link_unsettled (id, arrived, traces) VALUES ($6, $3, $7)) \
    INSERT INTO zipkind.service_traces (day, service, arrived, traces, terms, is_named) \
    SELECT l.day, l.service, $3, l.traces, l.terms, true \
    FROM unnest($1::integer[], $2::integer[], $4::bytea[], $5::bytea[]) AS l (day, service, traces, terms)";

/// Transactions of one write, at most: for a duplicate, and for a partition that was made beside.
const TRIES_MAX: usize = 3;

/// How fragments go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The fastest, as long as none is there already.
    Copy,
    /// Leaves out what is there.
    Insert,
}

impl PostgresEngine {
    pub(super) async fn store_rows(
        &self,
        rows: &Rows,
        positions: &[&SourcePosition],
        arrived: i64,
    ) -> Result<(), WriteFailure> {
        let mut way = Way::Copy;
        let mut tries = 1;
        loop {
            match self.transaction(rows, positions, arrived, way).await {
                Ok(()) => return Ok(()),
                Err(Failure::Engine(error)) if tries < TRIES_MAX && is_code(&error, code::UNIQUE_VIOLATION) => {
                    way = Way::Insert;
                }
                // A day got its partition while its rows were on their way to the default one.
                Err(Failure::Engine(error)) if tries < TRIES_MAX && is_code(&error, code::CHECK_VIOLATION) => {}
                Err(failure) => {
                    return failure.settle(self.is_stored(positions), |error| storage_error("write", error)).await;
                }
            }
            tries += 1;
        }
    }

    async fn transaction(
        &self,
        rows: &Rows,
        positions: &[&SourcePosition],
        arrived: i64,
        way: Way,
    ) -> Result<(), Failure> {
        let mut transaction = self.pool.begin().await?;
        let stale = self.move_positions(&mut transaction, positions).await?;
        if !stale.is_empty() {
            transaction.rollback().await?;
            return Err(Failure::Stale(stale));
        }
        if !rows.fragments.is_empty() {
            match way {
                Way::Copy => {
                    copy::fragments(&mut transaction, &rows.fragments, arrived).await?;
                    self.insert_lists(&mut transaction, &rows.postings, &rows.traces, arrived).await?;
                }
                Way::Insert => self.insert_new(&mut transaction, rows, arrived).await?,
            }
        }
        self.write_names(&mut transaction, &rows.names).await?;
        transaction.commit().await.map_err(Failure::of_commit)
    }

    /// Fragments that are not there yet, and the lists of those.
    async fn insert_new(&self, connection: &mut PgConnection, rows: &Rows, arrived: i64) -> Result<(), sqlx::Error> {
        let mut new: HashSet<(i64, i32)> = HashSet::new();
        for part in rows.fragments.chunks(INSERT_ROWS) {
            new.extend(self.insert_fragments(connection, part, arrived).await?);
        }
        let is_new = |row: &&PostingRow| new.contains(&(row.trace_low, row.day));
        let postings = Postings {
            rows: rows.postings.rows.iter().filter(is_new).copied().collect(),
            terms: rows.postings.terms.clone(),
        };
        self.insert_lists(connection, &postings, &rows.traces, arrived).await
    }

    /// Which traces each service has spans in, with which terms: few rows, so that one statement is quicker than COPY. The first
    /// one names all traces as unsettled, too.
    async fn insert_lists(
        &self,
        connection: &mut PgConnection,
        postings: &Postings,
        traces: &[u8],
        arrived: i64,
    ) -> Result<(), sqlx::Error> {
        let lists = ServiceTraces::of(postings);
        let (first, rest) = lists.split_at(lists.len().min(INSERT_ROWS));
        let query = self.lists_query(NAME_AND_LIST, first, arrived).bind(fastrand::i64(..)).bind(traces.to_vec());
        query.execute(&mut *connection).await?;
        for part in rest.chunks(INSERT_ROWS) {
            self.lists_query(LIST, part, arrived).execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn lists_query(
        &self,
        statement: &'static str,
        lists: &[ServiceTraces],
        arrived: i64,
    ) -> Query<'static, Postgres, PgArguments> {
        self.query(statement)
            .bind(lists.iter().map(|list| list.day).collect::<Vec<_>>())
            .bind(lists.iter().map(|list| list.service).collect::<Vec<_>>())
            .bind(arrived)
            .bind(lists.iter().map(|list| list.traces.clone()).collect::<Vec<_>>())
            .bind(lists.iter().map(|list| list.terms.clone()).collect::<Vec<_>>())
    }

    /// Gives trace and day of those that were new.
    async fn insert_fragments(
        &self,
        connection: &mut PgConnection,
        rows: &[FragmentRow],
        arrived: i64,
    ) -> Result<Vec<(i64, i32)>, sqlx::Error> {
        let inserted = self.insert_query(rows, arrived).fetch_all(connection).await?;
        inserted.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    fn insert_query(&self, rows: &[FragmentRow], arrived: i64) -> Query<'static, Postgres, PgArguments> {
        let longs = |value: fn(&FragmentRow) -> i64| rows.iter().map(value).collect::<Vec<_>>();
        self.query(
            "INSERT INTO zipkind.fragment (day, trace_low, content, min_ms, max_ms, arrived, service_bits, spans) \
             SELECT r.day, r.trace_low, r.content, r.min_ms, r.max_ms, $7, r.service_bits, r.spans \
             FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $8::bytea[]) \
               AS r (day, trace_low, content, min_ms, max_ms, service_bits, spans) \
             ON CONFLICT DO NOTHING RETURNING trace_low, day",
        )
        .bind(rows.iter().map(FragmentRow::day).collect::<Vec<_>>())
        .bind(longs(|row| row.trace_low))
        .bind(longs(|row| row.content))
        .bind(longs(|row| row.min_ms))
        .bind(longs(|row| row.max_ms))
        .bind(longs(|row| row.service_bits))
        .bind(arrived)
        .bind(rows.iter().map(|row| row.spans.clone()).collect::<Vec<_>>())
    }
}
