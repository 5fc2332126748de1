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
}

impl Gathering {
    /// Sends arriving items in batches until the channel is closed, by `close` or by the end of its last sender, and
    /// all its items are sent.
    pub async fn run<I, F>(self, mut arriving: mpsc::Receiver<I>, close: CancellationToken, send: impl Fn(Vec<I>) -> F)
    where
        F: Future<Output = ()>,
    {
        let mut waiting = Vec::new();
        let mut in_flight = FuturesUnordered::new();
        let mut open = true;
        let (mut rests_until, mut lingers_until) = (Instant::now(), Instant::now());
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
                    lingers_until = Instant::now() + self.linger;
                }
            }
            let lingers = Instant::now() < lingers_until;
            if self.goes(waiting.len(), in_flight.len(), open, lingers) {
                in_flight.push(send(std::mem::take(&mut waiting)));
                continue;
            }
            let rests = rests || (Instant::now() < rests_until && !arriving.is_closed());
            tokio::select! {
                // In a fixed order, for repeatable simulations; whichever is ready first, the loop continues.
                biased;
                item = arriving.recv(), if open && !rests && waiting.len() < self.batch => match item {
                    Some(item) => {
                        if waiting.is_empty() {
                            lingers_until = Instant::now() + self.linger;
                        }
                        waiting.push(item);
                        rests_until = Instant::now() + self.pace;
                    }
                    None => open = false,
                },
                Some(()) = in_flight.next() => {}
                () = sleep_until(rests_until), if rests => {}
                () = sleep_until(lingers_until), if lingers && !waiting.is_empty() => {}
                () = close.cancelled(), if open && !arriving.is_closed() => arriving.close(),
            }
        }
    }

    /// Whether the waiting items are sent now.
    fn goes(self, waiting: usize, in_flight: usize, open: bool, lingers: bool) -> bool {
        let room = in_flight < self.in_flight;
        waiting > 0 && ((room && (waiting >= self.batch || !open)) || (in_flight < self.eager && !lingers))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::Semaphore;

    use super::*;

    const GATHERING: Gathering =
        Gathering { batch: 3, eager: 1, in_flight: 2, pace: Duration::ZERO, linger: Duration::ZERO };

    #[test]
    fn a_lone_item_goes_at_once_and_a_partial_batch_waits_for_the_call_in_flight() {
        assert!(!GATHERING.goes(0, 0, true, false));
        assert!(GATHERING.goes(1, 0, true, false));
        assert!(!GATHERING.goes(1, 0, true, true));
        assert!(!GATHERING.goes(1, 1, true, false));
        assert!(GATHERING.goes(3, 1, true, true));
        assert!(!GATHERING.goes(3, 2, true, false));
        assert!(GATHERING.goes(1, 1, false, true), "nothing more will come");
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
        assert_eq!(batches, [(100, vec![4, 5, 6]), (100, vec![7, 8, 9]), (150, vec![10])]);
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
}
