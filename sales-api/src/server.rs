//! Puts the API together, and takes it apart in order: intake, requests in flight, announcements.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use prometheus_client::registry::Registry;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::health::{Dependency, Health};
use sales_service::http::Transport;
use sales_service::http::operations::{self, Operations, Version};
use sales_service::http::requests::RequestMetrics;
use sales_service::http::server::serve;
use sales::ports::{SaleTable, SaleTopic, SiteSwitch};
use sales::sale::Region;
use sales::site::Site;
use sales_service::vital_signs;
use tokio_util::sync::CancellationToken;

use crate::announcer::Announcer;
use crate::grouped_writes::GroupedWrites;
use crate::metrics::Metrics;
use crate::routes;

/// How long announcements may take to get out at the end; the rest is reconciled.
const FLUSH_TIME: Duration = Duration::from_secs(6);

/// What the API depends on.
pub struct Dependencies {
    /// Without them, nothing works.
    pub credentials: Dependency,
    /// Without it, no sale is accepted.
    pub sales_table: Dependency,
    /// Without it, sales reach the lake later.
    pub topic: Dependency,
    /// Without it, the last known state stays.
    pub site_state: Dependency,
}

/// What lies outside of the API. `table` makes one for each server thread.
pub struct Outside<W, P, T> {
    /// Says whether this region is active.
    pub switch: W,
    /// Takes announcements.
    pub topic: P,
    /// Keeps the sales.
    pub table: T,
}

/// Everything the use cases need, on one server thread.
pub struct Sales<T> {
    /// Keeps the sales.
    pub table: T,
    /// Puts new sales into the table, grouped.
    pub writes: GroupedWrites,
    /// Tells the regions.
    pub announcer: Announcer,
    /// This region.
    pub site: Site,
    /// The time.
    pub clock: Clock,
    /// Ids.
    pub entropy: Entropy,
    /// What is counted.
    pub metrics: Metrics,
}

/// Serves until `shutdown`, then finishes what is in flight.
pub async fn run<W, P, T, F>(
    listen: SocketAddr,
    transport: Transport,
    region: Region,
    image: Option<String>,
    outside: impl FnOnce(&Dependencies) -> Outside<W, P, F>,
    shutdown: CancellationToken,
) -> anyhow::Result<()>
where
    W: SiteSwitch,
    P: SaleTopic,
    T: SaleTable,
    F: Fn() -> T + Clone + Send + 'static,
{
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen} (PORT, BIND_HOST)"))?;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let mut registry = Registry::default();
    let health = Health::new(&mut registry);
    let dependencies = Dependencies {
        credentials: health.needs("credentials"),
        sales_table: health.needs("sales-table"),
        topic: health.uses("topic"),
        site_state: health.uses("site-state"),
    };
    let Outside { switch, topic, table } = outside(&dependencies);
    let (site, refresh) = Site::new(region, switch, entropy.clone());
    operations::register_site(&mut registry, &site);
    let metrics = Metrics::new(&mut registry);
    let requests = RequestMetrics::new(&mut registry);
    let version = Version::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), image);
    let operations = Operations { version, health, site: site.clone(), registry: Arc::new(registry) };

    let no_more_announcements = CancellationToken::new();
    let (announcer, announcing) = Announcer::new(topic, metrics.clone(), no_more_announcements.clone());
    let announcing = actix_web::rt::spawn(announcing);
    actix_web::rt::spawn(refresh.run(shutdown.clone()));
    actix_web::rt::spawn(vital_signs::log(site.clone(), || None, shutdown.clone()));
    let (probed, jitter, until) = (table(), entropy.clone(), shutdown.clone());
    actix_web::rt::spawn(async move { dependencies.sales_table.watch(jitter, until, || probed.probe()).await });

    tracing::info!(site.region = site.region().as_str(), address = %listen, version = operations.version.version, commit = operations.version.commit, "serving");
    let configure = move || {
        let table = table();
        let sales = Sales {
            writes: GroupedWrites::start(table.clone(), metrics.clone()),
            table,
            announcer: announcer.clone(),
            site: site.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            metrics: metrics.clone(),
        };
        let (operations, requests, entropy) = (operations.clone(), requests.clone(), entropy.clone());
        move |config: &mut ServiceConfig| {
            config
                .app_data(Data::new(sales))
                .app_data(Data::new(operations))
                .app_data(Data::new(requests))
                .app_data(Data::new(entropy))
                .configure(routes::configure::<T>);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    serve(listener, transport, threads, configure, shutdown).await?;

    no_more_announcements.cancel();
    finish(announcing).await;
    tracing::info!("stopped");
    Ok(())
}

async fn finish(announcing: impl Future) {
    if tokio::time::timeout(FLUSH_TIME, announcing).await.is_err() {
        tracing::warn!("announcements did not get out in time; their sales are pending and will be reconciled");
    }
}
