//! Calls shared by many callers: each hands over an item and waits for its own result; the items of all of them go out
//! together, as [`gathering`](crate::gathering) decides.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::gathering::Gathering;

/// Hands items over. Cheap to clone.
#[derive(Debug)]
pub struct Batcher<I, O> {
    waiting: mpsc::Sender<Entry<I, O>>,
}

#[derive(Debug)]
struct Entry<I, O> {
    item: I,
    done: oneshot::Sender<O>,
}

/// Why an item has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// Too many items wait.
    NoRoom,
    /// Its call was abandoned, or had no result for it.
    Abandoned,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting.clone() }
    }
}

impl<I: 'static, O: 'static> Batcher<I, O> {
    /// Sends items by `send` on this thread, until the last clone of the result is dropped. At most `room` items wait.
    /// `send` returns one result for each item, in order.
    pub fn start<F>(gathering: Gathering, room: usize, send: impl Fn(Vec<I>) -> F + Clone + 'static) -> Self
    where
        F: Future<Output = Vec<O>> + 'static,
    {
        let (sender, receiver) = mpsc::channel(room);
        let send = move |entries: Vec<Entry<I, O>>| {
            // Nothing is done for a caller that no longer waits.
            let (items, callers): (Vec<I>, Vec<_>) = entries
                .into_iter()
                .filter(|entry| !entry.done.is_closed())
                .map(|entry| (entry.item, entry.done))
                .unzip();
            let send = send.clone();
            async move {
                if items.is_empty() {
                    return;
                }
                for (caller, result) in callers.into_iter().zip(send(items).await) {
                    // An error means that the caller has gone meanwhile.
                    let _ = caller.send(result);
                }
            }
        };
        tokio::task::spawn_local(gathering.run(receiver, CancellationToken::new(), send));
        Self { waiting: sender }
    }

    /// The result for an item, after waiting for room.
    pub async fn call(&self, item: I) -> Result<O, Unsent> {
        let (done, result) = oneshot::channel();
        self.waiting.send(Entry { item, done }).await.map_err(|_| Unsent::Abandoned)?;
        result.await.map_err(|_| Unsent::Abandoned)
    }

    /// The result for an item, if there is room for it.
    pub async fn try_call(&self, item: I) -> Result<O, Unsent> {
        let (done, result) = oneshot::channel();
        self.waiting.try_send(Entry { item, done }).map_err(|_| Unsent::NoRoom)?;
        result.await.map_err(|_| Unsent::Abandoned)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use futures::future::join_all;
    use tokio::sync::Semaphore;
    use tokio::task::LocalSet;

    use super::*;

    const GATHERING: Gathering = Gathering::at_once(3, 1);

    #[tokio::test]
    async fn each_caller_gets_the_result_of_its_own_item() {
        let sizes = Rc::new(RefCell::new(Vec::new()));
        let seen = sizes.clone();
        let calling = async move {
            let doubling = Batcher::start(GATHERING, 8, move |items: Vec<u32>| {
                seen.borrow_mut().push(items.len());
                std::future::ready(items.into_iter().map(|item| item * 2).collect())
            });
            join_all((0..7).map(|item| doubling.call(item))).await
        };
        let results = LocalSet::new().run_until(calling).await;
        assert_eq!(results, (0..7).map(|item| Ok(item * 2)).collect::<Vec<_>>());
        assert_eq!(sizes.borrow().iter().sum::<usize>(), 7);
        assert!(sizes.borrow().len() <= 4, "{sizes:?}");
    }

    #[tokio::test]
    async fn a_call_without_a_result_and_a_full_buffer_are_told() {
        let gate = Rc::new(Semaphore::new(0));
        let opened = gate.clone();
        let calling = async move {
            let hanging: Batcher<u32, u32> = Batcher::start(GATHERING, 1, move |_| {
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Vec::new()
                }
            });
            let tried = join_all((0..8).map(|item| hanging.try_call(item)));
            let (results, ()) = tokio::join!(tried, async { opened.add_permits(8) });
            results
        };
        let results = LocalSet::new().run_until(calling).await;
        assert_eq!(results[0], Err(Unsent::Abandoned));
        assert!(results[1..].contains(&Err(Unsent::NoRoom)));
    }

    #[tokio::test]
    async fn nothing_is_sent_for_a_caller_that_has_gone() {
        let sent = Rc::new(RefCell::new(Vec::new()));
        let seen = sent.clone();
        let calling = async move {
            let batcher = Batcher::start(GATHERING, 8, move |items: Vec<u32>| {
                seen.borrow_mut().extend(items.clone());
                std::future::ready(items)
            });
            {
                let mut gone = Box::pin(batcher.call(1));
                assert!(futures::poll!(&mut gone).is_pending());
            }
            batcher.call(2).await
        };
        assert_eq!(LocalSet::new().run_until(calling).await, Ok(2));
        assert_eq!(*sent.borrow(), [2]);
    }
}
