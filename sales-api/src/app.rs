//! Assembles the API, and shuts it down in order: intake, requests in flight, announcements.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use prometheus_client::registry::Registry;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::health::{Dependency, Health};
use sales::ports::{KeyStore, SaleTable, SaleTopic, SiteSwitch};
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
use crate::sign_in::fetch::Fetcher;
use crate::sign_in::issuer::KeyRefresh;
use crate::sign_in::settings::Settings;
use crate::sign_in::{Gate, SignIn};

/// Time for the first keys of issuers before the API serves without them.
const FIRST_KEYS: Duration = Duration::from_secs(2);

/// What the API is told about itself.
pub struct Service {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How.
    pub transport: Transport,
    /// Where it runs.
    pub region: Region,
    /// The digest or tag of its image.
    pub image: Option<String>,
    /// How clients sign in; `None` if they do not.
    pub sign_in: Option<Settings>,
}

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
pub struct Ports<W, P, K, T> {
    /// Holds this region's state.
    pub switch: W,
    /// Takes announcements.
    pub topic: P,
    /// Keeps the keys of issuers.
    pub keys: K,
    /// Keeps the sales.
    pub table: T,
}

/// Serves until `shutdown`, then finishes requests in flight.
pub async fn run<W, P, K, T, F>(
    service: Service,
    ports: impl FnOnce(&Dependencies) -> Ports<W, P, K, F>,
    shutdown: CancellationToken,
) -> anyhow::Result<()>
where
    W: SiteSwitch,
    P: SaleTopic,
    K: KeyStore,
    T: SaleTable,
    F: Fn() -> T + Clone + Send + 'static,
{
    let Service { listen, transport, region, image, sign_in } = service;
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
    let Ports { switch, topic, keys, table } = ports(&dependencies);
    let sign_in = start_sign_in(sign_in, &keys, &health, &clock, &entropy, &shutdown)?;
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
        sign_in: Some(sign_in.name()),
    };

    let (shared, announcing) = Shared::start(topic, site.clone(), clock, entropy.clone(), metrics);
    actix_web::rt::spawn(refresh.run(shutdown.clone()));
    actix_web::rt::spawn(vital_signs::log(site.clone(), Some(sign_in.name()), || None, shutdown.clone()));
    let (probed, jitter, until) = (table(), entropy.clone(), shutdown.clone());
    actix_web::rt::spawn(async move { dependencies.sales_table.watch(jitter, until, || probed.probe()).await });

    if let SignIn::On(gate) = &sign_in {
        // No one has to wait for them later, unless an issuer and the store are slow.
        let _ = tokio::time::timeout(FIRST_KEYS, gate.ready()).await;
    }
    tracing::info!(site.region = site.region().as_str(), address = %listen, version = operations.version.version, commit = operations.version.commit, sign_in = sign_in.name(), "serving");
    let configure = move || {
        let sales = shared.clone().sales(table());
        let (operations, requests, entropy) = (operations.clone(), requests.clone(), entropy.clone());
        let sign_in = sign_in.clone();
        move |config: &mut ServiceConfig| {
            config
                .app_data(Data::new(sales))
                .app_data(Data::new(operations))
                .app_data(Data::new(requests))
                .app_data(Data::new(entropy))
                .app_data(Data::new(sign_in))
                .configure(routes::configure::<T>);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    serve(listener, transport, threads, configure, shutdown).await?;

    announcing.finish().await;
    tracing::info!("stopped");
    Ok(())
}

/// Starts to fetch the keys of the issuers, if clients sign in.
fn start_sign_in<K: KeyStore>(
    settings: Option<Settings>,
    keys: &K,
    health: &Health,
    clock: &Clock,
    entropy: &Entropy,
    shutdown: &CancellationToken,
) -> anyhow::Result<SignIn> {
    let Some(Settings { issuers, rules }) = settings else {
        tracing::warn!("sign-in is off: everyone may post, read and cancel every sale (OIDC_ISSUERS is not set)");
        return Ok(SignIn::Off);
    };
    let fetcher = Fetcher::new().context("cannot fetch keys of issuers")?;
    let issuers = issuers.into_iter().map(|(name, source)| {
        // A dependency's name lives as long as the process; there are few issuers.
        let dependency = health.uses(format!("issuer {name}").leak());
        let (issuer, refresh) =
            KeyRefresh::new(&name, source, fetcher.clone(), keys.clone(), dependency, entropy.clone());
        actix_web::rt::spawn(refresh.run(shutdown.clone()));
        issuer
    });
    Ok(SignIn::On(Arc::new(Gate::new(issuers.collect(), rules, clock.clone()))))
}
