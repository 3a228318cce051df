//! Rate, errors and durations (RED) per minute: of services, of their spans by name, of the calls between services.
//!
//! All three are functions of the stored traces, so a span that comes late, twice or in parts corrects a figure and never
//! counts twice. A trace is all spans of one low 64-bit trace id, merged as for dependency links. Of its merged spans:
//!
//! * The **minute** is that of the span's own timestamp. A span without timestamp belongs to no minute and counts nowhere.
//! * A **request of a service** is a span of it of kind SERVER or CONSUMER; or without kind, when it begins the trace (it has
//!   no parent), or when its parent is known and another service's. A parent that is missing decides nothing.
//! * A **span by name** is any span with a service and a name, counted per service, name and kind, so that a client's `get`
//!   is not mixed with a server's.
//! * A **call** is what the dependency linker counts as one, in the minute of the span it was read from: over all minutes
//!   the calls of an edge are those of its link, if all spans have timestamps. Its duration is that of the same span: the
//!   server's where there is one, else the client's.
//! * An **error** is a span with the tag `error`, in any of its reports; for calls what the linker says.
//! * The **duration** is the span's; a span without one counts as a request and not among the durations. Quantiles are by
//!   nearest rank, within 1.6 percent ([`DurationSketch`]).

mod encoded;
mod sketch;
mod table;
mod trace;

use std::hash::{Hash, Hasher};

pub use encoded::CorruptRed;
pub use sketch::DurationSketch;
pub use table::{RED_SERIES_MAX, RedAnswer, RedSeries, RedTable};
pub use trace::{RedSample, red_of_trace};

use super::SpanKind;

/// Microseconds of a minute.
pub(super) const MINUTE_US: i64 = 60_000_000;
/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60_000;

/// What is counted together. Names are lower-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RedKeyRef<'a> {
    /// Requests that a service answered.
    Service {
        /// The service.
        service: &'a str,
    },
    /// Spans of one name.
    Span {
        /// The service that recorded them.
        service: &'a str,
        /// The span name.
        name: &'a str,
        /// Their kind.
        kind: Option<SpanKind>,
    },
    /// Calls between two services.
    Edge {
        /// The service that called.
        parent: &'a str,
        /// The service that was called.
        child: &'a str,
    },
}

impl Hash for RedKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (view, first, second) = self.parts();
        (view, first, second).hash(state);
    }
}

impl<'a> RedKeyRef<'a> {
    /// Number of the view (and kind) and the two names: the form in which keys are hashed and written.
    fn parts(self) -> (u8, &'a str, &'a str) {
        match self {
            Self::Service { service } => (0, service, ""),
            Self::Edge { parent, child } => (1, parent, child),
            Self::Span { service, name, kind } => {
                let kind = match kind {
                    None => 0,
                    Some(SpanKind::Client) => 1,
                    Some(SpanKind::Server) => 2,
                    Some(SpanKind::Producer) => 3,
                    Some(SpanKind::Consumer) => 4,
                };
                (2 + kind, service, name)
            }
        }
    }

    fn from_parts(view: u8, first: &'a str, second: &'a str) -> Option<Self> {
        let span = |kind| Some(Self::Span { service: first, name: second, kind });
        match view {
            0 => second.is_empty().then_some(Self::Service { service: first }),
            1 => Some(Self::Edge { parent: first, child: second }),
            2 => span(None),
            3 => span(Some(SpanKind::Client)),
            4 => span(Some(SpanKind::Server)),
            5 => span(Some(SpanKind::Producer)),
            6 => span(Some(SpanKind::Consumer)),
            _ => None,
        }
    }

    /// The key with names of its own.
    #[must_use]
    pub fn to_key(self) -> RedKey {
        let (view, first, second) = self.parts();
        RedKey { view, first: first.into(), second: second.into() }
    }
}

/// A [`RedKeyRef`] with names of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedKey {
    view: u8,
    first: Box<str>,
    second: Box<str>,
}

impl RedKey {
    /// The key with borrowed names.
    #[must_use]
    pub fn as_ref(&self) -> RedKeyRef<'_> {
        // Keys are made by `to_key` only, so the number is always known.
        RedKeyRef::from_parts(self.view, &self.first, &self.second).unwrap_or(RedKeyRef::Service { service: "" })
    }
}

/// What happened in some stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Red {
    /// Requests, spans or calls.
    pub calls: u64,
    /// Those with an error, at most `calls`.
    pub errors: u64,
    /// The durations of those that have one.
    pub durations: DurationSketch,
}

impl Red {
    /// Counts one.
    pub fn add(&mut self, duration_us: Option<i64>, is_error: bool) {
        self.calls = self.calls.saturating_add(1);
        self.errors = self.errors.saturating_add(u64::from(is_error));
        duration_us.into_iter().for_each(|duration_us| self.durations.add(duration_us));
    }

    /// Counts what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.durations.merge(&other.durations);
    }
}

/// Which series, over which time, in which steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedRequest {
    /// Only of this service: its requests, its spans by name, calls from it and to it. `None`: the requests of every service
    /// and all calls, without spans by name.
    pub service_name: Option<String>,
    /// Only the spans of this name of `service_name`.
    pub span_name: Option<String>,
    /// Only calls to this service: of `service_name`, or of any.
    pub remote_service_name: Option<String>,
    /// First minute (minutes since the epoch).
    pub start_minute: i64,
    /// The minute after the last.
    pub end_minute: i64,
    /// Minutes counted together, at least one. The first step begins at `start_minute`.
    pub step_minutes: i64,
    /// Most series of the answer; what belongs to further ones is counted as left out.
    pub series_max: usize,
}

impl RedRequest {
    /// The first millisecond of the window.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        self.start_minute.saturating_mul(MINUTE_MS)
    }

    /// The last millisecond of the window.
    #[must_use]
    pub fn last_ms(&self) -> i64 {
        self.end_minute.saturating_mul(MINUTE_MS).saturating_sub(1)
    }

    /// Whether a series was asked for.
    #[must_use]
    pub fn asks_for(&self, key: RedKeyRef<'_>) -> bool {
        let is_or_any = |asked: &Option<String>, name: &str| asked.as_deref().is_none_or(|asked| asked == name);
        match key {
            RedKeyRef::Service { service } => {
                self.span_name.is_none() && self.remote_service_name.is_none() && is_or_any(&self.service_name, service)
            }
            RedKeyRef::Span { service, name, .. } => {
                self.remote_service_name.is_none()
                    && self.service_name.as_deref() == Some(service)
                    && is_or_any(&self.span_name, name)
            }
            RedKeyRef::Edge { parent, child } => match (&self.service_name, &self.remote_service_name) {
                _ if self.span_name.is_some() => false,
                (Some(service), None) => service == parent || service == child,
                (service, remote) => is_or_any(service, parent) && is_or_any(remote, child),
            },
        }
    }

    /// The first minute of the step that a minute of the window belongs to.
    fn step_of(&self, minute: i64) -> Option<i64> {
        if !(self.start_minute..self.end_minute).contains(&minute) {
            return None;
        }
        let into = minute.checked_sub(self.start_minute)?;
        Some(minute - into % self.step_minutes.max(1))
    }
}

#[cfg(test)]
mod tests;
