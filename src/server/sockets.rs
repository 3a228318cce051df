//! Listening sockets: those that whoever started the process hands over (`LISTEN_FDS`, as systemd does), else our own.
//!
//! A socket that is handed over stays open while one process ends and the next one starts: connections wait in the kernel's
//! queue meanwhile and none is refused.

use std::net::TcpListener as StdListener;

use anyhow::Context;
use axum::Router;
use listenfd::ListenFd;
use tokio::net::TcpListener;
use tracing::info;

use super::otlp_ports;
use super::routes::Doors;
use crate::config::{Config, ServerConfig};
use crate::transport::otlp::{OtlpConfig, OtlpPort};
use crate::web::server::bind;

/// Most sockets that are taken over; more are a mistake of whoever hands them over.
const SOCKETS_MAX: usize = 16;

/// What a socket serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Everything.
    Main,
    /// OTLP over HTTP alone.
    OtlpHttp,
    /// The gRPC services alone.
    OtlpGrpc,
}

/// Sockets that were handed over.
#[derive(Debug, Default)]
pub(super) struct HandedOver(Vec<(Door, StdListener)>);

/// Takes what the process was given. To be called once, and before threads are started.
///
/// # Errors
/// When one of them is no listening TCP socket.
pub(super) fn handed_over(config: &Config) -> anyhow::Result<HandedOver> {
    let mut given = ListenFd::from_env();
    anyhow::ensure!(given.len() <= SOCKETS_MAX, "{} sockets are handed over, more than {SOCKETS_MAX}", given.len());
    let mut sockets = Vec::new();
    for index in 0..given.len() {
        let taken = given.take_tcp_listener(index);
        let socket = taken.with_context(|| format!("socket {index} of LISTEN_FDS is no TCP socket"))?;
        let Some(socket) = socket else { continue };
        // A connected socket can be handed over as well (`Accept=yes`), and nothing can be accepted on it.
        let is_listening = socket2::SockRef::from(&socket).is_listener()?;
        anyhow::ensure!(is_listening, "socket {index} of LISTEN_FDS does not listen");
        socket.set_nonblocking(true)?;
        let name = config.server.listen_fd_names.get(index).map(String::as_str);
        let door = door_of(name, socket.local_addr()?.port(), &config.otlp);
        sockets.push((door, socket));
    }
    Ok(HandedOver(sockets))
}

/// The name says it (`FileDescriptorName=`), else the port; any other socket is for everything.
fn door_of(name: Option<&str>, port: u16, otlp: &OtlpConfig) -> Door {
    match name.map(|name| name.to_ascii_lowercase().replace('_', "-")).as_deref() {
        Some("otlp-http") => return Door::OtlpHttp,
        Some("otlp-grpc") => return Door::OtlpGrpc,
        Some("main" | "http") => return Door::Main,
        _ => {}
    }
    let is_port = |known: Option<OtlpPort>| known.is_some_and(|known| known.number() == port);
    if is_port(otlp.http_port) {
        Door::OtlpHttp
    } else if is_port(otlp.grpc_port) {
        Door::OtlpGrpc
    } else {
        Door::Main
    }
}

impl HandedOver {
    fn take(&mut self, door: Door) -> std::io::Result<Vec<TcpListener>> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(own, _)| *own == door);
        self.0 = left;
        let taken: Vec<(Door, StdListener)> = taken;
        taken.into_iter().map(|(_, socket)| TcpListener::from_std(socket)).collect()
    }
}

/// Sockets for everything, at least one: those that were handed over, else the configured address.
///
/// # Errors
/// When the address is taken.
pub(super) fn main(config: &ServerConfig, given: &mut HandedOver) -> anyhow::Result<Vec<TcpListener>> {
    let sockets = given.take(Door::Main)?;
    for socket in &sockets {
        info!(inherited_address = %socket.local_addr()?, "listening on a socket that was handed over");
    }
    if !sockets.is_empty() {
        return Ok(sockets);
    }
    let address = super::listening_address(config);
    Ok(vec![bind(address).with_context(|| format!("cannot listen on {address}"))?])
}

/// Every socket with its routes.
///
/// # Errors
/// When a port that somebody chose is taken.
pub(super) fn with_routes(
    config: &Config,
    main: Vec<TcpListener>,
    given: &mut HandedOver,
    doors: Doors,
) -> anyhow::Result<Vec<(TcpListener, Router)>> {
    let mut all: Vec<_> = main.into_iter().map(|socket| (socket, doors.main.clone())).collect();
    if !config.otlp.enabled {
        return Ok(all);
    }
    let otlp = [
        ("http", config.otlp.http_port, Door::OtlpHttp, doors.otlp_http),
        ("grpc", config.otlp.grpc_port, Door::OtlpGrpc, doors.otlp_grpc),
    ];
    for (protocol, port, door, routes) in otlp {
        let mut sockets = given.take(door)?;
        if let (true, Some(port)) = (sockets.is_empty(), port) {
            sockets.extend(otlp_ports::open(config, protocol, port)?);
        }
        all.extend(sockets.into_iter().map(|socket| (socket, routes.clone())));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_socket_wins_over_its_port() {
        let otlp = OtlpConfig { grpc_port: Some(OtlpPort::Chosen(5317)), ..OtlpConfig::default() };
        let cases = [
            (None, 9411, Door::Main),
            (None, 4318, Door::OtlpHttp),
            (None, 5317, Door::OtlpGrpc),
            (None, 4317, Door::Main),
            (Some("zipkind.socket"), 9411, Door::Main),
            (Some("zipkind.socket"), 4318, Door::OtlpHttp),
            (Some("otlp_grpc"), 9999, Door::OtlpGrpc),
            (Some("OTLP-HTTP"), 9999, Door::OtlpHttp),
            (Some("main"), 4318, Door::Main),
        ];
        for (name, port, door) in cases {
            assert_eq!(door_of(name, port, &otlp), door, "{name:?} {port}");
        }
    }
}
