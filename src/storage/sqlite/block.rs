//! The form in which settled spans rest: pure functions between traces and stored values.
//!
//! A block is some ten thousand spans of whole traces, sorted by the low half of their trace id. It is stored as *chunks* of some
//! thousand spans, each readable by itself, and *views* derived from all of them:
//!
//! * `traces`: where each trace lies, its times, and the calls between services that it tells of;
//! * `names`: services with their span names, remote names and longest durations; values for autocompletion;
//! * `terms`: a filter over tags and annotations;
//! * `red`: rate, errors and durations by minute.
//!
//! Each value carries a version and a checksum.

mod build;
mod bytes;
mod chunk;
mod dictionary;
mod frame;
mod names;
mod red;
mod terms;
mod test;
#[cfg(test)]
mod tests;
mod traces;

pub(super) use build::{BlockBuilder, BuiltBlock, Figures};
pub(super) use chunk::Find;
pub(super) use frame::{FrameError, pack, unpack};
pub(super) use names::{BlockNames, Outline, Wanted};
pub(super) use red::RedView;
pub(super) use terms::{TermFilter, key_term, mix, tag_term};
pub(super) use test::ChunkTest;
#[cfg(test)]
use traces::Call;
pub(super) use traces::{TraceEntry, Traces};
