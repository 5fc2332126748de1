//! Everything that one run has: the cloud, the weather, who runs, and what has been learnt.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
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
    /// Its seed.
    pub seed: u64,
    /// What is to happen.
    pub schedule: Schedule,
    /// What keeps everything.
    pub cloud: Cloud,
    /// What every call goes through.
    pub weather: Weather,
    /// What happened.
    pub history: History,
    /// Which promise is broken on purpose.
    pub mutation: Option<Mutation>,
    /// Every process that is to run.
    pub slots: Vec<Slot>,
    /// What clients and other tools were promised.
    pub record: RefCell<Record>,
    there: [Cell<bool>; REGIONS],
    /// Not a watch channel, which wakes those who wait in a random order.
    changed: Notify,
    /// No process starts again once it is cancelled.
    pub finishing: CancellationToken,
    began: Instant,
    callers: Cell<u32>,
}

/// What clients and other tools were promised, and what went against it at once.
#[derive(Default)]
pub struct Record {
    /// Sales that were answered with 201 or 200.
    pub accepted: BTreeSet<SaleId>,
    /// The sale that each key stands for.
    pub keys: BTreeMap<String, SaleId>,
    /// What other tools published.
    pub foreign: Vec<Fact>,
    /// How many messages in each region's queue are none.
    pub poison: [u32; REGIONS],
    /// Promises that were broken before the end.
    pub violations: Vec<String>,
}

/// What a process is given.
pub struct Identity {
    /// Tells it from all others.
    pub caller: u32,
    /// Where it runs.
    pub region: usize,
    /// Its clock, which may be ahead.
    pub clock: Clock,
    /// Its randomness.
    pub entropy: Entropy,
}

impl World {
    /// A world in which nothing has happened yet. Needs tokio's paused clock.
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

    /// Waits until so many milliseconds have passed since the run began.
    pub async fn until(&self, moment: u64) {
        tokio::time::sleep_until(self.began + Duration::from_millis(moment)).await;
    }

    /// Whether a region is there.
    #[must_use]
    pub fn is_there(&self, region: usize) -> bool {
        self.there[region].get()
    }

    /// A region is lost, or there again.
    pub fn set_there(&self, region: usize, there: bool) {
        self.there[region].set(there);
        self.changed.notify_waiters();
    }

    /// Waits until a region is there, or is not.
    pub async fn until_there(&self, region: usize, there: bool) {
        while self.is_there(region) != there {
            self.changed.notified().await;
        }
    }

    /// Who a new process in a region is.
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

    /// Notes that a promise was broken.
    pub fn violated(&self, what: String) {
        self.history.note(|| format!("VIOLATION {what}"));
        self.record.borrow_mut().violations.push(what);
    }
}

fn clock(epoch: Duration, began: Instant, skew: Duration) -> Clock {
    Clock::new(move || epoch + began.elapsed() + skew)
}
