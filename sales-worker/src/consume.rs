//! Consuming messages. One message, one outcome: none holds up or discards its neighbours.

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

/// Visibility timeout of received messages.
const HIDDEN_FOR: Duration = Duration::from_secs(30);

/// Interval at which it is extended during processing.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(10);

/// Visibility timeout of a failed message, by its number of receives.
const RETRY: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(15 * 60) };

/// Visibility timeout of a message whose item has not replicated yet, until it is adopted.
const REPLICATION_RETRY: Backoff = Backoff { first: Duration::from_secs(3), longest: Duration::from_secs(60) };

/// Minimum visibility timeout: the queue counts in seconds.
const SHORTEST_HIDING: Duration = Duration::from_secs(1);

/// Pause of the intake while a dependency fails, to save calls and deliveries.
const REST: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(15) };

/// The resources of a consumer. Cheap to clone.
#[derive(Clone)]
pub struct Consumer<Q, T, L, M> {
    /// The queue.
    pub queue: Q,
    /// Limits concurrent receives.
    pub polling: Polling,
    /// Processes messages.
    pub handler: Handler<T, L, M>,
    /// Jitter and span ids.
    pub entropy: Entropy,
}

impl<Q: SaleQueue, T: SaleTable, L: Lake, M: Marks> Consumer<Q, T, L, M> {
    /// Consumes until `shutdown`, which stops the intake, not the work.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut failures = 0;
        loop {
            let rest = self.entropy.jitter(REST.after(failures));
            if shutdown.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                return;
            }
            let Some(turn) = shutdown.run_until_cancelled(self.polling.turn()).await else { return };
            // The receive is not cancelled at shutdown: its messages would stay hidden from every consumer.
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

    /// Handles messages. Returns whether all dependencies worked.
    async fn handle(&self, deliveries: &[Delivery]) -> bool {
        let outcomes = self.hidden_during(deliveries, self.work_on(deliveries)).await;
        self.carry_out(&outcomes).await
    }

    /// Keeps messages hidden during processing. An extension in flight is awaited, so that none takes effect after the
    /// messages' outcomes.
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

    /// The outcome of each message, after processing.
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

    /// Acknowledges last. Returns whether all dependencies worked.
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
                // This does not affect the others.
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
        // Probably all of them, and the next ones, too.
        worked &= !refused || !acknowledged.is_empty();
        // A message that is neither acknowledged nor hidden is redelivered, and processed again without effect.
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
