//! Spans per CPU-second through the codecs: messages of 100 spans of about 400 bytes of JSON each.
//!
//! `cargo bench --bench decode`; criterion's `elem/s` are spans.

#![allow(clippy::expect_used, missing_docs, reason = "a bench is no part of the product")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nix::time::{ClockId, clock_gettime};
use zipkind::codec::{DecodeLimits, Format, decode, json_v2, otlp, proto3};
use zipkind::model::SpanBatch;

/// The load tool's spans as OTLP.
#[path = "../examples/load/otlp.rs"]
mod load_otlp;

const SPANS: u64 = 100;

/// Spans of one reporting service, as a tracer flushes them: 2.8 tags each, every second one a client.
fn message() -> String {
    let mut json = String::from("[");
    for index in 0..SPANS {
        // Spread like random ids, the same in every run.
        let id = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let trace_id = (index / 18 + 1).wrapping_mul(0xd134_2543_de82_ef95);
        let client = index % 2 == 1;
        let _ = write!(
            json,
            r#"{}{{"traceId":"{trace_id:016x}{id:016x}","parentId":"{:016x}","id":"{id:016x}","kind":"{}","name":"get /resource{}/of12","timestamp":{},"duration":{},"localEndpoint":{{"serviceName":"service-12","ipv4":"10.1.12.{}","port":8080}}"#,
            if index == 0 { "" } else { "," },
            id ^ trace_id,
            if client { "CLIENT" } else { "SERVER" },
            index % 5,
            1_472_470_996_199_000 + index * 700,
            50 + id % 100_000,
            index % 5,
        );
        if client {
            let _ = write!(
                json,
                r#","remoteEndpoint":{{"serviceName":"service-{}","ipv4":"10.1.{}.1"}}"#,
                id % 40,
                id % 40
            );
        }
        let _ =
            write!(json, r#","tags":{{"http.method":"GET","http.path":"/resource{}/item/{}""#, index % 5, id % 100_000);
        if index % 5 != 0 {
            json.push_str(r#","http.status_code":"200""#);
        }
        json.push_str("}}");
    }
    json + "]"
}

/// Time of this thread on the processor: other work on the machine does not count.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
    }

    fn end(&self, start: Duration) -> Duration {
        self.start().saturating_sub(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn codecs(criterion: &mut Criterion<CpuTime>) {
    let limits = DecodeLimits::default();
    let read = |format, message: &[u8]| -> SpanBatch { decode(format, message, &limits).expect("a good message") };
    let json = message().into_bytes();
    let batch = read(Format::JsonV2, &json);
    let protobuf = proto3::encode(&batch);
    assert_eq!(read(Format::Proto3, &protobuf).len() as u64, SPANS);

    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(SPANS));
    group.bench_function("json_v2_decode", |bencher| bencher.iter(|| read(Format::JsonV2, black_box(&json))));
    group.bench_function("proto3_decode", |bencher| bencher.iter(|| read(Format::Proto3, black_box(&protobuf))));
    let (otlp_protobuf, otlp_json) = (load_otlp::protobuf(&batch), load_otlp::json(&batch));
    let taken = |export: Result<otlp::Export, otlp::OtlpError>| export.expect("a good message").spans;
    assert_eq!(taken(otlp::decode_json(&otlp_json, &limits)), taken(otlp::decode_protobuf(&otlp_protobuf, &limits)));
    group.bench_function("otlp_protobuf_decode", |bencher| {
        bencher.iter(|| taken(otlp::decode_protobuf(black_box(&otlp_protobuf), &limits)));
    });
    group.bench_function("otlp_json_decode", |bencher| {
        bencher.iter(|| taken(otlp::decode_json(black_box(&otlp_json), &limits)));
    });
    let mut out = Vec::new();
    group.bench_function("json_v2_encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            json_v2::write_spans(black_box(&batch), &mut out);
            out.len()
        });
    });
    group.bench_function("proto3_encode", |bencher| bencher.iter(|| proto3::encode(black_box(&batch))));
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().with_measurement(CpuTime); targets = codecs }
criterion_main!(benches);
