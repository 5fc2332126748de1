//! Malformed messages.

use sales::event::NotAnEvent;
use sales::ports::{DeadLetter, Delivery, SaleQueue};

use crate::metrics::Metrics;
use crate::outcome::{Done, Outcome};

/// Copies a message to the dead-letter queue; the outcome then acknowledges it in its own queue.
pub async fn dead_letter<Q: SaleQueue>(
    queue: &Q,
    metrics: &Metrics,
    delivery: &Delivery,
    error: &NotAnEvent,
) -> Outcome {
    let (reason, detail) = (error.reason(), error.to_string());
    match queue.dead_letter(delivery, reason).await {
        Ok(DeadLetter::Sent) => {
            tracing::warn!(reason, error.detail = detail, "malformed message moved to the dead-letter queue");
            metrics.count_dead_letter(reason);
            Outcome::Acknowledge(Done::DeadLetter)
        }
        Ok(DeadLetter::NoQueue) => {
            tracing::warn!(reason, error.detail = detail, "malformed message kept: the queue has no redrive policy");
            Outcome::NoDeadLetterQueue
        }
        Err(error) => {
            tracing::info!(
                reason,
                error.operation = error.operation,
                error.detail = error.detail,
                "malformed message kept: it could not be copied to the dead-letter queue"
            );
            Outcome::DeadLetterFailed
        }
    }
}
