//! The memory budget of the process: bodies, inflated bytes, decoded spans and lanes take permits before they allocate.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Registry};
use tokio::sync::Semaphore;

/// Most bytes a budget can hold when nobody says otherwise.
const BYTES_DEFAULT_MAX: usize = 1 << 30;

/// A bounded number of bytes that parts of the process share. Cheap to clone; clones share the bytes.
///
/// Waiters are served in the order they came, so a large request is not starved by small ones.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    bytes_max: usize,
    free: Semaphore,
    refusals: IntCounter,
    used: IntGauge,
    limit: IntGauge,
}

/// The budget has not enough bytes, and had not until the wait was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory for {bytes} bytes now")]
pub struct MemoryRefused {
    /// How many bytes were asked for.
    pub bytes: usize,
}

/// Bytes taken from a [`MemoryBudget`]; given back on drop.
#[derive(Debug)]
pub struct MemoryPermit {
    inner: Arc<Inner>,
    bytes: usize,
}

impl MemoryBudget {
    /// A budget of `bytes_max` bytes (at least one).
    #[must_use]
    #[allow(clippy::missing_panics_doc, clippy::expect_used, reason = "the metric names are constants that are valid")]
    pub fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.clamp(1, Semaphore::MAX_PERMITS);
        let gauge = |name, help| IntGauge::new(name, help).expect("a valid metric name");
        let inner = Inner {
            bytes_max,
            free: Semaphore::new(bytes_max),
            refusals: IntCounter::new("memory_budget_refusals_total", "requests for memory that were refused")
                .expect("a valid metric name"),
            used: gauge("memory_budget_used_bytes", "bytes of the memory budget that are taken"),
            limit: gauge("memory_budget_limit_bytes", "bytes of the memory budget"),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Shows the budget's metrics in `registry`.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.clone()))
    }

    /// How many bytes there are altogether.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.inner.bytes_max
    }

    /// How many bytes are taken now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.inner.bytes_max - self.inner.free.available_permits().min(self.inner.bytes_max)
    }

    /// A permit without bytes, to grow later.
    #[must_use]
    pub fn empty_permit(&self) -> MemoryPermit {
        MemoryPermit { inner: Arc::clone(&self.inner), bytes: 0 }
    }

    /// Takes `bytes`, waiting at most `wait` for them.
    ///
    /// # Errors
    /// [`MemoryRefused`] when they are more than the whole budget, or not free in time.
    pub async fn acquire(&self, bytes: usize, wait: Duration) -> Result<MemoryPermit, MemoryRefused> {
        let mut permit = self.empty_permit();
        permit.grow(bytes, wait).await?;
        Ok(permit)
    }

    /// Takes `bytes` if they are free now.
    #[must_use]
    pub fn try_acquire(&self, bytes: usize) -> Option<MemoryPermit> {
        let mut permit = self.empty_permit();
        permit.try_grow(bytes).then_some(permit)
    }
}

impl MemoryPermit {
    /// How many bytes this permit stands for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds `bytes` if they are free now; false when they are not.
    #[must_use]
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let Ok(count) = u32::try_from(bytes) else { return false };
        let Ok(permits) = self.inner.free.try_acquire_many(count) else { return false };
        permits.forget();
        self.bytes += bytes;
        true
    }

    /// Adds `bytes`, waiting at most `wait` for them. What the permit had it keeps meanwhile.
    ///
    /// # Errors
    /// [`MemoryRefused`] when this permit would exceed the whole budget, or the bytes were not free in time.
    pub async fn grow(&mut self, bytes: usize, wait: Duration) -> Result<(), MemoryRefused> {
        if self.try_grow(bytes) {
            return Ok(());
        }
        let refused = MemoryRefused { bytes };
        let count = u32::try_from(bytes).ok().filter(|_| self.bytes.saturating_add(bytes) <= self.inner.bytes_max);
        let acquired = match count {
            Some(count) => tokio::time::timeout(wait, self.inner.free.acquire_many(count)).await.ok(),
            None => None,
        };
        let Some(Ok(permits)) = acquired else {
            self.inner.refusals.inc();
            return Err(refused);
        };
        permits.forget();
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back all but `bytes`; nothing happens when the permit has no more than that.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        if surplus > 0 {
            self.bytes = bytes;
            self.inner.free.add_permits(surplus);
        }
    }

    /// Moves `bytes`, or what there is of them, into a permit of their own.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { inner: Arc::clone(&self.inner), bytes }
    }

    /// Takes over the bytes of another permit of the same budget.
    pub fn merge(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.inner, &other.inner), "permits of two budgets");
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// Read when asked, so that taking and giving back costs nothing more.
impl Collector for MemoryBudget {
    fn desc(&self) -> Vec<&Desc> {
        let Inner { refusals, used, limit, .. } = &*self.inner;
        [refusals.desc(), used.desc(), limit.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Inner { refusals, used, limit, .. } = &*self.inner;
        used.set(self.used_bytes() as i64);
        limit.set(self.bytes_max() as i64);
        [refusals.collect(), used.collect(), limit.collect()].concat()
    }
}

/// The budget of a process that was told none: a quarter of the memory of its control group or machine, at most 1 GiB.
#[must_use]
pub fn memory_bytes_default() -> usize {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let group = read("/sys/fs/cgroup/memory.max").or_else(|| read("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    let group_bytes = group.and_then(|text| text.trim().parse::<u64>().ok());
    let machine_bytes = read("/proc/meminfo").as_deref().and_then(total_of_meminfo);
    let bytes = group_bytes.into_iter().chain(machine_bytes).min();
    bytes.map_or(BYTES_DEFAULT_MAX, |bytes| usize::try_from(bytes / 4).unwrap_or(usize::MAX).min(BYTES_DEFAULT_MAX))
}

fn total_of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests;
