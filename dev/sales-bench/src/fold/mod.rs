//! The fold of an hour of sales, minute by minute: the builder's own code on a lake in a directory. What S3's client costs is
//! not in it; the calls are counted.

mod directory_store;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales_lake::builder::{Builder, Ending, Reach};
use sales_lake::maintain::Maintenance;
use sales_lake::metrics::Metrics;
use serde::{Deserialize, Serialize};

use self::directory_store::DirectoryStore;
use crate::cases;
use crate::leash;
use crate::measure::Bench;
use crate::report::Measurement;
use crate::usage;

/// The first second of the hour.
const HOUR: u64 = 1_764_543_600;

/// Folds of the hour.
pub(crate) const FOLDS: u64 = 60;

/// Objects that workers put in an hour at most, one each half second; and lines of an object at most.
const OBJECTS: u64 = 7_200;
const LINES: u64 = 1_000;

/// One sale in `KEYED` has an idempotency key, and one in `CANCELLED` is cancelled.
const KEYED: u64 = 4;
const CANCELLED: u64 = 50;

/// What a fold took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Folded {
    cpu_seconds: f64,
    rows: u64,
    rows_written: u64,
    table_bytes: u64,
    commits: u64,
    peak_memory: u64,
    calls: BTreeMap<String, u64>,
}

/// Folds an hour of `sales` sales in `folds` steps, in an empty directory.
///
/// # Errors
/// If the fold fails, or the table has other rows.
pub(crate) async fn fold(sales: u64, folds: u64, directory: &Path) -> anyhow::Result<Folded> {
    let now = Arc::new(AtomicU64::new(HOUR));
    let moment = now.clone();
    let clock = Clock::new(move || Duration::from_secs(moment.load(Ordering::Relaxed)));
    let store = DirectoryStore::new(directory.to_owned(), clock.clone());
    let metrics = Metrics::default();
    let mut builder = Builder::new(store.clone(), clock, Entropy::system(), metrics.clone());
    let mut maintenance = Maintenance::default();
    let process = std::process::id();
    let (mut posted, mut cpu) = (0, Duration::ZERO);
    for fold in 1..=folds {
        now.store(HOUR + fold * 3_600 / folds, Ordering::Relaxed);
        let until = sales * fold / folds;
        let lines = (sales / OBJECTS).clamp(1, LINES);
        while posted < until {
            let object = posted..(posted + lines).min(until);
            posted = object.end;
            let key = format!("journal/dt=2025-11-30/hour=23/sa-east-1-{}.ndjson", uuid(object.start, 7));
            store.put(&key, journal(object, sales).as_bytes())?;
        }
        let before = usage::cpu_time(process)?;
        if builder.fold(Reach::Due, |_| {}).await? != Ending::Complete {
            bail!("another builder is at work");
        }
        maintenance.run(&mut builder).await?;
        cpu += usage::cpu_time(process)? - before;
    }
    if metrics.rows.get() != sales {
        bail!("of {sales} sales, {} are rows", metrics.rows.get());
    }
    Ok(Folded {
        cpu_seconds: cpu.as_secs_f64(),
        rows: metrics.rows.get(),
        rows_written: metrics.rows_written.get(),
        table_bytes: builder.table_bytes().await?,
        commits: builder.work().commits,
        peak_memory: usage::peak_memory(process)?,
        calls: store.calls().into_iter().map(|(operation, calls)| (format!("S3.{operation}"), calls)).collect(),
    })
}

/// The lines of some sales of the hour.
fn journal(numbers: std::ops::Range<u64>, sales: u64) -> String {
    let mut text = String::new();
    for number in numbers {
        let at = HOUR + number * 3_600 / sales;
        let version = if number.is_multiple_of(KEYED) { 5 } else { 7 };
        let id = if version == 7 { made_at(at, number) } else { uuid(number, version) };
        let (product, price) = (number % 50, number % 1_000 + 1);
        // Writing to a string does not fail.
        _ = writeln!(
            text,
            r#"{{"id":"{id}","product":"product {product}","amount":{price}.25,"sale_processed":false,"timestamp":{at},"region":"sa-east-1"}}"#
        );
        if number.is_multiple_of(CANCELLED) {
            _ = writeln!(
                text,
                r#"{{"id":"{id}#cancelled","sale_id":"{id}","timestamp":{},"sale_timestamp":{at},"region":"sa-east-1"}}"#,
                at + 5
            );
        }
    }
    text
}

/// A number without a pattern, always the same for the same one.
fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

fn uuid(number: u64, version: u64) -> String {
    let (one, other) = (scattered(number), scattered(!number));
    format!(
        "{:08x}-{:04x}-{version}{:03x}-8{:03x}-{:012x}",
        one >> 32,
        one & 0xffff,
        one >> 20 & 0xfff,
        other >> 52,
        other & 0xffff_ffff_ffff
    )
}

/// An id that tells its time.
fn made_at(second: u64, number: u64) -> String {
    let (milliseconds, random) = (second * 1_000 + number % 1_000, scattered(number));
    format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        milliseconds >> 16,
        milliseconds & 0xffff,
        random >> 52,
        random >> 40 & 0xfff,
        random & 0xffff_ffff_ffff
    )
}

impl Bench {
    /// The fold of an hour of sales.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) async fn fold(&self, sales: u64) -> anyhow::Result<Measurement> {
        let directory = tempfile::tempdir()?;
        let mut command = leash::own(["fold", "--sales", &sales.to_string(), "--directory"])?;
        command.arg(directory.path());
        let folded: Folded = self.result_of(command, &format!("the fold of {sales} sales")).await?;
        let of_each = |count: u64| count as f64 / sales as f64;
        let mut measured = Measurement::new(cases::fold(sales));
        measured
            .figure("cpu_us", folded.cpu_seconds * 1e6 / sales as f64)
            .figure("cpu_seconds", folded.cpu_seconds)
            .figure("rows_written", of_each(folded.rows_written))
            .figure("table_bytes", of_each(folded.table_bytes))
            .figure("commits", folded.commits as f64)
            .figure("peak_memory_mib", folded.peak_memory as f64 / f64::from(1 << 20));
        let calls = folded.calls.into_iter();
        measured.calls = calls.map(|(operation, calls)| (operation, of_each(calls))).collect();
        let total = measured.calls.values().sum();
        measured.figure("calls", total);
        Ok(measured)
    }
}

#[cfg(test)]
mod tests {
    use sales::journal;
    use sales::sale::Fact;

    use super::*;

    #[test]
    fn the_journal_has_the_lines_that_workers_write() {
        let text = journal(0..100, 1_000_000);
        let facts: Vec<Fact> = text.lines().map(|line| journal::parse(line).unwrap()).collect();
        assert!(facts.iter().zip(text.lines()).all(|(fact, line)| journal::line(fact) == line));
        let keyed = facts.iter().filter(|fact| fact.id().sale().is_from_key()).count();
        assert_eq!((facts.len(), keyed), (102, 26));
    }

    #[tokio::test]
    async fn an_hour_is_folded_into_one_row_for_each_sale() {
        let directory = tempfile::tempdir().unwrap();
        let folded = fold(600, 4, directory.path()).await.unwrap();
        assert_eq!((folded.rows, folded.commits), (600, 4));
        assert!(folded.table_bytes > 600 && folded.calls["S3.PutObject"] >= 12);
    }
}
