//! From decoded messages to the store.
//!
//! Knows nothing of wire formats or transports.

mod memory;

pub use memory::{MemoryBudget, MemoryPermit, MemoryRefused, memory_bytes_default};
