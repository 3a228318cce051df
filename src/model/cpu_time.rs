//! For tests of linear time: what this thread has computed, however busy the machine is.

use std::time::{Duration, Instant};

/// Measures from its making.
pub(crate) struct CpuTime {
    begin: Option<Duration>,
    wall: Instant,
}

impl CpuTime {
    pub(crate) fn start() -> Self {
        Self { begin: thread_time(), wall: Instant::now() }
    }

    /// Time on the processor, or on the wall where the system does not tell.
    pub(crate) fn elapsed(&self) -> Duration {
        match (self.begin, thread_time()) {
            (Some(begin), Some(now)) => now.saturating_sub(begin),
            _ => self.wall.elapsed(),
        }
    }
}

/// The first number of schedstat: nanoseconds on the processor.
fn thread_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
