//! The suite itself: backends broken on purpose must each be caught, and a faithful one with positions must pass.

mod broken;

use self::broken::{Broken, Fault};
use super::{CASES, Case, Suite};
use crate::storage::{MemoryConfig, MemoryStorage};

/// Whether a backend with the fault passes the case.
async fn passes(case: &'static Case, fault: Option<Fault>) -> bool {
    let suite =
        Suite::new(
            move |options| async move { Broken::new(MemoryStorage::new(MemoryConfig::default(), options), fault) },
        );
    let run = tokio::spawn(async move { case.run(&suite).await });
    run.await.is_ok()
}

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case named {name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faithful_backend_with_positions_passes() {
    for case in CASES {
        assert!(passes(case, None).await, "{}", case.name);
    }
}

macro_rules! broken_backends_are_caught {
    ($($name:ident: $fault:ident by $case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                assert!(!passes(case(stringify!($case)), Some(Fault::$fault)).await);
            }
        )*

        #[test]
        fn every_fault_is_tried() {
            let tried = [$(Fault::$fault),*];
            assert!(Fault::ALL.iter().all(|fault| tried.contains(fault)));
        }
    };
}

broken_backends_are_caught! {
    a_backend_that_drops_spans: DropsSpans by every_field_is_read_back,
    a_backend_that_drops_batches: DropsSecondBatch by results_come_one_per_batch_in_order,
    a_backend_that_doubles_spans: DoublesSpans by equal_spans_are_kept_once,
    a_backend_that_counts_calls_twice: DoublesLinks by writing_again_changes_no_answer,
    a_backend_that_reorders_traces: ReordersTraces by traces_come_newest_first,
    a_backend_that_reorders_spans: ReordersSpans by spans_of_a_trace_come_in_zipkins_order,
    a_backend_that_reorders_links: ReordersLinks by links_equal_the_recorded_ones,
    a_backend_that_ignores_the_limit: IgnoresLimit by the_limit_takes_the_newest,
    a_backend_that_ignores_the_lookback: IgnoresLookback by the_window_includes_both_ends,
    a_backend_that_ignores_the_end: IgnoresEnd by the_window_includes_both_ends,
    a_backend_that_ignores_the_service: IgnoresService by service_names_match_exactly,
    a_backend_that_ignores_the_remote_service: IgnoresRemoteService by remote_names_belong_to_the_service,
    a_backend_that_ignores_the_span_name: IgnoresSpanName by span_names_belong_to_the_service,
    a_backend_that_ignores_an_annotation_term: IgnoresLastTerm by annotation_terms_match_tags_and_annotations,
    a_backend_that_ignores_the_shortest_duration: IgnoresMinDuration by durations_belong_to_the_service,
    a_backend_that_ignores_the_longest_duration: IgnoresMaxDuration by duration_ranges_include_both_ends,
    a_backend_that_ignores_the_window_of_links: IgnoresLinkWindow by links_equal_the_recorded_ones,
    a_backend_that_counts_requests_twice: DoublesRed by red_counts_late_and_repeated_spans_once,
    a_backend_that_ignores_the_window_of_red: IgnoresRedWindow by red_takes_the_minutes_of_the_window,
    a_backend_that_cuts_texts_at_nul: CutsAtNul by nul_and_four_byte_characters_are_kept,
    a_backend_that_writes_half_a_batch_first: WritesInHalves by readers_never_see_half_a_batch,
    a_backend_that_accepts_a_stale_position: AcceptsStalePosition by a_stale_position_refuses_its_batch_only,
    a_backend_that_forgets_the_position: ForgetsPosition by positions_are_stored_with_their_spans,
    a_backend_that_keeps_spans_of_a_stale_batch: KeepsSpansOfStaleBatch by a_stale_position_refuses_its_batch_only,
    a_backend_that_ignores_budgets: IgnoresBudget by a_query_that_reads_too_much_ends,
    a_backend_that_leaves_names_unsorted: LeavesNamesUnsorted by lists_are_sorted_by_utf16_units,
    a_backend_that_skips_traces_in_a_scan: SkipsInScan by a_scan_gives_every_trace_whole,
    a_backend_that_answers_late: AnswersBeforeItWrites by what_was_acknowledged_is_read,
}
