//! Outcomes: of a fact, and of the message that carries it.

use std::time::Duration;

use sales::ports::PortError;

use crate::backoff::Backoff;

/// Outcome of a fact of a message, or of malformed parts.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its work is done, or not this region's.
    Done(Done),
    /// A call failed: its message stays in the queue, hidden for longer each time.
    Failed(PortError),
    /// This region's table does not hold its item yet: its message stays in the queue, hidden for a few seconds.
    NotReplicated {
        /// When it will be adopted.
        adopted_in: Duration,
    },
    /// It is malformed, and the queue has no redrive policy: its message stays in the queue.
    NoDeadLetterQueue,
    /// It is malformed, and cannot be copied to the dead-letter queue: its message stays in the queue, hidden for longer
    /// each time.
    DeadLetterFailed,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was written to the journal.
    Processed,
    /// It was marked.
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
            Self::Done(Done::Processed) => "processed",
            Self::Done(Done::Duplicate) => "duplicate",
            Self::Done(Done::StoodBy) => "stood-by",
            Self::Done(Done::Adopted) => "adopted",
            Self::Done(Done::DeadLetter) => "dead-letter",
            Self::Failed(_) | Self::DeadLetterFailed => "failed",
            Self::NotReplicated { .. } => "not-replicated",
            Self::NoDeadLetterQueue => "no-dead-letter-queue",
        }
    }
}

/// Visibility timeout of a failed message, by its number of receives.
const RETRY: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(15 * 60) };

/// Visibility timeout of a message with an item that has not replicated yet, until it is adopted.
const REPLICATION_RETRY: Backoff = Backoff { first: Duration::from_secs(3), longest: Duration::from_secs(60) };

/// Minimum visibility timeout: the queue counts in seconds.
const SHORTEST_HIDING: Duration = Duration::from_secs(1);

/// What happens to a message whose parts have these outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is acknowledged: each part is done.
    Acknowledged,
    /// It stays in the queue.
    Kept {
        /// How long it is hidden, before jitter.
        pause: Duration,
        /// How long it may be hidden at most.
        longest: Duration,
    },
}

/// The fate of a message that was received this often. A failure outweighs an item that has not replicated.
#[must_use]
pub fn fate<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>, receive_count: u32) -> Fate {
    let (mut failed, mut adopted_in) = (false, None);
    for outcome in outcomes {
        match outcome {
            Outcome::Done(_) => {}
            Outcome::Failed(_) | Outcome::NoDeadLetterQueue | Outcome::DeadLetterFailed => failed = true,
            Outcome::NotReplicated { adopted_in: left } => {
                adopted_in = Some(adopted_in.map_or(*left, |known: Duration| known.min(*left)));
            }
        }
    }
    match adopted_in {
        _ if failed => Fate::Kept { pause: RETRY.after(receive_count), longest: RETRY.longest },
        Some(left) => Fate::Kept { pause: REPLICATION_RETRY.after(receive_count), longest: left.max(SHORTEST_HIDING) },
        None => Fate::Acknowledged,
    }
}

#[cfg(test)]
mod tests {
    use sales::ports::FailureKind;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failed() -> Outcome {
        Outcome::Failed(PortError { operation: "PutItem", kind: FailureKind::Rejected, detail: String::new() })
    }

    #[test]
    fn a_message_is_given_up_when_each_of_its_parts_is_done() {
        let done = [Done::Processed, Done::Duplicate, Done::StoodBy, Done::DeadLetter].map(Outcome::Done);
        assert_eq!(fate(&done, 1), Fate::Acknowledged);
        assert_eq!(fate(&[], 1), Fate::Acknowledged);
        for undone in [failed(), Outcome::NoDeadLetterQueue, Outcome::DeadLetterFailed] {
            let outcomes = [Outcome::Done(Done::Processed), undone];
            assert_eq!(fate(&outcomes, 3), Fate::Kept { pause: 20 * SECOND, longest: RETRY.longest });
        }
    }

    #[test]
    fn a_message_whose_item_has_not_replicated_comes_back_when_the_first_is_adopted() {
        let waiting = |seconds| Outcome::NotReplicated { adopted_in: seconds * SECOND };
        let outcomes = [waiting(20), Outcome::Done(Done::StoodBy), waiting(4)];
        assert_eq!(fate(&outcomes, 2), Fate::Kept { pause: 6 * SECOND, longest: 4 * SECOND });
        assert_eq!(fate(&[waiting(0)], 1), Fate::Kept { pause: 3 * SECOND, longest: SECOND });
        assert_eq!(fate(&[waiting(4), failed()], 1), Fate::Kept { pause: 5 * SECOND, longest: RETRY.longest });
    }
}
