//! Measured figures and their goals.

use std::time::Duration;

use serde::Serialize;

use crate::arguments::Subject;
use crate::canned::Latency;
use crate::cases;
use crate::ceilings::Call;
use crate::report::{Report, Spread, number};

/// A goal, and its measured figure.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    /// Name of the figure.
    pub(crate) figure: &'static str,
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

/// The goals with measured figures.
#[must_use]
pub(crate) fn goals(report: &Report) -> Vec<Goal> {
    let api = |clients, latency, figure: &str| report.median(Subject::Api, &cases::api(clients, latency), figure);
    let drain = |latency, figure: &str| report.median(Subject::Drain, &cases::drain(10_000, latency), figure);
    let ceiling = |case: &str| report.median(Subject::Ceilings, case, "cpu_us");
    let bare = |call| ceiling(&cases::call(call));
    let five_ms = Latency::all(Duration::from_millis(5));
    let most = |figure, goal: Option<f64>, measured: Option<f64>| {
        Some(Goal { figure, goal: goal?, at_least: false, measured: measured? })
    };
    let least = |figure, goal, measured: Option<f64>| Some(Goal { figure, goal, at_least: true, measured: measured? });

    let bare_sale =
        || Some(ceiling(&cases::answer())? + bare(Call::WriteSales)? / 25.0 + bare(Call::PublishEvents)? / 10.0);
    let bare_message = || {
        let in_tens = [Call::ReceiveMessages, Call::ReadMarks, Call::WriteMarks, Call::DeleteMessages];
        let in_tens: Option<Vec<f64>> = in_tens.into_iter().map(bare).collect();
        Some(bare(Call::PutObject)? + bare(Call::SettleSale)? + in_tens?.iter().sum::<f64>() / 10.0)
    };
    let largest = |subject, figure: &str, of: fn(&Spread) -> f64| {
        let rows = report.rows(subject);
        rows.iter().filter_map(|row| row.figures.get(figure).map(of)).reduce(f64::max)
    };
    let peak = |subject| largest(subject, "peak_memory_mib", |memory| memory.highest);
    // A start that reads the program from the disk does not measure the program.
    let start = |subject| largest(subject, "first_answer_ms", |time| time.median);
    let log = || Some(api(256, Latency::NONE, "log_bytes")? + drain(Latency::NONE, "log_bytes")?);
    let all = [
        most(
            "CPU us a sale, 256 clients: 45, or 1.5 times its bare calls",
            Some(bare_sale().map_or(45.0, |bare| (1.5 * bare).max(45.0))),
            api(256, Latency::NONE, "cpu_us"),
        ),
        most("CPU us a sale, 16 clients: a quarter of Go's", Some(550.0 / 4.0), api(16, Latency::NONE, "cpu_us")),
        most("calls a sale, 256 clients, no latency", Some(0.3), api(256, Latency::NONE, "calls")),
        most("calls a sale, 256 clients, AWS's latency", Some(0.3), api(256, Latency::AWS, "calls")),
        most("calls a sale, 16 clients, no latency", Some(1.15), api(16, Latency::NONE, "calls")),
        most("calls a sale, 16 clients, AWS's latency", Some(1.15), api(16, Latency::AWS, "calls")),
        most("p50 ms, 64 clients, 5 ms a call", Some(8.0), api(64, five_ms, "p50_ms")),
        most("p99 ms, 64 clients, 5 ms a call", Some(12.0), api(64, five_ms, "p99_ms")),
        most("p50 ms, 64 clients, AWS's latency", Some(8.0), api(64, Latency::AWS, "p50_ms")),
        most("p99 ms, 64 clients, AWS's latency", Some(12.0), api(64, Latency::AWS, "p99_ms")),
        least("sales a second, 1,024 clients, AWS's latency", 20_000.0, api(1_024, Latency::AWS, "per_second")),
        most(
            "CPU us a message: 1.3 times its bare calls",
            bare_message().map(|bare| 1.3 * bare),
            drain(Latency::NONE, "cpu_us"),
        ),
        most("CPU us a message: a quarter of Go's", Some(1_100.0 / 4.0), drain(Latency::NONE, "cpu_us")),
        most("calls a message", Some(2.6), drain(Latency::NONE, "calls")),
        least("messages a second, 5 ms a call", 2_000.0, drain(five_ms, "per_second")),
        most("peak memory of the API, MiB", Some(64.0), peak(Subject::Api)),
        most("peak memory of the worker, MiB", Some(64.0), peak(Subject::Drain)),
        most("ms from start to the first 200, API", Some(100.0), start(Subject::Api)),
        most("ms from start to the first 200, worker", Some(100.0), start(Subject::Drain)),
        most("log bytes a sale, both services", Some(600.0), log()),
    ];
    all.into_iter().flatten().collect()
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

    fn measured(case: &str, figure: &'static str, value: f64) -> Measurement {
        let mut measurement = Measurement::new(case.to_owned());
        measurement.figure(figure, value);
        measurement
    }

    #[test]
    fn the_goal_of_a_sale_is_what_bare_calls_cost_but_not_less_than_45_us() {
        let mut report = Report::default();
        report.add(Subject::Api, measured("256 clients, latency none", "cpu_us", 50.0));
        let cpu = |report: &Report| {
            let goals = goals(report);
            assert_eq!(goals.len(), 1, "{goals:?}");
            (goals[0].goal, goals[0].is_reached())
        };
        assert_eq!(cpu(&report), (45.0, false));
        for (call, cost) in [("Answer, 256 clients", 20.0), ("WriteSales", 250.0), ("PublishEvents", 100.0)] {
            report.add(Subject::Ceilings, measured(call, "cpu_us", cost));
        }
        assert_eq!(cpu(&report), (60.0, true));
    }

    #[test]
    fn a_rate_is_to_be_reached_and_not_undercut() {
        let mut report = Report::default();
        report.add(Subject::Drain, measured("10000 messages, latency 5", "per_second", 1_999.0));
        let told = text(&goals(&report));
        assert!(told.contains("at least 2000 | 1999 | MISSED"), "{told}");
    }
}
