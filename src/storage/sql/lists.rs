//! Lists of traces: one row, or a few, for each service, day and write, with the terms of the service's spans in these traces.

use super::rows::Postings;
use super::terms;

/// Traces of one list, and its terms, about: it stays in its row's page.
const LIST_TRACES: usize = 500;
const LIST_TERMS: usize = 800;
/// How many terms come together before those that are there already are left out.
const FOLD_TERMS: usize = 2 * LIST_TERMS;

/// Of spans without a service: `service_number("")`.
pub(super) const NO_SERVICE: i32 = 0;

/// The service has spans in the trace on that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::storage) struct PostingRow {
    pub(in crate::storage) service: i32,
    pub(in crate::storage) day: i32,
    pub(in crate::storage) trace_low: i64,
    /// The terms of some of them, as a range of [`Postings::terms`]; `(0, 0)` without any.
    pub(super) terms: (u32, u32),
}

/// A row of the table of services: traces in which it has spans on that day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct ServiceTraces {
    pub(in crate::storage) service: i32,
    pub(in crate::storage) day: i32,
    /// Low halves of trace ids, 8 bytes each, high byte first.
    pub(in crate::storage) traces: Vec<u8>,
    /// Terms of the service's spans in these traces, ascending. Processes of a version before write none, which is NULL.
    pub(in crate::storage) terms: Vec<u8>,
}

impl ServiceTraces {
    /// Sorted rows as lists.
    pub(in crate::storage) fn of(postings: &Postings) -> Vec<Self> {
        let mut lists = Vec::new();
        let services = postings.rows.chunk_by(|left, right| (left.service, left.day) == (right.service, right.day));
        for rows in services {
            let mut open = OpenList::default();
            for trace in rows.chunk_by(|left, right| left.trace_low == right.trace_low) {
                open.add(trace, &postings.terms);
                if open.is_full() {
                    lists.push(std::mem::take(&mut open).close());
                }
            }
            if !open.list.traces.is_empty() {
                lists.push(open.close());
            }
        }
        lists
    }

    /// The traces of a stored list.
    pub(super) fn read(traces: &[u8]) -> impl Iterator<Item = i64> {
        traces.as_chunks::<8>().0.iter().map(|low| i64::from_be_bytes(*low))
    }

    /// Tells equal lists.
    pub(in crate::storage) fn content(&self) -> i64 {
        let mut value = Vec::with_capacity(self.traces.len() + self.terms.len() + 4);
        value.extend_from_slice(&(self.traces.len() as u32).to_be_bytes());
        value.extend_from_slice(&self.traces);
        value.extend_from_slice(&self.terms);
        super::fragment::content(&value)
    }
}

/// A list that is being filled.
#[derive(Default)]
struct OpenList {
    list: ServiceTraces,
    terms: Vec<u32>,
    /// Terms at the front that are known to differ.
    folded: usize,
}

impl OpenList {
    /// Adds a trace: its rows.
    fn add(&mut self, trace: &[PostingRow], terms: &[u32]) {
        let Some(first) = trace.first() else { return };
        (self.list.service, self.list.day) = (first.service, first.day);
        self.list.traces.extend_from_slice(&first.trace_low.to_be_bytes());
        for row in trace {
            let (from, to) = row.terms;
            self.terms.extend_from_slice(&terms[from as usize..to as usize]);
        }
        if self.terms.len() >= self.folded + FOLD_TERMS {
            self.fold();
        }
    }

    fn fold(&mut self) {
        terms::fold(&mut self.terms);
        self.folded = self.terms.len();
    }

    fn is_full(&self) -> bool {
        self.list.traces.len() >= LIST_TRACES * 8 || self.folded >= LIST_TERMS
    }

    fn close(mut self) -> ServiceTraces {
        self.fold();
        self.list.terms = terms::encode(&self.terms);
        self.list
    }
}

/// How many lists are asked for until there are that many traces of a service: lists are long where services are common.
pub(super) fn list_steps(traces: usize) -> impl Iterator<Item = usize> {
    [32, 512].into_iter().filter(move |step| *step < traces).chain([traces])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(service: i32, day: i32, trace_low: i64, terms: (u32, u32)) -> PostingRow {
        PostingRow { service, day, trace_low, terms }
    }

    #[test]
    fn lists_hold_the_traces_of_one_service_and_day_and_are_bounded() {
        let mut rows: Vec<PostingRow> = (0..LIST_TRACES as i64 + 3).map(|low| row(1, 5, low - 2, (0, 0))).collect();
        rows.extend([row(1, 6, 9, (0, 0)), row(2, 6, i64::MIN, (0, 0))]);
        let lists = ServiceTraces::of(&Postings { rows: rows.clone(), terms: Vec::new() });
        let shown: Vec<_> = lists.iter().map(|list| (list.service, list.day, list.traces.len() / 8)).collect();
        assert_eq!(shown, [(1, 5, LIST_TRACES), (1, 5, 3), (1, 6, 1), (2, 6, 1)]);
        let read: Vec<i64> = lists.iter().flat_map(|list| ServiceTraces::read(&list.traces)).collect();
        assert_eq!(read, rows.iter().map(|row| row.trace_low).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_has_the_terms_of_its_own_traces_each_once() {
        let terms = vec![7, 5, 7, 9, 5, 11];
        let rows = vec![row(1, 5, 1, (0, 2)), row(1, 5, 1, (2, 3)), row(1, 5, 2, (4, 5)), row(2, 5, 1, (3, 4))];
        let lists = ServiceTraces::of(&Postings { rows, terms });
        let shown: Vec<_> = lists.iter().map(|list| (list.traces.len() / 8, list.terms.clone())).collect();
        assert_eq!(shown, [(2, terms::encode(&[5, 7])), (1, terms::encode(&[9]))]);
    }

    #[test]
    fn lists_with_many_terms_have_fewer_traces() {
        let terms: Vec<u32> = (0..40_000).collect();
        let rows = (0..400).map(|n| row(1, 5, n.into(), (n * 100, n * 100 + 100))).collect();
        let lists = ServiceTraces::of(&Postings { rows, terms });
        assert!(lists.iter().all(|list| list.terms.len() <= (FOLD_TERMS + 100) * 4));
        assert_eq!(lists.iter().map(|list| list.terms.len() / 4).sum::<usize>(), 40_000);
        assert_eq!(lists.iter().map(|list| list.traces.len() / 8).sum::<usize>(), 400);
    }
}
