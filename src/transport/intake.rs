//! What every transport with request bodies does once a body is there: decode it within the memory budget, hand it over.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use http::{StatusCode, Version};

use crate::ingest::{Collector, MemoryPermit, SubmitError};
use crate::model::SpanBatch;
use crate::telemetry::TransportMetrics;
use crate::telemetry::self_tracing::traced;
use crate::web::body::{BodyError, BodyReader, ReceivedBody};

/// What senders are told to wait when the server has no memory for their message.
pub(super) const RETRY_AFTER_MEMORY: Duration = Duration::from_secs(1);

/// One transport's way to the lanes.
#[derive(Clone)]
pub(super) struct Intake {
    pub(super) collector: Collector,
    pub(super) metrics: TransportMetrics,
    pub(super) bodies: BodyReader,
}

/// Why a message is not taken; `E` is what its codec says.
#[derive(Debug)]
pub(super) enum IntakeError<E> {
    Body(BodyError),
    Decode(E),
    Submit(SubmitError),
}

/// What HTTP says of a message that is not taken, whatever the words.
pub(super) struct Verdict {
    pub(super) status: StatusCode,
    retry_after: Option<Duration>,
    close: bool,
}

impl<E> IntakeError<E> {
    pub(super) fn verdict(&self) -> Verdict {
        let again = |after: Duration, close| Verdict {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(after),
            close,
        };
        let never = Verdict { status: StatusCode::BAD_REQUEST, retry_after: None, close: false };
        match self {
            Self::Body(error) => Verdict {
                status: error.status(),
                retry_after: error.is_retryable().then_some(RETRY_AFTER_MEMORY),
                close: error.closes_connection(),
            },
            Self::Decode(_) | Self::Submit(SubmitError::Rejected { .. } | SubmitError::StalePosition) => never,
            Self::Submit(SubmitError::Full { retry_after } | SubmitError::Unavailable { retry_after, .. }) => {
                again(*retry_after, false)
            }
            Self::Submit(SubmitError::ShuttingDown) => again(RETRY_AFTER_MEMORY, true),
        }
    }
}

impl Verdict {
    /// Adds what a sender needs to know beyond the status.
    pub(super) fn apply(&self, mut response: Response, version: Version) -> Response {
        if let Some(retry_after) = self.retry_after {
            // Whole seconds, and not "at once".
            let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.close && version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Intake {
    /// Decodes a body off the async workers where it is long. Its spans may take `growth` times its memory, which is
    /// taken from the budget before; the body's own memory is given back afterwards.
    pub(super) async fn decode<T: Send + 'static, E: Send + 'static>(
        &self,
        body: ReceivedBody,
        growth: usize,
        decode: impl FnOnce(&Bytes) -> Result<(SpanBatch, T), E> + Send + 'static,
    ) -> Result<(SpanBatch, MemoryPermit, T), IntakeError<E>> {
        let ReceivedBody { bytes, mut permit } = body;
        let length = bytes.len();
        let refused = |error| IntakeError::Body(BodyError::from(error));
        permit.grow(length * growth, self.bodies.memory_wait()).await.map_err(refused)?;
        let decoded = self.bodies.work(length, move || decode(&bytes)).await.map_err(IntakeError::Body)?;
        let (spans, rest) = decoded.map_err(IntakeError::Decode)?;
        let spans_bytes = spans.memory_bytes();
        permit.shrink_to(spans_bytes);
        // Spans that grew beyond the estimate are there already: not waited for, and given up when there is no room.
        if !permit.try_grow(spans_bytes.saturating_sub(permit.bytes())) {
            return Err(IntakeError::Body(BodyError::NoMemory));
        }
        Ok((spans, permit, rest))
    }

    /// Waits until the spans are stored, or in a lane where senders are answered then.
    pub(super) async fn submit<E>(&self, spans: SpanBatch, permit: MemoryPermit) -> Result<(), IntakeError<E>> {
        let submitted = self.collector.submit(&self.metrics, spans, permit);
        traced("accept-spans", submitted).await.map_err(IntakeError::Submit)
    }

    /// Counts a message that was read off the wire.
    pub(super) fn count(&self, bytes: usize) {
        self.metrics.messages.inc();
        self.metrics.bytes.inc_by(bytes as u64);
        self.metrics.message_bytes.set(bytes as f64);
    }
}

/// What senders are told of a failed hand-over. What the store said is for the log: it may name hosts and tables.
pub(super) fn submit_message(error: &SubmitError) -> String {
    match error {
        SubmitError::Unavailable { .. } => "storage is not available, try again later".to_owned(),
        SubmitError::Rejected { .. } => "storage cannot hold these spans".to_owned(),
        other => other.to_string(),
    }
}
