//! The queue, on SQS.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Connection, Deadline, failure};
use crate::clock::Timestamp;
use crate::event::Attributes;
use crate::health::Dependency;
use crate::ports::{DeadLetter, Delivery, FailureKind, PortError, PortResult, SaleQueue};

/// Longer than a long poll, so that an idle queue is no failure.
const RECEIVE: Deadline =
    Deadline { attempts: 1, attempt: Duration::from_secs(25), operation: Duration::from_secs(25) };

const CHANGE: Deadline = Deadline { attempts: 3, attempt: Duration::from_secs(2), operation: Duration::from_secs(5) };

/// The most that SQS accepts.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

const MOST_ATTRIBUTES: usize = 10;

/// Why a message is in the dead-letter queue.
const REASON: &str = "dead-letter-reason";

/// How long the redrive policy is believed before it is read again.
const POLICY_TRUST: Duration = Duration::from_secs(60);

/// [`SaleQueue`] on SQS.
#[derive(Clone, Debug)]
pub struct SqsSaleQueue {
    client: Client,
    receiver: Client,
    url: String,
    dependency: Dependency,
    dead_letter_queue: Arc<Mutex<Option<DeadLetterQueue>>>,
}

#[derive(Clone, Debug)]
struct DeadLetterQueue {
    url: Option<String>,
    read_at: Instant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
}

impl SqsSaleQueue {
    /// The queue with this URL.
    #[must_use]
    pub fn new(connection: &Connection, url: String, dependency: Dependency) -> Self {
        let client = |deadline: &Deadline| {
            let config = aws_sdk_sqs::config::Builder::from(&connection.0);
            let config = config.retry_config(deadline.retries()).timeout_config(deadline.timeouts());
            Client::from_conf(config.build())
        };
        Self { client: client(&CHANGE), receiver: client(&RECEIVE), url, dependency, dead_letter_queue: Arc::default() }
    }

    /// The URL of the queue that the redrive policy names; `None` without a policy.
    async fn dead_letter_queue(&self) -> PortResult<Option<String>> {
        let mut known = self.dead_letter_queue.lock().await;
        if let Some(queue) = known.as_ref().filter(|queue| queue.read_at.elapsed() < POLICY_TRUST) {
            return Ok(queue.url.clone());
        }
        let url = self.read_dead_letter_queue().await?;
        *known = Some(DeadLetterQueue { url: url.clone(), read_at: Instant::now() });
        Ok(url)
    }

    async fn read_dead_letter_queue(&self) -> PortResult<Option<String>> {
        let operation = "GetQueueAttributes";
        let attributes = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = attributes.attribute_names(QueueAttributeName::RedrivePolicy).send().await;
        let answer = answer.map_err(|error| failure::of(operation, error))?;
        let policy = answer.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::RedrivePolicy));
        let Some(policy) = policy.filter(|policy| !policy.is_empty()) else { return Ok(None) };

        let invalid = || PortError {
            operation,
            kind: FailureKind::Rejected,
            detail: format!("the redrive policy names no queue: {policy}"),
        };
        let policy: RedrivePolicy = serde_json::from_str(policy).map_err(|_| invalid())?;
        let mut parts = policy.dead_letter_target_arn.split(':').skip(4);
        let (Some(account), Some(name)) = (parts.next(), parts.next()) else { return Err(invalid()) };
        let answer = self.client.get_queue_url().queue_name(name).queue_owner_aws_account_id(account).send().await;
        Ok(answer.map_err(|error| failure::of("GetQueueUrl", error))?.queue_url)
    }

    async fn send_dead_letter(&self, delivery: &Delivery, reason: &str) -> PortResult<DeadLetter> {
        let Some(url) = self.dead_letter_queue().await? else { return Ok(DeadLetter::NoQueue) };
        let attributes = dead_letter_attributes(&delivery.attributes, reason);
        let attributes: HashMap<_, _> =
            attributes.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect();
        let message = self.client.send_message().queue_url(url).set_message_attributes(Some(attributes));
        // SQS refuses an empty body, and delivers none.
        let answer = message.message_body(&delivery.body).send().await;
        answer.map(|_| DeadLetter::Sent).map_err(|error| failure::of("SendMessage", error))
    }
}

impl SaleQueue for SqsSaleQueue {
    async fn receive(&self, wait: Duration, hidden_for: Duration) -> PortResult<Vec<Delivery>> {
        let request = self.receiver.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let request =
            request.wait_time_seconds(seconds(wait.min(Self::LONGEST_WAIT))).visibility_timeout(seconds(hidden_for));
        let request = request.message_attribute_names("All");
        let request = request
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp);
        let answer = request.send().await.map_err(|error| failure::of_resource("ReceiveMessage", error));
        Ok(self.dependency.observe(answer)?.messages.unwrap_or_default().into_iter().filter_map(delivery).collect())
    }

    async fn acknowledge(&self, receipts: &[&str]) -> PortResult<()> {
        let operation = "DeleteMessageBatch";
        let entries = receipts.iter().enumerate().filter_map(|(place, receipt)| {
            DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(*receipt).build().ok()
        });
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
        let answer = request.send().await.map_err(|error| failure::of(operation, error));
        self.dependency.observe(answer.and_then(|answer| first_failure(operation, answer.failed())))
    }

    async fn hide(&self, receipts: &[(&str, Duration)]) -> PortResult<()> {
        let operation = "ChangeMessageVisibilityBatch";
        let entries = receipts.iter().enumerate().filter_map(|(place, (receipt, time))| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(*receipt).visibility_timeout(seconds(*time)).build().ok()
        });
        let request = self.client.change_message_visibility_batch().queue_url(&self.url);
        let answer = request.set_entries(Some(entries.collect())).send().await;
        let answer = answer.map_err(|error| failure::of(operation, error));
        self.dependency.observe(answer.and_then(|answer| first_failure(operation, answer.failed())))
    }

    async fn dead_letter(&self, delivery: &Delivery, reason: &str) -> PortResult<DeadLetter> {
        let outcome = self.send_dead_letter(delivery, reason).await;
        if outcome.is_err() {
            // Perhaps another queue is the right one by now.
            *self.dead_letter_queue.lock().await = None;
        }
        outcome
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.min(LONGEST_VISIBILITY).as_secs()).unwrap_or(i32::MAX)
}

fn delivery(message: Message) -> Option<Delivery> {
    let system = message.attributes.unwrap_or_default();
    let receive_count = system.get(&MessageSystemAttributeName::ApproximateReceiveCount);
    let first_received = system.get(&MessageSystemAttributeName::ApproximateFirstReceiveTimestamp);
    let attributes = message.message_attributes.unwrap_or_default();
    Some(Delivery {
        receipt: message.receipt_handle?,
        body: message.body.unwrap_or_default(),
        attributes: attributes.into_iter().filter_map(|(name, value)| Some((name, value.string_value?))).collect(),
        receive_count: receive_count.and_then(|count| count.parse().ok()).unwrap_or(1),
        first_received: first_received
            .and_then(|milliseconds| milliseconds.parse::<i64>().ok())
            .and_then(|milliseconds| Timestamp::from_unix_seconds(milliseconds / 1000)),
    })
}

/// One entry's failure stands for the batch's: what was not done is done again with the next delivery.
fn first_failure(operation: &'static str, failed: &[BatchResultErrorEntry]) -> PortResult<()> {
    match failed.first() {
        None => Ok(()),
        Some(entry) => Err(failure::of_entry(operation, entry.code(), entry.message(), entry.sender_fault())),
    }
}

/// The message's own attributes and the reason, within the number that a message can carry: of a full message, the
/// last ones by name make room.
fn dead_letter_attributes(attributes: &Attributes, reason: &str) -> Attributes {
    let others = attributes.iter().filter(|(name, _)| *name != REASON).take(MOST_ATTRIBUTES - 1);
    let mut kept: Attributes = others.map(|(name, value)| (name.clone(), value.clone())).collect();
    kept.insert(REASON.into(), reason.into());
    kept
}

fn text(value: String) -> Option<MessageAttributeValue> {
    // SQS refuses empty values.
    let value = Some(value).filter(|value| !value.is_empty())?;
    MessageAttributeValue::builder().data_type("String").string_value(value).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_message_makes_room_for_the_reason() {
        let full: Attributes = (0..10).map(|number| (format!("a{number}"), "x".to_owned())).collect();
        let kept = dead_letter_attributes(&full, "malformed");
        assert_eq!(kept.len(), 10);
        assert_eq!(kept[REASON], "malformed");
        assert!(kept.contains_key("a8") && !kept.contains_key("a9"));
    }

    #[test]
    fn a_message_that_comes_back_keeps_one_reason() {
        let again = dead_letter_attributes(&dead_letter_attributes(&Attributes::new(), "malformed"), "invalid-id");
        assert_eq!(again, Attributes::from([(REASON.into(), "invalid-id".into())]));
    }
}
