//! One suite for every implementation of the ports: the services' requirements, as checks whose names state facts.
//!
//! A check gets two [`Regions`] of its own, and panics if a port violates its contract. For asynchronous effects
//! (replication, an index, a queue), it polls until a deadline. [`every_check`](crate::every_check) lists all checks,
//! so that no implementation skips one.

pub mod journal;
pub mod key_store;
pub mod lake_store;
pub mod leases;
pub mod marks;
mod messages;
pub mod pending_index;
pub mod queue;
pub mod sale_table;
mod samples;
pub mod settling;
pub mod site_switch;
pub mod topic;

use std::time::Duration;

use crate::attributes::Attributes;
use crate::clock::Clock;
use crate::ports::{Journal, KeyStore, LakeStore, Leases, Marks, SaleQueue, SaleTable, SaleTopic, SiteSwitch};
use crate::shard::Shards;
use crate::site_state::SiteState;

/// Deadline for an expected effect.
const DEADLINE: Duration = Duration::from_secs(60);

/// Tolerance for early effects that are counted in whole seconds.
const TOLERANCE: Duration = Duration::from_secs(1);

/// The ports of one region, and access to what they only write.
pub trait Ports {
    /// The sales table.
    fn sale_table(&self) -> impl SaleTable;

    /// The topic, to which the queues of both regions are subscribed.
    fn sale_topic(&self) -> impl SaleTopic;

    /// The queue, whose redrive policy allows ten deliveries.
    fn sale_queue(&self) -> impl SaleQueue;

    /// The journal.
    fn journal(&self) -> impl Journal;

    /// The objects of the lake.
    fn lake_store(&self) -> impl LakeStore;

    /// The marks.
    fn marks(&self) -> impl Marks;

    /// The leases.
    fn leases(&self) -> impl Leases;

    /// The keys of issuers.
    fn key_store(&self) -> impl KeyStore;

    /// The switch.
    fn site_switch(&self) -> impl SiteSwitch;

    /// Sets the switch; `None` removes its parameter.
    fn set_state(&self, state: Option<SiteState>) -> impl Future<Output = ()>;

    /// Content of the lake's object with this key.
    fn object(&self, key: &str) -> impl Future<Output = Option<String>>;

    /// Puts a message of another tool into the queue.
    fn send(&self, body: &str, attributes: &Attributes) -> impl Future<Output = ()>;

    /// Lets the next call of this operation take effect, but loses the response: the caller retries.
    fn lose_next_answer(&self, operation: &'static str);

    /// The bodies and attributes of dead letters, at least those not returned before.
    fn dead_letters(&self) -> impl Future<Output = Vec<(String, Attributes)>>;
}

/// Two regions that replicate to each other.
#[derive(Clone, Debug)]
pub struct Regions<P> {
    /// One region.
    pub here: P,
    /// The other one.
    pub there: P,
    /// The shards of both sales tables; more than one.
    pub shards: Shards,
    /// The clock of the queues, and roughly of everything else.
    pub clock: Clock,
}

/// Calls the macro `$checks` with every check of the suite, by its module in [`conformance`](crate::conformance).
#[macro_export]
macro_rules! every_check {
    ($checks:ident) => {
        $checks! {
            sale_table {
                a_sale_is_found_in_its_region_at_once_and_in_the_other_one_after_a_while
                an_unknown_sale_is_not_found
                of_two_sales_with_one_id_the_first_stays
                new_sales_are_inserted_alone_and_in_groups_with_a_result_each
                a_lone_new_sale_that_is_put_again_changes_nothing
                a_cancellation_is_inserted_once_and_found_with_its_sale
                a_cancellation_without_its_sale_is_no_sale
                a_fact_that_never_replicated_is_inserted_once
                an_own_write_that_is_repeated_is_no_other_s
                the_facts_held_are_exactly_those_that_are_there
                a_pending_fact_is_loaded_as_it_was_inserted
                the_table_can_be_asked_whether_it_answers
            }
            settling {
                a_settled_fact_is_processed_and_no_longer_pending
                settling_again_changes_nothing
                settling_does_not_change_what_the_item_says
                settling_creates_the_item_where_there_is_none
                a_group_is_settled_as_each_of_its_facts_would_be
            }
            pending_index {
                pages_hold_each_older_fact_of_their_shard_once_and_the_oldest_first
                a_page_begins_where_the_last_one_ended_although_its_facts_are_settled
                a_shard_without_facts_has_one_empty_page
                the_backlog_counts_its_shard_and_tells_the_oldest
            }
            marks {
                nothing_is_marked_at_first
                the_facts_present_are_exactly_those_that_were_recorded
                a_mark_is_seen_in_the_other_region_after_a_while
                recording_again_changes_nothing
                a_lease_is_no_mark
                the_marks_can_be_asked_whether_they_answer
            }
            leases {
                a_free_shard_is_taken_and_another_task_is_told_until_when
                its_holder_keeps_a_shard_for_longer
                a_shard_is_free_again_once_its_time_is_over
                its_holder_alone_lets_a_shard_go
                a_lease_whose_answer_was_lost_is_held_by_whoever_asked
                shards_are_held_one_by_one
                the_table_is_a_duty_of_its_own
                the_other_region_has_leases_of_its_own
            }
            journal {
                an_object_holds_its_lines
                an_object_may_have_thousands_of_lines
                an_object_that_is_put_again_stays_as_it_is
                an_object_is_in_the_other_region_after_a_while
                the_lake_can_be_asked_whether_it_answers
            }
            lake_store {
                an_object_is_read_as_it_was_put_in_whole_and_in_part
                an_object_that_does_not_exist_is_none
                an_object_is_created_once_and_replaced_as_often_as_asked
                a_creation_whose_answer_was_lost_finds_its_own_object
                of_many_creators_at_once_one_succeeds
                keys_are_listed_in_order_page_by_page
                folders_are_listed_without_what_they_hold
                deleted_objects_are_gone_and_others_stay
                the_journal_is_listed_and_read_like_anything_else
                what_is_not_of_the_journal_stays_in_its_region
            }
            topic {
                an_event_arrives_in_both_regions_as_it_was_published
                many_events_arrive_in_both_regions
                the_largest_events_arrive_in_both_regions
                each_region_publishes_to_both
            }
            queue {
                an_empty_queue_answers_when_the_wait_is_over
                a_message_that_comes_meanwhile_ends_the_wait
                at_most_ten_messages_come_at_once
                a_message_that_is_not_acknowledged_comes_back_after_its_hiding
                hiding_for_longer_keeps_a_message_away
                hiding_for_no_time_brings_a_message_back_at_once
                an_acknowledged_message_does_not_come_back
                acknowledging_again_or_too_late_concerns_no_other_call
                a_receipt_that_is_none_takes_no_other_with_it
                a_dead_letter_is_a_copy_with_its_reason
                attributes_keep_their_types_on_their_way_to_the_dead_letters
                a_dead_letter_with_all_its_attributes_has_a_reason_and_loses_none
                a_message_that_is_delivered_too_often_becomes_a_dead_letter_by_itself
            }
            key_store {
                an_issuer_whose_keys_were_never_saved_has_none
                the_keys_that_were_saved_last_are_loaded
                the_other_region_has_keys_of_its_own
            }
            site_switch {
                the_switch_says_what_is_set
                a_switch_that_is_not_there_is_missing
            }
        }
    };
}

/// Polls until there is a result.
///
/// # Panics
/// If there is none before the deadline: `what` did not happen.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("{what}: it did not happen"))
}
