//! Output of `load`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    arrival::Arrived,
    tally::{Latency, Shown, Tally},
};
use crate::output::{self, BAD, Cell, Format, GOOD, PLAIN, Table, WARNING, count, line};

/// The state of the lakes after the load.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lake {
    /// They were checked.
    Asked(Vec<Arrived>),
    /// They were not checked, for this reason.
    NotAsked(String),
}

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    sent: u64,
    /// Requests answered with 201.
    accepted: u64,
    failed: u64,
    /// Time from the first request to the last response.
    seconds: f64,
    /// Accepted sales per second.
    throughput: f64,
    /// In milliseconds, from the moment at which each request was due; failures included.
    latency_ms: Option<Latency>,
    by_status: &'a BTreeMap<String, u64>,
    by_region: &'a BTreeMap<String, u64>,
    first_failures: &'a [Shown],
    /// Requests sent more than 100 ms after they were due.
    late: u64,
    /// The longest such delay, in milliseconds.
    latest_ms: f64,
    lake: &'a Lake,
}

impl<'a> Summary<'a> {
    pub(super) fn new(tally: &'a Tally, lake: &'a Lake) -> Self {
        let seconds = tally.last_at.as_secs_f64();
        Self {
            sent: tally.sent,
            accepted: tally.accepted,
            failed: tally.failed,
            seconds,
            throughput: if seconds > 0.0 { tally.accepted as f64 / seconds } else { 0.0 },
            latency_ms: tally.latency(),
            by_status: &tally.by_status,
            by_region: &tally.by_region,
            first_failures: &tally.first_failures,
            late: tally.late,
            latest_ms: tally.latest.as_secs_f64() * 1_000.0,
            lake,
        }
    }

    /// Prints it.
    pub(super) fn show(&self, format: Format) -> anyhow::Result<()> {
        if format == Format::Json {
            return output::json(self);
        }
        let failed = Cell::new(self.failed, if self.failed > 0 { BAD } else { GOOD });
        let mut table =
            Table::new(&["SENT", "ACCEPTED", "FAILED", "SECONDS", "PER SECOND", "P50", "P90", "P99", "MAX"]);
        let latencies = self.latency_ms.map_or_else(
            || vec!["-".into(); 4],
            |Latency { p50, p90, p99, max }| [p50, p90, p99, max].map(|ms| format!("{ms:.1} ms").into()).to_vec(),
        );
        let figures = [format!("{:.1}", self.seconds).into(), format!("{:.1}", self.throughput).into()];
        table.row([self.sent.into(), self.accepted.into(), failed].into_iter().chain(figures).chain(latencies));
        line(table);
        show_counts("STATUS", self.by_status);
        show_counts("ACCEPTED IN", self.by_region);
        if self.late > 0 {
            let late = count(self.late, "request was", "requests were");
            line(format_args!(
                "{WARNING}!{WARNING:#} {late} sent late, by up to {:.0} ms: raise --concurrency, or use a machine that is less \
                 busy",
                self.latest_ms
            ));
        }
        for failure in self.first_failures {
            let Shown { at_seconds, status, reason } = failure;
            line(format_args!("{BAD}!{BAD:#} after {at_seconds:.1}s: {status}: {reason}"));
        }
        if let Some(more) = self.failed.checked_sub(self.first_failures.len() as u64).filter(|more| *more > 0) {
            line(format_args!("... and {}", count(more, "more failure", "more failures")));
        }
        self.show_lake();
        Ok(())
    }

    fn show_lake(&self) {
        let regions = match self.lake {
            Lake::NotAsked(reason) => return line(format_args!("the lakes were not checked: {reason}")),
            Lake::Asked(regions) => regions,
        };
        let mut table = Table::new(&["REGION", "IN THE LAKE", "MISSING"]);
        for region in regions {
            let style = match (&region.error, region.missing) {
                (Some(_), _) => WARNING,
                (None, 0) => GOOD,
                (None, _) => BAD,
            };
            table.row([
                Cell::from(&region.region),
                if region.error.is_some() && region.in_lake == 0 {
                    Cell::unknown()
                } else {
                    Cell::new(region.in_lake, PLAIN)
                },
                if region.error.is_some() { Cell::unknown() } else { Cell::new(region.missing, style) },
            ]);
        }
        line(table);
        for region in regions {
            match &region.error {
                Some(error) => line(format_args!("{WARNING}?{WARNING:#} {}: {error}", region.region)),
                None if region.missing > 0 => {
                    let named = region.first_missing.join(", ");
                    line(format_args!("{BAD}!{BAD:#} not in the lake of {}: {named}", region.region));
                }
                None => {}
            }
        }
    }
}

fn show_counts(name: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    let mut table = Table::new(&[name, "COUNT"]);
    for (what, count) in counts {
        table.row([what.escape_debug().into(), count.into()]);
    }
    line(table);
}
