//! Reading and writing JSON, as far as spans need it.
//!
//! The reader takes what zipkin's takes (gson in its strict-by-default mode): control characters inside strings,
//! `\'` and an escaped line break, numbers as strings and strings as numbers, literals in any case. It refuses
//! comments, single quotes, bare names, trailing commas.

mod endpoint;
mod number;
mod place;
mod reader;
mod scan;
mod skip;
pub(crate) mod write;

pub(crate) use endpoint::{EndpointMemo, read_endpoint};
pub(super) use place::{found, place};
pub(crate) use reader::{Kind, Reader, Text};
