//! The queue: messages that differ only in their sales' ids, made from a prepared one, and published ones.

use std::collections::VecDeque;
use std::time::Duration;

use sales::clock::Timestamp;
use sales::event::Event;
use sales::message::{self, Message};
use sales::region::Region;
use sales::sale::{Fact, SaleId};
use sales::trace::TraceParent;
use serde_json::{Map, Value, json};

use super::answer::NotUnderstood;
use super::ids::{Kind, LENGTH, Series};
use crate::sample;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// As long as a receipt handle of SQS.
const HANDLE_LENGTH: usize = 412;

/// Bytes that are billed as one request.
const BILLED: usize = 64 * 1024;

/// The messages of one load that are not yet received.
#[derive(Debug)]
pub(super) struct Queue {
    series: Series,
    next: u32,
    end: u32,
    prepared: Prepared,
    published: VecDeque<String>,
    published_before: u32,
    now: Duration,
}

/// Messages as SQS delivers them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Their number.
    pub(super) count: u32,
    /// A JSON list.
    pub(super) list: String,
}

impl Received {
    /// What SQS bills for them.
    pub(super) fn units(&self) -> u64 {
        units(self.list.len())
    }
}

/// Requests that SNS or SQS bills for a message of this size.
pub(super) fn units(bytes: usize) -> u64 {
    bytes.div_ceil(BILLED).max(1) as u64
}

/// A message's JSON, and the positions of its sales' ids.
#[derive(Debug, Default)]
struct Prepared {
    text: String,
    events: u32,
    places: Vec<(usize, u32)>,
}

impl Queue {
    /// Nothing to receive.
    pub(super) fn empty() -> Self {
        Self::of(Series::new(Kind::Message, 0), 0, Prepared::default(), Duration::ZERO)
    }

    /// `count` messages of a load at `now`, with this number of events each, which `home` is expected to process.
    pub(super) fn new(
        count: u32,
        events: u32,
        home: Option<&Region>,
        generation: u16,
        now: Duration,
    ) -> Result<Self, NotUnderstood> {
        let series = Series::new(Kind::Message, generation);
        count.checked_mul(events).ok_or_else(|| NotUnderstood(format!("{count} messages of {events} events")))?;
        Ok(Self::of(series, count, Prepared::new(series, events, home, now)?, now))
    }

    fn of(series: Series, end: u32, prepared: Prepared, now: Duration) -> Self {
        Self { series, next: 0, end, prepared, published: VecDeque::new(), published_before: 0, now }
    }

    /// Whether a message of this load announces the fact with this id.
    pub(super) fn announces(&self, id: &str) -> bool {
        self.series.number(id).is_some_and(|number| number < self.end * self.prepared.events)
    }

    /// Adds a message that was published.
    pub(super) fn publish(&mut self, body: &str, attributes: &Map<String, Value>) {
        let id = Series::new(Kind::Published, 0).id(self.published_before).to_string();
        self.published_before = self.published_before.wrapping_add(1);
        self.published.push_back(json_of(&id, body, attributes, self.now));
    }

    /// Delivers up to `most` messages.
    pub(super) fn take(&mut self, most: u32) -> Option<Received> {
        let numbers = self.next..self.end.min(self.next.saturating_add(most));
        let (mut count, most) = (numbers.end - numbers.start, most);
        self.next = numbers.end;
        let mut list = String::with_capacity(count as usize * (self.prepared.text.len() + 1) + 2);
        list.push('[');
        for number in numbers {
            if list.len() > 1 {
                list.push(',');
            }
            self.prepared.write(self.series, number, &mut list);
        }
        while count < most
            && let Some(message) = self.published.pop_front()
        {
            list.extend([if list.len() > 1 { "," } else { "" }, &message]);
            count += 1;
        }
        list.push(']');
        (count > 0).then_some(Received { count, list })
    }
}

/// A message as delivered by a subscription with raw delivery.
fn json_of(id: &str, body: &str, attributes: &Map<String, Value>, now: Duration) -> String {
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
        "MessageAttributes": attributes,
    });
    message.to_string()
}

/// An attribute of a message.
pub(super) fn attribute(data_type: &str, text: &str) -> Value {
    json!({ "DataType": data_type, "StringValue": text })
}

impl Prepared {
    /// The first message of a series, as the API publishes it.
    fn new(series: Series, events: u32, home: Option<&Region>, now: Duration) -> Result<Self, NotUnderstood> {
        let announced = (0..events).map(|number| event(series, number, home, now));
        let announced = announced.collect::<Result<Vec<Event>, _>>()?;
        let mut packed = message::pack(&announced).into_iter();
        let (Some((Message { body, attributes }, _)), None) = (packed.next(), packed.next()) else {
            return Err(NotUnderstood(format!("{events} events do not make one message")));
        };
        let attributes = attributes.iter();
        let attributes = attributes
            .map(|(name, value)| (name.clone(), attribute(&value.data_type, value.text().unwrap_or_default())));
        let text = json_of(&series.id(0).to_string(), &body, &attributes.collect(), now);
        let mut places: Vec<(usize, u32)> = Vec::new();
        for number in 0..events {
            let id = series.id(number).to_string();
            places.extend(text.match_indices(&id).map(|(place, _)| (place, number)));
        }
        places.sort_unstable();
        Ok(Self { text, events, places })
    }

    /// Writes the message with this number: its ids in place of the prepared ones.
    fn write(&self, series: Series, number: u32, list: &mut String) {
        let (mut written, first) = (0, number * self.events);
        for (place, event) in &self.places {
            list.extend([&self.text[written..*place], series.text(first + event, &mut [0; LENGTH])]);
            written = place + LENGTH;
        }
        list.push_str(&self.text[written..]);
    }
}

/// An event of a series' first message.
fn event(series: Series, number: u32, home: Option<&Region>, now: Duration) -> Result<Event, NotUnderstood> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let timestamp = Timestamp::from_unix_seconds(seconds)
        .ok_or_else(|| NotUnderstood(format!("there is no year for {seconds}")))?;
    let sale = sample::sale(SaleId::new(series.id(number)), timestamp);
    let fact = Fact::Sale(sale.map_err(|error| NotUnderstood(error.to_string()))?);
    Ok(Event { fact, home: home.cloned(), trace: TraceParent::parse(TRACE) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sample::{AMOUNT, PRODUCT};

    const NOW: Duration = Duration::from_secs(1_764_547_200);

    fn queue(count: u32, events: u32) -> Queue {
        Queue::new(count, events, sample::region().as_ref(), 1, NOW).unwrap()
    }

    fn messages(received: &Received) -> Vec<Value> {
        let messages: Vec<Value> = serde_json::from_str(&received.list).unwrap();
        assert_eq!(messages.len(), received.count as usize);
        messages
    }

    #[test]
    fn messages_are_given_out_once_and_in_order() {
        let mut queue = queue(5, 1);
        let series = Series::new(Kind::Message, 1);
        for (most, first) in [(3, 0), (3, 3)] {
            let messages = messages(&queue.take(most).unwrap());
            for (number, message) in (first..).zip(&messages) {
                assert_eq!(message["MessageId"], series.id(number).to_string());
            }
        }
        assert_eq!(queue.take(3), None);
        assert_eq!(Queue::empty().take(10), None);
    }

    #[test]
    fn a_message_has_its_id_in_its_own_id_its_handle_its_body_and_its_attributes() {
        let mut queue = queue(2, 1);
        let received = queue.take(10).unwrap();
        let id = Series::new(Kind::Message, 1).id(1).to_string();
        assert_eq!(received.list.matches(&id).count(), 4);
        let message = &messages(&received)[1];
        assert_eq!(message["ReceiptHandle"].as_str().unwrap().len(), HANDLE_LENGTH);
        assert_eq!(message["MessageAttributes"]["ce-id"]["StringValue"], id);
        let body = format!(
            r#"{{"id":"{id}","product":"{PRODUCT}","amount":{AMOUNT},"sale_processed":false,"timestamp":1764547200}}"#
        );
        assert_eq!(message["Body"], body);
    }

    #[test]
    fn messages_of_many_events_have_different_ones() {
        let mut queue = queue(3, 20);
        let received = queue.take(10).unwrap();
        let mut ids = BTreeSet::new();
        for message in messages(&received) {
            let content_type = message["MessageAttributes"]["content-type"]["StringValue"].clone();
            assert_eq!(content_type, "application/cloudevents-batch+json");
            let events: Vec<Value> = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            assert_eq!(events.len(), 20);
            for event in events {
                assert_eq!((&event["id"], &event["home"]), (&event["data"]["id"], &json!("sa-east-1")));
                ids.insert(event["id"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(ids.len(), 60);
        assert!(ids.iter().all(|id| queue.announces(id)));
        let series = Series::new(Kind::Message, 1);
        assert!(!queue.announces(&series.id(60).to_string()) && !queue.announces("probe"));
    }

    #[test]
    fn events_that_do_not_fit_into_one_message_are_refused() {
        assert!(Queue::new(1, 0, None, 1, NOW).is_err());
        assert!(Queue::new(1, 1_000, None, 1, NOW).is_err());
        assert!(Queue::new(u32::MAX, 2, None, 1, NOW).is_err());
    }

    #[test]
    fn what_is_published_follows_what_is_offered() {
        let mut queue = queue(1, 1);
        for body in ["a", "\"b\""] {
            queue.publish(body, &Map::from_iter([("ce-id".into(), attribute("String", "1"))]));
        }
        let received = messages(&queue.take(2).unwrap());
        assert_eq!(
            (&received[1]["Body"], &received[1]["MessageAttributes"]["ce-id"]["StringValue"]),
            (&json!("a"), &json!("1"))
        );
        let last = messages(&queue.take(2).unwrap());
        assert_eq!((last.len(), &last[0]["Body"]), (1, &json!("\"b\"")));
        assert_ne!(last[0]["ReceiptHandle"], received[1]["ReceiptHandle"]);
        assert_eq!(queue.take(2), None);
    }

    #[test]
    fn each_started_64_kib_is_billed() {
        assert_eq!([0, 1, BILLED, BILLED + 1].map(units), [1, 1, 1, 2]);
    }
}
