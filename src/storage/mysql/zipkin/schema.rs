//! What the tables have: older ones lack columns, and characters depend on who made them.

use sqlx::{MySqlPool, Row};

use crate::storage::StorageError;
use crate::storage::mysql::error::during;

/// Looked at once, at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage::mysql) struct Schema {
    pub(super) has_trace_id_high: bool,
    pub(super) has_ipv6: bool,
    pub(super) has_remote_service_name: bool,
    pub(super) has_error_count: bool,
    /// A job fills `zipkin_dependencies`: links are read there.
    pub(super) has_dependencies: bool,
    /// Characters beyond U+FFFF go into the columns.
    pub(super) is_utf8mb4: bool,
    /// Most characters of a span's name, of a service's name and of an annotation's value or tag's key.
    pub(super) name_max: usize,
    pub(super) service_name_max: usize,
    pub(super) key_max: usize,
}

/// A column of one of the tables.
struct Column {
    table: String,
    name: String,
    characters: Option<String>,
    length: usize,
}

impl Schema {
    /// `None` when zipkin's tables are not there.
    pub(in crate::storage::mysql) async fn probe(pool: &MySqlPool) -> Result<Option<Self>, StorageError> {
        let columns = columns(pool).await.map_err(during("open"))?;
        let find = |table: &str, name: &str| columns.iter().find(|column| column.table == table && column.name == name);
        let (Some(name), Some(key)) = (find("zipkin_spans", "name"), find("zipkin_annotations", "a_key")) else {
            return Ok(None);
        };
        let has_dependencies = if find("zipkin_dependencies", "parent").is_some() {
            let row = sqlx::query("SELECT 1 FROM zipkin_dependencies LIMIT 1").fetch_optional(pool).await;
            row.map_err(during("open"))?.is_some()
        } else {
            false
        };
        let service = find("zipkin_annotations", "endpoint_service_name");
        let texts = [Some(name), Some(key), service];
        Ok(Some(Self {
            has_trace_id_high: find("zipkin_spans", "trace_id_high").is_some(),
            has_ipv6: find("zipkin_annotations", "endpoint_ipv6").is_some(),
            has_remote_service_name: find("zipkin_spans", "remote_service_name").is_some(),
            has_error_count: find("zipkin_dependencies", "error_count").is_some(),
            has_dependencies,
            is_utf8mb4: texts.iter().flatten().all(|column| column.characters.as_deref() == Some("utf8mb4")),
            name_max: name.length,
            service_name_max: service.map_or(255, |column| column.length),
            key_max: key.length,
        }))
    }
}

async fn columns(pool: &MySqlPool) -> Result<Vec<Column>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT CAST(TABLE_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR), CAST(CHARACTER_SET_NAME AS CHAR), \
           CAST(coalesce(CHARACTER_MAXIMUM_LENGTH, 0) AS SIGNED) \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = database() \
         AND TABLE_NAME IN ('zipkin_spans', 'zipkin_annotations', 'zipkin_dependencies')",
    )
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let length: i64 = row.try_get(3)?;
            Ok(Column {
                table: row.try_get::<String, _>(0)?.to_ascii_lowercase(),
                name: row.try_get::<String, _>(1)?.to_ascii_lowercase(),
                characters: row.try_get(2)?,
                length: usize::try_from(length).unwrap_or(0),
            })
        })
        .collect()
}
