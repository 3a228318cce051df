//! What a connection is doing, seen from its bytes and its requests, and how long it may go on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use prometheus::IntCounter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::frames::{HeadProgress, Heads, Refusals};
use super::metrics::CloseReason;
use crate::web::limits::ServerLimits;

/// Length of what an HTTP/2 client says first (`PRI * HTTP/2.0...`).
const PREFACE_BYTES: u64 = 24;
/// No HTTP/1 method begins like that.
const PREFACE_START: &[u8] = b"PRI";
/// Stands for "not now" where a time is kept.
const NEVER: u64 = u64::MAX;

/// Shared by the stream, the requests and the loop of one connection. Times are milliseconds since it was accepted.
#[derive(Debug)]
pub(super) struct Watch {
    accepted: Instant,
    bytes_read: AtomicU64,
    /// How many of the first bytes are those of the HTTP/2 preface.
    preface_matched: AtomicU32,
    requests: AtomicU32,
    /// When the last request ended.
    idle_since: AtomicU64,
    /// When the first byte came while no request was under way; for the first request, when the connection was accepted.
    head_since: AtomicU64,
    /// HTTP/2: since when a head is half there.
    frame_since: AtomicU64,
    /// Since when the peer takes nothing of what we write.
    stalled_since: AtomicU64,
}

/// What the loop does about a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is late; look again then.
    LookAgain(Instant),
    /// Tell the peer that we end the connection.
    End,
    /// Drop it; without a reason when the peer was told before.
    Cut(Option<CloseReason>),
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            accepted: Instant::now(),
            bytes_read: AtomicU64::new(0),
            preface_matched: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            frame_since: AtomicU64::new(NEVER),
            stalled_since: AtomicU64::new(NEVER),
        }
    }

    fn now_ms(&self) -> u64 {
        self.accepted.elapsed().as_millis() as u64
    }

    /// A head is complete: its request is under way until the guard is dropped.
    pub(super) fn begin_request(watch: &Arc<Self>) -> RequestUnderWay {
        watch.requests.fetch_add(1, Relaxed);
        watch.head_since.store(NEVER, Relaxed);
        RequestUnderWay(Arc::clone(watch))
    }

    fn end_request(&self) {
        self.idle_since.store(self.now_ms(), Relaxed);
        self.requests.fetch_sub(1, Relaxed);
    }

    fn note_read(&self, bytes: &[u8], heads: &mut Heads) {
        let before = self.bytes_read.fetch_add(bytes.len() as u64, Relaxed);
        if before < PREFACE_START.len() as u64 {
            let expected = PREFACE_START.iter().skip(before as usize);
            let matched = expected.zip(bytes).take_while(|(expected, byte)| expected == byte).count();
            self.preface_matched.fetch_add(matched as u32, Relaxed);
        }
        if self.is_http2() {
            let preface_left = PREFACE_BYTES.saturating_sub(before) as usize;
            self.note_head(heads.follow(bytes.get(preface_left..).unwrap_or_default()));
        } else if self.requests.load(Relaxed) == 0 && self.head_since.load(Relaxed) == NEVER {
            self.head_since.store(self.now_ms(), Relaxed);
        }
    }

    fn note_head(&self, head: HeadProgress) {
        let is_noted = self.frame_since.load(Relaxed) != NEVER;
        if head.is_open && (head.ended || !is_noted) {
            self.frame_since.store(self.now_ms(), Relaxed);
        } else if !head.is_open && is_noted {
            self.frame_since.store(NEVER, Relaxed);
        }
    }

    fn note_write(&self, taken: bool) {
        if taken {
            if self.stalled_since.load(Relaxed) != NEVER {
                self.stalled_since.store(NEVER, Relaxed);
            }
        } else if self.stalled_since.load(Relaxed) == NEVER {
            self.stalled_since.store(self.now_ms(), Relaxed);
        }
    }

    /// True once the whole HTTP/2 preface is there; frames that are no requests follow each other as they like then.
    pub(super) fn is_http2(&self) -> bool {
        self.preface_matched.load(Relaxed) as usize == PREFACE_START.len()
            && self.bytes_read.load(Relaxed) >= PREFACE_BYTES
    }

    /// Looks whether something is late. `ending`: the peer was told that we end the connection.
    pub(super) fn check(&self, limits: &ServerLimits, ending: bool) -> Verdict {
        let stalled_since = self.stalled_since.load(Relaxed);
        if self.is_over(stalled_since, limits.write_timeout) {
            return Verdict::Cut(Some(CloseReason::SlowReader));
        }
        let frame_since = self.frame_since.load(Relaxed);
        if self.is_over(frame_since, limits.head_timeout) {
            return Verdict::Cut(Some(CloseReason::SlowHead));
        }
        let frame_left = self.left(frame_since, limits.head_timeout);
        if self.requests.load(Relaxed) > 0 {
            return self.look_again(limits.write_timeout.min(frame_left), limits);
        }
        if ending {
            return Verdict::Cut(None);
        }
        let head_since = self.head_since.load(Relaxed);
        let (since, limit, late) = if head_since != NEVER && !self.is_http2() {
            (head_since, limits.head_timeout, Verdict::Cut(Some(CloseReason::SlowHead)))
        } else {
            (self.idle_since.load(Relaxed), limits.idle_timeout, Verdict::End)
        };
        if self.is_over(since, limit) {
            return late;
        }
        self.look_again(self.left(since, limit).min(frame_left), limits)
    }

    /// What is left of the limit for what goes on since then.
    fn left(&self, since: u64, limit: Duration) -> Duration {
        limit.saturating_sub(Duration::from_millis(self.now_ms().saturating_sub(since)))
    }

    fn is_over(&self, since: u64, limit: Duration) -> bool {
        since != NEVER && self.now_ms() >= since.saturating_add(limit.as_millis() as u64)
    }

    /// After `left`, but not so late that a head that begins now could be late before.
    fn look_again(&self, left: Duration, limits: &ServerLimits) -> Verdict {
        const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
        Verdict::LookAgain(Instant::now() + left.min(limits.head_timeout).max(SHORTEST_PAUSE))
    }
}

/// One request under way.
#[derive(Debug)]
pub(super) struct RequestUnderWay(Arc<Watch>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

/// The body of an answer; the request is under way until it is sent or given up.
#[derive(Debug)]
pub(super) struct WatchedBody {
    body: Body,
    _under_way: RequestUnderWay,
}

impl WatchedBody {
    pub(super) fn new(body: Body, under_way: RequestUnderWay) -> Self {
        Self { body, _under_way: under_way }
    }
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The stream of a connection; tells the watch what moves, and counts the heads that the HTTP/2 library refuses.
#[derive(Debug)]
pub(super) struct WatchedStream {
    stream: TcpStream,
    watch: Arc<Watch>,
    heads: Heads,
    refusals: Refusals,
    large_heads: IntCounter,
}

impl WatchedStream {
    pub(super) fn new(stream: TcpStream, watch: Arc<Watch>, large_heads: IntCounter) -> Self {
        Self { stream, watch, heads: Heads::default(), refusals: Refusals::default(), large_heads }
    }

    fn note_written(&mut self, result: &Poll<io::Result<usize>>, buffers: &[io::IoSlice<'_>]) {
        self.watch.note_write(result.is_ready());
        let &Poll::Ready(Ok(mut written)) = result else { return };
        if self.watch.is_http2() {
            for buffer in buffers {
                let taken = buffer.len().min(written);
                written -= taken;
                self.large_heads.inc_by(self.refusals.follow(&buffer[..taken]));
            }
        }
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let this = &mut *self;
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        let read = buffer.filled().get(before..).unwrap_or_default();
        if !read.is_empty() {
            this.watch.note_read(read, &mut this.heads);
        }
        result
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.note_written(&result, &[io::IoSlice::new(buffer)]);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.note_written(&result, buffers);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
