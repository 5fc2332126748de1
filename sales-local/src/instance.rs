//! How the other commands find what `up` has started: a small file in the target directory.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use sales_local::{
    resources::{Deployment, Place},
    workspace::Build,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

const NOTHING_RUNS: &str = "nothing runs here that could be asked: start it with `cargo local`";

/// Where a running instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// Its resources.
    pub(crate) place: Place,
    /// The address of Global Accelerator's API.
    pub(crate) accelerator: String,
}

impl Instance {
    /// The one that runs, if one does.
    pub(crate) async fn running() -> anyhow::Result<Self> {
        let text = std::fs::read(path()?).map_err(|_| anyhow!(NOTHING_RUNS))?;
        let instance: Self = serde_json::from_slice(&text).map_err(|_| anyhow!(NOTHING_RUNS))?;
        // An instance that was killed could not remove its file.
        let address = instance.accelerator.trim_start_matches("http://");
        TcpStream::connect(address).await.map_err(|_| anyhow!(NOTHING_RUNS))?;
        Ok(instance)
    }

    /// Its resources.
    pub(crate) fn deployment(&self) -> Deployment {
        Deployment::open(&self.place)
    }

    /// Lets other commands find this instance for as long as the answer lives.
    pub(crate) fn announce(self) -> anyhow::Result<Announced> {
        let path = path()?;
        write(&path, &self).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Announced { path, instance: self })
    }
}

/// An instance that can be found.
#[derive(Debug)]
pub(crate) struct Announced {
    path: PathBuf,
    instance: Instance,
}

impl Drop for Announced {
    fn drop(&mut self) {
        let written = std::fs::read(&self.path).ok().and_then(|text| serde_json::from_slice::<Instance>(&text).ok());
        // Another one, on other ports, may have been started since.
        if written.as_ref() == Some(&self.instance) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn path() -> anyhow::Result<PathBuf> {
    Ok(Build::current()?.local_directory().join("instance.json"))
}

/// In one step, so that nobody reads half of it.
fn write(path: &Path, instance: &Instance) -> anyhow::Result<()> {
    let directory = path.parent().context("it has no directory")?;
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, instance)?;
    file.persist(path)?;
    Ok(())
}
