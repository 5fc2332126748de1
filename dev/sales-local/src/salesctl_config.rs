//! The configuration of `salesctl` for a running instance: its `salesctl.toml`.

use std::{collections::BTreeMap, path::Path};

use sales_testbed::{resources::RegionResources, user_pools::OPERATOR};
use serde::Serialize;

use crate::{discovery_file::DiscoveryFile, stack::Stack};

const HEAD: &str = "# Where the two regions on this machine are, for as long as they run.\n\n";

/// The services' own defaults, since no variable overrides them.
const PENDING_SHARDS: u16 = 16;
const PENDING_GRACE_SECONDS: u16 = 30;

#[derive(Debug, Serialize)]
struct Configuration<'stack> {
    url: String,
    dns_url: String,
    accelerator_arn: &'stack str,
    accelerator_endpoint_url: String,
    pending_shards: u16,
    pending_grace_seconds: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_command: Option<String>,
    regions: BTreeMap<&'stack str, RegionConfiguration<'stack>>,
}

#[derive(Debug, Serialize)]
struct RegionConfiguration<'stack> {
    endpoint_url: String,
    api_url: String,
    worker_url: String,
    state_parameter: &'stack str,
    sales_table: &'stack str,
    idempotency_table: &'stack str,
    queue_url: &'stack str,
    dead_letter_queue_url: &'stack str,
    lake_bucket: &'stack str,
}

/// Writes the file into this directory; it is removed when the result is dropped.
pub(crate) fn write(stack: &Stack, directory: &Path) -> anyhow::Result<DiscoveryFile> {
    let text = format!("{HEAD}{}", toml::to_string(&configuration(stack))?);
    DiscoveryFile::write(directory.join("salesctl.toml"), text)
}

fn configuration(stack: &Stack) -> Configuration<'_> {
    let regions = stack.regions().into_iter().enumerate().map(|(position, (region, [api_url, worker_url, _]))| {
        (region.name.as_str(), region_configuration(region, stack.aws_endpoint(position), api_url, worker_url))
    });
    Configuration {
        url: stack.address(),
        dns_url: stack.dns_address(),
        accelerator_arn: stack.accelerator_arn(),
        accelerator_endpoint_url: stack.accelerator_endpoint(),
        pending_shards: PENDING_SHARDS,
        pending_grace_seconds: PENDING_GRACE_SECONDS,
        // A lost region takes its pool with it.
        token_command: stack.token_commands(OPERATOR).map(|commands| commands.join(" || ")),
        regions: regions.collect(),
    }
}

fn region_configuration(
    region: &RegionResources,
    endpoint_url: String,
    api_url: String,
    worker_url: String,
) -> RegionConfiguration<'_> {
    RegionConfiguration {
        endpoint_url,
        api_url,
        worker_url,
        state_parameter: &region.state_parameter,
        sales_table: &region.sales_table,
        idempotency_table: &region.idempotency_table,
        queue_url: &region.queue_url,
        dead_letter_queue_url: &region.dead_letter_queue_url,
        lake_bucket: &region.bucket,
    }
}
