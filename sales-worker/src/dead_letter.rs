//! Malformed messages, and malformed parts of messages.

use sales::message::{Malformed, Message};
use sales::ports::{DeadLetter, Delivery, FailureKind, PortError, SaleQueue};

use crate::metrics::Metrics;
use crate::outcome::{Done, Outcome};

/// Copies a malformed part of a message, or all of it, to the dead-letter queue.
pub async fn dead_letter<Q: SaleQueue>(
    queue: &Q,
    metrics: &Metrics,
    delivery: &Delivery,
    Malformed { part: Message { body, attributes }, error }: &Malformed,
) -> Outcome {
    let (reason, detail) = (error.reason(), error.to_string());
    let part = Delivery { body: body.clone(), attributes: attributes.clone(), ..delivery.clone() };
    match queue.dead_letter(&part, reason).await {
        Ok(DeadLetter::Sent) => {
            tracing::warn!(reason, error.detail = detail, "malformed message moved to the dead-letter queue");
            metrics.count_dead_letter(reason);
            Outcome::Done(Done::DeadLetter)
        }
        // Its dependency reports the missing queue.
        Ok(DeadLetter::NoQueue) => {
            tracing::info!(reason, error.detail = detail, "malformed message kept: the queue has no redrive policy");
            Outcome::NoDeadLetterQueue
        }
        // This message alone cannot be moved; no dependency reports that.
        Err(PortError { kind: FailureKind::Rejected, operation, detail }) => {
            tracing::warn!(reason, operation, error.detail = detail, "malformed message kept: its copy was rejected");
            Outcome::DeadLetterFailed
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
