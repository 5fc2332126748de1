//! SQS's responses, in its JSON protocol.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{Answer, JSON_1_0, NotUnderstood};
use super::queue::{Queue, Received};

/// A receive request.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    max_number_of_messages: Option<u32>,
    wait_time_seconds: Option<u64>,
}

/// Entries of a batch, of which only the ids matter; each is echoed as sent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

impl Receive {
    /// Parses a request.
    pub(super) fn parse(body: &[u8]) -> Result<Self, NotUnderstood> {
        Ok(serde_json::from_slice(body)?)
    }

    /// Maximum wait at an empty queue.
    pub(super) fn wait(self) -> Duration {
        Duration::from_secs(self.wait_time_seconds.unwrap_or(0))
    }

    /// Available messages; `None` if the queue is empty.
    pub(super) fn take(self, queue: &mut Queue) -> Option<Received> {
        queue.take(self.max_number_of_messages.unwrap_or(1))
    }
}

/// Messages.
pub(super) fn messages(Received { list, .. }: &Received) -> Answer {
    Answer::ok(JSON_1_0, format!(r#"{{"Messages":{list}}}"#))
}

/// No messages.
pub(super) fn nothing() -> Answer {
    Answer::fixed(JSON_1_0, "{}")
}

/// All entries of a batch succeeded; returns their number.
pub(super) fn batch(body: &[u8]) -> Result<(u64, Answer), NotUnderstood> {
    let Batch { entries } = serde_json::from_slice(body)?;
    let mut done = r#"{"Failed":[],"Successful":["#.to_owned();
    for (place, entry) in entries.iter().enumerate() {
        done.extend([if place == 0 { "" } else { "," }, r#"{"Id":"#, entry.id.get(), "}"]);
    }
    done.push_str("]}");
    Ok((entries.len() as u64, Answer::ok(JSON_1_0, done)))
}

/// No attributes: in particular, no redrive policy.
pub(super) fn attributes() -> Answer {
    Answer::fixed(JSON_1_0, r#"{"Attributes":{}}"#)
}

/// A message was sent.
pub(super) fn sent() -> Answer {
    Answer::fixed(
        JSON_1_0,
        r#"{"MessageId":"0192f5c0-7c1d-7a3e-8f11-0123456789ab","MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592"}"#,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_a_batch_is_done_under_its_own_id() {
        let body = br#"{"QueueUrl":"q","Entries":[{"Id":"0","ReceiptHandle":"a"},{"ReceiptHandle":"b","Id":"x-1"}]}"#;
        let (count, answer) = batch(body).unwrap();
        assert_eq!(count, 2);
        assert_eq!(answer.text(), r#"{"Failed":[],"Successful":[{"Id":"0"},{"Id":"x-1"}]}"#);
    }

    #[test]
    fn a_receiver_that_says_nothing_gets_one_message_and_does_not_wait() {
        let receive = Receive::parse(br#"{"QueueUrl":"q"}"#).unwrap();
        assert_eq!(receive.wait(), Duration::ZERO);
        let mut queue = Queue::new(2, 1, None, 1, Duration::from_secs(1)).unwrap();
        let received = receive.take(&mut queue).unwrap();
        assert!(messages(&received).text().starts_with(r#"{"Messages":[{"#));
        assert_eq!(received.count, 1);
    }

    #[test]
    fn what_is_no_batch_is_not_understood() {
        assert!(batch(br#"{"QueueUrl":"q"}"#).is_err());
        assert!(Receive::parse(b"[").is_err());
    }
}
