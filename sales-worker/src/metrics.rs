//! The worker's metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of the outcomes of events and facts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    messages: Family<ByOutcome, Counter>,
    objects: Counter,
    lines: Counter,
    dead_letters: Family<Reason, Counter>,
    sweeps: Family<ByOutcome, Counter>,
    /// Facts brought to the lake by a sweep.
    pub reconciled: Counter,
    /// Facts that a sweep found in the lake, left pending by a crash.
    pub settled: Counter,
    /// Facts that had not replicated to this region, and were written from their event.
    pub adopted: Counter,
    /// Events whose fact was already in the lake.
    pub duplicates: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl Metrics {
    /// Metrics registered in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            messages: Family::default(),
            objects: Counter::default(),
            lines: Counter::default(),
            dead_letters: Family::default(),
            sweeps: Family::default(),
            reconciled: Counter::default(),
            settled: Counter::default(),
            adopted: Counter::default(),
            duplicates: Counter::default(),
        };
        registry.register(
            "sales_messages",
            "Events of messages, by outcome; again at each delivery",
            metrics.messages.clone(),
        );
        registry.register("sales_journal_objects", "Objects put into the journal", metrics.objects.clone());
        registry.register("sales_journal_lines", "Facts in them", metrics.lines.clone());
        registry.register(
            "sales_dead_letters",
            "Dead letters of malformed messages and parts, by reason",
            metrics.dead_letters.clone(),
        );
        registry.register("sales_sweeps", "Sweeps by outcome", metrics.sweeps.clone());
        registry.register("sales_reconciled", "Facts brought to the lake by a sweep", metrics.reconciled.clone());
        registry.register(
            "sales_settled",
            "Facts that a sweep found in the lake, but still pending",
            metrics.settled.clone(),
        );
        registry.register(
            "sales_adopted",
            "Facts that had not replicated, written from their event",
            metrics.adopted.clone(),
        );
        registry.register("sales_duplicates", "Events whose fact was already in the lake", metrics.duplicates.clone());
        metrics
    }

    /// Counts an event by outcome.
    pub fn count_event(&self, outcome: &'static str) {
        self.messages.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Counts an object of the journal with this many lines.
    pub fn count_object(&self, lines: usize) {
        self.objects.inc();
        self.lines.inc_by(u64::try_from(lines).unwrap_or(u64::MAX));
    }

    /// Counts a dead letter.
    pub fn count_dead_letter(&self, reason: &'static str) {
        self.dead_letters.get_or_create(&Reason { reason }).inc();
    }

    /// Counts a sweep.
    pub fn count_sweep(&self, completed: bool) {
        let outcome = if completed { "completed" } else { "failed" };
        self.sweeps.get_or_create(&ByOutcome { outcome }).inc();
    }
}
