//! Names of a block, for lists and for searches that need not look at it.

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::{Cursor, put_bytes, put_var};
use super::frame::{FrameError, pack, unpack};
use super::terms::hash;

/// What spans of one local service bring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct ServiceNames {
    /// Longest duration in microseconds.
    pub(in super::super) longest_us: u64,
    pub(in super::super) span_names: BTreeSet<String>,
    pub(in super::super) remote_names: BTreeSet<String>,
}

/// The names of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct BlockNames {
    /// By local service; those of spans without one are under the empty name.
    pub(in super::super) services: BTreeMap<String, ServiceNames>,
    /// Values by autocomplete key.
    pub(in super::super) values: BTreeMap<String, BTreeSet<String>>,
}

impl BlockNames {
    pub(super) fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut soft = Vec::new();
        let put_all = |soft: &mut Vec<u8>, names: &BTreeSet<String>| {
            put_var(soft, names.len() as u64);
            names.iter().for_each(|name| put_bytes(soft, name.as_bytes()));
        };
        put_var(&mut soft, self.services.len() as u64);
        for (service, names) in &self.services {
            put_bytes(&mut soft, service.as_bytes());
            put_var(&mut soft, names.longest_us);
            put_all(&mut soft, &names.span_names);
            put_all(&mut soft, &names.remote_names);
        }
        put_var(&mut soft, self.values.len() as u64);
        for (key, values) in &self.values {
            put_bytes(&mut soft, key.as_bytes());
            put_all(&mut soft, values);
        }
        pack(&soft, &[])
    }

    pub(in super::super) fn read(value: &[u8]) -> Result<Self, FrameError> {
        let (soft, _) = unpack(value)?;
        let mut cursor = Cursor::new(&soft);
        let take_all = |cursor: &mut Cursor<'_>| {
            (0..cursor.count()?).map(|_| cursor.text().map(str::to_owned)).collect::<Result<BTreeSet<_>, _>>()
        };
        let mut names = Self::default();
        for _ in 0..cursor.count()? {
            let service = cursor.text()?.to_owned();
            let longest_us = cursor.var()?;
            let (span_names, remote_names) = (take_all(&mut cursor)?, take_all(&mut cursor)?);
            names.services.insert(service, ServiceNames { longest_us, span_names, remote_names });
        }
        for _ in 0..cursor.count()? {
            let key = cursor.text()?.to_owned();
            names.values.insert(key, take_all(&mut cursor)?);
        }
        Ok(names)
    }

    /// The short form that is kept in memory.
    pub(in super::super) fn outline(&self) -> Outline {
        let services = self.services.iter().map(|(service, names)| {
            let spans = names.span_names.iter().map(|name| short(SPAN, name));
            let remotes = names.remote_names.iter().map(|name| short(REMOTE, name));
            let mut has: Vec<u32> = spans.chain(remotes).collect();
            has.sort_unstable();
            ServiceOutline { service: hash(&[service]), longest_us: names.longest_us, has: has.into() }
        });
        let mut services: Vec<ServiceOutline> = services.collect();
        services.sort_unstable_by_key(|outline| outline.service);
        Outline { services: services.into() }
    }
}

const SPAN: &str = "s";
const REMOTE: &str = "r";

fn short(kind: &str, name: &str) -> u32 {
    hash(&[kind, name]) as u32
}

#[derive(Debug)]
struct ServiceOutline {
    service: u64,
    longest_us: u64,
    has: Box<[u32]>,
}

/// Which services, names and durations a block may have. Says yes too often rather than no.
#[derive(Debug, Default)]
pub(in super::super) struct Outline {
    services: Box<[ServiceOutline]>,
}

/// What a search asks of one span's names, hashed.
#[derive(Debug)]
pub(in super::super) struct Wanted {
    service: Option<u64>,
    has: Vec<u32>,
    shortest_us: u64,
}

impl Wanted {
    pub(in super::super) fn new(
        service: Option<&str>,
        span_name: Option<&str>,
        remote_name: Option<&str>,
        shortest_us: u64,
    ) -> Self {
        let span_name = span_name.map(|name| short(SPAN, name));
        let remote_name = remote_name.map(|name| short(REMOTE, name));
        let has = span_name.into_iter().chain(remote_name).collect();
        Self { service: service.map(|service| hash(&[service])), has, shortest_us }
    }
}

impl Outline {
    /// False: no trace that lies in the block alone can match.
    pub(in super::super) fn may_match(&self, wanted: &Wanted) -> bool {
        let has = |outline: &ServiceOutline, name: &u32| outline.has.binary_search(name).is_ok();
        match wanted.service {
            Some(service) => {
                let found = self.services.binary_search_by_key(&service, |outline| outline.service);
                found.is_ok_and(|at| {
                    let outline = &self.services[at];
                    outline.longest_us >= wanted.shortest_us && wanted.has.iter().all(|name| has(outline, name))
                })
            }
            None => {
                let any = |what: &dyn Fn(&ServiceOutline) -> bool| self.services.iter().any(what);
                any(&|outline| outline.longest_us >= wanted.shortest_us)
                    && wanted.has.iter().all(|name| any(&|outline| has(outline, name)))
            }
        }
    }
}
