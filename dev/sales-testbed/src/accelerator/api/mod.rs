//! Operations of Global Accelerator's API, each from its parameters to its response.
//!
//! Names, shapes, defaults, limits and errors are those of the real service. Changes are complete when the operation
//! returns, so the status of an accelerator is always `DEPLOYED`.

mod accelerators;
mod endpoint_groups;
mod listeners;
mod page;
mod tags;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Backend, fault::ApiError, health, state::AcceleratorState};

/// Runs one operation. A failed one has changed nothing.
pub(super) fn call(state: &mut AcceleratorState, operation: &str, input: Value) -> Result<Value, ApiError> {
    let AcceleratorState { address, apis, accelerators } = state;
    match operation {
        "CreateAccelerator" => accelerators::create(accelerators, parse(input)?, *address),
        "DescribeAccelerator" => accelerators::describe(accelerators, &parse(input)?, *address),
        "ListAccelerators" => accelerators::list(accelerators, &parse(input)?, *address),
        "UpdateAccelerator" => accelerators::update(accelerators, parse(input)?, *address),
        "DeleteAccelerator" => accelerators::delete(accelerators, &parse(input)?),
        "DescribeAcceleratorAttributes" => accelerators::describe_attributes(accelerators, &parse(input)?),
        "UpdateAcceleratorAttributes" => accelerators::update_attributes(accelerators, parse(input)?),
        "CreateListener" => listeners::create(accelerators, parse(input)?),
        "DescribeListener" => listeners::describe(accelerators, &parse(input)?),
        "ListListeners" => listeners::list(accelerators, &parse(input)?),
        "UpdateListener" => listeners::update(accelerators, parse(input)?),
        "DeleteListener" => listeners::delete(accelerators, &parse(input)?),
        "CreateEndpointGroup" => endpoint_groups::create(accelerators, parse(input)?, apis),
        "DescribeEndpointGroup" => endpoint_groups::describe(accelerators, &parse(input)?, apis),
        "ListEndpointGroups" => endpoint_groups::list(accelerators, &parse(input)?, apis),
        "UpdateEndpointGroup" => endpoint_groups::update(accelerators, parse(input)?, apis),
        "DeleteEndpointGroup" => endpoint_groups::delete(accelerators, &parse(input)?),
        "ListCrossAccountResources" => Ok(json!({ "CrossAccountResources": [] })),
        "ListTagsForResource" => tags::list(accelerators, &parse(input)?),
        "TagResource" => tags::tag(accelerators, parse(input)?),
        "UntagResource" => tags::untag(accelerators, &parse(input)?),
        other => Err(ApiError::unknown_operation(other)),
    }
}

/// Creates the accelerator `sales`, with one listener and an endpoint group for each backend, and returns its ARN.
pub(super) fn create_sales_accelerator(state: &mut AcceleratorState, backends: &[Backend]) -> Result<String, ApiError> {
    let port = state.address.port();
    let input = json!({ "Name": "sales", "IdempotencyToken": "sales" });
    let accelerator = created(call(state, "CreateAccelerator", input)?, "Accelerator");
    let input = json!({
        "AcceleratorArn": accelerator,
        "PortRanges": [{ "FromPort": port, "ToPort": port }],
        "Protocol": "TCP",
        "IdempotencyToken": "sales",
    });
    let listener = created(call(state, "CreateListener", input)?, "Listener");
    for Backend { region, address, dial } in backends {
        let input = json!({
            "ListenerArn": listener,
            "EndpointGroupRegion": region,
            "EndpointConfigurations": [{ "EndpointId": address.to_string() }],
            "TrafficDialPercentage": dial.percent(),
            "HealthCheckPort": address.port(),
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPath": health::PATH,
            "HealthCheckIntervalSeconds": 10,
            "ThresholdCount": health::FAILURES_UNTIL_UNHEALTHY,
            "IdempotencyToken": region,
        });
        call(state, "CreateEndpointGroup", input)?;
    }
    Ok(accelerator)
}

fn created(answer: Value, resource: &str) -> String {
    let arn = answer[resource][format!("{resource}Arn")].as_str();
    arn.unwrap_or_default().to_owned()
}

fn parse<T: for<'input> Deserialize<'input>>(input: Value) -> Result<T, ApiError> {
    serde_json::from_value(input).map_err(|error| ApiError::invalid(error.to_string()))
}
