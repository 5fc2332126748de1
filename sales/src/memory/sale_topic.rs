//! The topic.

use std::time::Duration;

use super::{Client, CloudService};
use crate::event::Event;
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
        let operation = "PublishBatch";
        let (region, published) = (self.0.region, events.to_vec());
        let publish = self.0.call(CloudService::Topic, operation, DEADLINE, move |state, network, refused| {
            let announced = published.iter().enumerate().map(|(place, event)| {
                refused.entry(place, operation)?;
                state.announce(network, region, event, event.attributes());
                Ok(())
            });
            announced.collect::<Vec<_>>()
        });
        publish.await.unwrap_or_else(|error| events.iter().map(|_| Err(error.clone())).collect())
    }
}
