//! After the steps: waits until nothing accepted before the switch is pending, and DNS follows.

use std::time::Duration;

use futures::future::join_all;
use sales::clock::{Clock, Timestamp};
use tokio::time::{Instant, sleep};

use super::{
    entrance::Entrance,
    report::{Pending, Report},
    situation::Target,
};
use crate::{
    cloud::{Cloud, services::Services},
    interrupt::Interrupt,
};

const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Checks once, or until nothing is pending and DNS follows, or `patience` has passed.
pub(super) async fn look_or_wait(
    (cloud, services): (&Cloud, &Services),
    target: &Target,
    report: &mut Report,
    patience: Option<Duration>,
    interrupt: &Interrupt,
) {
    // Timestamps are whole seconds, and this second's sales are from before the switch.
    let switched = Clock::system().now().plus(Duration::from_secs(1));
    let deadline = patience.map(|patience| Instant::now() + patience);
    report.begin_draining(deadline.is_some());
    loop {
        let looking = async { tokio::join!(look(cloud, switched), Entrance::look(cloud, services, target)) };
        let (pending, entrance) = tokio::select! {
            seen = looking => seen,
            exit = interrupt.heard() => return report.interrupted(exit),
        };
        let follows = entrance.as_ref().is_none_or(|entrance| entrance.follows);
        let is_over = deadline.is_none_or(|deadline| Instant::now() >= deadline) || (pending.is_drained() && follows);
        report.pending(pending, is_over);
        report.entrance(entrance, is_over);
        if is_over {
            return;
        }
        tokio::select! {
            () = sleep(LOOK_AGAIN) => {}
            exit = interrupt.heard() => return report.interrupted(exit),
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
