//! The ports that OpenTelemetry exporters send to when nobody tells them otherwise.

use anyhow::Context;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::listening_address;
use crate::config::Config;
use crate::transport::otlp::OtlpPort;
use crate::web::server::bind;

/// Listens on one of the OTLP ports; `None` when it is taken and nobody asked for it.
///
/// # Errors
/// When a port that was asked for is taken. A standard one may be another collector's, which only costs a warning.
pub(super) fn open(config: &Config, protocol: &str, port: OtlpPort) -> anyhow::Result<Option<TcpListener>> {
    let mut address = listening_address(&config.server);
    address.set_port(port.number());
    match (bind(address), port) {
        (Ok(listener), _) => {
            info!(otlp_address = %address, protocol, "OTLP is served");
            Ok(Some(listener))
        }
        (Err(error), OtlpPort::Standard(_)) => {
            warn!(otlp_address = %address, protocol, %error, "OTLP is not served on its standard port, only on the main one");
            Ok(None)
        }
        (Err(error), OtlpPort::Chosen(_)) => {
            Err(error).with_context(|| format!("cannot listen on {address} for OTLP over {protocol}"))
        }
    }
}
