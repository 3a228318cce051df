//! What a list of results shows of a trace, without its spans.

use std::cmp::Reverse;

use hashbrown::HashMap;

use super::{QueryError, QueryService};
use crate::model::{QueryRequest, SpanBatch, SpanRef, TraceId, critical_shares, merge};

/// Most traces that one list of summaries is made from: pages end here, and other orders than the newest first rank the
/// newest so many.
pub const SUMMARIES_MAX: usize = 10_000;

/// A trace in a list of results.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    /// The trace.
    pub trace_id: TraceId,
    /// Earliest start, microseconds; 0 when no span has one.
    pub start_us: i64,
    /// Duration of the root, else the time between the earliest start and the latest end, microseconds.
    pub duration_us: i64,
    /// Spans as stored: the halves of a shared span count as two.
    pub span_count: usize,
    /// Spans with a tag `error`.
    pub error_count: usize,
    /// `None` when no span without parent was received.
    pub root: Option<RootSummary>,
    /// Local services, the one with most spans first.
    pub services: Vec<ServiceSummary>,
}

/// The span that began a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootSummary {
    /// Its service, empty when unknown.
    pub service_name: String,
    /// Its name, empty when it has none.
    pub name: String,
}

/// One service's part of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceSummary {
    /// Local service name.
    pub name: String,
    /// Its spans.
    pub span_count: usize,
    /// Its spans with a tag `error`.
    pub error_count: usize,
    /// Its longest span, microseconds.
    pub max_duration_us: i64,
    /// Its share of the critical path, 0 to 1, of the traces that a page shows.
    pub critical_share: f64,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SummaryOrder {
    /// As a search answers.
    #[default]
    Newest,
    /// By duration.
    Longest,
    /// By number of spans with errors.
    MostErrors,
    /// By number of spans.
    MostSpans,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummaryPage {
    /// In the order asked for.
    pub summaries: Vec<TraceSummary>,
    /// There are further ones behind.
    pub has_more: bool,
    /// Every trace that matches was looked at; false when there are more than [`SUMMARIES_MAX`].
    pub is_complete: bool,
}

impl QueryService {
    /// The summaries `offset .. offset + request.limit` of the traces that match.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn summaries(
        &self,
        request: &QueryRequest,
        order: SummaryOrder,
        offset: usize,
    ) -> Result<SummaryPage, QueryError> {
        let end = offset.saturating_add(request.limit).min(SUMMARIES_MAX);
        // One more than is shown tells whether there are more.
        let wanted = if order == SummaryOrder::Newest { end + 1 } else { SUMMARIES_MAX + 1 };
        let traces = self.search(&QueryRequest { limit: wanted, ..request.clone() }).await?;
        let page = tokio::task::spawn_blocking(move || page(&traces, order, offset, end)).await;
        Ok(page.unwrap_or_default())
    }
}

fn page(traces: &[SpanBatch], order: SummaryOrder, offset: usize, end: usize) -> SummaryPage {
    let is_complete = traces.len() <= SUMMARIES_MAX;
    let has_more = traces.len() > end && end < SUMMARIES_MAX;
    let traces = &traces[..traces.len().min(SUMMARIES_MAX)];
    let mut all = traces.iter().filter_map(|trace| Some((TraceSummary::of(trace)?, trace)));
    // What takes a tree of the trace is made for those on the page only.
    let shown = |summaries: &mut dyn Iterator<Item = (TraceSummary, &SpanBatch)>| {
        summaries.take(end).skip(offset).map(|(summary, trace)| summary.with_critical_shares(trace)).collect()
    };
    let summaries = if order == SummaryOrder::Newest {
        shown(&mut all)
    } else {
        let mut ranked: Vec<_> = all.collect();
        // Stable: equal ones stay newest first.
        ranked.sort_by_key(|(summary, _)| Reverse(order.rank(summary)));
        shown(&mut ranked.into_iter())
    };
    SummaryPage { summaries, has_more, is_complete }
}

impl SummaryOrder {
    fn rank(self, summary: &TraceSummary) -> i64 {
        match self {
            Self::Newest => summary.start_us,
            Self::Longest => summary.duration_us,
            Self::MostErrors => summary.error_count as i64,
            Self::MostSpans => summary.span_count as i64,
        }
    }
}

impl TraceSummary {
    /// Summarises the spans of one trace; `None` without spans.
    #[must_use]
    pub fn of(spans: &SpanBatch) -> Option<Self> {
        let mut start_us = i64::MAX;
        let mut end_us = 0;
        let mut error_count = 0;
        let mut root: Option<SpanRef<'_>> = None;
        let mut services: HashMap<&str, ServiceSummary> = HashMap::new();
        for span in spans.iter() {
            let duration_us = span.duration_us.unwrap_or(0);
            if let Some(timestamp_us) = span.timestamp_us {
                start_us = start_us.min(timestamp_us);
                end_us = end_us.max(timestamp_us.saturating_add(duration_us));
            }
            let failed = usize::from(span.tag("error").is_some());
            error_count += failed;
            if span.parent_id.is_none() && root.is_none_or(|known| root_rank(&span) < root_rank(&known)) {
                root = Some(span);
            }
            if let Some(name) = span.local_service_name() {
                let service = services.entry(name).or_default();
                service.span_count += 1;
                service.error_count += failed;
                service.max_duration_us = service.max_duration_us.max(duration_us);
            }
        }
        let extent_us = if start_us == i64::MAX { 0 } else { end_us.saturating_sub(start_us) };
        Some(Self {
            trace_id: spans.get(0)?.trace_id,
            start_us: if start_us == i64::MAX { 0 } else { start_us },
            duration_us: root.and_then(|root| root.duration_us).unwrap_or(extent_us),
            span_count: spans.len(),
            error_count,
            root: root.map(|root| RootSummary {
                service_name: root.local_service_name().unwrap_or_default().to_owned(),
                name: root.name.unwrap_or_default().to_owned(),
            }),
            services: by_span_count(services),
        })
    }

    fn with_critical_shares(mut self, spans: &SpanBatch) -> Self {
        let shares: HashMap<&str, f64> = critical_shares(&merge(spans.iter())).into_iter().collect();
        for service in &mut self.services {
            service.critical_share = shares.get(service.name.as_str()).copied().unwrap_or_default();
        }
        self
    }
}

/// Of several roots the one that starts first; the server's half names the root better than the client's.
fn root_rank(span: &SpanRef<'_>) -> (i64, bool) {
    (span.timestamp_us.unwrap_or(i64::MAX), !span.shared)
}

fn by_span_count(services: HashMap<&str, ServiceSummary>) -> Vec<ServiceSummary> {
    let mut services: Vec<_> =
        services.into_iter().map(|(name, service)| ServiceSummary { name: name.to_owned(), ..service }).collect();
    services.sort_by(|a, b| b.span_count.cmp(&a.span_count).then_with(|| a.name.cmp(&b.name)));
    services
}

#[cfg(test)]
mod tests;
