//! Names that are listed: those of blocks, added up, and those of the spans in memory.

use std::collections::BTreeSet;

use super::block::BlockNames;
use super::live::Live;
use crate::model::cmp_utf16;
use crate::storage::StorageOptions;

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum List<'a> {
    Services,
    Spans(&'a str),
    Remotes(&'a str),
    Values(&'a str),
}

/// Adds the names of a block, as far as the lists have room; how many had none.
pub(super) fn add(known: &mut BlockNames, of_block: &BlockNames, options: &StorageOptions) -> u64 {
    let mut left_out = 0;
    for (service, names) in of_block.services.iter().filter(|(service, _)| !service.is_empty()) {
        if known.services.len() >= options.service_names_max && !known.services.contains_key(service) {
            left_out += 1;
            continue;
        }
        let listed = known.services.entry(service.clone()).or_default();
        left_out += extend(&mut listed.span_names, &names.span_names, options.names_per_service_max);
        left_out += extend(&mut listed.remote_names, &names.remote_names, options.names_per_service_max);
    }
    for (key, values) in &of_block.values {
        left_out += extend(known.values.entry(key.clone()).or_default(), values, options.service_names_max);
    }
    left_out
}

/// How many of the names had no room.
fn extend(known: &mut BTreeSet<String>, names: &BTreeSet<String>, max: usize) -> u64 {
    let mut left_out = 0;
    for name in names {
        if known.contains(name) {
            continue;
        }
        if known.len() >= max {
            left_out += 1;
        } else {
            known.insert(name.clone());
        }
    }
    left_out
}

/// A list, sorted as zipkin sorts.
pub(super) fn list(sealed: &BlockNames, live: &Live, list: List<'_>) -> Vec<String> {
    let options = &live.options;
    let index = live.index.read();
    let of = |service: &str| sealed.services.get(service);
    let is_listed = |service: &str| {
        let is_sealed = sealed.services.contains_key(service);
        is_sealed || services(sealed, index.names.service_names(), options.service_names_max).contains(service)
    };
    let names = match list {
        List::Services => services(sealed, index.names.service_names(), options.service_names_max),
        List::Spans(service) | List::Remotes(service) if !is_listed(service) => BTreeSet::new(),
        List::Spans(service) => {
            let mut names = of(service).map(|names| names.span_names.clone()).unwrap_or_default();
            let recent = index.names.span_names(live.hashes.name(service)).into_iter().collect();
            extend(&mut names, &recent, options.names_per_service_max);
            names
        }
        List::Remotes(service) => {
            let mut names = of(service).map(|names| names.remote_names.clone()).unwrap_or_default();
            let recent = index.names.remote_names(live.hashes.name(service)).into_iter().collect();
            extend(&mut names, &recent, options.names_per_service_max);
            names
        }
        List::Values(key) => {
            let Some(at) = options.autocomplete_keys.iter().position(|known| known == key) else { return Vec::new() };
            let mut values = sealed.values.get(key).cloned().unwrap_or_default();
            extend(&mut values, &index.names.values(at).into_iter().collect(), options.service_names_max);
            values
        }
    };
    drop(index);
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_unstable_by(|left, right| cmp_utf16(left, right));
    names
}

fn services(sealed: &BlockNames, recent: Vec<String>, max: usize) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = sealed.services.keys().cloned().collect();
    extend(&mut names, &recent.into_iter().collect(), max);
    names
}
