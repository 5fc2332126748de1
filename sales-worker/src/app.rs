//! Assembles the worker, and shuts it down in order: its work, then the HTTP side.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use prometheus_client::registry::Registry;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::health::{Dependency, Health};
use sales::ports::{Journal, Marks, SaleTable};
use sales::site::Site;
use sales_service::http::Transport;
use sales_service::http::operations::{self, Operations, Version};
use sales_service::http::requests::RequestMetrics;
use sales_service::http::server::serve;
use sales_service::vital_signs;
use tokio_util::sync::CancellationToken;

use crate::backlog::BacklogGauge;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::worker::{Inside, Platform, Ports, work};

/// The worker's dependencies.
pub struct Dependencies {
    /// Required by all others.
    pub credentials: Dependency,
    /// Delivers the messages.
    pub queue: Dependency,
    /// If it fails, malformed messages stay in the queue.
    pub dead_letters: Dependency,
    /// Holds the sales.
    pub sales_table: Dependency,
    /// Holds the marks.
    pub marks: Dependency,
    /// The lake.
    pub lake: Dependency,
    /// If it fails, the last known state remains.
    pub site_state: Dependency,
}

/// Works until `shutdown`, then finishes work in flight.
pub async fn run<P: Platform>(
    config: &Config,
    ports: impl FnOnce(&Dependencies) -> (P::Switch, Ports<P>),
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listen = config.listen;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen} (PORT, BIND_HOST)"))?;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let mut registry = Registry::default();
    let health = Health::new(&mut registry);
    let dependencies = Dependencies {
        credentials: health.needs("credentials"),
        queue: health.needs("queue"),
        dead_letters: health.uses("dead-letter-queue"),
        sales_table: health.needs("sales-table"),
        marks: health.needs("idempotency-table"),
        lake: health.needs("lake"),
        site_state: health.uses("site-state"),
    };
    let (switch, ports) = ports(&dependencies);
    let (site, refresh) = Site::new(config.region.clone(), switch, entropy.clone());
    operations::register_site(&mut registry, &site);
    let metrics = Metrics::new(&mut registry);
    let backlog = BacklogGauge::new(&mut registry, config.region.clone(), clock.clone());
    let requests = RequestMetrics::new(&mut registry);
    let version = Version::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), config.image.clone());
    let operations = Operations {
        version,
        health: health.clone(),
        region: config.region.clone(),
        site: Some(site.clone()),
        registry: Arc::new(registry),
        sign_in: None,
    };

    tracing::info!(site.region = site.region().as_str(), address = %listen, version = operations.version.version, commit = operations.version.commit, "working");
    watch_dependencies(&ports, dependencies, &entropy, &shutdown);
    let (signs_of, owed) = (site.clone(), backlog.clone());
    actix_web::rt::spawn(vital_signs::log(signs_of, None, move || owed.owed(), shutdown.clone()));
    let http_shutdown = CancellationToken::new();
    let configure = move || {
        let (operations, requests) = (operations.clone(), requests.clone());
        move |config: &mut ServiceConfig| {
            config.app_data(Data::new(operations)).app_data(Data::new(requests));
        }
    };
    let mut serving = actix_web::rt::spawn(serve(listener, Transport::Plain, 1, configure, http_shutdown.clone()));
    let inside = Inside { site, refresh, clock, entropy, metrics, backlog };
    tokio::select! {
        ended = &mut serving => return Ok(ended??),
        () = work(config.work, ports, inside, shutdown) => {}
    }
    http_shutdown.cancel();
    serving.await??;
    tracing::info!("stopped");
    Ok(())
}

/// Keeps readiness accurate while there is no work.
fn watch_dependencies<P: Platform>(
    ports: &Ports<P>,
    dependencies: Dependencies,
    entropy: &Entropy,
    shutdown: &CancellationToken,
) {
    let (table, marks, journal) = (ports.table.clone(), ports.marks.clone(), ports.journal.clone());
    let Dependencies { sales_table, marks: marks_dependency, lake: lake_dependency, .. } = dependencies;
    let watch = |dependency: Dependency| (dependency, entropy.clone(), shutdown.clone());
    let (dependency, jitter, until) = watch(sales_table);
    actix_web::rt::spawn(async move { dependency.watch(jitter, until, || table.probe()).await });
    let (dependency, jitter, until) = watch(marks_dependency);
    actix_web::rt::spawn(async move { dependency.watch(jitter, until, || marks.probe()).await });
    let (dependency, jitter, until) = watch(lake_dependency);
    actix_web::rt::spawn(async move { dependency.watch(jitter, until, || journal.probe()).await });
}
