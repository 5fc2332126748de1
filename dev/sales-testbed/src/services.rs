//! The services themselves, as cargo builds them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep};

use crate::{
    process::{Process, Program, last_line, log_file},
    resources::Region,
    workspace::{self, Build},
};

const API: &str = "sales-api";
const WORKER: &str = "sales-worker";
const OPERATOR: &str = "salesctl";

/// Longer than a service may take for what is in flight, shorter than what ECS allows.
const GRACE: Duration = Duration::from_secs(25);
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Lets cargo build programs of the workspace in the profile of `build`; its progress is shown.
pub async fn cargo_build(build: &Build, programs: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Program::new(cargo)
        .arguments(["build"])
        .arguments(programs)
        .arguments(["--profile", build.cargo_profile(), "--target-dir"])
        .arguments([&build.target])
        // For the platform that this program was built for, by whatever told cargo so.
        .arguments(build.triple.iter().flat_map(|triple| ["--target", triple]))
        .directory(workspace::root())
        .inherits_environment()
        .start()?;
    match cargo.wait().await {
        0 => Ok(()),
        127 => bail!("cargo, which builds the services, is not on the PATH"),
        _ => bail!("the services could not be built: cargo said why above"),
    }
}

/// The binaries of both services, and of what operates them.
#[derive(Debug, Clone)]
pub struct Services {
    api: PathBuf,
    worker: PathBuf,
    salesctl: PathBuf,
}

impl Services {
    /// Builds them in the profile of `build`; cargo's progress is shown.
    pub async fn build(build: &Build) -> anyhow::Result<Self> {
        // As `cargo local` builds this program, so that what all of them have in common is compiled once.
        cargo_build(build, &["--bin", API, "--bin", WORKER, "--bin", OPERATOR]).await?;
        Self::built(build)
    }

    /// Those that are already built.
    pub fn built(build: &Build) -> anyhow::Result<Self> {
        let find = |name: &str| {
            let path = build.binary(name);
            if !path.exists() {
                bail!("{} is not built", path.display());
            }
            Ok(path)
        };
        Ok(Self { api: find(API)?, worker: find(WORKER)?, salesctl: find(OPERATOR)? })
    }

    /// Where the API's binary is.
    pub fn api(&self) -> &Path {
        &self.api
    }

    /// Where the worker's binary is.
    pub fn worker(&self) -> &Path {
        &self.worker
    }

    /// Where the operator's command line is.
    pub fn salesctl(&self) -> &Path {
        &self.salesctl
    }

    /// A region's API on `port`, which reaches AWS at `aws_endpoint`, with an empty log in the file `log`.
    pub fn api_of(&self, region: &Region, aws_endpoint: &str, port: u16, log: &Path) -> anyhow::Result<Service> {
        let name = format!("{API} of {}", region.name);
        Service::new(&self.api, name, region.api_environment(), aws_endpoint, port, log)
    }

    /// A region's worker, its health and metrics on `port`, and otherwise as [`Services::api_of`].
    pub fn worker_of(&self, region: &Region, aws_endpoint: &str, port: u16, log: &Path) -> anyhow::Result<Service> {
        let name = format!("{WORKER} of {}", region.name);
        Service::new(&self.worker, name, region.worker_environment(), aws_endpoint, port, log)
    }
}

/// A service that can be started, killed, and started again at the same place. Dropping it stops it and waits for its
/// end.
#[derive(Debug)]
pub struct Service {
    name: String,
    program: PathBuf,
    environment: Vec<(String, String)>,
    endpoint: String,
    log_path: PathBuf,
    log: File,
    process: Option<Process>,
}

impl Service {
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

    /// Starts it, unless it runs, and waits until its health check succeeds. False when it ran before.
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
            "{} did not answer within {} s (its log: {})",
            self.name,
            START_DEADLINE.as_secs(),
            self.log_path.display()
        )
    }

    fn program(&self) -> anyhow::Result<Program> {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        Ok(Program::new(&self.program).environment(environment).grace(GRACE).log(self.log.try_clone()?))
    }

    /// Ends it by SIGKILL. False when it did not run.
    pub async fn kill(&mut self) -> bool {
        // It fails only for a process that has ended by itself meanwhile.
        match self.process.take() {
            Some(mut process) => process.kill().await.is_ok(),
            None => false,
        }
    }

    /// Asks it to stop, and does not wait for that.
    pub fn release(&mut self) {
        if let Some(process) = &mut self.process {
            process.release();
        }
    }
}

/// Whether the service at `endpoint` says that it is healthy.
pub async fn is_healthy(client: &reqwest::Client, endpoint: &str) -> bool {
    let answer = client.get(format!("{endpoint}/healthcheck")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// The value of a counter in OpenMetrics text, summed over its labels; none when it is not there.
pub async fn counter(client: &reqwest::Client, endpoint: &str, name: &str) -> anyhow::Result<Option<u64>> {
    let answer = client.get(format!("{endpoint}/metrics")).send().await?.error_for_status()?;
    Ok(sum_samples(&answer.text().await.context("the metrics broke off")?, name))
}

fn sum_samples(metrics: &str, name: &str) -> Option<u64> {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { end_of_labels(rest)? } else { rest.strip_prefix(' ')? };
        rest.split_whitespace().next()?.parse::<f64>().ok()
    });
    // Counts of sales are far below where floats lose integers.
    samples.map(|value| value as u64).reduce(|one, other| one + other)
}

/// What follows the labels, whose quoted values may hold braces themselves.
fn end_of_labels(labels: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    for (position, character) in labels.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(&labels[position + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let metrics = "# TYPE sales_accepted counter\n\
                       sales_accepted_total{kind=\"new\"} 40\n\
                       sales_accepted_total{kind=\"a } \\\" b\"} 2.0 1700000000 # {trace=\"1\"} 1\n\
                       sales_accepted_total_of_others 7\n\
                       # EOF\n";
        assert_eq!(sum_samples(metrics, "sales_accepted_total"), Some(42));
    }

    #[test]
    fn a_counter_without_labels_is_read_and_a_missing_one_is_told() {
        assert_eq!(sum_samples("sales_accepted_total 3\n", "sales_accepted_total"), Some(3));
        assert_eq!(sum_samples("# EOF\n", "sales_accepted_total"), None);
    }
}
