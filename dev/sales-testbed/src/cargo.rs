//! Builds programs of the workspace.

use anyhow::bail;

use crate::{
    process::Program,
    workspace::{self, Build},
};

/// Builds programs of the workspace with cargo, in the profile of `build`, showing its progress.
pub async fn cargo_build(build: &Build, programs: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Program::new(cargo)
        .arguments(["build"])
        .arguments(programs)
        .arguments(["--profile", build.cargo_profile(), "--target-dir"])
        .arguments([&build.target])
        // For the platform of this program, however cargo was told.
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
