//! What AWS charges for a million sales, computed from measured counts and its prices on demand.

use std::fmt::Write;

use serde::Serialize;

use crate::arguments::Subject;
use crate::cases;
use crate::report::{Report, number};

/// US dollars on demand, as in `docs/infrastructure.md`: sales are accepted and processed in sa-east-1, and us-east-1
/// stands by. Requests and units by the million, data by the GB.
mod price {
    /// Write units in both regions.
    pub(super) const WRITES: f64 = 0.9375 + 0.625;
    /// A mark that expires, in the other region.
    pub(super) const EXPIRY: f64 = 0.625;
    /// Read units here, and in the other region.
    pub(super) const READS: [f64; 2] = [0.1875, 0.125];
    /// Messages of SNS, by 64 KiB.
    pub(super) const SNS: f64 = 0.50;
    /// Requests of SQS, by 64 KiB, the same in both regions.
    pub(super) const SQS: f64 = 0.40;
    /// An object: the worker's put, and the replication's.
    pub(super) const OBJECTS: f64 = 7.0 + 5.0;
    /// A list or a put of the builder in both regions, and a read of an object.
    pub(super) const LISTS: f64 = 7.0 + 5.0;
    pub(super) const GETS: f64 = 0.56 + 0.40;
    /// Logs here, and in the other region.
    pub(super) const LOGS: [f64; 2] = [0.90, 0.50];
    /// Data to the other region.
    pub(super) const TRANSFER: f64 = 0.138;
}

/// Lists and puts of a fold that finds sales; there is one a minute in each region (`docs/lake.md`).
const FOLD_REQUESTS: f64 = 13.0;

/// Bytes of a sale between the regions: its item three times, its message and its line, with their protocols.
const TRANSFERRED: f64 = 2_000.0;

/// Reads of a sale where a worker stands by: its mark and its item.
const STAND_BY_READS: f64 = 2.0;

/// The bill of a million sales.
#[derive(Debug, Serialize)]
pub(crate) struct Bill {
    /// The case whose counts it is computed from.
    pub(crate) case: String,
    /// Its parts.
    pub(crate) parts: Vec<(&'static str, f64)>,
    /// Their sum.
    pub(crate) total: f64,
}

/// The bill of a case, if it was measured.
#[must_use]
pub(crate) fn bill(report: &Report, case: &str) -> Option<Bill> {
    let figure = |name: &str| report.median(Subject::Pipeline, case, name);
    let drains = report.rows(Subject::Drain);
    let stand_by = drains.iter().filter(|row| row.case.starts_with(cases::STANDING_BY));
    let stand_by_log = stand_by.filter_map(|row| row.figures.get("log_bytes")).map(|bytes| bytes.median);
    let stand_by_log = stand_by_log.reduce(f64::max)?;
    let units = ["sales_table_units", "index_units", "mark_units"].map(figure).into_iter().sum::<Option<f64>>()?;
    let (writes, marks) = (units * price::WRITES, figure("mark_units")? * price::EXPIRY);
    let gigabytes = |bytes: f64| bytes / 1e3;
    let folds = 1.0 / (figure("per_second")? * 60.0);
    let fold = folds * FOLD_REQUESTS * price::LISTS + figure("objects")? * price::GETS;
    let parts = vec![
        ("S3 puts, by the worker and the replication", figure("objects")? * price::OBJECTS),
        ("DynamoDB, writes in both regions", writes),
        ("DynamoDB, expiry of marks in the other region", marks),
        ("DynamoDB, reads", figure("item_read_units")? * price::READS[0] + STAND_BY_READS * price::READS[1]),
        ("SNS", figure("sns_units")? * price::SNS),
        ("SQS, both queues", 2.0 * figure("sqs_units")? * price::SQS),
        ("logs", gigabytes(figure("log_bytes")?) * price::LOGS[0] + gigabytes(stand_by_log) * price::LOGS[1]),
        ("the lake's table, in both regions", fold),
        ("transfer between the regions", gigabytes(TRANSFERRED) * price::TRANSFER),
    ];
    let total = parts.iter().map(|(_, dollars)| dollars).sum();
    Some(Bill { case: case.to_owned(), parts, total })
}

/// The bills of all measured cases.
#[must_use]
pub(crate) fn bills(report: &Report) -> Vec<Bill> {
    report.rows(Subject::Pipeline).iter().filter_map(|row| bill(report, &row.case)).collect()
}

/// A table of them.
#[must_use]
pub(crate) fn text(bills: &[Bill]) -> String {
    let Some(first) = bills.first() else { return String::new() };
    let line = |name: &str, cells: Vec<String>| format!("| {name} | {} |\n", cells.join(" | "));
    let mut text = "## Bill of a million sales, US dollars\n\n".to_owned();
    text.push_str(&line("part", bills.iter().map(|bill| bill.case.clone()).collect()));
    // Writing to a string does not fail.
    _ = writeln!(text, "|---|{}", "---:|".repeat(bills.len()));
    for (place, (name, _)) in first.parts.iter().enumerate() {
        text.push_str(&line(name, bills.iter().map(|bill| number(bill.parts[place].1)).collect()));
    }
    text.push_str(&line("together", bills.iter().map(|bill| number(bill.total)).collect()));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Measurement;

    fn report() -> Report {
        let mut report = Report::default();
        let mut stood_by = Measurement::new(cases::stand_by(100, 1));
        stood_by.figure("log_bytes", 229.0);
        report.add(Subject::Drain, stood_by);
        let mut one_by_one = Measurement::new("12 sales a second".to_owned());
        one_by_one.figure("objects", 1.0).figure("log_bytes", 455.0).figure("per_second", 13.0);
        one_by_one.detail("sales_table_units", 2.0).detail("index_units", 2.0).detail("mark_units", 1.0);
        one_by_one.detail("item_read_units", 1.0).detail("sns_units", 1.0).detail("sqs_units", 3.0);
        report.add(Subject::Pipeline, one_by_one);
        report
    }

    #[test]
    fn a_million_sales_one_by_one_with_an_object_each_cost_less_than_26_dollars() {
        let bills = bills(&report());
        let expected = [12.0, 7.8125, 0.625, 0.4375, 0.5, 2.4, 0.524, 1.16, 0.276];
        for ((name, dollars), expected) in bills[0].parts.iter().zip(expected) {
            assert!((dollars - expected).abs() < 1e-9, "{name}: {dollars}");
        }
        assert!((bills[0].total - 25.735).abs() < 1e-9, "{bills:?}");
        let text = text(&bills);
        assert!(text.contains("| part | 12 sales a second |") && text.contains("| together | 25.7 |"), "{text}");
    }

    #[test]
    fn without_what_the_other_region_logs_there_is_no_bill() {
        let mut report = Report::default();
        report.add(Subject::Pipeline, Measurement::new("12 sales a second".to_owned()));
        assert!(bills(&report).is_empty());
        assert_eq!(text(&[]), "");
    }
}
