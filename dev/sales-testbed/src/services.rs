//! The services, as built by cargo.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use tokio::time::{Instant, sleep};

use crate::{
    cargo::cargo_build,
    process::{Process, Program, last_line, log_file},
    resources::RegionResources,
    workspace::Build,
};

const API: &str = "sales-api";
const WORKER: &str = "sales-worker";
const LAKE: &str = "sales-lake";
const OPERATOR: &str = "salesctl";

/// A demonstration does not wait a minute for its rows.
const FOLD_INTERVAL_SECONDS: &str = "5";

/// Longer than a service may take to finish work in flight, shorter than ECS allows.
const GRACE: Duration = Duration::from_secs(25);
const START_DEADLINE: Duration = Duration::from_secs(60);

/// The binaries of the services and of the operator's command line.
#[derive(Debug, Clone)]
pub struct Services {
    api: PathBuf,
    worker: PathBuf,
    lake: PathBuf,
    salesctl: PathBuf,
}

impl Services {
    /// Builds them in the profile of `build`, showing cargo's progress.
    pub async fn build(build: &Build) -> anyhow::Result<Self> {
        // With the features of `cargo local`, so that common dependencies are compiled once.
        cargo_build(build, &["--bin", API, "--bin", WORKER, "--bin", LAKE, "--bin", OPERATOR]).await?;
        Self::built(build)
    }

    /// The existing binaries.
    pub fn built(build: &Build) -> anyhow::Result<Self> {
        let find = |name: &str| {
            let path = build.binary(name);
            if !path.exists() {
                bail!("{} is not built", path.display());
            }
            Ok(path)
        };
        Ok(Self { api: find(API)?, worker: find(WORKER)?, lake: find(LAKE)?, salesctl: find(OPERATOR)? })
    }

    /// Path of the API.
    pub fn api(&self) -> &Path {
        &self.api
    }

    /// Path of the worker.
    pub fn worker(&self) -> &Path {
        &self.worker
    }

    /// Path of the builder of the lake's table.
    pub fn lake(&self) -> &Path {
        &self.lake
    }

    /// Path of the operator's command line.
    pub fn salesctl(&self) -> &Path {
        &self.salesctl
    }

    /// A region's API on `port`, with AWS at `aws_endpoint`, an empty log in the file `log`, and these variables of sign-in.
    pub fn api_of(
        &self,
        region: &RegionResources,
        aws_endpoint: &str,
        port: u16,
        log: &Path,
        sign_in: &[(String, String)],
    ) -> anyhow::Result<ServiceProcess> {
        let name = format!("{API} of {}", region.name);
        let mut environment = region.api_environment();
        environment.extend_from_slice(sign_in);
        ServiceProcess::new(&self.api, name, environment, aws_endpoint, port, log)
    }

    /// A region's worker, with health and metrics on `port`, and otherwise as [`Services::api_of`].
    pub fn worker_of(
        &self,
        region: &RegionResources,
        aws_endpoint: &str,
        port: u16,
        log: &Path,
    ) -> anyhow::Result<ServiceProcess> {
        let name = format!("{WORKER} of {}", region.name);
        ServiceProcess::new(&self.worker, name, region.worker_environment(), aws_endpoint, port, log)
    }

    /// A region's builder of the lake's table, which folds every few seconds, and otherwise as [`Services::worker_of`].
    pub fn lake_of(
        &self,
        region: &RegionResources,
        aws_endpoint: &str,
        port: u16,
        log: &Path,
    ) -> anyhow::Result<ServiceProcess> {
        let name = format!("{LAKE} of {}", region.name);
        let mut environment = region.lake_environment();
        environment.push(("FOLD_INTERVAL_SECONDS".to_owned(), FOLD_INTERVAL_SECONDS.to_owned()));
        ServiceProcess::new(&self.lake, name, environment, aws_endpoint, port, log)
    }
}

/// A service that can be started, killed, and restarted at the same address. Dropping it stops it and waits for its
/// end.
#[derive(Debug)]
pub struct ServiceProcess {
    name: String,
    program: PathBuf,
    environment: Vec<(String, String)>,
    endpoint: String,
    log_path: PathBuf,
    log: File,
    process: Option<Process>,
}

impl ServiceProcess {
    fn new(
        program: &Path,
        name: String,
        mut environment: Vec<(String, String)>,
        aws_endpoint: &str,
        port: u16,
        log: &Path,
    ) -> anyhow::Result<Self> {
        environment.push(("AWS_ENDPOINT_URL".to_owned(), aws_endpoint.to_owned()));
        environment.push(("PORT".to_owned(), port.to_string()));
        Ok(Self {
            name,
            program: program.to_owned(),
            environment,
            endpoint: format!("http://127.0.0.1:{port}"),
            log_path: log.to_owned(),
            log: log_file(log)?,
            process: None,
        })
    }

    /// Starts it, unless it runs, and waits until its health check succeeds. Returns false if it was running.
    pub async fn start(&mut self) -> anyhow::Result<bool> {
        let (process, is_new) = match self.process.take().filter(|process| !process.has_ended()) {
            Some(running) => (running, false),
            None => (self.program()?.start()?, true),
        };
        let process = self.process.insert(process);

        let client = crate::http_client::builder().timeout(Duration::from_secs(5)).build()?;
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            if let Some(code) = process.exit_code() {
                let reason = last_line(&mut self.log);
                bail!("{} ended with {code}: {reason} (its log: {})", self.name, self.log_path.display());
            }
            if is_healthy(&client, &self.endpoint).await {
                return Ok(is_new);
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!(
            "{} did not respond within {} s (its log: {})",
            self.name,
            START_DEADLINE.as_secs(),
            self.log_path.display()
        )
    }

    /// Waits until it has read its region's state. Without it, it would stand by, if SSM were lost right after the start.
    pub async fn knows_its_state(&self) -> anyhow::Result<()> {
        let client = crate::http_client::builder().timeout(Duration::from_secs(5)).build()?;
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            // Answers with 503 while a dependency fails, and names the state all the same.
            if let Ok(answer) = client.get(format!("{}/readiness", self.endpoint)).send().await
                && answer.json::<serde_json::Value>().await.is_ok_and(|readiness| readiness["state"] != "UNKNOWN")
            {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!(
            "{} did not read its region's state within {} s (its log: {})",
            self.name,
            START_DEADLINE.as_secs(),
            self.log_path.display()
        )
    }

    fn program(&self) -> anyhow::Result<Program> {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        Ok(Program::new(&self.program).environment(environment).grace(GRACE).log(self.log.try_clone()?))
    }

    /// Ends it by SIGKILL. Returns false if it was not running.
    pub async fn kill(&mut self) -> bool {
        // This fails only for a process that has exited meanwhile.
        match self.process.take() {
            Some(mut process) => process.kill().await.is_ok(),
            None => false,
        }
    }

    /// Asks it to stop, without waiting.
    pub fn release(&mut self) {
        if let Some(process) = &mut self.process {
            process.release();
        }
    }
}

/// Whether the service at `endpoint` reports that it is healthy.
pub async fn is_healthy(client: &reqwest::Client, endpoint: &str) -> bool {
    let answer = client.get(format!("{endpoint}/healthcheck")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
