//! One v1 span into the spans of each side it tells about.

use std::collections::HashMap;

use super::{V1Annotation, V1Span, V1Value};
use crate::model::{Endpoint, SpanBatch, SpanBuilder, SpanKind, cmp_utf16};

/// Turns v1 spans into v2 spans, one or more each. Keeps its memory from span to span.
#[derive(Debug, Default)]
pub struct V1Converter {
    /// The sides found so far; the first exists always and takes what belongs to nobody.
    parts: Vec<SpanBuilder>,
    used: usize,
    /// The first part of each service name. A map, because a hostile span may name thousands.
    part_of_service: HashMap<Option<String>, usize>,
    parts_max: usize,
    overflowed: bool,
}

/// Why a v1 span is not converted: what comes out would be far more than what went in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum V1Error {
    /// The spans of the message, split by side, are more than the limit.
    #[error("too many spans")]
    TooManySpans,
    /// Every side repeats the name.
    #[error("a name of more than {LONG_NAME_BYTES} bytes in a span of more than {LONG_NAME_PARTS_MAX} services")]
    LongNameOfManyServices,
}

/// Names beyond this are long.
const LONG_NAME_BYTES: usize = 256;
/// Most sides of a span with a long name. Real spans have two; 100,000 sides of a name of 5 MB took 500 GB.
const LONG_NAME_PARTS_MAX: usize = 16;

/// A core annotation. It has an endpoint, or it would not be one.
#[derive(Clone, Copy)]
struct Mark<'a> {
    timestamp_us: i64,
    endpoint: &'a Endpoint,
}

#[derive(Clone, Copy, Default)]
struct Core<'a> {
    cs: Option<Mark<'a>>,
    cr: Option<Mark<'a>>,
    sr: Option<Mark<'a>>,
    ss: Option<Mark<'a>>,
    ms: Option<Mark<'a>>,
    mr: Option<Mark<'a>>,
    ws: Option<Mark<'a>>,
    wr: Option<Mark<'a>>,
}

impl V1Converter {
    /// A converter without memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the v2 spans of `source` to `batch`.
    ///
    /// # Errors
    /// [`V1Error`] when the batch would hold more than `spans_max` or grow out of proportion; it is unchanged then.
    pub fn convert(&mut self, mut source: V1Span, spans_max: usize, batch: &mut SpanBatch) -> Result<(), V1Error> {
        source
            .annotations
            .sort_by(|a, b| a.timestamp_us.cmp(&b.timestamp_us).then_with(|| cmp_utf16(&a.value, &b.value)));
        source.binary_annotations.sort_by(|a, b| cmp_utf16(&a.key, &b.key));
        source.timestamp_us = source.timestamp_us.max(0);
        source.duration_us = source.duration_us.max(0);
        let spans_left = spans_max.saturating_sub(batch.len());
        let long_name = source.name.len() > LONG_NAME_BYTES;
        self.parts_max = if long_name { spans_left.min(LONG_NAME_PARTS_MAX) } else { spans_left };
        self.begin(&source);
        let core = self.take_annotations(&source);
        self.set_call_times(&source, &core);
        self.set_messaging_times(&source, &core);
        self.take_binary_annotations(&source, &core);
        if self.overflowed {
            let name_is_why = long_name && spans_left > LONG_NAME_PARTS_MAX;
            return Err(if name_is_why { V1Error::LongNameOfManyServices } else { V1Error::TooManySpans });
        }
        for part in &mut self.parts[..self.used] {
            // Both ids are set in every part, so finishing cannot fail.
            let _ = part.finish(batch);
        }
        Ok(())
    }

    fn begin(&mut self, source: &V1Span) {
        self.used = 0;
        self.overflowed = false;
        self.part_of_service.clear();
        self.add_part(source, None);
    }

    /// Appends a part and returns its index. Beyond the limit everything goes to the first one.
    fn add_part(&mut self, source: &V1Span, endpoint: Option<&Endpoint>) -> usize {
        if self.used >= self.parts_max.max(1) {
            self.overflowed = true;
            return 0;
        }
        self.overflowed |= self.parts_max == 0;
        if self.used == self.parts.len() {
            self.parts.push(SpanBuilder::new());
        }
        let part = &mut self.parts[self.used];
        part.clear();
        part.set_trace_id(source.trace_id);
        if let Some(parent_id) = source.parent_id {
            part.set_parent_id(parent_id);
        }
        part.set_id(source.id);
        part.set_name(&source.name);
        part.set_debug(source.debug);
        self.used += 1;
        if let Some(endpoint) = endpoint {
            self.set_local_endpoint(self.used - 1, endpoint);
        }
        self.used - 1
    }

    fn set_local_endpoint(&mut self, part: usize, endpoint: &Endpoint) {
        self.parts[part].local_endpoint.set(endpoint);
        self.part_of_service.entry(endpoint.service_name.clone()).or_insert(part);
    }

    /// The part that data of this endpoint belongs to: the first without endpoint or of the same service, else a new
    /// one.
    fn part_for(&mut self, source: &V1Span, endpoint: Option<&Endpoint>) -> &mut SpanBuilder {
        let index = match endpoint {
            None => 0,
            Some(endpoint) if self.parts[0].local_endpoint.is_empty() => {
                self.set_local_endpoint(0, endpoint);
                0
            }
            Some(endpoint) => match self.part_of_service.get(&endpoint.service_name) {
                Some(&index) => index,
                None => self.add_part(source, Some(endpoint)),
            },
        };
        &mut self.parts[index]
    }

    /// Hands annotations to their parts, but keeps the core ones apart: they become kinds and times.
    fn take_annotations<'s>(&mut self, source: &'s V1Span) -> Core<'s> {
        let mut core = Core::default();
        for annotation in &source.annotations {
            let part = self.part_for(source, annotation.endpoint.as_deref());
            let kind = match (core.slot(annotation), &annotation.endpoint) {
                (Some((slot, kind)), Some(endpoint)) => {
                    *slot = Some(Mark { timestamp_us: annotation.timestamp_us, endpoint });
                    kind
                }
                _ => {
                    part.add_annotation(annotation.timestamp_us, &annotation.value);
                    continue;
                }
            };
            if kind.is_some() {
                part.set_kind(kind);
            }
        }
        // Tracers that think in spans may leave out the start, when the end is where the span ends.
        let start = |end: Option<Mark<'s>>| {
            let ends_span = end.is_some_and(|end| {
                source.timestamp_us > 0
                    && source.duration_us > 0
                    && source.timestamp_us.checked_add(source.duration_us) == Some(end.timestamp_us)
            });
            end.filter(|_| ends_span).map(|end| Mark { timestamp_us: source.timestamp_us, ..end })
        };
        core.cs = core.cs.or_else(|| start(core.cr));
        core.sr = core.sr.or_else(|| start(core.ss));
        core
    }

    fn set_call_times(&mut self, source: &V1Span, core: &Core<'_>) {
        match (core.cs, core.cr, core.sr, core.ss) {
            (Some(cs), cr, Some(sr), ss) => self.set_both_sides(source, (cs, cr), (sr, ss)),
            (Some(cs), Some(cr), None, _) => self.set_times(source, cs, Some(cr)),
            (None, _, Some(sr), Some(ss)) => self.set_times(source, sr, Some(ss)),
            _ => self.set_incomplete(source, core),
        }
        // v1 has no flag for it: a server that leaves times to the client shares the client's span.
        if let (None, Some(sr)) = (core.cs, core.sr) {
            let times_left_out = source.timestamp_us == 0 || (core.ss.is_some() && source.duration_us == 0);
            if times_left_out {
                self.part_for(source, Some(sr.endpoint)).set_shared(true);
            }
        }
    }

    fn set_both_sides(
        &mut self,
        source: &V1Span,
        (cs, cr): (Mark<'_>, Option<Mark<'_>>),
        (sr, ss): (Mark<'_>, Option<Mark<'_>>),
    ) {
        // The span's own times are the client's.
        self.set_times(source, cs, cr);
        let server = self.other_side(source, (cs, SpanKind::Client), (sr, SpanKind::Server));
        server.set_shared(true);
        server.set_timestamp_us(sr.timestamp_us);
        if let Some(ss) = ss {
            server.set_duration_us(ss.timestamp_us.saturating_sub(sr.timestamp_us));
        }
        if cr.is_none() && source.duration_us == 0 {
            // One way: nobody waited for an answer.
            self.part_for(source, Some(cs.endpoint)).set_duration_us(0);
        }
    }

    /// The part of the second side, forked from the first where a service calls itself.
    fn other_side(
        &mut self,
        source: &V1Span,
        (near, near_kind): (Mark<'_>, SpanKind),
        (far, far_kind): (Mark<'_>, SpanKind),
    ) -> &mut SpanBuilder {
        if near.endpoint.service_name != far.endpoint.service_name {
            return self.part_for(source, Some(far.endpoint));
        }
        self.part_for(source, Some(near.endpoint)).set_kind(Some(near_kind));
        let index = self.add_part(source, Some(far.endpoint));
        let fork = &mut self.parts[index];
        fork.set_kind(Some(far_kind));
        fork
    }

    /// The times of the span if it has both, else those of its annotations.
    fn set_times(&mut self, source: &V1Span, begin: Mark<'_>, end: Option<Mark<'_>>) {
        let part = self.part_for(source, Some(begin.endpoint));
        if source.timestamp_us > 0 && source.duration_us > 0 {
            part.set_timestamp_us(source.timestamp_us);
            part.set_duration_us(source.duration_us);
        } else {
            part.set_timestamp_us(begin.timestamp_us);
            if let Some(end) = end {
                part.set_duration_us(end.timestamp_us.saturating_sub(begin.timestamp_us));
            }
        }
    }

    fn set_incomplete(&mut self, source: &V1Span, core: &Core<'_>) {
        for part in &mut self.parts[..self.used] {
            let (begin, end, end_value) = match part.kind() {
                Some(SpanKind::Client) => (core.cs, core.cr, "cr"),
                Some(SpanKind::Server) => (core.sr, core.ss, "ss"),
                _ => continue,
            };
            if let Some(begin) = begin {
                part.set_timestamp_us(begin.timestamp_us);
            }
            if let Some(end) = end {
                part.add_annotation(end.timestamp_us, end_value);
            }
        }
        if source.timestamp_us > 0 {
            self.parts[0].set_timestamp_us(source.timestamp_us);
            self.parts[0].set_duration_us(source.duration_us);
        }
    }

    fn set_messaging_times(&mut self, source: &V1Span, core: &Core<'_>) {
        match (core.ms, core.mr) {
            (Some(ms), Some(mr)) => {
                let consumer = self.other_side(source, (ms, SpanKind::Producer), (mr, SpanKind::Consumer));
                consumer.set_shared(true);
                let begin = core.wr.unwrap_or(mr);
                consumer.set_timestamp_us(begin.timestamp_us);
                consumer.set_duration_us(mr.timestamp_us.saturating_sub(begin.timestamp_us));
                let producer = self.part_for(source, Some(ms.endpoint));
                producer.set_timestamp_us(ms.timestamp_us);
                let end_us = core.ws.map_or(ms.timestamp_us, |ws| ws.timestamp_us);
                producer.set_duration_us(end_us.saturating_sub(ms.timestamp_us));
            }
            (Some(ms), None) => self.set_times(source, ms, core.ws),
            (None, Some(mr)) => match core.wr {
                Some(wr) => self.set_times(source, wr, Some(mr)),
                None => self.set_times(source, mr, None),
            },
            (None, None) => {
                for (mark, value) in [(core.ws, "ws"), (core.wr, "wr")] {
                    if let Some(mark) = mark {
                        self.part_for(source, Some(mark.endpoint)).add_annotation(mark.timestamp_us, value);
                    }
                }
            }
        }
    }

    fn take_binary_annotations(&mut self, source: &V1Span, core: &Core<'_>) {
        let (mut ca, mut sa, mut ma) = (None, None, None);
        for binary in &source.binary_annotations {
            let endpoint = binary.endpoint.as_deref();
            match (binary.key.as_str(), &binary.value) {
                // Addresses even with text: zipkin-ruby wrote "1" instead of true.
                ("ca", _) => ca = endpoint,
                ("sa", _) => sa = endpoint,
                ("ma", _) => ma = endpoint,
                (_, V1Value::Address) => {}
                // Its only purpose is to carry the endpoint.
                ("lc", V1Value::Text(text)) if text.is_empty() => _ = self.part_for(source, endpoint),
                (key, V1Value::Text(text)) => self.part_for(source, endpoint).add_tag(key, text),
            }
        }
        if [core.cs, core.cr, core.sr, core.ss].iter().all(Option::is_none) && (ca.is_some() || sa.is_some()) {
            self.set_addresses_of_no_call(source, ca, sa);
        } else {
            self.set_addresses(source, core, ca, sa, ma);
        }
    }

    fn set_addresses_of_no_call(&mut self, source: &V1Span, ca: Option<&Endpoint>, sa: Option<&Endpoint>) {
        match (ca, sa) {
            (Some(ca), Some(sa)) => self.part_for(source, Some(ca)).remote_endpoint.set(sa),
            // A server address is the default for any remote, so it tells no kind; a client address does.
            (None, Some(sa)) => self.parts[0].remote_endpoint.set(sa),
            (Some(ca), None) => {
                self.parts[0].set_kind(Some(SpanKind::Server));
                self.parts[0].remote_endpoint.set(ca);
            }
            (None, None) => {}
        }
    }

    fn set_addresses(
        &mut self,
        source: &V1Span,
        core: &Core<'_>,
        ca: Option<&Endpoint>,
        sa: Option<&Endpoint>,
        ma: Option<&Endpoint>,
    ) {
        if let (Some(ca), Some(server)) = (ca, core.sr.or(core.ss))
            && ca != server.endpoint
        {
            // Finagle names the server's own service with the client's port: keep the port, or it calls itself.
            let mut ca = ca.clone();
            if ca.service_name == server.endpoint.service_name {
                ca.service_name = None;
            }
            self.part_for(source, Some(server.endpoint)).remote_endpoint.set(&ca);
        }
        if let (Some(sa), Some(client)) = (sa, core.cs.or(core.cr)) {
            self.part_for(source, Some(client.endpoint)).remote_endpoint.set(sa);
        }
        for mark in [core.ms, core.mr].into_iter().flatten() {
            if let Some(ma) = ma {
                self.part_for(source, Some(mark.endpoint)).remote_endpoint.set(ma);
            }
        }
    }
}

impl<'a> Core<'a> {
    /// Where this annotation is remembered, and the kind it gives its part. `None` for one that is not core.
    fn slot(&mut self, annotation: &V1Annotation) -> Option<(&mut Option<Mark<'a>>, Option<SpanKind>)> {
        Some(match annotation.value.as_str() {
            "cs" => (&mut self.cs, Some(SpanKind::Client)),
            "cr" => (&mut self.cr, Some(SpanKind::Client)),
            "sr" => (&mut self.sr, Some(SpanKind::Server)),
            "ss" => (&mut self.ss, Some(SpanKind::Server)),
            "ms" => (&mut self.ms, Some(SpanKind::Producer)),
            "mr" => (&mut self.mr, Some(SpanKind::Consumer)),
            "ws" => (&mut self.ws, None),
            "wr" => (&mut self.wr, None),
            _ => return None,
        })
    }
}
