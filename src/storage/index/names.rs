//! Names of services, their spans and remote services, and values for autocompletion.

use hashbrown::HashTable;

use crate::model::cmp_utf16;
use crate::storage::StorageOptions;

/// Stands for spans without a local service.
pub(in crate::storage) const NO_SERVICE: u32 = 0;
/// What a name costs beside its text, about.
const NAME_BYTES: usize = 48;

/// A text and its hash (all hashes come from one place, [`super::prepare::Hashes`]).
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct Name<'a> {
    pub(in crate::storage) text: &'a str,
    pub(in crate::storage) hash: u64,
}

/// Distinct texts, up to a limit.
#[derive(Debug, Default)]
struct NameSet {
    names: HashTable<(u64, Box<str>)>,
}

impl NameSet {
    /// Bytes added; `Err` when the limit left the name out.
    fn insert(&mut self, name: Name<'_>, max: usize) -> Result<usize, ()> {
        if self.names.find(name.hash, |known| *known.1 == *name.text).is_some() {
            return Ok(0);
        }
        if self.names.len() >= max {
            return Err(());
        }
        self.names.insert_unique(name.hash, (name.hash, name.text.into()), |known| known.0);
        Ok(NAME_BYTES + name.text.len())
    }

    fn to_vec(&self) -> Vec<String> {
        self.names.iter().map(|known| known.1.to_string()).collect()
    }
}

#[derive(Debug, Default)]
struct Service {
    name: Box<str>,
    hash: u64,
    /// Traces with a span of it; none: the entry is free.
    traces: u32,
    is_listed: bool,
    span_names: NameSet,
    remote_names: NameSet,
    bytes: usize,
}

/// Everything that is listed.
#[derive(Debug)]
pub(in crate::storage) struct Names {
    services_max: usize,
    names_max: usize,
    services: Vec<Service>,
    free: Vec<u32>,
    /// Indexes of `services` by the hash of their name.
    by_name: HashTable<u32>,
    listed: usize,
    /// Values by index of the configured key.
    autocomplete: Vec<NameSet>,
    bytes: usize,
    left_out: u64,
}

impl Names {
    pub(in crate::storage) fn new(options: &StorageOptions) -> Self {
        Self {
            services_max: options.service_names_max,
            names_max: options.names_per_service_max,
            services: vec![Service::default()],
            free: Vec::new(),
            by_name: HashTable::new(),
            listed: 0,
            autocomplete: options.autocomplete_keys.iter().map(|_| NameSet::default()).collect(),
            bytes: 0,
            left_out: 0,
        }
    }

    /// Bytes of memory held, about.
    pub(in crate::storage) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How often a name was not listed because of a limit.
    pub(in crate::storage) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The service of that name, if it has traces.
    pub(in crate::storage) fn find(&self, name: Name<'_>) -> Option<u32> {
        let found = self.by_name.find(name.hash, |&at| *self.services[at as usize].name == *name.text);
        found.copied()
    }

    /// The service of that name, new if need be; a trace must be counted for it next.
    pub(in crate::storage) fn find_or_add(&mut self, name: Name<'_>) -> u32 {
        if let Some(at) = self.find(name) {
            return at;
        }
        let bytes = size_of::<Service>() + NAME_BYTES + name.text.len();
        let service = Service { name: name.text.into(), hash: name.hash, bytes, ..Service::default() };
        self.bytes += bytes;
        let at = match self.free.pop() {
            Some(at) => {
                self.services[at as usize] = service;
                at
            }
            None => {
                self.services.push(service);
                self.services.len() as u32 - 1
            }
        };
        let services = &self.services;
        self.by_name.insert_unique(name.hash, at, |&at| services[at as usize].hash);
        at
    }

    /// A trace has its first span of the service.
    pub(in crate::storage) fn count_trace(&mut self, at: u32) {
        self.services[at as usize].traces += 1;
    }

    /// A trace with the service is gone; without traces its names go too.
    pub(in crate::storage) fn forget_trace(&mut self, at: u32) {
        let service = &mut self.services[at as usize];
        service.traces -= 1;
        if service.traces > 0 {
            return;
        }
        let gone = std::mem::take(service);
        self.listed -= usize::from(gone.is_listed);
        self.bytes -= gone.bytes;
        self.free.push(at);
        if let Ok(entry) = self.by_name.find_entry(gone.hash, |&known| known == at) {
            entry.remove();
        }
    }

    /// Notes a span of the service.
    pub(in crate::storage) fn note(&mut self, at: u32, span_name: Option<Name<'_>>, remote_name: Option<Name<'_>>) {
        let service = &mut self.services[at as usize];
        if !service.is_listed {
            if self.listed >= self.services_max {
                self.left_out += 1;
                return;
            }
            service.is_listed = true;
            self.listed += 1;
        }
        for (set, name) in [(&mut service.span_names, span_name), (&mut service.remote_names, remote_name)] {
            match name.map_or(Ok(0), |name| set.insert(name, self.names_max)) {
                Ok(bytes) => {
                    service.bytes += bytes;
                    self.bytes += bytes;
                }
                Err(()) => self.left_out += 1,
            }
        }
    }

    /// Notes a value of the configured key `key`.
    pub(in crate::storage) fn note_value(&mut self, key: usize, value: Name<'_>) {
        // Values are kept for good, so they are bounded like the longest list there is.
        match self.autocomplete[key].insert(value, self.services_max) {
            Ok(bytes) => self.bytes += bytes,
            Err(()) => self.left_out += 1,
        }
    }

    pub(in crate::storage) fn service_names(&self) -> Vec<String> {
        let listed = self.services.iter().filter(|service| service.is_listed);
        listed.map(|service| service.name.to_string()).collect()
    }

    pub(in crate::storage) fn span_names(&self, service: Name<'_>) -> Vec<String> {
        self.find(service).map(|at| self.services[at as usize].span_names.to_vec()).unwrap_or_default()
    }

    pub(in crate::storage) fn remote_names(&self, service: Name<'_>) -> Vec<String> {
        self.find(service).map(|at| self.services[at as usize].remote_names.to_vec()).unwrap_or_default()
    }

    pub(in crate::storage) fn values(&self, key: usize) -> Vec<String> {
        self.autocomplete.get(key).map(NameSet::to_vec).unwrap_or_default()
    }
}

/// The order of answers; sorting is done outside the lock.
pub(in crate::storage) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable_by(|a, b| cmp_utf16(a, b));
    names
}
