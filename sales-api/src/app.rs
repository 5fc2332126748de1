//! Assembles the API, and shuts it down in order: intake, requests in flight, announcements.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use prometheus_client::registry::Registry;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::health::{Dependency, Health};
use sales::ports::{SaleTable, SaleTopic, SiteSwitch};
use sales::region::Region;
use sales::site::Site;
use sales_service::http::Transport;
use sales_service::http::operations::{self, Operations, Version};
use sales_service::http::requests::RequestMetrics;
use sales_service::http::server::serve;
use sales_service::vital_signs;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::routes;
use crate::sales::Shared;

/// The API's dependencies.
pub struct Dependencies {
    /// Required by all others.
    pub credentials: Dependency,
    /// Required to accept sales.
    pub sales_table: Dependency,
    /// If it fails, sales reach the lake later.
    pub topic: Dependency,
    /// If it fails, the last known state remains.
    pub site_state: Dependency,
}

/// The API's ports. `table` creates one for each server thread.
pub struct Ports<W, P, T> {
    /// Holds this region's state.
    pub switch: W,
    /// Takes announcements.
    pub topic: P,
    /// Keeps the sales.
    pub table: T,
}

/// Serves until `shutdown`, then finishes requests in flight.
pub async fn run<W, P, T, F>(
    listen: SocketAddr,
    transport: Transport,
    region: Region,
    image: Option<String>,
    ports: impl FnOnce(&Dependencies) -> Ports<W, P, F>,
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
    let Ports { switch, topic, table } = ports(&dependencies);
    let (site, refresh) = Site::new(region, switch, entropy.clone());
    operations::register_site(&mut registry, &site);
    let metrics = Metrics::new(&mut registry);
    let requests = RequestMetrics::new(&mut registry);
    let version = Version::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), image);
    let operations = Operations {
        version,
        health,
        region: site.region().clone(),
        site: Some(site.clone()),
        registry: Arc::new(registry),
    };

    let (shared, announcing) = Shared::start(topic, site.clone(), clock, entropy.clone(), metrics);
    actix_web::rt::spawn(refresh.run(shutdown.clone()));
    actix_web::rt::spawn(vital_signs::log(site.clone(), || None, shutdown.clone()));
    let (probed, jitter, until) = (table(), entropy.clone(), shutdown.clone());
    actix_web::rt::spawn(async move { dependencies.sales_table.watch(jitter, until, || probed.probe()).await });

    tracing::info!(site.region = site.region().as_str(), address = %listen, version = operations.version.version, commit = operations.version.commit, "serving");
    let configure = move || {
        let sales = shared.clone().sales(table());
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

    announcing.finish().await;
    tracing::info!("stopped");
    Ok(())
}
