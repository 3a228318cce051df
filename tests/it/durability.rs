//! A 202 means stored: through kill -9 under load, and through loss of power.
//!
//! The oracle is independent of the server: it remembers which messages were answered 202 and asks for each span.

mod crash;
mod full_disk;
pub(crate) mod oracle;
mod power_loss;
mod syscalls;
