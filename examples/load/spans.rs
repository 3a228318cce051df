//! Deterministic spans of a made-up system of 40 services.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use zipkind::codec::{self, DecodeLimits, Format};

use crate::{Options, SentFormat, otlp};

const SERVICES: usize = 40;

/// Some bytes to post, and what is in them.
pub(crate) struct Message {
    pub(crate) body: Vec<u8>,
    pub(crate) spans: usize,
    /// (trace id, span id) of sampled traces.
    sampled: Vec<(String, String)>,
}

struct Pending {
    json: String,
    sampled: Option<(String, String)>,
}

/// Makes traces and hands out their spans grouped by the service that reports them.
pub(crate) struct Generator {
    state: u64,
    traces: u64,
    sample_every: u64,
    clock_us: i64,
    format: SentFormat,
    pending: Vec<Vec<Pending>>,
    samples: HashMap<String, Vec<String>>,
}

impl Generator {
    /// A stream of its own for each connection and phase.
    #[allow(clippy::disallowed_methods, reason = "spans shall look as if they had just happened")]
    pub(crate) fn new(options: &Options, stream: u64) -> Self {
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
        let start_us = if options.start_us > 0 { options.start_us } else { now_us - 3_600_000_000 };
        Self {
            state: options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (stream + 1).wrapping_mul(0xd134_2543_de82_ef95),
            traces: 0,
            sample_every: options.sample_every.max(1),
            clock_us: start_us,
            format: options.format,
            pending: (0..SERVICES).map(|_| Vec::new()).collect(),
            samples: HashMap::new(),
        }
    }

    /// The next message of at most `size` spans of one service.
    pub(crate) fn next_message(&mut self, size: usize) -> Message {
        let service = loop {
            if let Some(service) = self.pending.iter().position(|spans| spans.len() >= size) {
                break service;
            }
            self.add_trace();
        };
        let rest = self.pending[service].split_off(size);
        let spans = std::mem::replace(&mut self.pending[service], rest);
        let mut body = String::with_capacity(size * 440);
        body.push('[');
        for (index, span) in spans.iter().enumerate() {
            if index > 0 {
                body.push(',');
            }
            body.push_str(&span.json);
        }
        body.push(']');
        let sampled = spans.into_iter().filter_map(|span| span.sampled).collect();
        Message { body: self.encode(body), spans: size, sampled }
    }

    fn encode(&self, json: String) -> Vec<u8> {
        if self.format == SentFormat::Json {
            return json.into_bytes();
        }
        match codec::decode(Format::JsonV2, json.as_bytes(), &DecodeLimits::default()) {
            Ok(batch) => match self.format {
                SentFormat::OtlpJson => otlp::json(&batch),
                SentFormat::Otlp | SentFormat::OtlpGrpc => otlp::protobuf(&batch),
                SentFormat::Json | SentFormat::Proto3 | SentFormat::Grpc => codec::proto3::encode(&batch),
            },
            Err(error) => {
                eprintln!("the generator made a bad span: {error}");
                std::process::exit(2);
            }
        }
    }

    /// Notes that the server took the message.
    pub(crate) fn accepted(&mut self, message: Message) {
        for (trace_id, id) in message.sampled {
            self.samples.entry(trace_id).or_default().push(id);
        }
    }

    /// The sampled traces with the spans that were accepted.
    pub(crate) fn into_samples(self) -> Vec<(String, Vec<String>)> {
        let mut samples: Vec<_> = self.samples.into_iter().collect();
        samples.sort();
        samples
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
        self.traces += 1;
        let sampled = self.traces.is_multiple_of(self.sample_every);
        let trace_id = format!("{:016x}{:016x}", self.random() | 1 << 60, self.random());
        self.clock_us += self.below(2_000) as i64;
        let count = 6 + self.below(25) as usize;
        let mut ids: Vec<(u64, usize)> = Vec::with_capacity(count);
        for index in 0..count {
            let id = self.random() | 1;
            let service = self.below(SERVICES as u64) as usize;
            let parent = if index == 0 { None } else { Some(ids[self.below(index as u64) as usize]) };
            ids.push((id, service));
            let json = self.span(&trace_id, id, parent.map(|(id, _)| id), service, index);
            let sampled = sampled.then(|| (trace_id.clone(), format!("{id:016x}")));
            self.pending[service].push(Pending { json, sampled });
        }
    }

    fn span(&mut self, trace_id: &str, id: u64, parent: Option<u64>, service: usize, index: usize) -> String {
        let timestamp = self.clock_us + index as i64 * 700 + self.below(500) as i64;
        let magnitude = self.below(14);
        let duration = 50 + self.below(1 << (6 + magnitude));
        let name = self.below(5);
        let remote = self.below(SERVICES as u64);
        let client = index % 2 == 1;
        let mut json = String::with_capacity(440);
        let _ = write!(json, r#"{{"traceId":"{trace_id}","#);
        if let Some(parent) = parent {
            let _ = write!(json, r#""parentId":"{parent:016x}","#);
        }
        let kind = if client { "CLIENT" } else { "SERVER" };
        let _ = write!(
            json,
            r#""id":"{id:016x}","kind":"{kind}","name":"get /resource{name}/of{service}","timestamp":{timestamp},"duration":{duration},"localEndpoint":{{"serviceName":"service-{service:02}","ipv4":"10.1.{service}.{name}","port":8080}}"#
        );
        if client {
            let _ =
                write!(json, r#","remoteEndpoint":{{"serviceName":"service-{remote:02}","ipv4":"10.1.{remote}.1"}}"#);
        }
        let status = if self.below(50) == 0 { 500 } else { 200 };
        let _ =
            write!(json, r#","tags":{{"http.method":"GET","http.path":"/resource{name}/item/{}""#, self.below(100_000));
        if self.below(10) < 8 {
            let _ = write!(json, r#","http.status_code":"{status}""#);
        }
        if status == 500 {
            json.push_str(r#","error":"internal server error""#);
        }
        json.push_str("}}");
        json
    }
}
