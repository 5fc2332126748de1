//! `lake`: lists the keys and bodies of the lake's objects.

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use sales_testbed::resources::RegionResources;

use crate::{arguments::LakeOptions, instance::Instance, terminal::line};

/// Concurrent reads.
const FETCHES: usize = 16;

pub(crate) async fn lake(options: &LakeOptions) -> anyhow::Result<()> {
    let deployment = Instance::running().await?.deployment();
    let wanted = |region: &&RegionResources| options.region.as_ref().is_none_or(|name| *name == region.name);
    for region in deployment.regions.iter().filter(wanted) {
        list(region).await.with_context(|| format!("the lake of {}", region.name))?;
    }
    Ok(())
}

async fn list(region: &RegionResources) -> anyhow::Result<()> {
    let keys = region.lake_keys().await?;
    line(format_args!("{}: {} objects in s3://{}", region.name, keys.len(), region.bucket));
    stream::iter(keys)
        .map(async |key| {
            let body = region.lake_object(&key).await?;
            anyhow::Ok((key, body))
        })
        .buffered(FETCHES)
        .try_for_each(async |(key, body)| {
            line(format_args!("  {key}\n    {}", String::from_utf8_lossy(&body)));
            Ok(())
        })
        .await
}
