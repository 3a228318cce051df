//! The ports that OpenTelemetry exporters send to when nobody tells them otherwise.

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::listening_address;
use crate::config::Config;
use crate::transport::otlp::OtlpPort;
use crate::web::server::bind;

/// Listens on the OTLP ports that are switched on.
///
/// # Errors
/// When a port that was asked for is taken. A standard one may be another collector's, which only costs a warning.
pub(super) fn open(config: &Config, http: Router, grpc: Router) -> anyhow::Result<Vec<(TcpListener, Router)>> {
    let mut listeners = Vec::new();
    if !config.otlp.enabled {
        return Ok(listeners);
    }
    let doors = [("http", config.otlp.http_port, http), ("grpc", config.otlp.grpc_port, grpc)];
    for (protocol, port, routes) in doors {
        let Some(port) = port else { continue };
        let mut address = listening_address(&config.server);
        address.set_port(port.number());
        match (bind(address), port) {
            (Ok(listener), _) => {
                info!(otlp_address = %address, protocol, "OTLP is served");
                listeners.push((listener, routes));
            }
            (Err(error), OtlpPort::Standard(_)) => {
                warn!(otlp_address = %address, protocol, %error, "OTLP is not served on its standard port, only on the main one");
            }
            (Err(error), OtlpPort::Chosen(_)) => {
                return Err(error).with_context(|| format!("cannot listen on {address} for OTLP over {protocol}"));
            }
        }
    }
    Ok(listeners)
}
