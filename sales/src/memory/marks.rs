//! The marks.

use std::collections::HashSet;
use std::time::Duration;

use super::client::{partly_refused, within};
use super::{Client, CloudService, Situation};
use crate::clock::Timestamp;
use crate::ports::{Mark, Marks, PortResult};
use crate::sale::FactId;

/// The real ones' deadline.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// [`Marks`] in memory. They do not expire.
#[derive(Clone)]
pub struct MemoryMarks(Client);

impl Client {
    /// The marks.
    #[must_use]
    pub fn marks(&self) -> MemoryMarks {
        MemoryMarks(self.clone())
    }
}

impl Marks for MemoryMarks {
    async fn present(&self, ids: &[FactId]) -> PortResult<HashSet<FactId>> {
        let (region, ids) = (self.0.region, ids.to_vec());
        let present = self.0.call(CloudService::Marks, "BatchGetItem", DEADLINE, move |state, _, _| {
            ids.iter().copied().filter(|id| state.marks.get(region, id).is_some()).collect()
        });
        present.await
    }

    async fn record(&self, marks: &[Mark], _expires_at: Timestamp) -> Vec<PortResult<()>> {
        let operation = "BatchWriteItem";
        if let Err(error) = within(Self::GROUP, marks.len(), operation) {
            return vec![Err(error); marks.len()];
        }
        let (region, recorded) = (self.0.region, marks.to_vec());
        let record = self.0.call(CloudService::Marks, operation, DEADLINE, move |state, network, refused| {
            let put = recorded.iter().enumerate().map(|(place, Mark { id, object })| {
                refused.entry(place, operation)?;
                state.sales.resist(*id, operation)?;
                state.marks.put(region, *id, object.clone(), state.now, network);
                Ok(())
            });
            let put: Vec<PortResult<()>> = put.collect();
            state.situations.meet(Situation::FullGroupOfMarks, put.len() == Self::GROUP);
            state.situations.meet(Situation::MarksWithRefusals, partly_refused(&put));
            put
        });
        record.await.unwrap_or_else(|error| marks.iter().map(|_| Err(error.clone())).collect())
    }

    async fn probe(&self) -> PortResult<()> {
        self.0.call(CloudService::Marks, "GetItem", DEADLINE, |_, _, _| ()).await
    }
}
