//! What every store of tasks must keep: one suite, called by the tests of each.
//!
//! It is compiled always, for the reasons that [`crate::contract`] gives.

mod adding;
mod attempts;
mod cancelling;
mod claiming;
mod delivering;
mod keeping;
mod leases;
mod limits;
mod reading;
mod support;
mod telling;
mod walk;

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Ms, Queue};

/// A store to be tried, and the time it lives in.
pub trait Trial: Send + Sync {
    /// One more handle on the same store, as another process would have.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Queue>>;

    /// Lets time pass on the store's clock: by moving it, or by waiting.
    fn pass(&self, time: Ms) -> BoxFuture<'_, ()>;

    /// Whether passing takes no time, so that days may pass.
    fn is_quick(&self) -> bool;
}

/// Holds a store to the whole contract. Each claim gets a new, empty store.
///
/// # Panics
/// At the first claim that the store does not keep.
pub async fn holds<T: Trial>(mut empty: impl AsyncFnMut() -> T) {
    adding::what_was_added_is_got(&empty().await).await;
    adding::a_batch_is_added_as_a_whole_or_not_at_all(&empty().await).await;
    adding::the_same_key_means_the_same_task(&empty().await).await;
    adding::a_key_counts_for_a_day_and_as_long_as_its_task_lives(&empty().await).await;
    adding::of_racing_calls_with_one_key_one_adds(&empty().await).await;
    adding::a_full_queue_takes_nothing(&empty().await).await;
    adding::a_task_may_start_claimed(&empty().await).await;
    adding::an_offered_task_starts_only_where_it_would_be_the_next(&empty().await).await;
    adding::a_task_may_start_later(&empty().await).await;
    adding::big_arguments_and_results_come_back_whole(&empty().await).await;

    claiming::a_claim_shows_who_holds_the_task(&empty().await).await;
    claiming::claims_come_by_priority_then_by_age(&empty().await).await;
    claiming::a_delayed_urgent_task_blocks_nobody(&empty().await).await;
    claiming::a_claim_takes_what_it_wants_of_its_queue(&empty().await).await;
    claiming::of_racing_claimers_each_task_goes_to_one(&empty().await).await;
    claiming::one_step_ends_and_claims(&empty().await).await;

    attempts::an_end_is_written_once(&empty().await).await;
    attempts::every_terminal_state_but_expired_ends_an_attempt(&empty().await).await;
    attempts::a_stale_fence_is_refused(&empty().await).await;
    attempts::a_release_does_not_count(&empty().await).await;
    attempts::a_retry_waits_for_its_time(&empty().await).await;
    attempts::questions_free_the_place_and_answers_bring_it_back(&empty().await).await;

    leases::a_beat_keeps_what_is_held(&empty().await).await;
    leases::a_lost_task_goes_where_the_table_says(&empty().await).await;
    leases::a_claim_takes_over_what_was_lost(&empty().await).await;
    leases::what_waits_beyond_its_deadline_expires(&empty().await).await;
    leases::a_deadline_does_not_touch_what_runs(&empty().await).await;
    leases::the_store_says_when_something_is_due(&empty().await).await;

    cancelling::a_cancel_meets_every_state(&empty().await).await;
    cancelling::what_was_cancelled_does_not_wait_again(&empty().await).await;
    cancelling::a_filter_cancels_all_that_has_not_ended(&empty().await).await;

    limits::a_paused_queue_starts_nothing(&empty().await).await;
    limits::no_more_run_at_once_than_may(&empty().await).await;
    limits::no_more_start_in_a_second_than_may(&empty().await).await;
    limits::a_rate_that_is_set_again_gives_no_start_twice(&empty().await).await;

    telling::the_latest_progress_wins(&empty().await).await;
    telling::output_is_read_by_stream_and_range(&empty().await).await;
    telling::what_is_left_out_of_an_output_counts_nevertheless(&empty().await).await;
    telling::of_a_huge_output_head_and_tail_are_kept(&empty().await).await;
    telling::another_process_sees_notes_soon(&empty().await).await;
    telling::changes_reach_who_listens(&empty().await).await;
    telling::changes_of_another_process_reach_who_listens(&empty().await).await;

    reading::a_page_holds_what_its_filter_says(&empty().await).await;
    reading::pages_follow_one_another_without_gaps(&empty().await).await;
    reading::a_search_finds_text_wherever_it_stands(&empty().await).await;
    reading::a_prefix_names_its_tasks(&empty().await).await;
    reading::the_counters_say_what_a_recount_says(&empty().await).await;

    keeping::ended_tasks_go_by_age_number_and_output(&empty().await).await;
    keeping::what_is_still_needed_stays(&empty().await).await;
    keeping::a_chain_is_looked_at_once(&empty().await).await;
    keeping::a_buried_task_is_no_dead_letter_any_more(&empty().await).await;
    keeping::an_imported_task_is_as_it_was(&empty().await).await;
    keeping::what_belongs_to_an_imported_task_comes_along(&empty().await).await;
    keeping::what_was_cut_by_another_store_grows_at_its_end(&empty().await).await;

    delivering::only_a_callback_gets_deliveries(&empty().await).await;
    delivering::deliveries_of_a_task_come_in_order(&empty().await).await;
    delivering::a_claimed_delivery_is_not_claimed_again(&empty().await).await;
    delivering::a_dead_delivery_is_listed_and_replayed(&empty().await).await;

    for seed in 1..=8 {
        walk::no_walk_leaves_the_table(&empty().await, seed).await;
    }
}
