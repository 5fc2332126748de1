//! The leases of each region.

use std::collections::BTreeMap;

use super::marks::DEADLINE;
use super::{Client, CloudService, Situation};
use crate::clock::Timestamp;
use crate::ports::{Duty, Holder, Lease, Leases, PortResult};

/// The holder of each duty of a region, and the expiry.
pub(super) type Kept = BTreeMap<Duty, (Holder, Timestamp)>;

/// [`Leases`] in memory.
#[derive(Clone)]
pub struct MemoryLeases(Client);

impl Client {
    /// The leases.
    #[must_use]
    pub fn leases(&self) -> MemoryLeases {
        MemoryLeases(self.clone())
    }
}

impl Leases for MemoryLeases {
    async fn acquire(
        &self,
        duty: impl Into<Duty> + Send,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> PortResult<Lease> {
        let (region, duty) = (self.0.region, duty.into());
        let acquire = self.0.call(CloudService::Marks, "PutItem", DEADLINE, move |state, _, _| {
            match state.leases[region].get(&duty) {
                Some((other, held_until)) if *other != holder && *held_until > now => Lease::Other(*held_until),
                known => {
                    let taken_over = known.is_some_and(|(other, _)| *other != holder);
                    state.situations.meet(Situation::LeaseTakenOver, taken_over);
                    state.leases[region].insert(duty, (holder, until));
                    Lease::Own(until)
                }
            }
        });
        acquire.await
    }

    async fn release(&self, duty: impl Into<Duty> + Send, holder: Holder) -> PortResult<()> {
        let (region, duty) = (self.0.region, duty.into());
        let release = self.0.call(CloudService::Marks, "DeleteItem", DEADLINE, move |state, _, _| {
            if state.leases[region].get(&duty).is_some_and(|(known, _)| *known == holder) {
                state.leases[region].remove(&duty);
            }
        });
        release.await
    }
}
