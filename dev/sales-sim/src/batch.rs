//! Many seeds on all cores, with progress.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sales::memory::{Situation, Situations};

use crate::mutation::Mutation;
use crate::run::{Verdict, run};

/// Results of many runs.
#[derive(Debug, Default)]
pub struct Summary {
    /// Number of runs.
    pub runs: u64,
    /// Verdicts of failing runs, by seed.
    pub broken: Vec<Verdict>,
    /// Calls in all of them.
    pub calls: u64,
    /// Virtual time of all of them.
    pub time: Duration,
    /// Facts in the lakes of all of them.
    pub objects: u64,
    /// Maximum calls per second of a process.
    pub busiest: u32,
    /// How often each situation happened in all of them.
    pub situations: Situations,
}

/// Schedules in which each situation must happen at least once.
const ENOUGH: u64 = 10_000;

impl Summary {
    /// The situations that should have happened, and did not: what concerns them is not shown by these schedules.
    #[must_use]
    pub fn unmet(&self) -> Vec<Situation> {
        let unmet = Situation::ALL.into_iter().filter(|situation| self.situations.count(*situation) == 0);
        if self.runs < ENOUGH { Vec::new() } else { unmet.collect() }
    }

    fn add(&mut self, verdict: Verdict) {
        self.runs += 1;
        self.calls += verdict.calls;
        self.time += verdict.time;
        self.objects += verdict.objects as u64;
        self.busiest = self.busiest.max(verdict.busiest);
        self.situations.add(&verdict.situations);
        if !verdict.violations.is_empty() {
            self.broken.push(verdict);
        }
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.calls += other.calls;
        self.time += other.time;
        self.objects += other.objects;
        self.busiest = self.busiest.max(other.busiest);
        self.situations.add(&other.situations);
        self.broken.extend(other.broken);
    }
}

/// Runs `count` seeds from `first` on with `threads` threads; stops early after `enough` failing runs. Reports to
/// `progress` every few seconds: the number of finished and of failing runs, and the time.
pub fn run_all(
    first: u64,
    count: u64,
    threads: usize,
    enough: u64,
    mutation: Option<Mutation>,
    progress: impl Fn(u64, u64, Duration) + Sync,
) -> Summary {
    let (next, over, broken, ended) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let started = Instant::now();
    let work = || {
        let mut summary = Summary::default();
        while broken.load(Ordering::Relaxed) < enough {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let verdict = run(first + number, mutation, false);
            broken.fetch_add(u64::from(!verdict.violations.is_empty()), Ordering::Relaxed);
            over.fetch_add(1, Ordering::Relaxed);
            summary.add(verdict);
        }
        summary
    };
    let mut summary = Summary::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let reporter = scope.spawn(|| {
            loop {
                std::thread::park_timeout(Duration::from_secs(5));
                progress(over.load(Ordering::Relaxed), broken.load(Ordering::Relaxed), started.elapsed());
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for worker in workers {
            if let Ok(part) = worker.join() {
                summary.merge(part);
            }
        }
        ended.store(true, Ordering::Relaxed);
        reporter.thread().unpark();
    });
    summary.broken.sort_by_key(|verdict| verdict.seed);
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_schedules_must_have_met_every_situation() {
        let few = Summary { runs: ENOUGH - 1, ..Summary::default() };
        assert!(few.unmet().is_empty());
        let enough = Summary { runs: ENOUGH, ..Summary::default() };
        assert_eq!(enough.unmet(), Situation::ALL);
    }
}
