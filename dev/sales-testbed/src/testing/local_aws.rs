//! AWS only, as started by `cargo local aws`.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{Sandbox, serves};
use crate::{
    emulator::{MINISTACK, MOTO},
    process::{Process, Program, log_file},
    tcp_ports,
};

/// Longer than everything inside takes to stop.
const GRACE: Duration = Duration::from_secs(20);

/// A running `cargo local aws` in its own sandbox, on free ports; it stops when dropped.
#[derive(Debug)]
pub struct LocalAws {
    process: Process,
    sandbox: Sandbox,
    front: u16,
    variables: BTreeMap<String, String>,
}

impl LocalAws {
    /// Starts it, with the accelerator in front of these regions' APIs (`http://HOST:PORT`), and waits until it serves.
    pub async fn start(apis: &[(&str, String)]) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new()?;
        sandbox.share(&MINISTACK).await?;
        sandbox.share(&MOTO).await?;
        let [front, accelerator, emulator, moto] = tcp_ports::free()?;
        let mut options = vec![
            format!("--port={front}"),
            format!("--accelerator-port={accelerator}"),
            format!("--emulator-port={emulator}"),
            format!("--moto-port={moto}"),
        ];
        if !apis.is_empty() {
            let apis: Vec<_> = apis.iter().map(|(region, url)| format!("{region}={url}")).collect();
            options.push(format!("--apis={}", apis.join(",")));
        }
        let process = Program::new(sandbox.binary("sales-local"))
            .arguments(["aws".to_owned()].into_iter().chain(options))
            .inherits_environment()
            .directory(sandbox.directory())
            .grace(GRACE)
            .log(log_file(&sandbox.directory().join("aws.log"))?)
            .start()?;
        let mut aws = Self { process, sandbox, front, variables: BTreeMap::new() };
        serves(&aws.process, || aws.said()).await?;
        aws.variables = variables(&std::fs::read_to_string(aws.file())?);
        Ok(aws)
    }

    /// The file for a shell to source.
    pub fn file(&self) -> PathBuf {
        self.sandbox.local_directory().join("aws.env")
    }

    /// The variables that the file exports.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The endpoint of a service, by its name in the variables.
    pub fn endpoint(&self, service: &str) -> &str {
        let own = self.variables.get(&format!("AWS_ENDPOINT_URL_{service}"));
        own.or_else(|| self.variables.get("AWS_ENDPOINT_URL")).map(String::as_str).unwrap_or_default()
    }

    /// The port of the accelerator.
    pub fn front(&self) -> u16 {
        self.front
    }

    /// Its output so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.sandbox.directory().join("aws.log")).unwrap_or_default()
    }

    /// Stops it like Ctrl-C, waits for its end, and returns its exit code.
    pub async fn stop(&mut self) -> i32 {
        self.process.stop().await
    }
}

fn variables(file: &str) -> BTreeMap<String, String> {
    let exports = file.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    exports.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
