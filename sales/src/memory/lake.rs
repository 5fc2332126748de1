//! The lake of each region, replicated both ways. Of two objects with one key, the later one stays.

use std::collections::BTreeMap;
use std::time::Duration;

use super::global_table::Stamp;
use super::link::Links;
use super::{Client, CloudService, CloudState, Flow, Moment, Network, milliseconds};
use crate::event;
use crate::ports::{Lake, LakePut, PortResult};
use crate::sale::Fact;

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_secs(15);

/// [`Lake`] in memory.
#[derive(Clone)]
pub struct MemoryLake(Client);

/// An object, for inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its bytes.
    pub body: String,
    /// The call that put it.
    attempt: u64,
    stamp: Stamp,
}

pub(super) struct Lakes {
    buckets: Vec<BTreeMap<String, StoredObject>>,
    pub(super) links: Links<(String, StoredObject)>,
    pub(super) puts: BTreeMap<String, u32>,
}

impl Lakes {
    pub(super) fn new(regions: usize) -> Self {
        Self { buckets: vec![BTreeMap::new(); regions], links: Links::new(regions), puts: BTreeMap::new() }
    }

    pub(super) fn objects(&self, region: usize) -> BTreeMap<String, StoredObject> {
        self.buckets[region].clone()
    }

    pub(super) fn advance(&mut self, now: Moment) {
        for (_, to, (key, object)) in self.links.arrived(now) {
            let bucket = &mut self.buckets[to];
            if bucket.get(&key).is_none_or(|known| known.stamp < object.stamp) {
                bucket.insert(key, object);
            }
        }
    }

    fn put(
        &mut self,
        region: usize,
        key: String,
        body: String,
        attempt: u64,
        now: Moment,
        network: &dyn Network,
    ) -> LakePut {
        if let Some(there) = self.buckets[region].get(&key) {
            return if there.attempt == attempt { LakePut::Stored } else { LakePut::AlreadyThere };
        }
        let object = StoredObject { body, attempt, stamp: (now + milliseconds(network.storage_clock(region)), region) };
        for other in (0..self.buckets.len()).filter(|other| *other != region) {
            let due = now + milliseconds(network.replication_lag(Flow::Lakes));
            self.links.send(region, other, due, (key.clone(), object.clone()));
        }
        *self.puts.entry(key.clone()).or_default() += 1;
        self.buckets[region].insert(key, object);
        LakePut::Stored
    }
}

impl Client {
    /// The lake.
    #[must_use]
    pub fn lake(&self) -> MemoryLake {
        MemoryLake(self.clone())
    }
}

impl Lake for MemoryLake {
    async fn put(&self, fact: &Fact) -> PortResult<LakePut> {
        let (region, attempt) = (self.0.region, self.0.new_attempt());
        let (key, body) = (event::lake_key(fact), event::body(fact));
        let put = self.0.call(CloudService::Lake, "PutObject", DEADLINE, move |state: &mut CloudState, network, _| {
            state.lakes.put(region, key.clone(), body.clone(), attempt, state.now, network)
        });
        put.await
    }

    async fn probe(&self) -> PortResult<()> {
        self.0.call(CloudService::Lake, "HeadBucket", DEADLINE, |_, _, _| ()).await
    }
}
