//! Deterministic spans of a made-up system of 40 services, as `examples/load` makes them.

use zipkind::model::{SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

const SERVICES: usize = 40;
/// 2023-11-14
const START_US: i64 = 1_700_000_000_000_000;

/// Makes traces and hands out their spans grouped by the service that reports them.
#[derive(Debug)]
pub(crate) struct Generator {
    state: u64,
    clock_us: i64,
    builder: SpanBuilder,
    pending: Vec<SpanBatch>,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        let pending = (0..SERVICES).map(|_| SpanBatch::new()).collect();
        Self { state: seed, clock_us: START_US, builder: SpanBuilder::new(), pending }
    }

    /// When the last trace began.
    pub(crate) fn clock_us(&self) -> i64 {
        self.clock_us
    }

    /// The next spans of one service.
    pub(crate) fn next_message(&mut self, spans: usize) -> SpanBatch {
        loop {
            if let Some(service) = self.pending.iter().position(|pending| pending.len() >= spans) {
                let pending = std::mem::take(&mut self.pending[service]);
                self.pending[service] = pending.slice(spans, pending.len());
                return if pending.len() == spans { pending } else { pending.slice(0, spans) };
            }
            self.add_trace();
        }
    }

    /// splitmix64
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random() % bound
    }

    fn add_trace(&mut self) {
        let (high, low) = (self.random() | 1 << 60, self.random());
        let Some(trace_id) = TraceId::from_halves(high, low) else { return };
        self.clock_us += self.below(2_000) as i64;
        let count = 6 + self.below(25) as usize;
        let mut ids: Vec<u64> = Vec::with_capacity(count);
        for index in 0..count {
            let id = self.random() | 1;
            let service = self.below(SERVICES as u64) as usize;
            let parent = if index == 0 { 0 } else { ids[self.below(index as u64) as usize] };
            ids.push(id);
            self.fill(trace_id, id, parent, service, index);
            // A span with both ids is always finished.
            let _ = self.builder.finish(&mut self.pending[service]);
        }
    }

    fn fill(&mut self, trace_id: TraceId, id: u64, parent: u64, service: usize, index: usize) {
        let timestamp_us = self.clock_us + index as i64 * 700 + self.below(500) as i64;
        let magnitude = self.below(14);
        let duration_us = 50 + self.below(1 << (6 + magnitude)) as i64;
        let (name, remote, item) = (self.below(5), self.below(SERVICES as u64), self.below(100_000));
        let (status, has_status) = (self.below(50), self.below(10) < 8);
        let is_client = index % 2 == 1;
        let builder = &mut self.builder;
        builder.clear();
        builder.set_trace_id(trace_id);
        builder.set_id(SpanId::new(id));
        builder.set_parent_id(SpanId::new(parent));
        builder.set_kind(Some(if is_client { SpanKind::Client } else { SpanKind::Server }));
        builder.set_name(&format!("get /resource{name}/of{service}"));
        builder.set_timestamp_us(timestamp_us);
        builder.set_duration_us(duration_us);
        builder.local_endpoint.set_service_name(&format!("service-{service:02}"));
        builder.local_endpoint.set_ip(&format!("10.1.{service}.{name}"));
        builder.local_endpoint.set_port(8080);
        if is_client {
            builder.remote_endpoint.set_service_name(&format!("service-{remote:02}"));
            builder.remote_endpoint.set_ip(&format!("10.1.{remote}.1"));
        }
        builder.add_tag("http.method", "GET");
        builder.add_tag("http.path", &format!("/resource{name}/item/{item}"));
        if has_status {
            builder.add_tag("http.status_code", if status == 0 { "500" } else { "200" });
        }
        if status == 0 {
            builder.add_tag("error", "internal server error");
        }
    }
}
