//! Taking messages off the queue. One message, one outcome: none holds up or discards its neighbours.

use std::pin::pin;
use std::time::Duration;

use sales::entropy::Entropy;
use sales::event::Event;
use sales::ports::{Delivery, FailureKind, Lake, Marks, SaleQueue, SaleTable};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::dead_letter::dead_letter;
use crate::handle::{Handler, Message};
use crate::metrics::Metrics;
use crate::outcome::Outcome;
use crate::polling::{POLL, Polling};
use crate::record;

/// How long received messages are hidden from others.
const HIDDEN_FOR: Duration = Duration::from_secs(30);

/// How often this is extended while work runs.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(10);

/// When a message that failed is looked at again, by how often it was received.
const RETRY: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(15 * 60) };

/// When a message whose item has not replicated yet is looked at again, until it is adopted.
const REPLICATION_RETRY: Backoff = Backoff { first: Duration::from_secs(3), longest: Duration::from_secs(60) };

/// No message is hidden for less than that: the queue counts in seconds.
const SHORTEST_HIDING: Duration = Duration::from_secs(1);

/// How long the intake rests while a dependency fails, so that failing costs neither calls nor deliveries.
const REST: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(15) };

/// What is needed to consume. Cheap to clone.
#[derive(Clone)]
pub struct Consumer<Q, T, L, M> {
    /// Where messages come from.
    pub queue: Q,
    /// Whose turn it is to receive.
    pub polling: Polling,
    /// What works on them.
    pub handler: Handler<T, L, M>,
    /// Jitter and spans.
    pub entropy: Entropy,
}

impl<Q: SaleQueue, T: SaleTable, L: Lake, M: Marks> Consumer<Q, T, L, M> {
    /// Consumes until `shutdown`, which stops the intake and not the work.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut failures = 0;
        loop {
            let rest = self.entropy.jitter(REST.after(failures));
            if shutdown.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                return;
            }
            let Some(turn) = shutdown.run_until_cancelled(self.polling.turn()).await else { return };
            // Not cut off by the shutdown: what the queue hands out then would stay hidden from everybody.
            let received = self.queue.receive(POLL, HIDDEN_FOR).await;
            turn.end(received.as_ref().map_or(0, Vec::len));
            let worked = match received {
                Ok(deliveries) if deliveries.is_empty() => true,
                Ok(deliveries) => self.handle(&deliveries).await,
                Err(_) => false,
            };
            failures = if worked { 0 } else { failures.saturating_add(1) };
        }
    }

    /// Handles messages. Tells whether all dependencies worked.
    async fn handle(&self, deliveries: &[Delivery]) -> bool {
        let outcomes = self.hidden_during(deliveries, self.work_on(deliveries)).await;
        self.carry_out(&outcomes).await
    }

    /// Keeps messages hidden while work runs. An extension under way is waited for, so that none takes effect after what
    /// is said of the messages next.
    async fn hidden_during<O>(&self, deliveries: &[Delivery], work: impl Future<Output = O>) -> O {
        let receipts: Vec<(&str, Duration)> = deliveries.iter().map(|it| (it.receipt.as_str(), HIDDEN_FOR)).collect();
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(EXTENSION_INTERVAL) => {}
            }
            let mut extending = pin!(self.queue.hide(&receipts));
            // A failure is noted by the queue's adapter; the next extension may succeed in time.
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

    /// The outcome of each message, after its work is done.
    async fn work_on<'a>(&self, deliveries: &'a [Delivery]) -> Vec<(&'a Delivery, Outcome)> {
        let started = Instant::now();
        let mut outcomes = Vec::with_capacity(deliveries.len());
        let mut messages = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match Event::parse(&delivery.body, &delivery.attributes) {
                Ok(event) => messages.push(Message { delivery, event }),
                Err(error) => {
                    outcomes.push((delivery, dead_letter(&self.queue, self.metrics(), delivery, &error).await))
                }
            }
        }
        for (message, outcome) in self.handler.handle(messages).await {
            record::log(&message.event, &outcome, started, &self.entropy);
            outcomes.push((message.delivery, outcome));
        }
        outcomes
    }

    /// Acknowledges last. Tells whether all dependencies worked.
    async fn carry_out(&self, outcomes: &[(&Delivery, Outcome)]) -> bool {
        let (mut acknowledged, mut hidden, mut worked) = (Vec::new(), Vec::new(), true);
        let mut refused = false;
        for (delivery, outcome) in outcomes {
            record::count(self.metrics(), outcome);
            let (retry, longest) = match outcome {
                Outcome::Acknowledge(_) => {
                    acknowledged.push(delivery.receipt.as_str());
                    continue;
                }
                Outcome::NotReplicated { adopted_in } => (REPLICATION_RETRY, (*adopted_in).max(SHORTEST_HIDING)),
                // Of no concern to the others.
                Outcome::NoDeadLetterQueue | Outcome::DeadLetterFailed => (RETRY, RETRY.longest),
                Outcome::Failed(error) => {
                    worked &= !error.kind.concerns_all_calls();
                    refused |= error.kind == FailureKind::Unrecognized;
                    (RETRY, RETRY.longest)
                }
            };
            let pause = self.entropy.jitter(retry.after(delivery.receive_count)).min(longest);
            hidden.push((delivery.receipt.as_str(), pause));
        }
        // All of them, it seems, and the next ones, too.
        worked &= !refused || !acknowledged.is_empty();
        // What is not acknowledged or hidden comes back by itself, and is done again without effect.
        if !acknowledged.is_empty() {
            worked &= self.queue.acknowledge(&acknowledged).await.is_ok();
        }
        if !hidden.is_empty() {
            worked &= self.queue.hide(&hidden).await.is_ok();
        }
        worked
    }

    fn metrics(&self) -> &Metrics {
        &self.handler.lake_writer.metrics
    }
}
