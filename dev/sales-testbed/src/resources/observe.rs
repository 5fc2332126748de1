//! Reads a region's state and resources, and sets its state: for the summary, the commands and the tests.

use std::{collections::HashMap, fmt, str::FromStr};

use anyhow::{Context, bail};
use aws_sdk_dynamodb::types::Select;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_ssm::types::ParameterType;

use super::RegionResources;

/// The index that holds an item exactly while it is pending.
pub(super) const PENDING_INDEX: &str = "pending-index";

/// State of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionState {
    /// It processes.
    Active,
    /// It stands by.
    Passive,
}

impl fmt::Display for RegionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Active => "ACTIVE",
            Self::Passive => "PASSIVE",
        })
    }
}

impl FromStr for RegionState {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "PASSIVE" => Ok(Self::Passive),
            other => bail!("invalid state {other:?}: expected ACTIVE or PASSIVE"),
        }
    }
}

/// One stored version of an object in the lake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// The hash of its bytes, from the store.
    pub etag: String,
}

impl RegionResources {
    /// Value of the state parameter.
    pub async fn state(&self) -> anyhow::Result<RegionState> {
        let answer = self.clients.ssm.get_parameter().name(&self.state_parameter).send().await?;
        let value = answer.parameter.and_then(|parameter| parameter.value);
        value.with_context(|| format!("{} has no value", self.state_parameter))?.parse()
    }

    /// Writes the state parameter.
    pub async fn set_state(&self, state: RegionState) -> anyhow::Result<()> {
        let request = self.clients.ssm.put_parameter().name(&self.state_parameter).value(state.to_string());
        let request = request.r#type(ParameterType::String).overwrite(true);
        request.send().await.with_context(|| format!("state of {} not set to {state}", self.name))?;
        Ok(())
    }

    /// The keys of all objects in the lake, sorted.
    pub async fn lake_keys(&self) -> anyhow::Result<Vec<String>> {
        self.lake_keys_under("").await
    }

    /// Whether the lake has a table.
    pub async fn has_lake_table(&self) -> anyhow::Result<bool> {
        let request = self.clients.s3.list_objects_v2().bucket(&self.bucket).prefix("table/sales/_delta_log/");
        Ok(request.max_keys(1).send().await?.key_count.is_some_and(|keys| keys > 0))
    }

    /// The keys of the objects of a folder, sorted.
    pub(super) async fn lake_keys_under(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let request = self.clients.s3.list_objects_v2().bucket(&self.bucket).prefix(folder);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page?.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// Every version of every object in the lake, sorted: an object that was written twice is listed twice.
    pub async fn lake_versions(&self) -> anyhow::Result<Vec<Object>> {
        let mut versions = Vec::new();
        let mut request = self.clients.s3.list_object_versions().bucket(&self.bucket);
        loop {
            let page = request.send().await?;
            let found = page.versions.unwrap_or_default().into_iter();
            versions.extend(found.filter_map(|version| Some(Object { key: version.key?, etag: version.e_tag? })));
            if page.next_key_marker.is_none() {
                break;
            }
            request = self.clients.s3.list_object_versions().bucket(&self.bucket);
            request = request.set_key_marker(page.next_key_marker);
            request = request.set_version_id_marker(page.next_version_id_marker);
        }
        versions.sort_unstable();
        Ok(versions)
    }

    /// The bytes of one object in the lake.
    pub async fn lake_object(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.clients.s3.get_object().bucket(&self.bucket).key(key).send().await;
        let answer = answer.with_context(|| format!("{key} in {}", self.bucket))?;
        Ok(answer.body.collect().await?.to_vec())
    }

    /// Number of pending sales and cancellations in this region's replica of the table.
    pub async fn pending_count(&self) -> anyhow::Result<usize> {
        let request = self.clients.dynamodb.scan().table_name(&self.sales_table);
        let request = request.index_name(PENDING_INDEX).select(Select::Count);
        let mut pages = request.into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += usize::try_from(page?.count)?;
        }
        Ok(count)
    }

    /// Number of sales accepted by each region, in this region's replica of the table.
    pub async fn accepted_by_region(&self) -> anyhow::Result<HashMap<String, usize>> {
        let request = self.clients.dynamodb.scan().table_name(&self.sales_table);
        let request = request.filter_expression("attribute_not_exists(sale_id)");
        let request = request.projection_expression("#region").expression_attribute_names("#region", "region");
        let mut items = request.into_paginator().items().send();
        let mut accepted = HashMap::new();
        while let Some(item) = items.next().await {
            if let Some(Ok(region)) = item?.get("region").map(|value| value.as_s().cloned()) {
                *accepted.entry(region).or_default() += 1;
            }
        }
        Ok(accepted)
    }

    /// Number of messages in the queue, in flight or not.
    pub async fn queued_count(&self) -> anyhow::Result<usize> {
        self.count_messages(&self.queue_url).await
    }

    /// Number of messages in the dead-letter queue.
    pub async fn dead_letter_count(&self) -> anyhow::Result<usize> {
        self.count_messages(&self.dead_letter_queue_url).await
    }

    async fn count_messages(&self, queue_url: &str) -> anyhow::Result<usize> {
        let counted = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.clients.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = request.set_attribute_names(Some(counted.to_vec())).send().await?;
        let values = answer.attributes.unwrap_or_default();
        counted.iter().filter_map(|name| values.get(name)).map(|value| Ok(value.parse::<usize>()?)).sum()
    }
}
