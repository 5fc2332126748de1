//! The services under measurement: their variables, and their start.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use sales_testbed::cargo::cargo_build;
use sales_testbed::process::{Process, Program, last_line, log_file};
use sales_testbed::services::is_healthy;
use sales_testbed::workspace::Build;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::cores::Cores;
use crate::endpoint::Endpoint;
use crate::usage;

/// The table of the sales.
pub(crate) const SALES_TABLE: &str = "sales";
/// The table of the marks.
pub(crate) const IDEMPOTENCY_TABLE: &str = "sales-idempotency";
/// The topic's ARN.
pub(crate) const TOPIC: &str = "arn:aws:sns:sa-east-1:000000000000:sales";
/// The queue's URL. Whatever its host, calls go to the endpoint.
pub(crate) const QUEUE: &str = "https://sqs.sa-east-1.amazonaws.com/000000000000/sales";
/// The lake's bucket.
pub(crate) const LAKE: &str = "sales-lake";

const API: &str = "sales-api";
const WORKER: &str = "sales-worker";
const START_DEADLINE: Duration = Duration::from_secs(30);

/// The binaries of both services.
#[derive(Debug)]
pub(crate) struct Binaries {
    api: PathBuf,
    worker: PathBuf,
}

impl Binaries {
    /// Those in `directory`.
    ///
    /// # Errors
    /// If one is missing.
    pub(crate) fn in_directory(directory: &Path) -> anyhow::Result<Self> {
        let find = |name: &str| {
            let path = directory.join(name);
            if !path.is_file() {
                bail!("{} is missing: --services names the directory that holds {API} and {WORKER}", path.display());
            }
            Ok(path)
        };
        Ok(Self { api: find(API)?, worker: find(WORKER)? })
    }

    /// Builds them with the features of their images, showing cargo's progress.
    ///
    /// # Errors
    /// If the build fails.
    pub(crate) async fn build() -> anyhow::Result<Self> {
        let build = Build::current()?;
        cargo_build(&build, &["--locked", "--package", API, "--package", WORKER]).await?;
        Self::in_directory(&build.target.join(&build.profile))
    }
}

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The API.
    Api,
    /// The worker.
    Worker,
}

/// Resources that a service has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// CPU time.
    pub(crate) cpu: Duration,
    /// Bytes of log.
    pub(crate) logged: u64,
}

impl Used {
    /// The difference since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { cpu: self.cpu - before.cpu, logged: self.logged - before.logged }
    }
}

/// A running service. Dropping it stops it.
pub(crate) struct MeasuredService {
    kind: Kind,
    process: Process,
    log: File,
    /// Its port.
    pub(crate) port: u16,
    /// Time from its start to its first response with 200, to `GET /healthcheck`.
    pub(crate) first_answer: Duration,
    _directory: TempDir,
}

impl MeasuredService {
    /// Starts a service with AWS at `endpoint` and additional variables, and waits until it responds.
    ///
    /// # Errors
    /// If it does not.
    pub(crate) async fn start(
        binaries: &Binaries,
        kind: Kind,
        endpoint: &Endpoint,
        cores: &Cores,
        variables: &[(&'static str, &str)],
    ) -> anyhow::Result<Self> {
        let path = match kind {
            Kind::Api => &binaries.api,
            Kind::Worker => &binaries.worker,
        };
        let directory = tempfile::tempdir()?;
        let mut log = log_file(&directory.path().join("log"))?;
        let [port] = sales_testbed::tcp_ports::free()?;
        let more = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let variables = environment(endpoint, port).into_iter().chain(more).collect::<Vec<_>>();
        let program = Program::new(path).environment(variables).log(log.try_clone()?);
        let started = Instant::now();
        let process = cores.for_service(|| program.start())?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let own = format!("http://127.0.0.1:{port}");
        while !is_healthy(&client, &own).await {
            if let Some(code) = process.exit_code() {
                bail!("{} ended with {code}: {}", path.display(), last_line(&mut log));
            }
            if started.elapsed() > START_DEADLINE {
                bail!("{} did not respond within {} s", path.display(), START_DEADLINE.as_secs());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(Self { kind, process, log, port, first_answer: started.elapsed(), _directory: directory })
    }

    /// Resources used so far.
    ///
    /// # Errors
    /// If it has exited.
    pub(crate) fn used(&mut self) -> anyhow::Result<Used> {
        let cpu = usage::cpu_time(self.process.id()).with_context(|| last_line(&mut self.log))?;
        Ok(Used { cpu, logged: self.log.metadata()?.len() })
    }

    /// The last line of its log.
    pub(crate) fn last_line(&mut self) -> String {
        last_line(&mut self.log)
    }

    /// Peak memory, in bytes.
    ///
    /// # Errors
    /// If it has exited.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        usage::peak_memory(self.process.id())
    }

    /// Stops it like its supervisor.
    ///
    /// # Errors
    /// If its exit code is wrong.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        match self.process.stop().await {
            0 => Ok(()),
            code => bail!("the service {:?} ended with {code}: {}", self.kind, last_line(&mut self.log)),
        }
    }
}

/// The variables of both services.
fn environment(endpoint: &Endpoint, port: u16) -> Vec<(&'static str, String)> {
    let mut variables = endpoint.environment();
    let fixed = [
        ("SNS_SALES_PROCESSING_TOPIC", TOPIC),
        ("SQS_SALES_QUEUE", QUEUE),
        ("SSM_PARAMETER_STORE_STATE", "/sales/site/state"),
        ("DYNAMO_SALES_TABLE", SALES_TABLE),
        ("DYNAMO_SALES_IDEMPOTENCY_TABLE", IDEMPOTENCY_TABLE),
        ("S3_SALES_BUCKET", LAKE),
        ("BIND_HOST", "127.0.0.1"),
    ];
    variables.extend(fixed.map(|(name, value)| (name, value.to_owned())));
    variables.push(("PORT", port.to_string()));
    variables
}
