//! From decoded messages to the store: sampling, lanes, batches, tickets.
//!
//! A lane is a bounded queue of whole messages; together they are the partitioned in-memory buffer. A message goes to the
//! lane of its first span's trace and is never split. The writer stage takes what a lane has as one batch, so the write
//! in flight is what makes the next batch grow, and resolves every message's [`Ticket`] exactly once. A batch that the
//! store refuses for good is divided until the offending message is found; its neighbours are stored.
//!
//! Knows nothing of wire formats or transports. Invariant, shown by `ingest_*` metrics and added up by a test:
//! received = sampled out + dropped{reason} + stored + in flight.

mod collector;
mod config;
mod counters;
mod lane;
mod lanes;
mod memory;
mod parcel;
mod part;
mod sampler;
mod writer;

pub use collector::{Collector, DrainReport};
pub use config::{AckMode, IngestConfig};
pub use counters::DropReason;
pub use lanes::Lane;
pub use memory::{MemoryBudget, MemoryPermit, MemoryRefused, memory_bytes_default};
pub use parcel::{SubmitError, Ticket};
