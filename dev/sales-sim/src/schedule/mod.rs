//! What happens, and when: all of it follows from the seed.

mod of_seed;
mod single;
mod storm;

use std::time::Duration;

use sales::memory::{CloudService, Flow};
use sales::shard::Shards;
use sales::site_state::SiteState;
use sales_worker::worker::Settings;

use crate::conditions::{Condition, Rates};
use crate::dice::Dice;
use crate::history::History;
use crate::regions::REGIONS;

/// All services of a region.
pub const SERVICES: [CloudService; 6] = [
    CloudService::SaleTable,
    CloudService::Marks,
    CloudService::Topic,
    CloudService::Queue,
    CloudService::Lake,
    CloudService::Switch,
];

/// Which of the two services a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessKind {
    /// Takes orders.
    Api,
    /// Brings them to the lake.
    Worker,
}

/// What kind of schedule it is. In a storm anything may happen, and all is to be well after it; the others make one
/// thing happen, and demand that sales reach the lake soon all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Storm,
    /// Nothing fails: each fact is put once, and soon.
    Calm,
    /// The switches do not answer: the last known state stays.
    SwitchesUnreachable,
    /// One region's switch has never answered: it stands by, and the other works.
    SwitchUnknown,
    /// No region is active for longer than the grace: sales wait.
    BothPassive,
    /// The active region has no worker, or is lost; another becomes active and takes over at once.
    Failover,
    /// Nothing is announced, and a task that holds leases dies: another takes its shards over.
    Takeover,
}

/// Something that an operator, the world or a vandal does.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// A service of a region changes.
    Become(usize, CloudService, Condition),
    /// A process of a region dies, and starts again after this time.
    Kill(ProcessKind, usize, Duration),
    /// A process of a region is asked to end, and starts again after this time.
    Stop(ProcessKind, usize, Duration),
    /// A region is gone: its processes, its services and what flows to and from it.
    Lose(usize),
    /// It is there again.
    Return(usize),
    /// A flow stops (true) or goes on (false).
    Cut(Flow, usize, usize, bool),
    /// The operator sets a region's switch; `None` removes the parameter.
    Set(usize, Option<SiteState>),
    /// A queue delivers all that it hides again.
    ShowHidden(usize),
    /// Another tool publishes a sale in a region, as a bare message.
    PublishForeign(usize),
    /// Somebody puts a message into a region's queue that is none.
    Poison(usize),
}

/// Where a client sends a request.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Where the accelerator sends it: to an active region, if its API answers.
    Accelerator,
    /// To this region.
    Region(usize),
}

/// What a client wants.
#[derive(Clone, Debug)]
pub struct PlannedOrder {
    /// When it orders, in milliseconds.
    pub at: u64,
    /// Where.
    pub target: Target,
    /// Its name for the order, if it gives one.
    pub key: Option<String>,
    /// The body.
    pub body: String,
    /// How often it tries until it has an answer.
    pub tries: u32,
    /// When it sends the same, by the same key, to the other region too, in milliseconds after the first time.
    pub hedged_after: Option<u64>,
    /// How many milliseconds after the answer it cancels, and where.
    pub cancelled: Vec<(u64, Target)>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The kind.
    pub kind: Kind,
    /// What time it is when it begins, since 1970.
    pub epoch: Duration,
    /// How often single calls fail.
    pub rates: Rates,
    /// How the workers work.
    pub settings: Settings,
    /// How many APIs each region has.
    pub apis: [usize; REGIONS],
    /// How many workers each region has.
    pub workers: [usize; REGIONS],
    /// What the switches say at first.
    pub first: [SiteState; REGIONS],
    /// What they say once the faults are over.
    pub last: [SiteState; REGIONS],
    /// By how many milliseconds the clocks of processes may be ahead of the true time.
    pub clock_skew: u64,
    /// By how much each region's storage is ahead.
    pub storage_clocks: [Duration; REGIONS],
    /// What clients want.
    pub orders: Vec<PlannedOrder>,
    /// What happens, in order of time (milliseconds).
    pub actions: Vec<(u64, Action)>,
    /// When everything is well again, in milliseconds.
    pub faults_end: u64,
    /// A region that never returns.
    pub lost_for_good: Option<usize>,
    /// How soon after its answer a sale is to be in the lake, in milliseconds, where that is demanded.
    pub promptness: Option<u64>,
}

impl Schedule {
    /// Notes what is going to happen, line by line.
    pub fn tell(&self, history: &History) {
        let Self { kind, rates, settings, apis, workers, first, last, clock_skew, storage_clocks, .. } = self;
        history.note(|| format!("a {kind:?} schedule at {} s since 1970, {settings:?}", self.epoch.as_secs()));
        history.note(|| format!("{rates:?}, clocks up to {clock_skew} ms ahead, storage by {storage_clocks:?}"));
        history.note(|| format!("{apis:?} APIs and {workers:?} workers; states {first:?} at first, {last:?} at last"));
        for order in &self.orders {
            history.note(|| format!("to come: {order:?}"));
        }
        for (at, action) in &self.actions {
            history.note(|| format!("to come at {at} ms: {action:?}"));
        }
        let for_good = self.lost_for_good.map(|region| format!("; region {region} is lost for good"));
        history.note(|| format!("to come at {} ms: the faults end{}", self.faults_end, for_good.unwrap_or_default()));
    }
}

/// The states of both regions; the last is for a while only.
const STATES: [[SiteState; REGIONS]; 4] = [
    [SiteState::Active, SiteState::Passive],
    [SiteState::Passive, SiteState::Active],
    [SiteState::Active, SiteState::Active],
    [SiteState::Passive, SiteState::Passive],
];

/// A second before a UTC midnight, or some time in the middle of the day.
fn epoch(dice: &mut Dice) -> Duration {
    let midnight = 1_764_547_200;
    Duration::from_secs(if dice.chance(500) { midnight - dice.between(0, 60) } else { midnight + 40_000 })
}

fn settings(grace: u64, sweep_interval: u64) -> Settings {
    Settings {
        concurrency: 2,
        shards: Shards::new(2).unwrap_or(Shards::DEFAULT),
        grace: Duration::from_secs(grace),
        sweep_interval: Duration::from_secs(sweep_interval),
    }
}

fn base(dice: &mut Dice, kind: Kind) -> Schedule {
    Schedule {
        kind,
        epoch: epoch(dice),
        rates: Rates::calm(),
        settings: settings(30, 5),
        apis: [1, 1],
        workers: [1, 1],
        first: [SiteState::Active, SiteState::Passive],
        last: [SiteState::Active, SiteState::Passive],
        clock_skew: 0,
        storage_clocks: [Duration::ZERO; REGIONS],
        orders: Vec::new(),
        actions: Vec::new(),
        faults_end: 0,
        lost_for_good: None,
        promptness: None,
    }
}

fn body(dice: &mut Dice, number: u64) -> String {
    let product = dice.pick(&["O Pequeno Principe", "Caf\u{e9} \\\"forte\\\"", "Livro\\n", "\u{1f600}"]);
    let amount = dice.pick(&["14.00", "0.01", "1e3", "99999999999999999999.99999999", "19.990"]);
    format!(r#"{{"product":"{product} {number}","amount":{amount}}}"#)
}
