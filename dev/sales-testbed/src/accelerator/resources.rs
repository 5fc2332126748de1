//! Accelerators, their listeners and endpoint groups, as created through the API.

use std::{collections::BTreeMap, num::NonZeroU16};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{fault::ApiError, traffic::Dial};
use crate::resources::ACCOUNT;

/// The common attributes of resources.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) arn: String,
    /// Position in the order of creation.
    pub(super) serial: u64,
    /// Idempotency token of its creation.
    pub(super) token: String,
}

#[derive(Debug)]
pub(super) struct Accelerator {
    pub(super) identity: Identity,
    pub(super) name: String,
    pub(super) is_enabled: bool,
    pub(super) ip_address_type: IpAddressType,
    /// The requested addresses, if any.
    pub(super) ip_addresses: Option<Vec<String>>,
    pub(super) flow_logs: FlowLogs,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created: f64,
    pub(super) modified: f64,
    pub(super) listeners: Vec<Listener>,
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) identity: Identity,
    pub(super) port_ranges: Vec<PortRange>,
    pub(super) protocol: Protocol,
    pub(super) client_affinity: ClientAffinity,
    pub(super) groups: Vec<EndpointGroup>,
}

#[derive(Debug, Clone)]
pub(super) struct EndpointGroup {
    pub(super) identity: Identity,
    pub(super) region: String,
    pub(super) endpoints: Vec<EndpointConfiguration>,
    pub(super) dial: Dial,
    pub(super) health_check: HealthCheck,
    pub(super) port_overrides: Vec<PortOverride>,
}

impl EndpointGroup {
    /// Whether any of its endpoints gets traffic.
    pub(super) fn has_weight(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.weight() > 0)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct FlowLogs {
    pub(super) are_enabled: bool,
    pub(super) bucket: Option<String>,
    pub(super) prefix: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndpointConfiguration {
    pub(super) endpoint_id: String,
    weight: Option<u8>,
    #[serde(rename = "ClientIPPreservationEnabled")]
    client_ip_preservation_enabled: Option<bool>,
}

impl EndpointConfiguration {
    pub(super) fn weight(&self) -> u8 {
        self.weight.unwrap_or(128)
    }

    /// By default, it is on for application load balancers.
    pub(super) fn preserves_client_ip(&self) -> bool {
        self.client_ip_preservation_enabled.unwrap_or_else(|| self.endpoint_id.contains(":loadbalancer/app/"))
    }
}

#[derive(Debug, Clone)]
pub(super) struct HealthCheck {
    pub(super) port: NonZeroU16,
    pub(super) protocol: HealthCheckProtocol,
    pub(super) path: Option<String>,
    pub(super) interval_seconds: u32,
    pub(super) threshold_count: u32,
}

/// A range that may be invalid, or lack a port: it then has an error of its own.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct PortRange {
    pub(super) from_port: i64,
    pub(super) to_port: i64,
}

impl PortRange {
    pub(super) fn contains(self, port: i64) -> bool {
        (self.from_port..=self.to_port).contains(&port)
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.from_port <= other.to_port && other.from_port <= self.to_port
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PortOverride {
    pub(super) listener_port: NonZeroU16,
    pub(super) endpoint_port: NonZeroU16,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum IpAddressType {
    #[default]
    #[serde(rename = "IPV4")]
    Ipv4,
    DualStack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ClientAffinity {
    #[default]
    None,
    SourceIp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum HealthCheckProtocol {
    Tcp,
    Http,
    Https,
}

/// All accelerators, in order of creation.
#[derive(Debug, Default)]
pub(super) struct Accelerators {
    pub(super) all: Vec<Accelerator>,
    created: u64,
}

impl Accelerators {
    pub(super) fn new_accelerator(&mut self, token: String) -> Identity {
        self.identity(format!("arn:aws:globalaccelerator::{ACCOUNT}:accelerator/{}", Uuid::new_v4()), token)
    }

    pub(super) fn new_listener(&mut self, accelerator: &str, token: String) -> Identity {
        self.identity(format!("{accelerator}/listener/{:08x}", rand::random::<u32>()), token)
    }

    pub(super) fn new_endpoint_group(&mut self, listener: &str, token: String) -> Identity {
        self.identity(format!("{listener}/endpoint-group/{:012x}", rand::random::<u64>() >> 16), token)
    }

    fn identity(&mut self, arn: String, token: String) -> Identity {
        self.created += 1;
        Identity { arn, serial: self.created, token }
    }

    pub(super) fn accelerator(&mut self, arn: &str) -> Result<&mut Accelerator, ApiError> {
        let found = self.all.iter_mut().find(|accelerator| accelerator.identity.arn == arn);
        found.ok_or_else(|| ApiError::accelerator_not_found(arn))
    }

    /// The accelerator of the listener, which is certainly among its listeners.
    pub(super) fn accelerator_of_listener(&mut self, arn: &str) -> Result<&mut Accelerator, ApiError> {
        let has_it = |accelerator: &&mut Accelerator| accelerator.listeners.iter().any(|own| own.identity.arn == arn);
        self.all.iter_mut().find(has_it).ok_or_else(|| ApiError::listener_not_found(arn))
    }

    pub(super) fn listener(&mut self, arn: &str) -> Result<&mut Listener, ApiError> {
        let found = self.listeners().find(|listener| listener.identity.arn == arn);
        found.ok_or_else(|| ApiError::listener_not_found(arn))
    }

    /// The listener of the endpoint group, and the group's position in it.
    pub(super) fn listener_of_group(&mut self, arn: &str) -> Result<(&mut Listener, usize), ApiError> {
        let place = |listener: &Listener| listener.groups.iter().position(|group| group.identity.arn == arn);
        let found = self.listeners().find_map(|listener| place(listener).map(|position| (listener, position)));
        found.ok_or_else(|| ApiError::endpoint_group_not_found(arn))
    }

    fn listeners(&mut self) -> impl Iterator<Item = &mut Listener> {
        self.all.iter_mut().flat_map(|accelerator| &mut accelerator.listeners)
    }

    /// The endpoint groups that get the connections of the accelerator's stand-in: those of the oldest TCP listener of
    /// an enabled accelerator.
    pub(super) fn serving_groups(&self) -> &[EndpointGroup] {
        let enabled = self.all.iter().filter(|accelerator| accelerator.is_enabled);
        let mut listeners = enabled.flat_map(|accelerator| &accelerator.listeners);
        listeners.find(|listener| listener.protocol == Protocol::Tcp).map_or(&[], |listener| &listener.groups)
    }
}
