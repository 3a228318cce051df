//! The question a container's health check asks, without a tool of its own in the image.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::ServerConfig;

/// How long the server may take to connect, and again between two parts of its answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Asks the server that listens as this configuration says for `/health`; its answer when all of it is up.
///
/// # Errors
/// Why it is not up, or could not be asked.
pub fn ask_for_health(config: &ServerConfig) -> anyhow::Result<String> {
    let everywhere = |address: SocketAddr| address.ip().is_unspecified();
    let here = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), config.port);
    let address = config.socket_address().filter(|address| !everywhere(*address)).unwrap_or(here);
    let mut connection =
        TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("no server answers on {address}"))?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    write!(connection, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200 ") {
        bail!("{status}\n{body}");
    }
    Ok(body.to_owned())
}
