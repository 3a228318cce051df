//! A unary method whose request tonic hands over as bytes, so that our own decoders read it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use parking_lot::Mutex;
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::codec::otlp::{self, OtlpError};
use crate::codec::{self, DecodeError, DecodeLimits, Format};
use crate::ingest::{MemoryPermit, SubmitError};
use crate::transport::intake::{Intake, IntakeError, RETRY_AFTER_MEMORY, submit_message};
use crate::transport::otlp::{GROWTH_MAX, body_code, response, submit_code};
use crate::web::body::{BodyError, ReceivedBody};

/// Decoded spans of zipkin's protobuf take up to this many times the memory of their bytes.
const PROTO3_GROWTH_MAX: usize = 3;

/// The memory of a request's body on its way through tonic.
#[derive(Clone)]
pub(super) struct Memory(Arc<Mutex<Option<MemoryPermit>>>);

impl Memory {
    pub(super) fn new(permit: MemoryPermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }
}

/// One of the methods, as a tower service.
#[derive(Clone)]
pub(super) struct Unary {
    intake: Arc<Intake>,
    limits: DecodeLimits,
    method: MethodName,
    /// Most bytes of a message inflated.
    pub(super) message_bytes_max: usize,
}

#[derive(Clone, Copy)]
enum MethodName {
    Report,
    Export,
}

impl Unary {
    pub(super) fn report(intake: Arc<Intake>, limits: DecodeLimits, message_bytes_max: usize) -> Self {
        Self { intake, limits, method: MethodName::Report, message_bytes_max }
    }

    pub(super) fn export(intake: Arc<Intake>, limits: DecodeLimits, message_bytes_max: usize) -> Self {
        Self { intake, limits, method: MethodName::Export, message_bytes_max }
    }

    /// Zipkin's own method.
    pub(super) fn is_report(&self) -> bool {
        matches!(self.method, MethodName::Report)
    }

    async fn call_method(self, request: tonic::Request<Bytes>) -> Result<tonic::Response<Bytes>, Status> {
        let (_, extensions, bytes) = request.into_parts();
        let permit = extensions.get::<Memory>().and_then(|memory| memory.0.lock().take());
        let mut permit = permit.ok_or_else(|| Status::internal("the request came without its memory"))?;
        permit.shrink_to(bytes.len());
        let body = ReceivedBody { bytes, permit };
        let answer = match self.method {
            MethodName::Report => self.take_report(body).await?,
            MethodName::Export => self.take_export(body).await?,
        };
        Ok(tonic::Response::new(answer))
    }

    /// zipkin answers a decode error with status 13 and its own words.
    async fn take_report(&self, body: ReceivedBody) -> Result<Bytes, Status> {
        self.intake.count(body.bytes.len());
        if body.bytes.is_empty() {
            return Ok(Bytes::new());
        }
        let limits = self.limits;
        let decode = move |bytes: &Bytes| codec::decode(Format::Proto3, bytes, &limits).map(|spans| (spans, ()));
        let decoded = self.intake.decode(body, PROTO3_GROWTH_MAX, decode).await;
        let (spans, permit, ()) = decoded.map_err(|error| self.refused(&error, Code::Internal))?;
        let stored = self.intake.submit::<DecodeError>(spans, permit).await;
        stored.map_err(|error| self.refused(&error, Code::Internal))?;
        Ok(Bytes::new())
    }

    async fn take_export(&self, body: ReceivedBody) -> Result<Bytes, Status> {
        self.intake.count(body.bytes.len());
        let limits = self.limits;
        let decode = move |bytes: &Bytes| {
            otlp::decode_protobuf(bytes, &limits).map(|export| (export.spans, (export.rejected, export.reason)))
        };
        let decoded = self.intake.decode(body, GROWTH_MAX, decode).await;
        let (spans, permit, (rejected, reason)) =
            decoded.map_err(|error| self.refused(&error, Code::InvalidArgument))?;
        let stored = self.intake.submit::<OtlpError>(spans, permit).await;
        stored.map_err(|error| self.refused(&error, Code::InvalidArgument))?;
        Ok(response(rejected, reason).encode_to_vec().into())
    }

    fn refused<E: std::fmt::Display>(&self, error: &IntakeError<E>, malformed: Code) -> Status {
        match error {
            IntakeError::Body(error) => {
                self.intake.metrics.messages_dropped.inc();
                body_status(*error)
            }
            IntakeError::Decode(error) => {
                self.intake.metrics.messages_dropped.inc();
                Status::new(malformed, error.to_string())
            }
            IntakeError::Submit(error) => match error {
                SubmitError::Full { retry_after } | SubmitError::Unavailable { retry_after, .. } => {
                    unavailable(submit_message(error), *retry_after)
                }
                SubmitError::ShuttingDown => unavailable(submit_message(error), RETRY_AFTER_MEMORY),
                SubmitError::Rejected { .. } | SubmitError::StalePosition => {
                    Status::new(submit_code(error), submit_message(error))
                }
            },
        }
    }
}

/// Try again, and when: clients of OTLP retry `UNAVAILABLE` and heed RetryInfo.
fn unavailable(message: String, retry_after: Duration) -> Status {
    Status::with_error_details(Code::Unavailable, message, ErrorDetails::with_retry_info(Some(retry_after)))
}

pub(super) fn body_status(error: BodyError) -> Status {
    if error.is_retryable() {
        return unavailable(error.to_string(), RETRY_AFTER_MEMORY);
    }
    Status::new(body_code(error), error.to_string())
}

type BoxFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = BoxFuture<tonic::Response<Bytes>, Status>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        Box::pin(self.clone().call_method(request))
    }
}

impl tower::Service<http::Request<Body>> for Unary {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let unary = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(BytesCodec)
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd)
                .max_decoding_message_size(unary.message_bytes_max);
            let bodies = unary.intake.bodies.clone();
            let memory = request.extensions().get::<Memory>().cloned();
            let response = grpc.unary(unary, request).await;
            // Tonic refused the message itself when the method never took its memory.
            if memory.is_some_and(|memory| memory.0.lock().is_some()) && is_too_large(&response) {
                bodies.count_refusal(BodyError::InflatedTooLarge);
            }
            Ok(response)
        })
    }
}

/// What tonic says of a message beyond its limit, plain or inflated.
fn is_too_large<T>(response: &http::Response<T>) -> bool {
    let status = Status::from_header_map(response.headers());
    status.is_some_and(|status| matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted))
}

/// Messages as they are.
#[derive(Clone, Copy, Debug, Default)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
