//! Production failures, injected into the production binaries: in all of them, a sale answered with 201 reaches the
//! journal of each region, where nothing contradicts it.
//!
//! Each scenario has two regions of its own and ends with the same [audit](audit). Scenarios mostly wait, for
//! redelivered messages and state refreshes, so more of them run concurrently than a small machine has processors. The
//! usual harness takes that number only from outside, hence another one with the same usage.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

mod audit;
mod clients;
mod dependencies;
mod messages;
mod pipeline;
mod processes;
mod regions;

use std::{process::ExitCode, sync::LazyLock};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::{Builder, Runtime};

use crate::pipeline::services_built;

/// Concurrent scenarios: each has four services, mostly idle.
const AT_A_TIME: usize = 6;

/// One for all scenarios, on separate threads: a proxy responds while its scenario waits for a process.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

macro_rules! scenarios {
    ($($module:ident: $($name:ident),+;)+) => {
        vec![$($(scenario(concat!(stringify!($module), "::", stringify!($name)), $module::$name)),+),+]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_A_TIME);
    if let Err(missing) = services_built()
        && !arguments.list
    {
        eprintln!("error: {missing:#}");
        return ExitCode::FAILURE;
    }
    // The longest first, so that no other scenario waits for it at the end.
    let scenarios = scenarios! {
        dependencies:
            a_lake_that_refuses_for_minutes_makes_sales_wait_without_a_rush_of_calls;
        processes:
            a_worker_killed_before_and_after_each_step_leaves_work_that_its_messages_repeat,
            a_worker_killed_before_and_after_each_step_leaves_work_that_the_sweep_repeats,
            an_api_killed_under_load_keeps_what_it_answered,
            an_api_that_is_stopped_answers_all_that_it_has_begun_whether_it_can_be_announced_or_not,
            services_that_are_stopped_and_started_under_load_lose_nothing;
        regions:
            what_a_lost_region_accepted_ends_in_the_lake_of_the_other_and_it_may_return_passive,
            what_a_lost_region_accepted_ends_in_the_lake_of_the_other_and_it_may_return_active,
            while_both_regions_are_passive_sales_wait_and_the_lake_stays_empty,
            both_regions_may_be_active_and_no_sale_is_done_by_both,
            an_active_region_without_a_worker_is_covered_by_the_other,
            regions_are_switched_back_and_forth_under_load;
        dependencies:
            a_topic_that_fails_hangs_or_loses_answers_stops_no_client,
            a_table_that_fails_throttles_or_hangs_is_503_and_recovers_by_itself,
            tables_that_fail_for_the_worker_alone_make_sales_wait,
            a_worker_that_reaches_nothing_stops_in_time_and_leaves_its_work_to_the_next,
            without_a_switch_from_the_start_sales_are_accepted_and_wait,
            a_switch_that_is_lost_later_leaves_the_last_known_state;
        messages:
            a_message_delivered_many_times_everywhere_is_one_sale,
            poison_between_good_messages_is_a_dead_letter_and_nothing_else,
            a_sale_cancelled_while_the_worker_works_stays_cancelled,
            a_key_is_one_sale_however_often_and_wherever_clients_retry,
            lost_answers_of_any_operation_repeat_nothing,
            late_and_lost_answers_of_grouped_writes_repeat_nothing;
    };
    libtest_mimic::run(&arguments, scenarios).exit_code()
}

fn scenario<F: Future<Output = ()> + 'static>(name: &str, scenario: fn() -> F) -> Trial {
    Trial::test(name, move || {
        RUNTIME.block_on(scenario());
        Ok(())
    })
}
