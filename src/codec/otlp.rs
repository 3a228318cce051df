//! OpenTelemetry's OTLP traces (`ExportTraceServiceRequest`) as protobuf or JSON, mapped to Zipkin's model.
//!
//! Mapping: OpenTelemetry specification, "Transformation to Zipkin", and where it leaves a choice, what the OTLP module of
//! zipkin-server was seen to answer. A span whose ids are invalid is rejected alone (partial success), the rest are taken.

mod convert;
mod json;
mod protobuf;
mod value;
mod view;

use super::DecodeLimits;
use crate::model::SpanBatch;
use convert::Converter;

/// Spans of one export request, and how many of it could not be taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// The spans that were taken.
    pub spans: SpanBatch,
    /// Spans refused for their own content.
    pub rejected: usize,
    /// Why the first of them was refused; empty when none was.
    pub reason: String,
}

/// Why a whole request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// The bytes are no `ExportTraceServiceRequest`.
    #[error("{0} reading ExportTraceServiceRequest from {1}")]
    Malformed(String, &'static str),
    /// More spans than [`DecodeLimits::spans_max`].
    #[error("more than {0} spans in one request")]
    TooManySpans(usize),
    /// Its spans, each with the attributes of its resource, take more than [`DecodeLimits::otlp_spans_bytes_max`].
    #[error("spans of more than {0} bytes in one request, with the attributes of their resources")]
    TooLarge(usize),
}

/// Reads a protobuf body.
///
/// # Errors
/// [`OtlpError`] when the body is malformed or holds too many spans.
pub fn decode_protobuf(body: &[u8], limits: &DecodeLimits) -> Result<Export, OtlpError> {
    let mut converter = Converter::new(limits, body.len());
    protobuf::read(body, &mut converter)?;
    Ok(converter.finish())
}

/// Reads a JSON body: lowerCamelCase names, ids as hex, 64-bit integers as numbers or strings, unknown members ignored.
///
/// # Errors
/// As [`decode_protobuf`].
pub fn decode_json(body: &[u8], limits: &DecodeLimits) -> Result<Export, OtlpError> {
    let mut converter = Converter::new(limits, body.len());
    json::read(body, &mut converter)?;
    Ok(converter.finish())
}

#[cfg(test)]
mod tests;
