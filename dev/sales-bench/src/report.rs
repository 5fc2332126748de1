//! Figures over several runs, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use tabled::Table;
use tabled::builder::Builder;
use tabled::settings::{Alignment, Style, object::Columns};

use crate::arguments::Subject;

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measurement {
    /// Its case.
    pub(crate) case: String,
    /// Each figure by its name, which ends in its unit. Counts are per sale or call.
    pub(crate) figures: Vec<(&'static str, f64)>,
    /// Figures that only other figures are computed from.
    pub(crate) details: Vec<(&'static str, f64)>,
    /// AWS calls per sale, by operation.
    pub(crate) calls: BTreeMap<String, f64>,
}

impl Measurement {
    /// Without figures.
    #[must_use]
    pub(crate) fn new(case: String) -> Self {
        Self { case, figures: Vec::new(), details: Vec::new(), calls: BTreeMap::new() }
    }

    /// Adds a figure.
    pub(crate) fn figure(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.figures.push((name, value));
        self
    }

    /// Adds a figure that tables leave out.
    pub(crate) fn detail(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.details.push((name, value));
        self
    }
}

/// A figure over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Median.
    pub(crate) median: f64,
    /// Minimum.
    pub(crate) lowest: f64,
    /// Maximum.
    pub(crate) highest: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        let median = (at(last / 2) + at(last.div_ceil(2))) / 2.0;
        Self { median, lowest: at(0), highest: at(last) }
    }
}

/// The measurements of one case.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// The case.
    pub(crate) case: String,
    /// Number of measurements.
    pub(crate) runs: usize,
    /// Each figure by its name.
    pub(crate) figures: BTreeMap<&'static str, Spread>,
    /// AWS calls per sale, by operation.
    pub(crate) calls: BTreeMap<String, Spread>,
    #[serde(skip)]
    columns: Vec<&'static str>,
}

/// All measurements, in order of their first run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    measured: Vec<(Subject, Measurement)>,
}

impl Report {
    /// Adds a measurement.
    pub(crate) fn add(&mut self, subject: Subject, measurement: Measurement) {
        self.measured.push((subject, measurement));
    }

    /// The rows of a subject.
    #[must_use]
    pub(crate) fn rows(&self, subject: Subject) -> Vec<Row> {
        let of_subject = || self.measured.iter().filter(|(of, _)| *of == subject).map(|(_, measured)| measured);
        let mut cases: Vec<&str> = Vec::new();
        for measured in of_subject() {
            if !cases.contains(&measured.case.as_str()) {
                cases.push(&measured.case);
            }
        }
        cases.into_iter().map(|case| row(of_subject().filter(|measured| measured.case == case).collect())).collect()
    }

    /// The median of a figure, if it was measured.
    #[must_use]
    pub(crate) fn median(&self, subject: Subject, case: &str, figure: &str) -> Option<f64> {
        let row = self.rows(subject).into_iter().find(|row| row.case == case)?;
        row.figures.get(figure).map(|spread| spread.median)
    }

    /// The median of the calls of an operation, if the case was measured.
    #[must_use]
    pub(crate) fn calls(&self, subject: Subject, case: &str, operation: &str) -> Option<f64> {
        let row = self.rows(subject).into_iter().find(|row| row.case == case)?;
        Some(row.calls.get(operation).map_or(0.0, |spread| spread.median))
    }

    /// Tables in Markdown.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (subject, heading) in [
            (Subject::Ceilings, "Ceilings: one call, one answer"),
            (Subject::Api, "API: for each sale"),
            (Subject::Drain, "Worker on a queue: for each sale"),
            (Subject::Pipeline, "Both services, AWS's latency: for each sale"),
            (Subject::Sweep, "Worker on a backlog: for each pending sale"),
            (Subject::Fold, "Builder of the lake's table: for each row"),
            (Subject::SignIn, "Check of a token: for each request"),
        ] {
            let rows = self.rows(subject);
            if let Some(first) = rows.first() {
                // Writing to a string does not fail.
                _ = writeln!(text, "## {heading}\n\n{}\n", table(&first.columns, &rows));
            }
        }
        text
    }
}

fn row(measured: Vec<&Measurement>) -> Row {
    let mut figures: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    let mut calls: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for measurement in &measured {
        let all = measurement.figures.iter().chain(&measurement.details);
        all.for_each(|(name, value)| figures.entry(name).or_default().push(*value));
        measurement.calls.iter().for_each(|(name, value)| calls.entry(name.clone()).or_default().push(*value));
    }
    let first = measured.first();
    Row {
        case: first.map(|measurement| measurement.case.clone()).unwrap_or_default(),
        runs: measured.len(),
        figures: figures.into_iter().map(|(name, values)| (name, Spread::of(&values))).collect(),
        calls: calls.into_iter().map(|(name, values)| (name, Spread::of(&values))).collect(),
        columns: first.map(|measured| measured.figures.iter().map(|(name, _)| *name).collect()).unwrap_or_default(),
    }
}

fn table(columns: &[&str], rows: &[Row]) -> Table {
    let mut table = Builder::new();
    let with_calls = rows.iter().any(|row| !row.calls.is_empty());
    let headings =
        std::iter::once("case").chain(columns.iter().copied()).chain(with_calls.then_some("calls by operation"));
    table.push_record(headings);
    for row in rows {
        let figures = columns.iter().map(|name| row.figures.get(name).map(cell).unwrap_or_default());
        let calls = row
            .calls
            .iter()
            .filter(|(_, spread)| spread.median >= 0.005)
            .map(|(name, spread)| format!("{} {:.2}", name.rsplit('.').next().unwrap_or(name), spread.median));
        let calls = with_calls.then(|| calls.collect::<Vec<_>>().join(", "));
        table.push_record(std::iter::once(row.case.clone()).chain(figures).chain(calls));
    }
    let mut table = table.build();
    table.with(Style::markdown()).modify(Columns::new(1..=columns.len()), Alignment::right());
    table
}

/// A median, with minimum and maximum if they differ.
fn cell(spread: &Spread) -> String {
    let [median, lowest, highest] = [spread.median, spread.lowest, spread.highest].map(number);
    if lowest == highest { median } else { format!("{median} ({lowest}-{highest})") }
}

/// With three significant digits, or all before the point.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(case: &str, cpu: f64) -> Measurement {
        let mut measurement = Measurement::new(case.to_owned());
        measurement.figure("cpu_us", cpu).figure("per_second", 1000.0);
        measurement.calls.insert("DynamoDB.PutItem".to_owned(), 1.0);
        measurement
    }

    #[test]
    fn a_figure_is_its_median_and_its_extremes() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Spread { median: 2.0, lowest: 1.0, highest: 3.0 });
        assert_eq!(Spread::of(&[4.0, 1.0]), Spread { median: 2.5, lowest: 1.0, highest: 4.0 });
    }

    #[test]
    fn measurements_of_one_case_are_one_row() {
        let mut report = Report::default();
        for (case, cpu) in [("b", 40.0), ("a", 7.0), ("b", 50.0), ("b", 45.25)] {
            report.add(Subject::Api, measurement(case, cpu));
        }
        report.add(Subject::Sweep, measurement("b", 1.0));
        let rows = report.rows(Subject::Api);
        assert_eq!(rows.iter().map(|row| (row.case.as_str(), row.runs)).collect::<Vec<_>>(), [("b", 3), ("a", 1)]);
        assert_eq!(report.median(Subject::Api, "b", "cpu_us"), Some(45.25));
        assert_eq!(report.median(Subject::Api, "c", "cpu_us"), None);
        let calls = |case, operation| report.calls(Subject::Api, case, operation);
        assert_eq!(calls("b", "DynamoDB.PutItem"), Some(1.0));
        assert_eq!((calls("b", "S3.PutObject"), calls("c", "S3.PutObject")), (Some(0.0), None));
        let text = report.text();
        assert!(text.contains("45.2 (40.0-50.0)") && text.contains("PutItem 1.00"), "{text}");
        assert!(!text.contains("Ceilings"), "{text}");
    }
}
