//! What becomes of a message.

use std::time::Duration;

use sales::ports::PortError;

/// What becomes of a message.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its work is done, or somebody else's: off the queue.
    Acknowledge(Done),
    /// A call failed: it stays, hidden for longer each time.
    Failed(PortError),
    /// This region's table does not hold its item yet: it stays, hidden for a few seconds.
    NotReplicated {
        /// When it is to be adopted.
        adopted_in: Duration,
    },
    /// It is not understood, and the queue has no redrive policy: it stays.
    NoDeadLetterQueue,
    /// It is not understood, and cannot be copied to the dead-letter queue: it stays, hidden for longer each time.
    DeadLetterFailed,
}

/// Why a message is off the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its object was put.
    Processed,
    /// Its object was there, without a mark.
    AlreadyThere,
    /// It was marked, or came twice at once.
    Duplicate,
    /// The pending index covers it.
    StoodBy,
    /// The same, by an item that was written from its event.
    Adopted,
    /// It was not understood.
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
