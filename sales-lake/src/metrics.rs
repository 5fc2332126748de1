//! The metrics of the builder.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters and gauges of the fold. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    folds: Family<ByOutcome, Counter>,
    foreign: Family<ByKind, Counter>,
    /// Objects of the journal that were folded.
    pub objects: Counter,
    /// Lines of them.
    pub lines: Counter,
    /// Rows written, those that were written before included.
    pub rows_written: Counter,
    /// Sales whose amount does not fit the column.
    pub inexact_amounts: Counter,
    /// Files that were removed after their time.
    pub removed_files: Counter,
    /// Rows of the table.
    pub rows: Gauge<u64, AtomicU64>,
    /// Files of the table.
    pub files: Gauge<u64, AtomicU64>,
    /// Version of the table.
    pub version: Gauge<u64, AtomicU64>,
    /// Cancellations that are not in the table yet.
    pub waiting: Gauge<u64, AtomicU64>,
    /// Files that sales whose id does not tell their time are not compared with.
    pub uncompared_files: Gauge<u64, AtomicU64>,
    /// When the last complete fold began, in unix seconds.
    pub folded_at: Gauge<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

/// What no worker writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A key in the journal's folder.
    Object,
    /// A line of an object.
    Line,
}

impl Metrics {
    /// Metrics registered in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("lake_folds", "Folds of the journal by outcome", metrics.folds.clone());
        registry.register(
            "lake_foreign",
            "Objects and lines of the journal that no worker writes; an object again at each look",
            metrics.foreign.clone(),
        );
        registry.register("lake_journal_objects", "Objects of the journal that were folded", metrics.objects.clone());
        registry.register("lake_journal_lines", "Lines of them", metrics.lines.clone());
        registry.register("lake_rows_written", "Rows written to files, again each time", metrics.rows_written.clone());
        registry.register(
            "lake_inexact_amounts",
            "Sales whose amount does not fit the column exactly, and is null there",
            metrics.inexact_amounts.clone(),
        );
        registry.register(
            "lake_removed_files",
            "Files that no kept version needs, removed",
            metrics.removed_files.clone(),
        );
        registry.register("lake_rows", "Rows of the table", metrics.rows.clone());
        registry.register("lake_files", "Files of the table", metrics.files.clone());
        registry.register("lake_version", "Version of the table", metrics.version.clone());
        registry.register("lake_waiting_cancellations", "Cancellations not in the table yet", metrics.waiting.clone());
        registry.register(
            "lake_uncompared_files",
            "Files too old to be compared with new sales whose id does not tell their time",
            metrics.uncompared_files.clone(),
        );
        registry.register(
            "lake_folded_timestamp_seconds",
            "When the last complete fold began; all that was in the journal then is in the table",
            metrics.folded_at.clone(),
        );
        metrics
    }

    /// Counts a fold by outcome.
    pub fn count_fold(&self, outcome: &'static str) {
        self.folds.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Counts what no worker writes.
    pub fn count_foreign(&self, kind: Foreign, count: u64) {
        let kind = match kind {
            Foreign::Object => "object",
            Foreign::Line => "line",
        };
        self.foreign.get_or_create(&ByKind { kind }).inc_by(count);
    }
}
