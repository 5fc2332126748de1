//! The topic, on SNS.

use std::time::Duration;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::{Connection, Deadline, failure};
use crate::event::{self, Event};
use crate::health::Dependency;
use crate::ports::{FailureKind, PortError, PortResult, SaleTopic};

/// No client waits for it, and unpublished facts are pending anyway.
const DEADLINE: Deadline = Deadline { attempts: 2, attempt: Duration::from_secs(2), operation: Duration::from_secs(4) };

/// [`SaleTopic`] on SNS.
#[derive(Clone, Debug)]
pub struct SnsSaleTopic {
    client: Client,
    arn: String,
    dependency: Dependency,
}

impl SnsSaleTopic {
    /// The topic with this ARN.
    #[must_use]
    pub fn new(connection: &Connection, arn: String, dependency: Dependency) -> Self {
        let config = aws_sdk_sns::config::Builder::from(&connection.0)
            .retry_config(DEADLINE.retries())
            .timeout_config(DEADLINE.timeouts());
        Self { client: Client::from_conf(config.build()), arn, dependency }
    }

    async fn publish_batch(&self, events: &[Event]) -> PortResult<Vec<PortResult<()>>> {
        let operation = "PublishBatch";
        let entries: Vec<_> = events.iter().enumerate().filter_map(|(place, event)| entry(place, event)).collect();
        let request = self.client.publish_batch().topic_arn(&self.arn).set_publish_batch_request_entries(Some(entries));
        let answer = request.send().await.map_err(|error| failure::of_resource(operation, error))?;

        let unanswered =
            || PortError { operation, kind: FailureKind::Unavailable, detail: "no result for this entry".into() };
        let mut results: Vec<PortResult<()>> = events.iter().map(|_| Err(unanswered())).collect();
        for entry in answer.successful() {
            if let Some(result) = entry.id().and_then(|id| results.get_mut(id.parse::<usize>().ok()?)) {
                *result = Ok(());
            }
        }
        for entry in answer.failed() {
            if let Some(result) = entry.id().parse::<usize>().ok().and_then(|place| results.get_mut(place)) {
                *result = Err(failure::of_entry(operation, entry.code(), entry.message(), entry.sender_fault()));
            }
        }
        Ok(results)
    }
}

impl SaleTopic for SnsSaleTopic {
    async fn publish(&self, events: &[Event]) -> Vec<PortResult<()>> {
        match self.publish_batch(events).await {
            Ok(results) => self.dependency.observe_entries("PublishBatch", results),
            Err(error) => match self.dependency.observe::<()>("PublishBatch", Err(error)) {
                Err(error) => events.iter().map(|_| Err(error.clone())).collect(),
                Ok(()) => Vec::new(),
            },
        }
    }
}

fn entry(place: usize, event: &Event) -> Option<PublishBatchRequestEntry> {
    let entry = PublishBatchRequestEntry::builder().id(place.to_string()).message(event::body(&event.fact));
    let entry = event.attributes().into_iter().fold(entry, |entry, (name, value)| {
        let text = value.text().unwrap_or_default();
        match MessageAttributeValue::builder().data_type(value.data_type.as_str()).string_value(text).build() {
            Ok(value) => entry.message_attributes(name, value),
            Err(_) => entry,
        }
    });
    entry.build().ok()
}
