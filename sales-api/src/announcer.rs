//! Announcing after the response: events wait in a bounded buffer, and what gathers is published in one message.
//!
//! An unpublished event is not lost: its fact stays in the pending index until it is in the lake.

use std::future::Future;
use std::time::Duration;

use sales::event::Event;
use sales::ports::SaleTopic;
use sales_service::gathering::Gathering;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::metrics::{Announcement, Metrics};

/// Events that may wait while the topic is slow, about a megabyte.
const WAITING: usize = 4096;

/// Concurrent calls: at 50 ms each, enough for 80,000 events a second. Each takes up to about 400 KB.
const IN_FLIGHT: usize = 8;

/// How long events gather: no one waits for them, and SNS limits the calls of an account in a region (300 a second in
/// sa-east-1): unless its calls are full, a task makes at most twenty a second.
const PACE: Duration = Duration::from_millis(50);

/// How long events wait for a publish that is slow.
const PATIENCE: Duration = Duration::from_millis(500);

/// Hands events over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Announcer {
    waiting: mpsc::Sender<Event>,
    metrics: Metrics,
}

impl Announcer {
    /// An announcer, and the task that publishes its events. The task ends when `closed` is cancelled and all events
    /// handed over before are published.
    pub fn new<T: SaleTopic>(
        topic: T,
        metrics: Metrics,
        closed: CancellationToken,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let announcer = Self { waiting: sender, metrics: metrics.clone() };
        let gathering =
            Gathering { eager: 1, pace: PACE, patience: PATIENCE, ..Gathering::at_once(T::GROUP, IN_FLIGHT) };
        let publishing = gathering.run(receiver, closed, move |events: Vec<Event>| {
            let (topic, metrics) = (topic.clone(), metrics.clone());
            async move {
                for result in topic.publish(&events).await {
                    let outcome = result.map_or(Announcement::Failed, |()| Announcement::Published);
                    metrics.count_announcement(outcome);
                }
            }
        });
        (announcer, publishing)
    }

    /// Hands an event over without waiting.
    pub fn announce(&self, event: Event) {
        if self.waiting.try_send(event).is_err() {
            self.metrics.count_announcement(Announcement::Dropped);
        }
    }
}
