//! How other commands find the running instance: a small file in the target directory.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::anyhow;
use sales_testbed::{
    resources::{Deployment, Location},
    workspace::Build,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::discovery_file::DiscoveryFile;

const NOTHING_RUNS: &str = "not running: start it with `cargo local`";

/// The location of a running instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// Its resources.
    pub(crate) place: Location,
    /// Address of Global Accelerator's API.
    pub(crate) accelerator: String,
    /// Address of its control connection.
    pub(crate) control: SocketAddr,
}

impl Instance {
    /// The running instance, if any.
    pub(crate) async fn running() -> anyhow::Result<Self> {
        let text = std::fs::read(path()?).map_err(|_| anyhow!(NOTHING_RUNS))?;
        let instance: Self = serde_json::from_slice(&text).map_err(|_| anyhow!(NOTHING_RUNS))?;
        // An instance that was killed could not remove its file.
        TcpStream::connect(instance.control).await.map_err(|_| anyhow!(NOTHING_RUNS))?;
        Ok(instance)
    }

    /// Its resources.
    pub(crate) fn deployment(&self) -> Deployment {
        Deployment::open(&self.place)
    }

    /// Announces this instance to other commands, until the result is dropped.
    pub(crate) fn announce(&self) -> anyhow::Result<DiscoveryFile> {
        DiscoveryFile::write(path()?, serde_json::to_vec(self)?)
    }
}

fn path() -> anyhow::Result<PathBuf> {
    Ok(Build::current()?.local_directory().join("instance.json"))
}
