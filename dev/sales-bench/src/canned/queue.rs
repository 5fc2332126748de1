//! The queue: messages that differ only in their sales' ids, made from a prepared one.

use std::time::Duration;

use sales::clock::Timestamp;
use sales::event::{self, Event};
use sales::sale::{Fact, Sale, SaleId};
use sales::trace::TraceParent;
use serde_json::json;

use super::answer::NotUnderstood;
use super::ids::{Kind, LENGTH, Series};
use crate::sample;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// As long as a receipt handle of SQS.
const HANDLE_LENGTH: usize = 412;

/// The messages of one load that are not yet received.
#[derive(Debug)]
pub(super) struct Queue {
    series: Series,
    next: u32,
    end: u32,
    prepared: Prepared,
}

/// A message's JSON, and the position of its sale's id.
#[derive(Debug, Default)]
struct Prepared {
    text: String,
    places: Vec<usize>,
}

impl Queue {
    /// Nothing to receive.
    pub(super) fn empty() -> Self {
        Self { series: Series::new(Kind::Message, 0), next: 0, end: 0, prepared: Prepared::default() }
    }

    /// `count` messages of a load at `now`.
    pub(super) fn new(count: u32, generation: u16, now: Duration) -> Result<Self, NotUnderstood> {
        let series = Series::new(Kind::Message, generation);
        Ok(Self { series, next: 0, end: count, prepared: Prepared::new(&sale(series, now)?, now) })
    }

    /// Delivers up to `most` messages, as a JSON list, and returns their number.
    pub(super) fn take(&mut self, most: u32) -> Option<(u32, String)> {
        let numbers = self.next..self.end.min(self.next.saturating_add(most));
        if numbers.is_empty() {
            return None;
        }
        let count = numbers.end - numbers.start;
        self.next = numbers.end;
        let mut list = String::with_capacity(count as usize * (self.prepared.text.len() + 1) + 1);
        for number in numbers {
            list.push(if list.is_empty() { '[' } else { ',' });
            self.prepared.write(self.series.text(number, &mut [0; LENGTH]), &mut list);
        }
        list.push(']');
        Some((count, list))
    }
}

/// The sale of a series' first message.
fn sale(series: Series, now: Duration) -> Result<Sale, NotUnderstood> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let timestamp = Timestamp::from_unix_seconds(seconds)
        .ok_or_else(|| NotUnderstood(format!("there is no year for {seconds}")))?;
    sample::sale(SaleId::new(series.id(0)), timestamp).map_err(|error| NotUnderstood(error.to_string()))
}

impl Prepared {
    /// The message as delivered by a subscription with raw delivery.
    fn new(sale: &Sale, now: Duration) -> Self {
        let id = sale.id.to_string();
        let fact = Fact::Sale(sale.clone());
        let body = event::body(&fact);
        let event = Event { fact, home: sample::region(), trace: TraceParent::parse(TRACE) };
        let attributes = event.attributes().into_iter();
        let attributes =
            attributes.map(|(name, value)| (name, json!({ "DataType": value.data_type, "StringValue": value.text() })));
        let message = json!({
            "MessageId": id,
            "ReceiptHandle": format!("{:A<HANDLE_LENGTH$}", format!("AQEB{id}")),
            // Current clients do not verify it.
            "MD5OfBody": "5d41402abc4b2a76b9719d911017c592",
            "Body": body,
            "Attributes": {
                "ApproximateReceiveCount": "1",
                "ApproximateFirstReceiveTimestamp": now.as_millis().to_string(),
            },
            "MessageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
        });
        let text = message.to_string();
        let places = text.match_indices(&id).map(|(place, _)| place).collect();
        Self { text, places }
    }

    /// Writes the message with this id in place of the prepared one.
    fn write(&self, id: &str, list: &mut String) {
        let mut written = 0;
        for place in &self.places {
            list.extend([&self.text[written..*place], id]);
            written = place + LENGTH;
        }
        list.push_str(&self.text[written..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{AMOUNT, PRODUCT};

    const NOW: Duration = Duration::from_secs(1_764_547_200);

    fn messages(list: &str) -> Vec<serde_json::Value> {
        serde_json::from_str(list).unwrap()
    }

    #[test]
    fn messages_are_given_out_once_and_in_order() {
        let mut queue = Queue::new(5, 1, NOW).unwrap();
        let series = Series::new(Kind::Message, 1);
        let counts: Vec<(u32, u32)> = [(3, 0), (3, 3)].into();
        for (most, first) in counts {
            let (count, list) = queue.take(most).unwrap();
            let messages = messages(&list);
            assert_eq!(messages.len(), count as usize);
            for (number, message) in (first..).zip(&messages) {
                assert_eq!(message["MessageId"], series.id(number).to_string());
            }
        }
        assert_eq!(queue.take(3), None);
        assert_eq!(Queue::empty().take(10), None);
    }

    #[test]
    fn a_message_has_its_id_in_its_own_id_its_handle_its_body_and_its_attributes() {
        let mut queue = Queue::new(2, 1, NOW).unwrap();
        let (_, list) = queue.take(10).unwrap();
        let id = Series::new(Kind::Message, 1).id(1).to_string();
        assert_eq!(list.matches(&id).count(), 4);
        let message = &messages(&list)[1];
        assert_eq!(message["ReceiptHandle"].as_str().unwrap().len(), HANDLE_LENGTH);
        assert_eq!(message["MessageAttributes"]["ce-id"]["StringValue"], id);
        let body = format!(
            r#"{{"id":"{id}","product":"{PRODUCT}","amount":{AMOUNT},"sale_processed":false,"timestamp":1764547200}}"#
        );
        assert_eq!(message["Body"], body);
    }
}
