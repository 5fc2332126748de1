//! How the other commands find what `up` has started: a small file in the target directory.

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

/// Where a running instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// Its resources.
    pub(crate) place: Location,
    /// The address of Global Accelerator's API.
    pub(crate) accelerator: String,
    /// Where it takes orders.
    pub(crate) control: SocketAddr,
}

impl Instance {
    /// The one that runs, if one does.
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

    /// Lets other commands find this instance for as long as the answer lives.
    pub(crate) fn announce(&self) -> anyhow::Result<DiscoveryFile> {
        DiscoveryFile::write(path()?, serde_json::to_vec(self)?)
    }
}

fn path() -> anyhow::Result<PathBuf> {
    Ok(Build::current()?.local_directory().join("instance.json"))
}
