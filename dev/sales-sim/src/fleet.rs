//! Runs the processes of both regions, and kills them.

use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::process::{api, lake, worker};
use crate::regions::NAMES;
use crate::schedule::ProcessKind;
use crate::slot::Running;
use crate::world::World;

/// Requests that may wait for an API.
const WAITING: usize = 64;

/// Runs processes in a slot, one after the other, until the run ends.
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
        let sender = (slot.role == ProcessKind::Api).then_some(sender);
        slot.begin(Running { stop: stop.clone(), death: std::sync::Arc::clone(&death), intake: sender });
        world.history.note(|| format!("#{caller} {:?} of {name} starts", slot.role));
        // All tasks of a process are in one set, so that they die with it.
        let tasks = LocalSet::new();
        let process = async {
            match slot.role {
                ProcessKind::Api => api(&world, who, intake, stop).await,
                ProcessKind::Worker => worker(&world, who, stop).await,
                ProcessKind::Lake => lake(&world, who, stop).await,
            }
        };
        let end = tokio::select! {
            biased;
            () = death.notified() => "dies",
            () = world.until_there(slot.region, false) => "is lost with its region",
            () = tasks.run_until(process) => "ends",
        };
        drop(tasks);
        let restart = slot.end();
        world.weather.end_life(caller);
        world.history.note(|| format!("#{caller} {:?} of {name} {end}", slot.role));
        let pause = tokio::time::sleep(restart);
        if world.finishing.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}
