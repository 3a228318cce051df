//! The in-memory store: writing, finding, linking, and what a million spans weigh.
//!
//! `cargo bench --bench store`; times are CPU of one thread. The spans are those of `examples/load`: traces of 6 to 30
//! spans over 40 services, about 400 bytes each as JSON, in messages of one reporting service.

#[path = "store/spans.rs"]
mod spans;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use spans::Generator;
use tokio::runtime::Runtime;
use zipkind::model::QueryRequest;
use zipkind::model::red::{RED_SERIES_MAX, RedRequest};
use zipkind::storage::{Batch, MemoryConfig, MemoryStorage, QueryBudget, SpanConsumer, SpanStore, StorageOptions};

const SPANS: usize = 500_000;
const MESSAGE_SPANS: usize = 100;

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

fn store(spans_max: usize) -> MemoryStorage {
    MemoryStorage::new(MemoryConfig { spans_max, bytes_max: 8 << 30 }, StorageOptions::default())
}

fn messages(generator: &mut Generator, spans: usize, message_spans: usize) -> Vec<Batch> {
    let message = |_| Batch { spans: generator.next_message(message_spans), position: None };
    (0..spans / message_spans).map(message).collect()
}

fn filled(runtime: &Runtime, generator: &mut Generator, spans: usize) -> MemoryStorage {
    let store = store(spans);
    for batch in messages(generator, spans, MESSAGE_SPANS) {
        runtime.block_on(store.write(&[batch]));
    }
    store
}

fn write(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("memory/write");
    group.sample_size(10).throughput(Throughput::Elements(100_000));
    for message_spans in [1, 10, 100, 1_000] {
        let mut generator = Generator::new(1);
        group.bench_function(format!("{message_spans} a message, growing"), |bencher| {
            bencher.iter_batched_ref(
                || (store(10_000_000), messages(&mut generator, 100_000, message_spans)),
                |(store, batches)| batches.iter().for_each(|batch| write_one(&runtime, store, batch)),
                BatchSize::PerIteration,
            );
        });
    }
    let mut generator = Generator::new(2);
    let full = filled(&runtime, &mut generator, SPANS);
    group.bench_function("100 a message, evicting as many", |bencher| {
        bencher.iter_batched_ref(
            || messages(&mut generator, 100_000, 100),
            |batches| batches.iter().for_each(|batch| write_one(&runtime, &full, batch)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn write_one(runtime: &Runtime, store: &MemoryStorage, batch: &Batch) {
    black_box(runtime.block_on(store.write(std::slice::from_ref(batch))));
}

fn read(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut generator = Generator::new(3);
    let store = filled(&runtime, &mut generator, SPANS);
    let budget = QueryBudget::unlimited();
    let end_ts_ms = generator.clock_us() / 1_000 + 60_000;
    let any = || QueryRequest::window(end_ts_ms, 86_400_000, 10);
    let of = |service: &str| QueryRequest { service_name: Some(service.to_owned()), ..any() };
    let tagged = |text: &str, request: QueryRequest| QueryRequest {
        annotation_query: QueryRequest::parse_annotation_query(text),
        ..request
    };
    let searches = [
        ("newest", any()),
        ("service", of("service-07")),
        ("service, 1000 traces", QueryRequest { limit: 1_000, ..of("service-07") }),
        ("service and span name", QueryRequest { span_name: Some("get /resource3/of7".into()), ..of("service-07") }),
        ("service and error", tagged("error", of("service-07"))),
        ("rare tag", tagged("http.path=/resource3/item/77", any())),
        ("tag that is nowhere", tagged("http.path=/nowhere", any())),
        ("service and long duration", QueryRequest { min_duration_us: Some(400_000), ..of("service-07") }),
        ("longer than any", QueryRequest { min_duration_us: Some(1 << 30), ..of("service-07") }),
        ("unknown service", of("nobody")),
        ("old window", QueryRequest { end_ts_ms: end_ts_ms - 65_000, ..of("service-07") }),
    ];
    let mut group = criterion.benchmark_group("memory/search of 500000");
    group.measurement_time(Duration::from_secs(2)).sample_size(20);
    for (name, request) in &searches {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| black_box(runtime.block_on(store.search(request, &budget))));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("memory/dependencies of 500000");
    group.measurement_time(Duration::from_secs(2)).sample_size(10);
    let start = Instant::now();
    let links = runtime.block_on(store.dependencies(end_ts_ms, 86_400_000, &budget)).map_or(0, |links| links.len());
    say(&format!("first dependencies: {links} links in {:?}", start.elapsed()));
    group.bench_function("unchanged", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(store.dependencies(end_ts_ms, 86_400_000, &budget))));
    });
    group.bench_function("after 100 new spans", |bencher| {
        bencher.iter_batched(
            || write_one(&runtime, &store, &messages(&mut generator, 100, 100)[0]),
            |()| black_box(runtime.block_on(store.dependencies(end_ts_ms, 86_400_000, &budget))),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn red(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut generator = Generator::new(5);
    let store = filled(&runtime, &mut generator, SPANS);
    let budget = QueryBudget::unlimited();
    let end_minute = generator.clock_us() / 60_000_000 + 1;
    let all = RedRequest {
        service_name: None,
        span_name: None,
        remote_service_name: None,
        start_minute: end_minute - 1_440,
        end_minute,
        step_minutes: 1,
        series_max: RED_SERIES_MAX,
    };
    let of_one = RedRequest { service_name: Some("service-07".to_owned()), ..all.clone() };
    let ask = |request| runtime.block_on(store.red(request, &budget)).map_or(0, |red| red.series.len());
    let start = Instant::now();
    let series = ask(&all);
    say(&format!("first red: {series} series in {:?}", start.elapsed()));
    let mut group = criterion.benchmark_group("memory/red of 500000");
    group.measurement_time(Duration::from_secs(2)).sample_size(10);
    group.bench_function("all services and calls, unchanged", |bencher| bencher.iter(|| black_box(ask(&all))));
    group.bench_function("one service by name, unchanged", |bencher| bencher.iter(|| black_box(ask(&of_one))));
    group.bench_function("after 100 new spans", |bencher| {
        bencher.iter_batched(
            || write_one(&runtime, &store, &messages(&mut generator, 100, 100)[0]),
            |()| black_box(ask(&all)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn memory(_: &mut Criterion) {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
    };
    let runtime = runtime();
    for message_spans in [100, 1] {
        let mut generator = Generator::new(4);
        let store = store(2_000_000);
        let before = resident();
        for _ in 0..1_000_000 / message_spans {
            let batch = Batch { spans: generator.next_message(message_spans), position: None };
            write_one(&runtime, &store, &batch);
        }
        let grown = (resident() - before) / 1_000_000;
        say(&format!("1000000 spans, {message_spans} a message: {grown} MB resident, {:?}", store.stats()));
    }
}

#[allow(clippy::print_stderr, reason = "a bench talks to its terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}

criterion_group!(benches, memory, write, read, red);
criterion_main!(benches);
