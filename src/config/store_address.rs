//! A store named on the command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::parts::{StorageConfig, StorageKind, database_file};
use super::secret::without_passwords;
use crate::storage::{MysqlConfig, MysqlLayout, PostgresConfig};

/// `sqlite:PATH`, `postgres://...` or `mysql://...`. Its `Debug` and `Display` hide passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress {
    text: String,
    place: Place,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Sqlite(PathBuf),
    Postgres(String),
    Mysql(String, Option<MysqlLayout>),
}

impl StoreAddress {
    /// The configuration with this store in the place of its own; all else stays as it is set.
    #[must_use]
    pub fn applied_to(&self, base: &StorageConfig) -> StorageConfig {
        let mut config = base.clone();
        match &self.place {
            Place::Sqlite(path) => {
                config.kind = StorageKind::Sqlite;
                config.sqlite.path.clone_from(path);
            }
            Place::Postgres(url) => {
                config.kind = StorageKind::Postgres;
                config.postgres.url = Some(url.clone());
            }
            Place::Mysql(url, layout) => {
                config.kind = StorageKind::Mysql;
                // Those of the configured database are not for this one.
                config.mysql.user = None;
                config.mysql.password = None;
                config.mysql.url = Some(url.clone());
                config.mysql.layout = *layout;
            }
        }
        config
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_passwords(&self.text))
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for StoreAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |place| Ok(Self { text: text.to_owned(), place });
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            if path.is_empty() {
                return Err("names no file".to_owned());
            }
            return address(Place::Sqlite(database_file(Path::new(path))));
        }
        let scheme = text.split(':').next().unwrap_or_default();
        match scheme {
            "postgres" | "postgresql" => {
                PostgresConfig::check_url(text)?;
                address(Place::Postgres(text.to_owned()))
            }
            "mysql" | "mariadb" | "jdbc" => {
                let (url, layout) = without_layout(text)?;
                MysqlConfig::check_url(&url)?;
                address(Place::Mysql(url, layout))
            }
            "mem" | "none" => Err("keeps nothing beyond its process".to_owned()),
            _ => Err("does not begin with sqlite:, postgres:// or mysql://".to_owned()),
        }
    }
}

/// The parameter `layout` is ours; drivers do not know it.
fn without_layout(url: &str) -> Result<(String, Option<MysqlLayout>), String> {
    let Some((address, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let mut layout = None;
    let mut others = Vec::new();
    for parameter in query.split('&') {
        match parameter.strip_prefix("layout=") {
            Some("zipkin") => layout = Some(MysqlLayout::Zipkin),
            Some("native") => layout = Some(MysqlLayout::Native),
            Some("auto") => layout = None,
            Some(_) => return Err("has a layout that is neither zipkin nor native".to_owned()),
            None => others.push(parameter),
        }
    }
    let query = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
    Ok((format!("{address}{query}"), layout))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn base() -> StorageConfig {
        let environment: std::collections::HashMap<String, String> =
            [("MYSQL_USER", "configured"), ("MYSQL_LAYOUT", "zipkin")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        let directory = tempfile::tempdir().unwrap();
        Config::load(&[], &environment, directory.path()).unwrap().storage
    }

    fn applied(text: &str) -> StorageConfig {
        text.parse::<StoreAddress>().unwrap().applied_to(&base())
    }

    #[test]
    fn an_address_takes_the_place_of_the_configured_store() {
        assert_eq!(applied("sqlite:/data").sqlite.path, Path::new("/data/zipkind.db"));
        assert_eq!(applied("sqlite:/data/x.db").sqlite.path, Path::new("/data/x.db"));
        let postgres = applied("postgres://u:p@h/d");
        assert_eq!(
            (postgres.kind, postgres.postgres.url.as_deref()),
            (StorageKind::Postgres, Some("postgres://u:p@h/d"))
        );
        let mysql = applied("mysql://u:p@h/d?layout=native&ssl-mode=disabled").mysql;
        assert_eq!((mysql.url.as_deref(), mysql.user), (Some("mysql://u:p@h/d?ssl-mode=disabled"), None));
        assert_eq!(mysql.layout, Some(MysqlLayout::Native));
        assert_eq!(applied("jdbc:mysql://h/d?user=u&layout=zipkin").mysql.layout, Some(MysqlLayout::Zipkin));
        assert_eq!(applied("mysql://h/d").mysql.layout, None);
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_password_is_shown() {
        for text in ["", "mem", "sqlite:", "redis://h", "/data/zipkind.db", "mysql://h/d?layout=own", "postgres:/h"] {
            assert!(text.parse::<StoreAddress>().is_err(), "{text}");
        }
        let address: StoreAddress = "postgres://u:secret@h/d".parse().unwrap();
        assert!(!format!("{address} {address:?}").contains("secret"));
    }
}
