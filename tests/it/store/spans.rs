//! Random traces, the same in every run.

use zipkind::model::{SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

/// Where they lie: some days ago, so that no store thinks them from the future.
pub(super) const T_MS: i64 = 1_700_000_000_000;

const KINDS: [Option<SpanKind>; 5] =
    [None, Some(SpanKind::Client), Some(SpanKind::Server), Some(SpanKind::Producer), Some(SpanKind::Consumer)];

/// What texts may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// Whatever the model takes.
    Any,
    /// What the columns of zipkin's tables take, each id reported once, or by both sides of a call.
    Plain,
}

/// Messages of some spans each: traces in parts, late, repeated; with 64 and 128 bits, with and without times.
pub(super) fn messages(seed: u64, traces: u64, texts: Texts) -> Vec<SpanBatch> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = SpanBatch::new();
    for number in 0..traces {
        let high = if random.u8(..3) == 0 { random.u64(1..) } else { 0 };
        // Some share their low half.
        let (high, low) = if number % 17 == 5 { (number, 0x5f00_0000_0000_0001) } else { (high, random.u64(1..)) };
        let trace_id = TraceId::from_halves(high, low).unwrap();
        for id in 1..=random.u64(1..12) {
            span(&mut random, trace_id, id, texts, &mut all);
            if texts == Texts::Any && random.u8(..8) == 0 {
                span(&mut random, trace_id, id, texts, &mut all);
            }
        }
    }
    let mut order: Vec<usize> = (0..all.len()).collect();
    // Mostly near each other, some far away, some twice.
    for _ in 0..all.len() / 5 {
        let (one, other) = (random.usize(..order.len()), random.usize(..order.len()));
        order.swap(one, other);
    }
    order.extend((0..all.len() / 10).map(|_| random.usize(..all.len())).collect::<Vec<_>>());
    let batch = |part: &[usize]| {
        let mut batch = SpanBatch::new();
        part.iter().for_each(|at| batch.push_record(all.record(*at)));
        batch
    };
    order.chunks(40).map(batch).collect()
}

fn span(random: &mut fastrand::Rng, trace_id: TraceId, id: u64, texts: Texts, batch: &mut SpanBatch) {
    let mut builder = SpanBuilder::new();
    builder.set_trace_id(trace_id);
    builder.set_id(SpanId::new(id));
    if id > 1 {
        builder.set_parent_id(SpanId::new(random.u64(1..id)));
    }
    builder.set_kind(KINDS[random.usize(..KINDS.len())]);
    builder.set_name(&text(random, texts, "get /"));
    let start_us = T_MS * 1000 + random.i64(0..600_000_000);
    if random.u8(..12) > 0 {
        builder.set_timestamp_us(start_us);
        builder.set_duration_us(random.i64(0..5_000_000));
    }
    let service = random.u8(..6);
    builder.local_endpoint.set_service_name(&format!("service{service}"));
    if random.bool() {
        builder.local_endpoint.set_port(random.u16(..));
        builder.local_endpoint.set_ip("10.1.2.3");
    }
    if random.u8(..3) > 0 {
        // A call to oneself is one end there, named twice.
        let other = (service + random.u8(u8::from(texts == Texts::Plain)..6)) % 6;
        builder.remote_endpoint.set_service_name(&format!("service{other}"));
        builder.remote_endpoint.set_ip("2001:db8::7");
    }
    for number in 0..random.u8(..4) {
        builder.add_tag(&format!("key{number}"), &text(random, texts, "value"));
        builder.add_annotation(start_us + i64::from(number), &text(random, texts, "event"));
    }
    if random.u8(..6) == 0 {
        builder.add_tag("error", &text(random, texts, ""));
    }
    builder.set_debug(random.u8(..9) == 0);
    builder.set_shared(texts == Texts::Any && random.u8(..9) == 0);
    builder.finish(batch).unwrap();
    if texts == Texts::Plain && id > 1 {
        other_side(random, batch);
    }
}

/// The server's report of the last span, if that is a client's.
fn other_side(random: &mut fastrand::Rng, batch: &mut SpanBatch) {
    let Some(client) = batch.get(batch.len() - 1).filter(|span| span.kind == Some(SpanKind::Client)) else { return };
    let (Some(service), Some(start_us)) = (client.remote_service_name(), client.timestamp_us) else { return };
    if client.local_service_name() == Some(service) || random.bool() {
        return;
    }
    let mut builder = SpanBuilder::new();
    builder.set_trace_id(client.trace_id);
    builder.set_id(client.id);
    if let Some(parent_id) = client.parent_id {
        builder.set_parent_id(parent_id);
    }
    builder.set_kind(Some(SpanKind::Server));
    builder.set_name(client.name.unwrap_or_default());
    builder.set_timestamp_us(start_us + 50);
    builder.set_duration_us(40);
    builder.local_endpoint.set_service_name(service);
    builder.add_tag("side", "server");
    builder.set_shared(true);
    builder.finish(batch).unwrap();
}

fn text(random: &mut fastrand::Rng, texts: Texts, start: &str) -> String {
    let odd = match texts {
        Texts::Any => ["", "\0", "\u{1}0", "😀", "\"\\\n\t\u{1f}\u{2028}", "é☃", "%s'; --", "\u{feff}"],
        Texts::Plain => ["", "a", "b", "c", "\"\\\n\t", "é☃", "%s'; --", "d"],
    };
    let mut text = format!("{start}{}{}", random.u8(..9), odd[random.usize(..odd.len())]);
    if texts == Texts::Any && random.u8(..60) == 0 {
        text.push_str(&"x".repeat(3_000));
    }
    text
}
