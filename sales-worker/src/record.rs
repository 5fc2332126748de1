//! Metrics and logs of an event's outcome.

use sales::entropy::Entropy;
use sales::event::Event;
use sales::ports::{FailureKind, PortError};
use sales::trace::TraceParent;
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::outcome::{Done, Outcome};

/// Counts an outcome.
pub fn count(metrics: &Metrics, outcome: &Outcome) {
    metrics.count_event(outcome.name());
    match outcome {
        Outcome::Done(Done::Duplicate) => _ = metrics.duplicates.inc(),
        Outcome::Done(Done::Adopted) => _ = metrics.adopted.inc(),
        Outcome::Done(Done::Processed | Done::StoodBy | Done::DeadLetter)
        | Outcome::Failed(_)
        | Outcome::NotReplicated { .. }
        | Outcome::NoDeadLetterQueue
        | Outcome::DeadLetterFailed => {}
    }
}

/// Logs one line per sale at info level: what this region did for it. Duplicates and failing dependencies are logged
/// elsewhere.
pub fn log(event: &Event, outcome: &Outcome, started: Instant, entropy: &Entropy) {
    let span = event.trace.map_or_else(|| TraceParent::new(entropy), |parent| parent.child(entropy));
    let id = event.fact.id();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (trace_id, span_id) = (span.trace_id(), span.span_id());
    let name = outcome.name();
    match outcome {
        Outcome::Done(Done::Processed) => {
            tracing::info!(sale.id = %id, trace.id = trace_id, span.id = span_id, duration_ms, "sale in the lake");
        }
        Outcome::Done(Done::StoodBy) => {
            tracing::info!(sale.id = %id, trace.id = trace_id, span.id = span_id, duration_ms, "standing by for sale");
        }
        Outcome::Done(Done::Adopted) => {
            tracing::info!(
                sale.id = %id,
                trace.id = trace_id,
                span.id = span_id,
                duration_ms,
                "sale adopted: it has not replicated to this region"
            );
        }
        Outcome::Failed(PortError { kind: FailureKind::Rejected, operation, detail }) => {
            tracing::warn!(sale.id = %id, trace.id = trace_id, span.id = span_id, operation, detail, "event kept");
        }
        // The adapter reports a dependency that rejects everything.
        Outcome::Failed(PortError { kind: FailureKind::Unrecognized, operation, detail }) => {
            tracing::info!(sale.id = %id, trace.id = trace_id, span.id = span_id, operation, detail, "event kept");
        }
        Outcome::Done(_)
        | Outcome::Failed(_)
        | Outcome::NotReplicated { .. }
        | Outcome::NoDeadLetterQueue
        | Outcome::DeadLetterFailed => {
            tracing::debug!(sale.id = %id, trace.id = trace_id, span.id = span_id, outcome = name, "event seen");
        }
    }
}
