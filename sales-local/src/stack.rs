//! Everything that runs: the emulator, each region's resources and services, and the edge in front.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use anyhow::{Context, bail};
use futures::future::try_join_all;
use sales_local::{
    edge::{Backend, Dial, Edge},
    emulator::{self, Emulator, Environment},
    process::log_file,
    resources::{Deployment, Place, Region},
    services::{Service, Services},
    workspace::Build,
};
use tokio::{net::TcpListener, time::timeout};

use crate::{cli::UpOptions, terminal::Steps};

/// The prefix of all names in AWS.
const PREFIX: &str = "local";

const HEALTH_DEADLINE: Duration = Duration::from_secs(30);

/// The fields are in the order in which they stop: first what takes sales in, last what everything else uses.
#[derive(Debug)]
pub(crate) struct Stack {
    edge: Edge,
    services: Vec<Service>,
    emulator: Emulator,
    deployment: Deployment,
    ports: UpOptions,
}

impl Stack {
    /// How many steps [`Stack::start`] shows.
    pub(crate) const STEPS: usize = 6;

    /// Builds the services and starts everything, showing each step, with the logs in the directory `logs`.
    pub(crate) async fn start(ports: UpOptions, logs: &Path, steps: &mut Steps) -> anyhow::Result<Self> {
        let build = Build::current()?;
        let what = format!("building sales-api and sales-worker ({})", build.profile);
        let services = steps.talking(&what, Services::build()).await?;

        let what = format!("getting the AWS emulator, MiniStack {}", emulator::version());
        let environment = steps.quiet(&what, Environment::prepare(&build.local_directory())).await?;
        let log = log_file(&logs.join("emulator.log"))?;
        let emulator = Emulator::start_in(&environment, Some(ports.emulator_port), log);
        let emulator = steps.quiet("starting it", emulator).await?;

        let deployment = Deployment::create(emulator.endpoint(), PREFIX);
        let deployment = steps.quiet("creating both regions", deployment).await?;
        let services = start_services(&services, &deployment, &ports, logs);
        let services = steps.quiet("starting the API and the worker of each region", services).await?;
        let what = format!("opening the one address in front of them, http://localhost:{}", ports.port);
        let edge = steps.quiet(&what, start_edge(&deployment, &ports)).await?;
        Ok(Self { edge, services, emulator, deployment, ports })
    }

    /// Both regions' resources.
    pub(crate) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The edge.
    pub(crate) fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Where the resources are.
    pub(crate) fn place(&self) -> Place {
        Place { endpoint: self.emulator.endpoint().to_owned(), prefix: PREFIX.to_owned() }
    }

    /// The address in front of both regions.
    pub(crate) fn address(&self) -> String {
        format!("http://localhost:{}", self.ports.port)
    }

    /// Each region with the addresses of its API and its worker.
    pub(crate) fn regions(&self) -> [(&Region, String, String); 2] {
        let address = |port| format!("http://localhost:{port}");
        [0, 1].map(|position| {
            let (api, worker) = (self.ports.api_ports.0[position], self.ports.worker_ports.0[position]);
            (&self.deployment.regions[position], address(api), address(worker))
        })
    }

    /// An error once something that nothing can go on without has ended by itself.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.emulator.has_ended() {
            bail!("the AWS emulator has ended by itself");
        }
        Ok(())
    }
}

impl Drop for Stack {
    /// All services stop side by side, and only then are waited for, one after the other.
    fn drop(&mut self) {
        for service in &mut self.services {
            service.process().release();
        }
    }
}

async fn start_services(
    services: &Services,
    deployment: &Deployment,
    ports: &UpOptions,
    logs: &Path,
) -> anyhow::Result<Vec<Service>> {
    let mut started = Vec::new();
    for (position, region) in deployment.regions.iter().enumerate() {
        let log = |service: &str| logs.join(format!("{}-{service}.log", region.name));
        started.push(services.start_api(region, ports.api_ports.0[position], &log("api"))?);
        started.push(services.start_worker(region, ports.worker_ports.0[position], &log("worker"))?);
    }
    try_join_all(started.iter_mut().map(Service::wait_until_serving)).await?;
    Ok(started)
}

/// All traffic goes to the first region, the ACTIVE one, at first.
async fn start_edge(deployment: &Deployment, ports: &UpOptions) -> anyhow::Result<Edge> {
    let backends = deployment.regions.iter().zip(ports.api_ports.0).zip([Dial::FULL, Dial::OFF]);
    let backends = backends.map(|((region, port), dial)| Backend {
        region: region.name.clone(),
        address: (Ipv4Addr::LOCALHOST, port).into(),
        dial,
    });
    let edge = Edge::start(listen(ports.port).await?, listen(ports.accelerator_port).await?, backends.collect())?;
    timeout(HEALTH_DEADLINE, edge.all_healthy()).await.context("the health checks of the APIs do not succeed")?;
    Ok(edge)
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| format!("port {port} cannot be opened"))
}
