//! A limit of writes at once that follows how the store fares (zipkin's `STORAGE_THROTTLE_*`).
//!
//! Zipkin's gradient limiter, of calls that carry whole batches: the limit grows while writes take as long as they usually do,
//! shrinks when they take longer, and shrinks at once when the store is over its capacity. A store that is slow is then asked
//! for less at a time, and messages wait in their lanes, which hold no more than `STORAGE_THROTTLE_MAX_QUEUE_SIZE` together.

mod limit;

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge, Registry};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::limit::GradientLimit;
use super::{Batch, Capabilities, ErrorKind, SourcePosition, SpanConsumer, StorageBackend, StorageError, Stored};

/// How many writes run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Least, and what it begins with.
    pub concurrency_min: usize,
    /// Most. Neither is more than the store serves at once ([`Capabilities::concurrent_writes_max`]).
    pub concurrency_max: usize,
}

/// Zipkin's metrics of its throttle.
#[derive(Clone, Debug)]
pub struct ThrottleMetrics {
    concurrency: IntGauge,
    queue_size: IntGauge,
    in_flight: IntGauge,
    requests: IntCounter,
    succeeded: IntCounter,
    dropped: IntCounter,
    ignored: IntCounter,
}

impl ThrottleMetrics {
    /// Registers the families.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| IntGauge::new(format!("zipkin_storage_throttle_{name}"), help);
        let counter = |name: &str, help: &str| IntCounter::new(format!("zipkin_storage_throttle_{name}"), help);
        let metrics = Self {
            concurrency: gauge("concurrency", "most writes at once, as the limiter has it now")?,
            queue_size: gauge("queue_size", "writes waiting for access to storage")?,
            in_flight: gauge("in_flight_requests", "writes under way")?,
            requests: counter("requests_total", "cumulative amount of writes")?,
            succeeded: counter("requests_succeeded_total", "cumulative amount of writes that succeeded")?,
            dropped: counter("requests_dropped_total", "cumulative amount of writes that failed due to capacity")?,
            ignored: counter("requests_ignored_total", "cumulative amount of writes that failed not due to capacity")?,
        };
        for family in [&metrics.concurrency, &metrics.queue_size, &metrics.in_flight] {
            registry.register(Box::new(family.clone()))?;
        }
        for family in [&metrics.requests, &metrics.succeeded, &metrics.dropped, &metrics.ignored] {
            registry.register(Box::new(family.clone()))?;
        }
        Ok(metrics)
    }
}

/// A store that is written to with as much at once as does it good.
pub struct Throttle {
    inner: Arc<dyn StorageBackend>,
    metrics: ThrottleMetrics,
    state: Mutex<State>,
    /// Told when a write may begin that could not before.
    room: Notify,
}

#[derive(Debug)]
struct State {
    limit: GradientLimit,
    in_flight: usize,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").field("inner", &self.inner.name()).finish_non_exhaustive()
    }
}

/// A write under way; when its caller goes away it counts no longer, and teaches nothing.
struct Turn<'a> {
    throttle: &'a Throttle,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.throttle.state.lock();
        state.in_flight -= 1;
        self.throttle.metrics.in_flight.set(state.in_flight as i64);
        drop(state);
        self.throttle.room.notify_one();
    }
}

/// Waiting, until dropped.
struct Waiting<'a>(&'a IntGauge);

impl<'a> Waiting<'a> {
    fn new(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Throttle {
    /// Limits the writes to `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, config: ThrottleConfig, metrics: ThrottleMetrics) -> Self {
        let store_max = inner.capabilities().writes_max();
        let limit =
            GradientLimit::new(config.concurrency_min.clamp(1, store_max), config.concurrency_max.clamp(1, store_max));
        metrics.concurrency.set(limit.value() as i64);
        Self { inner, metrics, state: Mutex::new(State { limit, in_flight: 0 }), room: Notify::new() }
    }

    fn try_begin(&self) -> Option<Turn<'_>> {
        let mut state = self.state.lock();
        if state.in_flight >= state.limit.value() {
            return None;
        }
        state.in_flight += 1;
        self.metrics.in_flight.set(state.in_flight as i64);
        Some(Turn { throttle: self })
    }

    /// Waits for its turn: as long as the caller does, who has a deadline.
    async fn begin(&self) -> Turn<'_> {
        if let Some(turn) = self.try_begin() {
            return turn;
        }
        let _waiting = Waiting::new(&self.metrics.queue_size);
        loop {
            let room = self.room.notified();
            if let Some(turn) = self.try_begin() {
                // There may be room for more than one.
                self.room.notify_one();
                return turn;
            }
            room.await;
        }
    }

    fn learn(&self, results: &[Result<Stored, StorageError>], start: Instant) {
        let is_over = |error: &StorageError| matches!(error.kind, ErrorKind::Unavailable);
        let errors: Vec<&StorageError> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        let mut state = self.state.lock();
        let in_flight = state.in_flight;
        if errors.iter().any(|error| is_over(error)) {
            self.metrics.dropped.inc();
            state.limit.over_capacity();
        } else if errors.is_empty() {
            self.metrics.succeeded.inc();
            state.limit.took(start.elapsed(), in_flight);
        } else {
            self.metrics.ignored.inc();
        }
        self.metrics.concurrency.set(state.limit.value() as i64);
    }
}

#[async_trait]
impl SpanConsumer for Throttle {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let turn = self.begin().await;
        self.metrics.requests.inc();
        let start = Instant::now();
        let results = self.inner.write(batches).await;
        self.learn(&results, start);
        drop(turn);
        results
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.inner.source_position(group, topic, partition).await
    }
}

crate::pass_on_reads!(Throttle, inner);

crate::pass_on_duties!(Throttle, inner, {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn health_name(&self) -> String {
        format!("Throttled{{{}}}", self.inner.health_name())
    }

    /// As many writers as the limit may ever allow.
    fn capabilities(&self) -> Capabilities {
        let concurrent_writes = self.state.lock().limit.most();
        Capabilities { concurrent_writes, ..self.inner.capabilities() }
    }

    async fn close(&self) {
        self.inner.close().await;
    }
});

#[cfg(test)]
mod tests;
