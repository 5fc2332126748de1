//! The operations on accelerators.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::resources::{Accelerator, Accelerators, FlowLogs, IpAddressType},
    ApiError,
    page::Page,
    tags::{Tag, tagged},
};

const LARGEST_NUMBER: usize = 20;
const LONGEST_NAME: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    name: String,
    ip_address_type: Option<IpAddressType>,
    ip_addresses: Option<Vec<String>>,
    enabled: Option<bool>,
    idempotency_token: String,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    accelerator_arn: String,
    name: Option<String>,
    ip_address_type: Option<IpAddressType>,
    ip_addresses: Option<Vec<String>>,
    enabled: Option<bool>,
}

/// Parameters of operations that only need the accelerator.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Which {
    accelerator_arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateAttributes {
    accelerator_arn: String,
    flow_logs_enabled: Option<bool>,
    #[serde(rename = "FlowLogsS3Bucket")]
    flow_logs_bucket: Option<String>,
    #[serde(rename = "FlowLogsS3Prefix")]
    flow_logs_prefix: Option<String>,
}

pub(super) fn create(accelerators: &mut Accelerators, input: Create, address: SocketAddr) -> Result<Value, ApiError> {
    if let Some(same) = accelerators.all.iter().find(|own| own.identity.token == input.idempotency_token) {
        return Ok(json!({ "Accelerator": view(same, address) }));
    }
    check_name(&input.name)?;
    check_addresses(input.ip_addresses.as_deref())?;
    let tags = tagged(Default::default(), input.tags.unwrap_or_default())?;
    if accelerators.all.len() >= LARGEST_NUMBER {
        return Err(ApiError::limit_exceeded(format!("an account has at most {LARGEST_NUMBER} accelerators")));
    }
    let now = now();
    let accelerator = Accelerator {
        identity: accelerators.new_accelerator(input.idempotency_token),
        name: input.name,
        is_enabled: input.enabled.unwrap_or(true),
        ip_address_type: input.ip_address_type.unwrap_or_default(),
        ip_addresses: input.ip_addresses,
        flow_logs: FlowLogs::default(),
        tags,
        created: now,
        modified: now,
        listeners: Vec::new(),
    };
    let answer = json!({ "Accelerator": view(&accelerator, address) });
    accelerators.all.push(accelerator);
    Ok(answer)
}

pub(super) fn describe(accelerators: &mut Accelerators, input: &Which, address: SocketAddr) -> Result<Value, ApiError> {
    let accelerator = accelerators.accelerator(&input.accelerator_arn)?;
    Ok(json!({ "Accelerator": view(accelerator, address) }))
}

pub(super) fn list(accelerators: &Accelerators, page: &Page, address: SocketAddr) -> Result<Value, ApiError> {
    let items = accelerators.all.iter().map(|accelerator| (&accelerator.identity, view(accelerator, address)));
    page.answer("accelerators", "Accelerators", items)
}

pub(super) fn update(accelerators: &mut Accelerators, input: Update, address: SocketAddr) -> Result<Value, ApiError> {
    let accelerator = accelerators.accelerator(&input.accelerator_arn)?;
    check_addresses(input.ip_addresses.as_deref())?;
    if let Some(name) = input.name {
        check_name(&name)?;
        accelerator.name = name;
    }
    accelerator.ip_address_type = input.ip_address_type.unwrap_or(accelerator.ip_address_type);
    accelerator.ip_addresses = input.ip_addresses.or_else(|| accelerator.ip_addresses.take());
    accelerator.is_enabled = input.enabled.unwrap_or(accelerator.is_enabled);
    accelerator.modified = now();
    Ok(json!({ "Accelerator": view(accelerator, address) }))
}

pub(super) fn delete(accelerators: &mut Accelerators, input: &Which) -> Result<Value, ApiError> {
    let accelerator = accelerators.accelerator(&input.accelerator_arn)?;
    if accelerator.is_enabled {
        return Err(ApiError::new("AcceleratorNotDisabledException", "disable an accelerator before you delete it"));
    }
    if !accelerator.listeners.is_empty() {
        let message = "delete the listeners of an accelerator before you delete it";
        return Err(ApiError::new("AssociatedListenerFoundException", message));
    }
    accelerators.all.retain(|accelerator| accelerator.identity.arn != input.accelerator_arn);
    Ok(json!({}))
}

pub(super) fn describe_attributes(accelerators: &mut Accelerators, input: &Which) -> Result<Value, ApiError> {
    Ok(attributes(&accelerators.accelerator(&input.accelerator_arn)?.flow_logs))
}

/// Flow logs are never written, but their settings are stored.
pub(super) fn update_attributes(accelerators: &mut Accelerators, input: UpdateAttributes) -> Result<Value, ApiError> {
    let accelerator = accelerators.accelerator(&input.accelerator_arn)?;
    let old = accelerator.flow_logs.clone();
    let flow_logs = FlowLogs {
        are_enabled: input.flow_logs_enabled.unwrap_or(old.are_enabled),
        bucket: input.flow_logs_bucket.or(old.bucket),
        prefix: input.flow_logs_prefix.or(old.prefix),
    };
    if flow_logs.are_enabled && (flow_logs.bucket.is_none() || flow_logs.prefix.is_none()) {
        return Err(ApiError::invalid("flow logs need FlowLogsS3Bucket and FlowLogsS3Prefix"));
    }
    accelerator.flow_logs = flow_logs;
    accelerator.modified = now();
    Ok(attributes(&accelerator.flow_logs))
}

fn attributes(flow_logs: &FlowLogs) -> Value {
    json!({ "AcceleratorAttributes": {
        "FlowLogsEnabled": flow_logs.are_enabled,
        "FlowLogsS3Bucket": flow_logs.bucket,
        "FlowLogsS3Prefix": flow_logs.prefix,
    }})
}

fn view(accelerator: &Accelerator, address: SocketAddr) -> Value {
    let host = [address.ip().to_string()];
    let is_dual_stack = accelerator.ip_address_type == IpAddressType::DualStack;
    json!({
        "AcceleratorArn": accelerator.identity.arn,
        "Name": accelerator.name,
        "IpAddressType": accelerator.ip_address_type,
        "Enabled": accelerator.is_enabled,
        "IpSets": [{
            "IpFamily": "IPv4",
            "IpAddresses": accelerator.ip_addresses.as_deref().unwrap_or(&host),
            "IpAddressFamily": "IPv4",
        }],
        "DnsName": "localhost",
        "DualStackDnsName": is_dual_stack.then_some("localhost"),
        "Status": "DEPLOYED",
        "CreatedTime": accelerator.created,
        "LastModifiedTime": accelerator.modified,
    })
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let is_known = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.');
    let is_valid = (1..=LONGEST_NAME).contains(&name.len())
        && name.chars().all(is_known)
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.']);
    if is_valid { Ok(()) } else { Err(ApiError::invalid(format!("invalid accelerator name {name:?}"))) }
}

/// Two at most, as on AWS, where they must come from the account's own pool, which has no stand-in.
fn check_addresses(addresses: Option<&[String]>) -> Result<(), ApiError> {
    if addresses.is_some_and(|addresses| addresses.len() > 2) {
        return Err(ApiError::invalid("an accelerator has at most 2 addresses"));
    }
    Ok(())
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
