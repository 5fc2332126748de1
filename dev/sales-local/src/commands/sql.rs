//! `sql`: asks a region's table of the lake with DuckDB.

use std::process::Stdio;

use anyhow::{Context, bail};
use sales_testbed::{
    emulator::{Environment, READERS},
    resources::ACCOUNT,
    workspace::Build,
};

use crate::{arguments::SqlOptions, instance::Instance};

const PROGRAM: &str = include_str!("sql.py");

/// What is asked without a query.
const OVERVIEW: &str = "\
SELECT date_trunc('hour', accepted_at) AS hour, region, count(*) AS sales, sum(amount) AS amount
FROM sales WHERE cancelled_at IS NULL GROUP BY ALL ORDER BY hour, region";

pub(crate) async fn sql(options: &SqlOptions) -> anyhow::Result<()> {
    let instance = Instance::running().await?;
    let deployment = instance.deployment();
    let region = deployment.region(&options.region).context("no such region")?;
    if !region.has_lake_table().await? {
        bail!("the lake of {} has no table yet: it is made within a few seconds", region.name);
    }
    let environment = Environment::prepare(&READERS, &Build::current()?.local_directory()).await?;
    let endpoint = instance.place.endpoint.trim_start_matches("http://");
    let query = options.query.as_deref().unwrap_or(OVERVIEW);
    let asked = environment
        .command()
        .args(["-c", PROGRAM, ACCOUNT, &region.bucket, &region.name, endpoint, options.format(), query])
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?
        .wait_with_output()
        .await?;
    if !asked.status.success() {
        bail!("{}", String::from_utf8_lossy(&asked.stderr).trim());
    }
    Ok(())
}
