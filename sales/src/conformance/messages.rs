//! Sends and receives events, for the checks of the topic and of the queue.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{eventually, samples};
use crate::entropy::Entropy;
use crate::event::Event;
use crate::message::{self, Unpacked};
use crate::ports::{Delivery, SaleQueue, SaleTopic};
use crate::sale::{Fact, FactId};
use crate::trace::TraceParent;

/// Maximum time of a message from one step to the next.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// Publishes events, none of which fails.
pub(super) async fn publish(topic: &impl SaleTopic, events: &[Event]) {
    let results = topic.publish(events).await;
    assert_eq!(results.len(), events.len(), "a result each");
    for result in results {
        result.expect("published");
    }
}

/// Publishes each event in a message of its own.
pub(super) async fn publish_apart(topic: &impl SaleTopic, events: &[Event]) {
    for event in events {
        publish(topic, std::slice::from_ref(event)).await;
    }
}

/// An event with all optional parts.
pub(super) fn event(fact: Fact) -> Event {
    Event { fact, home: Some(samples::region("sa-east-1")), trace: Some(TraceParent::new(&Entropy::system())) }
}

/// Receives until `count` different messages have arrived, never more than ten at once.
pub(super) async fn receive_all(queue: &impl SaleQueue, count: usize, hidden_for: Duration) -> Vec<Delivery> {
    let mut deliveries: BTreeMap<FactId, Delivery> = BTreeMap::new();
    eventually(&format!("{count} messages come"), async || {
        let received = queue.receive(PATIENCE, hidden_for).await.expect("received");
        assert!(received.len() <= 10, "{} messages at once", received.len());
        deliveries.extend(received.into_iter().map(|delivery| (parsed(&delivery).fact.id(), delivery)));
        (deliveries.len() >= count).then_some(())
    })
    .await;
    assert_eq!(deliveries.len(), count);
    deliveries.into_values().collect()
}

/// Takes messages off the queue until this many different facts have arrived; returns their events in the order of ids.
pub(super) async fn take(queue: &impl SaleQueue, count: usize) -> Vec<Event> {
    let mut events: BTreeMap<FactId, Event> = BTreeMap::new();
    eventually(&format!("{count} events come"), async || {
        let received = queue.receive(PATIENCE, MINUTE).await.expect("received");
        let receipts: Vec<&str> = received.iter().map(|delivery| delivery.receipt.as_str()).collect();
        if !receipts.is_empty() {
            queue.acknowledge(&receipts).await.expect("acknowledged");
        }
        let unpacked = received.iter().map(|delivery| message::unpack(&delivery.body, &delivery.attributes));
        for Unpacked { events: arrived, malformed } in unpacked {
            assert!(malformed.is_empty(), "{malformed:?}");
            events.extend(arrived.into_iter().map(|event| (event.fact.id(), event)));
        }
        (events.len() >= count).then_some(())
    })
    .await;
    assert_eq!(events.len(), count);
    events.into_values().collect()
}

pub(super) fn parsed(delivery: &Delivery) -> Event {
    Event::parse(&delivery.body, &delivery.attributes).expect("an event")
}
