//! Assembles the builder, and shuts it down in order: its work, then the HTTP side.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use anyhow::{Context as _, bail};
use prometheus_client::registry::Registry;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::health::{Dependency, Health};
use sales::ports::{LakeStore, Leases};
use sales_service::http::Transport;
use sales_service::http::operations::{Operations, Version};
use sales_service::http::requests::RequestMetrics;
use sales_service::http::server::serve;
use tokio_util::sync::CancellationToken;

use crate::builder::{Builder, Ending, Reach, Work};
use crate::config::Config;
use crate::lease::TableLease;
use crate::maintain::Maintenance;
use crate::metrics::Metrics;
use crate::service::{Worker, fold, log_vital_signs};

/// The builder's dependencies.
pub struct Dependencies {
    /// Required by all others.
    pub credentials: Dependency,
    /// Holds the journal and the table.
    pub lake: Dependency,
    /// Holds the lease. If it fails, the fold goes on without.
    pub leases: Dependency,
}

/// Folds until `shutdown`, or once.
pub async fn run<S: LakeStore, L: Leases>(
    config: &Config,
    ports: impl FnOnce(&Dependencies) -> (S, L),
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut registry = Registry::default();
    let health = Health::new(&mut registry);
    let dependencies = Dependencies {
        credentials: health.needs("credentials"),
        lake: health.needs("lake"),
        leases: health.uses("idempotency-table"),
    };
    let (store, leases) = ports(&dependencies);
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let metrics = Metrics::new(&mut registry);
    let builder = Builder::new(store, clock.clone(), entropy.clone(), metrics.clone());
    if config.once {
        return once(builder, &metrics, &shutdown).await;
    }
    let lease = TableLease::new(leases, clock.clone(), &entropy);
    let worker = Worker { builder, lease, maintenance: Maintenance::default(), metrics: metrics.clone() };
    let signs = log_vital_signs(metrics, clock, shutdown.clone());
    serve_beside(config, health, registry, worker, signs, shutdown).await
}

async fn serve_beside<S: LakeStore, L: Leases>(
    config: &Config,
    health: Health,
    mut registry: Registry,
    worker: Worker<S, L>,
    signs: impl Future<Output = ()> + 'static,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listen = config.listen;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen} (PORT, BIND_HOST)"))?;
    let requests = RequestMetrics::new(&mut registry);
    let version = Version::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), config.image.clone());
    let region = config.region.clone();
    let registry = Arc::new(registry);
    let operations = Operations { version, health, region, site: None, registry, sign_in: None };
    tracing::info!(site.region = config.region.as_str(), address = %listen, version = operations.version.version, commit = operations.version.commit, "working");
    actix_web::rt::spawn(signs);
    let http_shutdown = CancellationToken::new();
    let configure = move || {
        let (operations, requests) = (operations.clone(), requests.clone());
        move |config: &mut ServiceConfig| {
            config.app_data(Data::new(operations)).app_data(Data::new(requests));
        }
    };
    let mut serving = actix_web::rt::spawn(serve(listener, Transport::Plain, 1, configure, http_shutdown.clone()));
    tokio::select! {
        ended = &mut serving => return Ok(ended??),
        () = worker.run(config.interval, shutdown) => {}
    }
    http_shutdown.cancel();
    serving.await??;
    tracing::info!("stopped");
    Ok(())
}

/// Folds everything, and says what was done.
async fn once<S: LakeStore>(
    mut builder: Builder<S>,
    metrics: &Metrics,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let is_terminal = io::stderr().is_terminal();
    let progress = |work: Work| {
        if is_terminal {
            // What cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r{} objects, {} lines, {} commits", work.objects, work.lines, work.commits);
        }
    };
    let Some(folded) = shutdown.run_until_cancelled(fold(&mut builder, Reach::All, progress)).await else {
        bail!("stopped by a signal: what was committed is in the table")
    };
    if is_terminal {
        let _ = writeln!(io::stderr());
    }
    if folded? == Ending::Overtaken {
        bail!("other builders' commits came first every time: is another builder at work?")
    }
    Maintenance::default().run(&mut builder).await?;
    let Work { objects, lines, foreign, commits } = builder.work();
    let mut output = io::stdout().lock();
    writeln!(
        output,
        "folded {objects} objects with {lines} lines ({foreign} foreign) in {commits} commits; the table has {} rows in {} \
         files at version {}",
        metrics.rows.get(),
        metrics.files.get(),
        metrics.version.get(),
    )?;
    Ok(output.flush()?)
}
