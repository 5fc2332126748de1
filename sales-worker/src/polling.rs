//! Limits concurrent receives: one while the queue is idle, more while receives return full batches.
//!
//! A receive is never cancelled, since its messages would stay hidden from every consumer. So receives are short, to
//! shut down quickly, and few, to keep an idle queue cheap.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Long-polling time of an empty queue: shutdown waits no longer than that for a receive in flight.
pub const POLL: Duration = Duration::from_secs(1);

/// Maximum messages per receive.
const FULL: usize = 10;

/// Shared by all receivers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Polling {
    turns: Arc<Semaphore>,
    allowed: Arc<AtomicUsize>,
    most: usize,
}

/// The permit for one receive.
#[derive(Debug)]
pub struct Turn {
    polling: Polling,
    permit: OwnedSemaphorePermit,
}

impl Polling {
    /// One receive at a time at first, at most `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(1)), allowed: Arc::new(AtomicUsize::new(1)), most }
    }

    /// Waits for a turn.
    pub async fn turn(&self) -> Turn {
        match Arc::clone(&self.turns).acquire_owned().await {
            Ok(permit) => Turn { polling: self.clone(), permit },
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Turn {
    /// Ends a turn whose receive returned `messages` messages: after a full batch one more receive is allowed, after an
    /// empty one fewer.
    pub fn end(self, messages: usize) {
        let Self { polling, permit } = self;
        let allowed = polling.allowed.load(Ordering::Relaxed);
        if messages >= FULL && allowed < polling.most {
            polling.allowed.fetch_add(1, Ordering::Relaxed);
            polling.turns.add_permits(1);
        } else if messages == 0 && allowed > 1 {
            polling.allowed.fetch_sub(1, Ordering::Relaxed);
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn full_receives_add_turns_up_to_the_most_and_empty_ones_take_them_away_but_for_one() {
        let polling = Polling::new(3);
        let free = || polling.turns.available_permits();
        for expected in [2, 3, 3] {
            polling.turn().await.end(FULL);
            assert_eq!(free(), expected);
        }
        polling.turn().await.end(1);
        assert_eq!(free(), 3);
        for expected in [2, 1, 1] {
            polling.turn().await.end(0);
            assert_eq!(free(), expected);
        }
    }
}
