//! The operations on listeners.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::resources::{Accelerator, Accelerators, ClientAffinity, Listener, PortRange, Protocol},
    ApiError,
    page::Page,
};

const LARGEST_NUMBER: usize = 10;
const MOST_PORT_RANGES: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    accelerator_arn: String,
    port_ranges: Vec<PortRange>,
    protocol: Protocol,
    client_affinity: Option<ClientAffinity>,
    idempotency_token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    listener_arn: String,
    port_ranges: Option<Vec<PortRange>>,
    protocol: Option<Protocol>,
    client_affinity: Option<ClientAffinity>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    accelerator_arn: String,
    #[serde(flatten)]
    page: Page,
}

/// Parameters of operations that only need the listener.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Which {
    listener_arn: String,
}

pub(super) fn create(accelerators: &mut Accelerators, input: Create) -> Result<Value, ApiError> {
    let accelerator = accelerators.accelerator(&input.accelerator_arn)?;
    if let Some(same) = accelerator.listeners.iter().find(|own| own.identity.token == input.idempotency_token) {
        return Ok(json!({ "Listener": view(same) }));
    }
    check_ports(&input.port_ranges, input.protocol, accelerator, None)?;
    if accelerator.listeners.len() >= LARGEST_NUMBER {
        return Err(ApiError::limit_exceeded(format!("an accelerator has at most {LARGEST_NUMBER} listeners")));
    }
    let listener = Listener {
        identity: accelerators.new_listener(&input.accelerator_arn, input.idempotency_token),
        port_ranges: input.port_ranges,
        protocol: input.protocol,
        client_affinity: input.client_affinity.unwrap_or_default(),
        groups: Vec::new(),
    };
    let answer = json!({ "Listener": view(&listener) });
    accelerators.accelerator(&input.accelerator_arn)?.listeners.push(listener);
    Ok(answer)
}

pub(super) fn describe(accelerators: &mut Accelerators, input: &Which) -> Result<Value, ApiError> {
    Ok(json!({ "Listener": view(accelerators.listener(&input.listener_arn)?) }))
}

pub(super) fn list(accelerators: &mut Accelerators, input: &List) -> Result<Value, ApiError> {
    let accelerator = accelerators.accelerator(&input.accelerator_arn)?;
    let items = accelerator.listeners.iter().map(|listener| (&listener.identity, view(listener)));
    input.page.answer(&input.accelerator_arn, "Listeners", items)
}

pub(super) fn update(accelerators: &mut Accelerators, input: Update) -> Result<Value, ApiError> {
    let listener = accelerators.listener(&input.listener_arn)?;
    let port_ranges = input.port_ranges.unwrap_or_else(|| listener.port_ranges.clone());
    let protocol = input.protocol.unwrap_or(listener.protocol);
    let client_affinity = input.client_affinity.unwrap_or(listener.client_affinity);
    let accelerator = accelerators.accelerator_of_listener(&input.listener_arn)?;
    check_ports(&port_ranges, protocol, accelerator, Some(&input.listener_arn))?;

    let listener = accelerators.listener(&input.listener_arn)?;
    (listener.port_ranges, listener.protocol, listener.client_affinity) = (port_ranges, protocol, client_affinity);
    Ok(json!({ "Listener": view(listener) }))
}

pub(super) fn delete(accelerators: &mut Accelerators, input: &Which) -> Result<Value, ApiError> {
    if !accelerators.listener(&input.listener_arn)?.groups.is_empty() {
        let message = "delete the endpoint groups of a listener before you delete it";
        return Err(ApiError::new("AssociatedEndpointGroupFoundException", message));
    }
    let accelerator = accelerators.accelerator_of_listener(&input.listener_arn)?;
    accelerator.listeners.retain(|listener| listener.identity.arn != input.listener_arn);
    Ok(json!({}))
}

/// All ports of an accelerator's listeners of one protocol must differ; the listener `except` is not compared.
fn check_ports(
    ranges: &[PortRange],
    protocol: Protocol,
    accelerator: &Accelerator,
    except: Option<&str>,
) -> Result<(), ApiError> {
    if !(1..=MOST_PORT_RANGES).contains(&ranges.len()) {
        return Err(ApiError::invalid(format!("a listener has between 1 and {MOST_PORT_RANGES} port ranges")));
    }
    let others = accelerator.listeners.iter();
    let others = others.filter(|other| other.protocol == protocol && Some(other.identity.arn.as_str()) != except);
    let mut taken: Vec<_> = others.flat_map(|other| &other.port_ranges).copied().collect();
    for &range in ranges {
        let PortRange { from_port, to_port } = range;
        if from_port < 1 || from_port > to_port || to_port > i64::from(u16::MAX) {
            let message = format!("invalid port range: {from_port} to {to_port}");
            return Err(ApiError::new("InvalidPortRangeException", message));
        }
        if taken.iter().any(|other| other.overlaps(range)) {
            let message = format!("the accelerator already has a listener with ports from {from_port} to {to_port}");
            return Err(ApiError::new("InvalidPortRangeException", message));
        }
        taken.push(range);
    }
    Ok(())
}

fn view(listener: &Listener) -> Value {
    json!({
        "ListenerArn": listener.identity.arn,
        "PortRanges": listener.port_ranges,
        "Protocol": listener.protocol,
        "ClientAffinity": listener.client_affinity,
    })
}
