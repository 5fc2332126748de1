//! The ports in memory, for tests and the simulation, with the behaviour of the real ones.
//!
//! A [`Cloud`] holds several regions. Tables and lakes replicate between them with a delay, the last writer wins per
//! item, and a condition is decided in the region of the call; an index trails its table; queues deliver at least once,
//! in any order, hide delivered messages and give up after a number of deliveries. A [`Network`] decides what happens
//! to each call: delay, rejection, a lost response, a retry by the client library, silence. Time is tokio's, so a
//! paused clock makes it virtual.

mod client;
mod global_table;
mod journal;
mod key_store;
mod lake_store;
mod leases;
mod link;
mod marks;
mod network;
mod sale_queue;
mod sale_table;
mod sale_topic;
mod site_switch;
mod situation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use client::Client;
use client::Refused;
pub use journal::{LARGE_OBJECT, MemoryJournal};
pub use key_store::MemoryKeyStore;
pub use lake_store::MemoryLakeStore;
pub use leases::MemoryLeases;
pub use marks::MemoryMarks;
pub use network::{Call, CloudService, Flow, Network, Passage, Perfect};
pub use sale_queue::MemorySaleQueue;
pub use sale_table::{ItemView, MemorySaleTable};
pub use sale_topic::MemorySaleTopic;
pub use site_switch::MemorySiteSwitch;
pub use situation::{Situation, Situations};

use crate::attributes::Attributes;
use crate::clock::Clock;
use crate::event::Event;
use crate::message::Message;
use crate::ports::FailureKind;
use crate::sale::{Fact, FactId};
use crate::shard::Shards;
use crate::site_state::SiteState;
use global_table::GlobalTable;
use link::Links;

/// Milliseconds since the cloud began.
type Moment = u64;

/// Deliveries of a message before it becomes a dead letter, as in the redrive policy.
pub const MOST_DELIVERIES: u32 = 10;

/// Several regions. Cheap to clone; clones are the same cloud.
#[derive(Clone)]
pub struct Cloud {
    state: Arc<Mutex<CloudState>>,
    network: Arc<dyn Network>,
    clock: Clock,
    began: Instant,
}

/// The whole state.
struct CloudState {
    now: Moment,
    sales: sale_table::Sales,
    marks: GlobalTable<FactId, Arc<str>>,
    leases: Vec<leases::Kept>,
    queues: Vec<sale_queue::Queue>,
    announcements: Links<sale_queue::Sent>,
    lakes: journal::Lakes,
    stored: lake_store::Stored,
    switches: Vec<Option<SiteState>>,
    issuer_keys: Vec<key_store::IssuerKeys>,
    late: BTreeMap<(Moment, u64), Effect>,
    sequence: u64,
    calls: u64,
    situations: Situations,
}

type Effect = Box<dyn FnOnce(&mut CloudState, &dyn Network) + Send>;

impl Cloud {
    /// A cloud of `count` regions, all of them PASSIVE. `clock` is its own.
    pub fn new(count: usize, shards: Shards, clock: Clock, network: impl Network) -> Self {
        let state = CloudState {
            now: 0,
            sales: sale_table::Sales::new(count, shards),
            marks: GlobalTable::new(count),
            leases: vec![leases::Kept::default(); count],
            queues: std::iter::repeat_with(sale_queue::Queue::default).take(count).collect(),
            announcements: Links::new(count),
            lakes: journal::Lakes::new(count),
            stored: lake_store::Stored::new(count, clock.now()),
            switches: vec![Some(SiteState::Passive); count],
            issuer_keys: vec![key_store::IssuerKeys::default(); count],
            late: BTreeMap::new(),
            sequence: 0,
            calls: 0,
            situations: Situations::default(),
        };
        Self { state: Arc::new(Mutex::new(state)), network: Arc::new(network), clock, began: Instant::now() }
    }

    /// The cloud as seen by the process `caller` in the region with this number.
    #[must_use]
    pub fn client(&self, region: usize, caller: u32) -> Client {
        Client { cloud: self.clone(), region, caller }
    }

    /// Sets a region's switch; `None` removes it.
    pub fn set_state(&self, region: usize, state: Option<SiteState>) {
        self.look(|cloud| cloud.switches[region] = state);
    }

    /// Cuts or restores a flow between two regions. Messages in transit arrive after it is restored.
    pub fn cut(&self, flow: Flow, from: usize, to: usize, cut: bool) {
        self.look(|cloud| match flow {
            Flow::Tables => {
                cloud.sales.table.links.cut(from, to, cut);
                cloud.marks.links.cut(from, to, cut);
            }
            Flow::Announcements => cloud.announcements.cut(from, to, cut),
            Flow::Lakes => cloud.lakes.links.cut(from, to, cut),
        });
        self.wake_receivers();
    }

    /// Publishes an event as another tool does: without a call of ours, and without an item in the table.
    pub fn publish_from_outside(&self, region: usize, event: &Event, attributes: Attributes) {
        let message = Message { body: crate::event::body(&event.fact), attributes };
        self.look(|cloud| cloud.announce(&*self.network, region, std::slice::from_ref(event), &message));
    }

    /// Puts any text into a region's queue.
    pub fn enqueue(&self, region: usize, body: String, attributes: Attributes) {
        self.look(|cloud| {
            let visible_at = cloud.now;
            cloud.queues[region].put(body, attributes, 1, visible_at);
        });
        self.wake_receivers();
    }

    /// Content of a region's sales table.
    #[must_use]
    pub fn items(&self, region: usize) -> BTreeMap<FactId, ItemView> {
        self.look(|cloud| cloud.sales.view(region))
    }

    /// Every fact that was ever written to a sales table, with each of its versions: more than one means that regions
    /// accepted it independently.
    #[must_use]
    pub fn registered(&self) -> BTreeMap<FactId, Vec<Fact>> {
        self.look(|cloud| cloud.sales.registered.clone())
    }

    /// Whether a region's sales table holds a fact.
    #[must_use]
    pub fn holds(&self, region: usize, id: FactId) -> bool {
        self.look(|cloud| cloud.sales.table.get(region, &id).is_some())
    }

    /// Facts that ever had a message in a region's queue.
    #[must_use]
    pub fn delivered(&self, region: usize) -> BTreeSet<FactId> {
        self.look(|cloud| cloud.queues[region].delivered_facts.clone())
    }

    /// A region's switch.
    #[must_use]
    pub fn state(&self, region: usize) -> Option<SiteState> {
        self.look(|cloud| cloud.switches[region])
    }

    /// Redelivers all hidden messages of a region's queue, as a queue may at any time.
    pub fn show_hidden(&self, region: usize) {
        self.look(|cloud| cloud.queues[region].show_hidden());
        self.wake_receivers();
    }

    /// From now on, the next fact that is written to a sales table can never be marked: each attempt fails with this
    /// kind. `None` heals it.
    pub fn resist(&self, kind: Option<FailureKind>) {
        self.look(|cloud| cloud.sales.resists = kind.map(|kind| (kind, None)));
    }

    /// The fact that can never be marked.
    #[must_use]
    pub fn resisting(&self) -> Option<FactId> {
        self.look(|cloud| cloud.sales.resists.and_then(|(_, id)| id))
    }

    /// Notes that a worker of a region is asked to shut down.
    pub fn note_stop(&self, region: usize) {
        self.look(|cloud| {
            let in_work = cloud.queues[region].in_work(cloud.now);
            cloud.situations.meet(Situation::StoppedWithWork, in_work);
        });
    }

    /// Moves a region's dead letters back into its queue, except for those with a worker's reason.
    pub fn redrive(&self, region: usize) {
        self.look(|cloud| cloud.queues[region].redrive());
        self.wake_receivers();
    }

    /// Marks of a region: the key of an object for each marked fact.
    #[must_use]
    pub fn marked(&self, region: usize) -> BTreeMap<FactId, Arc<str>> {
        self.look(|cloud| cloud.marks.items(region).map(|(id, object)| (*id, object.clone())).collect())
    }

    /// A region's journal: the lines of its objects by key.
    #[must_use]
    pub fn objects(&self, region: usize) -> BTreeMap<String, String> {
        self.look(|cloud| cloud.lakes.objects(region))
    }

    /// What a region's lake holds besides the journal, by key.
    #[must_use]
    pub fn stored(&self, region: usize) -> BTreeMap<String, Vec<u8>> {
        self.look(|cloud| cloud.stored.contents(region))
    }

    /// Puts an object into a region's lake as another tool does, whatever its key.
    pub fn store(&self, region: usize, key: &str, content: &[u8]) {
        self.look(|cloud| {
            let now = cloud.now;
            cloud.stored.put(region, key, content.to_vec(), now);
        });
    }

    /// Number of objects that were put in any region.
    #[must_use]
    pub fn puts(&self) -> u64 {
        self.look(|cloud| cloud.lakes.puts)
    }

    /// Messages in a region's queue, hidden or not.
    #[must_use]
    pub fn queued(&self, region: usize) -> usize {
        self.look(|cloud| cloud.queues[region].len())
    }

    /// The bodies of a region's dead letters with their attributes.
    #[must_use]
    pub fn dead_letters(&self, region: usize) -> Vec<(String, Attributes)> {
        self.look(|cloud| cloud.queues[region].dead.clone())
    }

    /// Whether anything is in transit between regions, or to an index.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.look(|cloud| {
            !cloud.late.is_empty()
                || cloud.sales.is_settling()
                || cloud.marks.links.are_busy()
                || cloud.announcements.are_busy()
                || cloud.lakes.links.are_busy()
        })
    }

    /// How often each situation happened.
    #[must_use]
    pub fn situations(&self) -> Situations {
        self.lock().situations.clone()
    }

    /// Sales that a worker wrote from their event although no table had ever held them.
    #[must_use]
    pub fn never_stored(&self) -> BTreeSet<FactId> {
        self.look(|cloud| cloud.sales.never_stored.clone())
    }

    /// Facts that workers wrote from their events, at least in one region.
    #[must_use]
    pub fn created(&self) -> BTreeSet<FactId> {
        self.look(|cloud| cloud.sales.created.clone())
    }

    /// Number of calls made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Milliseconds since the cloud began.
    fn now(&self) -> Moment {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, CloudState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the current state.
    fn look<R>(&self, look: impl FnOnce(&mut CloudState) -> R) -> R {
        let now = self.now();
        let mut state = self.lock();
        state.advance(now, &*self.network);
        look(&mut state)
    }

    fn wake_receivers(&self) {
        for queue in &self.lock().queues {
            queue.changed.notify_waiters();
        }
    }
}

impl CloudState {
    /// Applies all events due until `now`, in order.
    fn advance(&mut self, now: Moment, network: &dyn Network) {
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((due, _), effect) = entry.remove_entry();
            self.arrive(due.max(self.now), network);
            effect(self, network);
        }
        self.arrive(now, network);
    }

    /// Applies everything that arrived until `now`.
    fn arrive(&mut self, now: Moment, network: &dyn Network) {
        self.now = now;
        self.sales.advance(now, network);
        self.marks.advance(now);
        self.lakes.advance(now);
        for (_, to, sent) in self.announcements.arrived(now) {
            let queue = &mut self.queues[to];
            queue.delivered_facts.extend(&sent.facts);
            queue.put(sent.message.body, sent.message.attributes, sent.facts.len(), now);
            queue.changed.notify_waiters();
        }
    }

    fn next_late_effect(&self) -> Option<Moment> {
        self.late.first_key_value().map(|((due, _), _)| *due)
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Sends a message with these events to the queue of each region, as often and as late as the network decides.
    fn announce(&mut self, network: &dyn Network, from: usize, events: &[Event], message: &Message) {
        self.situations.meet(Situation::MessageOfManyFacts, events.len() > 1);
        for to in 0..self.queues.len() {
            for delay in network.deliveries(from, to, events) {
                let facts = events.iter().map(|event| event.fact.id()).collect();
                let sent = sale_queue::Sent { facts, message: message.clone() };
                self.announcements.send(from, to, self.now + milliseconds(delay), sent);
            }
            // Waiters learn when to check again, even if the caller does not live to see a response.
            self.queues[to].changed.notify_waiters();
        }
    }
}

fn milliseconds(time: Duration) -> Moment {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
