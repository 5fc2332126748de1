//! After the steps: waits until nothing accepted before the switch is pending, and DNS follows.

use std::time::Duration;

use futures::future::join_all;
use sales::clock::{Clock, Timestamp};
use tokio::time::{Instant, sleep};

use super::{
    entrance::Entrance,
    progress::{Pending, Progress},
    report::Report,
};
use crate::{
    cloud::{Cloud, services::Services},
    interrupt::Interrupt,
};

const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Checks once, or until nothing is pending and DNS follows, or `patience` has passed.
pub(super) async fn look_or_wait(
    (cloud, services): (&Cloud, &Services),
    progress: &mut Progress,
    report: &Report,
    patience: Option<Duration>,
    interrupt: &Interrupt,
) {
    // Timestamps are whole seconds, and this second's sales are from before the switch.
    let switched = Clock::system().now().plus(Duration::from_secs(1));
    let deadline = patience.map(|patience| Instant::now() + patience);
    loop {
        let looking = async { tokio::join!(look(cloud, switched), Entrance::look(cloud, services, progress.target())) };
        let (pending, entrance) = tokio::select! {
            seen = looking => seen,
            exit = interrupt.heard() => return progress.interrupt(exit),
        };
        let follows = entrance.as_ref().is_none_or(|entrance| entrance.follows);
        let is_over = deadline.is_none_or(|deadline| Instant::now() >= deadline) || (pending.is_drained() && follows);
        report.seen(progress, &pending, entrance.as_ref(), is_over);
        progress.saw(pending, entrance);
        if is_over {
            return;
        }
        tokio::select! {
            () = sleep(LOOK_AGAIN) => {}
            exit = interrupt.heard() => return progress.interrupt(exit),
        }
    }
}

/// Reads all regions: items accepted by one may not have replicated to another yet.
async fn look(cloud: &Cloud, switched: Timestamp) -> Pending {
    let regions = cloud.regions.values().map(async |region| (region.name.clone(), region.backlog().await));
    let mut pending = Pending::default();
    for (region, backlog) in join_all(regions).await {
        pending.add(region, backlog, switched);
    }
    pending
}
