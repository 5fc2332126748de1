//! Counts responses.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hdrhistogram::Histogram;
use sales::{
    journal::Hour,
    sale::{FactId, SaleId},
};
use serde::Serialize;

use super::post::{Accepted, Failed};

/// Maximum failures shown.
const SHOWN: usize = 5;

/// Delay from which a request counts as late.
const LATE: Duration = Duration::from_millis(100);

/// Outcome of one request.
#[derive(Debug)]
pub(super) struct PostOutcome {
    /// Time since the first request was due.
    pub(super) at: Duration,
    /// Time since this request was due.
    pub(super) took: Duration,
    /// Delay between due time and sending.
    pub(super) late: Duration,
    /// The response.
    pub(super) result: Result<Accepted, Failed>,
}

/// A failure that is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Shown {
    /// Seconds since the start.
    pub(super) at_seconds: f64,
    /// The status, or what happened instead.
    pub(super) status: String,
    /// The reason.
    pub(super) reason: String,
}

/// Percentiles in milliseconds, from the moment at which each request was due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

/// Counts of all responses so far.
#[derive(Debug)]
pub(super) struct Tally {
    /// Requests sent.
    pub(super) sent: u64,
    /// Requests answered with 201.
    pub(super) accepted: u64,
    /// Requests that failed.
    pub(super) failed: u64,
    /// Requests by status.
    pub(super) by_status: BTreeMap<String, u64>,
    /// Accepted sales by region, where the responses name it.
    pub(super) by_region: BTreeMap<String, u64>,
    /// The first failures.
    pub(super) first_failures: Vec<Shown>,
    /// Requests sent late, and the longest delay.
    pub(super) late: u64,
    pub(super) latest: Duration,
    /// Time of the last response, since the first request was due.
    pub(super) last_at: Duration,
    /// The accepted sales, by their hour in the journal.
    pub(super) sales: BTreeMap<Hour, BTreeSet<FactId>>,
    all: Histogram<u64>,
    recent: Histogram<u64>,
    recent_answers: u64,
}

impl Tally {
    /// An empty tally.
    pub(super) fn new() -> anyhow::Result<Self> {
        // From a microsecond to a minute, exact to a thousandth.
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        Ok(Self {
            sent: 0,
            accepted: 0,
            failed: 0,
            by_status: BTreeMap::new(),
            by_region: BTreeMap::new(),
            first_failures: Vec::new(),
            late: 0,
            latest: Duration::ZERO,
            last_at: Duration::ZERO,
            sales: BTreeMap::new(),
            recent: histogram.clone(),
            all: histogram,
            recent_answers: 0,
        })
    }

    /// Counts a response; returns the id of an accepted sale.
    pub(super) fn note(&mut self, outcome: PostOutcome) -> Option<SaleId> {
        let PostOutcome { at, took, late, result } = outcome;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.all.saturating_record(micros);
        self.recent.saturating_record(micros);
        self.recent_answers += 1;
        self.last_at = self.last_at.max(at);
        self.latest = self.latest.max(late);
        self.late += u64::from(late > LATE);
        let failed = match result {
            Ok(Accepted { id, at: accepted, region }) => {
                if self.sales.entry(Hour::of(accepted)).or_default().insert(FactId::Sale(id)) {
                    self.accepted += 1;
                    *self.by_status.entry("201".to_owned()).or_default() += 1;
                    if let Some(region) = region {
                        *self.by_region.entry(region).or_default() += 1;
                    }
                    return Some(id);
                }
                Failed::new("201 with an id that was there before", id.to_string())
            }
            Err(failed) => failed,
        };
        self.failed += 1;
        *self.by_status.entry(failed.status.clone()).or_default() += 1;
        if self.first_failures.len() < SHOWN {
            let Failed { status, reason } = failed;
            self.first_failures.push(Shown { at_seconds: at.as_secs_f64(), status, reason });
        }
        None
    }

    /// Requests answered or failed.
    pub(super) fn answered(&self) -> u64 {
        self.accepted + self.failed
    }

    /// Percentiles of all responses, failures included; `None` if there are none.
    pub(super) fn latency(&self) -> Option<Latency> {
        Latency::of(&self.all)
    }

    /// Responses since the last call, and their percentiles.
    pub(super) fn take_recent(&mut self) -> (u64, Option<Latency>) {
        let latency = Latency::of(&self.recent);
        self.recent.reset();
        (std::mem::take(&mut self.recent_answers), latency)
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        let max = histogram.max() as f64 / 1_000.0;
        (!histogram.is_empty()).then(|| Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max })
    }
}

#[cfg(test)]
mod tests {
    use sales::clock::Timestamp;

    use super::*;

    fn outcome(milliseconds: u64, result: Result<Accepted, Failed>) -> PostOutcome {
        let took = Duration::from_millis(milliseconds);
        PostOutcome { at: took, took, late: Duration::ZERO, result }
    }

    fn sale(id: u128) -> Result<Accepted, Failed> {
        let at = Timestamp::from_unix_seconds(1_764_547_200).unwrap();
        Ok(Accepted { id: SaleId::new(uuid::Uuid::from_u128(id)), at, region: Some("a".to_owned()) })
    }

    #[test]
    fn answers_are_counted_by_status_and_region() {
        let mut tally = Tally::new().unwrap();
        assert!(tally.note(outcome(1, sale(1))).is_some());
        assert!(tally.note(outcome(1, sale(2))).is_some());
        assert!(tally.note(outcome(1, Err(Failed::new("503", "try again".to_owned())))).is_none());
        assert!(tally.note(outcome(1, sale(2))).is_none(), "an id cannot be accepted twice");
        assert_eq!((tally.accepted, tally.failed, tally.answered()), (2, 2, 4));
        assert_eq!(tally.by_status["201"], 2);
        assert_eq!(tally.by_region, BTreeMap::from([("a".to_owned(), 2)]));
        assert_eq!(tally.sales.values().map(BTreeSet::len).sum::<usize>(), 2);
        assert_eq!(tally.first_failures.len(), 2);
    }

    #[test]
    fn percentiles_are_those_of_all_answers_and_of_the_last_ones() {
        let mut tally = Tally::new().unwrap();
        assert_eq!(tally.latency(), None);
        for milliseconds in 1..=100 {
            tally.note(outcome(milliseconds, sale(milliseconds.into())));
        }
        let near = |value: f64, expected: f64| (value - expected).abs() < expected / 500.0;
        let latency = tally.latency().unwrap();
        assert!(near(latency.p50, 50.0) && near(latency.p99, 99.0) && near(latency.max, 100.0), "{latency:?}");
        assert_eq!(tally.take_recent().0, 100);
        assert_eq!(tally.take_recent(), (0, None));
        assert!(tally.latency().is_some());
    }

    #[test]
    fn what_was_sent_too_late_is_counted() {
        let mut tally = Tally::new().unwrap();
        for late in [0, 50, 150, 400] {
            let late = Duration::from_millis(late);
            tally.note(PostOutcome { late, ..outcome(1, Err(Failed::new("503", String::new()))) });
        }
        assert_eq!((tally.late, tally.latest), (2, Duration::from_millis(400)));
    }
}
