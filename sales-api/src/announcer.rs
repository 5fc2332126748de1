//! Announcing after the response: events wait in a bounded buffer and are published in batches.
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

/// Concurrent batches: at 15 ms each, plus the CPU time of each, enough for 20,000 events a second. Each takes about
/// 100 KB.
const IN_FLIGHT: usize = 40;

/// How long events gather: no one waits for them, and each look at the buffer wakes a thread.
const PACE: Duration = Duration::from_millis(5);

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
        let gathering = Gathering { batch: T::BATCH, eager: 1, in_flight: IN_FLIGHT, pace: PACE };
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
