//! Adaptive batches: items that arrive while calls are in flight are sent together with the next one.
//!
//! A lone item is sent at once, and batches grow while calls are slow, or up to the time that items may wait.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Settings of a batcher.
#[derive(Clone, Copy, Debug)]
pub struct Gathering {
    /// Maximum items of a batch.
    pub batch: usize,
    /// Below this many calls in flight, any batch is sent at once; from there on, only full ones.
    pub eager: usize,
    /// Maximum calls in flight.
    pub in_flight: usize,
    /// Pause after taking items before it looks for more; zero if someone waits for each item.
    pub pace: Duration,
    /// How long a batch that is not full waits for more, from its first item.
    pub linger: Duration,
    /// How long it waits at most for calls in flight to end, before it goes beside them: one that hangs holds up nothing
    /// for longer.
    pub patience: Duration,
}

impl Gathering {
    /// Batches that go at once, full or not, up to `in_flight` calls.
    #[must_use]
    pub const fn at_once(batch: usize, in_flight: usize) -> Self {
        let none = Duration::ZERO;
        Self { batch, eager: in_flight, in_flight, pace: none, linger: none, patience: none }
    }

    /// Sends arriving items in batches until the channel is closed, by `close` or by the end of its last sender, and
    /// all its items are sent.
    pub async fn run<I, F>(self, mut arriving: mpsc::Receiver<I>, close: CancellationToken, send: impl Fn(Vec<I>) -> F)
    where
        F: Future<Output = ()>,
    {
        let mut waiting = Vec::new();
        let mut in_flight = FuturesUnordered::new();
        let mut open = true;
        let (mut rests_until, mut began) = (Instant::now(), Instant::now());
        while open || !waiting.is_empty() || !in_flight.is_empty() {
            let waited = waiting.len();
            // Full batches do not rest.
            let rests = Instant::now() < rests_until && !arriving.is_closed() && arriving.len() < self.batch;
            while !rests
                && waiting.len() < self.batch
                && let Ok(item) = arriving.try_recv()
            {
                waiting.push(item);
            }
            if waiting.len() > waited {
                rests_until = Instant::now() + self.pace;
                if waited == 0 {
                    began = Instant::now();
                }
            }
            if self.goes(waiting.len(), in_flight.len(), open, began.elapsed()) {
                in_flight.push(send(std::mem::take(&mut waiting)));
                continue;
            }
            let rests = Instant::now() < rests_until && !arriving.is_closed();
            let due = began + self.longest_wait(in_flight.len());
            let is_held_up = !waiting.is_empty() && in_flight.len() < self.in_flight;
            tokio::select! {
                // In a fixed order, for repeatable simulations; whichever is ready first, the loop continues.
                biased;
                item = arriving.recv(), if open && !rests && waiting.len() < self.batch => match item {
                    Some(item) => {
                        if waiting.is_empty() {
                            began = Instant::now();
                        }
                        waiting.push(item);
                        rests_until = Instant::now() + self.pace;
                    }
                    None => open = false,
                },
                Some(()) = in_flight.next() => {}
                () = sleep_until(rests_until), if rests => {}
                () = sleep_until(due), if is_held_up => {}
                () = close.cancelled(), if open && !arriving.is_closed() => arriving.close(),
            }
        }
    }

    /// Whether the waiting items, of which the first one has waited for `waited`, are sent now.
    fn goes(self, waiting: usize, in_flight: usize, open: bool, waited: Duration) -> bool {
        let is_due = waiting >= self.batch || !open || waited >= self.longest_wait(in_flight);
        waiting > 0 && in_flight < self.in_flight && is_due
    }

    /// How long items wait for a full batch.
    fn longest_wait(self, in_flight: usize) -> Duration {
        if in_flight < self.eager { self.linger } else { self.linger.max(self.patience) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::Semaphore;

    use super::*;

    const GATHERING: Gathering = Gathering { eager: 1, patience: SECOND, ..Gathering::at_once(3, 2) };

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_lone_item_goes_at_once_and_a_partial_batch_waits_for_the_call_in_flight() {
        let at_once = Duration::ZERO;
        assert!(!GATHERING.goes(0, 0, true, at_once));
        assert!(GATHERING.goes(1, 0, true, at_once));
        assert!(!GATHERING.goes(1, 1, true, at_once));
        assert!(GATHERING.goes(1, 1, true, SECOND), "the call in flight hangs");
        assert!(GATHERING.goes(3, 1, true, at_once));
        assert!(!GATHERING.goes(3, 2, true, SECOND));
        assert!(GATHERING.goes(1, 1, false, at_once), "nothing more will come");
        let lingering = Gathering { linger: SECOND / 2, ..GATHERING };
        assert!(!lingering.goes(1, 0, true, SECOND / 4));
        assert!(lingering.goes(1, 0, true, SECOND / 2));
        assert!(!lingering.goes(1, 1, true, SECOND / 2));
        assert!(lingering.goes(3, 1, true, at_once));
    }

    #[tokio::test]
    async fn what_comes_while_calls_are_in_flight_goes_together_and_nothing_is_left_behind() {
        let (sender, receiver) = mpsc::channel(16);
        let batches = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Semaphore::new(0));
        let (seen, gate) = (batches.clone(), answers.clone());
        let running = tokio::spawn(GATHERING.run(receiver, CancellationToken::new(), move |batch: Vec<u32>| {
            seen.lock().unwrap().push(batch);
            let gate = gate.clone();
            async move { gate.acquire().await.unwrap().forget() }
        }));
        sender.send(1).await.unwrap();
        while batches.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        for item in 2..=8 {
            sender.send(item).await.unwrap();
        }
        drop(sender);
        answers.add_permits(8);
        running.await.unwrap();
        let batches = batches.lock().unwrap().clone();
        assert_eq!(batches, [vec![1], vec![2, 3, 4], vec![5, 6, 7], vec![8]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_item_goes_at_once_and_what_comes_within_the_pace_after_it_goes_together() {
        let (sender, receiver) = mpsc::channel(16);
        let (batches, started) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
        let seen = batches.clone();
        let paced = Gathering { pace: Duration::from_millis(5), ..GATHERING };
        let running = tokio::spawn(paced.run(receiver, CancellationToken::new(), move |batch: Vec<u32>| {
            seen.lock().unwrap().push((started.elapsed().as_millis(), batch));
            async {}
        }));
        for item in 1..=4 {
            sender.send(item).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        sender.send(5).await.unwrap();
        drop(sender);
        running.await.unwrap();
        assert_eq!(*batches.lock().unwrap(), [(0, vec![1]), (5, vec![2, 3, 4]), (1_004, vec![5])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_ends_does_not_shorten_the_pace_and_full_batches_do_not_rest() {
        let (sender, receiver) = mpsc::channel(16);
        let (batches, started) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
        let seen = batches.clone();
        let paced = Gathering { pace: Duration::from_millis(50), ..GATHERING };
        let running = tokio::spawn(paced.run(receiver, CancellationToken::new(), move |batch: Vec<u32>| {
            seen.lock().unwrap().push((started.elapsed().as_millis(), batch));
            tokio::time::sleep(Duration::from_millis(15))
        }));
        for item in 1..=3 {
            sender.send(item).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(*batches.lock().unwrap(), [(0, vec![1]), (50, vec![2, 3])]);
        for item in 4..=10 {
            sender.send(item).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(sender);
        running.await.unwrap();
        let batches = batches.lock().unwrap()[2..].to_vec();
        assert_eq!(batches, [(65, vec![4, 5, 6]), (65, vec![7, 8, 9]), (115, vec![10])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_partial_batch_waits_for_more_and_a_full_one_does_not() {
        let (sender, receiver) = mpsc::channel(16);
        let (batches, started) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
        let seen = batches.clone();
        let lingering = Gathering { linger: Duration::from_millis(100), ..GATHERING };
        let running = tokio::spawn(lingering.run(receiver, CancellationToken::new(), move |batch: Vec<u32>| {
            seen.lock().unwrap().push((started.elapsed().as_millis(), batch));
            async {}
        }));
        for (pause, item) in [(0, 1), (60, 2), (60, 3), (10, 4), (10, 5), (10, 6), (10, 7)] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            sender.send(item).await.unwrap();
        }
        drop(sender);
        running.await.unwrap();
        assert_eq!(*batches.lock().unwrap(), [(100, vec![1, 2]), (140, vec![3, 4, 5]), (160, vec![6, 7])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_holds_up_the_next_items_for_a_moment_only() {
        let (sender, receiver) = mpsc::channel(16);
        let (batches, started) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
        let seen = batches.clone();
        let impatient = Gathering { in_flight: 3, patience: Duration::from_millis(50), ..GATHERING };
        let running = tokio::spawn(impatient.run(receiver, CancellationToken::new(), move |batch: Vec<u32>| {
            seen.lock().unwrap().push((started.elapsed().as_millis(), batch));
            tokio::time::sleep(10 * SECOND)
        }));
        for item in 1..=4 {
            sender.send(item).await.unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        tokio::time::sleep(SECOND).await;
        drop(sender);
        running.await.unwrap();
        assert_eq!(*batches.lock().unwrap(), [(0, vec![1]), (80, vec![2, 3]), (140, vec![4])]);
    }
}
