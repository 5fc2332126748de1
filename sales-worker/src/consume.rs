//! Consuming messages: receive, work, acknowledge last. Each message has a fate of its own, and each fact in it, too.

use std::cell::Cell;
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use sales::entropy::Entropy;
use sales::event::Event;
use sales::message::{self, Unpacked};
use sales::ports::{Delivery, FailureKind, PortError, PortResult, SaleQueue};
use sales::sale::FactId;
use sales_service::batcher::Batcher;
use sales_service::gathering::Gathering;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backoff::Backoff;
use crate::dead_letter::dead_letter;
use crate::handle::Handler;
use crate::metrics::Metrics;
use crate::outcome::{Fate, Outcome, fate};
use crate::polling::{POLL, Polling};
use crate::record;
use crate::room::{Room, Share};

/// Visibility timeout of received messages.
const HIDDEN_FOR: Duration = Duration::from_secs(30);

/// Interval at which it is extended during processing.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(10);

/// Pause of the intake while a dependency fails, to save calls and deliveries.
const REST: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(15) };

/// Receipts of one call.
const RECEIPTS: usize = 10;

/// Calls with receipts: what is done within a moment is acknowledged together.
const GATHERING: Gathering = Gathering {
    eager: 2,
    linger: Duration::from_millis(20),
    patience: Duration::from_millis(100),
    ..Gathering::at_once(RECEIPTS, 16)
};

/// Receipts that may wait for their call.
const WAITING: usize = 1024;

/// The end of a message's way. Cheap to clone.
#[derive(Clone)]
struct Receipts {
    acknowledge: Batcher<String, PortResult<()>>,
    hide: Batcher<(String, Duration), PortResult<()>>,
}

/// The resources of a consumer. Cheap to clone.
#[derive(Clone)]
pub struct Consumer<Q> {
    queue: Q,
    receipts: Receipts,
    polling: Polling,
    room: Room,
    handler: Handler,
    metrics: Metrics,
    entropy: Entropy,
    tasks: TaskTracker,
}

/// Consecutive failures, as a receiver knows them.
type Failures = Rc<Cell<u32>>;

impl<Q: SaleQueue> Consumer<Q> {
    /// A consumer of `queue` with up to `concurrency` receives at a time. `tasks` runs what it receives.
    pub fn new(
        queue: Q,
        concurrency: usize,
        handler: Handler,
        metrics: Metrics,
        entropy: Entropy,
        tasks: TaskTracker,
    ) -> Self {
        let (acknowledging, hiding) = (queue.clone(), queue.clone());
        let acknowledge = Batcher::start(GATHERING, WAITING, move |receipts: Vec<String>| {
            let queue = acknowledging.clone();
            async move {
                let receipts: Vec<&str> = receipts.iter().map(String::as_str).collect();
                vec![queue.acknowledge(&receipts).await; receipts.len()]
            }
        });
        let hide = Batcher::start(GATHERING, WAITING, move |times: Vec<(String, Duration)>| {
            let queue = hiding.clone();
            async move {
                let times: Vec<(&str, Duration)> =
                    times.iter().map(|(receipt, time)| (receipt.as_str(), *time)).collect();
                vec![queue.hide(&times).await; times.len()]
            }
        });
        let receipts = Receipts { acknowledge, hide };
        let (polling, room) = (Polling::new(concurrency), Room::default());
        Self { queue, receipts, polling, room, handler, metrics, entropy, tasks }
    }

    /// Receives until `shutdown`, which stops the intake, not the work. While all is well, it receives more while
    /// messages are in work; while a dependency fails, it first waits for them.
    pub async fn run(self, shutdown: CancellationToken) {
        let failures = Failures::default();
        loop {
            let rest = self.entropy.jitter(REST.after(failures.get()));
            if shutdown.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                return;
            }
            let Some(turn) = shutdown.run_until_cancelled(self.polling.turn()).await else { return };
            let Some(share) = shutdown.run_until_cancelled(self.room.reserve()).await else { return };
            // The receive is not cancelled at shutdown: its messages would stay hidden from every consumer.
            let received = self.queue.receive(POLL, HIDDEN_FOR).await;
            turn.end(received.as_ref().map_or(0, Vec::len));
            match received {
                Err(_) => failures.set(failures.get().saturating_add(1)),
                Ok(deliveries) if deliveries.is_empty() => failures.set(0),
                Ok(deliveries) if failures.get() == 0 => {
                    let (consumer, failures) = (self.clone(), failures.clone());
                    let shares = share.divide(&deliveries);
                    self.tasks.spawn_local(async move {
                        if !consumer.handle(deliveries, shares).await {
                            failures.set(failures.get().max(1));
                        }
                    });
                }
                Ok(deliveries) => {
                    let shares = share.divide(&deliveries);
                    let worked = self.handle(deliveries, shares).await;
                    failures.set(if worked { 0 } else { failures.get().saturating_add(1) });
                }
            }
        }
    }

    /// Handles messages. Returns whether all dependencies worked.
    async fn handle(&self, deliveries: Vec<Delivery>, shares: Vec<Share>) -> bool {
        let handled = deliveries.iter().zip(shares).map(async |(delivery, share)| {
            let seen = self.handle_one(delivery).await;
            drop(share);
            seen
        });
        Seen::of_all(&join_all(handled).await).worked()
    }

    async fn handle_one(&self, delivery: &Delivery) -> Seen {
        let outcomes = self.hidden_during(delivery, self.work_on(delivery)).await;
        let mut seen = Seen::default();
        for outcome in &outcomes {
            record::count(&self.metrics, outcome);
            seen.note(outcome);
        }
        // A message that is neither acknowledged nor hidden is redelivered, and processed again without effect.
        let receipt = delivery.receipt.clone();
        let told = match fate(&outcomes, delivery.receive_count) {
            Fate::Acknowledged => self.receipts.acknowledge.call(receipt).await,
            Fate::Kept { pause, longest } => {
                let pause = self.entropy.jitter(pause).min(longest);
                self.receipts.hide.call((receipt, pause)).await
            }
        };
        seen.failed |= !matches!(told, Ok(Ok(())));
        seen
    }

    /// Keeps a message hidden during processing. An extension in flight is awaited, so that none takes effect after the
    /// message's fate.
    async fn hidden_during<O>(&self, delivery: &Delivery, work: impl Future<Output = O>) -> O {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(EXTENSION_INTERVAL) => {}
            }
            let mut extending = pin!(self.receipts.hide.call((delivery.receipt.clone(), HIDDEN_FOR)));
            // The queue's adapter records a failure; the next extension may succeed in time.
            tokio::select! {
                biased;
                done = &mut work => {
                    let _ = extending.await;
                    return done;
                }
                _ = &mut extending => {}
            }
        }
    }

    /// The outcome of each part of a message. Malformed ones become dead letters once all others are done: the message
    /// may come back until then.
    async fn work_on(&self, delivery: &Delivery) -> Vec<Outcome> {
        let _admitted = self.room.admit(delivery).await;
        let started = Instant::now();
        let Unpacked { events, malformed } = message::unpack(&delivery.body, &delivery.attributes);
        let handled = without_repetitions(&events).into_iter().map(async |event| {
            let outcome = self.handler.handle(event, delivery.first_received).await;
            record::log(event, &outcome, started, &self.entropy);
            outcome
        });
        let mut outcomes = join_all(handled).await;
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))) {
            let letters = malformed.iter().map(|part| dead_letter(&self.queue, &self.metrics, delivery, part));
            outcomes.extend(join_all(letters).await);
        }
        outcomes
    }
}

/// Events without those whose fact another one has already.
fn without_repetitions(events: &[Event]) -> Vec<&Event> {
    let mut first: HashMap<FactId, &Event> = HashMap::with_capacity(events.len());
    let mut all = Vec::with_capacity(events.len());
    for event in events {
        let known = *first.entry(event.fact.id()).or_insert(event);
        if std::ptr::eq(known, event) || known.fact != event.fact {
            all.push(event);
        }
    }
    all
}

/// What messages showed of the dependencies.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Something was done.
    done: bool,
    /// A dependency fails.
    failed: bool,
    /// A call was rejected with an unknown code.
    refused: bool,
}

impl Seen {
    fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done(_) => self.done = true,
            Outcome::Failed(PortError { kind, .. }) => {
                self.failed |= kind.concerns_all_calls();
                self.refused |= *kind == FailureKind::Unrecognized;
            }
            // These do not affect the others.
            Outcome::NotReplicated { .. } | Outcome::NoDeadLetterQueue | Outcome::DeadLetterFailed => {}
        }
    }

    fn of_all(all: &[Self]) -> Self {
        Self {
            done: all.iter().any(|seen| seen.done),
            failed: all.iter().any(|seen| seen.failed),
            refused: all.iter().any(|seen| seen.refused),
        }
    }

    /// If nothing was done and something was refused, probably everything is, and the next messages, too.
    fn worked(self) -> bool {
        !self.failed && (self.done || !self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Done;

    #[test]
    fn a_refusal_of_all_counts_as_a_failing_dependency_and_one_among_others_does_not() {
        let seen = |outcomes: &[Outcome]| {
            let mut seen = Seen::default();
            outcomes.iter().for_each(|outcome| seen.note(outcome));
            seen
        };
        let failed = |kind| Outcome::Failed(PortError { operation: "PutItem", kind, detail: String::new() });
        let done = Outcome::Done(Done::Processed);
        for (outcomes, worked) in [
            (vec![], true),
            (vec![failed(FailureKind::Rejected)], true),
            (vec![failed(FailureKind::Unrecognized)], false),
            (vec![failed(FailureKind::Unrecognized), done.clone()], true),
            (vec![failed(FailureKind::Unavailable), done], false),
        ] {
            assert_eq!(Seen::of_all(&[Seen::default(), seen(&outcomes)]).worked(), worked, "{outcomes:?}");
        }
    }
}
