//! Switching regions: the state of each, and the traffic dials of the accelerator in front.

use anyhow::{Context, anyhow};
use aws_sdk_globalaccelerator::{Client, types::EndpointGroup};

use crate::{
    edge::Dial,
    resources::{ACCELERATOR_REGION, Deployment, State, configuration},
};

/// Which regions shall process sales and get traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One region, with the other one standing by.
    Only(String),
    /// Both of them.
    Both,
}

impl Target {
    fn includes(&self, region: &str) -> bool {
        match self {
            Self::Only(name) => name == region,
            Self::Both => true,
        }
    }
}

/// Switches to `target` and tells `report` of each step that is done.
///
/// What shall process comes first, so that at no time nobody does. The rest, the dials and the region that shall stand
/// by, may fail because the other side is gone; then each part is tried nevertheless, and the failures are told.
pub async fn switch(
    deployment: &Deployment,
    control_endpoint: &str,
    target: &Target,
    mut report: impl FnMut(String),
) -> anyhow::Result<()> {
    if let Target::Only(name) = target {
        let known = deployment.regions.each_ref().map(|region| region.name.as_str());
        deployment.region(name).ok_or_else(|| anyhow!("there is no region {name}, only {}", known.join(" and ")))?;
    }
    let (active, passive): (Vec<_>, Vec<_>) =
        deployment.regions.iter().partition(|region| target.includes(&region.name));
    for region in active {
        region.set_state(State::Active).await?;
        report(format!("{} is ACTIVE", region.name));
    }

    let mut failures = Vec::new();
    match turn_dials(control_endpoint, target).await {
        Ok(turned) => report(turned),
        Err(error) => failures.push(format!("the traffic dials are not turned: {error:#}")),
    }
    for region in passive {
        match region.set_state(State::Passive).await {
            Ok(()) => report(format!("{} is PASSIVE", region.name)),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(anyhow!(failures.join("; "))) }
}

/// Turns each region's dial fully up or off, those that go up first.
async fn turn_dials(control_endpoint: &str, target: &Target) -> anyhow::Result<String> {
    let client = Client::new(&configuration(control_endpoint, ACCELERATOR_REGION));
    let mut dials: Vec<_> = endpoint_groups(&client)
        .await?
        .into_iter()
        .filter_map(|group| Some((group.endpoint_group_region?, group.endpoint_group_arn?)))
        .map(|(region, arn)| (if target.includes(&region) { Dial::FULL } else { Dial::OFF }, region, arn))
        .collect();
    dials.sort_by(|(one, ..), (other, ..)| other.percent().total_cmp(&one.percent()));

    let mut turned = Vec::new();
    for (dial, region, arn) in dials {
        let request = client.update_endpoint_group().endpoint_group_arn(arn).traffic_dial_percentage(dial.percent());
        request.send().await.with_context(|| format!("the endpoint group of {region}"))?;
        turned.push(format!("{} % to {region}", dial.percent()));
    }
    Ok(format!("traffic: {}", turned.join(", ")))
}

/// The endpoint groups of the one accelerator's one listener.
async fn endpoint_groups(client: &Client) -> anyhow::Result<Vec<EndpointGroup>> {
    let accelerators = client.list_accelerators().send().await.context("listing accelerators")?;
    let accelerator = accelerators.accelerators().first().context("there is no accelerator")?;
    let request = client.list_listeners().set_accelerator_arn(accelerator.accelerator_arn.clone());
    let listeners = request.send().await.context("listing listeners")?;
    let listener = listeners.listeners().first().context("the accelerator has no listener")?;
    let request = client.list_endpoint_groups().set_listener_arn(listener.listener_arn.clone());
    Ok(request.send().await.context("listing endpoint groups")?.endpoint_groups.unwrap_or_default())
}
