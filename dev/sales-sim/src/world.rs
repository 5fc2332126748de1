//! The state of one run: the cloud, the weather, the processes, and what clients were told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::memory::{Client, Cloud};
use sales::sale::{Fact, SaleId};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::dice::Dice;
use crate::history::History;
use crate::mutation::Mutation;
use crate::regions::REGIONS;
use crate::schedule::Schedule;
use crate::slot::Slot;
use crate::weather::Weather;

/// One run.
pub struct World {
    /// The seed.
    pub seed: u64,
    /// What is to happen.
    pub schedule: Schedule,
    /// The storage.
    pub cloud: Cloud,
    /// The network.
    pub weather: Weather,
    /// What happened.
    pub history: History,
    /// The deliberate bug.
    pub mutation: Option<Mutation>,
    /// Slots of all processes.
    pub slots: Vec<Slot>,
    /// Responses to clients and messages of other tools.
    pub record: RefCell<Record>,
    there: [Cell<bool>; REGIONS],
    /// Not a watch channel, which wakes waiters in a random order.
    changed: Notify,
    /// Once cancelled, no process restarts.
    pub finishing: CancellationToken,
    began: Instant,
    callers: Cell<u32>,
}

/// Responses to clients and messages of other tools, and immediate violations.
#[derive(Default)]
pub struct Record {
    /// Sales answered with 201 or 200, and the shops that ordered them.
    pub accepted: BTreeMap<SaleId, usize>,
    /// The sale of each shop and key.
    pub keys: BTreeMap<(usize, String), SaleId>,
    /// Facts published by other tools.
    pub foreign: Vec<Fact>,
    /// Malformed messages in each region's queue.
    pub poison: [u32; REGIONS],
    /// Violations before the end.
    pub violations: Vec<String>,
}

/// The identity of a process.
pub struct Identity {
    /// Number that distinguishes it from all others.
    pub caller: u32,
    /// Its region.
    pub region: usize,
    /// Its clock, which may be ahead.
    pub clock: Clock,
    /// Its randomness.
    pub entropy: Entropy,
}

impl World {
    /// A world without any events yet. Needs tokio's paused clock.
    #[must_use]
    pub fn new(seed: u64, schedule: Schedule, mutation: Option<Mutation>, history: History) -> Rc<Self> {
        let began = Instant::now();
        let weather = Weather::new(Dice::new(seed, 2), schedule.rates, schedule.storage_clocks, history.clone());
        let clock = clock(schedule.epoch, began, Duration::ZERO);
        let cloud = Cloud::new(REGIONS, schedule.settings.shards, clock, weather.clone());
        for (region, state) in schedule.first.into_iter().enumerate() {
            cloud.set_state(region, Some(state));
        }
        Rc::new(Self {
            seed,
            slots: Slot::all(&schedule),
            schedule,
            cloud,
            weather,
            history,
            mutation,
            record: RefCell::default(),
            there: [Cell::new(true), Cell::new(true)],
            changed: Notify::new(),
            finishing: CancellationToken::new(),
            began,
            callers: Cell::new(0),
        })
    }

    /// Milliseconds since the run began.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until this many milliseconds have passed since the run began.
    pub async fn until(&self, moment: u64) {
        tokio::time::sleep_until(self.began + Duration::from_millis(moment)).await;
    }

    /// Whether a region exists.
    #[must_use]
    pub fn is_there(&self, region: usize) -> bool {
        self.there[region].get()
    }

    /// Marks a region as lost, or restored.
    pub fn set_there(&self, region: usize, there: bool) {
        self.there[region].set(there);
        self.changed.notify_waiters();
    }

    /// Waits until a region exists, or not.
    pub async fn until_there(&self, region: usize, there: bool) {
        while self.is_there(region) != there {
            self.changed.notified().await;
        }
    }

    /// The identity of a new process in a region.
    pub fn identify(&self, region: usize) -> Identity {
        let caller = self.callers.get() + 1;
        self.callers.set(caller);
        let mut dice = Dice::new(self.seed, 100 + u64::from(caller));
        let skew = Duration::from_millis(dice.between(0, self.schedule.clock_skew));
        let dice = Arc::new(Mutex::new(dice));
        let entropy = Entropy::new(move |bytes| {
            dice.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill(bytes);
        });
        Identity { caller, region, clock: clock(self.schedule.epoch, self.began, skew), entropy }
    }

    /// The cloud as a process sees it.
    #[must_use]
    pub fn client(&self, who: &Identity) -> Client {
        self.cloud.client(who.region, who.caller)
    }

    /// Records a violation.
    pub fn violated(&self, what: String) {
        self.history.note(|| format!("VIOLATION {what}"));
        self.record.borrow_mut().violations.push(what);
    }
}

fn clock(epoch: Duration, began: Instant, skew: Duration) -> Clock {
    Clock::new(move || epoch + began.elapsed() + skew)
}
