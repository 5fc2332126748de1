//! The last step: until nothing that was accepted before the switch is owed to the lake.

use std::time::Duration;

use futures::future::join_all;
use sales::clock::{Clock, Timestamp};
use tokio::time::{Instant, sleep};

use super::report::{Pending, Report};
use crate::{cloud::Cloud, interrupt::Interrupt};

const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Looks once, or until nothing is owed or `patience` is over.
pub(super) async fn look_or_wait(
    cloud: &Cloud,
    report: &mut Report,
    patience: Option<Duration>,
    interrupt: &Interrupt,
) {
    // Moments are whole seconds, and this one's sales belong to it.
    let switched = Clock::system().now().plus(Duration::from_secs(1));
    let deadline = patience.map(|patience| Instant::now() + patience);
    report.begin_draining(deadline.is_some());
    loop {
        let pending = tokio::select! {
            pending = look(cloud, switched) => pending,
            exit = interrupt.heard() => return report.interrupted(exit),
        };
        let is_over = deadline.is_none_or(|deadline| Instant::now() >= deadline) || pending.is_drained();
        report.pending(pending, is_over);
        if is_over {
            return;
        }
        tokio::select! {
            () = sleep(LOOK_AGAIN) => {}
            exit = interrupt.heard() => return report.interrupted(exit),
        }
    }
}

/// All regions are asked: what one of them has accepted may not have replicated to another yet.
async fn look(cloud: &Cloud, switched: Timestamp) -> Pending {
    let regions = cloud.regions.values().map(async |region| (region.name.clone(), region.backlog().await));
    let mut pending = Pending::default();
    for (region, backlog) in join_all(regions).await {
        pending.add(region, backlog, switched);
    }
    pending
}
