//! Announcing behind the answer: events wait in a bounded buffer and go out in batches.
//!
//! An event that does not get out is not lost: its fact is in the pending index until it is in the lake.

use std::future::Future;
use std::time::Duration;

use sales::event::Event;
use sales::ports::SaleTopic;
use sales_service::gathering::Gathering;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::metrics::{Announcement, Metrics};

/// How many events may wait while the topic is slow: a megabyte.
const WAITING: usize = 4096;

/// How many batches may be on their way: at 15 ms each, and the time that each needs here, enough for 20,000 events a
/// second. Each takes some 100 KB.
const IN_FLIGHT: usize = 40;

/// How long events are left to gather: nobody waits for them, and each look at the buffer wakes a thread.
const PACE: Duration = Duration::from_millis(5);

/// Hands events over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Announcer {
    waiting: mpsc::Sender<Event>,
    metrics: Metrics,
}

impl Announcer {
    /// An announcer, and the work of publishing what it is given. The work ends when `closed` is cancelled and all
    /// that was handed over before is out.
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

    /// Hands an event over, and never waits.
    pub fn announce(&self, event: Event) {
        if self.waiting.try_send(event).is_err() {
            self.metrics.count_announcement(Announcement::Dropped);
        }
    }
}
