//! A table with a replica in each region: every replica takes writes, and the last writer wins per item.

use std::collections::BTreeMap;

use super::link::Links;
use super::{Moment, milliseconds};
use crate::memory::network::{Flow, Network};

/// Orders the writes of an item: by the storage's time, then the region.
pub(super) type Stamp = (Moment, usize);

pub(super) struct GlobalTable<K, V> {
    replicas: Vec<BTreeMap<K, (Stamp, V)>>,
    pub(super) links: Links<(K, Stamp, V)>,
}

impl<K: Copy + Ord, V: Clone> GlobalTable<K, V> {
    pub(super) fn new(regions: usize) -> Self {
        Self { replicas: std::iter::repeat_with(BTreeMap::new).take(regions).collect(), links: Links::new(regions) }
    }

    pub(super) fn get(&self, region: usize, key: &K) -> Option<&V> {
        self.replicas[region].get(key).map(|(_, value)| value)
    }

    pub(super) fn items(&self, region: usize) -> impl Iterator<Item = (&K, &V)> {
        self.replicas[region].iter().map(|(key, (_, value))| (key, value))
    }

    /// Writes a whole item here, and replicates it to the other regions.
    pub(super) fn put(&mut self, region: usize, key: K, value: V, now: Moment, network: &dyn Network) {
        // A write is later than the one it replaces, whatever the clocks.
        let before = self.replicas[region].get(&key).map_or(0, |((moment, _), _)| moment + 1);
        let stamp = ((now + milliseconds(network.storage_clock(region))).max(before), region);
        self.replicas[region].insert(key, (stamp, value.clone()));
        for other in (0..self.replicas.len()).filter(|other| *other != region) {
            let due = now + milliseconds(network.replication_lag(Flow::Tables));
            self.links.send(region, other, due, (key, stamp, value.clone()));
        }
    }

    /// Applies replicated writes; returns which items changed where.
    pub(super) fn advance(&mut self, now: Moment) -> Vec<(usize, K)> {
        let mut changed = Vec::new();
        for (_, to, (key, stamp, value)) in self.links.arrived(now) {
            let replica = &mut self.replicas[to];
            if replica.get(&key).is_none_or(|(known, _)| *known < stamp) {
                replica.insert(key, (stamp, value));
                changed.push((to, key));
            }
        }
        changed
    }
}
