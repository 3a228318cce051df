//! RED of random traces against a count made while they are thought up, however they are reported.

use std::collections::BTreeMap;

use fastrand::Rng;
use proptest::prelude::*;

use super::super::*;
use super::told;
use crate::model::{DependencyLinker, Endpoint, Span, SpanBatch, SpanId, TraceId, arrival_order};

const SERVICES: [&str; 5] = ["a", "b", "c", "d", "e"];
const BROKER: &str = "kafka";
const SPANS_MAX: usize = 40;

/// Calls, errors, durations.
type Count = (u64, u64, Vec<i64>);

/// Makes traces and counts what they stand for, without looking at spans again.
#[derive(Default)]
struct Author {
    rng: Rng,
    trace: u64,
    next_id: u64,
    spans: Vec<Span>,
    counts: BTreeMap<(RedKeyText, i64), Count>,
}

type RedKeyText = (u8, String, String);

impl Author {
    fn count(&mut self, key: RedKeyRef<'_>, span: &Span, is_error: bool) {
        let (view, first, second) = key.parts();
        let minute = span.timestamp_us.unwrap() / 60_000_000;
        let count = self.counts.entry(((view, first.to_owned(), second.to_owned()), minute)).or_default();
        count.0 += 1;
        count.1 += u64::from(is_error);
        count.2.extend(span.duration_us);
    }

    fn span(&mut self, service: &str, kind: Option<SpanKind>, parent: Option<u64>, id: u64) -> Span {
        let rng = &mut self.rng;
        let longest = 1_i64 << rng.u8(1..30);
        let span = Span {
            trace_id: TraceId::from_halves(0, self.trace).unwrap(),
            parent_id: parent.map(SpanId::new),
            id: SpanId::new(id),
            kind,
            name: rng.bool().then(|| format!("name{}", rng.u8(..3))),
            timestamp_us: Some(1_600_000_000_000_000 + rng.i64(0..200_000_000)),
            duration_us: (rng.u8(..8) > 0).then(|| rng.i64(1..=longest)),
            local_endpoint: Some(Endpoint { service_name: Some(service.to_owned()), ..Endpoint::default() }),
            remote_endpoint: None,
            annotations: Vec::new(),
            tags: if rng.u8(..4) == 0 { vec![("error".to_owned(), "x".to_owned())] } else { Vec::new() },
            debug: false,
            shared: false,
        };
        if let Some(name) = span.name.clone() {
            let is_error = !span.tags.is_empty();
            self.count(RedKeyRef::Span { service, name: &name, kind }, &span, is_error);
        }
        span
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn is_error(span: &Span) -> bool {
        !span.tags.is_empty()
    }

    /// A trace that begins with a request to, or a job of, a service.
    fn trace(&mut self) {
        self.trace += 1;
        let limit = self.spans.len() + SPANS_MAX;
        let service = SERVICES[self.rng.usize(..SERVICES.len())];
        let kind = self.rng.bool().then_some(SpanKind::Server);
        let id = self.id();
        let root = self.span(service, kind, None, id);
        self.count(RedKeyRef::Service { service }, &root, Self::is_error(&root));
        self.spans.push(root);
        self.work(service, id, limit);
    }

    /// What a service does below a span of it.
    fn work(&mut self, service: &'static str, parent: u64, limit: usize) {
        while self.spans.len() < limit && self.rng.u8(..3) > 0 {
            let child = SERVICES[self.rng.usize(..SERVICES.len())];
            match self.rng.u8(..5) {
                0 => {
                    let id = self.id();
                    let local = self.span(service, None, Some(parent), id);
                    self.spans.push(local);
                    self.work(service, id, limit);
                }
                1 => self.call_shared(service, child, parent, limit),
                2 => self.call_split(service, child, parent, limit),
                3 => {
                    let id = self.id();
                    let mut client = self.span(service, Some(SpanKind::Client), Some(parent), id);
                    client.remote_endpoint =
                        Some(Endpoint { service_name: Some("db".to_owned()), ..Endpoint::default() });
                    self.count(RedKeyRef::Edge { parent: service, child: "db" }, &client, Self::is_error(&client));
                    self.spans.push(client);
                }
                _ => self.send(service, child, parent, limit),
            }
        }
    }

    fn call_shared(&mut self, service: &'static str, child: &'static str, parent: u64, limit: usize) {
        let id = self.id();
        let client = self.span(service, Some(SpanKind::Client), Some(parent), id);
        let mut server = self.span(child, Some(SpanKind::Server), Some(parent), id);
        server.shared = true;
        self.answered(service, child, &server, Self::is_error(&server));
        self.spans.extend([client, server]);
        self.work(child, id, limit);
    }

    fn call_split(&mut self, service: &'static str, child: &'static str, parent: u64, limit: usize) {
        let (client_id, server_id) = (self.id(), self.id());
        let client = self.span(service, Some(SpanKind::Client), Some(parent), client_id);
        let server = self.span(child, Some(SpanKind::Server), Some(client_id), server_id);
        self.answered(service, child, &server, Self::is_error(&server) || Self::is_error(&client));
        self.spans.extend([client, server]);
        self.work(child, server_id, limit);
    }

    fn answered(&mut self, parent: &str, child: &str, server: &Span, has_call_failed: bool) {
        self.count(RedKeyRef::Service { service: child }, server, Self::is_error(server));
        self.count(RedKeyRef::Edge { parent, child }, server, has_call_failed);
    }

    fn send(&mut self, service: &'static str, child: &'static str, parent: u64, limit: usize) {
        let (sent, taken) = (self.id(), self.id());
        let broker = Some(Endpoint { service_name: Some(BROKER.to_owned()), ..Endpoint::default() });
        let mut producer = self.span(service, Some(SpanKind::Producer), Some(parent), sent);
        let mut consumer = self.span(child, Some(SpanKind::Consumer), Some(sent), taken);
        producer.remote_endpoint.clone_from(&broker);
        consumer.remote_endpoint = broker;
        self.count(RedKeyRef::Edge { parent: service, child: BROKER }, &producer, Self::is_error(&producer));
        self.count(RedKeyRef::Edge { parent: BROKER, child }, &consumer, Self::is_error(&consumer));
        self.count(RedKeyRef::Service { service: child }, &consumer, Self::is_error(&consumer));
        self.spans.extend([producer, consumer]);
        self.work(child, taken, limit);
    }

    /// The spans as they might come in: some in two parts, some twice, in any order.
    fn reported(&mut self) -> Vec<Span> {
        let mut reports = Vec::new();
        for span in self.spans.clone() {
            if self.rng.bool() {
                let (mut begin, mut end) = (span.clone(), span.clone());
                (begin.duration_us, begin.tags) = (None, Vec::new());
                (end.timestamp_us, end.name, end.kind, end.parent_id) = (None, None, None, None);
                if self.rng.bool() {
                    end.local_endpoint = None;
                }
                reports.extend([begin, end]);
            } else {
                reports.push(span);
            }
        }
        let again: Vec<Span> = reports.iter().filter(|_| self.rng.u8(..3) == 0).cloned().collect();
        reports.extend(again);
        self.rng.shuffle(&mut reports);
        reports
    }

    fn expected(&self) -> Vec<String> {
        let mut series: BTreeMap<&RedKeyText, Vec<(i64, Red)>> = BTreeMap::new();
        for ((key, minute), (calls, errors, durations)) in &self.counts {
            let mut red = Red { calls: *calls, errors: *errors, ..Red::default() };
            durations.iter().for_each(|duration| red.durations.add(*duration));
            series.entry(key).or_default().push((*minute, red));
        }
        let key = |(view, first, second): &RedKeyText| RedKeyRef::from_parts(*view, first, second).unwrap().to_key();
        let mut answer = RedAnswer::default();
        answer.series.extend(series.into_iter().map(|(text, steps)| RedSeries { key: key(text), steps }));
        answer.series.sort_by(|a, b| a.key.as_ref().cmp(&b.key.as_ref()));
        exactly(&answer)
    }
}

/// The answer in words, with every figure of the durations.
fn exactly(answer: &RedAnswer) -> Vec<String> {
    let durations = answer.series.iter().flat_map(|series| series.steps.iter().map(|step| &step.1.durations));
    told(answer).into_iter().zip(durations).map(|(line, durations)| format!("{line}: {durations:?}")).collect()
}

fn author(seed: u64) -> Author {
    let mut author = Author { rng: Rng::with_seed(seed), ..Author::default() };
    (0..4).for_each(|_| author.trace());
    author
}

/// The traces of reports as a store hands them out.
fn traces(reports: &[Span]) -> Vec<SpanBatch> {
    let mut by_trace: BTreeMap<u64, SpanBatch> = BTreeMap::new();
    for span in reports {
        by_trace.entry(span.trace_id.low()).or_default().append(&[span].into_iter().collect());
    }
    by_trace.into_values().map(arrival_order).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn red_equals_a_naive_recount_however_spans_are_reported(seed in any::<u64>()) {
        let mut author = author(seed);
        let mut table = RedTable::of_everything();
        traces(&author.reported()).iter().for_each(|trace| table.put_trace(trace.iter()));
        prop_assert_eq!(exactly(&table.into_answer()), author.expected());
    }

    #[test]
    fn tables_of_parts_add_up_to_the_table_of_all(seed in any::<u64>()) {
        let mut author = author(seed);
        let mut whole = RedTable::of_everything();
        let mut parts = RedTable::of_everything();
        let traces = traces(&author.reported());
        traces.iter().for_each(|trace| whole.put_trace(trace.iter()));
        for trace in traces.iter().rev() {
            let mut part = RedTable::of_everything();
            part.put_trace(trace.iter());
            parts.add_encoded(&part.encode()).unwrap();
        }
        prop_assert_eq!(parts.encode(), whole.encode());
        prop_assert_eq!(parts.into_answer(), whole.into_answer());
    }

    #[test]
    fn calls_of_all_minutes_are_those_of_the_links(seed in any::<u64>()) {
        let mut author = author(seed);
        let (mut table, mut linker) = (RedTable::of_everything(), DependencyLinker::new());
        for trace in traces(&author.reported()) {
            table.put_trace(trace.iter());
            linker.put_trace(trace.iter());
        }
        let links: BTreeMap<_, _> =
            linker.into_links().into_iter().map(|l| ((l.parent, l.child), (l.call_count, l.error_count))).collect();
        let mut edges = BTreeMap::new();
        for series in table.into_answer().series {
            if let RedKeyRef::Edge { parent, child } = series.key.as_ref() {
                let total = series.total();
                edges.insert((parent.to_owned(), child.to_owned()), (total.calls, total.errors));
            }
        }
        prop_assert_eq!(edges, links);
    }
}
