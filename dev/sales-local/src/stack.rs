//! All running parts: the emulator, each region's resources and services, and the accelerator's stand-in.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use futures::future::try_join;
use sales_testbed::{
    accelerator::{AcceleratorStandIn, Backend, Dial},
    aws_endpoint::AwsEndpoint,
    dns::Name,
    emulator::{Emulator, Environment, MINISTACK},
    http_client,
    local_ports::LocalPorts,
    process::log_file,
    resources::{Deployment, Location, RegionResources},
    services::Services,
    user_pools::{Credentials, UserPools},
    workspace::Build,
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, MutexGuard},
    time::timeout,
};

use crate::{
    local_region::{LocalRegion, LocalRegionPorts},
    terminal::Steps,
};

/// Prefix of all resource names.
const PREFIX: &str = "local";

const HEALTH_DEADLINE: Duration = Duration::from_secs(30);

/// The fields are in the order of shutdown: first what accepts sales, last what everything else uses.
#[derive(Debug)]
pub(crate) struct Stack {
    accelerator_api: Mutex<AwsEndpoint>,
    accelerator: AcceleratorStandIn,
    name: Name,
    sites: [Mutex<LocalRegion>; 2],
    emulator: Emulator,
    deployment: Deployment,
    user_pools: Option<UserPools>,
    ports: LocalPorts,
    salesctl: PathBuf,
}

/// What is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StackOptions {
    /// Where.
    pub(crate) ports: LocalPorts,
    /// Whether the services are optimised.
    pub(crate) release: bool,
    /// Whether clients sign in.
    pub(crate) sign_in: bool,
}

impl Stack {
    /// Number of steps shown by [`Stack::start`].
    pub(crate) const STEPS: usize = 6;

    /// Builds the services and starts everything, showing each step, with the logs in the directory `logs`.
    pub(crate) async fn start(options: StackOptions, logs: &Path, steps: &mut Steps) -> anyhow::Result<Self> {
        let StackOptions { ports, release, sign_in } = options;
        let build = Build::current()?;
        let shipped = if release { build.clone().released() } else { build.clone() };
        let what =
            format!("building sales-api, sales-worker, sales-lake and salesctl, profile {}", shipped.cargo_profile());
        let services = steps.talking(&what, Services::build(&shipped)).await?;

        let what = format!("getting the AWS emulator, MiniStack {}", MINISTACK.version());
        let environment = steps.quiet(&what, Environment::prepare(&MINISTACK, &build.local_directory())).await?;
        let log = log_file(&logs.join("emulator.log"))?;
        let emulator = Emulator::start_in(&environment, Some(ports.emulator), log);
        let emulator = steps.quiet("starting it", emulator).await?;

        let created =
            try_join(Deployment::create(emulator.endpoint(), PREFIX), user_pools(sign_in, emulator.endpoint()));
        let (deployment, user_pools) = steps.quiet("creating both regions", created).await?;
        let variables =
            user_pools.as_ref().map(|pools| pools.api_environment(&aws_endpoints(&ports))).unwrap_or_default();
        let sites = start_sites(&services, &deployment, emulator.endpoint(), &ports, &variables, logs);
        let sites = steps.quiet("starting the services of each region", sites).await?;
        let what = format!(
            "opening the common addresses, http://localhost:{} and, for DNS, http://localhost:{}",
            ports.front, ports.dns
        );
        let entrances = try_join(start_accelerator(&deployment, &ports), start_name(&deployment, &ports));
        let (accelerator, name) = steps.quiet(&what, entrances).await?;
        let accelerator_api = AwsEndpoint::open(ports.accelerator, accelerator.control_endpoint()).await?;
        let (accelerator_api, sites) = (Mutex::new(accelerator_api), sites.map(Mutex::new));
        let salesctl = services.salesctl().to_owned();
        Ok(Self { accelerator_api, accelerator, name, sites, emulator, deployment, user_pools, ports, salesctl })
    }

    /// Both regions' resources.
    pub(crate) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The accelerator's stand-in.
    pub(crate) fn accelerator(&self) -> &AcceleratorStandIn {
        &self.accelerator
    }

    /// The stand-in for the DNS name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Location of the resources.
    pub(crate) fn place(&self) -> Location {
        Location { endpoint: self.emulator.endpoint().to_owned(), prefix: PREFIX.to_owned() }
    }

    /// The common address of both regions.
    pub(crate) fn address(&self) -> String {
        format!("http://localhost:{}", self.ports.front)
    }

    /// The address of the stand-in for the DNS name.
    pub(crate) fn dns_address(&self) -> String {
        format!("http://localhost:{}", self.ports.dns)
    }

    /// The region at this position, locked for a change.
    pub(crate) async fn site(&self, position: usize) -> MutexGuard<'_, LocalRegion> {
        self.sites[position].lock().await
    }

    /// Address of AWS in the region at this position.
    pub(crate) fn aws_endpoint(&self, position: usize) -> String {
        aws_endpoints(&self.ports)[position].clone()
    }

    /// For each region, the command with which a client gets a token from its pool; none if clients do not sign in.
    pub(crate) fn token_commands(&self, client: &str) -> Option<[String; 2]> {
        let credentials = self.user_pools.as_ref()?.credentials(client);
        let [first, second] = [0, 1].map(|position| {
            let Credentials { id, secret } = credentials[position]?;
            let endpoint = self.aws_endpoint(position);
            Some(format!("curl -sf -u {id}:{secret} {endpoint}/oauth2/token -d grant_type=client_credentials"))
        });
        Some([first?, second?])
    }

    /// Global Accelerator's API, locked for a change.
    pub(crate) async fn accelerator_api(&self) -> MutexGuard<'_, AwsEndpoint> {
        self.accelerator_api.lock().await
    }

    /// Address of Global Accelerator's API.
    pub(crate) fn accelerator_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.accelerator)
    }

    /// ARN of the accelerator.
    pub(crate) fn accelerator_arn(&self) -> &str {
        self.accelerator.accelerator_arn().unwrap_or_default()
    }

    /// The operator's command line, built with the services.
    pub(crate) fn salesctl(&self) -> &Path {
        &self.salesctl
    }

    /// Each region with the addresses of its API, its worker and its builder of the lake's table.
    pub(crate) fn regions(&self) -> [(&RegionResources, [String; 3]); 2] {
        let address = |port| format!("http://localhost:{port}");
        [0, 1].map(|position| {
            let LocalPorts { apis, workers, lakes, .. } = &self.ports;
            (&self.deployment.regions[position], [apis, workers, lakes].map(|ports| address(ports[position])))
        })
    }

    /// An error if an essential process has exited unexpectedly.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.emulator.has_ended() {
            bail!("the AWS emulator exited unexpectedly");
        }
        Ok(())
    }
}

impl Drop for Stack {
    /// Stops all services at once, and then waits for each.
    fn drop(&mut self) {
        for site in &mut self.sites {
            site.get_mut().release();
        }
    }
}

async fn start_sites(
    services: &Services,
    deployment: &Deployment,
    aws: &str,
    ports: &LocalPorts,
    sign_in: &[(String, String)],
    logs: &Path,
) -> anyhow::Result<[LocalRegion; 2]> {
    let [first, second] = [0, 1].map(|position| {
        let [aws_port, api, worker, lake] =
            [ports.aws, ports.apis, ports.workers, ports.lakes].map(|ports| ports[position]);
        let ports = LocalRegionPorts { aws: aws_port, api, worker, lake };
        LocalRegion::open(services, &deployment.regions[position], aws, ports, sign_in, logs)
    });
    let (mut first, mut second) = try_join(first, second).await?;
    try_join(first.start(), second.start()).await?;
    try_join(first.know_their_state(), second.know_their_state()).await?;
    Ok([first, second])
}

async fn user_pools(sign_in: bool, endpoint: &str) -> anyhow::Result<Option<UserPools>> {
    if !sign_in {
        return Ok(None);
    }
    Ok(Some(UserPools::create(&http_client::builder().build()?, endpoint).await?))
}

fn aws_endpoints(ports: &LocalPorts) -> [String; 2] {
    ports.aws.map(|port| format!("http://127.0.0.1:{port}"))
}

/// At first, the first region is ACTIVE and gets all traffic.
async fn start_accelerator(deployment: &Deployment, ports: &LocalPorts) -> anyhow::Result<AcceleratorStandIn> {
    let backends = deployment.regions.iter().zip(ports.apis).zip([Dial::FULL, Dial::OFF]);
    let backends = backends.map(|((region, port), dial)| Backend {
        region: region.name.clone(),
        address: (Ipv4Addr::LOCALHOST, port).into(),
        dial,
    });
    // Its API is on a port of its own choice, behind an endpoint that can be lost.
    let accelerator = AcceleratorStandIn::start(listen(ports.front).await?, listen(0).await?, backends.collect())?;
    timeout(HEALTH_DEADLINE, accelerator.all_healthy()).await.context("the APIs did not become healthy in time")?;
    Ok(accelerator)
}

async fn start_name(deployment: &Deployment, ports: &LocalPorts) -> anyhow::Result<Name> {
    let apis = deployment.regions.iter().zip(ports.apis);
    let apis = apis.map(|(region, port)| (region.name.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    let name = Name::start(listen(ports.dns).await?, apis)?;
    timeout(HEALTH_DEADLINE, name.all_checked())
        .await
        .context("the health checks of the DNS name did not complete in time")?;
    Ok(name)
}

/// Listens on a port of this machine only.
pub(crate) async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| format!("cannot listen on port {port}"))
}
