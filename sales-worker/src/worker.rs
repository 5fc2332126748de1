//! The worker's work, without its HTTP side: all that must go on for sales to reach the lake.

use std::time::Duration;

use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::ports::{Lake, Leases, Marks, SaleQueue, SaleTable, SiteSwitch};
use sales::shard::Shards;
use sales::site::{Site, SiteRefresh};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backlog::BacklogGauge;
use crate::bring_to_lake::LakeWriter;
use crate::consume::Consumer;
use crate::handle::Handler;
use crate::leases::SweepLeases;
use crate::metrics::Metrics;
use crate::polling::Polling;
use crate::reconcile::Reconciler;

/// How long work in flight may take after the signal; ECS stops a task after 30 s. What is cut off comes back.
const DRAIN_TIME: Duration = Duration::from_secs(25);

/// How the work is done.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Batches of up to ten messages in work at a time.
    pub concurrency: usize,
    /// The shards of the pending index.
    pub shards: Shards,
    /// The age from which a pending fact is not left to its message, and an absent one is adopted.
    pub grace: Duration,
    /// The time between two sweeps.
    pub sweep_interval: Duration,
}

/// What lies outside of the work.
pub struct Ports<Q, T, M, S, L> {
    /// Brings the messages.
    pub queue: Q,
    /// Keeps the sales.
    pub table: T,
    /// Knows what is in the lake.
    pub marks: M,
    /// Shares the sweep.
    pub leases: S,
    /// The lake.
    pub lake: L,
}

/// Everything but the ports that the work needs.
pub struct Inside<W> {
    /// This region.
    pub site: Site,
    /// Keeps it up to date.
    pub refresh: SiteRefresh<W>,
    /// The time.
    pub clock: Clock,
    /// Names and jitter.
    pub entropy: Entropy,
    /// What is counted.
    pub metrics: Metrics,
    /// What is owed.
    pub backlog: BacklogGauge,
}

/// Works until `shutdown`, then finishes what is in flight.
pub async fn work<W, Q, T, M, S, L>(
    settings: Settings,
    ports: Ports<Q, T, M, S, L>,
    inside: Inside<W>,
    shutdown: CancellationToken,
) where
    W: SiteSwitch,
    Q: SaleQueue,
    T: SaleTable,
    M: Marks,
    S: Leases,
    L: Lake,
{
    let Settings { concurrency, shards, grace, sweep_interval: interval } = settings;
    let Ports { queue, table, marks, leases, lake } = ports;
    let Inside { site, refresh, clock, entropy, metrics, backlog } = inside;
    let tasks = TaskTracker::new();
    tasks.spawn_local(refresh.run(shutdown.clone()));
    let unreadable = backlog.unreadable();
    tasks.spawn_local(backlog.run(table.clone(), shards, entropy.clone(), shutdown.clone()));
    // Before the first answer everything would be stood by for, even where this region is the one to process it.
    if shutdown.run_until_cancelled(site.asked_once()).await.is_some() {
        let leases = SweepLeases::new(leases, clock.clone(), entropy.clone());
        let lake_writer = LakeWriter { table, lake, marks, clock, metrics };
        let handler = Handler { lake_writer: lake_writer.clone(), site: site.clone(), grace };
        let consumer = Consumer { queue, polling: Polling::new(concurrency), handler, entropy: entropy.clone() };
        for _ in 0..concurrency {
            tasks.spawn_local(consumer.clone().run(shutdown.clone()));
        }
        let reconciler = Reconciler { lake_writer, leases, site, entropy, shards, grace, interval, unreadable };
        tasks.spawn_local(reconciler.run(shutdown.clone()));
    }
    tasks.close();
    shutdown.cancelled().await;
    if tokio::time::timeout(DRAIN_TIME, tasks.wait()).await.is_err() {
        tracing::warn!("shutdown deadline reached: unfinished messages will be redelivered");
    }
}
