//! The journal in the lake of each region, replicated both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::link::Links;
use super::{Client, CloudService, CloudState, Flow, Moment, Network, Situation, Situations, milliseconds};
use crate::journal::JournalObject;
use crate::ports::{Journal, PortResult};

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_secs(15);

/// [`Journal`] in memory.
#[derive(Clone)]
pub struct MemoryJournal(Client);

pub(super) struct Lakes {
    buckets: Vec<BTreeMap<String, String>>,
    pub(super) links: Links<(String, String)>,
    pub(super) puts: u64,
    /// All lines, to notice repetitions.
    lines: BTreeSet<String>,
}

/// Lines from which an object is a large one.
pub const LARGE_OBJECT: usize = 20;

impl Lakes {
    pub(super) fn new(regions: usize) -> Self {
        Self { buckets: vec![BTreeMap::new(); regions], links: Links::new(regions), puts: 0, lines: BTreeSet::new() }
    }

    pub(super) fn objects(&self, region: usize) -> BTreeMap<String, String> {
        self.buckets[region].clone()
    }

    pub(super) fn lines(&self, region: usize) -> &BTreeMap<String, String> {
        &self.buckets[region]
    }

    pub(super) fn advance(&mut self, now: Moment) {
        for (_, to, (key, lines)) in self.links.arrived(now) {
            self.buckets[to].insert(key, lines);
        }
    }

    fn put(
        &mut self,
        region: usize,
        JournalObject { key, lines }: JournalObject,
        now: Moment,
        network: &dyn Network,
        situations: &mut Situations,
    ) {
        // The same call again: no one else uses this key.
        let again = self.buckets[region].contains_key(&key);
        situations.meet(Situation::ObjectPutAgain, again);
        if again {
            return;
        }
        let known = self.lines.len();
        self.lines.extend(lines.lines().map(str::to_owned));
        situations.meet(Situation::LineRepeated, self.lines.len() < known + lines.lines().count());
        situations.meet(Situation::LargeObject, lines.lines().count() >= LARGE_OBJECT);
        for other in (0..self.buckets.len()).filter(|other| *other != region) {
            let due = now + milliseconds(network.replication_lag(Flow::Lakes));
            self.links.send(region, other, due, (key.clone(), lines.clone()));
        }
        self.buckets[region].insert(key, lines);
        self.puts += 1;
    }
}

impl Client {
    /// The journal.
    #[must_use]
    pub fn journal(&self) -> MemoryJournal {
        MemoryJournal(self.clone())
    }
}

impl Journal for MemoryJournal {
    async fn put(&self, object: &JournalObject) -> PortResult<()> {
        let (region, object) = (self.0.region, object.clone());
        let put = self.0.call(CloudService::Lake, "PutObject", DEADLINE, move |state: &mut CloudState, network, _| {
            state.lakes.put(region, object.clone(), state.now, network, &mut state.situations);
        });
        put.await
    }

    async fn probe(&self) -> PortResult<()> {
        self.0.call(CloudService::Lake, "HeadBucket", DEADLINE, |_, _, _| ()).await
    }
}
