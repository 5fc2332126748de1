//! Measured figures and their goals.

use std::time::Duration;

use serde::Serialize;

use crate::arguments::Subject;
use crate::bill::bill;
use crate::canned::Latency;
use crate::cases;
use crate::ceilings::Call;
use crate::report::{Report, Spread, number};

/// Sales of a message for which there are goals.
const EVENTS: [u64; 3] = [1, 20, 400];

/// Queues by which they are measured, the preferred one first.
const QUEUES: [u64; 2] = [100_000, 10_000];

/// A quiet pipeline, in sales a second.
const FEW: u64 = 12;

/// Sales a second of a task of the API when another one is started.
const TASK: u64 = 500;

/// Messages a second that SNS takes in sa-east-1.
const MESSAGES_PUBLISHED: f64 = 300.0;

/// Puts a second that S3 takes below one prefix.
const PUTS_OF_A_PREFIX: f64 = 3_500.0;

/// Write units a second that an on-demand table, or its index, takes at first.
const UNITS_OF_A_COLD_TABLE: f64 = 4_000.0;

/// Shards of the pending index, and write units a second of each.
const SHARDS: f64 = 16.0;
const UNITS_OF_A_SHARD: f64 = 1_000.0;

/// A goal, and its measured figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Goal {
    /// Name of the figure.
    pub(crate) figure: String,
    /// Maximum, or minimum if `at_least`.
    pub(crate) goal: f64,
    /// Whether more is better.
    pub(crate) at_least: bool,
    /// The measured figure.
    pub(crate) measured: f64,
}

impl Goal {
    /// Whether it was reached.
    #[must_use]
    pub(crate) fn is_reached(&self) -> bool {
        if self.at_least { self.measured >= self.goal } else { self.measured <= self.goal }
    }
}

/// The goals with measured figures. The cost of a bare `PutItem` in the same run makes figures of different machines
/// comparable.
#[must_use]
pub(crate) fn goals(report: &Report) -> Vec<Goal> {
    [api(report), worker(report), pipeline(report), sweep(report), fold(report), sign_in(report), programs(report)]
        .concat()
}

fn most(figure: impl Into<String>, goal: f64, measured: Option<f64>) -> Option<Goal> {
    Some(Goal { figure: figure.into(), goal, at_least: false, measured: measured? })
}

fn least(figure: impl Into<String>, goal: f64, measured: Option<f64>) -> Option<Goal> {
    Some(Goal { figure: figure.into(), goal, at_least: true, measured: measured? })
}

/// CPU time of a `PutItem`, in microseconds.
fn put_item(report: &Report) -> Option<f64> {
    report.median(Subject::Ceilings, &cases::call(Call::PutSale), "cpu_us")
}

fn api(report: &Report) -> Vec<Goal> {
    let api = |clients, latency, figure| report.median(Subject::Api, &cases::api(clients, latency), figure);
    let put_items = |cpu: Option<f64>| Some(cpu? / put_item(report)?);
    let rate = api(1_024, Latency::AWS, "per_second").zip(put_item(report)).map(|(rate, cost)| rate * cost / 1e6);
    let goals = [
        most("PutItems of CPU a sale, API, 256 clients", 0.30, put_items(api(256, Latency::NONE, "cpu_us"))),
        most("PutItems of CPU a sale, API, 16 clients", 0.50, put_items(api(16, Latency::NONE, "cpu_us"))),
        least("sales a second on one core in the time of a PutItem, 1,024 clients, AWS's latency", 3.0, rate),
    ];
    goals.into_iter().flatten().collect()
}

fn worker(report: &Report) -> Vec<Goal> {
    let five_ms = Latency::all(Duration::from_millis(5));
    let mut goals = Vec::new();
    for events in EVENTS {
        let of_largest = |case: &dyn Fn(u64) -> String, figure| {
            QUEUES.into_iter().find_map(|sales| report.median(Subject::Drain, &case(sales), figure))
        };
        let drain = |latency| move |sales| cases::drain(sales, events, latency);
        let put_items = |cpu: Option<f64>| Some(cpu? / put_item(report)?);
        let processed = put_items(of_largest(&drain(Latency::NONE), "cpu_us"));
        let stood_by = put_items(of_largest(&|sales| cases::stand_by(sales, events), "cpu_us"));
        let rate = of_largest(&drain(five_ms), "per_second");
        goals.extend([
            most(format!("PutItems of CPU a sale, worker, {events} a message"), 0.45, processed),
            most(format!("PutItems of CPU a sale, worker that stands by, {events} a message"), 0.15, stood_by),
            least(format!("sales a second drained on one core, 5 ms a call, {events} a message"), 10_000.0, rate),
        ]);
    }
    goals.into_iter().flatten().collect()
}

fn pipeline(report: &Report) -> Vec<Goal> {
    let (busy, few) = (cases::busy(cases::BUSY_CLIENTS), cases::rate(FEW));
    let figure = |case: &str, figure| report.median(Subject::Pipeline, case, figure);
    let goals = [
        most("AWS calls a sale, both services, 256 clients", 0.40, figure(&busy, "calls")),
        most("S3 puts a sale, 256 clients", 0.01, figure(&busy, "objects")),
        most("S3 puts a sale, 12 sales a second", 0.2, figure(&few, "objects")),
        most("dollars a million sales, 256 clients", 10.50, bill(report, &busy).map(|bill| bill.total)),
        most("dollars a million sales, 12 sales a second", 15.0, bill(report, &few).map(|bill| bill.total)),
        most("ms from 201 to processed, p50, 12 sales a second", 1_000.0, figure(&few, "processed_p50_ms")),
        most("ms from 201 to processed, p99, 12 sales a second", 2_000.0, figure(&few, "processed_p99_ms")),
        least("sales a second before the first AWS limit in sa-east-1", 2_000.0, first_limit(report)),
        most("log bytes a sale, both services, 256 clients", 500.0, figure(&busy, "log_bytes")),
    ];
    goals.into_iter().flatten().collect()
}

/// Sales a second at which the first of AWS's default quotas in sa-east-1 is reached, by what a sale takes of it while
/// each task of the API has the load at which another one is started.
fn first_limit(report: &Report) -> Option<f64> {
    let case = cases::rate(TASK);
    let figure = |figure| report.median(Subject::Pipeline, &case, figure);
    let (table, index, marks) = (figure("sales_table_units")?, figure("index_units")?, figure("mark_units")?);
    let limits = [
        MESSAGES_PUBLISHED / report.calls(Subject::Pipeline, &case, "SNS.Publish")?,
        // The replication of an object is a put at its source, too.
        PUTS_OF_A_PREFIX / (2.0 * figure("objects")?),
        UNITS_OF_A_COLD_TABLE / table,
        UNITS_OF_A_COLD_TABLE / index,
        UNITS_OF_A_COLD_TABLE / marks,
        SHARDS * UNITS_OF_A_SHARD / index,
    ];
    limits.into_iter().reduce(f64::min)
}

fn sweep(report: &Report) -> Vec<Goal> {
    let cost = |pending| report.median(Subject::Sweep, &cases::sweep(pending), "cpu_us");
    let of_a_million = cost(1_000_000);
    let growth = of_a_million.zip(cost(1_000)).map(|(million, thousand)| million / thousand);
    let put_items = of_a_million.zip(put_item(report)).map(|(cost, put_item)| cost / put_item);
    let goals = [
        most("PutItems of CPU a pending sale, of 1,000,000: as before", 198.0 / 101.0, put_items),
        most("CPU a pending sale, of 1,000,000, by that of 1,000", 1.1, growth),
    ];
    goals.into_iter().flatten().collect()
}

fn fold(report: &Report) -> Vec<Goal> {
    let figure = |sales, figure| report.median(Subject::Fold, &cases::fold(sales), figure);
    let goals = [
        most("CPU seconds of 10,000,000 rows", 60.0, figure(10_000_000, "cpu_seconds")),
        most("bytes of the lake's table a sale, of 1,000,000 an hour", 30.0, figure(1_000_000, "table_bytes")),
        most("peak memory of the fold of 10,000,000 rows, MiB", 512.0, figure(10_000_000, "peak_memory_mib")),
    ];
    goals.into_iter().flatten().collect()
}

fn sign_in(report: &Report) -> Vec<Goal> {
    let seen = report.median(Subject::SignIn, "seen", "cpu_us");
    most("us of CPU a request with a token seen before", 1.0, seen).into_iter().collect()
}

fn programs(report: &Report) -> Vec<Goal> {
    let largest = |subject, figure: &str, of: fn(&Spread) -> f64| {
        let rows = report.rows(subject);
        rows.iter().filter_map(|row| row.figures.get(figure).map(of)).reduce(f64::max)
    };
    let peak = |subject| largest(subject, "peak_memory_mib", |memory| memory.highest);
    // A start that reads the program from the disk does not measure the program.
    let start = |subject| largest(subject, "first_answer_ms", |time| time.median);
    let goals = [
        most("peak memory of the API, MiB", 64.0, peak(Subject::Api)),
        most("peak memory of the worker, MiB", 64.0, peak(Subject::Drain)),
        most("ms from start to the first 200, API", 100.0, start(Subject::Api)),
        most("ms from start to the first 200, worker", 100.0, start(Subject::Drain)),
    ];
    goals.into_iter().flatten().collect()
}

/// One line of a table for each.
#[must_use]
pub(crate) fn text(goals: &[Goal]) -> String {
    let lines = goals.iter().map(|goal| {
        let bound = if goal.at_least { "at least" } else { "at most" };
        let verdict = if goal.is_reached() { "reached" } else { "MISSED" };
        format!("| {} | {bound} {} | {} | {verdict} |\n", goal.figure, number(goal.goal), number(goal.measured))
    });
    format!("## Goals\n\n| figure | goal | measured | |\n|---|---|---|---|\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Measurement;

    fn measured(case: &str, figures: &[(&'static str, f64)]) -> Measurement {
        let mut measurement = Measurement::new(case.to_owned());
        figures.iter().for_each(|(figure, value)| _ = measurement.figure(figure, *value));
        measurement
    }

    #[test]
    fn cpu_time_is_compared_with_that_of_a_put_item_of_the_same_run() {
        let mut report = Report::default();
        report.add(Subject::Api, measured("256 clients, latency none", &[("cpu_us", 29.0)]));
        assert!(goals(&report).is_empty());
        report.add(Subject::Ceilings, measured("PutSale", &[("cpu_us", 100.0)]));
        let found = goals(&report);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].measured - 0.29).abs() < 1e-9 && found[0].is_reached(), "{found:?}");
    }

    #[test]
    fn a_rate_is_to_be_reached_and_not_undercut() {
        let mut report = Report::default();
        report.add(Subject::Drain, measured("10000 sales, 20 a message, latency 5", &[("per_second", 9_999.0)]));
        let told = text(&goals(&report));
        assert!(told.contains("5 ms a call, 20 a message | at least 10000 | 9999 | MISSED"), "{told}");
    }

    #[test]
    fn the_first_limit_is_that_of_which_a_sale_takes_most() {
        let limit = |publishes: f64, objects: f64| {
            let figures = [("sales_table_units", 2.0), ("index_units", 2.0), ("mark_units", 1.0), ("objects", objects)];
            let mut at_a_tasks_load = measured("500 sales a second", &figures);
            at_a_tasks_load.calls.insert("SNS.Publish".to_owned(), publishes);
            let mut report = Report::default();
            report.add(Subject::Pipeline, at_a_tasks_load);
            first_limit(&report).unwrap()
        };
        assert_eq!([limit(1.0, 0.01), limit(0.04, 1.0), limit(0.04, 0.01)], [300.0, 1_750.0, 2_000.0]);
        assert_eq!(first_limit(&Report::default()), None);
    }
}
