//! What happens, and when: all of it follows from the seed.

use std::time::Duration;

use sales::memory::{Flow, Service};
use sales::ports::FailureKind;
use sales::sale::Shards;
use sales::site::SiteState;
use sales_worker::work::Settings;

use crate::dice::Dice;
use crate::history::History;
use crate::weather::{Condition, Rates};

/// How many regions there are.
pub const REGIONS: usize = 2;

/// All services of a region.
pub const SERVICES: [Service; 6] =
    [Service::SaleTable, Service::Marks, Service::Topic, Service::Queue, Service::Lake, Service::Switch];

/// Which of the two services a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
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
    /// The active region has no worker; another becomes active and takes over at once.
    Failover,
    /// Nothing is announced, and a task that holds leases dies: another takes its shards over.
    Takeover,
}

/// Something that an operator, the world or a vandal does.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// A service of a region changes.
    Become(usize, Service, Condition),
    /// A process of a region dies, and starts again after this time.
    Kill(Role, usize, Duration),
    /// A process of a region is asked to end, and starts again after this time.
    Stop(Role, usize, Duration),
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
    /// Where the edge sends it: to an active region, if its API answers.
    Edge,
    /// To this region.
    Region(usize),
}

/// What a client wants.
#[derive(Clone, Debug)]
pub struct Order {
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
    pub orders: Vec<Order>,
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
    /// The schedule of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, 1);
        match dice.below(40) {
            0..=3 => calm(dice),
            4 | 5 => switches_unreachable(dice),
            6 => switch_unknown(dice),
            7 => both_passive(dice),
            8 => failover(dice),
            9 | 10 => takeover(dice),
            _ => storm(dice),
        }
    }
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

fn calm(dice: &mut Dice) -> Schedule {
    let both = dice.chance(300);
    let second = if both { SiteState::Active } else { SiteState::Passive };
    let states = [SiteState::Active, second];
    let orders = simple_orders(dice, 2_000, 15_000, true);
    Schedule {
        workers: [dice.between(1, 2) as usize, 1],
        first: states,
        last: states,
        orders,
        faults_end: 16_000,
        promptness: Some(8_000),
        ..base(dice, Kind::Calm)
    }
}

fn switches_unreachable(dice: &mut Dice) -> Schedule {
    let condition = if dice.chance(500) { Condition::Hanging } else { Condition::Refusing(FailureKind::Unavailable) };
    let orders = simple_orders(dice, 2_000, 20_000, false);
    let actions = (0..REGIONS).map(|region| (5_000, Action::Become(region, Service::Switch, condition)));
    Schedule {
        orders,
        actions: actions.collect(),
        faults_end: 21_000,
        promptness: Some(8_000),
        ..base(dice, Kind::SwitchesUnreachable)
    }
}

fn switch_unknown(dice: &mut Dice) -> Schedule {
    let condition = if dice.chance(500) { Condition::Hanging } else { Condition::Refusing(FailureKind::Denied) };
    // The first answer takes up to 3 s to fail.
    let orders = simple_orders(dice, 5_000, 20_000, true);
    Schedule {
        first: [SiteState::Active; REGIONS],
        last: [SiteState::Active; REGIONS],
        orders,
        actions: vec![(0, Action::Become(1, Service::Switch, condition))],
        faults_end: 29_000,
        promptness: Some(8_000),
        ..base(dice, Kind::SwitchUnknown)
    }
}

fn both_passive(dice: &mut Dice) -> Schedule {
    let orders = simple_orders(dice, 1_000, 5_000, true);
    Schedule {
        settings: settings(3, 2),
        first: [SiteState::Passive; REGIONS],
        last: dice.pick(&STATES[..3]),
        orders,
        faults_end: 20_000,
        ..base(dice, Kind::BothPassive)
    }
}

/// Enough sales for several pages of the pending index.
fn failover(dice: &mut Dice) -> Schedule {
    let orders = orders(dice, 32, 2_000, 10_000, false);
    let at = dice.between(14_000, 20_000);
    Schedule {
        // Neither the grace nor the next sweep is to be waited for.
        settings: settings(60, 40),
        workers: [0, 1],
        last: [SiteState::Passive, SiteState::Active],
        orders,
        actions: vec![
            (at, Action::Set(1, Some(SiteState::Active))),
            (at + 1_000, Action::Set(0, Some(SiteState::Passive))),
        ],
        faults_end: at + 2_000,
        // The state is up to 6 s old, and the sweep takes a moment.
        promptness: Some(at + 12_000),
        ..base(dice, Kind::Failover)
    }
}

fn takeover(dice: &mut Dice) -> Schedule {
    let orders = simple_orders(dice, 2_000, 30_000, false);
    let (grace, interval) = (5, 2);
    let refusing = Condition::Refusing(FailureKind::Unavailable);
    let (at, never) = (dice.between(8_000, 25_000), Duration::from_secs(3_600));
    // One that is killed leaves its leases to lapse, after 36 s at most; one that is stopped gives them back to the next.
    let killed = dice.chance(500);
    let (workers, end, lapse) = if killed {
        (2, Action::Kill(Role::Worker, 0, never), 36)
    } else {
        (1, Action::Stop(Role::Worker, 0, Duration::from_secs(1)), 0)
    };
    Schedule {
        settings: settings(grace, interval),
        workers: [workers, 1],
        orders,
        actions: vec![(0, Action::Become(0, Service::Topic, refusing)), (at, end)],
        faults_end: 31_000,
        // Grace, the rest of a lease, two intervals, and a moment.
        promptness: Some((grace + lapse + 3 * interval + 5) * 1_000),
        ..base(dice, Kind::Takeover)
    }
}

/// A few orders without retries; `anywhere` sends some past the edge.
fn simple_orders(dice: &mut Dice, from: u64, to: u64, anywhere: bool) -> Vec<Order> {
    let count = dice.between(4, 12);
    orders(dice, count, from, to, anywhere)
}

fn orders(dice: &mut Dice, count: u64, from: u64, to: u64, anywhere: bool) -> Vec<Order> {
    let order = |number: u64| {
        let target = if anywhere && dice.chance(300) { Target::Region(dice.below(REGIONS)) } else { Target::Edge };
        let cancelled = if dice.chance(200) { vec![(dice.between(0, 3_000), Target::Edge)] } else { Vec::new() };
        Order {
            at: dice.between(from, to),
            target,
            key: dice.chance(300).then(|| format!("order-{number}")),
            body: body(dice, number),
            tries: 1,
            hedged_after: None,
            cancelled,
        }
    };
    (0..count).map(order).collect()
}

fn body(dice: &mut Dice, number: u64) -> String {
    let product = dice.pick(&["O Pequeno Principe", "Caf\u{e9} \\\"forte\\\"", "Livro\\n", "\u{1f600}"]);
    let amount = dice.pick(&["14.00", "0.01", "1e3", "79228162514264337593543950335", "19.990"]);
    format!(r#"{{"product":"{product} {number}","amount":{amount}}}"#)
}

fn storm(dice: &mut Dice) -> Schedule {
    let end = dice.between(20_000, 60_000);
    let mut schedule = Schedule {
        rates: Rates::storm(dice),
        settings: settings(dice.pick(&[3, 10, 30]), dice.pick(&[2, 5])),
        apis: [1, 1].map(|one| one + usize::from(dice.chance(200))),
        workers: [1, 1].map(|one| one + usize::from(dice.chance(300))),
        first: dice.pick(&STATES),
        last: dice.pick(&STATES[..3]),
        clock_skew: dice.pick(&[0, 0, 1_000, 5_000]),
        storage_clocks: [Duration::from_millis(dice.pick(&[0, 0, 5, 700])), Duration::ZERO],
        orders: storm_orders(dice, end),
        faults_end: end,
        ..base(dice, Kind::Storm)
    };
    for _ in 0..dice.between(0, 8) {
        let from = dice.between(0, end);
        let to = (from + dice.pick(&[500, 3_000, 10_000, 30_000])).min(end);
        let region = dice.below(REGIONS);
        trouble(dice, region, from, to, &mut schedule.actions);
    }
    for _ in 0..dice.between(0, 3) {
        let (at, region) = (dice.between(0, end), dice.below(REGIONS));
        schedule.actions.push((at, Action::PublishForeign(region)));
    }
    if dice.chance(80) {
        let region = dice.below(REGIONS);
        let at = dice.between(end / 3, end);
        schedule.lost_for_good = Some(region);
        schedule.actions.push((at, Action::Lose(region)));
        schedule.last = [SiteState::Active; REGIONS];
    }
    schedule.actions.sort_by_key(|(at, _)| *at);
    schedule
}

/// The states of both regions; the last is for a while only.
const STATES: [[SiteState; REGIONS]; 4] = [
    [SiteState::Active, SiteState::Passive],
    [SiteState::Passive, SiteState::Active],
    [SiteState::Active, SiteState::Active],
    [SiteState::Passive, SiteState::Passive],
];

fn storm_orders(dice: &mut Dice, end: u64) -> Vec<Order> {
    let count = dice.between(3, 14);
    let target = |dice: &mut Dice| {
        if dice.chance(600) { Target::Edge } else { Target::Region(dice.below(REGIONS)) }
    };
    let order = |number: u64| {
        let keyed = dice.chance(400);
        let cancellations = if dice.chance(250) { dice.between(1, 2) } else { 0 };
        Order {
            at: dice.between(0, end),
            target: target(dice),
            key: keyed.then(|| format!("order-{number}")),
            body: body(dice, number),
            tries: if keyed { dice.pick(&[1, 2, 5]) } else { 1 },
            hedged_after: (keyed && dice.chance(200)).then(|| dice.between(0, 2_000)),
            cancelled: (0..cancellations).map(|_| (dice.between(0, 8_000), target(dice))).collect(),
        }
    };
    (0..count).map(order).collect()
}

/// Something that begins at `from` and is over at `to`.
fn trouble(dice: &mut Dice, region: usize, from: u64, to: u64, actions: &mut Vec<(u64, Action)>) {
    let restart = Duration::from_millis(dice.between(100, 10_000));
    let role = dice.pick(&[Role::Api, Role::Worker, Role::Worker]);
    match dice.below(16) {
        0..=4 => {
            let service = dice.pick(&SERVICES);
            let condition = dice.pick(&[
                Condition::Refusing(FailureKind::Unavailable),
                Condition::Refusing(FailureKind::Denied),
                Condition::Hanging,
                Condition::Flaky,
            ]);
            actions.push((from, Action::Become(region, service, condition)));
            actions.push((to, Action::Become(region, service, Condition::Working)));
        }
        5 => actions.extend([(from, Action::Lose(region)), (to, Action::Return(region))]),
        6 | 7 => {
            let flow = dice.pick(&[Flow::Tables, Flow::Announcements, Flow::Lakes]);
            let into = if flow == Flow::Announcements { dice.below(REGIONS) } else { 1 - region };
            actions
                .extend([(from, Action::Cut(flow, region, into, true)), (to, Action::Cut(flow, region, into, false))]);
        }
        8 => {
            // A crash again and again, often in the middle of something.
            let times = dice.between(1, 5);
            let quick = Duration::from_millis(dice.between(10, 300));
            actions.extend(
                (0..times).map(|turn| (from + turn * dice.between(50, 700), Action::Kill(role, region, quick))),
            );
        }
        9 => actions.push((from, Action::Kill(role, region, restart))),
        10 => actions.push((from, Action::Stop(role, region, restart))),
        11 | 12 => {
            let states = dice.pick(&STATES);
            let apart = dice.between(0, 3_000);
            actions.extend([(from, Action::Set(0, Some(states[0]))), (from + apart, Action::Set(1, Some(states[1])))]);
        }
        13 => {
            let states = dice.pick(&STATES[..3]);
            actions.push((from, Action::Set(region, None)));
            actions.push((to, Action::Set(region, Some(states[region]))));
        }
        14 => actions.push((to, Action::ShowHidden(region))),
        _ => actions.push((from, Action::Poison(region))),
    }
}
