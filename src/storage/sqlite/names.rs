//! Names that are listed: services, their span and remote names, values of autocomplete tags.
//!
//! A span seldom brings a new name, so the write path asks a cache of fingerprints, and only what it does not know goes to the
//! table. The cache is emptied every few hours, which renews `seen_ms` of the names still in use.

use std::hash::{BuildHasher, Hash};

use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashSet};
use parking_lot::RwLock;
use sqlx::{Row, SqliteConnection};

use crate::model::{SpanRef, cmp_utf16};
use crate::storage::StorageOptions;

/// Fingerprints kept, at most; beyond it the cache starts anew.
const FINGERPRINTS_MAX: usize = 200_000;
/// How old `seen_ms` of a name in use may be.
pub(super) const REFRESH_MS: i64 = 6 * 3600 * 1000;
/// Most values listed of one autocomplete key.
const TAG_VALUES_MAX: usize = 10_000;

/// What kind of name, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Service = 0,
    Span = 1,
    Remote = 2,
    TagValue = 3,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    kind: Kind,
    owner: String,
    name: String,
}

/// Names of one write that the cache did not know.
#[derive(Debug, Default)]
pub(super) struct NewNames {
    names: HashSet<Name>,
    fingerprints: Vec<u64>,
    /// The cache's state when this was begun.
    epoch: u64,
    removals: u64,
}

impl NewNames {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Fingerprints of what the table holds.
#[derive(Debug)]
pub(super) struct NameCache {
    hasher: RandomState,
    autocomplete_keys: Vec<String>,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    fingerprints: HashSet<u64>,
    /// Raised whenever fingerprints are forgotten.
    epoch: u64,
    /// Raised whenever names were removed from the table.
    removals: u64,
}

impl NameCache {
    pub(super) fn new(autocomplete_keys: &[String]) -> Self {
        Self { hasher: RandomState::default(), autocomplete_keys: autocomplete_keys.to_vec(), known: RwLock::default() }
    }

    pub(super) fn begin(&self) -> NewNames {
        let known = self.known.read();
        NewNames { epoch: known.epoch, removals: known.removals, ..NewNames::default() }
    }

    /// Notes what the span brings that is not known.
    pub(super) fn observe(&self, span: &SpanRef<'_>, new: &mut NewNames) {
        if let Some(service) = span.local_service_name() {
            let remote = span.remote_service_name();
            if let Some(fingerprint) = self.unknown((service, span.name, remote)) {
                new.fingerprints.push(fingerprint);
                new.add(Kind::Service, "", service);
                span.name.into_iter().for_each(|name| new.add(Kind::Span, service, name));
                remote.into_iter().for_each(|name| new.add(Kind::Remote, service, name));
            }
        }
        if self.autocomplete_keys.is_empty() {
            return;
        }
        for (key, value) in span.tags().filter(|(key, _)| self.autocomplete_keys.iter().any(|name| name == key)) {
            if let Some(fingerprint) = self.unknown((Kind::TagValue, key, value)) {
                new.fingerprints.push(fingerprint);
                new.add(Kind::TagValue, key, value);
            }
        }
    }

    fn unknown(&self, what: impl Hash) -> Option<u64> {
        let fingerprint = self.hasher.hash_one(what);
        (!self.known.read().fingerprints.contains(&fingerprint)).then_some(fingerprint)
    }

    /// What was written is known from now on, unless something was forgotten in between.
    pub(super) fn learn(&self, new: &NewNames) {
        let mut known = self.known.write();
        if known.epoch != new.epoch {
            return;
        }
        if known.fingerprints.len() + new.fingerprints.len() > FINGERPRINTS_MAX {
            known.fingerprints.clear();
            known.epoch += 1;
        }
        known.fingerprints.extend(&new.fingerprints);
    }

    /// Knows nothing any more, so that names in use are written again and `seen_ms` is renewed.
    pub(super) fn forget(&self) {
        let mut known = self.known.write();
        known.fingerprints.clear();
        known.epoch += 1;
    }

    /// As [`Self::forget`], when names were removed from the table.
    pub(super) fn forget_removed(&self) {
        self.forget();
        self.known.write().removals += 1;
    }

    /// True when what `new` left out as known may have been removed since.
    pub(super) fn is_outdated(&self, new: &NewNames) -> bool {
        self.known.read().removals != new.removals
    }
}

impl NewNames {
    fn add(&mut self, kind: Kind, owner: &str, name: &str) {
        self.names.insert(Name { kind, owner: owner.to_owned(), name: name.to_owned() });
    }
}

/// How many names of each list the table holds; belongs to the writer.
#[derive(Debug)]
pub(super) struct NameCounts {
    counts: HashMap<(i64, String), usize>,
    service_names_max: usize,
    names_per_service_max: usize,
}

impl NameCounts {
    pub(super) async fn load(connection: &mut SqliteConnection, options: &StorageOptions) -> Result<Self, sqlx::Error> {
        let rows =
            sqlx::query("SELECT kind, owner, count(*) FROM name GROUP BY kind, owner").fetch_all(connection).await?;
        let mut counts = HashMap::new();
        for row in rows {
            counts.insert((row.try_get(0)?, row.try_get(1)?), row.try_get::<i64, _>(2)? as usize);
        }
        Ok(Self {
            counts,
            service_names_max: options.service_names_max,
            names_per_service_max: options.names_per_service_max,
        })
    }

    fn max(&self, kind: Kind) -> usize {
        match kind {
            Kind::Service => self.service_names_max,
            Kind::Span | Kind::Remote => self.names_per_service_max,
            Kind::TagValue => TAG_VALUES_MAX,
        }
    }

    fn has_room(&self, name: &Name) -> bool {
        let listed = self.counts.get(&(name.kind as i64, name.owner.clone())).copied().unwrap_or(0);
        listed < self.max(name.kind)
    }

    /// Writes names inside the writer's transaction. When that fails the counts must be loaded anew.
    pub(super) async fn write(
        &mut self,
        connection: &mut SqliteConnection,
        new: &NewNames,
        now_ms: i64,
    ) -> Result<(), sqlx::Error> {
        // Services first: names of a service beyond the limit are not listed either.
        for name in new.names.iter().filter(|name| name.kind == Kind::Service) {
            self.write_one(connection, name, now_ms).await?;
        }
        for name in new.names.iter().filter(|name| name.kind != Kind::Service) {
            self.write_one(connection, name, now_ms).await?;
        }
        Ok(())
    }

    async fn write_one(
        &mut self,
        connection: &mut SqliteConnection,
        name: &Name,
        now_ms: i64,
    ) -> Result<(), sqlx::Error> {
        let renewed = sqlx::query("UPDATE name SET seen_ms = ?1 WHERE kind = ?2 AND owner = ?3 AND name = ?4")
            .bind(now_ms)
            .bind(name.kind as i64)
            .bind(name.owner.as_str())
            .bind(name.name.as_str())
            .execute(&mut *connection)
            .await?;
        if renewed.rows_affected() > 0 || !self.has_room(name) {
            return Ok(());
        }
        let of_service = matches!(name.kind, Kind::Span | Kind::Remote);
        let added = sqlx::query(
            "INSERT INTO name (kind, owner, name, seen_ms) SELECT ?2, ?3, ?4, ?1 \
             WHERE NOT ?5 OR EXISTS (SELECT 1 FROM name WHERE kind = 0 AND owner = '' AND name = ?3)",
        )
        .bind(now_ms)
        .bind(name.kind as i64)
        .bind(name.owner.as_str())
        .bind(name.name.as_str())
        .bind(of_service)
        .execute(&mut *connection)
        .await?;
        if added.rows_affected() > 0 {
            *self.counts.entry((name.kind as i64, name.owner.clone())).or_default() += 1;
        }
        Ok(())
    }
}

/// A list, sorted as zipkin sorts.
pub(super) async fn list(
    connection: &mut SqliteConnection,
    kind: Kind,
    owner: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let mut names: Vec<String> = sqlx::query_scalar("SELECT name FROM name WHERE kind = ?1 AND owner = ?2")
        .bind(kind as i64)
        .bind(owner)
        .fetch_all(connection)
        .await?;
    names.sort_unstable_by(|left, right| cmp_utf16(left, right));
    Ok(names)
}
