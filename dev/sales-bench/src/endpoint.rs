//! The AWS endpoint as a separate process, and its counts.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::canned::{Counts, Latency, Load};
use crate::leash;
use crate::sample::REGION;

/// The running endpoint. Dropping it stops it.
pub(crate) struct Endpoint {
    url: String,
    control: String,
    certificate: Option<PathBuf>,
    client: reqwest::Client,
    _process: Child,
    _directory: TempDir,
}

impl Endpoint {
    /// Starts one with this `latency`, with TLS or not.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(latency: Latency, tls: bool) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let certificate = tls.then(|| directory.path().join("certificate.pem"));
        let mut command = leash::own(["aws", "--latency", &latency.to_string()])?;
        if let Some(path) = &certificate {
            command.arg("--certificate").arg(path);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().context("the AWS endpoint did not start")?;
        let says = process.stdout.take().context("the AWS endpoint has no standard output")?;
        let ports = BufReader::new(says).lines().next_line().await?.context("the AWS endpoint exited at startup")?;
        let Some((port, control)) = ports.split_once(' ') else {
            bail!("invalid output of the AWS endpoint: {ports:?}")
        };
        let scheme = if tls { "https" } else { "http" };
        Ok(Self {
            url: format!("{scheme}://127.0.0.1:{port}"),
            control: format!("http://127.0.0.1:{control}"),
            certificate,
            client: reqwest::Client::builder().no_proxy().build()?,
            _process: process,
            _directory: directory,
        })
    }

    /// The variables that lead an AWS SDK here, and to credentials.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "000000000000".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "canned".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL", self.url.clone()),
        ];
        let certificate = self.certificate.as_ref().map(|path| path.display().to_string());
        variables.extend(certificate.map(|path| ("SSL_CERT_FILE", path)));
        variables
    }

    /// Resets the counts, and offers this many messages and pending facts.
    ///
    /// # Errors
    /// If it does not respond.
    pub(crate) async fn load(&self, load: &Load) -> anyhow::Result<()> {
        self.client.post(format!("{}/load", self.control)).json(load).send().await?.error_for_status()?;
        Ok(())
    }

    /// The counts since.
    ///
    /// # Errors
    /// If it does not respond, or received an unknown request: then the figures are meaningless.
    pub(crate) async fn counts(&self) -> anyhow::Result<Counts> {
        let answer = self.client.get(format!("{}/counts", self.control)).send().await?.error_for_status()?;
        let counts: Counts = answer.json().await?;
        if let Some(request) = counts.unknown.first() {
            bail!("the AWS endpoint received an unknown request: {request}");
        }
        Ok(counts)
    }
}
