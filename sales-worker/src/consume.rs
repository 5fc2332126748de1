//! Taking messages off the queue. One message, one outcome: none holds up or discards its neighbours.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use sales::clock::Timestamp;
use sales::entropy::Entropy;
use sales::event::Event;
use sales::ports::{DeadLetter, Delivery, FailureKind, Lake, LakePut, Marks, PortError, SaleQueue, SaleTable};
use sales::sale::{Fact, FactId};
use sales::site::Site;
use sales::trace::TraceParent;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::bring_to_lake::LakeWriter;
use crate::outcome::{Done, Outcome};
use crate::ownership::{Decision, decide};
use crate::polling::{POLL, Polling};
use crate::stand_by::{Awaited, StandBy, stand_by};

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
    /// How facts get to the lake.
    pub lake_writer: LakeWriter<T, L, M>,
    /// This region.
    pub site: Site,
    /// How long a fact that has not replicated is waited for before it is adopted.
    pub grace: Duration,
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
        let mut outcomes: Vec<(&Delivery, Outcome)> = Vec::with_capacity(deliveries.len());
        let mut understood: Vec<(&Delivery, Event)> = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match Event::parse(&delivery.body, &delivery.attributes) {
                Ok(event) => understood.push((delivery, event)),
                Err(error) => {
                    outcomes.push((delivery, self.dead_letter(delivery, error.reason(), &error.to_string()).await))
                }
            }
        }
        let outcomes_understood = self.decide_outcomes(&understood).await;
        for ((delivery, event), outcome) in understood.iter().zip(outcomes_understood) {
            self.log(event, &outcome, started);
            outcomes.push((delivery, outcome));
        }
        outcomes
    }

    /// The outcome of each event, in order, after its work is done.
    async fn decide_outcomes(&self, messages: &[(&Delivery, Event)]) -> Vec<Outcome> {
        if messages.is_empty() {
            return Vec::new();
        }
        let ids: Vec<FactId> = messages.iter().map(|(_, event)| event.fact.id()).collect();
        let marked = match self.lake_writer.marks.present(&ids).await {
            Ok(marked) => marked,
            Err(error) => return messages.iter().map(|_| Outcome::Failed(error.clone())).collect(),
        };
        let (state, own, now) = (self.site.state(), self.site.region(), self.lake_writer.clock.now());
        let decide = |event: &Event| decide(state, own, event.home.as_ref(), marked.contains(&event.fact.id()));
        let decisions: Vec<Decision> = messages.iter().map(|(_, event)| decide(event)).collect();
        let decided = || messages.iter().zip(&decisions);
        let to_process: Vec<&Fact> = decided()
            .filter(|(_, decision)| **decision == Decision::Process)
            .map(|((_, event), _)| &event.fact)
            .collect();
        let others = decided().filter(|(_, decision)| **decision != Decision::Process);
        let awaited: Vec<Awaited<'_>> = others
            .map(|((delivery, Event { fact, .. }), decision)| Awaited {
                fact,
                waited: waited(delivery, fact, now),
                in_lake: *decision == Decision::Done,
            })
            .collect();
        let (processed, stood_by) = tokio::join!(
            self.lake_writer.bring_to_lake(&to_process),
            stand_by(&self.lake_writer.table, self.grace, now, &awaited)
        );

        let (mut first, mut stood_by) = (HashSet::new(), stood_by.into_iter());
        let outcomes = decided().map(|((_, event), decision)| match decision {
            Decision::Process => match processed.get(&event.fact.id()) {
                Some(Ok(_)) if !first.insert(event.fact.id()) => Outcome::Acknowledge(Done::Duplicate),
                Some(Ok(LakePut::Stored)) => Outcome::Acknowledge(Done::Processed),
                Some(Ok(LakePut::AlreadyThere)) => Outcome::Acknowledge(Done::AlreadyThere),
                Some(Err(error)) => Outcome::Failed(error.clone()),
                // Every fact has an outcome; one without would not be done.
                None => Outcome::Failed(undecided()),
            },
            Decision::Done | Decision::StandBy => match stood_by.next() {
                Some(Ok(StandBy::Held | StandBy::Noted)) if *decision == Decision::Done => {
                    Outcome::Acknowledge(Done::Duplicate)
                }
                Some(Ok(StandBy::Held | StandBy::Noted)) => Outcome::Acknowledge(Done::StoodBy),
                Some(Ok(StandBy::Adopted)) => Outcome::Acknowledge(Done::Adopted),
                Some(Ok(StandBy::NotReplicated { adopted_in })) => Outcome::NotReplicated { adopted_in },
                Some(Err(error)) => Outcome::Failed(error),
                None => Outcome::Failed(undecided()),
            },
        });
        outcomes.collect()
    }

    async fn dead_letter(&self, delivery: &Delivery, reason: &'static str, detail: &str) -> Outcome {
        match self.queue.dead_letter(delivery, reason).await {
            Ok(DeadLetter::Sent) => {
                tracing::warn!(reason, error.detail = detail, "message not understood: moved to the dead-letter queue");
                self.lake_writer.metrics.count_dead_letter(reason);
                Outcome::Acknowledge(Done::DeadLetter)
            }
            Ok(DeadLetter::NoQueue) => {
                tracing::warn!(
                    reason,
                    error.detail = detail,
                    "message not understood: kept, as the queue has no redrive policy"
                );
                Outcome::NoDeadLetterQueue
            }
            Err(error) => {
                tracing::info!(
                    reason,
                    error.operation = error.operation,
                    error.detail = error.detail,
                    "message not understood: kept, as it cannot be copied to the dead-letter queue"
                );
                Outcome::DeadLetterFailed
            }
        }
    }

    /// Acknowledges last. Tells whether all dependencies worked.
    async fn carry_out(&self, outcomes: &[(&Delivery, Outcome)]) -> bool {
        let (mut acknowledged, mut hidden, mut worked) = (Vec::new(), Vec::new(), true);
        let mut refused = false;
        for (delivery, outcome) in outcomes {
            self.count(outcome);
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

    fn count(&self, outcome: &Outcome) {
        let metrics = &self.lake_writer.metrics;
        metrics.count_message(outcome.name());
        match outcome {
            Outcome::Acknowledge(Done::Duplicate | Done::AlreadyThere) => _ = metrics.duplicates.inc(),
            Outcome::Acknowledge(Done::Adopted) => _ = metrics.adopted.inc(),
            Outcome::Acknowledge(Done::Processed | Done::StoodBy | Done::DeadLetter)
            | Outcome::Failed(_)
            | Outcome::NotReplicated { .. }
            | Outcome::NoDeadLetterQueue
            | Outcome::DeadLetterFailed => {}
        }
    }

    /// One line a sale at info: what was done for it here. Repetitions and failing dependencies are told elsewhere.
    fn log(&self, event: &Event, outcome: &Outcome, started: Instant) {
        let span = event.trace.map_or_else(|| TraceParent::new(&self.entropy), |parent| parent.child(&self.entropy));
        let id = event.fact.id();
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (trace_id, span_id) = (span.trace_id(), span.span_id());
        let outcome = outcome.name();
        match outcome {
            Outcome::Acknowledge(Done::Processed) => {
                tracing::info!(sale.id = %id, trace.id = trace_id, span.id = span_id, duration_ms, "sale in the lake");
            }
            Outcome::Acknowledge(Done::StoodBy) => {
                tracing::info!(sale.id = %id, trace.id = trace_id, span.id = span_id, duration_ms, "sale stood by for");
            }
            Outcome::Acknowledge(Done::Adopted) => {
                tracing::info!(
                    sale.id = %id,
                    trace.id = trace_id,
                    span.id = span_id,
                    duration_ms,
                    "sale adopted, as it has not replicated to this region"
                );
            }
            Outcome::Failed(PortError { kind: FailureKind::Rejected, operation, detail }) => {
                tracing::warn!(sale.id = %id, trace.id = trace_id, span.id = span_id, operation, detail, "message kept");
            }
            // Of a dependency that refuses everything its adapter tells.
            Outcome::Failed(PortError { kind: FailureKind::Unrecognized, operation, detail }) => {
                tracing::info!(sale.id = %id, trace.id = trace_id, span.id = span_id, operation, detail, "message kept");
            }
            Outcome::Acknowledge(_)
            | Outcome::Failed(_)
            | Outcome::NotReplicated { .. }
            | Outcome::NoDeadLetterQueue
            | Outcome::DeadLetterFailed => {
                tracing::debug!(sale.id = %id, trace.id = trace_id, span.id = span_id, outcome, "message seen");
            }
        }
    }
}

/// For how long a message's fact has been looked for here. Queues that do not say so leave the time since it was
/// accepted.
fn waited(delivery: &Delivery, fact: &Fact, now: Timestamp) -> Duration {
    now.since(delivery.first_received.unwrap_or_else(|| fact.timestamp()))
}

fn undecided() -> PortError {
    let detail = "no outcome for this message".to_owned();
    PortError { operation: "decide", kind: FailureKind::Rejected, detail }
}
