//! Two regions of a test's own, with services running on them.

use std::{
    io::{Read, Seek},
    path::{Path, PathBuf},
    time::Duration,
};

use aws_config::SdkConfig;
use tokio::{sync::OnceCell, time::sleep};

use super::{DEADLINE, FaultProxy, client, sdk};
use crate::{
    emulator::Emulator,
    process::{Process, Program},
    resources::{Deployment, RegionResources},
    tcp_ports,
};

/// One for all tests of a process; its keeper stops it when the process ends.
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// Two regions of a test's own, behind a proxy of its own.
#[derive(Debug)]
pub struct Stage {
    /// The resources; their own calls bypass the proxy.
    pub deployment: Deployment,
    /// The proxy for the services' calls.
    pub proxy: FaultProxy,
    endpoint: String,
}

impl Stage {
    /// A stage whose resources have the prefix `prefix`, which must be unique in the process.
    pub async fn set(prefix: &str) -> anyhow::Result<Self> {
        let emulator = EMULATOR.get_or_try_init(async || Emulator::start(None).await).await?;
        let deployment = Deployment::create(emulator.endpoint(), prefix).await?;
        let proxy = FaultProxy::start(emulator.endpoint()).await?;
        Ok(Self { deployment, proxy, endpoint: emulator.endpoint().to_owned() })
    }

    /// The region that is initially ACTIVE.
    pub fn active(&self) -> &RegionResources {
        &self.deployment.regions[0]
    }

    /// The region that is initially PASSIVE.
    pub fn passive(&self) -> &RegionResources {
        &self.deployment.regions[1]
    }

    /// For AWS clients of the test, bypassing the proxy.
    pub fn sdk(&self, region: &RegionResources) -> SdkConfig {
        sdk(&self.endpoint, &region.name)
    }

    /// One more proxy, to make the calls of a single service fail.
    pub async fn own_proxy(&self) -> anyhow::Result<FaultProxy> {
        FaultProxy::start(&self.endpoint).await
    }

    /// Starts a service on a free port and waits until it serves. `extra` overrides `environment`.
    pub async fn start(
        &self,
        program: &str,
        environment: Vec<(String, String)>,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<Running> {
        Launch::new(Path::new(program), &self.proxy, environment, extra)?.start().await
    }
}

/// How to start a service, repeatedly, at the same address.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    environment: Vec<(String, String)>,
    port: u16,
}

impl Launch {
    /// On a free port, behind `proxy`. `extra` overrides `environment`.
    pub fn new(
        program: &Path,
        proxy: &FaultProxy,
        mut environment: Vec<(String, String)>,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let [port] = tcp_ports::free()?;
        let place = [("AWS_ENDPOINT_URL", proxy.endpoint()), ("BIND_HOST", "127.0.0.1"), ("PORT", &port.to_string())];
        environment.extend(place.iter().chain(extra).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Ok(Self { program: program.to_owned(), environment, port })
    }

    /// Its address while it runs.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the service and waits until it serves.
    pub async fn start(&self) -> anyhow::Result<Running> {
        // Appended, since reading moves the position that is shared with the service.
        let log = tempfile::Builder::new().append(true).tempfile()?.into_file();
        let process = Program::new(&self.program)
            .environment(self.environment.iter().map(|(name, value)| (name, value)))
            .grace(Duration::from_secs(25))
            .log(log.try_clone()?)
            .start()?;
        let mut running = Running { url: self.url(), process, log };
        let client = client();
        let healthcheck = format!("{}/healthcheck", running.url);
        let serving = async {
            while client.get(&healthcheck).send().await.is_err() {
                anyhow::ensure!(!running.process.has_ended(), "it ended");
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        let served = tokio::time::timeout(DEADLINE, serving).await.map_err(anyhow::Error::from).flatten();
        served.map_err(|error| error.context(running.log()))?;
        Ok(running)
    }
}

/// A service under test; it stops when dropped.
#[derive(Debug)]
pub struct Running {
    /// Its address.
    pub url: String,
    /// Its process.
    pub process: Process,
    log: std::fs::File,
}

impl Running {
    /// Its log so far.
    pub fn log(&mut self) -> String {
        let mut text = String::new();
        let read = self.log.rewind().and_then(|()| self.log.read_to_string(&mut text));
        read.map_or_else(|error| error.to_string(), |_| text)
    }

    /// The last vital signs in its log.
    pub fn vital_signs(&mut self) -> Option<serde_json::Value> {
        let log = self.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.rfind(|line| line["message"] == "vital signs")
    }
}
