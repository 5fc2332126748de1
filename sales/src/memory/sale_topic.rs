//! The topic.

use std::time::Duration;

use super::{Client, CloudService};
use crate::event::Event;
use crate::message;
use crate::ports::{PortResult, SaleTopic};

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_secs(4);

/// [`SaleTopic`] in memory.
#[derive(Clone)]
pub struct MemorySaleTopic(Client);

impl Client {
    /// The topic.
    #[must_use]
    pub fn sale_topic(&self) -> MemorySaleTopic {
        MemorySaleTopic(self.clone())
    }
}

impl SaleTopic for MemorySaleTopic {
    async fn publish(&self, events: &[Event]) -> Vec<PortResult<()>> {
        let (mut results, mut rest) = (Vec::with_capacity(events.len()), events);
        for (message, count) in message::pack(events) {
            let (carried, others) = rest.split_at(count);
            rest = others;
            let (region, carried) = (self.0.region, carried.to_vec());
            let publish = self.0.call(CloudService::Topic, "Publish", DEADLINE, move |state, network, _| {
                state.announce(network, region, &carried, &message);
            });
            results.extend(vec![publish.await; count]);
        }
        results
    }
}
