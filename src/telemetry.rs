//! What the process tells about itself: clock, metrics, logs. Knows nothing of spans' content.

mod clock;
mod collector;
pub mod exposition;
mod health;
pub mod log;
pub mod process;
pub mod self_tracing;

pub use clock::{Clock, SystemClock};
pub use collector::{CollectorMetrics, TransportMetrics};
pub use health::HealthComponent;
