//! Dead letters: reading them, hiding them meanwhile, and sending them back.

use std::{
    collections::{BTreeMap, HashSet},
    ops::ControlFlow,
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::join_all;
use sales::{
    attributes::{self, Attributes, Value},
    aws::sale_queue::{from_sqs, to_sqs},
};
use serde::Serialize;
use tokio::time::sleep;

use super::{Patience, RegionCloud, trouble::Trouble};
use crate::interrupt::Interrupt;

const KEY: &str = "dead_letter_queue_url";

/// How long a message that is read is hidden from other consumers; it is released earlier unless the command is killed.
pub(crate) const HELD_FOR: Duration = Duration::from_secs(60);

/// Maximum wait for a receive in flight after a signal: longer than the poll of an empty queue.
const LAST_RECEIVE: Duration = Duration::from_secs(2);

/// Empty responses after which the queue counts as empty: one of them covers only some of SQS's servers.
const EMPTY_ANSWERS: usize = 2;

/// A message that could not be processed, held by this command.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Message id.
    pub(crate) id: String,
    /// Time of sending, in milliseconds since 1970 by the queue's clock.
    pub(crate) sent_at_ms: i64,
    /// Number of receives, this one included.
    pub(crate) received: u32,
    /// The worker's reason; `None` if the queue moved it after too many receives.
    pub(crate) reason: Option<String>,
    /// Body.
    pub(crate) body: String,
    /// Attributes as they were before it became a dead letter.
    attributes: Attributes,
    receipt: String,
}

/// An attribute of a message as JSON shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Attribute<'a> {
    data_type: &'a str,
    /// Text; Base64 for binary data.
    value: String,
}

impl Letter {
    fn of(message: Message) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let number = |name| system.get(&name).and_then(|value| value.parse::<i64>().ok());
        let attributes = from_sqs(message.message_attributes.unwrap_or_default());
        Some(Self {
            id: message.message_id?,
            sent_at_ms: number(MessageSystemAttributeName::SentTimestamp).unwrap_or_default(),
            received: number(MessageSystemAttributeName::ApproximateReceiveCount)
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(1),
            reason: attributes::reason(&attributes),
            body: message.body.unwrap_or_default(),
            attributes: attributes::without_reason(attributes),
            receipt: message.receipt_handle?,
        })
    }

    /// Time of sending, in seconds since 1970.
    pub(crate) fn sent_at(&self) -> i64 {
        self.sent_at_ms / 1_000
    }

    /// The attributes without the reason.
    pub(crate) fn attributes(&self) -> BTreeMap<&str, Attribute<'_>> {
        let shown = self.attributes.iter().map(|(name, attribute)| {
            let value = match &attribute.value {
                Value::Text(text) => text.clone(),
                Value::Base64(bytes) => BASE64_STANDARD.encode(bytes),
            };
            (name.as_str(), Attribute { data_type: &attribute.data_type, value })
        });
        shown.collect()
    }
}

/// The dead letters of a region in batches, each message once.
pub(crate) struct Letters<'a> {
    region: &'a RegionCloud,
    client: Client,
    url: String,
    seen: HashSet<String>,
    held: Vec<String>,
    empty: usize,
}

impl RegionCloud {
    /// The dead letters of this region.
    pub(crate) async fn letters(&self) -> Result<Letters<'_>, Trouble> {
        let url = self.named(KEY, self.resources.dead_letter_queue_url.as_ref())?;
        // Reading is patient; this check finds out quickly whether the queue responds at all.
        let is_empty = self.counts(KEY, url).await?.messages() == 0;
        let url = url.to_string();
        let client = Client::new(&self.sdk(Patience::Bulk));
        // The count is approximate, so an empty queue is polled once all the same.
        let empty = if is_empty { EMPTY_ANSWERS - 1 } else { 0 };
        Ok(Letters { region: self, client, url, seen: HashSet::new(), held: Vec::new(), empty })
    }
}

impl Letters<'_> {
    /// Passes the letters to `work`, in batches of up to ten, until it breaks or fails, or a signal arrives; they are hidden
    /// from other consumers meanwhile. In the end, releases those that `work` has left in the queue.
    pub(crate) async fn each_batch<E: From<Trouble>>(
        mut self,
        interrupt: &Interrupt,
        mut work: impl AsyncFnMut(&Self, Vec<Letter>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let working = async {
            while let Some(batch) = self.next(interrupt).await? {
                if work(&self, batch).await?.is_break() {
                    break;
                }
            }
            Ok(())
        };
        let outcome = working.await;
        self.give_back().await;
        outcome
    }

    /// The next batch; none after the last, or after a signal.
    ///
    /// A receive in flight is then awaited, within reason: if it were cancelled, its messages would stay hidden.
    async fn next(&mut self, interrupt: &Interrupt) -> Result<Option<Vec<Letter>>, Trouble> {
        if interrupt.so_far().is_some() {
            return Ok(None);
        }
        let too_late = async {
            interrupt.heard().await;
            sleep(LAST_RECEIVE).await;
        };
        tokio::select! {
            biased;
            letters = self.receive() => letters,
            () = too_late => Ok(None),
        }
    }

    async fn receive(&mut self) -> Result<Option<Vec<Letter>>, Trouble> {
        while self.empty < EMPTY_ANSWERS {
            let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
            let request = request.wait_time_seconds(1).visibility_timeout(seconds(HELD_FOR));
            let request = request.message_attribute_names("All");
            let request = request
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
            let answer = request.send().await.map_err(|error| self.trouble("ReceiveMessage", error))?;
            let letters: Vec<_> = answer.messages.unwrap_or_default().into_iter().filter_map(Letter::of).collect();
            self.held.extend(letters.iter().map(|letter| letter.receipt.clone()));
            let new: Vec<_> = letters.into_iter().filter(|letter| self.seen.insert(letter.id.clone())).collect();
            if !new.is_empty() {
                self.empty = 0;
                return Ok(Some(new));
            }
            // Nothing, or only messages seen before.
            self.empty += 1;
        }
        Ok(None)
    }

    /// Sends letters back to the queue, each without its reason, and deletes those that arrived from this one. Returns
    /// their number, and the first failure of the others.
    ///
    /// After an interruption, a message may be in both queues: it is still processed once.
    pub(crate) async fn redrive(&self, letters: &[Letter]) -> Result<(usize, Option<Trouble>), Trouble> {
        let key = "queue_url";
        let queue = self.region.named(key, self.region.resources.queue_url.as_ref())?;
        let sent = join_all(letters.iter().map(async |letter| {
            let attributes = to_sqs(letter.attributes.clone());
            let request = self.client.send_message().queue_url(queue.as_str()).message_body(&letter.body);
            let answer = request.set_message_attributes(Some(attributes)).send().await;
            answer.map(|_| letter).map_err(|error| Trouble::of_sdk(&self.region.key(key), "SendMessage", error))
        }))
        .await;
        let (arrived, failed): (Vec<_>, Vec<_>) = sent.into_iter().partition(Result::is_ok);
        let arrived: Vec<&Letter> = arrived.into_iter().filter_map(Result::ok).collect();
        if !arrived.is_empty() {
            self.take_off(&arrived).await?;
        }
        Ok((arrived.len(), failed.into_iter().find_map(Result::err)))
    }

    async fn take_off(&self, letters: &[&Letter]) -> Result<(), Trouble> {
        let entries = letters.iter().enumerate().filter_map(|(place, letter)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(&letter.receipt).build().ok()
        });
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
        let answer = request.send().await.map_err(|error| self.trouble("DeleteMessageBatch", error))?;
        match answer.failed.first() {
            None => Ok(()),
            Some(entry) => Err(Trouble::new(format_args!(
                "DeleteMessageBatch: {}: {}",
                entry.code,
                entry.message.as_deref().unwrap_or("no message")
            ))),
        }
    }

    /// Releases the messages held. Messages that were deleted meanwhile are gone, which is no failure.
    async fn give_back(&mut self) {
        for receipts in std::mem::take(&mut self.held).chunks(10) {
            let entries = receipts.iter().enumerate().filter_map(|(place, receipt)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string());
                entry.receipt_handle(receipt).visibility_timeout(0).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.url);
            // If this fails, they reappear after the visibility timeout.
            drop(request.set_entries(Some(entries.collect())).send().await);
        }
    }

    fn trouble<E>(&self, operation: &'static str, error: super::trouble::SdkError<E>) -> Trouble
    where
        E: aws_sdk_sqs::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Trouble::of_sdk(&self.region.key(KEY), operation, error)
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
