//! Names that are listed: services, their span and remote names, values of autocomplete tags.
//!
//! A span seldom brings a new name, so the write path asks a cache of fingerprints, and only what it does not know goes to the
//! table. The cache is emptied every few hours, which renews `seen_ms` of the names still in use.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash};

use foldhash::quality::RandomState;
use hashbrown::HashSet;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use crate::model::SpanRef;
use crate::storage::StorageOptions;

/// Fingerprints kept, at most; beyond it the cache starts anew.
const FINGERPRINTS_MAX: usize = 200_000;
/// How old `seen_ms` of a name in use may be.
pub(in crate::storage) const REFRESH_MS: i64 = 6 * 3600 * 1000;
/// Most values listed of one autocomplete key.
const TAG_VALUES_MAX: usize = 10_000;

/// What kind of name, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::storage) enum Kind {
    Service = 0,
    Span = 1,
    Remote = 2,
    TagValue = 3,
}

impl Kind {
    /// Most names of one list.
    pub(in crate::storage) fn max(self, options: &StorageOptions) -> usize {
        match self {
            Self::Service => options.service_names_max,
            Self::Span | Self::Remote => options.names_per_service_max,
            Self::TagValue => TAG_VALUES_MAX,
        }
    }
}

/// A name of a list. In the order in which every writer touches them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::storage) struct Name {
    pub(in crate::storage) kind: Kind,
    /// The service or tag; empty for services.
    pub(in crate::storage) owner: String,
    pub(in crate::storage) name: String,
}

impl Name {
    /// What stands for the name in keys: engines bound the length of those.
    pub(in crate::storage) fn name_key(&self) -> i64 {
        text_key(&self.name)
    }

    /// As [`Self::name_key`], of the owner.
    pub(in crate::storage) fn owner_key(&self) -> i64 {
        text_key(&self.owner)
    }
}

/// The same in every process and version.
pub(in crate::storage) fn text_key(text: &str) -> i64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// Names of one write that the cache did not know.
#[derive(Debug, Default)]
pub(in crate::storage) struct NewNames {
    pub(in crate::storage) names: BTreeSet<Name>,
    fingerprints: Vec<u64>,
    /// The cache's state when this was begun.
    epoch: u64,
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
    forgotten_ms: i64,
}

impl NameCache {
    pub(super) fn new(autocomplete_keys: &[String]) -> Self {
        Self { hasher: RandomState::default(), autocomplete_keys: autocomplete_keys.to_vec(), known: RwLock::default() }
    }

    pub(super) fn begin(&self) -> NewNames {
        NewNames { epoch: self.known.read().epoch, ..NewNames::default() }
    }

    /// Notes what the span brings that is not known.
    pub(super) fn observe(&self, span: &SpanRef<'_>, new: &mut NewNames) {
        if let Some(service) = span.local_service_name() {
            let remote = span.remote_service_name();
            if let Some(fingerprint) = self.unknown((service, span.name, remote)) {
                new.fingerprints.push(fingerprint);
                // Mostly a combination of names that are known.
                self.note(Kind::Service, "", service, new);
                span.name.into_iter().for_each(|name| self.note(Kind::Span, service, name, new));
                remote.into_iter().for_each(|name| self.note(Kind::Remote, service, name, new));
            }
        }
        if self.autocomplete_keys.is_empty() {
            return;
        }
        for (key, value) in span.tags().filter(|(key, _)| self.autocomplete_keys.iter().any(|name| name == key)) {
            self.note(Kind::TagValue, key, value, new);
        }
    }

    fn note(&self, kind: Kind, owner: &str, name: &str, new: &mut NewNames) {
        if let Some(fingerprint) = self.unknown((kind, owner, name)) {
            new.fingerprints.push(fingerprint);
            new.names.insert(Name { kind, owner: owner.to_owned(), name: name.to_owned() });
        }
    }

    fn unknown(&self, what: impl Hash) -> Option<u64> {
        let fingerprint = self.hasher.hash_one(what);
        (!self.known.read().fingerprints.contains(&fingerprint)).then_some(fingerprint)
    }

    /// What was committed is known from now on, unless something was forgotten in between.
    pub(super) fn learn(&self, new: &NewNames) {
        if new.fingerprints.is_empty() {
            return;
        }
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

    /// Every few hours: knows nothing any more, so that names in use are written again.
    pub(super) fn forget_old(&self, now_ms: i64) {
        if now_ms - self.known.read().forgotten_ms > REFRESH_MS {
            let mut known = self.known.write();
            known.fingerprints.clear();
            known.epoch += 1;
            known.forgotten_ms = now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::spans_from_json;

    /// What the cache asks to be written for a span; learned afterwards.
    fn new_names(cache: &NameCache, service: &str, name: &str, remote: &str) -> Vec<(Kind, String)> {
        let spans = spans_from_json(&format!(
            r#"[{{"traceId":"1","id":"1","name":"{name}","tags":{{"env":"{remote}"}},
                 "localEndpoint":{{"serviceName":"{service}"}},"remoteEndpoint":{{"serviceName":"{remote}"}}}}]"#
        ));
        let mut new = cache.begin();
        spans.iter().for_each(|span| cache.observe(&span, &mut new));
        cache.learn(&new);
        new.names.into_iter().map(|name| (name.kind, name.name)).collect()
    }

    #[test]
    fn only_names_that_are_new_are_written_and_not_new_combinations_of_them() {
        let cache = NameCache::new(&["env".to_owned()]);
        let name = |kind, name: &str| (kind, name.to_owned());
        let all =
            [name(Kind::Service, "a"), name(Kind::Span, "get"), name(Kind::Remote, "x"), name(Kind::TagValue, "x")];
        assert_eq!(new_names(&cache, "a", "get", "x"), all);
        assert_eq!(new_names(&cache, "a", "put", "x"), [name(Kind::Span, "put")]);
        assert_eq!(new_names(&cache, "a", "put", "y"), [name(Kind::Remote, "y"), name(Kind::TagValue, "y")]);
        assert_eq!(new_names(&cache, "a", "get", "y"), []);
        assert_eq!(
            new_names(&cache, "b", "get", "x"),
            [name(Kind::Service, "b"), name(Kind::Span, "get"), name(Kind::Remote, "x")],
            "names belong to their service"
        );
        cache.forget_old(REFRESH_MS + 1);
        assert_eq!(new_names(&cache, "a", "get", "x"), all, "renewed after some hours");
    }
}
