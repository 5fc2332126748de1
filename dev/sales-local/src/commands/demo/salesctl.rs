//! `salesctl`, run as an operator runs it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use sales_testbed::{
    process::{Process, Program},
    resources::ACCOUNT,
    sealed,
};
use serde::de::DeserializeOwned;

use crate::{discovery_file::DiscoveryFile, salesctl_config, stack::Stack};

/// `salesctl` with the configuration of a running stack.
#[derive(Debug)]
pub(crate) struct Salesctl {
    program: PathBuf,
    configuration: DiscoveryFile,
}

impl Salesctl {
    /// Writes the configuration into this directory, until the result is dropped.
    pub(crate) fn of(stack: &Stack, directory: &Path) -> anyhow::Result<Self> {
        Ok(Self { program: stack.salesctl().to_owned(), configuration: salesctl_config::write(stack, directory)? })
    }

    /// Starts a command, which prints to standard error.
    pub(crate) fn start(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<Process> {
        Program::new(&self.program).arguments(arguments).environment(self.environment()).start()
    }

    /// The JSON document that a command prints, whatever its exit code: differences are a result, too.
    pub(crate) async fn read<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let mut command = sealed::command(&self.program);
        command.args(arguments).args(["--output", "json"]).envs(self.environment());
        let output = command.output().await?;
        serde_json::from_slice(&output.stdout).with_context(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("salesctl {}: {}", arguments.join(" "), said.trim_end())
        })
    }

    fn environment(&self) -> [(&str, &OsStr); 3] {
        [
            ("SALESCTL_CONFIG", self.configuration.path().as_os_str()),
            ("AWS_ACCESS_KEY_ID", ACCOUNT.as_ref()),
            ("AWS_SECRET_ACCESS_KEY", "local".as_ref()),
        ]
    }
}
