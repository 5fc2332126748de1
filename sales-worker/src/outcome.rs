//! Outcomes of messages.

use std::time::Duration;

use sales::ports::PortError;

/// Outcome of a message.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its work is done, or not this region's: acknowledge it.
    Acknowledge(Done),
    /// A call failed: it stays in the queue, hidden for longer each time.
    Failed(PortError),
    /// This region's table does not hold its item yet: it stays in the queue, hidden for a few seconds.
    NotReplicated {
        /// When it will be adopted.
        adopted_in: Duration,
    },
    /// It is malformed, and the queue has no redrive policy: it stays in the queue.
    NoDeadLetterQueue,
    /// It is malformed, and cannot be copied to the dead-letter queue: it stays in the queue, hidden for longer each
    /// time.
    DeadLetterFailed,
}

/// Why a message is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its object was put.
    Processed,
    /// Its object existed, without a mark.
    AlreadyThere,
    /// It was marked, or delivered twice at once.
    Duplicate,
    /// The pending index covers it.
    StoodBy,
    /// The same, with an item that was written from its event.
    Adopted,
    /// It was malformed.
    DeadLetter,
}

impl Outcome {
    /// A fixed word for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acknowledge(Done::Processed) => "processed",
            Self::Acknowledge(Done::AlreadyThere) => "already-there",
            Self::Acknowledge(Done::Duplicate) => "duplicate",
            Self::Acknowledge(Done::StoodBy) => "stood-by",
            Self::Acknowledge(Done::Adopted) => "adopted",
            Self::Acknowledge(Done::DeadLetter) => "dead-letter",
            Self::Failed(_) | Self::DeadLetterFailed => "failed",
            Self::NotReplicated { .. } => "not-replicated",
            Self::NoDeadLetterQueue => "no-dead-letter-queue",
        }
    }
}
