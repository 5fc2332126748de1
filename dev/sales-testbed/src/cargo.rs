//! Building programs of the workspace.

use anyhow::bail;

use crate::{
    process::Program,
    workspace::{self, Build},
};

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
