//! Puts the worker together, and takes it apart in order: intake, work in flight, then the HTTP side.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use prometheus_client::registry::Registry;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::health::{Dependency, Health};
use sales::http::operations::{self, Operations, Version};
use sales::http::requests::RequestMetrics;
use sales::http::server::serve;
use sales::ports::{Lake, Marks, SaleQueue, SaleTable, SiteSwitch};
use sales::site::Site;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::consume::Consumer;
use crate::metrics::Metrics;
use crate::process::Processing;
use crate::reconcile::Reconciler;

/// How long work in flight may take after the signal; ECS stops a task after 30 s. What is cut off comes back.
const DRAIN_TIME: Duration = Duration::from_secs(25);

/// What the worker depends on.
pub struct Dependencies {
    /// Brings the messages.
    pub queue: Dependency,
    /// Keeps the sales.
    pub sales_table: Dependency,
    /// Knows what is in the lake.
    pub marks: Dependency,
    /// The lake.
    pub lake: Dependency,
    /// Without it, the last known state stays.
    pub site_state: Dependency,
}

/// What lies outside of the worker.
pub struct Outside<W, Q, T, M, L> {
    /// Says whether this region is active.
    pub switch: W,
    /// Brings the messages.
    pub queue: Q,
    /// Keeps the sales.
    pub table: T,
    /// Knows what is in the lake.
    pub marks: M,
    /// The lake.
    pub lake: L,
}

/// Works until `shutdown`, then finishes what is in flight.
pub async fn run<W, Q, T, M, L>(
    config: &Config,
    outside: impl FnOnce(&Dependencies) -> Outside<W, Q, T, M, L>,
    shutdown: CancellationToken,
) -> anyhow::Result<()>
where
    W: SiteSwitch,
    Q: SaleQueue,
    T: SaleTable,
    M: Marks,
    L: Lake,
{
    let listen = config.listen;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen} (PORT, BIND_HOST)"))?;
    let entropy = Entropy::system();
    let mut registry = Registry::default();
    let health = Health::new(&mut registry);
    let dependencies = Dependencies {
        queue: health.needs("queue"),
        sales_table: health.needs("sales-table"),
        marks: health.needs("idempotency-table"),
        lake: health.needs("lake"),
        site_state: health.uses("site-state"),
    };
    let Outside { switch, queue, table, marks, lake } = outside(&dependencies);
    let (site, refresh) = Site::new(config.region.clone(), switch, entropy.clone());
    operations::register_site(&mut registry, &site);
    let metrics = Metrics::new(&mut registry);
    let requests = RequestMetrics::new(&mut registry);
    let version = Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
    let operations = Operations { version, health: health.clone(), site: site.clone(), registry: Arc::new(registry) };
    let processing = Processing { table, lake, marks, clock: Clock::system(), metrics };

    tracing::info!(site.region = site.region().as_str(), address = %listen, version = version.version, "working");
    let work = TaskTracker::new();
    actix_web::rt::spawn(refresh.run(shutdown.clone()));
    watch_dependencies(&processing, dependencies, &entropy, &shutdown);
    let http_shutdown = CancellationToken::new();
    let configure = move || {
        let (operations, requests) = (operations.clone(), requests.clone());
        move |config: &mut ServiceConfig| {
            config.app_data(Data::new(operations)).app_data(Data::new(requests));
        }
    };
    let mut serving = actix_web::rt::spawn(serve(listener, 1, configure, http_shutdown.clone()));

    // Before the first answer everything would be stood by for, even where this region is the one to process it.
    let asked = shutdown.run_until_cancelled(site.asked_once()).await;
    if asked.is_some() {
        let consumer = Consumer { queue, processing: processing.clone(), site: site.clone(), entropy: entropy.clone() };
        for _ in 0..config.concurrency {
            work.spawn_local(consumer.clone().run(shutdown.clone()));
        }
        let Config { shards, grace, sweep_interval: interval, .. } = *config;
        let reconciler = Reconciler { processing, site, entropy, shards, grace, interval };
        work.spawn_local(reconciler.run(shutdown.clone()));
    }
    work.close();
    tokio::select! {
        ended = &mut serving => return Ok(ended??),
        () = shutdown.cancelled() => {}
    }
    if tokio::time::timeout(DRAIN_TIME, work.wait()).await.is_err() {
        tracing::warn!("work in flight did not end in time; its messages come back");
    }
    http_shutdown.cancel();
    serving.await??;
    tracing::info!("stopped");
    Ok(())
}

/// Keeps readiness true while there is no work.
fn watch_dependencies<T: SaleTable, L: Lake, M: Marks>(
    processing: &Processing<T, L, M>,
    dependencies: Dependencies,
    entropy: &Entropy,
    shutdown: &CancellationToken,
) {
    let Processing { table, lake, marks, .. } = processing.clone();
    let Dependencies { sales_table, marks: marks_dependency, lake: lake_dependency, .. } = dependencies;
    let watch = |dependency: Dependency| (dependency, entropy.clone(), shutdown.clone());
    let (dependency, jitter, until) = watch(sales_table);
    actix_web::rt::spawn(async move { dependency.watch(jitter, until, || table.probe()).await });
    let (dependency, jitter, until) = watch(marks_dependency);
    actix_web::rt::spawn(async move { dependency.watch(jitter, until, || marks.probe()).await });
    let (dependency, jitter, until) = watch(lake_dependency);
    actix_web::rt::spawn(async move { dependency.watch(jitter, until, || lake.probe()).await });
}
