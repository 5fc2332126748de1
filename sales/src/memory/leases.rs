//! The leases of each region.

use std::collections::BTreeMap;

use super::marks::DEADLINE;
use super::{Client, CloudService, Situation};
use crate::clock::Timestamp;
use crate::ports::{Holder, Lease, Leases, PortResult};
use crate::shard::Shard;

/// The holder of each shard of a region, and the expiry.
pub(super) type Kept = BTreeMap<Shard, (Holder, Timestamp)>;

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
    async fn acquire(&self, shard: Shard, holder: Holder, now: Timestamp, until: Timestamp) -> PortResult<Lease> {
        let region = self.0.region;
        let acquire = self.0.call(CloudService::Marks, "PutItem", DEADLINE, move |state, _, _| {
            match state.leases[region].get(&shard) {
                Some((other, held_until)) if *other != holder && *held_until > now => Lease::Other(*held_until),
                known => {
                    let taken_over = known.is_some_and(|(other, _)| *other != holder);
                    state.situations.meet(Situation::LeaseTakenOver, taken_over);
                    state.leases[region].insert(shard, (holder, until));
                    Lease::Own(until)
                }
            }
        });
        acquire.await
    }

    async fn release(&self, shard: Shard, holder: Holder) -> PortResult<()> {
        let region = self.0.region;
        let release = self.0.call(CloudService::Marks, "DeleteItem", DEADLINE, move |state, _, _| {
            if state.leases[region].get(&shard).is_some_and(|(known, _)| *known == holder) {
                state.leases[region].remove(&shard);
            }
        });
        release.await
    }
}
