//! The topic, on SNS.

use std::time::Duration;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use futures::future::join_all;

use super::{Connection, Deadline, failure};
use crate::event::Event;
use crate::health::Dependency;
use crate::message::{self, Message};
use crate::ports::{PortResult, SaleTopic};

const OPERATION: &str = "Publish";

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

    async fn publish_message(&self, message: Message) -> PortResult<()> {
        let publish = self.client.publish().topic_arn(&self.arn).message(message.body);
        let publish = message.attributes.into_iter().fold(publish, |publish, (name, value)| {
            let text = value.text().unwrap_or_default();
            match MessageAttributeValue::builder().data_type(value.data_type.as_str()).string_value(text).build() {
                Ok(value) => publish.message_attributes(name, value),
                Err(_) => publish,
            }
        });
        let answer = publish.send().await.map(drop).map_err(|error| failure::of_resource(OPERATION, error));
        self.dependency.observe(OPERATION, answer)
    }
}

impl SaleTopic for SnsSaleTopic {
    async fn publish(&self, events: &[Event]) -> Vec<PortResult<()>> {
        let published = message::pack(events).into_iter().map(async |(message, count)| {
            let result = self.publish_message(message).await;
            vec![result; count]
        });
        join_all(published).await.concat()
    }
}
