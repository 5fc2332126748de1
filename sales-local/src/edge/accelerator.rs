//! The accelerator as its API shows it: one accelerator, one listener, and one endpoint group for each region.
//!
//! The operations are those that find an endpoint group and turn its dial.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    health,
    traffic::{Dial, Endpoint, Traffic},
};
use crate::resources::ACCOUNT;

const ACCELERATOR: &str = "00000000-0000-4000-8000-000000000001";
const LISTENER: &str = "00000001";

/// An error of the API, by the name that the SDKs know it by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }

    pub(super) fn unknown_operation(name: &str) -> Self {
        Self::new("UnknownOperationException", format!("{name:?} is no operation of this accelerator"))
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidArgumentException", message)
    }
}

#[derive(Debug)]
pub(super) struct Accelerator {
    traffic: Traffic,
    port: u16,
    created: f64,
}

/// The parameters of a list operation. One page holds all there is, so there is no token for a next one.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    accelerator_arn: Option<String>,
    listener_arn: Option<String>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeEndpointGroup {
    endpoint_group_arn: String,
}

/// The dial is all that can be changed: another setting is refused rather than ignored.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateEndpointGroup {
    endpoint_group_arn: String,
    traffic_dial_percentage: Option<f32>,
}

impl Accelerator {
    pub(super) fn new(traffic: Traffic, port: u16) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { traffic, port, created: now.as_secs_f64() }
    }

    pub(super) fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        match operation {
            "ListAccelerators" => self.list_accelerators(&parse(input)?),
            "ListListeners" => self.list_listeners(&parse(input)?),
            "ListEndpointGroups" => self.list_endpoint_groups(&parse(input)?),
            "DescribeEndpointGroup" => self.describe_endpoint_group(&parse(input)?),
            "UpdateEndpointGroup" => self.update_endpoint_group(&parse(input)?),
            other => Err(Fault::unknown_operation(other)),
        }
    }

    fn list_accelerators(&self, input: &List) -> Result<Value, Fault> {
        input.refuse_token()?;
        Ok(json!({ "Accelerators": [{
            "AcceleratorArn": accelerator_arn(),
            "Name": "sales",
            "IpAddressType": "IPV4",
            "Enabled": true,
            "IpSets": [{ "IpFamily": "IPv4", "IpAddresses": ["127.0.0.1"], "IpAddressFamily": "IPv4" }],
            "DnsName": "localhost",
            "Status": "DEPLOYED",
            "CreatedTime": self.created,
            "LastModifiedTime": self.created,
        }]}))
    }

    fn list_listeners(&self, input: &List) -> Result<Value, Fault> {
        input.refuse_token()?;
        if input.accelerator_arn.as_deref() != Some(&accelerator_arn()) {
            return Err(Fault::new("AcceleratorNotFoundException", "there is no accelerator with this ARN"));
        }
        Ok(json!({ "Listeners": [{
            "ListenerArn": listener_arn(),
            "PortRanges": [{ "FromPort": self.port, "ToPort": self.port }],
            "Protocol": "TCP",
            "ClientAffinity": "NONE",
        }]}))
    }

    fn list_endpoint_groups(&self, input: &List) -> Result<Value, Fault> {
        input.refuse_token()?;
        if input.listener_arn.as_deref() != Some(&listener_arn()) {
            return Err(Fault::new("ListenerNotFoundException", "there is no listener with this ARN"));
        }
        let groups: Vec<_> = self.traffic.endpoints().iter().map(group).collect();
        Ok(json!({ "EndpointGroups": groups }))
    }

    fn describe_endpoint_group(&self, input: &DescribeEndpointGroup) -> Result<Value, Fault> {
        let position = self.find(&input.endpoint_group_arn)?;
        Ok(json!({ "EndpointGroup": group(&self.traffic.endpoints()[position]) }))
    }

    fn update_endpoint_group(&self, input: &UpdateEndpointGroup) -> Result<Value, Fault> {
        let position = self.find(&input.endpoint_group_arn)?;
        if let Some(percent) = input.traffic_dial_percentage {
            let dial = Dial::new(percent);
            let dial = dial.ok_or_else(|| Fault::invalid("TrafficDialPercentage must be between 0 and 100"))?;
            self.traffic.set_dial(position, dial);
        }
        Ok(json!({ "EndpointGroup": group(&self.traffic.endpoints()[position]) }))
    }

    fn find(&self, arn: &str) -> Result<usize, Fault> {
        let found = self.traffic.endpoints().iter().position(|endpoint| group_arn(&endpoint.region) == arn);
        found.ok_or_else(|| Fault::new("EndpointGroupNotFoundException", "there is no endpoint group with this ARN"))
    }
}

impl List {
    fn refuse_token(&self) -> Result<(), Fault> {
        match self.next_token {
            None => Ok(()),
            Some(_) => Err(Fault::new("InvalidNextTokenException", "the token was not given by this accelerator")),
        }
    }
}

fn parse<T: for<'input> Deserialize<'input>>(input: Value) -> Result<T, Fault> {
    serde_json::from_value(input).map_err(|error| Fault::invalid(error.to_string()))
}

fn group(endpoint: &Endpoint) -> Value {
    json!({
        "EndpointGroupArn": group_arn(&endpoint.region),
        "EndpointGroupRegion": endpoint.region,
        "EndpointDescriptions": [{
            "EndpointId": endpoint.address.to_string(),
            "Weight": 128,
            "HealthState": endpoint.health_state(),
            "ClientIPPreservationEnabled": false,
        }],
        "TrafficDialPercentage": endpoint.dial.percent(),
        "HealthCheckPort": endpoint.address.port(),
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": health::PATH,
        "HealthCheckIntervalSeconds": health::INTERVAL.as_secs(),
        "ThresholdCount": super::traffic::FAILURES_UNTIL_UNHEALTHY,
        "PortOverrides": [],
    })
}

fn accelerator_arn() -> String {
    format!("arn:aws:globalaccelerator::{ACCOUNT}:accelerator/{ACCELERATOR}")
}

fn listener_arn() -> String {
    format!("{}/listener/{LISTENER}", accelerator_arn())
}

fn group_arn(region: &str) -> String {
    format!("{}/endpoint-group/{region}", listener_arn())
}
