//! Rows in the binary form of COPY (PostgreSQL, "COPY: Binary Format"): signature, rows of length-prefixed fields, trailer.

use sqlx::PgConnection;

use crate::storage::sql::rows::FragmentRow;

const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// Bytes sent at once.
const CHUNK_BYTES: usize = 1 << 20;

const FRAGMENTS: &str = "COPY zipkind.fragment (day, trace_low, content, min_ms, max_ms, arrived, service_bits, spans) \
    FROM STDIN (FORMAT binary)";

struct Buffer(Vec<u8>);

impl Buffer {
    fn row(&mut self, fields: i16) {
        self.0.extend_from_slice(&fields.to_be_bytes());
    }

    fn int(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    fn long(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A field is far smaller than 2 GiB: a fragment has one span at least, and messages are bounded.
    fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(&(value.len() as i32).to_be_bytes());
        self.0.extend_from_slice(value);
    }
}

/// Rows in chunks of about a megabyte.
fn chunks<T>(rows: &[T], mut write: impl FnMut(&mut Buffer, &T)) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut buffer = Buffer(HEAD.to_vec());
    for row in rows {
        write(&mut buffer, row);
        if buffer.0.len() >= CHUNK_BYTES {
            chunks.push(std::mem::take(&mut buffer.0));
        }
    }
    buffer.0.extend_from_slice(&TRAILER);
    chunks.push(buffer.0);
    chunks
}

async fn copy(connection: &mut PgConnection, statement: &str, chunks: Vec<Vec<u8>>) -> Result<(), sqlx::Error> {
    let mut copy = connection.copy_in_raw(statement).await?;
    for chunk in chunks {
        copy.send(chunk).await?;
    }
    copy.finish().await.map(|_| ())
}

pub(super) async fn fragments(
    connection: &mut PgConnection,
    rows: &[FragmentRow],
    arrived: i64,
) -> Result<(), sqlx::Error> {
    let chunks = chunks(rows, |buffer, row| {
        buffer.row(8);
        buffer.int(row.day());
        buffer.long(row.trace_low);
        buffer.long(row.content);
        buffer.long(row.min_ms);
        buffer.long(row.max_ms);
        buffer.long(arrived);
        buffer.long(row.service_bits);
        buffer.bytes(&row.spans);
    });
    copy(connection, FRAGMENTS, chunks).await
}
