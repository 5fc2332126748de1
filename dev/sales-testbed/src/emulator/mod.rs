//! The AWS emulators: MiniStack, which has all that the services need, and moto, which has some of what only Terraform
//! needs. Each has its own Python environment.

mod environment;
mod install;
mod python;

use std::{
    fs::File,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use environment::Kind;
pub use environment::{Environment, MINISTACK, MOTO, Package, READERS};

use crate::{
    process::{Process, Program, last_line},
    resources::ACCOUNT,
    tcp_ports,
    workspace::Build,
};

/// moto's server, with additions.
const MOTO_SERVER: &str = include_str!("moto.py");

/// Starts MiniStack.
const MINISTACK_SERVER: &str = include_str!("ministack.py");

/// Starting takes about two seconds of CPU time, and much longer on a machine that is busy compiling.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Maximum attempts to start on a free port, if another process takes the port first.
const FREE_PORT_ATTEMPTS: usize = 5;

/// A running emulator, initially empty; it stops when dropped.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    process: Process,
}

impl Emulator {
    /// Starts MiniStack on `port`, or on a free one. The first start installs it, which takes some seconds.
    pub async fn start(port: Option<u16>) -> anyhow::Result<Self> {
        let environment = Environment::prepare(&MINISTACK, &Build::current()?.local_directory()).await?;
        // An unnamed file: it is read if the start fails, and needs no cleanup.
        Self::start_in(&environment, port, tempfile::tempfile()?).await
    }

    /// Starts the emulator from an existing environment, with its log in the file `log`.
    pub async fn start_in(environment: &Environment, port: Option<u16>, mut log: File) -> anyhow::Result<Self> {
        let attempts = if port.is_some() { 1 } else { FREE_PORT_ATTEMPTS };
        for _ in 0..attempts {
            let port = match port {
                Some(port) => port,
                None => tcp_ports::free::<1>()?[0],
            };
            let identity = Identity::new();
            let kind = environment.package().emulator.context("the environment has no emulator")?;
            let program = match kind {
                Kind::MiniStack => ministack(environment, port, &identity),
                Kind::Moto => moto(environment, port),
            };
            let mut process = program.log(log.try_clone()?).start()?;
            let endpoint = format!("http://127.0.0.1:{port}");
            if is_serving(kind, &endpoint, &identity, &mut process).await? {
                return Ok(Self { endpoint, process });
            }
        }
        bail!("the emulator exited at startup: {}", last_line(&mut log))
    }

    /// Address of every AWS service in it, `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has exited unexpectedly.
    pub fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// Stops it and waits for its end, without blocking the thread as dropping it does.
    pub async fn stop(mut self) {
        self.process.stop().await;
    }
}

fn ministack(environment: &Environment, port: u16, identity: &Identity) -> Program {
    Program::new(environment.python())
        .arguments(["-I", "-u", "-c", MINISTACK_SERVER])
        // It stores nothing, and would wait for its clients to close their connections.
        .grace(Duration::from_secs(1))
        .environment([
            ("GATEWAY_PORT", port.to_string().as_str()),
            ("BIND_HOST", "127.0.0.1"),
            ("MINISTACK_HOST", "127.0.0.1"),
            ("MINISTACK_EDITION", &identity.0),
            ("IOT_MTLS_ENABLED", "0"),
            ("LOG_LEVEL", "WARNING"),
        ])
        .environment([("TMPDIR", environment.temporary())])
        .directory(environment.temporary())
}

fn moto(environment: &Environment, port: u16) -> Program {
    Program::new(environment.python())
        .arguments(["-I", "-u", "-c", MOTO_SERVER, "-H", "127.0.0.1", "-p", &port.to_string()])
        .grace(Duration::from_secs(1))
        // Without its machine images, which are not used here, and without the minute until certificates are valid.
        .environment([("MOTO_EC2_LOAD_DEFAULT_AMIS", "false"), ("MOTO_ACM_VALIDATION_WAIT", "0")])
        .environment([("MOTO_ACCOUNT_ID", ACCOUNT)])
        .environment([("TMPDIR", environment.temporary())])
        .directory(environment.temporary())
}

/// MiniStack repeats this in its health response, so that another instance that took the port first is not mistaken for
/// it.
#[derive(Debug, PartialEq, Eq)]
struct Identity(String);

impl Identity {
    fn new() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        Self(format!("sales-local-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed)))
    }
}

#[derive(Deserialize)]
struct Health {
    edition: String,
}

/// Waits until the emulator responds; false if it exited instead, as it does when its port is taken.
async fn is_serving(kind: Kind, endpoint: &str, identity: &Identity, process: &mut Process) -> anyhow::Result<bool> {
    let client = crate::http_client::builder().timeout(Duration::from_secs(5)).build()?;
    let deadline = Instant::now() + START_DEADLINE;
    while Instant::now() < deadline {
        if process.has_ended() {
            return Ok(false);
        }
        let serves = match kind {
            Kind::MiniStack => ministack_serves(&client, endpoint, identity).await,
            Kind::Moto => moto_serves(&client, endpoint).await,
        };
        if serves.unwrap_or(false) {
            return Ok(true);
        }
        sleep(Duration::from_millis(20)).await;
    }
    bail!("the emulator did not respond at {endpoint} within {} s", START_DEADLINE.as_secs())
}

async fn ministack_serves(client: &reqwest::Client, endpoint: &str, identity: &Identity) -> reqwest::Result<bool> {
    let health: Health = client.get(format!("{endpoint}/_ministack/health")).send().await?.json().await?;
    Ok(health.edition == identity.0)
}

/// It has no way to distinguish it from another one that took the port first.
async fn moto_serves(client: &reqwest::Client, endpoint: &str) -> reqwest::Result<bool> {
    Ok(client.get(format!("{endpoint}/moto-api/data.json")).send().await?.status().is_success())
}
