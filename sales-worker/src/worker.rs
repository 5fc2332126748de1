//! The worker's tasks, without its HTTP side.

use std::time::Duration;

use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::ports::{Journal, Leases, Marks, SaleQueue, SaleTable, SiteSwitch};
use sales::shard::Shards;
use sales::site::{Site, SiteRefresh};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backlog::BacklogGauge;
use crate::consume::Consumer;
use crate::handle::Handler;
use crate::leases::SweepLeases;
use crate::metrics::Metrics;
use crate::reconcile::Reconciler;
use crate::stages::{Stages, Writer};

/// Time to finish work in flight after the signal; ECS stops a task after 30 s. Unfinished messages are redelivered.
const DRAIN_TIME: Duration = Duration::from_secs(25);

/// Settings of the work.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Concurrent receives of up to ten messages.
    pub concurrency: usize,
    /// The shards of the pending index.
    pub shards: Shards,
    /// Age from which the sweep processes a pending fact, and a missing one is adopted.
    pub grace: Duration,
    /// Interval between sweeps.
    pub sweep_interval: Duration,
    /// How long an object of the journal waits for more facts.
    pub linger: Duration,
}

/// What the worker runs on: the implementations of its ports.
pub trait Platform: 'static {
    /// Reads the region's state.
    type Switch: SiteSwitch;
    /// Delivers the messages.
    type Queue: SaleQueue;
    /// Holds the sales.
    type Table: SaleTable;
    /// Holds the marks.
    type Marks: Marks;
    /// Divides the sweep among tasks.
    type Leases: Leases;
    /// Takes the facts.
    type Journal: Journal;
}

/// The ports of the work.
pub struct Ports<P: Platform> {
    /// The queue.
    pub queue: P::Queue,
    /// The sales table.
    pub table: P::Table,
    /// The marks.
    pub marks: P::Marks,
    /// The leases of the sweep.
    pub leases: P::Leases,
    /// The journal.
    pub journal: P::Journal,
}

/// The other resources of the work.
pub struct Inside<P: Platform> {
    /// This region.
    pub site: Site,
    /// Keeps the region's state up to date.
    pub refresh: SiteRefresh<P::Switch>,
    /// The clock.
    pub clock: Clock,
    /// Jitter and ids.
    pub entropy: Entropy,
    /// The metrics.
    pub metrics: Metrics,
    /// The backlog.
    pub backlog: BacklogGauge,
}

/// Works until `shutdown`, then finishes work in flight.
pub async fn work<P: Platform>(settings: Settings, ports: Ports<P>, inside: Inside<P>, shutdown: CancellationToken) {
    let Settings { concurrency, shards, grace, sweep_interval: interval, linger } = settings;
    let Ports { queue, table, marks, leases, journal } = ports;
    let Inside { site, refresh, clock, entropy, metrics, backlog } = inside;
    let tasks = TaskTracker::new();
    tasks.spawn_local(refresh.run(shutdown.clone()));
    let (unreadable, due) = (backlog.unreadable(), backlog.due());
    tasks.spawn_local(backlog.run(table.clone(), shards, entropy.clone(), shutdown.clone()));
    // Before the state is known, the worker would stand by for every message, even if this region is ACTIVE.
    if shutdown.run_until_cancelled(site.asked_once()).await.is_some() {
        let leases = SweepLeases::new(leases, clock.clone(), entropy.clone());
        let writer = Writer { region: site.region().clone(), clock: clock.clone(), entropy: entropy.clone() };
        let stages = Stages::start(table.clone(), marks, journal, linger, writer, metrics.clone());
        let handler = Handler { stages: stages.clone(), site: site.clone(), clock: clock.clone(), grace };
        let consumer = Consumer::new(queue, concurrency, handler, metrics.clone(), entropy.clone(), tasks.clone());
        for _ in 0..concurrency {
            tasks.spawn_local(consumer.clone().run(shutdown.clone()));
        }
        let reconciler = Reconciler {
            table,
            stages,
            clock,
            metrics,
            leases,
            site,
            entropy,
            shards,
            grace,
            interval,
            unreadable,
            due,
        };
        tasks.spawn_local(reconciler.run(shutdown.clone()));
    }
    tasks.close();
    shutdown.cancelled().await;
    if tokio::time::timeout(DRAIN_TIME, tasks.wait()).await.is_err() {
        tracing::warn!("shutdown deadline reached: unfinished messages will be redelivered");
    }
}
