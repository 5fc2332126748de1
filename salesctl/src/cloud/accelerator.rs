//! Global Accelerator: each region's traffic dial, and the health of its endpoints.

use aws_config::SdkConfig;
use aws_sdk_globalaccelerator::{Client, types::EndpointGroup};
use futures::future::try_join_all;

use super::{
    Patience,
    settings::Settings,
    trouble::{Key, Trouble},
};

const KEY: &str = "accelerator_arn";

/// The accelerator in front of the regions.
#[derive(Debug)]
pub(crate) struct Accelerator {
    sdk: SdkConfig,
    arn: Option<String>,
    key: Key,
}

/// A region's endpoint group in one listener.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    /// ARN of the endpoint group.
    pub(crate) arn: String,
    /// AWS region of the endpoint group.
    pub(crate) region: String,
    /// Traffic dial in percent.
    pub(crate) dial: f32,
    /// Health of each endpoint: `HEALTHY`, `UNHEALTHY` or `INITIAL`.
    pub(crate) health: Vec<String>,
}

impl Accelerator {
    /// The accelerator with this ARN.
    pub(super) fn new(sdk: &SdkConfig, arn: Option<String>, settings: Settings) -> Self {
        Self { sdk: sdk.clone(), arn, key: Key { name: KEY.to_owned(), settings } }
    }

    /// The endpoint groups of all listeners.
    pub(crate) async fn groups(&self) -> Result<Vec<Group>, Trouble> {
        let arn = self.arn.as_ref().ok_or_else(|| Trouble::not_set(KEY))?;
        let client = Client::new(&Patience::Glance.apply(&self.sdk));
        let listeners = client.list_listeners().accelerator_arn(arn).into_paginator().items().send();
        let listeners = listeners.collect::<Result<Vec<_>, _>>().await;
        let listeners = listeners.map_err(|error| Trouble::of_sdk(&self.key, "ListListeners", error))?;
        let groups = listeners.into_iter().filter_map(|listener| listener.listener_arn).map(async |arn| {
            let groups = client.list_endpoint_groups().listener_arn(arn).into_paginator().items().send();
            let groups = groups.collect::<Result<Vec<_>, _>>().await;
            groups.map_err(|error| Trouble::of_sdk(&self.key, "ListEndpointGroups", error))
        });
        Ok(try_join_all(groups).await?.into_iter().flatten().filter_map(Group::of).collect())
    }

    /// Sets a group's dial.
    pub(crate) async fn set_dial(&self, group: &Group, percent: f32) -> Result<(), Trouble> {
        let client = Client::new(&Patience::Change.apply(&self.sdk));
        let request = client.update_endpoint_group().endpoint_group_arn(&group.arn).traffic_dial_percentage(percent);
        request.send().await.map(drop).map_err(|error| Trouble::of_sdk(&self.key, "UpdateEndpointGroup", error))
    }
}

impl Group {
    fn of(group: EndpointGroup) -> Option<Self> {
        let endpoints = group.endpoint_descriptions.unwrap_or_default().into_iter();
        let health = endpoints.filter_map(|endpoint| Some(endpoint.health_state?.as_str().to_owned())).collect();
        Some(Self {
            arn: group.endpoint_group_arn?,
            region: group.endpoint_group_region?,
            // AWS's default.
            dial: group.traffic_dial_percentage.unwrap_or(100.0),
            health,
        })
    }
}
