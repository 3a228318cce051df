//! A connection of a test's own to a database server, for statements that must share one: locks, settings.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, Row};

/// A statement, and where its answer goes.
type Asked = (String, SyncSender<Result<Vec<String>, String>>);

/// One connection; it closes when this is dropped. What it was asked is done on a thread of its own.
#[derive(Debug)]
pub struct Session {
    asked: SyncSender<Asked>,
}

enum Open {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

impl Session {
    /// Connects to `postgres://...` or `mysql://...`.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn open(address: &str) -> Self {
        let (asked, statements) = sync_channel(1);
        let address = address.to_owned();
        std::thread::spawn(move || serve(&address, &statements));
        Self { asked }
    }

    /// The first column of the statement's rows, which has to be text. Several statements give no rows.
    ///
    /// # Panics
    /// When the statement fails.
    #[must_use]
    pub fn texts(&self, sql: &str) -> Vec<String> {
        self.try_texts(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs statements.
    ///
    /// # Panics
    /// When one fails.
    pub fn run(&self, sql: &str) {
        let _ = self.texts(sql);
    }

    /// As [`Self::texts`].
    ///
    /// # Errors
    /// Why the statement fails.
    pub fn try_texts(&self, sql: &str) -> Result<Vec<String>, String> {
        let (answer, answers) = sync_channel(1);
        self.asked.send((sql.to_owned(), answer)).map_err(|_| "the connection is not there".to_owned())?;
        answers.recv().map_err(|_| "the connection was lost".to_owned())?
    }
}

fn serve(address: &str, statements: &Receiver<Asked>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    let mut connection = match runtime.block_on(connect(address)) {
        Ok(connection) => connection,
        Err(error) => {
            statements.iter().for_each(|(_, answer)| drop(answer.send(Err(error.to_string()))));
            return;
        }
    };
    for (sql, answer) in statements {
        let result = runtime.block_on(connection.run(sql)).map_err(|error| error.to_string());
        // Nobody waits for it any more: nothing is lost.
        let _ = answer.send(result);
    }
}

async fn connect(address: &str) -> Result<Open, sqlx::Error> {
    Ok(if address.starts_with("postgres") {
        Open::Postgres(PgConnection::connect(address).await?)
    } else {
        Open::Mysql(MySqlConnection::connect(address).await?)
    })
}

impl Open {
    async fn run(&mut self, sql: String) -> Result<Vec<String>, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Postgres(connection) => {
                let rows = sql.fetch_all(connection).await?;
                rows.iter().map(|row| row.try_get(0)).collect()
            }
            Self::Mysql(connection) => {
                let rows = sql.fetch_all(connection).await?;
                rows.iter().map(|row| row.try_get(0)).collect()
            }
        }
    }
}
