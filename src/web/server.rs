//! The HTTP server loop: accepts connections, watches their deadlines, ends them in good order.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge on one socket. `Upgrade: h2c` is an offer that we do not take: the request is
//! served over HTTP/1.1. hyper speaks the protocols; what it has no deadline for is watched here (`watch`).

mod frames;
mod metrics;
mod watch;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

pub use metrics::ServerMetrics;

use super::limits::ServerLimits;
use metrics::CloseReason;
use watch::{Verdict, Watch, WatchedBody, WatchedStream};

/// Connections the kernel keeps for us until we accept them.
const BACKLOG: i32 = 4_096;
/// Pause after an error of accept that is ours (out of file descriptors, out of memory), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a quiet HTTP/1 connection is kept when the server ends: a request that is on its way then is still answered, and
/// its client learns from the answer that the connection ends. HTTP/2 has a message for that.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a connection that was asked to end may take.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// How the server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServeReport {
    /// Connections that had to be cut at the deadline.
    pub connections_cut: usize,
}

/// Listens on `address`. The IPv6 wildcard also takes IPv4; where there is no IPv6, it becomes the IPv4 wildcard.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = match listen(address) {
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() && is_without_ipv6(&error) => {
            listen(SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), address.port()))?
        }
        other => other?,
    };
    TcpListener::from_std(listener)
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_without_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT: no IPv6 in the kernel; EADDRNOTAVAIL: switched off.
    const EAFNOSUPPORT: i32 = 97;
    const EADDRNOTAVAIL: i32 = 99;
    matches!(error.raw_os_error(), Some(EAFNOSUPPORT | EADDRNOTAVAIL))
}

/// Serves each listener's routes until `shutdown` is cancelled; then accepts no more, lets requests under way finish and
/// returns, at the latest after `limits.shutdown_timeout`. All listeners share the limits.
pub async fn serve(
    listeners: Vec<(TcpListener, Router)>,
    limits: ServerLimits,
    metrics: ServerMetrics,
    shutdown: CancellationToken,
) -> ServeReport {
    let server = Arc::new(Server {
        http: http_builder(&limits),
        limits,
        slots: Arc::new(Semaphore::new(limits.connections_max.clamp(1, Semaphore::MAX_PERMITS))),
        metrics,
        shutdown: shutdown.clone(),
        cut: CancellationToken::new(),
        connections: TaskTracker::new(),
    });
    let acceptors = TaskTracker::new();
    for (listener, router) in listeners {
        acceptors.spawn(Arc::clone(&server).accept_until_shutdown(listener, router));
    }
    acceptors.close();
    acceptors.wait().await;
    shutdown.cancelled().await;
    server.connections.close();
    if tokio::time::timeout(limits.shutdown_timeout, server.connections.wait()).await.is_ok() {
        return ServeReport::default();
    }
    let report = ServeReport { connections_cut: server.connections.len() };
    tracing::warn!(connections = report.connections_cut, "requests did not end in time, their connections are cut");
    server.cut.cancel();
    server.connections.wait().await;
    report
}

struct Server {
    http: auto::Builder<TokioExecutor>,
    limits: ServerLimits,
    slots: Arc<Semaphore>,
    metrics: ServerMetrics,
    shutdown: CancellationToken,
    cut: CancellationToken,
    connections: TaskTracker,
}

fn http_builder(limits: &ServerLimits) -> auto::Builder<TokioExecutor> {
    const HEAD_BYTES_LEAST: usize = 8 << 10;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The deadline of heads is ours: hyper's would also end idle connections, and knows no HTTP/2.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes_max.max(HEAD_BYTES_LEAST));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams_max)
        .max_header_list_size(limits.head_bytes_max as u32)
        .initial_stream_window_size(limits.http2_stream_window_bytes)
        .initial_connection_window_size(limits.http2_connection_window_bytes)
        .max_pending_accept_reset_streams(limits.http2_resets_pending_max);
    builder
}

impl Server {
    async fn accept_until_shutdown(self: Arc<Self>, listener: TcpListener, router: Router) {
        loop {
            let accepted = tokio::select! {
                () = self.shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.admit(stream, &router),
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    self.metrics.accept_errors.inc();
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, router: &Router) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.metrics.connections_refused.inc();
            return;
        };
        // Small answers must not wait for an acknowledgement; a peer that is gone shows itself at the first read.
        let _ = stream.set_nodelay(true);
        self.metrics.connections_total.inc();
        // In a box: the protocol machines are large, and a task of a connection lives long.
        self.connections.spawn(Box::pin(Arc::clone(self).serve_connection(stream, router.clone(), slot)));
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream, router: Router, _slot: OwnedSemaphorePermit) {
        let _open = self.metrics.open_connection();
        let watch = Arc::new(Watch::new());
        let io = TokioIo::new(WatchedStream::new(stream, Arc::clone(&watch), self.metrics.large_heads.clone()));
        let service = service_fn(|request| self.answer(router.clone(), request, &watch));
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut shutdown = pin!(self.time_to_end(&watch));
        let mut cut = pin!(self.cut.cancelled());
        let mut alarm = pin!(tokio::time::sleep_until(Instant::now() + self.limits.head_timeout));
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                        CloseReason::of_error(&*error).into_iter().for_each(|reason| self.metrics.closed(reason));
                    }
                    return;
                }
                () = cut.as_mut() => return,
                () = shutdown.as_mut(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = alarm.as_mut() => match watch.check(&self.limits, ending) {
                    Verdict::LookAgain(at) => alarm.as_mut().reset(at),
                    Verdict::Cut(reason) => return reason.into_iter().for_each(|reason| self.metrics.closed(reason)),
                    Verdict::End => {
                        ending = true;
                        self.metrics.closed(CloseReason::Idle);
                        connection.as_mut().graceful_shutdown();
                        alarm.as_mut().reset(Instant::now() + CLOSE_GRACE);
                    }
                },
            }
        }
    }

    /// Waits until the server ends and this connection may be told.
    async fn time_to_end(&self, watch: &Watch) {
        self.shutdown.cancelled().await;
        if !watch.is_http2() {
            tokio::time::sleep(FAREWELL.min(self.limits.shutdown_timeout / 2)).await;
        }
    }

    /// Calls the router. A handler that panics answers 500 and its connection lives on.
    fn answer(
        &self,
        mut router: Router,
        request: Request<Incoming>,
        watch: &Arc<Watch>,
    ) -> impl Future<Output = Result<Response<WatchedBody>, Infallible>> + Send + use<> {
        let under_way = Watch::begin_request(watch);
        let panics = self.metrics.panics.clone();
        let (shutdown, version) = (self.shutdown.clone(), request.version());
        async move {
            let call = AssertUnwindSafe(async move { router.call(request.map(Body::new)).await }).catch_unwind();
            let mut response = match call.await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(_) => {
                    panics.inc();
                    internal_error()
                }
            };
            if shutdown.is_cancelled() && version < Version::HTTP_2 {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| WatchedBody::new(body, under_way)))
        }
    }
}

/// The peer was gone before we took its connection: nothing is wrong here.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn internal_error() -> Response<Body> {
    let mut response = Response::new(Body::from("500 Internal Server Error"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests;
