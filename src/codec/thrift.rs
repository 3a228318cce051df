//! Zipkin v1 thrift in TBinary: a list of structs, or the one bare struct that some reporters put into a queue.

mod decode;
mod reader;

pub(super) use decode::decode;

#[cfg(test)]
mod tests;
