//! Pairs of services by number, so that calls can be added up without comparing names.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::model::DependencyLink;

/// Pairs of services that were met, numbered in that order.
#[derive(Debug, Default)]
pub(in crate::storage) struct Pairs {
    names: Vec<(Box<str>, Box<str>)>,
    /// Indexes of `names`.
    by_names: HashTable<u32>,
    hasher: RandomState,
}

impl Pairs {
    /// How many are known.
    pub(in crate::storage) fn len(&self) -> usize {
        self.names.len()
    }

    /// The number of a pair; a new one when it was not met before.
    pub(in crate::storage) fn number(&mut self, parent: &str, child: &str) -> u32 {
        let Self { names, by_names, hasher } = self;
        let hash = hasher.hash_one((parent, child));
        let found = by_names.find(hash, |&at| (&*names[at as usize].0, &*names[at as usize].1) == (parent, child));
        if let Some(at) = found {
            return *at;
        }
        let at = names.len() as u32;
        names.push((parent.into(), child.into()));
        by_names.insert_unique(hash, at, |&at| {
            let (parent, child) = &names[at as usize];
            hasher.hash_one((&**parent, &**child))
        });
        at
    }

    /// The link of a pair that was met.
    pub(in crate::storage) fn link(&self, pair: u32, call_count: u64, error_count: u64) -> DependencyLink {
        let (parent, child) = &self.names[pair as usize];
        DependencyLink { parent: parent.to_string(), child: child.to_string(), call_count, error_count }
    }
}
