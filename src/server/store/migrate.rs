//! Tables made, or brought to this version.

use std::io::Write;
use std::sync::Arc;

use super::open::{chosen, shown};
use crate::config::{MigrateArguments, StorageConfig, StorageKind};
use crate::storage::{migrate_mysql, migrate_postgres, migrate_sqlite};
use crate::telemetry::SystemClock;

/// Says what was done, or would be.
pub(super) async fn migrate(
    base: &StorageConfig,
    arguments: &MigrateArguments,
    output: &mut impl Write,
) -> anyhow::Result<bool> {
    let config = chosen(base, arguments.to.as_ref())?;
    let is_dry = arguments.dry_run;
    let changes = match config.kind {
        StorageKind::Postgres => migrate_postgres(config.postgres.clone(), Arc::new(SystemClock), is_dry).await?,
        StorageKind::Mysql => migrate_mysql(config.mysql.clone(), is_dry).await?,
        _ => migrate_sqlite(&config.sqlite, is_dry).await?,
    };
    if changes.is_empty() {
        writeln!(output, "{} has all tables of this version", shown(&config))?;
    }
    for change in &changes {
        if is_dry {
            writeln!(output, "-- {}\n{}\n", change.name, change.sql.trim_end())?;
        } else {
            writeln!(output, "made {}", change.name)?;
        }
    }
    Ok(true)
}
