//! The queue, on SQS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Connection, Deadline, failure};
use crate::attributes::{self, Attribute, Attributes, Value};
use crate::clock::Timestamp;
use crate::health::Dependency;
use crate::ports::{DeadLetter, Delivery, FailureKind, PortError, PortResult, SaleQueue};

/// Longer than the longest poll, so that an idle queue does not count as a failure.
const RECEIVE: Deadline =
    Deadline { attempts: 1, attempt: Duration::from_secs(30), operation: Duration::from_secs(30) };

/// Time for a response after the poll: messages in a later response would stay hidden from every consumer.
const ANSWER_TIME: Duration = Duration::from_secs(20);

const CHANGE: Deadline = Deadline { attempts: 3, attempt: Duration::from_secs(2), operation: Duration::from_secs(5) };

/// Maximum that SQS accepts.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// How long a redrive policy is cached.
const POLICY_TRUST: Duration = Duration::from_secs(60);

/// [`SaleQueue`] on SQS.
#[derive(Clone, Debug)]
pub struct SqsSaleQueue {
    client: Client,
    receiver: Client,
    url: String,
    dependency: Dependency,
    dead_letters: Dependency,
    dead_letter_queue: Arc<Mutex<Option<PolicyRead>>>,
}

/// A read of the redrive policy, shared by all messages that need it; in flight, or with its result.
#[derive(Clone, Debug)]
struct PolicyRead {
    url: Shared<BoxFuture<'static, PortResult<Option<String>>>>,
    began: Instant,
}

impl PolicyRead {
    /// Whether it is still to be used: while it is in flight, for a minute if it succeeded, and for as long as a call may
    /// take if it failed.
    fn is_trusted(&self) -> bool {
        match self.url.peek() {
            None => true,
            Some(Ok(_)) => self.began.elapsed() < POLICY_TRUST,
            Some(Err(_)) => self.began.elapsed() < CHANGE.operation,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
}

impl SqsSaleQueue {
    /// The queue with this URL. `dead_letters` is the queue that its redrive policy names.
    #[must_use]
    pub fn new(connection: &Connection, url: String, dependency: Dependency, dead_letters: Dependency) -> Self {
        let client = |deadline: &Deadline| {
            let config = aws_sdk_sqs::config::Builder::from(&connection.0);
            let config = config.retry_config(deadline.retries()).timeout_config(deadline.timeouts());
            Client::from_conf(config.build())
        };
        let (client, receiver) = (client(&CHANGE), client(&RECEIVE));
        Self { client, receiver, url, dependency, dead_letters, dead_letter_queue: Arc::default() }
    }

    /// URL of the queue that the redrive policy names; `None` without a policy.
    async fn dead_letter_queue(&self) -> PortResult<Option<String>> {
        let reading = {
            let mut known = self.dead_letter_queue.lock().unwrap_or_else(PoisonError::into_inner);
            let trusted = known.take().filter(PolicyRead::is_trusted);
            let reading = trusted.unwrap_or_else(|| {
                let (client, url) = (self.client.clone(), self.url.clone());
                let url = async move { Self::read_dead_letter_queue(&client, &url).await }.boxed().shared();
                PolicyRead { url, began: Instant::now() }
            });
            known.insert(reading).url.clone()
        };
        reading.await
    }

    async fn read_dead_letter_queue(client: &Client, url: &str) -> PortResult<Option<String>> {
        let operation = "GetQueueAttributes";
        let attributes = client.get_queue_attributes().queue_url(url);
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
        let answer = client.get_queue_url().queue_name(name).queue_owner_aws_account_id(account).send().await;
        Ok(answer.map_err(|error| failure::of("GetQueueUrl", error))?.queue_url)
    }

    async fn send_dead_letter(&self, delivery: &Delivery, reason: &str) -> PortResult<DeadLetter> {
        let Some(url) = self.dead_letter_queue().await? else { return Ok(DeadLetter::NoQueue) };
        let attributes = to_sqs(attributes::with_reason(&delivery.attributes, reason));
        let message = self.client.send_message().queue_url(url).set_message_attributes(Some(attributes));
        // SQS rejects an empty body, and never delivers one.
        let answer = message.message_body(&delivery.body).send().await;
        if answer.is_err() {
            // The policy may name another queue by now.
            *self.dead_letter_queue.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
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
        let operation = "ReceiveMessage";
        let answer = match tokio::time::timeout(wait + ANSWER_TIME, request.send()).await {
            Ok(answer) => answer.map_err(|error| failure::of_resource(operation, error)),
            Err(_) => {
                let detail = format!("no response within {} s after the poll", ANSWER_TIME.as_secs());
                Err(PortError { operation, kind: FailureKind::Unavailable, detail })
            }
        };
        Ok(self
            .dependency
            .observe(operation, answer)?
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(delivery)
            .collect())
    }

    async fn acknowledge(&self, receipts: &[&str]) -> PortResult<()> {
        let operation = "DeleteMessageBatch";
        let entries = receipts.iter().enumerate().filter_map(|(place, receipt)| {
            DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(*receipt).build().ok()
        });
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
        let answer = request.send().await.map_err(|error| failure::of(operation, error));
        self.dependency.observe(operation, answer.and_then(|answer| worst_failure(operation, answer.failed())))
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
        self.dependency.observe(operation, answer.and_then(|answer| worst_failure(operation, answer.failed())))
    }

    async fn dead_letter(&self, delivery: &Delivery, reason: &str) -> PortResult<DeadLetter> {
        let outcome = self.send_dead_letter(delivery, reason).await;
        if matches!(outcome, Ok(DeadLetter::NoQueue)) {
            let detail = "the queue has no redrive policy".to_owned();
            let missing = PortError { operation: "GetQueueAttributes", kind: FailureKind::Missing, detail };
            drop(self.dead_letters.observe::<()>("SendMessage", Err(missing)));
            return outcome;
        }
        self.dead_letters.observe("SendMessage", outcome)
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.min(LONGEST_VISIBILITY).as_secs()).unwrap_or(i32::MAX)
}

fn delivery(message: Message) -> Option<Delivery> {
    let system = message.attributes.unwrap_or_default();
    let receive_count = system.get(&MessageSystemAttributeName::ApproximateReceiveCount);
    let first_received = system.get(&MessageSystemAttributeName::ApproximateFirstReceiveTimestamp);
    Some(Delivery {
        receipt: message.receipt_handle?,
        body: message.body.unwrap_or_default(),
        attributes: from_sqs(message.message_attributes.unwrap_or_default()),
        receive_count: receive_count.and_then(|count| count.parse().ok()).unwrap_or(1),
        first_received: first_received
            .and_then(|milliseconds| milliseconds.parse::<i64>().ok())
            .and_then(|milliseconds| Timestamp::from_unix_seconds(milliseconds / 1000)),
    })
}

/// The worst entry's failure stands for the batch's: after the next delivery, the rest is repeated.
fn worst_failure(operation: &'static str, failed: &[BatchResultErrorEntry]) -> PortResult<()> {
    let of = |entry: &BatchResultErrorEntry| {
        failure::of_entry(operation, entry.code(), entry.message(), entry.sender_fault())
    };
    let errors: Vec<PortError> = failed.iter().map(of).collect();
    PortError::worst(errors.iter()).map_or(Ok(()), |worst| Err(worst.clone()))
}

/// The attributes of a received message. SQS delivers none without a value.
#[must_use]
pub fn from_sqs(attributes: HashMap<String, MessageAttributeValue>) -> Attributes {
    let attributes = attributes.into_iter().filter_map(|(name, attribute)| {
        let text = attribute.string_value.map(Value::Text);
        let value = text.or_else(|| attribute.binary_value.map(|bytes| Value::Base64(bytes.into_inner())))?;
        Some((name, Attribute { data_type: attribute.data_type, value }))
    });
    attributes.collect()
}

/// The attributes of a message to send. SQS rejects those without a value.
#[must_use]
pub fn to_sqs(attributes: Attributes) -> HashMap<String, MessageAttributeValue> {
    let attributes = attributes.into_iter().filter_map(|(name, Attribute { data_type, value })| {
        let attribute = MessageAttributeValue::builder().data_type(data_type);
        let attribute = match value {
            Value::Text(text) if !text.is_empty() => attribute.string_value(text),
            Value::Base64(bytes) if !bytes.is_empty() => attribute.binary_value(Blob::new(bytes)),
            Value::Text(_) | Value::Base64(_) => return None,
        };
        Some((name, attribute.build().ok()?))
    });
    attributes.collect()
}
