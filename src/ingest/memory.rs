//! The memory budget of the process: bodies, inflated bytes, decoded spans and lanes take permits before they allocate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Registry};
use tokio::sync::Semaphore;

/// Most bytes a budget can hold when nobody says otherwise.
const BYTES_DEFAULT_MAX: usize = 1 << 30;

/// The reserve is this part of a budget.
const RESERVE_SHARE: usize = 8;
/// Permits up to this size may draw on the reserve.
const RESERVE_PERMIT_BYTES_MAX: usize = 256 << 10;

/// A bounded number of bytes that parts of the process share. Cheap to clone; clones share the bytes.
///
/// Waiters are served in the order they came, so a large request is not starved by small ones. An eighth is a reserve that
/// only small permits draw on, when the rest is taken: a few large messages do not keep the small ones out.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    bytes_max: usize,
    general: Semaphore,
    general_max: usize,
    reserve: Semaphore,
    /// How many requests wait for bytes.
    waiting: AtomicUsize,
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
    /// False when the whole budget is not enough.
    pub can_ever: bool,
}

/// Bytes taken from a [`MemoryBudget`]; given back on drop.
#[derive(Debug)]
pub struct MemoryPermit {
    inner: Arc<Inner>,
    general: usize,
    reserved: usize,
    may_draw_on_reserve: bool,
}

impl MemoryBudget {
    /// A budget of `bytes_max` bytes (at least one).
    #[must_use]
    #[allow(clippy::missing_panics_doc, clippy::expect_used, reason = "the metric names are constants that are valid")]
    pub fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.clamp(1, Semaphore::MAX_PERMITS);
        let gauge = |name, help| IntGauge::new(name, help).expect("a valid metric name");
        let reserve = bytes_max / RESERVE_SHARE;
        let inner = Inner {
            bytes_max,
            general: Semaphore::new(bytes_max - reserve),
            general_max: bytes_max - reserve,
            reserve: Semaphore::new(reserve),
            waiting: AtomicUsize::new(0),
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
        let free = self.inner.general.available_permits() + self.inner.reserve.available_permits();
        self.inner.bytes_max.saturating_sub(free)
    }

    /// True when somebody waits for bytes: who holds some and does not use them had better give them back.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.inner.waiting.load(Ordering::Relaxed) > 0
    }

    /// A permit without bytes, to grow later.
    #[must_use]
    pub fn empty_permit(&self) -> MemoryPermit {
        MemoryPermit { inner: Arc::clone(&self.inner), general: 0, reserved: 0, may_draw_on_reserve: true }
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
        self.general + self.reserved
    }

    /// Never draws on the reserve: for what is known to become large.
    pub fn leave_reserve_alone(&mut self) {
        self.may_draw_on_reserve = false;
    }

    /// Adds `bytes` if they are free now; false when they are not.
    #[must_use]
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let Ok(count) = u32::try_from(bytes) else { return false };
        if let Ok(permits) = self.inner.general.try_acquire_many(count) {
            permits.forget();
            self.general += bytes;
            return true;
        }
        if self.is_small_with(bytes)
            && let Ok(permits) = self.inner.reserve.try_acquire_many(count)
        {
            permits.forget();
            self.reserved += bytes;
            return true;
        }
        false
    }

    /// Adds `bytes`, waiting at most `wait` for them. What the permit had it keeps meanwhile.
    ///
    /// # Errors
    /// [`MemoryRefused`] when this permit would exceed the whole budget, or the bytes were not free in time.
    pub async fn grow(&mut self, bytes: usize, wait: Duration) -> Result<(), MemoryRefused> {
        if self.try_grow(bytes) {
            return Ok(());
        }
        let can_ever = self.general.saturating_add(bytes) <= self.inner.general_max || self.is_small_with(bytes);
        let can_ever = can_ever && u32::try_from(bytes).is_ok();
        let count = u32::try_from(bytes).ok().filter(|_| can_ever);
        let granted = match count {
            Some(count) => tokio::time::timeout(wait, self.wait_for(count)).await.unwrap_or(false),
            None => false,
        };
        if granted {
            return Ok(());
        }
        self.inner.refusals.inc();
        Err(MemoryRefused { bytes, can_ever })
    }

    async fn wait_for(&mut self, count: u32) -> bool {
        let inner = Arc::clone(&self.inner);
        let _waiting = Waiting::new(&inner.waiting);
        let small = self.is_small_with(count as usize);
        let (granted, taken) = tokio::select! {
            granted = inner.general.acquire_many(count) => (granted, &mut self.general),
            granted = inner.reserve.acquire_many(count), if small => (granted, &mut self.reserved),
        };
        let Ok(permits) = granted else { return false };
        permits.forget();
        *taken += count as usize;
        true
    }

    fn is_small_with(&self, more: usize) -> bool {
        self.may_draw_on_reserve && self.bytes().saturating_add(more) <= RESERVE_PERMIT_BYTES_MAX
    }

    /// Gives back all but `bytes`, the reserve's first; nothing happens when the permit has no more than that.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes().saturating_sub(bytes);
        let of_reserve = surplus.min(self.reserved);
        let of_general = surplus - of_reserve;
        if of_reserve > 0 {
            self.reserved -= of_reserve;
            self.inner.reserve.add_permits(of_reserve);
        }
        if of_general > 0 {
            self.general -= of_general;
            self.inner.general.add_permits(of_general);
        }
    }

    /// Moves `bytes`, or what there is of them, into a permit of their own.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let general = bytes.min(self.general);
        let reserved = (bytes - general).min(self.reserved);
        self.general -= general;
        self.reserved -= reserved;
        Self { inner: Arc::clone(&self.inner), general, reserved, may_draw_on_reserve: self.may_draw_on_reserve }
    }

    /// Takes over the bytes of another permit of the same budget.
    pub fn merge(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.inner, &other.inner), "permits of two budgets");
        self.general += std::mem::take(&mut other.general);
        self.reserved += std::mem::take(&mut other.reserved);
    }
}

/// Counts one who waits for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
