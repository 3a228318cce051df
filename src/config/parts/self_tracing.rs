//! Self tracing: zipkin's switches, and OpenTelemetry's variables for where the spans go.

use crate::config::reader::Reader;
use crate::config::variables as rows;
use crate::telemetry::self_tracing::{OwnSpansTarget, SelfTracingConfig};

/// Where exporters post below the address of a receiver.
const TRACES_PATH: &str = "/v1/traces";

pub(super) fn self_tracing(reader: &mut Reader) -> SelfTracingConfig {
    let enabled = reader.flag(&rows::SELF_TRACING_ENABLED);
    let target = target(reader, enabled);
    SelfTracingConfig {
        enabled,
        sample_rate: reader.number(&rows::SELF_TRACING_SAMPLE_RATE, 0.0..=1.0),
        traces_per_second: reader.number(&rows::SELF_TRACING_TRACES_PER_SECOND, 0..=u32::MAX),
        flush_interval: reader.duration(&rows::SELF_TRACING_FLUSH_INTERVAL),
        target: target.unwrap_or_default(),
    }
}

/// Variables that everything on a machine may have; they are no problem while self tracing is off.
fn target(reader: &mut Reader, enabled: bool) -> Option<OwnSpansTarget> {
    let whole = reader.text(&rows::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
    let base = reader.text(&rows::OTEL_EXPORTER_OTLP_ENDPOINT);
    let protocol = reader.text(&rows::OTEL_EXPORTER_OTLP_PROTOCOL).unwrap_or_default();
    let name = if whole.is_some() { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" } else { "OTEL_EXPORTER_OTLP_ENDPOINT" };
    let url = whole.clone().or_else(|| base.clone()).filter(|_| enabled)?;
    if !url.starts_with("http://") {
        reader.problem(name, "own spans are sent to http:// addresses only");
        return None;
    }
    match protocol.as_str() {
        "http/protobuf" if whole.is_some() => Some(OwnSpansTarget::OtlpHttp(url)),
        "http/protobuf" => Some(OwnSpansTarget::OtlpHttp(format!("{}{TRACES_PATH}", url.trim_end_matches('/')))),
        "grpc" => Some(OwnSpansTarget::OtlpGrpc(url)),
        other => {
            let reason = format!("\"{other}\" is not http/protobuf or grpc");
            reader.problem("OTEL_EXPORTER_OTLP_PROTOCOL", reason);
            None
        }
    }
}
