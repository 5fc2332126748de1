//! One run: executes a schedule, lets time pass, checks the invariants.

use std::rc::Rc;
use std::time::Duration;

use sales::attributes::Attributes;
use sales::event::Event;
use sales::memory::{Flow, Situations};
use sales::sale::{Amount, Fact, FactId, Product, Sale, SaleId};
use tokio::task::LocalSet;

use crate::checker;
use crate::clients;
use crate::dice::Dice;
use crate::fleet::supervise;
use crate::history::History;
use crate::mutation::Mutation;
use crate::regions::NAMES;
use crate::regions::REGIONS;
use crate::schedule::{Action, ProcessKind, Schedule};
use crate::world::World;

/// Time after the faults until all invariants must hold: a grace period, a lease of a dead task, a pause while calls
/// failed, and some retries. A message of another tool, which alone holds its sale, may be hidden for a quarter of an
/// hour after many failures.
const RECOVERY: Duration = Duration::from_secs(1_200);

/// Time until redelivered messages are off the queue.
const LEFTOVERS: Duration = Duration::from_secs(120);

/// Time until the lake's tables are complete, and between two looks at them, which take real time.
const FOLDING: Duration = Duration::from_secs(300);
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);

/// Time for processes to shut down; ECS waits 30 s.
const ENDING: Duration = Duration::from_secs(30);

/// Maximum calls per second of a process: far more than any schedule needs, far fewer than a loop without a pause
/// makes.
const HOT_LOOP: u32 = 1_000;

/// Result of a run.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// The violations; empty if there are none.
    pub violations: Vec<String>,
    /// The history, if recorded.
    pub history: Vec<String>,
    /// Number of calls.
    pub calls: u64,
    /// Virtual time passed.
    pub time: Duration,
    /// Objects put into the journal.
    pub objects: usize,
    /// Maximum calls per second of a process.
    pub busiest: u32,
    /// How often each situation happened.
    pub situations: Situations,
}

/// Runs the schedule of a seed.
///
/// # Panics
/// If tokio's runtime cannot be built.
#[must_use]
pub fn run(seed: u64, mutation: Option<Mutation>, keep_history: bool) -> Verdict {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime without I/O needs nothing");
    LocalSet::new().block_on(&runtime, happen(seed, mutation, keep_history))
}

async fn happen(seed: u64, mutation: Option<Mutation>, keep_history: bool) -> Verdict {
    let schedule = Schedule::of(seed);
    let history = History::new(keep_history);
    schedule.tell(&history);
    let world = World::new(seed, schedule, mutation, history);
    world.cloud.resist(world.schedule.resists);
    for number in 0..world.slots.len() {
        tokio::task::spawn_local(supervise(Rc::clone(&world), number));
    }
    let mut orders = tokio::task::JoinSet::new();
    for order in &world.schedule.orders {
        orders.spawn_local(clients::order(Rc::clone(&world), order.clone()));
    }
    let mut dice = Dice::new(seed, 3);
    for (at, action) in &world.schedule.actions {
        world.until(*at).await;
        act(&world, &mut dice, *action);
    }
    world.until(world.schedule.faults_end).await;
    // Running clients may finish: their responses count.
    while orders.join_next().await.is_some() {}
    checker::check_stand_by(&world).into_iter().for_each(|wrong| world.violated(wrong));
    recover(&world);
    // Pending deaths happen first.
    tokio::time::sleep(Duration::from_millis(1)).await;
    settle(&world, &mut dice).await;
    settle_tables(&world).await;
    end(&world).await;

    let busiest = world.weather.busiest_second();
    if busiest > HOT_LOOP {
        world.violated(format!("a process made {busiest} calls in a second"));
    }
    let objects = usize::try_from(world.cloud.puts()).unwrap_or(usize::MAX);
    Verdict {
        seed,
        violations: world.record.borrow().violations.clone(),
        history: world.history.lines(),
        calls: world.cloud.calls(),
        time: Duration::from_millis(world.now()),
        objects,
        busiest,
        situations: world.cloud.situations(),
    }
}

fn act(world: &World, dice: &mut Dice, action: Action) {
    world.history.note(|| format!("{action:?}"));
    let slot = |dice: &mut Dice, role: ProcessKind, region: usize| {
        let slots: Vec<_> = world.slots.iter().filter(|slot| slot.role == role && slot.region == region).collect();
        (!slots.is_empty()).then(|| slots[dice.below(slots.len())])
    };
    match action {
        Action::Become(region, service, condition) => world.weather.become_(region, service, condition),
        Action::Kill(role, region, restart) => slot(dice, role, region).into_iter().for_each(|slot| slot.kill(restart)),
        Action::Stop(role, region, restart) => {
            if role == ProcessKind::Worker {
                world.cloud.note_stop(region);
            }
            slot(dice, role, region).into_iter().for_each(|slot| slot.stop(restart));
        }
        Action::Lose(region) => lose(world, region, true, None),
        Action::Return(region) => {
            let lost = world.schedule.lost_for_good.filter(|lost| !world.is_there(*lost));
            if lost != Some(region) {
                lose(world, region, false, lost);
            }
        }
        Action::Cut(flow, from, to, cut) => world.cloud.cut(flow, from, to, cut),
        Action::Set(region, state) => world.cloud.set_state(region, state),
        Action::ShowHidden(region) => world.cloud.show_hidden(region),
        Action::PublishForeign(region) => publish_foreign(world, dice, region),
        Action::Poison(region) => {
            world.record.borrow_mut().poison[region] += 1;
            world.cloud.enqueue(region, checker::POISON.to_owned(), Attributes::new());
        }
    }
}

/// A region is lost, or restored; flows to and from `cut_off` stay cut.
fn lose(world: &World, region: usize, lost: bool, cut_off: Option<usize>) {
    world.weather.lose(region, lost);
    for flow in [Flow::Tables, Flow::Announcements, Flow::Lakes] {
        for other in (0..REGIONS).filter(|other| cut_off != Some(*other)) {
            world.cloud.cut(flow, region, other, lost);
            world.cloud.cut(flow, other, region, lost);
        }
    }
    world.set_there(region, !lost);
}

/// As a tool does that only knows the topic.
fn publish_foreign(world: &World, dice: &mut Dice, region: usize) {
    if !world.is_there(region) {
        return;
    }
    let mut id = [0; 16];
    dice.fill(&mut id);
    let who = world.identify(region);
    let (Ok(product), Ok(amount)) = (Product::new("Revista".into()), Amount::from_json_number("7.5")) else { return };
    let id = SaleId::new(uuid::Builder::from_random_bytes(id).into_uuid());
    let timestamp = who.clock.now();
    let fact = Fact::Sale(Sale { id, product, amount, timestamp, region: None, client: None });
    let event = Event { fact: fact.clone(), home: None, trace: None };
    world.cloud.publish_from_outside(region, &event, Attributes::new());
    world.record.borrow_mut().foreign.push(fact);
}

/// The faults end, and the operators have restored the switches.
fn recover(world: &World) {
    world.history.note(|| "the faults are over".into());
    world.weather.clear();
    world.cloud.resist(None);
    let lost = world.schedule.lost_for_good;
    for region in (0..REGIONS).filter(|region| lost != Some(*region)) {
        lose(world, region, false, lost);
        world.cloud.redrive(region);
    }
    if let Some(region) = lost {
        world.weather.lose(region, true);
    }
    for (region, state) in world.schedule.last.into_iter().enumerate() {
        world.cloud.set_state(region, Some(state));
    }
}

/// Lets time pass until all invariants hold; then redelivers everything, after which nothing may change.
async fn settle(world: &Rc<World>, dice: &mut Dice) {
    let live = || (0..REGIONS).filter(|region| world.schedule.lost_for_good != Some(*region));
    // What was delivered too often while calls failed is given back, as an operator does.
    let give_back = || live().for_each(|region| world.cloud.redrive(region));
    let done = || {
        give_back();
        !world.cloud.is_settling() && checker::check(world).is_empty()
    };
    if !wait_until(RECOVERY, done).await {
        checker::check(world).into_iter().for_each(|wrong| world.violated(wrong));
        return;
    }
    for region in live() {
        world.cloud.redrive(region);
        world.cloud.show_hidden(region);
    }
    let owed = checker::owed(world);
    let known = world.cloud.registered().into_values().flatten();
    for fact in known.filter(|fact| owed.contains(&fact.id()) && fact.region().is_some()) {
        let event = Event { home: fact.region().cloned(), fact, trace: None };
        let from = live().next().unwrap_or(0);
        world.cloud.publish_from_outside(from, &event, event.attributes());
    }
    let accepted: Vec<(SaleId, usize)> = world.record.borrow().accepted.iter().map(|(id, shop)| (*id, *shop)).collect();
    wait_until(ENDING, || {
        live().all(|region| {
            world.slots.iter().any(|slot| slot.role == ProcessKind::Api && slot.region == region && slot.is_running())
        })
    })
    .await;
    for region in live() {
        // A sale that was lost with its region cannot be found.
        let known: Vec<_> = accepted.iter().filter(|(id, _)| owed.contains(&FactId::Sale(*id))).collect();
        if !known.is_empty() {
            let (id, shop) = known[dice.below(known.len())];
            clients::look(world, region, *shop, *id).await;
        }
    }
    let done = || {
        give_back();
        checker::check_queues(world).is_empty() && !world.cloud.is_settling()
    };
    if !wait_until(LEFTOVERS, done).await {
        checker::check_queues(world).into_iter().for_each(|wrong| world.violated(wrong));
    }
    checker::check(world).into_iter().for_each(|wrong| world.violated(wrong));
    checker::check_economy(world).into_iter().for_each(|wrong| world.violated(wrong));
}

/// Lets time pass until the lake's tables have what the journals have: a lease of a dead builder, and some folds.
async fn settle_tables(world: &World) {
    if world.schedule.lakes == [0; REGIONS] {
        return;
    }
    let began = world.now();
    let mut wrong = checker::check_tables(world);
    while !wrong.is_empty() && Duration::from_millis(world.now() - began) < FOLDING {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        wrong = checker::check_tables(world);
    }
    wrong.into_iter().for_each(|wrong| world.violated(wrong));
}

/// Whether a condition becomes true within a time.
async fn wait_until(longest: Duration, holds: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(longest, waiting).await.is_ok()
}

/// Asks all processes to shut down, and waits.
async fn end(world: &World) {
    world.finishing.cancel();
    world.slots.iter().for_each(|slot| slot.stop(Duration::ZERO));
    if !wait_until(ENDING, || !world.slots.iter().any(|slot| slot.is_running())).await {
        for slot in world.slots.iter().filter(|slot| slot.is_running()) {
            world.violated(format!("{:?} of {} did not end when it was asked to", slot.role, NAMES[slot.region]));
        }
    }
}
