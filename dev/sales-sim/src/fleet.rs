//! Keeping the processes of both regions running, and letting them die.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::process::{Incoming, api, worker};
use crate::schedule::{REGIONS, Role, Schedule};
use crate::world::{NAMES, World};

/// How many requests may wait for an API.
const WAITING: usize = 64;

/// How long a process takes to start again when nobody says otherwise.
const RESTART: Duration = Duration::from_secs(2);

/// A place for a process.
pub struct Slot {
    /// What runs there.
    pub role: Role,
    /// Where it is.
    pub region: usize,
    running: RefCell<Option<Running>>,
    restart: Cell<Duration>,
}

/// The process in a slot.
struct Running {
    stop: CancellationToken,
    death: std::sync::Arc<tokio::sync::Notify>,
    intake: Option<mpsc::Sender<Incoming>>,
}

impl Slot {
    /// The slots of a schedule.
    #[must_use]
    pub fn all(schedule: &Schedule) -> Vec<Self> {
        let slot = |role, region| Self { role, region, running: RefCell::default(), restart: Cell::new(RESTART) };
        let of = |role: Role, counts: [usize; REGIONS]| {
            counts.into_iter().enumerate().flat_map(move |(region, count)| (0..count).map(move |_| slot(role, region)))
        };
        of(Role::Api, schedule.apis).chain(of(Role::Worker, schedule.workers)).collect()
    }

    /// Whether a process runs here.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Where requests go, if an API runs here.
    #[must_use]
    pub fn intake(&self) -> Option<mpsc::Sender<Incoming>> {
        let running = self.running.borrow();
        running.as_ref().filter(|running| !running.stop.is_cancelled())?.intake.clone()
    }

    /// The process dies at once, wherever it is, and starts again after a while.
    pub fn kill(&self, restart: Duration) {
        if let Some(running) = &*self.running.borrow() {
            self.restart.set(restart);
            running.death.notify_one();
        }
    }

    /// The process is asked to end, and starts again after a while.
    pub fn stop(&self, restart: Duration) {
        if let Some(running) = &*self.running.borrow() {
            self.restart.set(restart);
            running.stop.cancel();
        }
    }
}

/// Runs processes in a slot, one after the other, until the run is finishing.
pub async fn supervise(world: Rc<World>, number: usize) {
    let slot = &world.slots[number];
    loop {
        if world.finishing.run_until_cancelled(world.until_there(slot.region, true)).await.is_none() {
            return;
        }
        let who = world.identify(slot.region);
        let (caller, name) = (who.caller, NAMES[slot.region]);
        let death = world.weather.begin_life(caller);
        let stop = CancellationToken::new();
        let (sender, intake) = mpsc::channel(WAITING);
        let sender = (slot.role == Role::Api).then_some(sender);
        *slot.running.borrow_mut() =
            Some(Running { stop: stop.clone(), death: std::sync::Arc::clone(&death), intake: sender });
        world.history.note(|| format!("#{caller} {:?} of {name} starts", slot.role));
        // All tasks of a process are in its own set, so that they die with it.
        let tasks = LocalSet::new();
        let process = async {
            match slot.role {
                Role::Api => api(&world, who, intake, stop).await,
                Role::Worker => worker(&world, who, stop).await,
            }
        };
        let end = tokio::select! {
            biased;
            () = death.notified() => "dies",
            () = world.until_there(slot.region, false) => "is lost with its region",
            () = tasks.run_until(process) => "ends",
        };
        drop(tasks);
        *slot.running.borrow_mut() = None;
        world.weather.end_life(caller);
        world.history.note(|| format!("#{caller} {:?} of {name} {end}", slot.role));
        let pause = tokio::time::sleep(slot.restart.replace(RESTART));
        if world.finishing.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}
