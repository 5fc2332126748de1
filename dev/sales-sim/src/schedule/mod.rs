//! Events and their times, all derived from the seed.

mod of_seed;
mod single;
mod storm;

use std::time::Duration;

pub use of_seed::WITH_BUILDERS;

use sales::memory::{CloudService, Flow};
use sales::ports::FailureKind;
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

/// The service of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessKind {
    /// Accepts orders.
    Api,
    /// Brings sales to the lake.
    Worker,
    /// Builds the lake's table.
    Lake,
}

/// Kinds of schedules. In a storm anything may happen, and all invariants must hold after it; each other kind has one
/// event, and requires that sales still reach the lake soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any events.
    Storm,
    /// Nothing fails: each fact is put once, and soon.
    Calm,
    /// The switches fail: the last known state remains.
    SwitchesUnreachable,
    /// One region's switch has never responded: it stands by, and the other works.
    SwitchUnknown,
    /// No region is ACTIVE for longer than the grace period: sales wait.
    BothPassive,
    /// The ACTIVE region has no worker, or is lost; another becomes ACTIVE and takes over at once.
    Failover,
    /// Nothing is announced, and a task that holds leases dies: another takes its shards over.
    Takeover,
    /// A fact can never be marked: it does not keep others from the lake.
    Resisting,
}

/// An action of an operator, of the environment, or of a vandal.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// A service of a region changes its condition.
    Become(usize, CloudService, Condition),
    /// A process of a region dies, and restarts after this time.
    Kill(ProcessKind, usize, Duration),
    /// A process of a region is asked to shut down, and restarts after this time.
    Stop(ProcessKind, usize, Duration),
    /// A region is lost: its processes, its services and the flows to and from it.
    Lose(usize),
    /// It is restored.
    Return(usize),
    /// A flow stops (true) or resumes (false).
    Cut(Flow, usize, usize, bool),
    /// The operator sets a region's switch; `None` removes the parameter.
    Set(usize, Option<SiteState>),
    /// A queue redelivers all hidden messages.
    ShowHidden(usize),
    /// Another tool publishes a sale in a region, as a bare message.
    PublishForeign(usize),
    /// A malformed message enters a region's queue.
    Poison(usize),
}

/// Destination of a client's request.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// As the accelerator routes it: an ACTIVE region, if its API responds.
    Accelerator,
    /// To this region.
    Region(usize),
}

/// An order of a client.
#[derive(Clone, Debug)]
pub struct PlannedOrder {
    /// Time of the order, in milliseconds.
    pub at: u64,
    /// Destination.
    pub target: Target,
    /// Idempotency key, if any.
    pub key: Option<String>,
    /// Body.
    pub body: String,
    /// Maximum attempts.
    pub tries: u32,
    /// Delay in milliseconds of the same order, with the same key, to the other region, if any.
    pub hedged_after: Option<u64>,
    /// Delay in milliseconds from the response to a cancellation, and its destination, if any.
    pub cancelled: Vec<(u64, Target)>,
}

/// A complete schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The kind.
    pub kind: Kind,
    /// Time of its beginning, since 1970.
    pub epoch: Duration,
    /// Rates of failures of single calls.
    pub rates: Rates,
    /// Settings of the workers.
    pub settings: Settings,
    /// Number of APIs in each region.
    pub apis: [usize; REGIONS],
    /// Number of workers in each region.
    pub workers: [usize; REGIONS],
    /// Number of builders of the lake's table in each region; mostly none, since they take most of a run's time.
    pub lakes: [usize; REGIONS],
    /// Interval of their folds.
    pub fold_interval: Duration,
    /// Initial states.
    pub first: [SiteState; REGIONS],
    /// Final states, once the faults end.
    pub last: [SiteState; REGIONS],
    /// Maximum skew of the processes' clocks, in milliseconds ahead.
    pub clock_skew: u64,
    /// Skew of each region's storage.
    pub storage_clocks: [Duration; REGIONS],
    /// The clients' orders.
    pub orders: Vec<PlannedOrder>,
    /// Actions, in order of time (milliseconds).
    pub actions: Vec<(u64, Action)>,
    /// End of the faults, in milliseconds.
    pub faults_end: u64,
    /// A region that never returns.
    pub lost_for_good: Option<usize>,
    /// How each attempt to mark the first fact fails, if it does.
    pub resists: Option<FailureKind>,
    /// Maximum time in milliseconds from the response until a sale is in the lake, if required.
    pub promptness: Option<u64>,
}

impl Schedule {
    /// Writes the schedule to the history, line by line.
    pub fn tell(&self, history: &History) {
        let Self { kind, rates, settings, apis, workers, lakes, first, last, clock_skew, storage_clocks, .. } = self;
        history.note(|| format!("a {kind:?} schedule at {} s since 1970, {settings:?}", self.epoch.as_secs()));
        history.note(|| format!("{rates:?}, clocks up to {clock_skew} ms ahead, storage by {storage_clocks:?}"));
        history.note(|| format!("{lakes:?} builders of the lake's table, every {:?}", self.fold_interval));
        history.note(|| format!("{apis:?} APIs and {workers:?} workers; states {first:?} at first, {last:?} at last"));
        for order in &self.orders {
            history.note(|| format!("to come: {order:?}"));
        }
        for (at, action) in &self.actions {
            history.note(|| format!("to come at {at} ms: {action:?}"));
        }
        history.note(|| format!("to come: the first fact resists {:?}", self.resists));
        let for_good = self.lost_for_good.map(|region| format!("; region {region} is lost for good"));
        history.note(|| format!("to come at {} ms: the faults end{}", self.faults_end, for_good.unwrap_or_default()));
    }
}

/// States of both regions; the last one is only temporary.
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
        linger: Duration::from_millis(500),
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
        lakes: [0, 0],
        fold_interval: Duration::from_secs(60),
        first: [SiteState::Active, SiteState::Passive],
        last: [SiteState::Active, SiteState::Passive],
        clock_skew: 0,
        storage_clocks: [Duration::ZERO; REGIONS],
        orders: Vec::new(),
        actions: Vec::new(),
        faults_end: 0,
        lost_for_good: None,
        resists: None,
        promptness: None,
    }
}

fn body(dice: &mut Dice, number: u64) -> String {
    let product = dice.pick(&["O Pequeno Principe", "Caf\u{e9} \\\"forte\\\"", "Livro\\n", "\u{1f600}"]);
    let amount = dice.pick(&["14.00", "0.01", "1e3", "99999999999999999999.99999999", "19.990"]);
    format!(r#"{{"product":"{product} {number}","amount":{amount}}}"#)
}

/// Orders of many clients at one moment, none of which tries again.
fn burst(dice: &mut Dice, at: u64, target: Target) -> Vec<PlannedOrder> {
    let (count, within) = (dice.between(8, 60), dice.pick(&[0, 0, 5]));
    let order = |number: u64| PlannedOrder {
        at: at + dice.between(0, within),
        target,
        key: None,
        body: body(dice, 1_000 + number),
        tries: 1,
        hedged_after: None,
        cancelled: Vec::new(),
    };
    (0..count).map(order).collect()
}
