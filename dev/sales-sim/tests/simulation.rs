//! The invariants hold in a fixed number of schedules; and the checker detects deliberate bugs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sales::memory::Situation;
use sales_sim::batch::{Summary, run_all};
use sales_sim::mutation::Mutation;
use sales_sim::run::{Verdict, run};
use sales_sim::schedule::{Kind, Schedule, WITH_BUILDERS};

/// Schedules per test run. `sales-sim --seeds N` runs any number.
const SCHEDULES: u64 = 3_000;

fn seeds(count: u64, enough: u64, mutation: Option<Mutation>) -> Summary {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    run_all(0, count, threads, enough, mutation, |_, _, _| {})
}

#[test]
fn all_promises_hold_under_every_schedule() {
    let summary = seeds(SCHEDULES, 3, None);
    if let Some(Verdict { seed, violations, .. }) = summary.broken.first() {
        let history = run(*seed, None, true).history.join("\n");
        panic!("{history}\nseed {seed} (again: cargo sim --seed {seed}): {violations:#?}");
    }
    assert_eq!(summary.runs, SCHEDULES);
    for situation in Situation::ALL {
        assert!(summary.situations.count(situation) > 0, "{} never happened", situation.name());
    }
}

/// Each bug, and the number of schedules within which it must be detected.
const MISTAKES: [(Mutation, u64); 21] = [
    (Mutation::AcknowledgesFirst, 100),
    (Mutation::DatesByProcessing, 20),
    (Mutation::StandsByBlindly, 100),
    (Mutation::NeverSweeps, 20),
    (Mutation::MarksFirst, 20),
    (Mutation::PassiveDeletes, 100),
    (Mutation::NeverAdopts, 100),
    (Mutation::TrustsFailedPuts, 300),
    (Mutation::KeepsLeasesForever, 50),
    (Mutation::AnswersFirst, 300),
    (Mutation::MixesUpResults, 600),
    (Mutation::ForgetsOneOfMany, 300),
    (Mutation::LosesALine, 300),
    (Mutation::MixesUpMarks, 600),
    (Mutation::ErasesAttributes, 20),
    (Mutation::StopsAtFirstFailure, 600),
    (Mutation::ForgetsState, 300),
    (Mutation::GuessesState, 600),
    (Mutation::TrustsRefusedEntries, 600),
    (Mutation::ForgetsClientOfKey, 50),
    (Mutation::ShowsOthersSales, 50),
];

/// Those of a builder of the lake's table, in schedules that all have builders.
const MISTAKES_OF_BUILDERS: [(Mutation, u64); 5] = [
    (Mutation::ForgetsRows, 20),
    (Mutation::OverwritesCommits, 20),
    (Mutation::ForgetsWaiting, 20),
    (Mutation::KeepsFirstVersion, 20),
    (Mutation::RemovesTooSoon, 20),
];

#[test]
fn every_mistake_is_seen_within_its_number_of_schedules() {
    for (mutation, within) in MISTAKES {
        let summary = seeds(within, 1, Some(mutation));
        assert!(!summary.broken.is_empty(), "{mutation:?} was not seen in {within} schedules");
    }
    for (mutation, within) in MISTAKES_OF_BUILDERS {
        let summary = run_all(WITH_BUILDERS, within, 1, 1, Some(mutation), |_, _, _| {});
        assert!(!summary.broken.is_empty(), "{mutation:?} was not seen in {within} schedules");
    }
}

#[test]
fn a_seed_repeats_its_history_exactly() {
    for seed in 0..40 {
        let (first, second) = (run(seed, None, true), run(seed, None, true));
        assert_eq!(first.history, second.history, "seed {seed}");
        assert!(first.history.iter().any(|line| line.contains("the faults are over")), "seed {seed}");
    }
}

#[test]
fn a_broken_promise_is_told_with_the_history_that_led_to_it() {
    let broken = (0..200).map(|seed| run(seed, Some(Mutation::NeverSweeps), true));
    let verdict = broken.into_iter().find(|verdict| !verdict.violations.is_empty());
    let verdict = verdict.expect("a schedule that needs the sweep");
    let told =
        |violation: &String| verdict.history.iter().any(|line| line.ends_with(&format!("VIOLATION {violation}")));
    assert!(verdict.violations.iter().all(told), "{:#?}", verdict.violations);
    let again = run(verdict.seed, Some(Mutation::NeverSweeps), true);
    assert_eq!((again.violations, again.history), (verdict.violations, verdict.history));
}

#[test]
fn schedules_are_of_all_kinds() {
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..1_000 {
        *kinds.entry(format!("{:?}", Schedule::of(seed).kind)).or_default() += 1;
    }
    for kind in [
        Kind::Storm,
        Kind::Calm,
        Kind::SwitchesUnreachable,
        Kind::SwitchUnknown,
        Kind::Failover,
        Kind::Takeover,
        Kind::Resisting,
    ] {
        assert!(kinds.get(&format!("{kind:?}")).is_some_and(|count| *count > 10), "{kinds:?}");
    }
}

#[test]
fn progress_is_told_while_schedules_run() {
    let told = AtomicU64::new(0);
    let summary = run_all(7, 3, 2, 1, None, |over, broken, elapsed| {
        assert!(over <= 3 && broken == 0 && elapsed > Duration::ZERO);
        told.fetch_add(1, Ordering::Relaxed);
    });
    assert!(summary.runs == 3 && told.into_inner() > 0);
}
