//! Statements that carry hundreds of rows: through sqlx a statement costs microseconds whatever it does.

use std::fmt::Write;
use std::sync::Arc;

use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

/// Most rows of one statement. The engine takes 32,766 values.
const ROWS_MAX: usize = 512;

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// `INSERT` into one table, prepared for 1, 2, 4, ... rows.
#[derive(Debug)]
pub(super) struct Insert {
    /// Statement of `1 << index` rows.
    statements: Vec<Arc<str>>,
}

impl Insert {
    /// `head` is everything before the values: `INSERT INTO t (a, b) VALUES`.
    pub(super) fn new(head: &str, columns: usize) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let statement = |rows: usize| {
            let mut text = String::with_capacity(head.len() + rows * (row.len() + 1));
            text.push_str(head);
            for index in 0..rows {
                // Writing to a string cannot fail.
                let _ = write!(text, "{}{row}", if index == 0 { ' ' } else { ',' });
            }
            Arc::from(text)
        };
        Self { statements: (0..=ROWS_MAX.ilog2()).map(|power| statement(1 << power)).collect() }
    }

    /// Inserts all rows with as few statements as powers of two allow.
    pub(super) async fn execute<T>(
        &self,
        connection: &mut SqliteConnection,
        rows: impl ExactSizeIterator<Item = T>,
        bind: impl for<'q> Fn(Bound<'q>, T) -> Bound<'q>,
    ) -> Result<(), sqlx::Error> {
        let mut rows = rows;
        while rows.len() > 0 {
            let power = rows.len().min(ROWS_MAX).ilog2();
            let text = Arc::clone(&self.statements[power as usize]);
            let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
            for row in rows.by_ref().take(1 << power) {
                query = bind(query, row);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}
