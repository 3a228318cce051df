//! The suite every backend must pass: what the storage traits promise, case by case.
//!
//! ```text
//! mod conformance {
//!     storage_conformance_suite!(|options| async move { MemoryStorage::new(MemoryConfig::default(), options) });
//! }
//! ```
//!
//! The argument makes an empty store of its own for each call; it gives the backend, or [`Fixture::with_guard`] when
//! something (a directory, a schema) must outlive it. Stores are made without retention, and with room for 100,000 spans:
//! cases use times from the epoch to the far future. What a backend does not declare in its
//! [`Capabilities`](super::Capabilities) is not asked of it; what it declares is.

mod budget;
mod concurrency;
mod content;
mod dependencies;
mod names;
mod pins;
mod positions;
mod red;
mod sample;
mod scan;
mod search;
mod traces;
mod writing;

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Batch, QueryBudget, SpanStore, StorageBackend, StorageOptions, Stored};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

/// A store made for one case, and what must outlive it.
pub struct Fixture {
    backend: Arc<dyn StorageBackend>,
    _guard: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    /// A store with something that is dropped after it, such as its directory.
    pub fn with_guard(backend: impl StorageBackend + 'static, guard: impl Any + Send + Sync) -> Self {
        Self { backend: Arc::new(backend), _guard: Box::new(guard) }
    }
}

/// A store that is shared already.
impl From<Arc<dyn StorageBackend>> for Fixture {
    fn from(backend: Arc<dyn StorageBackend>) -> Self {
        Self { backend, _guard: Box::new(()) }
    }
}

impl<B: StorageBackend + 'static> From<B> for Fixture {
    fn from(backend: B) -> Self {
        Self::with_guard(backend, ())
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixture({})", self.backend.name())
    }
}

impl Deref for Fixture {
    type Target = dyn StorageBackend;

    fn deref(&self) -> &Self::Target {
        &*self.backend
    }
}

/// What cases ask stores of.
pub struct Suite {
    make: Box<dyn Fn(StorageOptions) -> BoxFuture<'static, Fixture> + Send + Sync>,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suite")
    }
}

impl Suite {
    /// A suite over the stores that `make` gives.
    pub fn new<M, F, B>(make: M) -> Self
    where
        M: Fn(StorageOptions) -> F + Send + Sync + 'static,
        F: Future<Output = B> + Send + 'static,
        B: Into<Fixture> + 'static,
    {
        Self { make: Box::new(move |options| make(options).map(Into::into).boxed()) }
    }

    /// An empty store with default options.
    async fn store(&self) -> Fixture {
        self.store_with(StorageOptions::default()).await
    }

    async fn store_with(&self, options: StorageOptions) -> Fixture {
        (self.make)(options).await
    }

    async fn lenient_store(&self) -> Fixture {
        self.store_with(StorageOptions { strict_trace_id: false, ..StorageOptions::default() }).await
    }
}

/// Calls that must succeed, for short cases.
impl Fixture {
    async fn put(&self, spans: SpanBatch) {
        self.put_all(vec![spans]).await;
    }

    async fn put_all(&self, batches: Vec<SpanBatch>) {
        let batches: Vec<Batch> = batches.into_iter().map(|spans| Batch { spans, position: None }).collect();
        let results = self.write(&batches).await;
        assert_eq!(results.len(), batches.len(), "one result per batch");
        for (result, batch) in results.into_iter().zip(&batches) {
            let stored = result.unwrap_or_else(|error| panic!("a batch was refused: {error}"));
            assert_eq!(stored, Stored { spans: batch.spans.len() });
        }
    }

    async fn found(&self, request: &QueryRequest) -> Vec<SpanBatch> {
        let found = self.search(request, &QueryBudget::unlimited()).await;
        found.unwrap_or_else(|error| panic!("a search failed: {error}"))
    }

    async fn read(&self, ids: &[TraceId]) -> Vec<SpanBatch> {
        let traces = self.traces(ids, &QueryBudget::unlimited()).await;
        traces.unwrap_or_else(|error| panic!("reading traces failed: {error}"))
    }

    async fn links(&self, end_ts_ms: i64, lookback_ms: i64) -> Vec<DependencyLink> {
        let links = self.dependencies(end_ts_ms, lookback_ms, &QueryBudget::unlimited()).await;
        links.unwrap_or_else(|error| panic!("dependencies failed: {error}"))
    }

    async fn red_of(&self, request: &RedRequest) -> RedAnswer {
        let red = SpanStore::red(&**self, request, &QueryBudget::unlimited()).await;
        red.unwrap_or_else(|error| panic!("red failed: {error}"))
    }

    async fn services(&self) -> Vec<String> {
        self.service_names().await.unwrap_or_else(|error| panic!("service names failed: {error}"))
    }

    async fn names_of(&self, service: &str) -> Vec<String> {
        self.span_names(service).await.unwrap_or_else(|error| panic!("span names failed: {error}"))
    }

    async fn remotes_of(&self, service: &str) -> Vec<String> {
        self.remote_service_names(service).await.unwrap_or_else(|error| panic!("remote names failed: {error}"))
    }

    async fn values_of(&self, key: &str) -> Vec<String> {
        self.autocomplete_values(key).await.unwrap_or_else(|error| panic!("autocomplete failed: {error}"))
    }
}

/// A case by name: an async function that panics when the store breaks the promise.
pub struct Case {
    /// What is promised.
    pub name: &'static str,
    run: for<'a> fn(&'a Suite) -> BoxFuture<'a, ()>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    /// Runs the case on stores of `suite`.
    pub async fn run(&self, suite: &Suite) {
        (self.run)(suite).await;
    }
}

/// Runs the case of that name; for the stamp.
pub async fn run_case(name: &str, suite: &Suite) {
    let case = CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case named {name}"));
    case.run(suite).await;
}

macro_rules! list_cases {
    (() $($group:ident { $($name:ident)* })*) => {
        /// Every case.
        pub const CASES: &[Case] = &[$($(Case { name: stringify!($name), run: |suite| $group::$name(suite).boxed() },)*)*];
    };
}

/// Every case by group: the one list of them, handed to the macro `$with`.
#[doc(hidden)]
#[macro_export]
macro_rules! storage_conformance_cases {
    ($with:path, $args:tt) => {
        $with! { $args
            writing {
                every_field_is_read_back
                results_come_one_per_batch_in_order
                equal_spans_are_kept_once
                a_difference_in_any_field_keeps_both
                a_batch_with_known_and_new_spans_adds_the_new_ones
                writing_again_changes_no_answer
                a_large_batch_is_stored_whole
            }
            content {
                nul_and_four_byte_characters_are_kept
                long_keys_and_names_are_kept
                large_values_are_kept
                empty_keys_and_values_are_kept
                extreme_and_missing_times_are_kept
                extreme_ids_are_kept
            }
            traces {
                traces_come_in_the_order_asked
                unknown_traces_are_left_out
                spans_of_a_trace_come_in_zipkins_order
                strict_ids_keep_long_and_short_apart
                lenient_ids_go_by_the_low_half
                strict_parts_share_the_order_of_the_whole
            }
            search {
                the_window_includes_both_ends
                the_window_is_exact_to_the_microsecond
                the_roots_time_decides
                traces_come_newest_first
                newest_goes_by_the_spans_inside_the_window
                ties_go_by_trace_id
                the_limit_takes_the_newest
                spans_without_time_are_not_found
                spans_without_time_come_with_their_trace
                service_names_match_exactly
                span_names_belong_to_the_service
                remote_names_belong_to_the_service
                durations_belong_to_the_service
                duration_ranges_include_both_ends
                annotation_terms_match_tags_and_annotations
                annotation_terms_may_match_different_spans
                all_conditions_together
                a_rare_match_is_found_behind_many_others
                strict_parts_are_tested_again
                lenient_search_groups_by_the_low_half
                extreme_windows_are_answered
                late_spans_change_what_matches
            }
            names {
                only_complete_spans_feed_the_lists
                lists_are_sorted_by_utf16_units
                autocomplete_lists_configured_keys_only
                lists_have_limits_and_spans_are_kept
                without_search_only_traces_and_links_answer
            }
            dependencies {
                links_equal_the_recorded_ones
                links_ignore_the_high_half
                links_of_late_spans_are_corrected
                links_come_without_search_too
            }
            red {
                red_counts_requests_errors_and_durations
                red_counts_late_and_repeated_spans_once
                red_merges_what_came_in_parts
                red_takes_the_minutes_of_the_window
                red_equals_a_recount_of_all_traces
                red_comes_without_search_too
                red_leaves_out_and_counts_series_beyond_the_limit
                red_ends_on_the_budget
                stores_without_red_say_so
            }
            pins {
                pinned_traces_are_listed_until_they_are_let_go
                a_trace_that_does_not_exist_cannot_be_pinned
                pinning_changes_no_answer
                stores_without_pins_say_so
            }
            scan {
                a_scan_gives_every_trace_whole
                a_scan_goes_on_behind_any_page
                a_scan_keeps_to_its_window
                spans_without_time_count_as_zero_in_a_scan
                stores_without_scans_say_so
            }
            positions {
                positions_are_stored_with_their_spans
                a_stale_position_refuses_its_batch_only
                a_gap_is_refused
                batches_without_spans_move_the_position
                sources_are_independent
                one_of_two_racing_members_wins
                stores_without_positions_say_so
            }
            budget {
                a_passed_deadline_ends_queries
                a_cancelled_query_ends
                a_query_that_reads_too_much_ends
                a_sufficient_budget_changes_nothing
            }
            concurrency {
                readers_never_see_half_a_batch
                concurrent_writers_lose_and_double_nothing
                what_was_acknowledged_is_read
            }
        }
    };
}

crate::storage_conformance_cases!(list_cases, ());

/// Stamps one test per case on the stores that the argument makes: `|options: StorageOptions| async { backend }`.
#[macro_export]
macro_rules! storage_conformance_suite {
    ($make:expr) => {
        $crate::storage_conformance_cases!($crate::storage_conformance_stamp, ($make));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! storage_conformance_stamp {
    (($make:expr) $($group:ident { $($name:ident)* })*) => {
        $(mod $group {
            #[allow(unused_imports, reason = "the argument may need what its module imports")]
            use super::*;

            $crate::storage_conformance_stamp!(@each $make; $($name)*);
        })*
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let suite = $crate::storage::conformance::Suite::new($make);
                $crate::storage::conformance::run_case(stringify!($name), &suite).await;
            }
        )*
    };
}

#[cfg(test)]
mod tests;
