//! The operations on endpoint groups.

use std::{collections::HashSet, num::NonZeroU16};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        health::EndpointHealth,
        resources::{
            Accelerators, EndpointConfiguration, EndpointGroup, HealthCheck, HealthCheckProtocol, Listener,
            PortOverride,
        },
        state::RegionApi,
        traffic::Dial,
    },
    ApiError,
    page::Page,
};

const LARGEST_NUMBER: usize = 42;
const MOST_ENDPOINTS: usize = 10;
const MOST_PORT_OVERRIDES: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    listener_arn: String,
    endpoint_group_region: String,
    idempotency_token: String,
    #[serde(flatten)]
    settings: Settings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    endpoint_group_arn: String,
    #[serde(flatten)]
    settings: Settings,
}

/// Settings of an endpoint group at creation and in changes. Missing settings stay unchanged.
///
/// Health check settings and port overrides are stored and returned, without effect: on AWS, a load balancer's own
/// health checks decide, and here those of the accelerator's stand-in; and an endpoint here is a region's API, which
/// has one port.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    endpoint_configurations: Option<Vec<EndpointConfiguration>>,
    traffic_dial_percentage: Option<f32>,
    health_check_port: Option<NonZeroU16>,
    health_check_protocol: Option<HealthCheckProtocol>,
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<u32>,
    threshold_count: Option<u32>,
    port_overrides: Option<Vec<PortOverride>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    listener_arn: String,
    #[serde(flatten)]
    page: Page,
}

/// Parameters of operations that only need the endpoint group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Which {
    endpoint_group_arn: String,
}

pub(super) fn create(accelerators: &mut Accelerators, input: Create, apis: &[RegionApi]) -> Result<Value, ApiError> {
    let Create { listener_arn, endpoint_group_region: region, idempotency_token, settings } = input;
    let listener = accelerators.listener(&listener_arn)?;
    if let Some(same) = listener.groups.iter().find(|own| own.identity.token == idempotency_token) {
        return Ok(json!({ "EndpointGroup": view(same, apis) }));
    }
    if !is_a_region(&region) {
        return Err(ApiError::invalid(format!("unknown region {region:?}")));
    }
    if listener.groups.iter().any(|group| group.region == region) {
        let message = format!("the listener already has an endpoint group in {region}");
        return Err(ApiError::new("EndpointGroupAlreadyExistsException", message));
    }
    let accelerator = accelerators.accelerator_of_listener(&listener_arn)?;
    if accelerator.listeners.iter().map(|listener| listener.groups.len()).sum::<usize>() >= LARGEST_NUMBER {
        return Err(ApiError::limit_exceeded(format!("an accelerator has at most {LARGEST_NUMBER} endpoint groups")));
    }
    let identity = accelerators.new_endpoint_group(&listener_arn, idempotency_token);
    let listener = accelerators.listener(&listener_arn)?;
    let port = listener.port_ranges.first().and_then(|range| u16::try_from(range.from_port).ok());
    let group = EndpointGroup {
        identity,
        region,
        endpoints: Vec::new(),
        dial: Dial::FULL,
        health_check: HealthCheck {
            port: port.and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN),
            protocol: HealthCheckProtocol::Tcp,
            path: None,
            interval_seconds: 30,
            threshold_count: 3,
        },
        port_overrides: Vec::new(),
    };
    let group = settings.applied(group, listener)?;
    let answer = json!({ "EndpointGroup": view(&group, apis) });
    listener.groups.push(group);
    Ok(answer)
}

/// Whether it has the form of a region's name: AWS has more regions than this code could list.
fn is_a_region(name: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match name.split('-').collect::<Vec<_>>()[..] {
        [continent, ref places @ .., number] => {
            continent.len() == 2
                && is_word(continent)
                && !places.is_empty()
                && places.iter().all(|place| is_word(place))
                && number.len() == 1
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

pub(super) fn describe(accelerators: &mut Accelerators, input: &Which, apis: &[RegionApi]) -> Result<Value, ApiError> {
    let (listener, position) = accelerators.listener_of_group(&input.endpoint_group_arn)?;
    Ok(json!({ "EndpointGroup": view(&listener.groups[position], apis) }))
}

pub(super) fn list(accelerators: &mut Accelerators, input: &List, apis: &[RegionApi]) -> Result<Value, ApiError> {
    let listener = accelerators.listener(&input.listener_arn)?;
    let items = listener.groups.iter().map(|group| (&group.identity, view(group, apis)));
    input.page.answer(&input.listener_arn, "EndpointGroups", items)
}

pub(super) fn update(accelerators: &mut Accelerators, input: Update, apis: &[RegionApi]) -> Result<Value, ApiError> {
    let (listener, position) = accelerators.listener_of_group(&input.endpoint_group_arn)?;
    listener.groups[position] = input.settings.applied(listener.groups[position].clone(), listener)?;
    Ok(json!({ "EndpointGroup": view(&listener.groups[position], apis) }))
}

pub(super) fn delete(accelerators: &mut Accelerators, input: &Which) -> Result<Value, ApiError> {
    let (listener, position) = accelerators.listener_of_group(&input.endpoint_group_arn)?;
    listener.groups.remove(position);
    Ok(json!({}))
}

impl Settings {
    /// The group with these settings, if they are valid for a group of this listener.
    fn applied(self, mut group: EndpointGroup, listener: &Listener) -> Result<EndpointGroup, ApiError> {
        if let Some(endpoints) = self.endpoint_configurations {
            check_endpoints(&endpoints)?;
            group.endpoints = endpoints;
        }
        if let Some(percent) = self.traffic_dial_percentage {
            let dial = Dial::new(percent);
            group.dial = dial.ok_or_else(|| ApiError::invalid("TrafficDialPercentage must be between 0 and 100"))?;
        }
        if let Some(overrides) = self.port_overrides {
            check_port_overrides(&overrides, listener)?;
            group.port_overrides = overrides;
        }
        let check = &mut group.health_check;
        check.port = self.health_check_port.unwrap_or(check.port);
        check.protocol = self.health_check_protocol.unwrap_or(check.protocol);
        check.interval_seconds = self.health_check_interval_seconds.unwrap_or(check.interval_seconds);
        check.threshold_count = self.threshold_count.unwrap_or(check.threshold_count);
        check.path = self.health_check_path.or_else(|| check.path.take());
        if check.protocol != HealthCheckProtocol::Tcp && check.path.is_none() {
            check.path = Some("/".to_owned());
        }
        check_health_check(check)?;
        Ok(group)
    }
}

fn check_endpoints(endpoints: &[EndpointConfiguration]) -> Result<(), ApiError> {
    let ids: HashSet<_> = endpoints.iter().map(|endpoint| endpoint.endpoint_id.as_str()).collect();
    if ids.len() < endpoints.len() || ids.contains("") {
        return Err(ApiError::invalid("endpoint ids must be unique"));
    }
    if endpoints.len() > MOST_ENDPOINTS {
        return Err(ApiError::invalid(format!("an endpoint group has at most {MOST_ENDPOINTS} endpoints")));
    }
    Ok(())
}

fn check_port_overrides(overrides: &[PortOverride], listener: &Listener) -> Result<(), ApiError> {
    let ports: HashSet<_> = overrides.iter().map(|over| over.listener_port).collect();
    let is_listened_to =
        |port: &NonZeroU16| listener.port_ranges.iter().any(|range| range.contains(i64::from(port.get())));
    if ports.len() < overrides.len() || !ports.iter().all(is_listened_to) {
        return Err(ApiError::invalid("a port override must name a listener port, each at most once"));
    }
    if overrides.len() > MOST_PORT_OVERRIDES {
        return Err(ApiError::invalid(format!("an endpoint group has at most {MOST_PORT_OVERRIDES} port overrides")));
    }
    Ok(())
}

fn check_health_check(check: &HealthCheck) -> Result<(), ApiError> {
    if ![10, 30].contains(&check.interval_seconds) {
        return Err(ApiError::invalid("HealthCheckIntervalSeconds must be 10 or 30"));
    }
    if !(1..=10).contains(&check.threshold_count) {
        return Err(ApiError::invalid("ThresholdCount must be between 1 and 10"));
    }
    if check.path.as_deref().is_some_and(|path| !path.starts_with('/') || path.len() > 255) {
        return Err(ApiError::invalid("HealthCheckPath must start with a slash and be no longer than 255 characters"));
    }
    Ok(())
}

fn view(group: &EndpointGroup, apis: &[RegionApi]) -> Value {
    let api = apis.iter().find(|api| api.region == group.region);
    let health = api.map_or(EndpointHealth::Unhealthy, |api| api.health).name();
    let endpoint = |endpoint: &EndpointConfiguration| {
        json!({
            "EndpointId": endpoint.endpoint_id,
            "Weight": endpoint.weight(),
            "HealthState": health,
            "ClientIPPreservationEnabled": endpoint.preserves_client_ip(),
        })
    };
    let check = &group.health_check;
    json!({
        "EndpointGroupArn": group.identity.arn,
        "EndpointGroupRegion": group.region,
        "EndpointDescriptions": group.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        "TrafficDialPercentage": as_it_was_said(group.dial),
        "HealthCheckPort": check.port,
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPath": check.path,
        "HealthCheckIntervalSeconds": check.interval_seconds,
        "ThresholdCount": check.threshold_count,
        "PortOverrides": group.port_overrides,
    })
}

/// 33.3 instead of 33.29999923706055, which has more digits than the number's precision.
fn as_it_was_said(dial: Dial) -> Value {
    let percent = dial.percent();
    percent.to_string().parse().map_or_else(|_| json!(percent), |exact: f64| json!(exact))
}
