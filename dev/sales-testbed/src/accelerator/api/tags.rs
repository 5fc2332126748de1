//! Tags, which only accelerators have.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{super::resources::Accelerators, ApiError};

const LARGEST_NUMBER: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    resource_arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

pub(super) fn list(accelerators: &mut Accelerators, input: &List) -> Result<Value, ApiError> {
    let arn = &input.resource_arn;
    let none = BTreeMap::new();
    let tags = if arn.contains("/endpoint-group/") {
        accelerators.listener_of_group(arn).map(|_| &none)?
    } else if arn.contains("/listener/") {
        accelerators.listener(arn).map(|_| &none)?
    } else {
        &accelerators.accelerator(arn)?.tags
    };
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "Tags": tags }))
}

pub(super) fn tag(accelerators: &mut Accelerators, input: TagResource) -> Result<Value, ApiError> {
    let accelerator = accelerators.accelerator(&input.resource_arn)?;
    accelerator.tags = tagged(accelerator.tags.clone(), input.tags)?;
    Ok(json!({}))
}

/// As documented, it succeeds for a deleted accelerator, too.
pub(super) fn untag(accelerators: &mut Accelerators, input: &UntagResource) -> Result<Value, ApiError> {
    if let Ok(accelerator) = accelerators.accelerator(&input.resource_arn) {
        accelerator.tags.retain(|key, _| !input.tag_keys.contains(key));
    }
    Ok(json!({}))
}

/// The tags with these additions, if valid.
pub(super) fn tagged(mut tags: BTreeMap<String, String>, more: Vec<Tag>) -> Result<BTreeMap<String, String>, ApiError> {
    for Tag { key, value } in more {
        let is_long = key.chars().count() > LONGEST_KEY || value.chars().count() > LONGEST_VALUE;
        if key.is_empty() || is_long || key.starts_with("aws:") {
            return Err(ApiError::invalid(format!("invalid tag {key:?}, or its value is too long")));
        }
        tags.insert(key, value);
    }
    if tags.len() > LARGEST_NUMBER {
        return Err(ApiError::invalid(format!("a resource has at most {LARGEST_NUMBER} tags")));
    }
    Ok(tags)
}
