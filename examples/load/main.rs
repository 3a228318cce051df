//! Load tool: posts generated spans to a server that speaks zipkin's API, reads a sample back, and reports what they cost
//! the server in CPU time. The client's own CPU is not counted.
//!
//! The load: traces of 6-30 spans (mean 18), 40 services with 5 span names each, 2.8 tags a span, messages of one
//! reporting service, keep-alive connections; closed loop, or open loop with `--rate`.
//!
//! `cargo run --release --example load -- --pid $(pidof zipkind) --spans 1000000`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its user")]

mod client;
mod cpu;
mod kafka;
mod otlp;
mod spans;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

use client::{Connection, read_back};
use spans::{Generator, Message};

/// What to send, and where.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// Address of the server.
    #[arg(long, default_value = "127.0.0.1:9411")]
    pub(crate) address: String,
    /// Brokers to send to instead of a server; nothing is measured or read back then.
    #[arg(long)]
    pub(crate) kafka: Option<String>,
    /// Sends nothing, but reads back what a run with the same `--seed` and `--start-us` sent to Kafka.
    #[arg(long)]
    pub(crate) check: bool,
    /// The topic for `--kafka`.
    #[arg(long, default_value = "zipkin")]
    pub(crate) topic: String,
    /// Process (or several, a database too) whose CPU time is counted.
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// How many spans to send, after the warm-up.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) spans: u64,
    /// How many spans to send first, uncounted.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) warm_up: u64,
    /// Spans in a message.
    #[arg(long, default_value_t = 100)]
    pub(crate) per_message: usize,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: u64,
    /// Spans per second over all connections; 0 = as fast as answers come.
    #[arg(long, default_value_t = 0)]
    pub(crate) rate: u64,
    /// What is sent, and how.
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) format: SentFormat,
    /// One trace of this many is remembered, to be read back.
    #[arg(long, default_value_t = 97)]
    pub(crate) sample_every: u64,
    /// Traces that are read back and compared, span by span.
    #[arg(long, default_value_t = 200)]
    pub(crate) read_back: usize,
    /// Seed of the generator: equal seeds send equal spans.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Epoch microseconds of the first trace; 0 = an hour ago.
    #[arg(long, default_value_t = 0)]
    pub(crate) start_us: i64,
    /// Most seconds the whole run may take.
    #[arg(long, default_value_t = 600)]
    pub(crate) seconds_max: u64,
}

/// Formats, each with the way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SentFormat {
    /// Zipkin's JSON v2.
    Json,
    /// Zipkin's protobuf over HTTP.
    Proto3,
    /// Zipkin's protobuf over gRPC.
    Grpc,
    /// OTLP as protobuf over HTTP.
    Otlp,
    /// OTLP as JSON over HTTP.
    OtlpJson,
    /// OTLP over gRPC.
    OtlpGrpc,
}

impl SentFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Proto3 => "proto3",
            Self::Grpc => "grpc",
            Self::Otlp => "otlp",
            Self::OtlpJson => "otlp-json",
            Self::OtlpGrpc => "otlp-grpc",
        }
    }
}

#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    spans_accepted: AtomicU64,
    messages_refused: AtomicU64,
    bytes: AtomicU64,
}

fn main() {
    let options = Arc::new(Options::parse());
    if options.check {
        return kafka::check(&options);
    }
    if let Some(servers) = &options.kafka {
        return kafka::fill(&options, servers);
    }
    let warm_up = run(&options, 0, options.warm_up);
    cpu::settle(&options.pid);
    let before = cpu::seconds(&options.pid);
    let started = Instant::now();
    let measured = run(&options, 1, options.spans);
    let wall = started.elapsed();
    // Work that was put off belongs to the bill: wait until the server is quiet.
    cpu::settle(&options.pid);
    let cpu_seconds = cpu::seconds(&options.pid) - before;
    let samples = [warm_up.samples, measured.samples].concat();
    let missing = read_back(&options, &samples);
    let accepted = measured.tally.spans_accepted.load(Ordering::Relaxed);
    let mut latencies = measured.latencies;
    latencies.sort_unstable();
    let quantile = |q: f64| latencies.get(((latencies.len() as f64 - 1.0) * q) as usize).copied().unwrap_or_default();
    let report = serde_json::json!({
        "format": options.format.name(), "per_message": options.per_message, "spans_accepted": accepted,
        "messages_refused": measured.tally.messages_refused.load(Ordering::Relaxed),
        "bytes_per_span": measured.tally.bytes.load(Ordering::Relaxed) / accepted.max(1),
        "wall_seconds": wall.as_secs_f64(), "cpu_seconds": cpu_seconds,
        "spans_per_wall_second": (accepted as f64 / wall.as_secs_f64()).round(),
        "spans_per_cpu_second": (accepted as f64 / cpu_seconds.max(0.01)).round(),
        "post_ms_p50": quantile(0.5).as_secs_f64() * 1e3, "post_ms_p99": quantile(0.99).as_secs_f64() * 1e3,
        "traces_read_back": samples.len().min(options.read_back), "spans_missing": missing,
        "rss_mib": cpu::rss_mib(&options.pid),
    });
    println!("{report}");
    if missing > 0 {
        eprintln!("{missing} spans that were accepted are not there");
        std::process::exit(1);
    }
}

struct Outcome {
    tally: Arc<Tally>,
    latencies: Vec<Duration>,
    /// Of a sample of traces: id and the span ids that were accepted.
    samples: Vec<(String, Vec<String>)>,
}

fn run(options: &Arc<Options>, phase: u64, spans: u64) -> Outcome {
    let tally = Arc::new(Tally::default());
    let workers: Vec<_> = (0..options.connections)
        .map(|number| {
            let (options, tally) = (Arc::clone(options), Arc::clone(&tally));
            let share = spans / options.connections;
            std::thread::spawn(move || work(&options, &tally, phase * 1_000 + number, share))
        })
        .collect();
    let mut outcome = Outcome { tally, latencies: Vec::new(), samples: Vec::new() };
    for worker in workers {
        let (latencies, samples) = worker.join().unwrap_or_else(|_| std::process::exit(2));
        outcome.latencies.extend(latencies);
        outcome.samples.extend(samples);
    }
    outcome
}

type Work = (Vec<Duration>, Vec<(String, Vec<String>)>);

fn work(options: &Options, tally: &Tally, stream: u64, share: u64) -> Work {
    let mut generator = Generator::new(options, stream);
    let mut connection = Connection::open(&options.address, options.format);
    let started = Instant::now();
    let (mut latencies, mut sent) = (Vec::new(), 0_u64);
    while sent < share && started.elapsed().as_secs() < options.seconds_max {
        let left = (share - sent) as usize;
        let message: Message = generator.next_message(options.per_message.min(left));
        let due = due_at(options, started, sent);
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
        let from = if options.rate == 0 { Instant::now() } else { due };
        let accepted = connection.post(&message.body);
        latencies.push(from.elapsed());
        sent += message.spans as u64;
        tally.sent.fetch_add(message.spans as u64, Ordering::Relaxed);
        if accepted {
            tally.spans_accepted.fetch_add(message.spans as u64, Ordering::Relaxed);
            tally.bytes.fetch_add(message.body.len() as u64, Ordering::Relaxed);
            generator.accepted(message);
        } else {
            tally.messages_refused.fetch_add(1, Ordering::Relaxed);
        }
    }
    (latencies, generator.into_samples())
}

/// Open loop: when the next message of this connection is due, whatever became of the ones before.
fn due_at(options: &Options, started: Instant, sent: u64) -> Instant {
    if options.rate == 0 {
        return started;
    }
    started + Duration::from_secs_f64(sent as f64 * options.connections as f64 / options.rate as f64)
}
