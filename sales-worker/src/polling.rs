//! How many receives are under way: one while the queue is idle, more while they come back full.
//!
//! A receive is never cut off, since what the queue has handed out stays hidden from everybody. So receives are short, that a
//! stop need not wait long for them, and few, that an idle queue costs little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For how long an empty queue holds an answer back: a stop waits no longer than that for a receive under way.
pub const POLL: Duration = Duration::from_secs(1);

/// As many messages as one receive brings at most.
const FULL: usize = 10;

/// Shared by all that receive. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Polling {
    turns: Arc<Semaphore>,
    allowed: Arc<AtomicUsize>,
    most: usize,
}

/// The right to one receive.
#[derive(Debug)]
pub struct Turn {
    polling: Polling,
    permit: OwnedSemaphorePermit,
}

impl Polling {
    /// One receive at a time at first, `most` at most.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(1)), allowed: Arc::new(AtomicUsize::new(1)), most }
    }

    /// Waits for a turn.
    pub async fn turn(&self) -> Turn {
        match Arc::clone(&self.turns).acquire_owned().await {
            Ok(permit) => Turn { polling: self.clone(), permit },
            // Nobody closes it.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Turn {
    /// Ends a turn whose receive has brought so many messages: after a full one there is more to fetch, after an empty
    /// one less.
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
