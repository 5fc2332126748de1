//! The queue of each region, and its dead letters.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Client, Cloud, CloudService, CloudState, MOST_DELIVERIES, Moment, Situation, milliseconds};
use crate::attributes::{self, Attributes, DEAD_LETTER_REASON};
use crate::clock::Timestamp;
use crate::message;
use crate::ports::{DeadLetter, Delivery, FailureKind, PortError, PortResult, SaleQueue};
use crate::sale::FactId;

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_secs(5);

/// [`SaleQueue`] in memory.
#[derive(Clone)]
pub struct MemorySaleQueue(Client);

/// A message on its way to a queue.
pub(super) struct Sent {
    pub(super) facts: Vec<FactId>,
    pub(super) message: message::Message,
}

#[derive(Default)]
pub(super) struct Queue {
    messages: Vec<Message>,
    pub(super) dead: Vec<(String, Attributes)>,
    pub(super) delivered_facts: BTreeSet<FactId>,
    /// Notified when a message may have become visible.
    pub(super) changed: Arc<Notify>,
    receipts: u64,
}

struct Message {
    body: String,
    attributes: Attributes,
    /// Number of facts in it, as far as known.
    facts: usize,
    visible_at: Moment,
    receive_count: u32,
    first_received: Option<Timestamp>,
    /// Receipt of the last delivery.
    receipt: Option<u64>,
}

impl Queue {
    pub(super) fn put(&mut self, body: String, attributes: Attributes, facts: usize, visible_at: Moment) {
        let message =
            Message { body, attributes, facts, visible_at, receive_count: 0, first_received: None, receipt: None };
        self.messages.push(message);
    }

    /// Whether a worker has messages in work.
    pub(super) fn in_work(&self, now: Moment) -> bool {
        self.messages.iter().any(|message| message.receipt.is_some() && message.visible_at > now)
    }

    pub(super) fn show_hidden(&mut self) {
        for message in &mut self.messages {
            message.visible_at = 0;
        }
    }

    pub(super) fn redrive(&mut self) {
        let (kept, back): (Vec<_>, Vec<_>) = std::mem::take(&mut self.dead)
            .into_iter()
            .partition(|(_, attributes)| attributes.contains_key(DEAD_LETTER_REASON));
        self.dead = kept;
        for (body, attributes) in back {
            self.put(body, attributes, 1, 0);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Up to ten visible messages, longest visible first; messages with too many deliveries become dead letters
    /// instead.
    fn take(
        &mut self,
        now: Moment,
        hidden_until: Moment,
        time: Timestamp,
        mut meet: impl FnMut(Situation, bool),
    ) -> Vec<Delivery> {
        let (given_up, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|message| message.visible_at <= now && message.receive_count >= MOST_DELIVERIES);
        meet(Situation::GivenUpByTheQueue, !given_up.is_empty());
        self.dead.extend(given_up.into_iter().map(|message| (message.body, message.attributes)));
        self.messages = kept;
        let mut visible: Vec<&mut Message> =
            self.messages.iter_mut().filter(|message| message.visible_at <= now).collect();
        visible.sort_by_key(|message| message.visible_at);
        let mut deliveries = Vec::new();
        for message in visible.into_iter().take(10) {
            self.receipts += 1;
            message.receipt = Some(self.receipts);
            message.receive_count += 1;
            message.visible_at = hidden_until;
            meet(Situation::MessageOfManyFactsAgain, message.facts > 1 && message.receive_count > 1);
            meet(Situation::LastDelivery, message.receive_count == MOST_DELIVERIES);
            deliveries.push(Delivery {
                body: message.body.clone(),
                attributes: message.attributes.clone(),
                receipt: self.receipts.to_string(),
                receive_count: message.receive_count,
                first_received: Some(*message.first_received.get_or_insert(time)),
            });
        }
        deliveries
    }

    fn next_visible(&self) -> Option<Moment> {
        self.messages.iter().map(|message| message.visible_at).min()
    }

    /// The message whose last delivery has this receipt, while that delivery hides it.
    fn in_flight(&mut self, receipt: u64, now: Moment) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.receipt == Some(receipt) && message.visible_at > now)
    }
}

impl Client {
    /// The queue.
    #[must_use]
    pub fn sale_queue(&self) -> MemorySaleQueue {
        MemorySaleQueue(self.clone())
    }
}

impl MemorySaleQueue {
    /// Waits until a message is visible, or until `end`.
    async fn wait(&self, end: Instant) {
        let cloud: &Cloud = &self.0.cloud;
        let changed = cloud.look(|state| Arc::clone(&state.queues[self.0.region].changed));
        loop {
            // Listens from here on, so that no notification is missed between the check and the wait.
            let told = changed.notified();
            let (now, next) = cloud.look(|state| {
                let next = [
                    state.queues[self.0.region].next_visible(),
                    state.announcements.next_arrival(self.0.region),
                    state.next_late_effect(),
                ];
                (state.now, next.into_iter().flatten().min())
            });
            if next.is_some_and(|next| next <= now) || Instant::now() >= end {
                return;
            }
            let until = next.map_or(end, |moment| end.min(cloud.began + Duration::from_millis(moment)));
            // Whatever ended the wait, the next check decides.
            let _ = tokio::time::timeout_at(until, told).await;
        }
    }
}

impl SaleQueue for MemorySaleQueue {
    async fn receive(&self, wait: Duration, hidden_for: Duration) -> PortResult<Vec<Delivery>> {
        let (wait, hidden_for) = (whole_seconds(wait.min(Self::LONGEST_WAIT)), whole_seconds(hidden_for));
        let (region, clock, end) = (self.0.region, self.0.cloud.clock.clone(), Instant::now() + wait);
        let receive = self.0.call_when(
            CloudService::Queue,
            "ReceiveMessage",
            wait + DEADLINE,
            || self.wait(end),
            move |state, _, _| {
                let (now, until) = (state.now, state.now + milliseconds(hidden_for));
                let CloudState { queues, situations, .. } = state;
                queues[region].take(now, until, clock.now(), |situation, holds| situations.meet(situation, holds))
            },
        );
        receive.await
    }

    async fn acknowledge(&self, receipts: &[&str]) -> PortResult<()> {
        let operation = "DeleteMessageBatch";
        let (region, receipts) = (self.0.region, numbers(receipts.iter().copied())?);
        let acknowledge =
            self.0.call(CloudService::Queue, operation, DEADLINE, move |state: &mut CloudState, _, refused| {
                let mut result = Ok(());
                for (place, receipt) in receipts.iter().enumerate() {
                    match (refused.entry(place, operation), receipt) {
                        // A receipt of an earlier delivery is accepted, without effect.
                        (Ok(()), Some(_)) => {
                            state.queues[region].messages.retain(|message| message.receipt != *receipt)
                        }
                        (Ok(()), None) => result = Err(rejected(operation, "this is no receipt")),
                        (Err(error), _) => result = Err(error),
                    }
                }
                state.situations.meet(Situation::ReceiptsWithRefusals, receipts.len() > 1 && result.is_err());
                result
            });
        acknowledge.await?
    }

    async fn hide(&self, receipts: &[(&str, Duration)]) -> PortResult<()> {
        let operation = "ChangeMessageVisibilityBatch";
        let times: Vec<Duration> = receipts.iter().map(|(_, time)| *time).collect();
        let (region, receipts) = (self.0.region, numbers(receipts.iter().map(|(receipt, _)| *receipt))?);
        let hide = self.0.call(CloudService::Queue, operation, DEADLINE, move |state: &mut CloudState, _, refused| {
            let mut result = Ok(());
            for (place, (receipt, time)) in receipts.iter().zip(&times).enumerate() {
                let (now, until) = (state.now, state.now + milliseconds(whole_seconds(*time)));
                let hidden = receipt.and_then(|receipt| state.queues[region].in_flight(receipt, now));
                match (refused.entry(place, operation), hidden) {
                    (Ok(()), Some(message)) => message.visible_at = until,
                    (Ok(()), None) => result = Err(rejected(operation, "no message is hidden by this delivery")),
                    (Err(error), _) => result = Err(error),
                }
            }
            state.queues[region].changed.notify_waiters();
            result
        });
        hide.await?
    }

    async fn dead_letter(&self, delivery: &Delivery, reason: &str) -> PortResult<DeadLetter> {
        let (region, body) = (self.0.region, delivery.body.clone());
        let attributes = attributes::with_reason(&delivery.attributes, reason);
        let send = self.0.call(CloudService::Queue, "SendMessage", DEADLINE, move |state: &mut CloudState, _, _| {
            state.queues[region].dead.push((body.clone(), attributes.clone()));
            DeadLetter::Sent
        });
        send.await
    }
}

/// The numbers in the receipts of a call; `None` for one that is invalid. Like the real one, it takes ten.
fn numbers<'a>(receipts: impl Iterator<Item = &'a str>) -> PortResult<Vec<Option<u64>>> {
    let numbers: Vec<Option<u64>> = receipts.map(|receipt| receipt.parse().ok()).collect();
    match numbers.len() {
        1..=10 => Ok(numbers),
        _ => Err(rejected("SQS", "a call has one to ten entries")),
    }
}

/// A queue counts in whole seconds.
fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

fn rejected(operation: &'static str, detail: &str) -> PortError {
    PortError { operation, kind: FailureKind::Rejected, detail: detail.to_owned() }
}
